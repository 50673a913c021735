"""Fusion that nobody sees: a Tensor that is computed when somebody looks.

``pool(relu(conv(x)))`` runs in one pass over the images, though the user wrote three calls.  The
convolution returns a `Deferred`: its arguments are checked, its shape is known, its values are not
computed yet.  If the next op belongs to the chain (`ops.core.Chain`), that one is put off too; whatever
else looks at the Tensor (another op, ``print``, a hook, ``numpy()``, a change in place of an input)
computes it first.  From then on it is a plain `Tensor`, of that very class, and no one can tell the
difference.

Three promises keep the semantics eager:

* *Values.*  A Tensor in the middle of a chain that was computed as a whole computes its own values when
  it is looked at.  Nothing it depends on can have changed: every change in place first computes what waits to
  read that memory (``waiting.py``), and of memory that NumPy code may write to a copy is kept.
* *Gradients.*  If such a Tensor is looked at before the backward pass, what was computed past it is put
  behind it: a fused node takes itself apart and becomes the node of the last op, and what still waits is
  computed from the Tensor.  Hooks and `retain_grad` see the gradient there.
* *Memory.*  The result of a chain is channels-last in memory until somebody other than the next chain
  looks; then it is copied to the order that its shape and strides say.
"""

from __future__ import annotations

import os
import threading
import weakref

import numpy as np

from ops.core import Op
from ops.lazy import LazyModule
from tinygrad_hw import dtypes
from tinygrad_hw.autograd.graph import link
from tinygrad_hw.autograd.mode import anomaly, enable_grad, mode
from tinygrad_hw.layout import Size
from tinygrad_hw.stages import Stage, usable
from tinygrad_hw.tensor import Tensor
from tinygrad_hw.waiting import keep_waiting, shared_memory, shared_with_numpy, waiting

__all__ = ["Deferred"]

_layouts = LazyModule("ops.kernels.channels_last")
_rearranging = threading.Lock()


class Deferred(Tensor):
    """A Tensor that waits, or whose memory is channels-last; it becomes a `Tensor` when looked at."""

    deferred = True
    _stage: Stage | None = None

    # ------------------------------------------------------------------ putting off

    @staticmethod
    def begin(op: Op, args: tuple, kwargs: dict) -> Tensor | None:
        """Put off the first op of a chain; None if it has to be computed in the ordinary way."""
        values = op.bind(args, kwargs)
        chain = op.chain(*values)
        if chain is None or anomaly.enabled:
            return None
        arrays = list(values)
        for _, place in op.ruled:
            value = values[place]
            if isinstance(value, Tensor):
                if value._view is not None:
                    value._refresh_view()  # its node must be older than the one that is put off
                if shared_memory and shared_with_numpy(value):
                    arrays[place] = value.array.copy()
                else:
                    arrays[place] = value.stored if value.deferred else value.array
        self = _new(Stage(chain, values, tuple(arrays), mode.recording))
        keep_waiting(self)
        return self

    @staticmethod
    def record(op: Op, args: tuple, kwargs: dict):
        """Put the op off as well if it continues the chain; see `Tensor.record`."""
        self = args[0] if args else None
        stage = self._stage if type(self) is Deferred else None
        if stage is not None and not kwargs and stage.recording is mode.recording:
            with stage.lock:
                chain = stage.chain and stage.chain.then(op, args[1:], stage.recording)
                if chain is not None and self._stage is stage:
                    return Deferred._lead_on(op, stage.followed_by(chain, op, args[1:]))
        if op.any_layout:
            return _in_any_layout(op, args, kwargs)
        if type(self) is Deferred:
            self._settle()
        return Tensor.record(op, args, kwargs)

    @staticmethod
    def _lead_on(op: Op, stage: Stage):
        """The result of an op that continues a chain; computed now if nothing can follow."""
        result = _new(stage)
        if stage.chain.complete:
            result.compute()
        else:
            keep_waiting(result)
        return op.result_type(result, *[None] * (len(op.outputs) - 1)) if op.outputs else result

    # ------------------------------------------------------------------ looking

    def compute(self) -> None:
        """Compute the values and the node, but leave the memory in the order of the kernel."""
        while (stage := vars(self).get("_stage")) is not None:
            with stage.lock:
                if self._stage is stage:  # no other thread was here first
                    self._fill(stage)
                    self._stage = None
                    if stage.children and vars(self)["_history"] is not None:
                        _put_behind(self, stage.take_children())

    def reads(self, memory: np.ndarray) -> bool:
        """Whether the values, when they are computed, will be computed from this memory."""
        stage = vars(self).get("_stage")
        chain, arrays = (stage.chain, stage.arrays) if stage is not None else (None, None)
        if chain is None or arrays is None:  # another thread has just computed them
            return False
        return any(isinstance(array, np.ndarray) and np.may_share_memory(array, memory)
                   for array in (*arrays, *chain.further))

    def fill(self) -> None:
        """Compute the values and the node, before memory changes that they come from.

        What led on from here stays as it is: another thread may be in its backward pass.
        """
        while (stage := vars(self).get("_stage")) is not None and stage.chain is not None:
            with stage.lock:
                if self._stage is stage:
                    self._fill(stage)

    def _fill(self, stage: Stage) -> None:
        chain = stage.chain
        if chain is None:
            return
        op, arrays = chain.fused(stage.arrays)
        computed, attributes = op.forward(*arrays), vars(self)
        attributes["array"] = computed[0] if op.outputs else computed
        if stage.recording:
            results = tuple(map(Tensor._wrap, computed)) if op.outputs else (Tensor._wrap(computed),)
            node = link(op, chain.fused(stage.values)[1], results, stage.sites[0])
            if node is not None:
                node.order, stage.node = stage.order, weakref.ref(node)
                attributes["_history"] = (node, 0)
        stage.end()
        waiting.pop(id(self), None)

    def _settle(self) -> None:
        """Become a plain Tensor in row-major memory."""
        Deferred.compute(self)
        with _rearranging:
            if type(self) is not Deferred:  # another thread was here first, or what led on from here
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
        if history is not None:
            for one in history[0].saved or ():
                if one is array:
                    return True
        return False

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

    def _adopt(self, value: Tensor) -> None:
        """Become the Tensor ``value``."""
        self._stage = None
        waiting.pop(id(self), None)
        vars(self).update(array=value.array, _history=value._history)
        self.__class__ = Tensor

    # ------------------------------------------------------------------ what needs no look

    @property
    def array_shape(self) -> tuple[int, ...]:
        """The shape as a plain tuple."""
        stage = self._stage
        chain = stage and stage.chain
        return tuple(chain.shape) if chain is not None else self.stored.shape

    @property
    def shape(self) -> Size:
        """Sizes of the dimensions."""
        return Size(self.array_shape)

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return len(self.shape)

    @property
    def array_dtype(self) -> np.dtype:
        """The NumPy dtype."""
        stage = self._stage
        arrays = stage and stage.arrays
        return arrays[0].dtype if arrays is not None else self.stored.dtype

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
        stage = vars(self).get("_stage")  # looking at the arguments may have made a plain Tensor of it
        following = result._stage if type(result) is Deferred else None
        if following is not None and following.chain is not None and following.source() is stage \
                and stage is not None and stage.chain is not None:
            self._stage = following  # nobody can look at the old values any more
            following.owner = weakref.ref(self)
            self._bump()
            return self
        if stage is None and type(self) is type(result) is Deferred and result._stage is None:
            mine, other = vars(self)["array"], vars(result)["array"]
            if mine.shape == other.shape and mine.dtype == other.dtype:
                self._check_inplace(result._history is not None)
                _stays(self, mine, result, since)
                vars(self)["array"] = other
                self._bump()
                if mode.recording and result._history is not None:
                    self._take_history(result._history)
                return self
        before = self.stored if self.deferred else self.array
        if self.array is not before:
            _stays(self, before, result, since)
        return Tensor._assign(self, result, since, overwrite)

    def __deepcopy__(self, memo):
        self._settle()
        return self.__deepcopy__(memo)

    def __reduce_ex__(self, protocol):
        self._settle()
        return self.__reduce_ex__(protocol)


