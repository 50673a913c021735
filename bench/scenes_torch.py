"""CIFAR-10 and the scenes of SUN in PyTorch: the same networks, pictures, changes and settings as ours.

    python -m bench.scenes_torch cifar-cnn --data cifar-10-python.tar.gz --seed 0
    python -m bench.scenes_torch sun8-cnn --data sun8.zip --seed 0 --hold-out 0.2

The networks are written once: PyTorch runs the lines of `nets` (`bench.imagenet.under`). The batches come
from our loader, with the same changes; the initial weights are PyTorch's own draw from the same law. Prints
one JSON object. ``seconds`` are those of the steps and the loader.
"""

import argparse
import json
import time

import torch
from torch.nn import functional as F

import tinygrad_hw as thw
from bench.imagenet import under
from nets.metrics import accuracy
from nets.scenes.systems import SYSTEMS

__all__ = ["NETWORKS", "train"]


NETWORKS = {"cifar-cnn": ("networks", "scenes", "CifarNet"),
            "sun8-cnn": ("residual_nets", "classification", "Net4")}
"""File and package of the network's class in nets/."""


def train(name, data, seed=0, epochs=None, hold_out=0.0):
    """Train one network and judge it once, after the last epoch; returns its figures and seconds."""
    module, package, network = NETWORKS[name]
    system, build = SYSTEMS[name], under(torch, module, package)[network]
    lesson, epochs = system.lesson(data, hold_out), epochs or system.epochs
    thw.manual_seed(seed)  # the loader's
    torch.manual_seed(seed)
    net, loader = build(len(lesson.training.classes)), lesson.loader(system.batch_size)
    optimizer = torch.optim.AdamW(net.parameters(), lr=system.lr, weight_decay=system.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, system.lr, total_steps=epochs * len(loader))
    started = time.perf_counter()
    for _ in range(epochs):
        for images, labels in loader:
            images, labels = torch.from_numpy(images.numpy()), torch.from_numpy(labels.numpy())
            optimizer.zero_grad()
            F.cross_entropy(net(images), labels, label_smoothing=system.smoothing).backward()
            optimizer.step()
            schedule.step()
    seconds = time.perf_counter() - started
    net.eval()
    with torch.no_grad():
        scores = torch.cat([net(part) for part in torch.from_numpy(lesson.judge.images).split(500)]).numpy()
    return {"network": name, "seed": seed, "epochs": epochs,
            "parameters": sum(p.numel() for p in net.parameters()),
            "judged_by": "held-out training pictures" if lesson.held_out else "test pictures",
            "accuracy": accuracy(scores, lesson.judged.labels), "seconds": round(seconds, 1)}


def main():
    """Parse the command line, train, print JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("net", choices=NETWORKS)
    parser.add_argument("--data", help="folder or archive of pictures; none: drawn ones")
    parser.add_argument("--epochs", type=int, help="instead of the system's own number")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--hold-out", type=float, default=0.0, help="judge by this share of the training set")
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    print(json.dumps(train(arguments.net, arguments.data, arguments.seed, arguments.epochs,
                           arguments.hold_out)))


if __name__ == "__main__":
    main()
