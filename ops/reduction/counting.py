"""Distinct values, and counting into bins."""

from __future__ import annotations

import numpy as np

from ops.core import Bad, case, composite, op
from ops.elementwise.pointwise import tensor_only
from ops.reduction.extrema import one_dim
from ops.samples import spaced

__all__ = ["bincount", "bucketize", "distinct", "distinct_neighbours", "histc", "searchsorted", "unique",
           "unique_consecutive"]

_BAD_DIM = Bad((np.ones((2, 3)),), {"dim": 2}, IndexError, r"Dimension out of range.*\[-2, 1\], but got "
                                                           r"2")


# ------------------------------------------------------------------ distinct values


def _counted_cases(rng):
    for shape in ((), (6,), (2, 3), (0,)):
        yield case(rng.integers(0, 3, shape))
    yield case(rng.integers(0, 2, (5, 2)), dim=0)


def _distinct_reference(neighbours):
    def reference(input, dim=None):
        rows = [tuple(np.ravel(r)) for r in (np.ravel(input) if dim is None
                                             else np.moveaxis(input, dim, 0))]
        found = []
        inverse, counts = [], []
        for row in rows if neighbours else sorted(set(rows)):
            if not neighbours or not found or found[-1] != row:
                found.append(row)
                counts.append(0 if neighbours else rows.count(row))
            if neighbours:
                counts[-1] += 1
                inverse.append(len(found) - 1)
        inverse = inverse if neighbours else [found.index(row) for row in rows]
        values = np.array(found, input.dtype).reshape(-1 if dim is None
                                                      else (-1, *np.moveaxis(input, dim, 0).shape[1:]))
        shape = np.shape(input) if dim is None else -1
        return values, np.array(inverse, int).reshape(shape), np.array(counts, int)

    return reference


def _slice_axis(input, dim):
    """The axis whose slices are compared, or None for elements."""
    tensor_only(input)
    if dim is not None and input.ndim == 0:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions")
    return None if dim is None else one_dim(dim, input.ndim)


def _counted(input, low: int):
    """`distinct` of integers that begin at ``low`` and lie close together."""
    places = np.subtract(input, low, dtype=np.int64).reshape(-1)
    counts = np.bincount(places)
    found = np.flatnonzero(counts)
    inverse = np.cumsum(counts > 0)[places] - 1
    return (found + low).astype(input.dtype), inverse.reshape(input.shape), counts[found]


@op(outputs=("output", "inverse_indices", "counts"), samples=_counted_cases,
    reference=_distinct_reference(False), bad=[_BAD_DIM])
def distinct(input, dim=None):
    """All that `unique` may return: values in order, where each element went, how many there are.

    >>> distinct(np.array([3, 1, 3])).counts
    array([1, 2])
    """
    axis = _slice_axis(input, dim)
    if axis is None and input.dtype.kind in "iu" and input.size:
        low, high = int(input.min()), int(input.max())
        if high - low < input.size:  # few numbers are possible: count each instead of sorting
            return _counted(input, low)
    values, inverse, counts = np.unique(input, return_inverse=True, return_counts=True, axis=axis,
                                        equal_nan=False)
    return values, inverse.reshape(input.shape if axis is None else -1), counts


@op(outputs=("output", "inverse_indices", "counts"), samples=_counted_cases,
    reference=_distinct_reference(True), bad=[_BAD_DIM])
def distinct_neighbours(input, dim=None):
    """All that `unique_consecutive` may return.

    >>> distinct_neighbours(np.array([3, 3, 1, 3])).output
    array([3, 1, 3])
    """
    axis = _slice_axis(input, dim)
    rows = input.reshape(-1) if axis is None else np.moveaxis(input, axis, 0)
    count = len(rows)
    starts = np.ones(count, bool)
    starts[1:] = (rows[1:] != rows[:-1]).any(axis=tuple(range(1, rows.ndim)))
    positions = np.flatnonzero(starts)
    values = rows[positions] if dim is None else np.moveaxis(rows[positions], 0, dim)
    inverse = np.cumsum(starts) - 1
    return values, inverse.reshape(input.shape) if dim is None else inverse, np.diff(np.append(positions,
                                                                                               count))


def _wanted(result, return_inverse: bool, return_counts: bool):
    """The first output alone, or a tuple with those that were asked for."""
    more = (*((result[1],) if return_inverse else ()), *((result[2],) if return_counts else ()))
    return (result[0], *more) if more else result[0]


