"""`save` and `load` with PyTorch's names: weights and nested containers in files that hold no code.

From simple to complex: `tree` (a value as JSON and arrays), `container` (both in one safetensors file with
a checksum), `files` (the public functions).
"""

from tinygrad_hw.serialization.files import load, save

__all__ = ["load", "save"]
