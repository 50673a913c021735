"""The layers of a network as a drawing."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from tinygrad_hw.autograd.graph import OpNode
from tinygrad_hw.autograd.mode import enable_grad, set_detect_anomaly
from tinygrad_hw.autograd.nodes import Accumulate, Node, node_number
from tinygrad_hw.nn.attention import MultiheadAttention
from tinygrad_hw.nn.module import Module
from tinygrad_hw.nn.observe import as_found, example_input, tensors_in, watched
from tinygrad_hw.tensor import Tensor
from tinygrad_hw.viz.graph import SYMBOLS, History, history, shape_label
from tinygrad_hw.viz.picture import Arrow, Box, Drawing, arrange

__all__ = ["draw_model"]

LINE = 38
"""Letters of a layer's options that are shown; all of them appear under the mouse."""


@dataclass(eq=False)
class _Call:
    """One call of a layer with the arguments ``given``; it made the nodes from ``start`` to ``end``."""

    path: str
    module: Module
    parent: _Call | None
    start: int
    end: int = 0
    given: tuple = ()
    depth: int = field(init=False)

    def __post_init__(self):
        self.depth = 0 if self.parent is None else self.parent.depth + 1

    def is_whole(self) -> bool:
        """Whether the layer is one box at any depth; attention is, though it has a layer inside."""
        return isinstance(self.module, MultiheadAttention) or next(self.module.children(), None) is None

    def title(self) -> str:
        name = self.path.rpartition(".")[2]
        return f"{name}: {type(self.module).__name__}" if name else type(self.module).__name__

    def group(self) -> tuple:
        """The calls around this one, from the outermost inside the network, as keys of frames."""
        outer = self.parent
        if outer is None or outer.parent is None:
            return ()
        return (*outer.group(), (outer.title(), outer.start))


class _Calls:
    """Notes the calls of all layers while a network runs."""

    def __init__(self):
        self.all: list[_Call] = []
        self.open: list[_Call] = []

    def before(self, path: str, module: Module) -> None:
        call = _Call(path, module, self.open[-1] if self.open else None, node_number())
        self.all.append(call)
        self.open.append(call)

    def after(self, path: str, module: Module, args: tuple, kwargs: dict, output):
        """The end of a call; a layer that returned its very input (as dropout in eval mode) gets a node."""
        if isinstance(output, Tensor) and any(output is value for value in args):
            output = output.clone()
        call = self.open.pop()
        call.given, call.end = args, node_number()
        return output

    def around(self, node: Node) -> _Call:
        """The innermost call that made a node."""
        inside = [call for call in self.all if call.start > node.order > call.end]
        return min(inside, key=lambda call: call.start - call.end)


def draw_model(model: Module, input_size=None, input_data=None, batch_dim: int | None = None,
               depth: int = 4, dtypes=None, mode: str = "eval", direction: str = "down") -> Drawing:
    """Draw the layers of a network and what flows between them, with the shapes.

    The network runs once and is left as it was.  Layers are white boxes, ops between them grey ones;
    frames stand for the networks inside.

    Args:
        model: the network.
        input_size, input_data, batch_dim, dtypes, mode: what it runs on, see `tinygrad_hw.nn.summary`.
        depth: how deep layers inside layers are drawn; a layer at that depth is one box.
        direction: of the arrows, "down" or "right".

    Raises:
        ValueError: if no gradient can flow from the parameters or inputs to the output.

    >>> from tinygrad_hw import nn
    >>> drawing = draw_model(nn.Sequential(nn.Linear(3, 4), nn.ReLU()), (1, 3))
    >>> [box.lines[0] for box in drawing.boxes], [arrow.label for arrow in drawing.arrows]
    (['input', '0: Linear', '1: ReLU', 'output'], ['1×3', '1×4', '1×4'])
    """
    args, kwargs = example_input(input_size, input_data, batch_dim, dtypes)
    args = tuple(map(_traced, args))
    kwargs = {name: _traced(value) for name, value in kwargs.items()}
    calls = _Calls()
    frozen = [p for p in model.parameters() if not p.requires_grad and p.dtype.is_floating_point]
    with as_found(model, mode), enable_grad(), set_detect_anomaly(True, check_nan=False):
        try:
            for parameter in frozen:
                parameter.requires_grad_()
            with watched(model, calls.after, calls.before):
                outputs = tensors_in(model(*args, **kwargs))
            known = history(outputs)
        finally:
            for parameter in frozen:
                parameter.requires_grad_(False)
    if not known.nodes:
        raise ValueError("nothing was recorded: the output depends on no parameter and on no float input")
    return _Boxes(model, calls, known, tensors_in([args, kwargs]), depth).drawing(outputs, direction)


