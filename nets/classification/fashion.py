"""Articles of clothing (Fashion-MNIST): three normalised convolutions, and a test set that is used once.

The validation pictures are a share of the training pictures. The test set is judged by a single time,
after the last epoch, with the weights that are there then.
"""

from __future__ import annotations

import dataclasses

import tinygrad_hw as thw
from nets.classification.coco_nets import layer_table
from nets.classification.fashion_net import SIDE, FashionNet
from nets.classification.images import PictureSet, as_input, load, split, statistics
from nets.classification.judge import Judge
from nets.classification.report import Report
from nets.nist36 import classification_loss
from nets.training import fit
from tinygrad_hw import optim
from tinygrad_hw.utils.data import DataLoader

__all__ = ["SYSTEMS", "Fashion"]

SHARE = 1 / 12  # of the training pictures, to validate by: 5,000 of 60,000


@dataclasses.dataclass(frozen=True)
class Fashion:
    """The network, learned from mirrored and moved pictures with one rise and fall of the rate."""

    summary: str = "articles of clothing (Fashion-MNIST) with three convolutions (AdamW)"
    figure: str = "accuracy"
    epochs: int = 10
    batch_size: int = 64
    lr: float = 2e-3
    weight_decay: float = 0.02
    changes: tuple = (("flip", 0.5), ("shift", 1))

    def run(self, run, *, data=None, epochs, batch_size, lr, seed, workers=0, quiet=False,
            hold_out=0.0) -> dict:
        """Train, test once, write the report; returns the results.

        The arguments are those of `nets.classification.coco.CocoNets.run`; ``data`` is a folder of
        Fashion-MNIST, or any pictures with a second split to test by, and ``hold_out`` another share of
        the training pictures to validate by.
        """
        everything, test = load(data, SIDE)
        training, validation = split(everything, hold_out or SHARE)
        mean, std = statistics(training)
        judge = Judge(as_input(validation.pixels, mean, std), validation.labels, validation.classes)
        thw.manual_seed(seed)
        net = FashionNet(len(training.classes))
        loader = DataLoader(PictureSet(training, mean, std, **dict(self.changes)), batch_size,
                            shuffle=True, num_workers=workers, drop_last=len(training) > batch_size)
        optimizer = optim.AdamW(net.parameters(), lr=lr, weight_decay=self.weight_decay)
        schedule = optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=epochs * len(loader))

        results = fit(net, optimizer, classification_loss, loader, judge, epochs=epochs, run=run,
                      figure="accuracy", quiet=quiet, after_step=schedule.step)
        results["parameters"] = sum(p.numel() for p in net.parameters())
        if run.history and not results["interrupted"]:
            once = Judge(as_input(test.pixels, mean, std), test.labels, test.classes, test.pixels)
            results["test_accuracy"] = once.conclude(run, net).accuracy
            _report(run, net, results, len(test),
                    {"epochs": epochs, "batch size": batch_size, "largest learning rate": lr, "seed": seed,
                     "weight decay": self.weight_decay, "dropout": 0.2,
                      "changes (PictureSet)": ", ".join(f"{name} {value}" for name, value in self.changes)})
        run.finish(**results)
        return results


def _report(run, net, results, tested, settings):
    Report("Articles of clothing").heading("Architecture").table(
        ("layer", "side of the output", "output", "parameters", "number"),
        layer_table(net, (3, SIDE, SIDE))).text(
        f"Together {results['parameters']:,} parameters, those of batch normalisation included."
    ).heading("Training").table(("setting", "value"), [(name, str(value)) for name, value in settings.items()]
                                ).picture("curves.png", "curves").text(
        f"Validation accuracy after the last epoch {run.history[-1]['validation_accuracy']:.4f}, "
        f"{results['seconds']:.0f} s of training."
    ).heading("Test, once").text(f"Accuracy {results['test_accuracy']:.4f} on {tested:,} pictures."
                                 ).picture("confusion.png", "confusion matrix of the test pictures"
                                           ).write(run.path("report.md"))


SYSTEMS = {"fashion-cnn": Fashion()}
