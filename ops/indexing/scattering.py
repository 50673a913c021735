"""Scatter with a reduction: elements for the same place are summed, multiplied, averaged or compared."""

from __future__ import annotations

import numpy as np

from ops.core import Bad, array_of, case, composite, dtype_of, op
from ops.dims import wrap_dim
from ops.elementwise.arithmetic import add, mul
from ops.elementwise.division import div, floor_divide
from ops.indexing.gather import BAD_SOURCES, gather, placed, scatter_add, scatter_cases, scatter_values
from ops.indexing.places import places_along
from ops.samples import spaced

__all__ = ["scatter", "scatter_fold", "scatter_reduce"]

_FOLDS = {"prod": np.multiply, "amax": np.maximum, "amin": np.minimum}


# ------------------------------------------------------------------ product and extremes


def _share(g, input, dim, index, src, ans):
    """The cotangent divided by the number of elements that tie for the extreme at each place."""
    input, index, src, ans = map(array_of, (input, index, src, ans))
    ties = scatter_add((input == ans).astype(ans.dtype), dim, index,
                       (src == gather(ans, dim, index)).astype(ans.dtype))
    return div(g, np.maximum(ties, 1))


def _fold_input_grad(g, input, dim, index, src, reduce, ans):
    if reduce == "prod":
        return mul(g, scatter_fold(np.ones(tuple(input.shape), dtype_of(input)), dim, index, src,
                                   "prod"))
    return mul(_share(g, input, dim, index, src, ans),
               (array_of(input) == array_of(ans)).astype(dtype_of(g)))


def _fold_src_grad(g, input, dim, index, src, reduce, ans):
    if reduce != "prod":
        winners = array_of(src) == gather(array_of(ans), dim, array_of(index))
        return mul(gather(_share(g, input, dim, index, src, ans), dim, index),
                   winners.astype(dtype_of(g)))
    zeros = (array_of(src) == 0).astype(dtype_of(g))
    count = scatter_add(np.zeros(tuple(input.shape), zeros.dtype), dim, array_of(index), zeros)
    alone = zeros * (gather(count, dim, array_of(index)) == 1)
    nonzero = add(mul(src, 1 - zeros), zeros)
    others = mul(div(gather(ans, dim, index), nonzero), 1 - zeros)  # the product of all but this one
    if alone.any():
        others = add(others, mul(gather(scatter_fold(input, dim, index, nonzero, "prod"), dim, index),
                                 alone))
    return mul(gather(g, dim, index), others)


def _fold_cases(rng):
    for sample in scatter_cases(rng, True):
        if sample.args[2].shape == sample.args[3].shape:
            for reduce in _FOLDS:
                yield case(*sample.args[:3], np.asarray(sample.args[3] + 0.013), reduce)
    yield case(spaced(rng, (2,)), 0, np.array([0, 1, 0, 1]), np.array([0.0, 2.0, 1.5, -0.5]), "prod")


@op(
    grad=dict(input=_fold_input_grad, src=_fold_src_grad),
    samples=_fold_cases,
    reference=lambda input, dim, index, src, reduce: placed(input, dim, index, src, _FOLDS[reduce]),
    bad=[Bad((np.ones(2), 0, np.array([2]), np.ones(1), "amax"), {}, RuntimeError,
             "index 2 is out of bounds for dimension 0 with size 2")],
)
def scatter_fold(input, dim, index, src, reduce):
    """`scatter_reduce` for ``"prod"``, ``"amax"`` and ``"amin"``; ties share the gradient evenly.

    >>> scatter_fold(np.ones(2), 0, np.array([0, 0]), np.array([2.0, 3.0]), "amax")
    array([3., 1.])
    """
    scatter_values(input, dim, index, src)  # for its checks
    if reduce not in _FOLDS:
        raise RuntimeError(f"reduce argument must be one of {', '.join(_FOLDS)}, got {reduce!r}")
    out = np.array(input, order="C")
    if index.size:
        places = places_along(index, wrap_dim(dim, input.ndim), input.shape) if input.ndim > 1 else index
        src = src[tuple(map(slice, index.shape))]
        _FOLDS[reduce].at(out.reshape(-1), places.reshape(-1), src.reshape(-1))
    return out


# ------------------------------------------------------------------ the public functions


def _start(input, dim, index, reduce: str):
    """``input`` with the neutral element of a reduction at all places that the index names."""
    dtype = dtype_of(input)
    if reduce in ("amax", "amin"):
        if dtype.kind in "bf":
            low, high = (False, True) if dtype.kind == "b" else (-np.inf, np.inf)
        else:
            low, high = np.iinfo(dtype).min, np.iinfo(dtype).max
        return scatter_values(input, dim, index, low if reduce == "amax" else high)
    return scatter_values(input, dim, index, 1 if reduce == "prod" else 0)


