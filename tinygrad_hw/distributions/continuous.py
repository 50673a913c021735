"""Distributions of real numbers that can be drawn by a formula: `Normal`, `Uniform`, `Laplace`, ..."""

from __future__ import annotations

import math

import numpy as np

import ops
from tinygrad_hw.creation import zeros_like
from tinygrad_hw.distributions import constraints
from tinygrad_hw.distributions.distribution import Distribution, parameters
from tinygrad_hw.tensor import Tensor

__all__ = ["Exponential", "Laplace", "LogNormal", "Normal", "Uniform"]


class _LocationScale(Distribution):
    """What distributions around ``loc`` share; they widen with ``scale``."""

    has_rsample = True
    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.real

    def __init__(self, loc, scale, validate_args=None):
        self.loc, self.scale = parameters(loc, scale)
        super().__init__(self.loc.shape, (), validate_args)

    mean = mode = property(lambda self: self.loc, doc="``loc``.")


class Normal(_LocationScale):
    """The normal distribution of mean ``loc`` and standard deviation ``scale``.

    >>> from tinygrad_hw import tensor
    >>> Normal(0.0, 1.0).log_prob(tensor(0.0))  # -log(2 pi) / 2
    tensor(-0.9189)
    >>> Normal(tensor([0.0, 5.0]), 1.0).rsample((3,)).shape
    tinygrad_hw.Size([3, 2])
    """

    def rsample(self, sample_shape=()):
        return self.loc + self._noise("normal", sample_shape) * self.scale

    def log_prob(self, value):
        self._validate_sample(value)
        distance = (value - self.loc) / self.scale
        return -0.5 * distance * distance - ops.log(self.scale) - 0.5 * math.log(2 * math.pi)

    def cdf(self, value):
        self._validate_sample(value)
        return 0.5 * (1 + ops.erf((value - self.loc) / (self.scale * math.sqrt(2))))

    def icdf(self, value):
        return self.loc + self.scale * ops.erfinv(2 * value - 1) * math.sqrt(2)

    def entropy(self):
        return 0.5 + 0.5 * math.log(2 * math.pi) + ops.log(self.scale)

    stddev = property(lambda self: self.scale, doc="``scale``.")
    variance = property(lambda self: self.scale * self.scale, doc="The variance.")


class LogNormal(Distribution):
    """exp of a normal distribution.

    >>> LogNormal(0.0, 1.0).mean
    tensor(1.6487)
    """

    has_rsample = True
    arg_constraints = _LocationScale.arg_constraints
    support = constraints.positive

    def __init__(self, loc, scale, validate_args=None):
        self.base_dist = Normal(loc, scale, validate_args)
        super().__init__(self.base_dist.batch_shape, (), validate_args)

    loc = property(lambda self: self.base_dist.loc, doc="Mean of the logarithm.")
    scale = property(lambda self: self.base_dist.scale, doc="Standard deviation of the logarithm.")

    def rsample(self, sample_shape=()):
        return ops.exp(self.base_dist.rsample(sample_shape))

    def log_prob(self, value):
        self._validate_sample(value)
        logarithm = ops.log(value)
        return self.base_dist.log_prob(logarithm) - logarithm

    def cdf(self, value):
        self._validate_sample(value)
        return self.base_dist.cdf(ops.log(value))

    def icdf(self, value):
        return ops.exp(self.base_dist.icdf(value))

    def entropy(self):
        return self.base_dist.entropy() + self.loc

    @property
    def mean(self):
        return ops.exp(self.loc + self.base_dist.variance / 2)

    @property
    def mode(self):
        return ops.exp(self.loc - self.base_dist.variance)

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

    @property
    def arg_constraints(self):
        """``low`` below ``high``."""
        return {"low": constraints.less_than(self.high), "high": constraints.greater_than(self.low)}

    @property
    def support(self):
        """From ``low`` to ``high``."""
        return constraints.interval(self.low, self.high)

    def rsample(self, sample_shape=()):
        return self.low + self._noise("uniform", sample_shape) * (self.high - self.low)

    def log_prob(self, value):
        self._validate_sample(value)
        inside = ops.logical_and(ops.le(self.low, value), ops.gt(self.high, value))
        return ops.where(inside, 0.0, -math.inf) - ops.log(self.high - self.low)

    def cdf(self, value):
        self._validate_sample(value)
        return ops.clamp((value - self.low) / (self.high - self.low), 0, 1)

    def icdf(self, value):
        return value * (self.high - self.low) + self.low

    def entropy(self):
        return ops.log(self.high - self.low)

    mean = property(lambda self: (self.low + self.high) / 2, doc="The middle.")
    mode = property(lambda self: math.nan * self.high, doc="NaN: no value is more probable than others.")
    variance = property(lambda self: (self.high - self.low) ** 2 / 12, doc="The variance.")


class Exponential(Distribution):
    """The exponential distribution of a rate.

    >>> Exponential(2.0).mean
    tensor(0.5000)
    """

    has_rsample = True
    arg_constraints = {"rate": constraints.positive}
    support = constraints.nonnegative

    def __init__(self, rate, validate_args=None):
        (self.rate,) = parameters(rate)
        super().__init__(self.rate.shape, (), validate_args)

    def rsample(self, sample_shape=()):
        return self._noise("exponential", sample_shape) / self.rate

    def log_prob(self, value):
        self._validate_sample(value)
        return ops.log(self.rate) - self.rate * value

    def cdf(self, value):
        self._validate_sample(value)
        return 1 - ops.exp(-self.rate * value)

    def icdf(self, value):
        return -ops.log1p(-value) / self.rate

    def entropy(self):
        return 1.0 - ops.log(self.rate)

    mean = stddev = property(lambda self: 1 / self.rate, doc="1 / rate.")
    mode = property(lambda self: zeros_like(self.rate), doc="0.")
    variance = property(lambda self: 1 / (self.rate * self.rate), doc="The variance.")


class Laplace(_LocationScale):
    """The Laplace distribution: exponential to both sides of ``loc``.

    >>> Laplace(0.0, 1.0).variance
    tensor(2.)
    """

    def rsample(self, sample_shape=()):
        sizes = self._noise("exponential", sample_shape)
        signs = np.sign(self._noise("normal", sample_shape).array)
        return self.loc + self.scale * sizes * Tensor._wrap(signs)

    def log_prob(self, value):
        self._validate_sample(value)
        return -ops.log(2 * self.scale) - ops.abs(value - self.loc) / self.scale

    def cdf(self, value):
        self._validate_sample(value)
        away = value - self.loc
        return 0.5 - 0.5 * ops.sign(away) * ops.expm1(-ops.abs(away) / self.scale)

    def icdf(self, value):
        away = value - 0.5
        return self.loc - self.scale * ops.sign(away) * ops.log1p(-2 * ops.abs(away))

    def entropy(self):
        return 1 + ops.log(2 * self.scale)

    variance = property(lambda self: 2 * self.scale * self.scale, doc="The variance.")
