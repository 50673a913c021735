"""The Tensors whose computation was put off (see ``deferred.py``), and the duty to compute them in time.

Before memory is changed in place, whatever still waits to read it has to be computed, in whichever thread;
and nothing else: a training step in one thread must not break up the chains of another, whose sums would
then be taken in another order.
"""

from __future__ import annotations

import sys
import weakref

import numpy as np

__all__ = ["compute_waiting", "keep_waiting", "note_numpy", "shared_memory", "shared_with_numpy",
           "waiting"]

waiting: dict[int, weakref.ref] = {}
"""The Tensors that wait, by id; they leave when they are computed or nobody holds them any more."""


def keep_waiting(tensor) -> None:
    """Note that ``tensor`` waits."""
    key = id(tensor)
    waiting[key] = weakref.ref(tensor, lambda _: waiting.pop(key, None))


def compute_waiting(*changed) -> None:
    """Compute what waits to read the memory of these Tensors or arrays; to be called before it is changed."""
    if not waiting:
        return
    memories = [value if isinstance(value, np.ndarray) else vars(value).get("array") for value in changed]
    for reference in list(waiting.values()):
        tensor = reference()
        if tensor is not None and any(tensor.reads(memory) for memory in memories if memory is not None):
            tensor.fill()


shared_memory: dict[int, weakref.ref] = {}
"""Memory that NumPy code may write to, by the id of the array that owns it."""


def note_numpy(tensor) -> None:
    """Note that NumPy code may hold the memory of ``tensor`` and write to it unnoticed."""
    owner = _owner(tensor.array)
    key = id(owner)
    shared_memory[key] = weakref.ref(owner, lambda _: shared_memory.pop(key, None))


def shared_with_numpy(tensor) -> bool:
    """Whether NumPy code may write to the Tensor's memory without the engine noticing.

    Memory that nobody has looked at yet is a kernel's, and looking would put it into row-major order.
    """
    if not shared_memory or tensor.deferred:
        return False
    array = tensor.array
    if id(_owner(array)) not in shared_memory:
        return False
    if tensor._view is None and array.base is None and sys.getrefcount(array) == 3:
        shared_memory.pop(id(array))  # nobody else holds it: the Tensor, this variable, the argument
        return False
    return True


def _owner(array):
    """The array that owns the memory, for all Tensors that share it the same one."""
    while type(array.base) is type(array):
        array = array.base
    return array
