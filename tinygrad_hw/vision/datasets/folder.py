"""Folders of files: the name of a subfolder is the class."""

from __future__ import annotations

import os

from tinygrad_hw.vision.datasets.reading import open_image
from tinygrad_hw.vision.datasets.vision import VisionDataset

__all__ = ["IMG_EXTENSIONS", "DatasetFolder", "ImageFolder", "default_loader", "find_classes",
           "make_dataset"]

IMG_EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")


def default_loader(path):
    """The image in a file as RGB.

    Raises:
        ValueError: the file is damaged, no image or too large; see `reading.open_image`.

    >>> default_loader("/no/such.jpg")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    FileNotFoundError: ...
    """
    return open_image(path, "RGB")


def find_classes(directory) -> tuple[list[str], dict[str, int]]:
    """The subfolders in alphabetical order, and their numbers.

    Raises:
        FileNotFoundError: there is no subfolder.

    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> for name in "dog", "cat":
    ...     os.mkdir(os.path.join(folder, name))
    >>> find_classes(folder)
    (['cat', 'dog'], {'cat': 0, 'dog': 1})
    """
    classes = sorted(entry.name for entry in os.scandir(directory)
                     if entry.is_dir() and not entry.name.startswith("."))
    if not classes:
        raise FileNotFoundError(f"Couldn't find any class folder in {directory}.")
    return classes, {name: label for label, name in enumerate(classes)}


def make_dataset(directory, class_to_idx=None, extensions=None, is_valid_file=None,
                 allow_empty=False) -> list[tuple[str, int]]:
    """(path, label) of every fitting file below each class's folder, in alphabetical order.

    Args:
        class_to_idx: default `find_classes`.
        extensions: one or several endings; or
        is_valid_file: called with a path.
        allow_empty: a class may have no file.

    Raises:
        ValueError: neither or both of ``extensions`` and ``is_valid_file``; an empty ``class_to_idx``.
        FileNotFoundError: a class has no file.

    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> os.mkdir(os.path.join(folder, "cat"))
    >>> open(os.path.join(folder, "cat", "1.jpg"), "w").close()
    >>> [label for _, label in make_dataset(folder, extensions=".jpg")]
    [0]
    """
    if class_to_idx is None:
        _, class_to_idx = find_classes(directory)
    elif not class_to_idx:
        raise ValueError("'class_to_index' must have at least one entry to collect any samples.")
    if (extensions is None) == (is_valid_file is None):
        raise ValueError("Both extensions and is_valid_file cannot be None or not None at the same time")
    if extensions is not None:
        endings = (extensions,) if isinstance(extensions, str) else tuple(extensions)

        def is_valid_file(path):
            return path.lower().endswith(endings)

    samples, empty = [], []
    for name in sorted(class_to_idx):
        before = len(samples)
        for folder, _, files in sorted(os.walk(os.path.join(directory, name), followlinks=True)):
            paths = (os.path.join(folder, file) for file in sorted(files))
            samples += [(path, class_to_idx[name]) for path in paths if is_valid_file(path)]
        if len(samples) == before:
            empty.append(name)
    if empty and not allow_empty:
        hint = "" if extensions is None else f" Supported extensions are: {', '.join(endings)}"
        raise FileNotFoundError(
            f"Found no valid file for the classes {', '.join(empty)} in {directory}.{hint}")
    return samples


class DatasetFolder(VisionDataset):
    """Files in ``root/CLASS/.../file``; a sample is (what ``loader`` makes of the file, label).

    Args:
        root: the folder of the classes' folders.
        loader: called with a path.
        extensions, is_valid_file: which files count, one of the two.
        transform, target_transform: called with the loaded sample and the label.
        allow_empty: a class may have no file.

    Attributes:
        classes, class_to_idx: the folders' names in alphabetical order.
        samples: list of (path, label).
        targets: list of labels.

    Raises:
        FileNotFoundError: there is no class, or a class without files.

    >>> DatasetFolder("/no/such/folder", str, ".txt")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    FileNotFoundError: ...
    """

    def __init__(self, root, loader, extensions=None, transform=None, target_transform=None,
                 is_valid_file=None, allow_empty=False):
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.loader = loader
        self.extensions = extensions
        self.classes, self.class_to_idx = self.find_classes(self.root)
        self.samples = self.make_dataset(self.root, self.class_to_idx, extensions, is_valid_file,
                                         allow_empty)
        self.targets = [label for _, label in self.samples]

    @staticmethod
    def make_dataset(directory, class_to_idx, extensions=None, is_valid_file=None, allow_empty=False):
        """See `make_dataset`; a subclass may choose other files."""
        return make_dataset(directory, class_to_idx, extensions, is_valid_file, allow_empty)

    def find_classes(self, directory):
        """See `find_classes`; a subclass may choose other names."""
        return find_classes(directory)

    def file_of(self, index) -> str:
        """The file of a sample, for messages."""
        return self.samples[index][0]

    def __getitem__(self, index):
        path, target = self.samples[index]
        return self.changed(self.loader(path), target)

    def __len__(self):
        return len(self.samples)


class ImageFolder(DatasetFolder):
    """Images in ``root/CLASS/.../file``; a sample is (PIL image "RGB", label).

    Arguments and attributes are those of `DatasetFolder`; ``imgs`` is ``samples``.

    >>> import tempfile
    >>> from PIL import Image
    >>> from pathlib import Path
    >>> folder = Path(tempfile.mkdtemp())
    >>> (folder / "cat").mkdir()
    >>> Image.new("RGB", (3, 2)).save(folder / "cat" / "1.png")
    >>> image, label = ImageFolder(folder)[0]
    >>> image.size, label
    ((3, 2), 0)
    """

    def __init__(self, root, transform=None, target_transform=None, loader=default_loader,
                 is_valid_file=None, allow_empty=False):
        extensions = IMG_EXTENSIONS if is_valid_file is None else None
        super().__init__(
            root, loader, extensions, transform, target_transform, is_valid_file, allow_empty
        )
        self.imgs = self.samples
