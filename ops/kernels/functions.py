"""Functions of one number for use inside kernels: exp, log, tanh, sigmoid, log(1 + x), erf
and the normal distribution.

They are written without branches and without calls into the C library, so that LLVM turns the loops
around them into SIMD code.  Each holds for float32 and float64; infinity, NaN, subnormal numbers and the
sign of zero come out as IEEE 754 and the C library have them.  Errors, in units of the last place, are
measured in ``tests/test_kernel_functions.py``.
"""

from __future__ import annotations

import math

import numpy as np
from numba import types
from numba.extending import overload

from .jit import jit

__all__ = ["erf_scalar", "exp", "exp_of_small", "inlined", "like", "log", "log1p", "log1p_unit", "log2",
           "normal", "normal_sigmoid", "sigmoid", "tanh"]

# "contract" allows fused multiply-add; "reassoc" would cancel the rounding trick of exp.  Without
# forceinline LLVM leaves erf a call, and the loops around it are ten times slower.
_OPTIONS = {"fastmath": {"contract"}, "error_model": "numpy", "forceinline": True}

#: Decorator for functions of numbers that kernels call inside their loops.
inlined = jit(**_OPTIONS)


def like(number, value):
    """``number`` in the dtype of ``value``, for compiled code; a plain 0.5 would make float32 float64."""
    raise NotImplementedError("this function is for use inside compiled kernels only")


@overload(like, jit_options=_OPTIONS)
def _like(number, value):
    if value == types.float32:
        return lambda number, value: np.float32(number)
    return lambda number, value: np.float64(number)


def _by_dtype(single, double):
    """A function for compiled code: ``single`` for a float32 argument, ``double`` for a float64 one."""

    def function(x):
        raise NotImplementedError("this function is for use inside compiled kernels only")

    @overload(function, jit_options=_OPTIONS)
    def choose(x):
        return single if x == types.float32 else double

    return function


# ------------------------------------------------------------------ exp


# ln 2 = 0.693147180559945309417232121458...: what float64 leaves of it matters for the low parts.
_LN2_REST = 2.3190468138462996e-17
_LOG2_E_REST = 2.0355273740931033e-17  # 1 / ln 2 = 1.442695040888963407359924681..., the same


def _split_ln2(dtype, bits):
    """ln 2 as a part of so many bits, whose product with a small integer is exact, and the rest."""
    high = math.floor(math.log(2) * 2**bits) / 2**bits
    return dtype(high), dtype(math.log(2) - high + _LN2_REST)


