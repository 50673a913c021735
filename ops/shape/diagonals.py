"""Views of diagonals and of sliding windows, and the ops that undo them."""

from __future__ import annotations

import math

import numpy as np

from ops.core import Bad, case, composite, op
from ops.dims import wrap_dim
from ops.reduction.totals import sum
from ops.samples import spaced
from ops.shape.layout import clone, view_scatter, zeros_like_view

__all__ = ["diag", "diag_embed", "diagonal", "trace", "unfold", "unfold_backward"]


def _diagonal_cases(rng):
    yield case(spaced(rng, (3, 4)))
    yield case(spaced(rng, (3, 4)), 1)
    yield case(spaced(rng, (3, 4)), -5)
    yield case(spaced(rng, (2, 3, 4)), -1, -1, 0)
    yield case(spaced(rng, (0, 3)))


def _check_diagonal_dims(dim1: int, dim2: int, ndim: int) -> tuple[int, int]:
    first, second = wrap_dim(dim1, ndim), wrap_dim(dim2, ndim)
    if first == second:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    return first, second


@op(
    grad=dict(input=lambda g, input_shape, offset, dim1, dim2: view_scatter(
        zeros_like_view(g, input_shape), g, ((diagonal, (offset, dim1, dim2), {}),))),
    view=True, samples=_diagonal_cases,
    reference=lambda input, offset=0, dim1=0, dim2=1: np.diagonal(input, offset, dim1, dim2),
    exempt=dict(zero_dim="there is no diagonal"),
    bad=[Bad((np.ones((2, 2)), 0, 1, -1), {}, RuntimeError,
             "diagonal dimensions cannot be identical 1, -1"),
         Bad((np.ones(2),), {}, IndexError, r"Dimension out of range.*\[-1, 0\], but got 1")],
)
def diagonal(input, offset=0, dim1=0, dim2=1):
    """View of a diagonal of the matrices in ``dim1`` (rows) and ``dim2`` (columns), as the last
    dimension.

    Args:
        offset: 0 is the main diagonal, positive numbers lie above it, negative ones below.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.diagonal.html

    >>> diagonal(np.arange(9).reshape(3, 3), 1)
    array([1, 5])
    """
    dim1, dim2 = _check_diagonal_dims(dim1, dim2, input.ndim)
    # NumPy computes with C ints here: of an offset of -2**31 it makes a view of memory outside of the array.
    offset = max(-input.shape[dim1], min(offset, input.shape[dim2]))
    result = input.diagonal(offset, dim1, dim2)
    result.flags.writeable = input.flags.writeable  # NumPy marks this view read-only
    return result


def _embed_reference(input, offset=0, dim1=-2, dim2=-1):
    rows = input.reshape(math.prod(input.shape[:-1]), input.shape[-1])
    matrices = np.stack([np.diag(row, offset) for row in rows])
    return np.moveaxis(matrices.reshape(input.shape[:-1] + matrices.shape[1:]), (-2, -1), (dim1, dim2))


@op(
    grad=dict(input=lambda g, offset, dim1, dim2: diagonal(g, offset, dim1, dim2)),
    samples=lambda rng: iter([case(spaced(rng, (3,))), case(spaced(rng, (2, 3)), -1),
                              case(spaced(rng, (2, 0)), 1),
                              case(spaced(rng, (2, 3)), 1, 2, 0)]),
    reference=_embed_reference, exempt=dict(zero_dim="there is no dimension to place"),
    bad=[Bad((np.ones(3), 0, 0, 5), {}, IndexError, r"\[-2, 1\], but got 5"),
         Bad((np.ones(3), 0, 1, 1), {}, RuntimeError, "cannot be identical 1, 1")],
)
def diag_embed(input, offset=0, dim1=-2, dim2=-1):
    """Matrices with the last dimension of ``input`` on a diagonal and zeros elsewhere.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.diag_embed.html

    >>> diag_embed(np.array([1.0, 2.0]))
    array([[1., 0.],
           [0., 2.]])
    """
    if input.ndim == 1 and offset == 0 and dim1 == -2 and dim2 == -1:  # every size + 1 elements
        size = len(input)
        result = np.zeros((size, size), input.dtype)
        result.ravel()[:: size + 1] = input
        return result
    *shape, size = input.shape
    dim1, dim2 = _check_diagonal_dims(dim1, dim2, input.ndim + 1)
    for dim in sorted((dim1, dim2)):
        shape.insert(dim, size + abs(offset))
    result = np.zeros(shape, input.dtype)
    diagonal.forward(result, offset, dim1, dim2)[...] = input
    return result


def _unfold_cases(rng):
    yield case(spaced(rng, (7,)), 0, 3, 2)
    yield case(spaced(rng, (2, 4, 3)), -2, 2, 1)
    yield case(spaced(rng, ()), 0, 1, 1)
    yield case(spaced(rng, (0, 4)), 1, 2, 2)


def _unfold_reference(input, dimension, size, step):
    if input.ndim == 0:
        return input.reshape(1)
    starts = range(0, input.shape[dimension] - size + 1, step)
    windows = [np.moveaxis(np.take(input, range(i, i + size), dimension), dimension, -1) for i in starts]
    return np.moveaxis(np.stack(windows), 0, dimension % input.ndim)


