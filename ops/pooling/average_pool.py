"""Average pooling in one and two dimensions, and pooling by a power mean.

The mean over windows is linear: its gradient is the transposed map, and the gradient of that is the mean
over windows again.  The windows are those of `ops.pooling.windows`.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np

import ops
from ops.core import Bad, case, composite, op
from ops.lazy import LazyModule
from ops.pooling.max_pool import largest_of, max_pool1d, max_pool2d
from ops.pooling.windows import (
    IMAGES,
    INNER,
    NUMBER_OR_NONE,
    all_places,
    bad_windows,
    in_known_layout,
    planes,
    shape_and_dtype,
    sizes_of,
    windows_over,
)
from ops.reduction.totals import INT64
from ops.samples import spaced
from ops.shape.layout import squeeze, unsqueeze

__all__ = ["avg_pool1d", "avg_pool2d", "avg_pooling", "avg_pooling_backward", "lp_pool1d", "lp_pool2d"]

_kernels = LazyModule("ops.kernels.pool")


class Averages(NamedTuple):
    """The windows over planes of a size (H, W), their number, and what their sums are divided by; checked."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    count: tuple[int, int]
    count_include_pad: bool
    divisor_override: int | None
    size: tuple[int, int]


# ------------------------------------------------------------------ the mean and its transpose


def _average_cases(rng):
    for image, *options in zip(IMAGES, (True, False, True, True), (None, None, 3, None)):
        shape, *window, _, ceil_mode = image
        count = tuple(map(len, all_places(shape[-2:], *window, ceil_mode=ceil_mode)))
        yield case(spaced(rng, shape), Averages(*window, count, *options, shape[-2:]))


def _average_matrix(windows):
    """Average pooling of one plane as a matrix (Ho * Wo, H * W)."""
    matrix = np.zeros((*windows.count, *windows.size))
    rows, columns = all_places(windows.size, *windows[:3], 1, True)
    for i, j in np.ndindex(*windows.count):
        window = [(h, w) for h in rows[i] for w in columns[j]]
        # A window that reaches beyond the padded plane (ceil_mode) never counts what is there.
        counted = [place for place in window if all(
            -p * windows.count_include_pad <= x < n + p * windows.count_include_pad
            for x, n, p in zip(place, windows.size, windows.padding))]
        for h, w in counted:
            if 0 <= h < windows.size[0] and 0 <= w < windows.size[1]:
                matrix[i, j, h, w] = 1 / (windows.divisor_override or len(counted))
    return matrix.reshape(math.prod(windows.count), math.prod(windows.size))


def _average_reference(input, windows):
    matrix = _average_matrix(windows)
    result = input.reshape(-1, matrix.shape[1]) @ matrix.T
    return result.reshape(*input.shape[:-2], *windows.count)


@op(
    grad=dict(input=lambda g, windows: avg_pooling_backward(g, windows)),
    samples=_average_cases, reference=_average_reference, exempt=INNER,
)
def avg_pooling(input, windows):
    """`avg_pool2d` of images (..., H, W) and `Averages`.

    >>> avg_pooling(np.eye(2)[None], Averages((2, 2), (2, 2), (0, 0), (1, 1), True, None, (2, 2)))
    array([[[0.5]]])
    """
    if input.dtype.kind != "f":
        means = _kernels.avg_pool2d_of_integers(planes(input), *windows[:6])
        return means.reshape(input.shape[:-2] + windows.count)
    if input.flags.c_contiguous:
        return _kernels.prepared_average(input.dtype, input.shape, windows)(input)
    return _kernels.avg_pool2d(in_known_layout(input), *windows[:6])


def _backward_cases(rng):
    for c in _average_cases(rng):
        input, windows = c.args
        yield case(spaced(rng, (*input.shape[:-2], *windows.count)), windows)


def _backward_reference(input, windows):
    matrix = _average_matrix(windows)
    return (input.reshape(-1, len(matrix)) @ matrix).reshape(*input.shape[:-2], *windows.size)


@op(
    grad=dict(input=lambda g, windows: avg_pooling(g, windows)),
    samples=_backward_cases, reference=_backward_reference, exempt=INNER,
)
def avg_pooling_backward(input, windows):
    """The transpose of `avg_pooling`: every mean (..., Ho, Wo) is shared out to its window.

    >>> windows = Averages((2, 2), (2, 2), (0, 0), (1, 1), True, None, (2, 2))
    >>> avg_pooling_backward(np.ones((1, 1, 1)), windows)
    array([[[0.25, 0.25],
            [0.25, 0.25]]])
    """
    kernel, stride, padding, _, *divisor, size = windows
    return _kernels.avg_pool2d_backward(in_known_layout(input), kernel, stride, padding, size, *divisor)


