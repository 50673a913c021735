"""Which pixels of a photographed page are ink."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

__all__ = ["ink", "need_skimage"]

LONG_SIDE = 2400      # larger photographs are halved first: more pixels only add time
BACKGROUND_SIDE = 500  # the paper's light is estimated on a picture of this size
WIDEST_STROKE = 1 / 22  # of the shorter side; wider dark regions are no strokes but shadow or table


def need_skimage():
    """scikit-image, or an ImportError that says how to get it.

    >>> need_skimage().__name__
    'skimage'
    """
    try:
        import skimage
    except ImportError as error:
        raise ImportError("reading text needs scikit-image, which is not installed: "
                          "pip install scikit-image (or pip install '.[ocr]')") from error
    return skimage


def ink(grey):
    """The ink of a page: bool (height, width), True on strokes.

    The light on the paper is what a grey closing leaves: it fills everything dark that is narrower than
    its disk, and keeps shadows, whose edges are long. Dividing by it flattens the page. What is darker
    than the paper by more than its noise may be ink; Otsu's threshold between paper and the darkest
    such pixels decides, with hysteresis (Canny 1986): pale pixels count where they touch dark ones.

    Args:
        grey: float (height, width), 0 black, 1 white.

    Raises:
        ValueError: if the picture is not two-dimensional or smaller than 8 x 8.

    >>> page = np.tile(np.linspace(0.4, 0.9, 200), (100, 1))      # uneven light
    >>> page[30:70, 50:54] *= 0.5
    >>> found = ink(page)
    >>> int(found.sum()) // 100, bool(found[50, 52])
    (1, True)
    """
    if grey.ndim != 2 or min(grey.shape) < 8:
        raise ValueError(f"a page is a grey picture of at least 8 x 8 pixels, got {grey.shape}")
    need_skimage()
    from skimage.filters import apply_hysteresis_threshold, threshold_otsu

    smooth = ndimage.gaussian_filter(np.asarray(grey, np.float32), 0.0004 * sum(grey.shape))
    darkness = 1 - smooth / np.maximum(_paper(smooth), 0.02)
    noise = 1.4826 * np.median(np.abs(darkness - np.median(darkness)))
    floor = float(np.median(darkness)) + max(0.06, 4 * noise)
    candidates = darkness[darkness > floor]
    if candidates.size < 8:
        return np.zeros(grey.shape, bool)
    # Half of what may be ink is a stroke's blurred border: its core is the darker half.
    core = np.percentile(candidates, 80)
    high = max(floor, 0.5 * core)
    if candidates.size > 100:
        high = max(floor, min(high, float(threshold_otsu(candidates))))
    return apply_hysteresis_threshold(darkness, max(floor, 0.7 * high), high)


def _paper(grey):
    """The light on the paper: a grey closing of a reduced picture, smoothed and enlarged again."""
    step = max(1.0, max(grey.shape) / BACKGROUND_SIDE)
    small = ndimage.zoom(grey, 1 / step, order=1, mode="nearest", grid_mode=True) if step > 1 else grey
    side = max(3, int(round(min(small.shape) * WIDEST_STROKE)) | 1)
    # A median first: a single bright pixel (a glint, a grain) must not raise the light around it.
    small = ndimage.median_filter(small, 3, mode="nearest")
    rows, columns = np.mgrid[-side:side + 1, -side:side + 1]
    disk = rows ** 2 + columns ** 2 <= side ** 2
    light = ndimage.grey_closing(small, footprint=disk, mode="nearest")
    light = ndimage.gaussian_filter(light, side / 2, mode="nearest")
    if step == 1:
        return light
    zoom = np.array(grey.shape) / np.array(light.shape)
    return ndimage.zoom(light, zoom, order=1, mode="nearest", grid_mode=True)
