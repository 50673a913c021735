"""The 36 characters A-Z and 0-9: NIST36 from .mat files, Glyph36 drawn on the spot."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tinygrad_hw.vision.datasets import glyphs
from tinygrad_hw.vision.datasets.glyphs import CLASSES
from tinygrad_hw.vision.datasets.matfiles import find_name, read_mat
from tinygrad_hw.vision.datasets.vision import ImageArrays, split_name

__all__ = ["NIST36", "Glyph36"]


class NIST36(ImageArrays):
    """Handwritten characters, 32 x 32, from .mat files (needs SciPy).

    Args:
        root: folder with ``<name>_train.mat``, ``<name>_valid.mat`` and perhaps ``<name>_test.mat``.
        split: "train", "validation" or "test".
        transform, target_transform: called with the PIL image (ink 0, paper 255) and the label.
        name: which data set, where the folder holds several.

    Attributes:
        data: uint8 (N, 32, 32), upright.
        values: float32 (N, 32, 32) in 0..1, as the file has them.
        targets: list of labels.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged or has another content.

    >>> NIST36("/no/such/folder")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    FileNotFoundError: ...
    """

    classes = list(CLASSES)

    def __init__(self, root, split="train", transform=None, target_transform=None, name=None):
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.split = split_name(split)
        folder = Path(self.root)
        name = find_name(folder) if name is None else name
        key = "valid" if self.split == "validation" else self.split
        images, labels = read_mat(folder / f"{name}_{key}.mat", key)
        self.values = images[:, 0]
        self.data = np.rint(self.values * 255).astype(np.uint8)
        self.targets = labels.tolist()


class Glyph36(ImageArrays):
    """Characters drawn from fonts, bent and slanted like handwriting; no download.

    10,800 training, 3,600 validation and 1,800 test images. They are drawn at the first use, in about
    twelve seconds, and stored.

    Args:
        root: folder of the stored drawing; default $TINYGRAD_HW_CACHE/data or ~/.cache/tinygrad_hw/data.
        split: "train", "validation" or "test".
        transform, target_transform: called with the PIL image (ink 0, paper 255) and the label.
        seed: another seed draws other images.

    >>> dataset = Glyph36(split="test")
    >>> image, label = dataset[0]
    >>> len(dataset), image.size, dataset.classes[label]
    (1800, (32, 32), 'A')
    """

    classes = list(CLASSES)

    def __init__(self, root=None, split="train", transform=None, target_transform=None, seed=0):
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.split = split_name(split)
        place = ("train", "validation", "test").index(self.split)
        images, labels = glyphs.load(seed, self.root)[place]
        self.data = np.rint(images[:, 0] * 255).astype(np.uint8)
        self.targets = labels.tolist()
