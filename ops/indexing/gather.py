"""Picking and placing single elements along one dimension, by an array of integers.

`gather` and `scatter_add` are each other's gradients.  Whole slices are in `ops.indexing.slices`, indexing
with brackets is in `ops.indexing.items`.
"""

from __future__ import annotations

import numpy as np

from ops.broadcasting import broadcast_shapes, expand
from ops.core import Bad, array_of, case, composite, op
from ops.dims import wrap_dim
from ops.elementwise.pointwise import several, tensor_only
from ops.indexing.items import add_at, getitem
from ops.indexing.places import add_to_places, check_bounds, pick_along, places_along
from ops.lazy import LazyModule
from ops.samples import spaced
from ops.shape.layout import reshape, zeros_like_view

__all__ = ["gather", "scatter_add", "scatter_values", "take", "take_along_dim"]

_kernels = LazyModule("ops.kernels.scatter")
_INTEGERS = (np.dtype(np.int64), np.dtype(np.int32))


def _element_index(name: str, index, input, dim: int) -> None:
    """Refuse an index that does not fit ``input`` along ``dim``: dtype, dimensions and sizes."""
    if index.dtype is not _INTEGERS[0] and index.dtype not in _INTEGERS:
        raise RuntimeError(f"{name}(): Expected dtype int32/int64 for index, got {index.dtype}")
    if index.size == 0:
        return
    if max(index.ndim, 1) != max(input.ndim, 1):
        raise RuntimeError(f"{name}(): Index tensor must have the same number of dimensions as input "
                           f"tensor, got {index.ndim} and {input.ndim}")
    for d in range(input.ndim if index.ndim and index.shape != input.shape else 0):
        if d != dim and index.shape[d] > input.shape[d]:
            raise RuntimeError(f"{name}(): Size does not match at dimension {d} expected index "
                               f"{list(index.shape)} to be no larger than self {list(input.shape)} "
                               f"apart from dimension {dim}")


def _in_bounds(index, input, dim: int) -> None:
    """Refuse numbers that name no place of ``input`` along ``dim``."""
    check_bounds(index, input.shape[dim] if input.ndim else 1, dim, RuntimeError)


