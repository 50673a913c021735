"""The folder of one run: what was asked (config.json), what came out (metrics.json), and pictures.

Every file is written under a temporary name and renamed when it is complete, so a run that is
interrupted leaves the last complete state and never half a file.
"""

import importlib.metadata
import json
import math
import os
import platform
import time
from pathlib import Path

import numpy as np

from tinygrad_hw.utils.files import atomic_write

PACKAGES = ("numpy", "numba", "pillow", "matplotlib", "scipy")
THREAD_VARIABLES = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def write_json(path, value):
    """Write `value` as indented JSON, atomically. NumPy scalars and arrays become numbers and lists.

    NaN and infinity, which JSON does not know, become null. Raises TypeError, which names the type,
    for a value that JSON cannot hold.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "metrics.json"
    >>> write_json(path, {"loss": np.float32(0.5), "counts": np.arange(2), "psnr": math.inf})
    >>> json.loads(path.read_text())
    {'loss': 0.5, 'counts': [0, 1], 'psnr': None}
    """
    text = json.dumps(_plain(value), indent=2, allow_nan=False) + "\n"
    with atomic_write(path) as file:
        file.write(text.encode())


def environment():
    """What a result may depend on: versions of Python and packages, the machine and its threads.

    >>> sorted(environment())
    ['cpus', 'machine', 'packages', 'python', 'system', 'threads']
    """
    installed = {}
    for package in PACKAGES:
        try:
            installed[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            installed[package] = None
    return {
        "python": platform.python_version(),
        "packages": installed,
        "system": platform.platform(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "threads": {name: os.environ[name] for name in THREAD_VARIABLES if name in os.environ},
    }


class Run:
    """One run's folder: `out`, or a new `runs/<name>-<date>-<time>`.

    name: the command, which becomes part of the folder's name; config: its settings, a dictionary,
    written with the environment to config.json at once; out: a folder of the caller's choice.
    Raises FileExistsError if `out` already holds a run, NotADirectoryError if it is a file.

    >>> import tempfile
    >>> run = Run("demo", {"lr": 0.1}, out=Path(tempfile.mkdtemp()) / "first")
    >>> run.log(epoch=1, loss=3.5)
    >>> run.log(epoch=2, loss=3.0)
    >>> run.finish(accuracy=0.8)
    >>> sorted(path.name for path in run.folder.iterdir())
    ['config.json', 'metrics.json']
    >>> json.loads((run.folder / "metrics.json").read_text())["history"][1]
    {'epoch': 2, 'loss': 3.0}
    """

    def __init__(self, name, config, out=None):
        self.folder = _new_folder(name) if out is None else _empty_folder(Path(out))
        self.history = []
        self.results = {}
        self._started = time.perf_counter()
        write_json(self.folder / "config.json",
                   {"name": name, "config": config, "environment": environment()})

    def path(self, name):
        """Where a file called `name` belongs in this run's folder."""
        return self.folder / name

    def log(self, **values):
        """Append one row (an epoch, say) to the history and bring metrics.json up to date."""
        self.history.append(values)
        self._write()

    def finish(self, **results):
        """Add the final results, such as the test accuracy, to metrics.json."""
        self.results.update(results)
        self._write()

    def _write(self):
        seconds = round(time.perf_counter() - self._started, 3)
        write_json(self.folder / "metrics.json",
                   {"results": self.results, "seconds": seconds, "history": self.history})


def _new_folder(name):
    """A fresh folder runs/<name>-<date>-<time>, numbered from -2 on if two runs start in one second."""
    if not name or Path(name).name != name:
        raise ValueError(f"a run's name is part of a folder's name, without slashes; got {name!r}")
    stem = f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"
    number = 1
    while True:
        folder = Path("runs") / (stem if number == 1 else f"{stem}-{number}")
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            number += 1


def _empty_folder(folder):
    """`folder`, made if missing, if it does not hold the results of another run."""
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"the output {folder} is a file; name a folder")
    if (folder / "config.json").exists():
        raise FileExistsError(f"{folder} already holds a run; name another folder or remove it")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _plain(value):
    """`value` built of the types JSON knows."""
    if isinstance(value, dict):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    if isinstance(value, (np.ndarray, np.generic)):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Path):
        return str(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"a run records numbers, text, lists and dictionaries, got {type(value).__name__}; "
                    f"convert it first, for example with .item() or .tolist()")
