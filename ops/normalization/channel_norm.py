"""`channel_norm`, the op behind batch, layer, group and instance norm, and its gradients.

Subtract a mean, divide by a standard deviation, scale and shift by channel.  The statistics are taken
over the batch and all positions of a channel, or over one sample's group of channels.  The gradients
are two more ops,
and the three are closed under differentiation: the Jacobian J of (x - mean) / std is symmetric, so the
gradient of J g with respect to g is J again.
"""

from __future__ import annotations

import math

import numpy as np

from ops.contracts import shaped
from ops.core import Bad, Joint, Traced, case, op
from ops.elementwise.arithmetic import add, mul, neg, sub
from ops.elementwise.exponential import rsqrt
from ops.lazy import LazyModule
from ops.reduction.totals import sum
from ops.samples import spaced
from ops.shape.layout import reshape

__all__ = ["channel_norm", "channel_norm_input", "channel_norm_weight"]

_kernels, _columns = LazyModule("ops.kernels.norm"), LazyModule("ops.kernels.norm_columns")


# ------------------------------------ which kernel: by where the elements that share a mean lie


def _in_columns(x: np.ndarray) -> bool:
    """Whether the channels of (N, C, ...) lie side by side in memory, pixels at even distances."""
    return (x.ndim == 2 or not x.flags.c_contiguous) and _columns.row_step(x) is not None


def _planes(x: np.ndarray) -> np.ndarray:
    """(N, C, ...) as contiguous (N, C, positions)."""
    n, c, *rest = x.shape
    return np.ascontiguousarray(x).reshape(n, c, math.prod(rest))


def _to_columns(g: np.ndarray) -> np.ndarray:
    """``g`` itself, or a copy in channels-last memory."""
    if _columns.row_step(g) is not None:
        return g
    last = np.empty((g.shape[0], *g.shape[2:], g.shape[1]), g.dtype)
    last[...] = np.moveaxis(g, 1, -1)
    return np.moveaxis(last, -1, 1)