def _distinct_record(source):
    def samples(rng):
        for one in _counted_cases(rng):
            yield case(*one.args, return_inverse=True, return_counts=True, **one.kwargs)
            yield case(*one.args, **one.kwargs)

    def reference(input, return_inverse=False, return_counts=False, dim=None):
        return _wanted(source.reference(input, dim), return_inverse, return_counts)

    return dict(samples=samples, reference=reference, bad=[_BAD_DIM], differentiable=())


@composite(**_distinct_record(distinct))
def unique(input, sorted=True, return_inverse=False, return_counts=False, dim=None):
    """Distinct elements (or slices along ``dim``) in order; every NaN is distinct.

    Args:
        return_inverse: also return the index in the result for each element of the input.
        return_counts: also return how often each distinct element occurs.

    >>> unique(np.array([3, 1, 3]), return_counts=True)
    (array([1, 3]), array([1, 2]))
    """
    return _wanted(distinct(input, dim), return_inverse, return_counts)


@composite(**_distinct_record(distinct_neighbours))
def unique_consecutive(input, return_inverse=False, return_counts=False, dim=None):
    """The elements (or slices along ``dim``) without those that equal the one before.

    >>> unique_consecutive(np.array([3, 3, 1, 3]))
    array([3, 1, 3])
    """
    return _wanted(distinct_neighbours(input, dim), return_inverse, return_counts)


# ------------------------------------------------------------------ counting into bins


@op(
    samples=lambda rng: iter([case(rng.integers(0, 4, 6)),
                              case(rng.integers(0, 4, 6), spaced(rng, (6,)), 8),
                              case(np.zeros(0, np.int64), minlength=2)]),
    reference=lambda input, weights=None, minlength=0: np.array(
        [np.sum((input == i) * (1 if weights is None else weights))
         for i in range(max(minlength, input.max(initial=-1) + 1))]),
    bad=[Bad((np.array([-1]),), {}, RuntimeError, "1-d non-negative integral"),
         Bad((np.ones(2),), {}, RuntimeError, "1-d non-negative integral"),
         Bad((np.arange(2), np.ones(3)), {}, RuntimeError, "weights should be 1-d and have the same "
                                                           "length"),
         Bad((np.arange(2),), {"minlength": -1}, RuntimeError, "minlength should be >= 0")],
    exempt={"zero_dim": "the input is 1-d"},
)
def bincount(input, weights=None, minlength=0):
    """How often each of 0, 1, 2, ... occurs in a 1-d integer array, or the sum of its ``weights``.

    >>> bincount(np.array([0, 2, 2]))
    array([1, 0, 2])
    """
    if input.ndim != 1 or input.dtype.kind not in "iu" or (input.size and input.min() < 0):
        raise RuntimeError(f"bincount only supports 1-d non-negative integral inputs, got {input.dtype} "
                           "of shape "
                           f"{input.shape}" + (f" with minimum {input.min()}" if input.size else ""))
    if minlength < 0:
        raise RuntimeError(f"minlength should be >= 0, got {minlength}")
    if weights is not None and weights.shape != input.shape:
        raise RuntimeError(f"weights should be 1-d and have the same length as input: {weights.shape}, "
                           f"{input.shape}")
    counts = np.bincount(input, weights, minlength)
    return counts if weights is None or weights.dtype != np.float32 else counts.astype(np.float32)


@op(
    samples=lambda rng: iter([case(spaced(rng, (3, 4)), 5), case(spaced(rng, (9,)), 3, -1, 1),
                              case(spaced(rng, ()), 2),
                              case(np.ones(0), 2, 0, 1)]),
    reference=lambda input, bins=100, min=0, max=0: np.histogram(
        input, bins, (min, max) if (min, max) != (0, 0) else None)[0].astype(float),
    bad=[Bad((np.ones(2), 3, 2, 1), {}, RuntimeError, "max must be larger than min"),
         Bad((np.ones(2), 0), {}, RuntimeError, "bins must be > 0"),
         Bad((np.array([np.nan]), 2), {}, RuntimeError, "is not finite"),
         Bad((np.arange(2),), {}, NotImplementedError, "not implemented for 'int64'")],
)
def histc(input, bins=100, min=0, max=0):
    """Histogram with equal bins from ``min`` to ``max`` (both 0: the range of the input), in its dtype.

    >>> histc(np.array([1.0, 2.0, 2.5]), 2, 1, 3)
    array([1., 2.])
    """
    if input.dtype.kind != "f":
        raise NotImplementedError(f"histc is not implemented for '{input.dtype}'; convert first, as in "
                                  "input.float()")
    if bins <= 0:
        raise RuntimeError(f"bins must be > 0, but got {bins}")
    if min == max and input.size:
        min, max = float(input.min()), float(input.max())
    if not (np.isfinite(min) and np.isfinite(max)):
        raise RuntimeError(f"histc: range of [{min}, {max}] is not finite")
    if min > max:
        raise RuntimeError(f"histc: max must be larger than min, got min={min}, max={max}")
    if min == max:
        min, max = min - 1, max + 1
    return np.histogram(input, bins, (min, max))[0].astype(input.dtype)


