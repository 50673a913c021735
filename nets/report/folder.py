"""What the folder of a run holds, read for its report and for comparisons."""

from __future__ import annotations

import dataclasses
import json
import shlex
from pathlib import Path

from nets.runs import read_config

__all__ = ["Picture", "RunFolder", "command_line", "headline", "read_folder"]

FLAGS = {name: f"--{name.replace('_', '-')}" for name in (
    "data", "epochs", "batch_size", "lr", "seed", "threads", "workers", "hold_out", "weights", "resume")}
"""The settings of a run that are options of ``python -m nets run``; the others are given with ``--set``."""


@dataclasses.dataclass(frozen=True)
class Picture:
    """A PNG file of the folder, with the caption that is stored in it and its width in pixels."""

    path: Path
    caption: str
    width: int


@dataclasses.dataclass(frozen=True)
class RunFolder:
    """A run as its folder tells it.

    Attributes:
        path: the folder.
        name: the system or command.
        config, environment: of config.json.
        results, history, seconds: of metrics.json; empty and 0 if the run has not come so far.
        pictures: its PNG files; the usual ones first.
        tables: the layers of its networks, ``{network: text}``.
        study: report.md, or "".
        parts: names of subfolders that hold runs of their own.
    """

    path: Path
    name: str
    config: dict
    environment: dict
    results: dict
    history: list
    seconds: float
    pictures: list[Picture]
    tables: dict[str, str]
    study: str
    parts: list[str]


def read_folder(path) -> RunFolder:
    """Read the folder of a run, finished or not.

    Raises:
        FileNotFoundError: there is no run.
        ValueError: config.json or metrics.json is damaged.

    >>> import tempfile
    >>> from nets.runs import Run
    >>> run = Run("demo", {"lr": 0.1}, out=Path(tempfile.mkdtemp()) / "first")
    >>> run.log(epoch=1, train_loss=2.0)
    >>> read_folder(run.folder).history
    [{'epoch': 1, 'train_loss': 2.0}]
    """
    path = Path(path)
    facts, metrics = read_config(path), _metrics(path / "metrics.json")
    tables = {file.name.removesuffix("model.txt").rstrip("-"): _text(file)
              for file in sorted(path.glob("*model.txt"))}
    study = path / "report.md"
    return RunFolder(path, facts["name"], facts["config"], facts["environment"], metrics["results"],
                     metrics["history"], metrics["seconds"], _pictures(path), tables,
                     _text(study) if study.is_file() else "",
                     sorted(part.parent.name for part in path.glob("*/config.json")))


def _text(file):
    return file.read_text(encoding="utf-8", errors="replace")


def _metrics(path):
    if not path.is_file():
        return {"results": {}, "history": [], "seconds": 0.0}
    try:
        metrics = json.loads(path.read_text(encoding="utf-8"))
        whole = isinstance(metrics["results"], dict) and isinstance(metrics["seconds"], (int, float)) \
            and all(isinstance(row, dict) for row in metrics["history"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        reason = f"{type(error).__name__}: {str(error)[:200]}"
        raise ValueError(f"{path} is damaged ({reason}); {_MEND}") from error
    if not whole:
        raise ValueError(f"{path} is damaged: results, seconds or history is of the wrong type; {_MEND}")
    return metrics


_MEND = "put back a copy of it, or run again"
_FIRST = ("confusion", "samples", "reconstructions", "weights")


def _pictures(folder):
    """PNG files that are pictures; curves are left out, since the report draws them itself."""
    from PIL import Image

    found = []
    for path in folder.glob("*.png"):
        try:
            with Image.open(path, formats=("PNG",)) as image:
                caption = image.info.get("Description")
                found.append(Picture(path, str(caption or path.stem.replace("_", " ")), image.width))
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            continue  # no picture: nothing to show

    def order(picture):
        kind = picture.path.stem.rpartition("-")[2]
        return (_FIRST.index(kind) if kind in _FIRST else len(_FIRST), picture.path.name)

    return sorted(found, key=order)


def headline(results: dict, epochs: int | None = None) -> list[str]:
    """The result in a line or two.

    >>> headline({"best_accuracy": 0.95, "best_epoch": 3, "seconds": 12.25}, epochs=4)
    ['best validation accuracy 0.9500 (epoch 3 of 4), 12.2 s of training']
    >>> headline({"errors": 3})
    []
    """
    lines = []
    for key, value in results.items():
        if key.startswith("best_") and isinstance(value, float):
            figure, seconds = key.removeprefix("best_"), results.get("seconds")
            unit = f"{value:.2f} dB" if figure == "psnr" else f"{value:.4f}"
            epoch = f"epoch {results.get('best_epoch', '?')}" + (f" of {epochs}" if epochs else "")
            spent = f", {seconds:.1f} s of training" if isinstance(seconds, (int, float)) else ""
            lines.append(f"best validation {figure} {unit} ({epoch}){spent}")
    for part in ("final", "test"):
        value = results.get(f"{part}_accuracy")
        if isinstance(value, float):
            lines.append(f"{part} accuracy {value:.4f}")
    return lines


def command_line(name: str, config: dict, processes: int = 1) -> str:
    """The command that does the run again.

    >>> command_line("nist36-cnn", {"epochs": 3, "lr": 0.001, "data": None, "smoothing": 0.1})
    'python -m nets run nist36-cnn --epochs 3 --lr 0.001 --set smoothing=0.1'
    >>> command_line("nist36-mlp", {"epochs": 3}, processes=4)
    'mpirun -n 4 python -m nets run nist36-mlp --epochs 3 --distributed'
    """
    together = ["mpirun", "-n", str(processes)] if processes > 1 else []
    words = [*together, "python", "-m", "nets", "run", name]
    for key, value in config.items():
        if value is None:
            continue
        if key in FLAGS:
            words += [FLAGS[key], str(value)]
        else:
            words += ["--set", f"{key}={value if isinstance(value, str) else json.dumps(value)}"]
    return shlex.join([*words, "--distributed"] if together else words)
