"""The former constructors: ``FloatTensor(2, 3)``, ``LongTensor([1, 2])``, and `Variable`."""

from __future__ import annotations

import warnings

import numpy as np

from tinygrad_hw import dtypes
from tinygrad_hw.construct import as_tensor
from tinygrad_hw.device import check_device
from tinygrad_hw.tensor import Size, Tensor

__all__ = [
    "BoolTensor",
    "ByteTensor",
    "CharTensor",
    "DoubleTensor",
    "FloatTensor",
    "IntTensor",
    "LongTensor",
    "ShortTensor",
    "Variable",
]


class _Kind(type):
    """Makes ``isinstance(x, FloatTensor)`` ask for the dtype."""

    def __instancecheck__(cls, value) -> bool:
        return isinstance(value, Tensor) and value.dtype is cls.dtype

    def __repr__(cls) -> str:
        return f"<class 'torch.{cls.__name__}'>"


def _typed(name: str, dtype: dtypes.dtype) -> type:
    def make(cls, *data, device=None):
        check_device(device)
        if len(data) == 1 and isinstance(data[0], Tensor):
            if data[0].dtype is not dtype:
                raise TypeError(
                    f"expected {name} (got a Tensor of {data[0].dtype}); convert it: x.to({dtype})"
                )
            return data[0].detach()
        if len(data) == 1 and not isinstance(data[0], (int, np.integer, Size)):
            if not np.iterable(data[0]):
                raise TypeError(
                    f"new(): data must be a sequence (got {type(data[0]).__name__}); use "
                    f"tensor({data[0]!r}, dtype={dtype})"
                )
            return as_tensor(np.array(_values(data[0]), dtype.dtype))
        return Tensor._wrap(
            np.empty(data[0] if data and isinstance(data[0], Size) else data or (0,), dtype.dtype)
        )

    doc = f"""A Tensor of {dtype.name}: ``{name}([..])`` of data, ``{name}(2, 3)`` uninitialised.

    Former spelling of ``tensor(data, dtype={dtype.name})`` and ``empty(2, 3, dtype={dtype.name})``.

    >>> {name}([[1, 0]]).dtype
    {dtype}
    """
    return _Kind(name, (), {"__new__": make, "dtype": dtype, "__doc__": doc, "__module__": __name__})


def _values(data):
    """The data with Tensors in it as arrays."""
    if isinstance(data, Tensor):
        return data.array
    return [_values(item) for item in data] if isinstance(data, (list, tuple)) else data


BoolTensor, ByteTensor, CharTensor, ShortTensor, IntTensor, LongTensor, FloatTensor, DoubleTensor = (
    _typed(name + "Tensor", dtype)
    for name, dtype in dict(
        Bool=dtypes.bool,
        Byte=dtypes.uint8,
        Char=dtypes.int8,
        Short=dtypes.int16,
        Int=dtypes.int32,
        Long=dtypes.int64,
        Float=dtypes.float32,
        Double=dtypes.float64,
    ).items()
)


class _AnyTensor(type):
    def __instancecheck__(cls, value) -> bool:
        return isinstance(value, Tensor)


class Variable(metaclass=_AnyTensor):
    """Former wrapper around a Tensor; every Tensor is one since PyTorch 0.4.

    ``Variable(x, requires_grad=True)`` is a leaf that shares the memory of ``x``.

    Args:
        data: a Tensor.
        requires_grad: whether gradients are computed for it.
        volatile: once what `no_grad` is now; warns and does nothing.

    >>> from tinygrad_hw import ones
    >>> x = Variable(ones(2), requires_grad=True)
    >>> x.is_leaf, x.requires_grad, isinstance(x, Variable)
    (True, True, True)
    """

    def __new__(cls, data=None, requires_grad: bool = False, volatile: bool | None = None):
        if volatile:
            warnings.warn(
                "volatile was removed from PyTorch and has no effect; use `with torch.no_grad():` "
                "instead",
                UserWarning,
                stacklevel=2,
            )
        if data is None:
            data = Tensor()
        if not isinstance(data, Tensor):
            raise TypeError(
                f"Variable data has to be a tensor, but got {type(data).__name__}; write "
                "torch.tensor(data)"
            )
        return data.detach().requires_grad_(requires_grad)


def _new(self, *data, device=None):
    """A Tensor of this dtype: of data, or uninitialised of the sizes given; the former `new_tensor`."""
    kinds = (
        BoolTensor,
        ByteTensor,
        CharTensor,
        ShortTensor,
        IntTensor,
        LongTensor,
        FloatTensor,
        DoubleTensor,
    )
    return next(kind for kind in kinds if kind.dtype is self.dtype)(*data, device=device)


Tensor.new = _new
