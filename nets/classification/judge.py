"""How a network is judged by labelled pictures, epoch by epoch and at the end, and what is drawn of it."""

from __future__ import annotations

import dataclasses

import numpy as np

import tinygrad_hw as thw
from nets import pictures
from nets.metrics import accuracy, confusion_matrix
from nets.samples import draw_samples
from nets.train import predict
from tinygrad_hw.nn import functional as F

__all__ = ["Judge", "Verdict", "draw_curves"]


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Scores (N, classes) that a network gave to pictures, and how often which class was taken for which.

    >>> verdict = Verdict(np.eye(2), np.array([[3, 1], [0, 4]]))
    >>> verdict.accuracy, verdict.recalls.tolist()
    (0.875, [0.75, 1.0])
    """

    scores: np.ndarray
    matrix: np.ndarray

    @property
    def accuracy(self) -> float:
        """Share of the pictures that are named rightly."""
        return float(np.trace(self.matrix) / self.matrix.sum())

    @property
    def recalls(self) -> np.ndarray:
        """The same for each class, (classes,); 0 for a class without pictures."""
        return np.diag(self.matrix) / np.maximum(self.matrix.sum(1), 1)


@dataclasses.dataclass(frozen=True)
class Judge:
    """Pictures that a network does not learn from.

    Args:
        images: (N, ...) float32, as the network takes them.
        labels: class numbers (N,).
        classes: their names.
        pixels: the same pictures (N, height, width, 3) as bytes, to show some; None to show none.
        mirrored: the scores are the mean of those of the pictures and of their mirror images.

    Called with a network it returns ``{"validation_loss": ..., "validation_accuracy": ...}``, which is what
    `nets.train.fit` asks for after every epoch.

    >>> judge = Judge(np.eye(2, dtype=np.float32), np.array([0, 0]), ("cat", "dog"))
    >>> judge(thw.nn.Identity())["validation_accuracy"]
    0.5
    """

    images: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    pixels: np.ndarray | None = None
    mirrored: bool = False

    def scores(self, net) -> np.ndarray:
        """What a network says to the pictures, (N, classes)."""
        scores = predict(net, self.images)
        return (scores + predict(net, self.images[..., ::-1].copy())) / 2 if self.mirrored else scores

    def __call__(self, net) -> dict[str, float]:
        scores = self.scores(net)
        loss = F.cross_entropy(thw.from_numpy(scores), thw.from_numpy(self.labels)).item()
        return {"validation_loss": loss, "validation_accuracy": accuracy(scores, self.labels)}

    def conclude(self, run, net) -> Verdict:
        """The verdict; draws ``confusion.png``, ``samples.png`` and, if there were epochs, ``curves.png``."""
        scores = self.scores(net)
        matrix = confusion_matrix(scores, self.labels, len(self.classes))
        pictures.confusion(run.path("confusion.png"), matrix, self.classes)
        if self.pixels is not None:
            draw_samples(run.path("samples.png"), self.pixels, self.labels, scores, self.classes)
        draw_curves(run)
        return Verdict(scores, matrix)


def draw_curves(run, figure: str = "accuracy") -> None:
    """``curves.png``: loss and figure of merit of the run's epochs so far."""
    if run.history:
        pictures.training_curves(run.path("curves.png"),
                                 {key: [row[key] for row in run.history] for key in run.history[0]}, figure)
