"""Indexing of every kind: random indices, reading and writing, values and gradients."""

import numpy as np
import pytest
from harness import check_calls, check_gradients, generator

import tinygrad_hw as thw

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.filterwarnings("ignore")
SHAPE = (4, 3, 5, 2)


def random_index(rng):
    """An index of an array of `SHAPE`: integers, slices, None, Ellipsis, masks, arrays, lists, mixed.

    The arrays among its items broadcast together.
    """
    left, items = list(SHAPE), []
    broadcast = [(3,), (2, 3), (), (2, 1), (1,)]
    while left and len(items) < 6 and rng.random() < 0.85:
        kind = rng.choice(["int", "slice", "slice", "none", "array", "mask", "list", "zero_dim"])
        size = left[0]
        if kind == "none":
            items.append(None)
            continue
        left.pop(0)
        if kind == "int":
            items.append(int(rng.integers(-size, size)))
        elif kind == "slice":
            start, stop = (
                None if rng.random() < 0.3 else int(rng.integers(-size - 1, size + 2)) for _ in range(2)
            )
            items.append(slice(start, stop, None if rng.random() < 0.5 else int(rng.integers(1, 4))))
        elif kind == "array":
            shape = broadcast[rng.integers(len(broadcast))]
            items.append(
                rng.integers(-size, size, shape).astype(
                    rng.choice(["int64", "int32", "uint8"]) if shape else "int64"
                )
            )
            if items[-1].dtype == np.uint8:
                items[-1] = np.abs(items[-1].astype(np.int8)).astype(np.int64) % size
        elif kind == "list":
            items.append([int(i) for i in rng.integers(-size, size, 3)])
        elif kind == "zero_dim":
            items.append(np.array(int(rng.integers(0, size))))
        else:
            mask = np.zeros(size, bool)
            mask[rng.choice(size, min(3, size), replace=False)] = True
            items.append(mask)
    if left and rng.random() < 0.3:
        items.insert(int(rng.integers(0, len(items) + 1)), Ellipsis)
        if len(items) == 1:
            return Ellipsis
    return (
        items[0]
        if len(items) == 1 and not isinstance(items[0], list) and rng.random() < 0.5
        else tuple(items)
    )


def fits(index):
    """Whether an index can be applied; an Ellipsis may have moved items to smaller dimensions."""
    try:
        np.empty(SHAPE)[index]
    except IndexError:
        return False
    return True


INDICES = [index for index in (random_index(generator(seed)) for seed in range(400)) if fits(index)]
X = generator().standard_normal(SHAPE)


def get(x, index):
    return x[index]


def set_(x, index, value):
    copy = x.clone()
    copy[index] = value
    return copy


@pytest.mark.parametrize("index", INDICES, ids=range(len(INDICES)))
def test_read(index):
    """``x[index]``: values and gradients."""
    check_calls(get, get, (X, index), {}, f"x[{index!r}]")
    check_gradients(get, get, (X, index), {}, f"x[{index!r}]")


@pytest.mark.parametrize("index", INDICES, ids=range(len(INDICES)))
def test_write(index):
    """``x[index] = value`` for a number, a 0-d array, an array of the shape and one that broadcasts.

    Where places repeat, the value is the same everywhere, since which write is the last is not defined.
    """
    shape = X[index].shape if not np.isscalar(X[index]) else ()
    places = np.arange(X.size).reshape(SHAPE)[index]
    distinct = np.unique(places).size == np.size(places)
    values = [7.5, np.array(-1.5)]
    if distinct:
        values += [generator(1).standard_normal(shape), generator(2).standard_normal(shape[-1:])]
    for value in values:
        check_calls(set_, set_, (X, index, value), {}, f"x[{index!r}] = ...")
        if distinct:
            check_gradients(set_, set_, (X, index, value), {}, f"x[{index!r}] = ...")


FIXED = [
    True,
    False,
    None,
    ...,
    (),
    (None, None),
    (..., None),
    np.array(True),
    np.array(False),
    [0, 2],
    [[0, 1], [2, 0]],
    ([0, 1], [1, 2]),
    [True, False, True, False],
    np.zeros((0,), np.int64),
    np.ones(SHAPE, bool),
    np.zeros(SHAPE, bool),
    np.ones(SHAPE[:2], bool),
    (slice(None), np.ones(SHAPE[1:3], bool)),
    (0, ..., 1),
    (..., 0, None),
    -1,
    3,
    slice(None),
    slice(2, 1),
    slice(-100, 100),
    (slice(None),) * 4,
    (0, 0, 0, 0),
    np.array([3, 3, 3]),
]
WRONG = [
    4,
    -5,
    (0, 0, 0, 0, 0),
    (..., ...),
    1.5,
    "a",
    slice(None, None, -1),
    slice(None, None, 0),
    np.array([4]),
    np.array([0.5]),
    np.ones(3, bool),
    (np.array([0, 1]), np.array([0, 1, 2])),
    [0, 9],
    (0, slice("a", None)),
    np.ones((2, 2), bool),
    {},
    (slice(None), 3),
]


@pytest.mark.parametrize("index", FIXED, ids=range(len(FIXED)))
def test_read_and_write_fixed(index):
    """Chosen indices: booleans, empty tuples, whole masks."""
    check_calls(get, get, (X, index), {}, f"x[{index!r}]")
    check_gradients(get, get, (X, index), {}, f"x[{index!r}]")
    for value in (2.0, np.array(3.0)):
        check_calls(set_, set_, (X, index, value), {}, f"x[{index!r}] = {value}")
    check_calls(get, get, (np.array(5.0), index), {}, f"0-d[{index!r}]")


@pytest.mark.parametrize("index", WRONG, ids=range(len(WRONG)))
def test_wrong_index(index):
    """The same type of error for reading and writing."""
    check_calls(get, get, (X, index), {}, f"x[{index!r}]")
    check_calls(set_, set_, (X, index, 1.0), {}, f"x[{index!r}] = 1.0")


@pytest.mark.parametrize(
    "value",
    [
        np.ones(7),
        np.ones((9, 9)),
        "a",
        None,
        [1.0, 2.0],
        np.ones(2, np.int64),
        True,
        np.ones(2, bool),
        3,
        np.ones((1, 1, 1, 2)),
        np.ones((1, 1, 1, 1, 2)),
    ],
    ids=lambda value: repr(value)[:30],
)
@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "bool"])
def test_written_values(value, dtype):
    """Values of other dtypes are cast, shapes that do not fit and other types are refused."""
    x = np.zeros(SHAPE, dtype)
    for index in (0, ..., np.array([0, 1]), X > 0, (slice(None), 1)):
        check_calls(
            set_,
            set_,
            (x, index, value),
            {},
            f"{dtype} x[{index if not hasattr(index, 'shape') else 'array'}]",
        )


def test_writing_to_a_leaf_is_refused():
    """A leaf that requires a gradient cannot be written to."""
    for library in (torch, thw):
        x = library.ones(3, requires_grad=True)
        with pytest.raises(RuntimeError, match="leaf Variable that requires grad"):
            x[0] = 1.0
