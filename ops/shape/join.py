"""Joining arrays into one, and cutting one into parts; the parts are views."""

from __future__ import annotations

import math

import numpy as np

from ops.core import Bad, array_of, case, composite, op, shape_of
from ops.dims import wrap_dim
from ops.indexing.items import add_at
from ops.indexing.spans import narrow
from ops.promotion import promote_types
from ops.samples import spaced
from ops.shape.layout import reshape, zeros_like_view
from ops.shape.views import atleast_1d, atleast_2d, atleast_3d

__all__ = ["cat", "chunk", "column_stack", "concat", "concatenate", "dstack", "hstack", "row_stack",
           "split", "stack", "tensor_split", "unbind", "vstack"]


# ------------------------------------------------------------------ joining


def _cat_cases(rng):
    yield case((spaced(rng, (2, 3)), spaced(rng, (1, 3)) + 0.01))
    yield case([spaced(rng, (2, 3)), spaced(rng, (2, 1)), spaced(rng, (2, 2))], -1)
    yield case([spaced(rng, (0,)), spaced(rng, (2, 3))], 1)
    yield case([spaced(rng, (0, 2)), spaced(rng, (1, 2))], dim=0)


def _parts(g, tensors_shape, dim):
    """The parts of a cotangent that belong to the joined arrays."""
    dim, start, parts = wrap_dim(dim, g.ndim), 0, []
    for shape in tensors_shape:
        if shape == (0,) and g.ndim != 1:
            parts.append(None)
            continue
        parts.append(narrow(g, dim, start, shape[dim]))
        start += shape[dim]
    return parts


def _check_sequence(name: str, tensors, error: type = RuntimeError) -> None:
    if not isinstance(tensors, (tuple, list)):
        raise TypeError(f"{name}(): argument 'tensors' (position 1) must be tuple of Tensors, not "
                        f"{type(tensors).__name__}")
    if not tensors:
        raise error(f"{name} expects a non-empty TensorList" if error is RuntimeError else
                    f"{name}(): expected a non-empty list of Tensors")
    for position, tensor in enumerate(tensors):
        if type(tensor) is not np.ndarray and not isinstance(array_of(tensor), (np.ndarray, np.generic)):
            raise TypeError(f"expected Tensor as element {position} in argument 0, but got "
                            f"{type(tensor).__name__}")


def _alike(tensors, what: str) -> bool:
    """Whether these are arrays of one dtype that agree in ``what``, ``"ndim"`` or ``"shape"``."""
    if type(tensors) not in (tuple, list) or not tensors or type(tensors[0]) is not np.ndarray:
        return False
    dtype, common = tensors[0].dtype, getattr(tensors[0], what)
    for tensor in tensors:
        if type(tensor) is not np.ndarray or tensor.dtype is not dtype or getattr(tensor, what) != common:
            return False
    return True


