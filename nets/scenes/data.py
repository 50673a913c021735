"""Pictures on their way to a network: random parts of them, or all of them shrunk."""

from __future__ import annotations

import numpy as np
from PIL import Image

from nets.classification.images import Pictures, as_input
from tinygrad_hw.vision import transforms
from tinygrad_hw.vision.datasets import ArrayDataset

__all__ = ["cropped", "shrunk"]


def cropped(pictures: Pictures, mean, std, side: int, scale: tuple[float, float] = (0.3, 1.0),
            colour: float = 0.3) -> ArrayDataset:
    """Labelled pictures of which every look takes another part, mirrored or not, in another light.

    Args:
        pictures: the pictures.
        mean, std: of each channel, to normalise by.
        side: of the part after resizing.
        scale: range of the part's share of the area.
        colour: largest relative change of brightness, contrast and saturation.

    >>> pictures = Pictures(np.zeros((2, 32, 32, 3), np.uint8), np.array([0, 1]), ("cat", "dog"))
    >>> image, label = cropped(pictures, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), side=16)[1]
    >>> image.shape, label
    (tinygrad_hw.Size([3, 16, 16]), 1)
    """
    std = [value or 1.0 for value in map(float, std)]  # a channel that never changes
    change = transforms.Compose([
        transforms.RandomResizedCrop(side, scale=scale), transforms.RandomHorizontalFlip(),
        transforms.ColorJitter(colour, colour, colour), transforms.ToTensor(),
        transforms.Normalize(list(map(float, mean)), std)])
    return ArrayDataset([Image.fromarray(image) for image in pictures.pixels], pictures.labels, change)


def shrunk(pictures: Pictures, mean, std, side: int) -> np.ndarray:
    """Whole pictures (N, 3, side, side), normalised, as a network is judged by them.

    >>> pictures = Pictures(np.full((1, 4, 4, 3), 255, np.uint8), np.array([0]), ("white",))
    >>> shrunk(pictures, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), side=2).ravel().tolist() == [1.0] * 12
    True
    """
    small = [np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BILINEAR))
             for image in pictures.pixels]
    return as_input(np.stack(small), mean, std)
