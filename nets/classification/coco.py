"""Five kinds of objects in 64x64 pictures: three networks of a course side by side.

The report answers by measurement: does padding matter, do gradients vanish in the deepest network and
what cures it, which class is hardest.
"""

from __future__ import annotations

import dataclasses

import numpy as np

import tinygrad_hw as thw
from nets import pictures
from nets.classification.coco_nets import CourseNet, kaiming, layer_table, net1, net2, net3
from nets.classification.images import PictureSet, as_input, load
from nets.classification.judge import Judge, Verdict
from nets.classification.report import Part, Report
from nets.classification.watch import Watch
from nets.metrics import accuracy
from nets.train import fit, predict
from tinygrad_hw import optim
from tinygrad_hw.utils.data import DataLoader
from tinygrad_hw.utils.files import atomic_write

__all__ = ["SYSTEMS", "CocoNets", "Trained", "train"]

HALF = (0.5, 0.5, 0.5)  # mean and standard deviation that bring 0..1 to -1..1
BORDERS = (0, 2, 4, 8, 12, 16)  # pixels painted over when padding is judged
GRADIENTS_EVERY = 25


@dataclasses.dataclass
class Trained:
    """A network with what was watched while it learned, how training went, and how it was judged."""

    net: object
    watch: Watch
    results: dict
    verdict: Verdict

    @property
    def parameters(self):
        """How many numbers it has learned."""
        return sum(p.numel() for p in self.net.parameters())


def train(run, name, net, optimizer, loader, judge, *, epochs, quiet) -> Trained:
    """Train one of several networks; its files in the run folder are called NAME-...

    Args:
        run: a `nets.runs.Run`.
        name: of the network.
        net, optimizer, loader: what learns, how, and from what.
        judge: a `Judge` with the validation pictures.
        epochs: passes over the data.
        quiet: print nothing.
    """
    part = Part(run, name)
    watch = Watch(net, len(loader), quiet=quiet, gradients_every=GRADIENTS_EVERY)

    def write_log():
        with atomic_write(part.path("training.log")) as file:
            file.write(("\n".join(watch.lines) + "\n").encode())

    results = fit(net, optimizer, watch.loss, loader, judge, epochs=epochs, run=part, figure="accuracy",
                  quiet=quiet, after_step=watch.after_step, after_epoch=write_log)
    verdict = judge.conclude(part, net)
    return Trained(net, watch, {**results, "final_accuracy": verdict.accuracy}, verdict)


# ------------------------------------------------------------------ the assignment's three networks


@dataclasses.dataclass(frozen=True)
class CocoNets:
    """Net1, Net2 and Net3, compared; and Net3 with two cures of its vanishing gradients."""

    summary: str = "five kinds of objects: Net1, Net2, Net3 and what their gradients do (Adam)"
    figure: str = "accuracy"
    epochs: int = 10
    batch_size: int = 4
    lr: float = 1e-3

    def run(self, run, *, data=None, epochs, batch_size, lr, seed, workers=0, quiet=False,
            hold_out=0.0) -> dict:
        """Train the networks one after the other and write the report; returns the results.

        The arguments of all systems for pictures:

        Args:
            run: a `nets.runs.Run`.
            data: folder or archive of pictures (`nets.classification.images.load`); None for Shapes5.
            epochs, batch_size, lr, seed: settings of the training.
            workers: processes that prepare batches.
            quiet: print nothing.
            hold_out: a share of the training pictures, judged by instead of the validation pictures.
        """
        training, validation = load(data, hold_out=hold_out)
        judge = Judge(as_input(validation.pixels, HALF, HALF), validation.labels, validation.classes,
                      validation.pixels)
        builders = {"net1": net1, "net2": net2, "net3": net3,
                    "net3-kaiming": lambda: kaiming(net3()),
                    "net3-residual": lambda: CourseNet(padding=1, extra=10, residual=True)}
        trained = {}
        for name, build in builders.items():
            thw.manual_seed(seed)
            net = build()
            loader = DataLoader(PictureSet(training, HALF, HALF, flip=0.5), batch_size, shuffle=True,
                                num_workers=workers)
            optimizer = optim.Adam(net.parameters(), lr=lr, betas=(0.9, 0.99))
            trained[name] = train(run, name, net, optimizer, loader, judge, epochs=epochs, quiet=quiet)
            if trained[name].results["interrupted"]:
                break
        results = _summary(trained)
        if not results["interrupted"]:
            _report(run, trained, judge)
        run.finish(**results)
        return results


def _summary(trained):
    best = max(trained, key=lambda name: trained[name].results["best_accuracy"] or 0)
    return {"networks": {name: {"parameters": one.parameters, **one.results}
                         for name, one in trained.items()},
            "best_network": best, "best_accuracy": trained[best].results["best_accuracy"],
            "best_epoch": trained[best].results["best_epoch"],
            "seconds": sum(one.results["seconds"] for one in trained.values()),
            "interrupted": any(one.results["interrupted"] for one in trained.values())}


