"""From files to batches, with torchvision's names: `datasets`, `transforms`, `io` and `utils`."""

from tinygrad_hw.vision import datasets, io, transforms, utils

__all__ = ["datasets", "io", "transforms", "utils"]


def __getattr__(name: str):
    from tinygrad_hw.compat.suggest import reason

    why = reason(f"torchvision.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}{': ' + why if why else ''}")
