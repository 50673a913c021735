"""Running reductions along one dimension, and the product, whose gradient is made of running products.

The set is closed under differentiation.  All gradients but those of cumsum and cummax come from one op,
the linear recurrence ``y[i] = input[i] + decay[i] * y[i - 1]``: it needs no division, so zeros are no
special case.
"""

from __future__ import annotations

import numpy as np

from ops.core import Bad, case, composite, dtype_of, op
from ops.elementwise.arithmetic import mul, sub
from ops.elementwise.comparison import ne
from ops.elementwise.exponential import exp
from ops.elementwise.pointwise import not_implemented, several, tensor_only
from ops.indexing.spans import narrow
from ops.lazy import LazyModule
from ops.promotion import as_dtype
from ops.reduction.extrema import at_least_1d, one_dim, send_to
from ops.reduction.totals import INT64, keep_reduced, reduce_cases, reduce_over
from ops.samples import spaced
from ops.shape.arrange import flip
from ops.shape.join import cat
from ops.shape.layout import reshape

__all__ = ["cummax", "cummin", "cumprod", "cumsum", "diff", "linear_recurrence", "logcumsumexp", "prod",
           "shift_along"]

_kernels = LazyModule("ops.kernels.reduce")


def _scan_cases(rng, **options):
    yield case(spaced(rng, (2, 3, 4)), 1, **options)
    yield case(spaced(rng, (5,)), -1, **options)
    yield case(spaced(rng, ()), 0, **options)
    yield case(spaced(rng, (0, 3)), 0, **options)
    yield case(spaced(rng, (2, 0)), 1, **options)


_BAD = [Bad((3.0, 0), {}, TypeError, r"argument 'input' \(position 1\) must be Tensor, not float"),
        Bad((np.ones((2, 3)), 2), {}, IndexError, r"Dimension out of range.*\[-2, 1\], but got 2"),
        Bad((np.ones((2, 3)), (0, 1)), {}, TypeError, "must be int")]


def _running(step):
    """Reference of a running reduction: ``step(so far, next)``, one element after the other."""

    def reference(input, dim):
        result = np.array(input)
        moved = np.moveaxis(result, dim, 0) if result.ndim else result.reshape(1)
        for i in range(1, len(moved)):
            moved[i] = step(moved[i - 1], moved[i])
        return result

    return reference


def _accumulate(function, input, dim, dtype):
    """``function.accumulate`` along ``dim``; bool and integers in int64."""
    tensor_only(input)
    if dtype is None:
        dtype = input.dtype if input.dtype.kind == "f" else INT64
    else:
        dtype = as_dtype(dtype)
    ndim = input.ndim
    dim = one_dim(dim, ndim)
    if function is np.add and dtype is input.dtype and dim == ndim - 1 and several(input):
        if ndim == 2:
            return _kernels.cumulative_sum(input)
        return _kernels.cumulative_sum(input.reshape(-1, input.shape[-1])).reshape(input.shape)
    return function.accumulate(at_least_1d(input), axis=dim, dtype=dtype).reshape(input.shape)


# ------------------------------------------------------------------ sums


@op(grad=dict(input=lambda g, dim: _from_the_end(cumsum, g, dim)), samples=_scan_cases,
    reference=_running(lambda total, x: total + x), bad=_BAD)
def cumsum(input, dim, *, dtype=None):
    """Running sum along ``dim``; bool and integers are summed in int64.

    >>> cumsum(np.array([1.0, 2.0, 3.0]), 0)
    array([1., 3., 6.])
    """
    return _accumulate(np.add, input, dim, dtype)


def _from_the_end(scan, value, dim):
    """A running reduction that starts at the last element."""
    if type(value) is np.ndarray and value.ndim:
        return np.flip(scan(np.flip(value, dim), dim), dim)
    return scan(value, dim) if value.ndim == 0 else flip(scan(flip(value, (dim,)), dim), (dim,))