@op(
    grad=dict(tensors=lambda g, tensors_shape, dim: _parts(g, tensors_shape, dim)),
    samples=_cat_cases,
    reference=lambda tensors, dim=0: np.concatenate([t for t in tensors if t.shape != (0,)], dim),
    exempt=dict(zero_dim="0-d arrays cannot be concatenated"), any_layout=True,
    bad=[Bad(([],), {}, ValueError, r"expected a non-empty list of Tensors"),
         Bad((np.ones(3),), {}, TypeError,
             r"'tensors' \(position 1\) must be tuple of Tensors, not ndarray|Tensor"),
         Bad(([np.ones(3), 1.0],), {}, TypeError,
             "expected Tensor as element 1 in argument 0, but got float"),
         Bad(([np.array(1.0)],), {}, RuntimeError,
             r"zero-dimensional tensor \(at position 0\) cannot be concatenated"),
         Bad(([np.ones(3), np.ones((2, 3))],), {}, RuntimeError,
             "same number of dimensions: got 1 and 2"),
         Bad(([np.ones((2, 3)), np.ones((2, 2))],), {}, RuntimeError,
             "Sizes of tensors must match except in dimension 0. Expected size 3 but got size 2 for "
             "tensor number 1"),
         Bad(([np.ones((2, 3))], 2), {}, IndexError, "Dimension out of range")],
)
def cat(tensors, dim=0):
    """The arrays one after the other along ``dim``; their dtypes are promoted.

    Args:
        tensors: tuple or list of arrays whose shapes agree except along ``dim``.  Empty 1-D arrays are
            skipped.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.cat.html

    >>> cat((np.ones((2, 1)), np.zeros((2, 2))), 1)
    array([[1., 0., 0.],
           [1., 0., 0.]])
    """
    if _alike(tensors, "ndim"):
        try:
            return np.concatenate(tensors, dim)
        except (ValueError, TypeError):  # what does not fit is found below
            pass
    _check_sequence("cat", tensors, ValueError)
    dtype = tensors[0].dtype
    for position, tensor in enumerate(tensors):
        if tensor.ndim == 0:
            raise RuntimeError(f"zero-dimensional tensor (at position {position}) cannot be "
                               "concatenated; use stack()")
        dtype = dtype if tensor.dtype == dtype else promote_types(dtype, tensor.dtype)
    full = [(position, tensor) for position, tensor in enumerate(tensors) if tensor.shape != (0,)]
    if not full:
        wrap_dim(dim, 1)
        return np.empty((0,), dtype)
    first = full[0][1]
    dim = wrap_dim(dim, first.ndim)
    for position, tensor in full:
        if tensor.ndim != first.ndim:
            raise RuntimeError(f"Tensors must have same number of dimensions: got {first.ndim} and "
                               f"{tensor.ndim}")
        for d, (expected, size) in enumerate(zip(first.shape, tensor.shape)):
            if size != expected and d != dim:
                raise RuntimeError(f"Sizes of tensors must match except in dimension {dim}. Expected "
                                   f"size {expected} but got size {size} for tensor number {position} "
                                   f"in the list (shape {list(tensor.shape)})")
    return np.concatenate([tensor.astype(dtype, copy=False) for _, tensor in full], dim)


concat = concatenate = cat


def _same_shapes(*shapes):
    def samples(rng):
        for shape in shapes:
            yield case([spaced(rng, shape), np.asarray(spaced(rng, shape) + 0.01)])

    return samples


def _stack_cases(rng):
    yield from _same_shapes((), (3,), (0, 2))(rng)
    yield case((spaced(rng, (2, 3)), spaced(rng, (2, 3)), spaced(rng, (2, 3))), -1)


@op(
    grad=dict(tensors=lambda g, dim: unbind(g, dim)), samples=_stack_cases,
    reference=lambda tensors, dim=0: np.stack(tensors, dim),
    bad=[Bad(([],), {}, RuntimeError, "stack expects a non-empty TensorList"),
         Bad(([np.ones(3), 1.0],), {}, TypeError,
             "expected Tensor as element 1 in argument 0, but got float"),
         Bad(([np.ones(3), np.ones(2)],), {}, RuntimeError,
             r"equal size, but got \[3\] at entry 0 and \[2\] at entry 1"),
         Bad(([np.ones(3)], 2), {}, IndexError, r"\[-2, 1\], but got 2")],
)
def stack(tensors, dim=0):
    """Arrays of one shape side by side along a new dimension at position ``dim``.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.stack.html

    >>> stack([np.array([1, 2]), np.array([3, 4])], 1)
    array([[1, 3],
           [2, 4]])
    """
    if not _alike(tensors, "shape"):
        tensors = _promoted(tensors)
    shape = tensors[0].shape
    dim = wrap_dim(dim, len(shape) + 1)
    if dim == len(shape):
        return np.concatenate([tensor[..., None] for tensor in tensors], dim)
    out = np.empty((*shape[:dim], len(tensors), *shape[dim:]), tensors[0].dtype)
    # One after the other along the dimension that the new one comes before: in memory that is the same.
    joined = out.reshape((*shape[:dim], len(tensors) * shape[dim], *shape[dim + 1:]))
    np.concatenate(tensors, dim, joined)
    return out


