"""Max unpooling: values go back to the places that max pooling took them from, zeros everywhere else."""

from __future__ import annotations

import math

import numpy as np

from ops.core import Bad, array_of, case, composite, op
from ops.pooling.max_pool import planes_gather
from ops.pooling.windows import INNER, check_planes, sizes_of
from ops.reduction.totals import TYPE_NAMES
from ops.samples import spaced
from ops.shape.layout import squeeze, unsqueeze

__all__ = ["max_unpool1d", "max_unpool2d", "max_unpooling"]


def _places(rng, lead, output, size) -> np.ndarray:
    """Different random places in each plane, as max pooling without overlap gives them."""
    drawn = [rng.permutation(size)[:math.prod(output)] for _ in range(math.prod(lead))]
    return np.array(drawn, np.int64).reshape(*lead, *output)


def _cases(rng):
    for lead, output in (((2, 3), (2, 2)), ((1,), (3, 2)), ((0, 2), (2, 2))):
        yield case(spaced(rng, (*lead, *output)), _places(rng, lead, output, 12), (3, 4))


def _reference(input, indices, output_size):
    result = np.zeros((*input.shape[:-2], *output_size))
    for at in np.ndindex(input.shape):
        result[(*at[:-2], *divmod(indices[at], output_size[1]))] = input[at]
    return result


@op(grad=dict(input=lambda g, indices: planes_gather(g, indices)), samples=_cases, reference=_reference,
    exempt=INNER)
def max_unpooling(input, indices, output_size):
    """`max_unpool2d` to a size (H, W) that was checked; of values for the same place the last one stays.

    >>> max_unpooling(np.ones((1, 1, 1)), np.array([[[2]]]), (2, 2))
    array([[[0., 0.],
            [1., 0.]]])
    """
    size, count = math.prod(output_size), math.prod(input.shape[:-2])
    wrong = indices[(indices < 0) | (indices >= size)]
    if wrong.size:
        raise RuntimeError(f"Found an invalid max index: {wrong[0]} (output volumes are of size "
                           f"{output_size[0]}x{output_size[1]})")
    result = np.zeros((*input.shape[:-2], *output_size), input.dtype)
    places = math.prod(input.shape[-2:])
    np.put_along_axis(result.reshape(count, size), indices.reshape(count, places),
                      input.reshape(count, places), axis=1)
    return result


def _unpooled_size(name, dims, input, indices, kernel_size, stride, padding, output_size) -> tuple:
    """Spatial size of the result, after a check of all arguments."""
    check_planes(name, input, dims)
    places = array_of(indices)
    if not isinstance(places, np.ndarray):
        raise TypeError(f"{name}(): argument 'indices' (position 2) must be Tensor, not "
                        f"{type(indices).__name__}")
    if places.dtype != np.int64:
        raise RuntimeError("elements in indices should be type int64 but got: "
                           f"{TYPE_NAMES[places.dtype.name]}; convert them with .long()")
    if places.shape != tuple(input.shape):
        raise RuntimeError("Expected shape of indices to be same as that of the input tensor "
                           f"({list(input.shape)}) but got indices tensor with shape: "
                           f"{list(places.shape)}")
    kernel = sizes_of(name, "kernel_size", kernel_size, dims)
    stride = kernel if stride is None else sizes_of(name, "stride", stride, dims)
    padding = sizes_of(name, "padding", padding, dims)
    sizes = tuple((n - 1) * s + k - 2 * p
                  for n, s, k, p in zip(input.shape[-dims:], stride, kernel, padding))
    if output_size is not None:
        wanted = tuple(output_size)
        wanted = wanted[2:] if len(wanted) == dims + 2 else wanted
        if len(wanted) != dims:
            raise ValueError(f"output_size should be a sequence containing {dims} or {dims + 2} "
                             f"elements, but it has a length of '{len(wanted)}'")
        for d, (size, usual, s) in enumerate(zip(wanted, sizes, stride)):
            if not usual - s < size < usual + s:
                raise ValueError(f'invalid output_size "{wanted}" (dim {d} must be between {usual - s} '
                                 f"and {usual + s})")
        sizes = wanted
    if min(sizes) < 0:
        raise ValueError(f"{name}: output_size must be non-negative, but got {sizes} for an input of "
                         f"shape {list(input.shape)}")
    return sizes


_IMAGE, _ZEROS = np.ones((1, 3, 2, 2)), np.zeros((1, 3, 2, 2), np.int64)


def _unpool2d_reference(input, indices, kernel_size, stride=None, padding=0, output_size=None):
    stride = kernel_size if stride is None else stride
    sizes = [(n - 1) * s + k - 2 * p for n, s, k, p in
             zip(input.shape[-2:], *(np.broadcast_to(v, 2) for v in (stride, kernel_size, padding)))]
    return _reference(input, indices, output_size[-2:] if output_size else sizes)


