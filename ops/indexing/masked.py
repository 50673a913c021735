"""Elements chosen by a mask, and where an array is not zero."""

from __future__ import annotations

import numpy as np

from ops.broadcasting import broadcast_shapes, expand
from ops.core import Bad, array_of, case, composite, op, shape_of
from ops.elementwise.pointwise import several, tensor_only
from ops.indexing.items import add_at, getitem
from ops.lazy import LazyModule
from ops.reduction.totals import sum
from ops.samples import NO_TENSOR, spaced
from ops.shape.layout import reshape
from ops.shape.splitting import unbind

__all__ = ["argwhere", "masked_fill", "masked_scatter", "masked_select", "nonzero"]

_kernels, _masks = LazyModule("ops.kernels.places"), LazyModule("ops.kernels.masks")
_MANY = 256  # elements of a mask for which the kernel is worth its call


def _mask_cases(rng, *more):
    for shape, mask in (((), ()), ((2, 3), (2, 3)), ((2, 3), (3,)), ((3,), (2, 1)), ((0, 3), (1, 3))):
        yield case(spaced(rng, shape), rng.random(mask) > 0.4, *more)


def _boolean(name: str, mask) -> None:
    if mask.dtype != np.bool_:
        raise RuntimeError(f"{name} only supports boolean masks, but got mask with dtype {mask.dtype}")


def _fill_cases(rng):
    yield from _mask_cases(rng, 7.0)
    yield from _mask_cases(rng, np.array(2.5))
    yield case(spaced(rng, ()), np.array(False), np.array(2.5))
    yield case(spaced(rng, (16, 17)), rng.random((16, 17)) > 0.4, 2.5)


@op(
    grad=dict(input=lambda g, mask: masked_fill(g, mask, 0),
              value=lambda g, mask: sum(masked_select(g, mask))),
    broadcasts=True, samples=_fill_cases,
    reference=lambda input, mask, value: np.where(mask, value, input),
    bad=[Bad((np.ones(3), np.ones(3), 1.0), {}, RuntimeError,
             "masked_fill only supports boolean masks.*float64"),
         Bad((np.ones(3), np.ones(3, bool), np.ones(3)), {}, RuntimeError,
             "only supports a 0-dimensional value tensor"),
         Bad((np.ones(3), np.ones(2, bool), 1.0), {}, RuntimeError,
             r"size of tensor a \(3\) must match.*b \(2\)")],
)
def masked_fill(input, mask, value):
    """``input`` with ``value`` (a number or a 0-d array) where the boolean ``mask`` is true.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.masked_fill_.html

    >>> masked_fill(np.array([1.0, 2.0]), np.array([True, False]), 0)
    array([0., 2.])
    """
    _boolean("masked_fill", mask)
    if np.ndim(value):
        raise RuntimeError("masked_fill only supports a 0-dimensional value tensor, but got tensor "
                           f"with {np.ndim(value)} dimension(s).")
    if input.shape != mask.shape:
        shape = broadcast_shapes(input.shape, mask.shape)
        input, mask = np.broadcast_to(input, shape), np.broadcast_to(mask, shape)
    elif several(input) and input.flags.c_contiguous and mask.flags.c_contiguous:
        return _masks.fill(input, mask, value)
    out = np.array(input, order="C")
    out[mask] = value
    return out


@composite(
    samples=_mask_cases,
    reference=lambda input, mask: np.array([x for x,
                                            m in zip(*map(np.ravel, np.broadcast_arrays(input, mask)))
                                            if m]),
    bad=[Bad((np.ones(3), np.ones(3)), {}, RuntimeError, "masked_select: expected BoolTensor for mask"),
         Bad((np.ones(3), np.ones(2, bool)), {}, RuntimeError,
             r"size of tensor a \(3\) must match.*b \(2\)")],
)
def masked_select(input, mask):
    """The elements where the boolean ``mask`` is true, in one dimension; both broadcast.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.masked_select.html

    >>> masked_select(np.array([[1, 2], [3, 4]]), np.array([True, False]))
    array([1, 3])
    """
    if array_of(mask).dtype != np.bool_:
        raise RuntimeError(f"masked_select: expected BoolTensor for mask, got {array_of(mask).dtype}")
    if shape_of(input) != shape_of(mask):
        shape = broadcast_shapes(shape_of(input), shape_of(mask))
        input, mask = expand(input, shape), expand(mask, shape)
    return getitem(input, mask)


