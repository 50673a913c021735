"""Elementwise work in blocks: how a kernel of one loop meets arrays of any layout, and threads.

A kernel is a `Task` that treats one block of the flat memory; LLVM turns its loop into SIMD code.  Blocks
have a fixed size, and every element is computed by itself: the results are the same bits for any number
of threads.
"""

from __future__ import annotations

import functools

import numpy as np

from .jit import jit
from .launch import Launch, Task

__all__ = ["BLOCK", "elementwise", "parameters", "span"]

BLOCK = 8192  # elements of a task: 1 to 10 microseconds


@jit
def span(numbers, task):
    """First and last (excluded) element of a task, for compiled code; ``numbers[0]`` is the total."""
    return task * BLOCK, min(numbers[0], (task + 1) * BLOCK)


def elementwise(task: Task, cost: int, x: np.ndarray, *others: np.ndarray, numbers=()) -> np.ndarray:
    """Run ``task`` over arrays of one shape and dtype, float32 or float64.

    The result has the memory layout of ``x`` (channels-last stays channels-last); arrays with another
    layout are copied first.

    Arguments:
        task: gets the arrays (result, x, *others, parameters) and the number of elements.
        cost: time for an element, in the multiplications that `launch` counts.
        numbers: floats that the kernel needs: its last array.

    >>> from ops.kernels.special import sigmoid  # a user of elementwise
    >>> sigmoid(np.zeros((2, 3)).T).shape
    (3, 2)
    """
    x = np.asarray(x)
    out = np.empty_like(x)
    strides, dtype = out.strides, out.dtype
    arrays = [out, x if x.strides == strides else _in_layout(x, out)]
    for array in others:
        # A task gets bare addresses: what differs in anything must not reach it.
        fits = type(array) is np.ndarray and array.strides == strides and array.dtype == dtype
        arrays.append(array if fits and array.shape == out.shape else _in_layout(array, out))
    if numbers:
        arrays.append(parameters(numbers, dtype))
    _prepared(task, dtype, out.size, cost)(*arrays)
    return out


@functools.lru_cache(maxsize=4096)
def _prepared(task: Task, dtype, size: int, cost: int) -> Launch:
    """The launch for so many elements."""
    return Launch(task, dtype, (size,), -(-size // BLOCK), size * cost)


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