@composite(
    samples=lambda rng: iter([
        case(spaced(rng, (2, 2, 2, 2)), _places(rng, (2, 2), (2, 2), 16), 2),
        case(spaced(rng, (2, 3, 2)), _places(rng, (2,), (3, 2), 15), (3, 2), 2, (1, 0), (5, 3)),
        case(spaced(rng, (1, 1, 2, 2)), _places(rng, (1, 1), (2, 2), 25), 2, output_size=(1, 1, 5, 5)),
        case(spaced(rng, (0, 2, 2, 2)), np.zeros((0, 2, 2, 2), np.int64), 2)]),
    reference=_unpool2d_reference, exempt={"zero_dim": "takes images"},
    bad=[Bad((_IMAGE[0, 0], np.zeros((2, 2), int), 2), {}, RuntimeError, "Expected 3D or 4D"),
         Bad((_IMAGE, _ZEROS.astype(np.int32), 2), {}, RuntimeError, "be type int64 but got: Int"),
         Bad((_IMAGE, [0], 2), {}, TypeError, "argument 'indices' .* must be Tensor, not list"),
         Bad((_IMAGE, _ZEROS[:, :, :1], 2), {}, RuntimeError, "Expected shape of indices"),
         Bad((_IMAGE, _ZEROS + 16, 2), {}, RuntimeError, r"max index: 16 .*of size 4x4"),
         Bad((_IMAGE, _ZEROS - 1, 2), {}, RuntimeError, "invalid max index: -1"),
         Bad((_IMAGE, _ZEROS, 2, 2, 0, (6, 4)), {}, ValueError, "dim 0 must be between 2 and 6"),
         Bad((_IMAGE, _ZEROS, 2, 2, 0, (4,)), {}, ValueError, "containing 2 or 4 elements"),
         Bad((_IMAGE, _ZEROS, 2, 2, 3), {}, ValueError, "output_size must be non-negative")],
)
def max_unpool2d(input, indices, kernel_size, stride=None, padding=0, output_size=None):
    """A partial inverse of `max_pool2d`: each maximum at its place, zeros everywhere else.

    Args:
        input: (N, C, H, W) or (C, H, W), pooled values.
        indices: their places, as ``max_pool2d(..., return_indices=True)`` returns them; int64.
        kernel_size, stride, padding: those of the pooling; they give the size of the result.
        output_size: (H, W) of the result, or its whole shape, where several sizes pool to the same.

    Raises:
        RuntimeError: if shapes or dtypes do not fit, or a place is outside of the result.
        ValueError: if ``output_size`` cannot have been the size before the pooling.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.max_unpool2d.html

    >>> max_unpool2d(np.array([[[4.0]]]), np.array([[[3]]]), 2)
    array([[[0., 0.],
            [0., 4.]]])
    """
    sizes = _unpooled_size("max_unpool2d", 2, input, indices, kernel_size, stride, padding, output_size)
    return max_unpooling(input, indices, sizes)


def _unpool1d_reference(input, indices, kernel_size, stride=None, padding=0, output_size=None):
    input, indices, size = input[..., None, :], indices[..., None, :], output_size and (1, *output_size)
    window = (1, kernel_size), stride and (1, stride), (0, padding)
    return _unpool2d_reference(input, indices, *window, size)[..., 0, :]


@composite(
    samples=lambda rng: iter([
        case(spaced(rng, (2, 2, 3)), _places(rng, (2, 2), (3,), 6), 2),
        case(spaced(rng, (2, 3)), _places(rng, (2,), (3,), 8), 3, 2, 0, (8,)),
        case(spaced(rng, (0, 2, 2)), np.zeros((0, 2, 2), np.int64), 2)]),
    reference=_unpool1d_reference, exempt={"zero_dim": "takes signals"},
    bad=[Bad((np.ones((1, 2)), np.array([[0, 4]]), 2), {}, RuntimeError, "max index: 4 .*of size 1x4")],
)
def max_unpool1d(input, indices, kernel_size, stride=None, padding=0, output_size=None):
    """A partial inverse of `max_pool1d`, for signals (N, C, L) or (C, L); as `max_unpool2d`.

    >>> max_unpool1d(np.array([[4.0, 5.0]]), np.array([[1, 2]]), 2)
    array([[0., 4., 5., 0.]])
    """
    sizes = _unpooled_size("max_unpool1d", 1, input, indices, kernel_size, stride, padding, output_size)
    return squeeze(max_unpooling(unsqueeze(input, -2), unsqueeze(indices, -2), (1, *sizes)), -2)
