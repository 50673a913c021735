"""The kernels that draw random numbers: NumPy's numbers, and NumPy's state after them, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from ops.kernels import philox


def pair(seed: int) -> tuple[np.random.Philox, np.random.Generator]:
    """A generator for the kernel, and another with the same stream for NumPy."""
    return np.random.Philox(seed), np.random.Generator(np.random.Philox(seed))


def words(generator: np.random.Philox) -> list[int]:
    """All of a generator's state as integers."""
    state = generator.state
    parts = state["state"]["counter"], state["state"]["key"], state["buffer"]
    return [*np.concatenate(parts).tolist(), state["buffer_pos"], state["has_uint32"], state["uinteger"]]


def same_numbers(ours: np.random.Philox, numpy: np.random.Generator, count: int) -> None:
    """Draw with both and compare the bits."""
    drawn, expected = philox.standard_normal(ours, count), numpy.standard_normal(count, np.float32)
    np.testing.assert_array_equal(drawn.view(np.int32), expected.view(np.int32))


def test_the_state_is_laid_out_as_expected():
    assert philox.fits()


def test_millions_of_numbers_are_numpys():
    ours, numpy = pair(1)
    for _ in range(4):  # with about 50000 at the edge of a layer, and 1000 in the tail
        same_numbers(ours, numpy, 1_000_000)
    assert words(ours) == words(numpy.bit_generator)


def test_draws_of_all_lengths_leave_numpys_state():
    ours, numpy = pair(2)
    for count in [*range(1, 20), *range(250, 280), *range(510, 540)]:
        same_numbers(ours, numpy, count)
        assert words(ours) == words(numpy.bit_generator), count


def test_other_draws_in_between():
    ours, numpy = pair(3)
    ours_numpy = np.random.Generator(ours)
    for count in range(1, 30):  # whole words while half a word is left
        same_numbers(ours, numpy, count)
        for dtype in (np.float64, np.float32):
            assert (ours_numpy.random(count % 7, dtype) == numpy.random(count % 7, dtype)).all()
        assert words(ours) == words(numpy.bit_generator)


@pytest.mark.parametrize("full", [1, 2, 3])
def test_the_counter_carries(full):
    ours, numpy = pair(4)
    state = ours.state
    state["state"]["counter"][:] = [2**64 - 20] + [2**64 - 1] * (full - 1) + [5] * (4 - full)
    ours.state = numpy.bit_generator.state = state
    same_numbers(ours, numpy, 1000)
    assert words(ours) == words(numpy.bit_generator)
    assert ours.state["state"]["counter"][full] == 6


@pytest.mark.parametrize("low, high", [
    (0, 2), (0, 10), (-5, 2**31 - 5), (3, 2**30 + 7), (-(2**63), 5 - 2**63)
])
def test_integers_are_numpys(low, high):
    ours, numpy = pair(5)
    for count in (1, 7, 500, 100_003):
        expected = numpy.integers(low, high, count)
        np.testing.assert_array_equal(philox.integers(ours, low, high, count), expected)
        assert words(ours) == words(numpy.bit_generator)
