"""Norms of vectors, and the distances and similarities made of them."""

from __future__ import annotations

import math

import numpy as np

from ops.broadcasting import broadcast_shapes, expand
from ops.core import Bad, array_of, case, composite, op
from ops.elementwise.arithmetic import abs, add, mul, sub
from ops.elementwise.clamping import clamp_min
from ops.elementwise.comparison import ge
from ops.elementwise.division import div
from ops.elementwise.exponential import pow
from ops.elementwise.pointwise import LARGE, SEVERAL, large, tensor_only
from ops.lazy import LazyModule
from ops.promotion import as_dtype
from ops.reduction.moments import divide_or_zero
from ops.reduction.totals import keep_reduced, normalize_dims, reduce_cases, sum
from ops.samples import spaced

_kernels, _moments = LazyModule("ops.kernels.reduce"), LazyModule("ops.kernels.moments")

__all__ = ["cosine_similarity", "norm", "normalize", "pairwise_distance", "unit_vectors",
           "vector_norm"]


# ------------------------------------------------------------------ norms


def _vector_norm_grad(g, input, ans, ord, dim):
    """The cotangent times d|x|_p / dx = sign(x) * (|x| / |x|_p) ** (p - 1); 0 where the norm is."""
    shape, values = input.shape, array_of(input)
    g, ans = keep_reduced(g, shape, dim), keep_reduced(ans, shape, dim)
    if ord == 0:
        return mul(expand(g, shape), 0.0)
    if ord == 2:
        return mul(input, divide_or_zero(g, ans))
    if math.isinf(ord):
        reached = np.abs(values) == array_of(ans)
        count = reached.sum(axis=normalize_dims(dim, values.ndim), keepdims=True, dtype=values.dtype)
        return mul(g, np.where(reached, np.sign(values), 0) / np.maximum(count, 1))
    if ord == 1:
        return mul(g, np.nan_to_num(np.sign(values)))
    zero = values == 0
    size = add(abs(input), zero)
    scale = divide_or_zero(g, pow(ans, ord - 1))
    return mul(mul(pow(size, ord - 1), np.sign(values)), scale)


def _norm_cases(rng):
    for one in reduce_cases(rng):
        input, *dim = one.args
        for ord in (2, 1, 3.5, 0.5):
            yield case(np.asarray(input + 0.01), ord, *dim, **one.kwargs)
    yield case(spaced(rng, (2, 3)) + 0.01, math.inf, 1)
    yield case(spaced(rng, (2, 3)) + 0.01, -math.inf, 1)
    yield case(spaced(rng, (2, 3)) + 0.01, 0, 1)
    yield case(np.array([[0.0, 0.0], [1.0, 2.0]]) + 0.3, -1.0, 1)
    yield case(np.array(-0.7), 3.5)


def _norm_reference(input, p=2, dim=None, keepdim=False):
    size = np.abs(input)
    p = 2 if p == "fro" else p
    if p == 0:
        return np.sum(size != 0, axis=dim, keepdims=keepdim).astype(float)
    if math.isinf(p):
        return (np.max if p > 0 else np.min)(size, axis=dim, keepdims=keepdim)
    return np.sum(size ** p, axis=dim, keepdims=keepdim) ** (1 / p)


_BAD_NORM = [Bad((np.ones((2, 3)), 2, 2), {}, IndexError, "Dimension out of range"),
             Bad((np.arange(3),), {}, RuntimeError, "Expected a floating point or complex tensor.*Got "
                                                    "int64"),
             Bad((np.ones(0), math.inf), {}, RuntimeError, "does not have an identity")]


@op(grad=dict(input=_vector_norm_grad), samples=_norm_cases,
    reference=lambda input, ord=2, dim=None, keepdim=False: _norm_reference(input, ord, dim, keepdim),
    bad=_BAD_NORM)
