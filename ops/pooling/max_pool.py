"""Max pooling in one and two dimensions, and what all poolings over windows share.

The set is closed under differentiation.  Max pooling remembers where every maximum was; its gradient is
the scatter to these places, whose gradient is the gather from them, whose gradient is the scatter again.
Signals are images of one row.  Means are in `ops.pooling.average_pool`, pooling to a given output size is in
`ops.pooling.adaptive_pool`, the way back from the maxima in `ops.pooling.unpool`.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np

from ops.contracts import shaped
from ops.core import Bad, Traced, case, composite, dtype_of, op
from ops.lazy import LazyModule
from ops.reduction.totals import TYPE_NAMES
from ops.samples import spaced
from ops.shape.layout import contiguous, squeeze, unsqueeze

__all__ = ["Windows", "max_pool1d", "max_pool2d", "max_pooling", "planes_gather", "planes_scatter"]

_kernels = LazyModule("ops.kernels.pool")
_channels_last = LazyModule("ops.kernels.pool_channels_last")
_scatter = LazyModule("ops.kernels.scatter")


# ------------------------------------------------------------------ checks, shared by all poolings


def check_planes(name: str, input, dims: int, kinds: str = "f") -> None:
    """Refuse anything but a batch of signals or images, or one of them, in PyTorch's words.

    Args:
        dims: spatial dimensions; the channels come before them, and perhaps the batch before those.
        kinds: the kinds of dtype that are allowed, as in ``numpy.dtype.kind``.

    >>> check_planes("max_pool2d", np.ones((8, 8)), 2)
    Traceback (most recent call last):
    ...
    RuntimeError: max_pool2d(): Expected 3D or 4D (batch mode) tensor for input, but got: [8, 8]
    """
    if not isinstance(input, (np.ndarray, Traced)):
        raise TypeError(f"{name}(): argument 'input' (position 1) must be Tensor, not "
                        f"{type(input).__name__}")
    if input.ndim not in (dims + 1, dims + 2):
        raise RuntimeError(f"{name}(): Expected {dims + 1}D or {dims + 2}D (batch mode) tensor for "
                           f"input, but got: {list(input.shape)}")
    if dtype_of(input).kind not in kinds:
        raise NotImplementedError(f'"{name}" not implemented for \'{TYPE_NAMES[dtype_of(input).name]}\'; '
                                  "convert the input first: x.float()")


def sizes_of(name: str, argument: str, value, dims: int) -> tuple[int, ...]:
    """One whole number for all dimensions, or one for each, as a tuple.

    >>> sizes_of("max_pool2d", "stride", 2, 2), sizes_of("max_pool2d", "stride", (1, 2), 2)
    ((2, 2), (1, 2))
    """
    if type(value) is int:
        return (value,) * dims
    items = value if isinstance(value, (tuple, list)) else (value,)
    for item in items:
        if not isinstance(item, (int, np.integer)) or isinstance(item, bool):
            raise TypeError(f"{name}(): argument '{argument}' must be int or tuple of ints, not "
                            f"{type(item).__name__} ({value!r})")
    if len(items) not in (1, dims):
        raise RuntimeError(f"{name}: {argument} must either be a single int, or a tuple of "
                           f"{('one int', 'two ints')[dims - 1]}, but got {value}")
    return tuple(map(int, items)) * (dims // len(items))


class Windows(NamedTuple):
    """The windows of a pooling: checked pairs (down, across), and how many windows there are."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    count: tuple[int, int]


