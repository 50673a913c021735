"""Sorting, and selection by rank: the k largest, the k-th, the middle; and the most frequent element.

NaN counts as the largest value.  Sorting is always stable: equal elements keep their order, and results
are the same on every machine.
"""

from __future__ import annotations

import numpy as np

from ops.core import Bad, case, composite, op
from ops.elementwise.pointwise import not_implemented, tensor_only
from ops.indexing.places import pick_along
from ops.lazy import LazyModule
from ops.reduction.extrema import (
    BAD_CHOICE,
    all_cases,
    at_least_1d,
    choose,
    chosen_record,
    dim_cases,
    one_dim,
    require_elements,
    send_to,
    share_among_ties,
)
from ops.samples import NO_TENSOR, spaced

__all__ = ["argsort", "kthvalue", "median", "median_all", "median_dim", "mode", "nanmedian", "nanmedian_all",
           "nanmedian_dim", "sort", "topk"]

_kernels, _sorting = LazyModule("ops.kernels.select"), LazyModule("ops.kernels.sorting")
_FEW = 64  # the kernel's cost grows with k
_MANY = 256  # elements from which it is faster than a sort


# ------------------------------------------------------------------ by rank


def _order(input, dim: int, descending: bool) -> np.ndarray:
    """Positions that sort the (at least 1-d) input along ``dim``; equal elements keep their order."""
    if not descending:
        return np.argsort(input, axis=dim, kind="stable")
    backwards = np.argsort(np.flip(input, dim), axis=dim, kind="stable")
    return input.shape[dim] - 1 - np.flip(backwards, dim)


def _has_keys(input, dim: int) -> bool:
    """Whether `sorting.sort_rows` sorts the elements along ``dim``."""
    return (input.dtype == np.float32 and input.size >= _MANY and dim == input.ndim - 1
            and input.flags.c_contiguous)


def _by_keys(input, descending: bool) -> tuple:
    """Values in order along the last dimension, and their positions."""
    values, positions = _sorting.sort_rows(input.reshape(-1, input.shape[-1]), bool(descending))
    return values.reshape(input.shape), positions.reshape(input.shape)


def _taken(input, dim: int, positions) -> tuple:
    """Values at positions along ``dim``, and the positions; 0-d for a 0-d input."""
    values = pick_along(at_least_1d(input), positions, dim)
    positions = np.ascontiguousarray(positions)
    return (values.reshape(()), positions.reshape(())) if input.ndim == 0 else (values, positions)


_SELECTS = dict(grad=dict(input=lambda g, input_shape, dim,
                          indices: send_to(g, input_shape, dim, indices)),
                outputs=("values", "indices"))
_BAD_DIM = Bad((np.ones((2, 3)),), {"dim": 2}, IndexError, r"Dimension out of range.*\[-2, 1\], but got "
                                                           r"2")


def _sort_cases(rng):
    yield case(spaced(rng, (2, 3, 4)))
    yield case(spaced(rng, (2, 3, 4)), 1, True)
    yield case(spaced(rng, ()), 0)
    yield case(spaced(rng, (0, 3)), dim=0)
    yield case(spaced(rng, (20, 13)), -1, True)


def _sort_reference(input, dim=-1, descending=False, stable=False):
    if np.ndim(input) == 0:
        return input, np.array(0)
    order = np.argsort(-input if descending else input, axis=dim)
    return np.take_along_axis(input, order, dim), order


@op(**_SELECTS, samples=_sort_cases, reference=_sort_reference, bad=[_BAD_DIM])
def sort(input, dim=-1, descending=False, stable=False):
    """Elements in order along ``dim``, and the indices they came from; always stable.

    >>> sort(np.array([2.0, 3.0, 1.0]))
    sort(values=array([1., 2., 3.]), indices=array([2, 0, 1]))
    """
    tensor_only(input)
    dim = one_dim(dim, input.ndim)
    if _has_keys(input, dim):
        return _by_keys(input, descending)
    return _taken(input, dim, _order(at_least_1d(input), dim, descending))


@op(samples=_sort_cases, reference=lambda *args, **kwargs: _sort_reference(*args, **kwargs)[1],
    bad=[_BAD_DIM])
def argsort(input, dim=-1, descending=False, *, stable=False):
    """Indices that sort along ``dim``; always stable.

    >>> argsort(np.array([2.0, 3.0, 1.0]))
    array([2, 0, 1])
    """
    tensor_only(input)
    dim = one_dim(dim, input.ndim)
    if _has_keys(input, dim):
        return _by_keys(input, descending)[1]
    return np.ascontiguousarray(_order(at_least_1d(input), dim, descending)).reshape(input.shape)


def _topk_cases(rng):
    yield case(spaced(rng, (2, 5)), 3)
    yield case(spaced(rng, (5, 2)), 2, 0, False)
    yield case(spaced(rng, (2, 3)), 3)
    yield case(spaced(rng, ()), 1)
    yield case(spaced(rng, (0, 3)), 2)
    yield case(spaced(rng, (3,)), 0)


