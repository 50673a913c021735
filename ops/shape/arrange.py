"""Copies in another arrangement: reversed, rolled, rotated and repeated."""

from __future__ import annotations

import math

import numpy as np

from ops.core import Bad, array_of, case, composite, op
from ops.dims import wrap_dim, wrap_dims
from ops.elementwise.pointwise import tensor_only
from ops.indexing.slices import index_select
from ops.lazy import LazyModule
from ops.reduction.totals import sum
from ops.samples import spaced
from ops.shape.layout import clone, reshape, transpose

_kernels = LazyModule("ops.kernels.arrange")
_ALL, _REVERSE = slice(None), slice(None, None, -1)
_MANY = 4096  # elements from which the kernel reverses rows sooner than NumPy
_OFTEN, _LONG = 16, 65_536  # repeats and elements from which it writes them sooner: a million in 55 of 80 us

__all__ = ["flip", "fliplr", "flipud", "repeat", "repeat_each", "repeat_interleave", "repeated_positions",
           "roll",
           "rot90", "tile"]


# ------------------------------------------------------------------ reversed and moved


@op(
    grad=dict(input=lambda g, dims: flip(g, dims)),
    samples=lambda rng: iter([case(spaced(rng, (2, 3, 4)), (0, -1)), case(spaced(rng, (3,)), [0]),
                              case(spaced(rng, ()), (0,)), case(spaced(rng, (0, 2)), (1,)),
                              case(spaced(rng, (3,)), ()), case(spaced(rng, (3, 55, 60)), (1, 2)),
                              case(spaced(rng, (150, 60)), (-1,))]),
    reference=lambda input, dims: input[tuple(
        slice(None, None, -1 if {d, d - input.ndim} & set(dims) else 1) for d in range(input.ndim))],
    bad=[Bad((np.ones((2, 3)), 0), {}, TypeError,
             r"argument 'dims' \(position 2\) must be tuple of ints, not int"),
         Bad((np.ones((2, 3)), (0, -2)), {}, RuntimeError, "dim 0 appears multiple times"),
         Bad((np.ones((2, 3)), (2,)), {}, IndexError, "Dimension out of range")],
)
def flip(input, dims):
    """A copy in reversed order along each of ``dims``.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.flip.html

    >>> flip(np.arange(3), (0,))
    array([2, 1, 0])
    """
    if type(dims) is not tuple and not hasattr(dims, "__iter__"):
        raise TypeError("flip(): argument 'dims' (position 2) must be tuple of ints, not "
                        f"{type(dims).__name__}")
    ndim = input.ndim
    dims = wrap_dims(dims, ndim)
    if not ndim:
        return input.copy()
    last = ndim - 1
    if last in dims and input.size >= _MANY and input.dtype.kind == "f" and input.flags.c_contiguous:
        rows = _kernels.reversed_rows(input)
        if len(dims) == 1:
            return rows
        input, dims = rows, [d for d in dims if d != last]
    index = [_ALL] * (last + 1)
    for dim in dims:
        index[dim] = _REVERSE
    return input[tuple(index)].copy()


def _matrices(rng):
    yield case(spaced(rng, (2, 3)))
    yield case(spaced(rng, (2, 3, 2)))
    yield case(spaced(rng, (0, 2)))


@composite(samples=_matrices, reference=np.fliplr, exempt=dict(zero_dim="refused, as in PyTorch"),
           bad=[Bad((np.ones(2),), {}, RuntimeError, "Input must be >= 2-d")])
def fliplr(input):
    """A copy with the columns (dimension 1) in reversed order.

    >>> fliplr(np.array([[1, 2], [3, 4]]))
    array([[2, 1],
           [4, 3]])
    """
    if input.ndim < 2:
        raise RuntimeError(f"Input must be >= 2-d, got {input.ndim}-d")
    return flip(input, (1,))


@composite(samples=_matrices, reference=np.flipud, exempt=dict(zero_dim="refused, as in PyTorch"),
           bad=[Bad((np.array(2.0),), {}, RuntimeError, "Input must be >= 1-d")])
def flipud(input):
    """A copy with the rows (dimension 0) in reversed order.

    >>> flipud(np.array([[1, 2], [3, 4]]))
    array([[3, 4],
           [1, 2]])
    """
    if input.ndim < 1:
        raise RuntimeError("Input must be >= 1-d, got 0-d")
    return flip(input, (0,))


def _tuple(value) -> tuple:
    return tuple(value) if hasattr(value, "__iter__") else (value,)