@functools.lru_cache(maxsize=1024)
def _windows(input_size, kernel, stride, padding, dilation, ceil_mode: bool) -> Windows:
    """The windows over planes of ``input_size`` (C, H, W), checked."""
    if 0 in input_size:
        raise RuntimeError("Expected 3D or 4D (batch mode) tensor with optional 0 dim batch size for "
                           f"input, but got: {list(input_size)} without the batch")
    if min(kernel) <= 0:
        raise RuntimeError("kernel size should be greater than zero, but got "
                           f"kH: {kernel[0]} kW: {kernel[1]}")
    if 0 in stride:
        raise RuntimeError(f"stride should not be zero, but got {stride}")
    if min(stride) < 0:
        raise RuntimeError("stride should be greater than zero, but got "
                           f"dH: {stride[0]} dW: {stride[1]}")
    if min(dilation) <= 0:
        raise RuntimeError("dilation should be greater than zero, but got "
                           f"dilationH: {dilation[0]} dilationW: {dilation[1]}")
    for k, p, d in zip(kernel, padding, dilation):
        if p < 0:
            raise RuntimeError(f"pad must be non-negative, but got pad: {p}")
        if p > ((k - 1) * d + 1) // 2:
            raise RuntimeError(f"pad should be at most half of effective kernel size, but got pad={p}, "
                               f"kernel_size={k} and dilation={d}")
        if p > k // 2:
            raise RuntimeError("pad should be smaller than or equal to half of kernel size, but got "
                               f"pad = {p}, kernel size = {k}")
    count = []
    for n, k, s, p, d in zip(input_size[1:], kernel, stride, padding, dilation):
        room = n + 2 * p - d * (k - 1) - 1
        windows = (-(-room // s) if ceil_mode else room // s) + 1
        # The last window has to start inside the input or the padding before it.
        count.append(windows - 1 if ceil_mode and (windows - 1) * s >= n + p else windows)
    if min(count) < 1:
        given, found = ("x".join(map(str, (input_size[0], *size))) for size in (input_size[1:], count))
        raise RuntimeError(f"Given input size: ({given}). Calculated output size: ({found}). "
                           "Output size is too small; use a smaller kernel or more padding")
    return Windows(kernel, stride, padding, dilation, tuple(count))


def windows_of(name, dims, input, kernel_size, stride, padding, dilation, ceil_mode) -> Windows:
    """The windows of a pooling over images, from the arguments of a user.

    Args:
        dims: 2, or 1 if the images stand for signals and have one row.

    Raises:
        TypeError, RuntimeError: if they do not fit, in the words of PyTorch.

    >>> windows_of("max_pool2d", 2, np.ones((1, 5, 5)), 2, None, 0, 1, True).count
    (3, 3)
    """
    kernel = sizes_of(name, "kernel_size", kernel_size, dims)
    stride = kernel if stride is None or stride == [] else sizes_of(name, "stride", stride, dims)
    padding = sizes_of(name, "padding", padding, dims)
    dilation = sizes_of(name, "dilation", dilation, dims)
    if dims == 1:
        kernel, stride, padding, dilation = (1, *kernel), (1, *stride), (0, *padding), (1, *dilation)
    return _windows(tuple(input.shape[-3:]), kernel, stride, padding, dilation, bool(ceil_mode))


def planes(array: np.ndarray) -> np.ndarray:
    """Images (..., H, W) as planes (P, H, W).

    >>> planes(np.ones((2, 3, 4, 5))).shape
    (6, 4, 5)
    """
    return array.reshape(math.prod(array.shape[:-2]), *array.shape[-2:])


def images_or_planes(array: np.ndarray) -> np.ndarray:
    """Channels-last images (N, C, H, W) of floats themselves, any other images as planes (P, H, W).

    >>> images_or_planes(np.ones((2, 4, 5, 3)).transpose(0, 3, 1, 2)).shape
    (2, 3, 4, 5)
    """
    if array.dtype.kind == "f" and array.size and _channels_last.is_channels_last(array):
        return array
    return planes(array)


# ------------------------------------------------------------------ samples and slow references


def window_places(size, kernel, stride, padding, dilation=1, ceil_mode=False) -> list[np.ndarray]:
    """The places that each window of one dimension looks at, those in the padding included.

    >>> [w.tolist() for w in window_places(3, 2, 2, 1)]
    [[-1, 0], [1, 2]]
    """
    found = []
    start, reach = -padding, dilation * (kernel - 1) + 1
    while start + reach <= size + padding or (
            ceil_mode and start < size and (not found or found[-1][-1] < size + padding - 1)):
        found.append(start + dilation * np.arange(kernel))
        start += stride
    return found


def all_places(input_size, kernel, stride=None, padding=0, dilation=1, ceil_mode=False) -> list:
    """`window_places` of the rows and of the columns, from numbers or pairs."""
    stride = kernel if stride is None else stride
    pairs = (np.broadcast_to(v, 2) for v in (kernel, stride, padding, dilation))
    return [window_places(*axis, ceil_mode) for axis in zip(input_size, *pairs)]


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


IMAGES = (  # input shape, kernel, stride, padding, dilation, ceil_mode
    ((2, 2, 4, 4), (2, 2), (2, 2), (0, 0), (1, 1), False),
    ((3, 5, 6), (3, 2), (2, 1), (1, 1), (1, 2), False),
    ((1, 1, 6, 5), (3, 3), (2, 2), (1, 0), (1, 1), True),
    ((0, 2, 4, 4), (2, 2), (2, 2), (0, 0), (1, 1), False),
)
INNER = {"zero_dim": "takes images", "bad": "checked by the functions that users call"}


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
    if _channels_last.is_channels_last(input) and input.size:
        kernel, stride, padding, dilation, count = windows
        rows, columns = _kernels.max_windows(input.shape[2:], count, kernel, stride, padding, dilation)
        return _channels_last.max_pool(input, rows, dilation[0], columns, dilation[1])
    values, indices = _kernels.max_pool2d(planes(input), *windows)
    shape = input.shape[:-2] + windows.count
    return values.reshape(shape), indices.reshape(shape)


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


def bad_windows(*shape):
    """Calls that max and average pooling refuse, with an input of this shape and three channels."""
    image = np.ones(shape)
    yield Bad((image[0, 0], 2), {}, RuntimeError, r"Expected \dD or \dD.*but got: \[[\d, ]*\]")
    yield Bad((image[:, :0], 2), {}, RuntimeError, "with optional 0 dim batch size for input, but got")
    yield Bad(([1.0], 2), {}, TypeError, r"argument 'input' \(position 1\) must be Tensor, not list")
    yield Bad((image > 0, 2), {}, NotImplementedError, "not implemented for 'Bool'")
    yield Bad((image, 2.5), {}, TypeError, "argument 'kernel_size' must be .* ints, not float")
    yield Bad((image, (2, 2, 2)), {}, RuntimeError, "kernel_size must either be a single int, or")
    yield Bad((image, 0), {}, RuntimeError, "kernel size should be greater than zero")
    yield Bad((image, 2, 0), {}, RuntimeError, "stride should not be zero")
    yield Bad((image, 2, -1), {}, RuntimeError, "stride should be greater than zero, but got .*dW: -1")
    yield Bad((image, 3, 1, -1), {}, RuntimeError, "pad must be non-negative, but got pad: -1")
    yield Bad((image, 2, 2, 2), {}, RuntimeError, "pad should be at most half of effective kernel size")
    yield Bad((image, 9), {}, RuntimeError, r"output size: \(3x[01]x0\). Output size is too small")


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
    check_planes("max_pool2d", input, 2, "fiu")
    windows = windows_of("max_pool2d", 2, input, kernel_size, stride, padding, dilation, ceil_mode)
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
    check_planes("max_pool1d", input, 1)
    images = unsqueeze(input, -2)
    windows = windows_of("max_pool1d", 1, images, kernel_size, stride, padding, dilation, ceil_mode)
    values, indices = max_pooling(images, windows)
    return (squeeze(values, -2), squeeze(indices, -2)) if return_indices else squeeze(values, -2)
