"""Distributions of vectors: `MultivariateNormal`, and `Independent` for any other."""

from __future__ import annotations

import math

import ops
from tinygrad_hw import linalg
from tinygrad_hw.distributions import constraints
from tinygrad_hw.distributions.distribution import Distribution, lazy

__all__ = ["Independent", "MultivariateNormal"]


class Independent(Distribution):
    """The last ``reinterpreted_batch_ndims`` dimensions of a batch taken as one draw.

    >>> from tinygrad_hw import zeros
    >>> from tinygrad_hw.distributions import Normal
    >>> Independent(Normal(zeros(3, 2), 1.0), 1).log_prob(zeros(3, 2)).shape
    tinygrad_hw.Size([3])
    """

    def __init__(
        self, base_distribution: Distribution, reinterpreted_batch_ndims: int, validate_args=None
    ):
        if reinterpreted_batch_ndims > len(base_distribution.batch_shape):
            raise ValueError(
                "Expected reinterpreted_batch_ndims <= len(base_distribution.batch_shape), actual "
                f"{reinterpreted_batch_ndims} vs {len(base_distribution.batch_shape)}"
            )
        self.base_dist, self.reinterpreted_batch_ndims = base_distribution, reinterpreted_batch_ndims
        cut = len(base_distribution.batch_shape) - reinterpreted_batch_ndims
        shape = (*base_distribution.batch_shape, *base_distribution.event_shape)
        super().__init__(shape[:cut], shape[cut:], validate_args)

    @property
    def has_rsample(self) -> bool:
        """As the distribution that it is made of."""
        return self.base_dist.has_rsample

    @property
    def support(self):
        """That of the distribution that it is made of, dimensions taken together."""
        return constraints.independent(self.base_dist.support, self.reinterpreted_batch_ndims)

    def expand(self, batch_shape):
        taken = self._event_shape[:self.reinterpreted_batch_ndims]
        base = self.base_dist.expand((*batch_shape, *taken))
        return Independent(base, self.reinterpreted_batch_ndims, self._validate_args)

    def _total(self, values):
        count = self.reinterpreted_batch_ndims
        return ops.sum(values, tuple(range(-count, 0))) if count else values

    def rsample(self, sample_shape=()):
        return self.base_dist.rsample(sample_shape)

    def sample(self, sample_shape=()):
        return self.base_dist.sample(sample_shape)

    def log_prob(self, value):
        return self._total(self.base_dist.log_prob(value))

    def entropy(self):
        return self._total(self.base_dist.entropy())

    mean = property(
        lambda self: self.base_dist.mean, doc="The mean of the distribution that it is made of."
    )
    mode = property(lambda self: self.base_dist.mode, doc="Its mode.")
    variance = property(lambda self: self.base_dist.variance, doc="Its variance.")

    def __repr__(self) -> str:
        return f"Independent({self.base_dist}, {self.reinterpreted_batch_ndims})"


class MultivariateNormal(Distribution):
    """The normal distribution of vectors.

    Args:
        loc: the mean.
        covariance_matrix, precision_matrix, scale_tril: one of covariance, its inverse, its Cholesky factor.

    >>> from tinygrad_hw import eye, zeros
    >>> MultivariateNormal(zeros(2), eye(2)).log_prob(zeros(2))  # -log(2 pi)
    tensor(-1.8379)
    """

    has_rsample = True
    arg_constraints = {
        "loc": constraints.real_vector, "covariance_matrix": constraints.positive_definite,
        "precision_matrix": constraints.positive_definite, "scale_tril": constraints.lower_cholesky,
    }
    support = constraints.real_vector

    def __init__(
        self, loc, covariance_matrix=None, precision_matrix=None, scale_tril=None, validate_args=None
    ):
        if [covariance_matrix, precision_matrix, scale_tril].count(None) != 2:
            raise ValueError(
                "Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified."
            )
        if loc.ndim < 1:
            raise ValueError("loc must be at least one-dimensional.")
        matrices = dict(covariance_matrix=covariance_matrix, precision_matrix=precision_matrix,
                        scale_tril=scale_tril)
        name, matrix = next((name, matrix) for name, matrix in matrices.items() if matrix is not None)
        size = loc.shape[-1]
        if tuple(matrix.shape[-2:]) != (size, size):
            raise ValueError(
                f"the matrix of a MultivariateNormal of {size} numbers is {size} by {size}, got shape "
                f"{tuple(matrix.shape)}"
            )
        batch = ops.broadcast_shapes(tuple(loc.shape[:-1]), tuple(matrix.shape[:-2]))
        self.loc = ops.expand(loc, (*batch, size))
        vars(self)[name] = ops.expand(matrix, (*batch, size, size))
        super().__init__(batch, (size,), validate_args)

    @lazy
    def scale_tril(self):
        """The Cholesky factor of the covariance."""
        return linalg.cholesky(self.covariance_matrix)

    @lazy
    def covariance_matrix(self):
        """The covariance, from what was given."""
        if "scale_tril" in vars(self):
            return self.scale_tril @ self.scale_tril.mT
        return linalg.inv(self.precision_matrix)

    @lazy
    def precision_matrix(self):
        """The inverse of the covariance."""
        return linalg.inv(self.covariance_matrix)

    def rsample(self, sample_shape=()):
        noise = ops.unsqueeze(self._noise("normal", sample_shape), -1)
        return self.loc + ops.squeeze(self.scale_tril @ noise, -1)

    def _log_scale(self):
        return ops.sum(ops.log(ops.diagonal(self.scale_tril, 0, -2, -1)), -1)

    def log_prob(self, value):
        self._validate_sample(value)
        away = ops.unsqueeze(value - self.loc, -1)
        standard = linalg.solve_triangular(self.scale_tril, away, upper=False)
        squared = ops.sum(standard * standard, (-2, -1))
        return -0.5 * (self._event_shape[0] * math.log(2 * math.pi) + squared) - self._log_scale()

    def entropy(self):
        return 0.5 * self._event_shape[0] * (1 + math.log(2 * math.pi)) + self._log_scale()

    mean = mode = property(lambda self: self.loc, doc="``loc``.")

    @property
    def variance(self):
        return ops.sum(self.scale_tril * self.scale_tril, -1)
