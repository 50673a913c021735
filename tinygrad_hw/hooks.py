"""Hooks: functions of the user's that see gradients on their way."""

from __future__ import annotations

import collections
import itertools
import weakref

__all__ = ["Hooks", "RemovableHandle"]

_handles = itertools.count()


class RemovableHandle:
    """Returned by the functions that register hooks; ``remove()`` takes the hook away again."""

    def __init__(self, hooks: dict, hook):
        self._hooks, self.id = hooks, next(_handles)
        hooks[self.id] = hook

    def remove(self) -> None:
        """Unregister the hook; harmless when done twice."""
        self._hooks.pop(self.id, None)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.remove()


class Hooks:
    """The part of Tensor that registers hooks."""

    def register_hook(self, hook) -> RemovableHandle:
        """Call ``hook(grad)`` when the gradient of this Tensor is known; a returned Tensor replaces it.

        Hooks run in the order in which they were registered, each on what the one before made of the
        gradient.

        Raises:
            RuntimeError: if the Tensor does not require a gradient.
        """
        edge = self._edge()
        if edge is None:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient; call "
                               "requires_grad_() first")
        node, index = edge
        if node.hooks is None:
            node.hooks = {}
        return RemovableHandle(node.hooks.setdefault(index, collections.OrderedDict()), hook)

    def register_post_accumulate_grad_hook(self, hook) -> RemovableHandle:
        """Call ``hook(leaf)`` after a gradient was added to this leaf's ``grad``.

        Raises:
            RuntimeError: if the Tensor is no leaf or does not require a gradient.
        """
        if not self.requires_grad:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient; call "
                               "requires_grad_() first")
        if self.grad_fn is not None:
            raise RuntimeError("post accumulate grad hooks cannot be registered on non-leaf tensors")
        if self._post_accumulate_hooks is None:
            self._post_accumulate_hooks = collections.OrderedDict()
        return RemovableHandle(self._post_accumulate_hooks, hook)

    def retain_grad(self) -> None:
        """Keep the gradient of this computed Tensor in ``grad`` as leaves do."""
        if not self.requires_grad:
            raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
        if self.grad_fn is not None:
            node, index = self._history
            node.retained = node.retained or {}
            node.retained[index] = weakref.ref(self)

    @property
    def retains_grad(self) -> bool:
        """Whether `retain_grad` was called on this computed Tensor."""
        edge = self._edge()
        reference = edge and edge[0].retained and edge[0].retained.get(edge[1])
        return bool(reference) and reference() is self