def _roll_reference(input, shifts, dims=None):
    if not _tuple(() if dims is None else dims):
        flat = input.reshape(-1)
        return np.array([flat[(i - shifts) % flat.size] for i in range(flat.size)]).reshape(input.shape)
    for shift, dim in zip(_tuple(shifts), _tuple(dims)):
        size = input.shape[dim]
        input = np.take(input, [(i - shift) % size for i in range(size)] or np.zeros(0, int), dim)
    return input


@op(
    grad=dict(input=lambda g, shifts, dims: roll(g, tuple(-s for s in _tuple(shifts)), dims)),
    samples=lambda rng: iter([case(spaced(rng, (2, 3)), 2), case(spaced(rng, (2, 3)), (1, -2), (0, 1)),
                              case(spaced(rng, ()), 1), case(spaced(rng, (0, 3)), -1, -1),
                              case(spaced(rng, (2, 3)), (1, 1), (-1, -1))]),
    reference=_roll_reference,
    bad=[Bad((np.ones(3), (1, 2), (0,)), {}, RuntimeError,
             "shifts and dimensions must align. shifts: 2, dims:1"),
         Bad((np.ones(3), ()), {}, RuntimeError, "`shifts` required"),
         Bad((np.array(1.0), 1, 0), {}, IndexError,
             "Dimension specified as 0 but tensor has no dimensions"),
         Bad((np.ones(3), 1, 1), {}, IndexError, "Dimension out of range")],
)
def roll(input, shifts, dims=None):
    """A copy whose elements are moved by ``shifts`` along ``dims``; what leaves one end enters at the
    other.

    Args:
        dims: None rolls the flattened array and restores its shape.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.roll.html

    >>> roll(np.arange(4), 1)
    array([3, 0, 1, 2])
    """
    shifts, dims = _tuple(shifts), _tuple(() if dims is None else dims)
    if not shifts:
        raise RuntimeError("`shifts` required")
    if len(shifts) != len(dims) and (dims or len(shifts) != 1):
        raise RuntimeError(f"shifts and dimensions must align. shifts: {len(shifts)}, dims:{len(dims)}")
    if not dims:
        tensor_only(input)
        return _rolled(input.reshape(-1), shifts[0], 0).reshape(input.shape)
    if input.ndim == 0:
        raise IndexError(f"Dimension specified as {dims[0]} but tensor has no dimensions")
    for shift, dim in zip(shifts, dims):
        input = _rolled(input, shift, wrap_dim(dim, input.ndim))
    return input


def _rolled(input: np.ndarray, shift: int, dim: int) -> np.ndarray:
    """All of the memory copied ``shift`` places further on, then what came from the slice before.

    `numpy.roll` takes 4 microseconds more, and half as long again for short rows, which it copies one by one.
    """
    if not input.size:
        return input.copy()
    size, out, lead = input.shape[dim], np.empty(input.shape, input.dtype), (slice(None),) * dim
    start = shift % size
    if start > size // 2:
        start -= size
    step = abs(start) * math.prod(input.shape[dim + 1 :])
    source, target = input.reshape(-1), out.reshape(-1)
    if start >= 0:
        target[step:] = source[: source.size - step]
        ends = slice(None, start), slice(size - start, None)
    else:
        target[: source.size - step] = source[step:]
        ends = slice(size + start, None), slice(None, -start)
    out[(*lead, ends[0])] = input[(*lead, ends[1])]
    return out


@composite(
    samples=lambda rng: iter([case(spaced(rng, (2, 3)), k) for k in (0, 1, 2, 3, -1)]
                             + [case(spaced(rng, (2, 3, 4)), 1, (2, 0)), case(spaced(rng, (0, 2)))]),
    reference=lambda input, k=1, dims=(0, 1): np.rot90(input, k, dims),
    exempt=dict(zero_dim="refused, as in PyTorch"),
    bad=[Bad((np.ones((2, 3)), 1, (0,)), {}, RuntimeError,
             "expected total rotation dims == 2, but got dims = 1"),
         Bad((np.ones((2, 3)), 1, (0, 0)), {}, RuntimeError, "expected rotation dims to be different"),
         Bad((np.ones(3),), {}, RuntimeError, "expected total dims >= 2, but got total dims = 1"),
         Bad((np.ones((2, 3)), 1, (0, 2)), {}, IndexError, "Dimension out of range")],
)
def rot90(input, k=1, dims=(0, 1)):
    """A copy turned by ``k`` times 90 degrees in the plane of ``dims``, from the first towards the
    second.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.rot90.html

    >>> rot90(np.array([[1, 2], [3, 4]]))
    array([[2, 4],
           [1, 3]])
    """
    if len(dims) != 2:
        raise RuntimeError(f"expected total rotation dims == 2, but got dims = {len(dims)}")
    if input.ndim < 2:
        raise RuntimeError(f"expected total dims >= 2, but got total dims = {input.ndim}")
    first, second = (wrap_dim(d, input.ndim) for d in dims)
    if first == second:
        raise RuntimeError(f"expected rotation dims to be different, but got dim0 = {dims[0]} and dim1 "
                           f"= {dims[1]}")
    if k % 2:
        return flip(transpose(input, first, second), (first if k % 4 == 1 else second,))
    return flip(input, (first, second)) if k % 4 else clone(input)


