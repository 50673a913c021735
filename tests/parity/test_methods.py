"""Methods, in-place methods and operators of Tensor: the same calls on both sides.

The methods come from the lists in ``tinygrad_hw/methods.py``, their arguments from the ops' samples.
"""

import itertools
import operator

import numpy as np
import pytest
from counterparts import LENIENT, NOT_FOR_INTEGERS, TIES
from harness import (
    DTYPES,
    arrays_in,
    cast,
    cast_floats,
    check_calls,
    check_gradients,
    describe,
    dtype_pairs,
    generator,
    to_integers,
)
from test_functions import samples

import ops
import tinygrad_hw as thw
from tinygrad_hw.methods import IN_PLACE, METHODS

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.filterwarnings("ignore")
VARIADIC = ["expand", "flip", "permute", "repeat", "reshape", "tile"]


def method(kind, name):
    """``x.name(...)`` as a function of x."""
    return getattr(kind, name)


def both(name):
    return method(thw.Tensor, name), method(torch.Tensor, name)


def calls(name):
    """The samples of the op behind a method that start with a Tensor."""
    for args, kwargs in samples(getattr(ops, name).name):
        if args and isinstance(args[0], np.ndarray):
            yield args, kwargs


@pytest.mark.parametrize("name", sorted({*METHODS, *VARIADIC}))
def test_method(name):
    """Values, dtypes and gradients of each method."""
    assert hasattr(torch.Tensor, name), "PyTorch has no such method"
    for args, kwargs in calls(name):
        ours, theirs = both(name)
        check_calls(ours, theirs, args, kwargs, name)
        check_calls(ours, theirs, *cast_floats(args, kwargs, np.float32), name)
        check_gradients(ours, theirs, args, kwargs, name, LENIENT.get(name))


def writes(name):
    """The in-place method on a copy, which keeps leaves as they are: returns what the copy became."""

    def call(input, *args, **kwargs):
        copy = input.clone()
        result = getattr(copy, name)(*args, **kwargs)
        if result is not copy:
            raise AssertionError(f"{name} did not return the tensor itself")
        return copy

    return call


# PyTorch resizes the tensor where there is nothing to multiply
RESIZED = "addbmm_(float64[], float64[0, 2, 3], float64[0, 3, 2])"


@pytest.mark.parametrize("name", IN_PLACE)
def test_in_place(name):
    """``x.name_()``: values and gradients, or the error of a shape that does not fit."""
    call = writes(name + "_")
    for args, kwargs in calls(name):
        if describe(name + "_", args, kwargs) == RESIZED:
            continue
        check_calls(call, call, args, kwargs, name + "_")
        if not name.startswith(
            "logical_"
        ):  # PyTorch lets the gradient pass as if nothing had been written
            check_gradients(call, call, args, kwargs, name + "_", LENIENT.get(name))


@pytest.mark.parametrize("name", IN_PLACE)
def test_in_place_of_integers(name):
    """A result of a higher category is refused: ``int_tensor.add_(1.5)``."""
    if name in NOT_FOR_INTEGERS:
        pytest.skip(NOT_FOR_INTEGERS[name])
    call = writes(name + "_")
    for args, kwargs in calls(name):
        if any(a.size == 0 for a in arrays_in(args, kwargs)):
            continue
        for dtype in DTYPES[:5]:
            if name in ("cumsum", "cumprod") and dtype.kind == "b":
                continue  # PyTorch has a kernel for 0-d tensors only
            check_calls(
                call,
                call,
                *to_integers(args, kwargs, dtype),
                name + "_",
                precision=np.float32,
                first_only=name in TIES,
            )


BINARY = [
    name
    for name in IN_PLACE
    if getattr(ops, name).broadcasts and getattr(ops, name).parameters[1:2] == ("other",)
]


@pytest.mark.parametrize("name", BINARY)
def test_in_place_promotion(name):
    """The dtype stays; a result that does not fit in it is refused."""
    call = writes(name + "_")
    for pair in dtype_pairs():
        check_calls(call, call, pair, {}, name + "_", precision=np.float32)


OPERATORS = [
    "add",
    "sub",
    "mul",
    "truediv",
    "floordiv",
    "mod",
    "pow",
    "and_",
    "or_",
    "xor",
    "lshift",
    "rshift",
    "lt",
    "le",
    "eq",
    "ne",
    "ge",
    "gt",
]


@pytest.mark.parametrize("name", OPERATORS)
def test_operator(name):
    """``x + y``, ``x + 1`` and ``1 + x`` for every pair of dtypes."""
    function = getattr(operator, name)
    for left, right in dtype_pairs():
        check_calls(function, function, (left, right), {}, name, precision=np.float32)
        if not isinstance(right, np.ndarray):
            check_calls(function, function, (right, left), {}, name, precision=np.float32)


@pytest.mark.parametrize(
    "name",
    [
        "iadd",
        "isub",
        "imul",
        "itruediv",
        "ifloordiv",
        "imod",
        "ipow",
        "iand",
        "ior",
        "ixor",
        "ilshift",
        "irshift",
    ],
)
def test_augmented_assignment(name):
    """``x += y`` writes to x and returns it."""
    function = getattr(operator, name)

    def call(left, right):
        copy = left.clone()
        result = function(copy, right)
        if result is not copy:
            raise AssertionError("another object")
        return result

    for pair in dtype_pairs():
        check_calls(call, call, pair, {}, name, precision=np.float32)


@pytest.mark.parametrize("name", ["neg", "pos", "abs", "invert"])
def test_unary_operator(name):
    """``-x``, ``+x``, ``abs(x)`` and ``~x``."""
    function = getattr(operator, name)
    for dtype in DTYPES:
        check_calls(function, function, (cast(np.array([3.0, -2.0]), dtype),), {}, name)


def test_matmul_operator():
    """``x @ y`` with its gradient, and with what is no Tensor."""
    rng = generator()
    for left, right in itertools.product([(3,), (2, 3), (4, 2, 3)], [(3,), (3, 2), (4, 3, 1)]):
        args = rng.standard_normal(left), rng.standard_normal(right)
        check_calls(operator.matmul, operator.matmul, args, {})
        check_gradients(operator.matmul, operator.matmul, args, {})
    check_calls(operator.matmul, operator.matmul, (np.ones(3), 2.0), {})
    check_calls(operator.matmul, operator.matmul, (2.0, np.ones(3)), {})


@pytest.mark.parametrize(
    "name",
    [
        "__radd__",
        "__rsub__",
        "__rmul__",
        "__rdiv__",
        "__rpow__",
        "__rtruediv__",
        "__rfloordiv__",
        "__rmod__",
        "__rmatmul__",
    ],
)
def test_reflected(name):
    """Reflected operators called by name."""
    x = np.array([[1.5, -2.0], [0.5, 3.0]])
    other = np.eye(2) if name == "__rmatmul__" else 2.0
    check_calls(*both(name), (x, other), {}, name)
    check_gradients(*both(name), (x, other), {}, name)


@pytest.mark.parametrize("left", [1, 2.0, True, None, "a", [1.0], (1, 2), {}])
@pytest.mark.parametrize("name", ["add", "mul", "eq", "ne", "lt", "and_", "matmul"])
def test_operators_with_other_types(name, left):
    """Strings, None and lists: the same answer or the same type of error, from both sides."""
    function = getattr(operator, name)
    x = np.array([1, 2]) if name == "and_" else np.array([1.0, 2.0])
    check_calls(function, function, (x, left), {}, name)
    check_calls(function, function, (left, x), {}, name)
