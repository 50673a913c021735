"""How a call is recorded: an op computes on arrays, and a node tells what its result was computed from.

Every op that is given a Tensor calls `record`.  Ways that most calls take are written out, because a function
call costs 0.1 microseconds and the whole of it 2 to 3.
"""

from __future__ import annotations

from sys import _getframe

import numpy as np

from ops.core import Op
from tinygrad_hw.autograd.callers import call_site, inside
from tinygrad_hw.autograd.graph import (
    OUTPUT,
    PLAIN,
    SHAPE,
    OpNode,
    edges_of,
    link,
    numbers,
    plan_of,
    save_several,
    shape_of,
)
from tinygrad_hw.autograd.mode import mode
from tinygrad_hw.memory import View
from tinygrad_hw.tensor import Tensor, unwrap

__all__ = ["record"]

_new = object.__new__


def record(op: Op, args: tuple, kwargs: dict):
    """Compute an op on the arrays of its arguments and record it if a gradient may be asked for.

    Here are the calls without keywords of an op that computes new arrays at once; `link` records all others.
    """
    if kwargs or not op.simple:
        way = _record_view if op.view else _record_parts if op.parts else _record_other
        return way(op, args, kwargs)
    arrays = []
    for value in args:
        if isinstance(value, Tensor):
            arrays.append(value.array)
        else:
            arrays.append(value if type(value) in PLAIN else unwrap(value))
    try:
        computed = op.forward(*arrays)
    except Exception as error:
        better = op.explain(error, args, kwargs)
        if better is error:
            raise
        raise better from None
    if computed is arrays[0]:  # nothing to do, as cast() to the same dtype
        return args[0]
    if op.outputs:
        results = op.result_type(*map(Tensor._wrap, computed))
        result = results[0]
    else:
        result = results = _new(Tensor)  # 0.1 microseconds less than a call of the class
        result.array = computed if type(computed) is np.ndarray else np.asarray(computed)
        result._version_counter = [0, None]
    if not mode.recording:
        return results
    if len(args) < len(op.parameters):
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
                saved.append(value.array)
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


def _record_view(op: Op, args: tuple, kwargs: dict):
    """`record` for an op whose result shares memory with its first argument where that is possible.

    The view's node is made when somebody asks for it, such as the next op: half the time that recording a
    view took was for the node.
    """
    source = args[0] if args else None
    if not isinstance(source, Tensor):
        return _record_other(op, args, kwargs)
    computed, memory, recording = _compute(op, args, kwargs), source.array, mode.recording
    if computed is memory:  # nothing to do, as contiguous() of what is contiguous
        return source
    owner = computed.base  # None for memory of its own
    if owner is None or owner is not memory and owner is not memory.base \
            and not np.may_share_memory(computed, memory):
        return _linked(op, args, kwargs, computed)
    result, view = _new(Tensor), _new(View)
    result.array, result._view, result._version_counter = computed, view, source._version_counter
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
        view.unlinked = [edge, memory, step, call_site(), next(numbers)]
    return result


def _record_parts(op: Op, args: tuple, kwargs: dict):
    """`record` for an op that cuts its first argument into views: one node for all of them."""
    source = args[0] if args else None
    if not isinstance(source, Tensor):
        return tuple(map(Tensor._wrap, _compute(op, args, kwargs)))
    arrays, recording, counter = _compute(op, args, kwargs), mode.recording, source._version_counter
    base, steps, recorded = source, (), recording
    if source._view is not None:
        base, steps, recorded = source._view.base, source._view.steps, recording and source._view.recorded
    node = link(op, op.bind(args, kwargs), ()) if recording and source.array.dtype.kind == "f" else None
    if node is not None:
        node.outputs = len(arrays)
    results, further, options = [], args[1:], {}
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


def _record_other(op: Op, args: tuple, kwargs: dict):
    """`record` for whatever the others leave."""
    if op.chain is not None:
        result = Tensor._begin_chain(op, args, kwargs)
        if result is not None:
            return result
    computed = _compute(op, args, kwargs)
    if args and isinstance(args[0], Tensor) and computed is args[0].array:
        return args[0]
    return _linked(op, args, kwargs, computed)


def _compute(op: Op, args: tuple, kwargs: dict):
    """What the op's forward function returns for the arrays of the arguments."""
    arrays = []
    for value in args:
        if isinstance(value, Tensor):
            arrays.append(value.array)
        else:
            arrays.append(value if type(value) in PLAIN else unwrap(value))
    try:
        if kwargs:
            return op.forward(*arrays, **{name: unwrap(value) for name, value in kwargs.items()})
        return op.forward(*arrays)
    except Exception as error:
        better = op.explain(error, args, kwargs)
        if better is error:
            raise
        raise better from None


def _linked(op: Op, args: tuple, kwargs: dict, computed):
    """What an op computed as Tensors, the first of which leads to the op's node."""
    results = tuple(map(Tensor._wrap, computed)) if op.outputs else (Tensor._wrap(computed),)
    if mode.recording and op.rules and results[0].array.dtype.kind == "f":
        if kwargs or len(args) < len(op.parameters):
            args = op.bind(args, kwargs)
        node = link(op, args, results)
        if node is not None:
            results[0]._history = node, 0
    return op.result_type(*results) if op.outputs else results[0]


Tensor.record = staticmethod(record)
