"""Largest and smallest elements, and where they are.

NaN wins against every number, so it propagates through ``max`` and ``min`` alike, as in PyTorch.
A reduction that returns indices sends its gradient to the element chosen; one that returns values alone
shares it evenly among ties.
"""

from __future__ import annotations

import builtins

import numpy as np

from ops.core import Bad, Traced, array_of, case, composite, op
from ops.elementwise.arithmetic import mul
from ops.elementwise.clamping import maximum, minimum
from ops.elementwise.division import div
from ops.elementwise.pointwise import LARGE, SEVERAL, tensor_only
from ops.indexing.gather import scattered
from ops.indexing.places import pick_along
from ops.lazy import LazyModule
from ops.reduction.totals import BAD_DIMS, keep_reduced, normalize_dims, reduce_cases, reduce_over
from ops.samples import NO_TENSOR, spaced
from ops.shape.layout import reshape

__all__ = ["amax", "amin", "aminmax", "argmax", "argmin", "max", "max_all", "max_dim", "min", "min_all",
           "min_dim"]

_select = LazyModule("ops.kernels.select")


# ------------------------------------------------------------- shared by the forward functions and rules


def one_dim(dim, ndim: int) -> int:
    """``dim`` as one axis, 0 for a 0-d array; several are a TypeError.

    >>> one_dim(-1, 3), one_dim(-1, 0)
    (2, 0)
    """
    if type(dim) is int and -ndim <= dim < ndim:
        return dim % ndim
    if isinstance(dim, (tuple, list)):
        raise TypeError(f"argument 'dim' must be int, not {type(dim).__name__} ({dim!r})")
    return (normalize_dims(dim, ndim) or (0,))[0]


def at_least_1d(input):
    """A 0-d array as an array of one element; others unchanged.

    >>> at_least_1d(np.array(2.0))
    array([2.])
    """
    return input.reshape(1) if input.ndim == 0 else input


def require_elements(name: str, input, dim) -> None:
    """Refuse to choose an element where there is none.

    Raises:
        RuntimeError: if everything is reduced and there is nothing.
        IndexError: if a reduced dimension has size 0.
    """
    tensor_only(input)
    if dim is None or dim == ():
        if input.size == 0:
            error = IndexError if name.startswith("arg") else RuntimeError
            raise error(f"{name}(): Expected reduction dim to be specified for input.numel() == 0, got "
                        f"shape {input.shape}. Specify the reduction dim with the 'dim' argument.")
        return
    for d in normalize_dims(dim, input.ndim):
        if input.shape[d] == 0:
            raise IndexError(f"{name}(): Expected reduction dim {d} to have non-zero size, got shape "
                             f"{input.shape}.")


def send_to(g, shape: tuple[int, ...], dim, indices):
    """Gradient of elements chosen along ``dim``: ``g`` at the chosen indices, zeros elsewhere."""
    if not shape:
        return reshape(g, ())
    if g.ndim < len(shape):
        g = keep_reduced(g, shape, dim)
    indices = array_of(indices).reshape(g.shape)
    return scattered(g, normalize_dims(dim, len(shape))[0], indices, shape)


def _share(g, input, ans, dim=None):
    """Gradient of an extreme value, in equal parts to all elements that equal it."""
    values = array_of(input)
    return _share_among(values == keep_reduced(array_of(ans), values.shape, dim), g, values, dim)


def share_among_ties(g, input, ans):
    """`_share` for ops without ``dim``, which count NaN as equal to NaN."""
    values, extreme = array_of(input), array_of(ans)
    return _share_among(np.isnan(values) if np.isnan(extreme) else values == extreme, g, values, None)


def _share_among(chosen, g, values, dim):
    count = np.add.reduce(chosen, axis=normalize_dims(dim, values.ndim), keepdims=True,
                          dtype=values.dtype)
    return mul(div(keep_reduced(g, values.shape, dim), count), chosen)


