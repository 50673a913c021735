"""Elementwise cases made by hand: NaN, infinities, signs, rounding, bounds, mixed dtypes."""

import itertools

import numpy as np
import pytest
from counterparts import counterpart, public, run
from harness import check_calls, check_gradients

import ops
from ops.core import TABLE

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.filterwarnings("ignore")
NAN, INF = np.nan, np.inf
SPECIAL = np.array(
    [
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.5,
        -0.5,
        1.5,
        2.5,
        -2.5,
        NAN,
        INF,
        -INF,
        1e300,
        -1e300,
        1e-300,
        88.8,
        -745.2,
    ]
)

UNARY = [
    "abs",
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atanh",
    "ceil",
    "cos",
    "cosh",
    "deg2rad",
    "erf",
    "erfc",
    "erfinv",
    "exp",
    "exp2",
    "expm1",
    "floor",
    "frac",
    "isfinite",
    "isinf",
    "isnan",
    "isneginf",
    "isposinf",
    "log",
    "log10",
    "log1p",
    "log2",
    "logical_not",
    "logit",
    "nan_to_num",
    "neg",
    "positive",
    "rad2deg",
    "reciprocal",
    "relu",
    "round",
    "rsqrt",
    "sgn",
    "sigmoid",
    "sign",
    "signbit",
    "sin",
    "sinc",
    "sinh",
    "sqrt",
    "square",
    "tan",
    "tanh",
    "trunc",
    "celu",
    "elu",
    "gelu",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "leaky_relu",
    "logsigmoid",
    "mish",
    "relu6",
    "selu",
    "silu",
    "softplus",
    "softshrink",
    "softsign",
    "tanhshrink",
]
BINARY = [
    "add",
    "atan2",
    "copysign",
    "div",
    "eq",
    "floor_divide",
    "fmax",
    "fmin",
    "fmod",
    "ge",
    "gt",
    "hypot",
    "isclose",
    "le",
    "logaddexp",
    "logaddexp2",
    "logical_and",
    "logical_or",
    "logical_xor",
    "lt",
    "maximum",
    "minimum",
    "mul",
    "ne",
    "pow",
    "remainder",
    "sub",
    "xlogy",
]
# results whose sign of zero PyTorch gives differently in its vectorised and scalar paths
UNSIGNED_ZEROS = {
    "fmax",
    "fmin",
    "maximum",
    "minimum",
    "gelu",
    "hardswish",
    "mish",
    "silu",
    "softshrink",
    "sinc",
    "relu",
    "relu6",
    "hardtanh",
    "round",
    "floor_divide",
    "sgn",
    "nan_to_num",
    "celu",
    "elu",
    "selu",
    "tanhshrink",
    "remainder",
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", UNARY)
def test_special_values(name, dtype):
    """NaN, infinities, zeros of both signs, huge and tiny numbers."""
    values = SPECIAL.astype(dtype)
    if dtype == np.float32 and name in ("sin", "cos", "tan", "sinc"):
        values = values[np.abs(values) < 1e6]
    if dtype == np.float32 and name in ("sinh", "cosh"):
        values = values[values != np.float32(88.8)]  # finite; infinite in PyTorch's path for AVX2
    if name == "gelu":
        values = values[np.isfinite(values)]  # NaN at infinity in PyTorch's vectorised path
    run(name, (values,), signed_zero=name not in UNSIGNED_ZEROS)


# these let the gradient pass at NaN in PyTorch, others do not; nobody can use it
NOT_AT_NAN = {"celu", "elu", "selu", "hardshrink", "hardtanh", "relu6", "softshrink"}
SMOOTH = [name for name in UNARY if TABLE[ops.__dict__[name].name].rules or name == "positive"]


@pytest.mark.parametrize("name", SMOOTH)
def test_gradient_at_special_values(name):
    """Gradients at zeros and kinks, and where the function is NaN or infinite."""
    precision = np.float32 if name in ("celu", "hardsigmoid") else None
    values = np.array([0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 3.0, -3.0, 6.0, 20.0, 25.0, NAN, INF, -INF])
    for value in values:
        if np.isnan(value) and name in NOT_AT_NAN or name == "logit" and value == 0:
            continue
        check_gradients(
            public(name),
            counterpart(name),
            (np.array([value]),),
            {},
            f"{name} at {value}",
            precision=precision,
        )


@pytest.mark.parametrize("name", BINARY)
def test_special_pairs(name):
    """Every pair of special values."""
    left, right = np.meshgrid(SPECIAL[:13], SPECIAL[:13], indexing="ij")
    run(name, (left, right), signed_zero=name not in UNSIGNED_ZEROS)
    run(name, (left.astype(np.float32), right.astype(np.float32)))


@pytest.mark.parametrize(
    "name",
    [
        "add",
        "atan2",
        "div",
        "fmax",
        "fmin",
        "hypot",
        "logaddexp",
        "maximum",
        "minimum",
        "mul",
        "pow",
        "sub",
        "xlogy",
        "fmod",
        "remainder",
        "copysign",
    ],
)
def test_gradient_at_special_pairs(name):
    """Gradients at ties, zeros, and zero bases and exponents."""
    values = [0.0, -0.0, 1.0, -1.0, 2.0, -2.0, 0.5, 3.0]
    for left, right in itertools.product(values, values):
        check_gradients(
            public(name),
            counterpart(name),
            (np.array([left]), np.array([right])),
            {},
            f"{name} at {left}, {right}",
        )
    for number in (0, 1, 2, 3, -1, 0.5, 0.0, -0.5, 2.0):
        if name not in ("fmax", "fmin", "maximum", "minimum", "hypot", "logaddexp", "atan2"):
            check_gradients(
                public(name), counterpart(name), (np.array(values), number), {}, f"{name} by {number}"
            )


# ------------------------------------------------------------------ integers


@pytest.mark.parametrize("name", ["floor_divide", "remainder", "fmod", "div", "true_divide", "pow"])
@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.int8, np.uint8])
def test_integer_division_and_powers(name, dtype):
    """Signs of quotients, remainders and powers; division by zero; overflow wraps around."""
    low = 0 if dtype == np.uint8 else -7
    left, right = np.meshgrid(np.arange(low, 8), [1, 2, 3] + [-1, -2, -3] * (low < 0), indexing="ij")
    run(name, (left.astype(dtype), right.astype(dtype)))
    for number in (3, 2, -2, 2.5, -2.5, 0, True):
        run(name, (np.arange(low, 8).astype(dtype), number))
    run(name, (np.arange(1, 4).astype(dtype), np.zeros(3, dtype)))
    for mode in ("trunc", "floor", None, "round") if name == "div" else ():
        run(name, (left.astype(dtype), right.astype(dtype)), {"rounding_mode": mode})


