"""Activation functions made of straight pieces: relu and its relatives.

Their gradients are masks.  At a kink each takes the side that PyTorch takes, in particular relu'(0) = 0.
"""

from __future__ import annotations

import numpy as np

from ops.core import Bad, case, composite, dtype_of, op
from ops.elementwise.arithmetic import abs, add, mul
from ops.elementwise.comparison import ge, gt, le, logical_and, logical_or, lt
from ops.elementwise.division import div
from ops.elementwise.masking import keep_where, where, zero_where
from ops.elementwise.pointwise import (
    LARGE,
    SEVERAL,
    by_element,
    fused,
    not_implemented,
    several,
    tensor_only,
)
from ops.lazy import LazyModule
from ops.promotion import not_a_tensor
from ops.samples import spaced, unary
from ops.shape.layout import reshape

__all__ = ["hardshrink", "hardsigmoid", "hardswish", "hardtanh", "leaky_relu", "prelu", "relu", "relu6",
           "softshrink", "threshold"]

_pieces = LazyModule("ops.kernels.pieces")
_ZEROS = {np.dtype(name): np.zeros((), name)
          for name in ("float32", "float64", "uint8", "int8", "int16", "int32", "int64")}


def _not_tensor(name):
    return Bad(
        (1.0,), {}, TypeError, rf"{name}\(\): argument 'input' \(position 1\) must be Tensor, not float"
    )


def floats(input, name: str) -> np.ndarray:
    """``input`` itself, refused unless it is an array of floats.

    >>> floats(np.arange(2), "silu")
    Traceback (most recent call last):
    ...
    NotImplementedError: "silu" not implemented for 'Long'; convert it, for example x.float()
    """
    tensor_only(input)
    if input.dtype.kind != "f":
        raise not_implemented(name, input.dtype)
    return input


def float_bad(name: str) -> list[Bad]:
    """The bad calls of an activation that takes floats only.

    >>> len(float_bad("silu"))
    2
    """
    return [
        _not_tensor(name),
        Bad((np.arange(2),), {}, NotImplementedError, "not implemented for 'Long'"),
    ]


@op(
    grad=dict(input=fused(lambda g, ans: _pieces.relu_slope(g, ans),
                          lambda g, ans: zero_where(g, le(ans, 0)))),
    samples=unary(), any_layout=True,
    reference=by_element(lambda a: a if a > 0 else 0.0),
    bad=[
        _not_tensor("relu"),
        Bad((np.array([True]),), {}, RuntimeError, "Boolean inputs not supported for relu"),
    ],
)
def relu(input):
    """Rectified linear unit ``max(input, 0)``; NaN stays NaN, the gradient at 0 is 0.

    Source: Nair and Hinton, Rectified linear units improve restricted Boltzmann machines, 2010.

    >>> relu(np.array([-1.0, 0.0, 2.0]))
    array([0., 0., 2.])
    """
    if type(input) is not np.ndarray:
        tensor_only(input)
    zero = _ZEROS.get(input.dtype)
    if zero is None:
        raise RuntimeError(
            f"Boolean inputs not supported for relu, got dtype {input.dtype}; convert first: x.float()"
        )
    if input.size >= LARGE and input.dtype.kind == "f":
        return _pieces.clip(input, 0)
    return np.maximum(input, zero)


def _threshold_cases(rng):
    for shape in ((), (2, 3), (0, 3)):
        yield case(spaced(rng, shape), 0.25, -3.0)
    yield case(spaced(rng, (2, 4)), -0.6, 1.0)


@op(
    grad=dict(input=lambda g, input, threshold: zero_where(g, le(input, threshold))),
    samples=_threshold_cases,
    reference=by_element(lambda a, threshold, value: a if a > threshold else value),
    bad=[
        Bad(
            (1.0, 0, 0),
            {},
            TypeError,
            r"threshold\(\): argument 'input' \(position 1\) must be Tensor, not float",
        )
    ],
)
def threshold(input, threshold, value):
    """``input`` where it is above ``threshold``, else ``value``.

    >>> threshold(np.array([1.0, 3.0]), 2, -1)
    array([-1.,  3.])
    """
    tensor_only(input)
    return np.where(np.less_equal(input, threshold), input.dtype.type(value), input)


def _between(g, input, low, high):
    """The cotangent strictly between two bounds and at NaN, else 0."""
    if type(g) is np.ndarray:
        return _pieces.between_slope(g, input, low, high)
    return zero_where(g, logical_or(le(input, low), ge(input, high)))


def _clip(input, low, high):
    """NaN-preserving clip in the dtype of ``input``."""
    if several(input):
        return _pieces.clip(input, low, high)
    result = np.maximum(input, input.dtype.type(low))
    return np.minimum(result, input.dtype.type(high))


