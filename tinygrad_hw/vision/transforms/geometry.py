"""Functions that move whole pixels: crop, pad, flip; and resizing."""

from __future__ import annotations

import numbers

import numpy as np
from PIL import Image, ImageOps

import ops
from tinygrad_hw.construct import from_numpy
from tinygrad_hw.tensor import Tensor
from tinygrad_hw.vision.transforms.images import (
    PIL_FILTERS,
    InterpolationMode,
    get_dimensions,
    interpolation_mode,
    is_pil,
    pixels,
    setup_size,
    tensor_image,
)
from tinygrad_hw.vision.transforms.resampling import MODES, resample

__all__ = ["center_crop", "crop", "five_crop", "hflip", "pad", "resize", "resized_crop", "ten_crop",
           "vflip"]


def crop(img, top: int, left: int, height: int, width: int):
    """The rectangle whose upper left corner is (top, left); outside the image it is black.

    >>> crop(Image.new("L", (8, 8)), 1, 2, 3, 4).size
    (4, 3)
    """
    if is_pil(img):
        return img.crop((left, top, left + width, top + height))
    img = tensor_image(img)
    bottom, right = top + height, left + width
    rows, columns = img.shape[-2:]
    inside = img[..., max(top, 0):max(bottom, 0), max(left, 0):max(right, 0)]
    if left < 0 or top < 0 or right > columns or bottom > rows:
        # A rectangle that lies apart from the image keeps the side of it that still has its full size.
        size_y, size_x = inside.shape[-2:]
        above = min(max(-top, 0), height - size_y)
        before = min(max(-left, 0), width - size_x)
        return pad(inside, [before, above, width - size_x - before, height - size_y - above])
    return inside


