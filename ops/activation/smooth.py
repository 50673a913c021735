"""Activation functions that are smooth; those made of straight pieces are in `ops.activation.piecewise`."""

from __future__ import annotations

import math

import numpy as np

from ops.activation.piecewise import float_bad, floats
from ops.core import Bad, case, composite, op
from ops.dims import wrap_dim
from ops.elementwise.arithmetic import abs, add, mul, neg, square, sub
from ops.elementwise.clamping import clamp
from ops.elementwise.comparison import gt, le
from ops.elementwise.division import div
from ops.elementwise.error_function import erf
from ops.elementwise.exponential import exp, sigmoid
from ops.elementwise.masking import where
from ops.elementwise.pointwise import by_element, fused
from ops.elementwise.trigonometric import tanh
from ops.indexing.spans import narrow
from ops.lazy import LazyModule
from ops.samples import spaced, unary

__all__ = ["celu", "elu", "gelu", "glu", "logsigmoid", "mish", "selu", "silu", "softplus",
           "softsign", "tanhshrink"]

_special, _slopes = LazyModule("ops.kernels.special"), LazyModule("ops.kernels.slopes")


# ------------------------------------------------------------------ exponential below zero


def _bend_grad(g, input, slope, depth, rate):
    """The gradient of ``slope x`` above 0, ``depth (exp(rate x) - 1)`` below."""
    if type(g) is np.ndarray:
        return _slopes.bend(g, input, slope, depth, rate)
    decay = exp(mul(clamp(input, max=0), rate)) if rate != 1 else exp(clamp(input, max=0))
    return mul(g, where(le(input, 0), mul(decay, depth * rate), slope))


def _alpha_cases(rng):
    yield from unary()(rng)
    yield case(spaced(rng, (2, 3)), 1.7)


@op(
    grad=dict(input=lambda g, input, alpha: _bend_grad(g, input, 1.0, alpha, 1)),
    samples=_alpha_cases,
    reference=by_element(lambda a, alpha=1.0: a if a > 0 else alpha * (math.exp(a) - 1)),
    bad=float_bad("elu"),
)
def elu(input, alpha=1.0):
    """``input`` above 0, ``alpha * (exp(input) - 1)`` below.

    Source: Clevert et al., Fast and accurate deep network learning by exponential linear units, 2016.

    >>> elu(np.array([-1.0, 2.0])).round(3)
    array([-0.632,  2.   ])
    """
    return _special.bend(floats(input, "elu"), 1, alpha, 1)


@op(
    grad=dict(input=lambda g, input, alpha: _bend_grad(g, input, 1.0, alpha, 1 / alpha)),
    samples=_alpha_cases,
    reference=by_element(lambda a, alpha=1.0: a if a > 0 else alpha * (math.exp(a / alpha) - 1)),
    bad=[
        *float_bad("celu"),
        Bad((np.ones(2), 0.0), {}, RuntimeError, "ZeroDivisionError: alpha cannot be 0 for CELU"),
    ],
)
def celu(input, alpha=1.0):
    """``input`` above 0, ``alpha * (exp(input / alpha) - 1)`` below: `elu` without a kink at 0.

    Raises:
        RuntimeError: for ``alpha = 0``.

    >>> celu(np.array([-1.0, 2.0]), 2.0).round(3)
    array([-0.787,  2.   ])
    """
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    return _special.bend(floats(input, "celu"), 1, alpha, 1 / alpha)


_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772848170429916717, 1.0507009873554804934193349852946


@op(
    grad=dict(input=lambda g, input: _bend_grad(g, input, _SELU_SCALE, _SELU_SCALE * _SELU_ALPHA, 1)),
    samples=unary(), bad=float_bad("selu"),
    reference=by_element(lambda a: _SELU_SCALE * (a if a > 0 else _SELU_ALPHA * (math.exp(a) - 1))),
)
def selu(input):
    """`elu` scaled such that activations keep mean 0 and variance 1 through the layers.

    Source: Klambauer et al., Self-normalizing neural networks, 2017.

    >>> selu(np.array([-1.0, 2.0])).round(3)
    array([-1.111,  2.101])
    """
    return _special.bend(floats(input, "selu"), _SELU_SCALE, _SELU_SCALE * _SELU_ALPHA, 1)


# ------------------------------------------------------------------ softplus and the logistic family


