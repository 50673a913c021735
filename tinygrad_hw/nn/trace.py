"""Errors inside a network name the layer they come from, and what made its input."""

from __future__ import annotations

from collections import deque

from tinygrad_hw.autograd.nodes import Accumulate
from tinygrad_hw.tensor import Tensor

__all__ = ["name_layer"]


class _Origin:
    """The innermost layer that an error passed, and the note it left on the error."""

    def __init__(self, module, args: tuple):
        self.module, self.path, self.note = module, "", None
        self.given = ", ".join(map(_described, args)) or "no arguments"
        self.input = next((value for value in args if isinstance(value, Tensor)), None)

    def text(self, model) -> str:
        """The note, with paths as seen from ``model``."""
        layer = repr(self.module)
        layer = layer if "\n" not in layer else type(self.module).__name__
        place = f"{self.path}: " if self.path else ""
        return f"raised in {place}{layer}, called with {self.given}{_maker(self.input, model)}"


def _described(value) -> str:
    if not isinstance(value, Tensor):
        return type(value).__name__
    dtype = value.array_dtype.name
    return str(tuple(value.shape)) + (f" of {dtype}" if dtype != "float32" else "")


def _maker(tensor: Tensor | None, model) -> str:
    """Which op made a Tensor of what, and behind which layer, as far as the graph knows."""
    node = None if tensor is None else tensor.grad_fn
    if node is None:
        if tensor is None or tensor._view is None:
            return ""
        view = tensor._view  # views are remembered where no graph is recorded, too
        return f"; that is {view.last_op.name} of {tuple(view.base.shape)}"
    layer = _last_layer(node, model)
    return f"; that is {node.describe()}, made at {node.where}" + (f", behind {layer}" if layer else "")


def _last_layer(node, model) -> str:
    """Path of the layer with parameters that is nearest to a node, going back in the graph."""
    paths = {id(parameter): name.rpartition(".")[0] for name, parameter in model.named_parameters()}
    waiting, seen = deque([node]), {node}
    while waiting:
        node = waiting.popleft()
        if type(node) is Accumulate and paths.get(id(node.variable)):
            return paths[id(node.variable)]
        for edge in node.edges:
            if edge is not None and edge[0] not in seen:
                seen.add(edge[0])
                waiting.append(edge[0])
    return ""


def name_layer(module, args: tuple, error: Exception) -> None:
    """Note on an error which layer raised it; every layer around it makes the path more complete.

    >>> from tinygrad_hw import nn, tensor
    >>> net = nn.Sequential(nn.Linear(2, 3), nn.Flatten(0), nn.Linear(2, 1))
    >>> try:
    ...     net(tensor([[1.0, 2.0]]))
    ... except RuntimeError as error:
    ...     for part in error._origin.note.split("; "):
    ...         print(part.partition(", made at")[0])  # and then the line
    raised in 2: Linear(in_features=2, out_features=1, bias=True), called with (3,)
    that is flatten of (1, 3)
    """
    if "_modules" not in vars(module):  # Module.__init__ did not run: the error says so itself
        return
    origin = error.__dict__.get("_origin")
    if origin is None:
        origin = error._origin = _Origin(module, args)
    else:
        for path, layer in module.named_modules():
            if layer is origin.module:
                origin.path = path
                break
    before, origin.note = origin.note, origin.text(module)
    if hasattr(error, "add_note"):
        if before is None:
            error.add_note(origin.note)
        else:
            error.__notes__[error.__notes__.index(before)] = origin.note
    elif error.args and isinstance(error.args[0], str):  # Python 3.10 has no notes
        text = error.args[0]
        text = text.replace(before, origin.note) if before else f"{text}\n{origin.note}"
        error.args = (text, *error.args[1:])