def _spread(statistic: np.ndarray, shape: tuple, groups: int | None) -> np.ndarray:
    """Repeat statistics to a table (N * C)."""
    n, c = shape[:2]
    if groups is None:
        return np.broadcast_to(statistic, (n, c)).reshape(-1)
    return np.broadcast_to(statistic[:, :, None], (n, groups, c // groups)).reshape(-1)


def count_of(shape: tuple, groups: int | None) -> int:
    """How many elements share one mean."""
    elements = math.prod(shape)
    return elements // (shape[1] if groups is None else shape[0] * groups) if elements else 0


def per_channel(values, ndim: int):
    """(C,) shaped to broadcast against (N, C, ...)."""
    return reshape(values, (1, -1) + (1,) * (ndim - 2))


def check_floating(name: str, input) -> tuple[int, ...]:
    """The shape; what is no floating-point array or Tensor is refused."""
    if isinstance(input, Traced):
        shape, dtype = input.array_shape, input.array_dtype
    elif isinstance(input, np.ndarray):
        shape, dtype = input.shape, input.dtype
    else:
        raise TypeError(
            f"{name}(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}"
        )
    if dtype.kind != "f":
        raise NotImplementedError(
            f"\"{name}\" not implemented for '{dtype}'; convert the input: x.float()"
        )
    return shape


# ------------------------------------------------------------------ the op and its gradients


def _norm_cases(rng):
    weight, bias = spaced(rng, (4,), 0.5, 1.5), spaced(rng, (4,))
    yield case(spaced(rng, (3, 4, 2)), weight, bias, None, 1e-3)
    yield case(spaced(rng, (3, 4)), weight, None, None, 0.3)
    yield case(spaced(rng, (2, 4, 3)), weight, bias, 2, 1e-3)
    yield case(spaced(rng, (2, 4, 2, 2)), None, None, 4, 1e-3)
    yield case(spaced(rng, (2, 4)), weight, bias, 1, 1e-3)
    yield case(spaced(rng, (0, 4, 2)), weight, bias, 2, 1e-3)


def norm_reference(input, weight, bias, groups, eps):
    """Normalization by its formula, with the statistics."""
    x = input.reshape(input.shape[0], input.shape[1], -1) if input.size else input
    if groups is None:
        mean, variance = x.mean((0, 2)), x.var((0, 2))
        hat = (x - mean[:, None]) / np.sqrt(variance + eps)[:, None]
    else:
        n, c, length = x.shape
        g = x.reshape(n, groups, c // groups * length)
        mean, variance = g.mean(2), g.var(2)
        hat = ((g - mean[..., None]) / np.sqrt(variance + eps)[..., None]).reshape(n, c, length)
    hat = hat if weight is None else hat * weight[:, None]
    return (hat if bias is None else hat + bias[:, None]).reshape(input.shape), mean, variance


def _gradients(g, input, weight, mean, variance, groups, eps) -> tuple:
    """Gradients by input, weight and bias, as arrays from arrays."""
    shape = input.shape
    shaped("channel_norm", "the gradient", g, shape)
    shaped("channel_norm", "weight", weight, shape[1:2])
    for name, value in (("mean", mean), ("variance", variance)):
        shaped("channel_norm", name, value, shape[1:2] if groups is None else (shape[0], groups))
    if groups is not None and (groups < 1 or shape[1] % groups):
        raise RuntimeError(f"channel_norm(): {shape[1]} channels cannot be cut into {groups} groups")
    if not input.size:
        return np.empty_like(input), np.zeros(shape[1], input.dtype), np.zeros(shape[1], input.dtype)
    mean, variance = (np.ascontiguousarray(value, input.dtype) for value in (mean, variance))
    g = np.asarray(g, input.dtype)  # kernels get bare addresses
    if groups is not None:
        out, *others = _kernels.group_backward(
            _planes(g), _planes(input), weight, mean, variance, groups, eps)
        return out.reshape(shape), *others
    if _in_columns(input):
        return _columns.column_backward(_to_columns(g), input, weight, mean, variance, eps)
    out, *others = _kernels.channel_backward(_planes(g), _planes(input), weight, mean, variance, eps)
    return out.reshape(shape), *others


def _joint(g, wanted, input, weight, mean, variance, groups, eps) -> tuple:
    """All gradients: in one pass over memory for arrays, one by one for Tensors."""
    if type(g) is np.ndarray:
        return _gradients(g, input, weight, mean, variance, groups, eps)
    of_input, of_weight, of_bias = wanted
    return (
        channel_norm_input(g, input, weight, mean, variance, groups, eps) if of_input else None,
        channel_norm_weight(g, input, mean, variance, groups, eps) if of_weight else None,
        sum(g, (0, *range(2, g.ndim))) if of_bias else None,
    )


@op(
    grad=Joint(("input", "weight", "bias"), _joint),
    outputs=("values", "mean", "variance"),
    samples=_norm_cases,
    reference=norm_reference,
    exempt={
        "zero_dim": "takes 2 dimensions or more",
    },
    any_layout=True,
    bad=[
        Bad(
            (np.ones((2, 3)), None, None, 2, 1e-5),
            {},
            RuntimeError,
            "divisible by num_groups.*num_groups=2",
        )
    ],
)
def channel_norm(input, weight, bias, groups, eps):
    """``(input - mean) / sqrt(variance + eps) * weight + bias`` with biased variances.

    Args:
        input: (N, C, ...).
        weight: (C,) or None for ones.
        bias: (C,) or None for zeros.
        groups: None for statistics of each channel over the whole batch; a number for statistics of each
            sample over each of so many groups of channels.
        eps: added to the variance.

    Returns:
        The values, and the mean and biased variance: (C,) or (N, groups).

    >>> channel_norm(np.array([[1.0, 5.0], [3.0, 5.0]]), None, None, None, 0.01).mean
    array([2., 5.])
    """
    shape = input.shape
    if groups is not None and (groups < 1 or shape[1] % groups):
        raise RuntimeError(
            "Expected number of channels in input to be divisible by num_groups, but got input of shape "
            f"{list(shape)} and num_groups={groups}"
        )
    channels = shape[1:2]
    if weight is not None and weight.shape != channels:
        shaped("channel_norm", "weight", weight, channels)
    if bias is not None and bias.shape != channels:
        shaped("channel_norm", "bias", bias, channels)
    if not input.size:
        statistics = np.full(shape[1] if groups is None else (shape[0], groups), np.nan, input.dtype)
        return np.empty_like(input), statistics, statistics.copy()
    if groups is not None:
        return _kernels.group_forward(np.ascontiguousarray(input), weight, bias, groups, eps)
    if _in_columns(input):
        return _columns.column_forward(input, weight, bias, eps)
    return _kernels.channel_forward(np.ascontiguousarray(input), weight, bias, eps)


def _gradient_cases(rng):
    for c in _norm_cases(rng):
        input, weight, _, groups, eps = c.args
        _, mean, variance = norm_reference(input, None, None, groups, eps)
        yield case(spaced(rng, input.shape), input, weight, mean, variance, groups, eps)


def _input_reference(g, input, weight, mean, variance, groups, eps):
    """Row by row from the Jacobian written out as a matrix."""
    result = np.zeros(input.shape)
    if not input.size:
        return result
    g = g if weight is None else g * weight.reshape(1, -1, *[1] * (input.ndim - 2))
    owner = np.broadcast_to(
        _spread(np.arange(mean.size).reshape(mean.shape), input.shape, groups).reshape(
            *input.shape[:2], *[1] * (input.ndim - 2)
        ),
        input.shape,
    )
    for s in range(mean.size):
        x, std = input[owner == s] - mean.flat[s], np.sqrt(variance.flat[s] + eps)
        n = len(x)
        jacobian = (np.eye(n) - 1 / n - np.outer(x, x) / std**2 / n) / std
        result[owner == s] = jacobian @ g[owner == s]
    return result


def _second_order(g, h, input, weight, groups, eps):
    """Gradient of sum(h * J (weight * g)) with respect to the input, in differentiable steps."""
    shape = input.shape
    u = g if weight is None else mul(g, per_channel(weight, len(shape)))
    count = count_of(shape, groups)
    if count == 0:
        return mul(input, 0.0)
    members, dims = (shape[:2], (0, 2)) if groups is None else ((shape[0], groups), 2)
    members = (*members, int(np.prod(shape)) // (members[0] * members[1]))

    def mean(value):
        return mul(sum(value, dims, True), 1.0 / count)

    x, u, v = (reshape(value, members) for value in (input, u, h))
    centered, u, v = (sub(value, mean(value)) for value in (x, u, v))
    variance = mean(mul(centered, centered))
    inverse = rsqrt(add(variance, eps))
    hat = mul(centered, inverse)
    along_u, along_v = mean(mul(u, hat)), mean(mul(v, hat))
    first = mul(mul(hat, inverse), sub(mean(mul(u, v)), mul(along_u, along_v)))
    jacobian_u = mul(sub(u, mul(hat, along_u)), inverse)
    jacobian_v = mul(sub(v, mul(hat, along_v)), inverse)
    total = add(first, add(mul(along_u, jacobian_v), mul(along_v, jacobian_u)))
    return reshape(neg(mul(total, inverse)), shape)


@op(
    grad=dict(
        g=lambda h, input, weight, mean, variance, groups, eps: _scaled(
            channel_norm_input(h, input, None, mean, variance, groups, eps), weight
        ),
        input=lambda h, g, input, weight, groups, eps: _second_order(g, h, input, weight, groups, eps),
        weight=lambda h, g, input, mean, variance, groups, eps: sum(
            mul(g, channel_norm_input(h, input, None, mean, variance, groups, eps)),
            (0, *range(2, g.ndim)),
        ),
    ),
    samples=_gradient_cases,
    reference=_input_reference,
    exempt={
        "zero_dim": "takes 2 dimensions or more",
        "gradient": "mean and variance belong to the input; checked as second order of channel_norm",
        "second_order": "as gradient", "bad": "the forward op checks",
    },
)
def channel_norm_input(g, input, weight, mean, variance, groups, eps):
    """Gradient of `channel_norm` with respect to its input, for the cotangent ``g``.

    With u = weight * g and hat = (input - mean) / std it is (u - mean(u) - hat * mean(u * hat)) / std.

    >>> two, one = np.array([2.0]), np.array([1.0])
    >>> channel_norm_input(np.ones((2, 1)), np.array([[1.0], [3.0]]), None, two, one, None, 0)
    array([[0.],
           [0.]])
    """
    return _gradients(g, input, weight, mean, variance, groups, eps)[0]


def _weight_reference(g, input, mean, variance, groups, eps):
    hat = norm_reference(input, None, None, groups, eps)[0]
    return (g * hat).sum((0, *range(2, g.ndim)))


@op(
    grad=dict(
        g=lambda h, input, groups, eps: channel_norm(input, h, None, groups, eps)[0],
        input=lambda h, g, input, mean, variance, groups, eps: channel_norm_input(
            g, input, h, mean, variance, groups, eps),
    ),
    samples=lambda rng: (case(*c.args[:2], *c.args[3:]) for c in _gradient_cases(rng)),
    reference=_weight_reference,
    exempt={"zero_dim": "takes 2 dimensions or more",
            "gradient": "mean and variance belong to the input; checked as second order of channel_norm",
            "second_order": "as gradient", "bad": "the forward op checks"},
)
def channel_norm_weight(g, input, mean, variance, groups, eps):
    """Gradient of `channel_norm` with respect to its weight: sums of g * (input - mean) / std.

    >>> two, one = np.array([2.0]), np.array([1.0])
    >>> channel_norm_weight(np.ones((2, 1)), np.array([[1.0], [3.0]]), two, one, None, 0)
    array([0.])
    """
    return _gradients(g, input, None, mean, variance, groups, eps)[1]


def _scaled(values, weight):
    return values if weight is None else mul(values, per_channel(weight, values.ndim))
