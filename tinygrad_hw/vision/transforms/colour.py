"""Functions that change colours and leave every pixel in its place."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageEnhance

from tinygrad_hw.construct import from_numpy
from tinygrad_hw.vision.transforms.conversion import convert_image_dtype
from tinygrad_hw.vision.transforms.images import is_pil, need_channels, pixels, tensor_image

__all__ = ["adjust_brightness", "adjust_contrast", "adjust_gamma", "adjust_hue", "adjust_saturation",
           "invert", "rgb_to_grayscale", "to_grayscale"]

_LUMA = (0.2989, 0.587, 0.114)  # ITU-R BT.601: how bright red, green and blue look


def rgb_to_grayscale(img, num_output_channels: int = 1):
    """The brightness of each pixel, ``0.2989 red + 0.587 green + 0.114 blue``, in one or three channels.

    Raises:
        TypeError: an image without 1 or 3 channels.
        ValueError: ``num_output_channels`` is neither.

    >>> rgb_to_grayscale(Image.new("RGB", (1, 1), (255, 0, 0))).getpixel((0, 0))
    76
    """
    if num_output_channels not in (1, 3):
        raise ValueError(f"num_output_channels should be either 1 or 3, got {num_output_channels}")
    if is_pil(img):
        grey = img.convert("L")
        return grey if num_output_channels == 1 else Image.merge("RGB", [grey] * 3)
    img = tensor_image(img)
    if img.ndim < 3:
        raise TypeError("Input image tensor should have at least 3 dimensions, but found "
                        f"{img.ndim}")
    need_channels(img, (1, 3))
    grey = _luma(pixels(img, "rgb_to_grayscale"))
    return from_numpy(np.repeat(grey, num_output_channels, axis=-3))


def to_grayscale(img, num_output_channels: int = 1):
    """`rgb_to_grayscale` of a PIL image.

    Raises:
        TypeError: no PIL image.

    >>> to_grayscale(Image.new("RGB", (1, 1))).mode
    'L'
    """
    if not is_pil(img):
        raise TypeError("Input should be PIL Image")
    return rgb_to_grayscale(img, num_output_channels)


def adjust_brightness(img, brightness_factor: float):
    """Towards black (0), unchanged (1), brighter (above 1).

    >>> adjust_brightness(Image.new("L", (1, 1), 100), 1.5).getpixel((0, 0))
    150
    """
    _not_negative("brightness_factor", brightness_factor)
    if is_pil(img):
        return ImageEnhance.Brightness(img).enhance(brightness_factor)
    array = _coloured(img, "adjust_brightness")
    return _blend(array, np.zeros_like(array), brightness_factor)


def adjust_contrast(img, contrast_factor: float):
    """Towards an even grey of the image's mean brightness (0), unchanged (1), stronger (above 1).

    >>> import tinygrad_hw
    >>> adjust_contrast(tinygrad_hw.tensor([[[0.0, 1.0]]]), 0.5).tolist()
    [[[0.25, 0.75]]]
    """
    _not_negative("contrast_factor", contrast_factor)
    if is_pil(img):
        return ImageEnhance.Contrast(img).enhance(contrast_factor)
    array = _coloured(img, "adjust_contrast")
    grey = _luma(array)
    mean = grey.astype(_float_of(array)).mean(axis=(-3, -2, -1), keepdims=True)
    return _blend(array, mean, contrast_factor)


def adjust_saturation(img, saturation_factor: float):
    """Towards grey (0), unchanged (1), more colourful (above 1).

    >>> adjust_saturation(Image.new("RGB", (1, 1), (255, 0, 0)), 0).getpixel((0, 0))
    (76, 76, 76)
    """
    _not_negative("saturation_factor", saturation_factor)
    if is_pil(img):
        return ImageEnhance.Color(img).enhance(saturation_factor)
    array = _coloured(img, "adjust_saturation")
    return from_numpy(array) if array.shape[-3] == 1 else _blend(array, _luma(array), saturation_factor)


def adjust_hue(img, hue_factor: float):
    """Every colour moved along the colour circle by ``hue_factor`` turns, -0.5 to 0.5.

    >>> adjust_hue(Image.new("RGB", (1, 1), (255, 0, 0)), 0.5).getpixel((0, 0))
    (0, 255, 252)
    """
    if not -0.5 <= hue_factor <= 0.5:
        raise ValueError(f"hue_factor ({hue_factor}) is not in [-0.5, 0.5].")
    if is_pil(img):
        return _pil_hue(img, hue_factor)
    array = _coloured(img, "adjust_hue")
    if array.shape[-3] == 1:
        return from_numpy(array)
    floats = array if array.dtype.kind == "f" else convert_image_dtype(from_numpy(array)).array
    hue, saturation, value = _to_hsv(floats)
    turned = _from_hsv((hue + hue_factor) % 1.0, saturation, value).astype(floats.dtype)
    return convert_image_dtype(from_numpy(turned), array.dtype)


def _pil_hue(img, hue_factor: float):
    """Through Pillow's HSV, whose hue has 256 steps and wraps around."""
    if img.mode in ("L", "1", "I", "F"):
        return img
    hue, saturation, value = img.convert("HSV").split()
    turned = np.array(hue, np.uint8) + np.uint8(int(hue_factor * 255) % 256)
    return Image.merge("HSV", (Image.fromarray(turned), saturation, value)).convert(img.mode)


