"""Which data sets there are, and what a file or folder holds.

    KNOWN["mnist"].open(root)      {"train": dataset, "test": dataset} of a set known by name
    recognise("data/dogs5.zip")    the same for any folder, archive or file, told by its content
"""

import hashlib
import secrets
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinygrad_hw.utils.files import cache_folder
from tinygrad_hw.vision import datasets
from tinygrad_hw.vision.datasets.archives import extract, is_archive
from tinygrad_hw.vision.datasets.lists import read_json
from tinygrad_hw.vision.datasets.pickles import load_pickle
from tinygrad_hw.vision.datasets.reading import bad_file

EMBEDDED, DOWNLOAD, BY_HAND = "embedded", "download", "by hand"
_PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
MAX_BYTES = 2**30  # of the arrays in one .npz file


@dataclass(frozen=True)
class Known:
    """A data set with a name: what it is, how one gets it, and how it is opened."""

    summary: str
    source: str
    place: str
    open: Callable


def _train_and_test(kind):
    """Opens both parts of a set with the argument `train`."""

    def open(root, download=False):
        return {"train": kind(root, train=True, download=download),
                "test": kind(root, train=False, download=download)}

    return open


def _splits(kind):
    """Opens the three parts of a set that is drawn; `root` None is the cache."""

    def open(root, download=False):
        root = None if root is None or Path(root) == cache_folder() else root
        return {split: kind(root, split) for split in ("train", "validation", "test")}

    return open


def _nist36(root, download=False):
    parts = {"train": datasets.NIST36(root)}
    for split in ("validation", "test"):
        try:
            parts[split] = datasets.NIST36(root, split)
        except FileNotFoundError:
            continue
    return parts


KNOWN = {
    "glyph36": Known("16,200 drawn characters, 36 classes, 32x32 grey", EMBEDDED,
                     "glyph36-0.npz", _splits(datasets.Glyph36)),
    "shapes5": Known("3,000 drawn scenes, 5 classes, 64x64 colour", EMBEDDED,
                     "shapes5-0.npz", _splits(datasets.Shapes5)),
    "mnist": Known("70,000 handwritten digits, 10 classes, 28x28 grey, 12 MB", DOWNLOAD,
                   "MNIST/raw", _train_and_test(datasets.MNIST)),
    "fashion-mnist": Known("70,000 articles of clothing, 10 classes, 28x28 grey, 31 MB", DOWNLOAD,
                           "FashionMNIST/raw", _train_and_test(datasets.FashionMNIST)),
    "cifar10": Known("60,000 pictures, 10 classes, 32x32 colour, 170 MB", DOWNLOAD,
                     "cifar-10-batches-py", _train_and_test(datasets.CIFAR10)),
    "cifar100": Known("60,000 pictures, 100 classes, 32x32 colour, 169 MB", DOWNLOAD,
                      "cifar-100-python", _train_and_test(datasets.CIFAR100)),
    "nist36": Known("handwritten characters in .mat files, 36 classes, 32x32 grey", BY_HAND,
                    "nist36_train.mat", _nist36),
}


def recognise(path) -> dict:
    """{split: data set} of a folder, archive (unpacked into the cache) or file.

    Folders: IDX files (in one whose name has "fashion": FashionMNIST), CIFAR batches, .mat files of
    NIST36, `my_dataset.txt` (COCO subset), `train_files.txt` (SUN), `labels.csv`, `ground_truth.json`
    (pages), or folders of classes, with or without `train`, `val` and `test` above. Files: .npz and .npy
    arrays, pickles of data, JSON.
    Raises FileNotFoundError; ValueError for content that is damaged or of no known kind.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "numbers.npy"
    >>> np.save(path, np.zeros((3, 2)))
    >>> {split: len(dataset) for split, dataset in recognise(path).items()}
    {'all': 3}
    """
    path = Path(path)
    if path.is_dir():
        return _folder(path)
    if not path.exists():
        raise FileNotFoundError(f"no file or folder {path}")
    for name, kind in (("cifar-100", datasets.CIFAR100), ("cifar-10", datasets.CIFAR10)):
        if path.name.startswith(name) and is_archive(path):
            return _train_and_test(kind)(path.parent)
    if is_archive(path):
        return _folder(unpacked(path))
    readers = {".npz": _npz, ".npy": lambda path: {"all": datasets.MemoryMappedDataset(path)},
               ".pkl": lambda path: _tables(load_pickle(path), path), ".json": _json}
    if path.suffix not in readers:
        raise ValueError(f"{path} is none of the known files: a folder, an archive, "
                         f"or {', '.join(readers)}")
    return readers[path.suffix](path)


