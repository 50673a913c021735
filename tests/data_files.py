"""Small files in the formats of the official data sets, for tests."""

import gzip
import io
import json
import pickle
import struct
import tarfile
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
from PIL import Image

RNG = np.random.default_rng(0)


def idx(array, dtype=8):
    """An array of bytes as the content of an IDX file."""
    return struct.pack(f">HBB{array.ndim}I", 0, dtype, array.ndim, *array.shape) + array.tobytes()


def write_mnist(folder, count=7, zipped=True):
    """The four files of MNIST; returns images and labels of the training set."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in ("t10k", "train"):
        images = RNG.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        labels = RNG.integers(0, 10, count, dtype=np.uint8)
        for name, content in (("images-idx3", idx(images)), ("labels-idx1", idx(labels))):
            path = folder / f"{part}-{name}-ubyte{'.gz' if zipped else ''}"
            path.write_bytes(gzip.compress(content) if zipped else content)
    return images, labels


def write_cifar(folder, classes=10, count=4, protocol=2):
    """The python version of CIFAR-10 or -100; returns training images (N, 32, 32, 3), labels."""
    hundred = classes == 100
    folder = folder / ("cifar-100-python" if hundred else "cifar-10-batches-py")
    folder.mkdir(parents=True)
    key = "fine_labels" if hundred else "labels"
    rows, labels = [], []
    for name in (
        ["train", "test"] if hundred else [f"data_batch_{n}" for n in range(1, 6)] + ["test_batch"]
    ):
        rows.append(RNG.integers(0, 256, (count, 3072), dtype=np.uint8))
        labels.append(RNG.integers(0, classes, count).tolist())
        entry = {"data": rows[-1], key: labels[-1], "filenames": ["a.png"] * count}
        (folder / name).write_bytes(pickle.dumps(entry, protocol))
    names = [f"kind {number}" for number in range(classes)]
    meta = {"fine_label_names" if hundred else "label_names": names}
    (folder / ("meta" if hundred else "batches.meta")).write_bytes(pickle.dumps(meta, protocol))
    return as_images(np.concatenate(rows[:-1])), sum(labels[:-1], [])


def as_images(rows):
    """Rows of 3072 bytes as (N, 32, 32, 3)."""
    return rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)


def tar(path, files, change=None):
    """A tar.gz of {name: content}; ``change`` may alter each member's description."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            if change:
                change(info)
            archive.addfile(info, io.BytesIO(content) if info.isreg() else None)


def png(width=8, height=6, colour=(200, 30, 60)):
    """The content of a PNG file."""
    stream = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(stream, "PNG")
    return stream.getvalue()


def jpeg(width=80, height=60, seed=0):
    """The content of a JPEG file of noise, which makes it larger than a kilobyte."""
    noise = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).save(stream, "JPEG")
    return stream.getvalue()


def write_pictures(root, classes=("cat", "dog"), count=3):
    """``root/CLASS/N.png``."""
    for label, name in enumerate(classes):
        (root / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            (root / name / f"{number}.png").write_bytes(png(colour=(label * 100, number * 50, 7)))


def write_json(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


@contextmanager
def server(answer):
    """A web server on loopback; ``answer(handler)`` serves each GET. Yields its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            try:
                answer(self)
            except (BrokenPipeError, ConnectionResetError):
                pass

        def log_message(self, *args):
            pass

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.daemon_threads = True
    thread = threading.Thread(
        target=listening.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
    )
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.server_address[1]}"
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()


def send(handler, content, kind="application/octet-stream", status=200, headers=()):
    """A whole answer; ``kind`` None leaves the content type out."""
    handler.send_response(status)
    if kind is not None:
        handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(content)))
    for name, value in headers:
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(content)
