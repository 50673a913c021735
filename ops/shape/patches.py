"""Images taken apart into patches and put together again, and channels traded for pixels."""

from __future__ import annotations

import numpy as np

from ops.core import Bad, case, composite, op
from ops.samples import spaced
from ops.shape.layout import permute, reshape

__all__ = ["channel_shuffle", "col2im", "im2col", "pixel_shuffle", "pixel_unshuffle"]


# ------------------------------------------------------------------ sliding blocks


def _pair(value, name: str, least: int) -> tuple[int, int]:
    """A number for both directions or one each, at least ``least``."""
    pair = tuple(value) if hasattr(value, "__iter__") else (value,)
    pair = pair * 2 if len(pair) == 1 else pair
    if len(pair) != 2:
        raise RuntimeError(f"{name} must be a number or two of them, got {value}")
    if min(pair) < least:
        wanted = "non-negative" if least == 0 else "greater than zero"
        raise RuntimeError(f"{name} should be {wanted}, but got {pair}")
    return pair


def _window(kernel_size, dilation, padding, stride):
    """The four options as checked pairs."""
    return (_pair(kernel_size, "kernel size", 1), _pair(dilation, "dilation", 1),
            _pair(padding, "padding", 0), _pair(stride, "stride", 1))


def _blocks(size, kernel, dilation, padding, stride) -> tuple[int, int]:
    """How many blocks fit in each direction."""
    return tuple((size[i] + 2 * padding[i] - dilation[i] * (kernel[i] - 1) - 1) // stride[i] + 1
                 for i in (0, 1))


def _block_slices(kernel, dilation, stride, counts):
    """For each element of the kernel its row, its column, and its places in the padded image."""
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            top, left = i * dilation[0], j * dilation[1]
            yield i, j, (..., slice(top, top + stride[0] * (counts[0] - 1) + 1, stride[0]),
                         slice(left, left + stride[1] * (counts[1] - 1) + 1, stride[1]))


def _im2col_cases(rng):
    yield case(spaced(rng, (2, 2, 3, 4)), 2)
    yield case(spaced(rng, (1, 2, 5, 4)), (3, 2), (1, 2), (1, 0), (2, 1))
    yield case(spaced(rng, (2, 3, 3)), 2)
    yield case(spaced(rng, (0, 2, 3, 3)), 2)


def _im2col_reference(input, kernel_size, dilation=1, padding=0, stride=1):
    (kh, kw), (dh, dw), (ph, pw), (sh, sw) = (np.broadcast_to(v, 2).tolist() for v in (
        kernel_size, dilation, padding, stride))
    images = np.pad(input, [(0, 0)] * (input.ndim - 2) + [(ph, ph), (pw, pw)])
    height, width = images.shape[-2:]
    columns = [images[..., y:y + dh * (kh - 1) + 1:dh, x:x + dw * (kw - 1) + 1:dw].reshape(
        *input.shape[:-3], input.shape[-3] * kh * kw)
        for y in range(0, height - dh * (kh - 1), sh) for x in range(0, width - dw * (kw - 1), sw)]
    return np.stack(columns, -1)


