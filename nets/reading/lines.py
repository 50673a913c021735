"""Letters grouped to lines by clustering, and lines cut into words at their wide gaps."""

from __future__ import annotations

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage

__all__ = ["gap_limit", "group_lines", "slope_of", "words_of"]

STEEPEST = 0.27        # rise of a line per pixel to the right: 15 degrees
SAME_LINE = 0.6        # letters closer than this (in letter heights, see `_distances`) share a line
ALONG = 0.06           # how much of the distance along a line counts
WORD_GAP = 0.35        # no gap between words is narrower, in letter heights
APART = 2.8            # gaps between words are this many times wider than those between letters
DISTINCT = 4.0         # in standard deviations; gaps spread evenly, cut in two, would be 3.5 apart
TOUCHING = 0.1         # letters that touch or overlap count as this far apart
SPREAD = 0.1           # the least standard deviation of the roots: a few gaps may agree by chance
LETTER_GAP = 2.5       # every gap wider than this many letter heights parts words


def group_lines(boxes):
    """Lines from top to bottom, each the indices of its boxes from left to right.

    Single linkage joins letters whose middles lie at about one height once the page's slope is taken
    out. It follows lines that bend or rise, since only neighbours must agree.

    Args:
        boxes: (N, 4) of [y1, x1, y2, x2].

    >>> group_lines([[0, 40, 10, 48], [1, 0, 12, 8], [30, 0, 40, 8], [2, 20, 11, 28]])
    [[1, 3, 0], [2]]
    """
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    if len(boxes) < 2:
        return [[i] for i in range(len(boxes))]
    slope = slope_of(boxes)
    clusters = fcluster(linkage(_distances(boxes, slope), "single"), SAME_LINE, "distance")
    columns = boxes[:, [1, 3]].mean(axis=1)
    level = boxes[:, [0, 2]].mean(axis=1) - slope * columns
    lines = [sorted(np.flatnonzero(clusters == c).tolist(), key=lambda i: columns[i])
             for c in np.unique(clusters)]
    return sorted(lines, key=lambda line: np.median(level[line]))


def slope_of(boxes):
    """The rise per pixel to the right of the lines of a page: at it, most middles coincide.

    Tries slopes up to 15 degrees either way and takes the one whose histogram of heights is sharpest
    (largest sum of squares), the smallest such slope of equals.

    >>> slope_of([[i // 4, i * 20, i // 4 + 10, i * 20 + 9] for i in range(40)]) > 0
    True
    """
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    rows, columns = boxes[:, [0, 2]].mean(axis=1), boxes[:, [1, 3]].mean(axis=1)
    bin_size = max(1.0, 0.3 * float(np.median(boxes[:, 2] - boxes[:, 0])))

    def sharpness(slope):
        level = (rows - slope * columns) / bin_size
        near = np.exp(-(level[:, None] - level) ** 2)
        return near.sum()

    slopes = np.linspace(-STEEPEST, STEEPEST, 109)
    values = np.array([sharpness(slope) for slope in slopes])
    best = np.flatnonzero(values >= values.max() - 1e-9)
    return float(slopes[best[np.abs(slopes[best]).argmin()]])


def words_of(boxes, limit):
    """A line's boxes (from left to right) cut at gaps wider than `limit` letter heights.

    >>> words_of([[0, 0, 10, 8], [0, 10, 10, 18], [0, 40, 10, 48]], limit=1.0)
    [[0, 1], [2]]
    """
    if not len(boxes):
        return []
    words = [[0]]
    for i, gap in enumerate(_gaps(np.asarray(boxes, np.float64)), start=1):
        if gap > limit:
            words.append([])
        words[-1].append(i)
    return words


def gap_limit(lines):
    """The gap, in letter heights, above which words part: where the page's gaps fall in two groups.

    The square roots of the gaps (their spread grows with their size) are cut where the two parts vary
    least (Otsu's rule). If the parts are not clearly apart, the page has one kind of gap and no words.

    Args:
        lines: arrays (N, 4) of boxes, from left to right.

    >>> line = [[0, x, 10, x + 8] for x in (0, 10, 20, 40, 50, 60, 80, 90)]
    >>> 0.2 < gap_limit([line]) < 1.2
    True
    """
    gaps = [_gaps(np.asarray(line, np.float64)) for line in lines if len(line) > 1]
    roots = np.sqrt(np.sort(np.maximum(np.concatenate(gaps), TOUCHING))) if gaps else np.zeros(0)
    best, limit = -1.0, LETTER_GAP
    for cut in range(1, len(roots)):
        low, high = roots[:cut], roots[cut:]
        between = len(low) * len(high) * (high.mean() - low.mean()) ** 2
        if between > best:
            best = between
            spread = np.sqrt((len(low) * low.var() + len(high) * high.var()) / len(roots))
            apart = (high.mean() - low.mean() > DISTINCT * max(spread, SPREAD)
                     and np.median(high) ** 2 > max(WORD_GAP, APART * np.median(low) ** 2))
            limit = ((roots[cut - 1] + roots[cut]) / 2) ** 2 if apart else LETTER_GAP
    return float(np.clip(limit, WORD_GAP, LETTER_GAP))


def _gaps(line):
    """Gaps between neighbours, in heights of the line's letters."""
    height = np.median(np.maximum(line[:, 2] - line[:, 0], 1))
    ends = np.maximum.accumulate(line[:, 3])
    return (line[1:, 1] - ends[:-1]) / height


def _distances(boxes, slope):
    """Condensed distances: difference in height plus a little of the way along, in letter heights."""
    heights = boxes[:, 2] - boxes[:, 0]
    columns = boxes[:, [1, 3]].mean(axis=1)
    level = boxes[:, [0, 2]].mean(axis=1) - slope * columns
    first, second = np.triu_indices(len(boxes), 1)
    # The larger of two heights: a long tail moves a letter's middle.
    scale = np.maximum(np.maximum(heights[first], heights[second]), np.median(heights))
    across = np.abs(level[first] - level[second])
    along = np.maximum(0, np.maximum(boxes[first, 1] - boxes[second, 3], boxes[second, 1] - boxes[first, 3]))
    return across / scale + ALONG * along / scale
