"""How views are recorded: what a Tensor is that shares its memory with another one.

Every other call is recorded by the function that ``recorder.py`` writes for the op.
"""

from __future__ import annotations

from sys import _getframe

import numpy as np

from ops.core import Op
from tinygrad_hw.autograd.callers import inside
from tinygrad_hw.autograd.mode import mode
from tinygrad_hw.autograd.nodes import numbers
from tinygrad_hw.memory import Part, View
from tinygrad_hw.tensor import Tensor

__all__ = ["record_parts", "record_view"]

_new = object.__new__


def record_view(op: Op, source: Tensor, further: tuple, options: dict, array: np.ndarray,
                named: bool = False) -> Tensor:
    """A Tensor of ``array``, which ``op(source, *further, **options)`` gave and which shares memory with it.

    The view's node is made when somebody asks for it, such as the next op: half the time that recording a
    view took was for the node.

    Args:
        named: whether a Tensor says where the view is: what it says now has to be kept.
    """
    recording = mode.recording
    result, view = _new(Tensor), View()
    result.array, result._history, result._view = array, None, view
    result._version_counter = source._version_counter
    before, step = source._view, (op, further, options)
    if before is None:
        view.base, view.steps, view.recorded = source, (step,), recording
        edge = source._history
    else:
        view.base, view.steps = before.base, (*before.steps, step)
        view.recorded = recording and before.recorded
        edge = source._edge()
    view.seen, view.unlinked = result._version_counter[0], None
    if recording and edge is not None:
        try:
            frame = _getframe(2)  # who called the op's recorder
        except ValueError:
            frame = _getframe(0)
        while inside[(code := frame.f_code).co_filename] and (caller := frame.f_back):
            frame = caller
        view.unlinked = [(edge, source.array, step, (code, frame.f_lasti), next(numbers))]
        if named:
            result._refresh_view()
    return result


def record_parts(op: Op, source: Tensor, further: tuple, arrays: tuple, named: bool = False) -> tuple:
    """The Tensors of an op that cut its first argument into views: one node for all of them.

    It is made when somebody asks for it, as in `record_view`.
    """
    recording = mode.recording
    if not isinstance(source, Tensor):
        return tuple(map(Tensor._wrap, arrays))
    base, before, recorded, cut = source, (), recording, (op, further, {})
    if source._view is not None:
        base, before, recorded = source._view.base, source._view.steps, recording and source._view.recorded
    unlinked = None
    if recording and (edge := source._edge()) is not None:
        try:
            frame = _getframe(2)
        except ValueError:
            frame = _getframe(0)
        while inside[(code := frame.f_code).co_filename] and (caller := frame.f_back):
            frame = caller
        unlinked = [(edge, source.array, cut, (code, frame.f_lasti), next(numbers), len(arrays))]
    results, counter = [], source._version_counter
    seen = counter[0]
    for place, array in enumerate(arrays):
        result, view = _new(Tensor), Part()
        result.array, result._history, result._view, result._version_counter = array, None, view, counter
        view.base, view.before, view.cut, view.place = base, before, cut, place
        view.seen, view.recorded, view.unlinked = seen, recorded, unlinked
        results.append(result)
    if named and unlinked is not None:
        results[0]._refresh_view()
    return tuple(results)
