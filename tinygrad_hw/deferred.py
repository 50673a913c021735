"""Fusion that nobody sees: a Tensor that is computed when somebody looks.

``pool(relu(conv(x)))`` runs in one pass over the images, though the user wrote three calls.  The
convolution returns a `Deferred`: its arguments are checked, its shape is known, its values are not
computed yet.  If the next op belongs to the chain (`ops.core.Chain`), that one is put off too; whatever
else looks at the Tensor (another op, ``print``, a hook, ``numpy()``, a change in place of an input)
computes it first.  From then on it is a plain `Tensor`, of that very class, and no one can tell the
difference.

Three promises keep the semantics eager:

* *Values.*  A Tensor in the middle of a chain that was computed as a whole computes its own values when
  it is looked at.  Nothing it depends on can have changed: every change in place first computes what waits
  (``waiting.py``), and memory that NumPy code may write to is never waited for.
* *Gradients.*  If such a Tensor is looked at before the backward pass, the fused node takes itself apart: it
  becomes the node of the last op, behind a node for the Tensor.  Hooks and `retain_grad` see the gradient
  there.
* *Memory.*  The result of a chain is channels-last in memory until somebody other than the next chain
  looks; then it is copied to the order that its shape and strides say.
"""

from __future__ import annotations

import sys
import threading
import weakref

import numpy as np

from ops.core import Op
from ops.lazy import LazyModule
from tinygrad_hw import dtypes
from tinygrad_hw.autograd.graph import OpNode, link, node_number
from tinygrad_hw.autograd.mode import anomaly, enable_grad, mode
from tinygrad_hw.layout import Size
from tinygrad_hw.tensor import Tensor
from tinygrad_hw.waiting import keep_waiting, waiting

__all__ = ["Deferred", "shared_with_numpy"]

_layouts = LazyModule("ops.kernels.channels_last")
_one_at_a_time = threading.RLock()


class _Stage:
    """What a Deferred waits for.

    Attributes:
        chain: the ops so far.
        values: all arguments of the chain's first op.
        arrays: the same, as arrays.
        recording: whether gradients are recorded.
        order: number reserved for the node, should the Tensor need one of its own.
        parents: the Tensors (weak references) and ops that led here, the chain's first Tensor first.
        inside: the fused nodes that computed more than this stage, their ops, and the ops that led from here
            to each, with the Tensors (weak references) they made.
    """

    __slots__ = ("arrays", "chain", "inside", "order", "parents", "recording", "values")

    def __init__(self, chain, values: tuple, arrays: list, recording: bool, parents: tuple):
        self.chain, self.values, self.arrays = chain, values, arrays
        self.recording, self.parents = recording, parents
        self.order = node_number()
        self.inside: list = []


