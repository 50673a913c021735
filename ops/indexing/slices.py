"""Picking and placing whole slices along one dimension, by a vector of integers.

`index_select` and `index_add` are each other's gradients.  Single elements are in `ops.indexing.gather`,
indexing with brackets is in `ops.indexing.items`.
"""

from __future__ import annotations

import numpy as np

from ops.core import Bad, array_of, case, op
from ops.dims import wrap_dim
from ops.elementwise.arithmetic import mul
from ops.elementwise.pointwise import tensor_only
from ops.indexing.places import add_to_rows, check_bounds, inside
from ops.reduction.totals import sum
from ops.samples import spaced
from ops.shape.layout import reshape, zeros_like_view

__all__ = ["index_add", "index_copy", "index_fill", "index_select"]

_INTEGERS = (np.dtype(np.int64), np.dtype(np.int32))


class _OutOfRange(IndexError, RuntimeError):
    """PyTorch raises one or the other for an index out of range, depending on the memory layout."""


def _vector(name: str, index, size: int, dim: int, error: type = IndexError,
            negative: bool = False) -> np.ndarray:
    """``index`` as a checked 1-D array."""
    if index.dtype is not _INTEGERS[0] and index.dtype not in _INTEGERS:
        raise RuntimeError(f"{name}(): Expected dtype int32 or int64 for index, got {index.dtype}")
    if index.ndim > 1:
        raise IndexError(f"{name}(): Index is supposed to be a vector, got shape {list(index.shape)}")
    if not inside(index, size):
        check_bounds(index, size, dim, error, negative)
    return index if index.ndim else index.reshape(-1)


def _size(input, dim: int) -> int:
    return input.shape[dim] if input.ndim else 1


def _select_cases(rng):
    yield case(spaced(rng, (3, 4)), 0, np.array([2, 0, 2]))
    yield case(spaced(rng, (2, 3, 4)), -2, np.array([1, 1], np.int32))
    yield case(spaced(rng, (3, 4)), 1, np.array(3))
    yield case(spaced(rng, ()), 0, np.array([0]))
    yield case(spaced(rng, (0, 2)), 1, np.array([1]))
    yield case(spaced(rng, (3,)), 0, np.zeros(0, np.int64))
    yield case(spaced(rng, (80, 60)), 0, rng.integers(0, 80, 100))


_BAD_VECTOR = [
    Bad((np.ones((2, 3)), 1, np.array([3])), {}, IndexError,
        "index 3 is out of bounds for dimension 1 with size 3"),
    Bad((np.ones((2, 3)), 1, np.array([-1])), {}, IndexError, "index -1 is out of bounds"),
    Bad((np.ones((2, 3)), 1, np.array([[0]])), {}, IndexError, "supposed to be a vector"),
    Bad((np.ones((2, 3)), 1, np.array([0.0])), {}, RuntimeError, "Expected dtype int32 or int64"),
    Bad((np.ones((2, 3)), 2, np.array([0])), {}, IndexError, "Dimension out of range"),
]


def _with(bad, *more):
    """The bad calls with further arguments."""
    return [Bad(b.args + more, b.kwargs, b.error, b.match) for b in bad]


@op(
    grad=dict(input=lambda g, input_shape, dim, index: index_add(zeros_like_view(g, input_shape), dim,
                                                                 index, g)),
    samples=_select_cases,
    reference=lambda input, dim, index: input if input.ndim == 0 else np.moveaxis(
        np.array([np.moveaxis(input, dim, 0)[i] for i in index.reshape(-1)]).reshape(
            (index.size,) + np.moveaxis(input, dim, 0).shape[1:]), 0, dim),
    bad=[*_BAD_VECTOR, Bad((np.array(1.0), 0, np.array([0, 0])), {}, RuntimeError,
                           "scalar can have only 1 value")],
)
def index_select(input, dim, index):
    """The slices of ``input`` along ``dim`` that the vector ``index`` names.

    Args:
        index: int32 or int64 vector of numbers from 0 to ``input.shape[dim] - 1``.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.index_select.html

    >>> index_select(np.array([[1, 2, 3], [4, 5, 6]]), 1, np.array([2, 0]))
    array([[3, 1],
           [6, 4]])
    """
    dim = wrap_dim(dim, input.ndim)
    index = _vector("index_select", index, _size(input, dim), dim, _OutOfRange)
    if input.ndim == 0:
        if index.size != 1:
            raise RuntimeError("index_select(): Index to scalar can have only 1 value, got "
                               f"{index.size} value(s)")
        return input.copy()
    return input.take(index, axis=dim)


