"""From files to batches, with torchvision's names: `datasets` and `transforms`."""

from tinygrad_hw.vision import datasets, transforms

__all__ = ["datasets", "transforms"]
