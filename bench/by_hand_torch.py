"""The two-layer net of ``python -m nets by-hand train`` in PyTorch: the figure that ours must reach.

    python -m bench.by_hand_torch --data cifar-10-python.tar.gz
    python -m bench.by_hand_torch --data cifar-10-python.tar.gz --plain      # without decay and L2

The same data, split, normalization and hyperparameters, PyTorch's own initial weights and order. Prints
one JSON object with the validation and test accuracy of each seed.
"""

import argparse
import json
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from nets.by_hand import pixels
from nets.by_hand.commands import TUNED

PLAIN = TUNED | {"lr_decay": 1.0, "reg": 0.0}


def train(data, seed, *, learning_rate, lr_decay, reg, epochs, batch_size=32, hidden_size=200):
    """Train one net; returns the best validation accuracy and the test accuracy of that epoch."""
    torch.manual_seed(seed)
    x, y = map(torch.from_numpy, data.train)
    net = nn.Sequential(nn.Linear(x.shape[1], hidden_size), nn.ReLU(),
                        nn.Linear(hidden_size, len(data.classes)))
    weights = [parameter for parameter in net.parameters() if parameter.ndim == 2]
    biases = [parameter for parameter in net.parameters() if parameter.ndim == 1]
    optimizer = torch.optim.SGD([{"params": weights, "weight_decay": reg}, {"params": biases}],
                                lr=learning_rate)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, lr_decay)
    best, seconds = {"validation": -1.0}, 0.0
    for epoch in range(1, epochs + 1):
        started = time.perf_counter()
        for rows in torch.randperm(len(y)).split(batch_size):
            loss = F.cross_entropy(net(x[rows]), y[rows])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
        seconds += time.perf_counter() - started
        figures = {"seed": seed, "epoch": epoch, "validation": accuracy(net, data.validation)}
        if figures["validation"] > best["validation"]:
            best = figures | {"train": accuracy(net, data.train), "test": accuracy(net, data.test)}
    return best | {"seconds_training": round(seconds, 2)}


@torch.no_grad()
def accuracy(net, part):
    """The share of right predictions of a part."""
    return float((net(torch.from_numpy(part.x)).numpy().argmax(axis=1) == part.y).mean())


def main():
    """Parse the command line, train, print JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", required=True, help="as of 'python -m nets by-hand train'")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--plain", action="store_true", help="a constant learning rate and no L2")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    settings = PLAIN if options.plain else TUNED
    runs = []
    for seed in options.seeds:
        runs.append(train(pixels.load(options.data, seed=seed), seed, **settings))
    means = {part: float(np.mean([run[part] for run in runs])) for part in ("validation", "test")}
    report = {"torch": torch.__version__, "settings": settings, "mean": means, "runs": runs}
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
