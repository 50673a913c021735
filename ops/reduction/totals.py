"""Reductions over dimensions: sums, means, log-sum-exp and tests of truth.

Every reduction takes ``dim`` as None (all dimensions), a number or a tuple of numbers, and ``keepdim``.
Largest and smallest elements are in ``extrema.py``, products and running sums in ``scan.py``,
variances in ``moments.py``, norms in ``distance.py``.
"""

from __future__ import annotations

import math

import numpy as np

from ops.broadcasting import expand
from ops.core import Bad, array_of, case, composite, dtype_of, op
from ops.dims import wrap_dims
from ops.elementwise.arithmetic import mul, sub
from ops.elementwise.comparison import isnan, logical_not
from ops.elementwise.division import div
from ops.elementwise.exponential import exp
from ops.elementwise.masking import where
from ops.elementwise.pointwise import SEVERAL, tensor_only
from ops.lazy import LazyModule
from ops.promotion import TYPE_NAMES, as_dtype, floating
from ops.samples import spaced
from ops.shape.layout import reshape

__all__ = ["all", "any", "count_nonzero", "keep_reduced", "logsumexp", "mean", "nanmean", "nansum",
           "normalize_dims", "sum"]

_kernels, _row_kernels = LazyModule("ops.kernels.reduce"), LazyModule("ops.kernels.softmax")

INT64 = np.dtype("int64")


# ------------------------------------------------------------------ which dimensions


def normalize_dims(dim, ndim: int) -> tuple[int, ...]:
    """``dim`` (None, a number or a sequence) as a tuple of non-negative axes.

    Raises:
        IndexError: for a dimension out of range.
        RuntimeError: for a dimension given twice.
        TypeError: for anything but integers.

    >>> normalize_dims(-1, 3), normalize_dims(None, 2)
    ((2,), (0, 1))
    """
    if type(dim) is int and -ndim <= dim < ndim:
        return (dim % ndim,)
    if dim is None or dim == () or dim == []:
        return tuple(range(ndim))
    for d in dim if isinstance(dim, (tuple, list)) else (dim,):
        if not isinstance(d, (int, np.integer)) or isinstance(d, bool):
            raise TypeError(f"argument 'dim' must be int or a tuple of ints, not {type(d).__name__} "
                            f"({dim!r})")
    return wrap_dims(dim, ndim) if ndim else wrap_dims(dim, 0)[:0]


def keep_reduced(g, shape: tuple[int, ...], dim):
    """A reduced array with its reduced dimensions put back as size 1, ready to broadcast to ``shape``.

    >>> keep_reduced(np.ones(2), (2, 3), 1).shape
    (2, 1)
    """
    dims = normalize_dims(dim, len(shape))
    return reshape(g, tuple([1 if d in dims else n for d, n in enumerate(shape)]))


def reduced_count(shape: tuple[int, ...], dim) -> int:
    """How many elements are reduced to one.

    >>> reduced_count((2, 3, 4), (0, 2))
    8
    """
    return math.prod([shape[d] for d in normalize_dims(dim, len(shape))])


def reduce_over(kind: str, ufunc, input, dim, keepdim: bool, dtype: np.dtype):
    """``ufunc.reduce`` over dimensions in ``dtype``: by the kernel ``kind`` where there are many floats.

    >>> float(reduce_over("sum", np.add, np.ones(3), None, False, np.dtype(float)))
    3.0
    """
    if input.size >= SEVERAL and dtype is input.dtype:
        among = dim if dim is None or type(dim) is int else normalize_dims(dim, input.ndim)
        result = _kernels.reduced(kind, input, among, keepdim)
        if result is not None:
            return result
    dims = None if dim is None else normalize_dims(dim, input.ndim)
    return ufunc.reduce(input, axis=dims, keepdims=keepdim, dtype=dtype)


def reduce_cases(rng):
    """Samples of a reduction: all, one and several dimensions, 0-d, empty."""
    yield case(spaced(rng, (2, 3, 4)))
    yield case(spaced(rng, (2, 3, 4)), 1)
    yield case(spaced(rng, (2, 3, 4)), (0, -1), keepdim=True)
    yield case(spaced(rng, ()))
    yield case(spaced(rng, (0, 3)), 0)


BAD_DIMS = [Bad((1.5, 0), {}, TypeError, r"\(\): argument 'input' \(position 1\) must be Tensor, not "
                                         r"float"),
            Bad((np.ones((2, 3)), 2), {}, IndexError, r"Dimension out of range.*\[-2, 1\], but got 2"),
            Bad((np.ones((2, 3)), (0, -2)), {}, RuntimeError, "appears multiple times")]