@op(
    grad=dict(input=lambda g, dim, step: shift_along(g, dim, -step)),
    samples=lambda rng: iter([case(spaced(rng, (2, 3)), 1, 1, 2.0), case(spaced(rng, (3, 2)), 0, -1),
                              case(spaced(rng, ()), 0, 1, 1.0), case(spaced(rng, (0, 2)), 0, 1)]),
    reference=lambda input, dim, step, fill=0.0: (
        np.full_like(input, fill) if input.ndim == 0 or not input.size else np.apply_along_axis(
            lambda row: np.array([fill, *row[:-1]] if step > 0 else [*row[1:], fill]), dim, input)),
    bad=[Bad((np.ones(2), 1, 1), {}, IndexError, "Dimension out of range")],
)
def shift_along(input, dim, step, fill=0.0):
    """The elements moved one place up (``step`` 1) or down (-1) along ``dim``; the gap gets ``fill``.

    >>> shift_along(np.array([1.0, 2.0, 3.0]), 0, 1)
    array([0., 1., 2.])
    """
    dim = one_dim(dim, input.ndim)
    result = np.full(input.shape, fill, input.dtype)
    if input.ndim:
        source, target = np.moveaxis(input, dim, 0), np.moveaxis(result, dim, 0)
        if step > 0:
            target[1:] = source[:-1]
        else:
            target[:-1] = source[1:]
    return result


# ------------------------------------------------------------- the recurrence that gradients are made of


def _recurrence_grad(g, decay, dim, reverse):
    return linear_recurrence(g, shift_along(decay, dim, 1 if reverse else -1), dim, not reverse)


def _recurrence_reference(input, decay, dim, reverse=False):
    """Row by row as the inverse of the bidiagonal matrix that has -decay beside its diagonal of ones."""
    rows, factors = np.moveaxis(np.atleast_1d(input, decay), dim + (dim >= 0), -1)
    size = rows.shape[-1]
    result = np.empty(rows.shape)
    for row in np.ndindex(rows.shape[:-1]):
        beside = np.diag(factors[row][:-1], 1) if reverse else np.diag(factors[row][1:], -1)
        result[row] = np.linalg.solve(np.eye(size) - beside, rows[row])
    return np.moveaxis(result, -1, dim).reshape(np.shape(input))


@op(
    grad=dict(
        input=_recurrence_grad,
        decay=lambda g, decay, ans, dim, reverse: mul(
            _recurrence_grad(g, decay, dim, reverse), shift_along(ans, dim, -1 if reverse else 1)),
    ),
    samples=lambda rng: (case(spaced(rng, shape), spaced(rng, shape), dim, reverse)
                         for reverse in (False, True)
                         for shape, dim in (((2, 3, 2), 1), ((4,), -1), ((), 0), ((0, 2), 1))),
    reference=_recurrence_reference,
    bad=[Bad((np.ones(2), np.ones(2), 1), {}, IndexError, "Dimension out of range")],
)
def linear_recurrence(input, decay, dim, reverse=False):
    """``y[i] = input[i] + decay[i] * y[i - 1]`` along ``dim``.

    With ``reverse`` it is ``y[i + 1]`` in place of ``y[i - 1]``.  The first element (of a reverse run
    the last) is ``input``'s own, so its ``decay`` does not matter.

    >>> linear_recurrence(np.array([1.0, 1.0, 1.0]), np.array([0.5, 0.5, 0.5]), 0)
    array([1.  , 1.5 , 1.75])
    """
    dim = one_dim(dim, input.ndim)
    result = np.array(input, order="C")
    if input.ndim:
        order = slice(None, None, -1 if reverse else 1)
        moved, factors = np.moveaxis(result, dim, 0)[order], np.moveaxis(decay, dim, 0)[order]
        for i in range(1, len(moved)):
            moved[i] += factors[i] * moved[i - 1]
    return result


# ------------------------------------------------------------------ products


