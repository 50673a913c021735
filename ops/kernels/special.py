"""Elementwise functions that NumPy lacks or composes from many passes: erf, sigmoid, softplus, GELU.

From simple to complex: three functions of one number (`exp`, `log1p_unit`, `erf_scalar`) that other
kernels may call inside their loops, then one loop an operation over the elements ``start`` to ``stop``
of flat arrays. The numbers are written without branches and without calls into the C library, so that
LLVM turns the loops around them into SIMD code.
"""

from __future__ import annotations

import math

import numpy as np
from numba import types
from numba.extending import overload

from .jit import jit

__all__ = ["erf", "erf_scalar", "exp", "gelu", "log1p_unit", "logsigmoid", "sigmoid", "softplus"]


def _by_dtype(single, double):
    """A function for compiled code: ``single`` for a float32 argument, ``double`` for a float64 one."""

    def function(x):
        raise NotImplementedError("this function is for use inside compiled kernels only")

    # "contract" allows fused multiply-add; "reassoc" would cancel the rounding trick of exp. Without
    # forceinline LLVM leaves erf a call, and the loops around it are ten times slower.
    @overload(
        function, jit_options={"fastmath": {"contract"}, "error_model": "numpy", "forceinline": True}
    )
    def choose(x):
        return single if x == types.float32 else double

    return function


def _make_exp(dtype, integer, degree, mantissa, bias, lowest, highest, split):
    """exp for one dtype: x = n ln 2 + r, exp(x) = 2^n Taylor(r), |r| <= ln(2) / 2 (Cody, Waite 1980).

    ln 2 is split in a part of ``split`` bits, whose product with n is exact, and a rest. n is rounded by
    adding 1.5 * 2^mantissa, which pushes the fraction out of the mantissa and leaves n in its low bits.
    2^n is put together from two factors since 2^128 and the subnormal powers fit no single one. Largest
    error measured against long double: 0.62 eps in float32, 0.60 eps in float64.
    """
    first = dtype(1 / math.factorial(degree))
    others = tuple(dtype(1 / math.factorial(k)) for k in range(degree - 1, -1, -1))
    log2_e = dtype(1 / math.log(2))
    ln2_high = dtype(math.floor(math.log(2) * 2**split) / 2**split)
    # ln 2 = 0.693147180559945309417232121458...; the digits beyond float64 matter for the low part.
    ln2_low = dtype(math.log(2) - float(ln2_high) + 2.3190468138462996e-17)
    shift = dtype(1.5 * 2**mantissa)
    shift_bits = shift.view(integer)
    lowest, highest = dtype(lowest), dtype(highest)
    mantissa, bias, one = integer(mantissa), integer(bias), integer(1)

    def exp(x):
        x = lowest if x < lowest else x
        x = highest if x > highest else x
        shifted = dtype(x * log2_e + shift)
        n = shifted - shift
        r = (x - n * ln2_high) - n * ln2_low
        p = first
        for coefficient in others:
            p = p * r + coefficient
        exponent = integer(shifted.view(integer) - shift_bits)
        half = integer(exponent >> one)
        power = dtype(integer((half + bias) << mantissa).view(dtype))
        return p * power * dtype(integer((exponent - half + bias) << mantissa).view(dtype))

    return exp


#: exp(x), for compiled code.
exp = _by_dtype(
    _make_exp(np.float32, np.int32, 7, 23, 127, -104, 89, split=9),
    _make_exp(np.float64, np.int64, 13, 52, 1023, -746, 710, split=32),
)


def _make_log1p_unit(dtype, terms):
    """log(1 + u) for 0 <= u <= 1 as 2 artanh(s), s = u / (2 + u), by the Taylor series of artanh.

    Above sqrt(2) - 1 it is log(2) + log((1 + u) / 2), s = (u - 1) / (u + 3), so that |s| < 0.172.
    """
    first = dtype(2 / (2 * terms - 1))
    others = tuple(dtype(2 / (2 * k + 1)) for k in range(terms - 2, -1, -1))
    zero, one, two, three = dtype(0), dtype(1), dtype(2), dtype(3)
    border, ln2 = dtype(math.sqrt(2) - 1), dtype(math.log(2))

    def log1p_unit(x):
        upper = x > border
        s = (x - one if upper else x) / (x + (three if upper else two))
        square = s * s
        p = first
        for coefficient in others:
            p = p * square + coefficient
        return p * s + (ln2 if upper else zero)

    return log1p_unit


#: log(1 + x) for x in [0, 1], for compiled code.
log1p_unit = _by_dtype(_make_log1p_unit(np.float32, 5), _make_log1p_unit(np.float64, 11))


def _make_erf_single():
    """erf in float32: Taylor series of erf(x) / x below 0.9, 1 - exp(q(|x|)) above.

    q is the polynomial nearest to log(erfc) on [0.9, 4], weighted by erfc (least squares on 400
    Chebyshev points in 40 digits); beyond 4 erf rounds to 1. Largest error measured against 40 digits:
    1.4 eps.
    """
    dtype = np.float32
    series = tuple(
        dtype(2 / math.sqrt(math.pi) * (-1) ** k / (math.factorial(k) * (2 * k + 1)))
        for k in range(10, -1, -1)
    )
    log_erfc = [-1.9136642e-05, 0.00041036773, -0.0040489216, 0.024787653]
    log_erfc += [-0.10775709, -0.63382655, -1.1292775, 0.00012561471]
    first_series, other_series = series[0], series[1:]
    first_log, other_log = dtype(log_erfc[0]), tuple(dtype(c) for c in log_erfc[1:])
    one, border, largest = dtype(1), dtype(0.9), dtype(4)

    def erf_scalar(x):
        size = abs(x)
        square = x * x
        small = first_series
        for coefficient in other_series:
            small = small * square + coefficient
        clipped = largest if size > largest else size
        q = first_log
        for coefficient in other_log:
            q = q * clipped + coefficient
        large = one - exp(q)
        large = -large if x < dtype(0) else large
        return large if size > border else small * x

    return erf_scalar