def choose(input, dim, keepdim: bool, positions) -> tuple:
    """The values at ``positions`` (with the dimension kept) and the positions themselves, int64."""
    if input.ndim == 0:
        return input.copy(), np.zeros((), np.int64)
    values = pick_along(input, positions, dim)
    return (values, positions) if keepdim else (values.squeeze(dim), positions.squeeze(dim))


# ------------------------------------------------------------------ samples

_NO_EMPTY = {"empty": "nothing to choose from is an error; see the bad calls"}
BAD_CHOICE = [*BAD_DIMS[:1], Bad((np.ones((0, 3)), 0), {}, IndexError, "Expected reduction dim 0 to "
                                                                       "have non-zero size")]
_BAD_ALL = [Bad((np.ones(0),), {}, RuntimeError, "Specify the reduction dim"), NO_TENSOR]


def _cases(rng):
    yield from (c for c in reduce_cases(rng) if np.size(c.args[0]))
    yield case(spaced(rng, (0, 3)), 1)


def all_cases(rng):
    """Samples of a reduction of all elements."""
    return (case(spaced(rng, shape)) for shape in ((), (5,), (2, 3, 4)))


def dim_cases(rng):
    """Samples of a reduction along one dimension."""
    yield case(spaced(rng, (2, 3, 4)), 1)
    yield case(spaced(rng, (2, 3, 4)), -1, True)
    yield case(spaced(rng, ()), 0)
    yield case(spaced(rng, (0, 3)), 1)


def _dim_reference(position):
    """Reference of an op that chooses one element a row: ``position(row)`` says which."""

    def reference(input, dim=-1, keepdim=False):
        if np.ndim(input) == 0:
            return input, np.array(0)
        found = np.apply_along_axis(position, dim, input) if np.size(input) else np.zeros(len(input),
                                                                                          int)
        values = np.take_along_axis(input, np.expand_dims(found, dim), dim)
        if keepdim:
            return values, np.expand_dims(found, dim)
        return values.squeeze(dim), found

    return reference


def chosen_record(position):
    """The record of a reduction that returns values and the indices where they stand."""
    return dict(grad=dict(input=lambda g, input_shape, dim,
                          indices: send_to(g, input_shape, dim, indices)),
                outputs=("values", "indices"), samples=dim_cases, reference=_dim_reference(position),
                bad=BAD_CHOICE)


# ----------------------------------------------------------------- values alone: ties share the gradient


def _extreme(name: str, kind: str, ufunc, input, dim=None, keepdim: bool = False):
    """The largest or smallest elements over dimensions."""
    if type(input) is not np.ndarray:
        tensor_only(input)
    if not input.size:
        require_elements(name, input, dim)
    return reduce_over(kind, ufunc, input, dim, keepdim, input.dtype)


def _amax_record(function):
    return dict(grad=dict(input=_share), samples=_cases, bad=[*BAD_DIMS, *BAD_CHOICE],
                reference=lambda input, dim=None, keepdim=False: function(np.asarray(input), axis=dim,
                                                                          keepdims=keepdim))


@op(**_amax_record(np.max))
def amax(input, dim=None, keepdim=False):
    """Largest element over dimensions; ties share the gradient evenly.

    >>> amax(np.array([[1.0, 3.0], [2.0, 0.0]]), 1)
    array([3., 2.])
    """
    return _extreme("amax", "largest", np.maximum, input, dim, keepdim)


@op(**_amax_record(np.min))
def amin(input, dim=None, keepdim=False):
    """Smallest element over dimensions; ties share the gradient evenly.

    >>> amin(np.array([[1.0, 3.0], [2.0, 0.0]]), 1)
    array([1., 0.])
    """
    return _extreme("amin", "smallest", np.minimum, input, dim, keepdim)


