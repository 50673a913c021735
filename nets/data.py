"""``python -m nets data``: what data sets there are, fetch one, show what it holds.

    python -m nets data list
    python -m nets data fetch mnist
    python -m nets data show mnist
    python -m nets data show dogs5 --root DIR      DIR/dogs5, DIR/dogs5.zip, ...: any folder or archive
    python -m nets data show --all --root DIR      everything in DIR
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np

SAMPLES = 10  # of each class on a contact sheet
CLASSES = 40  # rows of a contact sheet


def add_parser(commands) -> None:
    """Add ``data`` with its three commands to the parser of ``python -m nets``."""
    parser = commands.add_parser("data", help="data sets: list, fetch, show")
    actions = parser.add_subparsers(dest="action", required=True, metavar="list|fetch|show")
    listing = actions.add_parser("list", help="the data sets known by name, and where they go")
    fetching = actions.add_parser("fetch", help="download a data set, or draw an embedded one")
    fetching.add_argument("name", metavar="NAME", help="a name from 'python -m nets data list'")
    showing = actions.add_parser(
        "show", help="counts, shapes, classes, mean and standard deviation, a contact sheet")
    showing.add_argument("name", metavar="NAME", nargs="?",
                         help="a name from 'python -m nets data list', or a folder, archive or file")
    showing.add_argument("--all", action="store_true", help="everything in the folder --root")
    showing.add_argument("--out", metavar="DIR", default="contact_sheets",
                         help="folder of the contact sheets (default: contact_sheets)")
    for action, act in ((listing, _list), (fetching, _fetch), (showing, _show)):
        action.add_argument("--root", metavar="DIR", help="folder of the data sets (default: the cache, "
                                                          "~/.cache/tinygrad_hw/data)")
        action.add_argument("--debug", action="store_true", help="show the traceback of an error")
        action.set_defaults(act=act)


def _root(options) -> Path:
    from tinygrad_hw.utils.files import cache_folder

    return cache_folder() if options.root is None else Path(options.root).expanduser()


def _list(options) -> int:
    from nets.data_sets import KNOWN

    root = _root(options)
    print(f"data sets in {root}")
    for name, known in KNOWN.items():
        state = "there" if (root / known.place).exists() else known.source
        print(f"  {name:14} {state:9} {known.summary}; {known.place}")
    print("Any folder of classes, SUN lists, COCO subset, CSV table, archive or .npz: "
          "python -m nets data show PATH")
    return 0


def _fetch(options) -> int:
    from nets.data_sets import BY_HAND, KNOWN

    if options.name not in KNOWN:
        raise ValueError(f"no data set {options.name!r}; there are {', '.join(KNOWN)}")
    known, root = KNOWN[options.name], _root(options)
    if known.source == BY_HAND:
        raise ValueError(f"{options.name} has no public address; put its files into {root} "
                         f"({known.place}, ...)")
    parts = known.open(root, download=True)
    counts = ", ".join(f"{split} {len(dataset)}" for split, dataset in parts.items())
    print(f"{options.name}: {counts}; in {root / known.place}")
    return 0


def _show(options) -> int:
    from nets.data_sets import KNOWN, recognise

    root, out = _root(options), Path(options.out)
    if options.all == (options.name is not None):
        raise ValueError("name one data set, or give --all")
    if not options.all:
        known = KNOWN.get(options.name)
        if known is not None and not _matches(root, options.name):
            return describe(options.name, known.open(root), out)
        paths = [_find(root, options.name)]
    else:
        paths = sorted(path for path in root.iterdir()
                       if not path.name.startswith(".") and path.suffix not in (".md", ".txt"))
        if not paths:
            raise FileNotFoundError(f"the folder {root} is empty")
    failed = 0
    for path in paths:
        try:
            with warnings.catch_warnings(record=True) as notes:
                warnings.simplefilter("always")
                parts = recognise(path)
            for note in notes:
                print(f"note: {note.message}")
            describe(path.name.split(".")[0], parts, out, path)
        except (ValueError, RuntimeError, OSError) as error:
            if len(paths) == 1:
                raise
            failed += 1
            print(f"{path.name}: {error}", file=sys.stderr)
    return 1 if failed else 0


def _matches(root, name) -> list[Path]:
    """The folder, archive or file `name` in `root`, with any ending."""
    if not root.is_dir():
        return []
    return sorted(path for path in root.iterdir() if name in (path.name, path.name.split(".")[0]))


def _find(root, name) -> Path:
    if Path(name).exists():
        return Path(name)
    found = _matches(root, name)
    if not found:
        raise FileNotFoundError(
            f"no data set {name!r}: not among the names of 'python -m nets data list', "
            f"and nothing called so is in {root}"
        )
    return found[0]


def describe(name, parts, out, path=None) -> int:
    """Print what the splits of a data set hold and write their contact sheets into the folder `out`."""
    first = next(iter(parts.values()))
    print(f"{name}: {type(first).__name__}" + (f" from {path}" if path else ""))
    for split, dataset in parts.items():
        print(f"  {split:11} {len(dataset):6} x {_shape(dataset)}")
    classes = getattr(first, "classes", [])
    if classes:
        counts = {split: np.bincount(np.asarray(_targets(dataset)), minlength=len(classes))
                  for split, dataset in parts.items()}
        print(f"  {len(classes)} classes, images in {' + '.join(parts)}:")
        width = max(len(str(label)) for label in classes)
        for label, title in enumerate(classes):
            print(f"    {title:{width}}  " + " + ".join(str(count[label]) for count in counts.values()))
    if _is_pictures(first):
        split = next(iter(parts))
        mean, std = mean_and_std(first)
        for title, values in (("mean", mean), ("std", std)):
            print(f"  {title:4} of {split}, each channel: {_row(values, 4)} of 0..1, "
                  f"{_row(values * 255, 2)} of 0..255")
        file = out / f"{name}.png"
        _sheet(file, first, classes)
        print(f"  contact sheet {file}")
    return 0


def mean_and_std(dataset):
    """Mean and standard deviation of each channel over all pixels of all images, of values in 0..1.

    >>> from tinygrad_hw.vision.datasets import ArrayDataset
    >>> mean, std = mean_and_std(ArrayDataset(np.uint8([[[0, 255]], [[0, 255]]]), [0, 0]))
    >>> mean.tolist(), std.tolist()
    ([0.5], [0.5])
    """
    from tqdm import tqdm

    count = total = squares = 0
    for index in tqdm(range(len(dataset)), desc="mean and std", unit="image", leave=False, disable=None):
        pixels = np.asarray(dataset[index][0])
        pixels = pixels.reshape(-1, 1 if pixels.ndim == 2 else pixels.shape[2]).astype(np.int64)
        count, total = count + len(pixels), total + pixels.sum(axis=0)
        squares = squares + (pixels * pixels).sum(axis=0)  # whole numbers: no rounding
    mean = total / count
    return mean / 255, np.sqrt(squares / count - mean**2) / 255


def _is_pictures(dataset) -> bool:
    from PIL import Image

    sample = dataset[0] if len(dataset) else None
    image = sample[0] if isinstance(sample, tuple) else sample
    return isinstance(image, Image.Image) or (
        isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim in (2, 3))


def _targets(dataset):
    targets = dataset.targets
    return getattr(targets, "array", targets)


def _shape(dataset) -> str:
    """Width, height and channels of the images; a range where they differ (of the first 200)."""
    if len(dataset) == 0:
        return "nothing"
    shapes = []
    for index in range(0, len(dataset), max(1, len(dataset) // 200)):
        value = dataset[index]
        value = value[0] if isinstance(value, tuple) else value
        if not hasattr(value, "size"):
            return type(value).__name__
        shapes.append(np.asarray(value).shape)
    if len({len(shape) for shape in shapes}) > 1:
        return "images with and without colour"
    return " x ".join(str(low) if low == high else f"{low}..{high}"
                      for low, high in ((min(sides), max(sides)) for sides in zip(*shapes))) or "number"


def _row(values, digits) -> str:
    return " ".join(f"{value:.{digits}f}" for value in np.atleast_1d(values))


def _sheet(file, dataset, classes):
    from nets.contact_sheet import as_picture, contact_sheet

    if not classes:
        images = [as_picture(dataset[index][0]) for index in range(min(SAMPLES, len(dataset)))]
        contact_sheet(file, [("", images)], tile=240)
        return
    targets = np.asarray(_targets(dataset))
    rows = []
    for label, title in list(enumerate(classes))[:CLASSES]:
        chosen = np.flatnonzero(targets == label)
        chosen = chosen[np.linspace(0, len(chosen) - 1, min(SAMPLES, len(chosen))).astype(int)]
        rows.append((str(title), [as_picture(dataset[int(index)][0]) for index in chosen]))
    contact_sheet(file, rows)
