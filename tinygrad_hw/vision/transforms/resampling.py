"""Resizing of arrays (..., H, W): each new pixel is a weighted sum of old ones, axis by axis.

The weights are those of ``torch.nn.functional.interpolate`` with ``align_corners=False``. With antialias
the kernel is stretched over all pixels that a new one covers, as Pillow does.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from tinygrad_hw.vision.transforms.images import InterpolationMode

__all__ = ["MODES", "resample"]

MODES = (
    InterpolationMode.NEAREST,
    InterpolationMode.NEAREST_EXACT,
    InterpolationMode.BILINEAR,
    InterpolationMode.BICUBIC,
)


def resample(array, height: int, width: int, mode: InterpolationMode, antialias: bool):
    """``array`` (..., H, W) with ``height`` rows and ``width`` columns, in its own dtype.

    Integers are computed as float32 and rounded (half to even); bicubic, which overshoots, is held
    within the range of uint8.

    >>> resample(np.array([[0.0, 1.0]]), 1, 4, InterpolationMode.BILINEAR, False)
    array([[0.  , 0.25, 0.75, 1.  ]])
    """
    if mode in (InterpolationMode.NEAREST, InterpolationMode.NEAREST_EXACT):
        shift = 0.0 if mode is InterpolationMode.NEAREST else 0.5
        rows, columns = (
            _nearest(old, new, shift) for old, new in zip(array.shape[-2:], (height, width))
        )
        return np.ascontiguousarray(array[..., rows[:, None], columns])
    values = array if array.dtype.kind == "f" else array.astype(np.float32)
    cubic = mode is InterpolationMode.BICUBIC
    by_column, by_row = (_weights(old, new, cubic, bool(antialias)).astype(values.dtype)
                         for old, new in ((array.shape[-1], width), (array.shape[-2], height)))
    result = np.ascontiguousarray(by_row @ (values @ by_column.T))
    if array.dtype.kind == "f":
        return result
    if array.dtype == np.uint8:
        result = np.clip(result, 0, 255)
    return np.rint(result).astype(array.dtype)


def _nearest(old: int, new: int, shift: float):
    """For each new pixel the old one below ``(i + shift) * old / new``, in float32 like PyTorch."""
    places = (np.arange(new, dtype=np.float32) + np.float32(shift)) * np.float32(old / new)
    return np.minimum(places.astype(np.int64), old - 1)


@lru_cache(maxsize=64)
def _weights(old: int, new: int, cubic: bool, antialias: bool):
    """Matrix (new, old) of one axis."""
    scale = old / new
    centres = (np.arange(new) + 0.5) * scale - 0.5
    if not antialias:
        return _interpolation(centres, old, cubic)
    stretch = max(scale, 1.0)
    support = (2.0 if cubic else 1.0) * stretch
    # Pillow's window: pixels whose centres lie within the support, cut at the image's edges.
    first = np.maximum((centres + 0.5 - support + 0.5).astype(np.int64), 0)
    last = np.minimum((centres + 0.5 + support + 0.5).astype(np.int64), old)
    place = np.arange(old)
    distance = np.abs(place - centres[:, None]) / stretch
    kernel = _cubic(distance, -0.5) if cubic else np.maximum(1.0 - distance, 0.0)
    kernel *= (place >= first[:, None]) & (place < last[:, None])
    return kernel / kernel.sum(axis=1, keepdims=True)


def _interpolation(centres, old: int, cubic: bool):
    """Weights of the nearest two (four) pixels; beyond the edge the last pixel goes on."""
    weights = np.zeros((len(centres), old))
    if not cubic:
        centres = np.maximum(centres, 0.0)
    below = np.floor(centres).astype(np.int64)
    for step in range(-1, 3) if cubic else range(2):
        distance = np.abs(centres - (below + step))
        weight = _cubic(distance, -0.75) if cubic else 1.0 - distance
        np.add.at(weights, (np.arange(len(centres)), np.clip(below + step, 0, old - 1)), weight)
    return weights


def _cubic(x, a: float):
    """Keys, "Cubic convolution interpolation for digital image processing", 1981; x is not negative."""
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((x - 5) * x + 8) * x * a - 4 * a
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))