def adjust_gamma(img, gamma: float, gain: float = 1):
    """``gain * value ** gamma`` of values in 0..1: shadows darker (above 1) or lighter (below 1).

    >>> adjust_gamma(Image.new("L", (1, 1), 128), 2.0).getpixel((0, 0))
    64
    """
    if gamma < 0:
        raise ValueError(f"Gamma should be a non-negative real number, got {gamma}")
    if is_pil(img):
        curve = [int((255 + 1 - 1e-3) * gain * (value / 255.0) ** gamma) for value in range(256)]
        mode = img.mode
        img = img.convert("RGB")
        return img.point([min(value, 255) for value in curve] * 3).convert(mode)
    array = _coloured(img, "adjust_gamma")
    floats = array if array.dtype.kind == "f" else convert_image_dtype(from_numpy(array)).array
    result = np.clip(gain * floats ** floats.dtype.type(gamma), 0, 1).astype(floats.dtype)
    return convert_image_dtype(from_numpy(result), array.dtype)


def invert(img):
    """Black and white exchanged, and every colour with its complement.

    >>> invert(Image.new("L", (1, 1), 5)).getpixel((0, 0))
    250
    """
    if is_pil(img):
        from PIL import ImageOps

        return ImageOps.invert(img)
    array = _coloured(img, "invert")
    return from_numpy(_bound(array) - array)


def _not_negative(name: str, factor: float):
    if factor < 0:
        raise ValueError(f"{name} ({factor}) is not non-negative.")


def _coloured(img, name: str):
    """The array of a Tensor image with one or three channels."""
    img = tensor_image(img)
    if img.ndim < 3:
        raise TypeError(f"Input image tensor should have at least 3 dimensions, but found {img.ndim}")
    need_channels(img, (1, 3))
    return pixels(img, name)


def _luma(array):
    """(..., 1, H, W), cut off to whole numbers where the image has whole numbers."""
    if array.shape[-3] == 1:
        return array
    floats = array.astype(_float_of(array), copy=False)
    grey = sum(floats.dtype.type(weight) * floats[..., channel:channel + 1, :, :]
               for channel, weight in enumerate(_LUMA))
    return grey.astype(array.dtype)


def _float_of(array):
    return array.dtype if array.dtype.kind == "f" else np.dtype(np.float32)


def _bound(array):
    return array.dtype.type(1 if array.dtype.kind in "fb" else np.iinfo(array.dtype).max)


def _blend(first, second, ratio: float):
    """``ratio * first + (1 - ratio) * second``, held within the range of the dtype."""
    kind = _float_of(first).type
    mixed = kind(ratio) * first.astype(kind) + kind(1.0 - ratio) * second.astype(kind)
    return from_numpy(np.clip(mixed, 0, _bound(first)).astype(first.dtype))


def _to_hsv(rgb):
    """Hue, saturation and value in 0..1 (Smith, "Color gamut transform pairs", 1978)."""
    red, green, blue = np.moveaxis(rgb, -3, 0)
    value, low = rgb.max(axis=-3), rgb.min(axis=-3)
    spread = value - low
    divisor = np.where(spread == 0, 1, spread)
    saturation = spread / np.where(value == 0, 1, value)
    hue = np.where(
        value == red, (green - blue) / divisor,
        np.where(value == green, 2.0 + (blue - red) / divisor, 4.0 + (red - green) / divisor))
    return (hue / 6.0) % 1.0, saturation, value


def _from_hsv(hue, saturation, value):
    """The inverse of `_to_hsv`: each channel falls off with its distance from its own hue."""
    channels = []
    for start in (5.0, 3.0, 1.0):
        place = (start + hue * 6.0) % 6.0
        channels.append(value - value * saturation * np.clip(np.minimum(place, 4.0 - place), 0.0, 1.0))
    return np.clip(np.stack(channels, axis=-3), 0.0, 1.0)