def _source(name: str, input, dim: int, index, source) -> None:
    """Refuse a source whose dtype or shape does not fit `index_add` or `index_copy`."""
    if source.dtype != input.dtype:
        raise RuntimeError(f"{name}(): self ({input.dtype}) and source ({source.dtype}) must have the "
                           "same scalar type")
    count = source.shape[dim] if source.ndim else 1
    if index.size != count:
        error = IndexError if name == "index_copy" else RuntimeError
        raise error(f"{name}(): Number of indices ({index.size}) should be equal to source.size(dim): "
                    f"({count}), for dim: {dim}")
    theirs, ours = (a.shape[:dim] + a.shape[dim + 1:] for a in (source, input))
    if theirs != ours and input.ndim:
        raise RuntimeError(f"{name}(): source tensor shape must match self tensor shape, excluding the "
                           f"specified dimension {dim}. Got self.shape = {list(input.shape)} "
                           f"source.shape = {list(source.shape)}")


def _placing_cases(rng, repeated: bool):
    yield case(spaced(rng, (3, 4)), 0, np.array([2, 2 if repeated else 0]), spaced(rng, (2, 4)))
    yield case(spaced(rng, (2, 3, 2)), -2, np.array([1, 0], np.int32), spaced(rng, (2, 2, 2)))
    yield case(spaced(rng, ()), 0, np.array([0]), spaced(rng, ()))
    yield case(spaced(rng, (0, 2)), 1, np.array([1]), spaced(rng, (0, 1)))
    yield case(spaced(rng, (90, 50)), 0, rng.integers(0, 90, 90) if repeated else rng.permutation(90),
               spaced(rng, (90, 50)))


def _factor(alpha, dtype: np.dtype) -> np.ndarray:
    """``alpha`` in the dtype of the result: cut off to an integer there, or refused if it does not fit."""
    if dtype.kind in "iu":
        lowest = 0 if dtype.kind == "u" and isinstance(alpha, float) else np.iinfo(dtype).min or -255
        if not lowest <= alpha <= np.iinfo(dtype).max:
            raise RuntimeError(f"value cannot be converted to type {dtype.name}_t without overflow: "
                               f"alpha={alpha}")
        return np.array(int(alpha)).astype(dtype)
    return np.array(alpha, dtype)


def _add_reference(input, dim, index, source, alpha=1):
    out = np.atleast_1d(input).copy()
    for position, i in enumerate(index):
        np.moveaxis(out, dim, 0)[i] += alpha * np.moveaxis(np.atleast_1d(source), dim, 0)[position]
    return out.reshape(input.shape)


_BAD_SOURCES = [
    Bad((np.ones((2, 3)), 1, np.array([0, 0]), np.ones((2, 3))), {}, (RuntimeError, IndexError),
        r"Number of indices \(2\) should be equal to source.size\(dim\): \(3\)"),
    Bad((np.ones((2, 3)), 1, np.array([0]), np.ones((3, 1))), {}, RuntimeError,
        "shape must match self tensor shape"),
    Bad((np.ones((2, 3)), 1, np.array([0]), np.ones((2, 1), np.float32)), {}, RuntimeError,
        "same scalar type"),
]


@op(
    grad=dict(input=lambda g: g,
              source=lambda g, dim, index, alpha, source_shape: reshape(
                  index_select(g, dim, index) if alpha == 1 else mul(index_select(g, dim, index), alpha),
                  source_shape)),
    samples=lambda rng: (*_placing_cases(rng, True), case(
        spaced(rng, (3, 2)), 0, np.array([2, 0]), spaced(rng, (2, 2)), alpha=-1.5)),
    reference=_add_reference,
    bad=[*_with(_BAD_VECTOR, np.ones((2, 1))), *_BAD_SOURCES,
         Bad((np.ones(2, np.uint8), 0, np.array([0]), np.ones(1, np.uint8)), {"alpha": -1.5}, RuntimeError,
             "value cannot be converted to type uint8_t without overflow")],
)
def index_add(input, dim, index, source, *, alpha=1):
    """``input`` with ``alpha`` times the slices of ``source`` added at the places ``index`` along
    ``dim``.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.index_add_.html

    >>> index_add(np.zeros(3), 0, np.array([1, 1]), np.array([2.0, 3.0]))
    array([0., 5., 0.])
    """
    dim = wrap_dim(dim, input.ndim)
    index = _vector("index_add", index, _size(input, dim), dim)
    _source("index_add", input, dim, index, source)
    if input.ndim == 0:
        return input + source.reshape(()) * _factor(alpha, input.dtype)
    out = np.array(np.moveaxis(input, dim, 0) if dim else input, order="C")
    values = source[None] if source.ndim == 0 else np.moveaxis(source, dim, 0) if dim else source
    if out.size:
        values = values if alpha == 1 else values * _factor(alpha, out.dtype)
        width = out.size // len(out)
        add_to_rows(out.reshape(-1, width), index, values.reshape(-1, width))
    return np.ascontiguousarray(np.moveaxis(out, 0, dim)) if dim else out


