"""Pictures of the 36 characters A-Z and 0-9: drawn on the spot, or read from .mat files.

    splits = load()                  # glyph36, made from fonts (see tinygrad_hw/vision/datasets/glyphs.py)
    splits = load("data/nist36")     # <name>_train.mat, <name>_valid.mat[, <name>_test.mat]
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tinygrad_hw.vision.datasets import glyphs
from tinygrad_hw.vision.datasets.matfiles import find_name, read_mat

CLASSES = glyphs.CLASSES
SIDE = glyphs.SIDE


@dataclass(frozen=True)
class Characters:
    """One split: images float32 (N, 1, 32, 32), upright, ink 0 on paper 1; labels int64 (N,).

    >>> empty = Characters(np.zeros((0, 1, 32, 32), np.float32), np.zeros(0, np.int64))
    >>> len(empty), empty.classes[:3]
    (0, 'ABC')
    """

    images: np.ndarray
    labels: np.ndarray
    classes: str = CLASSES

    def __len__(self):
        return len(self.labels)


class Splits(NamedTuple):
    """What to train on, to choose settings by, and to report once at the end (test may be None)."""

    train: Characters
    validation: Characters
    test: Characters | None = None


def load(folder=None, name=None, seed=0):
    """The splits of glyph36 or, with a `folder`, of a data set in the layout of the NIST36 files.

    name: which data set, where the folder holds several `<name>_train.mat`; seed: of glyph36 only.
    Raises FileNotFoundError for missing files, ValueError for files with other content.

    >>> splits = load()
    >>> splits.train.images.shape, splits.validation.images.shape, splits.test.labels.dtype
    ((10800, 1, 32, 32), (3600, 1, 32, 32), dtype('int64'))
    """
    if folder is None:
        return Splits(*(Characters(*split) for split in glyphs.load(seed)))
    folder = Path(folder)
    name = find_name(folder) if name is None else name
    train = load_mat(folder / f"{name}_train.mat", "train")
    validation = load_mat(folder / f"{name}_valid.mat", "valid")
    test_path = folder / f"{name}_test.mat"
    return Splits(train, validation, load_mat(test_path, "test") if test_path.exists() else None)


def held_out(splits, share, seed=0):
    """Splits for choosing settings: a share of the training images takes the validation set's place.

    The validation and test images are not among them. A share of 0 leaves the splits as they are.
    Raises ValueError for a share outside 0 <= share < 1 or one that leaves a part without images.

    >>> chosen = held_out(load(), 0.25)
    >>> len(chosen.train), len(chosen.validation), chosen.test
    (8100, 2700, None)
    """
    if share == 0:
        return splits
    order = np.random.default_rng(seed).permutation(len(splits.train))
    count = round(share * len(order))
    if not 0 < count < len(order):
        raise ValueError(f"a share of {share} of {len(order)} training images leaves a part without any")

    def part(rows):
        return Characters(splits.train.images[rows], splits.train.labels[rows], splits.train.classes)

    return Splits(part(order[count:]), part(order[:count]))


def load_mat(path, split):
    """One .mat file: `<split>_data` (N, 1024) in 0..1 and one-hot `<split>_labels` (N, 36).

    MATLAB stores columns first, so each row of the data holds a transposed image; it is turned
    upright here. Names and shapes are checked before any value is read.
    Raises FileNotFoundError, or ValueError that says what is wrong with the file.
    """
    return Characters(*read_mat(path, split))
