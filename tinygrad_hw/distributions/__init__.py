"""Probability distributions, with the names of ``torch.distributions``: those of VAEs, GANs and policies.

From simple to complex: `constraints` (where values may lie), `distribution` (what all share), `continuous`,
`discrete`, `gamma`, `multivariate`, `divergence`.
`rsample` draws so that gradients reach the parameters, where a distribution has it (``has_rsample``).
"""

from tinygrad_hw.distributions import constraints
from tinygrad_hw.distributions.continuous import Exponential, Laplace, LogNormal, Normal, Uniform
from tinygrad_hw.distributions.discrete import (
    Bernoulli,
    Binomial,
    Categorical,
    Geometric,
    OneHotCategorical,
    Poisson,
)
from tinygrad_hw.distributions.distribution import Distribution
from tinygrad_hw.distributions.divergence import kl_divergence
from tinygrad_hw.distributions.gamma import Beta, Dirichlet, Gamma
from tinygrad_hw.distributions.multivariate import Independent, MultivariateNormal

__all__ = [
    "Bernoulli",
    "Beta",
    "Binomial",
    "Categorical",
    "Dirichlet",
    "Distribution",
    "Exponential",
    "Gamma",
    "Geometric",
    "Independent",
    "Laplace",
    "LogNormal",
    "MultivariateNormal",
    "Normal",
    "OneHotCategorical",
    "Poisson",
    "Uniform",
    "constraints",
    "kl_divergence",
]