def _promoted(tensors) -> list[np.ndarray]:
    """Arrays of one shape in their common dtype."""
    _check_sequence("stack", tensors)
    shape, dtype = tensors[0].shape, tensors[0].dtype
    for position, tensor in enumerate(tensors):
        if tensor.shape != shape:
            raise RuntimeError(f"stack expects each tensor to be equal size, but got {list(shape)} at "
                               f"entry 0 and {list(tensor.shape)} at entry {position}")
        dtype = dtype if tensor.dtype == dtype else promote_types(dtype, tensor.dtype)
    return [tensor.astype(dtype, copy=False) for tensor in tensors]


_BAD_EMPTY = [Bad(([],), {}, RuntimeError, "expects a non-empty TensorList")]


@composite(differentiable=("tensors",), samples=_same_shapes((), (3,), (2, 3), (0, 2)),
           reference=np.hstack,
           bad=_BAD_EMPTY)
def hstack(tensors):
    """Arrays side by side: along dimension 1, or along 0 if they are 1-D.

    >>> hstack([np.ones((2, 1)), np.zeros((2, 1))]).shape
    (2, 2)
    """
    _check_sequence("hstack", tensors)
    tensors = atleast_1d(tuple(tensors))
    return cat(tensors, 0 if tensors[0].ndim == 1 else 1)


@composite(differentiable=("tensors",), samples=_same_shapes((), (3,), (2, 3), (0, 2)),
           reference=np.vstack,
           bad=_BAD_EMPTY)
def vstack(tensors):
    """Arrays below each other: along dimension 0; 1-D arrays are rows.

    >>> vstack([np.ones(2), np.zeros(2)]).shape
    (2, 2)
    """
    _check_sequence("vstack", tensors)
    return cat(atleast_2d(tuple(tensors)), 0)


row_stack = vstack


@composite(differentiable=("tensors",), samples=_same_shapes((), (3,), (2, 3), (0, 2)),
           reference=np.dstack,
           bad=_BAD_EMPTY)
def dstack(tensors):
    """Arrays behind each other: along dimension 2, after `atleast_3d`.

    >>> dstack([np.ones(2), np.zeros(2)]).shape
    (1, 2, 2)
    """
    _check_sequence("dstack", tensors)
    return cat(atleast_3d(tuple(tensors)), 2)


@composite(differentiable=("tensors",), samples=_same_shapes((), (3,), (2, 3), (0, 2)),
           reference=np.column_stack,
           bad=_BAD_EMPTY)
def column_stack(tensors):
    """Arrays side by side along dimension 1; 1-D arrays are columns.

    >>> column_stack([np.ones(2), np.zeros((2, 3))]).shape
    (2, 4)
    """
    _check_sequence("column_stack", tensors)
    return cat([reshape(t, (-1, 1)) if t.ndim == 1 else reshape(t, (1, 1)) if t.ndim == 0 else t
                for t in tensors], 1)


# ------------------------------------------------------------------ cutting


def _sizes(sections, size: int):
    """The sizes of the parts that ``sections`` cuts a dimension into, see `split`."""
    if hasattr(sections, "__iter__"):
        return sections
    whole, rest = divmod(size, sections) if sections else (0, 0)
    return (sections,) * whole + (rest,) * (rest > 0 or whole == 0)


def _joined(g: list, tensor_shape, split_size_or_sections, dim):
    """The gradient of `split` from those of its parts; None stands for zeros."""
    dim, start, pieces = wrap_dim(dim, len(tensor_shape)), 0, []
    present = [part for part in g if part is not None]
    for part, size in zip(g, _sizes(split_size_or_sections, tensor_shape[dim])):
        if part is not None and len(present) == 1:
            return add_at(part, (slice(None),) * dim + (slice(start, start + size),), tensor_shape)
        shape = (*tensor_shape[:dim], size, *tensor_shape[dim + 1:])
        pieces.append(zeros_like_view(present[0], shape) if part is None else part)
        start += size
    return cat(pieces, dim)


