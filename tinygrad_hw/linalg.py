"""Linear algebra, with the names of ``torch.linalg``: norms, inverses, solutions, decompositions.

Matrices are (..., M, N): all leading dimensions are batches.  The ops behind these functions, with their
gradient rules, are in ``ops/linear_algebra``.  Eigenvalues of matrices that are not symmetric may be
complex and are not offered.
"""

from __future__ import annotations

import numpy as np

import ops
from ops import (
    chain_matmul,
    cross,
    det,
    diagonal,
    matmul,
    matrix_exp,
    matrix_power,
    vander,
    vector_norm,
)
from ops.linear_algebra.errors import LinAlgError
from tinygrad_hw import return_types
from tinygrad_hw.autograd.mode import mode
from tinygrad_hw.tensor import Tensor

__all__ = [
    "LinAlgError",
    "cholesky",
    "cond",
    "cross",
    "det",
    "diagonal",
    "eigh",
    "eigvalsh",
    "inv",
    "lstsq",
    "matmul",
    "matrix_exp",
    "matrix_norm",
    "matrix_power",
    "matrix_rank",
    "multi_dot",
    "norm",
    "pinv",
    "qr",
    "slogdet",
    "solve",
    "solve_triangular",
    "svd",
    "svdvals",
    "vander",
    "vecdot",
    "vector_norm",
]


inv = ops.inverse
eigvalsh = ops.linalg_eigvalsh
svdvals = ops.linalg_svdvals


def _constant(name: str, A: Tensor, instead: str) -> np.ndarray:
    """The array of a matrix whose decomposition has no gradient here; refused where one would be lost."""
    if not isinstance(A, Tensor):
        raise TypeError(f"{name}(): argument 'A' (position 1) must be Tensor, not {type(A).__name__}")
    if A.requires_grad and mode.recording:
        raise RuntimeError(
            f"linalg.{name}: there is no gradient of this decomposition; {instead}, or call it under "
            "no_grad() or on A.detach()"
        )
    if A.ndim < 2:
        raise RuntimeError(
            f"linalg.{name}: The input tensor A must have at least 2 dimensions, got {A.ndim}."
        )
    if A.array.dtype.kind != "f":
        raise RuntimeError(
            f"linalg.{name}: Expected a floating point tensor. Got {A.dtype}; convert it: x.float()"
        )
    return A.array


# ------------------------------------------------------------------ norms


def norm(A, ord=None, dim=None, keepdim=False, *, dtype=None):
    """A norm of a vector, of all elements (``ord`` and ``dim`` not given), or of matrices.

    Args:
        ord: None and ``dim`` an int: `vector_norm`; two dims: `matrix_norm`.

    >>> from tinygrad_hw import tensor
    >>> norm(tensor([[3.0, 4.0], [0.0, 0.0]]))
    tensor(5.)
    """
    dims = (dim,) if isinstance(dim, int) else dim
    if ord is None and (dims is None or len(dims) != 2):
        return vector_norm(A, 2, dim, keepdim, dtype=dtype)
    if dims is not None and len(dims) == 2 or dims is None and A.ndim == 2:
        return matrix_norm(A, "fro" if ord is None else ord, dims or (-2, -1), keepdim, dtype=dtype)
    if dims is None and A.ndim != 1:
        raise RuntimeError(
            "linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got "
            f"{A.ndim}D."
        )
    return vector_norm(A, ord, dim, keepdim, dtype=dtype)


def matrix_norm(A, ord="fro", dim=(-2, -1), keepdim=False, *, dtype=None):
    """A norm of matrices.

    Args:
        ord: ``"fro"``, ``"nuc"`` (sum of the singular values), 2 and -2 (largest and smallest of them),
            1 and -1 (largest and smallest sum of a column), inf and -inf (of a row).

    >>> from tinygrad_hw import tensor
    >>> matrix_norm(tensor([[1.0, -2.0], [3.0, 0.0]]), 1)
    tensor(4.)
    """
    A = A if dtype is None else A.to(dtype)
    if len(dim) != 2:
        raise RuntimeError(f"linalg.matrix_norm: dim must be a 2-tuple. Got {dim}")
    if ord == "fro":
        return vector_norm(A, 2, tuple(dim), keepdim)
    matrix = ops.movedim(A, tuple(dim), (-2, -1))
    if ord in ("nuc", 2, -2):
        values = svdvals(matrix)
        result = ops.sum(values, -1) if ord == "nuc" else (ops.amax if ord > 0 else ops.amin)(values, -1)
    elif ord in (1, -1, np.inf, -np.inf):
        sums = ops.sum(ops.abs(matrix), -2 if abs(ord) == 1 else -1)
        result = (ops.amax if ord > 0 else ops.amin)(sums, -1)
    else:
        raise RuntimeError(
            f"linalg.matrix_norm: Order {ord} not supported; use 'fro', 'nuc', 1, 2, inf or their "
            "negatives"
        )
    if keepdim:
        for place in sorted(d % A.ndim for d in dim):
            result = ops.unsqueeze(result, place)
    return result


