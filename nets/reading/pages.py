"""Photographs of pages that were never written: characters set in lines, under uneven light.

    grey, boxes = draw_page(["TO DO LIST", "1 SLEEP"], glyph_source(), seed=3)

They test the reader: the text and every letter's box are known.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from nets.characters import CLASSES
from tinygrad_hw.vision.datasets import glyphs

__all__ = ["draw_page", "font_source", "glyph_source", "split_source"]


def glyph_source(seed=1):
    """Characters of glyph36: ``source(character, random)`` gives float (32, 32), ink 0 on paper 1.

    >>> glyph_source()("A", np.random.default_rng(0)).shape
    (32, 32)
    """
    def source(character, random):
        return glyphs.draw(character, [int(random.integers(1000))], seed)[0].astype(np.float32) / 255
    return source


def split_source(split):
    """Characters of a split of a data set, drawn by chance among those of the class."""
    places = {character: np.flatnonzero(split.labels == number) for number, character in enumerate(CLASSES)}

    def source(character, random):
        return split.images[random.choice(places[character]), 0]
    return source


def font_source(name="DejaVuSans"):
    """Characters of one of matplotlib's fonts, as they are.

    >>> font_source("STIXGeneral")("A", None).shape
    (64, 64)
    """
    from matplotlib import get_data_path
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.truetype(f"{get_data_path()}/fonts/ttf/{name}.ttf", 52)

    def source(character, random):
        image = Image.new("L", (64, 64), 255)
        ImageDraw.Draw(image).text((32, 32), character, fill=0, font=font, anchor="mm")
        return np.asarray(image, np.float32) / 255
    return source


def draw_page(lines, source, seed=0, letter=60, slope=0.0, light=0.4, noise=0.01, gap=0.45, ink=0.3):
    """A page with lines of text; grey float32 (height, width) and the boxes of its letters.

    Args:
        lines: strings of A-Z, 0-9 and spaces.
        source: ``source(character, random)`` gives a picture with ink 0 on paper 1.
        seed: of sizes, places and noise.
        letter: the height of letters in pixels.
        slope: rise of the lines per pixel to the right.
        light: the darkest corner is this much darker than the brightest (0 to 0.8).
        noise: standard deviation of each pixel's noise.
        gap: mean gap between letters, in letter heights; words are 1.2 heights further apart.
        ink: brightness of ink against the paper around it.

    Returns:
        the page; an array (letters, 4) of [y1, x1, y2, x2] in reading order.

    >>> page, boxes = draw_page(["A1"], glyph_source(), letter=40)
    >>> page.dtype, boxes.shape
    (dtype('float32'), (2, 4))
    """
    random = np.random.default_rng(seed)
    margin = int(1.2 * letter)
    width = int(max(map(len, lines)) * letter * (1.15 + gap) + 2 * margin + letter)
    height = int(len(lines) * 1.9 * letter + 2 * margin + abs(slope) * width)
    darkness = np.zeros((height, width), np.float32)
    boxes = []
    for number, line in enumerate(lines):
        x = margin + random.uniform(0, 0.5) * letter
        baseline = margin + (1.9 * number + 1.1) * letter
        for character in line:
            if character == " ":
                x += 1.2 * letter
                continue
            picture = _enlarged(source(character, random), letter * random.uniform(0.85, 1.1))
            y = baseline - slope * x - picture.shape[0] + random.normal(0, 0.04) * letter
            y, left = int(y + max(0.0, slope) * width), int(x)
            place = darkness[y:y + picture.shape[0], left:left + picture.shape[1]]
            np.maximum(place, picture[:place.shape[0], :place.shape[1]], out=place)
            boxes.append((y, left, y + picture.shape[0], left + picture.shape[1]))
            x += picture.shape[1] + letter * gap * random.uniform(0.6, 1.4)
    rows, columns = np.mgrid[0:1:height * 1j, 0:1:width * 1j]
    angle = random.uniform(0, 2 * np.pi)
    ramp = (np.cos(angle) * (rows - 0.5) + np.sin(angle) * (columns - 0.5)) + 0.5
    paper = 0.92 - light * np.clip(ramp, 0, 1)
    page = paper * (1 - (1 - ink) * ndimage.gaussian_filter(darkness, 0.012 * letter))
    page += random.normal(0, noise, page.shape)
    return np.clip(page, 0, 1).astype(np.float32), np.array(boxes)


def _enlarged(picture, height):
    """The ink of a picture, cut to its box and scaled to a height: darkness 0 to 1."""
    darkness = 1 - picture
    rows, columns = np.flatnonzero((darkness > 0.5).any(1)), np.flatnonzero((darkness > 0.5).any(0))
    darkness = darkness[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1]
    # A flat or narrow picture keeps its proportions; the longer side decides.
    darkness = np.pad(darkness, 1)
    scale = height / max(darkness.shape)
    return np.clip(ndimage.zoom(darkness, scale, order=1), 0, 1)
