"""glyph36: pictures of A-Z and 0-9 that need no download, drawn from the fonts of matplotlib.

Each picture traces the midline of a font's character with a pen, bent, slanted and scaled as
handwriting is. The way there:

1. *Templates.* Every character of every font is thinned to its midline once (Zhang and Suen, "A fast
   parallel algorithm for thinning digital patterns", 1984) and stored as a distance field: how far
   each point lies from the midline.
2. *Warp.* Each pixel of the picture looks up the template where a random affine map and a smooth
   random displacement (Simard et al., "Best practices for convolutional neural networks", 2003)
   send it.
3. *Ink.* Where the distance is below the pen's width, which varies along the way, there is ink;
   the slope between ink and paper is the blur. Noise comes last.

A sample depends on (seed, class, index) only, never on what else is drawn or in which order.
"""

from functools import cache
from pathlib import Path

import numpy as np

from tinygrad_hw.utils.files import cache_folder
from tinygrad_hw.vision.datasets.drawn import stored_or_drawn

CLASSES = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
SIDE = 32
SPLITS = {"train": range(0, 300), "validation": range(300, 400), "test": range(400, 450)}
VERSION = 1  # to be raised whenever a sample changes, so that stored pictures are drawn anew

# The fonts that hold all 36 characters as letters and digits (cmsy10 and cmex10 hold symbols there).
FONTS = (
    "DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSans-BoldOblique",
    "DejaVuSansMono", "DejaVuSansMono-Bold", "DejaVuSansMono-Oblique", "DejaVuSansMono-BoldOblique",
    "DejaVuSerif", "DejaVuSerif-Bold", "DejaVuSerif-Italic", "DejaVuSerif-BoldItalic",
    "STIXGeneral", "STIXGeneralBol", "STIXGeneralItalic", "STIXGeneralBolIta",
    "cmb10", "cmr10", "cmss10", "cmti10", "cmtt10",
)
FIELD = 64  # pixels a side of a template, whose character is LETTER pixels high
LETTER = 40
KNOTS = 5  # a smooth random field has KNOTS x KNOTS random values, joined by cosines


def load(seed=0, folder=None):
    """The splits (train, validation, test), each (images, labels), from the cache or newly drawn.

    Images are float32 (N, 1, 32, 32) with ink 0 and paper 1, labels int64 (N,), ordered by class;
    300, 100 and 50 images a class. The cache is the file glyph36-<seed>.npz in `folder`, or else in
    $TINYGRAD_HW_CACHE/data, or else in ~/.cache/tinygrad_hw/data. A damaged or outdated file is
    replaced; if none can be written, a warning says so and the pictures are drawn at every call.

    >>> train, validation, test = load()
    >>> train[0].shape, validation[0].shape, test[1].shape
    ((10800, 1, 32, 32), (3600, 1, 32, 32), (1800,))
    """
    path = (cache_folder() if folder is None else Path(folder)) / f"glyph36-{seed}.npz"
    shape = (len(CLASSES), max(indices.stop for indices in SPLITS.values()), SIDE, SIDE)
    pixels = stored_or_drawn(path, VERSION, shape, lambda: _draw_all(seed))
    splits = []
    for indices in SPLITS.values():
        images = pixels[:, indices.start:indices.stop].reshape(-1, 1, SIDE, SIDE)
        labels = np.repeat(np.arange(len(CLASSES), dtype=np.int64), len(indices))
        splits.append((images.astype(np.float32) / np.float32(255), labels))
    return tuple(splits)


def draw(character, indices, seed=0):
    """Samples of one character: uint8 (len(indices), 32, 32), ink 0, paper 255.

    character: one of A-Z or 0-9; indices: which of the endlessly many samples of that character.
    Raises ValueError for another character and for a negative seed or index.

    >>> once = draw("A", [7])[0]
    >>> bool((once == draw("A", [3, 7])[1]).all())
    True
    """
    if len(character) != 1 or character not in CLASSES:
        raise ValueError(f"glyph36 knows the characters {CLASSES}, got {character!r}")
    if seed < 0 or min(indices, default=0) < 0:
        raise ValueError(f"seed and indices must not be negative, got {seed=}, {min(indices)=}")
    label = CLASSES.index(character)
    pictures = np.zeros((len(indices), SIDE, SIDE), np.uint8)
    for start in range(0, len(indices), 50):  # 50 stay in the processor's cache: 0.6 of the time of 450
        dice = [_Dice(seed, label, index) for index in indices[start:start + 50]]
        values = {name: np.stack([getattr(die, name) for die in dice]) for name in vars(dice[0])}
        pictures[start:start + 50] = _ink(_templates(label), **values)
    return pictures


class _Dice:
    """All random numbers of one sample, drawn in a fixed order from a Philox stream of its own."""

    def __init__(self, seed, label, index):
        random = np.random.Generator(np.random.Philox(key=[seed, label << 32 | index]))
        self.font = random.integers(len(FONTS))
        self.angle = random.normal(0.0, 0.08)
        self.slant = random.normal(0.1, 0.15)
        self.size = random.uniform(0.6, 0.9) * np.exp(random.normal(0.0, 0.08, size=2))
        self.shift = random.normal(0.0, 0.6, size=2)
        self.bend = random.normal(0.0, 0.9, size=(2, KNOTS, KNOTS))
        self.pen = random.uniform(0.4, 1.7)
        self.pressure = random.normal(0.0, 0.25, size=(KNOTS, KNOTS))
        self.blur = random.uniform(0.8, 1.6)
        self.noise = random.normal(0.0, 0.03, size=(SIDE, SIDE))


