"""Seventeen flowers: a network of our own from scratch against SqueezeNet 1.1 with a new classifier.

SqueezeNet keeps what it learned from other pictures: its features are frozen, and since their output for
a picture never changes, every picture and its mirror image go through them once. Only the classifier, a
1x1 convolution, learns. Both networks see the whole curve of validation pictures; neither is chosen by it.
"""

from __future__ import annotations

import dataclasses
import time

import numpy as np

import tinygrad_hw as thw
from nets import pictures
from nets.classification.images import as_input
from nets.classification.judge import Judge, Verdict
from nets.classification.report import Part, Report
from nets.classification.transfer import MEAN, STD, freeze
from nets.pretrained.squeezenet import squeezenet1_1
from nets.pretrained.weights import load_into
from nets.samples import draw_samples
from nets.scenes.recognition import Recognition, Tally
from nets.train import fit
from tinygrad_hw import nn, optim
from tinygrad_hw.utils.data import DataLoader, Dataset, transform_generator

__all__ = ["Flowers", "MirroredFeatures", "frozen_features",
           "new_classifier"]

OWN, FINE_TUNED = "own", "squeezenet"  # the networks' names in the run folder


class MirroredFeatures(Dataset):
    """Features of pictures and of their mirror images; each look at a picture takes one of the two.

    Args:
        features: (2, N, channels, height, width), the second half those of the mirror images.
        labels: class numbers (N,).

    >>> features = np.stack([np.zeros((3, 1, 1, 1)), np.ones((3, 1, 1, 1))])
    >>> dataset = MirroredFeatures(features, np.array([0, 1, 2]))
    >>> len(dataset), {float(dataset[0][0].sum()) for _ in range(20)} == {0.0, 1.0}
    (3, True)
    """

    def __init__(self, features: np.ndarray, labels: np.ndarray):
        self.features, self.labels = features, labels

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return self.__getitems__([index])[0]

    def __getitems__(self, indices):
        sides = transform_generator().integers(0, 2, len(indices))
        return list(zip(self.features[sides, indices], self.labels[indices]))


def frozen_features(net, pixels: np.ndarray, batch_size: int = 32) -> np.ndarray:
    """What the classifier of a SqueezeNet sees of pictures of bytes (N, height, width, 3).

    >>> frozen_features(squeezenet1_1(), np.zeros((1, 64, 64, 3), np.uint8)).shape
    (1, 512, 3, 3)
    """
    net.eval()
    with thw.no_grad():
        parts = [net.features(thw.from_numpy(as_input(pixels[start:start + batch_size], MEAN, STD))).numpy()
                 for start in range(0, len(pixels), batch_size)]
    return np.concatenate(parts)


