"""The recorded graph of a Tensor as a drawing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from tinygrad_hw.autograd import engine
from tinygrad_hw.autograd.graph import OpNode
from tinygrad_hw.autograd.nodes import Accumulate, Node
from tinygrad_hw.tensor import Tensor
from tinygrad_hw.viz.picture import Arrow, Box, Drawing, arrange

__all__ = ["History", "draw_graph", "history", "shape_label"]

SYMBOLS = {"add": "+", "sub": "−", "mul": "×", "div": "÷", "neg": "−x", "pow": "xʸ", "square": "x²",
           "sqrt": "√", "mm": "@", "bmm": "@", "convolution": "conv2d", "max_pooling": "max_pool2d",
           "softmax_cross_entropy": "cross_entropy"}
"""Shorter or better known names of ops."""


@dataclass
class History:
    """The nodes behind a Tensor and what is known of the values between them.

    Attributes:
        nodes: in the order of the computation.
        shapes: of the values, by the edge ``(node, output index)`` that their gradient goes to.
        values: of those of one element, as far as some node saved them.
    """

    nodes: list[Node] = field(default_factory=list)
    shapes: dict = field(default_factory=dict)
    values: dict = field(default_factory=dict)


def history(outputs: Iterable[Tensor]) -> History:
    """All nodes that the Tensors were computed by, with the shapes and values that they saved.

    >>> x = Tensor([2.0]).requires_grad_()
    >>> [node.name() for node in history([x.exp()]).nodes]
    ['AccumulateGrad', 'ExpBackward0']
    """
    result, seen, stack = History(), set(), []
    for output in outputs:
        edge = output._edge()
        if edge is not None:
            stack.append(edge[0])
            _note(result, edge, output.array)
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        result.nodes.append(node)
        stack.extend(edge[0] for edge in node.edges if edge is not None)
        if type(node) is Accumulate and node.variable is not None:
            _note(result, (node, 0), node.variable.array)
        if isinstance(node, OpNode):
            _note_saved(result, node)
    result.nodes.sort(key=lambda node: -node.order)
    return result


def _note(result: History, edge, array) -> None:
    result.shapes[edge] = array.shape
    if array.size == 1:
        result.values[edge] = array.item()


def _note_saved(result: History, node: OpNode) -> None:
    """Shapes of an op's inputs, and values that it kept for its gradient rules."""
    flat = [one for fit in node._fits for one in (fit if type(fit) is list else [fit])]
    for edge, fit in zip(node.edges, flat):
        if edge is not None and fit:
            result.shapes.setdefault(edge, fit[0])
    for value, origin in zip(node.saved or (), node.origins or ()):
        pairs = zip(value, origin) if type(origin) is list else [(value, origin)]
        for array, one in pairs:
            if one is not None and one[2] is not None and one[0][0] == one[1]:
                edge = (node, one[2]) if type(one[2]) is int else one[2]
                _note(result, edge, array)


def draw_graph(output: Tensor, names: Mapping | Iterable | None = None, gradients: bool = True,
               direction: str = "down") -> Drawing:
    """Draw the ops that ``output`` was computed by, from the leaves to the result.

    Leaves are yellow boxes, ops grey ones, the result is green.  Arrows carry shapes.  Where the values are
    single numbers the boxes show them, as far as the graph has kept them, with the gradient of ``output`` by
    them.

    Args:
        output: a Tensor with a history.
        names: names of Tensors, leaves or not: a dict, which may hold other things too (such as
            ``locals()``), or pairs as from ``model.named_parameters()``.
        gradients: whether gradients of single numbers are computed and shown, if ``output`` is one and
            its graph was not freed; nothing is added to any ``grad``.
        direction: of the arrows, "down" or "right".

    Raises:
        ValueError: if the Tensor has no history.

    >>> from tinygrad_hw import tensor
    >>> x = tensor(3.0, requires_grad=True)
    >>> drawing = draw_graph(x * x + 1, {"x": x})
    >>> [box.lines for box in drawing.boxes]
    [['x', 'value 3', 'grad 6'], ['×', 'grad 1'], ['+', 'value 10', 'grad 1']]
    """
    if output._edge() is None:
        raise ValueError("the Tensor has no history to draw: none of the Tensors it was computed from has "
                         "requires_grad=True, or it was computed under no_grad()")
    known = history([output])
    labels = {}
    for name, tensor in (names.items() if isinstance(names, Mapping) else names or ()):
        if isinstance(tensor, Tensor) and tensor._edge() is not None:
            labels[tensor._edge()] = name
            _note(known, tensor._edge(), tensor.array)
    slopes = _slopes(output, known) if gradients else {}
    place = {node: position for position, node in enumerate(known.nodes)}
    boxes = [_box(node, known, labels, slopes, node is output._edge()[0]) for node in known.nodes]
    arrows = [Arrow(place[edge[0]], place[node], shape_label(known.shapes.get(edge)))
              for node in known.nodes for edge in node.edges if edge is not None]
    return arrange(boxes, arrows, direction)


def _slopes(output: Tensor, known: History) -> dict:
    """The gradient of ``output`` by each single number of its graph."""
    edges = [edge for edge, shape in known.shapes.items() if math.prod(shape) == 1]
    freed = any(isinstance(node, OpNode) and node.saved is None for node in known.nodes)
    if output.numel() != 1 or freed or not edges:
        return {}
    asides = [(node, node.hooks, node.retained) for node in known.nodes]
    try:
        for node, *_ in asides:  # the user's hooks shall not see this pass
            node.hooks = node.retained = None
        found = engine.run([(output._edge(), np.ones_like(output.array))], retain_graph=True,
                           create_graph=False, make=Tensor._wrap, capture=edges)
    finally:
        for node, hooks, retained in asides:
            node.hooks, node.retained = hooks, retained
    return {edge: one.item() for edge, one in zip(edges, found) if one is not None}


def _box(node: Node, known: History, labels: dict, slopes: dict, is_output: bool) -> Box:
    edge, leaf = (node, 0), type(node) is Accumulate
    name = node.op.name if isinstance(node, OpNode) else node.name().removesuffix("Backward")
    title = SYMBOLS.get(name, name)
    if leaf:
        title = labels.get(edge, "leaf")
    elif edge in labels:
        title = f"{labels[edge]} = {title}"
    lines = [title]
    if edge in known.values:
        lines.append(f"value {known.values[edge]:.4g}")
    elif leaf and edge in known.shapes:
        lines.append(shape_label(known.shapes[edge]))
    if edge in slopes:
        lines.append(f"grad {slopes[edge]:.4g}")
    hint = f"{node.name()}, called at {node.where}"
    return Box(lines, "output" if is_output else "parameter" if leaf else "op", hint)


def shape_label(shape: tuple | None) -> str:
    """A shape for an arrow, empty for numbers and where it is not known.

    >>> shape_label((4, 3)), shape_label(())
    ('4×3', '')
    """
    return "×".join(map(str, shape or ()))
