"""Which line of the user's program called the engine: for the texts of errors and warnings."""

from __future__ import annotations

import os
import sys
import warnings

import ops

__all__ = ["user_line", "warn_user"]

_PACKAGES = tuple(os.path.dirname(os.path.abspath(module.__file__)) + os.sep
                  for module in (ops, sys.modules["tinygrad_hw"]))


def user_line() -> str:
    """``file:line in function`` of the innermost frame outside the engine.

    >>> user_line().endswith("in <module>")
    True
    """
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGES):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno} in {frame.f_code.co_name}"


def warn_user(message: str) -> None:
    """A warning that points to the user's line, and so is shown once for each such line.

    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     warn_user("careful")
    >>> caught[0].filename.startswith(_PACKAGES)
    False
    """
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGES):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, stacklevel=level)
