"""Reductions, sorting and counting: dimensions, empty arrays, dtypes, ties, NaN, options."""

import numpy as np
import pytest
from counterparts import counterpart, public, run
from harness import DTYPES, check_gradients, generator

import ops

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.filterwarnings("ignore")
NAN, INF = np.nan, np.inf


REDUCTIONS = [
    "sum",
    "mean",
    "prod",
    "std",
    "var",
    "amax",
    "amin",
    "all",
    "any",
    "logsumexp",
    "nansum",
    "nanmean",
    "norm",
    "count_nonzero",
]
DIMS = [None, 0, 1, -1, (0,), (0, 1), (0, -1), (), [1, 2], 3, -4, (0, 0), (0, -3)]


@pytest.mark.parametrize("keepdim", [None, False, True])
@pytest.mark.parametrize("dim", DIMS, ids=repr)
@pytest.mark.parametrize("name", REDUCTIONS)
def test_dimensions(name, dim, keepdim):
    """No dimension, one, several, none at all, out of range, repeated.

    Ours take ``keepdim`` without ``dim`` everywhere, PyTorch in some functions.
    """
    kwargs = {} if keepdim is None else {"keepdim": keepdim}
    if dim is None and (name == "logsumexp" or kwargs) or name == "logsumexp" and dim == ():
        pytest.skip("refused by PyTorch, computed by us")
    args = (generator().standard_normal((2, 3, 4)),)
    if name == "norm":
        args += ("fro",)
    if dim is not None:
        args += (dim,)
    run(name, args, kwargs)


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), ()])
@pytest.mark.parametrize(
    "name",
    [
        *REDUCTIONS,
        "max",
        "min",
        "argmax",
        "argmin",
        "median",
        "mode",
        "cumsum",
        "cumprod",
        "cummax",
        "sort",
        "argsort",
        "softmax",
        "log_softmax",
        "unique",
        "std_mean",
        "var_mean",
    ],
)
def test_empty(name, shape):
    """Reductions of nothing: the neutral element, NaN or an error."""
    x = np.ones(shape)
    for args in ((x,), (x, 0), (x, 1), (x, -1)):
        if name == "unique" and len(args) > 1 or name == "cummax" and args[1:] == (1,):
            continue
        if name == "norm":
            args = (args[0], "fro", *args[1:])
        run(name, args)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(
    "name",
    [
        *REDUCTIONS,
        "max",
        "min",
        "argmax",
        "argmin",
        "cumsum",
        "cumprod",
        "median",
        "mode",
        "sort",
        "unique",
        "softmax",
        "log_softmax",
        "diff",
        "flip",
        "cummax",
        "aminmax",
    ],
)
def test_reduced_dtypes(name, dtype):
    """Sums of integers are int64, means of integers an error, and so on."""
    x = np.array([[3, 1, 2], [0, 5, 4]]).astype(dtype)
    run(name, (x, "fro") if name == "norm" else (x,), signed_zero=False)
    if name not in ("aminmax", "unique"):
        run(name, (x, "fro", 1) if name == "norm" else (x, 1))
    if name in (
        "sum",
        "mean",
        "prod",
        "cumsum",
        "cumprod",
        "softmax",
        "log_softmax",
        "nansum",
        "nanmean",
    ):
        for wanted in (np.float32, np.float64, np.int32, np.bool_):
            run(
                name,
                (x,) if name in ("sum", "mean", "prod", "nansum", "nanmean") else (x, 0),
                {"dtype": wanted},
            )


@pytest.mark.parametrize(
    "name",
    [
        "amax",
        "amin",
        "max",
        "min",
        "maximum",
        "minimum",
        "fmax",
        "median",
        "sort",
        "cummax",
        "cummin",
        "aminmax",
        "prod",
        "norm",
        "logsumexp",
        "logcumsumexp",
        "softmax",
    ],
)
def test_ties_and_nan(name):
    """Who gets the gradient of equal elements, and what NaN and infinities do."""
    for values in (
        [1.0, 2.0, 2.0, 1.0],
        [0.0, 0.0, 3.0, 1.0],
        [NAN, 1.0, 2.0, NAN],
        [INF, -INF, 1.0, INF],
        [0.0] * 4,
        [-INF] * 4,
    ):
        x = np.array([values, values[::-1]])
        if name in ("maximum", "minimum", "fmax"):
            forms = [((x, x[::-1].copy()), {})]
        elif name == "aminmax":
            forms = [((x,), {}), ((x,), {"dim": 1})]
        else:
            forms = (
                [((x, 1), {})]
                if name not in ("norm", "amax", "amin", "median")
                else [((x,), {}), ((x,), {"dim": 1})]
            )
            forms += [((x,), {})] if name in ("max", "min", "prod") else []
        for args, kwargs in forms:
            if name == "median" and not (np.isnan(values).any() or len({*values}) == 4):
                continue  # which of several equal elements is the median is not defined
            run(name, args, kwargs)
            if not (np.isinf(values).any() and name in ("prod", "logcumsumexp")):
                check_gradients(public(name), counterpart(name), args, kwargs, f"{name} of {values}")


@pytest.mark.parametrize("name", ["std", "var", "std_mean", "var_mean"])
@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        {"correction": 0},
        {"correction": 1},
        {"correction": 2},
        {"unbiased": False},
        {"unbiased": True},
        {"correction": 0.5},
        {"correction": 5},
    ],
)
def test_correction(name, kwargs):
    """Divisors n, n - 1, n - 2 and too large ones."""
    x = generator().standard_normal((3, 4))
    for args in ((x,), (x, 1), (x, (0, 1)), (x[:, :1], 1)):
        if "unbiased" in kwargs and len(args) == 1:
            continue
        run(name, args, kwargs)
        if (
            kwargs.get("correction", 1) < 2
        ):  # else PyTorch's gradient divides by something else than its value
            check_gradients(public(name), counterpart(name), args, kwargs, name)
    run(name, (x, False))


