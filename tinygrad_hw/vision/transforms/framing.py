"""Transforms that choose a part of the image and its size, without chance."""

from __future__ import annotations

import numbers

import numpy as np

from tinygrad_hw.nn import Module
from tinygrad_hw.vision.transforms import geometry
from tinygrad_hw.vision.transforms.colour import rgb_to_grayscale
from tinygrad_hw.vision.transforms.images import InterpolationMode, interpolation_mode, setup_size

__all__ = ["CenterCrop", "FiveCrop", "Grayscale", "Pad", "Resize", "TenCrop"]

TWO_SIZES = "Please provide only two dimensions (h, w) for size."


class Resize(Module):
    """See `functional.resize <tinygrad_hw.vision.transforms.geometry.resize>`.

    Raises:
        TypeError: a size that is neither an int nor a sequence.
        ValueError: a sequence that is not of length 1 or 2.

    >>> Resize(32)
    Resize(size=32, interpolation=bilinear, max_size=None, antialias=True)
    """

    def __init__(self, size, interpolation=InterpolationMode.BILINEAR, max_size=None, antialias=True):
        super().__init__()
        if not isinstance(size, (int, np.integer, list, tuple)):
            raise TypeError(f"Size should be int or sequence. Got {type(size)}")
        if isinstance(size, (list, tuple)) and len(size) not in (1, 2):
            raise ValueError("If size is a sequence, it should have 1 or 2 values")
        self.size = size
        self.max_size = max_size
        self.interpolation = interpolation_mode(interpolation)
        self.antialias = antialias

    def forward(self, img):
        return geometry.resize(img, self.size, self.interpolation, self.max_size, self.antialias)

    def __repr__(self):
        return (f"{type(self).__name__}(size={self.size}, interpolation={self.interpolation.value}, "
                f"max_size={self.max_size}, antialias={self.antialias})")


class CenterCrop(Module):
    """See `functional.center_crop <tinygrad_hw.vision.transforms.geometry.center_crop>`.

    >>> CenterCrop((4, 5))
    CenterCrop(size=(4, 5))
    """

    def __init__(self, size):
        super().__init__()
        self.size = setup_size(size, TWO_SIZES)

    def forward(self, img):
        return geometry.center_crop(img, self.size)

    def __repr__(self):
        return f"{type(self).__name__}(size={self.size})"


class FiveCrop(Module):
    """See `functional.five_crop <tinygrad_hw.vision.transforms.geometry.five_crop>`: a tuple of five.

    >>> FiveCrop(4)
    FiveCrop(size=(4, 4))
    """

    def __init__(self, size):
        super().__init__()
        self.size = setup_size(size, TWO_SIZES)

    def forward(self, img):
        return geometry.five_crop(img, self.size)

    def __repr__(self):
        return f"{type(self).__name__}(size={self.size})"


class TenCrop(Module):
    """See `functional.ten_crop <tinygrad_hw.vision.transforms.geometry.ten_crop>`: a tuple of ten.

    >>> TenCrop(4)
    TenCrop(size=(4, 4), vertical_flip=False)
    """

    def __init__(self, size, vertical_flip=False):
        super().__init__()
        self.size = setup_size(size, TWO_SIZES)
        self.vertical_flip = vertical_flip

    def forward(self, img):
        return geometry.ten_crop(img, self.size, self.vertical_flip)

    def __repr__(self):
        return f"{type(self).__name__}(size={self.size}, vertical_flip={self.vertical_flip})"


class Pad(Module):
    """See `functional.pad <tinygrad_hw.vision.transforms.geometry.pad>`.

    Raises:
        TypeError, ValueError: arguments of a wrong type or value.

    >>> Pad(2)
    Pad(padding=2, fill=0, padding_mode=constant)
    """

    def __init__(self, padding, fill=0, padding_mode="constant"):
        super().__init__()
        if not isinstance(padding, (numbers.Number, tuple, list)):
            raise TypeError("Got inappropriate padding arg")
        if not isinstance(fill, (numbers.Number, str, tuple, list)):
            raise TypeError("Got inappropriate fill arg")
        if padding_mode not in ("constant", "edge", "reflect", "symmetric"):
            raise ValueError("Padding mode should be either constant, edge, reflect or symmetric")
        if isinstance(padding, (list, tuple)) and len(padding) not in (1, 2, 4):
            raise ValueError(
                "Padding must be an int or a 1, 2, or 4 element tuple, not a "
                f"{len(padding)} element tuple"
            )
        self.padding = padding
        self.fill = fill
        self.padding_mode = padding_mode

    def forward(self, img):
        return geometry.pad(img, self.padding, self.fill, self.padding_mode)

    def __repr__(self):
        return (f"{type(self).__name__}(padding={self.padding}, fill={self.fill}, "
                f"padding_mode={self.padding_mode})")


class Grayscale(Module):
    """See `functional.rgb_to_grayscale <tinygrad_hw.vision.transforms.colour.rgb_to_grayscale>`.

    >>> Grayscale(3)
    Grayscale(num_output_channels=3)
    """

    def __init__(self, num_output_channels=1):
        super().__init__()
        self.num_output_channels = num_output_channels

    def forward(self, img):
        return rgb_to_grayscale(img, self.num_output_channels)

    def __repr__(self):
        return f"{type(self).__name__}(num_output_channels={self.num_output_channels})"
