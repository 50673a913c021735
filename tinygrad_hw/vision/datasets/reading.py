"""Reading images and IDX files that come from anywhere: sizes are checked before memory is taken.

Every error of a bad file is a ValueError that names the file, says what is wrong and how to mend it.
"""

from __future__ import annotations

import gzip
import io
import math
import os
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

__all__ = ["bad_file", "check_labels", "open_image", "read_idx", "read_text"]

MAX_SIDE = 32_768  # pixels
MAX_PIXELS = 2**26  # 67 million: 200 MB as RGB
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "PPM", "TIFF", "WEBP")  # no format that starts another program
MAX_BYTES = 2**32  # of one array
DEFLATE_RATIO = 1032  # what zlib shrinks at most (https://zlib.net/zlib_tech.html)

_IDX_DTYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}


def bad_file(path, problem: str, mend: str = "download or copy it again") -> ValueError:
    """The error for a file that cannot be used.

    >>> str(bad_file("a.png", "it is cut short"))
    'a.png: it is cut short; download or copy it again'
    """
    return ValueError(f"{path}: {problem}; {mend}")


def open_image(file, mode: str = "RGB", name=None, turned: bool = False):
    """The image in ``file`` (a path or binary file), completely decoded, in the colours ``mode``.

    Args:
        mode: Pillow's name of the colours; None keeps the file's own.
        name: what messages call the file.
        turned: turn the image as the camera says (EXIF).

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is no image of a known format, too large, damaged or cut short.

    >>> import io
    >>> stream = io.BytesIO()
    >>> Image.new("L", (3, 2)).save(stream, "PNG")
    >>> open_image(stream, name="small.png").size
    (3, 2)
    """
    name = file if name is None else name
    try:
        content = _in_memory(file)
        _check_size(_webp_size(content.getvalue()[:30]), name)
        with Image.open(content, formats=FORMATS) as image:
            _check_size(image.size, name)
            image.load()
            if turned:
                image = ImageOps.exif_transpose(image)
            return image.copy() if mode is None else image.convert(mode)
    except (FileNotFoundError, IsADirectoryError, PermissionError):
        raise
    except Image.DecompressionBombError as error:
        raise _too_large(name, "more than the memory is meant for") from error
    except Image.UnidentifiedImageError as error:
        raise bad_file(name, f"it is no image of the formats {', '.join(FORMATS)}, or damaged",
                       "remove it or save it again as an image") from error
    except _TooLarge:
        raise
    except Exception as error:  # Pillow raises nearly any type on a damaged file
        raise bad_file(name, f"the image is damaged or cut short ({type(error).__name__}: {error})",
                       "remove it or copy it again") from error


def _in_memory(file) -> io.BytesIO:
    """The content of a path or binary file, of which nobody can read more than there is.

    Python reserves what is asked for before it reads a file on the disk: a PNG of 330 bytes whose header
    announces a piece of 2 GB took as much.
    """
    if isinstance(file, io.BytesIO):
        return file
    return io.BytesIO(file.read() if hasattr(file, "read") else Path(file).read_bytes())


class _TooLarge(ValueError):
    pass


def _too_large(name, size) -> _TooLarge:
    return _TooLarge(f"{name}: the image has {size} pixels, allowed are {MAX_SIDE} a side and "
                     f"{MAX_PIXELS:,} in all; make it smaller, or raise reading.MAX_SIDE and MAX_PIXELS")


def _webp_size(head: bytes) -> tuple[int, int]:
    """Width and height in the first 30 bytes of a WEBP file (RFC 9649); zeros for another.

    Pillow reserves room for two pictures when it opens one, 932 MB for a file of 140 bytes.
    """
    def number(start, stop):
        return int.from_bytes(head[start:stop], "little")

    if head[:4] != b"RIFF" or head[8:12] != b"WEBP":
        return 0, 0
    if head[12:16] == b"VP8X":
        return 1 + number(24, 27), 1 + number(27, 30)
    if head[12:16] == b"VP8L":
        return 1 + number(21, 25) % 2**14, 1 + (number(21, 25) >> 14) % 2**14
    return number(26, 28) % 2**14, number(28, 30) % 2**14


def _check_size(size: tuple[int, int], name):
    width, height = size
    if max(width, height) > MAX_SIDE or width * height > MAX_PIXELS:
        raise _too_large(name, f"{width} x {height}")


