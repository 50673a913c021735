"""Strokes joined to letters: connected components, their boxes, and which of them belong together."""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy import ndimage

from nets.reading.binarize import need_skimage

__all__ = ["Letter", "find_letters", "joined", "typical_height"]

# All lengths below are shares of the typical height of a letter on the page.
MARK = 0.30        # no side longer: a mark (full stop, speck), no stroke of a letter
STACKED_GAP = 0.30  # pieces above one another with no wider gap are one letter (T, E, 5, Y)
BESIDE_GAP = 0.12  # a piece too small for a letter joins a neighbour this near (K, D)
PIECE = 0.62       # lower than this: a piece
TALLEST = 1.7      # a letter is not higher than this


@dataclasses.dataclass(frozen=True)
class Letter:
    """One letter on the page: where it is and which pixels of its box are its ink.

    Args:
        box: (y1, x1, y2, x2), the last row and column excluded.
        mask: bool (y2 - y1, x2 - x1).

    >>> letter = Letter((2, 3, 4, 8), np.ones((2, 5), bool))
    >>> letter.height, letter.width, letter.middle
    (2, 5, (3.0, 5.5))
    """

    box: tuple[int, int, int, int]
    mask: np.ndarray

    @property
    def height(self):
        """Rows of the box."""
        return self.box[2] - self.box[0]

    @property
    def width(self):
        """Columns of the box."""
        return self.box[3] - self.box[1]

    @property
    def middle(self):
        """Row and column of the middle of the box."""
        return (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2


def find_letters(ink):
    """Letters of a page, in no particular order, and their typical height.

    Components much smaller than a letter are marks and left out. Pieces that lie above one another
    or very near are joined. What the border cuts to a piece is left out.

    Args:
        ink: bool (height, width), True on strokes.

    Returns:
        list of `Letter`; the typical height in pixels (0 on an empty page).

    >>> page = np.zeros((60, 90), bool)
    >>> page[10:40, 20:24] = page[5:9, 12:32] = True       # a T with its bar apart
    >>> page[36:40, 60:63] = True                          # a full stop
    >>> [letter.box for letter in find_letters(page)[0]]
    [(5, 12, 40, 32)]
    """
    need_skimage()
    from skimage.measure import label, regionprops

    regions = [Letter(tuple(region.bbox), region.image) for region in regionprops(label(ink))]
    tall = typical_height(regions)
    if tall == 0:
        return [], 0.0
    pieces = [region for region in regions if not _is_mark(region, tall, ink.shape)]
    groups = _joined_groups(pieces, tall)
    letters = [joined([pieces[i] for i in group]) for group in groups]
    letters = [letter for letter in letters if max(letter.height, letter.width) >= 0.4 * tall]
    return letters, tall


def typical_height(letters):
    """The height that half of all ink height belongs to: large letters count more, specks hardly.

    >>> low, high = (Letter((0, 0, h, 5), np.ones((h, 5), bool)) for h in (2, 30))
    >>> typical_height([low] * 10 + [high] * 3)
    30.0
    """
    if not letters:
        return 0.0
    # The ink's area is no good as a weight: a page's dark border would win.
    heights = np.sort([max(letter.height, 0.7 * letter.width) for letter in letters])
    weights = np.cumsum(heights)
    return float(heights[np.searchsorted(weights, weights[-1] / 2)])


def joined(letters):
    """One letter of several.

    >>> joined([Letter((0, 0, 1, 2), np.ones((1, 2), bool)), Letter((2, 1, 3, 3), np.ones((1, 2), bool))]).box
    (0, 0, 3, 3)
    """
    boxes = np.array([letter.box for letter in letters])
    top, left = boxes[:, :2].min(axis=0)
    bottom, right = boxes[:, 2:].max(axis=0)
    mask = np.zeros((bottom - top, right - left), bool)
    for letter, (y1, x1, y2, x2) in zip(letters, boxes):
        mask[y1 - top:y2 - top, x1 - left:x2 - left] |= letter.mask
    return Letter((int(top), int(left), int(bottom), int(right)), mask)


def _is_mark(letter, tall, shape):
    """Too small or too large to be a letter or a piece of one, or cut by the border."""
    y1, x1, y2, x2 = letter.box
    longest = max(letter.height, letter.width)
    at_border = y1 <= 1 or x1 <= 1 or y2 >= shape[0] - 1 or x2 >= shape[1] - 1
    if at_border and letter.height < 0.7 * tall:
        return True
    # A full stop is as wide as high; a hair of the same length is thinner and no letter either.
    return longest < MARK * tall or letter.height > 4 * tall or letter.width > 8 * tall


def _joined_groups(pieces, tall):
    """Indices of pieces that make one letter, by single linkage."""
    parent = list(range(len(pieces)))

    def root(i):
        while parent[i] != i:
            i = parent[i]
        return i

    gaps = _gaps(pieces, reach=STACKED_GAP * tall)
    for (first, second), gap in sorted(gaps.items(), key=lambda item: item[1]):
        a, b = root(first), root(second)
        if a == b:
            continue
        one = joined([pieces[i] for i in range(len(pieces)) if root(i) == a])
        other = joined([pieces[i] for i in range(len(pieces)) if root(i) == b])
        if _belong_together(one, other, gap, tall):
            parent[b] = a
    groups: dict = {}
    for i in range(len(pieces)):
        groups.setdefault(root(i), []).append(i)
    return list(groups.values())


def _belong_together(one, other, gap, tall):
    """Whether two groups of strokes, `gap` pixels apart at the nearest, are one letter."""
    both = joined([one, other])
    small, large = sorted((one, other), key=lambda letter: letter.mask.sum())
    if both.height > TALLEST * max(tall, large.height / 1.2):
        return False
    shared = min(one.box[3], other.box[3]) - max(one.box[1], other.box[1])
    overlap = shared / min(one.width, other.width)
    rows = min(one.box[2], other.box[2]) - max(one.box[0], other.box[0])
    inside = overlap >= 0.99 and rows >= 0.99 * small.height
    if inside:
        return True
    whole = min(one.height, other.height) >= 0.8 * tall
    if overlap >= 0.5 and not whole and gap <= STACKED_GAP * tall:
        # Two lines of text lie above one another too, but then both are whole letters.
        return both.height <= 1.35 * tall or both.height <= 1.2 * large.height
    is_piece = small.height < PIECE * tall and both.width <= 1.3 * max(tall, large.width / 1.2)
    return is_piece and gap <= BESIDE_GAP * tall


def _gaps(pieces, reach):
    """{(i, j): distance in pixels} of all pairs whose nearest pixels are no further than `reach`."""
    boxes = np.array([piece.box for piece in pieces], float).reshape(-1, 4)
    gaps = {}
    for i, box in enumerate(boxes):
        rows = np.maximum(box[0], boxes[:, 0]) - np.minimum(box[2], boxes[:, 2])
        columns = np.maximum(box[1], boxes[:, 1]) - np.minimum(box[3], boxes[:, 3])
        for j in np.flatnonzero((rows <= reach) & (columns <= reach)):
            if j > i:
                gap = _nearest(pieces[i], pieces[j])
                if gap <= reach:
                    gaps[i, int(j)] = gap
    return gaps


def _nearest(one, other):
    """Distance between the nearest pixels of two letters."""
    from scipy.spatial import cKDTree

    edges = [np.argwhere(letter.mask & ~ndimage.binary_erosion(letter.mask)) + letter.box[:2]
             for letter in (one, other)]
    return float(cKDTree(edges[0]).query(edges[1])[0].min())
