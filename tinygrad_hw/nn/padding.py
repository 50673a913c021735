"""Padding layers."""

from __future__ import annotations

import ops
from tinygrad_hw.nn.conv import _tuple
from tinygrad_hw.nn.module import Module

__all__ = [
    "CircularPad1d",
    "CircularPad2d",
    "ConstantPad1d",
    "ConstantPad2d",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "ZeroPad1d",
    "ZeroPad2d",
]


class _Pad(Module):
    """Adds a border to the last dimensions.

    Args:
        padding: one width for all sides, or (left, right) or (left, right, top, bottom).
    """

    _mode = "constant"
    _dimensions = 1

    def __init__(self, padding):
        super().__init__()
        self.padding = _tuple(padding, 2 * self._dimensions)

    def forward(self, input):
        return ops.pad(input, self.padding, mode=self._mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ConstantPad1d(_Pad):
    """A border of one value around the last dimension.

    >>> ConstantPad1d(2, 3.5)
    ConstantPad1d(padding=(2, 2), value=3.5)
    """

    def __init__(self, padding, value: float):
        super().__init__(padding)
        self.value = value

    def forward(self, input):
        return ops.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ConstantPad2d(ConstantPad1d):
    """A border of one value around the last two dimensions."""

    _dimensions = 2


class ZeroPad1d(ConstantPad1d):
    """A border of zeros around the last dimension."""

    def __init__(self, padding):
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ZeroPad2d(ZeroPad1d):
    """A border of zeros around the last two dimensions.

    >>> ZeroPad2d((1, 1, 2, 0))
    ZeroPad2d((1, 1, 2, 0))
    """

    _dimensions = 2


class ReflectionPad1d(_Pad):
    """A border that mirrors the last dimension without repeating its edge."""

    _mode = "reflect"


class ReflectionPad2d(ReflectionPad1d):
    """A border that mirrors the last two dimensions without repeating their edges."""

    _dimensions = 2


class ReplicationPad1d(_Pad):
    """A border that repeats the edge of the last dimension."""

    _mode = "replicate"


class ReplicationPad2d(ReplicationPad1d):
    """A border that repeats the edges of the last two dimensions."""

    _dimensions = 2


class CircularPad1d(_Pad):
    """A border that continues with the other end of the last dimension."""

    _mode = "circular"


class CircularPad2d(CircularPad1d):
    """A border that continues with the other ends of the last two dimensions."""

    _dimensions = 2
