"""Random changes to pictures of characters, as another hand or pen would make them.

    change = Augmentation()
    images = change(images, numpy.random.default_rng(0))     # (N, 1, 32, 32), ink 0 on paper 1

Each picture gets its own rotation, shear, scale, shift, smooth bend (Simard et al., "Best practices for
convolutional neural networks applied to visual document analysis", 2003) and pen.
"""

from __future__ import annotations

import dataclasses

import numpy as np

__all__ = ["Augmentation"]

KNOTS = 4  # a bend has KNOTS x KNOTS random values; fewer bend the whole character, more crumple it


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """How far the changes go; every amount is drawn evenly between its limits.

    Args:
        rotation: largest angle in degrees, either way.
        shear: largest horizontal shift of a row by its distance from the middle, either way.
        scale: largest relative change of size, of width and height alike.
        stretch: largest relative change of the width against the height.
        shift: largest move in pixels, along both axes.
        bend: standard deviation in pixels of the random values that bend the picture.
        pen: how far strokes are widened or thinned: 1 is a whole pixel on every side.

    Called with images (N, 1, height, width), float32 with ink 0 and paper 1, and a NumPy generator, it
    returns new images of the same shape. Raises ValueError for other shapes.

    >>> images = np.ones((2, 1, 32, 32), np.float32)
    >>> bool((Augmentation()(images, np.random.default_rng(0)) == 1).all())   # paper stays paper
    True
    """

    rotation: float = 10.0
    shear: float = 0.2
    scale: float = 0.15
    stretch: float = 0.15
    shift: float = 2.0
    bend: float = 1.0
    pen: float = 0.6

    def __call__(self, images: np.ndarray, random: np.random.Generator) -> np.ndarray:
        if images.ndim != 4 or images.shape[1] != 1:
            raise ValueError(f"Augmentation changes images (N, 1, height, width), got {images.shape}")
        return _written(_sampled(images, *self._origins(images.shape, random)),
                        random.uniform(-self.pen, self.pen, (len(images), 1, 1, 1)))

    def _origins(self, shape, random):
        """Where every new pixel comes from: rows and columns, each (N, height, width)."""
        count, _, height, width = shape
        angle = np.deg2rad(random.uniform(-self.rotation, self.rotation, count))
        shear = random.uniform(-self.shear, self.shear, count)
        size = 1 + random.uniform(-self.scale, self.scale, count)
        stretch = 1 + random.uniform(-self.stretch, self.stretch, count)
        cosine, sine = np.cos(angle), np.sin(angle)
        turn = np.stack([np.stack([cosine, -sine], -1), np.stack([sine, cosine], -1)], 1)
        slant = np.stack([np.stack([1 / (size * np.sqrt(stretch)), 0 * size], -1),
                          np.stack([shear, np.sqrt(stretch) / size], -1)], 1)
        rows, columns = np.mgrid[:height, :width] - np.array([height - 1, width - 1])[:, None, None] / 2
        places = np.einsum("nij,nj...->ni...", turn @ slant, np.broadcast_to(
            np.stack([rows, columns]), (count, 2, height, width)))
        places += random.uniform(-self.shift, self.shift, (count, 2, 1, 1))
        knots = random.normal(0, self.bend, (count, 2, KNOTS, KNOTS))
        places += _smooth(height) @ knots @ _smooth(width).T
        return places[:, 0] + (height - 1) / 2, places[:, 1] + (width - 1) / 2


def _smooth(length):
    """Weights (length, KNOTS) that join the knots' values by cosines."""
    place = np.linspace(0, KNOTS - 1, length)
    distance = np.abs(place[:, None] - np.arange(KNOTS))
    return np.where(distance < 1, 0.5 + 0.5 * np.cos(np.pi * distance), 0.0)


def _sampled(images, rows, columns):
    """Bilinear interpolation of each image at its own places; outside is paper."""
    count, _, height, width = images.shape
    padded = np.pad(images[:, 0], ((0, 0), (1, 1), (1, 1)), constant_values=1)
    rows = np.clip(rows + 1, 0, height + 0.999)
    columns = np.clip(columns + 1, 0, width + 0.999)
    top, left = rows.astype(np.int64), columns.astype(np.int64)
    down, right = (rows - top).astype(np.float32), (columns - left).astype(np.float32)
    flat = padded.reshape(-1)
    corner = (np.arange(count)[:, None, None] * (height + 2) + top) * (width + 2) + left
    below = corner + width + 2
    upper = flat[corner] * (1 - right) + flat[corner + 1] * right
    lower = flat[below] * (1 - right) + flat[below + 1] * right
    return (upper * (1 - down) + lower * down)[:, None]


def _written(images, pen):
    """Strokes widened (pen > 0) towards the darkest neighbour or thinned towards the lightest."""
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=1)
    height, width = images.shape[2:]
    darkest, lightest = images, images
    for row, column in ((0, 1), (2, 1), (1, 0), (1, 2)):
        moved = padded[:, :, row:row + height, column:column + width]
        darkest, lightest = np.minimum(darkest, moved), np.maximum(lightest, moved)
    changed = np.where(pen > 0, darkest, lightest)
    return images + np.abs(pen).astype(np.float32) * (changed - images)