# ------------------------------------------------------------------ repeated


def _repeat_grad(g, input_shape, repeats):
    """Sum over the repetitions: each repeated dimension is taken apart into (repetitions, size)."""
    repeats = tuple(repeats)
    sizes = (1,) * (len(repeats) - len(input_shape)) + tuple(input_shape)
    apart = [n for pair in zip(repeats, sizes) for n in pair]
    total = sum(reshape(g, tuple(apart)), tuple(range(0, len(apart), 2))) if apart else g
    return reshape(total, input_shape)


@op(
    grad=dict(input=_repeat_grad),
    samples=lambda rng: iter([case(spaced(rng, (2, 3)), (2, 1)), case(spaced(rng, (3,)), (2, 2)),
                              case(spaced(rng, ()), ()), case(spaced(rng, ()), (2,)),
                              case(spaced(rng, (0, 2)), (1, 3)),
                              case(spaced(rng, (2,)), (0,))]),
    reference=lambda input, repeats: np.block([[input] * repeats[-1]] * repeats[0]) if (
        len(repeats) == 2 and input.size) else np.tile(input, repeats),
    bad=[Bad((np.ones((2, 3)), (2,)), {}, RuntimeError,
             "repeat dims can not be smaller than number of dimensions"),
         Bad((np.ones(3), (-1,)), {}, RuntimeError, r"negative dimension -3: \[-3\]")],
)
def repeat(input, repeats):
    """A copy of ``input`` repeated ``repeats[d]`` times along each dimension; more repeats add
    dimensions in front.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.repeat.html

    >>> repeat(np.array([1, 2]), (2, 2))
    array([[1, 2, 1, 2],
           [1, 2, 1, 2]])
    """
    repeats = _tuple(repeats)
    if len(repeats) < input.ndim:
        raise RuntimeError("Number of dimensions of repeat dims can not be smaller than number of "
                           f"dimensions of tensor, got {len(repeats)} and {input.ndim}")
    sizes = (1,) * (len(repeats) - input.ndim) + input.shape
    for times in repeats:
        if times < 0:
            shape = [r * n for r, n in zip(repeats, sizes)]
            raise RuntimeError(f"Trying to create tensor with negative dimension {min(shape)}: {shape}")
    shape = [times * size for times, size in zip(repeats, sizes)]
    if math.prod(max(size, 1) for size in shape) * input.itemsize >= 2**63:  # np.tile would end the process
        raise RuntimeError(f"Storage size calculation overflowed with sizes={shape}")
    return np.tile(input, repeats)


@composite(
    samples=lambda rng: iter([case(spaced(rng, (2, 3)), (2,)), case(spaced(rng, (3,)), (2, 2)),
                              case(spaced(rng, ()), ()),
                              case(spaced(rng, (0, 2)), (3,))]),
    reference=lambda input, dims: np.tile(input, dims),
    bad=[Bad((np.ones(3), 2), {}, TypeError,
             r"argument 'dims' \(position 2\) must be tuple of ints, not int"),
         Bad((np.ones(3), (2, -1)), {}, RuntimeError, "negative dimension")],
)
def tile(input, dims):
    """`repeat` that takes fewer numbers than dimensions: those in front are repeated once.

    >>> tile(np.array([[1, 2]]), (2,))
    array([[1, 2, 1, 2]])
    """
    if not hasattr(dims, "__iter__"):
        raise TypeError("tile(): argument 'dims' (position 2) must be tuple of ints, not "
                        f"{type(dims).__name__}")
    dims = tuple(dims)
    return repeat(input, (1,) * (input.ndim - len(dims)) + dims)


def _interleave_cases(rng):
    yield case(spaced(rng, (2, 3)), 2)
    yield case(spaced(rng, (2, 3)), np.array([1, 0, 2]), 1)
    yield case(spaced(rng, (2, 3)), np.array([3]), dim=-1)
    yield case(spaced(rng, ()), 3)
    yield case(spaced(rng, (0, 2)), 2, 1)


