"""``torch.backends.cudnn``: cuDNN is not there.  Results are repeatable without any switch."""

from __future__ import annotations

import contextlib

__all__ = ["allow_tf32", "benchmark", "deterministic", "enabled", "flags", "is_acceptable", "is_available",
           "set_flags", "version"]

enabled = benchmark = deterministic = allow_tf32 = False
benchmark_limit = 10


def is_available() -> bool:
    """False.

    >>> is_available()
    False
    """
    return False


def is_acceptable(tensor) -> bool:
    """False: no Tensor is computed by cuDNN.

    >>> is_acceptable(None)
    False
    """
    return False


def version() -> None:
    """None: there is no cuDNN.

    >>> version() is None
    True
    """


@contextlib.contextmanager
def flags(enabled=False, benchmark=False, benchmark_limit=10, deterministic=False, allow_tf32=True,
          fp32_precision="none"):
    """A context that changes nothing.

    >>> with flags(benchmark=True):
    ...     pass
    """
    yield


def set_flags(_enabled=None, _benchmark=None, _benchmark_limit=None, _deterministic=None, _allow_tf32=None,
              _fp32_precision="none") -> None:
    """Nothing: the flags belong to a library that is not there.

    >>> set_flags(True)
    """
