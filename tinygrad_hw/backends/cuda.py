"""``torch.backends.cuda``: not there."""

from __future__ import annotations

from tinygrad_hw.absent import no

__all__ = ["is_available", "is_built"]

is_available = no("is_available")
is_built = no("is_built")


class matmul:
    """Switches of matrix products on a GPU: may be set, and change nothing."""

    allow_tf32 = allow_fp16_reduced_precision_reduction = allow_bf16_reduced_precision_reduction = False
