"""Pickles of data sets, read without running code: containers, text, numbers and NumPy arrays, no more.

A pickle is a program, and ``pickle.load`` lets it call any function. Here the few names that an array
needs stand for harmless classes of our own, and every other name is refused. The unpickler is Python's
own written in Python: the one written in C takes memory as the file says, before it looks whether the
file has that much.
"""

from __future__ import annotations

import io
import math
import pickle
import sys
from pathlib import Path
from typing import ClassVar

import numpy as np

from tinygrad_hw.vision.datasets.reading import bad_file

__all__ = ["load_pickle"]

MAX_BYTES = 2**28  # the largest official file, CIFAR-100's training set, has 155 MB


def load_pickle(source, name=None):
    """The object in a pickle of dicts, lists, tuples, text, bytes, numbers and arrays of numbers.

    Args:
        source: a path, or the bytes of a pickle. Text of Python 2 is read as Latin-1.
        name: what messages call the file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds anything else, is damaged, cut short or too large.

    >>> stored = pickle.dumps({"data": np.uint8([[1, 2]]), "labels": [0]})
    >>> load_pickle(stored)["data"].tolist()
    [[1, 2]]
    >>> load_pickle(pickle.dumps(print), name="a.pkl")
    Traceback (most recent call last):
        ...
    ValueError: a.pkl: the pickle asks for builtins.print, not data; do not trust it, get it again
    """
    if not isinstance(source, bytes):
        name = source if name is None else name
        size = Path(source).stat().st_size
        if size > MAX_BYTES:
            raise bad_file(name, f"the pickle has {size:,} bytes, allowed are {MAX_BYTES:,}",
                           "check that it is the right file")
        source = Path(source).read_bytes()
    try:
        return _finished(_Unpickler(io.BytesIO(source), encoding="latin1").load())
    except _Refused as error:
        raise bad_file(name or "pickle", str(error), "do not trust it, get it again") from None
    except Exception as error:  # a pickle that is no pickle raises nearly any type
        raise bad_file(name or "pickle", f"the pickle is damaged or cut short ({type(error).__name__}: "
                       f"{error})") from error


class _Refused(Exception):
    """What the pickle asks for is not data."""


class _Type:
    """Stands for a numpy.dtype."""

    def __init__(self, code="", align=False, copy=False):
        if not isinstance(code, str) or code.lstrip("<>|=")[:1] not in ("b", "i", "u", "f", "S", "U"):
            raise _Refused(f"the pickle holds an array of {code!r}, which is not numbers or text")
        self.dtype = np.dtype(code)

    def __setstate__(self, state):
        order = state[1]
        if state[2] is not None or state[3] is not None or state[4] is not None:
            raise _Refused("the pickle holds an array of records, not of numbers or text")
        if order in ("<", ">"):
            self.dtype = self.dtype.newbyteorder(order)


class _Array:
    """Stands for a numpy.ndarray, whose shape must fit the bytes that are there."""

    array = None

    def __setstate__(self, state):
        _, shape, kind, fortran, raw = state
        raw = raw.encode("latin1") if isinstance(raw, str) else raw
        if not isinstance(kind, _Type) or not isinstance(raw, (bytes, bytearray)):
            raise _Refused("the pickle holds an array of objects, not of numbers or text")
        size = math.prod(shape) * kind.dtype.itemsize
        if size != len(raw) or any(length < 0 for length in shape):
            raise _Refused(
                f"the pickle announces an array of shape {shape} in {size:,} bytes, but holds "
                f"{len(raw):,}"
            )
        self.array = np.frombuffer(raw, kind.dtype).reshape(shape, order="F" if fortran else "C").copy()


def _reconstruct(kind, shape, code):
    return _Array()


def _from_buffer(raw, kind, shape, order):
    """Protocol 5 keeps the bytes of an array apart."""
    array = _Array()
    array.__setstate__((1, shape, kind, order == "F", bytes(raw)))
    return array


def _scalar(kind, raw):
    raw = raw.encode("latin1") if isinstance(raw, str) else raw
    if not isinstance(kind, _Type) or len(raw) != kind.dtype.itemsize:
        raise _Refused("the pickle holds a number of another size than its type has")
    return np.frombuffer(raw, kind.dtype)[0]


def _bytes(content="", encoding="latin1"):
    """How Python 3 writes bytes for Python 2. bytes(10**12), which takes memory, is no such thing."""
    if not isinstance(content, (str, bytes)) or encoding not in ("latin1", "latin-1"):
        raise _Refused(f"the pickle makes bytes of {str(content)[:50]!r}, which is no text")
    return content if isinstance(content, bytes) else content.encode("latin1")


def _bytearray(content="", encoding="latin1"):
    return bytearray(_bytes(content, encoding))


def _names():
    known = {("numpy", "dtype"): _Type, ("numpy", "ndarray"): _Array, ("_codecs", "encode"): _bytes}
    for package in ("numpy.core", "numpy._core"):
        known[f"{package}.multiarray", "_reconstruct"] = _reconstruct
        known[f"{package}.multiarray", "scalar"] = _scalar
        known[f"{package}.numeric", "_frombuffer"] = _from_buffer
    for module in ("builtins", "__builtin__"):
        known |= {(module, "bytes"): _bytes, (module, "bytearray"): _bytearray, (module, "set"): set,
                  (module, "frozenset"): frozenset}
    return known


_KNOWN = _names()


class _Unpickler(pickle._Unpickler):
    dispatch: ClassVar[dict] = dict(pickle._Unpickler.dispatch)

    def load_bytearray(self):
        """Python's own takes the memory that is announced before it reads."""
        size = int.from_bytes(self.read(8), "little")
        content = self.read(min(size, sys.maxsize))
        if len(content) != size:
            raise EOFError(f"{len(content):,} of {size:,} bytes are there")
        self.append(bytearray(content))

    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray

    def find_class(self, module, name):
        try:
            return _KNOWN[module, name]
        except KeyError:
            raise _Refused(f"the pickle asks for {module}.{name}, not data") from None

    def get_extension(self, code):
        raise _Refused(f"the pickle asks for extension {code}, which is not data")


def _finished(value, depth: int = 0):
    """The arrays in place of what stood for them."""
    if depth > 50:
        raise _Refused("the pickle nests its containers more than 50 deep")
    if isinstance(value, _Array):
        return value.array
    if isinstance(value, dict):
        return {_finished(key, depth + 1): _finished(entry, depth + 1) for key, entry in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return type(value)(_finished(entry, depth + 1) for entry in value)
    if callable(value) or isinstance(value, _Type):
        raise _Refused("the pickle holds the name of a function or type in place of data")
    return value
