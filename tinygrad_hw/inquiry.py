"""Questions about Tensors and dtypes."""

from __future__ import annotations

from ops import promotion
from ops.core import array_of
from tinygrad_hw import dtypes
from tinygrad_hw.tensor import Tensor

__all__ = ["can_cast", "get_default_dtype", "is_complex", "is_floating_point", "is_nonzero", "is_tensor",
           "numel", "promote_types", "result_type", "set_default_dtype"]


def is_tensor(obj) -> bool:
    """Whether an object is a Tensor.

    >>> is_tensor(Tensor(2)), is_tensor(2)
    (True, False)
    """
    return isinstance(obj, Tensor)


def _tensor(name: str, input) -> Tensor:
    """``input`` itself, refused if it is no Tensor."""
    if not isinstance(input, Tensor):
        raise TypeError(f"{name}(): argument 'input' (position 1) must be Tensor, "
                        f"not {type(input).__name__}")
    return input


def is_floating_point(input: Tensor) -> bool:
    """Whether a Tensor's dtype is float32 or float64.

    >>> is_floating_point(Tensor(2))
    True
    """
    return _tensor("is_floating_point", input).is_floating_point()


def is_complex(input: Tensor) -> bool:
    """Always False: there are no complex dtypes.

    >>> is_complex(Tensor(2))
    False
    """
    return _tensor("is_complex", input).is_complex()


def is_nonzero(input: Tensor) -> bool:
    """Whether the one element of a Tensor is not zero.

    >>> is_nonzero(Tensor([1.5]))
    True
    """
    return bool(_tensor("is_nonzero", input))


def numel(input: Tensor) -> int:
    """Number of elements.

    >>> numel(Tensor(2, 3))
    6
    """
    return _tensor("numel", input).numel()


def get_default_dtype() -> dtypes.dtype:
    """The dtype of Tensors made of Python floats.

    >>> get_default_dtype()
    tinygrad_hw.float32
    """
    return dtypes.of(promotion.default_dtype())


def set_default_dtype(d) -> None:
    """Choose float32 or float64 for Tensors made of Python floats.

    >>> set_default_dtype(dtypes.float32)
    """
    promotion.set_default_dtype(d)


def promote_types(type1, type2) -> dtypes.dtype:
    """The dtype of a result of two Tensors of these dtypes.

    >>> promote_types(dtypes.int64, dtypes.float32)
    tinygrad_hw.float32
    """
    return dtypes.of(promotion.promote_types(promotion.as_dtype(type1), promotion.as_dtype(type2)))


def result_type(tensor1, tensor2) -> dtypes.dtype:
    """The dtype of a result of two operands, Tensors or numbers.

    >>> result_type(Tensor([1.0]), 2)
    tinygrad_hw.float32
    """
    return dtypes.of(promotion.result_dtype(array_of(tensor1), array_of(tensor2)))


def can_cast(from_, to) -> bool:
    """Whether an in-place operation may write one dtype to the other.

    >>> can_cast(dtypes.float32, dtypes.int64)
    False
    """
    return promotion.can_cast(promotion.as_dtype(from_), promotion.as_dtype(to))
