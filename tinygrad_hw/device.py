"""The one device, the CPU, under PyTorch's names."""

from __future__ import annotations

__all__ = ["check_device", "cpu", "device"]


class device:
    """Where a Tensor lives.  Only the CPU exists here; anything else is refused with a way out.

    >>> device("cpu")
    device(type='cpu')
    >>> device("cuda")
    Traceback (most recent call last):
    ...
    RuntimeError: device 'cuda' is not available: tinygrad_hw computes on the CPU; use device('cpu')
    """

    index = None

    def __init__(self, type="cpu", index: int | None = None):
        name = type.type if isinstance(type, device) else str(type)
        if name.split(":")[0] != "cpu":
            raise RuntimeError(f"device {name!r} is not available: tinygrad_hw computes on the CPU; use "
                               "device('cpu')")
        self.type = "cpu"

    def __repr__(self) -> str:
        return "device(type='cpu')"

    def __str__(self) -> str:
        return "cpu"

    def __eq__(self, other) -> bool:
        return isinstance(other, device)

    def __hash__(self) -> int:
        return hash("cpu")


cpu = device("cpu")


def check_device(where) -> None:
    """Refuse any device but the CPU; None means the CPU.

    >>> check_device("cpu")
    """
    if where is not None:
        device(where)
