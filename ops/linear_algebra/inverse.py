"""The inverse of a matrix and what follows from it: determinants, solutions, powers.

Source of the rules: Giles 2008, "An extended collection of matrix derivative results for forward and reverse
mode automatic differentiation", https://people.maths.ox.ac.uk/gilesm/files/NA-08-01.pdf
"""

from __future__ import annotations

import numpy as np

from ops.core import Bad, array_of, case, composite, op
from ops.elementwise.arithmetic import add, mul, neg, sub
from ops.linear_algebra.errors import LinAlgError
from ops.matrix.products import matmul
from ops.matrix.vectors import swap_last
from ops.samples import spaced
from ops.shape.layout import cast, unsqueeze

__all__ = ["det", "inverse", "linalg_solve", "logabsdet", "matrix_exp", "matrix_power", "pinverse"]


def square_matrix(name: str, input) -> None:
    """Refuse what is no batch of square matrices of floats.

    >>> square_matrix("inverse", np.ones((2, 3)))
    Traceback (most recent call last):
    ...
    RuntimeError: inverse: A must be batches of square matrices, but they are 2 by 3 matrices
    """
    if input.ndim < 2:
        raise RuntimeError(
            f"{name}: The input tensor A must have at least 2 dimensions, got {input.ndim}."
        )
    if input.shape[-1] != input.shape[-2]:
        raise RuntimeError(
            f"{name}: A must be batches of square matrices, but they are {input.shape[-2]} by "
            f"{input.shape[-1]} matrices"
        )
    if array_of(input).dtype.kind != "f":
        raise RuntimeError(
            f"{name}: Expected a floating point tensor. Got {array_of(input).dtype}; convert it: "
            "x.float()"
        )


def near_identity(rng, shape):
    """A well-conditioned matrix for samples."""
    return np.eye(shape[-1]) * 2 + spaced(rng, shape, -0.6, 0.7)


def _square_cases(rng):
    yield case(near_identity(rng, (3, 3)))
    yield case(near_identity(rng, (2, 2, 2)))
    yield case(np.ones((0, 2, 2)))


_NO_SCALAR = {"zero_dim": "takes matrices"}
_BAD = [
    Bad((np.ones((2, 3)),), {}, RuntimeError, "square matrices, but they are 2 by 3"),
    Bad((np.ones(2),), {}, RuntimeError, "at least 2 dimensions"),
]


def _cofactor_det(matrix):
    """The determinant by expansion along the first row."""
    if len(matrix) == 0:
        return 1.0
    minors = (np.delete(matrix[1:], column, 1) for column in range(len(matrix)))
    return sum(
        (-1) ** column * matrix[0, column] * _cofactor_det(minor) for column, minor in enumerate(minors)
    )


def each(function, input):
    """``function`` of every matrix, for references."""
    results = [function(matrix) for matrix in input.reshape(-1, *input.shape[-2:])]
    shape = np.shape(function(np.eye(*input.shape[-2:])))
    return np.array(results).reshape(input.shape[:-2] + shape)


def _adjugate_inverse(matrix):
    size = len(matrix)
    cofactors = [
        [(-1) ** (i + j) * _cofactor_det(np.delete(np.delete(matrix, i, 0), j, 1)) for i in range(size)]
        for j in range(size)
    ]
    return np.array(cofactors) / _cofactor_det(matrix)


def _refuse_singular(name: str, compute, *arrays):
    try:
        return compute(*arrays)
    except np.linalg.LinAlgError:
        raise LinAlgError(
            f"{name}: A is singular, it has no inverse; add a small multiple of the identity, "
            "or use pinverse"
        ) from None


@op(
    grad=dict(input=lambda g, ans: neg(matmul(matmul(swap_last(ans), g), swap_last(ans)))),
    samples=_square_cases,
    reference=lambda input: each(_adjugate_inverse, input),
    exempt=_NO_SCALAR,
    bad=[*_BAD, Bad((np.zeros((2, 2)),), {}, LinAlgError, "A is singular")],
)
def inverse(input):
    """The inverse of square matrices (..., N, N).

    >>> inverse(np.array([[2.0, 0.0], [0.0, 4.0]]))
    array([[0.5 , 0.  ],
           [0.  , 0.25]])
    """
    square_matrix("inverse", input)
    return _refuse_singular("inverse", np.linalg.inv, input)


