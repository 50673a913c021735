"""Articles of clothing (Fashion-MNIST): three normalised convolutions, and a test set that is used once.

The validation pictures are a share of the training pictures. The test set is judged by a single time,
after the last epoch, with the weights that are there then.
"""

from __future__ import annotations

import dataclasses

import tinygrad_hw as thw
from nets import pictures
from nets.classification.coco_nets import layer_table
from nets.classification.images import PictureSet, as_input, load, split, statistics
from nets.classification.report import Report
from nets.metrics import accuracy, confusion_matrix
from nets.nist36 import classification_loss
from nets.training import fit, predict
from tinygrad_hw import nn, optim
from tinygrad_hw.nn import functional as F
from tinygrad_hw.utils.data import DataLoader

__all__ = ["SYSTEMS", "Fashion", "FashionNet"]

SIDE = 28
SHARE = 1 / 12  # of the training pictures, to validate by: 5,000 of 60,000


class FashionNet(nn.Module):
    """3x3 convolutions with 32, 64 and 128 channels, each normalised, cut off below 0 and halved.

    >>> FashionNet().eval()(thw.ones(2, 3, 28, 28)).shape
    tinygrad_hw.Size([2, 10])
    """

    def __init__(self, classes: int = 10, dropout: float = 0.3):
        super().__init__()
        layers = []
        for channels, out in ((3, 32), (32, 64), (64, 128)):
            layers += [nn.Conv2d(channels, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU(),
                       nn.MaxPool2d(2)]
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Flatten(), nn.Dropout(dropout), nn.Linear(128 * 3 * 3, 128),
                                        nn.ReLU(), nn.Dropout(dropout), nn.Linear(128, classes))

    def forward(self, x):
        """Images (N, 3, 28, 28), grey in three channels, to scores (N, classes)."""
        return self.classifier(self.features(x))


@dataclasses.dataclass(frozen=True)
class Fashion:
    """The network, learned from mirrored and moved pictures with one rise and fall of the rate."""

    summary: str = "articles of clothing (Fashion-MNIST) with three convolutions (AdamW)"
    figure: str = "accuracy"
    epochs: int = 12
    batch_size: int = 64
    lr: float = 4e-3

    def run(self, run, *, data=None, epochs, batch_size, lr, seed, workers=0, quiet=False,
            hold_out=0.0) -> dict:
        """Train, test once, write the report; returns the results.

        Args:
            run: a `nets.runs.Run`.
            data: folder of Fashion-MNIST, or any pictures with a second split to test by; None for Shapes5.
            epochs, batch_size, lr, seed: settings of the training.
            workers: processes that prepare batches.
            quiet: no progress bar.
            hold_out: another share of the training pictures to validate by.
        """
        everything, test = load(data, SIDE)
        training, validation = split(everything, hold_out or SHARE)
        mean, std = statistics(training)
        inputs = as_input(validation.pixels, mean, std)
        thw.manual_seed(seed)
        net = FashionNet(len(training.classes))
        loader = DataLoader(PictureSet(training, mean, std, flip=0.5, shift=2), batch_size, shuffle=True,
                            num_workers=workers, drop_last=len(training) > batch_size)
        optimizer = optim.AdamW(net.parameters(), lr=lr, weight_decay=0.02)
        schedule = optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=epochs * len(loader))

        def evaluate(net):
            scores = predict(net, inputs)
            loss = F.cross_entropy(thw.from_numpy(scores), thw.from_numpy(validation.labels)).item()
            return {"validation_loss": loss, "validation_accuracy": accuracy(scores, validation.labels)}

        results = fit(net, optimizer, classification_loss, loader, evaluate, epochs=epochs, run=run,
                      figure="accuracy", quiet=quiet, after_step=schedule.step)
        results["parameters"] = sum(p.numel() for p in net.parameters())
        if run.history and not results["interrupted"]:
            scores = predict(net, as_input(test.pixels, mean, std))
            results["test_accuracy"] = accuracy(scores, test.labels)
            _report(run, net, results, scores, test,
                    {"epochs": epochs, "batch size": batch_size, "largest learning rate": lr, "seed": seed,
                     "weight decay": 0.02, "dropout": 0.3, "mirrored": "half", "moved by up to": "2 pixels"})
        run.finish(**results)
        return results


def _report(run, net, results, scores, test, settings):
    history = run.history
    pictures.training_curves(run.path("curves.png"), {key: [row[key] for row in history]
                                                      for key in history[0]})
    pictures.confusion(run.path("confusion.png"), confusion_matrix(scores, test.labels, len(test.classes)),
                       test.classes)
    Report("Articles of clothing").heading("Architecture").table(
        ("layer", "side of the output", "output", "parameters", "number"),
        layer_table(net, (3, SIDE, SIDE))).text(
        f"Together {results['parameters']:,} parameters, those of batch normalisation included."
    ).heading("Training").table(("setting", "value"), [(name, str(value)) for name, value in settings.items()]
                                ).picture("curves.png", "curves").text(
        f"Validation accuracy after the last epoch {history[-1]['validation_accuracy']:.4f}, "
        f"{results['seconds']:.0f} s of training."
    ).heading("Test, once").text(f"Accuracy {results['test_accuracy']:.4f} on {len(test):,} pictures."
                                 ).picture("confusion.png", "confusion matrix of the test pictures"
                                           ).write(run.path("report.md"))


SYSTEMS = {"fashion-cnn": Fashion()}
