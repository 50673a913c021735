"""Distances between the rows of matrices."""

from __future__ import annotations

import numpy as np

from ops.core import Bad, case, composite
from ops.elementwise.arithmetic import sub
from ops.indexing.slices import index_select
from ops.reduction.norms import vector_norm
from ops.samples import spaced
from ops.shape.layout import reshape, unsqueeze

__all__ = ["cdist", "dist", "pdist"]


def _rows_reference(x1, x2, p=2.0, compute_mode=None):
    gap = np.abs(x1[..., :, None, :] - x2[..., None, :, :])
    return gap.max(-1) if p == np.inf else (gap**p).sum(-1) ** (1 / p)


def _cdist_cases(rng):
    for p in (2.0, 1.0, 3.0, np.inf):
        yield case(spaced(rng, (3, 2)), spaced(rng, (4, 2)) + 0.013, p)
    yield case(spaced(rng, (2, 3, 2)), spaced(rng, (2, 1, 2)) + 0.013)
    yield case(spaced(rng, (0, 2)), spaced(rng, (3, 2)))


@composite(
    differentiable=("x1", "x2"),
    samples=_cdist_cases,
    reference=_rows_reference,
    exempt={"zero_dim": "takes matrices"},
    bad=[
        Bad((np.ones((2, 3)), np.ones((2, 4))), {}, RuntimeError, "same number of columns.*3.*4"),
        Bad((np.ones(3), np.ones((2, 3))), {}, RuntimeError, "at least two dimensions"),
        Bad((np.ones((2, 3)), np.ones((2, 3)), -1.0), {}, RuntimeError, "non-negative p"),
    ],
)
def cdist(x1, x2, p=2.0, compute_mode="use_mm_for_euclid_dist_if_necessary"):
    """The p-norm distance of every row of ``x1`` from every row of ``x2``.

    Args:
        x1: (..., P, M).
        x2: (..., R, M).

    Returns:
        (..., P, R).

    Differences are taken directly, whatever ``compute_mode`` says: exact also for rows close together.

    >>> cdist(np.array([[0.0, 0.0]]), np.array([[3.0, 4.0], [1.0, 0.0]]))
    array([[5., 1.]])
    """
    for name, value in (("X1", x1), ("X2", x2)):
        if value.ndim < 2:
            raise RuntimeError(
                f"cdist only supports at least 2D tensors, with at least two dimensions, {name} got: "
                f"{value.ndim}D"
            )
    if x1.shape[-1] != x2.shape[-1]:
        raise RuntimeError(
            f"X1 and X2 must have the same number of columns. X1: {x1.shape[-1]} X2: {x2.shape[-1]}"
        )
    if p < 0:
        raise RuntimeError(f"cdist only supports non-negative p values, got {p}")
    return vector_norm(sub(unsqueeze(x1, -2), unsqueeze(x2, -3)), p, -1)


@composite(
    samples=lambda rng: iter(
        [
            case(spaced(rng, (4, 3))),
            case(spaced(rng, (3, 2)), 1.0),
            case(spaced(rng, (1, 2))),
            case(spaced(rng, (0, 2))),
        ]
    ),
    reference=lambda input, p=2.0: np.array(
        [
            _rows_reference(input[i : i + 1], input[j : j + 1], p)[0, 0]
            for i in range(len(input))
            for j in range(i + 1, len(input))
        ]
    ),
    exempt={"zero_dim": "takes a matrix"},
    bad=[Bad((np.ones((2, 2, 2)),), {}, RuntimeError, "2D tensors")],
)
def pdist(input, p=2.0):
    """The p-norm distances of all pairs of rows of a matrix, in the order (0, 1), (0, 2), ..., (1, 2), ...

    >>> pdist(np.array([[0.0], [1.0], [3.0]]))
    array([1., 3., 2.])
    """
    if input.ndim != 2:
        raise RuntimeError(f"pdist only supports 2D tensors, got: {input.ndim}D")
    first, second = np.triu_indices(input.shape[0], 1)
    return vector_norm(sub(index_select(input, 0, first), index_select(input, 0, second)), p, -1)


@composite(
    differentiable=("input", "other"),
    samples=lambda rng: iter(
        [
            case(spaced(rng, (2, 3)), spaced(rng, (3,)) + 0.013),
            case(spaced(rng, (3,)), spaced(rng, (3,)) + 0.013, 1),
            case(spaced(rng, ()), np.asarray(0.7)),
            case(np.ones((0,)), np.ones((0,))),
        ]
    ),
    reference=lambda input, other, p=2: (np.abs(input - other) ** p).sum() ** (1 / p),
    bad=[Bad((np.ones(2), np.ones(3)), {}, RuntimeError, r"size of tensor a \(2\) must match")],
)
def dist(input, other, p=2):
    """The p-norm of ``input - other``.

    >>> dist(np.array([3.0, 0.0]), np.array([0.0, 4.0]))
    np.float64(5.0)
    """
    return vector_norm(reshape(sub(input, other), (-1,)), p)