def read_text(path, limit: int = 2**26) -> str:
    """The text of a file of at most ``limit`` bytes in UTF-8.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is larger or no text.

    >>> "def read_text" in read_text(__file__)
    True
    """
    path = Path(path)
    size = path.stat().st_size
    if size > limit:
        raise bad_file(path, f"it has {size:,} bytes, allowed are {limit:,}",
                       "check that it is the right file")
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise bad_file(path, f"it is no text in UTF-8 ({error})", "save it again as UTF-8") from error


def read_idx(path, ndim: int | None = None) -> np.ndarray:
    """The array in an IDX file, the format of MNIST, plain or gzipped.

    Two zero bytes, one for the type, one for the number of dimensions, their sizes as big-endian 32-bit
    numbers, then the values; see http://yann.lecun.com/exdb/mnist/.

    Args:
        ndim: how many dimensions there must be.

    Raises:
        FileNotFoundError: there is none.
        ValueError: another format, another number of dimensions, or more or fewer values than announced.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "labels-idx1-ubyte"
    >>> _ = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9]))
    >>> read_idx(path)
    array([7, 9], dtype=uint8)
    """
    path = Path(path)
    stored = path.stat().st_size
    with open(path, "rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    try:
        with (gzip.open if zipped else open)(path, "rb") as file:
            dtype, shape = _idx_header(file, path)
            if ndim is not None and len(shape) != ndim:
                raise bad_file(path, f"it holds an array of shape {shape}, but one of {ndim} dimensions "
                               "belongs here", "check that images and labels were not mixed up")
            size = math.prod(shape) * dtype.itemsize
            present = stored * DEFLATE_RATIO if zipped else stored - 4 - 4 * len(shape)
            if size > min(present, MAX_BYTES) or (not zipped and size < present):
                held = f"at most {present:,}" if zipped else f"{present:,}"
                raise bad_file(
                    path,
                    f"its header announces {shape} values in {size:,} bytes, but it holds "
                    f"{held} (allowed are {MAX_BYTES:,})",
                )
            array = np.empty(shape, dtype)
            if file.readinto(memoryview(array.reshape(-1)).cast("B")) != size:
                raise bad_file(path, f"it ends before the {size:,} bytes that its header announces")
            if file.read(1):  # reads the check sum of gzip, too
                raise bad_file(path, f"it goes on after the {size:,} bytes that its header announces")
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise bad_file(path, f"the gzip data is damaged or cut short ({error})") from error
    return array.astype(dtype.newbyteorder("="), copy=False)


def _idx_header(file, path):
    magic = file.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _IDX_DTYPES or not 1 <= magic[3] <= 8:
        raise bad_file(path, f"it is no IDX file: it begins with {magic!r}",
                       "an IDX file begins with two zero bytes, the type and the number of dimensions")
    sizes = file.read(4 * magic[3])
    if len(sizes) < 4 * magic[3]:
        raise bad_file(path, "it ends within its header")
    return np.dtype(_IDX_DTYPES[magic[2]]), tuple(np.frombuffer(sizes, ">u4").tolist())


def check_labels(labels, count: int, path) -> np.ndarray:
    """Labels as int64, if all lie in 0..count-1.

    Raises:
        ValueError: one does not.

    >>> check_labels([0, 2], 3, "labels.txt")
    array([0, 2])
    """
    labels = np.asarray(labels)
    if labels.size and labels.dtype.kind not in "iu":
        raise bad_file(path, f"labels are whole numbers, but these are {labels.dtype}", "mend the file")
    labels = labels.astype(np.int64)
    wrong = (labels < 0) | (labels >= count)
    if wrong.any():
        place = int(np.argmax(wrong))
        raise bad_file(path, f"label {labels[place]} of sample {place} is not in 0..{count - 1}",
                       "check that it is the file of this data set")
    return labels


def inside(folder, name, path) -> str:
    """``folder/name`` as text, if a list file's ``name`` does not lead out of the folder.

    Raises:
        ValueError: it does.

    >>> inside("data", "cat/1.jpg", "list.txt")
    'data/cat/1.jpg'
    """
    parts = Path(str(name).replace("\\", "/")).parts
    if not parts or Path(name).is_absolute() or ".." in parts or "\0" in str(name):
        raise bad_file(path, f"it names {str(name)[:200]!r}, which leads out of its folder",
                       "file names in lists are relative and without '..'")
    return os.path.join(folder, *parts)
