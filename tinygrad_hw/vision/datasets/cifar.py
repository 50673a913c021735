"""CIFAR-10 and CIFAR-100: 32 x 32 colour images, from the python or the binary version."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np

from tinygrad_hw.vision.datasets.archives import extract, read_members
from tinygrad_hw.vision.datasets.download import download_url
from tinygrad_hw.vision.datasets.pickles import load_pickle
from tinygrad_hw.vision.datasets.reading import bad_file, check_labels
from tinygrad_hw.vision.datasets.vision import ImageArrays, first_existing, not_found

__all__ = ["CIFAR10", "CIFAR100"]

_PIXELS = 3 * 32 * 32
MAX_BYTES = 2**28  # of one file; the largest official one has 155 MB


class CIFAR10(ImageArrays):
    """Ten kinds of animals and vehicles (Krizhevsky, https://www.cs.toronto.edu/~kriz/cifar.html).

    Args:
        root: folder that holds ``cifar-10-batches-py`` (python version) or ``cifar-10-batches-bin``
            (binary version), or an archive with one of them, which is then read as it is.
        train: the training set, else the test set.
        transform, target_transform: called with the PIL image and the label.
        download: fetch and unpack the python version, unless a version is there.

    Attributes:
        data: uint8 (N, 32, 32, 3).
        targets: list of labels.
        classes, class_to_idx: names of the labels.

    Raises:
        RuntimeError: there are no files, or they cannot be fetched.
        ValueError: a file is damaged, or a pickle wants to run code.

    >>> CIFAR10("/no/such/folder")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    RuntimeError: CIFAR10: Dataset not found. Looked for ...; use download=True to fetch it
    """

    base_folder = "cifar-10-batches-py"
    binary_folder = "cifar-10-batches-bin"
    url = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
    filename = "cifar-10-python.tar.gz"
    binary_filename = "cifar-10-binary.tar.gz"
    tgz_md5 = "c58f30108f718f92721af3b95e74349a"
    train_list = [f"data_batch_{number}" for number in range(1, 6)]
    test_list = ["test_batch"]
    meta = {"filename": "batches.meta", "key": "label_names"}
    binary_meta = "batches.meta.txt"
    labels_key = "labels"
    label_bytes = 1  # in front of each image of the binary version; the last one counts
    class_count = 10

    def __init__(self, root, train=True, transform=None, target_transform=None, download=False):
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        self.split = "train" if train else "test"
        if download:
            self.download()
        self._place, self._binary = self._find()
        suffix = ".bin" if self._binary else ""
        wanted = [name + suffix for name in (self.train_list if train else self.test_list)]
        meta = self.binary_meta if self._binary else self.meta["filename"]
        files = self._read([*wanted, meta])
        batches = [self._batch(files[name], name) for name in self._present(wanted, files)]
        pixels = np.concatenate([images for images, _ in batches])
        self.data = np.ascontiguousarray(pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
        self.targets = np.concatenate([labels for _, labels in batches]).tolist()
        self.classes = self._class_names(files, meta)

    def _candidates(self):
        root = Path(self.root)
        return [(root / self.base_folder, False), (root / self.binary_folder, True),
                (root / self.filename, False), (root / self.binary_filename, True)]

    def _find(self):
        """The folder or archive, and whether it is the binary version."""
        paths = dict(self._candidates())
        found = first_existing(paths)
        if found is None:
            raise not_found(type(self).__name__, paths, "use download=True to fetch it")
        return found, paths[found]

    def _read(self, names) -> dict[str, bytes]:
        """{name: content} of those files that are there."""
        if not self._place.is_dir():
            return read_members(self._place, names, MAX_BYTES)
        files = {}
        for path in (self._place / name for name in names):
            if path.exists():
                size = path.stat().st_size
                if size > MAX_BYTES:
                    raise bad_file(path, f"it has {size:,} bytes, allowed are {MAX_BYTES:,}",
                                   "check that it is the right file")
                files[path.name] = path.read_bytes()
        return files

    def _present(self, names, files):
        """Those of the batches that are there; at least one must be."""
        present = [name for name in names if name in files]
        if not present:
            raise not_found(type(self).__name__, [f"{self._place}/{name}" for name in names],
                            "unpack it again or use download=True")
        if len(present) < len(names):
            missing = ", ".join(name for name in names if name not in files)
            warnings.warn(f"{self._place} lacks {missing}: the {self.split} set is not complete",
                          stacklevel=3)
        return present

    def _batch(self, content: bytes, name: str):
        """Images (N, 3072) and labels (N,) of one file."""
        path = self._place / name
        if self._binary:
            row = self.label_bytes + _PIXELS
            if not content or len(content) % row:
                raise bad_file(path, f"it has {len(content):,} bytes, which is no multiple of {row}")
            rows = np.frombuffer(content, np.uint8).reshape(-1, row)
            images, labels = rows[:, self.label_bytes:], rows[:, self.label_bytes - 1]
        else:
            images, labels = self._from_pickle(content, path)
        return images, check_labels(labels, self.class_count, path)

    def _from_pickle(self, content, path):
        entry = _dictionary(content, path)
        if not {"data", self.labels_key} <= entry.keys():
            raise bad_file(path, f"the pickle holds no dictionary with 'data' and {self.labels_key!r}",
                           f"check that it is a file of {type(self).__name__}")
        images, labels = entry["data"], entry[self.labels_key]
        shape = getattr(images, "shape", type(images).__name__)
        if getattr(images, "dtype", None) != np.uint8 or images.ndim != 2 or images.shape[1] != _PIXELS:
            raise bad_file(path, f"its images have shape {shape}, but bytes (N, {_PIXELS}) belong here",
                           f"check that it is a file of {type(self).__name__}")
        if not isinstance(labels, (list, np.ndarray)) or len(labels) != len(images):
            raise bad_file(path, f"it holds {len(images)} images and other than so many labels")
        if not all(isinstance(label, (int, np.integer)) for label in labels):
            raise bad_file(path, "its labels are not whole numbers")
        return images, labels

    def _class_names(self, files, name) -> list[str]:
        path = self._place / name
        if name not in files:
            raise not_found(type(self).__name__, [path], "unpack it again or use download=True")
        content = files[name]
        if self._binary:
            names = content.decode("utf-8", "replace").split()
        else:
            names = _dictionary(content, path).get(self.meta["key"])
        names = [_text(entry) for entry in names] if isinstance(names, list) else []
        if len(names) != self.class_count or not all(isinstance(entry, str) for entry in names):
            raise bad_file(path, f"it does not hold the names of {self.class_count} classes")
        return names

    def download(self) -> None:
        """Fetch and unpack the python version, unless a version is there.

        Raises:
            RuntimeError: the server cannot be reached, or the check sum is wrong.
        """
        if first_existing(path for path, _ in self._candidates()[:2]) is None:
            extract(download_url(self.url, self.root, self.filename, self.tgz_md5), self.root)


class CIFAR100(CIFAR10):
    """A hundred kinds, otherwise like `CIFAR10`; the labels are the fine ones.

    >>> CIFAR100.base_folder
    'cifar-100-python'
    """

    base_folder = "cifar-100-python"
    binary_folder = "cifar-100-binary"
    url = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
    filename = "cifar-100-python.tar.gz"
    binary_filename = "cifar-100-binary.tar.gz"
    tgz_md5 = "eb9058c3a382ffc7106e4002c42a8d85"
    train_list = ["train"]
    test_list = ["test"]
    meta = {"filename": "meta", "key": "fine_label_names"}
    binary_meta = "fine_label_names.txt"
    labels_key = "fine_labels"
    label_bytes = 2
    class_count = 100


def _text(value):
    """Text that Python 2 or a protocol for it has stored as bytes."""
    return value.decode("latin1") if isinstance(value, bytes) else value


def _dictionary(content, path) -> dict:
    """The pickled dictionary, its keys as text; empty if it is something else."""
    entry = load_pickle(content, path)
    return {_text(key): value for key, value in entry.items()} if isinstance(entry, dict) else {}
