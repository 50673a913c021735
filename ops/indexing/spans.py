"""Views of one dimension: a range of it, or a single slice."""

from __future__ import annotations

import operator

import numpy as np

from ops.core import Bad, array_of, case, op
from ops.dims import wrap_dim
from ops.indexing.items import add_at
from ops.samples import spaced

__all__ = ["narrow", "select"]


def _span(ndim: int, dim: int, start, length: int | None = None) -> tuple:
    """The index of ``length`` elements from ``start`` on along ``dim``; of a single one without length."""
    dim, start = dim % ndim, operator.index(array_of(start))
    return (*(slice(None),) * dim, start if length is None else slice(start, start + length))


def _narrow_gradient(g, input_shape, dim, start, length):
    first = operator.index(array_of(start))
    first += input_shape[dim] if first < 0 else 0
    return add_at(g, _span(g.ndim, dim, first, length), input_shape)


@op(
    grad=dict(input=_narrow_gradient), view=True,
    samples=lambda rng: iter([case(spaced(rng, (3, 4)), 1, 1, 2), case(spaced(rng, (3, 4)), -2, -1, 1),
                              case(spaced(rng, (3, 4)), 0, np.array(1), 0),
                              case(spaced(rng, (3, 4)), 1, np.array(-3), 2),
                              case(spaced(rng, (0, 3)), 1, 0, 3)]),
    reference=lambda input, dim, start, length: np.take(
        input, range(input.shape[dim])[start:][:length] if length else np.zeros(0, int), dim),
    exempt=dict(zero_dim="there is no dimension to narrow"),
    bad=[Bad((np.ones((2, 3)), 1, 2, 2), {}, RuntimeError,
             r"start \(2\) \+ length \(2\) exceeds dimension size \(3\)"),
         Bad((np.ones((2, 3)), 1, 4, 0), {}, IndexError, r"start out of range.*\[-3, 3\], but got 4"),
         Bad((np.ones((2, 3)), 1, 0, -1), {}, RuntimeError, "length must be non-negative"),
         Bad((np.array(1.0), 0, 0, 1), {}, RuntimeError, "cannot be applied to a 0-dim tensor")],
)
def narrow(input, dim, start, length):
    """View of the ``length`` elements from ``start`` on along ``dim``.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.narrow.html

    >>> narrow(np.arange(5), 0, 1, 3)
    array([1, 2, 3])
    """
    if input.ndim == 0:
        raise RuntimeError("narrow() cannot be applied to a 0-dim tensor.")
    if length < 0:
        raise RuntimeError(f"narrow(): length must be non-negative, got {length}")
    dim, start = wrap_dim(dim, input.ndim), operator.index(array_of(start))
    size = input.shape[dim]
    if not -size <= start <= size:
        raise IndexError(f"start out of range (expected to be in range of [-{size}, {size}], but got "
                         f"{start})")
    start = start + size if start < 0 else start
    if start + length > size:
        raise RuntimeError(f"start ({start}) + length ({length}) exceeds dimension size ({size}).")
    return input[_span(input.ndim, dim, start, length)]


@op(
    grad=dict(input=lambda g, input_shape, dim, index: add_at(
        g, _span(len(input_shape), dim, index), input_shape)),
    view=True,
    samples=lambda rng: iter([case(spaced(rng, (3, 4)), 1, 2), case(spaced(rng, (3, 4)), -2, -1),
                              case(spaced(rng, (3, 4)), 1, np.array(2)),
                              case(spaced(rng, (0, 3)), 1, np.array(0))]),
    reference=lambda input, dim, index: np.take(input, int(index), dim),
    exempt=dict(zero_dim="there is no dimension to select from"),
    bad=[Bad((np.ones((2, 3)), 1, 3), {}, IndexError,
             r"index 3 out of range for tensor of size \[2, 3\] at dimension 1"),
         Bad((np.array(1.0), 0, 0), {}, IndexError, "cannot be applied to a 0-dim tensor"),
         Bad((np.ones((2, 3)), 2, 0), {}, IndexError, "Dimension out of range")],
)
def select(input, dim, index):
    """View of the slice number ``index`` along ``dim``, which disappears.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.select.html

    >>> select(np.array([[1, 2], [3, 4]]), 1, -1)
    array([2, 4])
    """
    if input.ndim == 0:
        raise IndexError("select() cannot be applied to a 0-dim tensor.")
    dim, index = wrap_dim(dim, input.ndim), operator.index(array_of(index))
    size = input.shape[dim]
    if not -size <= index < size:
        raise IndexError(f"select(): index {index} out of range for tensor of size {list(input.shape)} "
                         f"at dimension {dim}")
    return input[(*_span(input.ndim, dim, index), ...)]
