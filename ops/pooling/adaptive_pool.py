"""Pooling to a given output size, whatever the input size: the largest element or the mean of each part.

Output i of a dimension looks at the input from ``floor(i * size / output)`` to ``ceil((i + 1) * size /
output)``; neighbouring parts may overlap by one place.  The mean is linear, and its gradient is the
transposed map.  The gradient of the maximum is the scatter of `ops.pooling.max_pool`.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from ops.core import Bad, case, composite, op
from ops.lazy import LazyModule
from ops.pooling.max_pool import largest_of, planes_scatter
from ops.pooling.windows import (
    INNER,
    check_shape,
    in_known_layout,
    planes,
    shape_and_dtype,
    sizes_of,
)
from ops.samples import spaced
from ops.shape.layout import squeeze, unsqueeze

__all__ = ["adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pooling",
           "adaptive_avg_pooling_backward", "adaptive_max_pool1d", "adaptive_max_pool2d",
           "adaptive_max_pooling"]

_kernels = LazyModule("ops.kernels.pool")


# ------------------------------------------------------------------ samples and slow references

_SHAPES = (((2, 2, 4, 4), (2, 2)), ((1, 5, 3), (3, 2)), ((1, 1, 2, 3), (3, 5)), ((0, 2, 4, 4), (2, 1)))


def _parts(size: int, output: int) -> list[range]:
    edges = [i * size / max(output, 1) for i in range(output + 1)]
    return [range(math.floor(first), math.ceil(last)) for first, last in zip(edges, edges[1:])]


def _matrix(size: int, output: int) -> np.ndarray:
    """The mean of each part of one dimension as a matrix (output, size)."""
    parts = _parts(size, output)
    means = [[(place in part) / len(part) for place in range(size)] for part in parts]
    return np.array(means).reshape(output, size)


def _cases(rng):
    return (case(spaced(rng, shape), output) for shape, output in _SHAPES)


def _backward_cases(rng):
    return (case(spaced(rng, (*shape[:-2], *output)), shape[-2:]) for shape, output in _SHAPES)


def _largest(input, output_size):
    return largest_of(input, *map(_parts, input.shape[-2:], output_size))


def _mean(input, output_size):
    rows, columns = map(_matrix, input.shape[-2:], output_size)
    return np.einsum("ih,...hw,jw->...ij", rows, input, columns)


def _mean_backward(input, input_size):
    rows, columns = map(_matrix, input_size, input.shape[-2:])
    return np.einsum("ih,...ij,jw->...hw", rows, input, columns)


# ------------------------------------------------------------------ closed under differentiation


@op(
    grad=dict(input=lambda g, indices, input_shape: planes_scatter(g, indices, input_shape[-2:])),
    outputs=("values", "indices"), samples=_cases, reference=_largest, exempt=INNER,
)
def adaptive_max_pooling(input, output_size):
    """`adaptive_max_pool2d` of checked arguments: maxima and flat places, both (..., *output_size).

    >>> adaptive_max_pooling(np.eye(2)[None], (1, 2))
    adaptive_max_pooling(values=array([[[1., 1.]]]), indices=array([[[0, 3]]]))
    """
    values, indices = _kernels.adaptive_max_pool2d(planes(input), output_size)
    shape = input.shape[:-2] + output_size
    return values.reshape(shape), indices.reshape(shape)


@op(
    grad=dict(input=lambda g, input_shape: adaptive_avg_pooling_backward(g, input_shape[-2:])),
    samples=_cases, reference=_mean, exempt=INNER, any_layout=True,
)
def adaptive_avg_pooling(input, output_size):
    """`adaptive_avg_pool2d` of arguments that were checked.

    >>> adaptive_avg_pooling(np.eye(2)[None], (1, 2))
    array([[[0.5, 0.5]]])
    """
    if input.flags.c_contiguous:
        return _kernels.prepared_adaptive_average(input.dtype, input.shape, output_size)(input)
    return _kernels.adaptive_avg_pool2d(in_known_layout(input), output_size)


@op(
    grad=dict(input=lambda g, input_shape: adaptive_avg_pooling(g, input_shape[-2:])),
    samples=_backward_cases, reference=_mean_backward, exempt=INNER,
)
def adaptive_avg_pooling_backward(input, input_size):
    """The transpose of `adaptive_avg_pooling`: every mean (..., Ho, Wo) is shared out to its part.

    >>> adaptive_avg_pooling_backward(np.ones((1, 1, 2)), (2, 2))
    array([[[0.5, 0.5],
            [0.5, 0.5]]])
    """
    return _kernels.adaptive_avg_pool2d_backward(in_known_layout(input), input_size)


# ------------------------------------------------------------------ what users call


def _check(name: str, dims: int, input, output_size) -> tuple[int, ...]:
    """The output size as numbers, one for each spatial dimension; None keeps that of the input."""
    find = _sizes_of_number if type(output_size) is int else _sizes_of
    return find(name, dims, *shape_and_dtype(name, input), output_size)


def _sizes_of(name: str, dims: int, shape: tuple, dtype: np.dtype, output_size) -> tuple[int, ...]:
    """`_check` for an input of this shape and dtype."""
    check_shape(name, shape, dtype, dims)
    first = 1 if "max" in name else len(shape) - dims  # a mean may have 0 channels
    if 0 in shape[first:]:
        raise RuntimeError(f"{name}(): Expected input to have non-zero size for non-batch "
                           f"dimensions, but input has sizes {list(shape)} with dimension "
                           f"{shape.index(0, first)} being empty")
    if isinstance(output_size, (tuple, list)) and dims == 2:
        if len(output_size) >= len(shape):
            raise ValueError(f"Input dimension should be at least {len(output_size) + 1} for "
                             f"output_size={output_size}, but got an input of shape {list(shape)}")
        if len(output_size) == 2:
            output_size = [size if wanted is None else wanted
                           for wanted, size in zip(output_size, shape[-2:])]
    sizes = sizes_of(name, "output_size", output_size, dims)
    if isinstance(output_size, (tuple, list)) and len(output_size) != dims:
        raise RuntimeError(f"{name}: output_size must be {dims} numbers, but got {output_size}")
    if min(sizes) < 0:
        raise RuntimeError(f"{name}: elements of output_size must be greater than or equal to 0 but "
                           f"received {sizes}")
    return sizes


_sizes_of_number = functools.lru_cache(maxsize=1024)(_sizes_of)


def _bad(*shape):
    image = np.ones(shape)
    yield Bad((image[0, 0], 2), {}, RuntimeError, r"Expected \dD or \dD.*but got: \[[\d, ]*\]")
    yield Bad((image[..., :0], 2), {}, RuntimeError, "non-zero size for non-batch dim.* being empty")
    yield Bad(([1.0], 2), {}, TypeError, r"argument 'input' \(position 1\) must be Tensor, not list")
    yield Bad((image.astype(int), 2), {}, NotImplementedError, "not implemented for 'Long'")
    yield Bad((image, 2.5), {}, TypeError, "argument 'output_size' must be .* ints, not float")
    yield Bad((image, None), {}, TypeError, "argument 'output_size' must be .* ints, not NoneType")
    yield Bad((image, (2, 2, 2)), {}, RuntimeError, "output_size must either be a single int, or a")
    yield Bad((image, -1), {}, RuntimeError, "elements of output_size must be greater than or")


def _user_cases(rng):
    yield from _cases(rng)
    yield case(spaced(rng, (1, 4, 5)), 2)
    yield case(spaced(rng, (1, 4, 5)), (None, 3))
    yield case(spaced(rng, (1, 4, 5)), (0, 3))


def _max_cases(rng):
    yield from _user_cases(rng)
    yield case(spaced(rng, (1, 4, 5)), 2, True)


def _sizes(input, output_size) -> list[int]:
    wanted = output_size if isinstance(output_size, tuple) else (output_size,) * 2
    return [n if size is None else size for n, size in zip(input.shape[-2:], wanted)]


def _signal(input, output_size, return_indices=None, reference=_mean):
    """Reference in one dimension, from that in two."""
    result = reference(input[..., None, :], (1, np.squeeze(output_size).item()))
    if return_indices is None:
        return result[..., 0, :]
    return tuple(r[..., 0, :] for r in result) if return_indices else result[0][..., 0, :]


def _signal_cases(rng):
    yield case(spaced(rng, (2, 2, 7)), 3)
    yield case(spaced(rng, (2, 3)), (5,))
    yield case(spaced(rng, (0, 2, 4)), 2)


@composite(
    samples=_user_cases, bad=_bad(1, 3, 8, 8), exempt={"zero_dim": "takes images"},
    reference=lambda input, output_size: _mean(input, _sizes(input, output_size)),
)
def adaptive_avg_pool2d(input, output_size):
    """The mean of each part of images that are cut into ``output_size`` parts.

    Args:
        input: (N, C, H, W) or (C, H, W).
        output_size: one number or (height, width); None in the place of one keeps the input's.

    Raises:
        RuntimeError: if the shape does not fit or a size is negative.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.adaptive_avg_pool2d.html

    >>> adaptive_avg_pool2d(np.arange(6.0).reshape(1, 2, 3), 1)
    array([[[2.5]]])
    """
    return adaptive_avg_pooling(input, _check("adaptive_avg_pool2d", 2, input, output_size))


@composite(samples=_signal_cases, reference=_signal, bad=_bad(1, 3, 8),
           exempt={"zero_dim": "takes signals"})
def adaptive_avg_pool1d(input, output_size):
    """The mean of each part of signals (N, C, L) or (C, L) that are cut into ``output_size`` parts.

    >>> adaptive_avg_pool1d(np.array([[1.0, 3.0, 2.0, 0.0]]), 2)
    array([[2., 1.]])
    """
    size = _check("adaptive_avg_pool1d", 1, input, output_size)
    return squeeze(adaptive_avg_pooling(unsqueeze(input, -2), (1, *size)), -2)


@composite(
    samples=_max_cases, bad=_bad(1, 3, 8, 8), exempt={"zero_dim": "takes images"},
    reference=lambda input, output_size, return_indices=False:
        _largest(input, _sizes(input, output_size))[slice(None) if return_indices else 0],
)
def adaptive_max_pool2d(input, output_size, return_indices=False):
    """The largest element of each part of images that are cut into ``output_size`` parts.

    Args:
        input: (N, C, H, W) or (C, H, W).
        output_size: one number or (height, width); None in the place of one keeps the input's.
        return_indices: return also the place of each maximum in its flat (H * W) plane, int64.

    Raises:
        RuntimeError: if the shape does not fit or a size is negative.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.adaptive_max_pool2d.html

    >>> adaptive_max_pool2d(np.arange(6.0).reshape(1, 2, 3), 1)
    array([[[5.]]])
    """
    size = _check("adaptive_max_pool2d", 2, input, output_size)
    values, indices = adaptive_max_pooling(input, size)
    return (values, indices) if return_indices else values


@composite(
    samples=lambda rng: (case(*c.args, flag) for flag in (False, True) for c in _signal_cases(rng)),
    reference=lambda *arguments: _signal(*arguments, reference=_largest),
    bad=_bad(1, 3, 8), exempt={"zero_dim": "takes signals"},
)
def adaptive_max_pool1d(input, output_size, return_indices=False):
    """The largest element of each part of signals (N, C, L) or (C, L); as `adaptive_max_pool2d`.

    >>> adaptive_max_pool1d(np.array([[1.0, 3.0, 2.0, 0.0]]), 2)
    array([[3., 2.]])
    """
    size = _check("adaptive_max_pool1d", 1, input, output_size)
    values, indices = adaptive_max_pooling(unsqueeze(input, -2), (1, *size))
    return (squeeze(values, -2), squeeze(indices, -2)) if return_indices else squeeze(values, -2)
