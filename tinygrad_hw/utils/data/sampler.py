"""In which order: samplers yield indices (or lists of indices) for one pass over a dataset.

The meaning is that of https://pytorch.org/docs/stable/data.html#data-loading-order-and-sampler. The
order follows from the generator's seed alone; it is not the order that PyTorch draws from the same
seed.
"""

from __future__ import annotations

import itertools
from typing import Generic, TypeVar

import numpy

from ops.random.generator import default_generator

T_co = TypeVar("T_co", covariant=True)

__all__ = [
    "BatchSampler",
    "RandomSampler",
    "Sampler",
    "SequentialSampler",
    "SubsetRandomSampler",
    "WeightedRandomSampler",
    "draw_seed",
    "numpy_generator",
]


def numpy_generator(generator=None) -> numpy.random.Generator:
    """The ``numpy.random.Generator`` behind ``generator``, or behind the global one for None.

    >>> type(numpy_generator()).__name__
    'Generator'
    """
    return (default_generator if generator is None else generator).numpy


def draw_seed(generator=None) -> int:
    """A fresh seed in [0, 2**63), drawn from ``generator`` (default: the global one).

    >>> 0 <= draw_seed() < 2**63
    True
    """
    return int(numpy_generator(generator).integers(2**63 - 1))


class Sampler(Generic[T_co]):
    """Base class: ``__iter__`` yields indices, or lists of them when used as ``batch_sampler``.

    There is no default ``__len__``; a loader has a length only if its sampler has one.

    >>> class Backwards(Sampler):
    ...     def __init__(self, size):
    ...         self.size = size
    ...     def __iter__(self):
    ...         return iter(range(self.size - 1, -1, -1))
    >>> list(Backwards(3))
    [2, 1, 0]
    """

    def __init__(self, data_source=None):
        # Older PyTorch passes the dataset here; subclasses of that time still do.
        pass

    def __iter__(self):
        raise NotImplementedError(f"{type(self).__name__} must implement __iter__()")


