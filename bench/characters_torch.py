"""The three character networks in PyTorch: the figures that ours must reach, and the time taken.

    python -m bench.characters_torch                      # glyph36, the built-in data
    python -m bench.characters_torch --data FOLDER        # real .mat files in the NIST36 layout
    python -m bench.characters_torch --nets cnn --epochs 20

Prints one JSON object with settings, best and last figures and seconds of each network.
"""

import argparse
import json
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from nets import characters
from nets.metrics import psnr


def xavier(net):
    """Glorot and Bengio's weights U(-b, b), b = sqrt(6 / (fan_in + fan_out)), and zero biases."""
    for layer in net.modules():
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
    return net


def mlp():
    """1024 - 64 (sigmoid) - 36, the classic first network."""
    return xavier(nn.Sequential(nn.Flatten(), nn.Linear(1024, 64), nn.Sigmoid(), nn.Linear(64, 36)))


def cnn():
    """LeNet's two convolutions, each with relu and 2x2 max-pooling, and three linear layers."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(400, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 36),
    )


def autoencoder():
    """1024 - 32 - 32 - 32 - 1024 with relu inside and a sigmoid at the end."""
    return xavier(nn.Sequential(
        nn.Flatten(), nn.Linear(1024, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(),
        nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1024), nn.Sigmoid(),
    ))


def sum_of_squares(output, images):
    """Squared error summed over pixels and images, divided by the number of images."""
    return F.mse_loss(output, images.flatten(1), reduction="sum") / len(images)


SETTINGS = {
    "mlp": dict(build=mlp, optimizer="SGD", options=dict(lr=0.02), batch=16, epochs=100),
    "cnn": dict(build=cnn, optimizer="Adam", options=dict(lr=1e-3), batch=100, epochs=30),
    "autoencoder": dict(build=autoencoder, optimizer="SGD", options=dict(lr=1e-3, momentum=0.9),
                        batch=36, epochs=100),
}


def train(name, splits, seed, epochs, batch, options):
    """Train one network; returns its settings, best and last validation figure, and seconds."""
    settings = SETTINGS[name]
    epochs, batch = epochs or settings["epochs"], batch or settings["batch"]
    options = {**settings["options"], **options}
    torch.manual_seed(seed)
    net = settings["build"]()
    optimizer = getattr(torch.optim, settings["optimizer"])(net.parameters(), **options)
    images, labels = map(torch.from_numpy, (splits.train.images, splits.train.labels))
    history, seconds = [], 0.0
    for _ in range(epochs):
        started = time.perf_counter()
        total = 0.0
        for rows in torch.randperm(len(labels)).split(batch):
            output = net(images[rows])
            if name == "autoencoder":
                loss = sum_of_squares(output, images[rows])
            else:
                loss = F.cross_entropy(output, labels[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(rows)
        seconds += time.perf_counter() - started
        history.append({"loss": total / len(labels), "figure": figure(name, net, splits.validation)})
    figures = [row["figure"] for row in history]
    best = int(np.argmax(figures))
    return {
        "optimizer": settings["optimizer"], "options": options, "batch": batch, "epochs": epochs,
        "figure": "mean PSNR in dB" if name == "autoencoder" else "accuracy",
        "best_validation": figures[best], "best_epoch": best + 1, "last_validation": figures[-1],
        "train": figure(name, net, splits.train), "train_loss": history[-1]["loss"],
        "seconds_training": round(seconds, 2),
        "validation_by_epoch": [round(value, 4) for value in figures],
    }


@torch.no_grad()
def figure(name, net, split):
    """Accuracy of a classifier, mean PSNR of the autoencoder."""
    output = net(torch.from_numpy(split.images)).numpy()
    if name == "autoencoder":
        return float(psnr(output, split.images.reshape(len(split), -1)).mean())
    return float((output.argmax(1) == split.labels).mean())


def main():
    """Parse the command line, train, print JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="folder of .mat files in the NIST36 layout; none: glyph36")
    parser.add_argument("--nets", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    parser.add_argument("--epochs", type=int, help="instead of each network's own number")
    parser.add_argument("--batch", type=int, help="instead of each network's own size")
    parser.add_argument("--lr", type=float, help="instead of each network's own learning rate")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    splits = characters.load(arguments.data)
    options = {} if arguments.lr is None else {"lr": arguments.lr}
    report = {"data": arguments.data or "glyph36", "train": len(splits.train),
              "validation": len(splits.validation), "torch": torch.__version__,
              "threads": arguments.threads, "seed": arguments.seed}
    for name in arguments.nets:
        report[name] = train(name, splits, arguments.seed, arguments.epochs, arguments.batch, options)
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
