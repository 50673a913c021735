"""Files of training: a network's weights, and all that training needs to go on with the same bits.

Both are safetensors files with the rest as JSON in them (`tinygrad_hw.save`): no code, a checksum, and never
half a file.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import tinygrad_hw as thw
from nets.runs import write_json
from tinygrad_hw.utils.files import remove_leftovers

__all__ = ["Checkpoints", "load", "save"]


def save(path, net, optimizer=None, **facts) -> None:
    """Write a network's weights, the optimizer's state and some facts (epoch, figures) to ``path``.

    Args:
        path: the file; it is replaced only when the new one is complete.
        net: a Module; the weights are called ``model/NAME`` in the file.
        optimizer: its state is stored, too.
        facts: values that `tinygrad_hw.save` takes.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "net.safetensors"
    >>> save(path, thw.nn.Linear(2, 1), epoch=3)
    >>> load(path, thw.nn.Linear(2, 1))["epoch"]
    3
    """
    state = {"model": net.state_dict(), "facts": facts}
    if optimizer is not None:
        state["optimizer"] = optimizer.state_dict()
    thw.save(state, path)


def load(path, net, optimizer=None) -> dict:
    """Read what `save` wrote into a network (and an optimizer) of the same shape; returns the facts.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not a whole safetensors file, or one of another kind.
        RuntimeError: if the weights do not fit the network (the text lists the names).
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"no checkpoint {path}")
    state = thw.load(path)
    if not isinstance(state, dict) or not {"model", "facts"} <= state.keys():
        raise ValueError(f"{path} is no checkpoint of this project: it has no weights under 'model'")
    net.load_state_dict(state["model"])
    if optimizer is not None and "optimizer" in state:
        optimizer.load_state_dict(state["optimizer"])
    return state["facts"]


class Checkpoints:
    """The states of one training in a folder: the last few, and the best.

    The files are called after the step, ``step-00000120.safetensors``; ``index.json`` tells which is the
    ``latest`` and which the ``best``.  It is there for people: `newest` looks at the files themselves.

    Args:
        folder: made with the first state.
        keep: how many states stay, besides the best.

    >>> import tempfile
    >>> checkpoints = Checkpoints(Path(tempfile.mkdtemp()) / "state", keep=2)
    >>> for step in (1, 2, 3, 4):
    ...     _ = checkpoints.write({"step": step}, step, best=step == 1)
    >>> sorted(path.name for path in checkpoints.folder.glob("step-*"))
    ['step-00000001.safetensors', 'step-00000003.safetensors', 'step-00000004.safetensors']
    >>> checkpoints.newest(), checkpoints.best()
    ({'step': 4}, {'step': 1})
    """

    def __init__(self, folder, keep: int = 3):
        if keep < 1:
            raise ValueError(f"at least one state must be kept, got keep={keep}")
        self.folder, self.keep = Path(folder), keep

    def write(self, state, step: int, best: bool = False) -> Path:
        """Store the state after ``step`` steps; ``best`` if none was better. Returns the file."""
        path = self.folder / f"step-{step:08d}.safetensors"
        thw.save(state, path)
        index = self._index()
        index["latest"] = path.name
        if best:
            index["best"] = path.name
        write_json(self.folder / "index.json", index)
        for old in self._files()[self.keep:]:
            if old.name not in index.values():
                old.unlink(missing_ok=True)
        return path

    def newest(self, tell=print):
        """The newest state whose file is whole; None if there is no file.

        Args:
            tell: is called with a message for each file that is damaged and passed over.

        Raises ValueError if there are files and none is whole.
        """
        files = self._files()
        remove_leftovers(self.folder)
        for path in files:
            try:
                return thw.load(path)
            except ValueError as error:
                tell(f"{error} -- taking the checkpoint before it")
        if files:
            raise ValueError(f"none of the {len(files)} checkpoints in {self.folder} is whole; begin anew, "
                             "or put back a copy of the folder")
        return None

    def best(self):
        """The state that was stored as the best; None if there is none."""
        name = self._index().get("best")
        return None if name is None else thw.load(self.folder / name)

    def forget(self) -> None:
        """Remove all states, which belong to an earlier training."""
        for path in self._files():
            path.unlink()

    def _files(self) -> list[Path]:
        """Newest first."""
        found = {path: re.fullmatch(r"step-(\d+)\.safetensors", path.name)
                 for path in self.folder.glob("step-*.safetensors")}
        return sorted((path for path, match in found.items() if match),
                      key=lambda path: int(found[path][1]), reverse=True)

    def _index(self) -> dict[str, str]:
        """index.json; empty if it is missing or damaged, since the files tell all but the best."""
        try:
            index = json.loads((self.folder / "index.json").read_text())
        except (OSError, ValueError):
            return {}
        names = {path.name for path in self._files()}
        return {key: name for key, name in index.items() if name in names} if isinstance(index, dict) else {}
