"""`DistributedDataParallel`: every process trains the same network on its part of the data."""

from __future__ import annotations

import contextlib

import numpy as np

from tinygrad_hw.autograd.mode import mode
from tinygrad_hw.distributed.group import ProcessGroup
from tinygrad_hw.distributed.reducer import Reducer
from tinygrad_hw.distributed.world import chosen
from tinygrad_hw.nn.module import Module
from tinygrad_hw.waiting import compute_waiting

__all__ = ["DistributedDataParallel"]

_MEGABYTE = 2**20


class DistributedDataParallel(Module):
    """A network whose gradients are averaged over all processes in each backward pass.

    Parameters and buffers are those of rank 0 at first.  Gradients travel in buckets, and a bucket's sum is
    under way while the backward pass goes on.  As every rank's loss is the mean over its rows, ranks with
    equally many rows get the gradient of the mean over all of them: the same steps as one process with the
    combined batch.

    Better than PyTorch on purpose: parameters without a gradient need no ``find_unused_parameters``, and
    buffers are sent in training only, so that rank 0 may evaluate the network alone.

    Args:
        module: the network; its keys in the state dict begin with ``module.``.
        device_ids, output_device: must be left out: there are only CPUs.
        dim: not used.
        broadcast_buffers: send rank 0's buffers, such as running statistics, to all before each forward pass
            of the training.
        init_sync: check that all ranks have the same parameters, and start from rank 0's.
        process_group: whose ranks take part; all by default.
        bucket_cap_mb: megabytes of a bucket; 25, and 1 for the first.
        find_unused_parameters, check_reduction, gradient_as_bucket_view, static_graph: accepted and not
            needed.

    Raises:
        ValueError: if there is no process group, or ``device_ids`` are given.
        RuntimeError: if no parameter requires a gradient, or the ranks have different parameters.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.parallel.DistributedDataParallel.html
    """

    def __init__(self, module: Module, device_ids=None, output_device=None, dim: int = 0,
                 broadcast_buffers: bool = True, init_sync: bool = True,
                 process_group: ProcessGroup | None = None, bucket_cap_mb: float | None = None,
                 find_unused_parameters: bool = False, check_reduction: bool = False,
                 gradient_as_bucket_view: bool = False, static_graph: bool = False):
        super().__init__()
        if device_ids or output_device not in (None, "cpu"):
            raise ValueError(f"device_ids={device_ids}, output_device={output_device}: there are only CPUs "
                             "here, leave them out")
        trained = [one for one in module.parameters() if one.requires_grad]
        if not trained:
            raise RuntimeError("DistributedDataParallel is not needed when a module doesn't have any "
                               "parameters that require a gradient.")
        self.module = module
        self.broadcast_buffers = broadcast_buffers
        self.process_group = chosen(process_group)
        if init_sync:
            _check_equal(module, self.process_group)
            _send([*module.parameters(), *module.buffers()], self.process_group)
        capacity = 25 if bucket_cap_mb is None else bucket_cap_mb
        if not capacity > 0:
            raise ValueError(f"bucket_cap_mb must be positive, not {bucket_cap_mb}")
        vars(self)["_reducer"] = Reducer(trained, self.process_group, int(capacity * _MEGABYTE),
                                         int(min(capacity, 1) * _MEGABYTE))

    def forward(self, *inputs, **kwargs):
        if self.broadcast_buffers and self.training and mode.recording and self._reducer.enabled:
            _send(list(self.module.buffers()), self.process_group)
        return self.module(*inputs, **kwargs)

    @contextlib.contextmanager
    def no_sync(self):
        """Let each rank add up its own gradients; the next pass outside averages what has come together."""
        with self._reducer.paused():
            yield


def _send(tensors: list, group: ProcessGroup) -> None:
    """Give all ranks the values of rank 0, one message for each dtype."""
    compute_waiting(*tensors)
    for dtype in dict.fromkeys(tensor.array_dtype for tensor in tensors):
        same = [tensor for tensor in tensors if tensor.array_dtype == dtype]
        memory = np.concatenate([tensor.array.reshape(-1) for tensor in same])
        group.start("Ibcast", memory, root=0).wait()
        if group.rank() == 0:
            continue
        start = 0
        for tensor in same:
            tensor.array[...] = memory[start:start + tensor.numel()].reshape(tensor.shape)
            tensor._bump("the values of rank 0 were received")
            start += tensor.numel()


def _check_equal(module: Module, group: ProcessGroup) -> None:
    """Refuse networks that differ between ranks, and name the first difference."""
    mine = [(name, tuple(one.shape), str(one.dtype), one.requires_grad)
            for name, one in [*module.named_parameters(), *module.named_buffers()]]
    for rank, theirs in enumerate(group.gather_objects(mine)):
        if theirs == mine:
            continue
        here, there = next(((a, b) for a, b in zip(mine, theirs) if a != b), (None, None))
        what = (f"{len(mine)} parameters and buffers here, {len(theirs)} there" if here is None else
                f"{here[0]} of shape {here[1]}, {here[2]} here, "
                f"{there[0]} of shape {there[1]}, {there[2]} there")
        raise RuntimeError(f"the networks of rank {group.rank()} and rank {rank} differ: {what}; all ranks "
                           "must build the same network")
