"""Random numbers: the generator with PyTorch's interface, and draws of arrays from it.

The stream comes from Philox, a counter-based generator (Salmon et al. 2011, "Parallel random numbers:
as easy as 1, 2, 3").  It is drawn by one thread, so the numbers never depend on how many threads
compute.  They are not PyTorch's numbers: the same seed gives another, equally random stream.

The draws (`uniform`, `exponential`, ...) return arrays; ``Tensor.uniform_`` and the initialisers use
them.
"""

from __future__ import annotations

import math
import numbers
import secrets

import numpy as np

from ops.core import array_of
from ops.lazy import LazyModule
from ops.promotion import as_dtype, default_dtype

__all__ = ["Generator", "default_generator"]

philox = LazyModule("ops.kernels.philox")

_FLOAT32 = np.dtype(np.float32)
_MANY = 500  # numbers: NumPy takes 5 microseconds, and fewer are not worth the import of numba
_STATE = ("counter", "key", "buffer")
_STATE_WORDS = 13  # counter 4, key 2, buffer 4, buffer position, spare 32 bits and whether there are any


class Generator:
    """A stream of random numbers.

    A new generator starts from a fixed seed, as PyTorch's does; `seed` or `manual_seed` choose another.
    Source: https://docs.pytorch.org/docs/stable/generated/torch.Generator.html

    Attributes:
        numpy: the `numpy.random.Generator` that draws from the same stream.

    >>> generator = Generator().manual_seed(3)
    >>> first = generator.numpy.random()
    >>> first == generator.manual_seed(3).numpy.random()
    True
    """

    def __init__(self, device="cpu"):
        if str(device).split(":")[0] != "cpu":
            raise RuntimeError(
                f"device {str(device)!r} is not available: random numbers are drawn on the CPU"
            )
        self.numpy = np.random.Generator(np.random.Philox(0))
        self.manual_seed(67280421310721)

    @property
    def device(self) -> str:
        """Always ``"cpu"``."""
        return "cpu"

    def manual_seed(self, seed: int) -> Generator:
        """Start the stream that belongs to ``seed``; negative seeds count down from 2**64.

        Raises:
            RuntimeError: if ``seed`` is no integer of 64 bits.
        """
        if isinstance(seed, (float, np.floating)) and float(seed).is_integer():
            seed = int(seed)
        if not isinstance(seed, numbers.Integral):
            raise RuntimeError(f"manual_seed expected a long, but got {type(seed).__name__}")
        if not -2**63 <= seed < 2**64:
            raise RuntimeError(f"manual_seed expects an integer from -2**63 to 2**64 - 1, got {seed}")
        self._seed = int(seed) % 2**64
        self.numpy.bit_generator.state = np.random.Philox(self._seed).state
        return self

    def seed(self) -> int:
        """Start a stream that cannot be foreseen; returns its seed."""
        seed = secrets.randbits(64)
        self.manual_seed(seed)
        return seed

    def initial_seed(self) -> int:
        """The seed that the stream started from."""
        return self._seed

    def get_state(self) -> np.ndarray:
        """The state as an array of bytes, for `set_state`.

        >>> generator = Generator()
        >>> state = generator.get_state()
        >>> first = generator.numpy.random()
        >>> first == generator.set_state(state).numpy.random()
        True
        """
        state = self.numpy.bit_generator.state
        words = [
            *state["state"]["counter"],
            *state["state"]["key"],
            *state["buffer"],
            state["buffer_pos"],
            state["has_uint32"],
            state["uinteger"],
            self._seed,
        ]
        return np.array([int(word) for word in words], np.uint64).view(np.uint8)

    def set_state(self, new_state) -> Generator:
        """Continue from a state that `get_state` returned.

        Raises:
            TypeError: if it is no array of bytes.
            RuntimeError: if its size is wrong.
        """
        state = array_of(new_state)
        if not isinstance(state, np.ndarray) or state.dtype != np.uint8:
            raise TypeError(
                f"expected a uint8 array as RNG state, but got {getattr(state, 'dtype', type(state))}"
            )
        size = 8 * (_STATE_WORDS + 1)
        if state.shape != (size,):
            raise RuntimeError(
                f"Expected an RNG state of size {size} but found the input RNG state size to be "
                f"{state.size}"
            )
        words = np.ascontiguousarray(state).view(np.uint64)
        self._seed = int(words[13])
        self.numpy.bit_generator.state = {
            "bit_generator": "Philox", "state": {"counter": words[:4].copy(), "key": words[4:6].copy()},
            "buffer": words[6:10].copy(), "buffer_pos": int(words[10]), "has_uint32": int(words[11]),
            "uinteger": int(words[12]),
        }
        return self

    def clone_state(self) -> Generator:
        """Another generator that will give the same numbers.

        >>> a = Generator()
        >>> a.clone_state().numpy.random() == a.numpy.random()
        True
        """
        return Generator().set_state(self.get_state())

    def __getstate__(self):
        return self.get_state()

    def __setstate__(self, state):
        self.numpy = np.random.Generator(np.random.Philox(0))
        self.set_state(state)