def unpacked(archive) -> Path:
    """The folder in the cache with the content of an archive, unpacked once for each of its versions."""
    archive = Path(archive).resolve()
    state = archive.stat()
    mark = hashlib.sha256(f"{archive} {state.st_size} {state.st_mtime_ns}".encode()).hexdigest()[:12]
    folder = cache_folder() / "unpacked" / f"{archive.name.split('.')[0]}-{mark}"
    if not folder.is_dir():
        working = folder.with_name(f".{folder.name}.{secrets.token_hex(6)}.tmp")
        try:
            extract(archive, working)
            working.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another process has just unpacked it
                raise
        finally:
            shutil.rmtree(working, ignore_errors=True)
    return folder


def _folder(folder) -> dict:
    names = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
    if any(name.endswith("_train.mat") for name in names):
        return _nist36(folder)
    if any(name.startswith("train-images-idx3-ubyte") for name in names):
        fashion = "fashion" in folder.name.lower()
        return _train_and_test(datasets.FashionMNIST if fashion else datasets.MNIST)(folder)
    for kind in (datasets.CIFAR10, datasets.CIFAR100):
        if kind.base_folder in names or kind.binary_folder in names:
            return _train_and_test(kind)(folder)
    if datasets.COCOSubset.dictionary in names:
        return {split: datasets.COCOSubset(folder, split) for split in ("train", "validation")}
    if "train_files.txt" in names:
        parts = {"train": datasets.SUN(folder)}
        return parts | ({"test": datasets.SUN(folder, False)} if "test_files.txt" in names else {})
    for name, kind in (("labels.csv", datasets.CSVFolder), ("ground_truth.json", datasets.TextPages)):
        if name in names:
            return {"all": kind(folder)}
    if "train" in names:
        return {split: datasets.ImageFolder(folder / name) for name, split in
                (("train", "train"), ("val", "validation"), ("valid", "validation"), ("test", "test"))
                if name in names}
    if len(names) == 1 and (folder / names[0]).is_dir() and not _has_pictures(folder / names[0]):
        return _folder(folder / names[0])
    if any((folder / name).is_dir() and _has_pictures(folder / name) for name in names):
        return {"all": datasets.ImageFolder(folder, allow_empty=True)}
    raise ValueError(
        f"{folder} holds no data set of a known kind, but {', '.join(names[:8]) or 'nothing'}"
    )


def _has_pictures(folder) -> bool:
    return any(entry.suffix.lower() in _PICTURES for entry in folder.iterdir())


def _npz(path) -> dict:
    """The arrays of a .npz file that belong together: NAME_inputs with NAME_outputs, or each alone."""
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(info.file_size for info in archive.infolist())
        if size > MAX_BYTES:
            raise bad_file(path, f"its arrays have {size:,} bytes, allowed are {MAX_BYTES:,}",
                           "check that it is the right file")
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except (zipfile.BadZipFile, EOFError, OSError) as error:
        raise bad_file(path, f"it is damaged or cut short ({error})") from error
    parts = {}
    for name, array in arrays.items():
        outputs = arrays.get(name.removesuffix("_inputs") + "_outputs")
        if name.endswith("_inputs") and outputs is not None and len(outputs) == len(array):
            parts[name.removesuffix("_inputs")] = datasets.ArrayDataset(array, outputs)
        elif not (name.endswith("_outputs") and name.removesuffix("_outputs") + "_inputs" in arrays):
            parts[name] = datasets.ArrayDataset(np.atleast_1d(array))
    return parts


def _tables(content, path) -> dict:
    """{NAME: {"inputs": rows, "outputs": values}} as data sets."""
    parts = {}
    for name, table in content.items() if isinstance(content, dict) else ():
        if isinstance(table, dict) and {"inputs", "outputs"} <= table.keys():
            try:
                inputs = np.array([np.hstack(row) for row in table["inputs"]], float)
                outputs = np.array(table["outputs"], float)
            except (TypeError, ValueError) as error:
                raise bad_file(path, f"the rows of {name!r} are not numbers of one shape ({error})",
                               "mend the table") from error
            parts[str(name)] = datasets.ArrayDataset(inputs, outputs)
    if not parts:
        raise bad_file(path, "it holds no tables with 'inputs' and 'outputs'", "use it by load_pickle")
    return parts


def _json(path) -> dict:
    """A dictionary or list of records."""
    content = read_json(path)
    if not isinstance(content, (dict, list)):
        raise bad_file(path, f"it holds one {type(content).__name__}, no records", "use it by itself")
    return {"records": datasets.ArrayDataset(
        list(content.items()) if isinstance(content, dict) else content)}
