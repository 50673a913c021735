"""Rotation and affine maps: each new pixel takes the value at the place that it came from."""

from __future__ import annotations

import math
import numbers

import numpy as np
from PIL import Image

from tinygrad_hw.construct import from_numpy
from tinygrad_hw.vision.transforms.geometry import _pil_colour
from tinygrad_hw.vision.transforms.images import (
    PIL_FILTERS,
    InterpolationMode,
    get_dimensions,
    interpolation_mode,
    is_pil,
    pixels,
    tensor_image,
)

__all__ = ["affine", "rotate"]

MODES = (InterpolationMode.NEAREST, InterpolationMode.BILINEAR)
_PIL_MODES = (*MODES, InterpolationMode.BICUBIC)


def rotate(img, angle: float, interpolation=InterpolationMode.NEAREST, expand: bool = False, center=None,
           fill=None):
    """The image turned by ``angle`` degrees, counter-clockwise.

    Args:
        interpolation: nearest or bilinear; PIL images also bicubic.
        expand: make the result large enough for the whole turned image.
        center: (x, y) that stays where it is, from the upper left corner; default the middle.
        fill: colour of what comes from outside: a number, one for each channel, or None for black.

    Raises:
        TypeError, ValueError: arguments of a wrong type or value.

    >>> import tinygrad_hw
    >>> rotate(tinygrad_hw.tensor([[[1, 2], [3, 4]]]), 90).tolist()
    [[[2, 4], [1, 3]]]
    """
    mode = interpolation_mode(interpolation, _PIL_MODES if is_pil(img) else MODES)
    if center is not None and not isinstance(center, (list, tuple)):
        raise TypeError("Argument center should be a sequence")
    if is_pil(img):
        colour = None if fill is None else _pil_colour(img, fill)
        return img.rotate(angle, PIL_FILTERS[mode], expand, center, fillcolor=colour)
    _, height, width = get_dimensions(img)
    matrix = inverse_matrix(_from_middle(center, width, height), -angle, (0.0, 0.0), 1.0, (0.0, 0.0))
    size = _expanded(matrix, height, width) if expand else (height, width)
    return _sample(img, matrix, size, mode, fill, "rotate")


def affine(img, angle: float, translate, scale: float, shear, interpolation=InterpolationMode.NEAREST,
           fill=None, center=None):
    """The image sheared, scaled, turned and shifted, around its middle.

    Args:
        angle: degrees, clockwise.
        translate: (x, y) in pixels.
        scale: above 0.
        shear: degrees along x, or (along x, along y).
        interpolation, fill, center: as in `rotate`.

    Raises:
        TypeError, ValueError: arguments of a wrong type or value.

    >>> import tinygrad_hw
    >>> affine(tinygrad_hw.tensor([[1, 2, 3]]), 0, [1, 0], 1.0, [0.0]).tolist()
    [[0, 1, 2]]
    """
    mode = interpolation_mode(interpolation, _PIL_MODES if is_pil(img) else MODES)
    shear = _check_affine(angle, translate, scale, shear, center)
    if is_pil(img):
        width, height = img.size
        middle = (width * 0.5, height * 0.5) if center is None else center
        matrix = inverse_matrix(middle, angle, translate, scale, shear)
        colour = None if fill is None else _pil_colour(img, fill)
        return img.transform((width, height), Image.Transform.AFFINE, tuple(matrix.ravel()),
                             PIL_FILTERS[mode], fillcolor=colour)
    _, height, width = get_dimensions(img)
    matrix = inverse_matrix(_from_middle(center, width, height), angle, translate, scale, shear)
    return _sample(img, matrix, (height, width), mode, fill, "affine")


def _check_affine(angle, translate, scale, shear, center) -> tuple[float, float]:
    """Refuse wrong arguments; the shear as a pair."""
    if not isinstance(angle, numbers.Real):
        raise TypeError("Argument angle should be int or float")
    if not isinstance(translate, (list, tuple)):
        raise TypeError("Argument translate should be a sequence")
    if len(translate) != 2:
        raise ValueError("Argument translate should be a sequence of length 2")
    if scale <= 0.0:
        raise ValueError(f"Argument scale should be positive, got {scale}")
    if not isinstance(shear, (numbers.Real, list, tuple)):
        raise TypeError("Shear should be either a single value or a sequence of two values")
    shear = (shear,) if isinstance(shear, numbers.Real) else tuple(shear)
    if len(shear) not in (1, 2):
        raise ValueError(f"Shear should be a sequence containing two values. Got {shear}")
    if center is not None and not isinstance(center, (list, tuple)):
        raise TypeError("Argument center should be a sequence")
    return (shear[0], 0.0) if len(shear) == 1 else shear


