"""Seeds and states of the random numbers.  The generator is counter-based: NumPy's Philox."""

from __future__ import annotations

import contextlib

import numpy as np

from ops.random.generator import Generator, default_generator
from tinygrad_hw.tensor import Tensor

__all__ = ["Generator", "default_generator", "fork_rng", "get_rng_state", "initial_seed", "manual_seed",
           "seed", "set_rng_state"]


def manual_seed(seed: int) -> Generator:
    """Start the default generator anew from ``seed``.

    >>> import tinygrad_hw
    >>> _ = manual_seed(0)
    >>> a = tinygrad_hw.rand(2)
    >>> _ = manual_seed(0)
    >>> bool((a == tinygrad_hw.rand(2)).all())
    True
    """
    return default_generator.manual_seed(int(seed))


def seed() -> int:
    """Start the default generator anew from the operating system's entropy; returns the seed.

    >>> isinstance(seed(), int)
    True
    """
    return default_generator.seed()


def initial_seed() -> int:
    """The seed that the default generator started from.

    >>> _ = manual_seed(7)
    >>> initial_seed()
    7
    """
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """The state of the default generator as a uint8 Tensor.

    >>> set_rng_state(get_rng_state())
    """
    state = default_generator.get_state()
    return state if isinstance(state, Tensor) else Tensor._wrap(np.asarray(state))


def set_rng_state(new_state: Tensor) -> None:
    """Put the default generator into a state that `get_rng_state` returned.

    >>> set_rng_state(get_rng_state())
    """
    default_generator.set_state(new_state.array)


@contextlib.contextmanager
def fork_rng(devices=None, enabled: bool = True, device_type: str = "cpu"):
    """A block after which the default generator is where it was before.

    >>> import tinygrad_hw
    >>> before = get_rng_state()
    >>> with fork_rng():
    ...     _ = tinygrad_hw.rand(3)
    >>> bool((get_rng_state() == before).all())
    True
    """
    state = get_rng_state()
    try:
        yield
    finally:
        if enabled:
            set_rng_state(state)