def _topk_reference(input, k, dim=-1, largest=True, sorted=True):
    values, order = _sort_reference(input, dim, largest)
    return (np.take(values, range(k), dim), np.take(order, range(k),
                                                    dim)) if np.ndim(input) else (values, order)


@op(**_SELECTS, samples=_topk_cases, reference=_topk_reference,
    bad=[Bad((np.ones(3), 5), {}, RuntimeError, "selected index k out of range.*5.*size 3"),
         Bad((np.ones(3), 1.5), {}, TypeError, r"argument 'k' \(position 2\) must be int, not float")])
def topk(input, k, dim=-1, largest=True, sorted=True):
    """The ``k`` largest (or smallest) elements along ``dim``, best first, and their indices.

    Of equal elements the first come first; the result is in order whatever ``sorted`` says.

    >>> topk(np.array([2.0, 3.0, 1.0]), 2)
    topk(values=array([3., 2.]), indices=array([1, 0]))
    """
    if not isinstance(k, (int, np.integer)):
        raise TypeError(f"topk(): argument 'k' (position 2) must be int, not {type(k).__name__}")
    tensor_only(input)
    if input.dtype.kind == "b":
        raise RuntimeError("topk does not support bool dtypes; convert the tensor first: x.int()")
    dim, wide = one_dim(dim, input.ndim), at_least_1d(input)
    size = wide.shape[dim]
    if not 0 <= k <= size:
        raise RuntimeError(f"selected index k out of range: k={k}, but dimension {dim} has size {size}")
    if 0 < k <= _FEW and input.dtype.kind == "f" and input.size >= _MANY:
        if dim == input.ndim - 1:
            return _kernels.largest(input, k, not largest)
        found = _kernels.largest(np.moveaxis(input, dim, -1), k, not largest)
        return tuple(np.moveaxis(part, -1, dim) for part in found)
    return _taken(input, dim, np.take(_order(wide, dim, largest), range(k), axis=dim))


def _kth_reference(input, k, dim=-1, keepdim=False):
    if np.ndim(input) == 0:
        return input, np.array(0)
    values, order = _sort_reference(input, dim)
    pick = [k - 1] if keepdim else k - 1
    return np.take(values, pick, dim), np.take(order, pick, dim)


@op(
    **_SELECTS,
    samples=lambda rng: iter([case(spaced(rng, (2, 5)), 2), case(spaced(rng, (5, 2)), 5, 0, True),
                              case(spaced(rng, ()), 1), case(spaced(rng, (0, 3)), 1)]),
    reference=_kth_reference,
    bad=[Bad((np.ones(3), 5), {}, RuntimeError, r"kthvalue\(\): selected number k out of range for "
                                                r"dimension 0")],
)
def kthvalue(input, k, dim=-1, keepdim=False):
    """The ``k``-th smallest element along ``dim`` (1 is the smallest) and its index.

    >>> kthvalue(np.array([2.0, 3.0, 1.0]), 1, keepdim=True)
    kthvalue(values=array([1.]), indices=array([2]))
    """
    require_elements("kthvalue", input, one_dim(dim, input.ndim))
    dim, wide = one_dim(dim, input.ndim), at_least_1d(input)
    if not 1 <= k <= wide.shape[dim]:
        raise RuntimeError(f"kthvalue(): selected number k out of range for dimension {dim}: k={k}, but "
                           f"its size is {wide.shape[dim]}")
    values, positions = _taken(input, dim, np.take(_order(wide, dim, False), [k - 1], axis=dim))
    return (values, positions) if keepdim or input.ndim == 0 else (values.squeeze(dim),
                                                                   positions.squeeze(dim))


# ------------------------------------------------------------------ the middle and the most frequent


def _picked(name: str, input, dim: int, keepdim: bool, middle) -> tuple:
    """The elements along ``dim`` whose positions ``middle`` finds, and these positions."""
    tensor_only(input)
    dim = one_dim(dim, input.ndim)
    require_elements(name, input, dim)
    return choose(input, dim, keepdim, middle(at_least_1d(input), dim))


def _picked_of_all(input, middle) -> np.ndarray:
    """The element of all whose position ``middle`` finds; NaN of nothing."""
    tensor_only(input)
    if input.dtype == np.bool_:
        raise not_implemented("median", input.dtype)
    if input.size == 0:
        return np.array(np.nan, input.dtype)
    flat = input.reshape(-1)
    return flat[middle(flat, 0)[0]]


