"""Further products, written with those of ``matmul.py``."""

from __future__ import annotations

import numpy as np

from ops.core import Bad, array_of, case, composite, dtype_of, op
from ops.dims import wrap_dim
from ops.elementwise.arithmetic import add, mul, sub
from ops.matrix.products import bmm, merge_rows, mm
from ops.matrix.vectors import mv, outer, swap_last
from ops.reduction.totals import sum
from ops.samples import spaced
from ops.shape.arrange import roll
from ops.shape.layout import permute, reshape

__all__ = ["addbmm", "addmm", "addmv", "addr", "baddbmm", "chain_matmul", "cross", "inner", "kron",
           "tensordot"]


def _times(value, factor):
    return value if factor == 1 else mul(value, factor)


def _scaled_sum(input, product, beta, alpha):
    """``beta * input + alpha * product``; with beta 0 NaNs of ``input`` do not count."""
    product = _times(product, alpha)
    return product if beta == 0 else add(_times(input, beta), product)


def _addmm_cases(rng):
    yield case(spaced(rng, (2, 4)), spaced(rng, (2, 3)), spaced(rng, (3, 4)))
    yield case(spaced(rng, (4,)), spaced(rng, (2, 3)), spaced(rng, (3, 4)), beta=0.5, alpha=2.0)
    yield case(spaced(rng, ()), spaced(rng, (0, 3)), spaced(rng, (3, 4)))


@op(
    grad=dict(
        input=lambda g, beta: _times(g, beta),
        mat1=lambda g, mat2, alpha: _times(mm(g, swap_last(mat2)), alpha),
        mat2=lambda g, mat1, alpha: _times(mm(swap_last(mat1), g), alpha),
    ),
    broadcasts=True, samples=_addmm_cases,
    reference=lambda input, mat1, mat2, beta=1, alpha=1: beta * input + alpha * np.matmul(mat1, mat2),
    bad=[Bad((np.ones(2), np.ones((2, 3)), np.ones((2, 3))), {}, RuntimeError, "cannot be multiplied")],
)
def addmm(input, mat1, mat2, *, beta=1, alpha=1):
    """``beta * input + alpha * (mat1 @ mat2)``; ``input`` broadcasts to the product's shape.

    >>> addmm(np.ones(1), np.eye(1), np.eye(1), alpha=2)
    array([[3.]])
    """
    product = mm.forward(mat1, mat2)
    if (beta == alpha == 1 and type(input) is np.ndarray and input.dtype is product.dtype
            and input.shape == product.shape[1:]):
        return np.add(input, product, product)
    result = _scaled_sum(input, product, beta, alpha)
    if result.shape != product.shape:
        raise RuntimeError(f"addmm(): input of shape {input.shape} does not broadcast to the product's "
                           f"{product.shape}")
    return result


@composite(
    differentiable=("input", "mat", "vec"),
    samples=lambda rng: iter([
        case(spaced(rng, (2,)), spaced(rng, (2, 3)), spaced(rng, (3,)), beta=0.5, alpha=2.0),
        case(spaced(rng, ()), spaced(rng, (0, 3)), spaced(rng, (3,)))]),
    reference=lambda input, mat, vec, beta=1, alpha=1: beta * input + alpha * np.matmul(mat, vec),
    bad=[Bad((np.ones(2), np.ones((2, 3)), np.ones(2)), {}, RuntimeError, "mat|size|shape")],
)
def addmv(input, mat, vec, *, beta=1, alpha=1):
    """``beta * input + alpha * (mat @ vec)``.

    >>> addmv(np.ones(1), np.eye(1), np.ones(1))
    array([2.])
    """
    return _scaled_sum(input, mv(mat, vec), beta, alpha)


@composite(
    differentiable=("input", "vec1", "vec2"),
    samples=lambda rng: iter([
        case(spaced(rng, (2, 3)), spaced(rng, (2,)), spaced(rng, (3,)), beta=0.5, alpha=2.0),
        case(spaced(rng, ()), spaced(rng, (0,)), spaced(rng, (3,)))]),
    reference=lambda input, vec1, vec2, beta=1, alpha=1: (
        beta * input + alpha * np.multiply.outer(vec1, vec2)),
    bad=[Bad((np.ones((2, 3)), np.ones((2, 1)), np.ones(3)), {}, RuntimeError, r"must be a vector \(1-D\)")],
)
def addr(input, vec1, vec2, *, beta=1, alpha=1):
    """``beta * input + alpha * outer(vec1, vec2)``.

    >>> addr(np.zeros((1, 1)), np.ones(1), np.ones(1))
    array([[1.]])
    """
    return _scaled_sum(input, outer(vec1, vec2), beta, alpha)


_NO_BATCH = Bad((np.ones((2, 2)), np.ones((2, 3)), np.ones((3, 2))), {}, RuntimeError,
                r"must be a batch of matrices \(3-D\), got shape \(2, 3\)")


