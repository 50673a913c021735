"""Random numbers for augmentation that do not depend on which worker loads a sample.

A pass over a `DataLoader` has a base seed of its own, drawn from the loader's generator. Together with
the sample's index it is the key of a counter-based stream (Philox), so a sample's numbers follow from
(seed, epoch, index) alone, whatever the number of workers, the batch size or the order.
"""

from __future__ import annotations

import hashlib
import numbers
import threading
from contextlib import contextmanager

import numpy

from ops.random.generator import default_generator

__all__ = ["load_sample", "loading_batch", "sample_generator", "transform_generator"]

_OWN, _TRANSFORMS = 0, 1  # where the two streams of one key begin: 2**192 numbers apart


class _Now(threading.local):
    """What this thread is loading."""

    seed = None  # the base seed of the pass
    batch = None  # the loader's indices of the batch
    index = None  # the loader's index of the sample
    generator = None  # the sample's generator, once a transform has asked for it


_now = _Now()


def sample_generator(index: int) -> numpy.random.Generator:
    """A random generator for the augmentation of sample ``index``: same numbers for any ``num_workers``.

    A worker's own generators are seeded ``base_seed + worker_id``, so what they draw for a sample
    depends on which worker loads it. This one depends on the loader's base seed (a fresh one every
    pass, drawn from the loader's generator) and on the index alone. Call it in ``__getitem__``; outside
    a loader the seed of the global generator takes the place of the base seed.

    >>> float(sample_generator(3).random()) == float(sample_generator(3).random())
    True
    """
    return _stream(index, _OWN)


def transform_generator() -> numpy.random.Generator:
    """The generator that the random transforms draw from; draw from it in transforms of your own, too.

    While a `DataLoader` loads a sample it is that sample's: every transform of the sample draws from the
    same stream, one after the other. For samples of an `IterableDataset`, which have no index, and
    outside a loader it is the global generator's.

    >>> type(transform_generator()).__name__
    'Generator'
    """
    if _now.index is None:
        return default_generator.numpy
    if _now.generator is None:
        _now.generator = _stream(_now.index, _TRANSFORMS)
    return _now.generator


@contextmanager
def loading_batch(seed: int, indices=None):
    """What the block loads belongs to the pass with base seed ``seed`` and to the ``indices``.

    Until `load_sample` says which sample is loaded, the whole batch has one stream.

    >>> with loading_batch(seed=5, indices=[3, 1]):
    ...     first = float(transform_generator().random())
    >>> with loading_batch(seed=5, indices=[3, 1]):
    ...     float(transform_generator().random()) == first
    True
    """
    before = _now.seed, _now.batch, _now.index, _now.generator  # of a loader that loads from this one
    _now.seed, _now.batch, _now.index, _now.generator = seed, indices, indices, None
    try:
        yield _now
    finally:
        _now.seed, _now.batch, _now.index, _now.generator = before


def load_sample(dataset, index, position: int | None = None):
    """``dataset[index]``, with the sample's stream of random numbers at its start.

    Args:
        position: which sample of the batch under way it is; None for another part of the sample that is
            being loaded, so that an image and its mask are cropped alike.

    >>> with loading_batch(seed=5, indices=[3, 1]):
    ...     load_sample("abcdefgh", 7, position=1)
    'h'
    """
    before = _now.index
    if position is not None and _now.batch is not None:
        _now.index = _now.batch[position]
    _now.generator = None
    sample = dataset[index]  # when it fails, _now.index says which sample it was
    _now.index, _now.generator = before, None
    return sample


def _stream(index, part: int) -> numpy.random.Generator:
    seed = default_generator.initial_seed() if _now.seed is None else _now.seed
    key = numpy.array([seed % 2**64, _number(index)], dtype=numpy.uint64)
    return numpy.random.Generator(numpy.random.Philox(key=key, counter=[0, 0, 0, part]))


def _number(index) -> int:
    """64 bits for an index of any kind: an int, or what a dataset with names or lists is asked for."""
    if isinstance(index, numbers.Integral):
        return int(index) % 2**64
    return int.from_bytes(hashlib.blake2b(repr(index).encode(), digest_size=8).digest(), "little")
