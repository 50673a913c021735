"""The table of what reads files of strangers, and what each reader may do with them."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import math
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import safetensors.numpy
from PIL import Image

import tinygrad_hw as thw
from nets.pretrained import weights
from nets.reading.pictures import load_grey
from nets.runs import read_config
from tests.fuzz import seeds
from tinygrad_hw.pth import read_pth
from tinygrad_hw.vision.datasets import matfiles, pickles, reading

__all__ = ["PARSERS", "Parser"]


@dataclass(frozen=True)
class Parser:
    """One reader.

    Attributes:
        seeds: whole files.
        read: called with the path of a file; its result, or an exception of ``errors``.
        errors: the documented ones for a file that is there.
        whole: tells whether a result is complete and of the documented kind.
        times, plus: bytes of memory it may take: times the file's length, and some more.
        layers: pairs of functions that take off and put on again what would hide the damage (compression, a
            checksum); taking off returns the pieces, of which one is damaged.
        tokens: words of the format.
        name: what the file is called.
    """

    seeds: Callable[[], list[bytes]]
    read: Callable
    whole: Callable
    times: float
    plus: int
    errors: tuple = (ValueError,)
    layers: tuple = ()
    tokens: list[bytes] = field(default_factory=list)
    name: str = "file"


# ------------------------------------------------------------------ layers


def _unzip(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {info.filename: archive.read(info) for info in archive.infolist()}


def _rezip(kind):
    def rezip(members):
        return seeds._zip(members, kind)

    return rezip


def _unseal(content: bytes) -> dict[str, bytes]:
    """A file of `tinygrad_hw.save` as its tree and its arrays."""
    length = int.from_bytes(content[:8], "little")
    metadata = json.loads(content[8:8 + length]).get("__metadata__", {})
    return {"tree": metadata.get("tinygrad_hw", "").encode(), "whole": content}


def _seal(pieces: dict[str, bytes]) -> bytes:
    """Put the tree back with a checksum that is right."""
    arrays = safetensors.numpy.load(pieces["whole"])
    text = pieces["tree"].decode("utf-8", "replace")
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"\0{name}\0{array.dtype}\0{array.shape}\0".encode() + array.tobytes())
    return safetensors.numpy.save(arrays, {"tinygrad_hw": text, "sha256": digest.hexdigest()})


def _inflate(content: bytes) -> dict[str, bytes]:
    return {"whole": gzip.decompress(content)}


def _deflate(pieces: dict[str, bytes]) -> bytes:
    return gzip.compress(pieces["whole"], 1, mtime=0)


def _unpack_mat(content: bytes) -> dict[str, bytes]:
    """The compressed elements of a .mat file (type 15), each behind its 8 bytes."""
    pieces, place = {"head": content[:128]}, 128
    while place < len(content):
        kind, size = np.frombuffer(content[place:place + 8], "<u4").tolist()
        if kind != 15:
            raise ValueError("not compressed")
        pieces[str(place)] = zlib.decompress(content[place + 8:place + 8 + size])
        place += 8 + size
    return pieces


def _pack_mat(pieces: dict[str, bytes]) -> bytes:
    parts = [pieces["head"]]
    for name, piece in pieces.items():
        if name != "head":
            packed = zlib.compress(piece, 1)
            parts.append(np.array([15, len(packed)], "<u4").tobytes() + packed)
    return b"".join(parts)


# ------------------------------------------------------------------ what is whole


def _arrays(value) -> bool:
    return isinstance(value, dict) and all(
        isinstance(key, str) and isinstance(array, np.ndarray) and array.nbytes == array.size * array.itemsize
        for key, array in value.items())


def _data(value, depth: int = 0) -> bool:
    """Nothing but data."""
    if isinstance(value, dict):
        return all(_data(key, depth + 1) and _data(entry, depth + 1) for key, entry in value.items())
    if isinstance(value, (list, tuple, set, frozenset)):
        return all(_data(entry, depth + 1) for entry in value)
    if isinstance(value, (np.ndarray, np.generic)):
        return value.dtype.kind in "biufSU"
    return value is None or isinstance(value, (bool, int, float, complex, str, bytes, bytearray, thw.Tensor,
                                               thw.dtype, thw.device))


def _pictures(value) -> bool:
    images, labels = value
    return images.shape[1:] == (1, 32, 32) and len(images) == len(labels) and bool(np.isfinite(images).all())


def _image(value) -> bool:
    return (isinstance(value, Image.Image) and value.mode == "RGB"
            and math.prod(value.size) <= reading.MAX_PIXELS)


def _page(grey) -> bool:
    return grey.dtype == np.float32 and grey.ndim == 2 and bool(np.isfinite(grey).all())


_PICKLE_TOKENS = [b"cos\nsystem\n", b"R", b"\x81", b"}", b"]", b"(", b"u.", b"cnumpy\nndarray\n",
                  b"\x8c\x02os", b"\x93", b"b", b"i", b"0", b"2", b"q\x00", b"h\x00", b"\x94",
                  b"\x8e", b"\x8d", b"\x95"]
_JSON_TOKENS = [b"{", b"}", b"[", b"]", b'"', b":", b",", b"null", b"1e999", b"NaN", b"[" * 2000,
                b"9" * 5000, b'"\\ud800"',
                b'{"tensor":["0.weight",true]}', b'{"tuple":[', b'{"dict":[[', b"-1"]

PARSERS = {
    "save": Parser(seeds.saved_files, lambda path: thw.load(path), _data, 100, 2**20,
                   layers=((_unseal, _seal),), tokens=_JSON_TOKENS),
    "pth": Parser(lambda: [*seeds.pth_files(), *seeds.harmful_pickles()], read_pth, _data, 200, 2**20,
                  layers=((_unzip, _rezip(zipfile.ZIP_STORED)),), tokens=_PICKLE_TOKENS, name="file.pth"),
    "npz": Parser(seeds.npz_files, weights.read, _arrays, 1032 * 2, 2**20,
                  layers=((_unzip, _rezip(zipfile.ZIP_DEFLATED)),), tokens=[b"'descr'", b"|O", b"True", b"("],
                  name="file.npz"),
    "weights": Parser(seeds.saved_files, weights.read, _arrays, 100, 2**20, name="file.safetensors"),
    "mat": Parser(seeds.mat_files, lambda path: matfiles.read_mat(path, "train"), _pictures, 1032 * 8, 2**21,
                  layers=((_unpack_mat, _pack_mat),)),
    "idx": Parser(seeds.idx_files, reading.read_idx, lambda array: isinstance(array, np.ndarray),
                  1032 * 2, 2**20, layers=((_inflate, _deflate),)),
    "pickle": Parser(lambda: [*seeds.pickles(), *seeds.harmful_pickles()], pickles.load_pickle, _data,
                     200, 2**20, tokens=_PICKLE_TOKENS),
    "image": Parser(seeds.images, reading.open_image, _image, 1, 8 * reading.MAX_PIXELS),
    "page": Parser(seeds.images, load_grey, _page, 1, 24 * reading.MAX_PIXELS),
    "json": Parser(seeds.json_configs, lambda path: read_config(Path(path).parent),
                   lambda facts: isinstance(facts["config"], dict), 100, 2**20, tokens=_JSON_TOKENS,
                   name="config.json"),
}
