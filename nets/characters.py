"""Pictures of the 36 characters A-Z and 0-9: drawn on the spot, or read from .mat files.

    splits = load()                  # glyph36, made from fonts (see glyphs.py)
    splits = load("data/nist36")     # <name>_train.mat, <name>_valid.mat[, <name>_test.mat]
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nets import glyphs

CLASSES = glyphs.CLASSES
SIDE = glyphs.SIDE


@dataclass(frozen=True)
class Characters:
    """One split: images float32 (N, 1, 32, 32), upright, ink 0 on paper 1; labels int64 (N,).

    >>> empty = Characters(np.zeros((0, 1, 32, 32), np.float32), np.zeros(0, np.int64))
    >>> len(empty), empty.classes[:3]
    (0, 'ABC')
    """

    images: np.ndarray
    labels: np.ndarray
    classes: str = CLASSES

    def __len__(self):
        return len(self.labels)


class Splits(NamedTuple):
    """What to train on, to choose settings by, and to report once at the end (test may be None)."""

    train: Characters
    validation: Characters
    test: Characters | None = None


def load(folder=None, name=None, seed=0):
    """The splits of glyph36 or, with a `folder`, of a data set in the layout of the NIST36 files.

    name: which data set, where the folder holds several `<name>_train.mat`; seed: of glyph36 only.
    Raises FileNotFoundError for missing files, ValueError for files with other content.

    >>> splits = load()
    >>> splits.train.images.shape, splits.validation.images.shape, splits.test.labels.dtype
    ((10800, 1, 32, 32), (3600, 1, 32, 32), dtype('int64'))
    """
    if folder is None:
        return Splits(*(Characters(*split) for split in glyphs.load(seed)))
    folder = Path(folder)
    name = _find_name(folder) if name is None else name
    train = load_mat(folder / f"{name}_train.mat", "train")
    validation = load_mat(folder / f"{name}_valid.mat", "valid")
    test_path = folder / f"{name}_test.mat"
    return Splits(train, validation, load_mat(test_path, "test") if test_path.exists() else None)


def load_mat(path, split):
    """One .mat file: `<split>_data` (N, 1024) in 0..1 and one-hot `<split>_labels` (N, 36).

    MATLAB stores columns first, so each row of the data holds a transposed image; it is turned
    upright here. Names and shapes are checked before any value is read.
    Raises FileNotFoundError, or ValueError that says what is wrong with the file.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}; a NIST36 folder holds <name>_train.mat, "
                                f"<name>_valid.mat and perhaps <name>_test.mat")
    data, labels = _read_mat(path, f"{split}_data", f"{split}_labels")
    _check_data(path, f"{split}_data", data)
    _check_one_hot(path, f"{split}_labels", labels)
    images = data.astype(np.float32).reshape(-1, 1, SIDE, SIDE).swapaxes(2, 3)
    return Characters(np.ascontiguousarray(images), labels.argmax(axis=1).astype(np.int64))


def _find_name(folder):
    """The one `<name>` of which the folder holds `<name>_train.mat`."""
    if not folder.is_dir():
        raise FileNotFoundError(f"no folder {folder}; give the folder that holds <name>_train.mat and "
                                f"<name>_valid.mat, or none for the built-in glyph36")
    names = sorted(path.name[:-len("_train.mat")] for path in folder.glob("*_train.mat"))
    if not names:
        found = ", ".join(sorted(path.name for path in folder.iterdir())[:10]) or "nothing"
        raise FileNotFoundError(f"looked for <name>_train.mat and <name>_valid.mat in {folder}, "
                                f"found {found}")
    if len(names) > 1:
        raise ValueError(f"{folder} holds several data sets ({', '.join(names)}); choose one by name=")
    return names[0]


def _read_mat(path, data_key, labels_key):
    """The two arrays of a .mat file, refused by their headers if names or shapes are wrong."""
    try:
        import scipy.io
    except ImportError as error:
        raise ImportError("reading .mat files needs SciPy: pip install scipy") from error
    try:
        shapes = {name: shape for name, shape, _ in scipy.io.whosmat(path)}
    except NotImplementedError as error:
        raise ValueError(f"{path} is a MATLAB 7.3 (HDF5) file; save it again in MATLAB with "
                         f"save(..., '-v7')") from error
    except Exception as error:  # SciPy raises nearly any type on a damaged file
        raise _damaged(path, error) from error
    for key, columns in ((data_key, SIDE * SIDE), (labels_key, len(CLASSES))):
        if key not in shapes:
            raise ValueError(f"{path} holds no array {key!r}, only {sorted(shapes)}; "
                             f"rename the array or use the file of this split")
        if len(shapes[key]) != 2 or shapes[key][1] != columns:
            raise ValueError(f"{key} in {path} must have shape (N, {columns}), got {shapes[key]}")
    if shapes[data_key][0] != shapes[labels_key][0]:
        raise ValueError(f"{path} holds {shapes[data_key][0]} images but {shapes[labels_key][0]} labels")
    if shapes[data_key][0] == 0:
        raise ValueError(f"{data_key} in {path} holds no images")
    try:
        stored = scipy.io.loadmat(path, variable_names=[data_key, labels_key])
        arrays = stored[data_key], stored[labels_key]
    except Exception as error:
        raise _damaged(path, error) from error
    return _numbers(path, data_key, arrays[0]), _numbers(path, labels_key, arrays[1])


def _damaged(path, error):
    return ValueError(f"{path} is not a whole .mat file ({type(error).__name__}: {error}); it may be "
                      f"cut short or of another format: download or save it again")


def _numbers(path, key, array):
    """The array if it is a plain one of numbers; not a cell array, struct, text or sparse matrix."""
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "biuf":
        kind = getattr(array, "dtype", type(array).__name__)
        raise ValueError(f"{key} in {path} must be a full matrix of real numbers, got {kind}")
    return array


def _check_data(path, key, data):
    """Refuse values that are not in 0..1 or not numbers."""
    if not np.isfinite(data).all():
        row = int(np.argmin(np.isfinite(data).all(axis=1)))
        raise ValueError(f"{key} in {path} must be finite, but row {row} holds NaN or infinity")
    if data.min() < 0 or data.max() > 1:
        raise ValueError(f"{key} in {path} must lie in 0..1 (paper 1, ink 0), got "
                         f"{data.min():g}..{data.max():g}; divide 8-bit values by 255")


def _check_one_hot(path, key, labels):
    """Refuse rows that are not a single 1 among zeros."""
    wrong = ((labels != 0) & (labels != 1)).any(axis=1) | (labels.sum(axis=1) != 1)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(f"{key} in {path} must be one-hot (one 1 and 35 zeros a row); row {row} has "
                         f"the values {np.unique(labels[row])} with sum {labels[row].sum():g}")
