"""What a sample is: datasets that are indexed, datasets that are iterated, and ways to combine them.

The meaning is that of https://pytorch.org/docs/stable/data.html#dataset-types.
"""

from __future__ import annotations

import bisect
import itertools
import math
from typing import Generic, TypeVar

from tinygrad_hw.utils.data.randomness import load_sample
from tinygrad_hw.utils.data.sampler import numpy_generator

T_co = TypeVar("T_co", covariant=True)

__all__ = [
    "ChainDataset",
    "ConcatDataset",
    "Dataset",
    "IterableDataset",
    "StackDataset",
    "Subset",
    "TensorDataset",
    "random_split",
]


class Dataset(Generic[T_co]):
    """A map from an index to a sample: subclasses write ``__getitem__`` and, as a rule, ``__len__``.

    A subclass may add ``__getitems__(indices)`` that returns the list of samples of a whole batch at
    once. ``first + second`` is the `ConcatDataset` of both.

    >>> class Squares(Dataset):
    ...     def __len__(self):
    ...         return 4
    ...     def __getitem__(self, index):
    ...         return index**2
    >>> Squares()[3], len(Squares() + Squares())
    (9, 8)
    """

    def __getitem__(self, index) -> T_co:
        raise NotImplementedError(f"{type(self).__name__} must implement __getitem__(index)")

    def __add__(self, other):
        return ConcatDataset([self, other])


class IterableDataset(Dataset[T_co]):
    """A stream of samples: subclasses write ``__iter__``.

    With several workers every worker iterates its own copy; split the stream with `get_worker_info`, or
    every sample comes once for each worker. ``first + second`` is the `ChainDataset` of both.

    >>> class Countdown(IterableDataset):
    ...     def __iter__(self):
    ...         return iter([3, 2, 1])
    >>> list(Countdown() + Countdown())
    [3, 2, 1, 3, 2, 1]
    """

    def __iter__(self):
        raise NotImplementedError(f"{type(self).__name__} must implement __iter__()")

    def __add__(self, other):
        return ChainDataset([self, other])


class TensorDataset(Dataset):
    """Sample ``i`` is the tuple of ``tensor[i]`` over all ``tensors``, which share their first size.

    Raises:
        AssertionError: the first sizes differ (PyTorch's type).

    >>> import tinygrad_hw
    >>> dataset = TensorDataset(tinygrad_hw.tensor([[1.0], [2.0]]), tinygrad_hw.tensor([0, 1]))
    >>> features, label = dataset[1]
    >>> features.tolist(), label.item()
    ([2.0], 1)
    """

    def __init__(self, *tensors):
        if any(tensor.shape[0] != tensors[0].shape[0] for tensor in tensors):
            sizes = [tensor.shape[0] for tensor in tensors]
            raise AssertionError(
                f"Size mismatch between tensors: their first sizes {sizes} must be equal"
            )
        self.tensors = tensors

    def __getitem__(self, index):
        return tuple(tensor[index] for tensor in self.tensors)

    def __len__(self):
        return self.tensors[0].shape[0]


class StackDataset(Dataset):
    """Several datasets side by side: a sample is the tuple (or, by keyword, the dict) of their samples.

    Raises:
        ValueError: the lengths differ, no dataset is given, or both positional and keyword ones are.

    >>> StackDataset(["a", "b"], [1, 2])[1]
    ('b', 2)
    >>> StackDataset(text=["a", "b"], label=[1, 2])[0]
    {'text': 'a', 'label': 1}
    """

    def __init__(self, *args, **kwargs):
        if args and kwargs:
            raise ValueError(
                "StackDataset takes datasets either by position (samples are tuples) or by keyword "
                f"(samples are dicts), but got {len(args)} by position and {len(kwargs)} by keyword"
            )
        if not args and not kwargs:
            raise ValueError("At least one dataset should be passed")
        self.datasets = kwargs or args
        lengths = [len(dataset) for dataset in (args or kwargs.values())]
        if len(set(lengths)) > 1:
            raise ValueError(f"Size mismatch between datasets: their lengths {lengths} must be equal")
        self._length = lengths[0]

    def __getitem__(self, index):
        if isinstance(self.datasets, dict):
            return {key: load_sample(dataset, index) for key, dataset in self.datasets.items()}
        return tuple(load_sample(dataset, index) for dataset in self.datasets)

    def __getitems__(self, indices):
        if isinstance(self.datasets, dict):
            columns = [samples_at(dataset, indices) for dataset in self.datasets.values()]
            return [dict(zip(self.datasets, row)) for row in zip(*columns)]
        return list(zip(*(samples_at(dataset, indices) for dataset in self.datasets)))

    def __len__(self):
        return self._length


class ConcatDataset(Dataset[T_co]):
    """Datasets one after the other, seen as one.

    Raises:
        AssertionError: no dataset is given, or one is an `IterableDataset` (PyTorch's type).
        ValueError: a negative index goes beyond the start.

    >>> both = ConcatDataset(["ab", "cde"])
    >>> len(both), both[2], both[-1]
    (5, 'c', 'e')
    """

    def __init__(self, datasets):
        self.datasets = list(datasets)
        if not self.datasets:
            raise AssertionError("datasets should not be an empty iterable")
        if any(isinstance(dataset, IterableDataset) for dataset in self.datasets):
            raise AssertionError(
                "ConcatDataset does not support IterableDataset; chain them with ChainDataset"
            )
        self.cumulative_sizes = list(itertools.accumulate(len(dataset) for dataset in self.datasets))

    def __len__(self):
        return self.cumulative_sizes[-1]

    def __getitem__(self, idx):
        dataset, index = self.locate(idx)
        return dataset[index]

    def locate(self, idx):
        """The member dataset that holds sample ``idx``, and the sample's index there."""
        if idx < 0:
            if -idx > len(self):
                raise ValueError(
                    f"absolute value of index should not exceed dataset length {len(self)}, got {idx=}"
                )
            idx += len(self)
        dataset = bisect.bisect_right(self.cumulative_sizes, idx)
        if dataset == len(self.datasets):
            raise IndexError(f"index {idx} is out of range for a dataset of length {len(self)}")
        start = self.cumulative_sizes[dataset - 1] if dataset > 0 else 0
        return self.datasets[dataset], idx - start