@composite(
    samples=lambda rng: iter([case(spaced(rng, (2, 3))), case(spaced(rng, (2, 3)), dim=1, keepdim=True),
                              case(spaced(rng, ())), case(spaced(rng, (0, 3)), dim=1)]),
    reference=lambda input, dim=None, keepdim=False: (np.min(input, axis=dim, keepdims=keepdim),
                                                      np.max(input, axis=dim, keepdims=keepdim)),
    outputs=("min", "max"), bad=[Bad((np.ones((0, 3)),), {"dim": 0}, IndexError,
                                     "dim 0 to have non-zero size")],
)
def aminmax(input, *, dim=None, keepdim=False):
    """Smallest and largest element as a named tuple ``(min, max)``.

    >>> low, high = aminmax(np.array([1.0, 3.0, 2.0]))
    >>> float(low), float(high)
    (1.0, 3.0)
    """
    return aminmax.result_type(amin(input, dim, keepdim), amax(input, dim, keepdim))


@op(grad=dict(input=share_among_ties), samples=all_cases,
    reference=lambda input: np.sort(input, axis=None)[-1], bad=_BAD_ALL, exempt=_NO_EMPTY)
def max_all(input):
    """The largest element of all; ties share the gradient evenly.

    >>> float(max_all(np.array([1.0, 3.0])))
    3.0
    """
    if type(input) is not np.ndarray or not input.size:
        require_elements("max", input, None)
    return reduce_over("largest", np.maximum, input, None, False, input.dtype)


@op(grad=dict(input=share_among_ties), samples=all_cases,
    reference=lambda input: np.sort(input, axis=None)[0], bad=_BAD_ALL, exempt=_NO_EMPTY)
def min_all(input):
    """The smallest element of all; ties share the gradient evenly.

    >>> float(min_all(np.array([1.0, 3.0])))
    1.0
    """
    if type(input) is not np.ndarray or not input.size:
        require_elements("min", input, None)
    return reduce_over("smallest", np.minimum, input, None, False, input.dtype)


# ------------------------------------------------------------------ values and indices


def _arg_record(function):
    return dict(samples=lambda rng: (c for c in _cases(rng) if not isinstance(c.args[-1], tuple)),
                reference=lambda input, dim=None: function(input, axis=dim),
                bad=[*BAD_CHOICE, Bad((np.ones(2) > 0,), {}, RuntimeError,
                                      "does not support bool input")])


def _arg(name, function, input, dim, keepdim):
    tensor_only(input)
    if input.dtype == np.bool_:
        raise RuntimeError(f"{name}(): does not support bool input; convert first, as in input.int()")
    require_elements(name, input, dim)
    if dim is None:
        return np.asarray(function(input)).reshape((1,) * input.ndim if keepdim else ())
    position = function(at_least_1d(input), axis=one_dim(dim, input.ndim), keepdims=keepdim)
    return np.asarray(position).reshape(()) if input.ndim == 0 else position


@op(**_arg_record(np.argmax))
def argmax(input, dim=None, keepdim=False):
    """Index of the largest element along ``dim`` (the first of several), or in the flattened input.

    >>> argmax(np.array([[1.0, 3.0], [2.0, 0.0]]), 1)
    array([1, 0])
    """
    return _arg("argmax", np.argmax, input, dim, keepdim)


@op(**_arg_record(np.argmin))
def argmin(input, dim=None, keepdim=False):
    """Index of the smallest element along ``dim`` (the first of several), or in the flattened input.

    >>> argmin(np.array([[1.0, 3.0], [2.0, 0.0]]), 1)
    array([0, 1])
    """
    return _arg("argmin", np.argmin, input, dim, keepdim)


def _has_rows(input, dim: int) -> bool:
    """Whether `_select.extreme` chooses along ``dim``: where NumPy's calls take longer than their work."""
    return (SEVERAL <= input.size < LARGE and input.dtype.kind == "f" and dim == input.ndim - 1
            and input.flags.c_contiguous)


@op(**chosen_record(lambda row: builtins.max(range(len(row)), key=lambda i: row[i])))
def max_dim(input, dim, keepdim=False):
    """Largest elements along ``dim`` and their (first) indices; the gradient goes to the index.

    >>> max_dim(np.array([[1.0, 3.0], [2.0, 0.0]]), 1).indices
    array([1, 0])
    """
    tensor_only(input)
    dim = one_dim(dim, input.ndim)
    if _has_rows(input, dim):
        return _select.extreme(input, keepdim, 1)
    if not input.size:
        require_elements("max", input, dim)
    return choose(input, dim, keepdim, at_least_1d(input).argmax(dim, keepdims=True))


