"""Functions that make Tensors: values, dtypes, defaults, errors; for random ones shapes and dtypes."""

import inspect
import itertools

import numpy as np
import pytest
from harness import attempt, check_creation, check_errors, check_values

import tinygrad_hw as thw

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.filterwarnings("ignore")
DTYPE_NAMES = [None, "bool", "uint8", "int8", "int16", "int32", "int64", "float32", "float64"]


@pytest.mark.parametrize("dtype", DTYPE_NAMES)
@pytest.mark.parametrize("name", ["zeros", "ones", "empty", "rand", "randn"])
def test_sizes(name, dtype):
    """Sizes one by one, as a tuple, as a list, none, zero; errors of wrong ones."""
    options = {} if dtype is None else {"dtype": dtype}
    exact = name in ("zeros", "ones")
    for args in (
        (2, 3),
        ((2, 3),),
        ([2, 3],),
        (),
        ((),),
        (0,),
        (2, 0),
        (4,),
        (-1,),
        (2.5,),
        ("a",),
        (None,),
        ((2, -3),),
    ):
        if (
            name in ("rand", "randn")
            and 0 in np.ravel(args).tolist()
            and dtype not in (None, "float32", "float64")
        ):
            continue  # nothing to draw, so PyTorch does not look at the dtype
        check_creation(name, *args, values=exact, **options)
    if dtype in (None, "float64"):
        check_creation(name, 2, values=exact, requires_grad=True, **options)
    check_creation(name, size=(2, 3), values=exact, **options)


@pytest.mark.parametrize("dtype", DTYPE_NAMES)
@pytest.mark.parametrize(
    "name",
    ["zeros_like", "ones_like", "empty_like", "rand_like", "randn_like", "full_like", "randint_like"],
)
def test_like(name, dtype):
    """The shape and dtype of another Tensor, or another dtype."""
    options = {} if dtype is None else {"dtype": dtype}
    more = {"full_like": (7,), "randint_like": (5,)}.get(name, ())
    for x in (np.ones((2, 3)), np.ones(2, np.float32), np.arange(3), np.array(True)):
        if name == "randint_like" and (dtype or x.dtype) == "bool":
            continue  # PyTorch checks the bounds against the dtype
        check_creation(
            name, x, *more, values=name in ("zeros_like", "ones_like", "full_like"), **options
        )


@pytest.mark.parametrize("dtype", DTYPE_NAMES)
def test_full(dtype):
    """The dtype follows the value: bool, int64 or the default float."""
    options = {} if dtype is None else {"dtype": dtype}
    for size, value in itertools.product(
        [(2, 3), (), [2]], [7, 2.5, True, np.array(3), np.array(1.5, np.float32), -1, 300]
    ):
        if dtype in ("uint8", "int8", "bool") and value in (300, -1, 2.5):
            continue
        check_creation("full", size, value, **options)
    check_creation("full", 3, 1.0)
    check_creation("full", (2,), "a")
    check_creation("full", (2,), np.ones(2))


@pytest.mark.parametrize(
    "args",
    [
        (5,),
        (2, 7),
        (0, 10, 3),
        (5, 0, -2),
        (0, 1, 0.25),
        (0.5, 3),
        (3.0,),
        (0,),
        (1, 1),
        (-3,),
        (1, 2, -1),
        (0, 5, 0),
        (0, 1, 0.1),
        (10, 0, -2.5),
        (0, 1e-3, 1e-4),
        (True, 3),
        (np.array(4),),
        (1, np.array(4.5)),
        (),
        ("a",),
        (2**40, 2**40 + 3),
        (-1.5, 1.5, 0.5),
    ],
    ids=repr,
)
@pytest.mark.parametrize("dtype", [None, "int32", "float64", "float32", "uint8"])
def test_arange(args, dtype):
    """Integers and floats, steps of both signs, empty ranges and wrong ones."""
    if dtype == "uint8" and args in ((2**40, 2**40 + 3), (-1.5, 1.5, 0.5)):
        return
    check_creation("arange", *args, **({} if dtype is None else {"dtype": dtype}))


def test_arange_by_name():
    """``start``, ``end`` and ``step`` as keywords."""
    check_creation("arange", end=4)
    check_creation("arange", start=1, end=4, step=2)


