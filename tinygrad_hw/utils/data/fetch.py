"""Indices to a batch, in the calling process or in a worker."""

from __future__ import annotations

import itertools

import numpy

from tinygrad_hw.utils.data.collate import default_collate
from tinygrad_hw.utils.data.dataset import Subset, TensorDataset, file_of, samples_at
from tinygrad_hw.utils.data.randomness import load_sample, loading_batch

__all__ = ["IterableFetcher", "MapFetcher"]


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
        with loading_batch(self.seed, indices if self.auto_collation else [indices]) as now:
            try:
                return self._fetch(indices)
            except Exception as error:
                if self.place is None:  # while samples were loaded: say which one failed
                    self.place = self._describe(now.index)
                if isinstance(error, StopIteration):
                    # Passed on it would end the caller's for loop in silence (compare PEP 479).
                    raise RuntimeError("the dataset or collate_fn raised StopIteration") from error
                raise

    def _fetch(self, indices):
        self.place = None
        if not self.auto_collation:
            sample = load_sample(self.dataset, indices, position=0)
            self.place = ("collate_fn, for sample index", indices)
            return self.collate_fn(sample)
        if self.collate_fn is default_collate:
            batch = gather(self.dataset, indices)
            if batch is not None:
                return batch
        samples = samples_at(self.dataset, indices)
        self.place = ("collate_fn, for the batch of sample indices", indices)
        return self.collate_fn(samples)

    def _describe(self, index):
        """Where it failed: ``(what, index or indices)``, and the file of a sample that has one."""
        if self.auto_collation and isinstance(index, (list, tuple)):
            return ("the batch of sample indices", index)
        file = file_of(self.dataset, index)
        return ("sample index", index) if file is None else ("sample index", index, file)


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
        with loading_batch(self.seed):
            if not self.auto_collation:
                return self.collate_fn(next(self.samples))
            batch = list(itertools.islice(self.samples, len(indices)))
            if not batch or (self.drop_last and len(batch) < len(indices)):
                raise StopIteration
            return self.collate_fn(batch)
