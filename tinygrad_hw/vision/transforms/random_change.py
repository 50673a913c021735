"""Random maps, colours and erased rectangles. Chance comes from `transform_generator`."""

from __future__ import annotations

import math
import numbers
import warnings

import numpy as np

from tinygrad_hw.construct import from_numpy
from tinygrad_hw.nn import Module
from tinygrad_hw.tensor import Tensor
from tinygrad_hw.utils.data.randomness import transform_generator
from tinygrad_hw.vision.transforms import colour, warp
from tinygrad_hw.vision.transforms.images import (
    InterpolationMode,
    get_dimensions,
    interpolation_mode,
    is_pil,
)
from tinygrad_hw.vision.transforms.random import happens

__all__ = ["ColorJitter", "RandomAffine", "RandomErasing", "RandomGrayscale", "RandomRotation", "erase"]


def _angles(value, name: str, lengths=(2,)) -> list[float]:
    """A range of degrees: -value..value for one number that is not negative."""
    if isinstance(value, numbers.Number):
        if value < 0:
            raise ValueError(f"If {name} is a single number, it must be positive.")
        value = [-value, value]
    elif not isinstance(value, (list, tuple)):
        raise TypeError(f"{name} should be a sequence of length {' or '.join(map(str, lengths))}.")
    elif len(value) not in lengths:
        raise ValueError(f"{name} should be a sequence of length {' or '.join(map(str, lengths))}.")
    return [float(angle) for angle in value]


def _check_center(center):
    if center is not None and not isinstance(center, (list, tuple)):
        raise TypeError("center should be a sequence of length 2.")
    if center is not None and len(center) != 2:
        raise ValueError("center should be a sequence of length 2.")


def _check_fill(fill):
    if fill is not None and not isinstance(fill, (numbers.Number, list, tuple)):
        raise TypeError("Fill should be either a sequence or a number.")
    return 0 if fill is None else fill


def _filled(img, fill):
    """The colour as warp takes it: for a Tensor image floats, one a channel."""
    if is_pil(img):
        return fill
    return [float(fill)] * get_dimensions(img)[0] if isinstance(fill, numbers.Number) else list(fill)


class RandomRotation(Module):
    """The image turned by a random angle.

    Args:
        degrees: range (low, high), or one number for (-degrees, degrees).
        interpolation, expand, center, fill: as in `rotate`.

    >>> RandomRotation(10)
    RandomRotation(degrees=[-10.0, 10.0], interpolation=nearest, expand=False, fill=0)
    """

    def __init__(
        self, degrees, interpolation=InterpolationMode.NEAREST, expand=False, center=None, fill=0
    ):
        super().__init__()
        self.degrees = _angles(degrees, "degrees")
        _check_center(center)
        self.interpolation = interpolation_mode(interpolation)
        self.expand = expand
        self.center = center
        self.fill = _check_fill(fill)

    @staticmethod
    def get_params(degrees) -> float:
        """A random angle."""
        return float(transform_generator().uniform(degrees[0], degrees[1]))

    def forward(self, img):
        angle = self.get_params(self.degrees)
        return warp.rotate(img, angle, self.interpolation, self.expand, self.center,
                           _filled(img, self.fill))

    def __repr__(self):
        center = f", center={self.center}" if self.center is not None else ""
        fill = f", fill={self.fill}" if self.fill is not None else ""
        return (
            f"{type(self).__name__}(degrees={self.degrees}, interpolation={self.interpolation.value}, "
            f"expand={self.expand}{center}{fill})"
        )


