"""Weights from files of others: .safetensors, .npz, and the .pth files that PyTorch writes.

A .pth file holds a pickle, which is a program. Here it may name containers, Tensors and their storages,
and nothing else; none of its calls reaches a function that does more than look at bytes.
"""

from __future__ import annotations

import io
import math
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path

import numpy as np
import safetensors

import tinygrad_hw as thw

__all__ = ["load_into", "read"]

MAX_BYTES = 2**32
_STORAGES = {"FloatStorage": np.float32, "DoubleStorage": np.float64, "HalfStorage": np.float16,
             "LongStorage": np.int64, "IntStorage": np.int32, "ByteStorage": np.uint8,
             "BoolStorage": np.bool_}


def read(path) -> dict[str, np.ndarray]:
    """The arrays of a file of weights, by name.

    Args:
        path: a file that ends in .safetensors, .npz, .pth or .pt.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it has another ending, is damaged, or a .pth file asks for more than data.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "weights.npz"
    >>> np.savez(path, **{"fc.bias": np.zeros(2)})
    >>> read(path)
    {'fc.bias': array([0., 0.])}
    """
    path = Path(path).expanduser()
    readers = {".safetensors": _safetensors, ".npz": _npz, ".pth": _torch, ".pt": _torch}
    if path.suffix not in readers:
        raise ValueError(f"weights are read from {', '.join(readers)}, not from {path.name}")
    if not path.is_file():
        raise FileNotFoundError(f"no file of weights {path}")
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"{path} has {path.stat().st_size:,} bytes, allowed are {MAX_BYTES:,}")
    try:
        return readers[path.suffix](path)
    except _Refused as error:
        raise ValueError(f"{path}: {error}; do not trust it") from None
    except Exception as error:  # a damaged file raises nearly any type
        raise ValueError(f"{path} is damaged or no file of weights ({type(error).__name__}: {error}); "
                         "get it again") from error


def load_into(net, path, skip: str = "") -> list[str]:
    """Give a network the weights of a file; returns the names that were skipped.

    Args:
        net: a Module.
        path: see `read`.
        skip: names that begin so stay as they are, the head of another task, say; "" for none.

    Counters of batches (``num_batches_tracked``), which old files lack, may be missing.
    Raises ValueError, which lists names and shapes, if the others do not fit.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "weights.npz"
    >>> np.savez(path, weight=np.ones((1, 2)), bias=np.zeros(7))
    >>> net = thw.nn.Linear(2, 1)
    >>> load_into(net, path, skip="bias"), net.weight.tolist()
    (['bias'], [[1.0, 1.0]])
    """
    found, own = read(path), net.state_dict()
    skipped = [name for name in found if skip and name.startswith(skip)]
    wanted = {name: value for name, value in own.items() if not (skip and name.startswith(skip))}
    missing = [name for name in wanted
               if name not in found and not name.endswith("num_batches_tracked")]
    extra = [name for name in found if name not in own and name not in skipped]
    wrong = [f"{name} {found[name].shape} instead of {tuple(value.shape)}" for name, value in wanted.items()
             if name in found and found[name].shape != tuple(value.shape)]
    if missing or extra or wrong:
        raise ValueError(f"{path} does not fit the network: missing {missing[:5]}, not known {extra[:5]}, "
                         f"other shapes {wrong[:5]}")
    for name, value in wanted.items():
        if name in found:
            own[name] = thw.from_numpy(np.array(found[name], value.numpy().dtype))
    net.load_state_dict(own)
    return skipped


def _safetensors(path):
    with safetensors.safe_open(path, framework="numpy") as file:
        return {name: file.get_tensor(name) for name in file.keys()}


def _npz(path):
    with np.load(path, allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


# ------------------------------------------------------------------ PyTorch's files


class _Refused(Exception):
    """What the pickle asks for is not data."""


def _torch(path):
    if not zipfile.is_zipfile(path):
        raise _Refused("it is no zip archive; files of PyTorch before 1.6 must be saved anew by a later one")
    with zipfile.ZipFile(path) as archive:
        pickles = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise _Refused(f"it holds {len(pickles)} pickles called data.pkl, not one")
        folder = pickles[0][:-len("data.pkl")]
        if f"{folder}byteorder" in archive.namelist() and archive.read(f"{folder}byteorder") != b"little":
            raise _Refused("its numbers are not little-endian")
        content = _Unpickler(archive, folder).load()
    content = content.get("state_dict", content) if isinstance(content, dict) else content
    if not isinstance(content, dict) or not all(isinstance(value, np.ndarray) for value in content.values()):
        raise _Refused("it holds no dictionary of Tensors; save the network's state_dict()")
    return dict(content)


class _Unpickler(pickle._Unpickler):
    """Python's own, written in Python: it takes no memory that the file does not have."""

    def __init__(self, archive, folder):
        super().__init__(io.BytesIO(archive.read(f"{folder}data.pkl")))
        self.archive, self.folder = archive, folder

    def find_class(self, module, name):
        if module == "torch" and name in _STORAGES:
            return np.dtype(_STORAGES[name])
        known = {("collections", "OrderedDict"): OrderedDict, ("torch._utils", "_rebuild_tensor_v2"): _tensor,
                 ("torch._utils", "_rebuild_parameter"): lambda data, *rest: data}
        if (module, name) not in known:
            raise _Refused(f"the pickle asks for {module}.{name}, which is not data")
        return known[module, name]

    def persistent_load(self, identity):
        kind, dtype, key, _, count = identity
        if kind != "storage" or not isinstance(dtype, np.dtype) or not isinstance(key, str):
            raise _Refused(f"the pickle asks for {kind!r}, which is no storage of numbers")
        info = self.archive.getinfo(f"{self.folder}data/{key}")
        if info.file_size != count * dtype.itemsize or info.compress_type != zipfile.ZIP_STORED:
            raise _Refused(f"storage {key} has {info.file_size:,} bytes for {count:,} numbers")
        return np.frombuffer(self.archive.read(info), dtype)


def _tensor(storage, offset, size, stride, *rest):
    """A Tensor is a storage seen with offset, size and stride, all within it."""
    last = offset + sum((length - 1) * step for length, step in zip(size, stride))
    if (not isinstance(storage, np.ndarray) or len(size) != len(stride) or offset < 0
            or any(number < 0 for number in (*size, *stride))
            or (math.prod(size) and last >= len(storage))):
        raise _Refused(f"a Tensor of size {tuple(size)} lies outside its storage")
    steps = tuple(step * storage.itemsize for step in stride)
    return np.lib.stride_tricks.as_strided(storage[offset:], tuple(size), steps, writeable=False).copy()
