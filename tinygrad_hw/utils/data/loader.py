"""`DataLoader`: batches from a dataset, in this process or prefetched by workers.

The arguments and their meaning are those of
https://pytorch.org/docs/stable/data.html#torch.utils.data.DataLoader.
"""

from __future__ import annotations

import functools
import itertools
import multiprocessing
import os
import sys
import warnings
from multiprocessing.context import BaseContext
from typing import Generic, TypeVar

from tinygrad_hw.utils.data.collate import default_collate, default_convert
from tinygrad_hw.utils.data.dataset import IterableDataset
from tinygrad_hw.utils.data.fetch import IterableFetcher, MapFetcher
from tinygrad_hw.utils.data.sampler import BatchSampler, RandomSampler, SequentialSampler, draw_seed

T_co = TypeVar("T_co", covariant=True)

__all__ = ["DataLoader"]


class DataLoader(Generic[T_co]):
    """Iterate over a dataset in batches, once for each ``for`` loop.

    Args:
        dataset: anything with ``__getitem__`` and ``__len__``, or an `IterableDataset`.
        batch_size: samples in a batch; None yields the samples themselves.
        shuffle: a new random order every pass.
        sampler: yields indices; any iterable. Excludes ``shuffle``.
        batch_sampler: yields lists of indices. Excludes ``batch_size``, ``shuffle``, ``sampler`` and
            ``drop_last``.
        num_workers: processes that load batches ahead; 0 loads in this process.
        collate_fn: makes a batch of a list of samples; default `default_collate`, or `default_convert`
            of one sample for ``batch_size=None``.
        pin_memory: accepted for compatibility; there is no accelerator to pin memory for.
        drop_last: leave out a last batch that is not full.
        timeout: seconds to wait for a worker's batch; 0 waits for ever (a worker's death is always
            noticed).
        worker_init_fn: called with the worker's id in each worker before it loads.
        multiprocessing_context: start method (``"fork"``, ``"spawn"``, ``"forkserver"``) or a context of
            ``multiprocessing``. Default: what ``multiprocessing.set_start_method`` chose, else fork on
            Linux and the platform's own elsewhere. All but fork import the main module again: guard it
            with ``if __name__ == "__main__":``.
        generator: the `Generator` for the order and for the workers' base seed; default the global one.
        prefetch_factor: batches that each worker loads ahead; default 2.
        persistent_workers: keep the workers between passes.
        pin_memory_device: accepted for compatibility.
        in_order: yield batches in the sampler's order. False yields whichever comes first.

    Worker ``i`` seeds ``random``, ``numpy.random`` and the global generator with ``base_seed + i`` at
    the start of every pass, so the same seed and number of workers give the same batches; for
    randomness that does not depend on the number of workers see `sample_generator` and
    `transform_generator`. An exception in a worker is raised here with its type, the sample's index, its
    file where the dataset tells it, and the worker's traceback; a worker that dies is a RuntimeError.

    Raises:
        ValueError, TypeError: arguments that contradict each other or have a wrong value.

    >>> loader = DataLoader([1.0, 2.0, 3.0], batch_size=2)
    >>> [batch.tolist() for batch in loader], len(loader)
    ([[1.0, 2.0], [3.0]], 2)
    """

    _initialized = False
    _fixed = ("batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers")

    def __init__(
        self,
        dataset,
        batch_size=1,
        shuffle=None,
        sampler=None,
        batch_sampler=None,
        num_workers=0,
        collate_fn=None,
        pin_memory=False,
        drop_last=False,
        timeout=0,
        worker_init_fn=None,
        multiprocessing_context=None,
        generator=None,
        *,
        prefetch_factor=None,
        persistent_workers=False,
        pin_memory_device="",
        in_order=True,
    ):
        _check_workers(num_workers, timeout, prefetch_factor, persistent_workers)
        self._iterable = isinstance(dataset, IterableDataset)
        if self._iterable:
            _check_iterable(shuffle, sampler, batch_sampler)
        _check_batching(batch_size, shuffle, sampler, batch_sampler, drop_last)
        if sampler is None:
            if self._iterable:
                sampler = itertools.repeat(None)  # a stream takes no index
            else:
                sampler = (
                    RandomSampler(dataset, generator=generator)
                    if shuffle
                    else SequentialSampler(dataset)
                )
        if batch_sampler is not None:
            batch_size = None
        elif batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        if collate_fn is None:
            collate_fn = default_convert if batch_sampler is None else default_collate
        if num_workers > 0 and prefetch_factor is None:
            prefetch_factor = 2

        self.dataset = dataset
        self.batch_size = batch_size
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.num_workers = num_workers
        self.collate_fn = collate_fn
        self.pin_memory = pin_memory
        self.pin_memory_device = pin_memory_device
        self.drop_last = drop_last
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.multiprocessing_context = multiprocessing_context
        self.generator = generator
        self.prefetch_factor = prefetch_factor
        self.persistent_workers = persistent_workers
        self.in_order = in_order
        self._workers = None  # the iterator whose workers persist
        self._promised = None  # the length that an iterable dataset told
        self._initialized = True
        _warn_of_many(num_workers)

    def __setattr__(self, name, value):
        if self._initialized and name in self._fixed:
            raise ValueError(
                f"{name} attribute should not be set after {type(self).__name__} is initialized; "
                "make a new loader"
            )
        super().__setattr__(name, value)

    @property
    def multiprocessing_context(self) -> BaseContext | None:
        """The context that starts workers; None when ``num_workers=0``."""
        return self._context

    @multiprocessing_context.setter
    def multiprocessing_context(self, context):
        if context is not None and self.num_workers == 0:
            raise ValueError(
                "multiprocessing_context can only be used with multi-process loading (num_workers > 0), "
                f"but got num_workers={self.num_workers}"
            )
        if isinstance(context, str):
            methods = multiprocessing.get_all_start_methods()
            if context not in methods:
                raise ValueError(
                    "multiprocessing_context option should specify a valid start method in "
                    f"{methods!r}, but got multiprocessing_context={context!r}"
                )
            context = multiprocessing.get_context(context)
        if context is not None and not isinstance(context, BaseContext):
            raise TypeError(
                "multiprocessing_context option should be a valid context object or a string specifying "
                f"the start method, but got multiprocessing_context={context!r}"
            )
        if context is None and self.num_workers > 0:
            context = _default_context()
        self._context = context

    @property
    def _index_sampler(self):
        return self.sampler if self.batch_sampler is None else self.batch_sampler

    @property
    def _make_fetcher(self):
        """A function of the dataset and a base seed; functools.partial travels to spawned workers."""
        return functools.partial(
            IterableFetcher if self._iterable else MapFetcher,
            auto_collation=self.batch_sampler is not None,
            collate_fn=self.collate_fn,
            drop_last=self.drop_last,
        )

    def __iter__(self):
        if self.pin_memory:
            warnings.warn(
                "'pin_memory' argument is set as true but no accelerator is found, then device pinned "
                "memory won't be used.",
                stacklevel=2,
            )
        batches = self._batches()
        return batches if self._promised is None else self._counted(batches)

    def _batches(self):
        if self.num_workers == 0:
            return _SerialIterator(self)
        from tinygrad_hw.utils.data.prefetch import WorkerIterator

        if not self.persistent_workers:
            return WorkerIterator(self)
        if self._workers is None or self._workers.closed:
            self._workers = WorkerIterator(self)
        else:
            self._workers.restart()
        return self._workers

    def _counted(self, batches):
        """Pass batches on; warn once when a stream yields more than its ``len`` promised."""
        for number, batch in enumerate(batches, start=1):
            if number == self._promised + 1:
                warnings.warn(
                    f"Length of IterableDataset {self.dataset} was reported to be {self._promised} "
                    f"(when accessing len(dataloader)), but {number} samples have been fetched. With "
                    "several workers each must take its own part of the stream: see get_worker_info()",
                    stacklevel=2,
                )
            yield batch

    def __len__(self):
        if not self._iterable:
            return len(self._index_sampler)
        length = len(self.dataset)
        if self.batch_size is not None:
            full, rest = divmod(length, self.batch_size)
            length = full + (rest > 0 and not self.drop_last)
        self._promised = length
        return length


