"""shapes5: small colour scenes with a house, tree, boat, car or balloon; no download.

A scene has a sky, a ground or water, a sun or clouds, scribbles of other things, and the one object that
gives it its class, of random size, place and colours. It is drawn four times as large and averaged. A
sample depends on (seed, class, index) only.
"""

from __future__ import annotations

import colorsys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from tinygrad_hw.utils.files import cache_folder
from tinygrad_hw.vision.datasets.drawn import stored_or_drawn
from tinygrad_hw.vision.datasets.vision import ImageArrays, split_name

__all__ = ["CLASSES", "Shapes5", "draw"]

CLASSES = ("balloon", "boat", "car", "house", "tree")
SIDE = 64
SPLITS = {"train": range(0, 400), "validation": range(400, 500), "test": range(500, 600)}
VERSION = 1  # to be raised whenever a scene changes, so that stored pictures are drawn anew
_ZOOM = 4


class Shapes5(ImageArrays):
    """Five classes of drawn scenes, 64 x 64: 2,000 training, 500 validation and 500 test images.

    Args:
        root: folder of the stored drawing; default $TINYGRAD_HW_CACHE/data or ~/.cache/tinygrad_hw/data.
        split: "train", "validation" or "test".
        transform, target_transform: called with the PIL image and the label.
        seed: another seed draws other scenes.

    >>> dataset = Shapes5(split="test")
    >>> image, label = dataset[0]
    >>> len(dataset), image.size, dataset.classes[label]
    (500, (64, 64), 'balloon')
    """

    classes = list(CLASSES)

    def __init__(self, root=None, split="train", transform=None, target_transform=None, seed=0):
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.split = split_name(split)
        count = max(indices.stop for indices in SPLITS.values())
        folder = cache_folder() if self.root is None else Path(self.root)
        pixels = stored_or_drawn(folder / f"shapes5-{seed}.npz", VERSION,
                                 (len(CLASSES), count, SIDE, SIDE, 3), lambda: _draw_all(seed, count))
        indices = SPLITS[self.split]
        self.data = pixels[:, indices.start:indices.stop].reshape(-1, SIDE, SIDE, 3)
        self.targets = np.repeat(np.arange(len(CLASSES)), len(indices)).tolist()


def _draw_all(seed, count):
    from tqdm import tqdm

    bar = tqdm(CLASSES, desc="drawing shapes5", unit="class", leave=False, disable=None)
    return np.stack([np.stack([draw(name, index, seed) for index in range(count)]) for name in bar])


def draw(name: str, index: int, seed: int = 0) -> np.ndarray:
    """Scene ``index`` of a class: uint8 (64, 64, 3).

    Raises:
        ValueError: an unknown class, or a negative seed or index.

    >>> draw("boat", 3).shape
    (64, 64, 3)
    """
    if name not in CLASSES:
        raise ValueError(f"shapes5 knows the classes {', '.join(CLASSES)}, got {name!r}")
    if seed < 0 or index < 0:
        raise ValueError(f"seed and index must not be negative, got {seed=}, {index=}")
    random = np.random.Generator(np.random.Philox(key=[seed, CLASSES.index(name) << 32 | index]))
    scene = _Scene(random)
    scene.background(water=name == "boat" or random.random() < 0.2)
    getattr(scene, name)()
    small = np.asarray(scene.picture.resize((SIDE, SIDE), Image.Resampling.BOX), float)
    return np.clip(small + random.normal(0, 4, small.shape), 0, 255).astype(np.uint8)


