"""Elementwise work in blocks: how a kernel of one loop meets arrays of any layout, and threads.

A kernel is a `Task` that treats one block of the flat memory; LLVM turns its loop into SIMD code.  Blocks
have a fixed size, and every element is computed by itself: the results are the same bits for any number
of threads.
"""

from __future__ import annotations

import functools

import numpy as np

from .jit import jit
from .launch import Launch, Task, run_serially

__all__ = ["BLOCK", "elementwise", "parameters", "span"]

BLOCK = 8192  # elements of a task: 1 to 10 microseconds


@jit
def span(numbers, task):
    """First and last (excluded) element of a task, for compiled code; ``numbers[0]`` is the total."""
    return task * BLOCK, min(numbers[0], (task + 1) * BLOCK)


def elementwise(task: Task, cost: int, x: np.ndarray, other: np.ndarray | None = None,
                numbers: tuple = ()) -> np.ndarray:
    """Run ``task`` over one array, or two of one shape and dtype, float32 or float64.

    The result has the memory layout of ``x`` (channels-last stays channels-last); an array with another
    layout is copied first.

    Arguments:
        task: gets the arrays (result, x, other, parameters) and the number of elements.
        cost: time for an element, in the multiplications that `launch` counts.
        numbers: floats that the kernel needs: its last array.

    >>> from ops.kernels.special import sigmoid  # a user of elementwise
    >>> sigmoid(np.zeros((2, 3)).T).shape
    (3, 2)
    """
    # A task gets bare addresses: what differs in anything must not reach it.
    if type(x) is np.ndarray and x.flags.c_contiguous:
        out = np.empty(x.shape, x.dtype)
        in_order = type(other) is np.ndarray and other.flags.c_contiguous
    else:
        out = np.empty_like(x)
        in_order = type(other) is np.ndarray and other.strides == out.strides
        if type(x) is not np.ndarray or x.strides != out.strides:
            x = _in_layout(x, out)
    launch, place, further = _prepared(task, x.dtype, x.size, cost, numbers)
    if other is None:
        arrays = (out, x) + further if further else (out, x)
    else:
        if not in_order or other.dtype is not x.dtype or other.shape != out.shape:
            other = _in_layout(other, out)
        arrays = (out, x, other) + further if further else (out, x, other)
    if place:  # 0.2 of 1.3 microseconds less than a call of the launch
        run_serially(place, id(arrays))
    else:
        launch(*arrays)
    return out


@functools.lru_cache(maxsize=4096)
def _prepared(task: Task, dtype, size: int, cost: int, numbers: tuple) -> tuple[Launch, int, tuple]:
    """The launch for so many elements, its place if it has little to do, and the array of the numbers if any.
    """
    launch = Launch(task, dtype, (size,), -(-size // BLOCK), size * cost)
    return launch, launch.place if launch.little else 0, (parameters(numbers, dtype),) if numbers else ()


def _in_layout(values, out: np.ndarray) -> np.ndarray:
    """A copy of ``values`` with the shape, dtype and memory layout of ``out``."""
    copy = np.empty_like(out)
    copy[...] = values
    return copy


@functools.lru_cache(maxsize=1024)
def parameters(numbers: tuple, dtype) -> np.ndarray:
    """The numbers as an array, which kernels only read.

    >>> parameters((0.5, 2.0), np.dtype(np.float32))
    array([0.5, 2. ], dtype=float32)
    """
    return np.array(numbers, dtype)
