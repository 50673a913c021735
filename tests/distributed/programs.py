"""Programs of several ranks that come to a bad end; see `test_distributed`.

Started by ``mpirun -n N python -m tests.distributed.programs NAME ...``.
"""

from __future__ import annotations

import os
import signal
import sys

import tinygrad_hw as torch
from tinygrad_hw import distributed as dist


def error_in_one_rank() -> None:
    """Rank 1 fails; the others wait for it."""
    if dist.get_rank() == 1:
        raise ValueError("a fault of rank 1 alone")
    dist.barrier()


def killed_rank(path: str) -> None:
    """Rank 1 is killed in the middle of the training; rank 0 has saved the weights by then."""
    torch.manual_seed(0)
    net = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(3, 1))
    for step in range(10**6):
        net(torch.ones(2, 3)).sum().backward()
        if dist.get_rank() == 0 and step == 3:
            torch.save(net.module.state_dict(), path)
        if dist.get_rank() == 1 and step == 5:
            os.kill(os.getpid(), signal.SIGKILL)


def shares_of_the_cores() -> None:
    """Print the threads of each rank."""
    print(f"threads {torch.get_num_threads()}")


if __name__ == "__main__":
    dist.init_process_group()
    globals()[sys.argv[1]](*sys.argv[2:])
