"""The one parallel launcher: cut work into numbered tasks and run them on all threads.

A kernel that uses threads is a `Task`: a function of (arrays, numbers, task, worker), compiled to a
plain C function.  One compiled loop calls it for every task number, so only that loop needs numba's
parallel compiler (2 to 4 seconds a function).  No sum is cut by the number of threads, and no two tasks
write the same value: results are the same bits for any number of threads.

The loop runs serially when there is little work, when another Python thread is in it already, and in a
forked child (GNU OpenMP kills a forked child that starts threads).
"""

from __future__ import annotations

import array
import ctypes
import functools
import os
import threading
from typing import ClassVar

import numpy as np
from llvmlite import ir
from numba import config, prange, types

from .cpu import VECTOR_BYTES
from .jit import callback_address, direct, jit, part
from .simd import _intrinsic, call_task, fetch_add_one, table_at

__all__ = ["Launch", "Task", "get_num_threads", "launch", "run_serially", "set_num_threads"]

# OpenMP starts a parallel loop in 2 microseconds, workqueue in 100 to 200.
if config.THREADING_LAYER == "default":
    config.THREADING_LAYER_PRIORITY = ["omp", "tbb", "workqueue"]

LITTLE_WORK = 8_000_000  # multiplications, or their equal in time: about 150 microseconds
# The second thread has gone to sleep since the last launch, and waking it takes about 100 microseconds:
# two products of 36 x 1024 x 32 took 70 microseconds on one thread and 300 on two.
STACK = 16384  # bytes of scratch memory that are taken from the stack: 0.4 microseconds less than an array
_ELEMENTS = {np.dtype(np.float32): types.float32, np.dtype(np.float64): types.float64}
# An ndarray's first field, right behind the object header, is its data pointer; behind a tuple's header lie
# the addresses of its items.
# In between, right behind the object header, a tuple holds its length.
_HEADER, _ITEMS = object.__basicsize__, tuple.__basicsize__
_read_word = ctypes.c_size_t.from_address
_one_at_a_time = threading.Lock()
_forked = False


def _note_fork():
    global _forked
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)


def _initial_threads() -> int:
    text = os.environ.get("TINYGRAD_HW_NUM_THREADS", "")
    if not text:
        return config.NUMBA_NUM_THREADS
    if not text.isdigit() or int(text) == 0:
        raise ValueError(
            f"TINYGRAD_HW_NUM_THREADS={text!r} is not a positive number of threads; set it to 1 or more."
        )
    return min(int(text), config.NUMBA_NUM_THREADS)


_threads = _initial_threads()


def get_num_threads() -> int:
    """Number of threads that kernels may use (`torch.get_num_threads`).

    At first it is ``TINYGRAD_HW_NUM_THREADS``, else the number of cores this process may use.

    >>> get_num_threads() >= 1
    True
    """
    return _threads


def set_num_threads(count: int) -> None:
    """Let kernels use ``count`` threads (`torch.set_num_threads`); no more than there are usable cores.

    Raises RuntimeError for a count that is not positive.

    >>> before = get_num_threads()
    >>> set_num_threads(1)
    >>> get_num_threads()
    1
    >>> set_num_threads(before)
    """
    global _threads
    if count < 1:
        raise RuntimeError(f"set_num_threads expects a positive number of threads, got {count}.")
    _threads = min(count, config.NUMBA_NUM_THREADS)


class Task:
    """A kernel for `launch`, compiled on first use, once for each element type.

    ``function(arrays, numbers, task, worker)`` gets the addresses of the arrays (all of one element
    type), int64 numbers, its task number and the number of the worker (below `get_num_threads`) that
    runs it, for scratch memory.  It must not raise: nobody would see it.

    Attributes:
        every: all tasks of the modules imported so far.
    """

    every: ClassVar[list[Task]] = []

    def __init__(self, function):
        Task.every.append(self)
        functools.update_wrapper(self, function)
        self._function = function
        self._addresses = {}

    def address(self, dtype) -> int:
        """Address of the machine code for ``dtype``; raises TypeError unless float32 or float64."""
        address = self._addresses.get(dtype)
        if address is None:
            if dtype not in _ELEMENTS:
                raise TypeError(
                    f"this kernel computes in float32 or float64, not {dtype}; convert the array first."
                )
            arrays = types.CPointer(types.CPointer(_ELEMENTS[dtype]))
            numbers = types.CPointer(types.int64)
            signature = types.void(arrays, numbers, types.intp, types.intp)
            address = self._addresses[dtype] = callback_address(self._function, signature)
        return address


def address_of(values: np.ndarray) -> int:
    """Address of an array's first element: ``values.ctypes.data`` in 0.1 instead of 1.5 microseconds.

    >>> values = np.arange(3)
    >>> address_of(values) == values.ctypes.data
    True
    """
    return _read_word(id(values) + _HEADER).value


@_intrinsic(lambda count: types.int64)
def room_for(builder, kinds, count):
    """Address of memory for ``count`` words that lasts until the function returns that asks for it."""
    room = builder.alloca(ir.IntType(64), count)
    room.align = VECTOR_BYTES
    return builder.ptrtoint(room, ir.IntType(64))


