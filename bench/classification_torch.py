"""The networks for pictures in PyTorch: the figures that ours must reach on the same data and settings.

    python -m bench.classification_torch net1 --data coco5.zip          # also net2, net3
    python -m bench.classification_torch dogs --data dogs5.zip --seed 1
    python -m bench.classification_torch imbalance --data dogcat_imbalanced.zip

Prints one JSON object a network. Without --data they learn the same drawn pictures as ours.
"""

import argparse
import json
import time

import numpy as np
import torch
from torch.nn import functional as F

from bench.nets import dogs, net1, net3
from nets.classification.binary import average_precision, figures
from nets.classification.coco import HALF
from nets.classification.dog_net import SIDE
from nets.classification.images import as_input, load, statistics
from nets.classification.imbalance import pair


def appendix_net(classes):
    """The dogs' network with the assignment's weights: N(0, 1 / fan_in), biases 0."""
    net = dogs(torch)
    net[-1] = torch.nn.Linear(64, classes)
    for layer in net:
        if hasattr(layer, "weight"):
            torch.nn.init.normal_(layer.weight, 0.0, layer.weight[0].numel() ** -0.5)
            torch.nn.init.zeros_(layer.bias)
    return net


def momentum(net):
    """The optimizer of the two systems with this network."""
    return torch.optim.SGD(net.parameters(), 0.01, momentum=0.9)


def adam(net):
    """The assignment's optimizer."""
    return torch.optim.Adam(net.parameters(), 1e-3, (0.9, 0.99))


NETS = {
    "net1": (lambda classes: net1(torch), adam, 4, 10),
    "net2": (lambda classes: net1(torch, padding=1), adam, 4, 10),
    "net3": (lambda classes: net3(torch), adam, 4, 10),
    "dogs": (appendix_net, momentum, 32, 40),
    "imbalance": (appendix_net, momentum, 32, 10),
}


def train(name, data, seed, epochs=None, weight=None):
    """Train one network; returns its figures and seconds."""
    build, optimize, batch, default = NETS[name]
    epochs = epochs or default
    training, validation = pair(data) if name == "imbalance" else load(
        data, SIDE if name == "dogs" else 64)
    mean, std = (HALF, HALF) if name.startswith("net") else statistics(training)
    images, inputs = (torch.from_numpy(as_input(part.pixels, mean, std)) for part in (training, validation))
    labels = torch.from_numpy(training.labels)
    torch.manual_seed(seed)
    net = build(len(training.classes))
    optimizer = optimize(net)
    weights = None if weight is None else torch.tensor([1.0, weight])
    history, seconds = [], 0.0
    for _ in range(epochs):
        net.train()
        started = time.perf_counter()
        for rows in torch.randperm(len(labels)).split(batch):
            mirrored = torch.rand(len(rows)) < 0.5
            shown = torch.where(mirrored[:, None, None, None], images[rows].flip(3), images[rows])
            optimizer.zero_grad()
            F.cross_entropy(net(shown), labels[rows], weight=weights).backward()
            optimizer.step()
        seconds += time.perf_counter() - started
        with torch.no_grad():
            scores = net.eval()(inputs)
        history.append(float((scores.argmax(1).numpy() == validation.labels).mean()))
    result = {"network": name, "seed": seed, "epochs": epochs, "best_accuracy": max(history),
              "best_epoch": int(np.argmax(history)) + 1, "final_accuracy": history[-1],
              "seconds": round(seconds, 1)}
    if name == "imbalance":
        probabilities = scores.softmax(1)[:, 1].numpy()
        one = figures(probabilities > 0.5, validation.labels)
        result.update(weight=weight, precision=one.precision, recall=one.recall, f1=one.f1,
                      average_precision=average_precision(probabilities, validation.labels))
    return result


def main():
    """Parse the command line, train, print JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("net", choices=NETS)
    parser.add_argument("--data", help="folder or archive of pictures; none: drawn ones")
    parser.add_argument("--epochs", type=int, help="instead of the network's own number")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    for weight in (1.0, 20.0) if arguments.net == "imbalance" else (None,):
        print(json.dumps(train(arguments.net, arguments.data, arguments.seed, arguments.epochs, weight)))


if __name__ == "__main__":
    main()
