"""`kl_divergence` of two distributions of one kind, by formula."""

from __future__ import annotations

import ops
from tinygrad_hw import linalg
from tinygrad_hw.distributions.continuous import Exponential, Laplace, Normal, Uniform
from tinygrad_hw.distributions.discrete import Bernoulli, Categorical, OneHotCategorical, Poisson
from tinygrad_hw.distributions.distribution import Distribution
from tinygrad_hw.distributions.gamma import Beta, Dirichlet, Gamma
from tinygrad_hw.distributions.multivariate import Independent, MultivariateNormal
from tinygrad_hw.tensor import Tensor

__all__ = ["kl_divergence"]


def _normal(p, q):
    ratio = (p.scale / q.scale) ** 2
    return 0.5 * (ratio + ((p.loc - q.loc) / q.scale) ** 2 - 1 - ops.log(ratio))


def _laplace(p, q):
    ratio, away = p.scale / q.scale, ops.abs(p.loc - q.loc)
    return -ops.log(ratio) + away / q.scale + ratio * ops.exp(-away / p.scale) - 1


def _uniform(p, q):
    inside = ops.logical_and(ops.le(q.low, p.low), ops.ge(q.high, p.high))
    return ops.where(inside, ops.log((q.high - q.low) / (p.high - p.low)), float("inf"))


def _exponential(p, q):
    ratio = q.rate / p.rate
    return ratio - 1 - ops.log(ratio)


def _gamma(p, q):
    a, b = p.concentration, q.concentration
    return (
        b * ops.log(p.rate / q.rate)
        + ops.lgamma(b)
        - ops.lgamma(a)
        + (a - b) * ops.digamma(a)
        + (q.rate - p.rate) * a / p.rate
    )


def _simplex(a, b):
    """Of Dirichlet distributions with concentrations a and b."""
    total = ops.sum(a, -1)
    means = ops.digamma(a) - ops.unsqueeze(ops.digamma(total), -1)
    return (
        ops.lgamma(total)
        - ops.lgamma(ops.sum(b, -1))
        + ops.sum(ops.lgamma(b) - ops.lgamma(a), -1)
        + ops.sum((a - b) * means, -1)
    )


def _bernoulli(p, q):
    return p.probs * (ops.softplus(-q.logits) - ops.softplus(-p.logits)) + (1 - p.probs) * (
        ops.softplus(q.logits) - ops.softplus(p.logits)
    )


def _categorical(p, q):
    terms = p.probs * (p.logits - q.logits)
    return ops.sum(ops.where(ops.eq(p.probs, 0), 0.0, terms), -1)


def _poisson(p, q):
    return p.rate * (ops.log(p.rate) - ops.log(q.rate)) - (p.rate - q.rate)


def _multivariate_normal(p, q):
    spread = linalg.solve_triangular(q.scale_tril, p.scale_tril, upper=False)
    away = linalg.solve_triangular(q.scale_tril, ops.unsqueeze(q.loc - p.loc, -1), upper=False)
    squares = ops.sum(spread * spread, (-2, -1)) + ops.sum(away * away, (-2, -1))
    return q._log_scale() - p._log_scale() + 0.5 * (squares - p.event_shape[0])


def _independent(p, q):
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError(
            "kl_divergence of Independent distributions with different numbers of dimensions: "
            f"{p.reinterpreted_batch_ndims} and {q.reinterpreted_batch_ndims}"
        )
    return p._total(kl_divergence(p.base_dist, q.base_dist))


_FORMULAS = {
    Normal: _normal,
    Laplace: _laplace,
    Uniform: _uniform,
    Exponential: _exponential,
    Gamma: _gamma,
    Beta: lambda p, q: _simplex(p._dirichlet.concentration, q._dirichlet.concentration),
    Dirichlet: lambda p, q: _simplex(p.concentration, q.concentration),
    Bernoulli: _bernoulli,
    Categorical: _categorical,
    OneHotCategorical: _categorical,
    Poisson: _poisson,
    MultivariateNormal: _multivariate_normal,
    Independent: _independent,
}


def kl_divergence(p: Distribution, q: Distribution) -> Tensor:
    """The Kullback-Leibler divergence of ``q`` from ``p``, of the shape of their batch.

    Raises:
        NotImplementedError: for two distributions of different kinds.

    >>> from tinygrad_hw.distributions import Normal
    >>> kl_divergence(Normal(1.0, 1.0), Normal(0.0, 1.0))
    tensor(0.5000)
    """
    for kind, formula in _FORMULAS.items():
        if isinstance(p, kind) and isinstance(q, kind):
            return formula(p, q)
    raise NotImplementedError(
        f"No KL(p || q) is implemented for p type {type(p).__name__} and q type "
        f"{type(q).__name__}; estimate it with p.log_prob(x) - q.log_prob(x) of draws x of p"
    )