class _Scene:
    """A picture four times as large, in which places are given as pixels of the final one."""

    def __init__(self, random):
        self.random = random
        self.picture = Image.new("RGB", (SIDE * _ZOOM, SIDE * _ZOOM))
        self.pen = ImageDraw.Draw(self.picture)
        self.horizon = random.uniform(30, 46)

    def between(self, low, high):
        return float(self.random.uniform(low, high))

    def colour(self, hue=(0, 1), saturation=(0.4, 0.9), value=(0.4, 0.95)):
        parts = (self.between(*hue) % 1, self.between(*saturation), self.between(*value))
        return tuple(int(255 * part) for part in colorsys.hsv_to_rgb(*parts))

    def polygon(self, places, fill):
        self.pen.polygon([(x * _ZOOM, y * _ZOOM) for x, y in places], fill=fill)

    def box(self, x, y, width, height, fill):
        self.polygon([(x, y), (x + width, y), (x + width, y + height), (x, y + height)], fill)

    def disc(self, x, y, across, down, fill):
        self.pen.ellipse([(x - across) * _ZOOM, (y - down) * _ZOOM, (x + across) * _ZOOM,
                          (y + down) * _ZOOM], fill=fill)

    def background(self, water: bool):
        sky = self.colour(hue=(0.52, 0.64), saturation=(0.1, 0.6), value=(0.7, 1.0))
        ground = self.colour(hue=(0.52, 0.66) if water else (0.08, 0.36), saturation=(0.3, 0.8),
                             value=(0.3, 0.75))
        self.box(0, 0, SIDE, SIDE, sky)
        if self.random.random() < 0.5:  # hills
            for _ in range(self.random.integers(1, 4)):
                self.disc(self.between(0, SIDE), self.horizon + 6, self.between(10, 30),
                          self.between(8, 20), self.colour(hue=(0.2, 0.7), saturation=(0.1, 0.4)))
        self.box(0, self.horizon, SIDE, SIDE, ground)
        if self.random.random() < 0.5:
            size = self.between(3, 6)
            self.disc(self.between(4, 60), self.between(4, 14), size, size, self.colour((0.1, 0.16)))
        for _ in range(self.random.integers(0, 4)):
            self.disc(
                self.between(0, SIDE),
                self.between(3, 20),
                self.between(4, 10),
                self.between(2, 4),
                self.colour(saturation=(0.0, 0.1), value=(0.8, 1.0)),
            )
        for _ in range(self.random.integers(2, 9)):  # stones, waves, things that lie about
            self.disc(self.between(0, SIDE), self.between(self.horizon + 3, SIDE), self.between(0.5, 4),
                      self.between(0.5, 1.5), self.colour(saturation=(0.0, 0.6)))

    def place(self, smallest, largest):
        """Middle, foot and size of the object."""
        size = self.between(smallest, largest)
        return (
            self.between(0.4 * size + 4, SIDE - 4 - 0.4 * size),
            self.between(self.horizon + 4, 60),
            size,
        )

    def house(self):
        x, foot, size = self.place(18, 34)
        width, height = size * self.between(0.7, 1.1), size * self.between(0.5, 0.8)
        left, top, roof = x - width / 2, foot - height, size * self.between(0.25, 0.5)
        self.box(left, top, width, height, self.colour(saturation=(0.0, 0.7)))
        self.polygon([(left - 2, top), (x, top - roof), (left + width + 2, top)],
                     self.colour(hue=(-0.05, 0.12), value=(0.3, 0.8)))
        door = 0.55 * height
        self.box(x - 0.1 * width, foot - door, 0.2 * width, door, self.colour(value=(0.1, 0.5)))
        for side in (0.1, 0.68):
            self.box(left + side * width, top + 0.2 * height, 0.2 * width, 0.3 * height,
                     self.colour(hue=(0.1, 0.6), saturation=(0.1, 0.5), value=(0.6, 1.0)))

    def tree(self):
        x, foot, size = self.place(20, 40)
        trunk = size * self.between(0.08, 0.16)
        crown = self.colour(hue=(0.05, 0.42), value=(0.25, 0.7))
        self.box(x - trunk / 2, foot - 0.5 * size, trunk, 0.5 * size,
                 self.colour(hue=(0.05, 0.1), value=(0.2, 0.5)))
        if self.random.random() < 0.5:  # a fir
            for level in range(3):
                width, top = size * (0.2 + 0.1 * level), foot - size * (1 - 0.22 * level)
                low = top + 0.35 * size
                self.polygon([(x - width, low), (x, top), (x + width, low)], crown)
        else:
            for _ in range(5):
                self.disc(x + self.between(-0.2, 0.2) * size, foot - size * self.between(0.5, 0.8),
                          0.22 * size, 0.2 * size, crown)

    def boat(self):
        x, foot, size = self.place(18, 36)
        half, deep = size / 2, size * self.between(0.15, 0.25)
        self.polygon([(x - half, foot - deep), (x + half, foot - deep), (x + 0.6 * half, foot),
                      (x - 0.6 * half, foot)], self.colour())
        self.box(x - 0.5, foot - size, 1.2, size - deep, self.colour(value=(0.1, 0.4)))
        self.polygon([(x + 1, foot - size), (x + 1, foot - deep - 2), (x + half, foot - deep - 2)],
                     self.colour(saturation=(0.0, 0.5), value=(0.7, 1.0)))
        if self.random.random() < 0.5:
            self.polygon([(x - 1, foot - 0.9 * size), (x - 1, foot - deep - 2),
                          (x - 0.7 * half, foot - deep - 2)], self.colour(saturation=(0.0, 0.8)))

    def car(self):
        x, foot, size = self.place(20, 38)
        left, body, wheel = x - size / 2, size * self.between(0.2, 0.28), size * self.between(0.1, 0.13)
        paint = self.colour(saturation=(0.3, 1.0))
        self.box(left, foot - wheel - body, size, body, paint)
        top = foot - wheel - body
        cabin = size * self.between(0.18, 0.25)
        self.polygon([(left + 0.15 * size, top), (left + 0.3 * size, top - cabin),
                      (left + 0.7 * size, top - cabin), (left + 0.87 * size, top)], paint)
        glass = self.colour(hue=(0.5, 0.6), saturation=(0.1, 0.3), value=(0.6, 1.0))
        for start in (0.28, 0.54):
            self.box(left + start * size, top - 0.8 * cabin, 0.2 * size, 0.7 * cabin, glass)
        for place in (0.22, 0.78):
            self.disc(left + place * size, foot - wheel, wheel, wheel, (25, 25, 25))
            self.disc(left + place * size, foot - wheel, 0.4 * wheel, 0.4 * wheel, (170, 170, 170))

    def balloon(self):
        size = self.between(14, 30)
        x, y = self.between(0.5 * size, SIDE - 0.5 * size), self.between(0.5 * size, self.horizon)
        across, down = size * 0.42, size * 0.5
        first, second = self.colour(), self.colour()
        basket = y + down + 0.25 * size
        for side in (-0.3, 0.3):
            self.pen.line(
                [
                    ((x + side * across) * _ZOOM, (y + 0.8 * down) * _ZOOM),
                    ((x + 0.3 * side * across) * _ZOOM, basket * _ZOOM),
                ],
                fill=(60, 50, 40),
                width=2,
            )
        self.disc(x, y, across, down, first)
        self.disc(x, y, 0.6 * across, down, second)
        self.disc(x, y, 0.2 * across, down, first)
        self.box(
            x - 0.1 * size, basket, 0.2 * size, 0.16 * size, self.colour((0.06, 0.1), value=(0.3, 0.5))
        )