def _over_matrices(g):
    return unsqueeze(unsqueeze(g, -1), -1)


@op(
    grad=dict(input=lambda g, ans, input: mul(_over_matrices(mul(g, ans)), swap_last(inverse(input)))),
    samples=_square_cases,
    reference=lambda input: each(_cofactor_det, input),
    exempt=_NO_SCALAR,
    bad=_BAD,
)
def det(input):
    """The determinant of square matrices.

    >>> det(np.array([[[2.0, 1.0], [0.0, 4.0]]])).round(9)
    array([8.])
    """
    square_matrix("det", input)
    return np.asarray(np.linalg.det(input))


@op(
    grad=dict(input=lambda g, input: mul(_over_matrices(g), swap_last(inverse(input)))),
    samples=_square_cases,
    reference=lambda input: np.log(np.abs(each(_cofactor_det, input))),
    exempt=_NO_SCALAR,
    bad=_BAD,
)
def logabsdet(input):
    """The logarithm of the determinant's absolute value, without overflow.

    >>> round(logabsdet(np.eye(2) * 3).item(), 6)  # log 9
    2.197225
    """
    square_matrix("logabsdet", input)
    return np.asarray(np.linalg.slogdet(input)[1])


def _solve_cases(rng):
    yield case(near_identity(rng, (3, 3)), spaced(rng, (3, 2)))
    yield case(near_identity(rng, (2, 2, 2)), spaced(rng, (2, 2, 1)))
    yield case(near_identity(rng, (2, 2)), spaced(rng, (2, 0)))


@op(
    grad=dict(
        A=lambda g, A, ans: neg(matmul(linalg_solve(swap_last(A), g), swap_last(ans))),
        B=lambda g, A: linalg_solve(swap_last(A), g),
    ),
    samples=_solve_cases,
    reference=lambda A, B: np.matmul(each(_adjugate_inverse, A), B),
    exempt=_NO_SCALAR,
    bad=[
        Bad((np.ones((2, 3)), np.ones((2, 1))), {}, RuntimeError, "square matrices"),
        Bad((np.eye(2), np.ones((3, 1))), {}, RuntimeError, r"\(2, 2\) and \(3, 1\)"),
        Bad((np.zeros((2, 2)), np.ones((2, 1))), {}, LinAlgError, "A is singular"),
    ],
)
def linalg_solve(A, B):
    """X with ``A @ X = B``, for matrices (..., N, N) and (..., N, K) of the same batch.

    >>> linalg_solve(np.eye(2) * 2, np.ones((2, 1))).tolist()
    [[0.5], [0.5]]
    """
    square_matrix("linalg.solve", A)
    if A.shape[:-1] != B.shape[:-1] or B.ndim < 2:
        raise RuntimeError(
            "linalg.solve: Incompatible shapes of A and B for the equation AX = B, got "
            f"{tuple(A.shape)} and {tuple(B.shape)}"
        )
    return _refuse_singular("linalg.solve", np.linalg.solve, A, B)


def _pinverse_grad(g, input, ans):
    """Golub and Pereyra 1973, for matrices of constant rank."""
    backward, across = swap_last(ans), swap_last(g)
    left = matmul(across, matmul(ans, backward))
    right = matmul(matmul(backward, ans), across)
    return sub(
        add(sub(left, matmul(input, matmul(ans, left))), sub(right, matmul(matmul(right, ans), input))),
        matmul(matmul(backward, g), backward),
    )


