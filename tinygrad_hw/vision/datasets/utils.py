"""Downloads and archives under torchvision's names (``torchvision.datasets.utils``)."""

from __future__ import annotations

import os
from pathlib import Path

from tinygrad_hw.vision.datasets.archives import extract
from tinygrad_hw.vision.datasets.download import check_integrity, download_url

__all__ = ["check_integrity", "download_and_extract_archive", "download_url", "extract_archive"]


def extract_archive(from_path, to_path=None, remove_finished: bool = False) -> str:
    """Unpack an archive safely, by default into its own folder; see `archives.extract`.

    Returns:
        The folder.

    >>> import tempfile, zipfile
    >>> path = Path(tempfile.mkdtemp()) / "one.zip"
    >>> with zipfile.ZipFile(path, "w") as archive:
    ...     archive.writestr("a/b.txt", "text")
    >>> sorted(os.listdir(extract_archive(path, remove_finished=True)))
    ['a']
    """
    to_path = Path(from_path).parent if to_path is None else to_path
    extract(from_path, to_path)
    if remove_finished:
        os.remove(from_path)
    return str(to_path)


def download_and_extract_archive(url: str, download_root, extract_root=None, filename=None, md5=None,
                                 remove_finished: bool = False) -> None:
    """`download_url`, then `extract_archive`.

    >>> import tempfile, zipfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with zipfile.ZipFile(folder / "one.zip", "w") as archive:  # as if it were fetched already
    ...     archive.writestr("a/b.txt", "text")
    >>> download_and_extract_archive("https://example.org/one.zip", folder)
    >>> sorted(os.listdir(folder))
    ['a', 'one.zip']
    """
    archive = download_url(url, os.path.expanduser(download_root), filename, md5)
    extract_archive(archive, extract_root or download_root, remove_finished)
