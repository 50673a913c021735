"""``torch.backends.mps``: not there."""

from __future__ import annotations

__all__ = ["is_available", "is_built"]


def is_built() -> bool:
    """False.

    >>> is_built()
    False
    """
    return False


def is_available() -> bool:
    """False.

    >>> is_available()
    False
    """
    return False
