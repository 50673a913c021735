"""Articles of clothing (Fashion-MNIST): a small residual network, and a test set that is used once.

The validation pictures are a share of the training pictures. The test set is judged by a single time,
after the last epoch, with the weights that are there then.
"""

from __future__ import annotations

import dataclasses

import tinygrad_hw as thw
from nets.classification.averaged import train_averaged
from nets.classification.images import PictureSet, as_input, load, split, statistics
from nets.classification.judge import Judge
from nets.classification.report import Report
from nets.classification.residual_nets import SIDE, FashionNet

__all__ = ["SYSTEMS", "Fashion"]

SHARE = 1 / 12  # of the training pictures, to validate by: 5,000 of 60,000


@dataclasses.dataclass(frozen=True)
class Fashion:
    """The network, learned from pictures that are mirrored, moved and covered; its average is judged."""

    summary: str = "articles of clothing (Fashion-MNIST) with a residual network (AdamW)"
    figure: str = "accuracy"
    epochs: int = 12
    batch_size: int = 64
    lr: float = 4e-3
    weight_decay: float = 0.02
    decay: float = 0.995
    smoothing: float = 0.1
    changes: tuple = (("flip", 0.5), ("shift", 1), ("cover", 5))

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
        judge = Judge(as_input(validation.pixels, mean, std), validation.labels, validation.classes,
                      mirrored=True)
        thw.manual_seed(seed)
        net, results = train_averaged(
            run, lambda: FashionNet(len(training.classes)),
            PictureSet(training, mean, std, **dict(self.changes)), judge, epochs=epochs,
            batch_size=batch_size, lr=lr, weight_decay=self.weight_decay, decay=self.decay,
            smoothing=self.smoothing, workers=workers, quiet=quiet)
        if run.history and not results["interrupted"]:
            once = Judge(as_input(test.pixels, mean, std), test.labels, test.classes, test.pixels,
                         mirrored=True)
            results["test_accuracy"] = once.conclude(run, net).accuracy
            _report(run, net, results, len(test),
                    {"epochs": epochs, "batch size": batch_size, "largest learning rate": lr, "seed": seed,
                     "weight decay": self.weight_decay, "dropout": 0.1,
                     "decay of the average of the weights": self.decay, "label smoothing": self.smoothing,
                     "changes (PictureSet)": ", ".join(f"{name} {value}" for name, value in self.changes)})
        run.finish(**results)
        return results


def _report(run, net, results, tested, settings):
    report = Report("Articles of clothing").heading("Architecture").layers(net, (3, SIDE, SIDE))
    report.heading("Training")
    report.table(("setting", "value"), [(name, str(value)) for name, value in settings.items()])
    report.picture("curves.png", "curves").text(
        f"Validation accuracy after the last epoch {run.history[-1]['validation_accuracy']:.4f}, "
        f"{results['seconds']:.0f} s of training.")
    report.heading("Test, once").text(
        f"Accuracy {results['test_accuracy']:.4f} on {tested:,} pictures; the scores of a picture and of its "
        "mirror image are averaged.")
    report.picture("confusion.png", "confusion matrix of the test pictures").write(run.path("report.md"))


SYSTEMS = {"fashion-cnn": Fashion()}