def _softplus_cases(rng):
    yield from unary()(rng)
    yield case(spaced(rng, (2, 3), -3, 3.3), 2.0, 3.0)


@op(
    grad=dict(input=fused(
        lambda g, input, beta, threshold: _slopes.softplus(g, input, beta, threshold),
        lambda g, input, beta, threshold: where(
            gt(mul(input, beta), threshold), g, mul(g, sigmoid(mul(input, beta)))))),
    samples=_softplus_cases,
    reference=by_element(lambda a, beta=1.0, threshold=20.0: a if a * beta > threshold
                         else math.log(1 + math.exp(beta * a)) / beta),
    bad=float_bad("softplus"),
)
def softplus(input, beta=1.0, threshold=20.0):
    """``log(1 + exp(beta * input)) / beta``: a smooth relu.

    Args:
        beta: sharpness of the bend.
        threshold: where ``beta * input`` is above it the result is ``input``.

    >>> softplus(np.array([0.0, 30.0])).round(3)
    array([ 0.693, 30.   ])
    """
    return _special.softplus(floats(input, "softplus"), beta, threshold)


@op(
    grad=dict(input=fused(lambda g, input: _slopes.logsigmoid(g, input),
                          lambda g, input: mul(g, sigmoid(neg(input))))),
    samples=unary(),
    reference=by_element(lambda a: -math.log(1 + math.exp(-a))),
    bad=float_bad("logsigmoid"),
)
def logsigmoid(input):
    """``log(sigmoid(input))``, finite where the sigmoid rounds to 0.

    >>> logsigmoid(np.array([-40.0, 0.0])).round(3)
    array([-40.   ,  -0.693])
    """
    return _special.logsigmoid(floats(input, "logsigmoid"))


def _silu_grad(g, input):
    """``sigmoid(x) (1 + x (1 - sigmoid(x)))``."""
    s = sigmoid(input)
    return mul(g, mul(s, add(mul(input, sub(1, s)), 1)))


@op(
    grad=dict(input=fused(lambda g, input: _slopes.silu(g, input), _silu_grad)),
    samples=unary(),
    reference=by_element(lambda a: a / (1 + math.exp(-a))),
    bad=float_bad("silu"),
)
def silu(input):
    """``input * sigmoid(input)``, also known as swish.

    Source: Elfwing et al., Sigmoid-weighted linear units, 2017.

    >>> silu(np.array([-1.0, 0.0, 1.0])).round(3)
    array([-0.269,  0.   ,  0.731])
    """
    return _special.silu(floats(input, "silu"))


def _mish_grad(g, input):
    """``t + x (1 - t^2) sigmoid(x)`` with ``t = tanh(softplus(x))``."""
    t = tanh(softplus(input))
    return mul(g, add(t, mul(mul(input, sub(1, square(t))), sigmoid(input))))


@op(
    grad=dict(input=fused(lambda g, input: _slopes.mish(g, input), _mish_grad)),
    samples=unary(),
    reference=by_element(lambda a: a * math.tanh(math.log(1 + math.exp(a)))),
    bad=float_bad("mish"),
)
def mish(input):
    """``input * tanh(softplus(input))``.

    Source: Misra, Mish: a self regularized non-monotonic activation function, 2019.

    >>> mish(np.array([-1.0, 0.0, 1.0])).round(3)
    array([-0.303,  0.   ,  0.865])
    """
    return input * tanh.forward(softplus.forward(floats(input, "mish")))


# ------------------------------------------------------------------ GELU


def _gelu_cases(rng):
    for shape in ((), (2, 3), (0, 3)):
        yield case(spaced(rng, shape))
        yield case(spaced(rng, shape), approximate="tanh")


def _gelu_grad(g, input, approximate):
    """``Phi(x) + x phi(x)``, with the normal distribution function Phi and its density phi."""
    if approximate == "tanh":
        squared = square(input)
        t = tanh(mul(mul(input, add(mul(squared, 0.044715), 1)), math.sqrt(2 / math.pi)))
        slope = mul(add(mul(squared, 3 * 0.044715), 1), math.sqrt(2 / math.pi) / 2)
        return mul(g, add(mul(add(t, 1), 0.5), mul(mul(input, sub(1, square(t))), slope)))
    below = mul(add(erf(mul(input, math.sqrt(0.5))), 1), 0.5)
    density = mul(exp(mul(square(input), -0.5)), 1 / math.sqrt(2 * math.pi))
    return mul(g, add(below, mul(input, density)))