def _copy_reference(input, dim, index, source):
    out = np.atleast_1d(input).copy()
    for position, i in enumerate(index):
        np.moveaxis(out, dim, 0)[i] = np.moveaxis(np.atleast_1d(source), dim, 0)[position]
    return out.reshape(input.shape)


@op(
    grad=dict(input=lambda g, dim, index: index_fill(g, dim, index, 0),
              source=lambda g, dim, index, source_shape: reshape(index_select(g, dim, index),
                                                                 source_shape)),
    samples=lambda rng: _placing_cases(rng, False), reference=_copy_reference,
    bad=[*_with(_BAD_VECTOR, np.ones((2, 1))), *_BAD_SOURCES],
)
def index_copy(input, dim, index, source):
    """``input`` with the slices at ``index`` along ``dim`` replaced by those of ``source``.

    >>> index_copy(np.zeros(3), 0, np.array([2, 0]), np.array([1.0, 2.0]))
    array([2., 0., 1.])
    """
    dim = wrap_dim(dim, input.ndim)
    index = _vector("index_copy", index, _size(input, dim), dim)
    _source("index_copy", input, dim, index, source)
    if input.ndim == 0:
        return source.reshape(()).copy()
    out = np.array(input, order="C")
    out[(slice(None),) * dim + (index,)] = source
    return out


def _fill_cases(rng):
    yield case(spaced(rng, (3, 4)), 0, np.array([2, 2]), 5.0)
    yield case(spaced(rng, (2, 3, 2)), 1, np.array([-1, 0]), np.array(2.5))
    yield case(spaced(rng, (3, 4)), 0, np.array([1]), np.array(-0.5))
    yield case(spaced(rng, ()), 0, np.array([0]), 2.0)
    yield case(spaced(rng, (0, 2)), 1, np.array(1), 1)


@op(
    grad=dict(input=lambda g, dim, index: index_fill(g, dim, index, 0),
              value=lambda g, dim, index: sum(index_select(g, dim, _distinct(index, g, dim)))),
    samples=_fill_cases,
    reference=lambda input, dim, index, value: _copy_reference(
        input, dim, np.atleast_1d(index),
        np.full([index.size if d == dim else n for d, n in enumerate(input.shape)], float(value))),
    bad=[b for b in _with(_BAD_VECTOR, 1.0) if b.args[2].min() >= 0 and b.args[2].ndim < 2] + [
        Bad((np.ones(3), 0, np.array([[0]]), 1.0), {}, RuntimeError, "has to be a vector/scalar"),
        Bad((np.ones(3), 0, np.array([0]), np.ones(1)), {}, RuntimeError,
            "only supports a 0-dimensional value tensor")],
)
def index_fill(input, dim, index, value):
    """``input`` with ``value`` (a number or a 0-d array) in the slices at ``index`` along ``dim``.

    >>> index_fill(np.zeros(3), 0, np.array([0, -1]), 7.0)
    array([7., 0., 7.])
    """
    dim = wrap_dim(dim, input.ndim)
    if index.ndim > 1:
        raise RuntimeError("index_fill(): Index has to be a vector/scalar, got shape "
                           f"{list(index.shape)}")
    index = _vector("index_fill", index, _size(input, dim), dim, negative=True)
    if not isinstance(value, (int, float)):
        tensor_only(value)
    if np.ndim(value):
        raise RuntimeError("index_fill_ only supports a 0-dimensional value tensor, but got tensor "
                           f"with {np.ndim(value)} dimension(s).")
    out = np.array(input, order="C")
    out[(slice(None),) * dim + (index,) if input.ndim else ()] = value
    return out


def _distinct(index, g, dim) -> np.ndarray:
    """The places of `index_fill`, each once."""
    index = array_of(index)
    return np.unique(index % (g.shape[dim] if g.ndim else 1))