# ------------------------------------------------------------------ what users call


def _averages_for(name, dims, input, kernel_size, stride, padding, ceil_mode, count_include_pad,
                  divisor_override) -> Averages:
    """The windows over images, or over signals as images of one row, from the arguments of a user."""
    plain = type(kernel_size) is type(padding) is int and type(stride) in NUMBER_OR_NONE \
        and type(divisor_override) in NUMBER_OR_NONE
    return (_averages_of_numbers if plain else _averages)(
        name, dims, *shape_and_dtype(name, input), kernel_size, stride, padding, ceil_mode, count_include_pad,
        divisor_override)


def _averages(name, dims, shape, dtype, kernel_size, stride, padding, ceil_mode, count_include_pad,
              divisor_override) -> Averages:
    """The windows over an input of this shape and dtype, checked."""
    windows = windows_over(name, dims, shape, dtype, kernel_size, stride, padding, 1, ceil_mode, also=INT64)
    if divisor_override is not None:
        divisor_override, = sizes_of(name, "divisor_override", divisor_override, 1)
        if divisor_override == 0:
            raise RuntimeError("divisor must be not zero; divisor_override=None divides by the number "
                               "of elements")
    size = shape[-2:] if dims == 2 else (1, shape[-1])
    return Averages(*windows[:3], windows.count, bool(count_include_pad), divisor_override, size)


_averages_of_numbers = functools.lru_cache(maxsize=1024)(_averages)


def _avg_pool2d_cases(rng):
    for image, *options in zip(IMAGES, (True, False, True, True), (None, None, -3, None)):
        shape, kernel, stride, padding, _, ceil_mode = image
        yield case(spaced(rng, shape), kernel, stride, padding, ceil_mode, *options)
    yield case(spaced(rng, (1, 5, 5)), 2)


def _avg_pool2d_reference(input, kernel_size, stride=None, padding=0, ceil_mode=False,
                          count_include_pad=True, divisor_override=None):
    window = [tuple(map(int, np.broadcast_to(v, 2)))
              for v in (kernel_size, kernel_size if stride is None else stride, padding)]
    count = tuple(map(len, all_places(input.shape[-2:], *window, ceil_mode=ceil_mode)))
    windows = Averages(*window, count, count_include_pad, divisor_override, input.shape[-2:])
    return _average_reference(input, windows)


_BAD_DIVISORS = [
    Bad((np.ones((1, 4, 4)), 2), {"divisor_override": 0}, RuntimeError, "divisor must be not zero"),
    Bad((np.ones((1, 4, 4)), 2), {"divisor_override": 1.5}, TypeError, "divisor_override.*not float"),
]


@composite(samples=_avg_pool2d_cases, reference=_avg_pool2d_reference,
           bad=[*bad_windows(1, 3, 8, 8), *_BAD_DIVISORS], exempt={"zero_dim": "takes images"})
def avg_pool2d(input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True,
               divisor_override=None):
    """The mean of each window of images.

    Args:
        input: (N, C, H, W) or (C, H, W), floating point or int64 (the mean is then cut to an integer).
        kernel_size, padding: one number or (vertical, horizontal).
        stride: likewise; None is the kernel size.
        ceil_mode: keep a last window that reaches beyond the padded image, if it starts inside.
        count_include_pad: whether the zeros of the padding count as elements.
        divisor_override: divide the sums by this number instead of the number of elements.

    Raises:
        RuntimeError: if the shape or the windows do not fit; the text has the sizes.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.avg_pool2d.html

    >>> avg_pool2d(np.arange(16.0).reshape(1, 4, 4), 2)
    array([[[ 2.5,  4.5],
            [10.5, 12.5]]])
    """
    return avg_pooling(input, _averages_for("avg_pool2d", 2, input, kernel_size, stride, padding, ceil_mode,
                                            count_include_pad, divisor_override))


def _avg_pool1d_cases(rng):
    yield case(spaced(rng, (2, 2, 6)), 2)
    yield case(spaced(rng, (2, 7)), 3, 2, 1, True, False)
    yield case(spaced(rng, (1, 2, 6)), (3,), 2, 1, ceil_mode=True)
    yield case(spaced(rng, (0, 2, 6)), 2)


def _avg_pool1d_reference(input, kernel_size, stride=None, padding=0, *options, **more):
    kernel, step = (np.broadcast_to(v, 1)[0] for v in (kernel_size, stride or kernel_size))
    window = (1, kernel), (1, step), (0, padding)
    return _avg_pool2d_reference(input[..., None, :], *window, *options, **more)[..., 0, :]


@composite(samples=_avg_pool1d_cases, reference=_avg_pool1d_reference, bad=bad_windows(1, 3, 8),
           exempt={"zero_dim": "takes signals"})
