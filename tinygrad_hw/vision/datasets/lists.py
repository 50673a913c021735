"""Image files that a list names: SUN's text files, COCO subsets' JSON, CSV tables, pages of text."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from tinygrad_hw.vision.datasets.folder import default_loader, find_classes
from tinygrad_hw.vision.datasets.reading import bad_file, check_labels, inside, read_text
from tinygrad_hw.vision.datasets.vision import VisionDataset, split_name

__all__ = ["SUN", "COCOSubset", "CSVFolder", "TextPages"]


class _ListedImages(VisionDataset):
    """``samples`` is the list of (path, target); the files are looked at when they are asked for."""

    samples: list
    classes: list
    split = None

    @property
    def class_to_idx(self) -> dict:
        """{name: label}."""
        return {name: label for label, name in enumerate(self.classes)}

    @property
    def targets(self) -> list:
        """The labels."""
        return [target for _, target in self.samples]

    def file_of(self, index) -> str:
        """The file of a sample, for messages."""
        return self.samples[index][0]

    def __getitem__(self, index):
        path, target = self.samples[index]
        return self.changed(default_loader(path), target)

    def __len__(self):
        return len(self.samples)

    def extra_repr(self):
        return f"Split: {self.split.capitalize()}" if self.split else ""


class SUN(_ListedImages):
    """Scenes of the SUN database (Xiao et al., 2010) in the layout of a course's files.

    Args:
        root: folder with ``train_files.txt`` (a path in each line), ``train_labels.txt`` (a number in
            each line), the same for ``test``, and the images at these paths.
        train: the training list, else the test list.
        transform, target_transform: called with the PIL image and the label.

    Attributes:
        classes: the folders' names in alphabetical order, which is the order of the labels.

    Raises:
        FileNotFoundError: a list is missing.
        ValueError: the lists do not fit together, or a path leads out of the folder.

    >>> SUN("/no/such/folder")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    FileNotFoundError: ...
    """

    def __init__(self, root, train=True, transform=None, target_transform=None):
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        self.split = "train" if train else "test"
        names_path, labels_path = (Path(self.root) / f"{self.split}_{kind}.txt"
                                   for kind in ("files", "labels"))
        names = _lines(names_path)
        try:
            labels = [int(line) for line in _lines(labels_path)]
        except ValueError as error:
            raise bad_file(
                labels_path, f"a line holds no whole number ({error})", "mend the line"
            ) from error
        if len(names) != len(labels):
            raise bad_file(names_path, f"it names {len(names)} files, but {labels_path.name} holds "
                           f"{len(labels)} labels", "each file needs one label")
        self.classes, numbers = find_classes(self.root)
        labels = check_labels(labels, len(self.classes), labels_path).tolist()
        self.samples = [
            (inside(self.root, name, names_path), label) for name, label in zip(names, labels)
        ]
        for name, label in zip(names, labels):
            if numbers.get(Path(name).parts[0], label) != label:
                raise bad_file(labels_path, f"{name} has label {label}, which is the class "
                               f"{self.classes[label]!r}", "check that both lists are of one version")


class COCOSubset(_ListedImages):
    """Pictures of a few categories of COCO, as ``python -m nets make-coco-subset`` writes them.

    Args:
        root: folder with ``my_dataset.txt``, a JSON dictionary {"train": [{"img": file, "label": name},
            ...], "val": [...], "categories": [names]}, and the images in ``train/`` and ``val/``.
        split: "train" or "val".
        transform, target_transform: called with the PIL image and the label.

    Raises:
        FileNotFoundError: the dictionary is missing.
        ValueError: it has another content, or a path leads out of the folder.

    >>> COCOSubset("/no/such/folder")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    FileNotFoundError: ...
    """

    dictionary = "my_dataset.txt"

    def __init__(self, root, split="train", transform=None, target_transform=None):
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.split = split_name(split, ("train", "validation"))
        part = "train" if self.split == "train" else "val"
        path = Path(self.root) / self.dictionary
        content = read_json(path)
        entries = content.get(part) if isinstance(content, dict) else None
        names = content.get("categories") if isinstance(content, dict) else None
        if not isinstance(entries, list) or not isinstance(names, list):
            raise bad_file(path, f"it holds no lists {part!r} and 'categories'",
                           "write it with python -m nets make-coco-subset")
        self.classes = [str(name) for name in names]
        labels = self.class_to_idx
        self.samples = []
        for number, entry in enumerate(entries):
            if not isinstance(entry, dict) or not isinstance(entry.get("img"), str) or (
                    entry.get("label") not in labels):
                raise bad_file(
                    path,
                    f"entry {number} of {part!r} is {str(entry)[:100]}, not a file with a "
                    f"label of {self.classes}",
                    "mend the entry",
                )
            file = inside(Path(self.root) / part, entry["img"], path)
            self.samples.append((file, labels[entry["label"]]))


class CSVFolder(_ListedImages):
    """Images in one folder, labelled by a CSV table.

    Args:
        root: folder of the images.
        csv_file: the table, with a line of column names; a relative path begins at ``root``.
        path_column, label_column: which columns hold the file's path below ``root`` and its label;
            default the first and the second.
        transform, target_transform: called with the PIL image and the label.

    Attributes:
        classes: the different labels, in order (of size, if all are whole numbers).

    Raises:
        FileNotFoundError: there is no table.
        ValueError: a column is missing, a line is too short, or a path leads out of the folder.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "labels.csv").write_text("file,animal\\n1.png,dog\\n2.png,cat\\n")
    >>> CSVFolder(folder).classes, CSVFolder(folder).targets
    (['cat', 'dog'], [1, 0])
    """

    def __init__(self, root, csv_file="labels.csv", path_column=None, label_column=None, transform=None,
                 target_transform=None):
        super().__init__(root, transform=transform, target_transform=target_transform)
        path = Path(self.root) / csv_file
        try:
            head, *rows = [row for row in csv.reader(read_text(path).splitlines()) if row] or [[]]
        except csv.Error as error:
            raise bad_file(path, f"it is no CSV table ({error})", "save it again as CSV") from error
        columns = [_column(path, head, name, default)
                   for name, default in ((path_column, 0), (label_column, 1))]
        for number, row in enumerate(rows, start=2):
            if len(row) <= max(columns):
                raise bad_file(path, f"line {number} has {len(row)} columns, {len(head)} belong there",
                               "mend the line")
        names, labels = ([row[column].strip() for row in rows] for column in columns)
        whole = all(label.lstrip("-").isdigit() for label in labels)
        self.classes = sorted(set(labels), key=int if whole else None)
        numbers = self.class_to_idx
        self.samples = [(inside(self.root, name, path), numbers[label])
                        for name, label in zip(names, labels)]


class TextPages(_ListedImages):
    """Photographed pages with their text: ``ground_truth.json`` is {file: [line, ...]}.

    A sample is (PIL image, list of lines).

    Raises:
        FileNotFoundError: the JSON file is missing.
        ValueError: it has another content, or a path leads out of the folder.

    >>> TextPages("/no/such/folder")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    FileNotFoundError: ...
    """

    classes = []

    def __init__(self, root, transform=None, target_transform=None):
        super().__init__(root, transform=transform, target_transform=target_transform)
        path = Path(self.root) / "ground_truth.json"
        pages = read_json(path)
        if not isinstance(pages, dict) or not all(
                isinstance(lines, list) and all(isinstance(line, str) for line in lines)
                for lines in pages.values()):
            raise bad_file(path, "it is no dictionary of files and lists of lines", "mend it")
        self.samples = [(inside(self.root, name, path), lines) for name, lines in pages.items()]


def _lines(path) -> list[str]:
    return [line.strip() for line in read_text(path).splitlines() if line.strip()]


def _column(path, head, name, default: int) -> int:
    if name is None and default < len(head):
        return default
    if name not in head:
        raise bad_file(path, f"it has the columns {head}, not {'two' if name is None else repr(name)}",
                       "name the columns by path_column= and label_column=")
    return head.index(name)


def read_json(path, limit: int = 2**30):
    """The content of a JSON file.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is too large or no JSON.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "a.json"
    >>> _ = path.write_text('{"a": [1]}')
    >>> read_json(path)
    {'a': [1]}
    """
    try:
        return json.loads(read_text(path, limit))
    except json.JSONDecodeError as error:
        raise bad_file(path, f"it is no JSON ({error})") from error
    except RecursionError as error:
        raise bad_file(path, "it nests its lists too deep") from error