@op(
    samples=lambda rng: iter([case(np.array([1, 0, 2])), case(np.zeros(0, np.int64)),
                              case(np.array(2))]),
    reference=lambda input: np.array([i for i, n in enumerate(np.atleast_1d(input)) for _ in range(n)],
                                     np.int64),
    bad=[Bad((np.array([1, -2]),), {}, RuntimeError, "repeats can not be negative")],
)
def repeated_positions(input):
    """Each position as often as ``input`` says: what `repeat_interleave` gives for repeats alone.

    >>> repeated_positions(np.array([1, 0, 2]))
    array([0, 2, 2])
    """
    if input.size and input.min() < 0:
        raise RuntimeError(f"repeats can not be negative, got {input.min()}")
    return np.repeat(np.arange(input.size), input.reshape(-1))


def _repeat_each_grad(g, input_shape, repeats, dim):
    return sum(reshape(g, (*input_shape[:dim + 1], repeats, *input_shape[dim + 1:])), dim + 1)


@op(
    grad=dict(input=_repeat_each_grad),
    samples=lambda rng: iter([case(spaced(rng, (2, 3)), 2, 1), case(spaced(rng, (2, 3)), 1, 0),
                              case(spaced(rng, (0, 3)), 2, 0), case(spaced(rng, (2,)), 0, 0),
                              case(spaced(rng, (3, 5)), 5000, 1)]),
    reference=np.repeat, exempt=dict(zero_dim="a number has no dimension to repeat along",
                                     bad="checked by repeat_interleave"),
)
def repeat_each(input, repeats, dim):
    """Every slice along ``dim`` the same number of times: `repeat_interleave` with a number.

    >>> repeat_each(np.array([1, 2]), 2, 0)
    array([1, 1, 2, 2])
    """
    if (dim == input.ndim - 1 and type(repeats) is int and repeats >= _OFTEN and input.size * repeats >= _LONG
            and input.dtype.kind == "f" and input.flags.c_contiguous):
        return _kernels.repeated(input, repeats)
    return input.repeat(repeats, dim)


@composite(
    samples=_interleave_cases,
    reference=lambda input, repeats=None, dim=None: np.repeat(input, repeats, dim),
    bad=[Bad((np.ones((2, 3)), np.array([1, 2]), 1), {}, RuntimeError,
             r"repeats.size\(0\) = 2 and input.size\(1\) = 3"),
         Bad((np.ones(2), np.array([1, -2])), {}, RuntimeError, "repeats can not be negative"),
         Bad((np.ones(2), -1), {}, RuntimeError, "Repeats must be non-negative"),
         Bad((np.ones(2), 2, 1), {}, IndexError, "Dimension out of range"),
         Bad((np.ones(2), np.array([1.0, 2.0])), {}, NotImplementedError, "not implemented for float64"),
         Bad((np.ones(2), 2), dict(output_size=5), RuntimeError,
             "allocated size does not match required size")],
)
def repeat_interleave(input, repeats=None, dim=None, *, output_size=None):
    """Each element (or slice along ``dim``) repeated in place: ``[a, a, b, b]``.

    Args:
        repeats: a number, or an integer vector with one number for each slice.  If it is left out,
            ``input`` are the repeats and the result are the positions.
        dim: None repeats the elements of the flattened array.
        output_size: the size of the result along ``dim``, if it is known; it is checked.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.repeat_interleave.html

    >>> repeat_interleave(np.array([1, 2]), np.array([1, 3]))
    array([1, 2, 2, 2])
    """
    if repeats is None:
        return repeated_positions(input)
    if dim is None:
        input, dim = input if input.ndim == 1 else reshape(input, (-1,)), 0
    dim = wrap_dim(dim, input.ndim)
    size, repeats = input.shape[dim] if input.ndim else 1, array_of(repeats)
    if not isinstance(repeats, np.ndarray):
        if repeats < 0:
            raise RuntimeError(f"Repeats must be non-negative, got {repeats}")
        if output_size in (None, size * repeats) and input.ndim:
            return repeat_each(input, repeats, dim)
        repeats = np.array([repeats])
    elif repeats.dtype not in (np.int64, np.int32):
        raise NotImplementedError(f'"repeat_interleave" not implemented for {repeats.dtype} repeats; '
                                  'convert with .long()')
    repeats = repeats.reshape(-1)
    if repeats.size not in (1, size):
        raise RuntimeError("repeats must have the same size as input along dim, but got "
                           f"repeats.size(0) = {repeats.size} and input.size({dim}) = {size}")
    index = repeated_positions(np.broadcast_to(repeats, (size,)))
    if output_size not in (None, index.size):
        raise RuntimeError(f"allocated size does not match required size: output_size is {output_size}, "
                           f"the repeats give {index.size}")
    return index_select(input, dim, index)