def _erf_double(x):
    return math.erf(x)


#: erf(x), for compiled code; float64 takes the C library's.
erf_scalar = _by_dtype(_make_erf_single(), _erf_double)


def _elementwise(kernel, x, *parameters):
    """Run ``kernel`` over all elements of ``x``; its parameters get the dtype of ``x``."""
    x = np.ascontiguousarray(x)
    out = np.empty_like(x)
    kernel(0, x.size, x.reshape(-1), out.reshape(-1), *map(x.dtype.type, parameters))
    return out


@jit
def erf_range(start, stop, x, out):
    """out[i] = erf(x[i]) for start <= i < stop."""
    x, out = x[start:stop], out[start:stop]
    for i in range(x.size):
        out[i] = erf_scalar(x[i])


@jit
def sigmoid_range(start, stop, x, out):
    """out[i] = 1 / (1 + exp(-x[i])), from exp(-|x|) so that nothing overflows."""
    x, out = x[start:stop], out[start:stop]
    zero, one = x.dtype.type(0), x.dtype.type(1)
    for i in range(x.size):
        e = exp(-abs(x[i]))
        out[i] = (e if x[i] < zero else one) / (one + e)


@jit
def softplus_range(start, stop, x, out, beta, threshold):
    """out[i] = log(1 + exp(beta x[i])) / beta, and x[i] itself where beta x[i] > threshold."""
    x, out = x[start:stop], out[start:stop]
    zero = x.dtype.type(0)
    for i in range(x.size):
        z = x[i] * beta
        soft = ((z if z > zero else zero) + log1p_unit(exp(-abs(z)))) / beta
        out[i] = x[i] if z > threshold else soft


@jit
def logsigmoid_range(start, stop, x, out):
    """out[i] = log(sigmoid(x[i]))."""
    x, out = x[start:stop], out[start:stop]
    zero = x.dtype.type(0)
    for i in range(x.size):
        out[i] = (x[i] if x[i] < zero else zero) - log1p_unit(exp(-abs(x[i])))


@jit
def gelu_range(start, stop, x, out):
    """out[i] = x[i] Phi(x[i]) with the normal distribution function Phi written with erf."""
    x, out = x[start:stop], out[start:stop]
    half, one, root = x.dtype.type(0.5), x.dtype.type(1), x.dtype.type(math.sqrt(0.5))
    for i in range(x.size):
        out[i] = x[i] * half * (one + erf_scalar(x[i] * root))


@jit
def gelu_tanh_range(start, stop, x, out):
    """out[i] = x[i] (1 + tanh(z)) / 2 = x[i] sigmoid(2 z), z = sqrt(2 / pi) (x[i] + 0.044715 x[i]^3)."""
    x, out = x[start:stop], out[start:stop]
    zero, one = x.dtype.type(0), x.dtype.type(1)
    slope, cubic = x.dtype.type(2 * math.sqrt(2 / math.pi)), x.dtype.type(0.044715)
    for i in range(x.size):
        z = slope * (x[i] + cubic * x[i] * x[i] * x[i])
        e = exp(-abs(z))
        out[i] = x[i] * ((e if z < zero else one) / (one + e))


def erf(x: np.ndarray) -> np.ndarray:
    """Error function of every element; float32 within 1 eps, float64 from the C library.

    >>> erf(np.array([0.0, 1.0])).round(6).tolist()
    [0.0, 0.842701]
    """
    return _elementwise(erf_range, x)


def sigmoid(x: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)) of every element, without overflow.

    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0])).tolist()
    [0.0, 0.5, 1.0]
    """
    return _elementwise(sigmoid_range, x)


def softplus(x: np.ndarray, beta: float = 1.0, threshold: float = 20.0) -> np.ndarray:
    """log(1 + exp(beta x)) / beta, and x itself where beta x > threshold (torch.nn.Softplus).

    >>> softplus(np.array([0.0, 30.0])).round(6).tolist()
    [0.693147, 30.0]
    """
    return _elementwise(softplus_range, x, beta, threshold)


def logsigmoid(x: np.ndarray) -> np.ndarray:
    """log(sigmoid(x)) of every element; nearly x for very negative x instead of log(0).

    >>> logsigmoid(np.array([-1000.0, 0.0])).round(6).tolist()
    [-1000.0, -0.693147]
    """
    return _elementwise(logsigmoid_range, x)


def gelu(x: np.ndarray, approximate: str = "none") -> np.ndarray:
    """Gaussian error linear unit (Hendrycks and Gimpel, 2016), exact or with ``approximate="tanh"``.

    >>> gelu(np.array([-1.0, 1.0])).round(6).tolist()
    [-0.158655, 0.841345]
    """
    return _elementwise(gelu_tanh_range if approximate == "tanh" else gelu_range, x)
