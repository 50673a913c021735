"""Shared memory: views, versions, and what an in-place change means for the graph.

A view remembers its base and the ops that lead from the base to it.  All views of a base share one
version counter.  An in-place change of a view gives the base a new history, a scatter of the changed
part; every view notices the new version when it is used next and derives its history anew.
"""

from __future__ import annotations

import numpy as np

from ops.core import Op, array_of
from ops.indexing.items import assign, setitem
from ops.promotion import can_cast
from ops.shape.layout import view_scatter
from tinygrad_hw.autograd.callers import call_site, warn_user
from tinygrad_hw.autograd.graph import OpNode, link, link_view
from tinygrad_hw.autograd.mode import mode
from tinygrad_hw.autograd.nodes import Accumulate, Edge, Overwrite
from tinygrad_hw.waiting import compute_waiting

__all__ = ["Part", "SharedMemory", "View"]


class View:
    """How a view is obtained from its base.

    Attributes:
        base: the Tensor whose memory the view shares; no view itself.
        steps: the view ops in order, each with its arguments after the first.
        seen: the version for which the view's history is right.
        recorded: whether gradients were recorded when the view was taken.
        unlinked: the arguments of `link_view`, which makes the view's node when somebody asks for it, and
            then the node; None if there is none to make.
        place: which output of the node the view is.
    """

    __slots__ = ("base", "recorded", "seen", "steps", "unlinked")
    place = 0

    @property
    def last_op(self) -> Op:
        """The op that took the view."""
        return self.steps[-1][0]


class Part(View):
    """How one of the views is obtained that an op cuts a Tensor into; ``unlinked`` is the same list for all.

    Attributes:
        before: the steps that lead from the base to that Tensor.
        cut: the op, its arguments after the first, and its options.
    """

    __slots__ = ("before", "cut", "place")

    @property
    def steps(self) -> tuple:
        """The view ops in order; see `View`."""
        return (*self.before, (_part, (*self.cut, self.place), {}))

    @property
    def last_op(self) -> Op:
        """The op that cut the Tensor."""
        return self.cut[0]


def _part(value, op: Op, args: tuple, kwargs: dict, place: int):
    """One of the views that ``op`` cuts a value into."""
    return op(value, *args, **kwargs)[place]


