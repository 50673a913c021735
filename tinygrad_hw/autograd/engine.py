"""The backward pass: nodes from the newest to the oldest, gradients summed where paths meet.

Gradients travel as arrays, or as Tensors when the pass itself is recorded (``create_graph``).  Whatever
contributes to a node's gradient was made after the node, so taking the newest of the waiting nodes each
time
finds every gradient complete: no recursion, no limit on the depth of a graph.
"""

from __future__ import annotations

import warnings
from heapq import heappop, heappush

import numpy as np

import ops
from ops.create import own_copy
from tinygrad_hw.autograd.callers import call_site
from tinygrad_hw.autograd.mode import anomaly, mode
from tinygrad_hw.autograd.nodes import Accumulate, Node
from tinygrad_hw.waiting import compute_waiting

__all__ = ["queue_callback", "run"]


def _deliver(queue: list, entries: dict, node: Node, index: int, gradient, owned: bool, add) -> None:
    """Add a gradient to what waits for an output of a node.

    ``queue`` is a heap of the orders of the nodes that wait, and ``entries`` holds by order the node and what
    arrived: by index of its outputs slots ``[gradient, owned]``.  An array is owned if it belongs to this
    pass alone, so that it may be written to or kept.  ``add`` is `ops.add` if the pass is recorded, or None.
    """
    entry = entries.get(node.order)
    if entry is None:
        entries[node.order] = node, {index: [gradient, owned]}
        heappush(queue, node.order)
    elif index not in entry[1]:
        entry[1][index] = [gradient, owned]
    else:
        slot = entry[1][index]
        if add is not None:
            slot[0] = add(slot[0], gradient)
        elif slot[1]:
            slot[0] += gradient
        else:
            slot[:] = np.asarray(slot[0] + gradient), True


def _leading_to(roots, targets) -> set[Node]:
    """The nodes between the roots and the targets, both included."""
    seen = {node for (node, _), _ in roots}
    stack = list(seen)
    while stack:
        for edge in stack.pop().edges:
            if edge is not None and edge[0] not in seen:
                seen.add(edge[0])
                stack.append(edge[0])
    useful = set(targets)
    for node in sorted(seen, key=lambda node: node.order, reverse=True):
        if any(edge is not None and edge[0] in useful for edge in node.edges):
            useful.add(node)
    return useful


def run(roots, *, retain_graph: bool, create_graph: bool, make, capture=None, only=None) -> list | None:
    """Send gradients from the roots to the leaves.

    Args:
        roots: ``(edge, gradient)`` pairs; gradients are arrays, or Tensors if ``create_graph``.
        retain_graph: keep what the nodes saved for another pass.
        create_graph: record the pass, so that its results can be differentiated.
        make: turns an array into a Tensor, for hooks and leaves.
        capture: edges whose gradients are returned, in place of adding gradients to leaves.
        only: edges of the leaves that gradients are added to; all by default.

    Returns:
        The gradients of ``capture``, as Tensors (None where no path leads), or None.
    """
    queue: list[int] = []
    entries: dict[int, tuple[Node, dict[int, list]]] = {}
    add = ops.add if create_graph else None
    for edge, gradient in roots:
        _deliver(queue, entries, *edge, gradient, False, add)
        edge[0].spent = not retain_graph and edge[0].edges != ()
    wanted = capture if capture is not None else only
    useful = None if wanted is None else _leading_to(roots, [node for node, _ in wanted])
    positions: dict[Node, list] = {}
    for position, (node, index) in enumerate(capture or ()):
        positions.setdefault(node, []).append((index, position))
    results = None if capture is None else [None] * len(capture)

    site = call_site()
    before, outer = mode.recording, mode.callbacks
    mode.recording, mode.callbacks = create_graph, []
    try:
        while queue:
            node, slots = entries.pop(heappop(queue))
            if useful is not None and node not in useful:
                continue
            if node.hooks or node.retained:
                _call_hooks(node, slots, create_graph, make)
            if positions:
                for index, position in positions.get(node, ()):
                    if index in slots:
                        results[position] = _captured(slots[index], create_graph, make)
            if type(node) is Accumulate:
                if capture is None:
                    _accumulate(node, *slots[0], create_graph, make)
                continue
            asked = None if useful is None else [e is not None and e[0] in useful for e in node.edges]
            if asked is not None and not any(asked):
                continue
            if node.outputs == 1:
                received = [slots[0][0]]
            else:
                received = [slots[i][0] if i in slots else None for i in range(node.outputs)]
            if asked is None or all(asked):
                gradients = node.backward(received, create_graph)
            else:
                gradients = node.backward_to(asked, received, create_graph)
            if anomaly.enabled and anomaly.check_nan:
                _check_nan(node, gradients)
            if not retain_graph:
                node.release(site)
            first, fresh = received[0], node.fresh and not create_graph
            for edge, gradient in zip(node.edges, gradients):
                if edge is None or gradient is None:
                    continue
                owned = False
                if type(gradient) is np.ndarray:
                    owned = fresh and gradient is not first and gradient.base is None
                elif not create_graph:  # a NumPy scalar
                    gradient = np.asarray(gradient)
                target, index = edge
                if target.order in entries:
                    _deliver(queue, entries, target, index, gradient, owned, add)
                else:  # what that would do; most gradients are the first to arrive
                    entries[target.order] = target, {index: [gradient, owned]}
                    heappush(queue, target.order)
        for callback in mode.callbacks:
            callback()
    finally:
        mode.recording, mode.callbacks = before, outer
    return results