def _traced(value):
    """A float Tensor as a leaf that asks for its gradient, so that ops on it are recorded."""
    if isinstance(value, Tensor) and value.dtype.is_floating_point:
        return value.detach().clone().requires_grad_()
    return value


class _Boxes:
    """Boxes for the calls and ops, and arrows between them."""

    def __init__(self, model: Module, calls: _Calls, known: History, inputs: list[Tensor], depth: int):
        self.calls, self.known, self.depth = calls, known, depth
        self.inputs = {tensor._edge()[0]: tensor for tensor in inputs if tensor._edge() is not None}
        self.numbers = [tensor for tensor in inputs if tensor._edge() is None]
        self.names = {id(parameter): name for name, parameter in model.named_parameters()}
        self.boxes: list[Box] = []
        self.places: dict = {}  # what a box stands for (a call or a node) -> its position

    def drawing(self, outputs: list[Tensor], direction: str) -> Drawing:
        keys = {node: self.key(node) for node in self.known.nodes}
        arrows = {}
        for node in self.known.nodes:
            if type(node) is Accumulate:
                continue
            for edge in filter(None, node.edges):
                start, end = keys[edge[0]], keys[node]
                if start is not end and self.is_drawn(edge[0], end):
                    ends = self.place(start), self.place(end)
                    arrows[(*ends, edge)] = Arrow(*ends, shape_label(self.known.shapes.get(edge)))
            self.place(keys[node])
        for tensor in self.numbers:  # such as indices, which the graph does not know
            for call in [call for call in self.calls.all if call in self.places]:
                if any(value is tensor for value in call.given):
                    ends = self.place(tensor), self.places[call]
                    arrows[ends] = Arrow(*ends, shape_label(tensor.shape))
        for output in outputs:
            if output._edge() is not None:
                self.boxes.append(Box(["output", shape_label(output.shape)], "output"))
                arrows[output._edge()] = Arrow(self.place(keys[output._edge()[0]]), len(self.boxes) - 1,
                                               shape_label(output.shape))
        return arrange(self.boxes, list(arrows.values()), direction)

    def key(self, node: Node):
        """The call whose box a node is drawn in, or the node itself."""
        if type(node) is Accumulate:
            return node
        call = self.calls.around(node)
        while call.depth > self.depth:
            call = call.parent
        outer = call
        while outer is not None:
            if outer.is_whole():
                call = outer
            outer = outer.parent
        return call if call.is_whole() or call.depth == self.depth > 0 else node

    def is_drawn(self, source: Node, end) -> bool:
        """Parameters of a layer belong to its box; only those used by ops outside have their own."""
        return type(source) is not Accumulate or source in self.inputs or not isinstance(end, _Call)

    def place(self, key) -> int:
        """The position of the box for a call or node, which is made when it is asked for first."""
        if key not in self.places:
            self.places[key] = len(self.boxes)
            self.boxes.append(self.box(key))
        return self.places[key]

    def box(self, key) -> Box:
        if isinstance(key, _Call):
            return _layer_box(key)
        if isinstance(key, Tensor) or key in self.inputs:
            return Box(["input", shape_label(self.inputs.get(key, key).shape)], "input")
        if type(key) is Accumulate:
            name = self.names.get(id(key.variable), "constant")
            return Box([name, shape_label(self.known.shapes.get((key, 0)))], "parameter")
        name = key.op.name if isinstance(key, OpNode) else key.name().removesuffix("Backward")
        call = self.calls.around(key)
        group = call.group() if call.parent is None else (*call.group(), (call.title(), call.start))
        return Box([SYMBOLS.get(name, name)], "op", f"{key.name()}, called at {key.where}", group)


def _layer_box(call: _Call) -> Box:
    module = call.module
    lines, extra = [call.title()], module.extra_repr().replace("\n", " ")
    if extra:
        lines.append(_shortened(extra))
    count = sum(parameter.numel() for parameter in module.parameters())
    if count:
        lines.append(f"{count:,} parameters")
    return Box(lines, "layer", f"{call.path}: {module!r}", call.group())


def _shortened(options: str) -> str:
    """As many of a layer's options as a line holds.

    >>> _shortened("1, 6, kernel_size=(5, 5), stride=(1, 1)")
    '1, 6, kernel_size=(5, 5), …'
    """
    if len(options) <= LINE:
        return options
    shown = ""
    for option in re.split(r", (?![^(]*\))", options):
        if len(shown) + len(option) > LINE - 3:
            break
        shown += option + ", "
    return shown + "…"
