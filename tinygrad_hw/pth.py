"""PyTorch's files (.pth, .pt) read without PyTorch and without running code.

Both formats of ``torch.save`` hold a pickle that describes Tensors as views of storages:

* since PyTorch 1.6 a zip archive, ``NAME/data.pkl`` and one uncompressed file ``NAME/data/KEY`` for each
  storage (https://docs.pytorch.org/docs/stable/notes/serialization.html);
* before, four pickles in a row (a magic number, the version, facts about the machine, the object), a pickled
  list of the storages' keys, and each storage as its count and its numbers.

The pickle is read by `tinygrad_hw.data_pickle`, which knows the names in `_NAMES` and no others.  Every size
is compared with the bytes that are there before memory is taken: reading takes at most three times the size
of the file (bfloat16 becomes float32; all other numbers keep their size), 200 MB for a pickle of
`data_pickle.MOST_OPCODES`, and 11 times the directory of a zip archive (measured with tracemalloc).
"""

from __future__ import annotations

import collections
import io
import math
import sys
import zipfile
from pathlib import Path

import numpy as np

from tinygrad_hw.data_pickle import Refused, UnknownName, run, set_items, shown

__all__ = ["read_pth"]

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001  # of the legacy format
_MOST_FILES = 1_000_000  # in an archive
_SAVE_ANEW = "load it in PyTorch, if you trust it, and save it anew"
_SAVE_WEIGHTS = ("if it is a whole network and you trust it, load it in PyTorch and save its weights: "
                 "torch.save(net.state_dict(), 'weights.pth')")
_STORED = {"DoubleStorage": "f8", "FloatStorage": "f4", "HalfStorage": "f2", "BFloat16Storage": "u2",
           "LongStorage": "i8", "IntStorage": "i4", "ShortStorage": "i2", "CharStorage": "i1",
           "ByteStorage": "u1", "BoolStorage": "u1"}
"""How the numbers of a storage stand in the file."""

_BECOMES = {"BFloat16Storage": np.dtype(np.float32), "BoolStorage": np.dtype(np.bool_)}


def read_pth(path):
    """What a file of ``torch.save`` holds, Tensors and Parameters as NumPy arrays.

    Dicts, lists, tuples, sets, text and numbers come back as they are, an OrderedDict as a dict, a
    ``torch.Size`` as a tuple, a dtype or device as its name.  bfloat16 becomes float32.  Tensors that shared
    a storage share their memory, and may be written to.

    Args:
        path: the file, of the format of PyTorch 1.6 and later or of the one before.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds anything else (a whole Module, a function), Tensors that do not lie within their
            storages, compressed entries, or it is damaged, cut short or of another format.  Nothing in the
            file is ever called or imported.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.pth"
    >>> with zipfile.ZipFile(path, "w") as archive:
    ...     archive.writestr("a/data.pkl", b"\\x80\\x02}X\\x02\\x00\\x00\\x00lrG?\\xe0\\0\\0\\0\\0\\0\\0s.")
    >>> read_pth(path)
    {'lr': 0.5}
    """
    path = Path(path)
    with open(path, "rb") as file:
        try:
            start = file.read(4)
            return _read_zip(file) if start == b"PK\x03\x04" else _read_legacy(file, path.stat().st_size)
        except Refused as error:
            mend = _SAVE_WEIGHTS if isinstance(error, UnknownName) else error.mend
            raise ValueError(f"{path}: {error}; {mend}") from None
        except Exception as error:  # a damaged file raises nearly any type
            raise ValueError(f"{path}: it is damaged, cut short or no file of torch.save "
                             f"({type(error).__name__}: {str(error)[:200]}); get it again") from error


# ------------------------------------------------------------------ both containers


