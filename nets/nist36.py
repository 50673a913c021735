"""Handwritten characters: a multi-layer perceptron, a LeNet-style CNN and an autoencoder on 36 classes.

The networks are those of the course "neural networks for recognition".  Without ``--data`` they learn
glyph36, characters drawn on the spot from fonts (``glyphs.py``); with it, .mat files in the layout of
NIST36.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

import tinygrad_hw as thw
from nets import characters, pictures
from nets.metrics import accuracy, confusion_matrix, most_confused, psnr
from nets.samples import draw_samples
from nets.train import fit, predict
from tinygrad_hw import nn, optim
from tinygrad_hw.nn import functional as F
from tinygrad_hw.utils.data import DataLoader, TensorDataset

__all__ = ["CNN", "MLP", "SYSTEMS", "Autoencoder", "System", "autoencoder_figures", "autoencoder_pictures",
           "classification_loss", "classifier_figures", "classifier_pictures", "reconstruction_loss"]


def _xavier(net: nn.Module) -> None:
    """Glorot and Bengio's uniform weights and zero biases (AISTATS 2010)."""
    for layer in net.modules():
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)


class MLP(nn.Module):
    """1024 - 64 - 36 with a sigmoid between; scores of the 36 classes from images (N, 1, 32, 32)."""

    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(1024, 64)
        self.fc2 = nn.Linear(64, 36)
        _xavier(self)

    def forward(self, x):
        """Images (N, 1, 32, 32) to scores (N, 36)."""
        return self.fc2(thw.sigmoid(self.fc1(x.flatten(1))))


class CNN(nn.Module):
    """LeNet's two convolutions with relu and 2x2 max-pooling, then three linear layers."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.pool = nn.MaxPool2d(2)
        self.fc1 = nn.Linear(16 * 5 * 5, 128)
        self.fc2 = nn.Linear(128, 64)
        self.fc3 = nn.Linear(64, 36)

    def forward(self, x):
        """Images (N, 1, 32, 32) to scores (N, 36)."""
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = F.relu(self.fc1(x.flatten(1)))
        return self.fc3(F.relu(self.fc2(x)))


class Autoencoder(nn.Module):
    """1024 - 32 - 32 - 32 - 1024: relu inside, a sigmoid at the end."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(1024, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU())
        self.decoder = nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1024), nn.Sigmoid())
        _xavier(self)

    def forward(self, x):
        """Images (N, 1, 32, 32) to reconstructions (N, 1024) in 0..1."""
        return self.decoder(self.encoder(x.flatten(1)))


# ------------------------------------------------------------------ losses and figures


def classification_loss(net, batch):
    """Cross-entropy of a batch (images, labels)."""
    images, labels = batch
    return F.cross_entropy(net(images), labels)


def reconstruction_loss(net, batch):
    """Squared error summed over pixels and images, divided by the number of images."""
    images = batch[0]
    return F.mse_loss(net(images), images.flatten(1), reduction="sum") / len(images)


def classifier_figures(split, part: str):
    """Evaluates loss and accuracy of one split."""

    def evaluate(net):
        scores = predict(net, split.images)
        loss = F.cross_entropy(thw.from_numpy(scores), thw.from_numpy(split.labels)).item()
        return {f"{part}_loss": loss, f"{part}_accuracy": accuracy(scores, split.labels)}

    return evaluate


def autoencoder_figures(split, part: str):
    """Evaluates the summed squared error and the mean PSNR of one split."""
    flat = split.images.reshape(len(split), -1)

    def evaluate(net):
        output = predict(net, split.images)
        return {f"{part}_loss": float(((output - flat) ** 2).sum() / len(split)),
                f"{part}_psnr": float(psnr(output, flat).mean())}

    return evaluate


# ------------------------------------------------------------------ pictures


def classifier_pictures(run, net, before, splits) -> dict:
    """First-layer weights, confusion matrix, right and wrong ones; returns the most confused pairs."""
    images, labels = splits.validation.images, splits.validation.labels
    scores = predict(net, images)
    matrix = confusion_matrix(scores, labels, len(characters.CLASSES))
    pictures.confusion(run.path("confusion.png"), matrix, characters.CLASSES)
    draw_samples(run.path("samples.png"), images[:, 0], labels, scores, characters.CLASSES)
    _draw_first_layer(run, net, before)
    return {"most_confused": most_confused(matrix, characters.CLASSES)}


