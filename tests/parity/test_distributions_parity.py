"""``distributions``: densities, moments, divergences and draws."""

import numpy as np
import pytest
from side_by_side import BOTH, both

import tinygrad_hw as thw

torch = pytest.importorskip("torch")

RNG = np.random.Generator(np.random.Philox(3))
ROOT = RNG.normal(size=(3, 3))
SYMMETRIC = ROOT @ ROOT.T + np.eye(3)


def positive(*shape):
    return RNG.uniform(0.3, 3, shape)


DISTRIBUTIONS = {
    "Normal": (
        [RNG.normal(size=3), positive(3)],
        [RNG.normal(size=3), positive(3)],
        RNG.normal(size=(4, 3)),
    ),
    "LogNormal": ([RNG.normal(size=3), positive(3)], None, positive(4, 3)),
    "Uniform": (
        [np.zeros(3), 2 * np.ones(3)],
        [-np.ones(3), np.array([3, 3, 1.5])],
        RNG.uniform(0, 2, (4, 3)),
    ),
    "Exponential": ([positive(3)], [positive(3)], positive(4, 3)),
    "Laplace": (
        [RNG.normal(size=3), positive(3)],
        [RNG.normal(size=3), positive(3)],
        RNG.normal(size=(4, 3)),
    ),
    "Gamma": ([positive(3), positive(3)], [positive(3), positive(3)], positive(4, 3)),
    "Beta": ([positive(3), positive(3)], [positive(3), positive(3)], RNG.uniform(0.1, 0.9, (4, 3))),
    "Dirichlet": ([positive(2, 3)], [positive(2, 3)], RNG.dirichlet([1, 1, 1], (4, 2))),
    "Bernoulli": ([RNG.uniform(0.1, 0.9, 3)], [RNG.uniform(0.1, 0.9, 3)], np.eye(4, 3)),
    "Geometric": ([RNG.uniform(0.1, 0.9, 3)], None, RNG.integers(0, 5, (4, 3)).astype(float)),
    "Categorical": ([positive(2, 3)], [positive(2, 3)], RNG.integers(0, 3, (4, 2))),
    "OneHotCategorical": ([positive(2, 3)], [positive(2, 3)], np.eye(3)[RNG.integers(0, 3, (4, 2))]),
    "Poisson": ([positive(3)], [positive(3)], RNG.integers(0, 5, (4, 3)).astype(float)),
    "MultivariateNormal": (
        [RNG.normal(size=3), SYMMETRIC],
        [RNG.normal(size=3), SYMMETRIC + np.eye(3)],
        RNG.normal(size=(4, 3)),
    ),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_distribution(name):
    """log_prob, entropy, moments and divergence, with their gradients."""
    first, second, value = DISTRIBUTIONS[name]

    def quantities(library, *given):
        kind = getattr(library.distributions, name)
        one = kind(*given[: len(first)])
        found = [one.log_prob(library.tensor(value))]
        if name != "Poisson":  # its entropy has no formula in either library
            found.append(one.entropy())
        if name != "Categorical":
            found += [one.mean, one.variance, one.stddev]
        if second:
            found.append(library.distributions.kl_divergence(one, kind(*given[len(first) :])))
        return [result for result in found if not np.isinf(result.detach().numpy()).any()]

    both(quantities, *first, *(second or []), rtol=1e-6)


@pytest.mark.parametrize("name", sorted(set(DISTRIBUTIONS) - {"Categorical", "LogNormal"}))
def test_draws_have_the_moments(name):
    distribution = getattr(thw.distributions, name)(*map(thw.tensor, DISTRIBUTIONS[name][0]))
    thw.manual_seed(0)
    draws = distribution.sample((20000,)).numpy()
    spread = distribution.stddev.numpy()
    assert draws.shape[1:] == DISTRIBUTIONS[name][2].shape[1:]
    np.testing.assert_allclose(draws.mean(0), distribution.mean, atol=6 * spread.max() / 20000**0.5)
    np.testing.assert_allclose(draws.std(0), spread, rtol=0.1)
    if distribution.has_rsample:
        leaves = [thw.tensor(array, requires_grad=True) for array in DISTRIBUTIONS[name][0]]
        getattr(thw.distributions, name)(*leaves).rsample((2,)).sum().backward()
        assert any(leaf.grad is not None and leaf.grad.abs().sum() > 0 for leaf in leaves)
    else:
        with pytest.raises(NotImplementedError, match="has no rsample"):
            distribution.rsample()


def test_categorical_draws_and_logits():
    logits = RNG.normal(size=(2, 3))
    ours, theirs = (library.distributions.Categorical(logits=library.tensor(logits)) for library in BOTH)
    np.testing.assert_allclose(ours.probs, theirs.probs)
    frequency = np.stack([(ours.sample((20000,)).numpy() == k).mean(0) for k in range(3)], -1)
    np.testing.assert_allclose(frequency, ours.probs, atol=0.02)
    np.testing.assert_array_equal(ours.enumerate_support(), theirs.enumerate_support())
    assert ours.sample().shape == (2,) and (ours.mode.numpy() == theirs.mode.numpy()).all()


def test_independent_and_binomial():
    both(
        lambda library, m: library.distributions.Independent(
            library.distributions.Normal(m, 1.0), 1
        ).log_prob(m * 2),
        ROOT,
    )
    both(
        lambda library, p: library.distributions.Binomial(5, p).log_prob(
            library.tensor([2.0, 3.0]).double()
        ),
        np.array([0.2, 0.7]),
    )


@pytest.mark.parametrize(
    "name, arguments, text",
    [
        ("Normal", (0.0, -1.0), "scale.*positive, but found invalid values: .-1.0"),
        ("Bernoulli", (1.5,), r"probs.*within \[0, 1\]"),
        ("Categorical", (), "Either `probs` or `logits` must be specified"),
        ("Uniform", (2.0, 1.0), "high.*above low"),
        ("MultivariateNormal", (thw.zeros(2),), "Exactly one of covariance_matrix"),
    ],
)
def test_distribution_refuses(name, arguments, text):
    for library in BOTH:
        given = [library.tensor(a.numpy()) if isinstance(a, thw.Tensor) else a for a in arguments]
        with pytest.raises(ValueError, match=text if library is thw else None):
            getattr(library.distributions, name)(*given)