def _report(run, trained, judge):
    report = Report("Three networks for five kinds of objects")
    for name in ("net1", "net2", "net3"):
        report.heading(f"{name}: where sizes and parameters come from").table(
            ("layer", "side of the output", "output", "parameters", "number"),
            rows := layer_table(trained[name].net, (3, 64, 64)))
        report.text(f"Together {sum(row[-1] for row in rows):,} parameters.")
    course = {name: trained[name] for name in ("net1", "net2", "net3")}
    pictures.lines(run.path("losses.png"), [
        {"title": "running loss, mean of 100 iterations", "x": "iteration", "y": "loss",
         "lines": {name: tuple(zip(*one.watch.running)) or ((), ()) for name, one in course.items()}}])
    report.heading("Loss and accuracy").picture("losses.png", "the three loss curves")
    report.table(("network", "parameters", "accuracy after the last epoch", "best epoch's", "seconds"), [
        (name, f"{one.parameters:,}", one.verdict.accuracy, one.results["best_accuracy"],
         round(one.results["seconds"])) for name, one in trained.items()])
    for name in course:
        report.picture(f"{name}-curves.png", f"loss and accuracy of {name} by epoch")
        report.picture(f"{name}-confusion.png", f"confusion matrix of {name}")
    _padding(run, report, trained, judge)
    _gradients(run, report, trained)
    _hardest(report, course, judge.classes)
    report.write(run.path("report.md"))


def _padding(run, report, trained, judge):
    """Net1 against Net2: the difference with its standard error, and how much the border tells them."""
    first, second = (trained[name].verdict.scores.argmax(1) == judge.labels for name in ("net1", "net2"))
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    difference = (only_second - only_first) / len(first)
    error = np.sqrt(max(only_first + only_second - len(first) * difference**2, 0)) / len(first)
    curves = {name: [accuracy(predict(trained[name].net, _without_border(judge.images, width)), judge.labels)
                     for width in BORDERS] for name in ("net1", "net2")}
    pictures.lines(run.path("padding.png"), [
        {"title": "what the border of a picture tells", "x": "pixels painted grey at each edge",
         "y": "validation accuracy", "lines": {name: (BORDERS, values) for name, values in curves.items()}}])
    clear = "more than two standard errors: it matters" if abs(difference) > 2 * error else \
        "within two standard errors: this run shows no effect of padding"
    report.heading("Does padding matter?").text(
        f"Net2 (padded) is right and Net1 wrong on {only_second} pictures, the reverse on {only_first}: a "
        f"difference of {100 * difference:+.1f} points with a standard error of {100 * error:.1f}, {clear}. "
        "The picture shows both when the border is painted grey: a network that used the border more "
        "would fall more steeply.").picture("padding.png", "accuracy without the border")


def _without_border(inputs, width):
    changed = np.zeros_like(inputs)
    inside = slice(width, inputs.shape[-1] - width)
    changed[:, :, inside, inside] = inputs[:, :, inside, inside]
    return changed


def _gradients(run, report, trained):
    """Gradient norms of Net3 by layer and over time, beside those with two cures."""
    deep = {"net3": "Net3", "net3-kaiming": "with Kaiming's weights", "net3-residual": "with shortcuts"}
    panels, rows = [], []
    for name, title in deep.items():
        norms = trained[name].watch.norms
        layers = list(norms[0][1])
        steps = [step for step, _ in norms]
        panels.append({"title": title, "x": "iteration", "y": "norm of the weights' gradient",
                       "log": True, "ordered": True,
                       "lines": {layer: (steps, _smooth([values[layer] for _, values in norms]))
                                 for layer in layers}})
        start = {layer: float(np.mean([values[layer] for _, values in norms[:4]])) for layer in layers}
        rows.append((name, f"{start['extra.0']:.1e}", f"{start['extra.9']:.1e}",
                     f"{start['extra.0'] / max(start['extra.9'], 1e-30):.2g}",
                     _iterations_to(trained[name].watch.running, 1.2), trained[name].verdict.accuracy))
    pictures.lines(run.path("gradients.png"), panels)
    report.heading("Do gradients vanish in Net3?").text(
        f"Norms of the weights' gradients in the first {4 * GRADIENTS_EVERY} iterations. A ratio far below 1 "
        "means that the first of the ten added convolutions hears little of what the last one hears. The "
        "layers' own random weights have a sixth of the variance that keeps a signal's size behind a relu; "
        "Kaiming's weights have it, and shortcuts carry the gradient past the layers."
    ).table(("network", "first added convolution", "last added convolution", "ratio",
             "iterations until the loss is below 1.2", "accuracy"), rows
            ).picture("gradients.png", "gradient norms by layer; dark lines are the first layers")


def _smooth(values, width=10):
    """Geometric mean over a window, so that lines on a logarithmic axis can be told apart."""
    logs = np.log(np.maximum(values, 1e-12))
    width = min(width, len(logs))
    weights = np.convolve(np.ones(len(logs)), np.ones(width), "same")
    return np.exp(np.convolve(logs, np.ones(width), "same") / weights)


def _iterations_to(running, level):
    return next((step for step, loss in running if loss < level), "never")


def _hardest(report, course, classes):
    recalls = {name: one.verdict.recalls for name, one in course.items()}
    mean = np.mean(list(recalls.values()), axis=0)
    hardest = int(mean.argmin())
    confused = sum(one.verdict.matrix[hardest] for one in course.values())
    confused = np.where(np.arange(len(classes)) == hardest, -1, confused)
    report.heading("Which class is hardest?").table(
        ("class", *recalls, "mean"),
        [(label, *(float(values[number]) for values in recalls.values()), float(mean[number]))
         for number, label in enumerate(classes)]).text(
        f"Share of each class that is recognised. The hardest is {classes[hardest]}, taken most often for "
        f"{classes[int(confused.argmax())]}. `python -m nets run coco-net4` trains a fourth "
        "network, which is better on the whole.")


SYSTEMS = {"coco-nets": CocoNets()}
