"""``python -m tests.kill --times 200``: kill a training at random instants and go on, until it ends.

The training is small and changes all that a checkpoint must hold: a convolution with batch normalisation and
dropout, AdamW, a one-cycle schedule, an average of the weights, a shuffled loader with workers and random
changes to the samples, states within epochs.  What a training leaves that was killed again and again must
have the bits of one that ran through.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import tinygrad_hw as thw
from nets.checkpoint import Checkpoints
from nets.handwriting import AveragedWeights
from nets.nist36 import classification_loss
from nets.runs import Conduct, Run
from nets.train import fit
from tinygrad_hw import nn, optim
from tinygrad_hw.utils.data import DataLoader, Dataset, transform_generator

EPOCHS, SAMPLES, BATCH = 3, 64, 8


class Noisy(Dataset):
    """Pictures with noise, another one whenever they are asked for, and labels."""

    def __init__(self):
        dice = np.random.default_rng(0)
        self.images = dice.random((SAMPLES, 1, 8, 8), np.float32)
        self.labels = dice.integers(0, 3, SAMPLES)

    def __len__(self):
        return SAMPLES

    def __getitem__(self, index):
        noise = transform_generator().normal(0, 0.1, (1, 8, 8)).astype(np.float32)
        return self.images[index] + noise, self.labels[index]


def train(folder, workers: int = 0, tell=lambda: None) -> dict:
    """Train in ``folder``, or go on there; what `fit` returns. ``tell`` is called in every step."""
    thw.manual_seed(1)
    np.random.seed(1)
    random.seed(1)
    run = Run("kill", {"seed": 1}, folder, Conduct(resume=True, checkpoint_every=3))
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                        nn.Dropout(0.2), nn.Linear(36, 3))
    optimizer = optim.AdamW(net.parameters(), lr=1e-2)
    loader = DataLoader(Noisy(), BATCH, shuffle=True, num_workers=workers)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=EPOCHS * len(loader))
    averaged = AveragedWeights(net)

    def loss_of(net, batch):
        tell()
        return classification_loss(net, batch)

    def after_step():
        schedule.step()
        averaged.update()

    def evaluate(net):
        return {"validation_accuracy": float(net[6].weight.detach().numpy().sum())}  # any figure will do

    return fit(net, optimizer, loss_of, loader, evaluate, epochs=EPOCHS, run=run, figure="accuracy",
               quiet=True, after_step=after_step, remembered=(schedule, averaged))


def outcome(folder) -> dict[str, str]:
    """Digests of all that must be the same: state, weights, the losses of all steps, the history."""
    state = Checkpoints(Path(folder) / "state").newest()
    del state["progress"]["seconds"], state["run"]
    metrics = json.loads((Path(folder) / "metrics.json").read_text())["history"]
    best, last = (thw.load(Path(folder) / name) for name in ("best.safetensors", "last.safetensors"))
    losses = (Path(folder) / "losses.csv").read_text()
    parts = {"state": state, "best": best, "last": last, "history": metrics, "losses": losses}
    return {name: digest(part) for name, part in parts.items()}


def digest(value) -> str:
    """Of a nested value, every bit of its arrays."""
    hasher = hashlib.sha256()

    def walk(value):
        array = getattr(value, "array", value)
        if isinstance(array, np.ndarray):
            hasher.update(f"{array.dtype}{array.shape}".encode() + array.tobytes())
        elif isinstance(value, dict):
            for key, entry in value.items():
                hasher.update(repr(key).encode())
                walk(entry)
        elif isinstance(value, (list, tuple)):
            for entry in value:
                walk(entry)
        else:
            hasher.update(repr(value).encode())

    walk(value)
    return hasher.hexdigest()[:16]


def die_in_a_write(call: int) -> None:
    """Let this process kill itself in its ``call``-th call of ``os.fsync`` or ``os.replace``."""
    left = [call]

    def deadly(function):
        def called(*arguments):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*arguments)

        return called

    os.fsync, os.replace = deadly(os.fsync), deadly(os.replace)


def in_child(folder, workers: int, kill: tuple[int, float] | int | None) -> str:
    """Train in a forked child; "done", "killed", or how else it ended.

    Args:
        kill: after how many of its steps the child is killed, and how many seconds later; or in which call
            of those that write files, counted over all files.
    """
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(told)
        if isinstance(kill, int):
            die_in_a_write(kill)
        try:
            train(folder, workers, tell=lambda: os.write(tell, b"."))
            os._exit(0)
        finally:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
    os.close(tell)
    with open(told, "rb", buffering=0) as steps:
        if isinstance(kill, tuple):
            for _ in range(kill[0]):
                steps.read(1)
            time.sleep(kill[1])
            os.kill(child, signal.SIGKILL)
        status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return "killed"
    return "done" if status == 0 else f"failed with status {status}"


def campaign(times: int, seed: int, folder: Path, tell=print) -> dict:
    """Kill trainings ``times`` times in all, each with 0 to 2 workers; counts of what happened.

    Half of the kills come at any moment, half within the write of a file.

    Raises AssertionError if a training fails, or ends with other bits than one that ran through.
    """
    assert in_child(folder / "whole", 0, None) == "done"
    expected, dice = outcome(folder / "whole"), random.Random(seed)
    counts = {"kills": 0, "within a write": 0, "trainings": 0, "states": 0}
    while counts["kills"] < times:
        part, result = folder / f"part-{counts['trainings']}", "killed"
        while result == "killed":
            kill = dice.choice(((dice.randrange(8), dice.uniform(0, 0.03)), dice.randrange(1, 40)))
            kill = kill if counts["kills"] < times else None
            result = in_child(part, dice.randrange(3), kill)
            assert result in ("killed", "done"), result
            if result == "killed":
                counts["kills"] += 1
                counts["within a write"] += bool(list(part.rglob("*.tmp")))
                for path in part.glob("state/step-*"):
                    thw.load(path)  # raises if it is damaged
                    counts["states"] += 1
        found = outcome(part)
        assert found == expected, f"{part}: {found} instead of {expected}"
        counts["trainings"] += 1
        tell(counts)
    return counts


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.kill", description=__doc__.split("\n")[0])
    parser.add_argument("--times", type=int, default=200, help="kills in all")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        counts = campaign(options.times, options.seed, Path(folder))
    print(f"{counts['kills']} kills, {counts['within a write']} of them within the write of a file; "
          f"{counts['trainings']} trainings ended with the same bits; {counts['states']} stored states "
          "read, none damaged")


if __name__ == "__main__":
    main()