def _at_least_1d(name: str, shape: tuple) -> None:
    if not shape:
        raise RuntimeError(f"{name} expects at least a 1-dimensional tensor, but got a tensor with 0 dims")


def _split_reference(tensor, split_size_or_sections, dim=0):
    size = tensor.shape[dim]
    stops = (range(split_size_or_sections, size, split_size_or_sections)
             if isinstance(split_size_or_sections, int)
             else np.cumsum(split_size_or_sections)[:-1])
    return tuple(np.split(tensor, list(stops), dim))


@op(
    grad=dict(tensor=_joined), parts=True,
    samples=lambda rng: iter([case(spaced(rng, (5, 2)), 2), case(spaced(rng, (2, 4)), (1, 0, 3), -1),
                              case(spaced(rng, (0, 2)), 3)]),
    reference=_split_reference, exempt=dict(zero_dim="there is no dimension to split"),
    bad=[Bad((np.ones(3), 0), {}, RuntimeError, "split_size can only be 0 if dimension size is 0.*of 3"),
         Bad((np.ones(3), -1), {}, RuntimeError, "split_size be non-negative, but got split_size=-1"),
         Bad((np.ones(3), (1, 1)), {}, RuntimeError, r"sum exactly to 3.*got split_sizes=\[1, 1\]"),
         Bad((np.ones(3), (4, -1)), {}, RuntimeError, r"only non-negative entries.*\[4, -1\]"),
         Bad((np.array(1.0), 1), {}, RuntimeError, "at least a 1-dimensional tensor"),
         Bad((np.ones(3), 1, 1), {}, IndexError, "Dimension out of range")],
)
def split(tensor, split_size_or_sections, dim=0):
    """Views of consecutive parts along ``dim``: all of one size (the last may be smaller), or of the
    given sizes.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.split.html

    >>> split(np.arange(5), 2)
    (array([0, 1]), array([2, 3]), array([4]))
    """
    _at_least_1d("split", tensor.shape)
    dim = wrap_dim(dim, tensor.ndim)
    size, sections = tensor.shape[dim], split_size_or_sections
    if not hasattr(sections, "__iter__"):
        if sections < 0:
            raise RuntimeError("split expects split_size be non-negative, but got "
                               f"split_size={sections}")
        if sections == 0 and size:
            raise RuntimeError("split_size can only be 0 if dimension size is 0, but got dimension "
                               f"size of {size}")
    elif any(n < 0 for n in sections):
        raise RuntimeError("split_with_sizes expects split_sizes have only non-negative entries, but "
                           f"got split_sizes={list(sections)}")
    elif sum(sections) != size:
        raise RuntimeError(f"split_with_sizes expects split_sizes to sum exactly to {size} (input "
                           f"tensor's size at dimension {dim}), but got split_sizes={list(sections)}")
    lead, start, parts = (slice(None),) * dim, 0, []
    for length in _sizes(sections, size):
        parts.append(tensor[(*lead, slice(start, start + length))])
        start += length
    return tuple(parts)


