"""Reading and writing with brackets: views by numbers, slices, None and Ellipsis, copies by arrays.

`getitem` and `add_at` are each other's gradients.  What an index means is in `ops.indexing.brackets`.
"""

from __future__ import annotations

import math

import numpy as np

from ops.broadcasting import sum_to
from ops.core import Bad, case, op
from ops.elementwise.pointwise import tensor_only
from ops.indexing.brackets import BOOL, numbers_and_slices, parse_index, pick
from ops.indexing.places import add_to_places, add_to_rows, from_the_start, inside
from ops.samples import spaced
from ops.shape.layout import reshape

__all__ = ["add_at", "assign", "getitem", "index_put", "setitem"]

INT64 = np.dtype(np.int64)

# ------------------------------------------------------------------ reading


def _cases(rng):
    x = spaced(rng, (3, 4, 2))
    mask = rng.random((3, 4)) > 0.5
    for index in (0, -1, slice(1, None, 2), (slice(None), 2), (..., 1), (0, None, slice(0, 3)), None,
                  (1, 2, 0), (slice(2, 2),), np.array(1), np.array([2, 0, 2]), [0, -1], [], True, False,
                  mask, (0, mask[0]), (slice(None), np.array([[1, 3], [0, 0]])),
                  (np.array([0, 2]), slice(None), np.array([1, 0], np.int32)),
                  (np.array([[0], [2]]), np.array([1, 3, 1])), (0, slice(None), [1, 0, 1])):
        yield case(x, index)
    yield case(spaced(rng, ()), ...)
    yield case(spaced(rng, ()), np.array(True))
    yield case(spaced(rng, (0, 3)), (slice(None), np.array([2])))
    yield case(spaced(rng, (80, 60)), rng.integers(0, 80, 100))
    yield case(spaced(rng, (80, 60)), (rng.integers(0, 80, 5000), rng.integers(0, 60, 5000)))


def _reference(input, index):
    while type(index) is tuple and index and type(index[0]) is int:
        input, index = input[index[0]], index[1:]
    return input[index]


_BAD = [
    Bad((np.ones((3, 4)), 5), {}, IndexError, "index 5 is out of bounds for dimension 0 with size 3"),
    Bad((np.ones((3, 4)), (0, -5)), {}, IndexError,
        "index -5 is out of bounds for dimension 1 with size 4"),
    Bad((np.ones((3, 4)), (slice(None), np.array([0, 4]))), {}, IndexError,
        "index 4 is out of bounds for dimension 1"),
    Bad((np.ones((3, 4)), (0, 0, 0)), {}, IndexError, "too many indices for tensor of dimension 2"),
    Bad((np.array(1.0), 0), {}, IndexError, "invalid index of a 0-dim tensor"),
    Bad((np.ones(3), slice(None, None, -1)), {}, ValueError, "step must be greater than zero"),
    Bad((np.ones(3), slice(None, None, 0)), {}, ValueError, "slice step cannot be zero"),
    Bad((np.ones(3), 0.5), {}, IndexError, r"only integers, slices.*\(got float\)"),
    Bad((np.ones(3), "a"), {}, TypeError, "got the string 'a'"),
    Bad((np.ones(3), np.array([0.0])), {}, IndexError, "must be long, int, byte or bool tensors"),
    Bad((np.ones((3, 4)), np.ones(4, bool)), {}, IndexError,
        r"mask \[4\] at index 0 does not match.*\[3, 4\]"),
    Bad((np.ones((3, 4)), ([0, 1], [0, 1, 2])), {}, IndexError, "could not be broadcast together"),
]


@op(grad=dict(input=lambda g, input_shape, index: add_at(g, index, input_shape)), view=True,
    samples=_cases,
    reference=_reference, bad=_BAD)
