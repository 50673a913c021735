"""Which line of the user's program called the engine: for the texts of errors and warnings."""

from __future__ import annotations

import functools
import sys
import types

from ops.callers import inside, warn_user

__all__ = ["call_site", "inside", "line_of", "text_of", "warn_user"]


def call_site() -> tuple[types.CodeType, int]:
    """The innermost call from outside the engine: the caller's code and the place of the instruction in it.

    No frame is kept, so nothing of the caller's stays alive; `line_of` makes a line of it where it is told.

    >>> code, instruction = call_site()
    >>> code.co_name
    '<module>'
    """
    frame = sys._getframe(1)
    while inside[frame.f_code.co_filename] and frame.f_back is not None:
        frame = frame.f_back
    return frame.f_code, frame.f_lasti


def line_of(site: tuple[types.CodeType, int]) -> str:
    """``file:line in function`` of a `call_site`.

    >>> line_of(call_site()).endswith(":1 in <module>")
    True
    """
    return _line(*site, site[0].co_filename)


@functools.lru_cache(maxsize=1024)
def _line(code: types.CodeType, instruction: int, filename: str) -> str:
    """`line_of`, remembered: a training loop's lines are asked for in every step.  Equal code may stand in
    files of other names.
    """
    line = next((line for start, end, line in code.co_lines() if start <= instruction < end), None)
    return f"{filename}:{line or code.co_firstlineno} in {code.co_name}"


def text_of(where: str | tuple) -> str:
    """What was noted of a change, as a text: it may be one, or a `call_site`, or that and the method called.

    >>> text_of("by the optimizer"), text_of((call_site(), "optimizer.step()")).endswith(", optimizer.step()")
    ('by the optimizer', True)
    """
    if isinstance(where, str):
        return where
    if isinstance(where[0], tuple):
        return f"{line_of(where[0])}, {where[1]}"
    return line_of(where)
