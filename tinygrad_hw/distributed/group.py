"""A group of processes: their communicator, and waiting for each other without hanging for ever."""

from __future__ import annotations

import enum
import os
import pickle
import time
from collections.abc import Callable

import numpy as np

__all__ = ["ProcessGroup", "ReduceOp", "Work"]

_SPINS = 200  # polls before the first nap: messages within one machine take 1 to 20 microseconds
_LONGEST_NAP = 5e-4


class ReduceOp(enum.Enum):
    """How the ranks' values are brought together.

    >>> ReduceOp.SUM.name
    'SUM'
    """

    SUM = "SUM"
    AVG = "AVG"
    PRODUCT = "PROD"
    MIN = "MIN"
    MAX = "MAX"
    BAND = "BAND"
    BOR = "BOR"
    BXOR = "BXOR"


class Work:
    """An operation under way; `wait` ends it.

    Args:
        group: whose ranks take part.
        request: MPI's request.
        what: its name, for the error if it never ends.
        then: called once when the data have arrived.
    """

    def __init__(self, group: ProcessGroup, request, what: str, then: Callable[[], None] | None = None):
        self._group, self._request, self._what, self._then = group, request, what, then

    def is_completed(self) -> bool:
        """Whether it has ended; asking lets MPI go on with it."""
        if self._request is not None and self._request.Test():
            self._request = None
            if self._then is not None:
                self._then()
        return self._request is None

    def wait(self, timeout=None) -> bool:
        """Wait until it has ended.

        Args:
            timeout: seconds or a ``timedelta``; by default that of the group.

        Raises:
            RuntimeError: if it does not end in time.
        """
        limit = self._group.timeout if timeout is None else _seconds(timeout)
        deadline, polls = time.monotonic() + limit, 0
        while not self.is_completed():
            polls += 1
            if polls > _SPINS:  # ranks may share cores, so that a waiting one must not take them
                time.sleep(min(1e-6 * (polls - _SPINS), _LONGEST_NAP))
                if time.monotonic() > deadline:
                    raise self._too_late(limit)
            else:
                _let_others_run()
        return True


    def _too_late(self, limit: float) -> RuntimeError:
        return RuntimeError(
            f"rank {self._group.rank()} of {self._group.size()} has waited {limit:g} s in {self._what}: "
            "another rank has ended, or calls something else.  All ranks must call the same collective "
            "functions in the same order; init_process_group(timeout=...) sets how long they wait"
        )


_let_others_run = getattr(os, "sched_yield", lambda: time.sleep(0))


class ProcessGroup:
    """Processes that work together, with a communicator of their own.

    Attributes:
        communicator: of mpi4py, or None in a process that is not a member.
        timeout: seconds that a rank waits for the others.
        members: the numbers of its ranks among all processes, in order; None for all.
    """

    def __init__(self, communicator, timeout=1800.0, members=None):
        self.communicator, self.members = communicator, members
        self.timeout = _seconds(timeout)

    def rank(self) -> int:
        """This process' number in the group, from 0; -1 for one that is not a member."""
        return -1 if self.communicator is None else self.communicator.Get_rank()

    def size(self) -> int:
        """How many processes there are; -1 for one that is not a member."""
        return -1 if self.communicator is None else self.communicator.Get_size()

    def start(self, what: str, *arguments, then: Callable[[], None] | None = None, **options) -> Work:
        """Start a communication that does not block, such as ``start("Ibarrier")``."""
        return Work(self, getattr(self.communicator, what)(*arguments, **options), what[1:], then)

    # Objects travel as bytes, with `Work.wait` and not with mpi4py's own functions for objects: these block
    # in C, where Ctrl-C is not heard and a core is kept busy.

    def broadcast_object(self, obj, root: int = 0):
        """Rank ``root``'s object, in all ranks."""
        data = np.frombuffer(pickle.dumps(obj), np.uint8) if self.rank() == root else None
        size = np.array([0 if data is None else data.size])
        self.start("Ibcast", size, root=root).wait()
        data = np.empty(size[0], np.uint8) if data is None else data.copy()
        self.start("Ibcast", data, root=root).wait()
        return obj if self.rank() == root else pickle.loads(data.tobytes())

    def gather_objects(self, obj) -> list:
        """Every rank's object, in all ranks."""
        data = np.frombuffer(pickle.dumps(obj), np.uint8)
        sizes = np.empty(self.size(), np.int64)
        self.start("Iallgather", np.array([data.size]), sizes).wait()
        everyone = np.empty((self.size(), sizes.max()), np.uint8)
        self.start("Iallgather", np.resize(data, sizes.max()), everyone).wait()
        return [pickle.loads(row[:size].tobytes()) for row, size in zip(everyone, sizes)]

    def __repr__(self) -> str:
        return f"<ProcessGroup: rank {self.rank()} of {self.size()}>"


def _seconds(timeout) -> float:
    seconds = timeout.total_seconds() if hasattr(timeout, "total_seconds") else float(timeout)
    if not seconds > 0:
        raise ValueError(f"timeout must be positive, not {timeout}")
    return seconds
