"""Losses that compare an input with a target element by element.

Each takes ``reduction``: ``'mean'`` (default), ``'sum'`` or ``'none'``; ``size_average`` and ``reduce``
are PyTorch's older spelling of it.  Input and target must have the same shape.  PyTorch only warns where
they differ, and then averages over the broadcast pairs, which is hardly ever what was wanted; here it
is an error.  This file holds the losses of a difference; those of probabilities are in
``likelihood.py``, those for classes in ``cross_entropy.py``, those with margins in ``margin_loss.py``.
"""

from __future__ import annotations

import math

import numpy as np

from ops.callers import warn_user
from ops.core import Bad, Traced, case, composite, dtype_of, op, shape_of
from ops.elementwise.arithmetic import mul, neg, sign, sub
from ops.elementwise.clamping import clamp
from ops.elementwise.division import div
from ops.elementwise.pointwise import several
from ops.lazy import LazyModule
from ops.promotion import operands
from ops.reduction.totals import TYPE_NAMES, mean, sum
from ops.samples import spaced

__all__ = ["absolute_error", "huber_error", "huber_loss", "l1_loss", "mse_loss", "smooth_l1_loss",
           "squared_error"]


_kernels = LazyModule("ops.kernels.difference")


# ------------------------------------------------------------------ shared by all losses


def reduction_of(reduction, size_average, reduce):
    """`choose_reduction` for the backward pass: the forward pass has warned and checked.

    >>> reduction_of("mean", None, False)
    'none'
    """
    if size_average is None and reduce is None:
        return reduction
    return "none" if reduce is False else "sum" if size_average is False else "mean"


def choose_reduction(reduction, size_average=None, reduce=None) -> str:
    """The reduction that the present and the older arguments ask for.

    Raises:
        ValueError: for an unknown one.

    >>> choose_reduction("mean"), choose_reduction("mean", reduce=False)
    ('mean', 'none')
    """
    if size_average is not None or reduce is not None:
        reduction = reduction_of(reduction, size_average, reduce)
        warn_user("size_average and reduce args will be deprecated, please use "
                  f"reduction='{reduction}' instead.")
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"{reduction} is not a valid value for reduction; use 'mean', 'sum' or 'none'")
    return reduction


def reduce_losses(losses, reduction: str):
    """The mean, the sum, or the losses themselves.

    >>> float(reduce_losses(np.array([1.0, 3.0]), "mean"))
    2.0
    """
    return mean(losses) if reduction == "mean" else sum(losses) if reduction == "sum" else losses


def require_same_shape(name: str, input, target) -> None:
    """Refuse shapes that differ, and say how to make them equal.

    Raises:
        ValueError: with both shapes and a suggestion.

    >>> require_same_shape("mse", np.ones((3, 1)), np.ones(3))
    Traceback (most recent call last):
    ...
    ValueError: mse: input has shape (3, 1) but target (3,); use input.squeeze(1) or target.unsqueeze(1)
    """
    shape, other = _shape_of(name, "input", 1, input), _shape_of(name, "target", 2, target)
    if shape == other:
        return
    shape, other = tuple(shape), tuple(other)
    advice = "they must be the same"
    if math.prod(shape) == math.prod(other):
        longer, shorter, names = ((shape, other, ("input", "target")) if len(shape) > len(other)
                                  else (other, shape, ("target", "input")))
        extra = [d for d, n in enumerate(longer) if n == 1 and longer[:d] + longer[d + 1:] == shorter]
        advice = (f"use {names[0]}.squeeze({extra[-1]}) or {names[1]}.unsqueeze({extra[-1]})" if extra
                  else f"use target.reshape({shape}) if the elements are in the same order")
    elif all_broadcast(shape, other):
        advice = "use target.expand_as(input), or input.expand_as(target), if you want to broadcast"
    raise ValueError(f"{name}: input has shape {tuple(shape)} but target {tuple(other)}; {advice}")