def _scatter_cases(rng):
    for sample in _mask_cases(rng):
        yield case(*sample.args, spaced(rng, (3, 4)))
    yield case(spaced(rng, (3,)), np.array([[True], [False], [False]]), spaced(rng, (3, 4)))


def _source_grad(g, mask, source_shape):
    """The picked cotangents in the first places of the source, zeros in the rest."""
    picked = masked_select(g, mask)
    size = int(np.prod(source_shape))
    return reshape(add_at(picked, (slice(0, picked.shape[0]),), (size,)), source_shape)


def _scatter_reference(input, mask, source):
    input, mask = map(np.array, np.broadcast_arrays(input, mask))
    values = iter(source.flat)
    return np.array([next(values) if m else x for x, m in zip(input.flat,
                                                              mask.flat)]).reshape(input.shape)


@op(
    grad=dict(input=lambda g, mask: masked_fill(g, mask, 0), source=_source_grad),
    broadcasts=True, samples=_scatter_cases, reference=_scatter_reference,
    bad=[Bad((np.ones(3), np.ones(3), np.ones(3)), {}, RuntimeError, "only supports boolean masks"),
         Bad((np.ones(3), np.ones(3, bool), np.ones(2)), {}, RuntimeError,
             "source has 2 elements.* mask has 3"),
         Bad((np.ones(3), np.ones(3, bool), np.ones(3, int)), {}, RuntimeError,
             "same dtypes but got float64 and int64")],
)
def masked_scatter(input, mask, source):
    """``input`` with the first elements of ``source``, in row-major order, where ``mask`` is true.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.masked_scatter_.html

    >>> masked_scatter(np.zeros(3), np.array([True, False, True]), np.array([1.0, 2.0, 3.0]))
    array([1., 0., 2.])
    """
    _boolean("masked_scatter", mask)
    if source.dtype != input.dtype:
        raise RuntimeError("masked_scatter: expected self and source to have same dtypes but got "
                           f"{input.dtype} and {source.dtype}")
    shape = broadcast_shapes(input.shape, mask.shape)
    out, mask = np.array(np.broadcast_to(input, shape), order="C"), np.broadcast_to(mask, shape)
    count = np.count_nonzero(mask)
    if source.size < count:
        raise RuntimeError("Number of elements of source < number of ones in mask: source has "
                           f"{source.size} elements, the mask has {count} true ones")
    out[mask] = source.reshape(-1)[:count]
    return out


# ------------------------------------------------------------------ where an array is not zero


def _sparse_cases(rng):
    for shape in ((), (4,), (2, 3), (0, 2)):
        yield case(np.asarray(spaced(rng, shape) * (rng.random(shape) > 0.5)))
    yield case(np.array([True, False]))
    yield case(rng.random((16, 17)) > 0.5)
    yield case(rng.random(300) > 0.5)


@op(samples=_sparse_cases, reference=lambda input: np.stack(
    np.nonzero(np.atleast_1d(input)), 1)[:, :input.ndim], bad=[NO_TENSOR])
def argwhere(input):
    """Indices of the elements that are not zero: int64 of shape (count, ``input.ndim``), in row-major
    order.

    >>> argwhere(np.array([[0, 5], [6, 0]]))
    array([[0, 1],
           [1, 0]])
    """
    tensor_only(input)
    if input.dtype == bool and 0 < input.ndim <= 2 and input.size >= _MANY:
        return _kernels.places(np.ascontiguousarray(input))
    return np.argwhere(input)


def _nonzero_cases(rng):
    yield from _sparse_cases(rng)
    yield case(np.array([[0, 5], [6, 0]]), as_tuple=True)
    yield case(np.array(3), as_tuple=True)


@composite(
    differentiable=(), samples=_nonzero_cases,
    reference=lambda input, as_tuple=False: np.nonzero(np.atleast_1d(input)) if as_tuple
    else np.argwhere(input), bad=[NO_TENSOR],
)
def nonzero(input, *, as_tuple=False):
    """`argwhere`, or with ``as_tuple`` one vector of indices for each dimension.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nonzero.html

    >>> nonzero(np.array([0, 5, 6]), as_tuple=True)
    (array([1, 2]),)
    """
    if not as_tuple:
        return argwhere(input)
    return unbind(argwhere(input if input.ndim else reshape(input, (1,))), 1)