def _corner(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The part of ``array`` that starts at the origin and has this shape."""
    return array[tuple(map(slice, shape))]


def _gather_cases(rng):
    yield case(spaced(rng, (3, 4)), 1, rng.integers(0, 4, (3, 5)))
    yield case(spaced(rng, (3, 4)), 0, rng.integers(0, 3, (2, 3)).astype(np.int32))
    yield case(spaced(rng, (2, 3, 4)), -2, rng.integers(0, 3, (2, 4, 1)))
    yield case(spaced(rng, ()), 0, np.array([0, 0]))
    yield case(spaced(rng, (3,)), 0, np.array(1))
    yield case(spaced(rng, (0, 3)), 1, np.zeros((0, 2), np.int64))
    yield case(spaced(rng, (90, 60)), 1, rng.integers(0, 60, (90, 50)))


def _gather_reference(input, dim, index):
    out = np.empty(index.shape)
    for place in np.ndindex(index.shape):
        source = list(place)
        if source and input.ndim:
            source[dim] = index[place]
        flat = input.ndim != index.ndim
        out[place] = input.reshape(-1)[index[place]] if flat else input[tuple(source)]
    return out


_BAD_INDEX = [
    Bad((np.ones((2, 3)), 1, np.array([[3]])), {}, RuntimeError,
        "index 3 is out of bounds for dimension 1 with size 3"),
    Bad((np.ones((2, 3)), 1, np.array([[-1]])), {}, RuntimeError, "index -1 is out of bounds"),
    Bad((np.ones((2, 3)), 1, np.array([0])), {}, RuntimeError, "same number of dimensions as input"),
    Bad((np.ones((2, 3)), 1, np.zeros((3, 1), int)), {}, RuntimeError,
        "Size does not match at dimension 0"),
    Bad((np.ones((2, 3)), 1, np.array([[0.0]])), {}, RuntimeError, "Expected dtype int32/int64"),
    Bad((np.ones((2, 3)), 2, np.array([[0]])), {}, IndexError, "Dimension out of range"),
]


@op(
    grad=dict(input=lambda g, input_shape, dim, index: scattered(g, dim, index, input_shape)),
    samples=_gather_cases, reference=_gather_reference, bad=_BAD_INDEX,
)
def gather(input, dim, index, *, sparse_grad=False):
    """The elements that ``index`` names along ``dim``: ``out[i, j] = input[i, index[i, j]]`` for
    ``dim=1``.

    Args:
        index: int32 or int64, as many dimensions as ``input``, nowhere larger except along ``dim``.
        sparse_grad: accepted as in PyTorch; gradients are dense here.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.gather.html

    >>> gather(np.array([[1, 2], [3, 4]]), 1, np.array([[0, 0], [1, 0]]))
    array([[1, 1],
           [4, 3]])
    """
    dim = wrap_dim(dim, input.ndim)
    if several(input) and index.size:
        picked, inside = _kernels.gather(input, index, dim)
        if inside:
            return picked
    _element_index("gather", index, input, dim)
    if index.size == 0:
        return np.empty(index.shape, input.dtype)
    _in_bounds(index, input, dim)
    if input.ndim <= 1:
        return np.asarray(input.reshape(-1)[index])
    shape = list(index.shape)
    shape[dim] = input.shape[dim]
    return pick_along(_corner(input, shape), index, dim)


def _checked_source(name: str, input, dim: int, index, src) -> np.ndarray:
    """The part of ``src`` that ``index`` uses."""
    if not isinstance(src, (np.ndarray, np.generic)):
        raise TypeError(f"{name}(): argument 'src' (position 4) must be Tensor, not "
                        f"{type(src).__name__}")
    if src.dtype != input.dtype:
        raise RuntimeError(f"{name}(): Expected self.dtype to be equal to src.dtype, got {input.dtype} "
                           f"and {src.dtype}")
    if src.shape == index.shape:
        return src
    if index.size and (src.ndim or 1) != (index.ndim or 1) or any(
            n > m for n, m in zip(index.shape, src.shape)) or index.size > max(src.size, 1):
        raise RuntimeError(f"{name}(): Expected index {list(index.shape)} to be no larger than self "
                           f"{list(input.shape)} apart from dimension {dim} and to be no larger size "
                           f"than src {list(src.shape)}")
    return _corner(src, index.shape) if src.ndim == index.ndim else src.reshape(index.shape)


def _onto(part, shape: tuple[int, ...]):
    """``part`` in the corner of zeros of ``shape``: the gradient of a source that was used in part."""
    if tuple(part.shape) == shape:
        return part
    if part.ndim != len(shape):
        return reshape(part, shape)
    return add_at(part, tuple(map(slice, part.shape)), shape)


def scatter_cases(rng, repeated: bool):
    """Samples of a scatter; with ``repeated`` several elements go to one place."""
    wide = rng.integers(0, 4, (3, 5)) if repeated else np.argsort(rng.random((3, 4)), axis=1)
    yield case(spaced(rng, (3, 4)), 1, wide, spaced(rng, wide.shape))
    yield case(spaced(rng, (3, 4)), 0, np.array([[2, 0]], np.int32), spaced(rng, (2, 3)))
    yield case(spaced(rng, (2, 3, 4)), -2, np.array([[[1], [0]]]), spaced(rng, (1, 2, 1)))
    yield case(spaced(rng, ()), 0, np.array(0), spaced(rng, ()))
    yield case(spaced(rng, (0, 3)), 1, np.zeros((0, 2), np.int64), spaced(rng, (0, 2)))


def _large_cases(rng):
    yield from scatter_cases(rng, True)
    yield case(spaced(rng, (3, 4)), 1, np.argsort(rng.random((3, 4)), axis=1), spaced(rng, (3, 4)))
    yield case(spaced(rng, (90, 60)), 0, rng.integers(0, 90, (95, 55)), spaced(rng, (95, 55)))


def placed(input, dim, index, src, combine):
    """``src`` combined one by one into a copy of ``input``: a slow reference."""
    out = input.copy()
    for place in np.ndindex(index.shape):
        target = list(place)
        if place:
            target[dim] = index[place]
        out[tuple(target)] = combine(out[tuple(target)], src[place] if np.ndim(src) else src)
    return out


BAD_SOURCES = [
    *(Bad((*b.args, np.ones_like(b.args[2], float)), {}, b.error, b.match) for b in _BAD_INDEX),
    Bad((np.ones(3), 0, np.array([0, 1]), np.ones(1)), {}, RuntimeError,
        r"index \[2\].*no larger size than src \[1\]"),
    Bad((np.ones(3), 0, np.array([0]), np.ones(1, np.float32)), {}, RuntimeError,
        "self.dtype to be equal to src.dtype"),
]


@op(
    grad=dict(input=lambda g: g,
              src=lambda g, dim, index, src_shape: _onto(gather(g, dim, index), src_shape)),
    samples=_large_cases,
    reference=lambda input, dim, index, src: placed(input, dim, index, src, lambda old, new: old + new),
    bad=[*BAD_SOURCES, Bad((np.ones(3), 0, np.array([0]), 5.0), {}, TypeError,
                           r"'src' \(position 4\) must be Tensor")],
)
def scatter_add(input, dim, index, src):
    """``input`` with each element of ``src`` added at the place that ``index`` names along ``dim``.

    Args:
        index: int32 or int64, as many dimensions as ``input`` and ``src``, nowhere larger than ``src``.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.scatter_add_.html

    >>> scatter_add(np.zeros(3), 0, np.array([2, 2]), np.array([1.0, 2.0]))
    array([0., 0., 3.])
    """
    dim = wrap_dim(dim, input.ndim)
    _element_index("scatter_add", index, input, dim)
    src = _checked_source("scatter_add", input, dim, index, src)
    return _add_along(np.array(input, order="C"), dim, index, src)


def _add_along(out: np.ndarray, dim: int, index: np.ndarray, src: np.ndarray) -> np.ndarray:
    """``out`` itself, with ``src`` added at the places that ``index`` names along ``dim``."""
    if several(out) and index.size and _kernels.scatter_add(out, index, src, dim):
        return out
    _in_bounds(index, out, dim)
    if index.size:
        places = places_along(index, dim, out.shape) if out.ndim > 1 else index
        add_to_places(out.reshape(-1), places.reshape(-1), src.reshape(-1))
    return out


def scattered(g, dim: int, index: np.ndarray, shape: tuple[int, ...]):
    """Zeros of ``shape`` with ``g`` added at the places that ``index`` names along ``dim``: a gradient.

    >>> scattered(np.array([1.0, 2.0]), 0, np.array([2, 2]), (3,))
    array([0., 0., 3.])
    """
    if type(g) is np.ndarray:
        return _add_along(np.zeros(shape, g.dtype), wrap_dim(dim, len(shape)), index, g)
    return scatter_add(zeros_like_view(g, shape), dim, index, g)


def _is_source(src, index: np.ndarray, out: np.ndarray) -> bool:
    """Whether ``src`` is a number, or an array of the shape of ``index`` and the dtype of ``out``."""
    return type(src) is float or type(src) is int or (
        type(src) is np.ndarray and src.dtype == out.dtype and src.shape == index.shape)


def _value_cases(rng):
    yield from scatter_cases(rng, False)
    yield case(spaced(rng, (3, 4)), 1, rng.integers(0, 4, (3, 5)), 7.0)
    yield case(spaced(rng, (90, 60)), 1, rng.integers(0, 60, (90, 7)), 7.0)
    yield case(spaced(rng, (90, 60)), 0, np.argsort(rng.random((90, 60)), axis=0), spaced(rng, (90, 60)))


@op(
    grad=dict(input=lambda g, dim, index: scatter_values(g, dim, index, 0),
              src=lambda g, dim, index, src_shape: _onto(gather(g, dim, index), src_shape)),
    samples=_value_cases,
    reference=lambda input, dim, index, src: placed(input, dim, index, src, lambda old, new: new),
    bad=BAD_SOURCES,
)
def scatter_values(input, dim, index, src):
    """`ops.scatter` without a reduction; ``src`` is an array or a number.

    >>> scatter_values(np.zeros(3), 0, np.array([2, 0]), 5.0)
    array([5., 0., 5.])
    """
    dim = wrap_dim(dim, input.ndim)
    out = input.copy() if type(input) is np.ndarray else np.array(input)
    if several(out) and index.size and _is_source(src, index, out) and _kernels.scatter(out, index, src, dim):
        return out
    _element_index("scatter", index, input, dim)
    _in_bounds(index, input, dim)
    if isinstance(src, (np.ndarray, np.generic)):
        src = _checked_source("scatter", input, dim, index, src)
    elif not isinstance(src, (int, float)):
        tensor_only(src)
    if index.size:
        places = places_along(index, dim, input.shape) if input.ndim > 1 else index
        out.reshape(-1)[places] = src
    return out


# ------------------------------------------------------------------ by position


@composite(
    samples=lambda rng: iter([case(spaced(rng, (2, 3)), np.array([[0, -1], [5, 5]])),
                              case(spaced(rng, ()), np.array(0)),
                              case(spaced(rng, (2, 3)), np.zeros((0, 2), np.int64))]),
    reference=lambda input, index: np.take(input, index),
    bad=[Bad((np.ones((2, 3)), np.array([6])), {}, IndexError,
             "out of range: tried to access index 6 on .* 6 elements"),
         Bad((np.ones(3), np.array([0.0])), {}, RuntimeError, "Expected a long tensor for index")],
)
def take(input, index):
    """The elements at positions ``index`` of the flattened ``input``, in the shape of ``index``.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.take.html

    >>> take(np.array([[1, 2], [3, 4]]), np.array([0, -1]))
    array([1, 4])
    """
    places = array_of(index)
    if places.dtype != np.int64:
        raise RuntimeError(f"take(): Expected a long tensor for index, but got {places.dtype}")
    flat = reshape(input, (-1,))
    count = flat.shape[0]
    outside = places[(places < -count) | (places >= count)]
    if outside.size:
        raise IndexError(f"out of range: tried to access index {outside[0]} on a tensor of {count} "
                         "elements.")
    return getitem(flat, index)


@composite(
    samples=lambda rng: iter([case(spaced(rng, (2, 3)), np.array([[0], [-1]]), 1),
                              case(spaced(rng, ()), np.array([0])),
                              case(spaced(rng, (2, 3)), np.array([[2, 1, 0]]), 1),
                              case(spaced(rng, (0, 3)), np.zeros((1, 2), np.int64), 1)]),
    reference=lambda input, indices, dim=None: np.take_along_axis(input, indices, dim),
    bad=[Bad((np.ones((2, 3)), np.array([0]), 1), {}, RuntimeError, "same number of dimensions"),
         Bad((np.ones(3), np.array([0.0]), 0), {}, RuntimeError, "dtype of indices should be Long"),
         Bad((np.ones(3), np.array([3]), 0), {}, RuntimeError, "index 3 is out of bounds")],
)
def take_along_dim(input, indices, dim=None):
    """`gather` that broadcasts ``input`` and ``indices`` in the other dimensions; for ``argsort``'s
    result.

    Args:
        indices: int64; negative ones count from the end if ``dim`` is given.
        dim: None takes from the flattened array.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.take_along_dim.html

    >>> take_along_dim(np.array([[1, 2], [3, 4]]), np.array([[1], [0]]), 1)
    array([[2],
           [3]])
    """
    indices = array_of(indices)
    if indices.dtype != np.int64:
        raise RuntimeError("torch.take_along_dim(): dtype of indices should be Long but got "
                           f"{indices.dtype}")
    if dim is None:
        return gather(reshape(input, (-1,)), 0, indices.reshape(-1))
    if indices.ndim != input.ndim:
        raise RuntimeError("torch.take_along_dim(): input and indices should have the same number of "
                           f"dimensions, but got {input.ndim} dimensions for input, and {indices.ndim} "
                           "dimensions for indices")
    dim = wrap_dim(dim, input.ndim)
    sizes, picks = list(input.shape), list(indices.shape)
    common = list(broadcast_shapes(*(tuple(shape[:dim] + [1] + shape[dim + 1:])
                                     for shape in (sizes, picks))))
    size, count = sizes[dim], picks[dim]
    input = expand(input, (*common[:dim], size, *common[dim + 1:]))
    indices = np.broadcast_to(indices, (*common[:dim], count, *common[dim + 1:]))
    return gather(input, dim, np.where(indices < 0, indices + size, indices))