@composite(
    samples=lambda rng: iter([case(spaced(rng, (5, 2)), 3), case(spaced(rng, (2, 4)), 3, -1),
                              case(spaced(rng, (0, 2)), 2)]),
    reference=lambda input, chunks, dim=0: (
        _split_reference(input, math.ceil(input.shape[dim] / chunks), dim) if input.size
        else (input,) * chunks),
    exempt=dict(zero_dim="there is no dimension to split"),
    bad=[Bad((np.ones(3), 0), {}, RuntimeError, "chunk expects `chunks` to be greater than 0, got: 0"),
         Bad((np.array(1.0), 1), {}, RuntimeError, "at least a 1-dimensional tensor")],
)
def chunk(input, chunks, dim=0):
    """Views of at most ``chunks`` parts of equal size along ``dim``; the last may be smaller.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.chunk.html

    >>> chunk(np.arange(5), 3)
    (array([0, 1]), array([2, 3]), array([4]))
    """
    shape = shape_of(input)
    _at_least_1d("chunk", shape)
    if chunks <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    size = shape[wrap_dim(dim, len(shape))]
    return split(input, -(-size // chunks) if size else (0,) * chunks, dim)


def _tensor_split_cases(rng):
    yield case(spaced(rng, (7, 2)), 3)
    yield case(spaced(rng, (2, 5)), (1, 3), -1)
    yield case(spaced(rng, (0, 2)), 2)
    yield case(spaced(rng, (4,)), np.array([1, 3]))


@composite(
    samples=_tensor_split_cases,
    reference=lambda input, indices_or_sections, dim=0: tuple(
        np.array_split(input, indices_or_sections, dim)),
    exempt=dict(zero_dim="there is no dimension to split"),
    bad=[Bad((np.ones(3), 0), {}, RuntimeError, "number of sections must be larger than 0, got 0"),
         Bad((np.array(1.0), 2), {}, RuntimeError, "at least a 1-dimensional tensor")],
)
def tensor_split(input, indices_or_sections, dim=0):
    """Views of parts along ``dim``: a number of nearly equal ones, or those between the given indices.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.tensor_split.html

    >>> tensor_split(np.arange(5), 2)
    (array([0, 1, 2]), array([3, 4]))
    """
    _at_least_1d("tensor_split", shape_of(input))
    size, sections = input.shape[wrap_dim(dim, input.ndim)], array_of(indices_or_sections)
    if np.ndim(sections) == 0:
        sections = int(sections)
        if sections <= 0:
            raise RuntimeError(f"number of sections must be larger than 0, got {sections}")
        small, larger = divmod(size, sections)  # the first parts are larger by one
        return split(input, (small + 1,) * larger + (small,) * (sections - larger), dim)
    places = [len(range(size)[:int(i)]) for i in sections]
    pairs = zip((0, *places), (*places, size))
    return tuple([narrow(input, dim, start, max(stop - start, 0)) for start, stop in pairs])


def _stacked(g: list, input_shape, dim):
    """The gradient of `unbind` from those of the slices; None stands for zeros."""
    dim = wrap_dim(dim, len(input_shape))
    present = [place for place, part in enumerate(g) if part is not None]
    if len(present) == 1:
        return add_at(g[present[0]], (slice(None),) * dim + (present[0],), input_shape)
    nothing = zeros_like_view(g[present[0]], g[present[0]].shape)
    return stack([nothing if part is None else part for part in g], dim)


@op(
    grad=dict(input=_stacked), parts=True,
    samples=lambda rng: iter([case(spaced(rng, (2, 3))), case(spaced(rng, (2, 3)), -1),
                              case(spaced(rng, (2, 0)))]),
    reference=lambda input, dim=0: tuple(np.moveaxis(input, dim, 0)),
    exempt=dict(zero_dim="there is no dimension to take apart"),
    bad=[Bad((np.array(1.0),), {}, IndexError, "Dimension specified as 0 but tensor has no dimensions"),
         Bad((np.ones(3), 1), {}, IndexError, "Dimension out of range")],
)
def unbind(input, dim=0):
    """Views of all slices along ``dim``, which disappears.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.unbind.html

    >>> unbind(np.array([[1, 2], [3, 4]]), 1)
    (array([1, 3]), array([2, 4]))
    """
    if input.ndim == 0:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    dim = wrap_dim(dim, input.ndim)
    if input.ndim == 1:
        return tuple([input[position, ...] for position in range(len(input))])
    return tuple(input if dim == 0 else np.moveaxis(input, dim, 0))  # an array is a sequence of its slices
