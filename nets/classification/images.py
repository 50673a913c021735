"""Labelled pictures in memory, and the data set that normalises and changes them on their way to a network.

    train, validation = load("coco5.zip")            # or None: the drawn scenes of Shapes5
    loader = DataLoader(PictureSet(train, *statistics(train), flip=0.5), 4, shuffle=True)
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np

from tinygrad_hw.utils.data import Dataset, transform_generator

__all__ = ["Pictures", "PictureSet", "as_input", "load", "split", "statistics"]


@dataclasses.dataclass(frozen=True)
class Pictures:
    """Pictures (N, height, width, 3) of bytes, their class numbers (N,) and the classes' names.

    >>> pictures = Pictures(np.zeros((3, 2, 2, 3), np.uint8), np.array([0, 1, 1]), ("cat", "dog"))
    >>> len(pictures), len(pictures.take([0, 2]))
    (3, 2)
    """

    pixels: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]

    def __len__(self):
        return len(self.labels)

    def take(self, rows) -> Pictures:
        """The pictures with these numbers."""
        return dataclasses.replace(self, pixels=self.pixels[rows], labels=self.labels[rows])


def load(data=None, side: int = 64, hold_out: float = 0.0) -> tuple[Pictures, Pictures]:
    """Training and validation pictures, decoded once, in colour (grey becomes three equal channels).

    Args:
        data: a folder or archive with classes or lists (`nets.data_sets.recognise`); None for Shapes5.
        side: pictures of another size are cropped to their middle square and resized to this.
        hold_out: a share of the training pictures that takes the place of the validation pictures, for
            choosing settings.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds something else, or no validation pictures, or a split without pictures.

    >>> train, validation = load(side=16)
    >>> train.pixels.shape, len(validation), validation.classes[0]
    ((2000, 16, 16, 3), 500, 'balloon')
    """
    from nets.data_sets import recognise
    from tinygrad_hw.vision.datasets import Shapes5

    if data is None:
        parts = {split: Shapes5(split=split) for split in ("train", "validation")}
    else:
        parts = recognise(Path(data).expanduser())
    names = [name for name in ("validation", "test") if name in parts]
    if "train" not in parts or not names:
        raise ValueError(f"{data} must hold training and validation pictures, it holds "
                         f"{', '.join(parts)}")
    train, validation = (_decoded(parts[name], side, data) for name in ("train", names[0]))
    return split(train, hold_out) if hold_out else (train, validation)


def split(pictures: Pictures, share: float) -> tuple[Pictures, Pictures]:
    """All but a share of the pictures, and that share, drawn at random but always the same.

    >>> train, _ = load(side=16)
    >>> [len(part) for part in split(train, 0.1)]
    [1800, 200]
    """
    order = np.random.default_rng(0).permutation(len(pictures))
    count = round(share * len(order))
    return pictures.take(np.sort(order[count:])), pictures.take(np.sort(order[:count]))


def _decoded(dataset, side, data):
    if len(dataset) == 0:
        raise ValueError(f"{data} holds a split without pictures")
    pixels = np.empty((len(dataset), side, side, 3), np.uint8)
    for number in range(len(dataset)):
        pixels[number] = _square(dataset[number][0], side)
    return Pictures(pixels, np.asarray(dataset.targets, np.int64), tuple(map(str, dataset.classes)))


def _square(image, side):
    """The middle square of a PIL image as RGB bytes (side, side, 3)."""
    from PIL import Image

    image = image.convert("RGB")
    if image.size != (side, side):
        length = min(image.size)
        left, top = ((size - length) // 2 for size in image.size)
        image = image.resize((side, side), Image.Resampling.BILINEAR,
                             box=(left, top, left + length, top + length))
    return np.asarray(image)


def statistics(pictures: Pictures) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each channel over all pixels, of values in 0..1.

    >>> pixels = np.array([[[[0, 0, 0], [255, 255, 0]]]], np.uint8)
    >>> mean, std = statistics(Pictures(pixels, np.array([0]), ("one",)))
    >>> mean.tolist(), std.tolist()
    ([0.5, 0.5, 0.0], [0.5, 0.5, 0.0])
    """
    flat = pictures.pixels.reshape(-1, 3)
    values = np.arange(256) / 255
    counts = np.stack([np.bincount(channel, minlength=256) for channel in flat.T]) / len(flat)
    mean = counts @ values
    return mean, np.sqrt((counts * (values - mean[:, None]) ** 2).sum(1))


