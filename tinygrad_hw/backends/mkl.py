"""``torch.backends.mkl``: not used; the engine has kernels of its own."""

from __future__ import annotations

__all__ = ["is_available"]


def is_available() -> bool:
    """False.

    >>> is_available()
    False
    """
    return False