def avg_pool1d(input, kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True):
    """The mean of each window of signals (N, C, L) or (C, L); as `avg_pool2d`.

    >>> avg_pool1d(np.array([[1.0, 3.0, 2.0, 0.0]]), 2)
    array([[2., 1.]])
    """
    options = kernel_size, stride, padding, ceil_mode, count_include_pad, None
    windows = _averages_for("avg_pool1d", 1, input, *options)
    return squeeze(avg_pooling(unsqueeze(input, -2), windows), -2)


# ------------------------------------------------------------------ power means


def _lp_pool(name, dims, input, norm_type, kernel_size, stride, ceil_mode):
    largest, average = ((max_pool1d, avg_pool1d), (max_pool2d, avg_pool2d))[dims - 1]
    if abs(norm_type) == math.inf:
        sign = math.copysign(1.0, norm_type)
        signed = ops.mul(ops.abs(input), sign)
        return ops.mul(largest(signed, kernel_size, stride, ceil_mode=ceil_mode), sign)
    mean = average(ops.pow(input, norm_type), kernel_size, stride, ceil_mode=ceil_mode)
    # As in PyTorch: the relu lets no gradient, which is infinite there, out of a window of zeros.
    mean = ops.mul(ops.sign(mean), ops.relu(ops.abs(mean)))
    # The sum is the mean times the full kernel, also for a window that ceil_mode cut: so PyTorch has it.
    count = math.prod(sizes_of(name, "kernel_size", kernel_size, dims))
    return ops.pow(ops.mul(mean, count), 1 / norm_type)


def _lp_pool2d_cases(rng):
    yield case(spaced(rng, (2, 2, 4, 4), 0.5, 2.5), 2, 2)
    yield case(spaced(rng, (1, 5, 5), 0.5, 2.5), 3.5, (2, 3), (2, 1), True)
    yield case(spaced(rng, (1, 5, 4), 0.5, 2.5), math.inf, 2)
    yield case(spaced(rng, (0, 1, 4, 4), 0.5, 2.5), 1, 2)


def _lp_pool2d_reference(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    if norm_type == math.inf:
        return largest_of(abs(input), *all_places(input.shape[-2:], kernel_size, stride))[0]
    mean = _avg_pool2d_reference(input ** norm_type, kernel_size, stride, 0, ceil_mode)
    return (mean * math.prod(np.broadcast_to(kernel_size, 2).tolist())) ** (1 / norm_type)


@composite(
    samples=_lp_pool2d_cases, reference=_lp_pool2d_reference, exempt={"zero_dim": "takes images"},
    bad=[Bad((np.ones((1, 4, 4)), 2, 5), {}, RuntimeError, "Output size is too small"),
         Bad((np.ones((4, 4)), 2, 2), {}, RuntimeError, "Expected 3D or 4D")],
)
def lp_pool2d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """Power mean of each window of images without the division: ``(sum x ** p) ** (1 / p)``.

    Args:
        input: (N, C, H, W) or (C, H, W).
        norm_type: the power p; infinity takes the largest absolute value.
        kernel_size, stride, ceil_mode: as in `avg_pool2d`.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.lp_pool2d.html

    >>> lp_pool2d(np.array([[[3.0, 0.0], [0.0, 4.0]]]), 2, 2)
    array([[[5.]]])
    """
    return _lp_pool("lp_pool2d", 2, input, norm_type, kernel_size, stride, ceil_mode)


@composite(
    samples=lambda rng: iter([case(spaced(rng, (2, 2, 6), 0.5, 2.5), 2, 2),
                              case(spaced(rng, (2, 7), 0.5, 2.5), 3, 3, 2, True),
                              case(spaced(rng, (0, 2, 6), 0.5, 2.5), 2, 2)]),
    reference=lambda input, norm_type, kernel_size, stride=None, ceil_mode=False: _lp_pool2d_reference(
        input[..., None, :], norm_type, (1, kernel_size), stride and (1, stride), ceil_mode)[..., 0, :],
    exempt={"zero_dim": "takes signals"},
    bad=[Bad((np.ones((1, 4)), 2, 5), {}, RuntimeError, "Output size is too small")],
)
def lp_pool1d(input, norm_type, kernel_size, stride=None, ceil_mode=False):
    """Power mean without the division of each window of signals (N, C, L) or (C, L); as `lp_pool2d`.

    >>> lp_pool1d(np.array([[3.0, 4.0, 1.0, 0.0]]), 2, 2)
    array([[5., 1.]])
    """
    return _lp_pool("lp_pool1d", 1, input, norm_type, kernel_size, stride, ceil_mode)
