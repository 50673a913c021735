"""Residual networks that learn five kinds of objects from pictures that change.

Pictures are mirrored, moved, lit and covered anew every time (`PictureSet`), and the network that is judged
is a running average of the weights (`train_averaged`), which looks at every picture and at its mirror
image. Nothing is chosen by the validation pictures: the figure to quote is that after the last epoch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import tinygrad_hw as thw
from nets import checkpoint
from nets.classification.averaged import train_averaged
from nets.classification.images import PictureSet, as_input, load, statistics
from nets.classification.judge import Judge
from nets.classification.report import Report
from nets.classification.residual_nets import Net4
from nets.classification.transfer import MEAN, STD
from nets.pretrained.resnet import resnet18

__all__ = ["SYSTEMS", "ResidualNet"]


@dataclasses.dataclass(frozen=True)
class ResidualNet:
    """A residual network: how it is built and trained.

    Args:
        summary: of the system.
        build: the network for a number of classes.
        normal: mean and standard deviation of each channel, to normalise by; None: the training pictures'.
        decay: of the average of the weights.
        changes: of the pictures, arguments of `PictureSet`.
    """

    summary: str
    build: Callable
    epochs: int
    lr: float
    normal: tuple | None = None
    figure: str = "accuracy"
    batch_size: int = 32
    weight_decay: float = 0.05
    decay: float = 0.995
    changes: tuple = (("flip", 0.5), ("shift", 6), ("light", 0.25), ("cover", 16))

    def run(self, run, *, data=None, epochs, batch_size, lr, seed, workers=0, quiet=False,
            hold_out=0.0) -> dict:
        """Train and write the report; the arguments are those of `nets.classification.coco.CocoNets.run`."""
        training, validation = load(data, hold_out=hold_out)
        mean, std = self.normal or statistics(training)
        judge = Judge(as_input(validation.pixels, mean, std), validation.labels, validation.classes,
                      validation.pixels, mirrored=True)
        thw.manual_seed(seed)
        net, results = train_averaged(
            run, lambda: self.build(len(training.classes)),
            PictureSet(training, mean, std, **dict(self.changes)), judge, epochs=epochs,
            batch_size=batch_size, lr=lr, weight_decay=self.weight_decay, decay=self.decay, workers=workers,
            quiet=quiet)
        verdict = judge.conclude(run, net)
        results["final_accuracy"] = verdict.accuracy
        checkpoint.save(run.path("model.safetensors"), net, final_accuracy=verdict.accuracy)
        Report("A residual network for five kinds of objects").layers(net, (3, 64, 64)).text(
            "Validation accuracy of the averaged weights after the last epoch, each picture judged with its "
            f"mirror image: {verdict.accuracy:.4f}."
        ).picture("curves.png", "curves").picture("confusion.png", "confusion matrix").table(
            ("class", "recognised"), list(zip(judge.classes, map(float, verdict.recalls)))
        ).write(run.path("report.md"))
        run.finish(**results)
        return results


SYSTEMS = {
    "coco-net4": ResidualNet("five kinds of objects with a residual network and changed pictures (AdamW)",
                             Net4, epochs=20, lr=4e-3),
    "coco-resnet18": ResidualNet("ResNet-18 learns them from scratch: weights for dogs-transfer (AdamW)",
                                 lambda classes: resnet18(num_classes=classes), epochs=5, lr=1e-3,
                                 normal=(MEAN, STD)),
}
