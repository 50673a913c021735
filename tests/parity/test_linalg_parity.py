"""``linalg``: values and gradients, put together again, refused."""

import numpy as np
import pytest
from side_by_side import both

import tinygrad_hw as thw

torch = pytest.importorskip("torch")

RNG = np.random.Generator(np.random.Philox(3))
A = RNG.normal(size=(3, 3))
BATCH = RNG.normal(size=(2, 3, 3)) + 3 * np.eye(3)
SYMMETRIC = A @ A.T + np.eye(3)
TALL = RNG.normal(size=(5, 2))

LINALG = [
    ("inv", (BATCH,)),
    ("det", (BATCH,)),
    ("slogdet", (A,)),
    ("slogdet", (-BATCH,)),
    ("cholesky", (SYMMETRIC,)),
    ("svdvals", (TALL,)),
    ("svdvals", (TALL.T,)),
    ("pinv", (TALL,)),
    ("matrix_exp", (A,)),
    ("norm", (A,)),
    ("eigvalsh", (SYMMETRIC,)),
    ("solve", (A, TALL[:3])),
    ("solve", (A, TALL[:3, 0])),
    ("solve", (BATCH, TALL[:3])),
    ("cond", (A,)),
    ("vecdot", (A, SYMMETRIC)),
    ("matrix_norm", (BATCH,)),
    ("vector_norm", (A,)),
]


@pytest.mark.parametrize(
    "name, arrays", LINALG, ids=[f"{name}-{i}" for i, (name, _) in enumerate(LINALG)]
)
def test_linalg(name, arrays):
    both(lambda library, *tensors: getattr(library.linalg, name)(*tensors), *arrays)


@pytest.mark.parametrize("ord", ["fro", "nuc", 2, -2, 1, -1, np.inf, -np.inf])
def test_matrix_norms(ord):
    both(lambda library, x: library.linalg.norm(x, ord), A)
    both(
        lambda library, x: library.linalg.matrix_norm(x, ord, dim=(0, 2), keepdim=True),
        RNG.normal(size=(3, 2, 4)),
    )
    if ord != "nuc" and ord not in (2, -2):
        both(lambda library, x: library.linalg.cond(x.detach(), ord), A)


@pytest.mark.filterwarnings("ignore")
def test_linalg_with_options():
    both(lambda library, x, b: library.linalg.lstsq(x, b)[0], TALL, RNG.normal(size=(5, 3)))
    both(
        lambda library, x, b: library.linalg.lstsq(x.detach(), b.detach(), driver="gelsd").residuals,
        TALL,
        RNG.normal(size=(5, 3)),
    )
    both(lambda library, x, b: library.linalg.solve(x, b, left=False), A, TALL[:2, :1] * np.ones((2, 3)))
    both(lambda library, x: library.linalg.cholesky(x, upper=True), SYMMETRIC)
    both(lambda library, x: library.cholesky(x, upper=True), SYMMETRIC)
    both(lambda library, x: library.linalg.multi_dot([x, x[:, :2], x[:2]]), A)
    both(lambda library, x: library.linalg.matrix_rank(x.detach()), np.ones((3, 2)))
    both(lambda library, x: library.linalg.pinv(x, rtol=0.5), np.diag([3.0, 2.0, 1.0]))
    both(lambda library, x: library.logdet(x), SYMMETRIC)
    for upper, unitriangular in ((True, False), (False, True)):
        both(
            lambda library, x, b: library.linalg.solve_triangular(
                x, b, upper=upper, unitriangular=unitriangular
            ),
            A,
            TALL[:3],
        )


@pytest.mark.parametrize("matrix", [TALL, TALL.T, BATCH])
def test_decompositions_put_the_matrix_together_again(matrix):
    x = thw.tensor(matrix)
    for full in (False, True):
        U, S, Vh = thw.linalg.svd(x, full_matrices=full)
        shapes = [
            tuple(part.shape) for part in torch.linalg.svd(torch.tensor(matrix), full_matrices=full)
        ]
        assert [U.shape, S.shape, Vh.shape] == shapes
        k = S.shape[-1]
        np.testing.assert_allclose((U[..., :k] * S.unsqueeze(-2)) @ Vh[..., :k, :], matrix, atol=1e-12)
    np.testing.assert_allclose(thw.svd(x)[1], torch.svd(torch.tensor(matrix))[1], atol=1e-12)
    for mode in ("reduced", "complete"):
        Q, R = thw.linalg.qr(x, mode)
        assert [Q.shape, R.shape] == [
            tuple(p.shape) for p in torch.linalg.qr(torch.tensor(matrix), mode)
        ]
        np.testing.assert_allclose(Q @ R, matrix, atol=1e-12)
    np.testing.assert_allclose(thw.qr(x)[0] @ thw.qr(x)[1], matrix, atol=1e-12)


def test_eigenvectors():
    both(lambda library, x: library.linalg.eigh(x).eigenvalues, SYMMETRIC)
    both(lambda library, x: library.linalg.eigh(x).eigenvectors.abs(), SYMMETRIC)


@pytest.mark.parametrize(
    "name, arguments",
    [("svd", ()), ("qr", ()), ("solve", (thw.ones(2, 2),)), ("cholesky", ()), ("inv", ())],
)
def test_linalg_refuses(name, arguments):
    with pytest.raises(
        (RuntimeError, np.linalg.LinAlgError), match="no gradient|singular|positive-definite"
    ):
        getattr(thw.linalg, name)(thw.ones(2, 2).mul(-1).requires_grad_(), *arguments)