class SharedMemory:
    """The part of Tensor that knows views and in-place changes."""

    # ------------------------------------------------------------------ views

    def _refresh_view(self) -> None:
        """Make the node if there is none yet; derive it anew if the memory was changed in place since."""
        view = self._view
        unlinked = view.unlinked
        if unlinked is not None:
            if len(unlinked) == 1:  # two threads that come here both take the first node
                unlinked.append(link_view(*unlinked[0]))
            self._history, view.unlinked = (unlinked[1], view.place), None
        if view.seen == self._version_counter[0]:
            return
        view.seen = self._version_counter[0]
        if view.base._history is None or not view.recorded:
            return
        fresh = view.base
        recording, mode.recording = mode.recording, True
        try:
            for op, args, kwargs in view.steps:
                fresh = op(fresh, *args, **kwargs)
        finally:
            mode.recording = recording
        self._take_history(fresh._edge())

    @property
    def _base(self):
        """The Tensor whose memory this view shares, or None."""
        return self._view.base if self._view is not None else None

    @property
    def _version(self) -> int:
        """How often the memory was changed in place."""
        return self._version_counter[0]

    # ------------------------------------------------------------------ changes in place

    def _bump(self, where: str | tuple | None = None) -> None:
        """Count an in-place change and remember the call that made it, or ``where``; see `text_of`."""
        self._version_counter[0] += 1
        self._version_counter[1] = where or call_site()

    def _check_inplace(self, recorded: bool = False) -> None:
        """Refuse an in-place change that would lose a gradient or write to repeated memory.

        Args:
            recorded: whether the new values need a gradient.
        """
        compute_waiting(self)
        if mode.recording:
            view, edge = self._view, self._edge()
            base = view.base._history if view is not None else None
            if base is not None and type(base[0]) is Accumulate:
                raise RuntimeError("a view of a leaf Variable that requires grad is being used in an "
                                   "in-place operation. Do it under no_grad(), or on a copy: y = "
                                   "x.clone()")
            if edge is not None and type(edge[0]) is Accumulate:
                raise RuntimeError("a leaf Variable that requires grad is being used in an in-place "
                                   "operation. Do it under no_grad(), or on a copy: y = x.clone()")
            if view is not None and not view.recorded and (recorded or base is not None):
                raise RuntimeError("A view was created in no_grad mode and is being modified inplace "
                                   "with grad mode enabled. It is not clear whether the change is to be "
                                   "recorded: make the view and the change both inside the no_grad "
                                   "block, or both outside")
        array = self.stored if self.deferred else self.array
        if not array.flags.writeable:
            if 0 in array.strides:
                raise RuntimeError("unsupported operation: more than one element of the written-to "
                                   "tensor refers to a single memory location. Please clone() the "
                                   "tensor before performing the operation.")
            raise RuntimeError("the tensor's memory is read-only (it came from a read-only array); "
                               "clone() it first")

    def _assign(self, result, since: int | None = None, overwrite: bool = False):
        """Write a fresh Tensor over this one, values and history: every in-place op ends here.

        Args:
            overwrite: whether ``result`` does not depend on this Tensor.
            since: number of the last node made before ``result`` was computed; by default only the node
                that made ``result`` counts as new.
        """
        history = result._edge() if mode.recording else None
        self._check_inplace(history is not None)
        if result is self:
            return self
        if result.array.shape != self.array.shape:
            raise RuntimeError(f"output with shape {list(self.array.shape)} doesn't match the broadcast "
                               f"shape {list(result.array.shape)}")
        if not can_cast(result.array.dtype, self.array.dtype):
            raise RuntimeError(f"result type {result.dtype} can't be cast to the desired output type "
                               f"{self.dtype}; convert the tensor first or use the operation that is "
                               "not in-place")
        if history is not None:
            if self.array.ndim == 0 and history[0].continues_spent():
                warn_user("a running total of losses keeps the graph of every batch: backward() has been "
                          "through the loss that is added here; add its number, total += loss.item()")
            self._keep_original(history[0], since)
        array = result.array
        if array.dtype != self.array.dtype and history is not None:
            history = result.to(self.dtype)._history
        np.copyto(self.array, array, casting="unsafe")
        self._bump()
        if history is not None:
            self._share_output(history[0], array)
        self._rebase(history, overwrite)
        return self

    def _assign_item(self, index, value) -> None:
        """``self[index] = value``: write in place and record it."""
        node = None
        if mode.recording and self.array.dtype.kind == "f":
            node = link(setitem, (self, index, value), ())
        self._check_inplace(node is not None)
        assign(self.array, index, array_of(value))
        self._bump()
        if node is not None:
            self._rebase((node, 0))

    def _keep_original(self, node, since: int | None, array: np.ndarray | None = None) -> None:
        """Before this Tensor is overwritten: give new nodes that saved its values a copy of them.

        Args:
            array: memory with these values that stays as it is, so that they need no copy.
        """
        stack, counter, copied = [node], self._version_counter, array
        array = self.array if array is None else array
        while stack:
            node = stack.pop()
            if type(node) is OpNode and node.saved is not None:
                for position, origin in enumerate(node.origins):
                    if (
                        type(origin) is tuple
                        and origin[0] is counter
                        and node.saved[position] is array
                    ):
                        copied = array.copy() if copied is None else copied
                        node.saved[position] = copied
                        node.origins[position] = ([0, None], 0, origin[2])
            if since is not None:
                stack.extend(
                    edge[0] for edge in node.edges if edge is not None and edge[0].order < since
                )

    def _share_output(self, node, array: np.ndarray) -> None:
        """Let a node that saved its output refer to this Tensor's memory, which holds it now."""
        if type(node) is OpNode:
            for position, origin in enumerate(node.origins):
                if type(origin) is tuple and node.saved[position] is array and type(origin[2]) is int:
                    node.saved[position] = self.array
                    node.origins[position] = (self._version_counter, self._version_counter[0], origin[2])

    # ------------------------------------------------------------------ the history after a change

    def _rebase(self, history: Edge | None, overwrite: bool = False) -> None:
        """Make ``history`` this Tensor's after an in-place change, and the base's through a scatter.

        Args:
            history: None for values that come from no Tensor.
            overwrite: whether the new values do not depend on the old ones.
        """
        view, old = self._view, self._history
        if not mode.recording:
            return
        if view is None:
            if old is not None and (overwrite or history is None):
                history = (Overwrite(old, history), 0)
            if history is not None:
                self._take_history(history)
            return
        base = view.base
        if history is None and base._history is None:
            return
        source = self._with_history(self.array, history, self._version_counter)
        base._take_history((link(view_scatter, (base, source, view.steps), ()), 0))

    def _take_history(self, history: Edge) -> None:
        """Replace the history; `retain_grad` goes on with the new one."""
        if self._history is not None and self._history[0].retained:
            node, index = self._history
            if node.retained.get(index, _nothing)() is self:
                node.retained.pop(index)
                self._history = history
                self.retain_grad()
        self._history = history


def _nothing() -> None:
    """In place of a weak reference."""