def _cumprod_grad(g, input, ans, dim):
    """dx[k] = (product before k) * sum over i >= k of g[i] * (product of x after k up to i)."""
    after = linear_recurrence(g, shift_along(input, dim, -1), dim, True)
    return mul(shift_along(ans, dim, 1, 1.0), after)


def _with_zeros(cases):
    """The samples, and two more with one and with two zeros in a row."""

    def samples(rng):
        yield from cases(rng)
        for zeros in (1, 2):
            values = spaced(rng, (2, 4))
            values[0, :zeros] = 0
            yield case(values, 1)

    return samples


@op(grad=dict(input=_cumprod_grad), samples=_with_zeros(_scan_cases),
    reference=_running(lambda total, x: total * x), bad=_BAD)
def cumprod(input, dim, *, dtype=None):
    """Running product along ``dim``; bool and integers are multiplied in int64.

    >>> cumprod(np.array([1.0, 2.0, 3.0]), 0)
    array([1., 2., 6.])
    """
    return _accumulate(np.multiply, input, dim, dtype)


def _prod_grad(g, input, dim):
    """Times the product of all other elements: those before times those after, so zeros need no care."""
    shape = input.shape
    if type(g) is np.ndarray and several(input) and (dim is None or dim in (-1, len(shape) - 1)):
        rows = np.ascontiguousarray(input).reshape(-1 if dim is not None else 1, shape[-1] if dim is not None
                                                   else input.size)
        return _kernels.product_slope(rows, g.reshape(-1)).reshape(shape)
    rows = reshape(input, (-1,)) if dim is None else input
    along = 0 if dim is None else dim
    before = shift_along(cumprod(rows, along), along, 1, 1.0)
    after = shift_along(_from_the_end(cumprod, rows, along), along, -1, 1.0)
    return mul(keep_reduced(g, shape, dim), reshape(mul(before, after), shape))


@op(
    grad=dict(input=_prod_grad),
    samples=_with_zeros(lambda rng: (c for c in reduce_cases(rng) if not isinstance(c.args[-1], tuple))),
    reference=lambda input, dim=None, keepdim=False: np.asarray(input).prod(axis=dim, keepdims=keepdim),
    bad=_BAD,
)
def prod(input, dim=None, keepdim=False, *, dtype=None):
    """Product of all elements or along ``dim``; bool and integers are multiplied in int64.

    >>> float(prod(np.array([2.0, 3.0])))
    6.0
    """
    if type(input) is not np.ndarray:
        tensor_only(input)
    if dtype is None:
        dtype = input.dtype if input.dtype.kind == "f" else INT64
    else:
        dtype = as_dtype(dtype)
    if dim is not None:
        dim = one_dim(dim, input.ndim)
    return reduce_over("product", np.multiply, input, dim if input.ndim else None, keepdim, dtype)


# ------------------------------------------------------------------ log-sum-exp


def _logcumsumexp_grad(g, input, ans, dim):
    """exp(x[k]) * sum over i >= k of g[i] / exp(y[i]), with exponents that are never positive."""
    fade = exp(sub(ans, shift_along(ans, dim, -1, np.inf)))
    return mul(exp(sub(input, ans)), linear_recurrence(g, fade, dim, True))


@op(grad=dict(input=_logcumsumexp_grad), samples=_scan_cases, reference=_running(np.logaddexp), bad=_BAD)
def logcumsumexp(input, dim):
    """Running ``log(sum(exp(input)))`` along ``dim``, without overflow.

    >>> logcumsumexp(np.array([0.0, 0.0]), 0).round(3)
    array([0.   , 0.693])
    """
    tensor_only(input)
    if input.dtype.kind != "f":
        raise not_implemented("logcumsumexp", input.dtype)
    return np.logaddexp.accumulate(at_least_1d(input), axis=one_dim(dim,
                                                                    input.ndim)).reshape(input.shape)


# ------------------------------------------------------------------ extremes


