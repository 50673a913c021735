"""Errors inside a network name the layer they come from."""

from __future__ import annotations

from tinygrad_hw.tensor import Tensor

__all__ = ["name_layer"]


class _Origin:
    """The innermost layer that an error passed, and the note it left on the error."""

    def __init__(self, module, args: tuple):
        self.module, self.path, self.note = module, "", None
        shapes = [str(tuple(a.shape)) if isinstance(a, Tensor) else type(a).__name__ for a in args]
        self.given = ", ".join(shapes) or "no arguments"

    def text(self) -> str:
        layer = repr(self.module)
        layer = layer if "\n" not in layer else type(self.module).__name__
        return f"raised in {self.path + ': ' if self.path else ''}{layer}, called with {self.given}"


def name_layer(module, args: tuple, error: Exception) -> None:
    """Note on an error which layer raised it; every layer around it makes the path more complete.

    >>> from tinygrad_hw import nn, tensor
    >>> net = nn.Sequential(nn.Identity(), nn.Linear(2, 1))
    >>> try:
    ...     net(tensor([[1.0, 2.0, 3.0]]))
    ... except RuntimeError as error:
    ...     error._origin.text()
    'raised in 1: Linear(in_features=2, out_features=1, bias=True), called with (1, 3)'
    """
    origin = error.__dict__.get("_origin")
    if origin is None:
        origin = error._origin = _Origin(module, args)
    else:
        for path, layer in module.named_modules():
            if layer is origin.module:
                origin.path = path
                break
    before, origin.note = origin.note, origin.text()
    if hasattr(error, "add_note"):
        if before is None:
            error.add_note(origin.note)
        else:
            error.__notes__[error.__notes__.index(before)] = origin.note
    elif error.args and isinstance(error.args[0], str):  # Python 3.10 has no notes
        text = error.args[0]
        text = text.replace(before, origin.note) if before else f"{text}\n{origin.note}"
        error.args = (text, *error.args[1:])
