"""Decompositions of matrices: Cholesky's, eigenvalues of symmetric matrices, singular values.

A symmetric matrix is read from both of its triangles, as their mean, so its gradient is symmetric.
Source of the rules: Murray 2016, https://arxiv.org/abs/1602.07527 (Cholesky), and Giles 2008, see
``inverse.py``.
"""

from __future__ import annotations

import numpy as np

from ops.core import Bad, array_of, case, composite, op
from ops.elementwise.arithmetic import add, mul, sub
from ops.elementwise.division import div
from ops.linear_algebra.errors import LinAlgError
from ops.linear_algebra.inverse import each, inverse, near_identity, square_matrix
from ops.matrix.products import matmul
from ops.matrix.vectors import swap_last
from ops.samples import spaced
from ops.shape.arrange import flip
from ops.shape.layout import unsqueeze
from ops.shape.triangles import tril

__all__ = ["cholesky", "linalg_cholesky", "linalg_eigenvectors", "linalg_eigvalsh", "linalg_svdvals"]

_NO_SCALAR = {"zero_dim": "takes matrices"}
_BAD = [Bad((np.ones((2, 3)),), {}, RuntimeError, "square matrices, but they are 2 by 3")]


def _symmetric(matrix):
    """The mean of a matrix and its transpose."""
    return mul(add(matrix, swap_last(matrix)), 0.5)


# ------------------------------------------------------------------ Cholesky


def _positive_cases(rng):
    for shape in ((3, 3), (2, 2, 2)):
        root = near_identity(rng, shape)
        yield case(np.matmul(root, root.swapaxes(-1, -2)))
    yield case(np.ones((0, 2, 2)))


def _cholesky_reference(matrix):
    result = np.zeros_like(matrix)
    for i in range(len(matrix)):
        for j in range(i + 1):
            rest = matrix[i, j] - np.sum(result[i, :j] * result[j, :j])
            result[i, j] = np.sqrt(rest) if i == j else rest / result[j, j]
    return result


def _cholesky_grad(g, ans):
    lower = swap_last(ans)
    inner = tril(matmul(lower, g))
    halved = sub(inner, mul(mul(inner, np.eye(g.shape[-1])), 0.5))
    inverted = inverse(ans)
    return _symmetric(matmul(matmul(swap_last(inverted), halved), inverted))


@op(
    grad=dict(input=_cholesky_grad),
    samples=_positive_cases,
    reference=lambda input: each(_cholesky_reference, input),
    exempt=_NO_SCALAR,
    bad=[*_BAD, Bad((-np.eye(2),), {}, LinAlgError, "not positive-definite")],
)
def linalg_cholesky(input):
    """The lower triangle L with ``L @ L.T = input``, for symmetric positive-definite matrices.

    >>> linalg_cholesky(np.array([[4.0, 2.0], [2.0, 2.0]]))
    array([[2., 0.],
           [1., 1.]])
    """
    square_matrix("linalg.cholesky", input)
    try:
        return np.linalg.cholesky(_symmetric(input))
    except np.linalg.LinAlgError:
        raise LinAlgError(
            "linalg.cholesky: The factorization could not be completed because the input is "
            "not positive-definite; add a small multiple of the identity"
        ) from None


@composite(
    samples=_positive_cases,
    reference=lambda input: each(_cholesky_reference, input),
    exempt=_NO_SCALAR,
    bad=_BAD,
)
def cholesky(input, upper=False):
    """`linalg_cholesky`, or with ``upper`` its transpose.

    >>> cholesky(np.array([[4.0, 2.0], [2.0, 2.0]]), upper=True)
    array([[2., 1.],
           [0., 1.]])
    """
    lower = linalg_cholesky(input)
    return swap_last(lower) if upper else lower


# ------------------------------------------------------------------ symmetric matrices


def _jacobi(matrix):
    """Eigenvalues (ascending) and eigenvectors by Jacobi's rotations; signs as in `_oriented`."""
    matrix = (matrix + matrix.T) / 2
    size, vectors = len(matrix), np.eye(len(matrix))
    for _ in range(50):
        for p in range(size):
            for q in range(p + 1, size):
                angle = 0.5 * np.arctan2(2 * matrix[p, q], matrix[q, q] - matrix[p, p])
                turn = np.eye(size)
                turn[p, p] = turn[q, q] = np.cos(angle)
                turn[p, q], turn[q, p] = np.sin(angle), -np.sin(angle)
                matrix, vectors = turn.T @ matrix @ turn, vectors @ turn
    order = np.argsort(np.diag(matrix))
    return np.diag(matrix)[order], _oriented(vectors[:, order])


