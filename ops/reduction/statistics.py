"""Covariance, quantiles and integrals of sampled functions, written with other ops."""

from __future__ import annotations

import numpy as np

from ops.core import Bad, array_of, case, composite
from ops.dims import wrap_dim
from ops.elementwise.arithmetic import add, mul, sub
from ops.elementwise.clamping import clamp
from ops.elementwise.division import div
from ops.elementwise.exponential import sqrt
from ops.elementwise.masking import where
from ops.indexing.gather import gather
from ops.indexing.spans import narrow
from ops.matrix.products import matmul
from ops.reduction.scan import cumsum
from ops.reduction.sorting import sort
from ops.reduction.totals import sum
from ops.samples import spaced
from ops.shape.diagonals import diagonal
from ops.shape.layout import reshape, squeeze, transpose, unsqueeze
from ops.shape.views import movedim

__all__ = ["corrcoef", "cov", "cumulative_trapezoid", "nanquantile", "quantile", "trapezoid", "trapz"]


# ------------------------------------------------------------------ covariance


def _cov_cases(rng):
    yield case(spaced(rng, (3, 5)))
    yield case(spaced(rng, (4,)), correction=0)
    yield case(
        spaced(rng, (2, 4)), fweights=np.array([1, 2, 1, 3]), aweights=np.array([0.5, 1.0, 0.25, 1.0])
    )


@composite(
    samples=_cov_cases,
    reference=lambda input, correction=1, fweights=None, aweights=None: np.cov(
        input, ddof=correction, fweights=fweights, aweights=aweights
    ),
    exempt={"empty": "no observations, no covariance", "zero_dim": "one number does not vary"},
    bad=[
        Bad((np.ones((2, 2, 2)),), {}, RuntimeError, "two or fewer dimensions"),
        Bad((np.ones((2, 3)),), {"fweights": np.ones(3)}, RuntimeError, "integral dtype"),
    ],
)
def cov(input, *, correction=1, fweights=None, aweights=None):
    """The covariance matrix of variables (rows) from observations (columns); a number for one variable.

    Args:
        input: (variables, observations) or (observations,).
        correction: 1 divides by one less than the number of observations.
        fweights: how often each observation was made, integers.
        aweights: how much each observation counts.

    >>> cov(np.array([[0.0, 2.0], [0.0, 4.0]]))
    array([[2., 4.],
           [4., 8.]])
    """
    if input.ndim > 2:
        raise RuntimeError(f"cov(): expected input to have two or fewer dimensions but got {input.ndim}")
    if fweights is not None and array_of(fweights).dtype.kind not in "iu":
        raise RuntimeError(
            "cov(): expected fweights to have integral dtype but got fweights of "
            f"{array_of(fweights).dtype}; use aweights for fractions"
        )
    if aweights is not None and array_of(aweights).dtype.kind != "f":
        raise RuntimeError(
            "cov(): expected aweights to have floating point dtype but got aweights with "
            f"{array_of(aweights).dtype}; use fweights for counts"
        )
    rows = reshape(input, (1, -1)) if input.ndim < 2 else input
    weights = fweights if aweights is None else aweights if fweights is None else mul(fweights, aweights)
    if weights is None:
        total, norm = rows.shape[1], rows.shape[1] - correction
        centred = sub(rows, div(sum(rows, 1, keepdim=True), total))
        scaled = centred
    else:
        total = sum(weights)
        norm = (
            total - correction
            if aweights is None
            else sub(total, div(mul(sum(mul(weights, aweights)), correction), total))
        )
        centred = sub(rows, div(sum(mul(rows, weights), 1, keepdim=True), total))
        scaled = mul(centred, weights)
    result = div(matmul(scaled, transpose(centred, 0, 1)), norm)
    return reshape(result, ()) if input.ndim < 2 else result


@composite(
    samples=lambda rng: iter([case(spaced(rng, (3, 5))), case(spaced(rng, (2, 4)) * 3 + 1)]),
    reference=lambda input: np.corrcoef(input),
    exempt={"empty": "no observations, no correlation", "zero_dim": "one number does not vary"},
    bad=[Bad((np.ones((2, 2, 2)),), {}, RuntimeError, "two or fewer dimensions")],
)
def corrcoef(input):
    """Pearson's correlation of variables (rows) over observations (columns), within [-1, 1].

    >>> corrcoef(np.array([[0.0, 2.0], [4.0, 0.0]]))
    array([[ 1., -1.],
           [-1.,  1.]])
    """
    covariance = cov(input)
    if covariance.ndim == 0:
        return div(covariance, covariance)
    spread = sqrt(diagonal(covariance))
    return clamp(div(div(covariance, unsqueeze(spread, 1)), unsqueeze(spread, 0)), -1, 1)


