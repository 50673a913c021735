"""Data sets that are drawn: kept in a file once they are, so that the next start takes no time."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from tinygrad_hw.utils.files import atomic_write

__all__ = ["stored_or_drawn"]


def stored_or_drawn(path, version: int, shape, draw):
    """The bytes of ``shape`` in the file ``path``, or else what ``draw()`` returns, which is stored.

    A damaged file is replaced with a warning, one of another version or shape in silence. If none can be
    written, a warning says so.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "drawn.npz"
    >>> stored_or_drawn(path, 1, (2,), lambda: np.uint8([1, 2])).tolist()
    [1, 2]
    >>> stored_or_drawn(path, 1, (2,), lambda: 1 / 0).tolist()
    [1, 2]
    """
    pixels = _read(path, version, shape)
    if pixels is None:
        pixels = draw()
        _write(path, version, pixels)
    return pixels


def _read(path, version, shape):
    """The stored pictures, or None if there are none that are whole and of this version."""
    try:
        with np.load(path, allow_pickle=False) as stored:
            found, pixels = int(stored["version"]), stored["pixels"]  # the zip's CRC is checked here
    except (FileNotFoundError, NotADirectoryError):
        return None
    except Exception as error:  # NumPy and zipfile raise nearly any type on a damaged file
        warnings.warn(f"{path} cannot be read ({error}) and will be drawn anew", stacklevel=4)
        return None
    if found != version or pixels.shape != tuple(shape) or pixels.dtype != np.uint8:
        return None
    return pixels


def _write(path, version, pixels):
    """Store the pictures; without a folder to write to, warn and go on."""
    try:
        with atomic_write(path) as file:
            np.savez(file, version=version, pixels=pixels)
    except OSError as error:
        warnings.warn(
            f"{Path(path).name} cannot be stored ({error}); set TINYGRAD_HW_CACHE to a folder that can "
            "be written, or the pictures are drawn anew at every start",
            stacklevel=4,
        )
