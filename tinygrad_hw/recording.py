"""How a call is recorded: an op computes on arrays, and a node tells what its result was computed from.

Every op that is given a Tensor calls `record`, which is written out at length: each function call that it is
spared is 4 % of its time.  What is recorded otherwise, such as a change in place, goes through `link`, which
says the same of all arguments and results at hand.
"""

from __future__ import annotations

from operator import is_not
from sys import _getframe

import numpy as np

from ops.core import Op
from tinygrad_hw.autograd.callers import inside
from tinygrad_hw.autograd.graph import (
    OUTPUT,
    PLAIN,
    SHAPE,
    OpNode,
    edges_of,
    link,
    plan_of,
    save_several,
    shape_of,
)
from tinygrad_hw.autograd.mode import mode
from tinygrad_hw.autograd.nodes import numbers
from tinygrad_hw.memory import View
from tinygrad_hw.tensor import Tensor, unwrap

__all__ = ["record"]

_new = object.__new__  # 0.1 microseconds less than a call of the class
_new_tuple = tuple.__new__  # and 0.3 less than that of a named tuple


def record(op: Op, args: tuple, kwargs: dict):
    """Compute an op on the arrays of its arguments and record it if a gradient may be asked for."""
    if op.chain is not None:
        result = Tensor._begin_chain(op, args, kwargs)
        if result is not None:
            return result
    arrays = []
    for value in args:
        if isinstance(value, Tensor):
            arrays.append(value.array)
        else:
            arrays.append(value if type(value) in PLAIN else unwrap(value))
    try:
        if kwargs:
            options = {name: unwrap(value) for name, value in kwargs.items()}
            computed = op.forward(*arrays, **options)
        else:
            computed = op.forward(*arrays)
    except Exception as error:
        better = op.explain(error, args, kwargs)
        if better is error:
            raise
        raise better from None

    if op.outputs:
        results = []
        for array in computed:
            result = _new(Tensor)
            result.array = array if type(array) is np.ndarray else np.asarray(array)
            result._version_counter = [0, None]
            results.append(result)
        results = _new_tuple(op.result_type, results)
        result = results[0]
    elif op.parts:
        return _parts(op, args, kwargs, computed)
    elif arrays and computed is arrays[0]:  # nothing to do, as cast() to the same dtype
        return args[0]
    else:
        if op.view and computed.base is not None and isinstance(args[0], Tensor):
            owner, memory = computed.base, arrays[0]
            if owner is memory or owner is memory.base or np.may_share_memory(computed, memory):
                view = _view(op, args, kwargs, computed)
                if kwargs or any(map(is_not, args[1:], arrays[1:])):
                    view._edge()  # a Tensor may say where, and what it says now has to be kept
                return view
        result = results = _new(Tensor)
        result.array = computed if type(computed) is np.ndarray else np.asarray(computed)
        result._version_counter = [0, None]
    if not mode.recording:
        return results

    if kwargs:
        args, arrays = op.bind(args, kwargs), op.bind(tuple(arrays), options)
    elif len(args) < len(op.parameters):
        args += op.defaults[len(args):]
    edges, fits, wanted = [], [], 0
    for bit, position in op.ruled:
        value = args[position]
        if isinstance(value, Tensor):
            edge = value._history if value._view is None else value._edge()
            if edge is not None:
                wanted |= bit
                edges.append(edge)
                array = arrays[position]
                fits.append((array.shape, array.dtype))
        elif type(value) is tuple or type(value) is list:
            several, shapes = edges_of(value)
            if any(several):
                wanted |= bit
                edges += several
                fits.append(shapes)
    if not wanted or result.array.dtype.kind != "f":
        return results
    node = _new(OpNode)
    node.op, node.edges, node._fits, node.order = op, edges, fits, next(numbers)
    node._plan = plan = op.plans.get(wanted) or plan_of(op, wanted)
    try:
        frame = _getframe(2)  # who called the op
    except ValueError:  # a thread that does nothing but one op
        frame = _getframe(0)
    while inside[(code := frame.f_code).co_filename] and frame.f_back is not None:
        frame = frame.f_back
    node.site = code, frame.f_lasti
    if plan.saves:
        node.saved, node.origins = saved, origins = [], []
        for source, position, _ in plan.saves:
            origin = None
            if source == OUTPUT:
                value = results[position] if op.outputs else result
                origin = value._version_counter, 0, position
                value = value.array
            else:
                value = args[position]
                if source == SHAPE:
                    value = shape_of(arrays[position] if position < len(arrays) else value)
                elif isinstance(value, Tensor):
                    counter = value._version_counter
                    origin = counter, counter[0], value._history
                    value = arrays[position]
                elif type(value) is tuple or type(value) is list:
                    origin, value = save_several(value)
            saved.append(value)
            origins.append(origin)
    result._history = node, 0
    return results


def _view(op: Op, args: tuple, kwargs: dict, array: np.ndarray) -> Tensor:
    """A Tensor of ``array``, which an op made of its first argument and whose memory it shares.

    The view's node is made when somebody asks for it, such as the next op: half the time that recording a
    view took was for the node.
    """
    source, recording = args[0], mode.recording
    result, view = _new(Tensor), _new(View)
    result.array, result._view, result._version_counter = array, view, source._version_counter
    before, step = source._view, (op, args[1:], kwargs)
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
            frame = _getframe(3)
        except ValueError:
            frame = _getframe(0)
        while inside[(code := frame.f_code).co_filename] and frame.f_back is not None:
            frame = frame.f_back
        view.unlinked = [edge, source.array, step, (code, frame.f_lasti), next(numbers)]
    return result


def _parts(op: Op, args: tuple, kwargs: dict, arrays: tuple) -> tuple:
    """The Tensors of an op that cut its first argument into views: one node for all of them."""
    source, further, recording = args[0], args[1:], mode.recording
    if not isinstance(source, Tensor):
        return tuple(map(Tensor._wrap, arrays))
    base, steps, recorded = source, (), recording
    if source._view is not None:
        base, steps, recorded = source._view.base, source._view.steps, recording and source._view.recorded
    node = link(op, op.bind(args, kwargs), ()) if recording and source.array.dtype.kind == "f" else None
    if node is not None:
        node.outputs = len(arrays)
    results, counter, options = [], source._version_counter, {}
    for place, array in enumerate(arrays):
        result, view = _new(Tensor), _new(View)
        result.array, result._view, result._version_counter = array, view, counter
        view.base, view.seen, view.recorded, view.unlinked = base, counter[0], recorded, None
        view.steps = (*steps, (_part, (op, further, kwargs, place), options))
        if node is not None:
            result._history = node, place
        results.append(result)
    return tuple(results)


def _part(value, op: Op, args: tuple, kwargs: dict, place: int):
    """One of the views that ``op`` cuts a value into."""
    return op(value, *args, **kwargs)[place]


Tensor.record = staticmethod(record)
