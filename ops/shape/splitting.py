"""Cutting an array into parts, which are views: `split`, `chunk`, `unbind`, `tensor_split` and its kin."""

from __future__ import annotations

import functools
import math

import numpy as np

from ops.core import Bad, array_of, case, composite, op, shape_of
from ops.dims import wrap_dim
from ops.indexing.items import add_at
from ops.indexing.spans import narrow
from ops.samples import spaced
from ops.shape.join import cat, stack
from ops.shape.layout import zeros_like_view

__all__ = ["chunk", "dsplit", "hsplit", "split", "tensor_split", "unbind", "vsplit"]


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


@functools.lru_cache(maxsize=1024)
def _indices(size: int, section: int, dim: int) -> tuple[tuple[slice, ...], ...]:
    """What to index an array with for its parts of one size along ``dim``; the last may be smaller."""
    lead = (slice(None),) * dim
    return tuple([(*lead, slice(start, start + section)) for start in range(0, size, section)])


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
    shape, sections = tensor.shape, split_size_or_sections
    _at_least_1d("split", shape)
    dim = wrap_dim(dim, len(shape))
    size = shape[dim]
    if type(sections) is int and 0 < sections and 0 < size:
        return tuple([tensor[index] for index in _indices(size, sections, dim)])
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


# ------------------------------------------------------------------ along a named direction


def _split(name: str, input, indices_or_sections, dim: int, ndim: int):
    """Equal parts, or those between indices, of an input of at least ``ndim`` dimensions."""
    if not isinstance(array_of(input), np.ndarray):
        raise TypeError(f"{name}(): argument 'input' (position 1) must be Tensor, not "
                        f"{type(input).__name__}")
    if input.ndim < ndim:
        raise RuntimeError(f"torch.{name} requires a tensor with at least {ndim} dimension, but got a "
                           f"tensor with {input.ndim} dimensions!")
    if not isinstance(indices_or_sections, (int, tuple, list)):
        raise TypeError(f"{name}(): argument 'indices_or_sections' (position 2) must be int or tuple of "
                        f"ints, not {type(indices_or_sections).__name__}")
    if isinstance(indices_or_sections, int):
        size, sections = input.shape[dim], indices_or_sections
        if sections <= 0 or size % sections:
            raise RuntimeError(f"torch.{name} attempted to split along dimension {dim}, but the size of "
                               f"the dimension {size} is not divisible by the split_size {sections}!")
    return tensor_split(input, indices_or_sections, dim)


def _record(shape: tuple[int, ...], function) -> dict:
    """Samples, reference and refused calls of a split of arrays of at least the rank of ``shape``."""

    def samples(rng):
        yield case(spaced(rng, shape), 2)
        yield case(spaced(rng, shape), (1, 3))
        yield case(spaced(rng, (0,) * len(shape)), 1)

    return dict(
        samples=samples,
        reference=lambda input, indices_or_sections: tuple(function(input, indices_or_sections)),
        exempt=dict(zero_dim="there is no dimension to split"),
        bad=[Bad((np.ones(shape), 3), {}, RuntimeError, "4 is not divisible by the split_size 3"),
             Bad((np.array(1.0), 1), {}, RuntimeError, "but got a tensor with 0 dimensions"),
             Bad((np.ones(shape), 1.5), {}, TypeError, "must be int or tuple of ints, not float"),
             Bad(([1.0], 1), {}, TypeError, r"'input' \(position 1\) must be Tensor, not list")])


@composite(**_record((2, 4), np.hsplit))
def hsplit(input, indices_or_sections):
    """Parts side by side: `tensor_split` along dimension 1, or 0 if there is only one.

    >>> hsplit(np.array([[1, 2], [3, 4]]), 2)
    (array([[1],
           [3]]), array([[2],
           [4]]))
    """
    return _split("hsplit", input, indices_or_sections, 1 if getattr(input, "ndim", 1) > 1 else 0, 1)


@composite(**_record((4, 2), np.vsplit))
def vsplit(input, indices_or_sections):
    """Parts below each other: `tensor_split` along dimension 0 of two or more.

    >>> vsplit(np.array([[1, 2], [3, 4]]), 2)
    (array([[1, 2]]), array([[3, 4]]))
    """
    return _split("vsplit", input, indices_or_sections, 0, 2)


@composite(**_record((2, 1, 4), np.dsplit))
def dsplit(input, indices_or_sections):
    """Parts behind each other: `tensor_split` along dimension 2 of three or more.

    >>> dsplit(np.array([[[1, 2]]]), 2)
    (array([[[1]]]), array([[[2]]]))
    """
    return _split("dsplit", input, indices_or_sections, 2, 3)