default_generator = Generator()
"""The generator that is used where none is given; ``manual_seed`` of the engine seeds it."""


# ------------------------------------------------------------------ draws of arrays


def _numpy(generator: Generator | None) -> np.random.Generator:
    return (generator or default_generator).numpy


def _floating(dtype, name: str) -> np.dtype:
    dtype = as_dtype(dtype) or default_dtype()
    if dtype.kind != "f":
        raise NotImplementedError(
            f"\"{name}\" not implemented for '{dtype}': draw float32 or float64 and convert"
        )
    return dtype


def standard_normal(generator: np.random.Generator, shape, dtype) -> np.ndarray:
    """``generator.standard_normal``: the same numbers from a Philox generator, many in a third of the time.

    >>> standard_normal(Generator().numpy, (2, 3), np.float32).shape
    (2, 3)
    """
    count = shape if isinstance(shape, int) else math.prod(shape)
    if count >= _MANY and np.dtype(dtype) is _FLOAT32 and philox.fits():
        return philox.standard_normal(generator.bit_generator, shape)
    return generator.standard_normal(shape, dtype)


def bounded_integers(generator: np.random.Generator, low: int, high: int, shape) -> np.ndarray:
    """``generator.integers``: the same numbers from a Philox generator, in half the time for a few thousand.

    >>> bounded_integers(Generator().numpy, 2, 3, (2,))
    array([2, 2])
    """
    count = shape if isinstance(shape, int) else math.prod(shape)
    if count >= _MANY and type(low) is type(high) is int and 2 <= high - low <= 2**31 and philox.fits():
        if -(2**63) <= low and high <= 2**63:
            return philox.integers(generator.bit_generator, low, high, shape)
    return generator.integers(low, high, shape)


def uniform(
    shape, low: float = 0.0, high: float = 1.0, *, dtype=None, generator: Generator | None = None
):
    """Uniform numbers of [low, high).

    >>> bool((uniform((100,), -2, -1) < -1).all())
    True
    """
    if not low <= high:
        raise RuntimeError(
            f"uniform_ expects to return a [from, to) range, but found from={low} > to={high}"
        )
    dtype = _floating(dtype, "uniform_")
    values = _numpy(generator).random(shape, dtype)
    return np.asarray(values * dtype.type(high - low) + dtype.type(low))


def normal(
    shape, mean: float = 0.0, std: float = 1.0, *, dtype=None, generator: Generator | None = None
):
    """Normal numbers.

    >>> normal((2, 3)).dtype
    dtype('float32')
    """
    if not std >= 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std}")
    dtype = _floating(dtype, "normal_")
    values = standard_normal(_numpy(generator), shape, dtype)
    return np.asarray(values * dtype.type(std) + dtype.type(mean))


