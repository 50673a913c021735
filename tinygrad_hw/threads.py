"""How many threads the kernels use.  The results do not depend on it, bit for bit."""

from __future__ import annotations

__all__ = ["get_num_threads", "set_num_threads"]


def set_num_threads(count: int) -> None:
    """Use ``count`` threads for large operations; results are the same bits for any number.

    >>> before = get_num_threads()
    >>> set_num_threads(1)
    >>> get_num_threads()
    1
    >>> set_num_threads(before)
    """
    from ops.kernels import launch  # numba is imported when it is first needed

    launch.set_num_threads(count)


def get_num_threads() -> int:
    """Number of threads for large operations; by default the cores this process may use.

    >>> get_num_threads() >= 1
    True
    """
    from ops.kernels import launch

    return launch.get_num_threads()
