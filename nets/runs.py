"""The folder of one run: what was asked (config.json), what came out (metrics.json), pictures, and the state.

Every file is written under a temporary name and renamed when it is complete, so a run that is
interrupted leaves the last complete state and never half a file; only metrics.jsonl grows line by line.
"""

import dataclasses
import importlib.metadata
import json
import math
import os
import platform
import time
import warnings
from pathlib import Path

import numpy as np

from nets.team import Team
from tinygrad_hw.utils.files import atomic_write, remove_leftovers

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


@dataclasses.dataclass(frozen=True)
class Conduct:
    """How training is looked after; results do not depend on it.

    Args:
        resume: go on from the newest state in the run's folder, if there is one.
        checkpoint_every: steps between two states that are stored within an epoch; 0 stores one after each
            epoch only.
        keep: how many states stay in the folder, besides the best.
        stop_at_nonfinite: stop with an error when the loss or a parameter becomes NaN or infinite.
        team: the processes that train together.
        tensorboard: write event files for TensorBoard, too.
    """

    resume: bool = False
    checkpoint_every: int = 0
    keep: int = 3
    stop_at_nonfinite: bool = True
    team: Team = Team()
    tensorboard: bool = False


class Run:
    """One run's folder: `out`, or a new `runs/<name>-<date>-<time>`.

    name: the command, which becomes part of the folder's name; config: its settings, a dictionary,
    written with the environment to config.json at once; out: a folder of the caller's choice; conduct: a
    `Conduct`, which for ``resume`` lets `out` hold this very run already.
    Raises FileExistsError if `out` already holds a run, NotADirectoryError if it is a file, ValueError if
    the run to go on with is another one.

    >>> import tempfile
    >>> run = Run("demo", {"lr": 0.1}, out=Path(tempfile.mkdtemp()) / "first")
    >>> run.log(epoch=1, loss=3.5)
    >>> run.log(epoch=2, loss=3.0)
    >>> run.finish(accuracy=0.8)
    >>> sorted(path.name for path in run.folder.iterdir())
    ['config.json', 'metrics.json', 'metrics.jsonl']
    >>> json.loads((run.folder / "metrics.json").read_text())["history"][1]
    {'epoch': 2, 'loss': 3.0}
    """

    def __init__(self, name, config, out=None, conduct=None):
        self.conduct = conduct or Conduct()
        self.history = []
        self.results = {}
        self._streamed = 0  # rows of the history that metrics.jsonl holds
        self._started = time.perf_counter()
        self.facts = {"name": name, "config": _plain(config), "environment": environment()}
        if self.conduct.team.size > 1:
            self.facts["environment"]["processes"] = self.conduct.team.size
        if self.conduct.resume and out is not None and (Path(out) / "config.json").exists():
            self.folder = Path(out)
            remove_leftovers(self.folder)
            _check_same(self.folder, read_config(self.folder), self.facts)
        else:
            self.folder = _new_folder(name) if out is None else _empty_folder(Path(out))
            write_json(self.folder / "config.json", self.facts)

    def inner(self, name, config, folder):
        """A run of its own in the subfolder `folder`, with the same conduct."""
        return Run(name, config, self.path(folder), self.conduct)

    def path(self, name):
        """Where a file called `name` belongs in this run's folder."""
        return self.folder / name

    def log(self, **values):
        """Append one row (an epoch, say) to the history; bring metrics.jsonl and metrics.json up to date."""
        self.history.append(values)
        self._stream()
        self._write()

    def restore(self, history):
        """Take the rows of a stored state for the history, in place of those that are there."""
        self.history[:] = history
        self._streamed = 0
        self._stream()
        self._write()

    def finish(self, **results):
        """Add the final results, such as the test accuracy, to metrics.json."""
        self.results.update(results)
        self._write()

    def withdraw(self):
        """Remove the folder of a run that failed before anything came of it: its name is free again."""
        if not self.conduct.resume and [path.name for path in self.folder.iterdir()] == ["config.json"]:
            self.path("config.json").unlink()
            self.folder.rmdir()

    def _stream(self):
        """Append the new rows to metrics.jsonl, one JSON line each, for programs that watch a run."""
        lines = "".join(json.dumps(_plain(row), allow_nan=False) + "\n"
                        for row in self.history[self._streamed:])
        with open(self.path("metrics.jsonl"), "a" if self._streamed else "w", encoding="utf-8") as file:
            file.write(lines)
        self._streamed = len(self.history)

    def _write(self):
        seconds = round(time.perf_counter() - self._started, 3)
        write_json(self.folder / "metrics.json",
                   {"results": self.results, "seconds": seconds, "history": self.history})


FREE = ("epochs", "workers", "threads")  # settings that may change when a run goes on


def read_config(folder):
    """What config.json of a run's folder says: the run's name, config and environment.

    Raises FileNotFoundError if there is none, ValueError if it is damaged.

    >>> import tempfile
    >>> run = Run("demo", {"lr": 0.1}, out=Path(tempfile.mkdtemp()) / "first")
    >>> read_config(run.folder)["config"]
    {'lr': 0.1}
    """
    path = Path(folder) / "config.json"
    if not path.is_file():
        raise FileNotFoundError(f"{folder} holds no run: there is no config.json; name the folder of a run")
    try:
        facts = json.loads(path.read_text())
        if not all(isinstance(facts[key], kind)
                   for key, kind in (("name", str), ("config", dict), ("environment", dict))):
            raise TypeError("name, config or environment is of the wrong type")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"{path} is damaged ({type(error).__name__}: {str(error)[:200]}); put back a copy "
                         "of it, or begin a new run") from error
    return facts


def _check_same(folder, stored, facts):
    """Refuse to go on with another run; warn where the bits may differ."""
    different = [f"{key} {stored['config'].get(key)!r} there, {facts['config'].get(key)!r} here"
                 for key in sorted({*stored["config"], *facts["config"]} - set(FREE))
                 if stored["config"].get(key) != facts["config"].get(key)]
    if stored["name"] != facts["name"]:
        different.insert(0, f"{stored['name']} there, {facts['name']} here")
    if different:
        raise ValueError(f"{folder} holds another run ({'; '.join(different)}); give the same settings, or "
                         "another folder")
    changed = [key for key in ("python", "packages", "machine")
               if stored["environment"].get(key) != facts["environment"][key]]
    if changed:
        warnings.warn(f"the run in {folder} was begun with other {', '.join(changed)}: it goes on, but its "
                      "last bits may differ from those of a run that was never interrupted", stacklevel=3)


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
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"the output {folder} cannot be made ({error.strerror}); name another") from error
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