class RandomAffine(Module):
    """The image turned, shifted, scaled and sheared at random.

    Args:
        degrees: range of the angle, or one number for (-degrees, degrees).
        translate: largest shift as a share of (width, height).
        scale: range of the scale.
        shear: range of degrees along x, or (x low, x high, y low, y high), or one number for
            (-shear, shear).
        interpolation, fill, center: as in `affine`.

    >>> RandomAffine(0, translate=(0.1, 0.2))
    RandomAffine(degrees=[0.0, 0.0], translate=(0.1, 0.2))
    """

    def __init__(self, degrees, translate=None, scale=None, shear=None,
                 interpolation=InterpolationMode.NEAREST, fill=0, center=None):
        super().__init__()
        self.degrees = _angles(degrees, "degrees")
        for name, pair in (("translate", translate), ("scale", scale)):
            if pair is not None and not isinstance(pair, (list, tuple)):
                raise TypeError(f"{name} should be a sequence of length 2.")
            if pair is not None and len(pair) != 2:
                raise ValueError(f"{name} should be a sequence of length 2.")
        if translate is not None and not all(0.0 <= share <= 1.0 for share in translate):
            raise ValueError("translation values should be between 0 and 1")
        if scale is not None and not all(value > 0 for value in scale):
            raise ValueError("scale values should be positive")
        self.translate = translate
        self.scale = scale
        self.shear = None if shear is None else _angles(shear, "shear", (2, 4))
        self.interpolation = interpolation_mode(interpolation)
        self.fill = _check_fill(fill)
        _check_center(center)
        self.center = center

    @staticmethod
    def get_params(degrees, translate, scale_ranges, shears, img_size):
        """Angle, (x, y) shift in pixels, scale, (x, y) shear; ``img_size`` is (width, height)."""
        random = transform_generator()
        angle = float(random.uniform(degrees[0], degrees[1]))
        shift = (0, 0)
        if translate is not None:
            reach = [share * length for share, length in zip(translate, img_size)]
            shift = tuple(int(round(random.uniform(-length, length))) for length in reach)
        scale = 1.0 if scale_ranges is None else float(random.uniform(*scale_ranges))
        shear_x = shear_y = 0.0
        if shears is not None:
            shear_x = float(random.uniform(shears[0], shears[1]))
            shear_y = float(random.uniform(shears[2], shears[3])) if len(shears) == 4 else 0.0
        return angle, shift, scale, (shear_x, shear_y)

    def forward(self, img):
        _, height, width = get_dimensions(img)
        drawn = self.get_params(self.degrees, self.translate, self.scale, self.shear, [width, height])
        return warp.affine(img, *drawn, self.interpolation, _filled(img, self.fill), self.center)

    def __repr__(self):
        text = f"{type(self).__name__}(degrees={self.degrees}"
        for name in ("translate", "scale", "shear"):
            if getattr(self, name) is not None:
                text += f", {name}={getattr(self, name)}"
        if self.interpolation is not InterpolationMode.NEAREST:
            text += f", interpolation={self.interpolation.value}"
        if self.fill != 0:
            text += f", fill={self.fill}"
        if self.center is not None:
            text += f", center={self.center}"
        return text + ")"


class ColorJitter(Module):
    """Brightness, contrast, saturation and hue changed at random, in random order.

    Args:
        brightness, contrast, saturation: range of the factor, or one number for
            (max(0, 1 - value), 1 + value).
        hue: range within -0.5..0.5, or one number for (-hue, hue).

    >>> ColorJitter(0.5, hue=0.25)
    ColorJitter(brightness=(0.5, 1.5), contrast=None, saturation=None, hue=(-0.25, 0.25))
    """

    def __init__(self, brightness=0, contrast=0, saturation=0, hue=0):
        super().__init__()
        self.brightness = _jitter_range(brightness, "brightness")
        self.contrast = _jitter_range(contrast, "contrast")
        self.saturation = _jitter_range(saturation, "saturation")
        self.hue = _jitter_range(hue, "hue", center=0.0, bound=(-0.5, 0.5))

    @staticmethod
    def get_params(brightness, contrast, saturation, hue):
        """The order of the four changes, and the factor of each, None where its range is None."""
        random = transform_generator()
        order = random.permutation(4)
        factors = (None if values is None else float(random.uniform(values[0], values[1]))
                   for values in (brightness, contrast, saturation, hue))
        return (order, *factors)

    def forward(self, img):
        order, *factors = self.get_params(self.brightness, self.contrast, self.saturation, self.hue)
        changes = (colour.adjust_brightness, colour.adjust_contrast, colour.adjust_saturation,
                   colour.adjust_hue)
        for number in order:
            if factors[number] is not None:
                img = changes[number](img, factors[number])
        return img

    def __repr__(self):
        return (f"{type(self).__name__}(brightness={self.brightness}, contrast={self.contrast}, "
                f"saturation={self.saturation}, hue={self.hue})")


def _jitter_range(value, name: str, center=1.0, bound=(0.0, math.inf)):
    """The range of a factor; None where it is always the one that changes nothing."""
    if isinstance(value, numbers.Number):
        if value < 0:
            raise ValueError(f"If {name} is a single number, it must be non negative.")
        value = (center - float(value), center + float(value))
        if name != "hue":
            value = (max(value[0], 0.0), value[1])
    elif isinstance(value, (tuple, list)) and len(value) == 2:
        value = (float(value[0]), float(value[1]))
    else:
        raise TypeError(f"{name} should be a single number or a list/tuple with length 2.")
    if not bound[0] <= value[0] <= value[1] <= bound[1]:
        raise ValueError(f"{name} values should be between {bound}, but got {value}.")
    return None if value[0] == value[1] == center else value


