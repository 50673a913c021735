"""The function that records an op, written for that op as one would by hand.

At a thousand elements a call costs what Python does around the arithmetic.  A function for all ops has to
loop over arguments, gradient rules and what they need; a function for one op knows all that.  Its text is
put together from the op's signature and rules, and compiled when the op is first called (0.5 milliseconds):
``x.neg()`` takes three quarters of the time that it took with loops.

>>> import ops
>>> from tinygrad_hw import ones
>>> recorder(ops.neg)(ones(2))
tensor([-1., -1.])

What is written is told, and shown, in ``recorder_text.py``; its last part, the node, in ``recorder_node.py``.
"""

from __future__ import annotations

import linecache
import os
from collections.abc import Callable
from sys import _getframe

import numpy as np

from ops.core import Op
from tinygrad_hw.autograd.callers import inside
from tinygrad_hw.autograd.graph import PLAIN, OpNode, origin_of, plan_of, shape_of
from tinygrad_hw.autograd.mode import mode
from tinygrad_hw.autograd.nodes import numbers
from tinygrad_hw.recorder_text import source_of
from tinygrad_hw.recording import record_parts, record_view
from tinygrad_hw.tensor import Tensor, unwrap

__all__ = ["recorder", "written"]

_FOLDER = os.path.dirname(__file__)

_MISSING = object()
_NAMES = dict(
    MISSING=_MISSING, OpNode=OpNode, PLAIN=PLAIN, Tensor=Tensor, asarray=np.asarray, getframe=_getframe,
    grad_mode=mode, inside=inside, may_share_memory=np.may_share_memory, ndarray=np.ndarray,
    new=object.__new__, new_tuple=tuple.__new__, numbers=numbers, origin_of=origin_of, plan_of=plan_of,
    record_parts=record_parts, record_view=record_view, shape_of=shape_of, unwrap=unwrap,
)
"""What the text may name besides ``op``.  A call of ``object.__new__`` costs 0.1 microseconds less than one
of the class, that of ``tuple.__new__`` 0.3 less than one of a named tuple."""


def recorder(op: Op) -> Callable:
    """The function that computes ``op`` on Tensors and records it; it takes the op's arguments.

    >>> import ops
    >>> from tinygrad_hw import ones
    >>> recorder(ops.sum)(ones(2, 3), axis=1)
    tensor([3., 3.])
    """
    if op.recorded is None:
        op.recorded = op.__call__ = written(op)
    return op.recorded


def written(op: Op, instead: Op | None = None) -> Callable:
    """The `recorder` of an op, written anew; tracebacks show its lines.

    Args:
        instead: a composite whose signature is taken, and that is called instead where its arguments are not
            those of ``op``: one that ``op`` is `alone` for, where there is anything but a first argument; or
            one such as ``view_as``, for ``view``, where the second argument is no Tensor.
    """
    source, shown = source_of(op, instead), instead or op
    filename = os.path.join(_FOLDER, f"<recorder of {shown.name}>")  # in it, so that `inside` knows the frame
    names = {**_NAMES, "missing": _missing, "op": op, "instead": instead}
    exec(compile(source, filename, "exec"), names)
    linecache.cache[filename] = len(source), None, source.splitlines(keepends=True), filename
    function = names["record"]
    function.__name__ = function.__qualname__ = shown.name
    function.__doc__, function.__signature__ = shown.__doc__, shown.__signature__
    return function


def _missing(op: Op, **values) -> TypeError:
    """Python's error for arguments that were not given.

    >>> import ops
    >>> _missing(ops.gather, dim=0, index=_MISSING)
    TypeError("gather() missing 1 required positional argument: 'index'")
    """
    names = [repr(name) for name, value in values.items() if value is _MISSING]
    told = " and ".join(names) if len(names) < 3 else f"{', '.join(names[:-1])}, and {names[-1]}"
    return TypeError(f"{op.name}() missing {len(names)} required positional "
                     f"argument{'s' if len(names) > 1 else ''}: {told}")


def _record(op: Op, args: tuple, kwargs: dict):
    """Compute an op and record it."""
    return recorder(op)(*args, **kwargs, traced=True)


Tensor.recorder, Tensor.record = staticmethod(recorder), staticmethod(_record)
