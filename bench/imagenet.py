"""ResNet-18 and SqueezeNet 1.1 of `nets.pretrained` for both libraries: PyTorch runs the same lines.

The source of a network names its library where it imports it, and only there. `under` changes the import.
"""

from __future__ import annotations

from pathlib import Path

import nets

__all__ = ["resnet18", "squeezenet", "under"]


def under(library, name: str, folder: str = "pretrained") -> dict:
    """What ``nets/<folder>/<name>.py`` defines when it imports ``library`` in place of tinygrad_hw.

    tinygrad_hw itself is not imported, so that a process that measures PyTorch stays PyTorch's.

    >>> import tinygrad_hw
    >>> under(tinygrad_hw, "squeezenet")["Fire"](4, 1, 2, 2).squeeze
    Conv2d(4, 1, kernel_size=(1, 1), stride=(1, 1))
    """
    path = Path(nets.__file__).parent / folder / f"{name}.py"
    source = path.read_text(encoding="utf-8").replace("tinygrad_hw", library.__name__)
    names = {"__name__": f"{name}_under_{library.__name__}"}
    exec(compile(source, str(path), "exec"), names)
    return names


def resnet18(torch, classes=1000):
    """ResNet-18: a stem, four stages of two residual blocks each, one linear layer."""
    return under(torch, "resnet")["resnet18"](num_classes=classes)


def squeezenet(torch, classes=1000):
    """SqueezeNet 1.1: eight fire modules that squeeze with 1x1 and expand with 1x1 and 3x3 convolutions."""
    return under(torch, "squeezenet")["squeezenet1_1"](num_classes=classes)
