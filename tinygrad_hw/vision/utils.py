"""Many images in one: `make_grid` and `save_image`, with the names of ``torchvision.utils``."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from tinygrad_hw.tensor import Tensor

__all__ = ["make_grid", "save_image"]


def _batch(tensor) -> np.ndarray:
    """The images as an array (N, 3 or more, H, W)."""
    if not isinstance(tensor, Tensor) and not (
        isinstance(tensor, list) and all(isinstance(image, Tensor) for image in tensor)
    ):
        raise TypeError(f"tensor or list of tensors expected, got {type(tensor)}")
    array = np.stack([image.array for image in tensor]) if isinstance(tensor, list) else tensor.array
    if array.ndim == 2:
        array = array[None]
    if array.ndim == 3:
        array = array[None]
    if array.ndim != 4:
        raise ValueError(f"images are (N, C, H, W), (C, H, W) or (H, W), got shape {array.shape}")
    return np.repeat(array, 3, 1) if array.shape[1] == 1 else array


def _scaled(array: np.ndarray, value_range: tuple[float, float] | None) -> np.ndarray:
    """Values between 0 and 1: from ``value_range``, or from the smallest and largest there are."""
    low, high = (array.min(), array.max()) if value_range is None else value_range
    return (np.clip(array, low, high) - low) / max(high - low, 1e-5)


def make_grid(
    tensor,
    nrow: int = 8,
    padding: int = 2,
    normalize: bool = False,
    value_range: tuple[float, float] | None = None,
    scale_each: bool = False,
    pad_value: float = 0.0,
) -> Tensor:
    """Images side by side in one, (N, C, H, W) to (C, H_grid, W_grid); grey ones get three equal channels.

    Args:
        tensor: a batch, or a list of images of one size.
        nrow: images in a row.
        padding: pixels between them and around.
        normalize: shift and scale the values to 0..1.
        value_range: which values become 0 and 1; by default the smallest and the largest.
        scale_each: with ``normalize``, every image on its own.
        pad_value: value of the pixels between.

    Source: https://docs.pytorch.org/vision/stable/generated/torchvision.utils.make_grid.html

    >>> from tinygrad_hw import ones
    >>> make_grid(ones(3, 1, 4, 4), nrow=2).shape
    tinygrad_hw.Size([3, 14, 14])
    """
    images = _batch(tensor)
    if normalize:
        if value_range is not None and not isinstance(value_range, tuple):
            raise TypeError(
                "value_range has to be a tuple (min, max) if specified. min and max are numbers"
            )
        images = (
            np.stack([_scaled(image, value_range) for image in images])
            if scale_each
            else _scaled(images, value_range)
        )
    count, channels, height, width = images.shape
    if count == 1:
        return Tensor._wrap(images[0].copy())
    columns = min(nrow, count)
    rows = math.ceil(count / columns)
    high, wide = height + padding, width + padding
    grid = np.full((channels, high * rows + padding, wide * columns + padding), pad_value, images.dtype)
    for place, image in enumerate(images):
        top, left = place // columns * high + padding, place % columns * wide + padding
        grid[:, top : top + height, left : left + width] = image
    return Tensor._wrap(grid)


def save_image(tensor, fp, format: str | None = None, **kwargs) -> None:
    """Write images as one file; values are 0..1.

    Args:
        fp: path or file.
        format: needed for a file without a name, ``"png"`` for instance.
        kwargs: those of `make_grid`.

    >>> import io
    >>> from tinygrad_hw import ones
    >>> file = io.BytesIO()
    >>> save_image(ones(1, 4, 6), file, format="png")
    >>> Image.open(file).size
    (6, 4)
    """
    grid = make_grid(tensor, **kwargs).array
    pixels = np.clip(grid * 255 + 0.5, 0, 255).astype(np.uint8).transpose(1, 2, 0)
    Image.fromarray(np.ascontiguousarray(pixels)).save(fp, format=format)