def getitem(input, index):
    """``input[index]``: a view for numbers, slices, None and Ellipsis; a copy as soon as arrays take
    part.

    Args:
        index: what stands between the brackets, a tuple if there are several.  Arrays are int64, int32
            or bool.

    Raises:
        IndexError: for an index out of bounds, too many of them, or a mask of the wrong shape or dtype.
        ValueError: for a slice whose step is not positive.

    Source: https://numpy.org/doc/stable/user/basics.indexing.html and PyTorch's two steps (see above)

    >>> getitem(np.arange(6).reshape(2, 3), (slice(None), [2, 0]))
    array([[2, 0],
           [5, 3]])
    """
    if type(index) is not np.ndarray:
        view = numbers_and_slices(index, input.shape)
        if view is not None:
            return input[view]
    if _only_arrays(index):
        try:
            return input[index]
        except IndexError:  # what is wrong is found below
            pass
    view, arrays = parse_index(index, input.shape, checked=False)
    if arrays is None:
        return input[view]
    try:
        return input[view][arrays]
    except IndexError:
        parse_index(index, input.shape)
        return pick(input[view], arrays)


def _only_arrays(index) -> bool:
    """Whether the index is one mask, or int64 arrays alone, where NumPy and PyTorch mean the same."""
    if type(index) is np.ndarray:
        return index.ndim > 0 and (index.dtype is INT64 or index.dtype is BOOL)
    if type(index) is not tuple or not index:
        return False
    for item in index:
        if type(item) is not np.ndarray or item.dtype is not INT64 or item.ndim == 0:
            return False
    return True


def _add(view: np.ndarray, arrays: tuple, values) -> None:
    """``view[arrays] += values`` where a place that occurs several times receives every value."""
    integers = [item for item in arrays if type(item) is not slice and item.dtype != BOOL]
    if not integers:
        view[arrays] += values
        return
    whole = view.flags.c_contiguous and view.size
    if whole and all(type(item) is slice for item in arrays[1:]):  # rows, the common case
        _add_to_elements(view, (from_the_start(arrays[0], len(view)),), values)
    elif whole and len(integers) == len(arrays) == view.ndim:
        items = map(from_the_start, arrays, view.shape)
        _add_to_elements(view, tuple([item.astype(np.int64, copy=False) for item in items]), values)
    else:
        places = pick(np.arange(view.size).reshape(view.shape), arrays)
        total = np.array(view, order="C").reshape(-1)
        add_to_places(total, places.reshape(-1), np.broadcast_to(values, places.shape).reshape(-1))
        view[...] = total.reshape(view.shape)


def _add_to_elements(out: np.ndarray, arrays: tuple, values: np.ndarray) -> None:
    """`_add` to rows of contiguous memory, by one array, or to elements, by one for each dimension."""
    places = arrays[0]
    for item, size in zip(arrays[1:], out.shape[1:]):
        places = places * size + item
    width = math.prod(out.shape[len(arrays):])
    shape = places.shape + out.shape[len(arrays):]
    values = values if values.shape == shape else np.broadcast_to(values, shape)
    if width == 1:
        add_to_places(out.reshape(-1), places.reshape(-1), values.reshape(-1))
    else:
        add_to_rows(out.reshape(-1, width), places.reshape(-1), values.reshape(-1, width))


def _add_cases(rng):
    for sample in _cases(rng):
        x, index = sample.args
        yield case(spaced(rng, _reference(x, index).shape), index, x.shape)


def _add_reference(input, index, shape):
    out = np.zeros(shape)
    np.add.at(out.reshape(-1), _reference(np.arange(out.size).reshape(shape), index).reshape(-1),
              input.reshape(-1))
    return out


@op(grad=dict(input=lambda g, index: getitem(g, index)), samples=_add_cases, reference=_add_reference,
    bad=[Bad((np.ones(2), [0, 3], (3,)), {}, IndexError, "index 3 is out of bounds")])
def add_at(input, index, shape):
    """Zeros of ``shape`` with ``input`` added at ``index``, repeated places included: the transpose of
    `getitem`.

    >>> add_at(np.array([1.0, 2.0, 3.0]), np.array([0, 2, 2]), (3,))
    array([1., 0., 5.])
    """
    out = np.zeros(shape, input.dtype)
    if _only_arrays(index):
        arrays = index if type(index) is tuple else (index,)
        if len(arrays) in (1, len(shape)) and all(map(inside, arrays, shape)) and out.size:
            _add_to_elements(out, arrays, input)
            return out
    view, arrays = parse_index(index, out.shape)
    if arrays is None:
        out[view] = input
    elif all(type(item) is slice or item.dtype == BOOL for item in arrays):  # a mask names no place twice
        out[view][arrays] = input
    else:
        _add(out[view], arrays, input)
    return out


