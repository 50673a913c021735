"""Pictures that a network named rightly and wrongly, those first of which it was most sure."""

from __future__ import annotations

import numpy as np

from nets.pictures import _figure, _save

__all__ = ["draw_samples", "probabilities", "surest"]


def probabilities(scores: np.ndarray) -> np.ndarray:
    """Softmax of scores (N, classes).

    >>> probabilities(np.array([[0.0, 0.0], [1000.0, 0.0]])).tolist()
    [[0.5, 0.5], [1.0, 0.0]]
    """
    powers = np.exp(scores - scores.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def surest(scores: np.ndarray, labels: np.ndarray, right: bool, count: int) -> np.ndarray:
    """Numbers of the pictures that are named rightly (or wrongly), the most certain first.

    Of those that are right every class has its turn: hundreds are certain to the last bit.

    >>> scores = np.array([[3.0, 0.0], [9.0, 0.0], [0.0, 1.0]])
    >>> surest(scores, np.array([0, 0, 0]), True, 2).tolist()
    [1, 0]
    >>> surest(scores, np.array([0, 0, 0]), False, 2).tolist()
    [2]
    """
    rows = np.flatnonzero((scores.argmax(1) == labels) == right)
    rows = rows[np.argsort(-probabilities(scores)[rows].max(1), kind="stable")]
    if right:
        turns = np.empty(len(rows), int)
        for label in np.unique(labels[rows]):
            own = labels[rows] == label
            turns[own] = np.arange(own.sum())
        rows = rows[np.argsort(turns, kind="stable")]
    return rows[:count]


def draw_samples(path, pixels, labels, scores, classes, columns: int = 8) -> None:
    """Two rows of pictures that are right above two rows of mistakes, each with what it was taken for.

    Args:
        path: the PNG file.
        pixels: (N, height, width, 3) bytes, or grey (N, height, width) in 0..1.
        labels: true class numbers (N,).
        scores: (N, classes).
        classes: their names.
        columns: pictures in a row.
    """
    certain, side = probabilities(scores), pixels.shape[1]
    step = side * 1.4  # room for two lines of text above a picture
    kinds = {right: surest(scores, labels, right, 2 * columns) for right in (True, False)}
    heights = {right: -(-len(rows) // columns) for right, rows in kinds.items()}
    picture = _figure(1.45 * columns, 0.5 + 1.85 * sum(heights.values()))
    axes = picture.add_subplot()
    for right, rows in kinds.items():
        top = 0 if right else heights[True]
        for place, row in enumerate(rows):
            left, upper = place % columns * 1.1 * side, (top + place // columns) * step
            taken = int(scores[row].argmax())
            name = classes[taken] if right else f"{classes[labels[row]]}\nas {classes[taken]}"
            axes.imshow(pixels[row], extent=(left, left + side, upper + side, upper), cmap="gray", vmin=0,
                        vmax=1)
            axes.text(left, upper - 0.03 * side, f"{name} {certain[row, taken]:.2f}", fontsize=8)
    axes.set(xlim=(0, columns * 1.1 * side), ylim=(sum(heights.values()) * step - 0.4 * side, -0.3 * side))
    axes.set_axis_off()
    counts = f"above {len(kinds[True])} that are right, below {len(kinds[False])} that are wrong"
    picture.suptitle(f"{counts}, with the probability; the most certain ones")
    _save(picture, path, f"predictions, {counts}; the most certain ones")