class Deferred(Tensor):
    """A Tensor that waits, or whose memory is channels-last; it becomes a `Tensor` when looked at."""

    deferred = True
    _stage: _Stage | None = None

    # ------------------------------------------------------------------ putting off

    @staticmethod
    def begin(op: Op, args: tuple, kwargs: dict) -> Tensor | None:
        """Put off the first op of a chain; None if it has to be computed in the ordinary way."""
        values = op.bind(args, kwargs)
        arrays, shared = [], False
        for value in values:
            if isinstance(value, Tensor):
                shared = shared or shared_with_numpy(value)
                value = value.stored if value.deferred else value.array
            arrays.append(value)
        chain = op.chain(*arrays)
        if chain is None or anomaly.enabled:
            return None
        self = _new(_Stage(chain, values, arrays, mode.recording, ()))
        if shared:
            self.compute()
        else:
            keep_waiting(self)
        return self

    @staticmethod
    def record(op: Op, args: tuple, kwargs: dict):
        """Put the op off as well if it continues the chain; see `Tensor.record`."""
        self = args[0] if args else None
        stage = self._stage if type(self) is Deferred else None
        chain = None
        if stage is not None and not kwargs and stage.recording is mode.recording:
            chain = stage.chain.then(op, args[1:], stage.recording)
        if chain is None:
            return (_in_any_layout if op.any_layout else Tensor.record)(op, args, kwargs)
        parents = (*stage.parents, (weakref.ref(self), op, args[1:]))
        result = _new(_Stage(chain, stage.values, stage.arrays, stage.recording, parents))
        if chain.complete:
            result.compute()
        else:
            keep_waiting(result)
        return op.result_type(result, *[None] * (len(op.outputs) - 1)) if op.outputs else result

    # ------------------------------------------------------------------ looking

    def compute(self) -> None:
        """Compute the values and the node, but leave the memory in the order of the kernel."""
        with _one_at_a_time:
            stage = vars(self).get("_stage")
            if stage is None:  # computed already, perhaps by another thread
                return
            op, arrays = stage.chain.fused(tuple(stage.arrays))
            outputs = op.forward(*arrays)
            outputs = outputs if op.outputs else (outputs,)
            vars(self)["array"] = outputs[0]
            if stage.recording:
                results = [Tensor._wrap(array) for array in outputs]
                node = link(op, stage.chain.fused(stage.values)[1], results)
                if node is not None:
                    vars(self)["_history"] = (node, 0)
                    _note_in_parents(stage, node)
            self._stage = None
            waiting.pop(id(self), None)
            if stage.inside:
                self._take_apart(stage)

    def _settle(self) -> None:
        """Become a plain Tensor in row-major memory."""
        with _one_at_a_time:
            Deferred.compute(self)
            if type(self) is not Deferred:  # it was looked at while its chain was taken apart
                return
            array = vars(self)["array"]
            if not array.flags.c_contiguous:
                vars(self)["array"] = _layouts.to_channels_first(array)
            elif self._is_saved(array):
                vars(self)["array"] = array.copy()
            self.__class__ = Tensor

    def _is_saved(self, array: np.ndarray) -> bool:
        """Whether the node keeps this very array, which a change in place of the Tensor must not reach."""
        history = vars(self).get("_history")
        return history is not None and any(one is array for one in history[0].saved or ())

    @property
    def stored(self) -> np.ndarray:
        """The values in any order of memory, for ops that read them once."""
        self.compute()
        return vars(self)["array"]

    @property
    def array(self) -> np.ndarray:
        """The values; looking at them ends the waiting."""
        if type(self) is Deferred:
            self._settle()
        return vars(self)["array"]

    @array.setter
    def array(self, array: np.ndarray) -> None:
        self._settle()
        vars(self)["array"] = array

    @property
    def _history(self):
        self.compute()
        return vars(self).get("_history")

    @_history.setter
    def _history(self, edge) -> None:
        self.compute()
        vars(self)["_history"] = edge

    # ------------------------------------------------------------------ a look into the middle of a chain

    def _take_apart(self, stage: _Stage) -> None:
        """Put this Tensor's node in front of the fused nodes that computed more than it."""
        history = vars(self).get("_history")
        if history is None:
            return
        history[0].order = stage.order
        for reference, op, steps in stage.inside:
            fused = reference()
            if fused is not None and fused.saved is not None and fused.op is op:
                with enable_grad():
                    last = self._follow(steps)
                for name in ("op", "_plan", "_fits", "saved", "origins", "edges"):
                    setattr(fused, name, getattr(last, name))

    def _follow(self, steps: tuple) -> OpNode:
        """Record the ops that lead on from here one by one; the Tensors in between become their results."""
        value = self
        for op, args, place in steps:
            value = Tensor.record(op, (value, *args), {})
            value = value[0] if op.outputs else value
            owner = place()
            if owner is not None and type(owner) is Deferred and owner._stage is not None:
                value._history[0].order = owner._stage.order
                owner._adopt(value)
        return value._history[0]

    def _adopt(self, value: Tensor) -> None:
        """Become the Tensor ``value``."""
        self._stage = None
        waiting.pop(id(self), None)
        vars(self).update(array=value.array, _history=value._history)
        self.__class__ = Tensor

    # ------------------------------------------------------------------ what needs no look

    @property
    def shape(self) -> Size:
        """Sizes of the dimensions."""
        return Size(self._stage.chain.shape if self._stage is not None else self.stored.shape)

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def array_dtype(self) -> np.dtype:
        """The NumPy dtype."""
        return self.stored.dtype if self._stage is None else self._stage.arrays[0].dtype

    @property
    def dtype(self) -> dtypes.dtype:
        """Type of the elements."""
        return dtypes.of(self.array_dtype)

    def dim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    ndimension = dim

    def numel(self) -> int:
        """Number of elements."""
        return self.shape.numel()

    nelement = numel

    def size(self, dim=None):
        """The shape, or the size of one dimension."""
        if dim is None:
            return self.shape
        return self.shape[dim] if -self.ndim <= dim < self.ndim else Tensor.size(self, dim)

    # ------------------------------------------------------------------ changes in place

    def _assign(self, result, since=None, overwrite=False):
        """``relu_()`` right behind the op that is put off is put off as well; see `Tensor._assign`.

        Where both have values in channels-last memory, which nobody else can hold, the result's memory is
        taken over in place of a copy.
        """
        stage = self._stage
        if stage is not None and type(result) is Deferred and result._stage is not None:
            parents = result._stage.parents
            if parents and parents[-1][0]() is self and not stage.inside:
                result._stage.parents = parents[:-1]
                self._stage = result._stage
                self._bump()
                return self
        if stage is None and type(self) is type(result) is Deferred and result._stage is None:
            mine, other = vars(self)["array"], vars(result)["array"]
            if mine.shape == other.shape and mine.dtype == other.dtype:
                self._check_inplace(result._history is not None)
                vars(self)["array"] = other
                self._bump()
                if mode.recording and result._history is not None:
                    self._take_history(result._history)
                return self
        return Tensor._assign(self, result, since, overwrite)

    def __deepcopy__(self, memo):
        self._settle()
        return self.__deepcopy__(memo)

    def __reduce_ex__(self, protocol):
        self._settle()
        return self.__reduce_ex__(protocol)


