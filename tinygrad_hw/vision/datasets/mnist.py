"""MNIST and FashionMNIST: 28 x 28 grey images in IDX files."""

from __future__ import annotations

from pathlib import Path

from tinygrad_hw.construct import from_numpy
from tinygrad_hw.vision.datasets.download import check_integrity, download_url
from tinygrad_hw.vision.datasets.reading import bad_file, check_labels, read_idx
from tinygrad_hw.vision.datasets.vision import ImageArrays, first_existing, not_found

__all__ = ["MNIST", "FashionMNIST"]


class MNIST(ImageArrays):
    """Handwritten digits (LeCun et al., http://yann.lecun.com/exdb/mnist/): 60,000 and 10,000 images.

    Args:
        root: folder that holds ``MNIST/raw/`` with the IDX files, or the IDX files themselves; plain or
            gzipped.
        train: the training set, else the test set.
        transform, target_transform: called with the PIL image and the label.
        download: fetch what is missing into ``MNIST/raw/``.

    Attributes:
        data: Tensor uint8 (N, 28, 28).
        targets: Tensor int64 (N,).
        classes, class_to_idx: names of the labels.

    Raises:
        RuntimeError: the files are not there, or cannot be fetched.
        ValueError: a file is damaged or belongs to another data set.

    >>> MNIST("/no/such/folder")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    RuntimeError: MNIST: Dataset not found. Looked for ...; use download=True to fetch it
    """

    mirrors = ["https://ossci-datasets.s3.amazonaws.com/mnist/"]
    resources = [
        ("train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        ("train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"),
        ("t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"),
        ("t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"),
    ]
    classes = ["0 - zero", "1 - one", "2 - two", "3 - three", "4 - four", "5 - five", "6 - six",
               "7 - seven", "8 - eight", "9 - nine"]
    _folders = ("mnist",)

    def __init__(self, root, train=True, transform=None, target_transform=None, download=False):
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        self.split = "train" if train else "test"
        if download:
            self.download()
        part = "train" if train else "t10k"
        images = self._find(f"{part}-images-idx3-ubyte")
        labels = self._find(f"{part}-labels-idx1-ubyte")
        data, targets = read_idx(images, 3), check_labels(read_idx(labels, 1), len(self.classes), labels)
        if data.dtype != "u1" or data.shape[1:] != (28, 28):
            raise bad_file(
                images,
                f"it holds {data.dtype} values of shape {data.shape}, but images of "
                "28 x 28 bytes belong here",
                f"check that it is the file of {type(self).__name__}",
            )
        if len(data) != len(targets):
            raise bad_file(images, f"it holds {len(data)} images, but {labels} {len(targets)} labels",
                           "images and labels must be of the same split")
        self.data, self.targets = from_numpy(data), from_numpy(targets)

    @property
    def raw_folder(self) -> str:
        """Where downloads go."""
        return str(Path(self.root) / type(self).__name__ / "raw")

    def _find(self, name: str) -> Path:
        folders = [
            Path(self.raw_folder),
            Path(self.root),
            *(Path(self.root) / sub for sub in self._folders),
        ]
        paths = [folder / file for folder in folders for file in (name, f"{name}.gz")]
        found = first_existing(paths)
        if found is None:
            raise not_found(type(self).__name__, [f"{paths[0]}[.gz]", f"{paths[2]}[.gz]"],
                            "use download=True to fetch it")
        return found

    def download(self) -> None:
        """Fetch the files that are not there yet.

        Raises:
            RuntimeError: no mirror could be reached, or the check sum is wrong.
        """
        for name, md5 in self.resources:
            if check_integrity(Path(self.raw_folder) / name.removesuffix(".gz")):
                continue
            errors = []
            for mirror in self.mirrors:
                try:
                    download_url(mirror + name, self.raw_folder, name, md5)
                    break
                except RuntimeError as error:
                    errors.append(str(error))
            else:
                raise RuntimeError(" | ".join(errors))


class FashionMNIST(MNIST):
    """Articles of Zalando (Xiao et al., "Fashion-MNIST: a novel image dataset", 2017), like `MNIST`.

    >>> FashionMNIST.classes[:2]
    ['T-shirt/top', 'Trouser']
    """

    mirrors = ["http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"]
    resources = [
        ("train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
        ("train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe"),
        ("t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79"),
        ("t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310"),
    ]
    classes = [
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ]
    _folders = ("fashion-mnist", "fashion_mnist")
