"""A rare class: 200 cats and 10 dogs to learn from, with and without a weight for the dogs' errors.

Both models start from the same weights and see the same pictures in the same order. The report shows
their figures side by side, the precision-recall curves, and how a threshold is chosen.
"""

from __future__ import annotations

import dataclasses

import numpy as np

import tinygrad_hw as thw
from nets import pictures
from nets.classification.binary import (
    Figures,
    average_precision,
    best_threshold,
    figures,
    precision_recall,
)
from nets.classification.dog_net import SIDE, DogNet
from nets.classification.images import PictureSet, as_input, load, statistics
from nets.classification.judge import draw_curves
from nets.classification.report import Part, Report
from nets.metrics import confusion_matrix
from nets.train import fit, predict
from tinygrad_hw import optim
from tinygrad_hw.nn import functional as F
from tinygrad_hw.utils.data import DataLoader

__all__ = ["SYSTEMS", "Imbalance", "pair"]

COUNTS = ((200, 10), (100, 10))  # of the drawn pair: many and few, to learn from and to judge by


def pair(data=None, hold_out=0.0):
    """Training and validation pictures of two classes, of which class 1 is the positive one.

    Args:
        data: folder or archive with two classes; None for balloons and cars of Shapes5, 200 + 10 and
            100 + 10.
        hold_out: see `load`.

    Raises:
        ValueError: there are not two classes, or one is missing from a split.

    >>> train, validation = pair()
    >>> np.bincount(train.labels).tolist(), validation.classes
    ([200, 10], ('balloon', 'car'))
    """
    parts = load(data, SIDE, hold_out)
    if data is None:
        parts = tuple(_few(part, counts) for part, counts in zip(parts, COUNTS))
    for part in parts:
        found = np.bincount(part.labels, minlength=len(part.classes))
        if len(part.classes) != 2 or not found.all():
            raise ValueError(f"two classes are needed, both in each split; {data} has "
                             f"{dict(zip(part.classes, found.tolist()))}")
    return parts


def _few(part, counts):
    names = ("balloon", "car")
    rows = [np.flatnonzero(part.labels == part.classes.index(name))[:count]
            for name, count in zip(names, counts)]
    chosen = part.take(np.concatenate(rows))
    return dataclasses.replace(chosen, labels=np.repeat([0, 1], counts), classes=names)


@dataclasses.dataclass(frozen=True)
class Imbalance:
    """One network, trained twice."""

    summary: str = "a rare class: with and without weight 20, precision, recall, threshold (SGD)"
    figure: str = "f1"
    epochs: int = 10  # later it knows the ten dogs by heart, and finds no others
    batch_size: int = 32
    lr: float = 0.01
    weight: float = 20.0

    def run(self, run, *, data=None, epochs, batch_size, lr, seed, workers=0, quiet=False,
            hold_out=0.0) -> dict:
        """Train both models and write the report; returns the results.

        The arguments are those of `nets.classification.coco.CocoNets.run`; ``data`` has two classes, the
        second the positive one, None for a drawn pair.
        """
        training, validation = pair(data, hold_out)
        mean, std = statistics(training)
        inputs = as_input(validation.pixels, mean, std)
        models, results = {}, {}
        for name, weight in (("unweighted", 1.0), ("weighted", self.weight)):
            thw.manual_seed(seed)
            net = DogNet(2)
            loader = DataLoader(PictureSet(training, mean, std, flip=0.5), batch_size, shuffle=True,
                                num_workers=workers)
            class_weights = thw.tensor([1.0, weight])

            def loss_of(net, batch):
                return F.cross_entropy(net(batch[0]), batch[1], weight=class_weights)

            def evaluate(net):
                probabilities = _probabilities(net, inputs)
                return {"validation_f1": figures(probabilities > 0.5, validation.labels).f1,
                        "validation_average_precision": average_precision(probabilities,
                                                                          validation.labels)}

            part = Part(run, name)
            results[name] = fit(net, optim.SGD(net.parameters(), lr, momentum=0.9), loss_of, loader,
                                evaluate, epochs=epochs, run=part, figure="f1", quiet=quiet)
            draw_curves(part, "f1")
            models[name] = _probabilities(net, inputs)
            if results[name]["interrupted"]:
                break
        summary = _summary(models, results, validation)
        if not summary["interrupted"]:
            _report(run, models, training, validation, self.weight)
        run.finish(**summary)
        return summary


def _probabilities(net, inputs):
    """Of class 1, (N,)."""
    return thw.softmax(thw.from_numpy(predict(net, inputs)), 1).numpy()[:, 1]


