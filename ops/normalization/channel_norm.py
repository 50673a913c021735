"""`channel_norm`, the op behind batch, layer, group and instance norm, and its gradients.

Subtract a mean, divide by a standard deviation, scale and shift by channel.  The statistics are taken
over the batch and all positions of a channel, or over one sample's group of channels.  The gradients
are two more ops,
and the three are closed under differentiation: the Jacobian J of (x - mean) / std is symmetric, so the
gradient of J g with respect to g is J again.
"""

from __future__ import annotations

import numpy as np

from ops.core import Bad, array_of, case, dtype_of, op
from ops.elementwise.arithmetic import add, mul, neg, sub
from ops.elementwise.exponential import rsqrt
from ops.lazy import LazyModule
from ops.reduction.totals import sum
from ops.samples import spaced
from ops.shape.layout import reshape

__all__ = ["channel_norm", "channel_norm_input", "channel_norm_weight"]

_kernels = LazyModule("ops.kernels.norm")


# ------------------------------------ tables: one number for every sample's channel


def _rows(x: np.ndarray) -> np.ndarray:
    """(N, C, ...) as contiguous rows (N * C, positions)."""
    count = x.shape[0] * x.shape[1]
    return np.ascontiguousarray(x).reshape(count, x.size // count if count else 0)


def _gather(table: np.ndarray, shape: tuple, groups: int | None) -> np.ndarray:
    """Sum a table (N * C) to the statistics' shape: (C,) of the batch, or (N, groups)."""
    if groups is None:
        return table.reshape(shape[:2]).sum(0)
    return table.reshape(shape[0], groups, shape[1] // groups).sum(2)


def _spread(statistic: np.ndarray, shape: tuple, groups: int | None) -> np.ndarray:
    """The reverse of `_gather`: repeat statistics to a table (N * C)."""
    n, c = shape[:2]
    if groups is None:
        return np.broadcast_to(statistic, (n, c)).reshape(-1)
    return np.broadcast_to(statistic[:, :, None], (n, groups, c // groups)).reshape(-1)


def _channel_table(values, shape: tuple, default: float) -> np.ndarray:
    """A value for every channel (or a default) as a table (N * C)."""
    return np.broadcast_to(np.float64(default) if values is None else values, shape[:2]).reshape(-1)


def count_of(shape: tuple, groups: int | None) -> int:
    """How many elements share one mean."""
    elements = int(np.prod(shape))
    return elements // (shape[1] if groups is None else shape[0] * groups) if elements else 0


def per_channel(values, ndim: int):
    """(C,) shaped to broadcast against (N, C, ...)."""
    return reshape(values, (1, -1) + (1,) * (ndim - 2))


def check_floating(name: str, input) -> None:
    """Refuse what is no floating-point array or Tensor."""
    if not isinstance(array_of(input), np.ndarray):
        raise TypeError(
            f"{name}(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}"
        )
    if dtype_of(input).kind != "f":
        raise NotImplementedError(
            f"\"{name}\" not implemented for '{dtype_of(input)}'; convert the input: x.float()"
        )


# ------------------------------------------------------------------ the op and its gradients


def _norm_cases(rng):
    weight, bias = spaced(rng, (4,), 0.5, 1.5), spaced(rng, (4,))
    yield case(spaced(rng, (3, 4, 2)), weight, bias, None, 1e-3)
    yield case(spaced(rng, (3, 4)), weight, None, None, 1e-3)
    yield case(spaced(rng, (2, 4, 3)), weight, bias, 2, 1e-3)
    yield case(spaced(rng, (2, 4, 2, 2)), None, None, 4, 1e-3)
    yield case(spaced(rng, (2, 4)), weight, bias, 1, 1e-3)
    yield case(spaced(rng, (0, 4, 2)), weight, bias, 2, 1e-3)


def norm_reference(input, weight, bias, groups, eps):
    """Normalization by its formula, with the statistics."""
    x = input.reshape(input.shape[0], input.shape[1], -1) if input.size else input
    if groups is None:
        mean, variance = x.mean((0, 2)), x.var((0, 2))
        hat = (x - mean[:, None]) / np.sqrt(variance + eps)[:, None]
    else:
        n, c, length = x.shape
        g = x.reshape(n, groups, c // groups * length)
        mean, variance = g.mean(2), g.var(2)
        hat = ((g - mean[..., None]) / np.sqrt(variance + eps)[..., None]).reshape(n, c, length)
    hat = hat if weight is None else hat * weight[:, None]
    return (hat if bias is None else hat + bias[:, None]).reshape(input.shape), mean, variance


@op(
    grad=dict(
        input=lambda g, input, weight, mean, variance, groups, eps: channel_norm_input(
            g, input, weight, mean, variance, groups, eps
        ),
        weight=lambda g, input, mean, variance, groups, eps: channel_norm_weight(
            g, input, mean, variance, groups, eps
        ),
        bias=lambda g: sum(g, (0, *range(2, g.ndim))),
    ),
    outputs=("values", "mean", "variance"),
    samples=_norm_cases,
    reference=norm_reference,
    exempt={
        "zero_dim": "takes 2 dimensions or more",
    },
    bad=[
        Bad(
            (np.ones((2, 3)), None, None, 2, 1e-5),
            {},
            RuntimeError,
            "divisible by num_groups.*num_groups=2",
        )
    ],
)
def channel_norm(input, weight, bias, groups, eps):
    """``(input - mean) / sqrt(variance + eps) * weight + bias`` with biased variances.

    Args:
        input: (N, C, ...).
        weight: (C,) or None for ones.
        bias: (C,) or None for zeros.
        groups: None for statistics of each channel over the whole batch; a number for statistics of each
            sample over each of so many groups of channels.
        eps: added to the variance.

    Returns:
        The values, and the mean and biased variance: (C,) or (N, groups).

    >>> channel_norm(np.array([[1.0, 5.0], [3.0, 5.0]]), None, None, None, 0.01).mean
    array([2., 5.])
    """
    shape = input.shape
    if groups is not None and (groups < 1 or shape[1] % groups):
        raise RuntimeError(
            "Expected number of channels in input to be divisible by num_groups, but got input of shape "
            f"{list(shape)} and num_groups={groups}"
        )
    x, count = _rows(input), count_of(shape, groups)
    table = np.empty(len(x))
    _kernels.row_sums(x, table)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = _gather(table, shape, groups) / count
        center = _spread(mean, shape, groups)
        _kernels.row_squares(x, center, table)
        variance = _gather(table, shape, groups) / count
        scale = _spread(1.0 / np.sqrt(variance + eps), shape, groups) * _channel_table(
            weight, shape, 1.0
        )
    out = np.empty_like(x)
    _kernels.row_affine(x, center, scale, _channel_table(bias, shape, 0.0), out)
    return out.reshape(shape), mean.astype(input.dtype), variance.astype(input.dtype)


def _gradient_cases(rng):
    for c in _norm_cases(rng):
        input, weight, _, groups, eps = c.args
        _, mean, variance = norm_reference(input, None, None, groups, eps)
        yield case(spaced(rng, input.shape), input, weight, mean, variance, groups, eps)


def _input_reference(g, input, weight, mean, variance, groups, eps):
    """Row by row from the Jacobian written out as a matrix."""
    result = np.zeros(input.shape)
    if not input.size:
        return result
    g = g if weight is None else g * weight.reshape(1, -1, *[1] * (input.ndim - 2))
    owner = np.broadcast_to(
        _spread(np.arange(mean.size).reshape(mean.shape), input.shape, groups).reshape(
            *input.shape[:2], *[1] * (input.ndim - 2)
        ),
        input.shape,
    )
    for s in range(mean.size):
        x, std = input[owner == s] - mean.flat[s], np.sqrt(variance.flat[s] + eps)
        n = len(x)
        jacobian = (np.eye(n) - 1 / n - np.outer(x, x) / std**2 / n) / std
        result[owner == s] = jacobian @ g[owner == s]
    return result


def _second_order(g, h, input, weight, groups, eps):
    """Gradient of sum(h * J (weight * g)) with respect to the input, in differentiable steps."""
    shape = input.shape
    u = g if weight is None else mul(g, per_channel(weight, len(shape)))
    count = count_of(shape, groups)
    if count == 0:
        return mul(input, 0.0)
    members, dims = (shape[:2], (0, 2)) if groups is None else ((shape[0], groups), 2)
    members = (*members, int(np.prod(shape)) // (members[0] * members[1]))

    def mean(value):
        return mul(sum(value, dims, True), 1.0 / count)

    x, u, v = (reshape(value, members) for value in (input, u, h))
    centered, u, v = (sub(value, mean(value)) for value in (x, u, v))
    variance = mean(mul(centered, centered))
    inverse = rsqrt(add(variance, eps))
    hat = mul(centered, inverse)
    along_u, along_v = mean(mul(u, hat)), mean(mul(v, hat))
    first = mul(mul(hat, inverse), sub(mean(mul(u, v)), mul(along_u, along_v)))
    jacobian_u = mul(sub(u, mul(hat, along_u)), inverse)
    jacobian_v = mul(sub(v, mul(hat, along_v)), inverse)
    total = add(first, add(mul(along_u, jacobian_v), mul(along_v, jacobian_u)))
    return reshape(neg(mul(total, inverse)), shape)


@op(
    grad=dict(
        g=lambda h, input, weight, mean, variance, groups, eps: _scaled(
            channel_norm_input(h, input, None, mean, variance, groups, eps), weight
        ),
        input=lambda h, g, input, weight, groups, eps: _second_order(g, h, input, weight, groups, eps),
        weight=lambda h, g, input, mean, variance, groups, eps: sum(
            mul(g, channel_norm_input(h, input, None, mean, variance, groups, eps)),
            (0, *range(2, g.ndim)),
        ),
    ),
    samples=_gradient_cases,
    reference=_input_reference,
    exempt={
        "zero_dim": "takes 2 dimensions or more",
        "gradient": "mean and variance belong to the input; checked as second order of channel_norm",
        "second_order": "as gradient",
    },
)
def channel_norm_input(g, input, weight, mean, variance, groups, eps):
    """Gradient of `channel_norm` with respect to its input, for the cotangent ``g``.

    With u = weight * g and hat = (input - mean) / std it is (u - mean(u) - hat * mean(u * hat)) / std.

    >>> two, one = np.array([2.0]), np.array([1.0])
    >>> channel_norm_input(np.ones((2, 1)), np.array([[1.0], [3.0]]), None, two, one, None, 0)
    array([[0.],
           [0.]])
    """
    shape = input.shape
    x, g, count = _rows(input), _rows(g), count_of(shape, groups)
    sums, products = np.empty(len(x)), np.empty(len(x))
    center = _spread(np.asarray(mean, np.float64), shape, groups)
    _kernels.row_products(g, x, center, sums, products)
    weights = _channel_table(weight, shape, 1.0)
    inverse = 1.0 / np.sqrt(np.asarray(variance, np.float64) + eps)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_u = _gather(sums * weights, shape, groups) / count
        mean_product = _gather(products * weights, shape, groups) / count
    out = np.empty_like(x)
    _kernels.row_combine(
        g,
        x,
        center,
        _spread(inverse, shape, groups) * weights,
        _spread(-mean_product * inverse**3, shape, groups),
        _spread(-mean_u * inverse, shape, groups),
        out,
    )
    return out.reshape(shape)


def _weight_reference(g, input, mean, variance, groups, eps):
    hat = norm_reference(input, None, None, groups, eps)[0]
    return (g * hat).sum((0, *range(2, g.ndim)))


@op(
    grad=dict(
        g=lambda h, input, groups, eps: channel_norm(input, h, None, groups, eps)[0],
        input=lambda h, g, input, mean, variance, groups, eps: channel_norm_input(
            g, input, h, mean, variance, groups, eps),
    ),
    samples=lambda rng: (case(*c.args[:2], *c.args[3:]) for c in _gradient_cases(rng)),
    reference=_weight_reference,
    exempt={"zero_dim": "takes 2 dimensions or more",
            "gradient": "mean and variance belong to the input; checked as second order of channel_norm",
            "second_order": "as gradient"},
)
def channel_norm_weight(g, input, mean, variance, groups, eps):
    """Gradient of `channel_norm` with respect to its weight: sums of g * (input - mean) / std.

    >>> two, one = np.array([2.0]), np.array([1.0])
    >>> channel_norm_weight(np.ones((2, 1)), np.array([[1.0], [3.0]]), two, one, None, 0)
    array([0.])
    """
    shape = input.shape
    x = _rows(input)
    sums, products = np.empty(len(x)), np.empty(len(x))
    _kernels.row_products(
        _rows(g), x, _spread(np.asarray(mean, np.float64), shape, groups), sums, products
    )
    inverse = 1.0 / np.sqrt(np.asarray(variance, np.float64) + eps)
    return (products * _spread(inverse, shape, groups)).reshape(shape[:2]).sum(0).astype(input.dtype)


def _scaled(values, weight):
    return values if weight is None else mul(values, per_channel(weight, values.ndim))
