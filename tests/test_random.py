"""Random numbers: streams that repeat, and the statistics of what is drawn."""

import copy

import numpy as np
import pytest

import ops
from ops import random
from ops.random.generator import Generator

COUNT = 100_000


def test_generator_repeats():
    generator = Generator().manual_seed(7)
    state, first = generator.get_state(), generator.numpy.random(5)
    assert generator.initial_seed() == 7
    np.testing.assert_array_equal(generator.manual_seed(7).numpy.random(5), first)
    np.testing.assert_array_equal(generator.set_state(state).numpy.random(5), first)
    twin = copy.deepcopy(generator)
    np.testing.assert_array_equal(twin.numpy.random(5), generator.numpy.random(5))
    assert generator.seed() != 7 and generator.manual_seed(-1).initial_seed() == 2**64 - 1
    assert Generator().initial_seed() == Generator().initial_seed()


def test_state_holds_a_half_used_number():
    generator = Generator().manual_seed(1)
    generator.numpy.random(dtype=np.float32)  # draws 64 bits and keeps 32
    state = generator.get_state()
    first = generator.numpy.random(3, np.float32)
    np.testing.assert_array_equal(generator.set_state(state).numpy.random(3, np.float32), first)


@pytest.mark.parametrize("call, error, text", [
    (lambda: Generator().manual_seed("a"), RuntimeError, "expected a long, but got str"),
    (lambda: Generator().set_state(np.zeros(3, np.uint8)), RuntimeError, "size to be 3"),
    (lambda: Generator().set_state(None), TypeError, "expected a uint8 array"),
    (lambda: Generator("cuda"), RuntimeError, "'cuda' is not available"),
    (lambda: random.uniform(3, 2, 1), RuntimeError, "found from=2 > to=1"),
    (lambda: random.normal(3, 0, -1), RuntimeError, "std >= 0.0"),
    (lambda: random.exponential(3, 0), RuntimeError, "lambda > 0.0"),
    (lambda: random.geometric(3, 0), RuntimeError, r"p to be in \(0, 1\)"),
    (lambda: random.cauchy(3, 0, -1), RuntimeError, "sigma > 0.0"),
    (lambda: random.log_normal(3, 0, -1), RuntimeError, "std > 0.0"),
    (lambda: random.integers(3, 2, 2), RuntimeError, "'from' to be less than 'to'"),
    (lambda: random.bernoulli(3, 1.5), RuntimeError, r"p to be in \[0, 1\]"),
    (lambda: random.uniform(3, dtype=np.int64), NotImplementedError, "not implemented for 'int64'"),
])
def test_refused(call, error, text):
    with pytest.raises(error, match=text):
        call()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("draw, mean, std", [
    (lambda **o: random.uniform(COUNT, -1, 3, **o), 1.0, 4 / 12**0.5),
    (lambda **o: random.normal(COUNT, 2, 3, **o), 2.0, 3.0),
    (lambda **o: random.exponential(COUNT, 4, **o), 0.25, 0.25),
    (lambda **o: random.geometric(COUNT, 0.5, **o), 2.0, 2**0.5),
    (lambda **o: random.bernoulli(COUNT, 0.3, **o), 0.3, 0.21**0.5),
    (lambda **o: random.truncated_normal(COUNT, 0, 1, -1, 2, **o), 0.2296, 0.7212),
    (lambda **o: random.log_normal(COUNT, 0, 0.5, **o), np.exp(0.125), 0.6039),
])
def test_mean_and_deviation(draw, mean, std, dtype):
    generator = Generator().manual_seed(0)
    values = draw(generator=generator, dtype=dtype)
    assert values.dtype == dtype
    assert abs(values.mean() - mean) < 5 * std / COUNT**0.5
    assert abs(values.std() / std - 1) < 0.03


@pytest.mark.parametrize("name, shape, group", [
    ("dropout", (100, 20, 50), 1), ("dropout1d", (2000, 50, 4), 4), ("dropout2d", (2000, 50, 2, 2), 4),
])
def test_dropout_drops_and_scales(name, shape, group):
    generator = Generator().manual_seed(0)
    out = getattr(ops, name)(np.ones(shape), 0.25, True, generator=generator)
    np.testing.assert_allclose(np.unique(out), [0, 4 / 3])
    draws = out.reshape(-1, group)
    assert (draws == draws[:, :1]).all()  # a channel goes as a whole
    kept = (draws[:, 0] > 0).mean()
    assert abs(kept - 0.75) < 5 * (0.1875 / len(draws)) ** 0.5
    again = getattr(ops, name)(np.ones(shape), 0.25, True, generator=generator.manual_seed(0))
    np.testing.assert_array_equal(out, again)


def test_alpha_dropout_keeps_mean_and_variance():
    x = np.random.default_rng(0).normal(size=COUNT)
    out = ops.alpha_dropout(x, 0.3, True, generator=Generator().manual_seed(0))
    assert abs(out.mean()) < 0.02 and abs(out.std() - 1) < 0.02
