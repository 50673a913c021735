"""The Tensors whose computation was put off (see ``deferred.py``), and the duty to compute them in time.

Before memory is changed in place, whatever still waits to read it has to be computed.
"""

from __future__ import annotations

import sys
import weakref

__all__ = ["compute_waiting", "keep_waiting", "note_numpy", "shared_with_numpy", "waiting"]

waiting: dict[int, weakref.ref] = {}
"""The Tensors that wait, by id; they leave when they are computed or nobody holds them any more."""


def keep_waiting(tensor) -> None:
    """Note that ``tensor`` waits."""
    key = id(tensor)
    waiting[key] = weakref.ref(tensor, lambda _: waiting.pop(key, None))


def compute_waiting() -> None:
    """Compute all that wait; to be called before memory is changed in place."""
    if not waiting:
        return
    for reference in list(waiting.values()):
        tensor = reference()
        if tensor is not None:
            tensor.fill()


def note_numpy(tensor) -> None:
    """Note that NumPy code may hold the memory of ``tensor`` and write to it unnoticed."""
    counter = tensor._version_counter
    if len(counter) == 2:
        counter.append("shared with NumPy")


def shared_with_numpy(tensor) -> bool:
    """Whether NumPy code may write to the Tensor's memory without the engine noticing."""
    counter = tensor._version_counter
    if len(counter) == 2:
        return False
    array = tensor.array
    if tensor._view is None and array.base is None and sys.getrefcount(array) == 3:
        del counter[2:]  # nobody holds the array any more: the Tensor, this variable, the argument
        return False
    return True
