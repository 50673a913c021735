"""What an image is: a PIL image, or a Tensor (..., C, H, W)."""

from __future__ import annotations

import enum

import numpy as np
from PIL import Image

from tinygrad_hw.autograd.mode import is_grad_enabled
from tinygrad_hw.tensor import Tensor

__all__ = ["InterpolationMode", "get_dimensions", "get_image_num_channels", "get_image_size"]


class InterpolationMode(enum.Enum):
    """How values between pixels are found. Tensors know the first four.

    >>> InterpolationMode("bilinear")
    <InterpolationMode.BILINEAR: 'bilinear'>
    """

    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"
    HAMMING = "hamming"
    LANCZOS = "lanczos"


PIL_FILTERS = {
    InterpolationMode.NEAREST: Image.Resampling.NEAREST,
    InterpolationMode.NEAREST_EXACT: Image.Resampling.NEAREST,
    InterpolationMode.BILINEAR: Image.Resampling.BILINEAR,
    InterpolationMode.BICUBIC: Image.Resampling.BICUBIC,
    InterpolationMode.BOX: Image.Resampling.BOX,
    InterpolationMode.HAMMING: Image.Resampling.HAMMING,
    InterpolationMode.LANCZOS: Image.Resampling.LANCZOS,
}


def interpolation_mode(value, allowed=None) -> InterpolationMode:
    """``value`` as an InterpolationMode; Pillow's numbers are understood, as torchvision does.

    Raises:
        TypeError: it is something else.
        ValueError: it is not among the ``allowed``.

    >>> interpolation_mode(2)
    <InterpolationMode.BILINEAR: 'bilinear'>
    """
    if isinstance(value, int):
        numbers = {int(number): mode for mode, number in reversed(PIL_FILTERS.items())}
        if value not in numbers:
            raise ValueError(f"no interpolation has the number {value}; use an InterpolationMode")
        value = numbers[value]
    if not isinstance(value, InterpolationMode):
        raise TypeError(
            "Argument interpolation should be a InterpolationMode or a corresponding Pillow integer "
            f"constant, but got {value!r}"
        )
    if allowed is not None and value not in allowed:
        names = ", ".join(mode.value for mode in allowed)
        raise ValueError(f"This interpolation mode is unsupported here: {value.value}; use {names}")
    return value


def is_pil(image) -> bool:
    """Whether it is a PIL image.

    >>> is_pil(Image.new("L", (2, 2)))
    True
    """
    return isinstance(image, Image.Image)


def tensor_image(image) -> Tensor:
    """``image`` itself, if it is a Tensor of at least two dimensions.

    Raises:
        TypeError: it is neither that nor a PIL image.

    >>> import tinygrad_hw
    >>> tensor_image(tinygrad_hw.zeros(3, 4, 5)).shape
    tinygrad_hw.Size([3, 4, 5])
    """
    if not isinstance(image, Tensor):
        raise TypeError(
            f"Unexpected type {type(image)}: an image is a PIL Image or a Tensor (..., C, H, W)"
        )
    if image.ndim < 2:
        raise TypeError(f"Tensor is not a torch image: it needs at least 2 dimensions (H, W), got "
                        f"shape {tuple(image.shape)}")
    return image


def pixels(image: Tensor, name: str) -> np.ndarray:
    """The array of a Tensor image, for what is computed without recording a graph.

    Raises:
        RuntimeError: a gradient through it is asked for.

    >>> import tinygrad_hw
    >>> pixels(tinygrad_hw.zeros(1, 2), "resize")
    array([[0., 0.]], dtype=float32)
    """
    if image.requires_grad and is_grad_enabled():
        raise RuntimeError(
            f"{name} of a Tensor image computes values only, but this one requires a gradient; "
            "pass image.detach(), or transform before requires_grad_()"
        )
    return image.array


def get_dimensions(img) -> list[int]:
    """Channels, height and width.

    >>> get_dimensions(Image.new("RGB", (5, 4)))
    [3, 4, 5]
    """
    if is_pil(img):
        return [len(img.getbands()), img.height, img.width]
    img = tensor_image(img)
    return [1 if img.ndim == 2 else img.shape[-3], *img.shape[-2:]]


def get_image_size(img) -> list[int]:
    """Width and height, in this order.

    >>> get_image_size(Image.new("RGB", (5, 4)))
    [5, 4]
    """
    _, height, width = get_dimensions(img)
    return [width, height]


def get_image_num_channels(img) -> int:
    """How many channels.

    >>> get_image_num_channels(Image.new("RGB", (5, 4)))
    3
    """
    return get_dimensions(img)[0]


def need_channels(image, permitted) -> int:
    """The number of channels, if it is ``permitted``.

    Raises:
        TypeError: it is not.

    >>> need_channels(Image.new("RGB", (5, 4)), (1, 3))
    3
    """
    count = get_dimensions(image)[0]
    if count not in permitted:
        raise TypeError(f"Input image tensor permitted channel values are {list(permitted)}, but found "
                        f"{count}")
    return count


def setup_size(size, error_msg: str) -> tuple[int, int]:
    """(height, width) of an int, or of a sequence of one or two.

    Raises:
        ValueError: with ``error_msg``, for a sequence of another length.

    >>> setup_size(3, ""), setup_size([4, 5], "")
    ((3, 3), (4, 5))
    """
    if isinstance(size, (int, np.integer)):
        return int(size), int(size)
    if not isinstance(size, (list, tuple)) or len(size) not in (1, 2):
        raise ValueError(error_msg)
    return (size[0], size[0]) if len(size) == 1 else (size[0], size[1])
