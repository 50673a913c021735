"""``torchvision.transforms.v2``: the transforms of its parent, and those that v2 begins with.

Images are plain Tensors or PIL images; boxes and masks are not covered.
"""

from __future__ import annotations

import numpy as np

from ops.promotion import as_dtype
from tinygrad_hw.construct import from_numpy
from tinygrad_hw.nn import Module
from tinygrad_hw.tensor import Tensor
from tinygrad_hw.vision.transforms import *  # noqa: F403
from tinygrad_hw.vision.transforms import __all__ as _of_v1
from tinygrad_hw.vision.transforms import functional  # noqa: F401
from tinygrad_hw.vision.transforms.conversion import convert_image_dtype, pil_to_tensor
from tinygrad_hw.vision.transforms.images import is_pil

__all__ = [*_of_v1, "Identity", "ToDtype", "ToImage", "ToPureTensor"]


class ToImage(Module):
    """A PIL image or an array (H, W, C) as a Tensor (C, H, W) of the same numbers; a Tensor stays as it is.

    >>> ToImage()(np.zeros((2, 4, 3), np.uint8)).shape
    tinygrad_hw.Size([3, 2, 4])
    """

    def forward(self, inpt):
        if is_pil(inpt):
            return pil_to_tensor(inpt)
        if isinstance(inpt, np.ndarray):
            array = inpt[:, :, None] if inpt.ndim == 2 else inpt
            return from_numpy(np.ascontiguousarray(array.transpose(2, 0, 1)))
        if isinstance(inpt, Tensor):
            return inpt
        raise TypeError(
            f"Input can either be a pure Tensor, a numpy array, or a PIL image, but got {type(inpt)} "
            "instead."
        )


class ToDtype(Module):
    """The image in another dtype.

    Args:
        dtype: of the result.
        scale: whether the range of values follows: 0..255 of uint8 is 0..1 of floats.

    >>> import tinygrad_hw
    >>> ToDtype(tinygrad_hw.float32, scale=True)(tinygrad_hw.tensor([255], dtype=tinygrad_hw.uint8))
    tensor([1.])
    """

    def __init__(self, dtype, scale: bool = False):
        super().__init__()
        as_dtype(dtype)
        self.dtype, self.scale = dtype, scale

    def forward(self, inpt):
        if not isinstance(inpt, Tensor):
            return inpt
        return convert_image_dtype(inpt, self.dtype) if self.scale else inpt.to(self.dtype)

    def extra_repr(self) -> str:
        return f"scale={self.scale}"


class ToPureTensor(Module):
    """The Tensor itself: all Tensors are plain.

    >>> ToPureTensor()(3)
    3
    """

    def forward(self, inpt):
        return inpt


class Identity(Module):
    """The image itself.

    >>> Identity()(3)
    3
    """

    def forward(self, inpt):
        return inpt
