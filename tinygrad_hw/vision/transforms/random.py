"""Random crops and flips. Chance comes from `transform_generator`."""

from __future__ import annotations

import math
import warnings

from tinygrad_hw.nn import Module
from tinygrad_hw.utils.data.randomness import transform_generator
from tinygrad_hw.vision.transforms import geometry
from tinygrad_hw.vision.transforms.framing import TWO_SIZES
from tinygrad_hw.vision.transforms.images import (
    InterpolationMode,
    get_dimensions,
    interpolation_mode,
    setup_size,
)

__all__ = ["RandomCrop", "RandomHorizontalFlip", "RandomResizedCrop", "RandomVerticalFlip"]


def happens(p: float) -> bool:
    """True with probability ``p``.

    >>> happens(1.0), happens(0.0)
    (True, False)
    """
    return bool(transform_generator().random() < p)


class RandomCrop(Module):
    """A part of the image at a random place.

    Args:
        size: (height, width), or one number for both.
        padding: border that is put around the image first, as in `pad`.
        pad_if_needed: a further border where the image is smaller than ``size``.
        fill, padding_mode: of the border.

    Raises:
        ValueError: the image is smaller than ``size``.

    >>> RandomCrop(4, padding=1)
    RandomCrop(size=(4, 4), padding=1)
    """

    def __init__(self, size, padding=None, pad_if_needed=False, fill=0, padding_mode="constant"):
        super().__init__()
        self.size = tuple(setup_size(size, TWO_SIZES))
        self.padding = padding
        self.pad_if_needed = pad_if_needed
        self.fill = fill
        self.padding_mode = padding_mode

    @staticmethod
    def get_params(img, output_size) -> tuple[int, int, int, int]:
        """Top, left, height and width of a random crop."""
        _, rows, columns = get_dimensions(img)
        height, width = output_size
        if rows < height or columns < width:
            raise ValueError(f"Required crop size {(height, width)} is larger than input image size "
                             f"{(rows, columns)}; resize first, or use padding or pad_if_needed")
        if (rows, columns) == (height, width):
            return 0, 0, rows, columns
        random = transform_generator()
        top = int(random.integers(0, rows - height + 1))
        left = int(random.integers(0, columns - width + 1))
        return top, left, height, width

    def forward(self, img):
        if self.padding is not None:
            img = geometry.pad(img, self.padding, self.fill, self.padding_mode)
        _, rows, columns = get_dimensions(img)
        if self.pad_if_needed and columns < self.size[1]:
            img = geometry.pad(img, [self.size[1] - columns, 0], self.fill, self.padding_mode)
        if self.pad_if_needed and rows < self.size[0]:
            img = geometry.pad(img, [0, self.size[0] - rows], self.fill, self.padding_mode)
        return geometry.crop(img, *self.get_params(img, self.size))

    def __repr__(self):
        return f"{type(self).__name__}(size={self.size}, padding={self.padding})"


class RandomHorizontalFlip(Module):
    """Left and right exchanged with probability ``p``.

    >>> RandomHorizontalFlip()
    RandomHorizontalFlip(p=0.5)
    """

    def __init__(self, p=0.5):
        super().__init__()
        self.p = p

    def forward(self, img):
        return geometry.hflip(img) if happens(self.p) else img

    def __repr__(self):
        return f"{type(self).__name__}(p={self.p})"


class RandomVerticalFlip(Module):
    """Up and down exchanged with probability ``p``.

    >>> RandomVerticalFlip(0.1)
    RandomVerticalFlip(p=0.1)
    """

    def __init__(self, p=0.5):
        super().__init__()
        self.p = p

    def forward(self, img):
        return geometry.vflip(img) if happens(self.p) else img

    def __repr__(self):
        return f"{type(self).__name__}(p={self.p})"


class RandomResizedCrop(Module):
    """A part of random area, proportions and place, resized to ``size``
    (Szegedy et al., "Going deeper with convolutions", 2015).

    Args:
        size: (height, width), or one number for both.
        scale: range of the part's share of the area.
        ratio: range of its width over its height.
        interpolation, antialias: of the resizing.

    >>> RandomResizedCrop(8)  # doctest: +NORMALIZE_WHITESPACE
    RandomResizedCrop(size=(8, 8), scale=(0.08, 1.0), ratio=(0.75, 1.3333), interpolation=bilinear,
    antialias=True)
    """

    def __init__(self, size, scale=(0.08, 1.0), ratio=(3.0 / 4.0, 4.0 / 3.0),
                 interpolation=InterpolationMode.BILINEAR, antialias=True):
        super().__init__()
        self.size = setup_size(size, TWO_SIZES)
        for name, values in (("Scale", scale), ("Ratio", ratio)):
            if not isinstance(values, (list, tuple)):
                raise TypeError(f"{name} should be a sequence")
            if values[0] > values[1]:
                warnings.warn(f"{name} should be of kind (min, max)", stacklevel=2)
        self.interpolation = interpolation_mode(interpolation)
        self.antialias = antialias
        self.scale = scale
        self.ratio = ratio

    @staticmethod
    def get_params(img, scale, ratio) -> tuple[int, int, int, int]:
        """Top, left, height and width; after ten misses the largest part in the middle that fits."""
        _, rows, columns = get_dimensions(img)
        random = transform_generator()
        for _ in range(10):
            area = rows * columns * float(random.uniform(scale[0], scale[1]))
            proportion = math.exp(random.uniform(math.log(ratio[0]), math.log(ratio[1])))
            width, height = round(math.sqrt(area * proportion)), round(math.sqrt(area / proportion))
            if 0 < width <= columns and 0 < height <= rows:
                top = int(random.integers(0, rows - height + 1))
                left = int(random.integers(0, columns - width + 1))
                return top, left, height, width
        whole = columns / rows
        if whole < min(ratio):
            width, height = columns, round(columns / min(ratio))
        elif whole > max(ratio):
            width, height = round(rows * max(ratio)), rows
        else:
            width, height = columns, rows
        return (rows - height) // 2, (columns - width) // 2, height, width

    def forward(self, img):
        part = self.get_params(img, self.scale, self.ratio)
        return geometry.resized_crop(img, *part, self.size, self.interpolation, self.antialias)

    def __repr__(self):
        scale, ratio = (tuple(round(value, 4) for value in pair) for pair in (self.scale, self.ratio))
        return (f"{type(self).__name__}(size={self.size}, scale={scale}, ratio={ratio}, "
                f"interpolation={self.interpolation.value}, antialias={self.antialias})")
