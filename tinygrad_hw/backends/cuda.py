"""``torch.backends.cuda``: not there."""

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


class matmul:
    """Switches of matrix products on a GPU: may be set, and change nothing."""

    allow_tf32 = allow_fp16_reduced_precision_reduction = allow_bf16_reduced_precision_reduction = False