def _make_exp(dtype, integer, degree, mantissa, bias, lowest, highest, split, small=False, any_size=True):
    """exp for one dtype: x = n ln 2 + r, exp(x) = 2^n Taylor(r), |r| <= ln(2) / 2 (Cody, Waite 1980).

    n is rounded by adding 1.5 * 2^mantissa, which pushes the fraction out of the mantissa and leaves n
    in its low bits.  2^n is put together from two factors since 2^128 and the subnormal powers fit no
    single one; for ``small`` x one of them is always the same, without ``any_size`` one factor has to do.
    Largest error measured against long double: 0.62 eps in float32, 0.60 eps in float64.
    """
    first = dtype(1 / math.factorial(degree))
    others = tuple(dtype(1 / math.factorial(k)) for k in range(degree - 1, -1, -1))
    log2_e = dtype(1 / math.log(2))
    ln2_high, ln2_low = _split_ln2(dtype, split)
    shift = dtype(1.5 * 2**mantissa)
    shift_bits = shift.view(integer)
    lowest, highest = dtype(lowest), dtype(highest)
    lift, unlift = integer(bias + bias // 2), dtype(2.0 ** -(bias // 2))
    mantissa, bias, one = integer(mantissa), integer(bias), integer(1)

    def exp(x):
        if any_size:
            x = lowest if x < lowest else x
        if any_size and not small:
            x = highest if x > highest else x
        shifted = dtype(x * log2_e + shift)
        n = shifted - shift
        r = (x - n * ln2_high) - n * ln2_low
        p = first
        for coefficient in others:
            p = p * r + coefficient
        exponent = integer(shifted.view(integer) - shift_bits)
        if not any_size:
            return p * dtype(integer((exponent + bias) << mantissa).view(dtype))
        if small:
            return p * dtype(integer((exponent + lift) << mantissa).view(dtype)) * unlift
        half = integer(exponent >> one)
        power = dtype(integer((half + bias) << mantissa).view(dtype))
        return p * power * dtype(integer((exponent - half + bias) << mantissa).view(dtype))

    return exp


_EXP_SINGLE = np.float32, np.int32, 7, 23, 127, -104, 89, 9
_EXP_DOUBLE = np.float64, np.int64, 13, 52, 1023, -746, 710, 32

#: exp(x), for compiled code.
exp = _by_dtype(_make_exp(*_EXP_SINGLE), _make_exp(*_EXP_DOUBLE))

#: The same for x <= 1, in less time.
exp_of_small = _by_dtype(_make_exp(*_EXP_SINGLE, small=True), _make_exp(*_EXP_DOUBLE, small=True))

#: The same where neither exp(x) nor 1 / exp(x) is subnormal, else anything: a quarter of gelu's time less.
exp_in_range = _by_dtype(_make_exp(*_EXP_SINGLE, any_size=False), _make_exp(*_EXP_DOUBLE, any_size=False))


@inlined
def sigmoid(x):
    """1 / (1 + exp(-x)), from exp(-|x|) so that nothing overflows; for compiled code."""
    e, one = exp_of_small(-abs(x)), like(1, x)
    return (e if x < like(0, x) else one) / (one + e)


def _make_normal_sigmoid(dtype, lowest, highest):
    lowest, highest, one = dtype(lowest), dtype(highest), dtype(1)

    def normal_sigmoid(x):
        y = -x
        y = lowest if y < lowest else y  # too little to change 1 + exp(y)
        y = highest if y > highest else y  # exp(y) is infinite
        return one / (one + exp_in_range(y))

    return normal_sigmoid


#: `sigmoid` in two thirds of the time, but 0 where it would be subnormal: enough for gradients.
normal_sigmoid = _by_dtype(_make_normal_sigmoid(np.float32, -87, 89),
                           _make_normal_sigmoid(np.float64, -708, 710))


# ------------------------------------------------------------------ tanh


def _make_tanh(dtype, integer, degree, mantissa, bias, largest, split):
    """tanh for one dtype: d / (d + 2) with d = exp(2 |x|) - 1 = 2^n (exp(r) - 1) + (2^n - 1).

    n and r are those of exp.  Beyond ``largest`` / 2 the result rounds to 1.
    """
    first = dtype(1 / math.factorial(degree))
    others = tuple(dtype(1 / math.factorial(k)) for k in range(degree - 1, 1, -1))
    log2_e = dtype(1 / math.log(2))
    ln2_high, ln2_low = _split_ln2(dtype, split)
    shift = dtype(1.5 * 2**mantissa)
    shift_bits = shift.view(integer)
    zero, one, two, largest = dtype(0), dtype(1), dtype(2), dtype(largest)
    mantissa, bias = integer(mantissa), integer(bias)

    def tanh(x):
        size = abs(x)
        double = size + size
        double = largest if double > largest else double
        shifted = dtype(double * log2_e + shift)
        n = shifted - shift
        r = (double - n * ln2_high) - n * ln2_low
        p = first
        for coefficient in others:
            p = p * r + coefficient
        power = dtype(integer((shifted.view(integer) - shift_bits + bias) << mantissa).view(dtype))
        d = (p * r * r + r) * power + (power - one)
        result = d / (d + two)
        result = -result if x < zero else result
        return result if size > zero else x  # keeps NaN and the sign of zero

    return tanh


#: tanh(x), for compiled code.
tanh = _by_dtype(
    _make_tanh(np.float32, np.int32, 8, 23, 127, 20, split=9),
    _make_tanh(np.float64, np.int64, 14, 52, 1023, 44, split=32),
)


# ------------------------------------------------------------------ log


def _make_logs(dtype, integer, terms, mantissa, bias, split):
    """log, log2 and log1p for one dtype: x = 2^e m with m between sqrt(1/2) and sqrt(2), f = m - 1.

    With s = f / (2 + f), log(m) = f - f^2 / 2 + s (f^2 / 2 + R) where R is the artanh series 2 s^2 / 3 +
    2 s^4 / 5 + ...: small terms correct the exact f (the form of FreeBSD's libm).  Subnormal numbers are
    scaled up first.  The exponent becomes a float by the shift that `exp` uses.
    """
    first = dtype(2 / (2 * terms + 1))
    others = tuple(dtype(2 / (2 * k + 1)) for k in range(terms - 1, 0, -1))
    ln2_high, ln2_low = _split_ln2(dtype, split)
    log2_e = dtype(1 / math.log(2))
    log2_e_rest = dtype(_LOG2_E_REST + (1 / math.log(2) - float(log2_e)))
    zero, half, one, two = dtype(0), dtype(0.5), dtype(1), dtype(2)
    smallest, infinity, nan = dtype(np.finfo(dtype).tiny), dtype(np.inf), dtype(np.nan)
    scale, scale_bits = dtype(2.0 ** (mantissa + 1)), dtype(mantissa + 1)
    root = dtype(math.sqrt(0.5)).view(integer)
    shift = dtype(1.5 * 2**mantissa)
    shift_bits = shift.view(integer)
    mantissa, bias = integer(mantissa), integer(bias)
    lift = integer(bias << mantissa)  # keeps the difference below from being negative

    @inlined
    def exponent_and_rest(x):
        """e and f of a positive number that is not subnormal."""
        bits = dtype(x).view(integer)
        exponent = integer(integer((bits - root + lift) >> mantissa) - bias)
        m = dtype(integer(bits - integer(exponent << mantissa)).view(dtype))
        e = dtype(integer(exponent + shift_bits).view(dtype)) - shift
        return e, m - one

    @inlined
    def lowered(f, low):
        """f^2 / 2 - s (f^2 / 2 + R) - low: what to subtract from f for log(1 + f) + low."""
        s = f / (two + f)
        square = s * s
        p = first
        for coefficient in others:
            p = p * square + coefficient
        bulge = half * f * f
        return bulge - (s * (bulge + p * square) + low)

    @inlined
    def at_the_ends(x, result):
        """The logarithm of 0, of what is below, and of infinity."""
        result = result if x > zero else (-infinity if x == zero else nan)
        return infinity if x == infinity else result

    def log(x):
        subnormal = x < smallest
        e, f = exponent_and_rest(x * scale if subnormal else x)
        e = e - (scale_bits if subnormal else zero)
        return at_the_ends(x, e * ln2_high - (lowered(f, e * ln2_low) - f))

    def log2(x):
        subnormal = x < smallest
        e, f = exponent_and_rest(x * scale if subnormal else x)
        e = e - (scale_bits if subnormal else zero)
        low = lowered(f, zero) * log2_e - f * log2_e_rest
        return at_the_ends(x, e + (f * log2_e - low))

    def log1p(x):
        u = one + x
        e, f = exponent_and_rest(u)
        # What the rounding of u lost; for e = 0 nothing, as f is x there.
        lost = (one - (u - x) if x > one else x - (u - one)) / u
        near = e == zero
        lost, f = zero if near else lost, x if near else f
        result = e * ln2_high - (lowered(f, e * ln2_low + lost) - f)
        return x if abs(x) < smallest else at_the_ends(u, result)

    return log, log2, log1p


_LOGS_SINGLE = _make_logs(np.float32, np.int32, 5, 23, 127, split=15)
_LOGS_DOUBLE = _make_logs(np.float64, np.int64, 11, 52, 1023, split=40)

#: log(x), for compiled code: -inf at 0, NaN below.
log = _by_dtype(_LOGS_SINGLE[0], _LOGS_DOUBLE[0])
#: The logarithm to base 2, exact for powers of 2.
log2 = _by_dtype(_LOGS_SINGLE[1], _LOGS_DOUBLE[1])
#: log(1 + x), exact near 0.
log1p = _by_dtype(_LOGS_SINGLE[2], _LOGS_DOUBLE[2])


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


# ------------------------------------------------------------------ erf


# Polynomials in |x| nearest to log(erfc), highest power first: by least squares, weighted by erfc, on
# Chebyshev points between the border and the largest argument, in 60 digits.
_LOG_ERFC_SINGLE = [-1.9136642e-05, 0.00041036773, -0.0040489216, 0.024787653, -0.10775709, -0.63382655,
                    -1.1292775, 0.00012561471]
_LOG_ERFC_DOUBLE = [1.0305267765735484e-12, -4.715836444790307e-11, 1.010029660236035e-09,
                    -1.3437428506203865e-08, 1.2412152858473851e-07, -8.408311407248583e-07,
                    4.2813439034336365e-06, -1.6346879158097487e-05, 4.455478467186715e-05,
                    -6.925667315525887e-05, -4.6860173224075534e-05, 0.0006441519087521294,
                    -0.0017724441343589393, 0.0002835929041251134, 0.01907602064742056,
                    -0.10274617119439328, -0.6366288685878174, -1.1283772467124984,
                    -1.8798437709715575e-07]


def _make_erf(dtype, terms, border, largest, log_erfc):
    """erf for one dtype: Taylor series of erf(x) / x below ``border``, 1 - exp(q(|x|)) above.

    q is a polynomial for log(erfc); beyond ``largest`` erf rounds to 1.
    """
    series = tuple(
        dtype(2 / math.sqrt(math.pi) * (-1) ** k / (math.factorial(k) * (2 * k + 1)))
        for k in range(terms - 1, -1, -1)
    )
    first_series, other_series = series[0], series[1:]
    first_log, other_log = dtype(log_erfc[0]), tuple(dtype(c) for c in log_erfc[1:])
    zero, one, border, largest = dtype(0), dtype(1), dtype(border), dtype(largest)

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
        large = one - exp_of_small(q)
        large = -large if x < zero else large
        return large if size > border else small * x

    return erf_scalar


#: erf(x), for compiled code.
erf_scalar = _by_dtype(
    _make_erf(np.float32, 11, 0.9, 4, _LOG_ERFC_SINGLE),
    _make_erf(np.float64, 20, 1.0, 6, _LOG_ERFC_DOUBLE),
)


# ------------------------------------------------------------------ normal distribution


# Polynomial in x nearest to log(Phi(-x)) for 0 <= x <= 6, highest power first: the largest error of Phi(-x)
# is as small as can be (2e-9), by least squares with weights that follow the error.
_LOG_NORMAL_SINGLE = [2.896509e-07, -5.777041e-06, 4.7522861e-05, -0.00018490067, -8.56112e-06, 0.004821118,
                      -0.036353206, -0.31830608, -0.79788486, -0.69314718]


def _make_normal(dtype, largest, log_normal):
    """The normal distribution function Phi(x): exp(q(|x|)) below 0 and 1 minus that above.

    q is a polynomial for log(Phi(-x)); Phi is 0 below -``largest``.  With erf, which has to be exact around
    0, it is twice the arithmetic.
    """
    first, others = dtype(log_normal[0]), tuple(dtype(c) for c in log_normal[1:])
    zero, one, largest = dtype(0), dtype(1), dtype(largest)

    def normal(x):
        size = abs(x)
        q = first
        for coefficient in others:
            q = q * size + coefficient
        tail = zero if size > largest else exp_in_range(q)
        return tail if x < zero else one - tail

    return normal


def _normal_double(x):
    return 0.5 * (1.0 + erf_scalar(x * math.sqrt(0.5)))


#: The normal distribution function, for compiled code.
normal = _by_dtype(_make_normal(np.float32, 6, _LOG_NORMAL_SINGLE), _normal_double)