def _read_zip(file):
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        names = {entry.filename: entry for entry in entries}
        _check_archive(entries, names, file.seek(0, io.SEEK_END))
        pickles = [name for name in names if name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise Refused(f"the archive holds {len(pickles)} entries called data.pkl, not one")
        folder = pickles[0][:-len("data.pkl")]
        order = archive.read(f"{folder}byteorder") if f"{folder}byteorder" in names else b"little"
        if order not in (b"little", b"big"):
            raise Refused(f"the archive's byte order is {shown(order)}, neither little nor big")
        storages = _Storages(sum(entry.file_size for entry in entries))
        value = run(io.BytesIO(archive.read(pickles[0])), _NAMES, storages.named)
        for key, storage in storages.known.items():
            entry = names.get(f"{folder}data/{key}")
            if entry is None:
                raise Refused(f"the archive has no storage {shown(key)}, which a Tensor needs")
            if entry.file_size != storage.stored_bytes:
                raise Refused(f"storage {shown(key)} has {entry.file_size:,} bytes, but {len(storage):,} "
                              f"numbers of {storage.kind} take {storage.stored_bytes:,}")
            with archive.open(entry) as source:
                storage.fill(source, order == b"little")
    return value


def _check_archive(entries, names, size):
    """An archive whose entries are as they stand and do not overlap cannot unpack to more than it is."""
    if len(entries) > _MOST_FILES or len(names) != len(entries):
        raise Refused(f"the archive has {len(entries):,} entries, of which {len(names):,} have names of "
                      "their own")
    for entry in entries:
        if entry.compress_type != zipfile.ZIP_STORED or entry.compress_size != entry.file_size:
            raise Refused(f"entry {shown(entry.filename)} is compressed to {entry.compress_size:,} of "
                          f"{entry.file_size:,} bytes, which torch.save never does", _SAVE_ANEW)
    total = sum(entry.file_size for entry in entries)
    if total > size:
        raise Refused(f"the archive's entries have {total:,} bytes, but the file only {size:,}: they overlap "
                      "or it is cut short")
    if any(name.endswith("/constants.pkl") for name in names):
        raise Refused("the file holds a program of TorchScript", _SAVE_WEIGHTS)


def _read_legacy(file, size):
    file.seek(0)
    source = _Clamped(file, size)
    if size < 2 or source.read(1) != b"\x80":
        file.seek(257)  # ``tarfile.is_tarfile`` would unpack, with a dictionary as large as the file asks for
        if file.read(5) == b"ustar":
            raise Refused("the file is of the format before PyTorch 0.1.10, a tar archive", _SAVE_ANEW)
        raise ValueError("it begins neither like a zip archive nor like a pickle")
    file.seek(0)
    if run(source, {}) != MAGIC:
        raise Refused("the file is a pickle, but not of the format of torch.save")
    version, machine = run(source, {}), run(source, {})
    if version != VERSION:
        raise Refused(f"the file has version {shown(version)} of the format before PyTorch 1.6, "
                      f"only {VERSION} is known", _SAVE_ANEW)
    little = not isinstance(machine, dict) or machine.get("little_endian", True) is True
    storages = _Storages(size)
    value, keys = run(source, _NAMES, storages.named), run(source, {})
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise Refused("the file's list of storages is no list of names")
    for key in keys:
        storage = storages.known.pop(key, None)
        if storage is None:
            raise Refused(f"the file holds storage {shown(key)} twice, or no Tensor needs it")
        count = int.from_bytes(source.read(8), "little" if little else "big", signed=True)
        if count != len(storage) or storage.stored_bytes > size - file.tell():
            raise Refused(f"storage {shown(key)} has {count:,} numbers and {size - file.tell():,} bytes are "
                          f"left, but {len(storage):,} numbers of {storage.kind} belong to it")
        storage.fill(source, little)
    if storages.known:
        raise Refused(f"the file has no storage {shown(next(iter(storages.known)))}, which a Tensor needs")
    return value


class _Clamped:
    """A file that takes no memory for bytes that it does not have, whatever the pickle announces."""

    def __init__(self, file, size):
        self.file, self.size = file, size

    def read(self, count):
        return self.file.read(min(count, max(0, self.size - self.file.tell())))

    def readline(self):
        return self.file.readline(65_536)  # names of globals

    def readinto(self, buffer):
        return self.file.readinto(buffer)

    def tell(self):
        return self.file.tell()


# ------------------------------------------------------------------ storages and Tensors


class _Storage:
    """The numbers that Tensors show: of their final type, filled once the pickle is read."""

    def __init__(self, kind, count):
        self.kind = kind
        self.stored = np.dtype(_STORED[kind])
        self.values = np.empty(count, _BECOMES.get(kind, self.stored))

    def __len__(self):
        return len(self.values)

    @property
    def stored_bytes(self) -> int:
        return len(self) * self.stored.itemsize

    def fill(self, source, little):
        """Read the numbers; they are converted if the file writes them in another way."""
        converted = self.kind in _BECOMES
        raw = np.empty(len(self), self.stored) if converted else self.values
        view = memoryview(raw.view(np.uint8))
        read = 0
        while read < len(view):
            count = source.readinto(view[read:])
            if not count:
                raise EOFError(f"{read:,} of {len(view):,} bytes of a storage are there")
            read += count
        if little != (sys.byteorder == "little"):
            raw.byteswap(inplace=True)
        if self.kind == "BFloat16Storage":
            np.left_shift(raw, 16, out=self.values.view(np.uint32), dtype=np.uint32)
        elif converted:
            np.not_equal(raw, 0, out=self.values)


class _Storages:
    """The storages of a file by their keys, together not larger than it."""

    def __init__(self, available: int):
        self.available = available
        self.known: dict[str, _Storage] = {}

    def named(self, identity) -> _Storage:
        """The storage of a persistent id: ("storage", its class, its key, a device, how many numbers, ...)"""
        if not isinstance(identity, tuple) or len(identity) not in (5, 6) or identity[0] != "storage":
            raise Refused("the pickle asks for something that is no storage of numbers")
        kind, key, count, *view = identity[1], identity[2], *identity[4:]
        if not isinstance(kind, _Kind) or not isinstance(key, str) or not _is_size(count):
            raise Refused(f"the pickle asks for a storage {shown(key)} of {shown(count)} numbers of "
                          f"{shown(kind)}")
        if view not in ([], [None]):
            raise Refused("a storage is part of another one, as before PyTorch 0.4", _SAVE_ANEW)
        if key not in self.known:
            needed = count * np.dtype(_STORED[kind.name]).itemsize
            if needed > self.available:
                raise Refused(f"storage {shown(key)} needs {needed:,} bytes for {count:,} numbers of "
                              f"{kind.name}, but the file has at most {self.available:,} for it")
            self.available -= needed
            self.known[key] = _Storage(kind.name, count)
        storage = self.known[key]
        if storage.kind != kind.name or len(storage) != count:
            raise Refused(f"storage {shown(key)} is named as {count:,} numbers of {kind.name} and as "
                          f"{len(storage):,} of {storage.kind}")
        return storage


class _Kind:
    """Stands for a class of storages, which the pickle names and cannot call."""

    def __init__(self, name):
        self.name = name


def _is_size(number) -> bool:
    return type(number) is int and 0 <= number < 2**63


def _tensor(storage, offset, size, stride, *rest):
    """A Tensor is a storage seen with offset, size and stride, all within it."""
    if not isinstance(storage, _Storage) or not isinstance(size, tuple) or not isinstance(stride, tuple):
        raise Refused("a Tensor has no storage, size or stride")
    if len(size) != len(stride) or len(size) > 64 or not all(map(_is_size, (offset, *size, *stride))):
        sizes, strides = (", ".join(map(shown, numbers[:8])) for numbers in (size, stride))
        raise Refused(f"a Tensor has offset {shown(offset)}, size ({sizes}) and stride ({strides}), not "
                      "whole numbers from 0 on, as many of both")
    count = math.prod(size)
    last = offset + sum((length - 1) * step for length, step in zip(size, stride)) if count else offset - 1
    if last >= len(storage) or offset > len(storage):
        raise Refused(f"a Tensor of size {size}, stride {stride} and offset {offset} lies outside its "
                      f"storage of {len(storage):,} numbers")
    if count > len(storage):
        raise Refused(f"a Tensor of size {size} and stride {stride} shows its storage of {len(storage):,} "
                      "numbers more than once", "make it .contiguous() in PyTorch and save it anew")
    values = storage.values
    steps = [step * values.itemsize if length > 1 else 0 for length, step in zip(size, stride)]
    return np.ndarray(size, values.dtype, values, offset * values.itemsize, steps) if count else \
        np.empty(size, values.dtype)


def _parameter(data, *rest):
    if not isinstance(data, np.ndarray):
        raise Refused(f"a Parameter is made of {shown(data)}, not of a Tensor")
    return data


def _mapping(pairs=()):
    """An OrderedDict; Python 2 wrote it as a list of pairs."""
    if not isinstance(pairs, (list, tuple)) or not all(
            isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in pairs):
        raise Refused("an OrderedDict is made of something else than pairs")
    return set_items({}, pairs)


def _counter(counts=None):
    if not isinstance(counts, dict):
        raise Refused("a Counter is made of something else than counts")
    return collections.Counter(counts)


def _size(lengths=()):
    if not isinstance(lengths, tuple):
        raise Refused("a torch.Size is made of something else than lengths")
    return lengths


def _device(*parts):
    if not all(isinstance(part, (str, int)) for part in parts):
        raise Refused("a torch.device is made of something else than a name and a number")
    return ":".join(map(str, parts))


def _set(entries=()):
    if not isinstance(entries, (list, tuple)):
        raise Refused("a set is made of something else than a list")
    return set(set_items({}, ((entry, None) for entry in entries)))


def _names():
    """What the pickle of a state_dict or of an optimizer's state names, and what stands for it here."""
    names = {("collections", "OrderedDict"): _mapping, ("collections", "Counter"): _counter,
             ("torch", "Size"): _size, ("torch", "device"): _device,
             ("torch._utils", "_rebuild_tensor"): _tensor, ("torch._utils", "_rebuild_tensor_v2"): _tensor,
             ("torch._utils", "_rebuild_parameter"): _parameter,
             ("torch._utils", "_rebuild_parameter_with_state"): _parameter,
             ("builtins", "set"): _set, ("__builtin__", "set"): _set}
    names |= {("torch", name): name for name in (
        "float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool")}
    return names | {(module, name): _Kind(name) for module in ("torch", "torch.cuda") for name in _STORED}


_NAMES = _names()