def log_normal(
    shape, mean: float = 1.0, std: float = 2.0, *, dtype=None, generator: Generator | None = None
):
    """Numbers whose logarithm is normal.

    >>> bool((log_normal((100,)) > 0).all())
    True
    """
    if not std > 0:
        raise RuntimeError(f"log_normal_ expects std > 0.0, but found std={std}")
    return np.exp(normal(shape, mean, std, dtype=dtype, generator=generator))


def exponential(shape, lambd: float = 1.0, *, dtype=None, generator: Generator | None = None):
    """Exponential numbers of rate ``lambd``.

    >>> bool((exponential((100,)) >= 0).all())
    True
    """
    if not lambd > 0:
        raise RuntimeError(f"exponential_ expects lambda > 0.0, but found lambda={lambd}")
    dtype = _floating(dtype, "exponential_")
    return np.asarray(_numpy(generator).standard_exponential(shape, dtype) / dtype.type(lambd))


def cauchy(
    shape, median: float = 0.0, sigma: float = 1.0, *, dtype=None, generator: Generator | None = None
):
    """Cauchy numbers.

    >>> cauchy((3,)).shape
    (3,)
    """
    if not sigma > 0:
        raise RuntimeError(f"cauchy_ expects sigma > 0.0, but found sigma={sigma}")
    dtype = _floating(dtype, "cauchy_")
    return np.asarray(_numpy(generator).standard_cauchy(shape) * sigma + median).astype(dtype)


def geometric(shape, p: float, *, dtype=None, generator: Generator | None = None):
    """Numbers of trials up to the first success of chance ``p``: 1, 2, 3, ...

    >>> bool((geometric((100,), 0.5) >= 1).all())
    True
    """
    if not 0 < p < 1:
        raise RuntimeError(f"geometric_ expects p to be in (0, 1), but got p={p}")
    return np.asarray(_numpy(generator).geometric(p, shape)).astype(as_dtype(dtype) or default_dtype())


def integers(shape, low: int, high: int, *, dtype=None, generator: Generator | None = None):
    """Integers from ``low`` up to but without ``high``.

    >>> sorted(set(integers((100,), 2, 4).tolist()))
    [2, 3]
    """
    if low >= high:
        raise RuntimeError(
            f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}"
        )
    values = np.asarray(bounded_integers(_numpy(generator), low, high, shape))
    return values.astype(as_dtype(dtype) or np.int64, copy=False)


def bernoulli(shape, p=0.5, *, dtype=None, generator: Generator | None = None):
    """0 or 1, the latter with probability ``p`` (a number, or an array that broadcasts to ``shape``).

    >>> bernoulli((3,), 1.0, dtype=bool)
    array([ True,  True,  True])
    """
    p = np.asarray(array_of(p))
    if not ((p >= 0) & (p <= 1)).all():
        raise RuntimeError(f"bernoulli_ expects p to be in [0, 1], but got p={p.min()} to {p.max()}")
    drawn = _numpy(generator).random(shape, np.float32 if p.dtype == np.float32 else np.float64) < p
    return np.asarray(drawn).astype(as_dtype(dtype) or default_dtype())


def keep_mask(shape, p: float, generator: Generator | None = None) -> np.ndarray:
    """Bool array that is False with probability ``p``: what dropout keeps.

    >>> keep_mask((2,), 0.0)
    array([ True,  True])
    """
    return np.asarray(_numpy(generator).random(shape, np.float32) >= np.float32(p))


def truncated_normal(
    shape,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    *,
    dtype=None,
    generator: Generator | None = None,
):
    """Normal numbers conditioned on lying in [a, b], by inverting the distribution function.

    >>> bool((abs(truncated_normal((100,))) <= 2).all())
    True
    """
    from scipy.special import ndtr, ndtri

    dtype = _floating(dtype, "trunc_normal_")
    low, high = ndtr((a - mean) / std), ndtr((b - mean) / std)
    levels = uniform(shape, low, high, dtype=np.float64, generator=generator)
    return np.clip(ndtri(levels) * std + mean, a, b).astype(dtype)
