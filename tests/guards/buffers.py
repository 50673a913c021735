"""Arrays between guard bytes: inputs cut out of larger memory, and whatever an op allocates."""

from __future__ import annotations

import contextlib

import numpy as np

__all__ = ["Guarded", "guarded_allocations"]

GUARD = 256  # bytes on either side
_full = np.full  # `guarded_allocations` replaces NumPy's own, and must not meet itself


class Guarded:
    """Memory with guard bytes around it, all of one pattern at first.

    Args:
        size: bytes in between.
        pattern: of the guards, and of the memory before it is written; 255 makes floats NaN.
        shift: bytes by which the memory is moved from an address that 64 divides.

    >>> memory = Guarded(8, pattern=0x5A)
    >>> memory.view(np.float32, (2,))[...] = 1
    >>> memory.intact()
    True
    >>> memory.raw[memory.start - 1] = 0
    >>> memory.intact()
    False
    """

    def __init__(self, size: int, pattern: int, shift: int = 0):
        self.raw = _full(size + 2 * GUARD + 64 + shift, pattern, np.uint8)
        self.start = GUARD + -(self.raw.ctypes.data + GUARD) % 64 + shift
        self.size, self.pattern = size, pattern

    def view(self, dtype, shape) -> np.ndarray:
        """An array in the order of rows over the memory."""
        return np.ndarray(shape, dtype, self.raw, self.start)

    def intact(self) -> bool:
        """Whether the guards are as they were."""
        outside = self.raw[:self.start], self.raw[self.start + self.size:]
        return all((part == self.pattern).all() for part in outside)


def cut_out(array: np.ndarray, layout: str, shift: int, pattern: int) -> tuple[np.ndarray, Guarded]:
    """``array`` in guarded memory, in a layout of choice; the gaps between its elements are guards, too.

    ``layout``: "rows", "columns", "reversed" (negative strides), "stepped" (every other element), "last" (the
    second dimension varies fastest, as in channels-last images), "zero" (a broadcast dimension).

    >>> array, memory = cut_out(np.arange(3.0), "reversed", 8, 0)
    >>> array.tolist(), array.strides, memory.intact()
    ([0.0, 1.0, 2.0], (-8,), True)
    """
    shape, step = array.shape, 2 if layout == "stepped" else 1
    order = list(range(array.ndim))
    if layout == "columns":
        order.reverse()
    elif layout == "last" and array.ndim > 2:
        order = [0, *order[2:], 1]
    stored = [shape[axis] * (step if axis == order[-1] else 1) for axis in order]
    memory = Guarded(int(np.prod(stored, dtype=np.int64)) * array.itemsize, pattern, shift)
    view = memory.view(array.dtype, tuple(stored)).transpose(np.argsort(order)) if order else memory.view(
        array.dtype, ())
    if step == 2 and order:
        view = view[tuple(slice(None, None, 2 if axis == order[-1] else 1) for axis in range(array.ndim))]
    if layout == "reversed" and order:
        view = view[tuple(slice(None, None, -1) for _ in shape)]
    if layout == "zero" and order and all(shape):
        axis = shape.index(max(shape))
        first = view.take([0], axis).shape
        view = np.broadcast_to(np.ndarray(first, array.dtype, memory.raw, memory.start), shape)
        memory.view(array.dtype, first)[...] = array.take([0], axis)
        return view, memory
    view[...] = array
    return view, memory


@contextlib.contextmanager
def guarded_allocations(pattern: int):
    """Let ``numpy.empty``, ``zeros``, ``ones``, ``full`` and their ``_like`` forms allocate guarded memory.

    Yields the list of all that was allocated.  What numba's compiled code allocates by itself is not seen.

    >>> with guarded_allocations(255) as allocated:
    ...     _ = np.zeros(3)
    >>> len(allocated), allocated[0].intact()
    (1, True)
    """
    allocated: list[Guarded] = []
    names = ("empty", "zeros", "ones", "full", "empty_like", "zeros_like", "ones_like", "full_like")
    before = {name: getattr(np, name) for name in names}

    def wrapped(name):
        def allocate(*args, **kwargs):
            array = before[name](*args, **kwargs)
            if array.dtype.hasobject or type(array) is not np.ndarray:
                return array
            memory = Guarded(array.nbytes, pattern)
            view = np.ndarray(array.shape, array.dtype, memory.raw, memory.start, _packed(array))
            if not name.startswith("empty"):
                view[...] = array
            allocated.append(memory)
            return view

        return allocate

    try:
        for name in names:
            setattr(np, name, wrapped(name))
        yield allocated
    finally:
        for name, function in before.items():
            setattr(np, name, function)


def _packed(array):
    """The array's strides; NumPy's own are packed, in whatever order."""
    return array.strides if array.size else None
