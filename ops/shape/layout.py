"""Copies, and views of the same memory in another shape or with the dimensions in another order.

`ops.shape.views` goes on with the views that follow from these, `ops.indexing.gather` with parts of an array,
and `ops.shape.arrange` with copies in another arrangement.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from ops.core import Bad, case, dtype_of, op
from ops.dims import wrap_dim, wrap_dims
from ops.promotion import as_dtype
from ops.samples import NO_TENSOR, spaced

__all__ = ["cast", "clone", "contiguous", "flatten", "permute", "reshape", "squeeze", "transpose",
           "unsqueeze", "view", "view_scatter", "zeros_like_view"]


# ------------------------------------------------------------------ copies


@op(
    grad=dict(input=lambda g: g),
    samples=lambda rng: (case(spaced(rng, shape), np.float64) for shape in ((), (2, 3), (0,))),
    reference=lambda input, dtype: np.array(input, dtype),
    bad=[Bad((np.ones(2), "complex64"), {}, TypeError, "complex64 is not supported")],
)
def cast(input, dtype):
    """A copy of ``input`` in another dtype; the same object if it has that dtype already.

    >>> cast(np.array([1.7]), np.int64)
    array([1])
    """
    return input.astype(as_dtype(dtype), copy=False)


@op(
    grad=dict(input=lambda g: g),
    samples=lambda rng: (case(spaced(rng, shape)) for shape in ((), (2, 3), (0,))),
    reference=np.array, bad=[NO_TENSOR],
)
def clone(input, *, memory_format=None):
    """A contiguous copy with the same history.

    >>> clone(np.array([1.0]))
    array([1.])
    """
    return input.copy(order="C")


@op(
    grad=dict(input=lambda g: g),
    view=True,
    samples=lambda rng: iter([case(spaced(rng, ())), case(spaced(rng, (2, 3)).T),
                              case(spaced(rng, (0, 2)))]),
    reference=lambda input: np.array(input.tolist()).reshape(input.shape), bad=[NO_TENSOR],
)
def contiguous(input, *, memory_format=None):
    """``input`` in row-major memory: itself if its memory is row-major already, else a copy.

    >>> contiguous(np.ones((2, 3)).T).flags.c_contiguous
    True
    """
    return input if input.flags.c_contiguous else np.array(input, order="C")


# ------------------------------------------------------------------ another shape


def _reshape_cases(rng):
    yield case(spaced(rng, (2, 6)), (3, -1))
    yield case(spaced(rng, (1,)), ())
    yield case(spaced(rng, ()), (1, 1))
    yield case(spaced(rng, (0, 3)), (3, 0))


def _strided_cases(rng):
    yield from _reshape_cases(rng)
    yield case(spaced(rng, (2, 3, 4)).transpose(1, 0, 2), (6, 4))


def _reshape_reference(input, shape):
    return np.array(list(input.flat)).reshape(shape)


_BAD_SHAPES = [
    Bad((np.ones(6), (4, -1)), {}, RuntimeError, r"shape '\[4, -1\]' is invalid for input of size 6"),
    Bad((np.ones(6), (-1, -1)), {}, RuntimeError, "only one dimension can be inferred"),
    Bad((np.ones(6), (-2, 3)), {}, RuntimeError, "invalid shape dimension -2 at index 0"),
    Bad((np.ones((0, 3)), (-1, 0)), {}, RuntimeError, "cannot reshape tensor of 0 elements.*ambiguous"),
]


def _reshaped(input: np.ndarray, shape) -> np.ndarray:
    """``input.reshape(shape)`` with PyTorch's errors."""
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    try:
        result = input.reshape(shape)
        if result.shape == shape or min(shape) >= -1:  # NumPy takes any negative number for -1
            return result
    except ValueError:
        pass
    for position, size in enumerate(shape):
        if size < -1:
            raise RuntimeError(f"invalid shape dimension {size} at index {position} of shape "
                               f"{list(shape)}")
    if shape.count(-1) > 1:
        raise RuntimeError(f"only one dimension can be inferred, shape {list(shape)} leaves "
                           f"{shape.count(-1)} open")
    if -1 in shape and input.size == 0 and math.prod(shape) == 0:
        raise RuntimeError(f"cannot reshape tensor of 0 elements into shape {list(shape)} because the "
                           "unspecified dimension size -1 can be any value and is ambiguous")
    raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {input.size} (shape "
                       f"{list(input.shape)})")


