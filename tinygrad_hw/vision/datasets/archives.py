"""Archives (zip, tar) unpacked safely: nothing outside the folder, no links or bombs, all or nothing."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from tinygrad_hw.vision.datasets.reading import bad_file

__all__ = ["extract", "is_archive", "members", "read_members"]

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
MAX_MEMBERS = 2_000_000  # ImageNet has 1.3 million images
FREE_BYTES = 2**28  # an archive of any size may unpack to this much,
MAX_RATIO = 100  # a larger one to this multiple of its own size
_CHUNK = 2**20
_TAIL = 2**26
_DAMAGES = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError, NotImplementedError,
            RuntimeError, ValueError)


@dataclass
class Member:
    """A file in an archive: its path as parts, its announced size, and how to open it."""

    parts: tuple[str, ...]
    size: int
    open: Any


def is_archive(path) -> bool:
    """Whether the name says that it is an archive.

    >>> is_archive("dogs.zip"), is_archive("cifar.tar.gz"), is_archive("labels.gz")
    (True, True, False)
    """
    return str(path).lower().endswith(SUFFIXES)


def members(path) -> Iterator[Member]:
    """The files of an archive in its order; each is to be read before the next is asked for.

    Raises:
        ValueError: the archive is damaged, or a member is a link or device, leads out of the folder, or
            the files are too many or too large in all.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "one.zip"
    >>> with zipfile.ZipFile(path, "w") as archive:
    ...     archive.writestr("a/b.txt", "text")
    >>> [(member.parts, member.size) for member in members(path)]
    [(('a', 'b.txt'), 4)]
    """
    path = Path(path)
    limit = max(FREE_BYTES, MAX_RATIO * path.stat().st_size)
    total = count = 0
    seen = set()
    listing = _zip_members if zipfile.is_zipfile(path) else _tar_members
    with _explained(path):
        for member in listing(path):
            total, count = total + member.size, count + 1
            if total > limit or count > MAX_MEMBERS:
                raise bad_file(path, f"it unpacks to more than {limit:,} bytes or {MAX_MEMBERS:,} files",
                               "this looks like an archive bomb; unpack it by hand if you trust it")
            if member.parts in seen:
                raise bad_file(path, f"it holds {'/'.join(member.parts)[:200]!r} twice")
            seen.add(member.parts)
            yield member


@contextmanager
def _explained(path):
    """Whatever zipfile and tarfile raise on a damaged file, as a ValueError with the archive's name."""
    try:
        yield
    except _DAMAGES as error:
        if type(error) is ValueError:  # ours, already with the name
            raise
        raise bad_file(path, f"the archive is damaged, cut short or of another format "
                       f"({type(error).__name__}: {error})") from error


def _chunks(path, member) -> Iterator[bytes]:
    """The content, at most as long as announced: the announced sizes were summed up before."""
    left = member.size
    with _explained(path):
        with member.open() as source:
            while chunk := source.read(_CHUNK):
                left -= len(chunk)
                if left < 0:
                    break
                yield chunk
        if left != 0:
            raise bad_file(
                path,
                f"{'/'.join(member.parts)[:200]!r} announces {member.size:,} bytes, but "
                f"holds {'more' if left < 0 else f'{member.size - left:,}'}",
            )


def _zip_members(path) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise bad_file(path, f"its member {info.filename[:200]!r} is a link or device",
                               "only files and folders are unpacked; do not trust it")
            parts = _parts(path, info.filename)
            if info.flag_bits & 1:
                raise bad_file(
                    path, f"its member {info.filename[:200]!r} is encrypted", "unpack it by hand"
                )
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2):
                # LZMA takes a dictionary of the size that the file asks for, up to 4 GB.
                raise bad_file(path, f"its member {info.filename[:200]!r} is neither stored nor compressed "
                               "by deflate or bzip2", "unpack it by hand")
            if not info.is_dir():
                yield Member(parts, info.file_size, lambda info=info: archive.open(info))


def _tar_members(path) -> Iterator[Member]:
    with tarfile.open(path) as archive:
        for info in archive:
            parts = _parts(path, info.name)
            if info.isdir():
                continue
            if not info.isreg():
                raise bad_file(path, f"its member {info.name[:200]!r} is a link or device",
                               "only files and folders are unpacked; do not trust it")
            yield Member(parts, info.size, lambda info=info: archive.extractfile(info))
        # tarfile stops at its own end mark; the check sum of what was read comes after it.
        for _ in range(_TAIL // _CHUNK):
            if not archive.fileobj.read(_CHUNK):
                return
    raise bad_file(
        path, f"it goes on for more than {_TAIL:,} bytes after its end mark", "do not trust it"
    )


def _parts(path, name: str) -> tuple[str, ...]:
    """The member's path within the folder."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if not name or name.startswith(("/", "\\")) or ".." in parts or "\0" in name or ":" in parts[:1][0]:
        raise bad_file(path, f"its member {name[:200]!r} would be written outside of the folder",
                       "do not trust it")
    return tuple(part for part in parts if part != ".")


def extract(path, into) -> list[Path]:
    """Unpack the archive ``path`` into the folder ``into``; returns what is new at its top.

    All goes to a temporary folder beside the goal first. Only when everything is there, its top level is
    moved to ``into``, so an error or interruption leaves nothing behind.

    Raises:
        FileExistsError: a top-level name is there already.
        ValueError: see `members`.
        OSError: the disk is full, or the folder cannot be written.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with zipfile.ZipFile(folder / "one.zip", "w") as archive:
    ...     archive.writestr("a/b.txt", "text")
    >>> [new.name for new in extract(folder / "one.zip", folder)]
    ['a']
    >>> (folder / "a" / "b.txt").read_text()
    'text'
    """
    path, into = Path(path), Path(into)
    into.mkdir(parents=True, exist_ok=True)
    temporary = into / f".{path.name}.{secrets.token_hex(6)}.tmp"
    temporary.mkdir()
    try:
        for member in members(path):
            if member.size > shutil.disk_usage(into).free:
                raise OSError(
                    f"{path}: {'/'.join(member.parts)} needs {member.size:,} bytes, and {into} "
                    "has no room for it; free some or choose another folder"
                )
            _write(path, member, temporary)
        new = sorted(temporary.iterdir())
        for entry in new:
            if (into / entry.name).exists():
                raise FileExistsError(
                    f"{into / entry.name} is there already; remove it to unpack {path} anew")
        for entry in new:
            os.rename(entry, into / entry.name)
        return [into / entry.name for entry in new]
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write(path, member, folder):
    goal = folder.joinpath(*member.parts)
    goal.parent.mkdir(parents=True, exist_ok=True)
    with open(goal, "xb") as file:
        for chunk in _chunks(path, member):
            file.write(chunk)


def read_members(path, names, limit: int = 2**28) -> dict[str, bytes]:
    """{name: content} of those files of the archive whose name, without folders, is among ``names``.

    The archive is read to its end, so that its check sums are.

    Raises:
        ValueError: one of them is larger than ``limit`` bytes; or see `members`.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "one.zip"
    >>> with zipfile.ZipFile(path, "w") as archive:
    ...     archive.writestr("a/b.txt", "text")
    >>> read_members(path, ["b.txt", "c.txt"])
    {'b.txt': b'text'}
    """
    found = {}
    for member in members(path):
        name = member.parts[-1]
        if name in names:
            if member.size > limit:
                raise bad_file(path, f"{name} has {member.size:,} bytes, allowed are {limit:,}",
                               "check that it is the right file")
            found[name] = b"".join(_chunks(path, member))
    return found
