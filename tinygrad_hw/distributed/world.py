"""How the processes of a program find each other, and how all of them end when one fails."""

from __future__ import annotations

import os
import signal
import sys
import threading
from types import SimpleNamespace

from tinygrad_hw.distributed.group import ProcessGroup

__all__ = ["chosen", "destroy_process_group", "get_backend", "get_rank", "get_world_size", "group",
           "init_process_group", "is_available", "is_initialized", "is_mpi_available", "is_nccl_available",
           "is_torchelastic_launched", "mpi", "new_group"]

_HOW_TO_INSTALL = ('pip install "tinygrad_hw[distributed]"; on a cluster: load its MPI, then '
                   "pip install mpi4py")
group = _groups = SimpleNamespace(WORLD=None)  # as in PyTorch, group.WORLD is the group of all processes


def mpi():
    """The module ``mpi4py.MPI``.

    Raises:
        ModuleNotFoundError: if mpi4py is not installed.
        RuntimeError: if it finds no MPI library.
    """
    try:
        from mpi4py import MPI
    except ModuleNotFoundError as error:
        if error.name != "mpi4py":
            raise
        raise ModuleNotFoundError(f"training on several processes needs mpi4py: {_HOW_TO_INSTALL}",
                                  name="mpi4py") from None
    except (ImportError, RuntimeError) as error:
        raise RuntimeError(f"mpi4py is installed but finds no MPI library ({error}): "
                           f"{_HOW_TO_INSTALL}") from None
    return MPI


def is_available() -> bool:
    """Whether mpi4py and an MPI library are installed."""
    try:
        mpi()
    except (ImportError, RuntimeError):
        return False
    return True


is_mpi_available = is_available


def is_nccl_available() -> bool:
    """False: there are no GPUs here.

    >>> is_nccl_available()
    False
    """
    return False


def is_torchelastic_launched() -> bool:
    """False: ``mpirun`` or ``srun`` starts the processes.

    >>> is_torchelastic_launched()
    False
    """
    return False


def init_process_group(backend: str | None = None, init_method: str | None = None, timeout=None,
                       world_size: int = -1, rank: int = -1, store=None, group_name: str = "",
                       pg_options=None, device_id=None) -> None:
    """Join the processes that ``mpirun`` or ``srun`` started; to be called once by each of them.

    Each rank then uses its share of the machine's cores (see `set_num_threads`), unless the environment sets
    ``TINYGRAD_HW_NUM_THREADS``.  From now on an error that nobody catches in one rank ends all of them: the
    others would wait for it for ever.

    Args:
        backend: "mpi"; "gloo", PyTorch's for CPUs, is taken as another word for it.
        init_method, store, group_name, pg_options, device_id: accepted and not needed: MPI knows who belongs
            together.
        timeout: seconds or ``timedelta`` that a rank waits for others before it gives up; 30 minutes.
        world_size, rank: checked against what MPI says, if given.

    Raises:
        ModuleNotFoundError: if mpi4py is not installed.
        ValueError: if called twice, or with another ``world_size`` or ``rank`` than MPI's.
        RuntimeError: for another backend, or if the environment speaks of several processes (as ``torchrun``
            sets it) but MPI knows of this one only.
    """
    if is_initialized():
        raise ValueError("trying to initialize the default process group twice!")
    if backend not in (None, "mpi", "gloo", "cpu:gloo", "cpu:mpi"):
        raise RuntimeError(f"the backend is 'mpi', not {backend!r}: this engine computes on CPUs; start the "
                           "program with mpirun -n N python program.py")
    MPI = mpi()
    world = ProcessGroup(MPI.COMM_WORLD.Dup(), 1800.0 if timeout is None else timeout)
    for name, given, found in (("world_size", world_size, world.size()), ("rank", rank, world.rank())):
        if given not in (-1, None, found):
            raise ValueError(f"{name}={given}, but MPI says {found}; leave it out, mpirun -n N sets it")
    announced = os.environ.get("WORLD_SIZE", "1")
    if world.size() == 1 and announced.isdigit() and int(announced) > 1:
        raise RuntimeError(f"WORLD_SIZE={announced} is set, but MPI knows of one process: start the program "
                           f"with mpirun -n {announced} python program.py in place of torchrun")
    _groups.WORLD = world
    _share_cores(MPI, world)
    if world.size() > 1:
        _end_all_on_error(MPI, world)
        _tell_of_the_end(world)