@op(grad=dict(input=lambda g, input_shape: reshape(g, input_shape)), view=True, samples=_strided_cases,
    reference=_reshape_reference, bad=_BAD_SHAPES)
def reshape(input, shape):
    """The elements in row-major order in another shape, as a view where the memory allows it.

    Args:
        shape: sizes; one of them may be -1 and is inferred.

    Raises:
        RuntimeError: if the number of elements does not fit.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.reshape.html

    >>> reshape(np.arange(6), (2, -1))
    array([[0, 1, 2],
           [3, 4, 5]])
    """
    return _reshaped(input, shape)


@op(
    grad=dict(input=lambda g, input_shape: reshape(g, input_shape)), view=True, samples=_reshape_cases,
    reference=_reshape_reference, exempt=dict(layout="strided memory is refused"),
    bad=[*_BAD_SHAPES, Bad((np.ones((2, 3)).T, (6,)), {}, RuntimeError,
                           r"view size is not compatible.*Use \.reshape")],
)
def view(input, shape):
    """Like `reshape`, but an error where the result could not share the memory of ``input``.

    Raises:
        RuntimeError: if strides cannot express the result, or the number of elements does not fit.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.view.html

    >>> view(np.arange(4), (2, 2)).shape
    (2, 2)
    """
    result = _reshaped(input, shape)
    owner = result.base
    if owner is not input and (owner is None or owner is not input.base) and result.size \
            and not np.may_share_memory(result, input):
        raise RuntimeError("view size is not compatible with input tensor's size and stride (at least "
                           "one dimension spans across two contiguous subspaces). Use .reshape(...) "
                           f"instead. (size {list(input.shape)} to {list(result.shape)})")
    return result


def _flatten_reference(input, start_dim=0, end_dim=-1):
    sizes = list(input.shape) or [1]
    start, end = range(len(sizes))[start_dim], range(len(sizes))[end_dim]
    return _reshape_reference(input, sizes[:start] + [math.prod(sizes[start:end + 1])] + sizes[end + 1:])


@op(
    grad=dict(input=lambda g, input_shape: reshape(g, input_shape)), view=True,
    samples=lambda rng: iter([case(spaced(rng, (2, 3, 4))), case(spaced(rng, (2, 3, 4)), 1),
                              case(spaced(rng, ())),
                              case(spaced(rng, (2, 3, 4, 2)), -3, 2), case(spaced(rng, (2, 0, 3)), 1)]),
    reference=_flatten_reference,
    bad=[Bad((np.ones((2, 3)), 1, 0), {}, RuntimeError, "start_dim cannot come after end_dim"),
         Bad((np.ones((2, 3)), 2), {}, IndexError, r"Dimension out of range.*but got 2")],
)
def flatten(input, start_dim=0, end_dim=-1):
    """The dimensions from ``start_dim`` to ``end_dim`` merged into one; a 0-d array becomes 1-D.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.flatten.html

    >>> flatten(np.ones((2, 3, 4)), 1).shape
    (2, 12)
    """
    return input.reshape(_flat(input.shape, start_dim, end_dim))


@functools.lru_cache(maxsize=1024, typed=True)  # True is no dimension
def _flat(shape: tuple[int, ...], start_dim: int, end_dim: int) -> tuple[int, ...]:
    """The shape with the dimensions from ``start_dim`` to ``end_dim`` merged."""
    start, end = wrap_dim(start_dim, len(shape)), wrap_dim(end_dim, len(shape))
    if start > end:
        raise RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim, got "
                           f"{start_dim} and {end_dim} for shape {list(shape)}")
    return (*shape[:start], math.prod(shape[start:end + 1]), *shape[end + 1:])


# ------------------------------------------------------------------ dimensions of size 1