@pytest.mark.parametrize("dtype", [None, "float64", "float32", "int64", "int32"])
@pytest.mark.parametrize(
    "args",
    [
        (0, 1, 5),
        (1, 0, 4),
        (0, 10, 1),
        (0, 1, 0),
        (-2.5, 2.5, 11),
        (3, 3, 3),
        (0, 1, -1),
        (0, 9, 4),
        (np.array(1.0), np.array(2.0), 3),
        (0, 1),
        (0, 1, 2.5),
        (-10, 3, 7),
    ],
    ids=repr,
)
@pytest.mark.parametrize("name", ["linspace", "logspace"])
def test_evenly_spaced(name, args, dtype):
    """Both ends included; integers are cut off."""
    if name == "logspace" and (dtype in ("int64", "int32") or args == (0, 9, 4)):
        return
    check_creation(name, *args, **({} if dtype is None else {"dtype": dtype}))


def test_logspace_base():
    """Another base than 10."""
    check_creation("logspace", 0, 3, 4, 2)
    check_creation("logspace", 0, 3, 4, base=2.0)


@pytest.mark.parametrize(
    "args", [(3,), (2, 4), (4, 2), (0,), (0, 3), (-1,), (2, -1), (2.0,), ("a",)], ids=repr
)
@pytest.mark.parametrize("dtype", [None, "int64", "bool", "float64"])
def test_eye(args, dtype):
    """Square and not, empty, negative."""
    check_creation("eye", *args, **({} if dtype is None else {"dtype": dtype}))


@pytest.mark.parametrize(
    "args", [(3, 4), (3, 4, 1), (3, 4, -1), (2, 2, 5), (0, 3), (3, 3, -2)], ids=repr
)
@pytest.mark.parametrize("name", ["tril_indices", "triu_indices"])
def test_triangle_indices(name, args):
    """Rows and columns of the elements."""
    check_creation(name, *args)


DATA = [
    1,
    2.5,
    True,
    [1, 2],
    [1.0, 2],
    [[1, 2], [3, 4]],
    [],
    [[]],
    [True, False],
    [True, 2],
    (1, 2.5),
    [[1], [2, 3]],
    "a",
    ["a"],
    np.ones(2),
    np.arange(3, dtype=np.int32),
    np.array(True),
    range(3),
    2**40,
    [[1.0, 2.0], [3.0, 4.0]],
]


@pytest.mark.parametrize("dtype", [None, "float32", "float64", "int64", "bool"])
@pytest.mark.parametrize("data", DATA, ids=repr)
@pytest.mark.parametrize("name", ["tensor", "as_tensor"])
def test_from_data(name, data, dtype):
    """Numbers, nested sequences and arrays: the dtype that follows from them, and what is refused."""

    def call(library):
        options = {} if dtype is None else {"dtype": getattr(library, dtype)}
        return getattr(library, name)(data, **options)

    theirs, ours = attempt(call, torch), attempt(call, thw)
    check_errors(ours, theirs, f"{name}({data!r}, {dtype})")
    if theirs.error is None:
        check_values(ours.value, theirs.value, f"{name}({data!r}, {dtype})")


@pytest.mark.parametrize(
    "name",
    [
        "zeros",
        "ones",
        "full",
        "eye",
        "arange",
        "linspace",
        "empty",
        "rand",
        "randn",
        "randint",
        "randperm",
        "zeros_like",
        "ones_like",
        "rand_like",
        "randn_like",
        "full_like",
        "tensor",
        "normal",
        "bernoulli",
        "logspace",
        "scalar_tensor",
        "randint_like",
        "empty_like",
        "poisson",
        "multinomial",
    ],
)
def test_keywords(name):
    """The keywords that PyTorch documents for creation functions are taken."""
    ours = set(inspect.signature(getattr(thw, name)).parameters)
    documented = (
        (getattr(torch, name).__doc__ or "").split("->")[0].split("*,")[-1].replace("layout=", "")
    )
    for keyword in ("dtype", "device", "requires_grad", "generator", "out"):
        assert f" {keyword}=" not in f" {documented}" or keyword in ours, keyword
