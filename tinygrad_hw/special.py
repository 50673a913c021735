"""Special functions, with the names of ``torch.special``; most are the ops of another name."""

from __future__ import annotations

import math

import ops
from ops import (
    digamma,
    erf,
    erfc,
    erfinv,
    exp2,
    expm1,
    log1p,
    log_softmax,
    logit,
    logsumexp,
    polygamma,
    round,
    sinc,
    softmax,
    xlogy,
)

__all__ = [
    "digamma",
    "entr",
    "erf",
    "erfc",
    "erfinv",
    "exp2",
    "expit",
    "expm1",
    "gammaln",
    "log1p",
    "log_softmax",
    "logit",
    "logsumexp",
    "multigammaln",
    "ndtr",
    "ndtri",
    "polygamma",
    "psi",
    "round",
    "sinc",
    "softmax",
    "xlog1py",
    "xlogy",
]

expit = ops.sigmoid
gammaln = ops.lgamma
psi = digamma


def entr(input):
    """``-x log x``; 0 at 0 and minus infinity below.

    >>> from tinygrad_hw import tensor
    >>> entr(tensor([0.5, -1.0]))
    tensor([0.3466,   -inf])
    """
    return ops.where(ops.lt(input, 0), -math.inf, ops.neg(xlogy(input, input)))


def xlog1py(input, other):
    """``x log(1 + y)``; 0 where x is 0.

    >>> from tinygrad_hw import tensor
    >>> xlog1py(tensor([0.0]), tensor([-1.0]))
    tensor([0.])
    """
    return xlogy(input, ops.add(other, 1))


def ndtr(input):
    """The standard normal distribution's probability of at most x.

    >>> from tinygrad_hw import tensor
    >>> ndtr(tensor([0.0]))
    tensor([0.5000])
    """
    return ops.mul(erfc(ops.mul(input, -math.sqrt(0.5))), 0.5)


def ndtri(input):
    """The inverse of `ndtr`.

    >>> from tinygrad_hw import tensor
    >>> ndtri(tensor([0.5]))
    tensor([0.])
    """
    return ops.mul(erfinv(ops.sub(ops.mul(input, 2), 1)), math.sqrt(2))


def multigammaln(input, p):
    """The logarithm of the gamma function of ``p`` dimensions.

    >>> from tinygrad_hw import tensor
    >>> multigammaln(tensor([2.0]), 1)
    tensor([0.])
    """
    total = p * (p - 1) / 4 * math.log(math.pi)
    terms = [gammaln(ops.sub(input, k / 2)) for k in range(p)]
    for term in terms:
        total = ops.add(term, total)
    return total
