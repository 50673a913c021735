"""The dtypes under PyTorch's names."""

from __future__ import annotations

import numpy as np

from ops.promotion import default_dtype

__all__ = ["dtype", "finfo", "iinfo", "of"]

LIBRARY = "tinygrad_hw"
"""What dtypes and shapes print in front of their names; ``python -m tinygrad_hw run`` makes it torch."""


class dtype:
    """The type of a Tensor's elements; prints and compares like ``torch.dtype``.

    Attributes:
        dtype: the NumPy dtype, so that NumPy accepts this object wherever it accepts a dtype.
        is_floating_point: whether it is float32 or float64.
        itemsize: bytes an element takes.

    >>> float32.is_floating_point, float32.itemsize, np.zeros(2, float32).dtype
    (True, 4, dtype('float32'))
    """

    is_complex = False

    def __init__(self, name: str):
        self.dtype = np.dtype(name)
        self.name = name
        self.itemsize = self.dtype.itemsize
        self.is_floating_point = self.dtype.kind == "f"
        self.is_signed = self.dtype.kind in "fi"

    def __repr__(self) -> str:
        return f"{LIBRARY}.{self.name}"

    def __reduce__(self):
        return of, (self.name,)


bool, uint8, int8, int16, int32, int64, float32, float64 = _ALL = tuple(
    map(dtype, ("bool", "uint8", "int8", "int16", "int32", "int64", "float32", "float64"))
)
float, double, long, int, short = float32, float64, int64, int32, int16

_BY_NUMPY = {d.dtype: d for d in _ALL}


def of(numpy_dtype) -> dtype:
    """The engine's dtype for a NumPy dtype or its name.

    >>> of("int64")
    tinygrad_hw.int64
    """
    return _BY_NUMPY[np.dtype(numpy_dtype)]


class _Limits:
    """Limits of a dtype as Python numbers, under PyTorch's names."""

    def __init__(self, info, names: str):
        self.dtype = of(info.dtype).name
        for name in names.split():
            setattr(
                self,
                name,
                getattr(info, name).item()
                if hasattr(getattr(info, name), "item")
                else getattr(info, name),
            )

    def __repr__(self) -> str:
        limits = ", ".join(f"{name}={value}" for name, value in vars(self).items())
        return f"{'finfo' if hasattr(self, 'eps') else 'iinfo'}({limits})"


def finfo(type: dtype | None = None) -> _Limits:
    """Limits of a floating dtype, by default the default one: eps, max, min, tiny, bits.

    Raises:
        TypeError: for other dtypes.

    >>> finfo(float32).bits
    32
    """
    kind = np.dtype(type) if type is not None else default_dtype()
    if kind.kind != "f":
        raise TypeError(f"finfo() requires a floating point input type, got {kind}; use iinfo for "
                        "integers")
    return _Limits(np.finfo(kind), "bits eps max min tiny smallest_normal resolution")


def iinfo(type: dtype) -> _Limits:
    """Limits of an integer dtype: ``max``, ``min`` and ``bits``.

    Raises:
        TypeError: for other dtypes.

    >>> iinfo(int8).max
    127
    """
    kind = np.dtype(type)
    if kind.kind not in "iu":
        raise TypeError(f"iinfo() requires an integer input type, got {kind}; use finfo for floats")
    return _Limits(np.iinfo(kind), "bits max min")
