"""Which source files belong to the engine, and warnings that point past them to the user's line."""

from __future__ import annotations

import os
import sys
import warnings

__all__ = ["inside", "warn_user"]

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_PACKAGES = tuple(os.path.join(_ROOT, name) + os.sep for name in ("ops", "tinygrad_hw"))


class _Inside(dict):
    """Whether a source file belongs to the engine; remembered, as it is asked for every recorded op."""

    def __missing__(self, filename: str) -> bool:
        self[filename] = belongs = filename.startswith(_PACKAGES)
        return belongs


inside = _Inside()


def warn_user(message: str) -> None:
    """A warning that points to the user's line, and so is shown once for each such line.

    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     warn_user("careful")
    >>> inside[caught[0].filename]
    False
    """
    frame, level = sys._getframe(1), 2
    while inside[frame.f_code.co_filename] and frame.f_back is not None:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, stacklevel=level)
