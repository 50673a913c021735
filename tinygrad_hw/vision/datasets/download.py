"""Downloads through pooch (the extra ``data``), with check sums and progress, resumed if they broke off.

A download grows in the hidden file ``.NAME.partial`` beside its goal. When it is complete and its check
sum right it gets its name; when the check sum is wrong it is removed.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

__all__ = ["check_integrity", "download_url"]

TIMEOUT = (10, 30)  # seconds to connect, and without a byte
_CHUNK = 2**18


def check_integrity(fpath, md5: str | None = None) -> bool:
    """Whether the file is there, and has that MD5 sum if one is given.

    >>> check_integrity("/no/such/file")
    False
    """
    if not os.path.isfile(fpath):
        return False
    if md5 is None:
        return True
    digest = hashlib.md5(usedforsecurity=False)
    with open(fpath, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest() == md5


def download_url(url: str, root, filename: str | None = None, md5: str | None = None,
                 max_bytes: int = 2**33, progress: bool = True) -> Path:
    """Fetch ``url`` into the folder ``root``, unless the right file is there; returns its path.

    Args:
        filename: default the last part of the address.
        md5: published check sum of the content.
        max_bytes: a longer answer is refused.
        progress: show a bar.

    Raises:
        ImportError: pooch is not installed.
        RuntimeError: the server cannot be reached, its answer is an error or too long, or the check sum
            is wrong. What was received before the line broke is kept for the next attempt.

    >>> import tempfile
    >>> root = Path(tempfile.mkdtemp())
    >>> _ = (root / "a.bin").write_text("there already")
    >>> download_url("https://example.org/a.bin", root).name
    'a.bin'
    """
    root = Path(root)
    goal = root / (filename or Path(url).name)
    if check_integrity(goal, md5):
        return goal
    try:
        import pooch
        import requests
    except ImportError as error:
        raise ImportError('downloads need pooch: pip install "tinygrad_hw[data]"') from error
    partial = goal.with_name(f".{goal.name}.partial")

    def transfer(url, output_file, _pooch):
        _receive(requests, url, partial, max_bytes, progress)
        os.replace(partial, output_file)

    pooch.get_logger().setLevel("WARNING")
    try:
        path = pooch.retrieve(url, None if md5 is None else f"md5:{md5}", goal.name, root,
                              downloader=transfer)
    except requests.RequestException as error:
        kept = f"; {partial.stat().st_size:,} bytes are kept" if partial.exists() else ""
        raise RuntimeError(
            f"{url} cannot be fetched ({type(error).__name__}: {error}){kept}. Check the connection and "
            f"try again, or download the file by other means and put it at {goal}"
        ) from error
    except ValueError as error:  # pooch found another check sum and removed the file
        raise RuntimeError(
            f"{url} does not have the published check sum {md5} ({error}): it was changed or damaged on "
            f"the way and has been removed. Try again, or put the right file at {goal}"
        ) from error
    return Path(path)


def _receive(requests, url: str, partial: Path, max_bytes: int, progress: bool):
    """Append to ``partial`` what is missing, or begin anew if the server cannot go on in the middle."""
    partial.parent.mkdir(parents=True, exist_ok=True)
    have = partial.stat().st_size if partial.exists() else 0
    headers = {"Range": f"bytes={have}-", "Accept-Encoding": "identity"} if have else {
        "Accept-Encoding": "identity"}
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
        if answer.status_code == 416:  # nothing is missing, or the file has changed
            partial.unlink()
            raise requests.ConnectionError("the rest of the file is not there any more; try again")
        answer.raise_for_status()
        if answer.status_code != 206:
            have = 0
        announced = answer.headers.get("Content-Length", "")
        total = have + int(announced) if announced.isdigit() else None
        _save(requests, answer, partial, have, total, max_bytes, progress)


def _save(requests, answer, partial, have, total, max_bytes, progress):
    from tqdm import tqdm

    with open(partial, "ab" if have else "wb") as file, tqdm(
            total=total, initial=have, unit="B", unit_scale=True, disable=not progress or None,
            desc=partial.name[1:-len(".partial")], leave=False) as bar:
        for chunk in answer.iter_content(_CHUNK):
            have += len(chunk)
            if have > max_bytes or (total is not None and total > max_bytes):
                file.close()
                partial.unlink()
                raise requests.RequestException(f"the answer has more than {max_bytes:,} bytes")
            file.write(chunk)
            bar.update(len(chunk))
    if total is not None and have < total:
        raise requests.ConnectionError(f"the line broke after {have:,} of {total:,} bytes")
