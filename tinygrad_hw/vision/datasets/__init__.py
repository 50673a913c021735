"""Data sets of images, with torchvision's names, constructors and attributes where it has them.

From simple to complex: `vision` (what all have in common), `reading` (images and IDX files that come
from anywhere), `pickles`, `archives` and `download` (likewise), then the data sets: `arrays`, `folder`,
`lists`, `mnist`, `cifar`, `characters` and `shapes`; `glyphs`, `matfiles` and `drawn` stand behind the
last two.
"""

from tinygrad_hw.vision.datasets import utils
from tinygrad_hw.vision.datasets.arrays import ArrayDataset, FakeData, MemoryMappedDataset
from tinygrad_hw.vision.datasets.characters import NIST36, Glyph36
from tinygrad_hw.vision.datasets.cifar import CIFAR10, CIFAR100
from tinygrad_hw.vision.datasets.folder import DatasetFolder, ImageFolder
from tinygrad_hw.vision.datasets.lists import SUN, COCOSubset, CSVFolder, TextPages
from tinygrad_hw.vision.datasets.mnist import MNIST, FashionMNIST
from tinygrad_hw.vision.datasets.shapes import Shapes5
from tinygrad_hw.vision.datasets.vision import VisionDataset

__all__ = [
    "ArrayDataset",
    "CIFAR10",
    "CIFAR100",
    "COCOSubset",
    "CSVFolder",
    "DatasetFolder",
    "FakeData",
    "FashionMNIST",
    "Glyph36",
    "ImageFolder",
    "MNIST",
    "MemoryMappedDataset",
    "NIST36",
    "SUN",
    "Shapes5",
    "TextPages",
    "VisionDataset",
    "utils",
]