def vecdot(x, y, *, dim=-1):
    """Dot products along ``dim``.

    >>> from tinygrad_hw import tensor
    >>> vecdot(tensor([[1.0, 2.0], [0.0, 1.0]]), tensor([3.0, 4.0]))
    tensor([11.,  4.])
    """
    return ops.sum(ops.mul(x, y), dim)


def multi_dot(tensors):
    """The product of two or more matrices, in the order that takes the fewest multiplications.

    >>> from tinygrad_hw import ones
    >>> multi_dot([ones(1, 2), ones(2, 3), ones(3, 1)])
    tensor([[6.]])
    """
    return chain_matmul(*tensors)


# ------------------------------------------------------------------ inverses and solutions


def slogdet(A):
    """Sign and logarithm of the absolute value of the determinant.

    >>> from tinygrad_hw import tensor
    >>> slogdet(tensor([[-1.0]]))
    tinygrad_hw.return_types.linalg_slogdet(
    sign=tensor(-1.),
    logabsdet=tensor(0.))
    """
    logarithm = ops.logabsdet(A)
    return return_types.linalg_slogdet(Tensor._wrap(np.linalg.slogdet(A.array)[0]), logarithm)


def solve(A, B, *, left=True):
    """X with ``A @ X = B`` (or ``X @ A = B`` with ``left=False``); B may be a vector or a batch of them.

    Raises:
        LinAlgError: if A is singular.

    >>> from tinygrad_hw import tensor
    >>> solve(tensor([[2.0, 0.0], [0.0, 4.0]]), tensor([2.0, 2.0]))
    tensor([1.0000, 0.5000])
    """
    if not left:
        return ops.transpose(solve(ops.transpose(A, -2, -1), ops.transpose(B, -2, -1)), -2, -1)
    if B.ndim == 1 or A.ndim - 1 == B.ndim and A.shape[:-1] == B.shape:
        return ops.squeeze(solve(A, ops.unsqueeze(B, -1)), -1)
    if A.shape[:-2] != B.shape[:-2]:
        batch = ops.broadcast_shapes(tuple(A.shape[:-2]), tuple(B.shape[:-2]))
        A, B = (ops.expand(M, (*batch, *M.shape[-2:])) for M in (A, B))
    return ops.linalg_solve(A, B)


def solve_triangular(A, B, *, upper, left=True, unitriangular=False):
    """`solve` for a triangular matrix; what stands in the other triangle does not count.

    >>> from tinygrad_hw import tensor
    >>> solve_triangular(tensor([[2.0, 9.0], [0.0, 1.0]]), tensor([[11.0], [1.0]]), upper=True)
    tensor([[1.],
            [1.]])
    """
    triangle = (ops.triu if upper else ops.tril)(A)
    if unitriangular:
        identity = np.eye(A.shape[-1], dtype=A.array.dtype)
        triangle = ops.add(ops.mul(triangle, 1 - identity), identity)
    return solve(triangle, B, left=left)


def pinv(A, *, atol=None, rtol=None, hermitian=False):
    """The pseudo-inverse (..., N, M).

    Args:
        rtol: singular values below ``rtol`` times the largest count as zero; by default max(M, N) * eps.
        atol: singular values below it count as zero, too.

    >>> from tinygrad_hw import tensor
    >>> pinv(tensor([[2.0], [0.0]]))
    tensor([[0.5000, 0.0000]])
    """
    values = A.array
    if rtol is None:
        rtol = max(values.shape[-2:]) * float(np.finfo(values.dtype).eps) if atol is None else 0.0
    if atol:
        largest = np.linalg.svd(values, compute_uv=False).max(initial=0.0)
        rtol = max(rtol, atol / largest) if largest else rtol
    return ops.pinverse(A, rtol)


