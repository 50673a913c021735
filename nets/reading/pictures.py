"""Pictures of a reading: the page with boxes and readings, and the ink in black on white."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nets.runs import atomic_write
from tinygrad_hw.vision.datasets.reading import bad_file, open_image

__all__ = ["annotated", "ink_picture", "load_grey"]


def load_grey(path):
    """A picture file as float32 (height, width) in 0..1, turned as the camera says.

    Raises FileNotFoundError, and ValueError for a file that is no picture, damaged or too large.

    >>> import tempfile
    >>> from PIL import Image
    >>> path = Path(tempfile.mkdtemp()) / "page.png"
    >>> Image.new("RGB", (30, 20), "white").save(path)
    >>> load_grey(path).shape
    (20, 30)
    """
    from PIL import Image

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no picture {path}")
    image = open_image(path, None, turned=True)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        # What is transparent shows the paper.
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        grey = np.asarray(image, np.float32)
        if not np.isfinite(grey).all():
            raise bad_file(path, "it holds numbers that are not finite", "save it again as an image")
        return grey / max(float(grey.max()), 1.0)
    return np.asarray(image.convert("L"), np.float32) / 255


def annotated(path, grey, page):
    """The page as a PNG with each letter's box, reading and confidence; unsure readings in red."""
    from matplotlib.figure import Figure

    height, width = grey.shape
    figure = Figure(figsize=(14, 14 * height / width), dpi=110)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.imshow(grey, cmap="gray", vmin=0, vmax=1)
    axes.set_axis_off()
    for line in page.lines:
        for word in line:
            for sign in word:
                y1, x1, y2, x2 = sign.box
                colour = "tab:green" if sign.confidence >= 0.8 else "tab:red"
                axes.plot([x1, x2, x2, x1, x1], [y1, y1, y2, y2, y1], color=colour, linewidth=1)
                axes.text(x1, y1, f"{sign.character} {sign.confidence:.2f}"[:6], color=colour, fontsize=9,
                          verticalalignment="bottom", clip_on=True)
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    with atomic_write(path) as file:
        figure.savefig(file, format="png")


def ink_picture(path, ink):
    """The ink as a PNG, black on white."""
    from PIL import Image

    with atomic_write(path) as file:
        Image.fromarray(np.where(ink, 0, 255).astype(np.uint8)).save(file, format="png")