def new_classifier(classes: int) -> nn.Sequential:
    """SqueezeNet's classifier without its relu, from features (N, 512, H, W) to scores (N, classes).

    With the relu a class whose scores are negative for all pictures gets no gradient and is lost, which
    happens to most classes when only this layer learns.

    >>> tuple(new_classifier(17)(thw.ones(2, 512, 7, 7)).shape)
    (2, 17)
    """
    return nn.Sequential(nn.Dropout(0.5), nn.Conv2d(512, classes, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())


@dataclasses.dataclass(frozen=True)
class Flowers:
    """Both networks, one after the other, and their curves in one figure.

    Args:
        own: the network of our own, its pictures and settings.
        head_lr: learning rate of SqueezeNet's new classifier (Adam).
    """

    own: Recognition
    summary: str = "17 flowers: our own network from scratch against SqueezeNet 1.1 fine-tuned"
    figure: str = "accuracy"
    epochs: int = 60
    batch_size: int = 32
    lr: float = 4e-3
    head_lr: float = 1e-3
    options: tuple[str, ...] = ("weights",)

    def run(self, run, *, data=None, epochs, batch_size, lr, seed, workers=0, quiet=False, hold_out=0.0,
            weights=None) -> dict:
        """Train both and write the report; returns the results.

        Args:
            run: a `nets.runs.Run`.
            data: folder or archive of pictures (`nets.classification.images.load`); None for Shapes5.
            epochs, batch_size, seed: settings of both trainings; ``lr`` that of our own network.
            workers: processes that prepare batches.
            quiet: no progress bar.
            hold_out: a share of the training pictures that judges in place of the validation pictures.
            weights: file with torchvision's names for SqueezeNet 1.1 (.safetensors, .npz, .pth), which
                ``squeezenet-pretrain`` writes too; None for random ones, which shows the mechanism only.

        Raises:
            FileNotFoundError, ValueError: there is no such file of weights, or it does not fit.
        """
        lesson = self.own.lesson(data, hold_out)
        thw.manual_seed(seed)
        squeezenet = squeezenet1_1(num_classes=len(lesson.training.classes))
        if weights is not None:
            load_into(squeezenet, weights, skip="classifier.")  # before an hour is spent on the other one
        thw.manual_seed(seed)
        own, part = self.own.build(len(lesson.training.classes)), Part(run, OWN)
        results = {OWN: self.own.learn(part, own, lesson, epochs=epochs, batch_size=batch_size, lr=lr,
                                       workers=workers, quiet=quiet, every_epoch=True)}
        verdicts, histories = {}, {}
        if part.history:
            verdicts[OWN], histories[OWN] = lesson.judge.conclude(part, own), part.history
        if not results[OWN]["interrupted"]:
            part = Part(run, FINE_TUNED)
            results[FINE_TUNED], verdict = self._fine_tune(
                part, squeezenet, lesson, epochs=epochs, batch_size=batch_size, seed=seed, quiet=quiet)
            if part.history:
                verdicts[FINE_TUNED], histories[FINE_TUNED] = verdict, part.history
        return self._finish(run, lesson, results, verdicts, histories, weights)

    def _fine_tune(self, part, net, lesson, *, epochs, batch_size, seed, quiet):
        """Teach a new classifier on the features of a SqueezeNet; the results and the `Verdict`."""
        thw.manual_seed(seed)
        net.classifier = new_classifier(len(lesson.judged.classes))
        freeze(net, net.classifier)
        started = time.perf_counter()
        pixels = lesson.training.pixels
        known = np.stack([frozen_features(net, pixels), frozen_features(net, pixels[:, :, ::-1])])
        judge = Judge(frozen_features(net, lesson.judged.pixels), lesson.judged.labels,
                      lesson.judged.classes)
        seconds = time.perf_counter() - started
        head, tally = net.classifier, Tally()
        loader = DataLoader(MirroredFeatures(known, lesson.training.labels), batch_size, shuffle=True)
        results = fit(head, optim.Adam(head.parameters(), self.head_lr), tally, loader,
                      lambda head: {**tally.take(), **judge(head)}, epochs=epochs, run=part,
                      figure=self.figure, quiet=quiet, remembered=[tally])
        results.update(parameters=sum(p.numel() for p in net.parameters()), feature_seconds=seconds,
                       learned=sum(p.numel() for p in head.parameters()))
        return results, judge.conclude(part, head)

    def _finish(self, run, lesson, results, verdicts: dict[str, Verdict], histories, weights):
        for name, verdict in verdicts.items():
            results[name]["final_accuracy"] = verdict.accuracy
            draw_samples(run.path(f"{name}-samples.png"), lesson.judged.pixels, lesson.judged.labels,
                         verdict.scores, lesson.judged.classes)
        summary = {"networks": results, "weights": weights,
                   "interrupted": any(one["interrupted"] for one in results.values()),
                   "seconds": sum(one["seconds"] for one in results.values()),
                   "best_accuracy": None, "best_epoch": 0}
        if verdicts:
            best = max(verdicts, key=lambda name: results[name]["best_accuracy"])
            summary.update({key: results[best][key] for key in ("best_accuracy", "best_epoch")},
                           best_network=best)
        if len(verdicts) == 2:
            pictures.compared(run.path("compared.png"), {
                name: {key: [row[key] for row in rows] for key in rows[0]}
                for name, rows in histories.items()})
            _report(run, lesson, results, verdicts, weights)
        run.finish(**summary)
        return summary


def _report(run, lesson, results, verdicts, weights):
    report = Report("Seventeen flowers: from scratch or fine-tuned?" if len(lesson.judged.classes) == 17
                    else "From scratch or fine-tuned?")
    report.text(f"{len(lesson.training):,} training and {len(lesson.judged):,} validation pictures of "
                f"{len(lesson.judged.classes)} classes.")
    report.text(f"SqueezeNet's features: {weights}." if weights else
                "SqueezeNet's features: random. They know nothing, so its figures show the mechanism and a "
                "lower bound, not what fine-tuning is worth; `--weights FILE` takes learned ones "
                "(torchvision's, or those of `python -m nets run squeezenet-pretrain`).")
    report.table(("network", "parameters", "of them learned", "accuracy after the last epoch",
                  "best epoch's", "seconds"),
                 [(name, f"{one['parameters']:,}", f"{one.get('learned', one['parameters']):,}",
                   verdicts[name].accuracy, one["best_accuracy"], round(one["seconds"]))
                  for name, one in results.items()])
    report.picture("compared.png", "training loss and validation accuracy of both")
    tuned = results[FINE_TUNED]
    report.text(f"The frozen features of all pictures and their mirror images took "
                f"{tuned['feature_seconds']:.0f} s, once; the classifier then learned from them in "
                f"{tuned['seconds']:.0f} s. Training losses cannot be compared: our own network learns from "
                "ever new parts of the pictures in ever new light, with smoothed labels.")
    for name in verdicts:
        report.heading(name).picture(f"{name}-curves.png", "loss and accuracy by epoch")
        report.picture(f"{name}-confusion.png", "confusion matrix of the validation pictures")
        report.picture(f"{name}-samples.png", "right and wrong ones")
    report.write(run.path("report.md"))