# ------------------------------------------------------------------ writing


def assign(array: np.ndarray, index, value) -> None:
    """``array[index] = value`` in place, with PyTorch's checks; ``value`` is an array or a number.

    Raises:
        RuntimeError: if ``value`` does not broadcast, or has another dtype where integer arrays index.
        IndexError, ValueError: as `getitem`.

    >>> a = np.zeros(3)
    >>> assign(a, [0, 2], 5.0)
    >>> a
    array([5., 0., 5.])
    """
    if _only_arrays(index):
        view, arrays = ..., index if type(index) is tuple else (index,)
    else:
        view, arrays = parse_index(index, array.shape)
    if not isinstance(value, (np.ndarray, np.generic, int, float)):
        raise TypeError(f"can't assign a {type(value).__name__} to a tensor of dtype {array.dtype}")
    target = array if view is ... else array[view]
    if arrays is not None and isinstance(value, np.ndarray):
        if value.dtype is not array.dtype and value.dtype != array.dtype and not (value.size == 1 and all(
                type(item) is slice or item.dtype == BOOL for item in arrays)):
            raise _dtype_error(array, value)
        while value.ndim > 1 and len(value) == 1:  # leading ones do not count, but NumPy minds them
            value = value[0]
    try:
        target[... if arrays is None else arrays] = value
    except IndexError:
        parse_index(index, array.shape)
        pick(target, arrays)
        raise
    except (TypeError, ValueError):
        shape = target.shape if arrays is None else pick(target, arrays).shape
        raise RuntimeError(f"shape mismatch: value tensor of shape {list(np.shape(value))} cannot be "
                           f"broadcast to indexing result of shape {list(shape)}") from None


def _dtype_error(array, values) -> RuntimeError:
    return RuntimeError(f"Index put requires the source and destination dtypes match, got {array.dtype} "
                        f"for the destination and {values.dtype} for the source.")


def _to_value(g, shape: tuple[int, ...]):
    """A gradient summed to the shape of the value that was broadcast; its leading ones do not count."""
    extra = max(len(shape) - g.ndim, 0)
    return reshape(sum_to(g, shape[extra:]), shape)


def _set_cases(rng):
    x = spaced(rng, (3, 4, 2))
    mask = rng.random((3, 4)) > 0.5
    for index, shape in ((0, (4, 2)), (slice(1, None), (2, 1, 2)), ((..., 1), ()), ((1, 2), (1, 1, 2)),
                         (np.array([2, 0]), (4, 1)), ((0, slice(None), [1, 0]), (4, 2)),
                         (mask, (int(mask.sum()), 2)),
                         (mask, ()), ((np.array([[0], [2]]), np.array([1, 3])), (2, 1)), ([], (2,))):
        yield case(x, index, spaced(rng, shape))
    yield case(x, np.array([2, 0, 1]), spaced(rng, (3, 4, 2)))
    yield case(x, (0, None), 2.5)
    yield case(spaced(rng, ()), ..., spaced(rng, ()))
    yield case(spaced(rng, (0, 3)), (slice(None), 2), spaced(rng, (1,)))


def _set_reference(input, index, value):
    out = input.copy()
    places = _reference(np.arange(out.size).reshape(out.shape), index)
    value = np.asarray(value)
    while value.ndim > places.ndim:
        value = value[0]
    out.reshape(-1)[places] = value
    return out


_BAD_SET = [Bad((*b.args, 1.0), {}, b.error, b.match) for b in _BAD] + [
    Bad((np.ones((2, 3)), 0, np.ones(2)), {}, RuntimeError,
        r"shape \[2\] cannot be broadcast to.* \[3\]"),
    Bad((np.ones((2, 3)), [0, 1], np.ones((3, 3))), {}, RuntimeError,
        r"shape \[3, 3\] cannot be broadcast to.*\[2, 3\]"),
    Bad((np.ones(3), [0, 1], np.ones(2, np.float32)), {}, RuntimeError,
        "source and destination dtypes match"),
    Bad((np.ones(3), 0, "a"), {}, TypeError, "can't assign a str"),
]