def _by_numpy(function):
    """The reference of a reduction: NumPy's own."""
    return lambda input, dim=None, keepdim=False: function(np.asarray(input), axis=dim, keepdims=keepdim)


# ------------------------------------------------------------------ sums and means


def is_float(input, name: str) -> bool:
    """Whether the elements are floating point; what is no array or Tensor is a TypeError.

    >>> is_float(np.arange(2), "nansum")
    False
    """
    if not hasattr(array_of(input), "dtype"):
        raise TypeError(f"{name}(): argument 'input' (position 1) must be Tensor, not "
                        f"{type(input).__name__}")
    return dtype_of(input).kind == "f"


@op(
    grad=dict(input=lambda g, input_shape, dim: expand(keep_reduced(g, input_shape, dim), input_shape)),
    samples=reduce_cases, reference=_by_numpy(np.sum), bad=BAD_DIMS,
)
def sum(input, dim=None, keepdim=False, *, dtype=None):
    """Sum over dimensions (all by default); bool and integers are summed in int64.

    >>> sum(np.array([[1.0, 2.0], [3.0, 4.0]]), 0)
    array([4., 6.])
    """
    if type(input) is not np.ndarray:
        tensor_only(input)
    if dtype is None:
        dtype = input.dtype if input.dtype.kind == "f" else INT64
    else:
        dtype = as_dtype(dtype)
    return reduce_over("sum", np.add, input, dim, keepdim, dtype)


def _mean_grad(g, input_shape, dim):
    count = max(reduced_count(input_shape, dim), 1)  # nothing has no gradient, of no order
    return expand(keep_reduced(div(g, count), input_shape, dim), input_shape)


