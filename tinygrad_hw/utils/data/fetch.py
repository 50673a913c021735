"""Indices to a batch, in the calling process or in a worker."""

from __future__ import annotations

import itertools
import threading

import numpy

from ops.random.generator import default_generator
from tinygrad_hw.utils.data.collate import default_collate
from tinygrad_hw.utils.data.dataset import Subset, TensorDataset, samples_at

__all__ = ["IterableFetcher", "MapFetcher", "sample_generator"]

_epoch = threading.local()  # .seed: the base seed of the pass that fetches in this thread


def sample_generator(index: int) -> numpy.random.Generator:
    """A random generator for the augmentation of sample ``index``: same numbers for any ``num_workers``.

    A worker's own generators are seeded ``base_seed + worker_id``, so what they draw for a sample
    depends on which worker loads it. This one depends on the loader's base seed (a fresh one every
    pass, drawn from the loader's generator) and on the index alone. Call it in ``__getitem__``; outside
    a loader the seed of the global generator takes the place of the base seed.

    >>> float(sample_generator(3).random()) == float(sample_generator(3).random())
    True
    """
    seed = getattr(_epoch, "seed", None)
    if seed is None:
        seed = default_generator.initial_seed()
    key = numpy.array([seed % 2**64, index % 2**64], dtype=numpy.uint64)
    return numpy.random.Generator(numpy.random.Philox(key=key))


def gather(dataset, indices):
    """The batch that `default_collate` makes of a `TensorDataset`, by one indexing; None for others.

    Row by row costs a Python call for each sample and tensor: for a small net more than its training
    step.

    >>> gather("abc", [0, 1]) is None
    True
    """
    from tinygrad_hw import from_numpy

    while type(dataset) is Subset:
        indices = [dataset.indices[index] for index in indices]
        dataset = dataset.dataset
    if type(dataset) is not TensorDataset or any(tensor.requires_grad for tensor in dataset.tensors):
        return None
    rows = numpy.asarray(indices)
    return [from_numpy(tensor.array[rows]) for tensor in dataset.tensors]


class MapFetcher:
    """Fetch batches from a dataset that is indexed. ``place`` tells what is being fetched, for messages.

    >>> MapFetcher("abc", auto_collation=True, collate_fn="".join, drop_last=False, seed=0)([2, 0])
    'ca'
    """

    def __init__(self, dataset, auto_collation, collate_fn, drop_last, seed):
        self.dataset = dataset
        self.auto_collation = auto_collation
        self.collate_fn = collate_fn
        self.seed = seed
        self.place = None

    def __call__(self, indices):
        _epoch.seed = self.seed
        try:
            return self._fetch(indices)
        except StopIteration as error:
            # Passed on it would end the caller's for loop in silence (compare PEP 479).
            raise RuntimeError("the dataset or collate_fn raised StopIteration") from error
        finally:
            _epoch.seed = None

    def _fetch(self, indices):
        if not self.auto_collation:
            self.place = ("sample index", indices)
            return self.collate_fn(self.dataset[indices])
        self.place = ("the batch of sample indices", indices)
        if self.collate_fn is default_collate:
            batch = gather(self.dataset, indices)
            if batch is not None:
                return batch
        if getattr(self.dataset, "__getitems__", None):
            return self.collate_fn(samples_at(self.dataset, indices))
        samples = []
        for index in indices:
            self.place = ("sample index", index)
            samples.append(self.dataset[index])
        self.place = ("collate_fn, for the batch of sample indices", indices)
        return self.collate_fn(samples)


class IterableFetcher:
    """Fetch batches from a stream; raises StopIteration when it is exhausted.

    >>> fetch = IterableFetcher("abc", auto_collation=True, collate_fn="".join, drop_last=False, seed=0)
    >>> fetch([None, None]), fetch([None, None])
    ('ab', 'c')
    """

    def __init__(self, dataset, auto_collation, collate_fn, drop_last, seed):
        self.samples = iter(dataset)
        self.auto_collation = auto_collation
        self.collate_fn = collate_fn
        self.drop_last = drop_last
        self.seed = seed
        self.place = None

    def __call__(self, indices):
        _epoch.seed = self.seed
        try:
            if not self.auto_collation:
                return self.collate_fn(next(self.samples))
            batch = list(itertools.islice(self.samples, len(indices)))
            if not batch or (self.drop_last and len(batch) < len(indices)):
                raise StopIteration
            return self.collate_fn(batch)
        finally:
            _epoch.seed = None
