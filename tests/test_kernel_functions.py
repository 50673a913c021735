"""The functions of one number that kernels are made of, against references of higher precision.

float32 is compared with NumPy's float64 at many mantissas of every exponent, float64 with long double.
"""

import math

import numpy as np
import pytest

from ops.core import TABLE
from ops.kernels import special
from ops.kernels.launch import get_num_threads, set_num_threads

BOUNDS = {"exp": 1.0, "log": 1.0, "log2": 1.1, "log1p": 1.0, "tanh": 2.5, "sigmoid": 2.5}
"""Largest error in units of the last place."""

REFERENCES = {"exp": np.exp, "log": np.log, "log2": np.log2, "log1p": np.log1p, "tanh": np.tanh,
              "sigmoid": lambda x: 1 / (1 + np.exp(-x))}


def arguments(dtype, count: int) -> np.ndarray:
    """``count`` random mantissas of every exponent and sign, subnormal numbers among them."""
    info = np.finfo(dtype)
    integer = {4: np.uint32, 8: np.uint64}[info.dtype.itemsize]
    high = np.arange(2 ** (info.bits - info.nmant - 1), dtype=integer) << integer(info.nmant)
    low = np.random.default_rng(0).integers(0, 2**info.nmant, (high.size * 2, count), integer)
    values = (np.concatenate([high, high | integer(1) << integer(info.bits - 1)])[:, None] | low)
    values = values.view(dtype).reshape(-1)
    near = np.linspace(-30, 30, 100_001).astype(dtype)
    return np.concatenate([values[np.isfinite(values)], near])


def ulps(found: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Errors in units of the last place of the exact value."""
    with np.errstate(over="ignore"):
        rounded = exact.astype(found.dtype)
    spacing = np.spacing(np.abs(rounded)).astype(exact.dtype)
    both = np.isfinite(found) & np.isfinite(rounded)
    np.testing.assert_array_equal(found[~both], rounded[~both])
    return np.abs(found[both].astype(exact.dtype) - exact[both]) / spacing[both]


@pytest.mark.parametrize("name", BOUNDS)
@pytest.mark.parametrize("dtype, wide", [(np.float32, np.float64), (np.float64, np.longdouble)])
def test_errors_in_units_of_the_last_place(name, dtype, wide):
    if np.finfo(wide).nmant <= np.finfo(dtype).nmant + 4:
        pytest.skip("long double is no wider than double on this machine")
    x = arguments(dtype, 2000 if dtype == np.float32 else 200)
    x = x[x > {"log": 0, "log2": 0, "log1p": -1}.get(name, -np.inf)]
    with np.errstate(all="ignore"):
        exact = REFERENCES[name](x.astype(wide))
    found = getattr(special, name)(x)
    assert ulps(found, exact).max() <= BOUNDS[name]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_erf(dtype):
    x = np.concatenate([np.linspace(-7, 7, 20_001), np.geomspace(1e-30, 7, 1001)]).astype(dtype)
    exact = np.array([math.erf(value) for value in x])
    assert ulps(special.erf(x), exact).max() <= 3  # math.erf errs as well


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nan_infinity_and_signed_zero(dtype):
    def ends(function):
        return function(np.array([-np.inf, np.inf, -0.0, 0.0, np.nan], dtype))

    np.testing.assert_array_equal(ends(special.exp), [0, np.inf, 1, 1, np.nan])
    np.testing.assert_array_equal(ends(special.log), [np.nan, np.inf, -np.inf, -np.inf, np.nan])
    np.testing.assert_array_equal(ends(special.log2), [np.nan, np.inf, -np.inf, -np.inf, np.nan])
    np.testing.assert_array_equal(ends(special.log1p), [np.nan, np.inf, 0, 0, np.nan])
    np.testing.assert_array_equal(ends(special.tanh), [-1, 1, 0, 0, np.nan])
    np.testing.assert_array_equal(ends(special.sigmoid), [0, 1, 0.5, 0.5, np.nan])
    np.testing.assert_array_equal(ends(special.erf), [-1, 1, 0, 0, np.nan])
    assert np.signbit(ends(special.tanh)).tolist()[:4] == [True, False, True, False]
    assert np.signbit(ends(special.log1p)).tolist()[2:4] == [True, False]
    for function, below in (special.log, -1.0), (special.log2, -1.0), (special.log1p, -1.5):
        assert np.isnan(function(np.array([below], dtype)))[0]
    assert special.log1p(np.array([-1.0], dtype))[0] == -np.inf


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_logarithms_of_powers_of_two_are_exact(dtype):
    info = np.finfo(dtype)
    exponents = np.arange(info.minexp - info.nmant, info.maxexp)
    np.testing.assert_array_equal(special.log2(np.ldexp(dtype(1), exponents)), exponents)


@pytest.mark.parametrize("name", ["exp", "log", "log2", "log1p", "tanh", "sigmoid", "erf", "gelu",
                                  "softplus"])
def test_same_bits_for_any_number_of_threads(name):
    x = np.random.default_rng(0).random(100_003).astype(np.float32)
    before, results = get_num_threads(), []
    try:
        for count in (1, 2):
            set_num_threads(count)
            results.append(getattr(special, name)(x))
    finally:
        set_num_threads(before)
    np.testing.assert_array_equal(*results)


def test_layouts_are_kept():
    image = np.random.default_rng(0).standard_normal((2, 5, 4, 3)).astype(np.float32)
    nhwc = np.ascontiguousarray(image.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)
    assert special.tanh(nhwc).strides == nhwc.strides
    np.testing.assert_array_equal(special.tanh(nhwc), special.tanh(image))
    np.testing.assert_array_equal(special.tanh(image[:, ::2]), special.tanh(image)[:, ::2])


def fused_rules():
    """Ops whose gradient rule is a kernel for arrays and a formula for Tensors."""
    for name, record in TABLE.items():
        for argument, rule in record.rules.items():
            if hasattr(rule.function, "__wrapped__"):
                yield pytest.param(record, rule, id=f"{name}-{argument}")


@pytest.mark.parametrize("record, rule", list(fused_rules()))
def test_kernels_of_gradients_agree_with_their_formulas(record, rule):
    rng = np.random.default_rng(0)
    for one in record.samples(rng):
        ans = record(*one.args, **one.kwargs)
        bound = dict(zip(record.parameters, record.bind(one.args, one.kwargs)), ans=ans)
        if record.outputs:
            bound.update(zip(record.outputs, ans))
            ans = ans[0]
        saved = [bound[need] for need in rule.needs]
        g = np.asarray(rng.normal(size=np.shape(ans)))
        expected = rule.function.__wrapped__(g, *saved)
        np.testing.assert_allclose(rule.function(g, *saved), expected, rtol=1e-12, atol=1e-12)
