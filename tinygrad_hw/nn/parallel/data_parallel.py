"""`DataParallel`, which older programs wrap their networks in."""

from __future__ import annotations

from tinygrad_hw.nn.module import Module

__all__ = ["DataParallel"]


class DataParallel(Module):
    """The network itself: there are no GPUs to divide a batch among, as in PyTorch without GPUs.

    Args:
        module: the network; its keys in the state dict begin with ``module.``.
        device_ids, output_device, dim: accepted and not used.

    >>> import tinygrad_hw
    >>> net = DataParallel(tinygrad_hw.nn.Linear(2, 1))
    >>> list(net.state_dict())
    ['module.weight', 'module.bias']
    >>> net(tinygrad_hw.ones(3, 2)).numel()
    3
    """

    def __init__(self, module: Module, device_ids=None, output_device=None, dim: int = 0):
        super().__init__()
        self.module = module

    def forward(self, *inputs, **kwargs):
        return self.module(*inputs, **kwargs)
