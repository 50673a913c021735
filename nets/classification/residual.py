"""Residual networks that learn five kinds of objects from pictures that change.

Pictures are mirrored, moved, lit and covered anew every time (`PictureSet`), the rate rises and falls once
(Smith, "Super-convergence", 2018), and the network that is judged is a running average of the weights
(Polyak and Juditsky, 1992). Nothing is chosen by the validation pictures: the figure to quote is that
after the last epoch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import tinygrad_hw as thw
from nets import checkpoint
from nets.classification.coco_nets import Net4, layer_table
from nets.classification.images import PictureSet, as_input, load, statistics
from nets.classification.judge import Judge
from nets.classification.report import Report
from nets.classification.transfer import MEAN, STD
from nets.handwriting import AveragedWeights
from nets.nist36 import classification_loss
from nets.pretrained.resnet import resnet18
from nets.training import fit
from tinygrad_hw import optim
from tinygrad_hw.utils.data import DataLoader

__all__ = ["SYSTEMS", "ResidualNet"]


@dataclasses.dataclass(frozen=True)
class ResidualNet:
    """A residual network: how it is built and trained.

    Args:
        summary: of the system.
        build: the network for a number of classes.
        normal: mean and standard deviation of each channel, to normalise by; None: the training pictures'.
        decay: of the average of the weights (`AveragedWeights`).
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
    changes: tuple = (("flip", 0.5), ("shift", 4), ("light", 0.25), ("cover", 12))

    def run(self, run, *, data=None, epochs, batch_size, lr, seed, workers=0, quiet=False,
            hold_out=0.0) -> dict:
        """Train and write the report; the arguments are those of `nets.classification.coco.CocoNets.run`."""
        training, validation = load(data, hold_out=hold_out)
        mean, std = self.normal or statistics(training)
        judge = Judge(as_input(validation.pixels, mean, std), validation.labels, validation.classes,
                      validation.pixels)
        thw.manual_seed(seed)
        net, twin = (self.build(len(training.classes)) for _ in range(2))
        averaged = AveragedWeights(net, self.decay)
        changed = PictureSet(training, mean, std, **dict(self.changes))
        loader = DataLoader(changed, batch_size, shuffle=True, num_workers=workers,
                            drop_last=len(changed) > batch_size)
        optimizer = optim.AdamW(net.parameters(), lr=lr, weight_decay=self.weight_decay)
        schedule = optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=epochs * len(loader))

        def after_step():
            schedule.step()
            averaged.update()

        results = fit(net, optimizer, classification_loss, loader, lambda net: judge(averaged.into(twin)),
                      epochs=epochs, run=run, figure="accuracy", quiet=quiet, after_step=after_step,
                      judged=twin, remembered=(schedule, averaged))
        verdict = judge.conclude(run, averaged.into(twin))
        results.update(final_accuracy=verdict.accuracy, parameters=sum(p.numel() for p in net.parameters()))
        checkpoint.save(run.path("model.safetensors"), twin, final_accuracy=verdict.accuracy)
        Report("A residual network for five kinds of objects").table(
            ("layer", "side of the output", "output", "parameters", "number"),
            layer_table(net, (3, 64, 64))).text(
            f"Together {results['parameters']:,} parameters, those of batch normalisation included. "
            f"Validation accuracy of the averaged weights after the last epoch: {verdict.accuracy:.4f}."
        ).picture("curves.png", "curves").picture("confusion.png", "confusion matrix").table(
            ("class", "recognised"), list(zip(judge.classes, map(float, verdict.recalls)))
        ).write(run.path("report.md"))
        run.finish(**results)
        return results


SYSTEMS = {
    "coco-net4": ResidualNet("five kinds of objects with a residual network and changed pictures (AdamW)",
                             Net4, epochs=20, lr=1.5e-3),
    "coco-resnet18": ResidualNet("ResNet-18 learns them from scratch: weights for dogs-transfer (AdamW)",
                                 lambda classes: resnet18(num_classes=classes), epochs=5, lr=1e-3,
                                 normal=(MEAN, STD)),
}