class RandomGrayscale(Module):
    """Grey with probability ``p``, in as many channels as the image has.

    >>> RandomGrayscale()
    RandomGrayscale(p=0.1)
    """

    def __init__(self, p=0.1):
        super().__init__()
        self.p = p

    def forward(self, img):
        channels = get_dimensions(img)[0]
        return colour.rgb_to_grayscale(img, num_output_channels=channels) if happens(self.p) else img

    def __repr__(self):
        return f"{type(self).__name__}(p={self.p})"


class RandomErasing(Module):
    """A random rectangle of a Tensor image erased (Zhong et al., "Random erasing", 2017).

    Args:
        p: probability.
        scale: range of the rectangle's share of the area.
        ratio: range of its height over its width.
        value: number, one for each channel, or ``"random"`` for normal noise.
        inplace: write into the image.

    >>> RandomErasing()
    RandomErasing(p=0.5, scale=(0.02, 0.33), ratio=(0.3, 3.3), value=0, inplace=False)
    """

    def __init__(self, p=0.5, scale=(0.02, 0.33), ratio=(0.3, 3.3), value=0, inplace=False):
        super().__init__()
        if not isinstance(value, (numbers.Number, str, tuple, list)):
            raise TypeError("Argument value should be either a number or str or a sequence")
        if isinstance(value, str) and value != "random":
            raise ValueError("If value is str, it should be 'random'")
        for name, values in (("Scale", scale), ("Ratio", ratio)):
            if not isinstance(values, (tuple, list)):
                raise TypeError(f"{name} should be a sequence")
            if values[0] > values[1]:
                warnings.warn(f"{name} should be of kind (min, max)", stacklevel=2)
        if scale[0] < 0 or scale[1] > 1:
            raise ValueError("Scale should be between 0 and 1")
        if not 0 <= p <= 1:
            raise ValueError("Random erasing probability should be between 0 and 1")
        self.p = p
        self.scale = scale
        self.ratio = ratio
        self.value = value
        self.inplace = inplace

    @staticmethod
    def get_params(img, scale, ratio, value=None):
        """Top, left, height, width, values of a rectangle; the whole image as it is after ten misses."""
        channels, rows, columns = get_dimensions(img)
        random = transform_generator()
        for _ in range(10):
            area = rows * columns * float(random.uniform(scale[0], scale[1]))
            proportion = math.exp(random.uniform(math.log(ratio[0]), math.log(ratio[1])))
            height, width = round(math.sqrt(area * proportion)), round(math.sqrt(area / proportion))
            if not (height < rows and width < columns):
                continue
            if value is None:
                values = random.standard_normal((channels, height, width), np.float32)
            else:
                values = np.asarray(value, np.float32).reshape(-1, 1, 1)
            top = int(random.integers(0, rows - height + 1))
            left = int(random.integers(0, columns - width + 1))
            return top, left, height, width, from_numpy(values)
        return 0, 0, rows, columns, img

    def forward(self, img):
        if not happens(self.p):
            return img
        if not isinstance(img, Tensor):
            raise TypeError(f"img should be Tensor Image. Got {type(img)}; put ToTensor before "
                            "RandomErasing")
        value = None if self.value == "random" else self.value
        value = [value] if isinstance(value, numbers.Number) else value
        channels = get_dimensions(img)[0]
        if value is not None and len(value) not in (1, channels):
            raise ValueError("If value is a sequence, it should have either a single value or "
                             f"{channels} (number of input channels), got {len(value)}")
        return erase(img, *self.get_params(img, self.scale, self.ratio, value), self.inplace)

    def __repr__(self):
        return (f"{type(self).__name__}(p={self.p}, scale={self.scale}, ratio={self.ratio}, "
                f"value={self.value}, inplace={self.inplace})")


def erase(img, i: int, j: int, h: int, w: int, v, inplace: bool = False):
    """The Tensor image with the rectangle of height ``h`` and width ``w`` at row ``i``, column ``j``
    overwritten by ``v``.

    Raises:
        TypeError: no Tensor.

    >>> import tinygrad_hw
    >>> erase(tinygrad_hw.ones(1, 2, 2), 0, 1, 2, 1, tinygrad_hw.zeros(1, 1, 1)).tolist()
    [[[1.0, 0.0], [1.0, 0.0]]]
    """
    if not isinstance(img, Tensor):
        raise TypeError(f"img should be Tensor Image. Got {type(img)}")
    if not inplace:
        img = img.clone()
    img[..., i:i + h, j:j + w] = v.to(img.dtype) if isinstance(v, Tensor) else v
    return img
