"""``torch.backends.mps``: not there."""

from __future__ import annotations

from tinygrad_hw.absent import no

__all__ = ["is_available", "is_built"]

is_available = no("is_available")
is_built = no("is_built")
