"""Views of several arrays in a common shape: broadcasting to a size, to each other, and to a grid."""

from __future__ import annotations

import functools

import numpy as np

from ops.broadcasting import broadcast_shapes, expand, sum_to
from ops.core import Bad, case, composite, dtype_of, op, shape_of
from ops.samples import spaced
from ops.shape.layout import reshape, transpose
from ops.shape.views import several

__all__ = ["along_axis", "broadcast_tensors", "broadcast_to", "expand_as", "meshgrid"]


@op(
    grad=dict(input=lambda g, input_shape: sum_to(g, input_shape)), view=True,
    samples=lambda rng: iter([case(spaced(rng, (3, 1)), (2, 3, 2)), case(spaced(rng, ()), (2,)),
                              case(spaced(rng, (0, 1)), (0, 3))]),
    reference=lambda input, size: np.broadcast_to(input, size),
    bad=[Bad((np.ones((2, 3)), (2, 4)), {}, RuntimeError, r"expanded size.*\(4\).*existing size \(3\)")],
)
def broadcast_to(input, size):
    """`expand` under NumPy's name: a view in which axes of size 1 are repeated.

    >>> broadcast_to(np.ones(3), (2, 3)).shape
    (2, 3)
    """
    return expand.forward(input, size)


@composite(
    samples=lambda rng: iter([case(spaced(rng, (3, 1)), np.ones((2, 3, 2))),
                              case(spaced(rng, ()), np.ones(())),
                              case(spaced(rng, (0, 1)), np.ones((0, 3)))]),
    reference=lambda input, other: input + np.zeros_like(other),
    bad=[Bad((np.ones((2, 3)), np.ones(3)), {}, RuntimeError, "number of sizes provided")],
)
def expand_as(input, other):
    """`expand` to the shape of ``other``.

    >>> expand_as(np.ones(3), np.zeros((2, 3))).shape
    (2, 3)
    """
    return expand(input, shape_of(other))


@composite(
    differentiable=("tensors",),
    samples=lambda rng: iter([case(spaced(rng, (3, 1)), spaced(rng, (2,)), spaced(rng, ())),
                              case(spaced(rng, (0, 1)), spaced(rng, (2,)))]),
    reference=lambda *tensors: tuple(np.broadcast_arrays(*tensors)),
    bad=[Bad((np.ones(2), np.ones(3)), {}, RuntimeError, r"size of tensor a \(2\) must match.*b \(3\)")],
)
def broadcast_tensors(*tensors):
    """Views of the arrays in their common shape.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.broadcast_tensors.html

    >>> [a.shape for a in broadcast_tensors(np.ones((3, 1)), np.ones(2))]
    [(3, 2), (3, 2)]
    """
    tensors = several(tensors)
    shape = broadcast_shapes(*(tuple(tensor.shape) for tensor in tensors))
    return tuple(expand(tensor, shape) for tensor in tensors)


@functools.lru_cache(maxsize=1024)
def _column(shape: tuple[int, ...], axis: int) -> tuple[int, ...]:
    """The shape whose only size is that of ``axis``."""
    return tuple([size if position == axis else 1 for position, size in enumerate(shape)])


@op(
    grad=dict(input=lambda g, input_shape, shape, axis: reshape(
        sum_to(g, _column(shape, axis)), input_shape)),
    view=True,
    samples=lambda rng: iter([case(spaced(rng, (3,)), (2, 3, 4), 1), case(spaced(rng, (2,)), (2,), 0),
                              case(spaced(rng, ()), (1, 3), 0), case(spaced(rng, (0,)), (0, 2), 0)]),
    reference=lambda input, shape, axis: np.array([
        input.flat[place[axis]] for place in np.ndindex(shape)]).reshape(shape),
    exempt=dict(bad="meshgrid checks"),
)
def along_axis(input, shape, axis):
    """View of a vector that lies along one axis of ``shape`` and is repeated along the others.

    >>> along_axis(np.array([1.0, 2.0]), (2, 3), 0)
    array([[1., 1., 1.],
           [2., 2., 2.]])
    """
    return expand.forward(input.reshape(_column(shape, axis)), shape)


def _meshgrid_cases(rng):
    yield case(spaced(rng, (2,)), spaced(rng, (3,)))
    yield case(spaced(rng, (2,)), spaced(rng, (3,)), spaced(rng, ()), indexing="xy")
    yield case(spaced(rng, (2,)), spaced(rng, (0,)))


@composite(
    differentiable=("tensors",), samples=_meshgrid_cases,
    reference=lambda *tensors, indexing="ij": tuple(np.meshgrid(*tensors, indexing=indexing)),
    bad=[Bad((np.ones((2, 2)),), {}, RuntimeError, r"Expected 0D or 1D.*\[2, 2\]"),
         Bad((), {}, RuntimeError, "non-empty"),
         Bad((np.ones(2),), dict(indexing="zz"), RuntimeError,
             'indexing must be one of "xy" or "ij".*zz'),
         Bad((np.ones(2), np.ones(2, np.int64)), {}, RuntimeError, "same dtype")],
)
def meshgrid(*tensors, indexing=None):
    """Coordinates of a grid: for 1-D arrays of sizes n1, n2, ... one view of shape (n1, n2, ...) each.

    Args:
        indexing: ``"ij"`` (default) as said, ``"xy"`` with the first two dimensions swapped.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.meshgrid.html

    >>> rows, columns = meshgrid(np.arange(2), np.arange(3))
    >>> columns
    array([[0, 1, 2],
           [0, 1, 2]])
    """
    tensors = several(tensors)
    if not tensors:
        raise RuntimeError("meshgrid expects a non-empty TensorList")
    if indexing not in (None, "ij", "xy"):
        raise RuntimeError(f'meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}')
    if len({dtype_of(tensor) for tensor in tensors}) > 1:
        raise RuntimeError("meshgrid expects all tensors to have the same dtype")
    shape = ()
    for size in map(shape_of, tensors):
        if len(size) > 1:
            raise RuntimeError("meshgrid: Expected 0D or 1D tensor in the tensor list but got one of "
                               f"shape {list(size)}")
        shape += size or (1,)
    grids = [along_axis(tensor, shape, axis) for axis, tensor in enumerate(tensors)]
    if indexing == "xy" and len(grids) > 1:
        grids = [transpose(grid, 0, 1) for grid in grids]
    return tuple(grids)
