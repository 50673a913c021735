"""Automatic differentiation: the graph, the backward pass, the modes, and `Function`."""

import importlib

from tinygrad_hw.autograd.mode import *

_LATER = {"Function": "tinygrad_hw.autograd.function", "Variable": "tinygrad_hw.typed_tensors",
          "backward": "tinygrad_hw.autograd.api",
          "functional": None, "grad": "tinygrad_hw.autograd.api", "gradcheck": "tinygrad_hw.testing",
          "gradgradcheck": "tinygrad_hw.testing"}
"""What needs Tensor, which itself needs this package: imported when it is asked for."""


def __getattr__(name: str):
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if _LATER[name] is None:
        return importlib.import_module(f"{__name__}.{name}")
    return getattr(importlib.import_module(_LATER[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