def _ink(templates, font, angle, slant, size, shift, bend, pen, pressure, blur, noise):
    """The pictures uint8 (N, 32, 32); every argument but `templates` has one entry a picture."""
    angle, slant, pen, blur = (value[:, None, None] for value in (angle, slant, pen, blur))
    width, height = size.T[:, :, None, None]
    y, x = np.mgrid[0:SIDE, 0:SIDE] - (SIDE - 1) / 2
    x = x + shift[:, 0, None, None] + _smooth(bend[:, 0])
    y = y + shift[:, 1, None, None] + _smooth(bend[:, 1])
    x, y = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    x = x + slant * y
    zoom = LETTER / SIDE  # template pixels per picture pixel where a character fills the picture
    distance = _look_up(templates, font, x * zoom / width, y * zoom / height)
    distance = distance * (width + height) / (2 * zoom)  # in pixels of the picture again
    pen = np.maximum(pen + _smooth(pressure), 0.4)  # a thinner line would vanish
    ink = np.clip(0.5 + (pen - distance) / blur, 0.0, 1.0)
    return np.rint(255 * np.clip(1.0 - ink + noise, 0.0, 1.0)).astype(np.uint8)


def _smooth(knots):
    """Random values (N, KNOTS, KNOTS) joined to smooth fields (N, 32, 32) by cosine interpolation.

    Written as sums of products, not as a matrix product, whose bits depend on the batch.
    """
    place = np.linspace(0, KNOTS - 1, SIDE)
    reach = np.clip(np.abs(place - np.arange(KNOTS)[:, None]), 0, 1)
    weight = 0.5 + 0.5 * np.cos(np.pi * reach)  # (KNOTS, 32): each knot's share in each pixel
    rows = sum(weight[k][:, None] * knots[:, k, None, :] for k in range(KNOTS))
    return sum(weight[k] * rows[:, :, k, None] for k in range(KNOTS))


def _look_up(templates, font, x, y):
    """Bilinear values of templates[font] at (x, y), template pixels from the centre; (N, 32, 32)."""
    x, y = (np.clip(v + (FIELD - 1) / 2, 0, FIELD - 1.001) for v in (x, y))
    column, row = x.astype(np.intp), y.astype(np.intp)
    x, y = x - column, y - row
    corner = (font[:, None, None] * FIELD + row) * FIELD + column
    flat = templates.reshape(-1)
    above = flat[corner] * (1 - x) + flat[corner + 1] * x
    below = flat[corner + FIELD] * (1 - x) + flat[corner + FIELD + 1] * x
    return above * (1 - y) + below * y


@cache
def _templates(label):
    """Distance from the midline for one character of every font: float64 (fonts, FIELD, FIELD)."""
    return _distance(_thin(np.stack([_shape(font, CLASSES[label]) for font in FONTS])))


def _shape(font, character):
    """The character as bool (FIELD, FIELD), centred, LETTER pixels high or, if it is wide, broad."""
    import matplotlib
    from PIL import Image, ImageDraw, ImageFont

    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{font}.ttf"
    large = Image.new("L", (240, 240))
    ImageDraw.Draw(large).text((60, 40), character, fill=255, font=ImageFont.truetype(str(path), 120))
    letter = large.crop(large.getbbox())
    zoom = LETTER / max(letter.height, letter.width)
    size = [max(1, round(zoom * length)) for length in letter.size]
    field = Image.new("L", (FIELD, FIELD))
    field.paste(letter.resize(size, Image.Resampling.BOX), [(FIELD - length) // 2 for length in size])
    return np.asarray(field) > 127


def _thin(shapes):
    """Midlines, one pixel wide, of bool shapes (N, H, W), by the rules of Zhang and Suen.

    A border pixel goes if it has 2 to 6 set neighbours in a single run and lies on the side that is
    this pass's turn: south-east, then north-west. Paper must surround the shape.
    """
    shapes = shapes.copy()
    while True:
        before = shapes.copy()
        for turn in (0, 1):
            ring = [np.roll(shapes, (-dy, -dx), axis=(1, 2)) for dy, dx in
                    ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))]
            count = sum(pixels.astype(np.int8) for pixels in ring)
            runs = sum((~ring[k - 1] & ring[k]).astype(np.int8) for k in range(8))
            north, east, south, west = ring[0::2]
            if turn == 0:
                inside = (north & east & south) | (east & south & west)
            else:
                inside = (north & east & west) | (north & south & west)
            shapes &= ~((count >= 2) & (count <= 6) & (runs == 1) & ~inside)
        if (shapes == before).all():
            return shapes


def _distance(lines):
    """Euclidean distance of each pixel to the nearest set one, for bool (N, H, W).

    Squared distances separate: first the nearest set pixel of each column, then of all columns
    (Felzenszwalb and Huttenlocher, "Distance transforms of sampled functions", 2012).
    """
    squared = np.where(lines, 0.0, 1e6)
    for axis in (1, 2):
        place = np.arange(lines.shape[axis], dtype=np.float64).reshape((-1, 1) if axis == 1 else -1)
        nearest = [(squared + (place - k) ** 2).min(axis=axis) for k in range(place.size)]
        squared = np.stack(nearest, axis)
    return np.sqrt(squared)


def _draw_all(seed):
    """Every sample of every class: uint8 (36, samples, 32, 32)."""
    from tqdm import tqdm

    count = max(indices.stop for indices in SPLITS.values())
    bar = tqdm(CLASSES, desc="drawing glyph36", unit="class", leave=False, disable=None)
    return np.stack([draw(character, range(count), seed) for character in bar])
