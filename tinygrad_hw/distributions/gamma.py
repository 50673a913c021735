"""`Gamma`, `Beta` and `Dirichlet`.  Gradients flow through their densities, not through their draws."""

from __future__ import annotations

import numpy as np

import ops
from tinygrad_hw.distributions.distribution import Distribution, parameters
from tinygrad_hw.tensor import Tensor

__all__ = ["Beta", "Dirichlet", "Gamma"]


def _draw(distribution: Distribution, concentration: Tensor, sample_shape) -> np.ndarray:
    """Gamma random numbers of rate 1."""
    shape = distribution._extended(sample_shape)
    numbers = ops.random.default_generator.numpy.standard_gamma(
        concentration.array.astype(np.float64), shape
    )
    return np.asarray(numbers)


class Gamma(Distribution):
    """The gamma distribution of a concentration (shape) and a rate.

    >>> Gamma(3.0, 2.0).mean
    tensor(1.5000)
    """

    def __init__(self, concentration, rate, validate_args=None):
        self.concentration, self.rate = parameters(concentration, rate)
        super().__init__(self.concentration.shape, (), validate_args)
        self._check_positive(concentration=self.concentration, rate=self.rate)

    def sample(self, sample_shape=()):
        draws = _draw(self, self.concentration, sample_shape) / self.rate.array
        return Tensor._wrap(draws.astype(self._dtype))

    def log_prob(self, value):
        a = self.concentration
        return a * ops.log(self.rate) + (a - 1) * ops.log(value) - self.rate * value - ops.lgamma(a)

    def entropy(self):
        a = self.concentration
        return a - ops.log(self.rate) + ops.lgamma(a) + (1 - a) * ops.digamma(a)

    mean = property(lambda self: self.concentration / self.rate, doc="concentration / rate.")
    variance = property(lambda self: self.concentration / (self.rate * self.rate), doc="The variance.")


class Dirichlet(Distribution):
    """The Dirichlet distribution over points of a simplex, (..., K) for ``concentration`` (..., K).

    >>> from tinygrad_hw import tensor
    >>> Dirichlet(tensor([1.0, 3.0])).mean
    tensor([0.2500, 0.7500])
    """

    def __init__(self, concentration, validate_args=None):
        (self.concentration,) = parameters(concentration)
        if self.concentration.ndim < 1:
            raise ValueError("`concentration` parameter must be at least one-dimensional.")
        super().__init__(self.concentration.shape[:-1], self.concentration.shape[-1:], validate_args)
        self._check_positive(concentration=self.concentration)

    def sample(self, sample_shape=()):
        draws = _draw(self, self.concentration, sample_shape)
        return Tensor._wrap((draws / draws.sum(-1, keepdims=True)).astype(self._dtype))

    def log_prob(self, value):
        a = self.concentration
        return (
            ops.sum(ops.xlogy(a - 1, value), -1)
            + ops.lgamma(ops.sum(a, -1))
            - ops.sum(ops.lgamma(a), -1)
        )

    def entropy(self):
        a = self.concentration
        total, count = ops.sum(a, -1), a.shape[-1]
        return (
            ops.sum(ops.lgamma(a), -1)
            - ops.lgamma(total)
            - (count - total) * ops.digamma(total)
            - ops.sum((a - 1) * ops.digamma(a), -1)
        )

    @property
    def mean(self):
        return self.concentration / ops.sum(self.concentration, -1, True)

    @property
    def variance(self):
        total = ops.sum(self.concentration, -1, True)
        return self.mean * (1 - self.mean) / (total + 1)


class Beta(Distribution):
    """The beta distribution on [0, 1].

    >>> Beta(1.0, 3.0).mean
    tensor(0.2500)
    """

    def __init__(self, concentration1, concentration0, validate_args=None):
        self.concentration1, self.concentration0 = parameters(concentration1, concentration0)
        super().__init__(self.concentration1.shape, (), validate_args)
        self._check_positive(concentration1=self.concentration1, concentration0=self.concentration0)

    def sample(self, sample_shape=()):
        first, second = (
            _draw(self, a, sample_shape) for a in (self.concentration1, self.concentration0)
        )
        return Tensor._wrap((first / (first + second)).astype(self._dtype))

    def _log_normaliser(self):
        a, b = self.concentration1, self.concentration0
        return ops.lgamma(a) + ops.lgamma(b) - ops.lgamma(a + b)

    def log_prob(self, value):
        return (
            ops.xlogy(self.concentration1 - 1, value)
            + ops.xlogy(self.concentration0 - 1, 1 - value)
            - self._log_normaliser()
        )

    def entropy(self):
        a, b = self.concentration1, self.concentration0
        return (
            self._log_normaliser()
            - (a - 1) * ops.digamma(a)
            - (b - 1) * ops.digamma(b)
            + (a + b - 2) * ops.digamma(a + b)
        )

    @property
    def mean(self):
        return self.concentration1 / (self.concentration1 + self.concentration0)

    @property
    def variance(self):
        total = self.concentration1 + self.concentration0
        return self.concentration1 * self.concentration0 / (total * total * (total + 1))
