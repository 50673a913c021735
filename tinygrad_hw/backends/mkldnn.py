"""``torch.backends.mkldnn``: not used; the engine has kernels of its own."""

from __future__ import annotations

__all__ = ["is_available"]

enabled = False


def is_available() -> bool:
    """False.

    >>> is_available()
    False
    """
    return False
