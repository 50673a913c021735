"""Which images, taps and pixels meet in the backward pass of a convolution block: tables of offsets.

The output's gradient stands in channels-last scratch memory with a border of zeros so wide that the
input's gradient needs no special cases.  With stride s, input pixels fall into s * s *phases*; those of
one phase meet the same taps.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from .channels_last import channel_pitch
from .conv_block_forward import BLOCK, TASKS, out_size, tap_offsets
from .halo import halo_table

__all__ = ["HEADER", "PHASE", "BackwardPlan", "backward_plan"]

HEADER = 20  # numbers of a plan before its tables
PHASE = 6  # numbers of a phase
SPLITS = 16  # partial sums of a weight gradient, at most
SUMS = 2**18  # elements of all partial sums together, at most: 1 MiB of float32


class _Axis(NamedTuple):
    """The phases of one axis: for each its input places, taps, and their offsets in the gradient."""

    before: int  # zeros before the gradient
    after: int
    phases: tuple[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray], ...]


def _axis(size, kernel, stride, padding, dilation, count) -> _Axis:
    """How input places meet taps: place + padding - tap * dilation = output * stride."""
    places, taps = np.arange(size), np.arange(kernel)
    phases, lowest, highest = [], 0, count - 1
    for phase in range(stride):
        mine = places[(places + padding) % stride == phase]
        met = taps[taps * dilation % stride == phase]
        starts, offsets = (mine + padding - phase) // stride, (met * dilation - phase) // stride
        if len(mine) and len(met):
            lowest = min(lowest, starts.min() - offsets.max())
            highest = max(highest, starts.max() - offsets.min())
        phases.append((mine, starts, met, offsets))
    return _Axis(int(-lowest), int(highest - count + 1), tuple(phases))


class BackwardPlan(NamedTuple):
    """``table`` is described at `backward_plan`; ``taps`` lists the numbers of each phase's taps."""

    table: np.ndarray
    taps: np.ndarray
    splits: int
    parts: int
    depth: int  # taps times input channels
    pitch: int  # of output channels
    in_pitch: int
    scratch: int
    packed: int


@functools.lru_cache(maxsize=256)
def backward_plan(shape, steps, weight_shape, stride, padding, dilation, pool, itemsize) -> BackwardPlan:
    """How the gradients of `forward_plan`'s convolution are formed.

    The header of the table: images, splits, parts, images of a block; output channels, pitch, rows and
    columns of the output, pool; row step, image step and first pixel of the gradient's scratch memory,
    elements of a block there; taps, row and column step between the inputs of two output pixels, number
    of phases, input pitch, elements of an image of the input's gradient, elements of a block's copy of
    the input.  Then come the halo's table, the taps' offsets, and PHASE numbers for each phase:
    pixels of an image, depth, places of its pixels, targets and taps after the phases, and of its weights.
    """
    images, channels = shape[:2]
    out_channels, kernel = weight_shape[0], weight_shape[2:]
    rows, columns = out_size(shape[2:], kernel, stride, padding, dilation)
    pitch, in_pitch = channel_pitch(out_channels, itemsize), channel_pitch(channels, itemsize)
    halo = halo_table(shape, steps, padding)
    taps = tap_offsets(channels, kernel, dilation, halo[7:11])

    depth = len(taps)
    pixels = rows * columns
    splits = max(1, min(images, SPLITS, SUMS // (depth * pitch), images * pixels // BLOCK))
    parts = 1 if splits >= TASKS else -(-TASKS // (2 * splits))
    images_each = max(1, min(-(-images // splits), BLOCK // max(1, pixels)))

    down, across = map(_axis, shape[2:], kernel, stride, padding, dilation, (rows, columns))
    row_step = (across.before + columns + across.after) * pitch
    image_step = (down.before + rows + down.after) * row_step
    lead = down.before * row_step + across.before * pitch
    blocks = np.arange(images_each)[:, None, None]
    in_image = shape[2] * shape[3] * in_pitch
    phases, tables, numbers, place, weights = [], [], [], 0, 0
    for h, h_starts, h_taps, h_offsets in down.phases:
        for w, w_starts, w_taps, w_offsets in across.phases:
            starts = h_starts[:, None] * row_step + w_starts * pitch + blocks * image_step + lead
            targets = (h[:, None] * shape[3] + w) * in_pitch + blocks * in_image
            offsets = -(h_offsets[:, None] * row_step + w_offsets * pitch).ravel()
            offsets = (np.arange(out_channels)[:, None] + offsets).ravel()
            ends = place + starts.size, place + 2 * starts.size
            phases += [len(h) * len(w), len(offsets), place, *ends, weights]
            tables += [starts.ravel(), targets.ravel(), offsets]
            numbers += [[len(h_taps) * len(w_taps)], (h_taps[:, None] * kernel[1] + w_taps).ravel()]
            place = ends[1] + len(offsets)
            weights += len(offsets) * in_pitch
    header = [
        images, splits, parts, images_each, out_channels, pitch, rows, columns, pool, row_step,
        image_step, lead, images_each * image_step, depth, stride[0] * halo[9], stride[1] * halo[10],
        len(down.phases) * len(across.phases), in_pitch, in_image, images_each * halo[12],
    ]  # fmt: skip
    table = np.concatenate([header, halo, taps, phases, *tables]).astype(np.int64)
    scratch = images_each * (image_step + halo[12]) + 2 * channel_pitch(1, itemsize)
    return BackwardPlan(
        table, np.concatenate(numbers).astype(np.int64), splits, parts, depth, pitch, in_pitch,
        scratch, weights + in_pitch,
    )  # fmt: skip
