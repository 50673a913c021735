"""Views that follow from `reshape` and `permute`: dimensions split, merged, added, renamed and moved."""

from __future__ import annotations

import math

import numpy as np

from ops.core import Bad, case, composite, op, shape_of
from ops.dims import wrap_dim
from ops.samples import NO_TENSOR, spaced
from ops.shape.layout import permute, reshape, transpose, view

__all__ = ["atleast_1d", "atleast_2d", "atleast_3d", "moveaxis", "movedim", "ravel", "reshape_as",
           "swapaxes",
           "swapdims", "t", "unflatten", "view_as"]


# ------------------------------------------------------------------ shapes


def _unary(rng):
    for shape in ((), (3,), (2, 3), (0, 2)):
        yield case(spaced(rng, shape))


def _in_order(input, shape):
    return np.array(list(input.flat)).reshape(shape)


def _two(rng):
    yield case(spaced(rng, (2, 6)), np.ones((3, 4)))
    yield case(spaced(rng, ()), np.ones(1))
    yield case(spaced(rng, (0, 2)), np.ones((4, 0)))


@composite(samples=_two, reference=lambda input, other: _in_order(input, other.shape),
           bad=[Bad((np.ones(2), np.ones(3)), {}, RuntimeError, "is invalid for input of size 2")])
def reshape_as(input, other):
    """``input`` in the shape of ``other``.

    >>> reshape_as(np.arange(4), np.ones((2, 2))).shape
    (2, 2)
    """
    return reshape(input, shape_of(other))


@composite(samples=_two, reference=lambda input, other: _in_order(input, other.shape),
           exempt=dict(layout="strided memory is refused"),
           bad=[Bad((np.ones(2), np.ones(3)), {}, RuntimeError, "is invalid for input of size 2")])
def view_as(input, other):
    """A view of ``input`` in the shape of ``other``; see `view`.

    >>> view_as(np.arange(4), np.ones((2, 2))).shape
    (2, 2)
    """
    return view(input, shape_of(other))


@composite(samples=_unary, reference=lambda input: np.array(list(input.flat)), bad=[NO_TENSOR])
def ravel(input):
    """All elements in one dimension.

    >>> ravel(np.ones((2, 3))).shape
    (6,)
    """
    return reshape(input, (-1,))


@composite(
    samples=lambda rng: iter([case(spaced(rng, (3, 6)), 1, (2, -1)), case(spaced(rng, (3, 6)), -2, (3,)),
                              case(spaced(rng, (0, 4)), 1, (2, 2))]),
    reference=lambda input, dim, sizes: _in_order(
        input, input.shape[:dim] + tuple(sizes) + input.shape[dim % input.ndim + 1:]),
    exempt=dict(zero_dim="there is no dimension to split"),
    bad=[Bad((np.ones((2, 4)), 1, (3, 2)), {}, RuntimeError,
             r"sizes \[3, 2\] don't multiply up to.*dim 1 \(4\)"),
         Bad((np.ones((2, 4)), 1, ()), {}, RuntimeError, "sizes must be non-empty"),
         Bad((np.ones((2, 4)), 2, (1,)), {}, IndexError, "Dimension out of range")],
)
def unflatten(input, dim, sizes):
    """Dimension ``dim`` split into several of the given sizes, one of which may be -1.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.unflatten.html

    >>> unflatten(np.ones((2, 12)), 1, (3, -1)).shape
    (2, 3, 4)
    """
    dim, sizes, shape = wrap_dim(dim, input.ndim), tuple(sizes), tuple(input.shape)
    if not sizes:
        raise RuntimeError("unflatten: sizes must be non-empty")
    known = math.prod(n for n in sizes if n != -1)
    fits = known > 0 and shape[dim] % known == 0 if sizes.count(-1) == 1 else known == shape[dim]
    if not fits or sizes.count(-1) > 1:
        raise RuntimeError(f"unflatten: Provided sizes {list(sizes)} don't multiply up to the size of "
                           f"dim {dim} ({shape[dim]}) in the input tensor")
    sizes = tuple(shape[dim] // known if n == -1 else n for n in sizes)
    return reshape(input, (*shape[:dim], *sizes, *shape[dim + 1:]))

# ------------------------------------------------------------------ order of dimensions


swapdims = transpose
"""Another name of `transpose`."""


@composite(
    samples=lambda rng: iter([case(spaced(rng, (2, 3, 4)), 0, -1), case(spaced(rng, ()), 0, 0),
                              case(spaced(rng, (0, 3)), 0, 1)]),
    reference=lambda input, axis0, axis1: np.swapaxes(input, axis0, axis1) if input.ndim else input,
    bad=[Bad((np.ones((2, 3)), 0, 2), {}, IndexError, "Dimension out of range")],
)
def swapaxes(input, axis0, axis1):
    """`transpose` under NumPy's name.

    >>> swapaxes(np.ones((2, 3)), 0, 1).shape
    (3, 2)
    """
    return transpose(input, axis0, axis1)


@op(grad=dict(input=lambda g: t(g)), view=True,
    samples=lambda rng: (case(spaced(rng, shape)) for shape in ((), (3,), (2, 3), (2, 2), (0, 2))),
    reference=np.transpose,
    bad=[Bad((np.ones((2, 3, 4)),), {}, RuntimeError, r"t\(\) expects a tensor with <= 2 dim.*3D")])
def t(input):
    """The transposed matrix, as a view; arrays of fewer than two dimensions as they are.

    >>> t(np.ones((2, 3))).shape
    (3, 2)
    """
    if input.ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {input.ndim}D; use "
                           "transpose(dim0, dim1), or .mT for a batch of matrices")
    return input.T


