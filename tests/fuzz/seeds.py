"""Whole files of every kind, small, so that few bytes are without meaning; and files that mean harm."""

from __future__ import annotations

import collections
import gzip
import io
import json
import os
import pickle
import struct
import zipfile

import numpy as np
import safetensors.numpy
from PIL import Image

import tinygrad_hw as thw
from nets.runs import environment

__all__ = ["CANARY", "Harm", "harmful_pickles", "idx_files", "images", "json_configs", "mat_files",
           "npz_files", "pickles", "pth_files", "saved_files"]

CANARY = "canary"  # the file that harmful pickles make, in the folder of the process


class Harm:
    """Its pickle runs a command when it is loaded as pickles are."""

    def __init__(self, function=os.system, *arguments):
        self.call = function, arguments or (f"touch {CANARY}",)

    def __reduce__(self):
        return self.call


def harmful_pickles() -> list[bytes]:
    """Pickles that make the file CANARY if anything in them is called."""
    harms = [Harm(), Harm(eval, f"open({CANARY!r}, 'w')"), Harm(open, CANARY, "w")]
    whole = [pickle.dumps({"data": harm}, protocol) for harm in harms for protocol in (0, 2, 4)]
    return [*whole, f"cos\nsystem\n(S'touch {CANARY}'\ntR.".encode(),
            f"(S'touch {CANARY}'\nios\nsystem\n.".encode()]


def saved_files() -> list[bytes]:
    """Of `tinygrad_hw.save`, and safetensors of others."""
    thw.manual_seed(0)
    net = thw.nn.Sequential(thw.nn.Linear(2, 2), thw.nn.BatchNorm1d(2))
    optimizer = thw.optim.Adam(net.parameters())
    net(thw.rand(3, 2)).sum().backward()
    optimizer.step()
    values = [net.state_dict(), {"optimizer": optimizer.state_dict(), "epoch": 3},
              [1, 2.5, (None, True, {"a": b"bytes"}), {1, 2}, float("nan"), collections.Counter("ab")]]
    files = []
    for value in values:
        stream = io.BytesIO()
        thw.save(value, stream)
        files.append(stream.getvalue())
    return [*files, safetensors.numpy.save({"x": np.arange(4), "y": np.zeros((0, 2), np.float16)})]


def pickles() -> list[bytes]:
    """Batches of CIFAR, as Python 2 and 3 write them."""
    batch = {b"data": np.zeros((1, 24), np.uint8), b"labels": [3], b"filenames": [b"a.png"], b"n": 2**40}
    return [pickle.dumps(batch, protocol) for protocol in (2, 3, 4, 5)] + [
        pickle.dumps([np.float32(1), np.asfortranarray(np.eye(2)), {1, 2}, (None, 1.5, "a")], 2)]


def pth_files() -> list[bytes]:
    """As ``torch.save`` writes them: by hand, since PyTorch is not needed for the tests."""
    tensor = (b"ctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\n"
              b"X\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQK\x00K\x02K\x02\x86K\x02K\x01\x86\x89"
              b"ccollections\nOrderedDict\n)RtR")
    weights = b"\x80\x02ccollections\nOrderedDict\n)R(X\x06\x00\x00\x00weight" + tensor + b"u."
    return [_zip({"a/data.pkl": weights, "a/data/0": struct.pack("<4f", 1, 2, 3, 4), "a/version": b"3\n",
                  "a/byteorder": b"little"}, zipfile.ZIP_STORED)]


def npz_files() -> list[bytes]:
    """Of ``numpy.savez``, as they are and compressed; and by LZMA, which takes what memory it asks for."""
    stream = io.BytesIO()
    np.save(stream, np.arange(3.0))
    files = [_zip({"weight.npy": stream.getvalue()}, zipfile.ZIP_LZMA)]
    for save in (np.savez, np.savez_compressed):
        stream = io.BytesIO()
        save(stream, weight=np.arange(6.0).reshape(2, 3), bias=np.zeros(2, np.float32))
        files.append(stream.getvalue())
    return files


def _zip(members: dict[str, bytes], kind) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", kind) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, kind)
    return stream.getvalue()


def mat_files() -> list[bytes]:
    """In the layout of NIST36: two pictures with their labels."""
    import scipy.io

    files = []
    for compressed in (False, True):
        stream = io.BytesIO()
        scipy.io.savemat(stream, {"train_data": np.zeros((2, 1024), np.uint8),
                                  "train_labels": np.eye(36, dtype=np.uint8)[:2]}, do_compression=compressed)
        files.append(stream.getvalue())
    return files


def idx_files() -> list[bytes]:
    """Of MNIST: three labels, two pictures; plain and zipped."""
    labels = struct.pack(">HBBI", 0, 8, 1, 3) + bytes([1, 2, 3])
    pixels = struct.pack(">HBB3I", 0, 8, 3, 2, 4, 4) + bytes(range(32))
    numbers = struct.pack(">HBB2I", 0, 13, 2, 2, 1) + struct.pack(">2f", 1, 2)
    return [labels, pixels, numbers, gzip.compress(labels, mtime=0), gzip.compress(pixels, mtime=0)]


def images() -> list[bytes]:
    """One of each format that is read, in several colours; the JPEGs were taken with the camera turned."""
    noise = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    colours, files = Image.fromarray(noise), []
    turned = Image.Exif()
    turned[0x0112] = 6  # orientation
    for kind in ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM"):
        for mode in ("RGB", "L"):
            files.append(_image(colours.convert(mode), kind, **{"exif": turned} if kind == "JPEG" else {}))
    return [*files, _image(colours.convert("RGBA"), "PNG"),
            _image(colours.convert("P"), "PNG", transparency=3),
            _image(Image.fromarray(noise[..., 0].astype(np.uint16) * 200), "PNG"),
            _image(colours.convert("F"), "TIFF"),
            _image(colours, "GIF", save_all=True, append_images=[colours.rotate(90)])]


def _image(image, kind, **options) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def json_configs() -> list[bytes]:
    """config.json of a run."""
    facts = {"name": "demo", "config": {"epochs": 3, "lr": 0.1, "data": None, "classes": ["a", "b"]},
             "environment": environment()}
    return [json.dumps(facts).encode(), json.dumps(facts, indent=2).encode()]