@op(
    grad=dict(input=lambda g, input_shape, dimension, size, step: unfold_backward(
        g, input_shape, dimension, size, step)),
    view=True, samples=_unfold_cases, reference=_unfold_reference,
    bad=[Bad((np.ones((2, 4)), 1, 5, 1), {}, RuntimeError,
             "maximum size for tensor at dimension 1 is 4 but size is 5"),
         Bad((np.ones(4), 0, 2, 0), {}, RuntimeError, "step is 0 but must be > 0"),
         Bad((np.ones(4), 0, -1, 1), {}, RuntimeError, "size is -1 but must be >= 0"),
         Bad((np.ones(4), 1, 1, 1), {}, IndexError, "Dimension out of range")],
)
def unfold(input, dimension, size, step):
    """View of all windows of ``size`` elements, ``step`` apart, along ``dimension``; they are the last
    dimension.

    This is ``Tensor.unfold``; ``nn.functional.unfold`` is `im2col`.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.unfold.html

    >>> unfold(np.arange(5), 0, 3, 2)
    array([[0, 1, 2],
           [2, 3, 4]])
    """
    dim = wrap_dim(dimension, input.ndim)
    length = input.shape[dim] if input.ndim else 1
    if size < 0:
        raise RuntimeError(f"size is {size} but must be >= 0")
    if size > length:
        raise RuntimeError(f"maximum size for tensor at dimension {dim} is {length} but size is {size}")
    if step <= 0:
        raise RuntimeError(f"step is {step} but must be > 0")
    if input.ndim == 0:
        return input[None][:size]
    alone = step >= size  # windows that overlap must not be written to
    windows = np.lib.stride_tricks.sliding_window_view(input, size, dim, writeable=alone)
    return windows[(slice(None),) * dim + (slice(None, None, step),)]


@op(
    grad=dict(input=lambda g, dimension, size, step: unfold(g, dimension, size, step)),
    samples=lambda rng: iter([case(spaced(rng, (3, 3)), (8,), 0, 3, 2),
                              case(spaced(rng, (2, 3, 2)), (2, 4), -1, 2, 1),
                              case(spaced(rng, (1,)), (), 0, 1, 1),
                              case(spaced(rng, (0, 2, 2)), (0, 4), 1, 2, 2)]),
    reference=lambda input, shape, dimension, size, step: np.bincount(
        _unfold_reference(np.arange(math.prod(shape)).reshape(shape), dimension, size, step).reshape(-1),
        input.reshape(-1), math.prod(shape)).reshape(shape),
    exempt=dict(zero_dim="windows have a dimension", bad="the forward op unfold checks"),
)
def unfold_backward(input, shape, dimension, size, step):
    """An array of ``shape`` to which every window of ``input`` is added: the transpose of `unfold`.

    >>> unfold_backward(np.ones((2, 3)), (5,), 0, 3, 2)
    array([1., 1., 2., 1., 1.])
    """
    if shape == ():
        return np.add.reduce(input, dtype=input.dtype)
    result = np.zeros(shape, input.dtype)
    dim = wrap_dim(dimension, result.ndim)
    count = input.shape[dim]
    for offset in range(size):  # the elements at one place of all windows are distinct
        places = slice(offset, offset + step * (count - 1) + 1, step)
        result[(slice(None),) * dim + (places,)] += input[..., offset]
    return result


# ------------------------------------------------------------------ matrices


@composite(
    samples=lambda rng: iter([case(spaced(rng, (3, 4)), 1), case(spaced(rng, (3,)), -1),
                              case(spaced(rng, (0, 2)))]),
    reference=lambda input, diagonal=0: np.diag(input, diagonal),
    exempt=dict(zero_dim="refused, as in PyTorch"),
    bad=[Bad((np.ones((2, 2, 2)),), {}, RuntimeError, r"diag\(\): Supports 1D or 2D tensors. Got 3D")],
)
def diag(input, diagonal=0):
    """The diagonal of a matrix as a vector (a copy), or the matrix with a vector on its diagonal.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.diag.html

    >>> diag(np.array([[1, 2], [3, 4]])), diag(np.array([1, 2])).shape
    (array([1, 4]), (2, 2))
    """
    ndim = input.ndim
    if ndim == 1:
        return diag_embed(input, diagonal)
    if ndim != 2:
        raise RuntimeError(f"diag(): Supports 1D or 2D tensors. Got {ndim}D")
    return clone(_diagonal(input, diagonal))


_diagonal = diagonal  # `diag` has an argument of that name


@composite(
    samples=lambda rng: iter([case(spaced(rng, (3, 4))), case(spaced(rng, (0, 2)))]),
    reference=np.trace, exempt=dict(zero_dim="refused, as in PyTorch"),
    bad=[Bad((np.ones(2),), {}, RuntimeError, "trace: expected a matrix, but got tensor with dim 1")],
)
def trace(input):
    """The sum of the diagonal of a matrix.

    >>> trace(np.array([[1.0, 2.0], [3.0, 4.0]]))
    np.float64(5.0)
    """
    if input.ndim != 2:
        raise RuntimeError(f"trace: expected a matrix, but got tensor with dim {input.ndim}")
    return sum(diagonal(input))
