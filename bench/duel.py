"""Two processes that take turns: PyTorch in one, tinygrad_hw in the other.

In one process the two would disturb each other: PyTorch brings its own OpenMP library, and the idle
threads of one library spin while the other one works.  Here each process sleeps in a read of its pipe
while the other one runs (GOMP_SPINCOUNT keeps the threads of both from spinning on).

A suite is a module of ``bench`` with a function ``prepare(name, torch, mode)`` that returns a `Job`; it
runs in either process, with the module that is PyTorch there.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable

import numpy as np

from bench.report import Row

__all__ = ["LIBRARIES", "Duel", "Effort", "Job", "WorkerError"]

LIBRARIES = {"ours": "tinygrad_hw", "torch": "torch"}
"""The module that plays PyTorch in each process."""


@dataclasses.dataclass
class Job:
    """A measurement that is ready to run.

    Attributes:
        run: one repetition.
        values: the arrays that must agree between the libraries, by name.
    """

    run: Callable[[], object]
    values: Callable[[], dict[str, np.ndarray]]


@dataclasses.dataclass(frozen=True)
class Effort:
    """How long a measurement takes: ``rounds`` turns of each contender, each of about ``seconds``."""

    rounds: int = 21
    seconds: float = 0.025


class WorkerError(RuntimeError):
    """What went wrong in one of the two processes."""


# ------------------------------------------------------------------ the process that is measured


class Worker:
    """Answers the requests of a `Duel` with one library."""

    def __init__(self, library: str):
        self.torch = importlib.import_module(LIBRARIES[library])
        self.jobs: dict[str, Job] = {}
        self.cores = os.sched_getaffinity(0) if hasattr(os, "sched_setaffinity") else set()

    def hello(self) -> str:
        """The library's version."""
        return self.torch.__version__

    def prepare(self, suite: str, name: str, mode: str, threads: int) -> None:
        """Build a job; it stays until `clear`."""
        self.torch.set_num_threads(threads)
        if self.cores:  # one thread runs on the other process's core: cores of a shared machine differ
            os.sched_setaffinity(0, {max(self.cores)} if threads == 1 else self.cores)
        self.jobs[mode] = importlib.import_module(f"bench.{suite}").prepare(name, self.torch, mode)

    def values(self, mode: str, path: str) -> None:
        """Write the values to compare to an .npz file."""
        np.savez(path, **self.jobs[mode].values())

    def time(self, mode: str, count: int) -> float:
        """Seconds a repetition, on average over ``count`` of them."""
        run = self.jobs[mode].run
        start = time.perf_counter()
        for _ in range(count):
            run()
        return (time.perf_counter() - start) / count

    def clear(self) -> None:
        """Let go of all jobs."""
        self.jobs.clear()


def serve(library: str) -> None:
    """Read requests (method, arguments) from stdin and write replies to stdout, both as lines of JSON.
    """
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the measured programs print must not come between the replies
    worker = None
    for line in sys.stdin:
        method, *arguments = json.loads(line)
        try:
            worker = worker or Worker(library)
            reply = {"result": getattr(worker, method)(*arguments)}
        except Exception as error:  # whatever a measured program raises belongs in the report
            reply = {"error": f"{type(error).__name__}: {error}", "traceback": traceback.format_exc()}
        print(json.dumps(reply), file=replies, flush=True)


# ------------------------------------------------------------------ the process that asks