def center_crop(img, output_size):
    """The middle of an image, (height, width) large; a smaller image gets a black border first.

    >>> center_crop(Image.new("L", (8, 6)), 10).size
    (10, 10)
    """
    height, width = setup_size(output_size, "Please provide only two dimensions (h, w) for size.")
    _, rows, columns = get_dimensions(img)
    if width > columns or height > rows:
        beside, above = max(width - columns, 0), max(height - rows, 0)
        img = pad(img, [beside // 2, above // 2, (beside + 1) // 2, (above + 1) // 2])
        _, rows, columns = get_dimensions(img)
        if width == columns and height == rows:
            return img
    top, left = int(round((rows - height) / 2.0)), int(round((columns - width) / 2.0))
    return crop(img, top, left, height, width)


def hflip(img):
    """Left and right exchanged.

    >>> import tinygrad_hw
    >>> hflip(tinygrad_hw.tensor([[1, 2, 3]])).tolist()
    [[3, 2, 1]]
    """
    if is_pil(img):
        return img.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return ops.flip(tensor_image(img), (-1,))


def vflip(img):
    """Up and down exchanged.

    >>> import tinygrad_hw
    >>> vflip(tinygrad_hw.tensor([[1], [2]])).tolist()
    [[2], [1]]
    """
    if is_pil(img):
        return img.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    return ops.flip(tensor_image(img), (-2,))


def five_crop(img, size):
    """The four corners and the middle: top left, top right, bottom left, bottom right, centre.

    Raises:
        ValueError: the size is larger than the image.

    >>> [part.size for part in five_crop(Image.new("L", (8, 8)), 5)][-1]
    (5, 5)
    """
    height, width = setup_size(size, "Please provide only two dimensions (h, w) for size.")
    _, rows, columns = get_dimensions(img)
    if width > columns or height > rows:
        raise ValueError(
            f"Requested crop size {(height, width)} is bigger than input size {(rows, columns)}"
        )
    corners = [(0, 0), (0, columns - width), (rows - height, 0), (rows - height, columns - width)]
    parts = [crop(img, top, left, height, width) for top, left in corners]
    return (*parts, center_crop(img, (height, width)))


def ten_crop(img, size, vertical_flip: bool = False):
    """`five_crop` of the image, then of its mirror image.

    >>> len(ten_crop(Image.new("L", (8, 8)), 5))
    10
    """
    mirrored = vflip(img) if vertical_flip else hflip(img)
    return five_crop(img, size) + five_crop(mirrored, size)


def output_size(height: int, width: int, size, max_size: int | None) -> tuple[int, int]:
    """What `resize` makes of an image of (height, width), as (height, width).

    >>> output_size(20, 10, [5], None), output_size(20, 10, [5], 8)
    ((10, 5), (8, 4))
    """
    if len(size) == 2:
        return size[0], size[1]
    short, long = sorted((width, height))
    new_short, new_long = size[0], int(size[0] * long / short)
    if max_size is not None:
        if max_size <= size[0]:
            raise ValueError(
                f"max_size = {max_size} must be strictly greater than the requested size for the "
                f"smaller edge size = {size[0]}"
            )
        if new_long > max_size:
            new_short, new_long = int(max_size * new_short / new_long), max_size
    return (new_long, new_short) if width <= height else (new_short, new_long)


def resize(img, size, interpolation=InterpolationMode.BILINEAR, max_size=None, antialias=True):
    """The image with another number of pixels.

    Args:
        size: (height, width), or one number for the shorter side; the other keeps the proportions.
        interpolation: Tensors take nearest, nearest-exact, bilinear and bicubic.
        max_size: bound for the longer side, where ``size`` is one number.
        antialias: average over the pixels that one new pixel covers (Tensors, bilinear and bicubic; PIL
            images always do).

    Raises:
        TypeError, ValueError: a wrong size or interpolation.

    >>> resize(Image.new("L", (20, 10)), 5).size
    (10, 5)
    """
    mode = interpolation_mode(interpolation, None if is_pil(img) else MODES)
    size = [size] if isinstance(size, (int, np.integer)) else list(size)
    if max_size is not None and len(size) != 1:
        raise ValueError(
            "max_size should only be passed if size specifies the length of the smaller edge, i.e. size "
            "should be an int or a sequence of length 1"
        )
    _, rows, columns = get_dimensions(img)
    height, width = output_size(rows, columns, size, max_size)
    if height <= 0 or width <= 0:
        raise ValueError(f"height and width must be > 0, but {size=} of an image {rows}x{columns} gives "
                         f"{height}x{width}")
    if (height, width) == (rows, columns):
        return img
    if is_pil(img):
        return img.resize((width, height), PIL_FILTERS[mode])
    return from_numpy(resample(pixels(img, "resize"), height, width, mode, antialias))


def resized_crop(img, top, left, height, width, size, interpolation=InterpolationMode.BILINEAR,
                 antialias=True):
    """`crop`, then `resize`.

    >>> resized_crop(Image.new("L", (8, 8)), 0, 0, 4, 4, [6, 6]).size
    (6, 6)
    """
    return resize(crop(img, top, left, height, width), size, interpolation, antialias=antialias)


def pad(img, padding, fill=0, padding_mode: str = "constant"):
    """A border around the image.

    Args:
        padding: one number, (left and right, top and bottom), or (left, top, right, bottom). Negative
            numbers cut off.
        fill: colour of the border: a number, or for PIL images one for each band.
        padding_mode: ``"constant"``, ``"edge"`` (repeat the last pixel), ``"reflect"`` (mirror without
            the last pixel), ``"symmetric"`` (mirror with it).

    Raises:
        TypeError, ValueError: arguments of a wrong type or value.

    >>> import tinygrad_hw
    >>> pad(tinygrad_hw.tensor([[1, 2, 3]]), [2, 0], padding_mode="reflect").tolist()
    [[3, 2, 1, 2, 3, 2, 1]]
    """
    left, top, right, bottom = _borders(padding)
    if not isinstance(fill, (numbers.Number, tuple, list)):
        raise TypeError(
            "Got inappropriate fill arg: it should be a number, or a tuple of one for each band"
        )
    if not isinstance(padding_mode, str):
        raise TypeError("Got inappropriate padding_mode arg: it should be a string")
    if padding_mode not in ("constant", "edge", "reflect", "symmetric"):
        raise ValueError("Padding mode should be either constant, edge, reflect or symmetric, got "
                         f"{padding_mode!r}")
    if is_pil(img):
        return _pad_pil(img, (left, top, right, bottom), fill, padding_mode)
    img = tensor_image(img)
    if isinstance(fill, (tuple, list)):
        if len(fill) != 1:
            raise TypeError("Got inappropriate fill arg: for a Tensor image it is one number")
        fill = fill[0]
    rows, columns = img.shape[-2:]
    img = img[..., max(-top, 0):rows - max(-bottom, 0), max(-left, 0):columns - max(-right, 0)]
    before, after = (max(top, 0), max(left, 0)), (max(bottom, 0), max(right, 0))
    if padding_mode == "constant":
        return ops.constant_pad_nd(img, [before[1], after[1], before[0], after[0]], fill)
    return _pad_by_index(img, before, after, padding_mode)


def _borders(padding) -> tuple[int, int, int, int]:
    if not isinstance(padding, (numbers.Number, tuple, list)):
        raise TypeError("Got inappropriate padding arg: it should be a number, or a tuple of 1, 2 or 4")
    if isinstance(padding, numbers.Number):
        padding = [padding]
    if len(padding) not in (1, 2, 4):
        raise ValueError(
            f"Padding must be an int or a 1, 2, or 4 element tuple, not a {len(padding)} element tuple"
        )
    left, top, right, bottom = (int(length) for length in list(padding) * (4 // len(padding)))
    return left, top, right, bottom


def _pad_by_index(img: Tensor, before, after, padding_mode: str) -> Tensor:
    """Rows and columns chosen by NumPy's rules for an index vector, so gradients pass through."""
    for axis, start, end in ((-2, before[0], after[0]), (-1, before[1], after[1])):
        size = img.shape[axis]
        if padding_mode == "reflect" and max(start, end) >= size:
            raise RuntimeError(
                f"Padding size should be less than the corresponding input dimension, but "
                f"got padding ({start}, {end}) at dimension {axis} of {tuple(img.shape)}"
            )
        chosen = np.pad(np.arange(size), (start, end), mode=padding_mode)
        img = ops.index_select(img, axis, from_numpy(chosen))
    return img


def _pad_pil(img, borders, fill, padding_mode: str):
    if padding_mode == "constant":
        padded = ImageOps.expand(img, borders, fill=_pil_colour(img, fill))
        if img.mode == "P" and padded.mode == "P":
            padded.putpalette(img.getpalette())
        return padded
    left, top, right, bottom = borders
    palette = img.getpalette() if img.mode == "P" else None
    # Cut off first, as constant borders do.
    img = img.crop(
        (max(-left, 0), max(-top, 0), img.width - max(-right, 0), img.height - max(-bottom, 0))
    )
    array = np.asarray(img)
    around = [(max(top, 0), max(bottom, 0)), (max(left, 0), max(right, 0))] + [(0, 0)] * (array.ndim - 2)
    padded = Image.fromarray(np.pad(array, around, mode=padding_mode))
    if palette is not None:
        padded.putpalette(palette)
    return padded


def _pil_colour(img, fill):
    """``fill`` as a colour of the image: one number for each band."""
    bands = len(img.getbands())
    if isinstance(fill, (tuple, list)):
        if len(fill) not in (1, bands):
            raise ValueError(
                f"The number of elements in 'fill' does not match the number of channels of "
                f"the image ({len(fill)} != {bands})"
            )
        fill = tuple(fill) * (bands // len(fill))
        return fill[0] if bands == 1 else fill
    if img.mode != "F" and not isinstance(fill, bool):
        fill = int(fill)
    return (fill,) * bands if bands > 1 else fill