def _hardtanh_cases(rng):
    yield from unary()(rng)
    yield case(spaced(rng, (2, 4)), -0.5, 1.4)


@op(
    grad=dict(input=lambda g, input, min_val, max_val: _between(g, input, min_val, max_val)),
    samples=_hardtanh_cases,
    reference=by_element(lambda a, min_val=-1.0, max_val=1.0: min(max(a, min_val), max_val)),
    bad=[_not_tensor("hardtanh"),
         Bad((np.ones(2), 2.0, 1.0), {}, ValueError, "min_val cannot be greater than max_val.*2.0.*1.0"),
         Bad((np.array([True]),), {}, RuntimeError, "Bool inputs not supported for hardtanh")],
)
def hardtanh(input, min_val=-1.0, max_val=1.0):
    """``input`` clipped to ``[min_val, max_val]``; the gradient at both bounds is 0.

    Raises:
        ValueError: if ``min_val > max_val``.

    >>> hardtanh(np.array([-2.0, 0.5, 2.0]))
    array([-1. ,  0.5,  1. ])
    """
    tensor_only(input)
    if min_val > max_val:
        raise ValueError(f"min_val cannot be greater than max_val, got {min_val} and {max_val}")
    kind = input.dtype.kind
    if kind == "b":
        raise RuntimeError("Bool inputs not supported for hardtanh; convert first: x.float()")
    if kind == "u" and min_val < 0:
        raise RuntimeError(
            f"cannot do hardtanh on an unsigned type with negative limits, got min_val={min_val}"
        )
    return _clip(input, min_val, max_val)


@op(
    grad=dict(input=lambda g, input: _between(g, input, 0, 6)),
    samples=unary(-3, 9),
    reference=by_element(lambda a: min(max(a, 0.0), 6.0)),
    bad=[
        _not_tensor("relu6"),
        Bad((np.array([True]),), {}, RuntimeError, "Bool inputs not supported for relu6"),
    ],
)
def relu6(input):
    """``min(max(input, 0), 6)``.

    >>> relu6(np.array([-1.0, 2.0, 7.0]))
    array([0., 2., 6.])
    """
    tensor_only(input)
    if input.dtype.kind == "b":
        raise RuntimeError("Bool inputs not supported for relu6; convert first: x.float()")
    return _clip(input, 0, 6)


@op(
    grad=dict(input=lambda g, input: mul(keep_where(g, logical_and(gt(input, -3), lt(input, 3))), 1 / 6)),
    samples=unary(-5, 5.3),
    reference=by_element(lambda a: min(max(a + 3, 0.0), 6.0) / 6),
    bad=float_bad("hardsigmoid"),
)
def hardsigmoid(input):
    """``relu6(input + 3) / 6``: a sigmoid of three straight pieces.

    >>> hardsigmoid(np.array([-4.0, 0.0, 4.0]))
    array([0. , 0.5, 1. ])
    """
    return _clip(floats(input, "hardsigmoid") + 3, 0, 6) / 6


@op(
    grad=dict(
        input=lambda g, input: zero_where(
            where(lt(input, 3), mul(g, add(div(input, 3), 0.5)), g), le(input, -3)
        )
    ),
    samples=unary(-5, 5.3),
    reference=by_element(lambda a: a * min(max(a + 3, 0.0), 6.0) / 6),
    bad=float_bad("hardswish"),
)
def hardswish(input):
    """``input * relu6(input + 3) / 6``.

    Source: Howard et al., Searching for MobileNetV3, 2019.

    >>> hardswish(np.array([-3.0, 1.5, 4.0]))
    array([-0.   ,  1.125,  4.   ])
    """
    return floats(input, "hardswish") * _clip(input + 3, 0, 6) / 6


def _slope_cases(rng):
    yield from unary()(rng)
    for slope in (0.2, 1.5, -0.5, 0.0):
        yield case(spaced(rng, (2, 3)), slope)


@op(
    grad=dict(input=fused(
        lambda g, input, negative_slope: _pieces.leaky_slope(g, input, negative_slope),
        lambda g, input, negative_slope: where(gt(input, 0), g, mul(g, negative_slope)))),
    samples=_slope_cases, reference=by_element(lambda a, slope=0.01: a if a > 0 else slope * a),
    bad=float_bad("leaky_relu"),
)
def leaky_relu(input, negative_slope=0.01):
    """``input`` above 0 and ``negative_slope * input`` below.

    >>> leaky_relu(np.array([-1.0, 2.0]), 0.1)
    array([-0.1,  2. ])
    """
    if type(input) is not np.ndarray or input.dtype.kind != "f":
        floats(input, "leaky_relu")
    if input.size >= SEVERAL:
        return _pieces.leaky(input, negative_slope)
    scaled = np.multiply(input, negative_slope)
    if 0 < negative_slope <= 1:
        return np.maximum(input, scaled)
    return where.forward(np.greater(input, 0), input, scaled)


