"""Kernel modules that are imported at their first use: importing numba takes half a second."""

from __future__ import annotations

import importlib
import types

__all__ = ["LazyModule"]


class LazyModule(types.ModuleType):
    """Stands for a module until one of its functions is needed.

    >>> LazyModule("math").sqrt(4.0)
    2.0
    """

    def __getattr__(self, attribute: str):
        vars(self).update(vars(importlib.import_module(self.__name__)))
        self.__class__ = types.ModuleType  # Python looks up what a plain module holds in a fifth of the time
        return getattr(self, attribute)
