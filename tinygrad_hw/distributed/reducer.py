"""Gradients averaged over the ranks while the backward pass still runs.

Parameters are put together in buckets, in the order in which their gradients are expected: the last layer's
first.  As soon as the last gradient of a bucket is there, its sum over the ranks is started, and the backward
pass goes on meanwhile.  When the pass ends, what is left is started and waited for.

All ranks have to start the same sums in the same order, so bucket k is never started before bucket k - 1.

Behind its gradients each bucket carries one number for each parameter: 1 if this rank has a gradient for it.
The sum of these numbers says how many ranks have one; where it is 0 the gradient stays None.  So networks may
leave out layers, also different ones in different ranks.

Source: S. Li et al., PyTorch Distributed: Experiences on Accelerating Data Parallel Training, VLDB 2020,
https://arxiv.org/abs/2006.15704
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterator

import numpy as np

from tinygrad_hw.autograd.engine import queue_callback
from tinygrad_hw.distributed.group import ProcessGroup, Work
from tinygrad_hw.distributed.world import mpi
from tinygrad_hw.tensor import Tensor
from tinygrad_hw.waiting import compute_waiting

__all__ = ["Reducer"]


class _Bucket:
    """Some parameters of one dtype and the memory for their gradients.

    Attributes:
        parameters: those whose gradients are averaged together.
        missing: how many of them have no gradient yet in this pass.
    """

    def __init__(self, parameters: list[Tensor]):
        self.parameters = parameters
        ends = np.cumsum([parameter.numel() for parameter in parameters])
        self.places = [slice(int(end) - p.numel(), int(end)) for end, p in zip(ends, parameters)]
        self.memory = np.empty(int(ends[-1]) + len(parameters), parameters[0].array_dtype)
        self.present = self.memory[int(ends[-1]):]
        self.missing = len(parameters)
        self.work: Work | None = None

    def start(self, group: ProcessGroup) -> None:
        """Copy the gradients and start their sum."""
        for number, (parameter, place) in enumerate(zip(self.parameters, self.places)):
            gradient = parameter.grad
            self.present[number] = gradient is not None
            self.memory[place] = 0 if gradient is None else gradient.array.reshape(-1)
        self.work = group.start("Iallreduce", mpi().IN_PLACE, self.memory)

    def finish(self, ranks: int) -> None:
        """Wait for the sum; its share becomes the parameters' gradient."""
        self.work.wait()
        self.work = None
        for parameter, place, count in zip(self.parameters, self.places, self.present):
            if count == 0:
                continue
            mean = (self.memory[place] / ranks).astype(self.memory.dtype).reshape(parameter.shape)
            if parameter.grad is None:
                parameter.grad = Tensor._wrap(mean)
            else:
                compute_waiting(parameter.grad)
                parameter.grad.array[...] = mean
                parameter.grad._bump("the gradient was averaged over the ranks")


class Reducer:
    """Averages the gradients of parameters after every backward pass.

    Args:
        parameters: those that require gradients, in the order of their layers.
        group: the processes that train together.
        capacity: bytes of a bucket.
        first_capacity: bytes of the first bucket, which is small so that the communication starts early.
    """

    def __init__(self, parameters: list[Tensor], group: ProcessGroup, capacity: int, first_capacity: int):
        self.group, self.enabled = group, True
        self.buckets = list(map(_Bucket, _divide(parameters[::-1], capacity, first_capacity)))
        self._next = 0
        myself = weakref.ref(self)
        for bucket in self.buckets:
            for parameter in bucket.parameters:
                parameter.register_post_accumulate_grad_hook(_arrival(myself, bucket))

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Leave gradients as each rank computed them."""
        before, self.enabled = self.enabled, False
        try:
            yield
        finally:
            self.enabled = before

    def arrived(self, bucket: _Bucket) -> None:
        """One more gradient of a bucket is there."""
        if not self.enabled:
            return
        if queue_callback(self._finish):  # the first of this pass; the one before may have failed halfway
            self._next = 0
            for one in self.buckets:
                one.missing = len(one.parameters)
        bucket.missing -= 1
        while self._next < len(self.buckets) and self.buckets[self._next].missing <= 0:
            self._start_next()
        for other in self.buckets[:self._next]:
            if other.work is not None:
                other.work.is_completed()  # MPI goes on with a sum only when it is called

    def _start_next(self) -> None:
        self.buckets[self._next].start(self.group)
        self._next += 1

    def _finish(self) -> None:
        """The backward pass is over: no more gradients will come."""
        while self._next < len(self.buckets):
            self._start_next()
        for bucket in self.buckets:
            bucket.finish(self.group.size())


def _arrival(reducer: weakref.ref, bucket: _Bucket):
    """The hook of a parameter; it does not keep the reducer alive."""
    def hook(parameter):
        alive = reducer()
        if alive is not None:
            alive.arrived(bucket)

    return hook


def _divide(parameters: list[Tensor], capacity: int, first_capacity: int) -> list[list[Tensor]]:
    """Neighbours of the same dtype, up to so many bytes together."""
    groups: list[list[Tensor]] = []
    room = 0
    for parameter in parameters:
        size = parameter.numel() * parameter.array_dtype.itemsize
        if not groups or size > room or groups[-1][0].array_dtype != parameter.array_dtype:
            room = capacity if groups else first_capacity
            groups.append([])
        groups[-1].append(parameter)
        room -= size
    return groups