def _batch_cases(shape):
    def samples(rng):
        yield case(spaced(rng, shape), spaced(rng, (2, 2, 3)), spaced(rng, (2, 3, 2)),
                   beta=0.5, alpha=2.0)
        yield case(spaced(rng, ()), spaced(rng, (0, 2, 3)), spaced(rng, (0, 3, 2)))

    return samples


@composite(
    differentiable=("input", "batch1", "batch2"), samples=_batch_cases((2, 2, 2)),
    reference=lambda input, batch1, batch2, beta=1, alpha=1: (
        beta * input + alpha * np.matmul(batch1, batch2)),
    bad=[_NO_BATCH],
)
def baddbmm(input, batch1, batch2, *, beta=1, alpha=1):
    """``beta * input + alpha * bmm(batch1, batch2)``.

    >>> baddbmm(np.zeros((1, 1, 1)), np.ones((1, 1, 2)), np.ones((1, 2, 1)))
    array([[[2.]]])
    """
    return _scaled_sum(input, bmm(batch1, batch2), beta, alpha)


@composite(
    differentiable=("input", "batch1", "batch2"), samples=_batch_cases((2, 2)),
    reference=lambda input, batch1, batch2, beta=1, alpha=1: (
        beta * input + alpha * np.matmul(batch1, batch2).sum(0)),
    bad=[_NO_BATCH],
)
def addbmm(input, batch1, batch2, *, beta=1, alpha=1):
    """``beta * input + alpha * bmm(batch1, batch2).sum(0)``.

    >>> addbmm(np.zeros((1, 1)), np.ones((2, 1, 1)), np.ones((2, 1, 1)))
    array([[2.]])
    """
    return _scaled_sum(input, sum(bmm(batch1, batch2), 0), beta, alpha)


@composite(
    differentiable=("input", "other"),
    samples=lambda rng: iter([case(spaced(rng, (2, 3)), spaced(rng, (4, 3))),
                              case(spaced(rng, ()), spaced(rng, (2,))),
                              case(spaced(rng, (0, 3)), spaced(rng, (3,)))]),
    reference=np.inner,
    bad=[Bad((np.ones((2, 3)), np.ones((2, 4))), {}, RuntimeError, r"last dimension.*3.*4")],
)
def inner(input, other):
    """Sum of products over the last dimension of both.

    >>> inner(np.ones((2, 3)), np.ones(3))
    array([3., 3.])
    """
    if input.ndim == 0 or other.ndim == 0:
        return mul(input, other)
    if input.shape[-1] != other.shape[-1]:
        raise RuntimeError("inner() the last dimension must match on both input tensors but got shapes "
                           f"{tuple(input.shape)} and {tuple(other.shape)}")
    product = mm(merge_rows(input), swap_last(merge_rows(other)))
    return reshape(product, (*input.shape[:-1], *other.shape[:-1]))


def _tensordot_cases(rng):
    yield case(spaced(rng, (2, 3, 4)), spaced(rng, (3, 4, 2)), 2)
    yield case(spaced(rng, (2, 3)), spaced(rng, (2, 4)), ([0], [0]))
    yield case(spaced(rng, ()), spaced(rng, (2,)), 0)
    yield case(spaced(rng, (0, 3)), spaced(rng, (3, 2)), 1)


@composite(
    differentiable=("a", "b"), samples=_tensordot_cases,
    reference=lambda a, b, dims=2: np.tensordot(a, b, dims),
    bad=[Bad((np.ones((2, 3)), np.ones((2, 3)), 1), {}, RuntimeError,
             r"contracted dimensions.*3 and 2")],
)
def tensordot(a, b, dims=2):
    """Contract dimensions of two arrays.

    Args:
        dims: a number n (the last n of ``a`` with the first n of ``b``) or a pair of lists of
            dimensions.

    >>> tensordot(np.ones((2, 3)), np.ones((3, 4)), 1).shape
    (2, 4)
    """
    if isinstance(dims, (int, np.integer)):
        first, second = list(range(a.ndim - dims, a.ndim)), list(range(dims))
    else:
        first, second = ([d % array.ndim for d in np.asarray(array_of(side)).ravel().tolist()]
                         for side, array in zip(dims, (a, b)))
    for i, j in zip(first, second, strict=True):
        if a.shape[i] != b.shape[j]:
            raise RuntimeError(f"contracted dimensions need to match, but got sizes {a.shape[i]} and "
                               f"{b.shape[j]} in dims {i} and {j} of shapes {tuple(a.shape)} and "
                               f"{tuple(b.shape)}")
    free_a = [i for i in range(a.ndim) if i not in first]
    free_b = [j for j in range(b.ndim) if j not in second]
    size = int(np.prod([a.shape[i] for i in first]))
    shape_a, shape_b = [a.shape[i] for i in free_a], [b.shape[j] for j in free_b]
    left = reshape(permute(a, (*free_a, *first)), (int(np.prod(shape_a)), size))
    right = reshape(permute(b, (*second, *free_b)), (size, int(np.prod(shape_b))))
    return reshape(mm(left, right), (*shape_a, *shape_b))


