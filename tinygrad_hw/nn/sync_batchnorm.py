"""Batch normalisation over the rows of all processes."""

from __future__ import annotations

import numpy as np

from tinygrad_hw.autograd.function import Function
from tinygrad_hw.distributed.collectives import all_reduce
from tinygrad_hw.distributed.group import ProcessGroup
from tinygrad_hw.distributed.world import chosen, is_initialized
from tinygrad_hw.nn.module import Module
from tinygrad_hw.nn.normalization import BatchNorm1d, BatchNorm2d, _BatchNorm
from tinygrad_hw.tensor import Tensor

__all__ = ["SyncBatchNorm"]


class _Sum(Function):
    """The sum over all ranks; its gradient is the sum of theirs."""

    @staticmethod
    def forward(ctx, values, group):
        ctx.group = group
        total = values.clone()
        all_reduce(total, group=group)
        return total

    @staticmethod
    def backward(ctx, g):
        return _Sum.apply(g, ctx.group), None


class SyncBatchNorm(_BatchNorm):
    """`BatchNorm2d` (or 1d) whose mean and variance are those of the whole batch, over all processes.

    In evaluation, or with one process, it is the ordinary layer.

    Args:
        num_features, eps, momentum, affine, track_running_stats: as in `BatchNorm2d`.
        process_group: whose ranks share the statistics; all by default.

    Raises:
        ValueError: for an input of fewer than 2 dimensions, or a single value a channel in training.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.SyncBatchNorm.html

    >>> SyncBatchNorm.convert_sync_batchnorm(BatchNorm2d(8))
    SyncBatchNorm(8, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)
    """

    def __init__(self, num_features: int, eps: float = 1e-5, momentum: float | None = 0.1,
                 affine: bool = True, track_running_stats: bool = True,
                 process_group: ProcessGroup | None = None, device=None, dtype=None):
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype)
        self.process_group = process_group

    def _check_input_dim(self, input) -> None:
        if input.ndim < 2:
            raise ValueError(f"expected at least 2D input (got {input.ndim}D input)")

    def forward(self, input):
        alone = not is_initialized() or chosen(self.process_group).size() == 1
        if alone or not (self.training or self.running_mean is None):
            return super().forward(input)
        self._check_input_dim(input)
        group = chosen(self.process_group)
        dims = [0, *range(2, input.ndim)]
        shape = (1, -1, *[1] * (input.ndim - 2))
        rows = Tensor._wrap(np.full(1, input.numel() // input.shape[1], input.array_dtype))
        all_reduce(rows, group=group)
        count = rows.item()
        if count == 1:
            raise ValueError("Expected more than 1 value per channel when training, got input size "
                             f"{tuple(input.shape)} on each of {group.size()} ranks")
        mean = _Sum.apply(input.sum(dims), group) / count
        centred = input - mean.reshape(shape)
        variance = _Sum.apply((centred * centred).sum(dims), group) / count
        if self.training and self.track_running_stats:
            self._remember(mean.detach(), variance.detach() * (count / (count - 1)))
        result = centred * (variance + self.eps).rsqrt().reshape(shape)
        if self.weight is not None:
            result = result * self.weight.reshape(shape)
        return result if self.bias is None else result + self.bias.reshape(shape)

    def _remember(self, mean: Tensor, variance: Tensor) -> None:
        """Move the running statistics towards those of the batch."""
        self.num_batches_tracked.array += 1
        factor = self.momentum if self.momentum is not None else 1 / float(self.num_batches_tracked.array)
        for running, new in ((self.running_mean, mean), (self.running_var, variance)):
            running.data.mul_(1 - factor).add_(new * factor)

    @classmethod
    def convert_sync_batchnorm(cls, module: Module, process_group: ProcessGroup | None = None) -> Module:
        """The network with every batch norm replaced by one over all processes; weights are kept.

        Args:
            module: the network, which is changed; a batch norm itself is returned as a new layer.
            process_group: as in the constructor.
        """
        if isinstance(module, (BatchNorm1d, BatchNorm2d)):
            layer = cls(module.num_features, module.eps, module.momentum, module.affine,
                        module.track_running_stats, process_group)
            for name in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
                setattr(layer, name, getattr(module, name))
            return layer.train(module.training)
        for name, child in module.named_children():
            setattr(module, name, cls.convert_sync_batchnorm(child, process_group))
        return module
