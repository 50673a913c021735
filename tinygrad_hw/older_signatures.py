"""Signatures of PyTorch's first versions that course material still uses: ``p.data.add_(-lr, p.grad)``.

The factor came before the Tensors that it multiplies.  PyTorch takes this order to the present day and warns.
"""

from __future__ import annotations

import functools
import numbers

from tinygrad_hw.autograd.callers import warn_user
from tinygrad_hw.tensor import Tensor

__all__: list[str] = []

_FACTORS = {"add": ("alpha", 1), "sub": ("alpha", 1), "addcmul": ("value", 2), "addcdiv": ("value", 2)}
"""The option that the factor is for now, and the number of Tensors that follow."""


def _with_factor_first(name: str, option: str, count: int):
    plain = getattr(Tensor, name)

    @functools.wraps(getattr(plain, "forward", plain))
    def method(self, *args, **kwargs):
        if len(args) == count + 1 and isinstance(args[0], numbers.Number):
            warn_user(f"This overload of {name} is deprecated: {name}({args[0]}, ...); write "
                      f"{name}(..., {option}={args[0]})")
            kwargs[option], *args = args
        return plain(self, *args, **kwargs)

    return method


for _name, (_option, _count) in _FACTORS.items():
    for _method in (_name, f"{_name}_"):
        setattr(Tensor, _method, _with_factor_first(_method, _option, _count))
