"""Dropout: random zeros while training, in its elementwise, channelwise and alpha forms.

The mask is drawn outside the graph; what is recorded is `masked_scale`, a product with a constant.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from ops.broadcasting import broadcast_shapes
from ops.callers import warn_user
from ops.core import Bad, array_of, case, composite, dtype_of, op
from ops.elementwise.arithmetic import add, mul
from ops.elementwise.pointwise import several
from ops.lazy import LazyModule
from ops.promotion import default_dtype
from ops.random.generator import keep_mask
from ops.samples import spaced

__all__ = ["alpha_dropout", "dropout", "dropout1d", "dropout2d", "dropout3d", "feature_alpha_dropout",
           "masked_scale"]

_kernels = LazyModule("ops.kernels.masks")


def _mask_cases(rng):
    yield case(spaced(rng, (2, 3, 4)), rng.random((2, 3, 4)) < 0.5, 2.0)
    yield case(spaced(rng, (2, 3, 4)), rng.random((2, 3, 1)) < 0.5, 1.25)
    yield case(spaced(rng, ()), np.array(True), 2.0)
    yield case(spaced(rng, (0, 3)), np.ones((0, 3), bool), 2.0)
    yield case(spaced(rng, (16, 17)), rng.random((16, 17)) < 0.5, 2.0)
    yield case(spaced(rng, (4, 5, 3, 5)), rng.random((4, 5, 1, 1)) < 0.5, 1.25)


@op(
    grad=dict(input=lambda g, mask, scale: masked_scale(g, mask, scale)),
    samples=_mask_cases,
    reference=lambda input, mask, scale: np.where(mask, scale * input, 0.0),
    bad=[
        Bad(
            (np.ones((2, 3)), np.ones((4, 2, 3), bool), 1.0),
            {},
            RuntimeError,
            r"mask of shape \(4, 2, 3\).*\(2, 3\)",
        )
    ],
)
def masked_scale(input, mask, scale):
    """``input * mask * scale`` for a bool ``mask`` that broadcasts to the input: what dropout computes.

    >>> masked_scale(np.array([1.0, 2.0]), np.array([True, False]), 2.0)
    array([2., 0.])
    """
    if mask.shape == input.shape:
        if several(input) and input.flags.c_contiguous and mask.flags.c_contiguous:
            return _kernels.scale(input, mask, scale)
        result = np.multiply(input, mask)
        return np.multiply(result, input.dtype.type(scale), out=result) if input.ndim else result * scale
    # converted once, not for every element that it is broadcast to
    factors = np.array(mask, input.dtype)
    factors *= scale
    if several(input) and input.flags.c_contiguous and _is_of_rows(mask.shape, input.shape):
        return _kernels.scale_rows(input, factors)
    if broadcast_shapes(input.shape, mask.shape) != input.shape:
        raise RuntimeError(
            f"a mask of shape {mask.shape} cannot be broadcast to the input's shape {input.shape}"
        )
    return np.multiply(input, factors)


@functools.lru_cache(maxsize=1024)
def _is_of_rows(shape: tuple[int, ...], whole: tuple[int, ...]) -> bool:
    """Whether a mask of this shape has one element for each row of memory of the whole.

    >>> _is_of_rows((2, 3, 1, 1), (2, 3, 4, 5)), _is_of_rows((1, 3, 1), (2, 3, 4))
    (True, False)
    """
    kept = max((d for d, n in enumerate(shape, 1) if n != 1), default=0)
    return len(shape) == len(whole) and math.prod(shape) > 0 and shape[:kept] == whole[:kept]


def _check(name: str, input, p: float, training: bool) -> bool:
    """Validate the arguments; whether there is anything to do."""
    if not isinstance(array_of(input), np.ndarray):
        raise TypeError(
            f"{name}(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}"
        )
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
    if training and p > 0 and dtype_of(input).kind != "f":
        raise RuntimeError(f"{name}: result type {default_dtype()} can't be cast to the desired "
                           f"output type {dtype_of(input)}; convert the input first: x.float()")
    return training and p > 0


def _fixed_cases(shape):
    """Samples without chance: not training, nothing dropped, everything dropped."""
    def samples(rng):
        yield case(spaced(rng, shape), 0.5, False)
        yield case(spaced(rng, shape), 0.0, True)
        yield case(spaced(rng, shape), 1.0, True)
        yield case(spaced(rng, (0, *shape[1:])), 0.5, True)

    return samples


def _fixed_reference(input, p, training):
    return np.zeros_like(input) if training and p == 1 else np.array(input)


def _refused(shape):
    return [
        Bad((np.ones(shape), 1.5), {}, ValueError, "between 0 and 1, but got 1.5"),
        Bad(
            (np.ones(shape, np.int64),),
            {},
            RuntimeError,
            "can't be cast to the desired output type int64",
        ),
        Bad((1.0,), {}, TypeError, r"argument 'input' \(position 1\) must be Tensor, not float"),
    ]


def _drop(input, shape: tuple[int, ...], p: float, generator):
    """Zero with probability ``p``, one draw for each element of ``shape``; scale the rest."""
    if p == 1:
        return mul(input, 0.0)
    return masked_scale(input, keep_mask(shape, p, generator), 1.0 / (1.0 - p))


def _dropout_cases(rng):
    yield from _fixed_cases((2, 3, 4))(rng)
    yield case(spaced(rng, ()), 0.5, False)


@composite(samples=_dropout_cases, reference=_fixed_reference, bad=_refused((2, 3)))
def dropout(input, p=0.5, training=True, *, generator=None):
    """Zero each element with probability ``p`` while training and scale the others by 1 / (1 - p).

    Args:
        input: Tensor of any shape.
        p: probability of an element to become zero.
        training: without it the input is returned as it is.
        generator: source of the mask, the default generator if None.

    Raises:
        ValueError: if ``p`` is not between 0 and 1.

    Source: Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html

    >>> dropout(np.array([1.0, 2.0]), 1.0)
    array([0., 0.])
    """
    return _drop(input, input.shape, p, generator) if _check("dropout", input, p, training) else input


def _channels(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of a mask with one element for each sample and channel."""
    return shape[:2] + (1,) * (len(shape) - 2)