def refuse_swapped(name: str, input, target) -> None:
    """Refuse integers in front of floats: targets where predictions belong.

    >>> refuse_swapped("bce", np.array([0, 1]), np.array([0.3, 0.9]))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    NotImplementedError: "bce" not implemented for 'Long': input and target seem to be swapped; ...
    """
    first, second = dtype_of(input), dtype_of(target)
    if first.kind != "f" and second.kind == "f":
        raise NotImplementedError(
            f"\"{name}\" not implemented for '{TYPE_NAMES[first.name]}': input and target seem to be "
            f"swapped; the first argument holds {first}s of shape {tuple(input.shape)}, the second "
            f"{second}s of shape {tuple(target.shape)}: write {name}(prediction, target)"
        )


def _shape_of(name: str, argument: str, position: int, value) -> tuple:
    if not isinstance(value, (np.ndarray, np.generic, Traced)):
        raise TypeError(f"{name}(): argument '{argument}' (position {position}) must be Tensor, not "
                        f"{type(value).__name__}")
    return shape_of(value)


def all_broadcast(shape: tuple, other: tuple) -> bool:
    """Whether two shapes can be broadcast to each other.

    >>> all_broadcast((2, 1), (3,)), all_broadcast((2,), (3,))
    (True, False)
    """
    return not [1 for a, b in zip(shape[::-1], other[::-1]) if a != b and 1 not in (a, b)]


def _divisor(shape: tuple, reduction: str) -> int:
    """What the sum of losses of this shape is divided by."""
    return math.prod(shape) if reduction == "mean" else 1 if reduction == "sum" else shape[0]


def of_array(losses, reduction: str):
    """`reduce_losses` inside a forward function.

    >>> float(of_array(np.array([[1.0, 3.0]]), "batchmean"))
    4.0
    """
    if reduction == "none":
        return losses
    total = np.add.reduce(losses, axis=None)
    return total if reduction == "sum" else total / losses.dtype.type(_divisor(losses.shape, reduction))


def of_sum(total: float, input, reduction: str):
    """The reduced loss, from the sum that a kernel computed.

    >>> of_sum(8.0, np.ones((2, 2), np.float32), "mean")
    np.float32(2.0)
    """
    return input.dtype.type(total / _divisor(input.shape, reduction))


def part_of(g, shape: tuple, reduction: str):
    """The cotangent of one element's loss, ready to broadcast.

    >>> float(part_of(np.array(1.0), (2, 2), "mean"))
    0.25
    """
    return g if reduction in ("sum", "none") else div(g, _divisor(shape, reduction))


def reduced(values, reduction: str):
    """`reduce_losses` for references.

    >>> float(reduced(np.ones(3), "sum"))
    3.0
    """
    values = np.asarray(values)
    return values if reduction == "none" else values.sum() / _divisor(values.shape, reduction)


def loss_cases(rng, low=-2.0, high=2.0, target_low=-2.0, target_high=2.0, **options):
    """Samples of a loss of input and target: every reduction, 0-d, and empty.

    >>> len(list(loss_cases(np.random.default_rng(0))))
    5
    """
    for shape, reduction in (((2, 3), "mean"), ((4,), "sum"), ((2, 3), "none"), ((), "mean"),
                             ((0, 3), "sum")):
        target = spaced(rng, shape, target_low, target_high) + 0.0131 * (target_high - target_low) / 4
        yield case(spaced(rng, shape, low, high), np.asarray(target), reduction=reduction, **options)


BAD_LOSS = [Bad((np.ones((3, 1)), np.ones(3)), {}, ValueError, r"\(3, 1\).*\(3,\).*squeeze\(1\)"),
            Bad((np.ones(3), np.ones(3)), {"reduction": "all"}, ValueError, "all is not a valid value "
                                                                            "for reduction")]


# -------------------------------------------------------------- the difference, fused with the reduction


def _difference(name: str, input, target):
    """``input - target`` in their common floating dtype."""
    input, target = operands(input, target)
    if input.dtype.kind != "f":
        raise NotImplementedError(f"\"{name}\" not implemented for '{TYPE_NAMES[input.dtype.name]}'; "
                                  "convert first: input.float()")
    return np.asarray(input - target)


