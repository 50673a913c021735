"""Max pooling in one and two dimensions.

The set is closed under differentiation.  Max pooling remembers where every maximum was; its gradient is
the scatter to these places, whose gradient is the gather from them, whose gradient is the scatter again.
The windows are those of `ops.pooling.windows`.  Means are in `ops.pooling.average_pool`, pooling to a given
output size is in `ops.pooling.adaptive_pool`, the way back from the maxima in `ops.pooling.unpool`.
"""

from __future__ import annotations

import math

import numpy as np

from ops.contracts import shaped
from ops.core import Bad, case, composite, op
from ops.lazy import LazyModule
from ops.pooling.windows import (
    IMAGES,
    INNER,
    Windows,
    all_places,
    bad_windows,
    planes,
    windows_of,
)
from ops.samples import spaced
from ops.shape.layout import contiguous, squeeze, unsqueeze

__all__ = ["max_pool1d", "max_pool2d", "max_pooling", "planes_gather", "planes_scatter"]

_kernels = LazyModule("ops.kernels.pool")
_channels_last = LazyModule("ops.kernels.pool_channels_last")
_scatter = LazyModule("ops.kernels.scatter")


# ------------------------------------------------------------------ samples and slow references


def largest_of(input, rows, columns):
    """Reference of max pooling over given rows and columns: first maxima and their flat places."""
    values = np.zeros((*input.shape[:-2], len(rows), len(columns)), input.dtype)
    indices = np.zeros(values.shape, np.int64)
    height, width = input.shape[-2:]
    for *lead, i, j in np.ndindex(values.shape):
        inside = [(h, w) for h in rows[i] if 0 <= h < height for w in columns[j] if 0 <= w < width]
        h, w = max(inside, key=lambda place: input[(*lead, *place)])
        values[(*lead, i, j)], indices[(*lead, i, j)] = input[(*lead, h, w)], h * width + w
    return values, indices


def _pooling_cases(rng):
    for shape, *window, ceil_mode in IMAGES:
        count = tuple(map(len, all_places(shape[-2:], *window, ceil_mode)))
        yield case(spaced(rng, shape), Windows(*window, count))


def _pooling_reference(input, windows):
    rows, columns = all_places(input.shape[-2:], *windows[:4], True)
    return largest_of(input, rows[:windows.count[0]], columns[:windows.count[1]])


# ------------------------------------------------------------------ the maximum, its scatter, its gather


@op(
    grad=dict(input=lambda g, indices, input_shape: planes_scatter(g, indices, input_shape[-2:])),
    outputs=("values", "indices"), samples=_pooling_cases, reference=_pooling_reference, exempt=INNER,
    any_layout=True,
)
def max_pooling(input, windows):
    """`max_pool2d` of images (..., H, W) and `Windows` that were checked.

    Returns the maxima and their places in the flat plane, both (..., *windows.count); a window that sees
    nothing but padding gives -inf at place -1.

    >>> max_pooling(np.eye(2)[None], Windows((2, 2), (2, 2), (0, 0), (1, 1), (1, 1)))
    max_pooling(values=array([[[1.]]]), indices=array([[[0]]]))
    """
    if not input.flags.c_contiguous and input.size and _channels_last.is_channels_last(input):
        kernel, stride, padding, dilation, count = windows
        rows, columns = _kernels.max_windows(input.shape[2:], count, kernel, stride, padding, dilation)
        return _channels_last.max_pool(input, rows, dilation[0], columns, dilation[1])
    return _kernels.max_pool2d(input, *windows)


def _scatter_cases(rng):
    for shape, output in (((2, 3), (2, 2)), ((1, 2), (3, 3)), ((0, 2), (2, 2))):
        yield case(spaced(rng, (*shape, *output)), rng.integers(0, 12, (*shape, *output)), (3, 4))


def _scatter_reference(input, indices, plane_size):
    result = np.zeros((*input.shape[:-2], math.prod(plane_size)))
    for at in np.ndindex(input.shape):
        result[(*at[:-2], indices[at])] += input[at]
    return result.reshape(*input.shape[:-2], *plane_size)


@op(
    grad=dict(input=lambda g, indices: planes_gather(g, indices)),
    samples=_scatter_cases, reference=_scatter_reference, exempt=INNER,
)
def planes_scatter(input, indices, plane_size):
    """Gradient of `max_pooling`: planes of zeros with ``input`` added at the flat places ``indices``.

    Args:
        input: (..., Ho, Wo).
        indices: int64 of the same shape, as `max_pooling` returned them; they are not checked again.
        plane_size: (H, W).

    >>> planes_scatter(np.ones((1, 1, 2)), np.array([[[3, 3]]]), (2, 2))
    array([[[0., 0.],
            [0., 2.]]])
    """
    shaped("planes_scatter", "indices", indices, input.shape)
    if input.ndim < 2 or indices.dtype != np.int64 or len(plane_size) != 2:
        raise RuntimeError(f"planes_scatter(): input {input.shape} has planes, indices of int64 (got "
                           f"{indices.dtype}) and two numbers are their places and size, got {plane_size}")
    if _channels_last.is_channels_last(indices) and input.size:
        return _channels_last.scatter(input, indices, plane_size)
    result = np.zeros((*input.shape[:-2], *plane_size), input.dtype)
    count, places = math.prod(input.shape[:-2]), math.prod(input.shape[-2:])
    _scatter.scatter_add(result.reshape(count, math.prod(plane_size)), indices.reshape(count, places),
                         input.reshape(count, places))
    return result