def autoencoder_pictures(run, net, before, splits) -> dict:
    """Reconstructions of two images of each of five classes, and the first layer's weights."""
    split = splits.validation
    rows = np.concatenate([np.flatnonzero(split.labels == c)[:2] for c in range(0, 35, 7)])
    shown = split.images[rows]
    pictures.reconstructions(run.path("reconstructions.png"),
                             shown, predict(net, shown).reshape(shown.shape))
    _draw_first_layer(run, net, before)
    return {}


def _draw_first_layer(run, net, before):
    first = next(iter(net.parameters())).detach().numpy()
    side = first.shape[-1] if first.ndim == 4 else 32
    pictures.weight_grids(run.path("weights.png"),
                          before.reshape(-1, side, side), first.reshape(-1, side, side))


# ------------------------------------------------------------------ the systems


@dataclasses.dataclass(frozen=True)
class System:
    """One network with its data, loss, figure of merit and default settings."""

    summary: str
    build: Callable[[], nn.Module]
    loss: Callable
    figures: Callable
    draw: Callable
    figure: str
    optimizer: Callable
    epochs: int
    batch_size: int
    lr: float

    def run(self, run, *, data=None, epochs: int, batch_size: int, lr: float, seed: int,
            workers: int = 0, quiet: bool = False, hold_out: float = 0.0) -> dict:
        """Train, evaluate and draw into the folder of ``run``; returns the results.

        Args:
            run: a `nets.runs.Run`.
            data: folder of .mat files in the NIST36 layout; None for glyph36.
            epochs, batch_size, lr, seed: settings of the training.
            workers: processes that prepare batches.
            quiet: no progress bar.
            hold_out: a share of the training images, judged by instead of the validation set.
        """
        splits = characters.held_out(characters.load(data), hold_out)
        thw.manual_seed(seed)
        net = self.build()
        before = next(iter(net.parameters())).detach().numpy().copy()
        images, labels = splits.train.images, splits.train.labels
        train = TensorDataset(thw.from_numpy(images), thw.from_numpy(labels))
        loader = DataLoader(train, batch_size, shuffle=True, num_workers=workers)
        training = self.figures(splits.train, "train")
        validation = self.figures(splits.validation, "validation")
        key = f"train_{self.figure}"
        results = fit(net, self.optimizer(net.parameters(), lr), self.loss, loader,
                      lambda net: {key: training(net)[key], **validation(net)},
                      epochs=epochs, run=run, figure=self.figure, quiet=quiet)
        results.update(parameters=sum(p.numel() for p in net.parameters()),
                       train_images=len(splits.train), validation_images=len(splits.validation))
        if run.history:
            columns = {name: [row[name] for row in run.history] for name in run.history[0]}
            pictures.training_curves(run.path("curves.png"), columns, self.figure)
        results.update(self.draw(run, net, before, splits))
        if splits.test is not None and not results["interrupted"]:
            results.update(self.figures(splits.test, "test")(net))
        run.finish(**results)
        return results


SYSTEMS = {
    "nist36-mlp": System(
        "characters with a perceptron 1024-64-36 (sigmoid, SGD)",
        MLP, classification_loss, classifier_figures, classifier_pictures, "accuracy",
        lambda p, lr: optim.SGD(p, lr), epochs=100, batch_size=16, lr=0.02),
    "nist36-cnn": System(
        "characters with a LeNet-style CNN (Adam)",
        CNN, classification_loss, classifier_figures, classifier_pictures, "accuracy",
        lambda p, lr: optim.Adam(p, lr), epochs=30, batch_size=100, lr=1e-3),
    "nist36-autoencoder": System(
        "characters through a code of 32 numbers and back (SGD with momentum)",
        Autoencoder, reconstruction_loss, autoencoder_figures, autoencoder_pictures, "psnr",
        lambda p, lr: optim.SGD(p, lr, momentum=0.9), epochs=100, batch_size=36, lr=1e-3),
}