def fits_kernel(input, target, reduction: str) -> bool:
    """Whether a kernel reduces the losses of two arrays in one pass.

    >>> fits_kernel(np.ones(1000), np.ones(1000), "mean"), fits_kernel(np.ones(10), np.ones(10), "mean")
    (True, False)
    """
    return (reduction != "none" and type(input) is np.ndarray and several(input)
            and type(target) is np.ndarray and target.dtype == input.dtype
            and target.shape == input.shape)


def _difference_cases(rng, **options):
    yield from loss_cases(rng, **options)
    yield case(spaced(rng, (64, 129)), spaced(rng, (64, 129), -1, 2.1), **options)  # for the kernels


def _difference_record(slope, fused, value):
    """Record of a loss with derivative ``slope(input - target)`` by the input.

    ``fused(input, target, factor)`` is the kernel of the derivative times a number.
    """

    def by_input(g, input, target, reduction):
        part = part_of(g, input.shape, reduction)
        if type(g) is np.ndarray and fits_kernel(input, target, reduction):
            return fused(input, target, float(part))
        return mul(part, slope(sub(input, target)))

    def by_target(g, input, target, reduction):
        return by_input(neg(g), input, target, reduction)

    return dict(grad=dict(input=by_input, target=by_target),
                samples=_difference_cases, reference=lambda input, target, reduction="mean": reduced(
                    value(input - target), reduction),
                exempt={"bad": "the public losses check"})


@op(**_difference_record(lambda d: mul(d, 2.0), lambda x, y, factor: _kernels.huber_slope(
    x, y, 2 * factor, math.inf), lambda d: d ** 2))
def squared_error(input, target, reduction="mean"):
    """``(input - target) ** 2`` of equal shapes, reduced: one op for `mse_loss`.

    >>> float(squared_error(np.array([3.0]), np.array([1.0])))
    4.0
    """
    if fits_kernel(input, target, reduction):
        return of_sum(2 * _kernels.huber_sum(input, target, math.inf), input, reduction)
    difference = _difference("mse_loss", input, target)
    return of_array(difference * difference, reduction)


@op(**_difference_record(lambda d: sign(d), lambda x, y, factor: _kernels.absolute_slope(x, y, factor), abs))
def absolute_error(input, target, reduction="mean"):
    """``abs(input - target)`` of equal shapes, reduced: one op for `l1_loss`.

    >>> float(absolute_error(np.array([3.0]), np.array([1.0])))
    2.0
    """
    if fits_kernel(input, target, reduction):
        return of_sum(_kernels.absolute_sum(input, target), input, reduction)
    return of_array(np.abs(_difference("l1_loss", input, target)), reduction)


def _huber_grad(g, input, target, reduction, delta):
    part = part_of(g, input.shape, reduction)
    if type(g) is np.ndarray and fits_kernel(input, target, reduction):
        return _kernels.huber_slope(input, target, float(part), delta)
    return mul(part, clamp(sub(input, target), -delta, delta))


@op(
    grad=dict(input=_huber_grad, target=lambda g, input, target, reduction, delta: _huber_grad(
        neg(g), input, target, reduction, delta)),
    samples=lambda rng: (*_difference_cases(rng, delta=0.7), *loss_cases(rng, delta=1.2)),
    reference=lambda input, target, reduction="mean", delta=1.0: reduced(np.vectorize(
        lambda d: 0.5 * d * d if -delta < d < delta else delta * (abs(d) - 0.5 * delta), otypes=[float])(
            input - target), reduction),
    exempt={"bad": "the public losses check"},
)
def huber_error(input, target, reduction="mean", delta=1.0):
    """Half the squared difference up to ``delta``, then linear; reduced: one op for `huber_loss`.

    >>> float(huber_error(np.array([3.0]), np.array([1.0]), delta=1.0))
    1.5
    """
    if fits_kernel(input, target, reduction):
        return of_sum(_kernels.huber_sum(input, target, delta), input, reduction)
    size = np.abs(_difference("huber_loss", input, target))
    near = np.minimum(size, size.dtype.type(delta))
    return of_array(near * (size - 0.5 * near), reduction)


# ------------------------------------------------------------------ regression


