"""Data sets from arrays in memory, or mapped from .npy files that need not fit into it; made-up ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from tinygrad_hw.utils.data.dataset import Dataset
from tinygrad_hw.vision.datasets.reading import bad_file
from tinygrad_hw.vision.datasets.vision import VisionDataset

__all__ = ["ArrayDataset", "FakeData", "MemoryMappedDataset"]


class ArrayDataset(Dataset):
    """Sample ``i`` is (data[i], targets[i]), or data[i] alone without targets, through the transforms.

    Args:
        data: array or Tensor (N, ...).
        targets: sequence of N; None for data without.
        transform: called with ``data[i]``: `ToTensor` takes (H, W) or (H, W, C).
        target_transform: called with the target.
        classes: names of the labels.

    Raises:
        ValueError: as many data as targets are not there.

    >>> dataset = ArrayDataset(np.arange(6).reshape(3, 2), [5, 6, 7])
    >>> values, target = dataset[1]
    >>> values.tolist(), target, len(dataset)
    ([2, 3], 6, 3)
    """

    def __init__(self, data, targets=None, transform=None, target_transform=None, classes=None):
        if targets is not None and len(data) != len(targets):
            raise ValueError(
                f"ArrayDataset needs one target for each sample, got {len(data)} samples and "
                f"{len(targets)} targets"
            )
        self.data = data
        self.targets = targets
        self.transform = transform
        self.target_transform = target_transform
        self.classes = [] if classes is None else list(classes)

    @property
    def class_to_idx(self) -> dict:
        """{name: label}."""
        return {name: label for label, name in enumerate(self.classes)}

    def __getitem__(self, index):
        value = self._at(self.data, index)
        if self.transform is not None:
            value = self.transform(value)
        if self.targets is None:
            return value
        target = self._at(self.targets, index)
        if isinstance(target, (np.ndarray, np.integer)) and np.ndim(target) == 0:
            target = target.item()
        if self.target_transform is not None:
            target = self.target_transform(target)
        return value, target

    def _at(self, values, index):
        return values[index]

    def __len__(self):
        return len(self.data)


class MemoryMappedDataset(ArrayDataset):
    """An `ArrayDataset` from .npy files, of which only what is asked for is read from the disk.

    Workers share one copy of the pages, and the files may be larger than the memory.

    Args:
        data, targets: paths of .npy files; ``targets`` None for data without.
        transform, target_transform, classes: as in `ArrayDataset`; a transform gets a copy.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file is no .npy file, holds Python objects, or is cut short.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "images.npy"
    >>> np.save(path, np.arange(6).reshape(3, 2))
    >>> MemoryMappedDataset(path)[2].tolist()
    [4, 5]
    """

    def __init__(self, data, targets=None, transform=None, target_transform=None, classes=None):
        self._paths = data, targets
        super().__init__(_mapped(data), None if targets is None else _mapped(targets), transform,
                         target_transform, classes)

    def _at(self, values, index):
        return np.array(values[index])  # a copy: writing into it must not touch the file

    def file_of(self, index) -> str:
        """The file of the data, for messages."""
        return str(self._paths[0])

    def __getstate__(self):
        """Spawned workers map the files anew instead of getting their content."""
        return {**self.__dict__, "data": None, "targets": None}

    def __setstate__(self, state):
        self.__dict__.update(state)
        data, targets = self._paths
        self.data, self.targets = _mapped(data), None if targets is None else _mapped(targets)


def _mapped(path):
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}; write one with numpy.save(path, array)")
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError, SyntaxError) as error:
        raise bad_file(path, f"it is no whole .npy file of numbers ({error})",
                       "write it with numpy.save(path, array)") from error


class FakeData(VisionDataset):
    """Made-up images of noise with random labels, the same at every visit.

    Args:
        size: how many.
        image_size: (channels, height, width), channels 1 or 3.
        num_classes: labels are 0 .. num_classes - 1.
        transform, target_transform: called with the PIL image and the label.
        random_offset: added to the index that the numbers depend on, for another set.

    Raises:
        IndexError: an index beyond ``size``.

    >>> image, label = FakeData(size=10, image_size=(3, 8, 9))[4]
    >>> image.size, 0 <= label < 10
    ((9, 8), True)
    """

    def __init__(self, size=1000, image_size=(3, 224, 224), num_classes=10, transform=None,
                 target_transform=None, random_offset=0):
        super().__init__(None, transform=transform, target_transform=target_transform)
        self.size = size
        self.num_classes = num_classes
        self.image_size = image_size
        self.random_offset = random_offset

    def __getitem__(self, index):
        if not 0 <= index < self.size:
            raise IndexError(f"{type(self).__name__} index {index} out of range for {self.size} images")
        random = np.random.Generator(np.random.Philox(key=[self.random_offset, index]))
        channels, height, width = self.image_size
        noise = np.clip(128 + 64 * random.standard_normal((height, width, channels)), 0, 255)
        label = int(random.integers(self.num_classes))
        pixels = noise.astype(np.uint8)
        return self.changed(Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels), label)

    def __len__(self):
        return self.size