def _summary(models, results, validation):
    best = max(results, key=lambda name: results[name]["best_f1"] or 0)
    one = {name: figures(probabilities > 0.5, validation.labels) for name, probabilities in models.items()}
    return {"models": {name: {**results[name], **_named(one[name]),
                              "average_precision": average_precision(models[name], validation.labels)}
                       for name in models},
            "best_f1": results[best]["best_f1"], "best_epoch": results[best]["best_epoch"],
            "seconds": sum(result["seconds"] for result in results.values()),
            "interrupted": any(result["interrupted"] for result in results.values())}


def _named(one: Figures):
    return {"accuracy": one.accuracy, "accuracy_0": one.specificity, "accuracy_1": one.recall,
            "precision": one.precision, "recall": one.recall, "f1": one.f1}


def _report(run, models, training, validation, weight):
    negative, positive = validation.classes
    counts = [dict(zip(part.classes, np.bincount(part.labels).tolist())) for part in (training, validation)]
    report = Report(f"{positive} among {negative}s").text(
        f"Training pictures {counts[0]}, validation pictures {counts[1]}. Both models are the same network "
        f"from the same start; the second counts an error on a {positive} {weight:g} times. Figures after "
        f"the last epoch, at threshold 0.5, positive = {positive}.")
    half = {name: figures(probabilities > 0.5, validation.labels)
            for name, probabilities in models.items()}
    rows = [("true positive", *(one.true_positive for one in half.values())),
            ("false positive", *(one.false_positive for one in half.values())),
            (f"accuracy on {negative}", *(one.specificity for one in half.values())),
            (f"accuracy on {positive}", *(one.recall for one in half.values())),
            ("accuracy on all", *(one.accuracy for one in half.values())),
            ("precision", *(one.precision for one in half.values())),
            ("recall", *(one.recall for one in half.values())),
            ("F1", *(one.f1 for one in half.values())),
            ("average precision", *(average_precision(probabilities, validation.labels)
                                    for probabilities in models.values()))]
    report.table(("figure", "without weight", f"weight {weight:g}"), rows).text(
        f"Calling everything {negative} would be right for "
        f"{100 * np.mean(validation.labels == 0):.1f} % of all: accuracy on all says little here.")
    for name, probabilities in models.items():
        matrix = confusion_matrix((probabilities > 0.5).astype(int), validation.labels, 2)
        pictures.confusion(run.path(f"{name}-confusion.png"), matrix, validation.classes)
        report.picture(f"{name}-curves.png", f"training loss and F1 by epoch, {name}")
        report.picture(f"{name}-confusion.png", f"confusion matrix, {name}")
    _threshold(run, report, models, validation)
    report.write(run.path("report.md"))


def _threshold(run, report, models, validation):
    """Precision-recall curves, and thresholds that are chosen on one half and judged on the other."""
    curves, rows = {}, []
    for name, probabilities in models.items():
        _, precision, recall = precision_recall(probabilities, validation.labels)
        curves[name] = (np.append(0.0, recall), np.append(1.0, precision))
        rows.append((name, *_two_halves(probabilities, validation.labels)))
    pictures.lines(run.path("precision_recall.png"), [
        {"title": "precision and recall for every threshold", "x": "recall", "y": "precision",
         "lines": curves}])
    report.heading("Choice of a threshold").picture("precision_recall.png", "precision-recall curves")
    report.text("The threshold with the largest F1 on one half of the validation pictures is judged on the "
                "other half, and the reverse; the counts of both are added. Chosen and judged on the same "
                "pictures it would look better than it is.")
    report.table(("model", "threshold of half 1", "of half 2", "precision", "recall", "F1",
                  "F1 at 0.5"), rows)


def _two_halves(probabilities, labels):
    first = np.zeros(len(labels), bool)
    for label in (0, 1):
        first[np.flatnonzero(labels == label)[::2]] = True
    if not (labels[~first] == 1).any():
        first[:] = True  # a single positive one: there is nothing to judge by but the same pictures
    chosen = [best_threshold(probabilities[half], labels[half])
              for half in (first, ~first if not first.all() else first)]
    judged = figures(probabilities[~first] >= chosen[0], labels[~first]) + figures(
        probabilities[first] >= chosen[1], labels[first])
    return (*chosen, judged.precision, judged.recall, judged.f1, figures(probabilities > 0.5, labels).f1)


SYSTEMS = {"imbalance": Imbalance()}
