"""Helpers around training: `tinygrad_hw.utils.data` feeds batches to a training loop."""

from tinygrad_hw.utils import data

__all__ = ["data"]