@composite(
    samples=_fixed_cases((2, 3, 4)),
    reference=_fixed_reference,
    exempt={"zero_dim": "takes 2 or 3 dimensions"},
    bad=[
        *_refused((2, 3)),
        Bad((np.ones(3),), {}, RuntimeError, "Expected 2D or 3D input, but received a 1D input"),
    ],
)
def dropout1d(input, p=0.5, training=True, *, generator=None):
    """Zero whole channels of (N, C, L) or (C, L) with probability ``p``; see `dropout`.

    Raises:
        RuntimeError: unless the input has 2 or 3 dimensions.

    >>> dropout1d(np.ones((1, 2, 3)), 1.0).sum()
    np.float64(0.0)
    """
    active = _check("dropout1d", input, p, training)
    if input.ndim not in (2, 3):
        raise RuntimeError(
            f"dropout1d: Expected 2D or 3D input, but received a {input.ndim}D input. Note that"
            " dropout1d exists to provide channel-wise dropout on inputs with 1 spatial dimension, a"
            " channel dimension, and an optional batch dimension (i.e. 2D or 3D inputs)."
        )
    if not active:
        return input
    return _drop(input, _channels(input.shape) if input.ndim == 3 else (input.shape[0], 1), p, generator)


def _feature_dropout(name: str, input, p, training, generator, expected: tuple[int, int]):
    active = _check(name, input, p, training)
    if input.ndim not in expected:
        warn_user(
            f"{name}: Received a {input.ndim}-D input to {name}; the dimensions after the second are"
            " taken as positions and whole channels (N, C) are dropped. Use dropout for single"
            " elements.")
    if not active:
        return input
    if input.ndim < 2:
        raise RuntimeError(
            f"Feature dropout requires at least 2 dimensions in the input, got shape {input.shape}"
        )
    return _drop(input, _channels(input.shape), p, generator)


@composite(samples=_fixed_cases((2, 3, 2, 2)), reference=_fixed_reference, bad=_refused((2, 3, 1, 1)),
           exempt={"zero_dim": "takes 4 dimensions"})
def dropout2d(input, p=0.5, training=True, *, generator=None):
    """Zero whole channels of (N, C, H, W) with probability ``p``; see `dropout`.

    Source: Tompson et al. 2015, https://arxiv.org/abs/1411.4280

    >>> dropout2d(np.ones((1, 2, 3, 3)), 1.0).sum()
    np.float64(0.0)
    """
    return _feature_dropout("dropout2d", input, p, training, generator, (3, 4))


@composite(
    samples=_fixed_cases((1, 2, 2, 2, 2)),
    reference=_fixed_reference,
    bad=_refused((2, 3, 1, 1, 1)),
    exempt={"zero_dim": "takes 5 dimensions"},
)
def dropout3d(input, p=0.5, training=True, *, generator=None):
    """Zero whole channels of (N, C, D, H, W) with probability ``p``; see `dropout`.

    >>> dropout3d(np.ones((1, 2, 3, 3, 3)), 1.0).sum()
    np.float64(0.0)
    """
    return _feature_dropout("dropout3d", input, p, training, generator, (4, 5))


_SATURATION = -1.7580993408473766
"""What SELU gives for minus infinity: -scale * alpha."""


def _alpha_drop(input, shape: tuple[int, ...], p: float, generator):
    """Put the saturation value where something is dropped, then restore mean 0 and variance 1."""
    if p == 1:
        return mul(input, 0.0)
    scale = ((1 - p) * (1 + p * _SATURATION**2)) ** -0.5
    keep = keep_mask(shape, p, generator)
    shift = np.where(keep, 0.0, scale * _SATURATION) - scale * _SATURATION * p
    return add(masked_scale(input, keep, scale), shift.astype(dtype_of(input)))


@composite(samples=_dropout_cases, reference=_fixed_reference, bad=_refused((2, 3)))
def alpha_dropout(input, p=0.5, training=True, *, generator=None):
    """Dropout for SELU networks: it keeps mean 0 and variance 1.

    A dropped element becomes SELU's saturation value; the result is scaled and shifted.
    Source: Klambauer et al. 2017, https://arxiv.org/abs/1706.02515

    >>> alpha_dropout(np.array([1.0, 2.0]), 1.0)
    array([0., 0.])
    """
    return (
        _alpha_drop(input, input.shape, p, generator)
        if _check("alpha_dropout", input, p, training)
        else input
    )


@composite(samples=_fixed_cases((2, 3, 4)), reference=_fixed_reference, bad=_refused((2, 3)),
           exempt={"zero_dim": "takes 2 dimensions or more"})
def feature_alpha_dropout(input, p=0.5, training=True, *, generator=None):
    """`alpha_dropout` of whole channels of (N, C, ...).

    >>> feature_alpha_dropout(np.ones((1, 2, 3)), 1.0).sum()
    np.float64(0.0)
    """
    if not _check("feature_alpha_dropout", input, p, training):
        return input
    if input.ndim < 2:
        raise RuntimeError(
            f"Feature dropout requires at least 2 dimensions in the input, got shape {input.shape}"
        )
    return _alpha_drop(input, _channels(input.shape), p, generator)
