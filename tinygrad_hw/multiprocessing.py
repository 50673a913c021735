"""``torch.multiprocessing``: Python's own ``multiprocessing``, and `spawn`.

Tensors travel by value; a worker that is to write to a shared one needs ``multiprocessing.shared_memory``.
"""

from __future__ import annotations

import multiprocessing
from multiprocessing import *  # noqa: F403

__all__ = [*multiprocessing.__all__, "spawn"]


def spawn(
    fn, args=(), nprocs: int = 1, join: bool = True, daemon: bool = False, start_method: str = "spawn"
):
    """Start ``fn(rank, *args)`` in ``nprocs`` processes.

    Args:
        join: wait for them and raise RuntimeError if one failed.

    Returns:
        None if joined, else the list of processes.

    >>> spawn(print, nprocs=0)
    """
    context = multiprocessing.get_context(start_method)
    processes = [context.Process(target=fn, args=(rank, *args), daemon=daemon) for rank in range(nprocs)]
    for process in processes:
        process.start()
    if not join:
        return processes
    for process in processes:
        process.join()
    failed = [rank for rank, process in enumerate(processes) if process.exitcode]
    if failed:
        codes = ", ".join(f"process {rank} with exit code {processes[rank].exitcode}" for rank in failed)
        raise RuntimeError(f"spawn: {codes} failed; its traceback is above")
    return None