def inverse_matrix(center, angle, translate, scale, shear):
    """(2, 3) matrix from a place (x, y, 1) in the new image to its place in the old one.

    The map of the old image is: move the centre to the origin, shear along x, along y, rotate, scale,
    move back, translate.

    >>> inverse_matrix((0, 0), 0.0, (3, 0), 2.0, (0.0, 0.0)).tolist()
    [[0.5, 0.0, -1.5], [0.0, 0.5, 0.0]]
    """
    turn = math.radians(angle)
    shear_x, shear_y = (math.tan(math.radians(value)) for value in shear)
    rotation = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    linear = scale * rotation @ [[1, 0], [-shear_y, 1]] @ [[1, -shear_x], [0, 1]]
    if abs(np.linalg.det(linear)) < 1e-12:
        raise ValueError(f"{angle=}, {scale=}, {shear=} flatten the image to a line")
    center = np.asarray(center, float)
    inverse = np.linalg.inv(linear)
    offset = center - inverse @ (center + np.asarray(translate, float))
    return np.column_stack([inverse, offset]) + 0.0  # + 0.0 turns -0.0 into 0.0


def _from_middle(center, width: int, height: int):
    return (0.0, 0.0) if center is None else (center[0] - width * 0.5, center[1] - height * 0.5)


def _expanded(matrix, height: int, width: int) -> tuple[int, int]:
    """(height, width) that holds all corners of the turned image."""
    x, y = width / 2, height / 2
    corners = np.linalg.inv(matrix[:, :2]) @ [[-x, -x, x, x], [-y, y, y, -y]]
    middle = np.array([[x], [y]])
    # Rounded, so that a corner at 5.00001 for 5 does not cost another row of pixels.
    low = np.floor(np.round((corners + middle).min(axis=1), 4))
    high = np.ceil(np.round((corners + middle).max(axis=1), 4))
    columns, rows = (high - low).astype(int)
    return int(rows), int(columns)


def _sample(img, matrix, size, mode, fill, name: str):
    """The Tensor image at ``matrix @ (x, y, 1)`` for all new pixels, x and y from the middle."""
    array = pixels(tensor_image(img), name)
    height, width = array.shape[-2:]
    colour = _fill_colours(fill, 1 if array.ndim == 2 else array.shape[-3])
    rows = np.arange(size[0])[:, None] - (size[0] - 1) / 2
    columns = np.arange(size[1]) - (size[1] - 1) / 2
    x = matrix[0, 0] * columns + matrix[0, 1] * rows + matrix[0, 2] + (width - 1) / 2
    y = matrix[1, 0] * columns + matrix[1, 1] * rows + matrix[1, 2] + (height - 1) / 2
    values = array if array.dtype.kind == "f" else array.astype(np.float32)
    if mode is InterpolationMode.NEAREST:
        x, y = (np.rint(np.round(place, 9)).astype(np.int64) for place in (x, y))
        result, inside = _look_up(values, x, y)
        weight = inside.astype(values.dtype)
        result = result * weight
    else:
        left, top = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
        result = weight = values.dtype.type(0)
        for step_x in (0, 1):
            for step_y in (0, 1):
                share = (1 - np.abs(x - left - step_x)) * (1 - np.abs(y - top - step_y))
                corner, inside = _look_up(values, left + step_x, top + step_y)
                share = (share * inside).astype(values.dtype)
                result, weight = result + corner * share, weight + share
    if fill is not None:
        # The edge, mixed with black already, is mixed with the colour by the same share once more: so
        # does torchvision.
        result = result * weight + (1 - weight) * colour.astype(values.dtype)
    if array.dtype.kind != "f":
        result = np.rint(result).astype(array.dtype)
    return from_numpy(np.ascontiguousarray(result.astype(array.dtype, copy=False)))


def _look_up(values, x, y):
    """The values at whole pixels, and whether these are inside the image."""
    height, width = values.shape[-2:]
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    return values[..., np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)], inside


def _fill_colours(fill, channels: int):
    """The colour as an array that broadcasts over (..., C, H, W)."""
    if fill is None or isinstance(fill, numbers.Number):
        return np.asarray(fill or 0)
    if not isinstance(fill, (list, tuple)):
        raise TypeError("Argument fill should be either int, float, tuple or list")
    if len(fill) not in (1, channels):
        raise ValueError(f"The number of elements in 'fill' cannot broadcast to match the number of "
                         f"channels of the image ({len(fill)} != {channels})")
    return np.asarray(fill).reshape(-1, 1, 1)
