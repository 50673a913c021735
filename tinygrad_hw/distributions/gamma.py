"""`Gamma`, `Beta` and `Dirichlet`.  Gradients flow through their densities, not through their draws."""

from __future__ import annotations

import numpy as np

import ops
from tinygrad_hw.construct import as_tensor
from tinygrad_hw.distributions import constraints
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

    arg_constraints = {"concentration": constraints.positive, "rate": constraints.positive}
    support = constraints.nonnegative

    def __init__(self, concentration, rate, validate_args=None):
        self.concentration, self.rate = parameters(concentration, rate)
        super().__init__(self.concentration.shape, (), validate_args)

    def sample(self, sample_shape=()):
        draws = _draw(self, self.concentration, sample_shape) / self.rate.array
        return Tensor._wrap(draws.astype(self._dtype))

    def log_prob(self, value):
        value = as_tensor(value, dtype=self.rate.dtype)
        self._validate_sample(value)
        a = self.concentration
        return a * ops.log(self.rate) + ops.xlogy(a - 1, value) - self.rate * value - ops.lgamma(a)

    def entropy(self):
        a = self.concentration
        return a - ops.log(self.rate) + ops.lgamma(a) + (1 - a) * ops.digamma(a)

    mean = property(lambda self: self.concentration / self.rate, doc="concentration / rate.")
    mode = property(lambda self: ops.clamp_min((self.concentration - 1) / self.rate, 0),
                    doc="(concentration - 1) / rate, or 0.")
    variance = property(lambda self: self.concentration / (self.rate * self.rate), doc="The variance.")


class Dirichlet(Distribution):
    """The Dirichlet distribution over points of a simplex, (..., K) for ``concentration`` (..., K).

    >>> from tinygrad_hw import tensor
    >>> Dirichlet(tensor([1.0, 3.0])).mean
    tensor([0.2500, 0.7500])
    """

    arg_constraints = {"concentration": constraints.independent(constraints.positive, 1)}
    support = constraints.simplex

    def __init__(self, concentration, validate_args=None):
        (self.concentration,) = parameters(concentration)
        if self.concentration.ndim < 1:
            raise ValueError("`concentration` parameter must be at least one-dimensional.")
        super().__init__(self.concentration.shape[:-1], self.concentration.shape[-1:], validate_args)

    def sample(self, sample_shape=()):
        draws = _draw(self, self.concentration, sample_shape)
        return Tensor._wrap((draws / draws.sum(-1, keepdims=True)).astype(self._dtype))

    def log_prob(self, value):
        self._validate_sample(value)
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
    def mode(self):
        """A corner where no concentration is above 1."""
        a = self.concentration
        above = ops.clamp_min(a - 1, 0)
        corner = ops.one_hot(ops.argmax(above, -1), a.shape[-1]).to(a.dtype)
        return ops.where(ops.lt(a, 1).all(-1, True), corner, above / ops.sum(above, -1, True))

    @property
    def variance(self):
        total = ops.sum(self.concentration, -1, True)
        return self.mean * (1 - self.mean) / (total + 1)


class Beta(Distribution):
    """The beta distribution on [0, 1].

    >>> Beta(1.0, 3.0).mean
    tensor(0.2500)
    """

    arg_constraints = {"concentration1": constraints.positive, "concentration0": constraints.positive}
    support = constraints.unit_interval

    def __init__(self, concentration1, concentration0, validate_args=None):
        both = ops.stack(parameters(concentration1, concentration0), -1)
        self._dirichlet = Dirichlet(both, validate_args)  # of two numbers whose sum is 1
        super().__init__(both.shape[:-1], (), validate_args)

    concentration1 = property(lambda self: self._dirichlet.concentration[..., 0], doc="The first one.")
    concentration0 = property(lambda self: self._dirichlet.concentration[..., 1], doc="The second one.")

    def sample(self, sample_shape=()):
        return self._dirichlet.sample(sample_shape)[..., 0]

    def log_prob(self, value):
        self._validate_sample(value)
        return self._dirichlet.log_prob(ops.stack([value, 1 - value], -1))

    def entropy(self):
        return self._dirichlet.entropy()

    mean = property(lambda self: self._dirichlet.mean[..., 0], doc="concentration1 / (their sum).")
    mode = property(lambda self: self._dirichlet.mode[..., 0], doc="The most probable value.")
    variance = property(lambda self: self._dirichlet.variance[..., 0], doc="The variance.")
