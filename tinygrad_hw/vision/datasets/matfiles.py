"""The .mat files of the NIST36 character set, checked before they are believed."""

from pathlib import Path

import numpy as np

from tinygrad_hw.vision.datasets.glyphs import CLASSES, SIDE
from tinygrad_hw.vision.datasets.mat5 import matrices
from tinygrad_hw.vision.datasets.reading import DEFLATE_RATIO


def read_mat(path, split):
    """`<split>_data` (N, 1024) in 0..1 and one-hot `<split>_labels` (N, 36) of one file.

    Returns images float32 (N, 1, 32, 32), upright, and labels int64 (N,). MATLAB stores columns first,
    so each row of the data holds a transposed image; it is turned upright here. Names and shapes are
    checked before any value is read.
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
    return np.ascontiguousarray(images), labels.argmax(axis=1).astype(np.int64)


def find_name(folder):
    """The one `<name>` of which the folder holds `<name>_train.mat`.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> (folder / "nist36_train.mat").touch()
    >>> find_name(folder)
    'nist36'
    """
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
        found = {matrix.name: matrix for matrix in matrices(path.read_bytes())}
        shapes = {name: matrix.shape for name, matrix in found.items()}
    except NotImplementedError as error:
        raise ValueError(f"{path} is a MATLAB 7.3 (HDF5) file; save it again in MATLAB with "
                         f"save(..., '-v7')") from error
    except ValueError as error:
        raise _damaged(path, error) from error
    for key, columns in ((data_key, SIDE * SIDE), (labels_key, len(CLASSES))):
        if key not in shapes:
            raise ValueError(f"{path} holds no array {key!r}, only {sorted(shapes)[:10]}; "
                             f"rename the array or use the file of this split")
        if len(shapes[key]) != 2 or shapes[key][1] != columns:
            raise ValueError(f"{key} in {path} must have shape (N, {columns}), got {shapes[key]}")
    if shapes[data_key][0] != shapes[labels_key][0]:
        raise ValueError(f"{path} holds {shapes[data_key][0]} images but {shapes[labels_key][0]} labels")
    announced, stored = shapes[data_key][0] * SIDE * SIDE, path.stat().st_size
    if announced > stored * DEFLATE_RATIO:  # a value takes a byte at least before it is compressed
        raise ValueError(f"{data_key} in {path} announces {announced:,} values, which {stored:,} bytes "
                         "cannot hold; download or save it again")
    if shapes[data_key][0] == 0:
        raise ValueError(f"{data_key} in {path} holds no images")
    return _numbers(path, found[data_key]), _numbers(path, found[labels_key])


def _damaged(path, error):
    return ValueError(f"{path} is not a whole .mat file ({type(error).__name__}: {error}); it may be "
                      f"cut short or of another format: download or save it again")


def _numbers(path, matrix):
    """The values if they are plain numbers; not a cell array, struct, text or sparse matrix."""
    if matrix.kind in ("object (cell)", "struct", "object", "text", "sparse", "complex128", "unknown"):
        raise ValueError(f"{matrix.name} in {path} must be a full matrix of real numbers, got {matrix.kind}")
    try:
        return matrix.values()
    except ValueError as error:
        raise _damaged(path, error) from error


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