@op(**chosen_record(lambda row: builtins.min(range(len(row)), key=lambda i: row[i])))
def min_dim(input, dim, keepdim=False):
    """Smallest elements along ``dim`` and their (first) indices; the gradient goes to the index.

    >>> min_dim(np.array([[1.0, 3.0], [2.0, 0.0]]), 1).indices
    array([0, 1])
    """
    tensor_only(input)
    dim = one_dim(dim, input.ndim)
    if _has_rows(input, dim):
        return _select.extreme(input, keepdim, -1)
    if not input.size:
        require_elements("min", input, dim)
    return choose(input, dim, keepdim, at_least_1d(input).argmin(dim, keepdims=True))


def _three_forms(name, along, pairwise, input, dim, keepdim, other):
    """The dispatch of `max` and `min`: along a dimension, or two arrays."""
    if type(dim) is int and other is None:
        return along(input, dim, keepdim) if keepdim else along(input, dim)
    if isinstance(dim, (np.ndarray, Traced)):
        if other is not None:
            raise TypeError(f"{name}() received an invalid combination of arguments: two others")
        dim, other = None, dim
    if other is not None:
        if dim is not None:
            raise TypeError(f"{name}() received an invalid combination of arguments: dim={dim!r} and "
                            f"other; give {name}(input), {name}(input, dim, keepdim) or {name}(input, "
                            "other)")
        return pairwise(input, other)
    if dim is None:
        raise TypeError(f"{name}() received an invalid combination of arguments: no dim for keepdim")
    return along(input, dim, keepdim)


def _three_cases(rng):
    yield case(spaced(rng, (2, 3)))
    yield case(spaced(rng, ()))
    yield case(spaced(rng, (2, 3)), 1)
    yield case(spaced(rng, (2, 3)), dim=0, keepdim=True)
    yield case(spaced(rng, (0, 3)), 1)
    yield case(spaced(rng, (2, 3)), spaced(rng, (3,)) + 0.013)


def _three_reference(function, position):
    def reference(input, dim=None, keepdim=False):
        if dim is None:
            return function.reduce(input, axis=None)
        return function(input, dim) if isinstance(dim, np.ndarray) else _dim_reference(position)(input,
                                                                                                 dim,
                                                                                                 keepdim)

    return reference


_BAD_FORM = [*BAD_CHOICE, *_BAD_ALL, Bad((np.ones(2), 0), {"other": np.ones(2)}, TypeError,
                                         "invalid combination"),
             Bad((np.ones((2, 3)), (0, 1)), {}, TypeError, "must be int, not tuple")]


@composite(samples=_three_cases, reference=_three_reference(np.maximum, np.argmax), bad=_BAD_FORM,
           alone=max_all)
def max(input, dim=None, keepdim=False, *, other=None):
    """Largest elements, in three forms.

    ``max(input)`` is the largest of all; ``max(input, dim, keepdim=False)`` a named tuple
    ``(values, indices)``; ``max(input, other)`` is `maximum`, element by element.

    >>> float(max(np.array([1.0, 3.0]))), max(np.array([1.0, 3.0]), np.array([2.0, 2.0]))
    (3.0, array([2., 3.]))
    """
    if dim is None and other is None and not keepdim:
        return max_all(input)
    return _three_forms("max", max_dim, maximum, input, dim, keepdim, other)


@composite(samples=_three_cases, reference=_three_reference(np.minimum, np.argmin), bad=_BAD_FORM,
           alone=min_all)
def min(input, dim=None, keepdim=False, *, other=None):
    """Smallest elements, in the three forms of `max`.

    >>> float(min(np.array([1.0, 3.0]))), min(np.array([1.0, 3.0]), np.array([2.0, 2.0]))
    (1.0, array([1., 2.]))
    """
    if dim is None and other is None and not keepdim:
        return min_all(input)
    return _three_forms("min", min_dim, minimum, input, dim, keepdim, other)
