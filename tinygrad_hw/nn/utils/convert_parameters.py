"""Parameters as one vector and back."""

from __future__ import annotations

from collections.abc import Iterable

import ops
from tinygrad_hw.tensor import Tensor

__all__ = ["parameters_to_vector", "vector_to_parameters"]


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All elements one after the other.

    >>> from tinygrad_hw import tensor
    >>> parameters_to_vector([tensor([[1.0, 2.0]]), tensor([3.0])])
    tensor([1., 2., 3.])
    """
    return ops.cat([ops.reshape(parameter, (-1,)) for parameter in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Give the parameters the elements of a vector, as views of it.

    Raises:
        TypeError: if ``vec`` is no Tensor.
        RuntimeError: if it has too few elements.

    >>> from tinygrad_hw import tensor, zeros
    >>> p = zeros(2)
    >>> vector_to_parameters(tensor([1.0, 2.0]), [p])
    >>> p
    tensor([1., 2.])
    """
    if not isinstance(vec, Tensor):
        raise TypeError(f"expected Tensor, but got: {type(vec).__name__}")
    start = 0
    for parameter in parameters:
        size = parameter.array.size
        part = Tensor._wrap(vec.array[start:start + size])
        parameter.data = ops.reshape(part, parameter.array.shape)
        start += size