@part
def count_of(arrays):
    """The length of the tuple at the address ``arrays``."""
    return table_at(arrays + _HEADER)[0]


@part
def write_addresses(arrays, place):
    """Write the addresses of the data of the arrays in the tuple to the words at ``place``."""
    items, words = table_at(arrays + _ITEMS), table_at(place)
    for i in range(count_of(arrays)):
        words[i] = table_at(items[i] + _HEADER)[0]


@part
def job_at(address):
    """Function, address of the numbers, number of tasks and words of scratch memory of a `Launch`."""
    words = table_at(address)
    return words[0], words[1], words[2], words[3]


@direct(types.int64, types.int64)
def run_serially(job, arrays):
    """All tasks of the `Launch` that is at the address ``job``, on the tuple of arrays at the other one.

    Scratch memory that the launch has not in an array is on the stack.
    """
    count, (function, numbers, tasks, scratch) = count_of(arrays), job_at(job)
    place = room_for(count + 1)
    write_addresses(arrays, place)
    table_at(place)[count] = room_for(scratch)
    for task in range(tasks):
        call_task(function, place, numbers, task, 0)


@jit(parallel=True)
def _share(function, place, numbers, tasks, next_task, workers):
    """All tasks, each by the next worker that is free.

    Nothing but addresses here, whose memory the caller keeps: numba moves what does not depend on a
    parallel loop to before it, the last use of an array and with it its release too.
    """
    for worker in prange(workers):
        while True:
            task = fetch_add_one(table_at(next_task))
            if task >= tasks:
                break
            call_task(function, place, numbers, task, worker)


@jit
def _run_in_parallel(job, arrays, workers):
    place, counter, (function, numbers, tasks, _) = room_for(count_of(arrays)), room_for(1), job_at(job)
    write_addresses(arrays, place)
    table_at(counter)[0] = 0
    _share(function, place, numbers, tasks, counter, workers)


class Launch:
    """A `Task` with its numbers, to be run on one set of arrays after the other.

    It holds addresses and numbers and none of the arrays, so one serves all threads.

    Arguments:
        task: the kernel.
        dtype: of all its arrays, float32 or float64.
        numbers: its integers.
        tasks: the number of tasks.  How a sum is cut must not depend on the number of threads.
        work: multiplications in all, or their equal in time; little work runs serially.
        scratch: elements of scratch memory a worker needs.  The kernel finds the memory of all workers
            as one more array, not initialised.

    Attributes:
        place: its address, for `run_serially`; it must not outlive the launch.
        little: whether there is so little work, and scratch memory, that `run_serially` does as well.

    >>> from ops.kernels.gemm import matmul  # a user of Launch
    >>> matmul(np.eye(2), np.ones((2, 1))).tolist()
    [[1.0], [1.0]]
    """

    __slots__ = ("_dtype", "_numbers", "_scratch", "_tasks", "_words", "_work", "little", "place")

    def __init__(self, task: Task, dtype, numbers, tasks: int, work: float, scratch: int = 0):
        self._dtype, self._tasks, self._work, self._scratch = dtype, tasks, work, scratch
        self._numbers = array.array("q", numbers)
        size = scratch * dtype.itemsize
        self.little = work < LITTLE_WORK and size <= STACK
        on_stack = -(-size // 8) if self.little else 0
        words = task.address(dtype), self._numbers.buffer_info()[0], tasks, on_stack
        self._words = array.array("q", words)
        self.place = self._words.buffer_info()[0]

    def __call__(self, *arrays) -> None:
        """Run all tasks on these arrays and return when they are done."""
        self.run(arrays)

    def run(self, arrays: tuple) -> None:
        """The same for a tuple of arrays, in 0.2 microseconds less."""
        if self.little:
            run_serially(self.place, id(arrays))
            return
        workers = 1 if self._work < LITTLE_WORK or _forked else min(_threads, self._tasks)
        if workers > 1 and _one_at_a_time.acquire(blocking=False):
            try:
                if self._scratch:
                    arrays += (np.empty(workers * self._scratch, self._dtype),)
                _run_in_parallel(self.place, id(arrays), workers)
            finally:
                _one_at_a_time.release()
        else:
            if self._scratch:
                arrays += (np.empty(self._scratch, self._dtype),)
            run_serially(self.place, id(arrays))


_prepared = functools.lru_cache(maxsize=4096)(Launch)
"""A training step asks for the same launches again and again: 0.7 microseconds less each."""


def launch(task: Task, arrays: tuple, numbers: tuple, tasks: int, work: float, scratch: int = 0) -> None:
    """Run ``task`` once for the task numbers 0 to ``tasks`` - 1; arguments as for `Launch`.

    >>> from ops.kernels.special import sigmoid  # a user of launch
    >>> sigmoid(np.zeros(2)).tolist()
    [0.5, 0.5]
    """
    _prepared(task, arrays[0].dtype, numbers, tasks, work, scratch)(*arrays)
