"""`save` and `load`."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np

from tinygrad_hw.device import check_device
from tinygrad_hw.serialization.container import pack, unpack
from tinygrad_hw.serialization.tree import DEEPEST, decode, encode
from tinygrad_hw.tensor import Tensor
from tinygrad_hw.utils.files import atomic_write

__all__ = ["load", "save"]


def save(obj, f) -> None:
    """Write Tensors, also inside dicts, lists and tuples, to a file that holds data and no code.

    The file is a safetensors file: the arrays of a ``state_dict`` stand in it under the parameters' names,
    for every reader of that format. What PyTorch's ``torch.save`` would pickle beyond data (a Module, a
    function) is refused.

    Args:
        obj: Tensors, Parameters, NumPy arrays and numbers, None, bool, int, float, complex, str, bytes,
            dtypes, and dicts, OrderedDicts, Counters, lists, tuples and sets of them. Tensors that share
            one memory are stored once.
        f: a path, or a binary file that is open for writing. A path is replaced in one step when the new
            file is complete and on the disk.

    Raises:
        TypeError: ``obj`` holds anything else; the text says where.
        ValueError: containers contain themselves or nest deeper than 100.
        OSError: the file cannot be written; what stood at the path before is unchanged.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.save.html

    >>> import io
    >>> from tinygrad_hw import nn, tensor
    >>> file = io.BytesIO()
    >>> save({"net": nn.Linear(2, 1).state_dict(), "epoch": 3}, file)
    >>> _ = file.seek(0)
    >>> load(file)["epoch"]
    3
    >>> save(nn.Linear(2, 1), file)
    Traceback (most recent call last):
    ...
    TypeError: the object is a Linear: save its state_dict() and load it into a new one with \
load_state_dict(); an object as a whole would need code in the file
    """
    content = pack(*encode(obj))
    if hasattr(f, "write"):
        f.write(content)
        return
    with atomic_write(f) as file:
        file.write(content)


def load(f, map_location=None, weights_only: bool = True):
    """Read what `save` wrote; also a safetensors file of others, and a ``.pth`` file of PyTorch.

    The content tells which of them it is, not the name. No file of any kind can make this run code.

    Args:
        f: a path, or a binary file that is open for reading; it is read to its end.
        map_location: accepted for compatibility; all memory is the CPU's, so None, ``"cpu"``, a dict and a
            function mean the same.
        weights_only: accepted for compatibility; no file holds anything but data.

    Returns:
        The value that was saved. A safetensors file of others is a dict of Tensors.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is cut short, damaged (a checksum tells), or of another kind.
        RuntimeError: ``map_location`` is a device that does not exist here.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.load.html

    >>> import tempfile
    >>> from tinygrad_hw import tensor
    >>> path = Path(tempfile.mkdtemp()) / "values.safetensors"
    >>> save([tensor([1.0, 2.0]), "text"], path)
    >>> load(path, map_location="cpu")
    [tensor([1., 2.]), 'text']
    """
    if not isinstance(map_location, dict) and not callable(map_location):
        check_device(map_location)
    content, name = _content(f)
    if content[8:9] != b"{" and content[:1] in (b"P", b"\x80"):  # a zip archive, or a bare pickle
        return _pth(f, content)
    try:
        tree, arrays = unpack(content)
        if tree is None:
            return _with_tensors(arrays)
        return decode(tree.get("value"), arrays)
    except ValueError as error:
        raise ValueError(f"{name}: {error}; copy or save it again") from error


def _content(f) -> tuple[bytes, str]:
    if hasattr(f, "read"):
        content = f.read()
        if not isinstance(content, bytes):
            raise TypeError(f"load() needs a file opened in binary mode, but read() gave "
                            f"{type(content).__name__}; open it with mode 'rb'")
        return content, str(getattr(f, "name", "the file"))
    path = Path(os.fspath(f)).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    return path.read_bytes(), str(path)


def _pth(f, content: bytes):
    """The value in a file of PyTorch; its reader wants a path."""
    from tinygrad_hw.pth import read_pth

    if not hasattr(f, "read"):
        return _with_tensors(read_pth(Path(os.fspath(f)).expanduser()))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.pth"
        path.write_bytes(content)
        return _with_tensors(read_pth(path))


def _with_tensors(value, depth: int = 0):
    """``value`` with Tensors in place of arrays; those of a type that no Tensor has become float32."""
    if depth > DEEPEST:
        raise ValueError(f"containers nest more than {DEEPEST} deep")
    if isinstance(value, np.ndarray):
        return Tensor._wrap(value.astype(np.float32) if value.dtype == np.float16 else value)
    if type(value) is dict:
        return {key: _with_tensors(entry, depth + 1) for key, entry in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_with_tensors(entry, depth + 1) for entry in value)
    return value