@op(
    grad=dict(input=_mean_grad),
    samples=reduce_cases, reference=_by_numpy(lambda input, axis, keepdims: (
        np.sum(input, axis=axis, keepdims=keepdims) / np.sum(np.ones(input.shape), axis, keepdims=keepdims))),
    bad=[*BAD_DIMS, Bad((np.arange(3),), {}, RuntimeError, "Input dtype must be either a floating.*Got: "
                                                           "Long")],
)
def mean(input, dim=None, keepdim=False, *, dtype=None):
    """Arithmetic mean over dimensions; of no elements it is NaN.

    Raises:
        RuntimeError: for bool and integers, unless ``dtype`` says which floating type to compute in.

    >>> mean(np.array([[1.0, 2.0], [3.0, 4.0]]), 0)
    array([2., 3.])
    """
    tensor_only(input)
    dtype, which = (as_dtype(dtype), "Optional") if dtype is not None else (input.dtype, "Input")
    if dtype.kind != "f":
        raise RuntimeError(f"mean(): could not infer output dtype. {which} dtype must be either a "
                           f"floating point or complex dtype. Got: {TYPE_NAMES[dtype.name]}; convert "
                           "first, as in input.float().mean()")
    total = reduce_over("sum", np.add, input, dim, keepdim, dtype)
    return total / dtype.type(input.size // max(total.size, 1))


def _with_nan(cases):
    """The samples of a reduction with a NaN among the elements."""

    def samples(rng):
        for one in cases(rng):
            if one.args[0].size > 2:
                one.args[0].flat[1] = np.nan
            yield one

    return samples


@composite(
    samples=_with_nan(reduce_cases), reference=_by_numpy(np.nansum), bad=BAD_DIMS,
)
def nansum(input, dim=None, keepdim=False, *, dtype=None):
    """Sum over dimensions that counts NaN as zero.

    >>> float(nansum(np.array([1.0, np.nan, 2.0])))
    3.0
    """
    if not is_float(input, "nansum"):
        return sum(input, dim, keepdim, dtype=dtype)
    return sum(where(isnan(input), 0.0, input), dim, keepdim, dtype=dtype)


@composite(
    samples=lambda rng: (c for c in _with_nan(reduce_cases)(rng) if c.args[0].size),
    reference=_by_numpy(np.nanmean), exempt={"empty": "the mean of nothing is NaN, its derivatives too"},
    bad=[*BAD_DIMS, Bad((np.arange(3),), {}, RuntimeError, "floating point.*Long")],
)
def nanmean(input, dim=None, keepdim=False, *, dtype=None):
    """Mean over dimensions of the elements that are not NaN.

    >>> float(nanmean(np.array([1.0, np.nan, 2.0])))
    1.5
    """
    if not is_float(input, "nanmean"):
        raise RuntimeError("nanmean(): expected input to have floating point or complex dtype but got "
                           f"{TYPE_NAMES[dtype_of(input).name]}")
    if dtype is not None and as_dtype(dtype).kind != "f":
        raise RuntimeError("nanmean(): could not infer output dtype. Optional dtype must be either a "
                           f"floating point or complex dtype. Got: {TYPE_NAMES[as_dtype(dtype).name]}")
    return div(nansum(input, dim, keepdim, dtype=dtype), sum(logical_not(isnan(input)), dim, keepdim))


# ------------------------------------------------------------------ log-sum-exp, tests of truth, counts


def _rows_of_memory(input, dims: tuple[int, ...]) -> np.ndarray | None:
    """The rows along the last dimension as a matrix, if that is reduced and the memory is in order."""
    if dims == (input.ndim - 1,) and input.size and input.flags.c_contiguous:
        return input.reshape(-1, input.shape[-1])
    return None


def _logsumexp_grad(g, ans, input, input_shape, dim):
    if type(g) is np.ndarray:
        rows = _rows_of_memory(input, normalize_dims(dim, input.ndim))
        if rows is not None:
            g, ans = np.ascontiguousarray(g), np.ascontiguousarray(ans)
            return _row_kernels.logsumexp_backward(g, rows, ans).reshape(input_shape)
    return mul(keep_reduced(g, input_shape, dim), exp(sub(input, keep_reduced(ans, input_shape, dim))))


@op(
    grad=dict(input=_logsumexp_grad),
    samples=lambda rng: (*(c for c in reduce_cases(rng) if len(c.args) == 2), case(spaced(rng, ()), 0)),
    reference=lambda input, dim, keepdim=False: np.logaddexp.reduce(input.reshape(-1) if input.ndim == 0
                                                                    else input, dim)
    if not isinstance(dim, tuple) else np.log(np.sum(np.exp(input), axis=dim, keepdims=keepdim)),
    bad=BAD_DIMS,
)
def logsumexp(input, dim, keepdim=False):
    """``log(sum(exp(input)))`` over dimensions, without overflow for elements of any size.

    >>> float(logsumexp(np.array([1000.0, 1000.0]), 0).round(3))
    1000.693
    """
    tensor_only(input)
    input, dims = floating(input), normalize_dims(dim, input.ndim)
    rows = _rows_of_memory(input, dims)
    if rows is not None:
        return _row_kernels.logsumexp(rows).reshape(input.shape[:-1] + (1,) * keepdim)
    largest = np.maximum.reduce(input, axis=dims, keepdims=True, initial=-np.inf)
    largest = np.where(np.isfinite(largest), largest, input.dtype.type(0))
    total = np.log(np.add.reduce(np.exp(input - largest), axis=dims, keepdims=True)) + largest
    return total if keepdim else total.reshape([n for d, n in enumerate(input.shape) if d not in dims])


def _truth(function):
    """Record of `all` and `any`."""
    return dict(samples=lambda rng: (case(np.array(c.args[0] > -1.5), *c.args[1:], **c.kwargs)
                                     for c in reduce_cases(rng)),
                reference=_by_numpy(function), bad=BAD_DIMS)


def _truth_of(ufunc, input, dim, keepdim: bool):
    """PyTorch answers a uint8 question in uint8, and here alone an empty ``dim`` reduces nothing."""
    tensor_only(input)
    axis = () if dim == () or dim == [] else normalize_dims(dim, input.ndim)
    result = ufunc.reduce(input, axis=axis, keepdims=keepdim)
    return np.asarray(result).astype(np.uint8) if input.dtype == np.uint8 else result


@op(**_truth(np.all))
def all(input, dim=None, keepdim=False):
    """Whether all elements are true (not zero), over dimensions.

    >>> all(np.array([[True, False], [True, True]]), 1)
    array([False,  True])
    """
    return _truth_of(np.logical_and, input, dim, keepdim)


@op(**_truth(np.any))
def any(input, dim=None, keepdim=False):
    """Whether any element is true (not zero), over dimensions.

    >>> any(np.array([[True, False], [False, False]]), 1)
    array([ True, False])
    """
    return _truth_of(np.logical_or, input, dim, keepdim)


@op(
    samples=lambda rng: (case(np.array(c.args[0].round()), *c.args[1:]) for c in reduce_cases(rng)),
    reference=lambda input, dim=None: np.sum(np.asarray(input) != 0, axis=dim), bad=BAD_DIMS,
)
def count_nonzero(input, dim=None):
    """How many elements are not zero, over dimensions.

    >>> int(count_nonzero(np.array([0.0, 1.0, 2.0])))
    2
    """
    tensor_only(input)
    return np.add.reduce(input != 0, axis=normalize_dims(dim, input.ndim), dtype=np.int64)
