"""What every data set of images has in common."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PIL import Image

from tinygrad_hw.utils.data.dataset import Dataset

__all__ = ["ImageArrays", "StandardTransform", "VisionDataset", "split_name"]


class VisionDataset(Dataset):
    """Base class: the folder, the transforms, and how it is printed.

    Args:
        root: folder of the files; None for data that has none.
        transforms: called with image and target, returns both.
        transform: called with the image.
        target_transform: called with the target.

    Raises:
        ValueError: ``transforms`` together with one of the others.

    >>> VisionDataset("data", transform=abs).transforms(-1, 5)
    (1, 5)
    """

    _repr_indent = 4

    def __init__(self, root=None, transforms=None, transform=None, target_transform=None):
        self.root = os.path.expanduser(root) if isinstance(root, str) else root
        if transforms is not None and (transform is not None or target_transform is not None):
            raise ValueError(
                "Only transforms or transform/target_transform can be passed as argument"
            )
        self.transform = transform
        self.target_transform = target_transform
        if transform is not None or target_transform is not None:
            transforms = StandardTransform(transform, target_transform)
        self.transforms = transforms

    def __len__(self):
        raise NotImplementedError(f"{type(self).__name__} must implement __len__()")

    def changed(self, image, target):
        """Image and target as the transforms leave them."""
        return (image, target) if self.transforms is None else self.transforms(image, target)

    def extra_repr(self) -> str:
        """Further lines for the text."""
        return ""

    def __repr__(self):
        lines = [f"Number of datapoints: {len(self)}"]
        if self.root is not None:
            lines.append(f"Root location: {self.root}")
        lines += self.extra_repr().splitlines()
        if self.transforms is not None:
            lines += repr(self.transforms).splitlines()
        indent = " " * self._repr_indent
        return "\n".join([f"Dataset {type(self).__name__}", *(indent + line for line in lines)])


class StandardTransform:
    """One transform for the image and one for the target.

    >>> StandardTransform(abs, None)
    StandardTransform
    Transform: <built-in function abs>
    """

    def __init__(self, transform=None, target_transform=None):
        self.transform = transform
        self.target_transform = target_transform

    def __call__(self, image, target):
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return image, target

    def __repr__(self):
        lines = [type(self).__name__]
        for head, transform in (("Transform: ", self.transform),
                                ("Target transform: ", self.target_transform)):
            if transform is not None:
                first, *rest = repr(transform).splitlines()
                lines += [head + first, *(" " * len(head) + line for line in rest)]
        return "\n".join(lines)


class ImageArrays(VisionDataset):
    """Base of data sets whose images lie in memory: ``data`` uint8 (N, H, W[, 3]) and ``targets``.

    A sample is (PIL image, label), through the transforms.
    """

    data: np.ndarray
    targets: list
    classes: list
    split = None

    @property
    def class_to_idx(self) -> dict:
        """{name: label}."""
        return {name: label for label, name in enumerate(self.classes)}

    def __getitem__(self, index):
        image = Image.fromarray(np.asarray(getattr(self.data, "array", self.data)[index]))
        return self.changed(image, int(self.targets[index]))

    def __len__(self):
        return len(self.targets)

    def extra_repr(self):
        return f"Split: {self.split.capitalize()}" if self.split else ""


def split_name(split: str, names=("train", "validation", "test")) -> str:
    """The split's full name; "val" and "valid" are understood.

    Raises:
        ValueError: there is no such split.

    >>> split_name("val")
    'validation'
    """
    full = "validation" if split in ("val", "valid") else split
    if full not in names:
        raise ValueError(f"Unknown value {split!r} for argument split. Valid values are {tuple(names)}")
    return full


def first_existing(paths) -> Path | None:
    """The first of the ``paths`` that exists.

    >>> first_existing(["/no/such/file"]) is None
    True
    """
    return next((Path(path) for path in paths if os.path.exists(path)), None)


def not_found(name: str, looked_for, mend: str) -> RuntimeError:
    """The error for data that is not there.

    >>> str(not_found("MNIST", ["a", "b"], "get it"))
    'MNIST: Dataset not found. Looked for a, b; get it'
    """
    return RuntimeError(
        f"{name}: Dataset not found. Looked for {', '.join(map(str, looked_for))}; {mend}"
    )
