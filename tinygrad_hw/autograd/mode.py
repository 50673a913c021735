"""Whether ops are recorded: ``no_grad``, ``enable_grad``, ``inference_mode``; and the anomaly mode.

The modes belong to the running thread, as in PyTorch.
"""

from __future__ import annotations

import functools
import inspect
import threading

__all__ = ["detect_anomaly", "enable_grad", "inference_mode", "is_anomaly_enabled", "is_grad_enabled",
           "is_inference_mode_enabled", "mode", "no_grad", "set_detect_anomaly", "set_grad_enabled"]


class _Mode(threading.local):
    recording = True
    inference = False
    callbacks: list | None = None  # to be called when the running backward pass has ended


class _Anomaly:
    enabled = False
    check_nan = True


mode = _mode = _Mode()  # the second name where an argument is called mode, as in PyTorch
anomaly = _Anomaly()


def is_grad_enabled() -> bool:
    """Whether ops are recorded at present.

    >>> is_grad_enabled()
    True
    """
    return mode.recording


def is_inference_mode_enabled() -> bool:
    """Whether the code runs under `inference_mode`.

    >>> is_inference_mode_enabled()
    False
    """
    return mode.inference


class _Switch:
    """A setting of the mode, as a context manager and as a decorator of functions and generators."""

    recording: bool
    _before: tuple = ()

    def __enter__(self):
        self._before = (*self._before, (mode.recording, mode.inference))
        mode.recording = self.recording
        return self

    def __exit__(self, *error):
        *self._before, (mode.recording, mode.inference) = self._before

    def _again(self):
        """A fresh switch, so that decorated functions may nest and recurse."""
        return type(self)()

    def __call__(self, function):
        if inspect.isclass(function):
            raise TypeError(f"{type(self).__name__} decorates functions and methods, not the class "
                            f"{function.__name__}; decorate its methods")
        decorate = _decorated_generator if inspect.isgeneratorfunction(function) else _decorated
        return decorate(function, self._again)


def _decorated(function, switch):
    @functools.wraps(function)
    def wrapped(*args, **kwargs):
        with switch():
            return function(*args, **kwargs)

    return wrapped


def _decorated_generator(function, switch):
    """A generator whose own code runs under the switch, and whose caller's code does not."""

    @functools.wraps(function)
    def generator(*args, **kwargs):
        iterator = function(*args, **kwargs)
        advance, sent = iterator.send, None
        try:
            while True:
                try:
                    with switch():
                        value = advance(sent)
                except StopIteration as stop:
                    return stop.value
                try:
                    advance, sent = iterator.send, (yield value)
                except GeneratorExit:
                    raise
                except BaseException as error:
                    advance, sent = iterator.throw, error
        finally:
            with switch():
                iterator.close()

    return generator


class no_grad(_Switch):
    """Context manager or decorator under which nothing is recorded.

    >>> with no_grad():
    ...     is_grad_enabled()
    False
    """

    recording = False

    def __new__(cls, function=None):
        switch = super().__new__(cls)
        return switch if function is None else switch(function)


class enable_grad(no_grad):
    """Context manager or decorator that records again inside `no_grad`.

    >>> with no_grad(), enable_grad():
    ...     is_grad_enabled()
    True
    """

    recording = True


class set_grad_enabled(_Switch):
    """Record or not, by a flag; acts at once and, used as a context manager, until its end.

    >>> with set_grad_enabled(False):
    ...     is_grad_enabled()
    False
    """

    def __init__(self, mode: bool):
        self.recording = bool(mode)
        self._first = (_mode.recording, _mode.inference)
        _mode.recording = self.recording

    def __enter__(self):
        super().__enter__()
        if len(self._before) == 1:
            self._before = (self._first,)
        return self

    def _again(self):
        return set_grad_enabled(self.recording)

    def __call__(self, function):
        _mode.recording = self._first[0]
        return super().__call__(function)


class inference_mode(_Switch):
    """Like `no_grad` (PyTorch's stricter bookkeeping of inference tensors brings nothing here).

    >>> with inference_mode():
    ...     is_inference_mode_enabled(), is_grad_enabled()
    (True, False)
    """

    def __new__(cls, mode=True):
        switch = super().__new__(cls)
        if callable(mode):
            switch.recording = False
            return switch(mode)
        return switch

    def __init__(self, mode: bool = True):
        self._mode = bool(mode)
        self.recording = not self._mode

    def __enter__(self):
        super().__enter__()
        mode.inference = self._mode
        return self

    def _again(self):
        return inference_mode(getattr(self, "_mode", True))


def is_anomaly_enabled() -> bool:
    """Whether `set_detect_anomaly` is on.

    >>> is_anomaly_enabled()
    False
    """
    return anomaly.enabled


class set_detect_anomaly:
    """Stop the backward pass at the first NaN.

    The error names the op whose gradient turned NaN and the line that called it.  Slow, and nothing is
    fused: for debugging.

    Args:
        mode: on or off.
        check_nan: whether a NaN gradient raises.

    >>> with set_detect_anomaly(True):
    ...     is_anomaly_enabled()
    True
    """

    def __init__(self, mode: bool, check_nan: bool = True):
        self._before = (anomaly.enabled, anomaly.check_nan)
        anomaly.enabled, anomaly.check_nan = bool(mode), bool(check_nan)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        anomaly.enabled, anomaly.check_nan = self._before


class detect_anomaly(set_detect_anomaly):
    """`set_detect_anomaly` for a block: ``with detect_anomaly(): ...``.

    >>> with detect_anomaly():
    ...     is_anomaly_enabled()
    True
    """

    def __init__(self, check_nan: bool = True):
        super().__init__(True, check_nan)