@op(
    grad=dict(input=lambda g, input_shape: reshape(g, input_shape)),
    view=True,
    samples=lambda rng: iter([case(spaced(rng, (1, 3, 1))), case(spaced(rng, (1, 3, 1)), -1),
                              case(spaced(rng, ()), 0),
                              case(spaced(rng, (1, 3, 1)), (0, 1)), case(spaced(rng, (0, 1)))]),
    reference=lambda input, dim=None: _reshape_reference(input, [
        n for d, n in enumerate(input.shape)
        if n != 1 or dim is not None and not {d, d - input.ndim} & set(np.atleast_1d(dim).tolist())]),
    bad=[Bad((np.ones((2, 1)), 2), {}, IndexError, "Dimension out of range"),
         Bad((np.ones((2, 1)), (1, -1)), {}, RuntimeError, "dim 1 appears multiple times")],
)
def squeeze(input, dim=None):
    """A view without the dimensions of size 1: all of them, or those in ``dim``; others in ``dim`` stay.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.squeeze.html

    >>> squeeze(np.ones((1, 3, 1)), 0).shape
    (3, 1)
    """
    if dim is None:
        result = input.squeeze()
    else:
        result = input.squeeze(tuple([d for d in wrap_dims(dim, input.ndim) if input.shape[d:d + 1] == (1,)]))
    return result if result is not input else input[...]


@op(
    grad=dict(input=lambda g, dim: squeeze(g, dim)),
    view=True,
    samples=lambda rng: iter([case(spaced(rng, (2, 3)), d) for d in (0, 2, -1, -3)]
                             + [case(spaced(rng, ()), 0), case(spaced(rng, (0, 2)), 1)]),
    reference=lambda input, dim: np.expand_dims(input, dim),
    bad=[Bad((np.ones((2, 3)), 3), {}, IndexError, r"expected to be in range of \[-3, 2\], but got 3")],
)
def unsqueeze(input, dim):
    """A view with a new dimension of size 1 at position ``dim``.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.unsqueeze.html

    >>> unsqueeze(np.ones((2, 3)), 1).shape
    (2, 1, 3)
    """
    dim = wrap_dim(dim, input.ndim + 1)
    return input[(slice(None),) * dim + (None, ...)]


# ------------------------------------------------------------------ another order of dimensions


@op(
    grad=dict(input=lambda g, dims: permute(g, _inverse(dims))),
    view=True,
    samples=lambda rng: iter([case(spaced(rng, (2, 3, 4)), (2, 0, -2)), case(spaced(rng, ()), ()),
                              case(spaced(rng, (2, 2, 2)), (1, 2, 0)),
                              case(spaced(rng, (0, 3)), (1, 0))]),
    reference=lambda input, dims: np.transpose(input, dims),
    bad=[Bad((np.ones((2, 3)), (0, 0)), {}, RuntimeError, "duplicate dims"),
         Bad((np.ones((2, 3)), (0, 2)), {}, IndexError, "Dimension out of range"),
         Bad((np.ones((2, 3)), (0,)), {}, RuntimeError,
             r"input.dim\(\) = 2 is not equal to len\(dims\) = 1")],
)
def permute(input, dims):
    """A view with the dimensions in another order.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.permute.html

    >>> permute(np.ones((2, 3)), (1, 0)).shape
    (3, 2)
    """
    if len(dims) != input.ndim:
        raise RuntimeError("permute: number of dimensions in the tensor input does not match the "
                           "length of the desired ordering of dimensions i.e. input.dim() = "
                           f"{input.ndim} is not equal to len(dims) = {len(dims)}")
    try:
        return input.transpose(dims)
    except ValueError:  # np.exceptions.AxisError is one
        for dim in dims:
            wrap_dim(dim, input.ndim)
        raise RuntimeError(f"permute(): duplicate dims are not allowed, got {tuple(dims)}") from None


def _inverse(dims: tuple[int, ...]) -> tuple[int, ...]:
    """The permutation that undoes ``dims``."""
    inverse = [0] * len(dims)
    for position, dim in enumerate(dims):
        inverse[dim] = position
    return tuple(inverse)


