"""Gaussian blur."""

from __future__ import annotations

import numbers

import numpy as np

from tinygrad_hw.construct import from_numpy
from tinygrad_hw.nn import Module
from tinygrad_hw.utils.data.randomness import transform_generator
from tinygrad_hw.vision.transforms.conversion import pil_to_tensor, to_pil_image
from tinygrad_hw.vision.transforms.images import is_pil, pixels, setup_size, tensor_image

__all__ = ["GaussianBlur", "gaussian_blur"]


def gaussian_blur(img, kernel_size, sigma=None):
    """Each pixel becomes an average of its neighbourhood, weighted by a bell curve; edges are mirrored.

    Args:
        kernel_size: odd width of the neighbourhood, or (along x, along y).
        sigma: width of the bell, or (along x, along y); default ``0.3 * ((k - 1) / 2 - 1) + 0.8``.

    Raises:
        TypeError, ValueError: sizes of a wrong type or value.

    >>> import tinygrad_hw
    >>> gaussian_blur(tinygrad_hw.ones(1, 4, 4), 3).shape
    tinygrad_hw.Size([1, 4, 4])
    """
    sizes = [kernel_size] * 2 if isinstance(kernel_size, int) else list(kernel_size)
    if len(sizes) != 2:
        raise ValueError(f"If kernel_size is a sequence its length should be 2. Got {len(sizes)}")
    for size in sizes:
        if size % 2 == 0 or size < 0:
            raise ValueError(f"kernel_size should have odd and positive integers. Got {sizes}")
    sigmas = _sigmas(sigma, sizes)
    source = pil_to_tensor(img) if is_pil(img) else tensor_image(img)
    array = pixels(source, "gaussian_blur")
    values = array if array.dtype.kind == "f" else array.astype(np.float32)
    for axis, size, width in zip((-1, -2), sizes, sigmas):
        values = _along(values, axis, size, width)
    if array.dtype.kind != "f":
        values = np.rint(values)
    result = from_numpy(np.ascontiguousarray(values.astype(array.dtype)))
    return to_pil_image(result, mode=img.mode) if is_pil(img) else result


def _sigmas(sigma, sizes) -> list[float]:
    if sigma is None:
        sigma = [size * 0.15 + 0.35 for size in sizes]
    if not isinstance(sigma, (numbers.Real, list, tuple)):
        raise TypeError(f"sigma should be either float or sequence of floats. Got {type(sigma)}")
    sigma = [sigma] if isinstance(sigma, numbers.Real) else list(sigma)
    if len(sigma) not in (1, 2):
        raise ValueError(f"If sigma is a sequence, its length should be 2. Got {len(sigma)}")
    sigma = [float(value) for value in sigma] * (2 // len(sigma))
    if min(sigma) <= 0:
        raise ValueError(f"sigma should have positive values. Got {sigma}")
    return sigma


def _along(values, axis: int, size: int, sigma: float):
    """Weighted sum of ``size`` shifted copies along one axis."""
    half, length = size // 2, values.shape[axis]
    if half >= length:
        raise RuntimeError(
            f"kernel_size {size} is too large for an image of shape {values.shape}: half of "
            f"it must be less than {length} pixels"
        )
    weights = np.exp(-0.5 * (np.linspace(-half, half, size) / sigma) ** 2)
    weights = (weights / weights.sum()).astype(values.dtype)
    mirrored = np.take(values, np.pad(np.arange(length), half, mode="reflect"), axis=axis)
    shifted = (np.take(mirrored, range(k, k + length), axis=axis) for k in range(size))
    return sum(weight * part for weight, part in zip(weights, shifted))


class GaussianBlur(Module):
    """`gaussian_blur` with a ``sigma`` drawn evenly from a range.

    >>> GaussianBlur(3)
    GaussianBlur(kernel_size=(3, 3), sigma=(0.1, 2.0))
    """

    def __init__(self, kernel_size, sigma=(0.1, 2.0)):
        super().__init__()
        self.kernel_size = setup_size(kernel_size, "Kernel size should be a tuple/list of two integers")
        for size in self.kernel_size:
            if size <= 0 or size % 2 == 0:
                raise ValueError("Kernel size value should be an odd and positive number.")
        if isinstance(sigma, numbers.Real):
            if sigma <= 0:
                raise ValueError("If sigma is a single number, it must be positive.")
            sigma = (sigma, sigma)
        elif not isinstance(sigma, (list, tuple)) or len(sigma) != 2:
            raise TypeError("sigma should be a single float or a list/tuple with length 2 floats.")
        elif not 0.0 < sigma[0] <= sigma[1]:
            raise ValueError("sigma values should be positive and of the form (min, max).")
        self.sigma = sigma

    @staticmethod
    def get_params(sigma_min: float, sigma_max: float) -> float:
        """A width from the range."""
        return float(transform_generator().uniform(sigma_min, sigma_max))

    def forward(self, img):
        sigma = self.get_params(self.sigma[0], self.sigma[1])
        return gaussian_blur(img, self.kernel_size, [sigma, sigma])

    def __repr__(self):
        return f"{type(self).__name__}(kernel_size={self.kernel_size}, sigma={self.sigma})"