@pytest.mark.parametrize("p", ["fro", 2, 1, 0, 3, 0.5, INF, -INF, -1, -2, None, "nuc2"])
@pytest.mark.parametrize("dim", [None, 0, (0, 1)])
def test_norm(p, dim):
    """All orders, over everything, one and two dimensions; gradients with zeros."""
    for x in (
        generator().standard_normal((3, 4)),
        np.array([[3.0, 0.0], [0.0, -4.0]]),
        np.zeros((2, 2)),
    ):
        kwargs = {} if p is None else {"p": p}
        kwargs |= {} if dim is None else {"dim": dim}
        run("norm", (x,), kwargs)
        check_gradients(ops.norm, torch.norm, (x,), kwargs, f"norm {p}")


# ------------------------------------------------------------------ order


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize(
    "values",
    [[3, 1, 2, 1, 3, 2, 1], [NAN, 1.0, -INF, NAN, INF, 0.0, -0.0], [True, False, True]],
    ids=["ties", "nan", "bool"],
)
def test_stable_sort(values, descending):
    """Stable: equal elements keep their order, NaN is the largest."""
    x = np.array(values)
    run("sort", (x,), {"stable": True, "dim": 0, "descending": descending})
    run("argsort", (x,), {"stable": True, "dim": 0, "descending": descending})
    run("sort", (np.stack([x, x[::-1]]),), {"stable": True, "dim": 0, "descending": descending})


@pytest.mark.parametrize("largest", [False, True])
@pytest.mark.parametrize(
    ("k", "dim"), [(1, -1), (3, 0), (2, 1), (0, 1), (4, 0), (9, 0), (-1, 0), (1, 5)]
)
def test_topk(k, dim, largest):
    """The k largest or smallest, none, all, too many."""
    x = generator().permutation(12).reshape(4, 3).astype(float)
    run("topk", (x, k, dim, largest))
    check_gradients(ops.topk, torch.topk, (x, k, dim, largest), {}, "topk")
    run("topk", (np.array([NAN, 1.0, INF]), 2))


@pytest.mark.parametrize(
    "kwargs",
    [
        {},
        {"return_inverse": True},
        {"return_counts": True},
        {"return_inverse": True, "return_counts": True},
        {"dim": 0},
        {"sorted": False},
        {"dim": 1, "return_inverse": True, "return_counts": True},
    ],
)
@pytest.mark.parametrize("name", ["unique", "unique_consecutive"])
def test_unique(name, kwargs):
    """Elements or slices, with inverse and counts."""
    if kwargs.get("sorted") is False:
        kwargs = {} if name == "unique_consecutive" else {"sorted": True}
    for x in (
        np.array([[3, 1, 1], [3, 1, 1], [2, 2, 1]]),
        np.array([2.5, 0.5, 2.5]),
        np.zeros((0,)),
        np.array([True, False]),
    ):
        if kwargs.get("dim", 0) < x.ndim:
            run(name, (x,), kwargs)


@pytest.mark.parametrize(
    "args",
    [
        (2,),
        (0,),
        (np.array([1, 2, 0]),),
        (np.array([1, 2, 0]), 0),
        (3, 1),
        (np.array([2]), 1),
        (np.array([1, 2]), 0),
        (-1,),
        (2, 5),
        (np.array([1, -1, 0]), 0),
        (np.array([1.0]),),
    ],
    ids=repr,
)
def test_repeat_interleave(args):
    """Numbers and arrays of repeats, flat and along a dimension; errors."""
    x = np.arange(6.0).reshape(3, 2)
    run("repeat_interleave", (x, *args))
    check_gradients(
        ops.repeat_interleave, torch.repeat_interleave, (x, *args), {}, "repeat_interleave"
    )


def test_repeat_interleave_of_counts():
    """``repeat_interleave(repeats)`` names the positions."""
    run("repeat_interleave", (np.array([2, 0, 1]),))


@pytest.mark.parametrize(("rtol", "atol"), [(1e-5, 1e-8), (0, 0), (0.5, 0), (0, 1.0)])
@pytest.mark.parametrize("equal_nan", [False, True])
@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "bool"])
def test_closeness(rtol, atol, equal_nan, dtype):
    """isclose and allclose with NaN, infinities and integers."""
    left, right = np.array([1.0, NAN, INF, -INF, 0.0, 3.0]), np.array([1.4, NAN, INF, INF, 1e-9, 3.0])
    if dtype in ("int64", "bool"):
        left, right = np.array([1, 2, 3]), np.array([1, 3, 3])
    left, right = left.astype(dtype), right.astype(dtype)
    for name in ("isclose", "allclose"):
        run(name, (left, right, rtol, atol, equal_nan))
        run(name, (left, left), {"equal_nan": equal_nan})
        run(name, (left, right.astype(np.float32)))


@pytest.mark.parametrize("args", [(), (3,), (-1,), (2,)])
@pytest.mark.parametrize(
    "x",
    [
        np.array([0, 2, 1]),
        np.array([[1], [0]]),
        np.array(2),
        np.zeros((0,), np.int64),
        np.array([0, -1]),
        np.array([1, 2], np.int32),
        np.array([1.0]),
    ],
    ids=repr,
)
def test_one_hot(x, args):
    """Classes counted or given, too few, negative numbers, dtypes."""
    run("one_hot", (x, *args))
