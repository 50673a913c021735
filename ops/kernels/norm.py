"""Sums and affine maps over the rows of a 2-D array: all that the normalisations read and write.

A row is one sample's channel.  Sums are kept in float64, so the statistics of float32 data are as good
as float64 ones rounded once.
"""

from __future__ import annotations

from .jit import jit

__all__ = ["row_affine", "row_combine", "row_products", "row_squares", "row_sums"]

#: Lets LLVM sum in SIMD lanes; NaN and infinity keep their meaning.
_SUMS = {"reassoc", "contract", "nsz", "arcp"}


@jit(fastmath=_SUMS)
def row_sums(x, out):
    """out[r] = sum(x[r])."""
    for r in range(x.shape[0]):
        total = 0.0
        for i in range(x.shape[1]):
            total += x[r, i]
        out[r] = total


@jit(fastmath=_SUMS)
def row_squares(x, center, out):
    """out[r] = sum((x[r] - center[r])**2)."""
    for r in range(x.shape[0]):
        total, c = 0.0, x.dtype.type(center[r])
        for i in range(x.shape[1]):
            d = x[r, i] - c
            total += d * d
        out[r] = total


@jit(fastmath=_SUMS)
def row_products(g, x, center, sums, products):
    """sums[r] = sum(g[r]) and products[r] = sum(g[r] * (x[r] - center[r]))."""
    for r in range(x.shape[0]):
        total, product, c = 0.0, 0.0, x.dtype.type(center[r])
        for i in range(x.shape[1]):
            total += g[r, i]
            product += g[r, i] * (x[r, i] - c)
        sums[r], products[r] = total, product


@jit
def row_affine(x, center, scale, shift, out):
    """out[r] = (x[r] - center[r]) * scale[r] + shift[r]."""
    for r in range(x.shape[0]):
        c, a, b = x.dtype.type(center[r]), x.dtype.type(scale[r]), x.dtype.type(shift[r])
        for i in range(x.shape[1]):
            out[r, i] = (x[r, i] - c) * a + b


@jit
def row_combine(g, x, center, g_scale, x_scale, shift, out):
    """out[r] = g[r] * g_scale[r] + (x[r] - center[r]) * x_scale[r] + shift[r]."""
    for r in range(x.shape[0]):
        c, s = x.dtype.type(center[r]), x.dtype.type(shift[r])
        a, b = x.dtype.type(g_scale[r]), x.dtype.type(x_scale[r])
        for i in range(x.shape[1]):
            out[r, i] = g[r, i] * a + (x[r, i] - c) * b + s
