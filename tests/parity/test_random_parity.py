"""Random numbers: shapes, dtypes, bounds, moments, impossible distributions, seeds."""

import numpy as np
import pytest
from harness import check_calls, check_creation

import tinygrad_hw as thw

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize(
    "args",
    [
        (10, (3,)),
        (2, 5, (2, 3)),
        (0, 1, ()),
        (5, 5, (2,)),
        (7, 3, (2,)),
        (10, 3),
        (10,),
        (-3, 3, [4]),
        (2.5, (2,)),
        (0, (2,)),
    ],
    ids=repr,
)
@pytest.mark.parametrize("dtype", [None, "int32", "float64", "uint8"])
def test_randint(args, dtype):
    """Shapes, dtypes and bounds; crossed bounds and a missing size."""
    if dtype == "uint8" and args[0] == -3:
        return
    value = check_creation(
        "randint", *args, values=False, **({} if dtype is None else {"dtype": dtype})
    )
    if value is not None and value.numel():
        low, high = (0, args[0]) if len(args) == 2 else args[:2]
        assert low <= value.min() and value.max() < high


def test_randperm():
    """A permutation; int64; negative lengths."""
    for n in (0, 1, 10, -1):
        check_creation("randperm", n, values=False)
    check_creation("randperm", 5, dtype="int32", values=False)
    assert sorted(thw.randperm(50).tolist()) == list(range(50))


def test_normal():
    """Every form, and a negative standard deviation."""
    mean, std = np.zeros((2, 1)), np.ones(3)
    for args in (
        (0.0, 1.0, (2, 3)),
        (mean, std),
        (mean,),
        (mean, 2.0),
        (1.5, std),
        (0.0, -1.0, (2,)),
        (mean, -std),
        (np.zeros(2, np.float32), np.ones(2, np.float32)),
    ):
        check_creation("normal", *args, values=False)


def test_bernoulli_and_multinomial():
    """Shapes, dtypes, impossible probabilities."""
    for probabilities in (
        np.full((2, 3), 0.5),
        np.array([0.0, 1.0]),
        np.array([1.5]),
        np.array([-0.1]),
        np.array([1]),
        np.array(0.3, np.float32),
    ):
        check_creation("bernoulli", probabilities, values=False)
    check_creation("bernoulli", np.array([0.0, 1.0]))
    check_creation("bernoulli", np.ones(3), 0.0)
    weights = np.array([[0.2, 0.3, 0.5], [0.0, 1.0, 1.0]])
    for args in (
        (weights, 2),
        (weights[0], 3),
        (weights, 5, True),
        (weights, 4),
        (weights, 0),
        (-weights, 1),
        (np.zeros(3), 1),
        (np.ones((2, 2, 2)), 1),
        (weights.astype(np.float32), 1),
    ):
        check_creation("multinomial", *args, values=False)


def test_poisson():
    """Rates of any shape; negative ones are refused."""
    for rates in (np.full((2, 3), 2.0), np.array(0.5, np.float32), np.array([-1.0])):
        check_creation("poisson", rates, values=False)


@pytest.mark.parametrize(
    ("draw", "mean", "std"),
    [
        (lambda lib, n: lib.rand(n), 0.5, 12**-0.5),
        (lambda lib, n: lib.randn(n), 0, 1),
        (lambda lib, n: lib.normal(2.0, 3.0, (n,)), 2, 3),
        (lambda lib, n: lib.empty(n).uniform_(-1, 3), 1, 4 * 12**-0.5),
        (lambda lib, n: lib.empty(n).normal_(1, 2), 1, 2),
        (lambda lib, n: lib.empty(n).exponential_(2.0), 0.5, 0.5),
        (lambda lib, n: lib.empty(n).bernoulli_(0.3), 0.3, 0.21**0.5),
        (lambda lib, n: lib.bernoulli(lib.full((n,), 0.3)), 0.3, 0.21**0.5),
        (lambda lib, n: lib.poisson(lib.full((n,), 4.0)), 4, 2),
        (lambda lib, n: lib.randint(0, 4, (n,)).double(), 1.5, 1.25**0.5),
        (lambda lib, n: lib.empty(n).random_(0, 4), 1.5, 1.25**0.5),
    ],
)
def test_moments(draw, mean, std):
    """Mean and standard deviation of 100,000 numbers, within 5 standard errors, on both sides."""
    count = 100_000
    for library in (torch, thw):
        library.manual_seed(0)
        numbers = draw(library, count).double().numpy()
        assert abs(numbers.mean() - mean) < 5 * std / count**0.5
        assert abs(numbers.std() - std) < 5 * std / count**0.5 * 2


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("uniform_", (2, 1)),
        ("normal_", (0, -1)),
        ("bernoulli_", (1.5,)),
        ("exponential_", (-1,)),
        ("random_", (3, 3)),
        ("random_", (0,)),
    ],
)
def test_impossible_distributions(name, args):
    """Crossed bounds, negative deviations, probabilities above 1."""

    def call(x):
        return getattr(x, name)(*args)

    check_calls(call, call, (np.ones(3),), {}, name)


def test_seeds_repeat():
    """The same seed gives the same numbers, another seed others."""
    first, second, third = (thw.manual_seed(seed) and thw.randn(5).tolist() for seed in (3, 3, 4))
    assert first == second != third
    g = thw.Generator().manual_seed(3)
    assert thw.rand(3, generator=g).tolist() != thw.rand(3, generator=g).tolist()
