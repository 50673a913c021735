"""The matrices in a .mat file of MATLAB 5 to 7.2, with every size checked before memory is taken.

SciPy's reader, written in C, ends the process on some damaged files. This one reads what data sets need, full
matrices of real numbers, and of all else only the names. The format:
https://www.mathworks.com/help/pdf_doc/matlab/matfile_format.pdf

    header (128 bytes), then elements: type and size (4 bytes each), content, padding to 8 bytes
    element 14 is a matrix: elements for flags, dimensions, name, values; element 15 one that is compressed
"""

from __future__ import annotations

import math
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

__all__ = ["Matrix", "matrices"]

_MATRIX, _COMPRESSED = 14, 15
_STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_KINDS = {1: "object (cell)", 2: "struct", 3: "object", 4: "text", 5: "sparse", 6: "float64", 7: "float32",
          8: "int8", 9: "uint8", 10: "int16", 11: "uint16", 12: "int32", 13: "uint32", 14: "int64",
          15: "uint64"}
_NUMBERS = range(6, 16)
_COMPLEX, _LOGICAL = 0x08, 0x02
_HEAD = 4096  # bytes of a compressed matrix in which its name and dimensions lie
_LONGEST_NAME = 63
_MOST = 2**32  # bytes of one matrix


class Matrix(NamedTuple):
    """A variable of the file; ``values()`` reads it, which is possible for full matrices of numbers."""

    name: str
    shape: tuple[int, ...]
    kind: str
    values: Callable[[], np.ndarray]


def matrices(content: bytes) -> Iterator[Matrix]:
    """The variables of a file.

    Raises:
        NotImplementedError: it is of version 7.3, an HDF5 file.
        ValueError: it is of another format, damaged or cut short.

    >>> import io, scipy.io
    >>> stream = io.BytesIO()
    >>> scipy.io.savemat(stream, {"a": np.array([[1.0, 2.0], [3.0, 4.0]])})
    >>> found = next(matrices(stream.getvalue()))
    >>> found.name, found.shape, found.values().tolist()
    ('a', (2, 2), [[1.0, 2.0], [3.0, 4.0]])
    """
    if content[:4] == b"\x89HDF" or content[:10] == b"MATLAB 7.3":
        raise NotImplementedError("a file of version 7.3 is an HDF5 file")
    order = {b"IM": "<", b"MI": ">"}.get(content[126:128])
    if order is None:
        raise ValueError(f"a .mat file of version 5 to 7.2 has 'IM' or 'MI' at byte 126, not "
                         f"{content[126:128]!r}")
    rest = memoryview(content)[128:]
    while len(rest):
        kind, piece, rest = _element(rest, order)
        if kind == _COMPRESSED:
            yield _matrix(_inflated(piece, _HEAD), order, piece)
        elif kind == _MATRIX:
            yield _matrix(bytes(piece), order, None, whole=True)
        else:
            raise ValueError(f"an element of type {kind} stands where matrices belong")


def _element(data, order):
    """Type and content of the first element, and what follows it."""
    if len(data) < 8:
        raise ValueError(f"{len(data)} bytes are left where an element of 8 or more belongs")
    kind, size = struct.unpack(f"{order}2I", data[:8])
    if kind >> 16:  # a small element has its size in the upper half, and its content in the second word
        kind, size = kind & 0xFFFF, kind >> 16
        if size > 4:
            raise ValueError(f"a small element announces {size} bytes, it may have 4")
        return kind, data[4:4 + size], data[8:]
    if size > len(data) - 8:
        raise ValueError(f"an element announces {size:,} bytes, {len(data) - 8:,} are left")
    padding = 0 if kind == _COMPRESSED else -size % 8
    return kind, data[8:8 + size], data[8 + size + padding:]


def _inflated(packed, limit: int) -> bytes:
    try:
        return zlib.decompressobj().decompress(packed, limit)
    except zlib.error as error:
        raise ValueError(f"its compressed data is damaged ({error})") from error


def _matrix(data: bytes, order: str, packed, whole: bool = False) -> Matrix:
    """A matrix from its begin, or from its content (``whole``); ``packed`` is what it was inflated from."""
    start = 0
    if not whole:
        if len(data) < 8 or struct.unpack(f"{order}I", data[:4])[0] != _MATRIX:
            raise ValueError("compressed data that is no matrix")
        start = 8
    _, flags, rest = _element(memoryview(data)[start:], order)
    _, lengths, rest = _element(rest, order)
    _, name, rest = _element(rest, order)
    if len(flags) != 8 or len(lengths) % 4 or not 8 <= len(lengths) <= 128:
        raise ValueError("a matrix whose flags or dimensions are damaged")
    word = struct.unpack(f"{order}I", flags[:4])[0]
    shape = struct.unpack(f"{order}{len(lengths) // 4}i", lengths)
    if len(name) > _LONGEST_NAME:
        raise ValueError(f"a matrix with a name of {len(name):,} characters, allowed are {_LONGEST_NAME}")
    if min(shape) < 0:
        raise ValueError(f"a matrix of the shape {shape}")
    number = word & 0xFF
    kind = _KINDS.get(number, "unknown")
    if word >> 8 & (_COMPLEX | _LOGICAL):
        kind = "complex128" if word >> 8 & _COMPLEX else "bool"
    place = len(data) - len(rest)
    text = bytes(name).decode("latin1")

    def values() -> np.ndarray:
        if number not in _NUMBERS or kind == "complex128":
            raise ValueError(f"{text} is no full matrix of real numbers but {kind}")
        count = math.prod(shape)
        if count * 8 > _MOST:
            raise ValueError(f"{text} announces {count:,} numbers, allowed are {_MOST // 8:,}")
        everything = data if packed is None else _inflated(packed, place + 8 * count + 16)
        stored, content, _ = _element(memoryview(everything)[place:], order)
        if stored not in _STORED:
            raise ValueError(f"{text} holds values of type {stored}, which are no numbers")
        found = np.frombuffer(content, np.dtype(_STORED[stored]).newbyteorder(order))
        if found.size != count:
            raise ValueError(f"{text} announces {count:,} values, but holds {found.size:,}")
        return found.astype("u1" if kind == "bool" else kind).reshape(shape, order="F")

    return Matrix(text, shape, kind, values)
