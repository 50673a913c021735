"""Recognition of colour pictures with a test set that is used once, after the last epoch.

Settings are chosen with ``--hold-out SHARE``: a share of the training pictures judges every epoch, and the
test pictures are not looked at. Without it all training pictures are learned from.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

import tinygrad_hw as thw
from nets.classification.images import Pictures, load, statistics
from nets.classification.judge import Judge
from nets.classification.report import Report
from nets.one_cycle import adamw_one_cycle, shuffled
from nets.samples import draw_samples
from nets.scenes.data import shrunk
from nets.train import fit
from tinygrad_hw import nn
from tinygrad_hw.nn import functional as F
from tinygrad_hw.utils.data import DataLoader, Dataset

__all__ = ["Lesson", "Recognition", "Tally"]


class Tally:
    """The loss of a batch, which also counts how many of the changed pictures were named rightly.

    >>> tally = Tally()
    >>> scores = thw.tensor([[2.0, 0.0], [3.0, 0.0]])
    >>> _ = tally(nn.Identity(), (scores, thw.tensor([0, 1])))
    >>> tally.take(), tally.take()
    ({'train_accuracy': 0.5}, {'train_accuracy': 0.0})
    """

    def __init__(self, smoothing: float = 0.0):
        self.smoothing, self.right, self.count = smoothing, 0, 0

    def __call__(self, net, batch):
        images, labels = batch
        scores = net(images)
        self.right += int((scores.detach().argmax(1) == labels).sum().item())
        self.count += len(labels)
        return F.cross_entropy(scores, labels, label_smoothing=self.smoothing)

    def take(self) -> dict[str, float]:
        """The share since the last call."""
        share = self.right / max(self.count, 1)
        self.right = self.count = 0
        return {"train_accuracy": share}

    def state_dict(self) -> dict:
        """The counts, for a checkpoint within an epoch."""
        return {"right": self.right, "count": self.count}

    def load_state_dict(self, state: dict) -> None:
        """Go on counting from there."""
        self.right, self.count = state["right"], state["count"]


@dataclasses.dataclass(frozen=True)
class Lesson:
    """What a network learns from, and what judges it.

    Attributes:
        training, judged: `Pictures`.
        mean, std: of each channel, by which both are normalised.
        changed: the training pictures as the network sees them.
        judge: the judging pictures as it sees them.
        held_out: whether the judging pictures are training pictures that were held out.
    """

    training: Pictures
    judged: Pictures
    mean: np.ndarray
    std: np.ndarray
    changed: Dataset
    judge: Judge
    held_out: bool

    def loader(self, batch_size: int, workers: int = 0) -> DataLoader:
        """Batches of changed pictures."""
        return shuffled(self.changed, batch_size, workers)


@dataclasses.dataclass(frozen=True)
class Recognition:
    """A network, its pictures and settings: AdamW, one rise and fall of the rate, smoothed labels.

    Args:
        summary: a line for ``python -m nets list``.
        title: of the report.
        build: makes the network, given the number of classes.
        change: makes the training data set, given `Pictures`, mean, std and ``side``.
        stored, side: of the pictures as they are kept, and as the network sees them.
        epochs, batch_size, lr, weight_decay, smoothing: settings; ``lr`` is the highest rate.
        normal: mean and standard deviation to normalise by; None for those of the training pictures.
        remark: a sentence for the report.
    """

    summary: str
    title: str
    build: Callable[[int], nn.Module]
    change: Callable
    stored: int
    side: int
    epochs: int
    batch_size: int
    lr: float
    weight_decay: float = 0.05
    smoothing: float = 0.1
    normal: tuple | None = None
    remark: str = ""
    figure: str = "accuracy"

    def lesson(self, data=None, hold_out: float = 0.0) -> Lesson:
        """The pictures of ``data``; see `Recognition.run`."""
        training, judged = load(data, self.stored, hold_out)
        mean, std = self.normal or statistics(training)
        return Lesson(training, judged, mean, std, self.change(training, mean, std, self.side),
                      Judge(shrunk(judged, mean, std, self.side), judged.labels, judged.classes),
                      hold_out > 0)

    def run(self, run, *, data=None, epochs, batch_size, lr, seed, workers=0, quiet=False,
            hold_out=0.0) -> dict:
        """Train, judge, write the report; returns the results.

        Args:
            run: a `nets.runs.Run`.
            data: folder or archive of pictures (`nets.classification.images.load`); None for Shapes5.
            epochs, batch_size, lr, seed: settings of the training.
            workers: processes that prepare batches.
            quiet: no progress bar.
            hold_out: a share of the training pictures that judges in place of the test pictures.
        """
        lesson = self.lesson(data, hold_out)
        thw.manual_seed(seed)
        net = self.build(len(lesson.training.classes))
        results = self.learn(run, net, lesson, epochs=epochs, batch_size=batch_size, lr=lr, workers=workers,
                             quiet=quiet)
        if run.history and not results["interrupted"]:
            verdict = lesson.judge.conclude(run, net)
            results["final_accuracy" if lesson.held_out else "test_accuracy"] = verdict.accuracy
            draw_samples(run.path("samples.png"), lesson.judged.pixels, lesson.judged.labels,
                         verdict.scores, lesson.judged.classes)
            settings = {"epochs": epochs, "batch size": batch_size, "highest learning rate": lr, "seed": seed}
            self._report(run, net, lesson, settings, results, verdict)
        run.finish(**results)
        return results

    def learn(self, run, net, lesson: Lesson, *, epochs: int, batch_size: int, lr: float, workers: int = 0,
              quiet: bool = False, every_epoch: bool = False) -> dict:
        """Train a network; the judging pictures are looked at after every epoch only if they are held out.

        Args:
            run: a `nets.runs.Run` or a part of one.
            net: the network.
            lesson: its pictures.
            epochs, batch_size, lr, workers, quiet: as in `Recognition.run`.
            every_epoch: look at the judging pictures after every epoch all the same.

        Returns:
            The results of `nets.train.fit` and the number of ``parameters``.
        """
        loader = lesson.loader(batch_size, workers)
        optimizer, schedule = adamw_one_cycle(net, loader, epochs=epochs, lr=lr,
                                              weight_decay=self.weight_decay)
        tally = Tally(self.smoothing)
        looks = lesson.judge if lesson.held_out or every_epoch else lambda net: {}
        results = fit(net, optimizer, tally, loader, lambda net: {**tally.take(), **looks(net)},
                      epochs=epochs, run=run, figure=self.figure, quiet=quiet, after_step=schedule.step,
                      remembered=[tally])
        results["parameters"] = sum(p.numel() for p in net.parameters())
        return results

    def _report(self, run, net, lesson, settings, results, verdict):
        part = "held-out training" if lesson.held_out else "test"
        error = np.sqrt(verdict.accuracy * (1 - verdict.accuracy) / len(lesson.judged))
        report = Report(self.title).text(
            f"{len(lesson.training):,} training and {len(lesson.judged):,} {part} pictures of "
            f"{len(lesson.training.classes)} classes, kept at {self.stored}x{self.stored} pixels and seen at "
            f"{self.side}x{self.side}; normalised by the mean ({_row(lesson.mean)}) and standard deviation "
            f"({_row(lesson.std)}) of each channel.")
        report.heading("Result").text(
            f"Accuracy after the last epoch: **{verdict.accuracy:.4f}** of {len(lesson.judged):,} {part} "
            f"pictures (standard error {error:.4f}). {self.remark}".strip())
        report.text("The test pictures were not looked at: this run is for choosing settings."
                    if lesson.held_out else
                    "The test pictures were looked at once, after the last epoch.")
        report.table(("class", "pictures", "recognised"), [
            (name, int(count), float(recall)) for name, count, recall in
            zip(lesson.judged.classes, verdict.matrix.sum(1), verdict.recalls)])
        report.picture("confusion.png", f"confusion matrix of the {part} pictures")
        report.picture("samples.png", "right and wrong ones")
        report.heading("Training").picture("curves.png", "loss and accuracy by epoch").text(
            "Training loss and accuracy are those of the changed pictures, as they were learned from. "
            f"{results['seconds']:.0f} s of training.")
        shown = {**settings, "optimizer": f"AdamW, weight decay {self.weight_decay}",
                 "schedule": "one cycle", "label smoothing": self.smoothing}
        report.table(("setting", "value"), [(name, str(value)) for name, value in shown.items()])
        report.heading("Architecture").layers(net, (3, self.side, self.side))
        report.write(run.path("report.md"))


def _row(values):
    return ", ".join(f"{value:.4f}" for value in values)
