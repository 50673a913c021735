"""`Parameter` and `Buffer`: Tensors that register themselves when they become attributes of a Module."""

from __future__ import annotations

import copy

import numpy as np

from ops.promotion import as_dtype, default_dtype
from tinygrad_hw.device import device as device_of
from tinygrad_hw.tensor import Tensor

__all__ = ["Buffer", "Parameter", "empty"]


class Parameter(Tensor):
    """A leaf Tensor that a Module trains; it shares the memory of ``data``.

    Args:
        data: the Tensor that holds the values.
        requires_grad: whether gradients are computed for it.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.parameter.Parameter.html

    >>> from tinygrad_hw import tensor
    >>> Parameter(tensor([1.0, 2.0])).requires_grad
    True
    """

    def __init__(self, data: Tensor | None = None, requires_grad: bool = True):
        if data is None:
            data = Tensor._wrap(np.empty(0, default_dtype()))
        if not isinstance(data, Tensor):
            raise TypeError(
                f"Parameter expects a Tensor, got {type(data).__name__}; wrap it: tensor(data)"
            )
        self._begin(data.array)
        self.requires_grad_(requires_grad)

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"

    def __deepcopy__(self, memo: dict) -> Parameter:
        if id(self) not in memo:
            result = type(self)(Tensor._wrap(self.array.copy(order="K")), self.requires_grad)
            if self.grad is not None:
                result.grad = copy.deepcopy(self.grad, memo)
            memo[id(self)] = result
        return memo[id(self)]

    def __reduce_ex__(self, protocol):
        return _restore, (type(self), self.array, self.requires_grad)


def _restore(kind: type, array: np.ndarray, option: bool):
    return kind(Tensor._wrap(array), option)


class Buffer(Tensor):
    """A Tensor that belongs to a Module's state but is not trained.

    Args:
        data: the Tensor that holds the values.
        persistent: whether it is part of the ``state_dict``.

    >>> from tinygrad_hw import tensor
    >>> Buffer(tensor([1.0])).requires_grad
    False
    """

    def __init__(self, data: Tensor | None = None, *, persistent: bool = True):
        self._begin(np.empty(0, default_dtype()) if data is None else data.array)
        self.persistent = persistent

    def __deepcopy__(self, memo: dict) -> Buffer:
        if id(self) not in memo:
            memo[id(self)] = Buffer(Tensor._wrap(self.array.copy(order="K")), persistent=self.persistent)
        return memo[id(self)]

    def __reduce_ex__(self, protocol):
        return _restore_buffer, (self.array, self.persistent)


def _restore_buffer(array: np.ndarray, persistent: bool) -> Buffer:
    return Buffer(Tensor._wrap(array), persistent=persistent)


def empty(shape: tuple[int, ...], device=None, dtype=None) -> Tensor:
    """Memory for a layer's parameter, to be filled by an initialiser.

    >>> empty((2, 3)).shape
    tinygrad_hw.Size([2, 3])
    """
    if device is not None:
        device_of(device)
    for size in shape:
        if size < 0:
            raise RuntimeError(f"Trying to create tensor with negative dimension {size}: {list(shape)}")
    return Tensor._wrap(np.empty(shape, as_dtype(dtype) or default_dtype()))
