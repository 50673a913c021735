"""Nodes of the recorded graph, and where it ends: at leaves, and at values that were overwritten.

A node stands for one op that was applied.  Its edges lead to the nodes that produced its inputs.  Nodes are
numbered as they are made, so whatever a node was computed from was made before it: the order of the numbers
is a topological order.  The nodes of ops are in ``graph.py``.
"""

from __future__ import annotations

import itertools
import weakref

import numpy as np

from ops.core import Traced
from tinygrad_hw.autograd.callers import call_site, line_of, text_of

__all__ = ["Accumulate", "Edge", "Node", "Overwrite", "node_number", "numbers"]

Edge = tuple["Node", int]
numbers = itertools.count(0, -1)
"""The next one is the number of the next node."""


def node_number() -> int:
    """A number between those of the nodes made so far and those to come, which are smaller.

    >>> node_number() > node_number()
    True
    """
    return next(numbers)


class Node:
    """One recorded op: edges to the producers of its inputs, and a backward function.

    Attributes:
        edges: for each differentiable input ``(node, output index)``, or None if it needs no gradient.
        order: number in order of creation, counted downwards: the newest node has the smallest.
        outputs: number of outputs that may receive a gradient.
        hooks: output index -> functions that see, and may replace, the gradient of that output.
        retained: output index -> weak reference to the Tensor that keeps that gradient (`retain_grad`).
        site: the user's call that made the node, see `call_site`.
        freed_at: the user's call of the backward that freed what the node saved, see `call_site`.
        spent: whether a backward that freed the graph began here.
        fresh: whether `backward` returns arrays that nobody else holds (unless they are views or the
            cotangent).
    """

    hooks: dict | None = None
    retained: dict | None = None
    freed_at: tuple | None = None
    spent = False
    outputs = 1
    fresh = True

    def __init__(self, edges):
        self.edges = edges
        self.order = next(numbers)
        self.site = call_site()

    def name(self) -> str:
        """The node's name in PyTorch's style, such as ``MulBackward0``."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<{self.name()}>"

    @property
    def next_functions(self) -> tuple:
        """The producers of the inputs: ``((node, output index), ...)``."""
        return tuple(edge or (None, 0) for edge in self.edges)

    def backward(self, gradients: list, create_graph: bool) -> list:
        """Gradients of the inputs, in the order of `edges`, from those of the outputs.

        The gradients are arrays, or Tensors if ``create_graph``; None where there is none.
        """
        raise NotImplementedError

    def backward_to(self, asked: list[bool], gradients: list, create_graph: bool) -> list:
        """The same where not all gradients are asked for, as of `grad`: others may be missing."""
        return self.backward(gradients, create_graph)

    def continues_spent(self) -> bool:
        """Whether the node, or one right before it, adds to the result of a backward that is over."""
        before = [edge[0] for edge in self.edges if edge is not None]
        return any(node.spent or any(edge and edge[0].spent for edge in node.edges) for node in before)

    def describe(self) -> str:
        """What the node stands for, in the texts of errors: ``mul of (2, 3) and (3,)``."""
        return self.name()

    @property
    def where(self) -> str:
        """The user's line that called the op."""
        return line_of(self.site)

    def release(self, site: tuple) -> None:
        """Drop what was saved, for a backward that the user called at ``site``; a later one is an error if
        anything was."""

    def freed(self) -> RuntimeError:
        """The error for a second pass over what the first one freed."""
        return RuntimeError(
            f"Trying to backward through the graph a second time: the values that {self.name()} saved were "
            f"freed by the backward at {line_of(self.freed_at)}. {self.describe()} was called at "
            f"{self.where}. Call backward(retain_graph=True) the first time, or compute the forward pass "
            "again; a value of an earlier step goes on with .detach()."
        )

    def stale(self, what: str, array: np.ndarray, counter: list, version: int) -> RuntimeError:
        """The error for a saved value that was changed in place since."""
        return RuntimeError(
            "one of the variables needed for gradient computation has been modified by an inplace "
            f"operation: {'the result' if what == 'ans' else what} of shape {array.shape}, saved by "
            f"{self.name()}, is at version {counter[0]}; expected version {version} instead. It was changed "
            f"at {text_of(counter[1])}. Write the result to a new tensor there (x = x + 1 for x += 1), or "
            f"clone() the value first. {self.describe()} was called at {self.where}."
        )


class Accumulate(Node):
    """The end of the graph at a leaf: adds the gradient to ``leaf.grad``.

    It belongs to the leaf, which it knows by a weak reference: no cycle, and a leaf that nobody can ask
    for its gradient any more is not kept alive by a graph.
    """

    def __init__(self, leaf):
        super().__init__(())
        self.leaf = weakref.ref(leaf)

    def name(self) -> str:
        """``AccumulateGrad``."""
        return "AccumulateGrad"

    @property
    def variable(self):
        """The leaf Tensor."""
        return self.leaf()

    def backward(self, gradients: list, create_graph: bool) -> list:
        """Nothing further: the engine adds the gradient to the leaf."""
        return []


class Overwrite(Node):
    """A change in place that left nothing of the old values, such as ``zero_()`` or ``copy_()``.

    The gradient of the old values is zero, that of the new ones, if they have a history, passes through.
    """

    def __init__(self, old: Edge, new: Edge | None = None):
        super().__init__((old, new))

    def name(self) -> str:
        """``OverwriteBackward0``."""
        return "OverwriteBackward0"

    def backward(self, gradients: list, create_graph: bool) -> list:
        """Zeros and the gradient itself; see `Node.backward`."""
        (g,) = gradients
        return [g.new_zeros(g.shape) if isinstance(g, Traced) else np.zeros_like(g), g]
