"""How well two classes are told apart when one of them is rare; class 1 is the positive one."""

from __future__ import annotations

import dataclasses

import numpy as np

__all__ = ["Figures", "average_precision", "best_threshold", "figures", "precision_recall"]


@dataclasses.dataclass(frozen=True)
class Figures:
    """The four counts and what follows from them; a share of nothing is 0.

    >>> Figures(true_positive=3, false_positive=1, false_negative=2, true_negative=4).f1.__round__(3)
    0.667
    """

    true_positive: int
    false_positive: int
    false_negative: int
    true_negative: int

    @property
    def precision(self) -> float:
        """Share of what is called positive that is so."""
        return self.true_positive / max(self.true_positive + self.false_positive, 1)

    @property
    def recall(self) -> float:
        """Share of the positive ones that are found, which is the accuracy of class 1."""
        return self.true_positive / max(self.true_positive + self.false_negative, 1)

    @property
    def specificity(self) -> float:
        """Share of the negative ones that are left alone, which is the accuracy of class 0."""
        return self.true_negative / max(self.true_negative + self.false_positive, 1)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall: 2 TP / (2 TP + FP + FN)."""
        wrong = self.false_positive + self.false_negative
        return 2 * self.true_positive / max(2 * self.true_positive + wrong, 1)

    @property
    def accuracy(self) -> float:
        """Share of all that are right."""
        wrong = self.false_positive + self.false_negative
        right = self.true_positive + self.true_negative
        return right / max(right + wrong, 1)

    def __add__(self, other: Figures) -> Figures:
        return Figures(*(mine + others for mine, others in
                         zip(dataclasses.astuple(self), dataclasses.astuple(other))))


def figures(positive, labels) -> Figures:
    """The counts of predictions (N,), true for class 1, against labels (N,) of 0 and 1.

    Raises ValueError if the shapes differ.

    >>> figures([True, True, False], [1, 0, 1])
    Figures(true_positive=1, false_positive=1, false_negative=1, true_negative=0)
    """
    positive, labels = np.asarray(positive, bool), np.asarray(labels).astype(bool)
    if positive.shape != labels.shape:
        raise ValueError(f"predictions and labels must have one shape, got {positive.shape} and "
                         f"{labels.shape}")
    return Figures(*(int(count.sum()) for count in (positive & labels, positive & ~labels,
                                                    ~positive & labels, ~positive & ~labels)))


def precision_recall(probabilities, labels) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Precision and recall for every threshold that makes a difference.

    Args:
        probabilities: of class 1, (N,).
        labels: 0 or 1, (N,), at least one of them 1.

    Returns:
        thresholds, falling, and precision and recall if everything at or above it is called positive.

    Raises:
        ValueError: there is no positive one, or the shapes differ.

    >>> threshold, precision, recall = precision_recall([0.9, 0.6, 0.6, 0.1], [1, 0, 1, 0])
    >>> threshold.tolist(), precision.round(2).tolist(), recall.tolist()
    ([0.9, 0.6, 0.1], [1.0, 0.67, 0.5], [0.5, 1.0, 1.0])
    """
    probabilities, labels = np.asarray(probabilities, np.float64), np.asarray(labels)
    if probabilities.shape != labels.shape or not (labels == 1).any():
        raise ValueError(f"precision and recall need labels of the probabilities' shape with at least one "
                         f"1, got {probabilities.shape} and {labels.shape} with {int((labels == 1).sum())}")
    order = np.argsort(-probabilities, kind="stable")
    ranked = probabilities[order]
    last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)  # equal ones are taken together
    found = np.cumsum(labels[order] == 1)[last]
    return ranked[last], found / (last + 1), found / found[-1]


def average_precision(probabilities, labels) -> float:
    """Area under the curve of steps: sum of precision times the gain of recall.

    >>> average_precision([0.9, 0.6, 0.3], [1, 0, 1]).__round__(4)
    0.8333
    """
    _, precision, recall = precision_recall(probabilities, labels)
    return float((precision * np.diff(recall, prepend=0.0)).sum())


def best_threshold(probabilities, labels) -> float:
    """The threshold with the largest F1, half-way to the next probability below; of equal ones the highest.

    >>> best_threshold([0.9, 0.6, 0.4, 0.1], [1, 1, 0, 0])
    0.5
    """
    threshold, precision, recall = precision_recall(probabilities, labels)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    place = int(f1.argmax())
    below = threshold[place + 1] if place + 1 < len(threshold) else threshold[place]
    return float((threshold[place] + below) / 2)