@op(
    grad=dict(input=lambda g, input_shape, kernel_size, dilation, padding, stride: col2im(
        g, input_shape[-2:], kernel_size, dilation, padding, stride)),
    samples=_im2col_cases, reference=_im2col_reference,
    exempt=dict(zero_dim="an image has three dimensions"),
    bad=[Bad((np.ones((2, 3, 4)), 5), {}, RuntimeError,
             r"spatial size \(3, 4\), kernel_size=\(5, 5\).*at least one"),
         Bad((np.ones((2, 3, 4)), (2, 0)), {}, RuntimeError, "kernel size should be greater than zero"),
         Bad((np.ones((2, 3, 4)), 2), dict(stride=0), RuntimeError,
             "stride should be greater than zero"),
         Bad((np.ones((2, 3, 4)), 2), dict(padding=-1), RuntimeError, "padding should be non-negative"),
         Bad((np.ones((2, 0, 3, 4)), 2), {}, RuntimeError, r"Expected 3D or 4D.*\[2, 0, 3, 4\]"),
         Bad((np.ones((3, 4)), 2), {}, RuntimeError, r"Expected 3D or 4D.*\[3, 4\]")],
)
def im2col(input, kernel_size, dilation=1, padding=0, stride=1):
    """All sliding blocks of images as columns: ``nn.functional.unfold``.

    Args:
        input: (N, C, H, W) or (C, H, W).
        kernel_size, dilation, padding, stride: numbers, or pairs for height and width.

    Returns:
        (N, C * kernel height * kernel width, number of blocks).

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Unfold.html

    >>> im2col(np.arange(6.0).reshape(1, 1, 2, 3), 2)
    array([[[0., 1.],
            [1., 2.],
            [3., 4.],
            [4., 5.]]])
    """
    kernel, dilation, padding, stride = _window(kernel_size, dilation, padding, stride)
    if input.ndim not in (3, 4) or 0 in input.shape[-3:]:
        raise RuntimeError("Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other "
                           f"non-zero dimensions for input, but got: {list(input.shape)}")
    *lead, channels, height, width = input.shape
    counts = _blocks((height, width), kernel, dilation, padding, stride)
    if min(counts) < 1:
        raise RuntimeError(f"Given input with spatial size {(height, width)}, kernel_size={kernel}, "
                           f"dilation={dilation}, padding={padding}, calculated shape of the array of "
                           f"sliding blocks as {counts}, but its components must be at least one.")
    (ph, pw), images = padding, input
    if ph or pw:
        images = np.zeros((*lead, channels, height + 2 * ph, width + 2 * pw), input.dtype)
        images[..., ph:ph + height, pw:pw + width] = input
    columns = np.empty((*lead, channels, *kernel, *counts), input.dtype)
    for i, j, place in _block_slices(kernel, dilation, stride, counts):
        columns[..., i, j, :, :] = images[place]
    return columns.reshape(*lead, channels * kernel[0] * kernel[1], counts[0] * counts[1])


def _col2im_cases(rng):
    yield case(spaced(rng, (2, 8, 6)), (3, 4), 2)
    yield case(spaced(rng, (1, 12, 6)), (5, 4), (3, 2), (1, 2), (1, 0), (2, 1))
    yield case(spaced(rng, (4, 4)), 3, 2)
    yield case(spaced(rng, (0, 8, 4)), 3, 2)


