"""`DistributedSampler`: each process sees its own part of the dataset."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy

from tinygrad_hw.utils.data.sampler import Sampler

__all__ = ["DistributedSampler"]


class DistributedSampler(Sampler[int]):
    """Every ``num_replicas``-th index of one permutation, from the ``rank``-th on.

    All ranks draw the same permutation, from ``seed`` and the epoch: call `set_epoch` before each epoch, or
    all epochs have the same order.  So that all ranks have equally many samples, the first ones are
    repeated at the end, or with ``drop_last`` the last ones are left out.

    Args:
        dataset: of which only the length counts.
        num_replicas: number of processes; by default that of the process group.
        rank: number of this process; by default that in the process group.
        shuffle: permute the indices.
        seed: the same for all ranks.
        drop_last: leave samples out rather than repeat some.

    Raises:
        ValueError: if ``rank`` is not below ``num_replicas``, or the dataset is empty.

    Source: https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.distributed.DistributedSampler

    >>> [list(DistributedSampler(range(5), 2, rank, shuffle=False)) for rank in (0, 1)]
    [[0, 2, 4], [1, 3, 0]]
    >>> [list(DistributedSampler(range(5), 2, rank, shuffle=False, drop_last=True)) for rank in (0, 1)]
    [[0, 2], [1, 3]]
    """

    def __init__(self, dataset, num_replicas: int | None = None, rank: int | None = None,
                 shuffle: bool = True, seed: int = 0, drop_last: bool = False):
        if num_replicas is None or rank is None:
            from tinygrad_hw.distributed.world import get_rank, get_world_size

            num_replicas = get_world_size() if num_replicas is None else num_replicas
            rank = get_rank() if rank is None else rank
        if not 0 <= rank < num_replicas:
            raise ValueError(f"Invalid rank {rank}, rank should be in the interval [0, {num_replicas - 1}]")
        if len(dataset) == 0:
            raise ValueError("the dataset is empty")
        self.dataset, self.num_replicas, self.rank = dataset, num_replicas, rank
        self.shuffle, self.seed, self.drop_last = shuffle, seed, drop_last
        self.epoch = 0

    @property
    def num_samples(self) -> int:
        """How many samples each rank has in an epoch."""
        share = len(self.dataset) / self.num_replicas
        return math.floor(share) if self.drop_last else math.ceil(share)

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next pass."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        size = len(self.dataset)
        if self.shuffle:
            order = numpy.random.Generator(numpy.random.Philox([self.seed, self.epoch])).permutation(size)
        else:
            order = numpy.arange(size)
        total = self.num_samples * self.num_replicas
        return iter(numpy.resize(order, total)[self.rank::self.num_replicas].tolist())

    def __len__(self) -> int:
        return self.num_samples
