"""Where stored data goes, and how a file is written: whole or not at all."""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager
from pathlib import Path

__all__ = ["atomic_write", "cache_folder"]


@contextmanager
def atomic_write(path):
    """A binary file to write to that becomes `path` only when the block ends without an error.

    The content goes to a temporary file in the same folder (made if missing), is forced to disk
    (fsync) and renamed, which POSIX and Windows do in one step. On an error the temporary file is
    removed and whatever stood at `path` before stays as it was.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "new" / "greeting.txt"
    >>> with atomic_write(path) as file:
    ...     _ = file.write(b"hello")
    >>> path.read_bytes()
    b'hello'
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def cache_folder() -> Path:
    """The folder of stored data sets: $TINYGRAD_HW_CACHE/data, else ~/.cache/tinygrad_hw/data.

    >>> cache_folder().name
    'data'
    """
    root = os.environ.get("TINYGRAD_HW_CACHE")
    return (Path(root) if root else Path.home() / ".cache" / "tinygrad_hw") / "data"