def vector_norm(input, ord=2, dim=None, keepdim=False, *, dtype=None):
    """``sum(abs(input) ** ord) ** (1 / ord)`` over dimensions; its gradient is 0 where the norm is 0.

    Args:
        ord: any number; inf and -inf give the largest and smallest size, 0 counts what is not zero.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.linalg.vector_norm.html

    >>> float(vector_norm(np.array([3.0, -4.0]))), float(vector_norm(np.array([3.0, -4.0]), 1))
    (5.0, 7.0)
    """
    if type(input) is not np.ndarray:
        tensor_only(input)
    if input.dtype.kind != "f":
        raise RuntimeError("linalg.vector_norm: Expected a floating point or complex tensor as input. "
                           f"Got {input.dtype}; convert it first: x.float()")
    if not isinstance(ord, (int, float)):
        raise RuntimeError(f"linalg.vector_norm: ord must be a number, got {ord!r}")
    input = input if dtype is None else input.astype(as_dtype(dtype), copy=False)
    dims = None if dim is None else normalize_dims(dim, input.ndim)
    if ord == 2:
        if SEVERAL <= input.size < LARGE:
            result = _moments.spread(input, dims, keepdim, 1, False, True)
            if result is not None:
                return result
        total = _kernels.reduced("square_sum", input, dims, keepdim) if large(input) else None
        if total is None:
            total = np.add.reduce(np.square(input), axis=dims, keepdims=keepdim)
        return np.sqrt(total)
    if (ord < 0 or ord == math.inf) and 0 in [input.shape[d] for d in normalize_dims(dim, input.ndim)]:
        raise RuntimeError(f"linalg.vector_norm cannot compute the {ord} norm over an empty dimension "
                           f"of shape {input.shape}, because the operation does not have an identity")
    options = dict(axis=dims, keepdims=keepdim)
    if ord == 0:
        return np.add.reduce(input != 0, dtype=input.dtype, **options)
    if math.isinf(ord):
        return (np.maximum if ord > 0 else np.minimum).reduce(np.abs(input), **options)
    if ord == 1:
        return np.add.reduce(np.abs(input), **options)
    return np.add.reduce(np.abs(input) ** input.dtype.type(ord), **options) ** input.dtype.type(1 / ord)


@composite(samples=lambda rng: (*_norm_cases(rng), case(spaced(rng, (2, 3)))), reference=_norm_reference,
           bad=[*_BAD_NORM, Bad((np.ones((2, 2)), "nuc"), {}, RuntimeError, "Order 'nuc' is not "
                                                                            "supported")])
def norm(input, p="fro", dim=None, keepdim=False, dtype=None):
    """Norm of all elements or over dimensions: `vector_norm`, with ``'fro'`` for 2.

    >>> float(norm(np.array([3.0, -4.0])))
    5.0
    """
    if isinstance(p, str) and p != "fro":
        raise RuntimeError(f"norm: Order {p!r} is not supported; use 'fro' or a number")
    p = 2 if p == "fro" or p is None else p
    if dtype is None:
        return vector_norm(input, p, dim, keepdim) if keepdim else vector_norm(input, p, dim)
    return vector_norm(input, p, dim, keepdim, dtype=dtype)


def _unit_grad(g, input, ans, dim, eps):
    """The part of the cotangent across the unit vector, divided by the norm; all of it below ``eps``."""
    size = vector_norm(input, 2, dim, True)
    along = mul(sum(mul(g, ans), dim, True), ge(size, eps))
    return div(sub(g, mul(ans, along)), clamp_min(size, eps))


@op(
    grad=dict(input=_unit_grad),
    samples=lambda rng: iter([case(spaced(rng, (2, 3)), 1), case(spaced(rng, (2, 3, 2)), -2),
                              case(spaced(rng, (2, 3)), (0, 1)), case(np.array(1.5), 0),
                              case(np.array([[0.1, 0.2], [3.0, 4.0]]), 1, 1.0),
                              case(spaced(rng, (0, 3)), 1)]),
    reference=lambda input, dim, eps=1e-12: input / np.maximum(
        _norm_reference(input, 2, dim if np.ndim(input) else None, np.ndim(input) > 0), eps),
    bad=[Bad((np.ones(3), 1), {}, IndexError, "Dimension out of range")],
)
def unit_vectors(input, dim, eps=1e-12):
    """``input`` divided by its Euclidean norm along ``dim``, or by ``eps`` where that is larger.

    >>> unit_vectors(np.array([3.0, 4.0]), 0)
    array([0.6, 0.8])
    """
    size = np.asarray(vector_norm.forward(input, 2, dim, True))
    return np.divide(input, np.maximum(size, size.dtype.type(eps)))