@composite(
    samples=lambda rng: iter([case(spaced(rng, (2, 3, 4)), 0, 2),
                              case(spaced(rng, (2, 3, 4)), (0, -1), (1, 0)),
                              case(spaced(rng, ()), 0, 0), case(spaced(rng, (0, 3)), 1, 0)]),
    reference=lambda input, source, destination: (
        np.moveaxis(input, source, destination) if input.ndim else input),
    bad=[Bad((np.ones((2, 3)), (0, 1), (1,)), {}, RuntimeError,
             r"source \(\[0, 1\] dims\) should contain the same"),
         Bad((np.ones((2, 3)), (0, 0), (0, 1)), {}, RuntimeError, "repeated dim in `source`"),
         Bad((np.ones((2, 3)), (0, 1), (1, 1)), {}, RuntimeError, "repeated dim in `destination`"),
         Bad((np.ones((2, 3)), 2, 0), {}, IndexError, "Dimension out of range")],
)
def movedim(input, source, destination):
    """A view with the dimensions ``source`` moved to the positions ``destination``; the others keep
    their order.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.movedim.html

    >>> movedim(np.ones((2, 3, 4)), 0, -1).shape
    (3, 4, 2)
    """
    given = [tuple(dims) if hasattr(dims, "__iter__") else (dims,) for dims in (source, destination)]
    if len(given[0]) != len(given[1]):
        raise RuntimeError(f"movedim: Invalid source or destination dims: source ({list(given[0])} "
                           "dims) should contain the same number of dims as destination "
                           f"({list(given[1])} dims)")
    wrapped = [[wrap_dim(d, input.ndim) for d in dims] for dims in given]
    for name, dims, original in zip(("source", "destination"), wrapped, given):
        if len(set(dims)) != len(dims):
            raise RuntimeError(f"movedim: repeated dim in `{name}` ({list(original)})")
    if input.ndim == 0:
        return reshape(input, ())
    order = [d for d in range(input.ndim) if d not in wrapped[0]]
    for position, dim in sorted(zip(wrapped[1], wrapped[0])):
        order.insert(position, dim)
    return permute(input, tuple(order))


moveaxis = movedim
"""Another name of `movedim`."""


# ------------------------------------------------------------------ more dimensions


def several(tensors) -> tuple:
    """The arguments of a function that takes arrays one by one or in a single sequence.

    >>> several(([1, 2],))
    (1, 2)
    """
    return tuple(tensors[0]) if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)) else tensors


def _atleast_cases(rng):
    for shape in ((), (3,), (2, 3), (0, 2, 1)):
        yield case(spaced(rng, shape))
    yield case(spaced(rng, (2,)), spaced(rng, ()))


def _each(function):
    """A function of one array, for one array or several."""
    return lambda *tensors: tuple(map(function, tensors)) if len(tensors) > 1 else function(*tensors)


def _with_dims(tensors, count: int):
    """Arrays with at least ``count`` dimensions: new ones in front, the third one at the end."""
    def one(tensor):
        shape = tuple(tensor.shape)
        if len(shape) >= count:
            return tensor
        front = (1,) * max(min(count, 2) - len(shape), 0)
        return reshape(tensor, front + shape + (1,) * (count - len(shape) - len(front)))

    results = tuple(map(one, several(tensors)))
    return results[0] if len(tensors) == 1 and not isinstance(tensors[0], (tuple, list)) else results


_NUMBER = Bad((1.5,), {}, TypeError, "must be Tensor, not float")


@composite(differentiable=("tensors",), samples=_atleast_cases, reference=_each(np.atleast_1d),
           bad=[_NUMBER])
def atleast_1d(*tensors):
    """Each array with at least one dimension; several arrays, or a sequence of them, give a tuple.

    >>> atleast_1d(np.array(2.0))
    array([2.])
    """
    return _with_dims(tensors, 1)


@composite(differentiable=("tensors",), samples=_atleast_cases, reference=_each(np.atleast_2d),
           bad=[_NUMBER])
def atleast_2d(*tensors):
    """Each array with at least two dimensions, new ones in front; several arrays give a tuple.

    >>> atleast_2d(np.ones(3)).shape
    (1, 3)
    """
    return _with_dims(tensors, 2)


@composite(differentiable=("tensors",), samples=_atleast_cases, reference=_each(np.atleast_3d),
           bad=[_NUMBER])
def atleast_3d(*tensors):
    """Each array with at least three dimensions: (n,) becomes (1, n, 1) and (m, n) becomes (m, n, 1).

    >>> atleast_3d(np.ones(3)).shape
    (1, 3, 1)
    """
    return _with_dims(tensors, 3)
