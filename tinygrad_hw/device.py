"""The one device, the CPU, under PyTorch's names."""

from __future__ import annotations

__all__ = ["check_device", "cpu", "device", "unavailable"]


def unavailable(name: str) -> str:
    """The text of the error for a device that is not the CPU.

    >>> unavailable("mps")
    "device 'mps' is not available: tinygrad_hw computes on the CPU; use device('cpu')"
    """
    return f"device {name!r} is not available: tinygrad_hw computes on the CPU; use device('cpu')"


class device:
    """Where a Tensor lives.  Only the CPU exists here; anything else is refused with a way out.

    ``with device("cpu"):`` is accepted and changes nothing.

    >>> device("cpu")
    device(type='cpu')
    >>> device("cuda")
    Traceback (most recent call last):
    ...
    RuntimeError: device 'cuda' is not available: tinygrad_hw computes on the CPU; use device('cpu')
    """

    def __init__(self, type="cpu", index: int | None = None):
        name = str(type)
        kind, _, number = name.partition(":")
        if kind != "cpu":
            raise RuntimeError(unavailable(f"cuda:{type}" if isinstance(type, int) else name))
        if number and not number.isdecimal():
            raise RuntimeError(f"Invalid device string: {name!r}; write 'cpu'")
        self.type, self.index = "cpu", int(number) if number else index

    def __repr__(self) -> str:
        return "device(type='cpu')" if self.index is None else f"device(type='cpu', index={self.index})"

    def __str__(self) -> str:
        return "cpu" if self.index is None else f"cpu:{self.index}"

    def __enter__(self) -> device:
        return self

    def __exit__(self, *error) -> bool:
        return False

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