@composite(
    differentiable=("input", "other"),
    samples=lambda rng: iter([case(spaced(rng, (2, 2)), spaced(rng, (3,))),
                              case(spaced(rng, ()), spaced(rng, (2,))),
                              case(spaced(rng, (0,)), spaced(rng, (2,)))]),
    reference=np.kron,
    bad=[Bad((np.ones(2), 2.0), {}, TypeError, r"'other' \(position 2\) must be Tensor, not float")],
)
def kron(input, other):
    """The Kronecker product.

    >>> kron(np.array([1.0, 2.0]), np.array([1.0, 10.0]))
    array([ 1., 10.,  2., 20.])
    """
    ndim = max(input.ndim, other.ndim)
    first = (1,) * (ndim - input.ndim) + tuple(input.shape)
    second = (1,) * (ndim - other.ndim) + tuple(other.shape)
    left = reshape(input, tuple(n for size in first for n in (size, 1)))
    right = reshape(other, tuple(n for size in second for n in (1, size)))
    return reshape(mul(left, right), tuple(m * n for m, n in zip(first, second)))


def chain_matmul(*matrices):
    """Product of several matrices, in the order that needs the fewest multiplications.

    Source: Cormen et al., Introduction to Algorithms, section 15.2.

    >>> chain_matmul(np.ones((2, 3)), np.ones((3, 4)), np.ones((4, 1))).shape
    (2, 1)
    """
    if not matrices:
        raise RuntimeError("chain_matmul(): Expected one or more matrices")
    sizes = [m.shape[0] for m in matrices] + [matrices[-1].shape[1]]
    count = len(matrices)
    cost = {(i, i): (0, i) for i in range(count)}
    for length in range(1, count):
        for i in range(count - length):
            j = i + length
            cost[i, j] = min(
                (cost[i, k][0] + cost[k + 1, j][0] + sizes[i] * sizes[k + 1] * sizes[j + 1], k)
                for k in range(i, j))

    def product(i: int, j: int):
        if i == j:
            return matrices[i]
        k = cost[i, j][1]
        return mm(product(i, k), product(k + 1, j))

    return product(0, count - 1)


def _cross_cases(rng):
    yield case(spaced(rng, (3,)), spaced(rng, (3,)))
    yield case(spaced(rng, (2, 3)), spaced(rng, (1, 3)))
    yield case(spaced(rng, (3, 2, 3)), spaced(rng, (3, 2, 3)), -1)
    yield case(spaced(rng, (0, 3)), spaced(rng, (0, 3)))


def _cross_reference(input, other, dim=None):
    return np.cross(input, other, axis=input.shape.index(3) if dim is None else dim)


@composite(
    differentiable=("input", "other"), samples=_cross_cases, reference=_cross_reference,
    exempt=dict(zero_dim="a number is no vector of three elements"),
    bad=[Bad((np.ones((2, 3)), np.ones(3)), {}, RuntimeError, "the same number of dimensions"),
         Bad((np.ones(2), np.ones(2)), {}, RuntimeError, "no dimension of size 3 in input"),
         Bad((np.ones((2, 3)), np.ones((2, 3)), 0), {}, RuntimeError, "must have length 3. Got 2 and 2"),
         Bad((np.ones((2, 3)), np.ones((2, 3)), 2), {}, IndexError, "Dimension out of range"),
         Bad((np.ones(3), np.arange(3)), {}, RuntimeError, "of one dtype, got float64 and int64"),
         Bad((np.ones(3), 1.0), {}, TypeError, r"'other' \(position 2\) must be Tensor, not float")],
)
def cross(input, other, dim=None):
    """The vector product ``a2 b3 - a3 b2, a3 b1 - a1 b3, a1 b2 - a2 b1`` along a dimension of size 3.

    Args:
        dim: None is the first dimension of size 3.

    >>> cross(np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0]))
    array([0., 0., 1.])
    """
    for position, (name, value) in enumerate((("input", input), ("other", other)), 1):
        if not hasattr(value, "ndim"):
            raise TypeError(f"cross(): argument '{name}' (position {position}) must be Tensor, not "
                            f"{type(value).__name__}")
    if input.ndim != other.ndim:
        raise RuntimeError("linalg.cross: inputs must have the same number of dimensions, got "
                           f"{input.ndim} and {other.ndim}")
    if dtype_of(input) != dtype_of(other):
        raise RuntimeError(f"cross(): expected both of one dtype, got {dtype_of(input)} and "
                           f"{dtype_of(other)}")
    if dim is None and 3 not in input.shape:
        raise RuntimeError(f"no dimension of size 3 in input of shape {tuple(input.shape)}")
    dim = tuple(input.shape).index(3) if dim is None else wrap_dim(dim, input.ndim)
    if (input.shape[dim], other.shape[dim]) != (3, 3):
        raise RuntimeError(f"linalg.cross: inputs dimension {dim} must have length 3. Got "
                           f"{input.shape[dim]} and {other.shape[dim]}")
    ahead = mul(roll(input, -1, dim), roll(other, -2, dim))
    return sub(ahead, mul(roll(input, -2, dim), roll(other, -1, dim)))