class SequentialSampler(Sampler[int]):
    """0, 1, 2, ... up to the length of ``data_source``.

    >>> list(SequentialSampler("abc"))
    [0, 1, 2]
    """

    def __init__(self, data_source):
        self.data_source = data_source

    def __iter__(self):
        return iter(range(len(self.data_source)))

    def __len__(self):
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """A random permutation, or with ``replacement`` independent draws.

    Args:
        data_source: the dataset, of which only the length counts.
        replacement: draw each index independently.
        num_samples: how many indices to yield; default ``len(data_source)``. Without replacement more of
            them means further permutations, one after the other.
        generator: source of randomness. Default: a generator of its own for each pass, seeded by one
            draw from the global one.

    Raises:
        TypeError: ``replacement`` is no bool.
        ValueError: ``num_samples`` is not positive.

    >>> sorted(RandomSampler(range(5)))
    [0, 1, 2, 3, 4]
    >>> len(list(RandomSampler(range(5), replacement=True, num_samples=100)))
    100
    """

    def __init__(self, data_source, replacement=False, num_samples=None, generator=None):
        self.data_source = data_source
        self.replacement = replacement
        self._num_samples = num_samples
        self.generator = generator
        if not isinstance(replacement, bool):
            raise TypeError(f"replacement should be a boolean value, but got {replacement=}")
        if not isinstance(self.num_samples, int) or self.num_samples <= 0:
            raise ValueError(
                f"num_samples should be a positive integer value, but got num_samples={self.num_samples}"
            )

    @property
    def num_samples(self) -> int:
        """How many indices a pass yields; follows a dataset that grows."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self):
        size = len(self.data_source)
        if self.generator is None:
            random = numpy.random.Generator(numpy.random.Philox(draw_seed()))
        else:
            random = self.generator.numpy
        if self.replacement:
            yield from random.integers(size, size=self.num_samples).tolist()
            return
        for start in range(0, self.num_samples, size):
            yield from random.permutation(size).tolist()[: self.num_samples - start]

    def __len__(self):
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """The given indices in random order, without replacement.

    >>> sorted(SubsetRandomSampler([7, 3, 5]))
    [3, 5, 7]
    """

    def __init__(self, indices, generator=None):
        self.indices = indices
        self.generator = generator

    def __iter__(self):
        for position in numpy_generator(self.generator).permutation(len(self.indices)).tolist():
            yield self.indices[position]

    def __len__(self):
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """Indices drawn with probability proportional to ``weights``, which need not sum to one.

    Args:
        weights: one weight for each index, not negative; kept as a float64 Tensor.
        num_samples: how many indices to draw.
        replacement: whether an index may come again. Without, successive draws renormalise the weights
            that are left, done at once by sorting exponential waiting times (Efraimidis and Spirakis,
            "Weighted random sampling with a reservoir", 2006).
        generator: source of randomness; default: the global one.

    Raises:
        ValueError: ``num_samples``, ``replacement`` or the shape of ``weights`` is wrong.
        RuntimeError: while drawing, for weights that no such distribution has.

    >>> set(WeightedRandomSampler([0.0, 1.0, 3.0], num_samples=50)) <= {1, 2}
    True
    >>> sorted(WeightedRandomSampler([0.0, 1.0, 3.0], num_samples=2, replacement=False))
    [1, 2]
    """

    def __init__(self, weights, num_samples, replacement=True, generator=None):
        from tinygrad_hw import from_numpy

        if not isinstance(num_samples, int) or isinstance(num_samples, bool) or num_samples <= 0:
            raise ValueError(f"num_samples should be a positive integer value, but got {num_samples=}")
        if not isinstance(replacement, bool):
            raise ValueError(f"replacement should be a boolean value, but got {replacement=}")
        weights = numpy.array(getattr(weights, "array", weights), dtype=numpy.float64)
        if weights.ndim != 1:
            raise ValueError(
                f"weights should be a 1d sequence but given weights have shape {weights.shape}"
            )
        self.weights = from_numpy(weights)
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def __iter__(self):
        weights = self.weights.array
        if not (numpy.isfinite(weights).all() and (weights >= 0).all()):
            raise RuntimeError(
                "weights contain inf, nan or an element < 0; a weight must be finite and >= 0"
            )
        possible = numpy.count_nonzero(weights)
        if possible == 0 or (not self.replacement and possible < self.num_samples):
            raise RuntimeError(
                f"cannot draw num_samples={self.num_samples} with replacement={self.replacement} from "
                f"{possible} weights above zero"
            )
        random = numpy_generator(self.generator)
        if self.replacement:
            drawn = random.choice(len(weights), size=self.num_samples, p=weights / weights.sum())
        else:
            with numpy.errstate(divide="ignore"):
                waiting = random.standard_exponential(len(weights)) / weights
            drawn = numpy.argsort(waiting, kind="stable")[: self.num_samples]
        yield from drawn.tolist()

    def __len__(self):
        return self.num_samples


class BatchSampler(Sampler[list]):
    """Lists of ``batch_size`` indices from ``sampler``; the last may be shorter, or is dropped.

    Raises:
        ValueError: ``batch_size`` is not a positive int, or ``drop_last`` is no bool.

    >>> list(BatchSampler(SequentialSampler(range(5)), batch_size=2, drop_last=False))
    [[0, 1], [2, 3], [4]]
    >>> len(BatchSampler(SequentialSampler(range(5)), batch_size=2, drop_last=True))
    2
    """

    def __init__(self, sampler, batch_size, drop_last):
        if not isinstance(batch_size, int) or isinstance(batch_size, bool) or batch_size <= 0:
            raise ValueError(f"batch_size should be a positive integer value, but got {batch_size=}")
        if not isinstance(drop_last, bool):
            raise ValueError(f"drop_last should be a boolean value, but got {drop_last=}")
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self):
        indices = iter(self.sampler)
        while batch := list(itertools.islice(indices, self.batch_size)):
            if len(batch) == self.batch_size or not self.drop_last:
                yield batch

    def __len__(self):
        full, rest = divmod(len(self.sampler), self.batch_size)
        return full + (rest > 0 and not self.drop_last)
