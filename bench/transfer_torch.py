"""A new last layer for ResNet-18 in PyTorch: what `dogs-transfer` must reach with the same weights.

    python -m bench.transfer_torch --data dogs5.zip --weights model.safetensors --seeds 0 1 2

The frozen layers' outputs are computed once, the last layer learns from them, in the same order of
pictures as ours for the same seed. Prints one JSON object a seed: the figures, the seconds for the
features and for the training, and those of a step forward and backward.
"""

import argparse
import json
import time

import numpy as np
import torch
from torch.nn import functional as F

import tinygrad_hw as thw
from bench.imagenet import resnet18
from nets.classification.images import as_input, load
from nets.classification.transfer import MEAN, STD, SYSTEMS
from nets.pretrained.weights import read
from tinygrad_hw.utils.data import DataLoader, TensorDataset


def network(weights, classes):
    """ResNet-18 with the weights of a file in all but the last layer, and only that one learning."""
    net = resnet18(torch, classes).eval()
    if weights:
        found = {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in read(weights).items()
                 if not name.startswith("fc.")}
        net.load_state_dict(found, strict=False)
    for name, parameter in net.named_parameters():
        parameter.requires_grad_(name.startswith("fc."))
    return net


@torch.no_grad()
def features(net, pixels, batch=16):
    """What the last layer sees of pictures of bytes (N, height, width, 3)."""
    seen = []
    handle = net.fc.register_forward_pre_hook(lambda layer, inputs: seen.append(inputs[0]))
    for i in range(0, len(pixels), batch):
        net(torch.from_numpy(as_input(pixels[i:i + batch], MEAN, STD)))
    handle.remove()
    return torch.cat(seen)


def step_seconds(net, training):
    """The best of three steps on eight pictures of 64x64: (forward, backward)."""
    images = torch.from_numpy(as_input(training.pixels[:8, :64, :64], MEAN, STD))
    labels, rows = torch.from_numpy(training.labels[:8]), []
    for _ in range(4):
        started = time.perf_counter()
        loss = F.cross_entropy(net(images), labels)
        middle = time.perf_counter()
        loss.backward()
        rows.append((middle - started, time.perf_counter() - middle))
    return tuple(map(min, zip(*rows[1:])))


def train(net, known, labels, unknown, validation, seed):
    """Train the last layer; returns the accuracy of every epoch and the seconds."""
    system = SYSTEMS["dogs-transfer"]
    torch.manual_seed(seed)
    thw.manual_seed(seed)
    head = torch.nn.Linear(known.shape[1], net.fc.out_features)
    optimizer = torch.optim.Adam(head.parameters(), system.lr)
    loader = DataLoader(TensorDataset(thw.arange(len(labels))), system.batch_size, shuffle=True)
    history, seconds = [], 0.0
    for _ in range(system.epochs):
        started = time.perf_counter()
        for (rows,) in loader:
            rows = torch.from_numpy(rows.numpy())
            optimizer.zero_grad()
            F.cross_entropy(head(known[rows]), labels[rows]).backward()
            optimizer.step()
        seconds += time.perf_counter() - started
        with torch.no_grad():
            history.append(float((head(unknown).argmax(1).numpy() == validation.labels).mean()))
    return history, seconds


def main():
    """Parse the command line, train, print JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", help="folder or archive of pictures; none: drawn ones")
    parser.add_argument("--weights", help="file of weights; none: random ones")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    system = SYSTEMS["dogs-transfer"]
    training, validation = load(arguments.data, system.side if arguments.data else system.drawn_side)
    for number, seed in enumerate(arguments.seeds):
        if number == 0 or not arguments.weights:  # what is read from a file is the same for every seed
            torch.manual_seed(seed)
            net = network(arguments.weights, len(training.classes))
            forward, backward = step_seconds(net, training)
            started = time.perf_counter()
            known, unknown = (features(net, part.pixels) for part in (training, validation))
            middle = time.perf_counter()
        history, seconds = train(net, known, torch.from_numpy(training.labels), unknown, validation, seed)
        print(json.dumps({"seed": seed, "best_accuracy": max(history), "final_accuracy": history[-1],
                          "feature_seconds": round(middle - started, 2), "seconds": round(seconds, 2),
                          "forward_ms": round(1e3 * forward, 1), "backward_ms": round(1e3 * backward, 3)}))


if __name__ == "__main__":
    main()
