"""Dog breeds: a small network, a checkpoint after every epoch, and training that goes on from any of them.

Every epoch seeds the random numbers anew from (seed, epoch). So the weights and the optimizer's state are
all that an epoch takes over from the one before, and training that goes on from a checkpoint gives the
same bits as training that was never interrupted.
"""

from __future__ import annotations

import dataclasses
import shutil
import time
from pathlib import Path

import numpy as np

import tinygrad_hw as thw
from nets import checkpoint
from nets.classification.dog_net import SIDE, DogNet, parameters_by_hand
from nets.classification.images import PictureSet, as_input, load, statistics
from nets.classification.judge import Judge, draw_curves
from nets.classification.report import Report
from nets.nist36 import classification_loss
from nets.train import fit
from tinygrad_hw import optim
from tinygrad_hw.utils.data import DataLoader

__all__ = ["SYSTEMS", "DogBreeds", "SeededEpochs"]

REDRAWN_AFTER = 2.0  # seconds: drawing the curves takes longer than an epoch of this network


class SeededEpochs:
    """A loader whose passes are numbered; each begins with random numbers of (seed, its number).

    >>> loader = SeededEpochs(DataLoader(range(8), 8, shuffle=True), seed=0)
    >>> first, second = ([batch.tolist() for batch in loader] for _ in range(2))
    >>> again = SeededEpochs(loader.loader, seed=0, done=1)
    >>> [batch.tolist() for batch in again] == second != first
    True
    """

    def __init__(self, loader, seed: int, done: int = 0):
        self.loader, self.seed, self.epoch = loader, seed, done

    def __len__(self):
        return len(self.loader)

    def state_dict(self) -> dict:
        """The number of the pass before, for a checkpoint."""
        return {"epoch": self.epoch}

    def load_state_dict(self, state: dict) -> None:
        """Go on after that pass."""
        self.epoch = state["epoch"]

    def __iter__(self):
        self.epoch += 1
        state = np.random.SeedSequence([self.seed, self.epoch]).generate_state(1, np.uint64)
        thw.manual_seed(int(state[0] >> np.uint64(1)))
        return iter(self.loader)


@dataclasses.dataclass(frozen=True)
class DogBreeds:
    """The course's network for breeds of dogs."""

    summary: str = "breeds of dogs: four 5x5 convolutions of stride 2, resumable (SGD with momentum)"
    figure: str = "accuracy"
    epochs: int = 40
    batch_size: int = 32
    lr: float = 0.01
    options: tuple[str, ...] = ("resume",)

    def run(self, run, *, data=None, epochs, batch_size, lr, seed, workers=0, quiet=False,
            hold_out=0.0, resume=None) -> dict:
        """Train, evaluate and draw into the folder of ``run``; returns the results.

        The arguments are those of `nets.classification.coco.CocoNets.run`, and ``resume``: a checkpoint
        ``checkpoints/epoch-....safetensors`` of an earlier run to go on from. Raises ValueError if its
        settings differ from these.
        """
        training, validation = load(data, SIDE, hold_out)
        mean, std = statistics(training)
        judge = Judge(as_input(validation.pixels, mean, std), validation.labels, validation.classes,
                      validation.pixels)
        thw.manual_seed(seed)
        net = DogNet(len(training.classes))
        optimizer = optim.SGD(net.parameters(), lr, momentum=0.9)
        settings = {"seed": seed, "batch_size": batch_size, "lr": lr, "classes": list(training.classes)}
        if resume is not None:
            run.history.extend(_resumed(Path(resume), net, optimizer, settings, run.path("checkpoints")))
        run.path("checkpoints").mkdir(exist_ok=True)
        loader = SeededEpochs(
            DataLoader(PictureSet(training, mean, std, flip=0.5), batch_size, shuffle=True,
                       num_workers=workers), seed, done=len(run.history))
        keeper = _Keeper(run, net, optimizer, settings)
        results = fit(net, optimizer, classification_loss, loader, judge, epochs=epochs, run=run,
                      figure="accuracy", quiet=quiet, after_epoch=keeper)
        results.update(final_accuracy=judge.conclude(run, net).accuracy,
                       parameters=sum(p.numel() for p in net.parameters()))
        if run.history:
            _report(run, results, validation, mean, std)
        run.finish(**results)
        return results


def _name(epoch):
    return f"epoch-{epoch:03d}.safetensors"


class _Keeper:
    """After every epoch: a checkpoint with all that is needed to go on, and the curves so far."""

    def __init__(self, run, net, optimizer, settings):
        self.run, self.net, self.optimizer, self.settings = run, net, optimizer, settings
        self.drawn = 0.0

    def __call__(self):
        history = self.run.history
        checkpoint.save(self.run.path("checkpoints") / _name(len(history)), self.net, self.optimizer,
                        settings=self.settings, history=history)
        if time.perf_counter() - self.drawn > REDRAWN_AFTER:
            draw_curves(self.run)
            self.drawn = time.perf_counter()


def _resumed(file, net, optimizer, settings, folder):
    """Load a checkpoint and copy it and those before it, so that the new run is whole; its history."""
    facts = checkpoint.load(file, net, optimizer)
    if "settings" not in facts or "history" not in facts:
        raise ValueError(f"{file} is no checkpoint of an epoch; take one of RUN/checkpoints")
    different = [f"{name} {facts['settings'].get(name)!r} there, {value!r} here"
                 for name, value in settings.items() if facts["settings"].get(name) != value]
    if different:
        raise ValueError(f"{file} belongs to a run with other settings ({'; '.join(different)}); "
                         "give the same")
    folder.mkdir(exist_ok=True)
    history = facts["history"]
    for epoch in range(1, len(history) + 1):
        earlier = file.with_name(_name(epoch)) if epoch < len(history) else file
        if earlier.is_file():
            shutil.copyfile(earlier, folder / _name(epoch))
    best = max(history, key=lambda row: row["validation_accuracy"])["epoch"]
    if (folder / _name(best)).is_file():
        shutil.copyfile(folder / _name(best), folder.parent / "best.safetensors")
    return history


def _report(run, results, validation, mean, std):
    report = Report("Breeds of dogs").text(
        f"Pictures of {SIDE}x{SIDE} pixels, normalised by the training pictures' mean "
        f"({', '.join(f'{value:.4f}' for value in mean)}) and standard deviation "
        f"({', '.join(f'{value:.4f}' for value in std)}) of each channel; half of them mirrored.")
    rows = parameters_by_hand(len(validation.classes))
    report.heading("Parameters").table(("layer", "(inputs + 1) * outputs", "number"), rows).text(
        f"By hand {sum(row[-1] for row in rows):,}, counted by the program {results['parameters']:,}.")
    report.heading("Training").picture("curves.png", "loss and accuracy by epoch")
    report.text(f"Best validation accuracy {results['best_accuracy']:.4f} in epoch {results['best_epoch']}, "
                f"{results['final_accuracy']:.4f} after the last. Each epoch's checkpoint is in "
                "`checkpoints/`; `--resume FILE` goes on from it with the same bits.")
    report.picture("confusion.png", "confusion matrix").write(run.path("report.md"))


SYSTEMS = {"dogs-cnn": DogBreeds()}