def _note_in_parents(stage: _Stage, node: OpNode) -> None:
    """Tell the Tensors in the middle of the chain which node stands for them."""
    places = [reference for reference, _, _ in stage.parents[1:]] + [_nobody]
    steps = tuple((op, args, place) for (_, op, args), place in zip(stage.parents, places))
    for i, (reference, _, _) in enumerate(stage.parents):
        parent = reference()
        if parent is not None and parent._stage is not None:
            parent._stage.inside.append((weakref.ref(node), node.op, steps[i:]))


def _nobody() -> None:
    """In place of a weak reference."""


def _new(stage: _Stage) -> Deferred:
    self = Deferred.__new__(Deferred)
    self._version_counter = [0, None]
    self._stage = stage
    return self


def _in_any_layout(op: Op, args: tuple, kwargs: dict):
    """`Tensor.record` of an op that keeps channels-last memory as it is."""
    computed = op.forward(*map(_stored, args), **{name: _stored(value) for name, value in kwargs.items()})
    results = tuple(map(_of_array, computed)) if op.outputs else (_of_array(computed),)
    if op.rules and mode.recording:
        node = link(op, op.bind(args, kwargs), results)
        if node is not None:
            vars(results[0])["_history"] = (node, 0)
    return op.result_type(*results) if op.outputs else results[0]


def _of_array(array: np.ndarray) -> Tensor:
    """A Tensor of these values; a Deferred without a stage if the memory is not in row-major order."""
    result = Tensor._wrap(array)
    if not result.array.flags.c_contiguous:
        result.__class__ = Deferred
    return result


def _stored(value):
    """Arrays in any order of memory for Tensors, also inside tuples and lists; anything else as it is."""
    if isinstance(value, Tensor):
        return value.stored if value.deferred else value.array
    if type(value) in (tuple, list) and any(isinstance(item, Tensor) for item in value):
        return type(value)(map(_stored, value))
    return value


def shared_with_numpy(tensor: Tensor) -> bool:
    """Whether NumPy code may write to the Tensor's memory without the engine noticing."""
    counter = tensor._version_counter
    if len(counter) == 2:
        return False
    array = tensor.array
    if tensor._view is None and array.base is None and sys.getrefcount(array) == 3:
        del counter[2:]  # nobody holds the array any more: the Tensor, this variable, the argument
        return False
    return True


Deferred.__name__ = Deferred.__qualname__ = "Tensor"
Deferred.__module__ = Tensor.__module__
Tensor._begin_chain = staticmethod(Deferred.begin)