def _oriented(vectors):
    """Each eigenvector with its largest component positive, so that the choice of sign is settled."""
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(-2, keepdims=True), -2)
    return vectors * np.where(largest < 0, -1, 1).astype(vectors.dtype)


def _spread_cases(rng):
    """Symmetric matrices with eigenvalues far apart."""
    yield case(np.diag([1.0, 3.0, 6.0]) + spaced(rng, (3, 3), -0.5, 0.6))
    yield case(np.diag([0.0, 4.0]) + spaced(rng, (2, 2, 2), -0.5, 0.6))
    yield case(np.ones((0, 2, 2)))


@op(
    grad=dict(input=lambda g, input: _from_values(linalg_eigenvectors(input), g)),
    samples=_spread_cases,
    reference=lambda input: each(lambda m: _jacobi(m)[0], input),
    exempt=_NO_SCALAR,
    bad=_BAD,
)
def linalg_eigvalsh(input):
    """The eigenvalues of symmetric matrices, ascending: (..., N).

    >>> linalg_eigvalsh(np.array([[2.0, 1.0], [1.0, 2.0]])).round(6)
    array([1., 3.])
    """
    square_matrix("linalg.eigvalsh", input)
    return np.linalg.eigvalsh(_symmetric(input))


def _from_values(vectors, g):
    return matmul(mul(vectors, unsqueeze(g, -2)), swap_last(vectors))


def _eigenvectors_grad(g, input, ans):
    values = linalg_eigvalsh(input)
    gaps = sub(unsqueeze(values, -2), unsqueeze(values, -1))
    identity = np.eye(g.shape[-1])
    weights = div(1 - identity, add(gaps, identity))
    return _symmetric(matmul(matmul(ans, mul(matmul(swap_last(ans), g), weights)), swap_last(ans)))


@op(
    grad=dict(input=_eigenvectors_grad),
    samples=_spread_cases,
    reference=lambda input: each(lambda m: _jacobi(m)[1], input),
    exempt=_NO_SCALAR,
    bad=_BAD,
)
def linalg_eigenvectors(input):
    """The orthonormal eigenvectors of symmetric matrices as columns, in the order of their eigenvalues.

    The largest component of each is positive.  The gradient is infinite where two eigenvalues are equal.

    >>> linalg_eigenvectors(np.diag([3.0, 1.0]))
    array([[0., 1.],
           [1., 0.]])
    """
    square_matrix("linalg.eigh", input)
    return _oriented(np.linalg.eigh(_symmetric(input))[1])


# ------------------------------------------------------------------ singular values


@op(
    grad=dict(input=lambda g, input, ans: _from_singular(g, input, ans)),
    samples=lambda rng: iter(
        [
            case(np.diag([1.0, 3.0, 6.0])[:, :2] + spaced(rng, (3, 2), -0.3, 0.4)),
            case(np.diag([2.0, 5.0]) + spaced(rng, (2, 2, 2), -0.5, 0.6)),
            case(np.diag([2.0, 5.0, 1.0])[:2] + spaced(rng, (2, 3), -0.3, 0.4)),
            case(np.ones((0, 2, 2))),
        ]
    ),
    reference=lambda input: np.sqrt(
        each(lambda m: _jacobi(m @ m.T if m.shape[0] < m.shape[1] else m.T @ m)[0][::-1], input)
    ),
    exempt=_NO_SCALAR,
    bad=[Bad((np.ones(2),), {}, RuntimeError, "at least 2 dimensions")],
)
def linalg_svdvals(input):
    """The singular values of matrices (..., M, N), descending: (..., min(M, N)).

    >>> linalg_svdvals(np.array([[3.0, 0.0], [0.0, -4.0]])).round(6)
    array([4., 3.])
    """
    if input.ndim < 2:
        raise RuntimeError(
            f"linalg.svd: The input tensor A must have at least 2 dimensions, got {input.ndim}."
        )
    if array_of(input).dtype.kind != "f":
        raise RuntimeError(
            f"linalg.svd: Expected a floating point tensor. Got {input.dtype}; convert it: x.float()"
        )
    return np.linalg.svd(input, compute_uv=False)


def _from_singular(g, input, ans):
    """Sum of ``g_i u_i v_i'``, with the vectors from the eigenvectors of the smaller of A'A and AA'."""
    if input.shape[-2] < input.shape[-1]:
        return swap_last(_from_singular(g, swap_last(input), ans))
    vectors = flip(
        linalg_eigenvectors(matmul(swap_last(input), input)), (-1,)
    )  # descending, as singular values
    scaled = mul(vectors, unsqueeze(div(g, ans), -2))
    return matmul(matmul(input, scaled), swap_last(vectors))
