"""Folders of a few random pictures in classes, for tests."""

import numpy as np
from PIL import Image


def write_pictures(folder, counts, side=64, seed=0):
    """``folder/train/<class>/*.png`` and ``folder/val/...``; counts: {class: (training, validation)}.

    A class's pictures share a colour, so a network can learn them. The first one of all is grey.
    """
    random = np.random.default_rng(seed)
    for number, (name, numbers) in enumerate(counts.items()):
        colour = np.array([40 * number, 200 - 40 * number, 60 * (number % 3)])
        for split, count in zip(("train", "val"), numbers):
            place = folder / split / name
            place.mkdir(parents=True)
            for index in range(count):
                pixels = (colour + random.integers(0, 50, (side, side, 3))).clip(0, 255).astype(np.uint8)
                image = Image.fromarray(pixels)
                if number == index == 0:
                    image = image.convert("L")
                image.save(place / f"{index:03d}.png")
    return folder