def _prelu_cases(rng):
    yield case(spaced(rng, (2, 3, 4)), spaced(rng, (3,), 0, 0.5))
    yield case(spaced(rng, (2, 3)), spaced(rng, (1,), 0, 0.5))
    yield case(spaced(rng, (), -2, 1), spaced(rng, (), 0, 0.5))
    yield case(spaced(rng, (0, 3)), spaced(rng, (3,), 0, 0.5))


def _prelu_reference(input, weight):
    channels = (
        np.reshape(weight, (1, -1) + (1,) * (input.ndim - 2))
        if input.ndim > 1
        else np.reshape(weight, ())
    )
    return by_element(lambda a, slope: a if a > 0 else slope * a)(input, channels)


@composite(
    samples=_prelu_cases,
    reference=_prelu_reference,
    differentiable=("input", "weight"),
    bad=[
        Bad(
            (np.ones((2, 2)), np.ones(3)), {}, RuntimeError, "parameter numbers = 3 and channel size = 2"
        ),
        Bad(
            (np.ones((2, 2)), np.ones((1, 2))),
            {},
            RuntimeError,
            "`weight` to be a scalar or 1D tensor, but got: ndim = 2",
        ),
        Bad((np.ones(2), np.ones(1, np.float32)), {}, RuntimeError, "Got float64 and float32"),
        Bad(
            (np.ones(2), 0.5),
            {},
            TypeError,
            r"argument 'weight' \(position 2\) must be Tensor, not float",
        ),
    ],
)
def prelu(input, weight):
    """`leaky_relu` with a learned slope for every channel, or one for all.

    Args:
        input: array; the channels are dimension 1.
        weight: slopes, 0-d or of shape ``(channels,)`` or ``(1,)``.

    Raises:
        RuntimeError: if the number of slopes is not that of the channels, or the dtypes differ.

    Source: He et al., Delving deep into rectifiers, 2015.

    >>> prelu(np.array([[-1.0, -1.0]]), np.array([0.1, 0.5]))
    array([[-0.1, -0.5]])
    """
    for value in (input, weight):
        if not hasattr(value, "shape"):
            raise not_a_tensor(value)
    if dtype_of(input) != dtype_of(weight):
        raise RuntimeError(
            f"prelu: Type promoting not supported. Got {dtype_of(input)} and {dtype_of(weight)}"
        )
    if weight.ndim > 1:
        raise RuntimeError(
            f"prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = {weight.ndim}"
        )
    if weight.ndim == 1:
        count, channels = weight.shape[0], input.shape[1] if input.ndim > 1 else 1
        if count not in (1, channels):
            raise RuntimeError(
                "Mismatch of parameter numbers and input channel size. Found parameter numbers = "
                f"{count} and channel size = {channels}."
            )
        weight = reshape(weight, (count,) + (1,) * max(input.ndim - 2, 0) if input.ndim > 0 else ())
    return where(gt(input, 0), input, mul(input, weight))


# ------------------------------------------------------------------ shrinkage


def _shrink_cases(rng):
    yield from unary()(rng)
    yield case(spaced(rng, (2, 3)), 1.1)


def _outside(g, input, lambd):
    return zero_where(g, le(abs(input), lambd))


@op(
    grad=dict(input=_outside),
    samples=_shrink_cases,
    reference=by_element(
        lambda a, lambd=0.5: a - lambd if a > lambd else a + lambd if a < -lambd else 0.0
    ),
    bad=[
        *float_bad("softshrink"),
        Bad(
            (np.ones(2), -1.0),
            {},
            RuntimeError,
            "lambda must be greater or equal to 0, but found to be -1.0",
        ),
    ],
)
def softshrink(input, lambd=0.5):
    """``input`` moved by ``lambd`` towards 0, and 0 where it is nearer than that.

    Raises:
        RuntimeError: for a negative ``lambd``.

    >>> softshrink(np.array([-1.0, 0.2, 2.0]))
    array([-0.5,  0. ,  1.5])
    """
    floats(input, "softshrink")
    if not lambd >= 0:
        raise RuntimeError(f"lambda must be greater or equal to 0, but found to be {lambd}")
    return np.subtract(input, _clip(input, -lambd, lambd))


@op(
    grad=dict(input=_outside),
    samples=_shrink_cases,
    reference=by_element(lambda a, lambd=0.5: a if a > lambd or a < -lambd else 0.0),
    bad=float_bad("hardshrink"),
)
def hardshrink(input, lambd=0.5):
    """``input`` where its absolute value is above ``lambd``, else 0.

    >>> hardshrink(np.array([-1.0, 0.2, 2.0]))
    array([-1.,  0.,  2.])
    """
    inside = np.less_equal(np.absolute(floats(input, "hardshrink")), lambd)
    return zero_where.forward(input, inside)