def _gelu_reference(input, approximate="none"):
    if approximate == "none":
        return by_element(lambda a: a * (1 + math.erf(a / math.sqrt(2))) / 2)(input)
    return by_element(lambda a: a / 2 * (1 + math.tanh(math.sqrt(2 / math.pi) * (a + 0.044715 * a**3))))(
        input
    )


@op(
    grad=dict(input=fused(lambda g, input, approximate: _slopes.gelu(g, input, approximate),
                          _gelu_grad)),
    samples=_gelu_cases,
    reference=_gelu_reference,
    bad=[
        *float_bad("gelu"),
        Bad(
            (np.ones(2),), {"approximate": "x"}, RuntimeError, "must be either none or tanh, but got 'x'"
        ),
    ],
)
def gelu(input, *, approximate="none"):
    """Gaussian error linear unit ``input * Phi(input)``, with the normal distribution function Phi.

    Args:
        approximate: ``"none"``, or ``"tanh"`` for the paper's approximation with tanh.

    Raises:
        RuntimeError: for another ``approximate``.

    Source: Hendrycks and Gimpel, Gaussian error linear units, 2016.

    >>> gelu(np.array([-1.0, 0.0, 1.0])).round(3)
    array([-0.159,  0.   ,  0.841])
    """
    if approximate not in ("none", "tanh"):
        raise RuntimeError(f"approximate argument must be either none or tanh, but got '{approximate}'")
    return _special.gelu(floats(input, "gelu"), approximate)


# ------------------------------------------------------------------ composites


@composite(samples=unary(), reference=by_element(lambda a: a / (1 + math.fabs(a))),
           bad=[Bad((1.0,), {}, TypeError, "argument 'input' .position 1. must be Tensor, not float")])
def softsign(input):
    """``input / (1 + |input|)``.

    >>> softsign(np.array([-1.0, 0.0, 3.0]))
    array([-0.5 ,  0.  ,  0.75])
    """
    return div(input, add(abs(input), 1))


@composite(samples=unary(), reference=by_element(lambda a: a - math.tanh(a)),
           bad=[Bad((1.0,), {}, TypeError, "argument 'input' .position 1. must be Tensor, not float")])
def tanhshrink(input):
    """``input - tanh(input)``.

    >>> tanhshrink(np.array([0.0, 1.0])).round(3)
    array([0.   , 0.238])
    """
    return sub(input, tanh(input))


def _glu_cases(rng):
    yield case(spaced(rng, (2, 4)))
    yield case(spaced(rng, (2, 3)), 0)
    yield case(spaced(rng, (0, 4)), -1)


@composite(
    samples=_glu_cases,
    reference=lambda input, dim=-1: np.multiply(
        *(
            f(half)
            for f, half in zip((np.array, lambda b: 1 / (1 + np.exp(-b))), np.split(input, 2, dim))
        )
    ),
    exempt={"zero_dim": "a scalar has no halves"},
    bad=[
        Bad((np.array(1.0),), {}, RuntimeError, "glu does not support scalars"),
        Bad(
            (np.ones(3),), {}, RuntimeError, "Halving dimension must be even, but dimension 0 is size 3"
        ),
        Bad((np.ones(2), 3), {}, IndexError, "Dimension out of range"),
    ],
)
def glu(input, dim=-1):
    """Gated linear unit: the first half times the sigmoid of the second half.

    Args:
        dim: the dimension that is cut in halves.

    Raises:
        RuntimeError: if that dimension's size is odd.

    Source: Dauphin et al., Language modeling with gated convolutional networks, 2016.

    >>> glu(np.array([2.0, 4.0, 0.0, 0.0]))
    array([1., 2.])
    """
    if len(input.shape) == 0:
        raise RuntimeError("glu does not support scalars because halving size must be even")
    dim = wrap_dim(dim, len(input.shape))
    size = input.shape[dim]
    if size % 2:
        raise RuntimeError(f"Halving dimension must be even, but dimension {dim} is size {size}")
    half = size // 2
    return mul(narrow(input, dim, 0, half), sigmoid(narrow(input, dim, half, half)))
