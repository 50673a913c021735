"""What an op with several outputs returns: a named tuple; with Tensors it prints as in PyTorch."""

from __future__ import annotations

import collections

import numpy as np

__all__ = ["Results", "results_type"]


class Results:
    """What the named tuples of results share.

    Attributes:
        place: the module that a result with Tensors is shown in.
    """

    __slots__ = ()
    place = "ops"

    def __repr__(self) -> str:
        if isinstance(self[0], (np.ndarray, np.generic)):
            return super().__repr__()
        fields = ",\n".join(f"{name}={value!r}" for name, value in zip(self._fields, self))
        return f"{self.place}.{type(self).__name__}(\n{fields})"


def results_type(name: str, fields) -> type:
    """The type of the results of an op; a name that ends in ``_dim`` goes without it, as in PyTorch.

    >>> results_type("max_dim", ("values", "indices"))(np.array(2.0), np.array(1))
    max(values=array(2.), indices=array(1))
    """
    name = name.removesuffix("_dim")
    return type(name, (Results, collections.namedtuple(name, fields)), {"__slots__": ()})
