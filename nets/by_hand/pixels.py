"""A data set of images as matrices: one row of numbers for each image, in three parts."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

__all__ = ["Normalization", "Part", "Pixels", "load"]


class Part(NamedTuple):
    """Images x (N, D) and class numbers y (N,).

    >>> len(Part(np.zeros((3, 4)), np.zeros(3, int)).y)
    3
    """

    x: np.ndarray
    y: np.ndarray


@dataclass(frozen=True)
class Normalization:
    """Subtract the mean image, divide by one standard deviation; both of the training images.

    >>> Normalization(np.array([0.5, 0.5]), 0.25)(np.array([[1.0, 0.0]], np.float32)).tolist()
    [[2.0, -2.0]]
    """

    mean: np.ndarray
    std: float

    @classmethod
    def of(cls, x):
        """The normalization of the rows of x."""
        mean = x.mean(axis=0)
        return cls(mean, float((x - mean).std()) or 1.0)

    def __call__(self, x):
        return (x - self.mean) / np.asarray(self.std, x.dtype)


@dataclass(frozen=True)
class Pixels:
    """A data set: normalized parts, names of the classes, and how the pixels (0..1) were normalized."""

    train: Part
    validation: Part
    test: Part | None
    classes: list
    normalization: Normalization
    shape: tuple

    def first(self, count):
        """The same with the first ``count`` training images only."""
        return replace(self, train=Part(self.train.x[:count], self.train.y[:count]))


def load(data=None, *, held_out=0.2, seed=0, normalization=None) -> Pixels:
    """Read a data set of images of one size.

    Args:
        data: a name of ``python -m nets data list``, or a folder or archive of a known kind; None for
            glyph36, drawn on the spot.
        held_out: where the data set has no validation part, this share of the training images is one.
        seed: of the order of the training images, and so of which are held out.
        normalization: default, the training images' own.

    Raises:
        FileNotFoundError: there is nothing at ``data``.
        ValueError: the images differ in size, or the data are no images with classes.
    """
    from nets.data_sets import KNOWN, recognise
    from tinygrad_hw.utils.files import cache_folder

    name = "glyph36" if data is None else data
    parts = KNOWN[name].open(cache_folder()) if name in KNOWN else recognise(name)
    if "train" not in parts or not getattr(parts["train"], "classes", None):
        raise ValueError(f"{name} has no training images with classes, but {', '.join(parts)}")
    shape, x, y = _matrix(parts["train"], name)
    order = np.random.default_rng(seed).permutation(len(y))
    if "validation" in parts:
        validation = _matrix(parts["validation"], name, shape)[1:]
    else:
        count = int(held_out * len(y))
        if count == 0:
            raise ValueError(f"{name}: {held_out} of {len(y)} images leaves none to validate on")
        order, rows = order[count:], order[:count]
        validation = x[rows], y[rows]
    x, y = x[order], y[order]
    normalization = normalization or Normalization.of(x)
    test = _matrix(parts["test"], name, shape)[1:] if "test" in parts else None
    return Pixels(Part(normalization(x), y), Part(normalization(validation[0]), validation[1]),
                  test and Part(normalization(test[0]), test[1]), list(parts["train"].classes),
                  normalization, shape)


def _matrix(dataset, name, expected=None):
    """Shape of an image, pixels (N, D) float32 in 0..1 and class numbers (N,)."""
    images = getattr(dataset, "data", None)
    if not isinstance(images, np.ndarray):
        images = [np.asarray(dataset[index][0]) for index in range(len(dataset))]
        sizes = {image.shape for image in images}
        if len(sizes) > 1:
            raise ValueError(f"the images of {name} differ in size: "
                             f"{', '.join(map(str, sorted(sizes)[:8]))}")
        images = np.stack(images)
    if images.dtype != np.uint8 or (expected or images.shape[1:]) != images.shape[1:]:
        raise ValueError(f"the images of {name} must be bytes of one shape, got {images.dtype} "
                         f"{images.shape[1:]}")
    x = images.reshape(len(images), -1).astype(np.float32)
    x /= 255
    return images.shape[1:], x, np.asarray(dataset.targets, np.int64)