@op(
    grad=dict(input=_pinverse_grad),
    samples=lambda rng: iter(
        [
            case(near_identity(rng, (3, 3))[:, :2]),
            case(near_identity(rng, (3, 3))[:2]),
            case(near_identity(rng, (2, 2, 2))),
            case(np.ones((2, 0))),
        ]
    ),
    reference=lambda input, rcond=1e-15: (
        input.T
        if input.size == 0
        else each(
            lambda m: (
                np.matmul(m.T, _adjugate_inverse(m @ m.T))
                if m.shape[0] < m.shape[1]
                else np.matmul(_adjugate_inverse(m.T @ m), m.T)
            ),
            input,
        )
    ),
    exempt=_NO_SCALAR,
    bad=[Bad((np.ones(2),), {}, RuntimeError, "at least 2 dimensions")],
)
def pinverse(input, rcond=1e-15):
    """The pseudo-inverse of matrices (..., M, N): (..., N, M).

    Args:
        rcond: singular values below ``rcond`` times the largest count as zero.

    >>> pinverse(np.array([[2.0], [0.0]]))
    array([[0.5, 0. ]])
    """
    if input.ndim < 2:
        raise RuntimeError(
            f"pinverse: The input tensor A must have at least 2 dimensions, got {input.ndim}."
        )
    if input.dtype.kind != "f":
        raise RuntimeError(
            f"pinverse: Expected a floating point tensor. Got {input.dtype}; convert it: x.float()"
        )
    return np.linalg.pinv(input, rcond)


def _power_reference(input, n):
    result = np.broadcast_to(np.eye(input.shape[-1]), input.shape)
    for _ in range(abs(n)):
        result = np.matmul(result, input)
    return each(_adjugate_inverse, result) if n < 0 else result


@composite(
    samples=lambda rng: iter(
        [case(near_identity(rng, (2, 2)), n) for n in (-2, 0, 1, 3, 5)] + [case(np.ones((0, 2, 2)), 2)]
    ),
    reference=_power_reference,
    exempt=_NO_SCALAR,
    bad=[Bad((np.ones((2, 3)), 2), {}, RuntimeError, "square matrices, but they are 2 by 3")],
)
def matrix_power(input, n):
    """``input @ input @ ...``, n factors; the inverse's for negative n.

    >>> matrix_power(np.array([[1.0, 1.0], [0.0, 1.0]]), 5)
    array([[1., 5.],
           [0., 1.]])
    """
    if input.ndim < 2 or input.shape[-1] != input.shape[-2]:
        square_matrix("linalg.matrix_power", input)
    if n < 0:
        return matrix_power(inverse(input), -n)
    if n == 0:
        identity = np.eye(input.shape[-1], dtype=np.int64)
        return cast(add(mul(input, 0), identity), array_of(input).dtype)
    half = input if n == 1 else matrix_power(input, n // 2)
    if n == 1:
        return half
    doubled = matmul(half, half)
    return matmul(doubled, input) if n % 2 else doubled


def _exp_reference(input):
    result = term = np.broadcast_to(np.eye(input.shape[-1]), input.shape)
    for k in range(1, 60):
        term = np.matmul(term, input) / k
        result = result + term
    return result


@composite(
    samples=lambda rng: iter(
        [case(spaced(rng, (3, 3))), case(spaced(rng, (2, 2, 2)) * 2), case(np.ones((0, 2, 2)))]
    ),
    reference=_exp_reference,
    exempt=_NO_SCALAR,
    bad=_BAD,
)
def matrix_exp(input):
    """The exponential series of square matrices, by scaling and squaring.

    Source: Higham 2005, https://doi.org/10.1137/04061101X; here with a Taylor polynomial of order 12.

    >>> matrix_exp(np.array([[0.0, 1.0], [0.0, 0.0]]))
    array([[1., 1.],
           [0., 1.]])
    """
    square_matrix("linalg.matrix_exp", input)
    values = array_of(input)
    largest = np.abs(values).sum(-1).max() if values.size else 0.0
    squarings = (
        max(0, int(np.ceil(np.log2(largest))) + 2) if largest > 0 else 0
    )  # then the norm is below 1/4
    small = mul(input, 0.5**squarings)
    identity = np.eye(values.shape[-1], dtype=values.dtype)
    result = add(mul(small, 1 / 12), identity)
    for k in range(11, 0, -1):
        result = add(mul(matmul(small, result), 1 / k), identity)
    for _ in range(squarings):
        result = matmul(result, result)
    return result
