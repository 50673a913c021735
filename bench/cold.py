"""Suite ``cold``: what a user waits for and gives room to, besides the steps themselves.

==================  ==================================================================================
import              seconds of ``import tinygrad_hw`` and of ``import torch``, in fresh processes
cold start NET      seconds of a process that imports, builds the network and trains three steps, with an
                    empty cache of compiled kernels (PyTorch has none to empty)
warm start NET      the same with the cache filled
process memory NET  largest resident memory of a process that trains three steps
step memory NET     how far resident memory rises above that of the process with the library loaded:
                    network, activations, gradients, optimizer.  "Loaded" is after a step of batch 1,
                    whose objects are gone
installed size      bytes of the library and of everything that it requires
==================  ==================================================================================
"""

from __future__ import annotations

import argparse
import configparser
import gc
import importlib
import importlib.metadata
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

from bench.duel import LIBRARIES, WorkerError
from bench.nets import TASKS, Task, load, uniform_weights
from bench.report import Row

__all__ = ["installed_size", "measure", "names", "uses_threads"]

ROOT = pathlib.Path(__file__).resolve().parent.parent
STARTS = ("net1-b4", "lenet-1ch-b100", "mlp-1024-64-36-b100")
TRAINED = tuple(name for name, task in TASKS.items() if task.optimizer)
STEPS = 3


def names() -> list[str]:
    """What can be measured."""
    return [
        "import",
        *(f"{kind} start {name}" for name in STARTS for kind in ("cold", "warm")),
        *(f"{kind} memory {name}" for name in TRAINED for kind in ("process", "step")),
        "installed size",
    ]


def uses_threads(name: str) -> bool:
    """Whether the number of threads matters.

    >>> uses_threads("import"), uses_threads("warm start net1-b4")
    (False, True)
    """
    return name not in ("import", "installed size")


def measure(name: str, threads: int, rounds: int) -> Row:
    """One measurement in both libraries, taking turns; "eager" is PyTorch."""
    row = Row("cold", name, threads, unit="bytes" if "memory" in name or "size" in name else "s")
    libraries = {"ours": "ours", "eager": "torch"}
    try:
        if name == "installed size":
            for label, library in libraries.items():
                row.samples[label] = [installed_size(LIBRARIES[library])]
            return row
        once, kind = _sampler(name), name.split()[0]
        if kind != "cold":
            once("ours", threads)  # fills the cache of compiled kernels
        samples = {label: [] for label in libraries}
        for _ in range(rounds if kind == "import" else max(1, rounds // 3)):
            for label, library in libraries.items():
                samples[label].append(once(library, threads))
        row.samples = samples
    except WorkerError as error:
        row.error = str(error)
    return row


def _sampler(name: str):
    """The function of (library, threads) that gives one sample of a measurement."""
    if name == "import":
        return _import_seconds
    kind, what, net = name.split()
    if what == "start":
        return lambda library, threads: _start_seconds(library, threads, net, cold=kind == "cold")
    return lambda library, threads: json.loads(_child([library, net, str(threads), "--memory"]))[kind]


def _child(arguments: list[str], code: str | None = None, **environment: str) -> str:
    """What a fresh Python process prints: this module, or ``code``."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, *(["-c", code] if code else ["-m", "bench.cold"]), *arguments]
    environment = {**os.environ, "GOMP_SPINCOUNT": "2000", "PYTHONPATH": path, **environment}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        message = (done.stderr.strip() or f"code {done.returncode}").splitlines()[-1]
        raise WorkerError(f"{' '.join(arguments)}: {message}")
    return done.stdout


def _import_seconds(library: str, threads: int) -> float:
    code = ("import time, importlib, sys; start = time.perf_counter(); "
            "importlib.import_module(sys.argv[1]); print(time.perf_counter() - start)")
    return float(_child([LIBRARIES[library]], code))


def _start_seconds(library: str, threads: int, net: str, cold: bool) -> float:
    with tempfile.TemporaryDirectory(prefix="bench_") as folder:
        environment = {"TINYGRAD_HW_CACHE": folder} if cold else {}
        start = time.perf_counter()
        _child([library, net, str(threads)], **environment)
        return time.perf_counter() - start


# ------------------------------------------------------------------ the process that is measured


def train(torch, name: str, batch: int | None = None, steps: int = STEPS) -> None:
    """An ordinary training loop on one batch."""
    task: Task = TASKS[name]
    net = task.build(torch)
    load(torch, net, uniform_weights, name)
    images, target = map(torch.from_numpy, task.data(name, batch))
    optimizer = task.optimizer(torch, net.parameters())
    for _ in range(steps):
        optimizer.zero_grad()
        loss = task.loss(torch, net(images), target)
        loss.backward()
        optimizer.step()
        loss.item()


def memory(torch, name: str) -> dict[str, int]:
    """Bytes of resident memory: the largest of the process, and the rise while training."""
    # Loads the code, which is no memory of a step; other kernels may be for a single image.
    train(torch, name, batch=max(1, TASKS[name].shape[0] // 4), steps=1)
    gc.collect()
    loaded = _resident("VmRSS")
    try:
        pathlib.Path("/proc/self/clear_refs").write_text("5")  # start the high-water mark anew
    except OSError:
        pass  # the mark of the whole process then stands, which the small step hardly moved
    train(torch, name)
    peak = _resident("VmHWM")
    return {"process": peak, "step": max(1, peak - loaded)}


def _resident(field: str) -> int:
    """Bytes of a field of /proc/self/status; elsewhere than on Linux the largest resident memory so far.
    """
    try:
        status = pathlib.Path("/proc/self/status").read_text()
    except OSError:
        largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return largest if sys.platform == "darwin" else largest * 1024
    return int(status.split(field + ":")[1].split()[0]) * 1024


# ------------------------------------------------------------------ installed size


def installed_size(library: str) -> int:
    """Bytes of a library's files and of all distributions that it requires, without extras.

    >>> installed_size("tinygrad_hw") > 1_000_000
    True
    """
    total, wanted, seen = 0, [library], set()
    if library == "tinygrad_hw":  # measured from the sources: it need not be installed
        setup = configparser.ConfigParser()
        setup.read(ROOT / "setup.cfg")
        wanted = setup["options"]["install_requires"].split()
        total = sum(file.stat().st_size for package in ("ops", "tinygrad_hw", "nets")
                    for file in (ROOT / package).rglob("*.py"))
    from packaging.requirements import Requirement  # matplotlib requires it

    while wanted:
        requirement = Requirement(wanted.pop())
        name = requirement.name.lower().replace("_", "-")
        if name in seen or requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        seen.add(name)
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            if requirement.name == library:
                raise WorkerError(f"{library} is not installed") from None
            continue
        wanted += distribution.requires or []
        total += sum(file.locate().stat().st_size for file in distribution.files or ()
                     if not file.name.endswith(".pyc") and file.locate().is_file())
    return total


def main() -> None:
    """Train in this process, for the parent's clock or for the memory that it prints."""
    parser = argparse.ArgumentParser(description="A process that python -m bench cold starts.")
    parser.add_argument("library", choices=LIBRARIES)
    parser.add_argument("net", choices=TRAINED)
    parser.add_argument("threads", type=int)
    parser.add_argument("--memory", action="store_true")
    options = parser.parse_args()
    torch = importlib.import_module(LIBRARIES[options.library])
    torch.set_num_threads(options.threads)
    if options.memory:
        print(json.dumps(memory(torch, options.net)))
    else:
        train(torch, options.net)


if __name__ == "__main__":
    main()