# ------------------------------------------------------------------ quantiles

_ROUNDINGS = ("linear", "lower", "higher", "nearest", "midpoint")


def _between(rank, low: np.ndarray, interpolation: str):
    """How much of the upper neighbour counts, for places ``rank`` above ``low``."""
    if interpolation == "linear":
        return sub(rank, low.astype(array_of(rank).dtype))
    values = array_of(rank)
    upwards = np.ceil(values) - low
    return {
        "lower": 0 * upwards,
        "higher": upwards,
        "nearest": np.round(values) - low,
        "midpoint": 0.5 * upwards,
    }[interpolation].astype(values.dtype)


def _check_quantile(name: str, values, q, dtype, interpolation: str) -> None:
    if values.dtype.kind != "f":
        raise RuntimeError(
            f"{name}() input tensor must be either float or double dtype, got {values.dtype}"
        )
    if interpolation not in _ROUNDINGS:
        raise RuntimeError(
            f"{name}() interpolation must be one of {', '.join(_ROUNDINGS)}, but got {interpolation}"
        )
    if q.ndim > 1:
        raise RuntimeError(f"{name}() q must be a scalar or 1D tensor, got {q.ndim} dimensions")
    if ((q < 0) | (q > 1)).any():
        raise RuntimeError(f"{name}() q must be in the range [0, 1] but got {q.tolist()}")


def _quantile(name: str, input, q, dim, keepdim: bool, interpolation: str, ignore_nan: bool):
    values = array_of(input)
    if not isinstance(array_of(q), (int, float, np.ndarray, np.generic)):
        raise TypeError(
            f"{name}(): argument 'q' (position 2) must be Tensor or float, not {type(q).__name__}"
        )
    if isinstance(array_of(q), (int, float)):
        q = np.asarray(q, values.dtype if values.dtype.kind == "f" else None)
    _check_quantile(name, values, array_of(q), values.dtype, interpolation)
    ndim = values.ndim
    if values.size == 0:
        raise RuntimeError(f"{name}() input tensor must be non-empty")
    row = (
        reshape(input, (-1,))
        if dim is None
        else movedim(input, wrap_dim(dim, ndim), -1)
        if ndim
        else (reshape(input, (1,)))
    )
    ordered = sort(row, -1)[0]
    found = np.isnan(array_of(row))
    last = (~found).sum(-1) - 1 if ignore_nan else np.full(found.shape[:-1], found.shape[-1] - 1)
    ranks = mul(
        reshape(q, (-1,)), np.maximum(last, 0)[..., None].astype(array_of(q).dtype)
    )  # (..., quantiles)
    low = np.floor(array_of(ranks)).astype(np.int64)
    high = np.ceil(array_of(ranks)).astype(np.int64)
    part = _between(ranks, low, interpolation)
    lower, upper = gather(ordered, -1, low), gather(ordered, -1, high)
    result = add(lower, mul(sub(upper, lower), part))
    nothing = (last < 0) if ignore_nan else found.any(-1)
    if nothing.any():
        result = where(nothing[..., None], np.array(np.nan, values.dtype), result)
    result = movedim(result, -1, 0)
    if keepdim:
        for place in range(ndim) if dim is None else [wrap_dim(dim, ndim)]:
            result = unsqueeze(result, place + 1)
    return squeeze(result, 0) if array_of(q).ndim == 0 else result


def _quantile_cases(rng):
    yield case(spaced(rng, (7,)), 0.3)
    yield case(spaced(rng, (3, 4)), np.array([0.25, 0.5, 0.9]), 1)
    yield case(spaced(rng, (3, 4)), 0.6, 0, True)
    yield case(spaced(rng, (2, 3)), 0.4, interpolation="nearest")
    yield case(spaced(rng, (2, 3)), 0.7, interpolation="midpoint")
    yield case(spaced(rng, ()), 0.5)


def _reference(function):
    def compare(input, q, dim=None, keepdim=False, *, interpolation="linear"):
        return function(input, q, axis=dim, keepdims=keepdim, method=interpolation)

    return compare


_EMPTY = {"empty": "there is no quantile of nothing, as in PyTorch"}
_BAD_Q = [
    Bad((np.ones(2), 1.5), {}, RuntimeError, r"range \[0, 1\] but got 1.5"),
    Bad((np.ones(2, np.int64), 0.5), {}, RuntimeError, "float or double dtype"),
    Bad((np.ones(2), 0.5), {"interpolation": "cubic"}, RuntimeError, "interpolation must be one of"),
]


