"""Transfer learning: ResNet-18 keeps what it knows, and only a new last layer learns.

The frozen layers' outputs for a picture never change, so they are computed once. `cost` measures what
freezing saves when they are not kept.
"""

from __future__ import annotations

import dataclasses
import time

import numpy as np

import tinygrad_hw as thw
from nets.classification.images import as_input, load
from nets.classification.judge import Judge
from nets.classification.report import Report
from nets.nist36 import classification_loss
from nets.pretrained.resnet import ResNet, resnet18
from nets.pretrained.weights import load_into
from nets.train import fit
from tinygrad_hw import nn, optim
from tinygrad_hw.nn import functional as F
from tinygrad_hw.utils.data import DataLoader, TensorDataset

__all__ = ["SYSTEMS", "Transfer", "cost", "features", "freeze", "recorded"]

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, which the weights were learned from


def freeze(net: nn.Module, head: nn.Module) -> None:
    """Let only ``head`` learn: no other parameter needs a gradient, and batch-norm stays as it is.

    >>> net = resnet18(num_classes=5)
    >>> freeze(net, net.fc)
    >>> [name for name, p in net.named_parameters() if p.requires_grad]
    ['fc.weight', 'fc.bias']
    """
    for parameter in net.parameters():
        parameter.requires_grad_(False)
    for parameter in head.parameters():
        parameter.requires_grad_(True)
    net.eval()


def features(net: ResNet, pixels: np.ndarray, batch_size: int = 16) -> np.ndarray:
    """What the last layer sees of pictures of bytes (N, height, width, 3): float32 (N, 512)."""
    net.eval()
    with thw.no_grad():
        parts = [net.features(thw.from_numpy(as_input(pixels[i:i + batch_size], MEAN, STD))).numpy()
                 for i in range(0, len(pixels), batch_size)]
    return np.concatenate(parts)


def recorded(loss) -> tuple[int, int]:
    """How much a loss remembers for its backward pass: (recorded ops, bytes of arrays kept for them).

    Parameters do not count, they are there anyway.

    >>> layer = nn.Linear(2, 1)
    >>> recorded(layer(thw.ones(3, 2)).sum())[0] > 0, recorded(thw.ones(3).sum())
    (True, (0, 0))
    """
    waiting, seen, kept, own = [loss.grad_fn], set(), {}, set()
    ops = 0
    while waiting:
        node = waiting.pop()
        if node is None or id(node) in seen:
            continue
        seen.add(id(node))
        if getattr(node, "variable", None) is not None:
            own.add(id(_memory(node.variable.array)))
        else:
            ops += 1
        for value in getattr(node, "saved", None) or ():
            if isinstance(value, np.ndarray):
                kept[id(_memory(value))] = value.nbytes
        waiting.extend(before for before, _ in node.next_functions)
    return ops, sum(size for identity, size in kept.items() if identity not in own)


def _memory(array):
    """The array that owns the memory which this one shows."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def cost(net: ResNet, images, labels, repeats: int = 3) -> dict:
    """One step's seconds forward and backward (the best of some), and what it records; see `recorded`.

    >>> net = resnet18(num_classes=5)
    >>> freeze(net, net.fc)
    >>> sorted(cost(net, thw.ones(1, 3, 32, 32), thw.tensor([0]), repeats=1))
    ['backward', 'bytes', 'forward', 'ops']
    """
    best = {}
    for _ in range(repeats):
        net.zero_grad()
        started = time.perf_counter()
        loss = F.cross_entropy(net(images), labels)
        loss.item()
        middle = time.perf_counter()
        ops, size = recorded(loss)
        resumed = time.perf_counter()
        loss.backward()
        figures = {"forward": middle - started, "backward": time.perf_counter() - resumed}
        best = {name: min(value, best.get(name, value)) for name, value in figures.items()}
    return {**best, "ops": ops, "bytes": size}


@dataclasses.dataclass(frozen=True)
class Transfer:
    """A new last layer for ResNet-18."""

    summary: str = "ResNet-18 with a new last layer, the others frozen; --weights FILE (Adam)"
    figure: str = "accuracy"
    epochs: int = 30
    batch_size: int = 32
    lr: float = 1e-3
    options: tuple[str, ...] = ("weights",)
    side: int = 224
    drawn_side: int = 64

    def run(self, run, *, data=None, epochs, batch_size, lr, seed, workers=0, quiet=False,
            hold_out=0.0, weights=None) -> dict:
        """Compute the features, train the last layer, write the report; returns the results.

        The arguments are those of `nets.classification.coco.CocoNets.run`, and ``weights``: a file with
        torchvision's names for ResNet-18 (.safetensors, .npz, .pth); None for random ones, which shows the
        mechanism and not what transfer is worth.
        """
        training, validation = load(data, self.drawn_side if data is None else self.side, hold_out)
        thw.manual_seed(seed)
        net = resnet18(num_classes=len(training.classes))
        skipped = load_into(net, weights, skip="fc.") if weights else []
        figures = _costs(net, training)
        freeze(net, net.fc)
        started = time.perf_counter()
        known, unknown = (features(net, part.pixels) for part in (training, validation))
        seconds = time.perf_counter() - started
        loader = DataLoader(TensorDataset(thw.from_numpy(known), thw.from_numpy(training.labels)),
                            batch_size, shuffle=True, num_workers=workers)

        judge = Judge(unknown, validation.labels, validation.classes, validation.pixels)
        results = fit(net.fc, optim.Adam(net.fc.parameters(), lr), classification_loss, loader, judge,
                      epochs=epochs, run=run, figure="accuracy", quiet=quiet)
        results.update(final_accuracy=judge.conclude(run, net.fc).accuracy, feature_seconds=seconds,
                       weights=weights, cost=figures, skipped=skipped)
        if run.history:
            _report(run, results, len(training), len(validation))
        run.finish(**results)
        return results


def _costs(net, training):
    """Of a step on eight small pictures: with all layers learning, and with all but the last frozen."""
    images = thw.from_numpy(as_input(training.pixels[:8, :64, :64], MEAN, STD))
    labels = thw.from_numpy(training.labels[:8])
    net.eval()
    cost(net, images, labels, repeats=1)  # compiles the kernels
    everything = cost(net, images, labels)
    freeze(net, net.fc)
    return {"all layers learn": everything, "all but the last frozen": cost(net, images, labels)}


def _report(run, results, training, validation):
    report = Report("ResNet-18 with a new last layer")
    report.text(f"Weights: {results['weights']}." if results["weights"] else
                "Weights: random. The frozen layers know nothing, so these figures show the mechanism and a "
                "lower bound, not what transfer is worth; `--weights FILE` takes learned ones.")
    report.heading("What freezing saves").table(
        ("a step on 8 pictures of 64x64", "forward, ms", "backward, ms", "recorded ops", "MB kept"),
        [(name, f"{1e3 * one['forward']:.1f}", f"{1e3 * one['backward']:.2f}", one["ops"],
          f"{one['bytes'] / 1e6:.3f}") for name, one in results["cost"].items()])
    report.text(f"And since a frozen layer's output for a picture never changes, the {training} + "
                f"{validation} pictures went through the network once, in "
                f"{results['feature_seconds']:.1f} s; the last layer then learned from their features in "
                f"{results['seconds']:.1f} s.")
    report.heading("Training").picture("curves.png", "curves").picture("confusion.png", "confusion matrix")
    report.text(f"Best validation accuracy {results['best_accuracy']:.4f} in epoch {results['best_epoch']}, "
                f"{results['final_accuracy']:.4f} after the last.").write(run.path("report.md"))


SYSTEMS = {"dogs-transfer": Transfer()}