class _SerialIterator:
    """One pass in the calling process."""

    def __init__(self, loader):
        if loader.timeout != 0:
            raise AssertionError(f"timeout needs num_workers > 0, but got timeout={loader.timeout}")
        self._loader = loader
        # Drawn before the order, as with workers: one seed gives one order for any num_workers.
        base_seed = draw_seed(loader.generator)
        self._indices = iter(loader._index_sampler)
        self._fetch = loader._make_fetcher(loader.dataset, seed=base_seed)

    def __iter__(self):
        return self

    def __len__(self):
        return len(self._loader._index_sampler)

    def __next__(self):
        return self._fetch(next(self._indices))


def _default_context() -> BaseContext:
    """Fork on Linux, where a worker starts in milliseconds and shares the dataset's memory.

    It is safe beside the kernels' threads: the worker has its kernels run serially, and it takes part in
    no lock that another thread could have held when the process was forked.
    """
    method = multiprocessing.get_start_method(allow_none=True)
    if method is None and sys.platform.startswith("linux"):
        method = "fork"
    return multiprocessing.get_context(method)


def _check_workers(num_workers, timeout, prefetch_factor, persistent_workers):
    if num_workers < 0:
        raise ValueError(
            f"num_workers option should be non-negative, but got {num_workers=}; "
            "use num_workers=0 to disable multiprocessing."
        )
    if timeout < 0:
        raise ValueError(f"timeout option should be non-negative, but got {timeout=}")
    if num_workers == 0 and prefetch_factor is not None:
        raise ValueError(
            f"prefetch_factor option could only be specified in multiprocessing, but got "
            f"{prefetch_factor=} with num_workers=0. Let num_workers > 0, or leave prefetch_factor out."
        )
    if prefetch_factor is not None and prefetch_factor < 1:
        raise ValueError(
            f"prefetch_factor option should be non-negative and not 0, but got {prefetch_factor=}"
        )
    if persistent_workers and num_workers == 0:
        raise ValueError("persistent_workers option needs num_workers > 0")