@composite(
    differentiable=("input", "q"),
    samples=_quantile_cases,
    reference=_reference(np.quantile),
    exempt=_EMPTY,
    bad=_BAD_Q,
)
def quantile(input, q, dim=None, keepdim=False, *, interpolation="linear"):
    """The values below which the fractions ``q`` of the elements lie; NaN where an element is NaN.

    Args:
        q: number or (Q,) within [0, 1]; the result gets Q as its first dimension.
        dim: None for all elements.
        interpolation: between two elements: linear, lower, higher, nearest or midpoint.

    >>> quantile(np.array([0.0, 1.0, 2.0]), 0.25)
    array(0.5)
    """
    return _quantile("quantile", input, q, dim, keepdim, interpolation, ignore_nan=False)


@composite(
    samples=lambda rng: iter(
        [
            case(np.array([[3.0, np.nan, 1.0], [2.5, 0.5, np.nan]]), np.array([0.2, 0.9]), 1, True),
            case(spaced(rng, (5,)), 0.3),
            case(spaced(rng, ()), 0.5),
        ]
    ),
    reference=_reference(np.nanquantile),
    exempt=_EMPTY,
    bad=_BAD_Q,
)
def nanquantile(input, q, dim=None, keepdim=False, *, interpolation="linear"):
    """`quantile` of the elements that are not NaN.

    >>> nanquantile(np.array([0.0, np.nan, 2.0]), 0.5)
    array(1.)
    """
    return _quantile("nanquantile", input, q, dim, keepdim, interpolation, ignore_nan=True)


# ------------------------------------------------------------------ integrals


def _areas(name: str, y, x, dx, dim):
    """The areas of the trapezoids between neighbours along ``dim``."""
    if array_of(y).dtype.kind == "b":
        raise RuntimeError(
            f"{name}: received a bool input for `y`, but bool is not supported; convert it: y.float()"
        )
    dim = wrap_dim(dim, y.ndim)
    count = y.shape[dim]
    means = div(add(narrow(y, dim, 0, count - 1), narrow(y, dim, 1, count - 1)), 2)
    if x is None:
        return mul(means, dx), dim
    if x.ndim == 1:
        x = reshape(x, tuple(-1 if place == dim else 1 for place in range(y.ndim)))
    along = wrap_dim(dim - y.ndim, x.ndim)
    steps = sub(narrow(x, along, 1, x.shape[along] - 1), narrow(x, along, 0, x.shape[along] - 1))
    return mul(means, steps), dim


def _trapezoid_reference(y, x=None, *, dx=1, dim=-1):
    return np.trapezoid(y, x, dx, dim)


def _trapezoid_cases(rng):
    yield case(spaced(rng, (5,)))
    yield case(spaced(rng, (2, 4)), np.array([0.0, 0.5, 2.0, 2.5]))
    yield case(spaced(rng, (3, 2)), dx=0.5, dim=0)
    yield case(spaced(rng, (0, 3)))


_INTEGRATES = dict(
    differentiable=("y", "x"),
    samples=_trapezoid_cases,
    exempt={"zero_dim": "a point has no neighbours"},
    bad=[Bad((np.ones((2, 3)),), {"dim": 2}, IndexError, "Dimension out of range")],
)


@composite(reference=_trapezoid_reference, **_INTEGRATES)
def trapezoid(y, x=None, *, dx=1, dim=-1):
    """The integral along ``dim`` by the trapezoidal rule.

    Args:
        y: values of the function.
        x: where they were taken, (n,) or of the shape of ``y``.
        dx: the distance of neighbours if ``x`` is not given.

    >>> trapezoid(np.array([1.0, 2.0, 3.0]))
    np.float64(4.0)
    """
    areas, dim = _areas("trapezoid", y, x, dx, dim)
    return sum(areas, dim)


@composite(reference=_trapezoid_reference, **_INTEGRATES)
def trapz(y, x=None, *, dx=1, dim=-1):
    """Former name of `trapezoid`.

    >>> trapz(np.array([1.0, 2.0, 3.0]))
    np.float64(4.0)
    """
    return trapezoid(y, x, dx=dx, dim=dim)


def _cumulative_reference(y, x=None, *, dx=1, dim=-1):
    from scipy.integrate import cumulative_trapezoid

    return cumulative_trapezoid(y, x, dx, dim)


@composite(reference=_cumulative_reference, **_INTEGRATES)
def cumulative_trapezoid(y, x=None, *, dx=1, dim=-1):
    """The integrals from the first point to each of the others, see `trapezoid`.

    >>> cumulative_trapezoid(np.array([1.0, 2.0, 3.0]))
    array([1.5, 4. ])
    """
    areas, dim = _areas("cumulative_trapezoid", y, x, dx, dim)
    return cumsum(areas, dim)