@op(
    grad=dict(input=lambda g, index: setitem(g, index, 0),
              value=lambda g, index, value_shape: _to_value(getitem(g, index), value_shape)),
    samples=_set_cases, reference=_set_reference, bad=_BAD_SET,
)
def setitem(input, index, value):
    """A copy of ``input`` in which the part at ``index`` is replaced by ``value``: ``x[index] = value``
    as a function.

    Args:
        index: as for `getitem`.
        value: a number, or an array that broadcasts to ``input[index]``.

    >>> setitem(np.zeros((2, 2)), (0, slice(None)), np.array([1.0, 2.0]))
    array([[1., 2.],
           [0., 0.]])
    """
    out = np.array(input, order="C")
    assign(out, index, value)
    return out


def _put_cases(rng):
    x = spaced(rng, (3, 4))
    yield case(x, (np.array([0, 2]), np.array([1, 3])), spaced(rng, (2,)))
    yield case(x, (np.array([2, 2]),), spaced(rng, (2, 4)), True)
    yield case(x, (np.array([2, 0, 1]),), spaced(rng, (3, 4)))
    yield case(x, (np.array([[0], [2]]), np.array([1, 3])), spaced(rng, (2, 1)), True)
    yield case(x, (x > 0,), spaced(rng, ()), True)
    yield case(spaced(rng, (0, 3)), (np.zeros(0, np.int64),), spaced(rng, (0, 3)), True)


def _put_reference(input, indices, values, accumulate=False):
    out, places = input.copy(), np.arange(input.size).reshape(input.shape)[tuple(indices)]
    for place, value in zip(places.flat, np.broadcast_to(values, places.shape).flat, strict=True):
        out.flat[place] = value + (out.flat[place] if accumulate else 0)
    return out


@op(
    grad=dict(input=lambda g, indices, accumulate: g if accumulate else setitem(g, tuple(indices), 0),
              values=lambda g, indices, values_shape: _to_value(getitem(g, tuple(indices)),
                                                                values_shape)),
    samples=_put_cases, reference=_put_reference,
    bad=[Bad((np.ones(3), np.array([0]), np.ones(1)), {}, TypeError,
             r"'indices' \(position 2\) must be tuple of Tensors"),
         Bad((np.ones(3), (0,), np.ones(1)), {}, TypeError,
             "expected Tensor as element 0 in argument 1, but got int"),
         Bad((np.ones(3), (np.array([3]),), np.ones(1)), {}, IndexError, "index 3 is out of bounds"),
         Bad((np.ones(3), (np.array([0]),), np.ones(2), True), {}, RuntimeError,
             r"\[2\] cannot be broadcast"),
         Bad((np.ones(3), (np.array([0]),), np.ones(1, np.float32)), {}, RuntimeError, "dtypes match")],
)
def index_put(input, indices, values, accumulate=False):
    """A copy of ``input`` with ``values`` written, or added, at the places that the arrays ``indices``
    name.

    Args:
        indices: tuple of int64, int32 or bool arrays that broadcast together.
        values: array that broadcasts to ``input[indices]``, of the dtype of ``input``.
        accumulate: add; places that occur several times receive every value.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.index_put_.html

    >>> index_put(np.zeros(3), (np.array([1, 1]),), np.array([2.0, 3.0]), accumulate=True)
    array([0., 5., 0.])
    """
    if not isinstance(indices, (tuple, list)):
        raise TypeError("index_put(): argument 'indices' (position 2) must be tuple of Tensors, not "
                        f"{type(indices).__name__}")
    for position, item in enumerate(indices):
        if not isinstance(item, np.ndarray):
            raise TypeError(f"expected Tensor as element {position} in argument 1, but got "
                            f"{type(item).__name__}")
    tensor_only(input, values)
    out = input.copy() if type(input) is np.ndarray else np.array(input)
    if not accumulate:
        assign(out, tuple(indices), values)
        return out
    if values.dtype != out.dtype:
        raise _dtype_error(out, values)
    view, arrays = parse_index(tuple(indices), out.shape)
    shape = out[view].shape if arrays is None else pick(out[view], arrays).shape
    try:
        values = np.broadcast_to(values, shape)
    except ValueError:
        raise RuntimeError(f"shape mismatch: value tensor of shape {list(values.shape)} cannot be "
                           f"broadcast to indexing result of shape {list(shape)}") from None
    if arrays is None:
        out[view] += values
    else:
        _add(out[view], arrays, values)
    return out
