"""What a Tensor that is computed when somebody looks waits for; see ``deferred.py``."""

from __future__ import annotations

import threading
import weakref

from ops.core import Op
from tinygrad_hw.autograd.callers import call_site
from tinygrad_hw.autograd.nodes import numbers

__all__ = ["Stage", "usable"]


class Stage:
    """What a Deferred waits for: a leading part of a chain.

    The stages that lead on from here stand in `children`, so that all that was put off past a Tensor is found
    when somebody looks at it.  Whoever computes a stage holds its lock; locks are taken from a stage to its
    children, never the other way.

    Attributes:
        chain: the ops so far; None once they are computed.
        values: all arguments of the chain's first op.
        arrays: the same, as arrays.
        recording: whether gradients are recorded.
        order: number reserved for the node.
        sites: the user's calls (see `call_site`) of the chain's ops, from the first to the last.
        owner: weak reference to the Deferred that waits.
        node: weak reference to the stage's node, once it is computed.
        source: weak reference to the stage that this one leads on from.
        children: ``(op, arguments after the first, stage)`` for what leads on from here, if recorded.
    """

    __slots__ = ("__weakref__", "arrays", "chain", "children", "lock", "node", "order", "owner", "recording",
                 "sites", "source", "values")

    def __init__(self, chain, values: tuple, arrays: tuple, recording: bool, source=None):
        self.chain, self.values, self.arrays, self.recording = chain, values, arrays, recording
        self.order = next(numbers)
        if source is None:
            self.sites, self.source = (call_site(),), _nobody
        else:
            self.sites, self.source = (*source.sites, call_site()), weakref.ref(source)
        self.owner = self.node = _nobody
        self.children: list = []
        self.lock = threading.RLock()

    def followed_by(self, chain, op: Op, args: tuple) -> Stage:
        """The stage after one more op."""
        child = Stage(chain, self.values, self.arrays, self.recording, self)
        if self.recording:
            self.children = [one for one in self.children if one[2].matters()] + [(op, args, child)]
        return child

    def holder(self):
        """The Tensor that stands at this stage; None if it was looked at, changed or is gone."""
        owner = self.owner()
        return owner if owner is not None and owner._stage is self else None

    def matters(self) -> bool:
        """Whether the gradient of anything that is still there comes by here."""
        if self.chain is not None and self.holder() is not None or usable(self.node()):
            return True
        return any(child.matters() for _, _, child in self.children)

    def take_children(self) -> list:
        """What led on from here, which is put behind the Tensor now."""
        children, self.children = self.children, []
        return children

    def end(self) -> None:
        """Let go of the arguments: the values are there."""
        self.chain = self.values = self.arrays = None

    def renew_locks(self) -> None:
        """Forget who held the locks: in the child of a fork these threads do not exist."""
        self.lock = threading.RLock()
        for _, _, child in self.children:
            child.renew_locks()


def usable(node) -> bool:
    """Whether a node is there and has not been freed."""
    return node is not None and node.saved is not None


def _nobody() -> None:
    """In place of a weak reference."""