def queue_callback(function) -> bool:
    """Call ``function()`` at the end of the backward pass that is running, once.

    Returns:
        Whether this was the first request of the pass.

    Raises:
        RuntimeError: if no backward pass is running in this thread.
    """
    if mode.callbacks is None:
        raise RuntimeError("Final callbacks can only be installed during backward pass.")
    if function in mode.callbacks:
        return False
    mode.callbacks.append(function)
    return True


def _captured(slot: list, create_graph: bool, make):
    """The gradient as a Tensor for the user, who shall not share memory with the pass."""
    gradient, owned = slot
    slot[1] = False
    return gradient if create_graph else make(gradient if owned else own_copy(gradient))


def _call_hooks(node: Node, slots: dict, create_graph: bool, make) -> None:
    """Run the hooks of a node's outputs, then keep the gradients that `retain_grad` asked for."""
    for index, slot in slots.items():
        for hook in list((node.hooks or {}).get(index, {}).values()):
            gradient = slot[0] if create_graph else make(slot[0])
            slot[1] = False
            replaced = hook(gradient)
            if replaced is not None:
                replaced = _checked(hook, gradient, replaced)
                slot[0] = replaced if create_graph else replaced.array
        reference = (node.retained or {}).get(index)
        tensor = reference() if reference else None
        if tensor is not None:
            kept = slot[0] if create_graph else make(slot[0].copy())
            tensor._grad = kept if tensor._grad is None else ops.add(tensor._grad, kept)


def _checked(hook, gradient, replaced):
    """What a hook returned, if it may stand for the gradient that the hook was given."""
    name = getattr(hook, "__name__", hook)
    if not isinstance(replaced, type(gradient)):
        raise TypeError(f"expected hook '{name}' to return a Tensor or None, got "
                        f"{type(replaced).__name__}")
    if replaced.shape != gradient.shape:
        raise RuntimeError(f"hook '{name}' has changed the size of value from {tuple(gradient.shape)} "
                           f"to {tuple(replaced.shape)}; return the same shape")
    if replaced.dtype != gradient.dtype:
        raise RuntimeError(f"hook '{name}' has changed the type of value (was {gradient.dtype} got "
                           f"{replaced.dtype})")
    return replaced


def _accumulate(node: Accumulate, gradient, owned: bool, create_graph: bool, make) -> None:
    """Add a gradient to ``leaf.grad``; an array that belongs to nobody else is kept without a copy."""
    leaf = node.leaf()
    if leaf is None or not leaf.requires_grad:
        return
    if leaf._grad is None:
        if create_graph:
            leaf._grad = ops.clone(gradient)
        else:
            owned = owned and gradient.flags.c_contiguous
            leaf._grad = make(gradient if owned else own_copy(gradient))
    elif create_graph:
        leaf._grad = ops.add(leaf._grad, gradient)
    else:
        compute_waiting(leaf._grad)
        leaf._grad.array += gradient
        leaf._grad._bump("the gradient was accumulated in backward()")
        used = leaf._grad._used
        if used is not None and used[1] == leaf._grad._version - 1:  # see optim/advice.py
            leaf._grad._used = used[0], used[1] + 1
    if leaf._post_accumulate_hooks:
        for hook in list(leaf._post_accumulate_hooks.values()):
            hook(leaf)


def _check_nan(node: Node, gradients) -> None:
    for position, gradient in enumerate(gradients):
        if gradient is not None and np.isnan(ops.core.array_of(gradient)).any():
            where = f"The op was called at {node.where}"
            warnings.warn(f"Error detected in {node.name()}. {where}", stacklevel=2)
            raise RuntimeError(f"Function '{node.name()}' returned nan values in its {position}th output. "
                               f"{where}.")
