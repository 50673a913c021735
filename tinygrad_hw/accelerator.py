"""``torch.accelerator``: whichever accelerator there is.  Here there is none, only the CPU."""

from __future__ import annotations

from tinygrad_hw.absent import absent

__all__ = ["current_accelerator", "device_count", "empty_cache", "is_available"]


def is_available() -> bool:
    """False: the CPU is the only device.

    >>> is_available()
    False
    """
    return False


def device_count() -> int:
    """0: the CPU is no accelerator.

    >>> device_count()
    0
    """
    return 0


def current_accelerator(check_available: bool = False) -> None:
    """None: there is no accelerator.

    >>> current_accelerator() is None
    True
    """


def empty_cache() -> None:
    """Nothing: there is no memory of a device to release.

    >>> empty_cache()
    """


for _name in (
    "current_device_idx",
    "current_device_index",
    "current_stream",
    "device_index",
    "max_memory_allocated",
    "max_memory_reserved",
    "memory_allocated",
    "memory_reserved",
    "memory_stats",
    "set_device_idx",
    "set_device_index",
    "set_stream",
    "synchronize",
):
    globals()[_name] = absent("accelerator", _name)
