"""Ctrl-C and SIGTERM while a network learns: the step in progress is finished, saved, and then it ends."""

from __future__ import annotations

import os
import signal
import threading

__all__ = ["Interruption", "exit_code"]

SIGNALS = (signal.SIGINT, signal.SIGTERM)
_last: signal.Signals | None = None


class Interruption:
    """While the block runs, the first Ctrl-C or SIGTERM is only noted; a second one has its usual effect.

    Outside of the main thread, where Python lets nobody handle signals, nothing is noted.

    Args:
        message: is told on standard error when a signal is noted, behind its name.

    Attributes:
        signal: the one that came, or None.

    >>> with Interruption() as interruption:
    ...     signal.raise_signal(signal.SIGTERM)
    ...     print(interruption.signal.name)
    SIGTERM
    >>> exit_code()
    143
    """

    def __init__(self, message: str = ""):
        self.message = message
        self.signal: signal.Signals | None = None
        self._before: dict = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(self, *error) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number, frame) -> None:
        global _last
        self.signal = _last = signal.Signals(number)
        for one, handler in self._before.items():
            signal.signal(one, handler)
        if self.message:  # not by print(), which may be at work when the signal comes
            os.write(2, f"\n{self.signal.name}: {self.message}\n".encode())


def exit_code() -> int:
    """What a shell expects of a process that a signal has ended: 130 for Ctrl-C, 143 for SIGTERM.

    >>> exit_code() >= 128
    True
    """
    return 128 + (_last or signal.SIGINT)
