"""Joining arrays into one; `ops.shape.splitting` cuts one into parts."""

from __future__ import annotations

import numpy as np

import ops
from ops.core import Bad, array_of, case, composite, op
from ops.dims import wrap_dim
from ops.indexing.spans import narrow
from ops.promotion import promote_types
from ops.samples import spaced
from ops.shape.layout import reshape
from ops.shape.views import atleast_1d, atleast_2d, atleast_3d

# NumPy's function without the one around it that asks for other kinds of arrays: 0.2 of 1.2 microseconds.
_concatenate = getattr(np.concatenate, "_implementation", np.concatenate)
_FEW = 50  # small arrays until which `numpy.array` takes the time of `numpy.concatenate`, or less

__all__ = ["cat", "column_stack", "concat", "concatenate", "dstack", "hstack", "row_stack", "stack", "vstack"]


def _cat_cases(rng):
    yield case((spaced(rng, (2, 3)), spaced(rng, (1, 3)) + 0.01))
    yield case([spaced(rng, (2, 3)), spaced(rng, (2, 1)), spaced(rng, (2, 2))], -1)
    yield case([spaced(rng, (0,)), spaced(rng, (2, 3))], 1)
    yield case([spaced(rng, (0, 2)), spaced(rng, (1, 2))], dim=0)


def _parts(g, tensors_shape, dim):
    """The parts of a cotangent that belong to the joined arrays."""
    dim, start, parts = wrap_dim(dim, g.ndim), 0, []
    for shape in tensors_shape:
        if shape == (0,) and g.ndim != 1:
            parts.append(None)
            continue
        parts.append(narrow(g, dim, start, shape[dim]))
        start += shape[dim]
    return parts


def _check_sequence(name: str, tensors, error: type = RuntimeError) -> None:
    if not isinstance(tensors, (tuple, list)):
        raise TypeError(f"{name}(): argument 'tensors' (position 1) must be tuple of Tensors, not "
                        f"{type(tensors).__name__}")
    if not tensors:
        raise error(f"{name} expects a non-empty TensorList" if error is RuntimeError else
                    f"{name}(): expected a non-empty list of Tensors")
    for position, tensor in enumerate(tensors):
        if type(tensor) is not np.ndarray and not isinstance(array_of(tensor), (np.ndarray, np.generic)):
            raise TypeError(f"expected Tensor as element {position} in argument 0, but got "
                            f"{type(tensor).__name__}")


def _of_one_dtype(tensors) -> bool:
    """Whether this is a sequence of nothing but arrays of one dtype."""
    if type(tensors) is not list and type(tensors) is not tuple:
        return False
    if not tensors or type(tensors[0]) is not np.ndarray:
        return False
    dtype = tensors[0].dtype
    for tensor in tensors:
        if type(tensor) is not np.ndarray or tensor.dtype is not dtype:
            return False
    return True


@op(
    grad=dict(tensors=lambda g, tensors_shape, dim: _parts(g, tensors_shape, dim)),
    samples=_cat_cases,
    reference=lambda tensors, dim=0: np.concatenate([t for t in tensors if t.shape != (0,)], dim),
    exempt=dict(zero_dim="0-d arrays cannot be concatenated"), any_layout=True,
    bad=[Bad(([],), {}, ValueError, r"expected a non-empty list of Tensors"),
         Bad((np.ones(3),), {}, TypeError,
             r"'tensors' \(position 1\) must be tuple of Tensors, not ndarray|Tensor"),
         Bad(([np.ones(3), 1.0],), {}, TypeError,
             "expected Tensor as element 1 in argument 0, but got float"),
         Bad(([np.array(1.0)],), {}, RuntimeError,
             r"zero-dimensional tensor \(at position 0\) cannot be concatenated"),
         Bad(([np.ones(3), np.ones((2, 3))],), {}, RuntimeError,
             "same number of dimensions: got 1 and 2"),
         Bad(([np.ones((2, 3)), np.ones((2, 2))],), {}, RuntimeError,
             "Sizes of tensors must match except in dimension 0. Expected size 3 but got size 2 for "
             "tensor number 1"),
         Bad(([np.ones((2, 3))], 2), {}, IndexError, "Dimension out of range")],
)
def cat(tensors, dim=0):
    """The arrays one after the other along ``dim``; their dtypes are promoted.

    Args:
        tensors: tuple or list of arrays whose shapes agree except along ``dim``.  Empty 1-D arrays are
            skipped.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.cat.html

    >>> cat((np.ones((2, 1)), np.zeros((2, 2))), 1)
    array([[1., 0., 0.],
           [1., 0., 0.]])
    """
    if _of_one_dtype(tensors):
        try:
            return _concatenate(tensors, dim)
        except (ValueError, TypeError):  # what does not fit is found below
            pass
    _check_sequence("cat", tensors, ValueError)
    dtype = tensors[0].dtype
    for position, tensor in enumerate(tensors):
        if tensor.ndim == 0:
            raise RuntimeError(f"zero-dimensional tensor (at position {position}) cannot be "
                               "concatenated; use stack()")
        dtype = dtype if tensor.dtype == dtype else promote_types(dtype, tensor.dtype)
    full = [(position, tensor) for position, tensor in enumerate(tensors) if tensor.shape != (0,)]
    if not full:
        wrap_dim(dim, 1)
        return np.empty((0,), dtype)
    first = full[0][1]
    dim = wrap_dim(dim, first.ndim)
    for position, tensor in full:
        if tensor.ndim != first.ndim:
            raise RuntimeError(f"Tensors must have same number of dimensions: got {first.ndim} and "
                               f"{tensor.ndim}")
        for d, (expected, size) in enumerate(zip(first.shape, tensor.shape)):
            if size != expected and d != dim:
                raise RuntimeError(f"Sizes of tensors must match except in dimension {dim}. Expected "
                                   f"size {expected} but got size {size} for tensor number {position} "
                                   f"in the list (shape {list(tensor.shape)})")
    return np.concatenate([tensor.astype(dtype, copy=False) for _, tensor in full], dim)


