"""Several launches in one call, for work so little that calling each takes longer than doing it."""

from __future__ import annotations

import array

import numpy as np
from numba import types

from .cpu import VECTOR_BYTES
from .jit import direct
from .launch import Launch, count_of, job_at, room_for, write_addresses
from .simd import call_task, table_at

__all__ = ["Sequence"]

_MOST = 8  # arrays of a launch


@direct(types.int64, types.int64)
def _run_in_turn(steps, arrays):
    """The steps of the `Sequence` whose table is at the address ``steps``, on the tuple of arrays."""
    count, table, place, room = count_of(arrays), table_at(steps), room_for(count_of(arrays)), room_for(_MOST)
    given, words, position = table_at(place), table_at(room), 1
    write_addresses(arrays, place)
    given[count - 1] = (given[count - 1] + VECTOR_BYTES - 1) // VECTOR_BYTES * VECTOR_BYTES
    for _ in range(table[0]):
        function, numbers, tasks, _ = job_at(table[position])
        places = table[position + 1]
        for i in range(places):
            words[i] = given[table[position + 2 + 2 * i]] + table[position + 3 + 2 * i]
        for task in range(tasks):
            call_task(function, room, numbers, task, 0)
        position += 2 + 2 * places


class Sequence:
    """Launches that run one after the other and serially, handing on their results in scratch memory.

    Arguments:
        steps: ``(launch, places)``; a place says for an array of the launch which one it is of those that the
            sequence is called with, and how many bytes after its beginning.  The number after the last of
            them stands for the scratch memory, which begins on a cache line.
        scratch: bytes of scratch memory for all steps together.

    >>> from ops.kernels.channels_last import planes_from_pixels  # a launch that transposes 2 x 2 numbers
    >>> swap = planes_from_pixels((1, 2, 1, 2), (32, 8, 32, 16), np.dtype(float))
    >>> twice, out = Sequence([(swap, [(1, 0), (2, 0)]), (swap, [(2, 0), (0, 0)])], 32), np.empty((2, 2))
    >>> twice(out, np.arange(4.0).reshape(2, 2))
    >>> out.tolist()
    [[0.0, 1.0], [2.0, 3.0]]
    """

    __slots__ = ("_launches", "_place", "_scratch", "_table")

    def __init__(self, steps: list[tuple[Launch, list[tuple[int, int]]]], scratch: int):
        self._launches = [launch for launch, _ in steps]  # the table holds nothing but their addresses
        words = [len(steps)]
        for launch, places in steps:
            words += [launch.place, len(places), *(number for place in places for number in place)]
        self._table, self._scratch = array.array("q", words), scratch + VECTOR_BYTES
        self._place = self._table.buffer_info()[0]

    def __call__(self, *arrays: np.ndarray) -> None:
        """Run all steps on these arrays."""
        arrays += (np.empty(self._scratch, np.uint8),)
        _run_in_turn(self._place, id(arrays))