def _check_iterable(shuffle, sampler, batch_sampler):
    hint = "the order of a stream is its own affair"
    if shuffle not in (False, None):
        raise ValueError(
            f"DataLoader with IterableDataset: expected unspecified shuffle option, but got {shuffle=}; "
            + hint
        )
    if sampler is not None:
        raise ValueError(
            f"DataLoader with IterableDataset: expected unspecified sampler option, but got {sampler=}; "
            + hint
        )
    if batch_sampler is not None:
        raise ValueError(
            "DataLoader with IterableDataset: expected unspecified batch_sampler option, but got "
            f"{batch_sampler=}; {hint}"
        )


def _check_batching(batch_size, shuffle, sampler, batch_sampler, drop_last):
    if sampler is not None and shuffle:
        raise ValueError(
            f"sampler option is mutually exclusive with shuffle, but got {sampler=}, {shuffle=}"
        )
    if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
        raise ValueError(
            "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and "
            f"drop_last, but got {batch_size=}, {shuffle=}, {sampler=}, {drop_last=}"
        )
    if batch_size is None and drop_last:
        raise ValueError(
            "batch_size=None option disables auto-batching and is mutually exclusive with drop_last, "
            f"but got {drop_last=}"
        )


def _warn_of_many(num_workers):
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    if num_workers > cores:
        warnings.warn(
            f"This DataLoader will create {num_workers} worker processes in total. Our suggested max "
            f"number of worker in current system is {cores}; more may make loading slower.",
            stacklevel=3,
        )