def _reduce_reference(input, dim, index, src, reduce, include_self=True):
    groups = {place: [input[place]] if include_self else [] for place in np.ndindex(input.shape)}
    for place in np.ndindex(index.shape):
        target = place[:dim] + (int(index[place]),) + place[dim + 1:]
        groups[target if input.ndim else ()].append(src[place])
    reduce = {"sum": np.sum, "prod": np.prod, "mean": np.mean, "amax": np.max, "amin": np.min}[reduce]
    return np.array([reduce(g) if g else input[place] for place,
                     g in groups.items()]).reshape(input.shape)


def _reduce_cases(rng):
    for reduce in ("sum", "prod", "mean", "amax", "amin"):
        for include in (True, False):
            yield case(spaced(rng, (3, 4)), 1, rng.integers(0, 4, (3, 5)), spaced(rng, (3, 5)) + 0.013,
                       reduce,
                       include_self=include)
    yield case(spaced(rng, ()), 0, np.array(0), np.array(0.7), "mean")
    yield case(spaced(rng, (0, 3)), 1, np.zeros((0, 2), np.int64), spaced(rng, (0, 2)), "amax")


@composite(
    differentiable=("input", "src"), samples=_reduce_cases, reference=_reduce_reference,
    bad=[Bad((np.ones(3), 0, np.array([0]), np.ones(1), "x"), {}, RuntimeError,
             "sum, prod, mean, amax or amin, got x"),
         Bad((np.ones(3), 0, np.array([3]), np.ones(1), "sum"), {}, RuntimeError,
             "index 3 is out of bounds")],
)
def scatter_reduce(input, dim, index, src, reduce, *, include_self=True):
    """``input`` with the elements of ``src`` reduced into the places that ``index`` names along ``dim``.

    Args:
        reduce: ``"sum"``, ``"prod"``, ``"mean"``, ``"amax"`` or ``"amin"``.
        include_self: whether what is there already takes part.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.scatter_reduce_.html

    >>> scatter_reduce(np.array([0.0, 1.0]), 0, np.array([0, 0]), np.array([2.0, 4.0]), "mean")
    array([2., 1.])
    """
    if reduce not in ("sum", "prod", "mean", "amax", "amin"):
        raise RuntimeError(f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}")
    start = input if include_self else _start(input, dim, index, reduce)
    if reduce in _FOLDS:
        return scatter_fold(start, dim, index, src, reduce)
    total = scatter_add(start, dim, index, src)
    if reduce == "sum":
        return total
    places = array_of(index)
    count = np.ones(tuple(input.shape), dtype_of(input))
    count = count if include_self else scatter_values(count, dim, places, 0)
    count = scatter_add(count, dim, places, np.ones(tuple(src.shape), dtype_of(input)))
    return div(total, count) if count.dtype.kind == "f" else floor_divide(total, count)


def _either_cases(rng):
    yield from scatter_cases(rng, False)
    yield case(spaced(rng, (3, 4)), 1, rng.integers(0, 4, (3, 5)), spaced(rng, (3, 5)), reduce="add")
    yield case(spaced(rng, (3, 4)), 1, rng.integers(0, 4, (3, 5)), value=2.0, reduce="add")
    yield case(spaced(rng, (3, 4)), 1, rng.integers(0, 4, (3, 5)), spaced(rng, (3, 5)),
               reduce="multiply")


_COMBINE = {None: lambda old, new: new, "add": lambda old, new: old + new,
            "multiply": lambda old, new: old * new}


@composite(
    differentiable=("input", "src"), samples=_either_cases,
    reference=lambda input, dim, index, src=None, reduce=None, value=None: placed(
        input, dim, index, value if src is None else src, _COMBINE[reduce]),
    bad=[*BAD_SOURCES,
         Bad((np.ones(3), 0, np.array([0]), 1.0), dict(reduce="x"), RuntimeError,
             "must be either add or multiply"),
         Bad((np.ones(3), 0, np.array([0])), {}, TypeError, "needs 'src' or 'value'")],
)
def scatter(input, dim, index, src=None, *, value=None, reduce=None):
    """``input`` with elements of ``src`` (or one number) written to the places that ``index`` names
    along ``dim``.

    For ``dim=1``: ``out[i, index[i, j]] = src[i, j]``.  Of several elements for one place the last one
    stays.

    Args:
        index: int32 or int64, as many dimensions as ``input``, nowhere larger except along ``dim``.
        src: array at least as large as ``index``, or a number.
        value: a number in place of ``src``.
        reduce: None writes; ``"add"`` or ``"multiply"`` combine with what is there.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.scatter_.html

    >>> scatter(np.zeros((2, 3)), 1, np.array([[0], [2]]), 1.0)
    array([[1., 0., 0.],
           [0., 0., 1.]])
    """
    if src is None and value is None:
        raise TypeError("scatter() needs 'src' or 'value', and got neither")
    if reduce not in (None, "add", "multiply"):
        raise RuntimeError(f"reduce argument must be either add or multiply, got {reduce!r}")
    if src is None:
        src = value
        if not isinstance(value, (int, float)):
            src = array_of(value).item()
    if reduce is None:
        return scatter_values(input, dim, index, src)
    if isinstance(src, (int, float)):
        src = np.full(tuple(index.shape), src, dtype_of(input))
    return scatter_reduce(input, dim, index, src, "sum" if reduce == "add" else "prod")