def _gather_cases(rng):
    for shape, output in (((2, 3), (2, 2)), ((1, 2), (3, 3)), ((0, 2), (2, 2))):
        yield case(spaced(rng, (*shape, 3, 4)), rng.integers(0, 12, (*shape, *output)))


def _gather_reference(input, indices):
    result = np.zeros(indices.shape)
    for at in np.ndindex(indices.shape):
        result[at] = input[(*at[:-2], *divmod(indices[at], input.shape[-1]))]
    return result


@op(
    grad=dict(input=lambda g, indices, input_shape: planes_scatter(g, indices, input_shape[-2:])),
    samples=_gather_cases, reference=_gather_reference, exempt=INNER,
)
def planes_gather(input, indices):
    """Gradient of `planes_scatter`: the elements of planes (..., H, W) at the flat places ``indices``.

    >>> planes_gather(np.array([[[1.0, 2.0], [3.0, 4.0]]]), np.array([[[3]]]))
    array([[[4.]]])
    """
    if input.ndim < 2 or indices.dtype != np.int64 or input.shape[:-2] != indices.shape[:-2]:
        raise RuntimeError(f"planes_gather(): input {input.shape} and indices {indices.shape} of int64 (got "
                           f"{indices.dtype}) must have the same planes")
    return _kernels.gather_planes(planes(input), planes(indices)).reshape(indices.shape)


# ------------------------------------------------------------------ what users call


def _max_pool2d_cases(rng):
    for shape, *window in IMAGES:
        yield case(spaced(rng, shape), *window)
    yield case(spaced(rng, (1, 5, 5)), 2, return_indices=True)


def _max_pool2d_reference(input, *window, return_indices=False, **more):
    result = largest_of(input, *all_places(input.shape[-2:], *window, **more))
    return result if return_indices else result[0]


@composite(
    samples=_max_pool2d_cases, reference=_max_pool2d_reference, exempt={"zero_dim": "takes images"},
    bad=[*bad_windows(1, 3, 8, 8),
         Bad((np.ones((3, 8, 8)), 2, 1, 0, 0), {}, RuntimeError, "dilation should be greater than zero"),
         Bad((np.ones((3, 8, 8)), 2, 1, 2, 3), {}, RuntimeError, "half of kernel size.*pad = 2")],
)
def max_pool2d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False,
               return_indices=False):
    """The largest element of each window of images; the first of equal ones, and NaN before all.

    Args:
        input: (N, C, H, W) or (C, H, W), floating point or integer.
        kernel_size, padding, dilation: one number or (vertical, horizontal); padding never wins.
        stride: likewise; None is the kernel size.
        ceil_mode: keep a last window that reaches beyond the padded image, if it starts inside.
        return_indices: return also the place of each maximum in its flat (H * W) plane, int64.

    Raises:
        RuntimeError: if the shape or the windows do not fit; the text has the sizes.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.max_pool2d.html

    >>> max_pool2d(np.arange(16.0).reshape(1, 4, 4), 2)
    array([[[ 5.,  7.],
            [13., 15.]]])
    """
    windows = windows_of("max_pool2d", 2, input, kernel_size, stride, padding, dilation, ceil_mode, "fiu")
    if return_indices:
        return tuple(max_pooling(contiguous(input), windows))
    return max_pooling(input, windows).values


def _max_pool1d_cases(rng):
    yield case(spaced(rng, (2, 2, 6)), 2)
    yield case(spaced(rng, (2, 7)), 3, 2, 1, 2, return_indices=True)
    yield case(spaced(rng, (1, 2, 6)), (3,), 2, ceil_mode=True)
    yield case(spaced(rng, (0, 2, 6)), 2)


def _max_pool1d_reference(input, *window, return_indices=False, **more):
    columns = all_places((0, input.shape[-1]), *window, **more)[1]
    values, indices = (a[..., 0, :] for a in largest_of(input[..., None, :], [[0]], columns))
    return (values, indices) if return_indices else values


@composite(samples=_max_pool1d_cases, reference=_max_pool1d_reference, bad=bad_windows(1, 3, 8),
           exempt={"zero_dim": "takes signals"})
def max_pool1d(input, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False,
               return_indices=False):
    """The largest element of each window of floating-point signals (N, C, L) or (C, L); as `max_pool2d`.

    >>> max_pool1d(np.array([[1.0, 3.0, 2.0, 0.0]]), 2)
    array([[3., 2.]])
    """
    windows = windows_of("max_pool1d", 1, input, kernel_size, stride, padding, dilation, ceil_mode)
    values, indices = max_pooling(unsqueeze(input, -2), windows)
    return (squeeze(values, -2), squeeze(indices, -2)) if return_indices else squeeze(values, -2)