def _stays(value: Tensor, array: np.ndarray, result: Tensor, since: int | None) -> None:
    """Let what made ``result`` go on with the old values in ``array``, which nobody will overwrite."""
    if mode.recording and result._history is not None:
        value._keep_original(result._history[0], since, array)


def _put_behind(value: Tensor, children: list) -> None:
    """Let all that was put off past ``value``, which is computed now, follow from it op by op."""
    for op, args, stage in children:
        with stage.lock:
            holder, fused = stage.holder(), stage.node()  # held, so that they cannot go meanwhile
            if not stage.matters():
                continue
            with enable_grad():
                result = Tensor.record(op, (value, *args), {})
            result = result[0] if op.outputs else result
            node = result._history[0]
            node.site = stage.sites[-1]
            if stage.chain is not None:
                stage.end()
                node.order, stage.node = stage.order, weakref.ref(node)
                if holder is not None:
                    holder._adopt(result)
            elif usable(fused):
                for name in ("op", "_plan", "_fits", "saved", "origins", "edges", "site"):
                    setattr(fused, name, getattr(node, name))
            _put_behind(result if holder is None else holder, stage.take_children())


def _new(stage: Stage) -> Deferred:
    self = object.__new__(Deferred)
    vars(self).update(_history=None, _view=None, _version_counter=[0, None], _stage=stage)
    stage.owner = weakref.ref(self)
    return self


def _renew_locks() -> None:
    """A child process has none of the threads that may have held a lock when it was forked."""
    global _rearranging
    _rearranging = threading.Lock()
    for reference in list(waiting.values()):
        tensor = reference()
        if tensor is not None and tensor._stage is not None:
            tensor._stage.renew_locks()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_locks)


def _in_any_layout(op: Op, args: tuple, kwargs: dict):
    """`Tensor.record` of an op that keeps channels-last memory as it is."""
    try:
        computed = op.forward(*map(_stored, args),
                              **{name: _stored(value) for name, value in kwargs.items()})
    except Exception as error:
        better = op.explain(error, args, kwargs)
        if better is error:
            raise
        raise better from None
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


Deferred.__name__ = Deferred.__qualname__ = "Tensor"
Deferred.__module__ = Tensor.__module__
Tensor._begin_chain = staticmethod(Deferred.begin)
