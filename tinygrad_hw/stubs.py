"""``python -m tinygrad_hw.stubs``: write ``tensor.pyi``, Tensor's methods for editors and type checkers.

The methods are attached to Tensor by name (``methods.py``, ``conversions.py``), where a type checker does
not see them.  A test compares the file with what this module would write.
"""

from __future__ import annotations

import inspect
import pathlib

from tinygrad_hw.tensor import Tensor

__all__ = ["stub"]

_METHODS = {
    "builtins.bool": "__bool__ __contains__ allclose equal is_complex is_contiguous is_floating_point "
                     "is_signed",
    "builtins.int": "__hash__ __index__ __int__ __len__ data_ptr dim element_size ndimension nelement numel",
    "builtins.float": "__float__",
    "builtins.str": "__format__ __repr__",
    "np.ndarray": "__array__ numpy",
    "Iterator[Tensor]": "__iter__",
    "None": "__init__ __setitem__ backward retain_grad",
    "Any": "aminmax chunk cummax cummin dsplit hsplit item kthvalue max median min mode nanmedian nonzero "
           "register_hook register_post_accumulate_grad_hook size sort split stride tensor_split tolist topk "
           "type unbind unique unique_consecutive vsplit",
}
_PROPERTIES = {
    "Size": "shape", "DType": "dtype", "Device": "device", "Tensor | None": "grad", "Any": "grad_fn layout",
    "builtins.int": "itemsize nbytes ndim output_nr",
    "builtins.bool": "is_cpu is_cuda is_leaf is_sparse requires_grad retains_grad",
}
_OPERATORS = """add sub mul truediv floordiv mod pow matmul and or xor lshift rshift eq ne lt le gt ge neg pos
    abs invert getitem""".split()
_HEADER = '''# Written by "python -m tinygrad_hw.stubs"; do not edit.
import builtins
from collections.abc import Iterator
from typing import Any

import numpy as np

from tinygrad_hw.device import device as Device
from tinygrad_hw.dtypes import dtype as DType
from tinygrad_hw.layout import Size as Size

class Tensor:
    array: np.ndarray
'''


def _by_name(table: dict[str, str]) -> dict[str, str]:
    """``{name: type}`` from ``{type: "name name ..."}``."""
    return {name: kind for kind, names in table.items() for name in names.split()}


def _parameters(value) -> str:
    """The parameters of a method as a stub writes them, without types."""
    try:
        parameters = list(inspect.signature(value).parameters.values())
    except (TypeError, ValueError):
        return "self, *args: Any, **kwargs: Any"
    parts, starred = ["self"], False
    for p in parameters[1:]:
        if p.kind is p.VAR_POSITIONAL:
            parts.append(f"*{p.name}: Any")
            starred = True
        elif p.kind is p.VAR_KEYWORD:
            parts.append(f"**{p.name}: Any")
        else:
            if p.kind is p.KEYWORD_ONLY and not starred:
                parts.append("*")
                starred = True
            parts.append(f"{p.name}: Any" + ("" if p.default is p.empty else " = ..."))
    return ", ".join(parts)


def stub() -> str:
    """The text of ``tensor.pyi``.

    >>> "def exp(self" in stub()
    True
    """
    members = {name: value for cls in reversed(Tensor.__mro__[:-1]) for name, value in vars(cls).items()}
    methods, properties = _by_name(_METHODS), _by_name(_PROPERTIES)
    special = {*methods, *(f"__{way}{name}__" for name in _OPERATORS for way in ("", "r", "i"))}
    lines = []
    for name, value in sorted(members.items()):
        if name.startswith("_") and name not in special or name in ("array", "record", "recorder"):
            continue
        if callable(value):
            remark = "  # type: ignore[override]" if name in ("__eq__", "__ne__") else ""
            kind = methods.get(name, "Tensor")
            lines.append(f"    def {name}({_parameters(value)}) -> {kind}: ...{remark}")
        elif isinstance(value, property):
            kind = properties.get(name, "Tensor")
            lines += ["    @property", f"    def {name}(self) -> {kind}: ..."]
            if value.fset is not None:
                lines += [f"    @{name}.setter", f"    def {name}(self, value: Any) -> None: ..."]
        else:
            lines.append(f"    {name}: {properties.get(name, 'Any')}")
    return _HEADER + "\n".join(lines) + "\n"


if __name__ == "__main__":
    pathlib.Path(__file__).with_name("tensor.pyi").write_text(stub())