def _col2im_reference(input, output_size, kernel_size, dilation=1, padding=0, stride=1):
    kernel = int(np.prod(np.broadcast_to(kernel_size, 2)))
    shape = (*input.shape[:-2], input.shape[-2] // kernel, *np.broadcast_to(output_size, 2).tolist())
    numbers = np.arange(1, np.prod(shape) + 1).reshape(shape)  # 0 marks the padding
    places = _im2col_reference(numbers, kernel_size, dilation, padding, stride)
    return np.bincount(places.reshape(-1), input.reshape(-1), numbers.size + 1)[1:].reshape(shape)


@op(
    grad=dict(input=lambda g, kernel_size, dilation, padding, stride: im2col(
        g, kernel_size, dilation, padding, stride)),
    samples=_col2im_cases, reference=_col2im_reference,
    exempt=dict(zero_dim="columns have two dimensions"),
    bad=[Bad((np.ones((1, 8, 5)), 3, 2), {}, RuntimeError,
             r"number of sliding blocks 2 \* 2 = 4, but got.*5"),
         Bad((np.ones((1, 7, 4)), 3, 2), {}, RuntimeError, "divisible by the product of kernel_size.*7"),
         Bad((np.ones(7), 3, 2), {}, RuntimeError, r"Expected 2D or 3D.*\[7\]")],
)
def col2im(input, output_size, kernel_size, dilation=1, padding=0, stride=1):
    """Images to which every column is added at its block: ``nn.functional.fold``, the transpose of
    `im2col`.

    Args:
        input: (N, C * kernel height * kernel width, number of blocks), or without N.
        output_size: height and width of the images.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Fold.html

    >>> col2im(np.ones((1, 4, 2)), (2, 3), 2)
    array([[[[1., 2., 1.],
             [1., 2., 1.]]]])
    """
    kernel, dilation, padding, stride = _window(kernel_size, dilation, padding, stride)
    size = _pair(output_size, "output size", 1)
    if input.ndim not in (2, 3) or 0 in input.shape[-2:]:
        raise RuntimeError("Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size "
                           f"and non-zero dimensions for input, but got: {list(input.shape)}")
    *lead, rows, count = input.shape
    if rows % (kernel[0] * kernel[1]):
        raise RuntimeError("Expected size of input's dimension 1 to be divisible by the product of "
                           f"kernel_size, but got input.size(1)={rows} and kernel_size={kernel}.")
    counts = _blocks(size, kernel, dilation, padding, stride)
    if min(counts) < 1 or counts[0] * counts[1] != count:
        raise RuntimeError(f"Given output_size={size}, kernel_size={kernel}, dilation={dilation}, "
                           f"padding={padding}, stride={stride}, expected size of input's dimension 2 "
                           f"to match the calculated number of sliding blocks {counts[0]} * {counts[1]} "
                           f"= {counts[0] * counts[1]}, but got input.size(2)={count}.")
    channels, (ph, pw) = rows // (kernel[0] * kernel[1]), padding
    columns = input.reshape(*lead, channels, *kernel, *counts)
    images = np.zeros((*lead, channels, size[0] + 2 * ph, size[1] + 2 * pw), input.dtype)
    for i, j, place in _block_slices(kernel, dilation, stride, counts):
        images[place] += columns[..., i, j, :, :]
    return np.ascontiguousarray(images[..., ph:ph + size[0], pw:pw + size[1]])


# ------------------------------------------------------------------ channels and pixels


def _regrouped(input, order, shape_before, shape_after):
    """Dimensions split, put in another order and merged; the first ``len(input.shape) - 3`` stay."""
    lead = tuple(input.shape[:-3])
    dims = (*range(len(lead)), *(len(lead) + d for d in order))
    return reshape(permute(reshape(input, lead + shape_before), dims), lead + shape_after)


@composite(
    samples=lambda rng: iter([case(spaced(rng, (8, 2, 3)), 2), case(spaced(rng, (2, 4, 1, 2)), 2),
                              case(spaced(rng, (0, 4, 1, 1)), 2)]),
    reference=lambda input, upscale_factor: _shuffle_reference(input, upscale_factor),
    exempt=dict(zero_dim="an image has three dimensions"),
    bad=[Bad((np.ones((2, 3, 4)), 2), {}, RuntimeError,
             r"divisible by the square.*size\(-3\)=2 is not divisible by 4"),
         Bad((np.ones((4, 3, 4)), 0), {}, RuntimeError, "expects a positive upscale_factor, but got 0"),
         Bad((np.ones(3), 2), {}, RuntimeError,
             r"at least 3 dimensions, but got input with 1 dimension")],
)
def pixel_shuffle(input, upscale_factor):
    """Channels become pixels: (..., C * r * r, H, W) to (..., C, H * r, W * r) for the factor r.

    Source: Shi et al. 2016, https://docs.pytorch.org/docs/stable/generated/torch.nn.PixelShuffle.html

    >>> pixel_shuffle(np.arange(4).reshape(4, 1, 1), 2)
    array([[[0, 1],
            [2, 3]]])
    """
    r = upscale_factor
    if input.ndim < 3:
        raise RuntimeError("pixel_shuffle expects input to have at least 3 dimensions, but got input "
                           f"with {input.ndim} dimension(s)")
    if r <= 0:
        raise RuntimeError(f"pixel_shuffle expects a positive upscale_factor, but got {r}")
    channels, height, width = input.shape[-3:]
    if channels % (r * r):
        raise RuntimeError("pixel_shuffle expects its input's 'channel' dimension to be divisible by "
                           f"the square of upscale_factor, but input.size(-3)={channels} is not "
                           f"divisible by {r * r}")
    channels //= r * r
    return _regrouped(input, (0, 3, 1, 4, 2), (channels, r, r, height, width),
                      (channels, height * r, width * r))


def _shuffle_reference(input, r):
    *lead, channels, height, width = input.shape
    out = np.empty((*lead, channels // r ** 2, height * r, width * r))
    for i in range(r):
        for j in range(r):
            out[..., i::r, j::r] = input[..., i * r + j::r * r, :, :]
    return out


@composite(
    samples=lambda rng: iter([case(spaced(rng, (2, 4, 6)), 2), case(spaced(rng, (2, 1, 2, 4)), 2),
                              case(spaced(rng, (0, 1, 2, 2)), 2)]),
    reference=lambda input, downscale_factor: np.stack(
        [input[..., c, i::downscale_factor, j::downscale_factor] for c in range(input.shape[-3])
         for i in range(downscale_factor) for j in range(downscale_factor)], -3),
    exempt=dict(zero_dim="an image has three dimensions"),
    bad=[Bad((np.ones((2, 3, 4)), 2), {}, RuntimeError, r"expects height to be divisible.*size\(-2\)=3"),
         Bad((np.ones((2, 4, 3)), 2), {}, RuntimeError, r"expects width to be divisible.*size\(-1\)=3"),
         Bad((np.ones((2, 4, 3)), 0), {}, RuntimeError,
             "expects a positive downscale_factor, but got 0"),
         Bad((np.ones(3), 2), {}, RuntimeError, "at least 3 dimensions")],
)
def pixel_unshuffle(input, downscale_factor):
    """Pixels become channels: the reverse of `pixel_shuffle`.

    >>> pixel_unshuffle(np.arange(4).reshape(1, 2, 2), 2).shape
    (4, 1, 1)
    """
    r = downscale_factor
    if input.ndim < 3:
        raise RuntimeError("pixel_unshuffle expects input to have at least 3 dimensions, but got input "
                           f"with {input.ndim} dimension(s)")
    if r <= 0:
        raise RuntimeError(f"pixel_unshuffle expects a positive downscale_factor, but got {r}")
    channels, height, width = input.shape[-3:]
    for name, dim, size in (("height", -2, height), ("width", -1, width)):
        if size % r:
            raise RuntimeError(f"pixel_unshuffle expects {name} to be divisible by downscale_factor, "
                               f"but input.size({dim})={size} is not divisible by {r}")
    return _regrouped(input, (0, 2, 4, 1, 3), (channels, height // r, r, width // r, r),
                      (channels * r * r, height // r, width // r))


@composite(
    samples=lambda rng: iter([case(spaced(rng, (2, 6, 2)), 2), case(spaced(rng, (1, 6, 2, 1)), 3),
                              case(spaced(rng, (0, 4, 1)), 2)]),
    reference=lambda input, groups: input[:, [g * (input.shape[1] // groups) + c for c in range(
        input.shape[1] // groups) for g in range(groups)]],
    exempt=dict(zero_dim="refused, as in PyTorch"),
    bad=[Bad((np.ones((2, 3, 4)), 2), {}, RuntimeError,
             "divisible by groups. Got 3 channels and 2 groups"),
         Bad((np.ones((2, 4, 4)), 0), {}, RuntimeError, "must be positive. Value of groups:0"),
         Bad((np.ones(3), 1), {}, RuntimeError,
             r"expects input with > 2 dims, but got input with sizes \[3\]")],
)
def channel_shuffle(input, groups):
    """The channels (dimension 1) of ``groups`` groups interleaved: one of each group in turn.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.ChannelShuffle.html

    >>> channel_shuffle(np.arange(4).reshape(1, 4, 1), 2).reshape(-1)
    array([0, 2, 1, 3])
    """
    if input.ndim <= 2:
        raise RuntimeError("channel_shuffle expects input with > 2 dims, but got input with sizes "
                           f"{list(input.shape)}")
    if groups <= 0:
        raise RuntimeError("Number of groups to divide channels in must be positive. Value of "
                           f"groups:{groups}")
    batch, channels, *rest = input.shape
    if channels % groups:
        raise RuntimeError(f"Number of channels must be divisible by groups. Got {channels} channels "
                           f"and {groups} groups.")
    apart = reshape(input, (batch, groups, channels // groups, *rest))
    return reshape(permute(apart, (0, 2, 1, *range(3, apart.ndim))), (batch, channels, *rest))
