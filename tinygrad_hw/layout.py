"""What a Tensor tells about its memory: shape, strides, dtype and place."""

from __future__ import annotations

import numpy as np

from tinygrad_hw import dtypes
from tinygrad_hw.device import cpu, device
from tinygrad_hw.formats import strided

__all__ = ["Layout", "Size"]


class Size(tuple):
    """A shape; prints as ``torch.Size`` does and counts with `numel`.

    >>> Size([1, 2]).numel()
    2
    """

    def numel(self) -> int:
        """Number of elements of a Tensor of this shape."""
        count = 1
        for size in self:
            count *= size
        return count

    def __repr__(self) -> str:
        return f"{dtypes.LIBRARY}.Size({list(self)})"

    def __getitem__(self, index):
        item = tuple.__getitem__(self, index)
        return Size(item) if isinstance(index, slice) else item

    def __add__(self, other):
        return Size(tuple.__add__(self, tuple(other)))


class Layout:
    """The part of Tensor that answers questions about its array."""

    is_cuda = is_sparse = False
    is_cpu = True
    layout = strided

    @property
    def shape(self) -> Size:
        """Sizes of the dimensions."""
        return Size(self.array.shape)

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return self.array.ndim

    @property
    def array_dtype(self) -> np.dtype:
        """The NumPy dtype of the elements."""
        return self.array.dtype

    @property
    def array_shape(self) -> tuple[int, ...]:
        """The shape as a plain tuple."""
        return self.array.shape

    @property
    def dtype(self) -> dtypes.dtype:
        """Type of the elements."""
        return dtypes.of(self.array.dtype)

    @property
    def device(self) -> device:
        """Always the CPU."""
        return cpu

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.array.nbytes

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return self.array.itemsize

    def size(self, dim=None):
        """The shape, or the size of one dimension."""
        if dim is None:
            return Size(self.array.shape)
        if not -self.array.ndim <= dim < self.array.ndim:
            raise IndexError(f"Dimension out of range (expected to be in range of [{-self.array.ndim}, "
                             f"{self.array.ndim - 1}], but got {dim})")
        return self.array.shape[dim]

    def dim(self):
        """Number of dimensions."""
        return self.array.ndim

    ndimension = dim

    def numel(self):
        """Number of elements."""
        return self.array.size

    nelement = numel

    def element_size(self):
        """Bytes of one element."""
        return self.array.itemsize

    def stride(self, dim=None):
        """Elements to step over for each dimension, or for one."""
        strides = tuple(s // self.array.itemsize for s in self.array.strides)
        return strides if dim is None else strides[dim]

    def is_contiguous(self, memory_format=None):
        """Whether the memory is in row-major order without gaps."""
        return self.array.flags.c_contiguous

    def data_ptr(self):
        """Address of the first element."""
        return self.array.__array_interface__["data"][0]

    def storage_offset(self):
        """Elements between the start of the base's memory and this view's."""
        base = self._base
        return 0 if base is None else (self.data_ptr() - base.data_ptr()) // self.array.itemsize

    def is_floating_point(self):
        """Whether the dtype is float32 or float64."""
        return self.array.dtype.kind == "f"

    def is_complex(self):
        """Always False."""
        return False

    def is_signed(self):
        """Whether the dtype holds negative numbers."""
        return self.array.dtype.kind in "fi"

    def is_same_size(self, other):
        """Whether the other Tensor has the same shape."""
        return self.array.shape == other.array.shape

    def is_set_to(self, other):
        """Whether both Tensors are the same view of the same memory."""
        return (self.data_ptr(), self.stride(), self.shape) == (
            other.data_ptr(),
            other.stride(),
            other.shape,
        )

    def is_pinned(self, device=None):
        """Always False: pinned memory is for copies to other devices."""
        return False

    def get_device(self):
        """-1, as for all Tensors on the CPU."""
        return -1
