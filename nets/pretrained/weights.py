"""Weights from files of others: .safetensors, .npz, and the .pth files that PyTorch writes."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from tinygrad_hw.pth import read_pth

__all__ = ["load_into", "read"]

_WRAPPERS = ("state_dict", "model_state_dict", "model")  # under which training programs keep the weights
_PREFIXES = ("module.", "model/")  # of DataParallel's names, and of this project's own run folders
_SAFETENSORS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4",
                "I16": "<i2", "I8": "i1", "U8": "u1", "BOOL": "?"}
_NPZ_RATIO = 100  # arrays may take this many times their compressed size


def read(path) -> dict[str, np.ndarray]:
    """The arrays of a file of weights, by name.

    What wraps the weights of a training program (a dictionary with a ``state_dict``; names that begin
    with ``module.``) is taken off.

    Args:
        path: a file that ends in .safetensors, .npz, .pth or .pt.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it has another ending, holds something else than arrays, or is damaged.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "weights.npz"
    >>> np.savez(path, **{"module.fc.bias": np.zeros(2)})
    >>> read(path)
    {'fc.bias': array([0., 0.])}
    """
    path = Path(path).expanduser()
    readers = {".safetensors": _safetensors, ".npz": _npz, ".pth": read_pth, ".pt": read_pth}
    if path.suffix not in readers:
        raise ValueError(f"weights are read from {', '.join(readers)}, not from {path.name}")
    if not path.is_file():
        raise FileNotFoundError(f"no file of weights {path}")
    content = readers[path.suffix](path)
    for key in _WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
    if not isinstance(content, dict) or not content or not all(
            isinstance(name, str) and isinstance(value, np.ndarray) for name, value in content.items()):
        raise ValueError(f"{path} holds no dictionary of Tensors; save the network's state_dict() in "
                         "PyTorch: torch.save(net.state_dict(), 'weights.pth')")
    for prefix in _PREFIXES:
        inside = {name[len(prefix):]: value for name, value in content.items() if name.startswith(prefix)}
        content = inside or content
    return content


def load_into(net, weights, skip: str = "") -> list[str]:
    """Give a network the weights of a file; returns the names that were skipped.

    Args:
        net: a Module.
        weights: a file, see `read`, or arrays by name.
        skip: names that begin so stay as they are, the head of another task, say; "" for none.

    Counters of batches (``num_batches_tracked``), which old files lack, may be missing.
    Raises ValueError, which lists names and shapes, if the others do not fit.

    >>> from tinygrad_hw import nn
    >>> net = nn.Linear(2, 1)
    >>> load_into(net, {"weight": np.ones((1, 2)), "bias": np.zeros(7)}, skip="bias"), net.weight.tolist()
    (['bias'], [[1.0, 1.0]])
    """
    given = isinstance(weights, Mapping)
    found = weights if given else read(weights)
    own = net.state_dict()
    skipped = [name for name in found if skip and name.startswith(skip)]
    wanted = {name: value for name, value in own.items() if not (skip and name.startswith(skip))}
    missing = [name for name in wanted
               if name not in found and not name.endswith("num_batches_tracked")]
    extra = [name for name in found if name not in own and name not in skipped]
    wrong = [f"{name} {found[name].shape} instead of {tuple(value.shape)}" for name, value in wanted.items()
             if name in found and found[name].shape != tuple(value.shape)]
    if missing or extra or wrong:
        raise ValueError(f"{'the arrays do' if given else f'{weights} does'} not fit the network: missing "
                         f"{missing[:5]}, not known {extra[:5]}, other shapes {wrong[:5]}")
    net.load_state_dict({name: found[name] for name in wanted if name in found}, strict=False)
    return skipped


def _safetensors(path):
    """https://huggingface.co/docs/safetensors; the library checks every offset against the file."""
    import safetensors

    try:
        entries = safetensors.deserialize(path.read_bytes())
    except Exception as error:  # its own error type, and others for sizes beyond any memory
        raise _damaged(path, error) from error
    arrays = {}
    for name, entry in entries:
        if entry["dtype"] not in _SAFETENSORS:
            raise ValueError(f"{path}: {name[:200]!r} has numbers of type {entry['dtype']}, known are "
                             f"{', '.join(_SAFETENSORS)}")
        values = np.frombuffer(entry["data"], _SAFETENSORS[entry["dtype"]])
        if entry["dtype"] == "BF16":  # the upper half of a float32
            values = np.left_shift(values, 16, dtype=np.uint32).view(np.float32)
        arrays[name] = values.reshape(entry["shape"]).copy()
    return arrays


def _npz(path):
    """Every array's announced shape is compared with the bytes in the archive before it is read."""
    arrays = {}
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            total = sum(entry.file_size for entry in entries)
            if total > _NPZ_RATIO * path.stat().st_size:
                raise ValueError(f"its arrays take {total:,} bytes, {_NPZ_RATIO} times the file")
            for entry in entries:
                if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    # LZMA takes a dictionary of the size that the file asks for: 1 GB for 170 bytes.
                    raise ValueError(f"{entry.filename[:200]!r} is compressed as NumPy never does")
                with archive.open(entry) as file:
                    version = np.lib.format.read_magic(file)
                    header = {(1, 0): np.lib.format.read_array_header_1_0,
                              (2, 0): np.lib.format.read_array_header_2_0}[version]
                    shape, in_columns, dtype = header(file)
                    if dtype.hasobject or math.prod(shape) * dtype.itemsize > entry.file_size:
                        raise ValueError(f"{entry.filename[:200]!r} announces {shape} of {dtype} in "
                                         f"{entry.file_size:,} bytes")
                    raw = file.read(math.prod(shape) * dtype.itemsize)
                    values = np.frombuffer(raw, dtype).reshape(shape, order="F" if in_columns else "C")
                arrays[entry.filename.removesuffix(".npy")] = values.copy()
    except Exception as error:  # a damaged file raises nearly any type
        raise _damaged(path, error) from error
    return arrays


def _damaged(path, error):
    return ValueError(f"{path} is damaged or no file of weights ({type(error).__name__}: "
                      f"{str(error)[:300]}); get it again")
