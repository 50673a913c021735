"""The constants `strided`, `contiguous_format` and their like, which scripts name."""

from __future__ import annotations

__all__ = ["channels_last", "contiguous_format", "layout", "memory_format", "preserve_format", "strided"]


class _Constant:
    """A named constant that prints as PyTorch prints it."""

    def __init__(self, name: str):
        self.name = name

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> str:
        return self.name


class layout(_Constant):
    """How elements lie in memory; `strided` is the one there is."""


class memory_format(_Constant):
    """The order of dimensions in memory that a script asks for."""


strided = layout("strided")
contiguous_format, preserve_format, channels_last = map(
    memory_format, ("contiguous_format", "preserve_format", "channels_last")
)
