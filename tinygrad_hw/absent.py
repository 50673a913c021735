"""What ``torch.cuda``, ``mps``, ``xpu`` and ``backends`` have in common here: they are not there, and say so.

Questions get honest answers (no, none, 0), what only keeps a script tidy does nothing (seeds,
``empty_cache``), and whatever needs the device raises the error of ``device('cuda')``.
"""

from __future__ import annotations

from tinygrad_hw.device import device as _device
from tinygrad_hw.device import unavailable

__all__ = ["absent", "absent_tensor", "answers", "device", "no"]


def no(name: str):
    """A function of this name that answers False.

    >>> no("is_built")()
    False
    """

    def function() -> bool:
        """False."""
        return False

    function.__name__ = function.__qualname__ = name
    return function


def absent(kind: str, name: str):
    """A function that refuses: it needs a device of this kind.

    >>> absent("cuda", "synchronize")()
    Traceback (most recent call last):
    ...
    RuntimeError: torch.cuda.synchronize: device 'cuda' is not available: tinygrad_hw computes on the CPU; \
use device('cpu')
    """

    def function(*args, **kwargs):
        raise RuntimeError(f"torch.{kind}.{name}: {unavailable(kind)}")

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"Refused: there is no {kind} device; RuntimeError."
    function.refuses = True  # for docs/compat.md and the scan of scripts
    return function


def answers(kind: str) -> dict:
    """The functions that every such namespace offers, by name.

    >>> answers("cuda")["is_available"](), answers("cuda")["device_count"]()
    (False, 0)
    """

    def device_count() -> int:
        """0: the CPU is the only device."""
        return 0

    def manual_seed(seed: int) -> None:
        """Nothing: `tinygrad_hw.manual_seed` seeds the one generator."""

    def manual_seed_all(seed: int) -> None:
        """Nothing: `tinygrad_hw.manual_seed` seeds the one generator."""

    def seed() -> None:
        """Nothing: `tinygrad_hw.seed` seeds the one generator."""

    def seed_all() -> None:
        """Nothing: `tinygrad_hw.seed` seeds the one generator."""

    def empty_cache() -> None:
        """Nothing: there is no memory of a device to release."""

    functions = (
        no("is_available"),
        no("is_initialized"),
        device_count,
        manual_seed,
        manual_seed_all,
        seed,
        seed_all,
        empty_cache,
    )
    for function in functions:
        function.__module__ = f"tinygrad_hw.{kind}"
    return {function.__name__: function for function in functions}


class _Absent(type):
    """Of classes that have no instances and cannot be called."""

    refuses = True

    def __call__(cls, *args, **kwargs):
        raise RuntimeError(f"torch.{cls.kind}.{cls.__name__}: {unavailable(cls.kind)}")

    def __instancecheck__(cls, value) -> bool:
        return False


def absent_tensor(kind: str, name: str) -> type:
    """Stands for ``torch.cuda.FloatTensor`` and its like: may be named and asked for, not made.

    >>> isinstance(3, absent_tensor("cuda", "FloatTensor"))
    False
    >>> absent_tensor("cuda", "FloatTensor")(2)
    Traceback (most recent call last):
    ...
    RuntimeError: torch.cuda.FloatTensor: device 'cuda' is not available: tinygrad_hw computes on the CPU; \
use device('cpu')
    """
    return _Absent(
        name,
        (),
        {
            "kind": kind,
            "__module__": f"tinygrad_hw.{kind}",
            "__doc__": f"Not available: there is no {kind} device.",
        },
    )


class device:
    """``with torch.cuda.device(None):`` does nothing; any other device is refused."""

    def __init__(self, device=None):
        if device is not None:
            _device(device)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return False
