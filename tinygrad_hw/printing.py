"""How a Tensor prints: PyTorch's form, number for number.

Source of the rules: https://docs.pytorch.org/docs/stable/generated/torch.set_printoptions.html
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

__all__ = ["represent", "set_printoptions"]


@dataclasses.dataclass
class _Options:
    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


_PROFILES = {"default": {}, "short": dict(precision=2, edgeitems=2), "full": dict(threshold=math.inf)}
_options = _Options()


def set_printoptions(precision=None, threshold=None, edgeitems=None, linewidth=None, profile=None,
                     sci_mode=None) -> None:
    """Choose how Tensors print.

    Args:
        precision: digits after the point.
        threshold: number of elements above which a Tensor is summarised.
        edgeitems: elements shown at each end of a summarised dimension.
        linewidth: characters in a line.
        profile: ``"default"``, ``"short"`` or ``"full"``; the other arguments refine it.
        sci_mode: scientific notation always (True), never (False) or where it is clearer (None).

    >>> set_printoptions(precision=2)
    >>> from tinygrad_hw import tensor
    >>> tensor([0.123456])
    tensor([0.12])
    >>> set_printoptions(profile="default")
    """
    if profile is not None:
        if profile not in _PROFILES:
            raise ValueError(f"profile must be one of {', '.join(_PROFILES)}, got {profile!r}")
        _options.__dict__.update(_Options(**_PROFILES[profile]).__dict__)
    given = dict(precision=precision, threshold=threshold, edgeitems=edgeitems, linewidth=linewidth)
    _options.__dict__.update({name: value for name, value in given.items() if value is not None})
    _options.sci_mode = sci_mode


class _Number:
    """Format of the numbers of one array: one width for all of them."""

    def __init__(self, array: np.ndarray):
        self.floating = array.dtype.kind == "f"
        self.whole = self.scientific = False
        if not self.floating:
            self.width = max((len(str(value)) for value in array.flat), default=1)
            return
        shown = array[np.isfinite(array) & (array != 0)]
        finite = np.abs(shown).astype(np.float64)
        self.whole = bool((finite == np.ceil(finite)).all())
        if finite.size:
            low, high = finite.min(), finite.max()
            self.scientific = bool(high / low > 1000 or high > 1e8 or (not self.whole and low < 1e-4))
            if _options.sci_mode is not None:
                self.scientific = _options.sci_mode
        self.width = 0
        self.width = max((len(self(value)) for value in shown.flat), default=1)

    def __call__(self, value) -> str:
        if not self.floating:
            text = str(value)
        elif self.scientific:
            text = f"{value:.{_options.precision}e}"
        elif self.whole:
            text = f"{value:.0f}" + ("." if math.isfinite(value) else "")
        else:
            text = f"{value:.{_options.precision}f}"
        return text.rjust(self.width)


def _shown(array: np.ndarray) -> np.ndarray:
    """The elements that a summarised array shows."""
    edge = _options.edgeitems
    for axis, size in enumerate(array.shape):
        if size > 2 * edge:
            array = np.take(array, [*range(edge), *range(size - edge, size)], axis=axis)
    return array


def _body(array: np.ndarray, indent: int, summarize: bool, number: _Number) -> str:
    if array.ndim == 0:
        return number(array.item() if array.dtype.kind != "f" else float(array))
    edge = _options.edgeitems
    cut = summarize and len(array) > 2 * edge
    if array.ndim == 1:
        per_line = max(1, (_options.linewidth - indent) // (number.width + 2))
        items = [number(v) for v in (array[:edge] if cut else array).tolist()]
        if cut:
            items += [" ...", *(number(v) for v in array[-edge:].tolist())]
        lines = [", ".join(items[i:i + per_line]) for i in range(0, len(items), per_line)]
        return "[" + (",\n" + " " * (indent + 1)).join(lines) + "]"
    slices = [_body(a, indent + 1, summarize, number) for a in (array[:edge] if cut else array)]
    if cut:
        slices += ["...", *(_body(a, indent + 1, summarize, number) for a in array[-edge:])]
    return "[" + ("," + "\n" * (array.ndim - 1) + " " * (indent + 1)).join(slices) + "]"


def represent(tensor, prefix: str = "tensor(") -> str:
    """``repr`` of a Tensor: values, then shape, dtype and history where they are not the usual ones.

    >>> from tinygrad_hw import tensor
    >>> represent(tensor([[1.0, 2.5]], requires_grad=True))
    'tensor([[1.0000, 2.5000]], requires_grad=True)'
    """
    from ops.promotion import default_dtype

    array = tensor.array
    suffixes = []
    usual = array.dtype in (default_dtype(), np.dtype("int64"), np.dtype("bool"))
    if array.size == 0:
        text = "[]"
        if array.ndim != 1:
            suffixes.append(f"size={tuple(array.shape)}")
        usual = array.dtype == default_dtype()
    else:
        summarize = array.size > _options.threshold
        text = _body(array, len(prefix), summarize, _Number(_shown(array) if summarize else array))
    if not usual:
        suffixes.append(f"dtype={tensor.dtype}")
    if tensor.grad_fn is not None:
        suffixes.append(f"grad_fn=<{tensor.grad_fn.name()}>")
    elif tensor.requires_grad:
        suffixes.append("requires_grad=True")
    text = prefix + text
    last = len(text) - text.rfind("\n") + 1
    for suffix in suffixes:
        length = len(suffix.replace("tinygrad_hw", "torch"))  # lines break where PyTorch breaks them
        if last + length + 2 > _options.linewidth:
            text += ",\n" + " " * len(prefix) + suffix
            last = len(prefix) + length
        else:
            text += ", " + suffix
            last += length + 2
    return text + ")"
