"""Training on several processes and machines over MPI, with the names of ``torch.distributed``.

Every process ("rank") runs the same program on its part of the data; gradients are averaged after each
backward pass, so that all ranks make the same step.  ``pip install "tinygrad_hw[distributed]"`` brings
mpi4py, and ``mpirun -n 4 python program.py`` (or Slurm's ``srun``) starts four ranks.

From simple to complex: `group` (the processes and how they wait for each other), `world` (how they start and
end), `collectives` (all_reduce and the like), `reducer` (gradients averaged while the backward pass still
runs).  `tinygrad_hw.nn.parallel.DistributedDataParallel` is what most programs use of it.

Source: https://docs.pytorch.org/docs/stable/distributed.html
"""

from tinygrad_hw.distributed.collectives import (
    all_gather,
    all_gather_into_tensor,
    all_gather_object,
    all_reduce,
    barrier,
    broadcast,
    broadcast_object_list,
    gather,
    recv,
    reduce,
    scatter,
    send,
)
from tinygrad_hw.distributed.group import ProcessGroup, ReduceOp, Work
from tinygrad_hw.distributed.world import (
    destroy_process_group,
    get_backend,
    get_rank,
    get_world_size,
    group,
    init_process_group,
    is_available,
    is_initialized,
    is_mpi_available,
    is_nccl_available,
    is_torchelastic_launched,
    new_group,
)

__all__ = [
    "ProcessGroup",
    "ReduceOp",
    "Work",
    "all_gather",
    "all_gather_into_tensor",
    "all_gather_object",
    "all_reduce",
    "barrier",
    "broadcast",
    "broadcast_object_list",
    "destroy_process_group",
    "gather",
    "get_backend",
    "get_rank",
    "get_world_size",
    "group",
    "init_process_group",
    "is_available",
    "is_initialized",
    "is_mpi_available",
    "is_nccl_available",
    "is_torchelastic_launched",
    "new_group",
    "recv",
    "reduce",
    "scatter",
    "send",
]