concat = concatenate = cat


def _same_shapes(*shapes):
    def samples(rng):
        for shape in shapes:
            yield case([spaced(rng, shape), np.asarray(spaced(rng, shape) + 0.01)])

    return samples


def _stack_cases(rng):
    yield from _same_shapes((), (3,), (0, 2))(rng)
    yield case((spaced(rng, (2, 3)), spaced(rng, (2, 3)), spaced(rng, (2, 3))), -1)


@op(
    grad=dict(tensors=lambda g, dim: ops.unbind(g, dim)), samples=_stack_cases,
    reference=lambda tensors, dim=0: np.stack(tensors, dim),
    bad=[Bad(([],), {}, RuntimeError, "stack expects a non-empty TensorList"),
         Bad(([np.ones(3), 1.0],), {}, TypeError,
             "expected Tensor as element 1 in argument 0, but got float"),
         Bad(([np.ones(3), np.ones(2)],), {}, RuntimeError,
             r"equal size, but got \[3\] at entry 0 and \[2\] at entry 1"),
         Bad(([np.ones(3)], 2), {}, IndexError, r"\[-2, 1\], but got 2")],
)
def stack(tensors, dim=0):
    """Arrays of one shape side by side along a new dimension at position ``dim``.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.stack.html

    >>> stack([np.array([1, 2]), np.array([3, 4])], 1)
    array([[1, 3],
           [2, 4]])
    """
    if not _of_one_dtype(tensors):
        tensors = _promoted(tensors)
    elif dim == 0 and type(dim) is int and len(tensors) < _FEW:
        try:
            return np.array(tensors)
        except ValueError:  # not of one shape
            _promoted(tensors)
    elif len({tensor.shape for tensor in tensors}) > 1:
        _promoted(tensors)
    shape = tensors[0].shape
    dim = wrap_dim(dim, len(shape) + 1)
    if dim == len(shape):
        return np.concatenate([tensor[..., None] for tensor in tensors], dim)
    out = np.empty((*shape[:dim], len(tensors), *shape[dim:]), tensors[0].dtype)
    # One after the other along the dimension that the new one comes before: in memory that is the same.
    joined = out.reshape((*shape[:dim], len(tensors) * shape[dim], *shape[dim + 1:]))
    _concatenate(tensors, dim, joined)
    return out


def _promoted(tensors) -> list[np.ndarray]:
    """The arrays in their common dtype; the error if they are not of one shape, or no arrays."""
    _check_sequence("stack", tensors)
    shape, dtype = tensors[0].shape, tensors[0].dtype
    for position, tensor in enumerate(tensors):
        if tensor.shape != shape:
            raise RuntimeError(f"stack expects each tensor to be equal size, but got {list(shape)} at "
                               f"entry 0 and {list(tensor.shape)} at entry {position}")
        dtype = dtype if tensor.dtype == dtype else promote_types(dtype, tensor.dtype)
    return [tensor.astype(dtype, copy=False) for tensor in tensors]


_BAD_EMPTY = [Bad(([],), {}, RuntimeError, "expects a non-empty TensorList")]


@composite(differentiable=("tensors",), samples=_same_shapes((), (3,), (2, 3), (0, 2)),
           reference=np.hstack,
           bad=_BAD_EMPTY)
def hstack(tensors):
    """Arrays side by side: along dimension 1, or along 0 if they are 1-D.

    >>> hstack([np.ones((2, 1)), np.zeros((2, 1))]).shape
    (2, 2)
    """
    _check_sequence("hstack", tensors)
    tensors = atleast_1d(tuple(tensors))
    return cat(tensors, 0 if tensors[0].ndim == 1 else 1)


@composite(differentiable=("tensors",), samples=_same_shapes((), (3,), (2, 3), (0, 2)),
           reference=np.vstack,
           bad=_BAD_EMPTY)
def vstack(tensors):
    """Arrays below each other: along dimension 0; 1-D arrays are rows.

    >>> vstack([np.ones(2), np.zeros(2)]).shape
    (2, 2)
    """
    _check_sequence("vstack", tensors)
    return cat(atleast_2d(tuple(tensors)), 0)


row_stack = vstack


@composite(differentiable=("tensors",), samples=_same_shapes((), (3,), (2, 3), (0, 2)),
           reference=np.dstack,
           bad=_BAD_EMPTY)
def dstack(tensors):
    """Arrays behind each other: along dimension 2, after `atleast_3d`.

    >>> dstack([np.ones(2), np.zeros(2)]).shape
    (1, 2, 2)
    """
    _check_sequence("dstack", tensors)
    return cat(atleast_3d(tuple(tensors)), 2)


@composite(differentiable=("tensors",), samples=_same_shapes((), (3,), (2, 3), (0, 2)),
           reference=np.column_stack,
           bad=_BAD_EMPTY)
def column_stack(tensors):
    """Arrays side by side along dimension 1; 1-D arrays are columns.

    >>> column_stack([np.ones(2), np.zeros((2, 3))]).shape
    (2, 4)
    """
    _check_sequence("column_stack", tensors)
    return cat([reshape(t, (-1, 1)) if t.ndim == 1 else reshape(t, (1, 1)) if t.ndim == 0 else t
                for t in tensors], 1)
