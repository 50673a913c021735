"""The windows that poolings look through, checked in PyTorch's words; and the samples that all of them share.

Signals are images of one row: every pooling computes on planes and on pairs (down, across).
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np

from ops.core import Bad, Traced
from ops.lazy import LazyModule
from ops.reduction.totals import TYPE_NAMES

__all__ = ["Windows"]

_channels_last = LazyModule("ops.kernels.pool_channels_last")


# ------------------------------------------------------------------ checks


def check_planes(name: str, input, dims: int, kinds: str = "f", also: np.dtype | None = None) -> tuple:
    """The shape; anything but a batch of signals or images, or one of them, is refused in PyTorch's words.

    Args:
        dims: spatial dimensions; the channels come before them, and perhaps the batch before those.
        kinds: the kinds of dtype that are allowed, as in ``numpy.dtype.kind``.
        also: one more dtype.

    >>> check_planes("max_pool2d", np.ones((8, 8)), 2)
    Traceback (most recent call last):
    ...
    RuntimeError: max_pool2d(): Expected 3D or 4D (batch mode) tensor for input, but got: [8, 8]
    """
    shape, dtype = shape_and_dtype(name, input)
    check_shape(name, shape, dtype, dims, kinds, also)
    return shape


def shape_and_dtype(name: str, input) -> tuple[tuple, np.dtype]:
    """Those of an array or a Tensor; TypeError for anything else.

    >>> shape_and_dtype("max_pool2d", np.ones((1, 8, 8)))
    ((1, 8, 8), dtype('float64'))
    """
    if isinstance(input, Traced):
        return input.array_shape, input.array_dtype
    if isinstance(input, np.ndarray):
        return input.shape, input.dtype
    raise TypeError(f"{name}(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}")


def check_shape(name: str, shape: tuple, dtype: np.dtype, dims: int, kinds: str = "f",
                also: np.dtype | None = None) -> None:
    """`check_planes` for an input of this shape and dtype."""
    if not dims < len(shape) < dims + 3:
        raise RuntimeError(f"{name}(): Expected {dims + 1}D or {dims + 2}D (batch mode) tensor for "
                           f"input, but got: {list(shape)}")
    if dtype.kind not in kinds and dtype != also:
        raise NotImplementedError(f'"{name}" not implemented for \'{TYPE_NAMES[dtype.name]}\'; '
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


def windows_of(name, dims, input, kernel_size, stride, padding, dilation, ceil_mode, kinds="f") -> Windows:
    """The windows of a pooling, from the arguments of a user; for `check_planes` the first two and ``kinds``.

    Signals are images of one row.

    Raises:
        TypeError, RuntimeError: if they do not fit, in the words of PyTorch.

    >>> windows_of("max_pool2d", 2, np.ones((1, 5, 5)), 2, None, 0, 1, True).count
    (3, 3)
    """
    plain = type(kernel_size) is type(padding) is type(dilation) is int and type(stride) in NUMBER_OR_NONE
    return (_windows_of_numbers if plain else windows_over)(
        name, dims, *shape_and_dtype(name, input), kernel_size, stride, padding, dilation, ceil_mode, kinds)


def windows_over(name, dims, shape, dtype, kernel_size, stride, padding, dilation, ceil_mode, kinds="f",
                 also=None) -> Windows:
    """`windows_of` an input of this shape and dtype.

    >>> windows_over("max_pool2d", 2, (1, 5, 5), np.dtype(float), 2, None, 0, 1, True).count
    (3, 3)
    """
    check_shape(name, shape, dtype, dims, kinds, also)
    kernel = sizes_of(name, "kernel_size", kernel_size, dims)
    stride = kernel if stride is None or stride == [] else sizes_of(name, "stride", stride, dims)
    padding = sizes_of(name, "padding", padding, dims)
    dilation = sizes_of(name, "dilation", dilation, dims)
    if dims == 1:
        kernel, stride, padding, dilation = (1, *kernel), (1, *stride), (0, *padding), (1, *dilation)
        shape = (*shape[:-1], 1, shape[-1])
    return _windows(shape[-3:], kernel, stride, padding, dilation, bool(ceil_mode))


# One look-up in place of five: 0.8 microseconds less.  Tuples go without, for (2.0, True) equals (2, 1).
_windows_of_numbers = functools.lru_cache(maxsize=1024)(windows_over)
NUMBER_OR_NONE = (int, type(None))


def planes(array: np.ndarray) -> np.ndarray:
    """Images (..., H, W) as planes (P, H, W).

    >>> planes(np.ones((2, 3, 4, 5))).shape
    (6, 4, 5)
    """
    shape = array.shape
    return array.reshape(math.prod(shape[:-2]), *shape[-2:])


def in_known_layout(array: np.ndarray) -> np.ndarray:
    """Floats (..., H, W) themselves if they are contiguous or channels-last images, else a contiguous copy.

    >>> in_known_layout(np.ones((2, 4, 5, 3)).transpose(0, 3, 1, 2)).strides
    (480, 8, 120, 24)
    """
    if array.flags.c_contiguous or array.dtype.kind == "f" and _channels_last.is_channels_last(array):
        return array
    return np.ascontiguousarray(array)


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


IMAGES = (  # input shape, kernel, stride, padding, dilation, ceil_mode
    ((2, 2, 4, 4), (2, 2), (2, 2), (0, 0), (1, 1), False),
    ((3, 5, 6), (3, 2), (2, 1), (1, 1), (1, 2), False),
    ((1, 1, 6, 5), (3, 3), (2, 2), (1, 0), (1, 1), True),
    ((0, 2, 4, 4), (2, 2), (2, 2), (0, 0), (1, 1), False),
)
INNER = {"zero_dim": "takes images", "bad": "checked by the functions that users call"}


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
