"""``torch.backends.mkldnn``: not used; the engine has kernels of its own."""

from __future__ import annotations

from tinygrad_hw.absent import no

__all__ = ["is_available"]

is_available = no("is_available")
enabled = False
