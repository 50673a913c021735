"""The processes that train one network together; a team of one is the usual case.

`nets.train.fit` asks its team at five places, so that the loop is the same for one process and for many.
Every member draws the same batches and takes its share of each one's rows; gradients are averaged in the
backward pass (`tinygrad_hw.distributed.reducer`), batch norm is that of the whole batch, and rank 0 alone
judges the network and owns the run's folder.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from signal import Signals

import numpy as np

__all__ = ["Ranks", "Team", "end_all"]


class Team:
    """One process.

    Attributes:
        rank: number of this process.
        size: how many there are.

    >>> team = Team()
    >>> team.share([[1, 2, 3]]), team.agree(0.5, None), team.from_first(lambda: "seen")
    (([[1, 2, 3]], 1.0), (0.5, None), 'seen')
    """

    rank, size = 0, 1

    def join(self, net) -> None:
        """Begin to train ``net`` together."""

    def share(self, batch) -> tuple:
        """This process' rows of a batch, and the weight of their mean loss.

        The average of the weighted losses over all processes is the mean over the batch's rows.
        """
        return batch, 1.0

    def agree(self, loss: float, signal) -> tuple:
        """The loss of the whole batch, and the signal if any process has received one."""
        return loss, signal

    def from_first(self, make: Callable):
        """What ``make()`` returns in rank 0."""
        return make()

    def leave(self) -> None:
        """Wait until all have come to the end of the training."""


class Ranks(Team):
    """The processes that ``mpirun`` or ``srun`` started.

    Raises:
        ModuleNotFoundError: if mpi4py is not installed.
    """

    def __init__(self):
        from tinygrad_hw import distributed

        if not distributed.is_initialized():
            distributed.init_process_group()
        self._group = distributed.group.WORLD
        self.rank, self.size = self._group.rank(), self._group.size()
        self._joined: list = []

    def join(self, net) -> None:
        """Start from rank 0's weights, and average the gradients from now on."""
        from tinygrad_hw import nn

        nn.SyncBatchNorm.convert_sync_batchnorm(net)
        self._joined.append(nn.parallel.DistributedDataParallel(net))  # the wrapper's hooks are all we need

    def share(self, batch) -> tuple:
        """Every ``size``-th row from the ``rank``-th on; see `Team.share`."""
        rows = len(batch[0])
        if rows < self.size:  # too few to divide: all take all of them, which gives the same means
            return batch, 1.0
        mine = len(range(self.rank, rows, self.size))
        return [one[self.rank::self.size] for one in batch], mine * self.size / rows

    def agree(self, loss: float, signal) -> tuple:
        """See `Team.agree`; ``loss`` is already weighted."""
        seen = np.empty((self.size, 2))
        self._group.start("Iallgather", np.array([loss, signal or 0.0]), seen).wait()
        first = next((int(number) for number in seen[:, 1] if number), None)
        return float(seen[:, 0].sum()) / self.size, first and Signals(first)

    def from_first(self, make: Callable):
        """What ``make()`` returns in rank 0, in all of them."""
        return self._group.broadcast_object(make() if self.rank == 0 else None)

    def leave(self) -> None:
        """Wait until all have come here: MPI ends everybody when one process ends early with an error."""
        from tinygrad_hw import distributed

        distributed.destroy_process_group()


def end_all(code: int) -> None:
    """End all processes with this exit code, if there are several: the others would wait for this one."""
    from tinygrad_hw.distributed import world

    if world.is_initialized() and world.get_world_size() > 1:
        sys.stdout.flush()
        sys.stderr.flush()
        world.mpi().COMM_WORLD.Abort(code)
