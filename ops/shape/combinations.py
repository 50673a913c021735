"""Matrices and lists put together from vectors."""

from __future__ import annotations

import itertools

import numpy as np

from ops.core import Bad, case, composite
from ops.elementwise.arithmetic import mul
from ops.indexing.slices import index_select
from ops.reduction.scan import cumprod
from ops.samples import spaced
from ops.shape.arrange import flip
from ops.shape.diagonals import diag
from ops.shape.grids import meshgrid
from ops.shape.join import cat, stack
from ops.shape.layout import reshape, unsqueeze
from ops.shape.padding import pad
from ops.shape.views import atleast_2d

__all__ = ["block_diag", "cartesian_prod", "combinations", "diagflat", "vander"]


def _block_reference(*tensors):
    blocks = [np.atleast_2d(block) for block in tensors]
    result = np.zeros([sum(block.shape[place] for block in blocks) for place in (0, 1)])
    row = column = 0
    for block in blocks:
        result[row:row + block.shape[0], column:column + block.shape[1]] = block
        row, column = row + block.shape[0], column + block.shape[1]
    return result


@composite(
    differentiable=("tensors",), reference=_block_reference,
    samples=lambda rng: iter([case(spaced(rng, (2, 3)), spaced(rng, (2,)), spaced(rng, ())),
                              case(spaced(rng, (0, 2)), spaced(rng, (1, 1)))]),
    bad=[Bad((np.ones((1, 1, 1)),), {}, RuntimeError, "must have 2 or fewer dimensions")],
)
def block_diag(*tensors):
    """A matrix with the given matrices along its diagonal, zeros elsewhere.

    >>> block_diag(np.ones((1, 2)), np.array(3.0))
    array([[1., 1., 0.],
           [0., 0., 3.]])
    """
    for tensor in tensors:
        if tensor.ndim > 2:
            raise RuntimeError("torch.block_diag: Input tensors must have 2 or fewer dimensions, got shape "
                               f"{tuple(tensor.shape)}")
    blocks = [atleast_2d(tensor) for tensor in tensors]
    width, before, rows = sum(block.shape[1] for block in blocks), 0, []
    for block in blocks:
        rows.append(pad(block, (before, width - before - block.shape[1])))
        before += block.shape[1]
    return cat(rows, 0)


@composite(
    differentiable=("tensors",),
    samples=lambda rng: iter([case(spaced(rng, (2,)), spaced(rng, (3,))), case(spaced(rng, (3,))),
                              case(spaced(rng, (0,)), spaced(rng, (2,)))]),
    reference=lambda *tensors: np.array(list(itertools.product(*tensors))).reshape(-1, len(tensors))
    if len(tensors) > 1 else tensors[0],
    exempt={"zero_dim": "takes vectors"},
    bad=[Bad((np.ones((2, 2)),), {}, RuntimeError, "Expect a 1D vector")],
)
def cartesian_prod(*tensors):
    """All pairs (triples, ...) of elements, one of each vector, as rows; the last vector runs fastest.

    >>> cartesian_prod(np.array([1, 2]), np.array([5, 6])).tolist()
    [[1, 5], [1, 6], [2, 5], [2, 6]]
    """
    for tensor in tensors:
        if tensor.ndim != 1:
            raise RuntimeError(f"Expect a 1D vector, but got shape {list(tensor.shape)}; flatten it first")
    if len(tensors) == 1:
        return tensors[0]
    return stack([reshape(grid, (-1,)) for grid in meshgrid(*tensors, indexing="ij")], 1)


@composite(
    samples=lambda rng: iter([case(spaced(rng, (4,))), case(spaced(rng, (3,)), 3),
                              case(spaced(rng, (3,)), 2, with_replacement=True), case(spaced(rng, (0,)))]),
    reference=lambda input, r=2, with_replacement=False: np.array(list(
        (itertools.combinations_with_replacement if with_replacement else itertools.combinations)(input, r),
    )).reshape(-1, r),
    exempt={"zero_dim": "takes a vector"},
    bad=[Bad((np.ones((2, 2)),), {}, RuntimeError, "Expect a 1D vector"),
         Bad((np.ones(2), -1), {}, RuntimeError, "non-negative number")],
)
def combinations(input, r=2, with_replacement=False):
    """All choices of ``r`` elements of a vector as rows, in the order of `itertools.combinations`.

    >>> combinations(np.array([1, 2, 3])).tolist()
    [[1, 2], [1, 3], [2, 3]]
    """
    if input.ndim != 1:
        raise RuntimeError(f"Expect a 1D vector, but got shape {list(input.shape)}")
    if r < 0:
        raise RuntimeError(f"Expect a non-negative number, but got {r}")
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    places = np.array(list(choose(range(input.shape[0]), r)), np.int64).reshape(-1)
    return reshape(index_select(input, 0, places), (places.size // r if r else 0, r))


@composite(
    samples=lambda rng: iter([case(spaced(rng, (2, 2))), case(spaced(rng, (3,)), 1), case(spaced(rng, ())),
                              case(spaced(rng, (0,)))]),
    reference=lambda input, offset=0: np.diagflat(input, offset),
    bad=[Bad(([1.0],), {}, TypeError, "must be Tensor, not list")],
)
def diagflat(input, offset=0):
    """A matrix with all elements of ``input`` on a diagonal.

    >>> diagflat(np.array([1, 2]))
    array([[1, 0],
           [0, 2]])
    """
    return diag(reshape(input, (-1,)), offset)


@composite(
    differentiable=("x",),
    samples=lambda rng: iter([case(spaced(rng, (3,))), case(spaced(rng, (3,)), 2),
                              case(spaced(rng, (2,)), 4, increasing=True), case(spaced(rng, (0,)), 2)]),
    reference=lambda x, N=None, increasing=False: np.vander(x, N, increasing),
    exempt={"zero_dim": "takes a vector"},
    bad=[Bad((np.ones((2, 2)),), {}, RuntimeError, "one-dimensional")],
)
def vander(x, N=None, increasing=False):
    """The powers of a vector's elements as rows: ``x ** (N - 1), ..., x, 1``, or from 1 upwards.

    >>> vander(np.array([2, 3]), 3)
    array([[4, 2, 1],
           [9, 3, 1]])
    """
    if x.ndim != 1:
        raise RuntimeError(f"x must be a one-dimensional tensor, got shape {tuple(x.shape)}")
    count = x.shape[0] if N is None else N
    if count < 0:
        raise RuntimeError(f"N must be non-negative, got {count}")
    column = unsqueeze(x, 1)
    one = mul(column, 0) + 1
    powers = cumprod(cat([one, *[column] * (count - 1)], 1), 1) if count else reshape(x[:0], (x.shape[0], 0))
    return powers if increasing else flip(powers, (1,))