def _middle(input, dim: int) -> np.ndarray:
    """Position of the lower median along ``dim``; of the first NaN where there is one."""
    order = np.argsort(input, axis=dim, kind="stable")
    position = np.take(order, [(input.shape[dim] - 1) // 2], axis=dim)
    missing = np.isnan(input)
    return np.where(missing.any(axis=dim, keepdims=True), np.argmax(missing, axis=dim, keepdims=True),
                    position)


_BAD_ALL = [NO_TENSOR, Bad((np.ones(2) > 0,), {}, NotImplementedError, "not implemented for")]
_NOTHING = {"empty": "the median of nothing is NaN, its second derivative too"}


@op(grad=dict(input=share_among_ties), samples=all_cases, bad=_BAD_ALL, exempt=_NOTHING,
    reference=lambda input: np.sort(input, axis=None)[(input.size - 1) // 2])
def median_all(input):
    """The lower median of all elements.

    >>> float(median_all(np.array([4.0, 1.0, 3.0, 2.0])))
    2.0
    """
    return _picked_of_all(input, _middle)


@op(**chosen_record(lambda row: np.argsort(row)[(len(row) - 1) // 2]))
def median_dim(input, dim=-1, keepdim=False):
    """Lower medians along ``dim`` and their indices.

    >>> median_dim(np.array([4.0, 1.0, 3.0, 2.0]), 0)
    median(values=array(2.), indices=array(3))
    """
    return _picked("median", input, dim, keepdim, _middle)


@composite(samples=lambda rng: (*all_cases(rng), *dim_cases(rng)), bad=BAD_CHOICE,
           reference=lambda input, dim=None, keepdim=False: (
               np.sort(input, axis=None)[(input.size - 1) // 2] if dim is None
               else median_dim.reference(input, dim, keepdim)))
def median(input, dim=None, keepdim=False):
    """The lower median of all elements, or a named tuple ``(values, indices)`` along ``dim``.

    >>> float(median(np.array([4.0, 1.0, 3.0, 2.0])))
    2.0
    """
    return median_all(input) if dim is None else median_dim(input, dim, keepdim)


def _middle_number(input, dim: int) -> np.ndarray:
    """Position of the lower median of the numbers along ``dim``; 0 where all are NaN."""
    order = np.argsort(input, axis=dim, kind="stable")  # NaN comes last
    count = np.add.reduce(np.logical_not(np.isnan(input)), axis=dim, keepdims=True, dtype=np.int64)
    return np.take_along_axis(order, np.maximum(count - 1, 0) // 2, dim)


def _with_gaps(cases):
    """Samples with NaN among the elements: every third one, never all of a row."""
    def samples(rng):
        for one in cases(rng):
            values = np.array(one.args[0])
            values.reshape(-1)[1::3] = np.nan
            yield case(values, *one.args[1:], **one.kwargs)
    return samples


@op(grad=dict(input=share_among_ties), samples=_with_gaps(all_cases), bad=_BAD_ALL, exempt=_NOTHING,
    reference=lambda input: np.sort(input, axis=None)[max(int(np.sum(input == input)) - 1, 0) // 2])
def nanmedian_all(input):
    """The lower median of all elements that are not NaN.

    >>> float(nanmedian_all(np.array([4.0, np.nan, 3.0, 2.0])))
    3.0
    """
    return _picked_of_all(input, _middle_number)


@op(**{**chosen_record(lambda row: np.argsort(row)[max(int(np.sum(row == row)) - 1, 0) // 2]),
       "samples": _with_gaps(dim_cases)})
def nanmedian_dim(input, dim=-1, keepdim=False):
    """Lower medians along ``dim`` of the elements that are not NaN, and their indices.

    >>> nanmedian_dim(np.array([4.0, np.nan, 3.0, 2.0]), 0)
    nanmedian(values=array(3.), indices=array(2))
    """
    return _picked("nanmedian", input, dim, keepdim, _middle_number)


@composite(samples=lambda rng: (*_with_gaps(all_cases)(rng), *_with_gaps(dim_cases)(rng)), bad=BAD_CHOICE,
           reference=lambda input, dim=None, keepdim=False: (
               nanmedian_all.reference(input) if dim is None
               else nanmedian_dim.reference(input, dim, keepdim)))
def nanmedian(input, dim=None, keepdim=False):
    """`median` of the elements that are not NaN; NaN where there is none.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nanmedian.html

    >>> float(nanmedian(np.array([4.0, np.nan, 3.0, 2.0])))
    3.0
    """
    return nanmedian_all(input) if dim is None else nanmedian_dim(input, dim, keepdim)


def _most_frequent(row: np.ndarray) -> int:
    """Position of the last of the most frequent elements; the smallest of equally frequent ones."""
    _, inverse, counts = np.unique(row, return_inverse=True, return_counts=True)
    return np.flatnonzero(inverse == np.argmax(counts))[-1]


@op(**chosen_record(lambda row: np.argmin(row)))
def mode(input, dim=-1, keepdim=False):
    """Most frequent elements along ``dim`` (the smallest of equally frequent ones) and an index of each.

    >>> mode(np.array([1.0, 2.0, 2.0]))
    mode(values=array(2.), indices=array(2))
    """
    tensor_only(input)
    dim = one_dim(dim, input.ndim)
    require_elements("mode", input, dim)
    wide = at_least_1d(input)
    if wide.size == 0:
        return choose(input, dim, keepdim, np.zeros([1 if d == dim else n for d,
                                                     n in enumerate(wide.shape)], np.int64))
    return choose(input, dim, keepdim, np.expand_dims(np.apply_along_axis(_most_frequent, dim, wide),
                                                      dim))
