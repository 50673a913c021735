"""Where stored data goes, and how a file is written: whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import secrets
from contextlib import contextmanager
from pathlib import Path

__all__ = ["atomic_write", "cache_folder", "remove_leftovers"]

_TEMPORARY = re.compile(r"\..+\.[0-9a-f]{12}\.tmp")


@contextmanager
def atomic_write(path):
    """A binary file to write to that becomes `path` only when the block ends without an error.

    The content goes to a temporary file in the same folder (made if missing), is forced to disk
    (fsync) and renamed, which POSIX and Windows do in one step; then the folder's entry is forced to
    disk, too. On an error the temporary file is removed and whatever stood at `path` before stays as
    it was. A process that is killed may leave its temporary file; see `remove_leftovers`.

    Raises OSError, which names `path`, if the disk is full or the folder cannot be written.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "new" / "greeting.txt"
    >>> with atomic_write(path) as file:
    ...     _ = file.write(b"hello")
    >>> path.read_bytes()
    b'hello'
    """
    path = Path(path).expanduser()
    try:
        with _replacing(path) as file:
            yield file
    except OSError as error:
        if error.errno not in _MENDS:
            raise
        raise OSError(error.errno, f"cannot write {path.name}: {error.strerror}; nothing at the path was "
                      f"changed. {_MENDS[error.errno]}", str(path)) from error


_MENDS = {errno.ENOSPC: "Make room on the disk, then run it again",
          getattr(errno, "EDQUOT", None): "Your share of the disk is used up: make room, then run it again",
          errno.EFBIG: "A file of this size is not allowed here: raise the limit (ulimit -f)",
          errno.EROFS: "The disk can only be read: choose another folder",
          errno.EACCES: "The folder may not be written to: choose another, or change its permissions"}


@contextmanager
def _replacing(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        _sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _sync_folder(folder) -> None:
    """Force a folder's entries to disk, so that a rename outlives a loss of power."""
    if os.name != "posix":
        return  # other systems open no folders
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_leftovers(folder) -> list[Path]:
    """Remove the temporary files that killed processes left in `folder`; to be called by its one writer.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / ".a.json.0123456789ab.tmp").write_text("half")
    >>> [path.name for path in remove_leftovers(folder)], list(folder.iterdir())
    (['.a.json.0123456789ab.tmp'], [])
    """
    found = [path for path in sorted(Path(folder).glob(".*.tmp")) if _TEMPORARY.fullmatch(path.name)]
    for path in found:
        path.unlink(missing_ok=True)
    return found


def cache_folder() -> Path:
    """The folder of stored data sets: $TINYGRAD_HW_CACHE/data, else ~/.cache/tinygrad_hw/data.

    >>> cache_folder().name
    'data'
    """
    root = os.environ.get("TINYGRAD_HW_CACHE")
    return (Path(root) if root else Path.home() / ".cache" / "tinygrad_hw") / "data"