def _array(value):
    """A number as a 0-d array; anything else unchanged."""
    return np.array(value) if isinstance(value, (int, float)) else value


def _place(name, sequence, values, right, side, sorter, out_int32):
    tensor_only(values)
    if side is not None and (side not in ("left", "right") or (side == "left" and right)):
        raise RuntimeError(f"{name}(): side and right can't be set to opposites, got side of {side} "
                           f"while right was {right}")
    if sequence.ndim > 1 and sequence.shape[:-1] != values.shape[:-1]:
        raise RuntimeError(f"{name}(): boundaries tensor should be 1 dimension or the first N-1 "
                           "dimensions of boundaries tensor and input value tensor must match, but we "
                           f"got {sequence.shape} and {values.shape}")
    side = "right" if right or side == "right" else "left"
    if sequence.ndim == 1:
        found = np.searchsorted(sequence, values, side, sorter)
    else:
        found = np.empty(values.shape, np.int64)
        for row in np.ndindex(sequence.shape[:-1]):
            found[row] = np.searchsorted(sequence[row], values[row], side,
                                         None if sorter is None else sorter[row])
    return np.asarray(found).astype(np.int32 if out_int32 else np.int64)


def _search_cases(rng):
    for right in (False, True):
        yield case(np.arange(4.0), rng.integers(-1, 5, (2, 3)).astype(float), right=right)
        yield case(np.arange(6.0).reshape(2, 3), rng.integers(0, 6, (2, 4)).astype(float), right=right)
    yield case(np.arange(4.0), np.array(2.5))
    yield case(np.arange(4.0), np.zeros(0))


def _search_reference(sorted_sequence, input, right=False):
    if sorted_sequence.ndim == 2:
        return np.stack([_search_reference(s, i, right) for s, i in zip(sorted_sequence, input)])
    below = np.less_equal if right else np.less
    return below(sorted_sequence, np.asarray(input)[..., None]).sum(-1)


@op(samples=_search_cases, reference=_search_reference,
    bad=[Bad((np.ones((2, 3)), np.ones((3, 2))), {}, RuntimeError, "first N-1 dimensions"),
         Bad((np.ones(3), np.ones(2)), {"side": "left", "right": True}, RuntimeError,
             "set to opposites")])
def searchsorted(sorted_sequence, input, *, out_int32=False, right=False, side=None, sorter=None):
    """Where values would be inserted into sorted rows: before equal ones, or after them if ``right``.

    >>> searchsorted(np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.5]))
    array([1, 2])
    """
    return _place("torch.searchsorted", sorted_sequence, _array(input), right, side, sorter, out_int32)


@op(samples=lambda rng: (case(c.args[1], c.args[0], **c.kwargs) for c in _search_cases(rng)
                         if c.args[0].ndim == 1),
    reference=lambda input, boundaries, right=False: _search_reference(boundaries, input, right),
    bad=[Bad((np.ones(2), np.ones((2, 2))), {}, RuntimeError, r"boundaries tensor must be 1 dimension, "
                                                              r"but got dim\(2\)")])
def bucketize(input, boundaries, *, out_int32=False, right=False):
    """Number of the bucket that each value falls into, between sorted 1-d ``boundaries``.

    >>> bucketize(np.array([0.5, 1.0, 9.0]), np.array([1.0, 2.0]))
    array([0, 0, 2])
    """
    if boundaries.ndim != 1:
        raise RuntimeError(f"boundaries tensor must be 1 dimension, but got dim({boundaries.ndim})")
    return _place("torch.bucketize", boundaries, _array(input), right, None, None, out_int32)