class ChainDataset(IterableDataset):
    """Streams one after the other, read lazily.

    Raises:
        AssertionError: a member is no `IterableDataset`, noticed when it is its turn (PyTorch's type).

    >>> class Letters(IterableDataset):
    ...     def __init__(self, letters):
    ...         self.letters = letters
    ...     def __iter__(self):
    ...         return iter(self.letters)
    >>> list(ChainDataset([Letters("ab"), Letters("c")]))
    ['a', 'b', 'c']
    """

    def __init__(self, datasets):
        self.datasets = datasets

    def _streams(self):
        for dataset in self.datasets:
            if not isinstance(dataset, IterableDataset):
                raise AssertionError(
                    f"ChainDataset only supports IterableDataset, got {type(dataset).__name__}"
                )
            yield dataset

    def __iter__(self):
        return itertools.chain.from_iterable(self._streams())

    def __len__(self):
        return sum(len(dataset) for dataset in self._streams())


class Subset(Dataset[T_co]):
    """The samples of ``dataset`` at ``indices``, in that order.

    >>> tail = Subset("abcdef", [5, 4])
    >>> len(tail), tail[0], tail[1]
    (2, 'f', 'e')
    """

    def __init__(self, dataset, indices):
        self.dataset = dataset
        self.indices = indices

    def __getitem__(self, idx):
        if isinstance(idx, list):
            return self.dataset[[self.indices[i] for i in idx]]
        return self.dataset[self.indices[idx]]

    def __getitems__(self, indices):
        if type(self).__getitem__ is not Subset.__getitem__:  # a subclass that transforms its samples
            return [self[index] for index in indices]
        return samples_at(self.dataset, [self.indices[index] for index in indices])

    def __len__(self):
        return len(self.indices)


def samples_at(dataset, indices) -> list:
    """The samples at ``indices``, through the dataset's ``__getitems__`` where it has one.

    Raises:
        ValueError: ``__getitems__`` returned another number of samples.

    >>> samples_at("abc", [2, 0])
    ['c', 'a']
    """
    if not getattr(dataset, "__getitems__", None):
        return [load_sample(dataset, index, position) for position, index in enumerate(indices)]
    samples = dataset.__getitems__(indices)
    if len(samples) != len(indices):
        raise ValueError(
            f"Nested dataset's output size mismatch. Expected {len(indices)}, got {len(samples)}: "
            f"{type(dataset).__name__}.__getitems__ must return one sample for each index"
        )
    return samples


def file_of(dataset, index) -> str | None:
    """The file that sample ``index`` is read from, for messages; None where there is no such thing.

    Asks the dataset's method ``file_of(index)``, through `Subset` and `ConcatDataset`.

    >>> file_of("abc", 0) is None
    True
    """
    try:
        while True:
            if isinstance(dataset, Subset):
                dataset, index = dataset.dataset, dataset.indices[index]
            elif isinstance(dataset, ConcatDataset):
                dataset, index = dataset.locate(index)
            else:
                ask = getattr(dataset, "file_of", None)
                return None if ask is None else str(ask(index))
    except Exception:  # an error is being reported; a second one must not take its place
        return None


def random_split(dataset, lengths, generator=None) -> list[Subset]:
    """Cut a dataset at random into parts that do not overlap.

    Args:
        dataset: anything with a length and indices.
        lengths: the sizes of the parts, or their fractions, which sum to 1. Fractions are rounded down
            and what is left over goes to the parts in turn, one sample each.
        generator: the `Generator` that draws the permutation; default: the global one.

    Raises:
        ValueError: a fraction is outside [0, 1], or the sizes do not sum to ``len(dataset)``.

    >>> import tinygrad_hw
    >>> parts = random_split(range(10), [0.7, 0.3], generator=tinygrad_hw.Generator().manual_seed(1))
    >>> [len(part) for part in parts]
    [7, 3]
    """
    if math.isclose(sum(lengths), 1) and sum(lengths) <= 1:
        lengths = _sizes_of_fractions(len(dataset), lengths)
    if sum(lengths) != len(dataset):
        raise ValueError(
            "Sum of input lengths does not equal the length of the input dataset! "
            f"{list(lengths)} sum to {sum(lengths)}, the dataset has {len(dataset)}"
        )
    order = numpy_generator(generator).permutation(len(dataset)).tolist()
    ends = itertools.accumulate(lengths)
    return [Subset(dataset, order[end - length : end]) for end, length in zip(ends, lengths)]


def _sizes_of_fractions(total: int, fractions) -> list[int]:
    """``total`` cut by ``fractions``: each rounded down, the rest dealt out one by one."""
    for index, fraction in enumerate(fractions):
        if not 0 <= fraction <= 1:
            raise ValueError(f"Fraction at index {index} is not between 0 and 1, but {fraction}")
    sizes = [math.floor(total * fraction) for fraction in fractions]
    for index in range(total - sum(sizes)):
        sizes[index % len(sizes)] += 1
    return sizes