def _weighted(losses, weight, reduction):
    """Weighted losses, reduced; their mean divides by the sum of the weights."""
    weighted = mul(losses, weight)
    return div(sum(weighted), sum(weight)) if reduction == "mean" else reduce_losses(weighted, reduction)


def _require_weight_shape(weight, input):
    if tuple(weight.shape) != tuple(input.shape):
        raise ValueError(f"Inputs and weights must have the same size, got {tuple(input.shape)} and "
                         f"{tuple(weight.shape)}; use weight.expand_as(input)")


def _regression(name, error, input, target, reduction, weight=None, **options):
    require_same_shape(name, input, target)
    if weight is None:
        return error(input, target, reduction, **options)
    _require_weight_shape(weight, input)
    return _weighted(error(input, target, "none", **options), weight, reduction)


def _public(error, **options):
    """Record of the public function of a fused loss."""
    reference = error.reference
    return dict(samples=lambda rng: loss_cases(rng, **options), reference=reference, bad=BAD_LOSS,
                differentiable=("input", "target"))


@composite(**_public(squared_error))
def mse_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """Mean squared error: ``(input - target) ** 2``, averaged.

    Raises:
        ValueError: if the shapes differ (PyTorch only warns), or the reduction is unknown.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.mse_loss.html

    >>> float(mse_loss(np.array([1.0, 2.0]), np.array([1.0, 4.0])))
    2.0
    """
    reduction = choose_reduction(reduction, size_average, reduce)
    return _regression("mse_loss", squared_error, input, target, reduction, weight)


@composite(**_public(absolute_error))
def l1_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """Mean absolute error: ``abs(input - target)``, averaged.

    >>> float(l1_loss(np.array([1.0, 2.0]), np.array([1.0, 4.0])))
    1.0
    """
    reduction = choose_reduction(reduction, size_average, reduce)
    return _regression("l1_loss", absolute_error, input, target, reduction, weight)


@composite(
    samples=lambda rng: (*loss_cases(rng, beta=0.7), *loss_cases(rng, beta=0)),
    differentiable=("input", "target"),
    reference=lambda input, target, reduction="mean", beta=1.0: (
        huber_error.reference(input, target, reduction, beta) / beta if beta
        else absolute_error.reference(input, target, reduction)),
    bad=[*BAD_LOSS, Bad((np.ones(3), np.ones(3)), {"beta": -1}, RuntimeError,
                        "negative values for beta")],
)
def smooth_l1_loss(input, target, size_average=None, reduce=None, reduction="mean", beta=1.0):
    """``0.5 * d ** 2 / beta`` for a difference ``d`` below ``beta``, else ``abs(d) - 0.5 * beta``.

    >>> float(smooth_l1_loss(np.array([0.0]), np.array([2.0])))
    1.5
    """
    reduction = choose_reduction(reduction, size_average, reduce)
    if beta < 0:
        raise RuntimeError(f"smooth_l1_loss does not support negative values for beta, got {beta}.")
    if beta == 0:
        return _regression("smooth_l1_loss", absolute_error, input, target, reduction)
    loss = _regression("smooth_l1_loss", huber_error, input, target, reduction, delta=beta)
    return loss if beta == 1 else div(loss, beta)


@composite(**{**_public(huber_error, delta=0.7), "bad": [
    *BAD_LOSS, Bad((np.ones(3), np.ones(3)), {"delta": 0}, RuntimeError,
                   "non-positive values for delta")]})
def huber_loss(input, target, reduction="mean", delta=1.0, weight=None):
    """``0.5 * d ** 2`` for a difference ``d`` below ``delta``, else ``delta * (abs(d) - 0.5 * delta)``.

    Args:
        weight: factor of each element; unlike those of `mse_loss` the mean divides by their number.

    >>> float(huber_loss(np.array([0.0]), np.array([2.0])))
    1.5
    """
    if delta <= 0:
        raise RuntimeError(f"huber_loss does not support non-positive values for delta, got {delta}.")
    reduction = choose_reduction(reduction)
    if weight is None:
        return _regression("huber_loss", huber_error, input, target, reduction, delta=delta)
    losses = _regression("huber_loss", huber_error, input, target, "none", weight, delta=delta)
    return reduce_losses(losses, reduction)
