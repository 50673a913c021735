"""Letters as pictures like those the network learned from: squared, padded, strokes of one width."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

__all__ = ["crop", "variants"]

SIDE = 32
# Of the training pictures: the longer side of the ink is 20 to 29 pixels (5 % to 95 %), median 24;
# strokes are 1.6 to 4.2 pixels wide, median 2.9.
LENGTH = 24.0
PEN = 2.8


def crop(mask, length=LENGTH, pen=PEN):
    """One letter as float32 (32, 32), ink 0 on paper 1.

    The ink is kept as its signed distance to the stroke's edge, which can be reduced in size without
    losing thin strokes; moving the edge by half the difference of widths gives the wanted pen.

    Args:
        mask: bool (height, width), the letter's ink in its box.
        length: the longer side of the ink in the picture, in pixels.
        pen: the width of strokes in the picture, in pixels.

    >>> picture = crop(np.ones((60, 10), bool))       # an I
    >>> picture.shape, bool(picture[16, 16] < 0.1), float(picture[0, 0])
    ((32, 32), True, 1.0)
    """
    return _pictured(*_field(mask), [(length, pen)])[0]


def _field(mask):
    """Signed distance to the edge of the strokes (inside positive), their width, the longer side."""
    width, longest = stroke_width(mask), max(mask.shape)
    # Around the smallest variant's ink there is as much paper as ink.
    padded = np.pad(mask, longest)
    distance = ndimage.distance_transform_edt(padded) - ndimage.distance_transform_edt(~padded)
    return np.where(distance > 0, distance - 0.5, distance + 0.5).astype(np.float32), width, longest


def _pictured(distance, width, longest, sizes):
    """Pictures (sizes, 32, 32) of a letter, from its signed distance, for pairs of length and pen."""
    found = []
    middle = (np.array(distance.shape) - 1) / 2
    for length, pen in sizes:
        # Half a pen's width lies outside the midline at both ends: scale the midline, not the ink.
        scale = (length - pen) / max(longest - width, 0.5 * longest)
        steps = (np.arange(SIDE) - (SIDE - 1) / 2) / scale
        places = np.meshgrid(middle[0] + steps, middle[1] + steps, indexing="ij")
        sampled = ndimage.map_coordinates(distance, places, order=1, mode="nearest") * scale
        found.append(1 - np.clip(sampled + (pen - width * scale) / 2 + 0.5, 0, 1))
    return np.stack(found).astype(np.float32)


def stroke_width(mask):
    """The mean width of the strokes: twice the median depth of the ink's midline.

    >>> stroke_width(np.ones((40, 5), bool))
    5.0
    """
    from skimage.morphology import skeletonize

    depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    midline = skeletonize(mask)
    if not midline.any():
        midline = depth >= depth.max()
    return float(2 * np.median(depth[midline]) - 1)


def variants(mask):
    """The letter at several sizes and pens, (variants, 1, 32, 32): their mean score is surer than one's.

    >>> variants(np.ones((40, 6), bool)).shape
    (6, 1, 32, 32)
    """
    sizes = [(length, pen) for length in (21.0, 24.0, 27.0) for pen in (2.2, 3.0)]
    return _pictured(*_field(mask), sizes)[:, None]