def _transpose_cases(rng):
    yield case(spaced(rng, (2, 3, 4)), 0, -1)
    yield case(spaced(rng, (2, 3, 4)), 1, 1)
    yield case(spaced(rng, (3, 3)), 1, 0)
    yield case(spaced(rng, ()), 0, -1)
    yield case(spaced(rng, (0, 3)), 0, 1)


def _transpose_reference(input, dim0, dim1):
    order = list(range(input.ndim))
    if order:
        order[dim0], order[dim1] = order[dim1], order[dim0]
    return np.transpose(input, order)


@op(grad=dict(input=lambda g, dim0, dim1: transpose(g, dim0, dim1)), view=True, samples=_transpose_cases,
    reference=_transpose_reference,
    bad=[Bad((np.ones((2, 3)), 0, 2), {}, IndexError, "Dimension out of range")])
def transpose(input, dim0, dim1):
    """A view with two dimensions swapped.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.transpose.html

    >>> transpose(np.ones((2, 3, 4)), 0, 2).shape
    (4, 3, 2)
    """
    if type(dim0) is type(dim1) is int and input.ndim:
        try:
            return input.swapaxes(dim0, dim1)
        except IndexError:  # in PyTorch's words below
            pass
    dim0, dim1 = wrap_dim(dim0, input.ndim), wrap_dim(dim1, input.ndim)
    return input.swapaxes(dim0, dim1) if input.ndim else input[...]


# ------------------------------------------------------------------ back through a chain of views


def _through(value, steps):
    """Apply the view ops ``((op, further arguments, options), ...)`` one after the other."""
    for step, args, kwargs in steps:
        value = step(value, *args, **kwargs)
    return value


def _view_cases(rng):
    from ops.indexing.spans import narrow  # which is written with this module

    yield case(spaced(rng, (2, 3)), spaced(rng, (3, 2)), ((permute, ((1, 0),), {}),))
    yield case(spaced(rng, (3, 3)), spaced(rng, (3, 3)), ((permute, ((1, 0),), {}),))
    yield case(spaced(rng, (3, 4)), spaced(rng, (3, 2)), ((narrow, (1, 1, 2), {}),))
    yield case(spaced(rng, (3, 4)), spaced(rng, (2, 3)), ((permute, ((1, 0),), {}), (narrow, (0, 2, 2), {})))
    yield case(spaced(rng, ()), spaced(rng, ()), ((reshape, ((),), {}),))
    yield case(spaced(rng, (0, 2)), spaced(rng, (0,)), ((reshape, ((0,),), {}),))


def _view_reference(input, source, steps):
    places = np.arange(input.size).reshape(input.shape)
    for step, arguments, _ in steps:
        if step.name == "narrow":
            dim, start, length = arguments
            places = places.take(range(start, start + length), dim)
        else:
            places = getattr(np, {"permute": "transpose"}.get(step.name, step.name))(places, *arguments)
    result = input.flatten()
    result[places.reshape(-1)] = source.reshape(-1)
    return result.reshape(input.shape)


@op(
    grad=dict(
        input=lambda g, source_shape, steps: view_scatter(g, zeros_like_view(g, source_shape), steps),
        source=lambda g, steps: _through(g, steps),
    ),
    samples=_view_cases, reference=_view_reference,
    exempt=dict(bad="only the engine calls it, for a view that exists"),
)
def view_scatter(input, source, steps):
    """A copy of ``input`` in which the part that a chain of views shows is replaced by ``source``.

    It is what an in-place change of a view means for the base.

    Args:
        steps: the chain, ``((op, further arguments, options), ...)``.

    >>> view_scatter(np.zeros((2, 2)), np.array([1.0, 2.0, 3.0, 4.0]), ((reshape, ((4,),), {}),))
    array([[1., 2.],
           [3., 4.]])
    """
    result = np.array(input, order="C")
    _through(result, steps)[...] = source
    return result


def zeros_like_view(g, shape):
    """Zeros of a shape in the dtype of ``g``, as an array (a constant for the graph).

    >>> zeros_like_view(np.ones(3), (2,))
    array([0., 0.])
    """
    return np.zeros(shape, dtype_of(g))