@pytest.mark.parametrize("name", ["add", "sub", "mul", "neg", "abs", "square"])
def test_integer_overflow_wraps(name):
    """int8 arithmetic wraps around."""
    values = np.array([127, -128, 100, -100], np.int8)
    run(name, (values,) if name in ("neg", "abs", "square") else (values, values))


@pytest.mark.parametrize("decimals", [0, 1, 2, -1, -2])
def test_round_half_to_even(decimals):
    """Halves go to the even neighbour, with decimals as well."""
    values = np.array([0.5, 1.5, 2.5, -0.5, -1.5, 0.25, 0.35, 15.0, 25.0, 150.0, 250.0, -35.0])
    run("round", (values,), {"decimals": decimals})
    run("round", (np.arange(-5, 6),), {})


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        ((-1, 1), {}),
        ((-1.5, 1), {}),
        ((None, 1), {}),
        ((1, -1), {}),
        ((), {"min": 0}),
        ((), {"max": 0.5}),
        ((), {}),
        ((NAN,), {}),
        ((np.array([0.0, NAN, 1.0]),), {}),
        ((np.array([2.0, 0.0, 1.0]), np.array([1.0, 1.0, 1.0])), {}),
    ],
)
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64, np.uint8])
def test_clamp(args, kwargs, dtype):
    """Numbers, arrays, NaN and crossed bounds, for floats and integers; gradients at the bounds."""
    x = np.array([0, 3, 1]).astype(dtype)
    for name in ("clamp", "clip"):
        check_calls(getattr(ops, name), getattr(torch, name), (x, *args), kwargs, name)
    if dtype == np.float64:
        check_gradients(ops.clamp, torch.clamp, (np.array([-1.0, NAN, 1.0]), *args), kwargs, "clamp")


@pytest.mark.parametrize(
    "dtypes", itertools.product(["bool", "uint8", "int32", "int64", "float32", "float64"], repeat=2)
)
def test_where_with_numbers_and_mixed_dtypes(dtypes):
    """Promotion between the branches, 0-d arrays and numbers; and ``where(condition)``."""
    condition = np.array([[True], [False]])
    left, right = (np.array([1, 0]).astype(d) for d in dtypes)
    for args in (
        (left, right),
        (left, right[0].reshape(())),
        (left, 2),
        (2.5, right),
        (True, 1.5),
        (1, 2),
    ):
        run("where", (condition, *args))
    run("where", (condition,))
    run("where", (condition.astype(dtypes[0]), left, right))