def is_initialized() -> bool:
    """Whether `init_process_group` was called.

    >>> is_initialized()
    False
    """
    return _groups.WORLD is not None


def destroy_process_group(group: ProcessGroup | None = None) -> None:
    """Leave a group, by default that of all processes; all its members have to call it."""
    which = chosen(group)
    which.start("Ibarrier").wait()
    which.communicator.Free()
    if which is _groups.WORLD:
        _groups.WORLD = None
        sys.excepthook = getattr(sys.excepthook, "before", sys.excepthook)


def chosen(which: ProcessGroup | None) -> ProcessGroup:
    """A group, or that of all processes for None.

    Raises:
        ValueError: if there is none yet, or this process does not belong to it.
    """
    if which is None:
        which = _groups.WORLD
        if which is None:
            raise ValueError("Default process group has not been initialized, please make sure to call "
                             "init_process_group.")
    if which.communicator is None:
        raise ValueError("this process is not a member of the group; call the function in members only")
    return which


def get_rank(group: ProcessGroup | None = None) -> int:
    """This process' number, from 0."""
    return chosen(group).rank()


def get_world_size(group: ProcessGroup | None = None) -> int:
    """How many processes there are."""
    return chosen(group).size()


def get_backend(group: ProcessGroup | None = None) -> str:
    """``"mpi"``."""
    chosen(group)
    return "mpi"


def new_group(ranks=None, timeout=None, backend: str | None = None) -> ProcessGroup:
    """A group of some of the processes; all processes have to call it, also those that do not belong.

    Args:
        ranks: its members, by default all.
        timeout: as in `init_process_group`.
        backend: "mpi".
    """
    world = chosen(None)
    ranks = list(range(world.size())) if ranks is None else sorted(ranks)
    if ranks and not 0 <= ranks[0] <= ranks[-1] < world.size():
        raise ValueError(f"the ranks are 0 to {world.size() - 1}, not {ranks}")
    mine = world.rank() in ranks
    communicator = world.communicator.Split(0 if mine else mpi().UNDEFINED, world.rank())
    return ProcessGroup(communicator if mine else None, timeout or world.timeout, ranks)


# ------------------------------------------------------------------ cores


def _share_cores(MPI, world: ProcessGroup) -> None:
    """Let the ranks of one machine divide its cores, unless the user has said how many threads to use."""
    if world.size() == 1 or os.environ.get("TINYGRAD_HW_NUM_THREADS"):
        return
    from tinygrad_hw.threads import set_num_threads

    neighbours = world.communicator.Split_type(MPI.COMM_TYPE_SHARED)
    mine = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
    sets = neighbours.allgather(mine)
    set_num_threads(min(len(mine), max(1, len(set().union(*sets)) // len(sets))))
    neighbours.Free()


# ------------------------------------------------------------------ the end


def _end_all_on_error(MPI, world: ProcessGroup) -> None:
    """After an error that nobody caught, end all ranks in place of leaving them waiting."""
    before = sys.excepthook

    def hook(kind, error, trace):
        before(kind, error, trace)
        if _groups.WORLD is None:
            return
        sys.stderr.write(f"rank {world.rank()} of {world.size()} failed ({kind.__name__}); all ranks are "
                         "ended, what was saved so far stays\n")
        sys.stderr.flush()
        sys.stdout.flush()
        MPI.COMM_WORLD.Abort(130 if issubclass(kind, KeyboardInterrupt) else 1)

    hook.before = before
    sys.excepthook = hook


def _tell_of_the_end(world: ProcessGroup) -> None:
    """When a rank dies, ``mpirun`` ends the others with SIGTERM, often without a word: let two of them tell.
    """
    if (world.rank() > 1 or threading.current_thread() is not threading.main_thread()
            or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL):
        return

    def tell(number, frame):
        text = (f"rank {world.rank()} of {world.size()} is told to end (SIGTERM), perhaps because another "
                "rank has died; what was saved so far stays\n")
        os.write(2, text.encode())
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    signal.signal(signal.SIGTERM, tell)
