"""Optimizer steps: all parameters of a group in one launch, one pass over their memory.

The elements of all parameters, laid end to end, are cut into blocks of fixed size, one task each.  Every
element is computed by itself, so the results are the same bits for any number of threads.
"""

from __future__ import annotations

import functools
import itertools
import math

import numpy as np

from . import vector  # noqa: F401 - gives vectors their operators
from .jit import part
from .launch import Launch, Task, address_of
from .maps import parameters
from .simd import lanes_of, pointer_shift, vector_load, vector_splat, vector_store

__all__ = ["adam", "sgd"]

BLOCK = 8192  # elements of a task: 2 to 5 microseconds
_SGD_COST, _ADAM_COST = 8, 25  # time for an element, in the multiplications that `launch` counts


@part
def _share(offsets, number, task):
    """First and last (excluded) element of parameter ``number`` that belong to a task."""
    begin, end = offsets[number], offsets[number + 1]
    return max(begin, task * BLOCK) - begin, min(end, (task + 1) * BLOCK) - begin


@part
def _sgd_vector(parameter, gradient, buffer, i, count, options, numbers):
    """Update one vector, or its first ``count`` elements."""
    decays, keeps, starts, nesterov = numbers[2], numbers[3], numbers[4], numbers[5]
    p = vector_load(parameter, i, count)
    d = vector_load(gradient, i, count) * vector_splat(options[1])
    if decays:
        d = d + p * vector_splat(options[2])
    if keeps:
        momentum, b = vector_splat(options[3]), d
        if not starts:
            b = vector_load(buffer, i, count) * momentum + d * vector_splat(options[4])
        vector_store(buffer, i, b, count)
        d = d + b * momentum if nesterov else b
    vector_store(parameter, i, p - d * vector_splat(options[0]), count)


@Task
def _sgd(arrays, numbers, task, worker):
    """Gradient descent; see `sgd`."""
    options, width = arrays[0], numbers[0]
    lanes = lanes_of(options)
    for number in range(numbers[1]):
        start, stop = _share(pointer_shift(numbers, 6), number, task)
        parameter, gradient = arrays[1 + width * number], arrays[2 + width * number]
        buffer = arrays[width + width * number]  # without momentum the gradient, which is left alone
        while start + lanes <= stop:
            _sgd_vector(parameter, gradient, buffer, start, None, options, numbers)
            start += lanes
        if start < stop:
            _sgd_vector(parameter, gradient, buffer, start, stop - start, options, numbers)


@part
def _adam_vector(parameter, gradient, mean, square, largest, i, count, options, numbers):
    """Update one vector, or its first ``count`` elements."""
    decays, amsgrad = numbers[2], numbers[3]
    p = vector_load(parameter, i, count) * vector_splat(options[2])
    d = vector_load(gradient, i, count) * vector_splat(options[1])
    if decays:
        d = d + p * vector_splat(options[3])
    m, s = vector_load(mean, i, count), vector_load(square, i, count)
    m = m + (d - m) * vector_splat(options[4])
    s = s * vector_splat(options[5]) + d * d * vector_splat(options[6])
    vector_store(mean, i, m, count)
    vector_store(square, i, s, count)
    if amsgrad:
        s = max(vector_load(largest, i, count), s)
        vector_store(largest, i, s, count)
    root = math.sqrt(s) * vector_splat(options[7]) + vector_splat(options[8])
    vector_store(parameter, i, p - m / root * vector_splat(options[0]), count)


@Task
def _adam(arrays, numbers, task, worker):
    """Adam; see `adam`."""
    options, width = arrays[0], numbers[0]
    lanes = lanes_of(options)
    for number in range(numbers[1]):
        start, stop = _share(pointer_shift(numbers, 4), number, task)
        first = 1 + width * number
        parameter, gradient, mean = arrays[first], arrays[first + 1], arrays[first + 2]
        square, largest = arrays[first + 3], arrays[first + width - 1]
        while start + lanes <= stop:
            _adam_vector(parameter, gradient, mean, square, largest, start, None, options, numbers)
            start += lanes
        if start < stop:
            count = stop - start
            _adam_vector(parameter, gradient, mean, square, largest, start, count, options, numbers)


def _share_memory(arrays) -> bool:
    """Whether any two arrays overlap."""
    owners = {id(array if array.base is None else array.base) for array in arrays}
    if len(owners) == len(arrays):
        return False
    spans = sorted((address_of(array), address_of(array) + array.nbytes) for array in arrays)
    return any(end > start for (_, end), (start, _) in itertools.pairwise(spans))


@functools.lru_cache(maxsize=256)
def _launch(task, dtype, width, sizes, flags, cost):
    """The launch for parameters of these sizes, ``width`` arrays each."""
    offsets = list(itertools.accumulate(sizes, initial=0))
    total = offsets[-1]
    return Launch(task, dtype, (width, len(sizes), *flags, *offsets), -(-total // BLOCK), total * cost)


def _sweep(task, rows, options, flags, cost):
    """Launch an update of ``rows`` of arrays with an array of ``options`` and integer ``flags``."""
    arrays = tuple(itertools.chain.from_iterable(rows))
    sizes = tuple([row[0].size for row in rows])
    # Rows that share memory are updated one after the other, as they are by NumPy.
    if sum(sizes) > BLOCK and _share_memory(arrays):
        cost = 0
    _launch(task, options.dtype, len(rows[0]), sizes, flags, cost)(options, *arrays)


def sgd(rows, lr, direction, decay, momentum, fresh, starts, nesterov) -> None:
    """``d = direction * g + decay * p; b = momentum * b + fresh * d; p -= lr * b`` in place.

    Args:
        rows: arrays ``(p, g)`` or, with momentum, ``(p, g, b)`` of each parameter; all of one dtype,
            those of a row of one shape and one memory layout without gaps.
        starts: whether the buffers hold nothing yet: ``b = d``.
        nesterov: step along ``d + momentum * b``.

    >>> p = np.ones(3)
    >>> sgd([(p, np.ones(3))], 0.5, 1, 0, 0, 1, False, False)
    >>> p.tolist()
    [0.5, 0.5, 0.5]
    """
    flags = decay != 0, len(rows[0]) == 3, starts, nesterov
    options = parameters((lr, direction, decay, momentum, fresh), rows[0][0].dtype)
    _sweep(_sgd, rows, options, flags, _SGD_COST)


def adam(rows, lr, direction, shrink, decay, beta1, beta2, correction, eps) -> None:
    """``p = shrink * p - lr * m / (correction * sqrt(v) + eps)`` in place, after updating the means.

    With ``d = direction * g + decay * p`` they become ``m += (1 - beta1) * (d - m)`` and
    ``v = beta2 * v + (1 - beta2) * d * d``.

    Args:
        rows: arrays ``(p, g, m, v)`` of each parameter, or ``(p, g, m, v, largest)`` to divide by the
            largest v so far; dtypes and layouts as for `sgd`.

    >>> p, m, v = np.ones(1), np.zeros(1), np.zeros(1)
    >>> adam([(p, np.ones(1), m, v)], 0.5, 1, 1, 0, 0.5, 0.75, 2.0, 1.5)
    >>> p.item(), m.item(), v.item()
    (0.9, 0.5, 0.25)
    """
    options = np.array((lr, direction, shrink, decay, 1 - beta1, beta2, 1 - beta2, correction, eps),
                       rows[0][0].dtype)  # other ones in every step
    _sweep(_adam, rows, options, (decay != 0, len(rows[0]) == 5), _ADAM_COST)
