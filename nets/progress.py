"""How far a training has come, as a value that is stored and from which it goes on with the same bits."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import numpy as np

import tinygrad_hw as thw

__all__ = ["LossLog", "Progress", "rng_state", "set_rng_state"]


def rng_state() -> dict:
    """The states of the random numbers of tinygrad_hw, NumPy and Python.

    >>> before = rng_state()
    >>> first = thw.rand(2).tolist(), np.random.rand(), random.random()
    >>> set_rng_state(before)
    >>> (thw.rand(2).tolist(), np.random.rand(), random.random()) == first
    True
    """
    return {"tinygrad_hw": thw.get_rng_state(), "numpy": np.random.get_state(), "python": random.getstate()}


def set_rng_state(state: dict) -> None:
    """Put all random numbers into a state that `rng_state` returned."""
    thw.set_rng_state(state["tinygrad_hw"])
    np.random.set_state(state["numpy"])
    random.setstate(state["python"])


class LossLog:
    """``losses.csv``: the loss of every step, written when a checkpoint is, so that both tell the same.

    >>> import tempfile
    >>> log = LossLog(Path(tempfile.mkdtemp()) / "losses.csv")
    >>> log.add(1, 1, 0.5)
    >>> size = log.flush()
    >>> log.add(1, 2, 0.25)
    >>> _ = log.flush()
    >>> log.cut(size)
    >>> log.path.read_text().split()
    ['epoch,step,loss', '1,1,0.5']
    """

    def __init__(self, path):
        self.path, self.lines = Path(path), []

    def add(self, epoch: int, step: int, loss: float) -> None:
        """Note the loss of a step."""
        self.lines.append(f"{epoch},{step},{loss!r}\n")

    def flush(self) -> int:
        """Force what was noted to disk; the size of the file in bytes."""
        with open(self.path, "ab") as file:
            if file.tell() == 0:
                file.write(b"epoch,step,loss\n")
            file.write("".join(self.lines).encode())
            file.flush()
            os.fsync(file.fileno())
            self.lines = []
            return file.tell()

    def cut(self, size: int) -> None:
        """Take back what was written after the file had ``size`` bytes.

        Raises ValueError if it has fewer: somebody has changed it.
        """
        self.lines = []
        present = self.path.stat().st_size if self.path.exists() else 0
        if present < size:
            raise ValueError(f"{self.path} has {present:,} bytes, but had {size:,} when the checkpoint was "
                             "written; put it back, or begin anew")
        if present:
            os.truncate(self.path, size)


class Progress:
    """A training's state: network, optimizer, what else changes, and the place in the data.

    Args:
        net: what learns.
        optimizer: of its parameters.
        loader: yields the batches of a pass.
        others: further objects with ``state_dict`` and ``load_state_dict`` (a schedule, an average).

    Attributes:
        epoch: the pass under way, from 1.
        batches: how many of its batches are done.
        step: steps in all.
        total, count: of the losses of the pass: their sum over the rows, and the rows.
        seconds: of training.
    """

    def __init__(self, net, optimizer, loader, others=()):
        self.net, self.optimizer, self.loader, self.others = net, optimizer, loader, list(others)
        self.epoch, self.batches, self.step = 1, 0, 0
        self.total, self.count, self.seconds = 0.0, 0, 0.0
        self._begin: dict | None = None  # the random numbers at the begin of the pass

    def passing(self):
        """The batches of the pass that are still to do.

        A pass that was begun before the state was stored is begun again with the random numbers of then,
        and the batches that are done are loaded and dropped: the same order and the same changes to each
        sample, whatever the dataset does.
        """
        if self.batches == 0:
            self._begin = self._numbers()
            yield from self._timed(iter(self.loader))
            return
        now = rng_state()
        self._set_numbers(self._begin)
        batches = iter(self.loader)
        for _ in range(self.batches):
            next(batches)
        set_rng_state(now)
        yield from self._timed(batches)

    def _timed(self, batches):
        started = time.perf_counter()
        for batch in batches:
            yield batch
            now = time.perf_counter()
            self.seconds, started = self.seconds + now - started, now

    def done(self, loss: float, rows: int) -> None:
        """Count a step."""
        self.total, self.count = self.total + loss * rows, self.count + rows
        self.batches, self.step = self.batches + 1, self.step + 1

    def next_epoch(self) -> None:
        """Count a pass."""
        self.epoch, self.batches, self.total, self.count = self.epoch + 1, 0, 0.0, 0

    # ------------------------------------------------------------------ storing

    def state_dict(self) -> dict:
        """All of it, for `tinygrad_hw.save`."""
        counters = {name: getattr(self, name)
                    for name in ("epoch", "batches", "step", "total", "count", "seconds")}
        return {"model": self.net.state_dict(), "optimizer": self.optimizer.state_dict(),
                "others": [other.state_dict() for other in self.others], "random": rng_state(),
                "begin": self._begin if self.batches else self._numbers(), **counters}

    def load_state_dict(self, state: dict) -> None:
        """Go on from there.

        Raises ValueError or RuntimeError if it is the state of another network, optimizer or schedule.
        """
        if len(state["others"]) != len(self.others):
            raise ValueError(f"the checkpoint holds the states of {len(state['others'])} further objects, "
                             f"this training has {len(self.others)}")
        for other, saved in zip(self.others, state["others"]):
            steps = getattr(other, "total_steps", None)
            if steps is not None and saved.get("total_steps") != steps:
                raise ValueError(f"the schedule of the checkpoint covers {saved.get('total_steps')} steps, "
                                 f"that of this training {steps}; give the same --epochs and --batch-size")
        self.net.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        for other, saved in zip(self.others, state["others"]):
            other.load_state_dict(saved)
        for name in ("epoch", "batches", "step", "total", "count", "seconds"):
            setattr(self, name, state[name])
        self._begin = state["begin"]
        self._set_numbers(self._begin)
        set_rng_state(state["random"])

    def _numbers(self) -> dict:
        """The random numbers from which a pass over the loader begins."""
        own = getattr(self.loader, "generator", None)
        numbers = {"random": rng_state(), "generator": None if own is None else own.get_state()}
        if hasattr(self.loader, "state_dict"):
            numbers["loader"] = self.loader.state_dict()
        return numbers

    def _set_numbers(self, numbers: dict) -> None:
        set_rng_state(numbers["random"])
        if numbers["generator"] is not None:
            self.loader.generator.set_state(numbers["generator"])
        if "loader" in numbers:
            self.loader.load_state_dict(numbers["loader"])