def _extreme_record(best):
    def reference(input, dim):
        if np.ndim(input) == 0:
            return input, np.array(0)
        positions = np.zeros(input.shape, np.int64)
        for index in np.ndindex(input.shape):
            row = np.moveaxis(input, dim, -1)[tuple(np.delete(index, dim))][:index[dim] + 1]
            positions[index] = best(row)
        return np.take_along_axis(input, positions, dim), positions

    return dict(grad=dict(input=lambda g, input_shape, dim,
                          indices: send_to(g, input_shape, dim, indices)),
                outputs=("values", "indices"), samples=_scan_cases, reference=reference, bad=_BAD)


def _running_extreme(function, input, dim):
    """Running extreme and the index of its latest occurrence; NaN stays once it came."""
    tensor_only(input)
    wide, dim = at_least_1d(input), one_dim(dim, input.ndim)
    values = function.accumulate(wide, axis=dim)
    places = np.arange(wide.shape[dim]).reshape([-1 if d == dim else 1 for d in range(wide.ndim)])
    reached = (wide == values) | np.isnan(wide)
    indices = np.maximum.accumulate(np.where(reached, places, 0), axis=dim)
    return values.reshape(input.shape), indices.reshape(input.shape)


@op(**_extreme_record(np.argmax))
def cummax(input, dim):
    """Running maximum along ``dim`` and the index of its latest occurrence.

    >>> cummax(np.array([1.0, 3.0, 2.0]), 0)
    cummax(values=array([1., 3., 3.]), indices=array([0, 1, 1]))
    """
    return _running_extreme(np.maximum, input, dim)


@op(**_extreme_record(np.argmin))
def cummin(input, dim):
    """Running minimum along ``dim`` and the index of its latest occurrence.

    >>> cummin(np.array([2.0, 3.0, 1.0]), 0)
    cummin(values=array([2., 2., 1.]), indices=array([0, 0, 2]))
    """
    return _running_extreme(np.minimum, input, dim)


# ------------------------------------------------------------------ differences


def _diff_cases(rng):
    yield case(spaced(rng, (2, 4)))
    yield case(spaced(rng, (4, 2)), 2, 0)
    yield case(spaced(rng, (2, 4)), dim=0, append=spaced(rng, (1, 4)))
    yield case(spaced(rng, (3,)), 1, -1, spaced(rng, (2,)), spaced(rng, (1,)))
    yield case(spaced(rng, (0, 3)), 1, 0)


@composite(
    samples=_diff_cases, differentiable=("input", "prepend", "append"),
    reference=lambda input, n=1, dim=-1, prepend=None, append=None: np.diff(
        input, n, dim, **({} if prepend is None else {"prepend": prepend}),
        **({} if append is None else {"append": append})),
    bad=[Bad((np.ones(3), -1), {}, RuntimeError, "order must be non-negative but got -1"),
         Bad((np.array(1.0),), {}, RuntimeError, "at least one-dimensional")],
    exempt={"zero_dim": "PyTorch refuses it; see the bad calls"},
)
def diff(input, n=1, dim=-1, prepend=None, append=None):
    """``n`` times the difference of neighbours along ``dim``, with arrays put around the input.

    >>> diff(np.array([1.0, 3.0, 6.0]))
    array([2., 3.])
    """
    if input.ndim == 0:
        raise RuntimeError("diff expects input to be at least one-dimensional")
    if n < 0:
        raise RuntimeError(f"order must be non-negative but got {n}")
    dim = one_dim(dim, input.ndim)
    parts = [part for part in (prepend, input, append) if part is not None]
    result = cat(parts, dim) if len(parts) > 1 else input
    change = ne if dtype_of(input) == np.bool_ else sub
    for _ in range(n):
        size = result.shape[dim]
        if size < 2:
            return narrow(result, dim, 0, 0)
        result = change(narrow(result, dim, 1, size - 1), narrow(result, dim, 0, size - 1))
    return result