def as_input(pixels: np.ndarray, mean, std) -> np.ndarray:
    """Bytes (N, height, width, 3) to normalised float32 (N, 3, height, width): (x / 255 - mean) / std.

    A channel that never changes (std 0) becomes 0.

    >>> as_input(np.full((1, 1, 1, 3), 255, np.uint8), (0.5, 0.5, 1.0), (0.5, 0.25, 0.0)).ravel().tolist()
    [1.0, 2.0, 0.0]
    """
    std = np.asarray(std, np.float64)
    scale = np.where(std > 0, 1 / (255 * np.where(std > 0, std, 1)), 0)
    values = pixels * scale.astype(np.float32)
    values -= (255 * np.asarray(mean) * scale).astype(np.float32)
    return np.ascontiguousarray(values.transpose(0, 3, 1, 2))


class PictureSet(Dataset):
    """Pictures as a network sees them: flipped, moved, covered and normalised; with their labels.

    Args:
        pictures: the pictures.
        mean, std: of each channel, as from `statistics`.
        flip: probability that a picture is mirrored left to right.
        shift: largest move in pixels, along both axes; the border is mirrored into the gap.
        light: largest relative change of contrast, and of brightness as a share of the full range.
        cover: side of the square that is painted with the mean colour at a random place ("Cutout",
            DeVries and Taylor, arXiv:1708.04552).

    A `DataLoader` asks for whole batches (``__getitems__``). The random numbers are those of the loader, so
    they depend on seed, pass and batch, never on the workers.

    >>> train, _ = load(side=16)
    >>> image, label = PictureSet(train, *statistics(train))[0]
    >>> image.shape, int(label)
    ((3, 16, 16), 0)
    """

    def __init__(self, pictures: Pictures, mean, std, *, flip: float = 0.0, shift: int = 0,
                 light: float = 0.0, cover: int = 0):
        self.pictures, self.mean, self.std = pictures, mean, std
        self.flip, self.shift, self.light, self.cover = flip, shift, light, cover

    def __len__(self):
        return len(self.pictures)

    def __getitem__(self, index):
        return self.__getitems__([index])[0]

    def __getitems__(self, indices):
        random = transform_generator()
        pixels = self.pictures.pixels[indices]
        if self.flip:
            mirrored = random.random(len(pixels)) < self.flip
            pixels[mirrored] = pixels[mirrored, :, ::-1]
        if self.shift:
            pixels = _moved(pixels, random, self.shift)
        images = as_input(pixels, self.mean, self.std)
        if self.light:
            changes = random.uniform(-self.light, self.light, (2, len(images), 1, 1, 1)).astype(np.float32)
            images = images * (1 + changes[0]) + changes[1] / np.mean(self.std, dtype=np.float32)
        if self.cover:
            _covered(images, random, self.cover)
        return list(zip(images, self.pictures.labels[indices]))


def _moved(pixels, random, shift):
    """Every picture moved by its own whole number of pixels."""
    padded = np.pad(pixels, ((0, 0), (shift, shift), (shift, shift), (0, 0)), mode="reflect")
    count, height, width, _ = pixels.shape
    windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(1, 2))
    top, left = random.integers(0, 2 * shift + 1, (2, count))
    return windows[np.arange(count), top, left].transpose(0, 2, 3, 1)


def _covered(images, random, side):
    """A square of each picture set to 0, the mean colour; it may hang over the edge."""
    height, width = images.shape[2:]
    for image, row, column in zip(images, random.integers(0, height, len(images)),
                                  random.integers(0, width, len(images))):
        top, left = max(row - side // 2, 0), max(column - side // 2, 0)
        image[:, top:row + side // 2, left:column + side // 2] = 0