def lstsq(A, B, rcond=None, *, driver=None):
    """The X that makes ``A @ X - B`` smallest in the sum of squares; A (..., M, N), B (..., M, K).

    Args:
        driver: one of LAPACK's, which makes no difference but that the residuals are computed for ``"gels"``,
            ``"gelsd"`` and ``"gelss"``.

    Returns:
        ``(solution, residuals, rank, singular_values)``.  The solution carries gradients, through `pinv`.

    >>> from tinygrad_hw import tensor
    >>> lstsq(tensor([[1.0], [1.0]]), tensor([[1.0], [3.0]])).solution.round(decimals=4)
    tensor([[2.]])
    """
    solution = matmul(pinv(A, rtol=rcond), B)
    rank = matrix_rank(A.detach(), rtol=rcond)
    full = (
        driver in ("gels", "gelsd", "gelss")
        and A.shape[-2] > A.shape[-1]
        and bool((rank == A.shape[-1]).all())
    )
    error = ops.sub(matmul(A, solution), B)
    residuals = ops.sum(ops.square(error), -2) if full else Tensor._wrap(np.empty(0, A.array.dtype))
    return return_types.linalg_lstsq(solution, residuals, rank, Tensor._wrap(np.empty(0, A.array.dtype)))


def matrix_rank(A, *, atol=None, rtol=None, hermitian=False):
    """How many singular values are not zero, see `pinv` for the tolerances.

    >>> from tinygrad_hw import ones
    >>> matrix_rank(ones(3, 2))
    tensor(1)
    """
    values = np.linalg.svd(A.array, compute_uv=False)
    if rtol is None:
        rtol = max(A.shape[-2:]) * float(np.finfo(A.array.dtype).eps) if atol is None else 0.0
    smallest = np.maximum(atol or 0.0, rtol * values.max(-1, keepdims=True, initial=0.0))
    return Tensor._wrap(np.asarray((values > smallest).sum(-1)))


def cond(A, p=None):
    """The condition number: the largest singular value over the smallest, or ``norm(A) * norm(inv(A))``.

    >>> from tinygrad_hw import tensor
    >>> cond(tensor([[4.0, 0.0], [0.0, 2.0]]))
    tensor(2.)
    """
    if p in (None, 2, -2):
        values = svdvals(A)
        largest, smallest = ops.amax(values, -1), ops.amin(values, -1)
        return ops.div(smallest, largest) if p == -2 else ops.div(largest, smallest)
    return ops.mul(matrix_norm(A, p), matrix_norm(inv(A), p))


# ------------------------------------------------------------------ decompositions


def cholesky(A, *, upper=False):
    """The lower triangle L with ``L @ L.T = A``, or its transpose, of symmetric positive-definite matrices.

    The matrix is read as the mean of both its triangles.

    Raises:
        LinAlgError: if A is not positive-definite.

    >>> from tinygrad_hw import tensor
    >>> cholesky(tensor([[4.0, 2.0], [2.0, 2.0]]))
    tensor([[2., 0.],
            [1., 1.]])
    """
    return ops.cholesky(A, upper)


def eigh(A, UPLO="L"):
    """Eigenvalues (ascending) and eigenvectors (columns) of symmetric matrices.

    The matrix is read as the mean of both its triangles; the largest component of a vector is positive.

    >>> from tinygrad_hw import tensor
    >>> eigh(tensor([[3.0, 0.0], [0.0, 1.0]])).eigenvalues
    tensor([1., 3.])
    """
    return return_types.linalg_eigh(ops.linalg_eigvalsh(A), ops.linalg_eigenvectors(A))


def svd(A, full_matrices=True, *, driver=None):
    """``A = U @ diag(S) @ Vh`` with orthonormal U and Vh and singular values S, descending.

    Args:
        full_matrices: U (M, M) and Vh (N, N); else only the first min(M, N) of their vectors.

    Raises:
        RuntimeError: if A requires a gradient; `svdvals` has one.

    >>> from tinygrad_hw import tensor
    >>> svd(tensor([[0.0, 2.0], [1.0, 0.0]])).S
    tensor([2., 1.])
    """
    values = _constant("svd", A, "svdvals has one")
    return return_types.linalg_svd(*map(Tensor._wrap, np.linalg.svd(values, full_matrices=full_matrices)))


def qr(A, mode="reduced"):
    """``A = Q @ R`` with orthonormal columns of Q and an upper triangle R.

    Args:
        mode: ``"reduced"``, ``"complete"`` (Q is square) or ``"r"`` (Q is empty).

    Raises:
        RuntimeError: if A requires a gradient.

    >>> from tinygrad_hw import tensor
    >>> Q, R = qr(tensor([[3.0], [4.0]]))
    >>> (Q @ R).round(decimals=4)
    tensor([[3.],
            [4.]])
    """
    if mode not in ("reduced", "complete", "r"):
        raise RuntimeError(
            f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), 'r', or "
            "'complete'"
        )
    values = _constant("qr", A, "cholesky(A.T @ A) has one")
    if mode == "r":
        unasked = np.empty(0, values.dtype)
        return return_types.linalg_qr(Tensor._wrap(unasked), Tensor._wrap(np.linalg.qr(values, "r")))
    return return_types.linalg_qr(*map(Tensor._wrap, np.linalg.qr(values, mode)))
