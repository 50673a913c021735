"""Builders of test samples, shared by the ops.

Values are evenly spaced and shuffled, so that no two of them tie and every gap is far above the step of
the difference quotients that gradients are compared with.  Every builder covers a 0-d and an empty
array.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ops.core import Bad, Case, case

__all__ = ["NO_TENSOR", "binary", "spaced", "unary"]

NO_TENSOR = Bad((1.5,), {}, TypeError, r"argument 'input' \(position 1\) must be Tensor, not float")

UNARY_SHAPES = ((), (3,), (2, 3, 4), (0, 3))
BINARY_SHAPES = (((), ()), ((3,), (3,)), ((2, 3), (3,)), ((2, 1), (1, 3)), ((3,), ()), ((0, 3), (1, 3)))


def spaced(rng: np.random.Generator, shape: tuple[int, ...], low: float = -2.0,
           high: float = 2.0) -> np.ndarray:
    """Float64 array of shuffled, evenly spaced values strictly between ``low`` and ``high``.

    >>> np.sort(spaced(np.random.default_rng(0), (2,), 0, 3))
    array([0.75, 2.25])
    """
    count = int(np.prod(shape))
    values = low + (high - low) * (np.arange(count) + 0.5) / max(count, 1)
    return rng.permutation(values).reshape(shape)


def unary(low: float = -2.0, high: float = 2.1,
          **options) -> Callable[[np.random.Generator], Iterator[Case]]:
    """Samples of an elementwise op of one argument between ``low`` and ``high``, by default never 0.

    >>> [c.args[0].shape for c in unary()(np.random.default_rng(0))]
    [(), (3,), (2, 3, 4), (0, 3)]
    """

    def samples(rng):
        for shape in UNARY_SHAPES:
            yield case(spaced(rng, shape, low, high), **options)

    return samples


def binary(low: float = -2.0, high: float = 2.0, other_low: float | None = None,
           other_high: float | None = None, number: float | None = 1.5,
           ) -> Callable[[np.random.Generator], Iterator[Case]]:
    """Samples of an elementwise op of two arguments: equal and broadcast shapes, and a Python number.

    >>> len(list(binary()(np.random.default_rng(0))))
    7
    """
    other_low = low if other_low is None else other_low
    other_high = high if other_high is None else other_high

    def samples(rng):
        for first, second in BINARY_SHAPES:
            # the second array is moved by a fraction of a gap: no element equals one of the first
            moved = np.asarray(spaced(rng, second, other_low, other_high) + 0.0131)
            yield case(spaced(rng, first, low, high), moved)
        if number is not None:
            yield case(spaced(rng, (2, 3), low, high), number)

    return samples