class Duel:
    """Both processes; a context manager that ends them.

    Raises `WorkerError` if a library cannot be imported.
    """

    def __init__(self):
        root = pathlib.Path(__file__).resolve().parent.parent
        path = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))
        environment = {**os.environ, "GOMP_SPINCOUNT": "2000", "PYTHONPATH": path}
        pipes = dict(stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        self._processes = {
            library: subprocess.Popen([sys.executable, "-m", "bench.duel", library], **pipes)
            for library in LIBRARIES
        }
        try:
            self.versions = {library: self.ask(library, "hello") for library in LIBRARIES}
        except WorkerError:
            self.close()
            raise

    def __enter__(self) -> Duel:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """End both processes."""
        for process in self._processes.values():
            process.kill()
            process.wait()
            process.stdin.close()
            process.stdout.close()

    def ask(self, library: str, *request):
        """The result of a method of `Worker` in one process.

        Raises `WorkerError` if the method raised or the process is gone.
        """
        process = self._processes[library]
        try:
            process.stdin.write(json.dumps(request) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise WorkerError(f"the {LIBRARIES[library]} process ended with code {process.wait()}")
        reply = json.loads(line)
        if "error" in reply:
            raise WorkerError(f"{LIBRARIES[library]}: {reply['error']}")
        return reply["result"]

    def compare(self, suite: str, name: str, modes: tuple[str, ...], threads: int, effort: Effort,
                tolerance: float) -> Row:
        """Compare the values, then the times, of a measurement.

        Arguments:
            suite, name: the measurement.
            modes: the modes of PyTorch to beat; the first is the plain one, whose values are compared.
            A further
                mode that fails is left out, with a note.
            threads: number of threads in both libraries.
            tolerance: largest relative difference at which times are taken.
        """
        row = Row(suite, name, threads)
        contenders = {"ours": ("ours", "ours"), **{mode: ("torch", mode) for mode in modes}}
        try:
            for label, (library, mode) in list(contenders.items()):
                try:
                    self.ask(library, "prepare", suite, name, mode, threads)
                    if label not in ("ours", modes[0]):
                        self.ask(library, "time", mode, 1)
                except WorkerError as error:
                    if label in ("ours", modes[0]):
                        raise
                    row.notes.append(f"{mode} left out: {str(error)[:200]}")
                    del contenders[label]
            row.difference = self._difference(modes[0])
            if not row.difference <= tolerance:
                row.error = f"differs from PyTorch by {row.difference:.1e}, more than {tolerance:.0e}"
            else:
                row.samples = self._times(contenders, effort)
        except WorkerError as error:
            row.error = str(error)
        finally:
            for library in LIBRARIES:
                if self._processes[library].poll() is None:
                    self.ask(library, "clear")
        return row

    def _difference(self, mode: str) -> float:
        with tempfile.TemporaryDirectory(prefix="bench_") as folder:
            paths = {library: os.path.join(folder, library + ".npz") for library in LIBRARIES}
            self.ask("ours", "values", "ours", paths["ours"])
            self.ask("torch", "values", mode, paths["torch"])
            with np.load(paths["ours"]) as mine, np.load(paths["torch"]) as other:
                return largest_difference(dict(mine), dict(other))

    def _times(self, contenders: dict, effort: Effort) -> dict[str, list[float]]:
        counts = {}
        for label, (library, mode) in contenders.items():
            self.ask(library, "time", mode, 1)
            once = self.ask(library, "time", mode, 2)
            if once < effort.seconds / 20:  # a short one: warm up more before trusting the estimate
                once = self.ask(library, "time", mode, max(1, int(effort.seconds / 10 / once)))
            counts[label] = max(1, round(effort.seconds / once))
        samples = {label: [] for label in contenders}
        for _ in range(effort.rounds):
            for label, (library, mode) in contenders.items():
                samples[label].append(self.ask(library, "time", mode, counts[label]))
        return samples


def largest_difference(mine: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> float:
    """Largest ``|mine - other| / |other|`` over the arrays, in Euclidean norms.

    NaN where names or shapes differ, or a value is NaN.

    >>> largest_difference({"loss": np.array(1.1)}, {"loss": np.array(1.0)})
    0.10000000000000009
    """
    worst = 0.0
    if mine.keys() != other.keys():
        return float("nan")
    for key, value in mine.items():
        if value.shape != other[key].shape:
            return float("nan")
        value, reference = value.astype(np.float64), other[key].astype(np.float64)
        gap, size = np.linalg.norm(value - reference), np.linalg.norm(reference)
        ratio = float(gap / size) if size else float(gap)
        if not ratio <= worst:
            worst = ratio
            if ratio != ratio:
                break
    return worst


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="One of the two processes that python -m bench starts.")
    parser.add_argument("library", choices=LIBRARIES)
    serve(parser.parse_args().library)
