"""Distributions of real numbers that can be drawn by a formula: `Normal`, `Uniform`, `Laplace`, ..."""

from __future__ import annotations

import math

import numpy as np

import ops
from tinygrad_hw.distributions.distribution import Distribution, parameters
from tinygrad_hw.tensor import Tensor

__all__ = ["Exponential", "Laplace", "LogNormal", "Normal", "Uniform"]


class Normal(Distribution):
    """The normal distribution of mean ``loc`` and standard deviation ``scale``.

    >>> from tinygrad_hw import tensor
    >>> Normal(0.0, 1.0).log_prob(tensor(0.0))  # -log(2 pi) / 2
    tensor(-0.9189)
    >>> Normal(tensor([0.0, 5.0]), 1.0).rsample((3,)).shape
    tinygrad_hw.Size([3, 2])
    """

    has_rsample = True

    def __init__(self, loc, scale, validate_args=None):
        self.loc, self.scale = parameters(loc, scale)
        super().__init__(self.loc.shape, (), validate_args)
        self._check_real(loc=self.loc)
        self._check_positive(scale=self.scale)

    def rsample(self, sample_shape=()):
        return self.loc + self._noise("normal", sample_shape) * self.scale

    def log_prob(self, value):
        distance = (value - self.loc) / self.scale
        return -0.5 * distance * distance - ops.log(self.scale) - 0.5 * math.log(2 * math.pi)

    def cdf(self, value):
        """The probability of at most ``value``."""
        return 0.5 * (1 + ops.erf((value - self.loc) / (self.scale * math.sqrt(2))))

    def icdf(self, value):
        """The number below which a draw lies with probability ``value``."""
        return self.loc + self.scale * ops.erfinv(2 * value - 1) * math.sqrt(2)

    def entropy(self):
        return 0.5 + 0.5 * math.log(2 * math.pi) + ops.log(self.scale)

    mean = mode = property(lambda self: self.loc, doc="``loc``.")
    stddev = property(lambda self: self.scale, doc="``scale``.")
    variance = property(lambda self: self.scale * self.scale, doc="The variance.")


class LogNormal(Distribution):
    """exp of a normal distribution.

    >>> LogNormal(0.0, 1.0).mean
    tensor(1.6487)
    """

    has_rsample = True

    def __init__(self, loc, scale, validate_args=None):
        self.base_dist = Normal(loc, scale, validate_args)
        super().__init__(self.base_dist.batch_shape, (), validate_args)

    loc = property(lambda self: self.base_dist.loc, doc="Mean of the logarithm.")
    scale = property(lambda self: self.base_dist.scale, doc="Standard deviation of the logarithm.")

    def rsample(self, sample_shape=()):
        return ops.exp(self.base_dist.rsample(sample_shape))

    def log_prob(self, value):
        logarithm = ops.log(value)
        return self.base_dist.log_prob(logarithm) - logarithm

    def entropy(self):
        return self.base_dist.entropy() + self.loc

    @property
    def mean(self):
        return ops.exp(self.loc + self.base_dist.variance / 2)

    @property
    def variance(self):
        spread = self.base_dist.variance
        return ops.expm1(spread) * ops.exp(2 * self.loc + spread)


class Uniform(Distribution):
    """The uniform distribution on [low, high).

    >>> Uniform(0.0, 4.0).entropy()  # log 4
    tensor(1.3863)
    """

    has_rsample = True

    def __init__(self, low, high, validate_args=None):
        self.low, self.high = parameters(low, high)
        super().__init__(self.low.shape, (), validate_args)
        self._check("high", self.high, self.low.array < self.high.array, "above low")

    def rsample(self, sample_shape=()):
        return self.low + self._noise("uniform", sample_shape) * (self.high - self.low)

    def log_prob(self, value):
        inside = ops.logical_and(ops.le(self.low, value), ops.gt(self.high, value))
        return ops.where(inside, -ops.log(self.high - self.low), -math.inf)

    def cdf(self, value):
        """The probability of at most ``value``."""
        return ops.clamp((value - self.low) / (self.high - self.low), 0, 1)

    def icdf(self, value):
        """The number below which a draw lies with probability ``value``."""
        return value * (self.high - self.low) + self.low

    def entropy(self):
        return ops.log(self.high - self.low)

    mean = property(lambda self: (self.low + self.high) / 2, doc="The middle.")
    variance = property(lambda self: (self.high - self.low) ** 2 / 12, doc="The variance.")


class Exponential(Distribution):
    """The exponential distribution of a rate.

    >>> Exponential(2.0).mean
    tensor(0.5000)
    """

    has_rsample = True

    def __init__(self, rate, validate_args=None):
        (self.rate,) = parameters(rate)
        super().__init__(self.rate.shape, (), validate_args)
        self._check_positive(rate=self.rate)

    def rsample(self, sample_shape=()):
        return self._noise("exponential", sample_shape) / self.rate

    def log_prob(self, value):
        return ops.log(self.rate) - self.rate * value

    def cdf(self, value):
        """The probability of at most ``value``."""
        return 1 - ops.exp(-self.rate * value)

    def icdf(self, value):
        """The number below which a draw lies with probability ``value``."""
        return -ops.log1p(-value) / self.rate

    def entropy(self):
        return 1.0 - ops.log(self.rate)

    mean = stddev = property(lambda self: 1 / self.rate, doc="1 / rate.")
    variance = property(lambda self: 1 / (self.rate * self.rate), doc="The variance.")


class Laplace(Distribution):
    """The Laplace distribution: exponential to both sides of ``loc``.

    >>> Laplace(0.0, 1.0).variance
    tensor(2.)
    """

    has_rsample = True

    def __init__(self, loc, scale, validate_args=None):
        self.loc, self.scale = parameters(loc, scale)
        super().__init__(self.loc.shape, (), validate_args)
        self._check_real(loc=self.loc)
        self._check_positive(scale=self.scale)

    def rsample(self, sample_shape=()):
        sizes = self._noise("exponential", sample_shape)
        signs = np.sign(self._noise("normal", sample_shape).array)
        return self.loc + self.scale * sizes * Tensor._wrap(signs)

    def log_prob(self, value):
        return -ops.log(2 * self.scale) - ops.abs(value - self.loc) / self.scale

    def cdf(self, value):
        """The probability of at most ``value``."""
        away = value - self.loc
        return 0.5 - 0.5 * ops.sign(away) * ops.expm1(-ops.abs(away) / self.scale)

    def entropy(self):
        return 1 + ops.log(2 * self.scale)

    mean = mode = property(lambda self: self.loc, doc="``loc``.")
    variance = property(lambda self: 2 * self.scale * self.scale, doc="The variance.")
