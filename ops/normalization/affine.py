"""``factor * x + offset`` of each channel: batch-norm with constant statistics is such a map."""

from __future__ import annotations

import numpy as np

from ops.core import case, op
from ops.elementwise.arithmetic import mul
from ops.reduction.totals import sum
from ops.samples import spaced
from ops.shape.layout import reshape

__all__ = ["channel_affine"]


def _per_channel(values, ndim: int):
    """(C,) shaped to broadcast against (N, C, ...)."""
    return reshape(values, (1, -1) + (1,) * (ndim - 2))


def _all_but_channels(g) -> tuple:
    return (0, *range(2, g.ndim))


def _cases(rng):
    for shape in ((2, 3, 4, 2), (4, 3), (2, 3, 5), (0, 3, 2)):
        yield case(spaced(rng, shape), spaced(rng, (3,)), spaced(rng, (3,)))


@op(
    grad=dict(input=lambda g, factor: mul(g, _per_channel(factor, g.ndim)),
              factor=lambda g, input: sum(mul(g, input), _all_but_channels(g)),
              offset=lambda g: sum(g, _all_but_channels(g))),
    any_layout=True, samples=_cases,
    reference=lambda input, factor, offset: np.moveaxis(np.moveaxis(input, 1, -1) * factor + offset, -1, 1),
    exempt={"zero_dim": "takes a batch with channels", "bad": "checked by batch_norm"},
)
def channel_affine(input, factor, offset):
    """``factor[c] * input[:, c] + offset[c]``.

    Args:
        input: (N, C, ...).
        factor, offset: (C,), of the same dtype.

    >>> channel_affine(np.ones((1, 2)), np.array([2.0, 3.0]), np.array([0.0, 1.0]))
    array([[2., 4.]])
    """
    result = input * _per_channel(factor, input.ndim)
    result += _per_channel(offset, input.ndim)
    return result