@composite(
    samples=lambda rng: iter([case(spaced(rng, (2, 3))), case(spaced(rng, (2, 3)), 1.0, 0),
                              case(np.array(1.5), dim=0),
                              case(spaced(rng, (0, 3)))]),
    reference=lambda input, p=2.0, dim=1, eps=1e-12: input / np.maximum(
        _norm_reference(input, p, dim if np.ndim(input) else None, np.ndim(input) > 0), eps),
    bad=[Bad((np.ones(3),), {}, IndexError, "Dimension out of range")],
)
def normalize(input, p=2.0, dim=1, eps=1e-12):
    """``input`` divided by its p-norm along ``dim``, or by ``eps`` where the norm is smaller.

    >>> normalize(np.array([[3.0, 4.0]]))
    array([[0.6, 0.8]])
    """
    if p == 2:
        return unit_vectors(input, dim, eps)
    return div(input, clamp_min(norm(input, p, dim, True), eps))


# ------------------------------------------------------------------ between two arrays


def _pairs(rng, dims):
    for first, second in (((2, 3), (2, 3)), ((2, 3), (1, 3)), ((3,), (3,)), ((0, 3), (1, 3))):
        yield case(spaced(rng, first), spaced(rng, second) + 0.0131, **dims(len(first)))


def _cosine_reference(x1, x2, dim=1, eps=1e-8):
    scale = np.sqrt((x1 * x1).sum(dim, keepdims=True)), np.sqrt((x2 * x2).sum(dim, keepdims=True))
    return (x1 / scale[0] * (x2 / scale[1])).sum(dim)


@composite(
    samples=lambda rng: _pairs(rng, lambda ndim: {"dim": ndim - 1}), differentiable=("x1", "x2"),
    reference=_cosine_reference, exempt={"zero_dim": "vectors have a dimension"},
    bad=[Bad((np.ones((2, 3)), np.ones((2, 4))), {}, RuntimeError, r"size of tensor a \(3\) must match"),
         Bad((np.ones(3), np.ones(3)), {}, IndexError, "Dimension out of range")],
)
def cosine_similarity(x1, x2, dim=1, eps=1e-8):
    """Cosine of the angle between vectors along ``dim``; norms below ``eps`` count as ``eps``.

    >>> cosine_similarity(np.array([[1.0, 0.0]]), np.array([[1.0, 1.0]])).round(3)
    array([0.707])
    """
    shape = broadcast_shapes(tuple(x1.shape), tuple(x2.shape))
    x1, x2 = (x if tuple(x.shape) == shape else expand(x, shape) for x in (x1, x2))
    sizes = [clamp_min(vector_norm(x, 2, dim), eps) for x in (x1, x2)]
    return div(sum(mul(x1, x2), dim), mul(*sizes))


@composite(
    samples=lambda rng: _pairs(rng, lambda ndim: {}), differentiable=("x1", "x2"),
    reference=lambda x1, x2, p=2.0, eps=1e-6, keepdim=False: _norm_reference(x1 - x2 + eps, p, -1,
                                                                             keepdim),
    exempt={"zero_dim": "vectors have a dimension"},
    bad=[Bad((np.ones((2, 3)), np.ones((2, 4))), {}, RuntimeError,
             r"size of tensor a \(3\) must match")],
)
def pairwise_distance(x1, x2, p=2.0, eps=1e-6, keepdim=False):
    """p-norm of ``x1 - x2 + eps`` along the last dimension.

    >>> pairwise_distance(np.array([[3.0, 0.0]]), np.array([[0.0, 4.0]])).round(3)
    array([5.])
    """
    return vector_norm(add(sub(x1, x2), eps), p, -1, keepdim)
