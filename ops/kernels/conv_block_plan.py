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
from .conv_dots import DOT_SUMS, packed_dots, worth_dots
from .conv_lists import image_copy, input_lists, skewed, weight_lists, worth_lists
from .conv_strips import least_width
from .halo import halo_table

__all__ = ["HEADER", "LISTS", "PHASE", "BackwardPlan", "backward_plan"]

HEADER = 25  # numbers of a plan before its tables
LISTS = 4  # numbers before lists
PHASE = 6  # numbers of a phase
CACHE = 3 * 2**14  # bytes of the images, or the lines of one, that all tiles of a weight gradient pass over
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
    phases: int
    least: int
    listed: bool
    dots: bool
    by_place: bool


def _phase_tables(size, geometry, summed, packed, pitch, in_pitch, images_each):
    """Layout of the gradient's scratch memory and the tables of all phases: see `backward_plan`.

    A tap is multiplied with ``summed`` rows of packed weights and takes ``packed`` elements of them.
    """
    down, across = map(_axis, *geometry)
    row_step = (across.before + geometry[5][1] + across.after) * pitch
    image_step = (down.before + geometry[5][0] + down.after) * row_step
    lead = down.before * row_step + across.before * pitch
    blocks = np.arange(images_each)[:, None, None]
    phases, tables, numbers, place, weights = [], [], [], 0, 0
    for h, h_starts, h_taps, h_offsets in down.phases:
        for w, w_starts, w_taps, w_offsets in across.phases:
            starts = h_starts[:, None] * row_step + w_starts * pitch + blocks * image_step + lead
            targets = (h[:, None] * size[1] + w + blocks * (size[0] * size[1])) * in_pitch
            offsets = -(h_offsets[:, None] * row_step + w_offsets * pitch).ravel()
            offsets = (np.arange(summed)[:, None] + offsets).ravel()
            ends = place + starts.size, place + 2 * starts.size
            phases += [len(h) * len(w), len(offsets), place, *ends, weights]
            tables += [starts.ravel(), targets.ravel(), offsets]
            met = (h_taps[:, None] * geometry[1][1] + w_taps).ravel()
            numbers += [len(met), *met]
            place = ends[1] + len(offsets)
            weights += len(met) * packed
    return row_step, image_step, lead, phases, tables, numbers


@functools.lru_cache(maxsize=256)
def backward_plan(shape, steps, weight_shape, stride, padding, dilation, pool, itemsize) -> BackwardPlan:
    """How the gradients of `forward_plan`'s convolution are formed.

    The header of the table: images, splits, parts, images of a block; output channels, pitch, rows and
    columns of the output, pool; row step, image step and first pixel of the gradient's scratch memory,
    elements of a block there; taps, row and column step between the inputs of two output pixels, number
    of phases, input pitch, elements of an image of the input's gradient, elements of a block's copy of
    the input; whether there are lists, smallest width of a panel, whether the input's gradient is made of
    dot products; whether the weight's gradient has its taps in the order (row, column, channel), and how many
    lines of the output it takes at once.  Then come the halo's table, the taps' offsets, and PHASE numbers
    for each phase: pixels of an image, depth, places of its pixels, targets and taps after the phases, and of
    its weights.
    """
    images, channels = shape[:2]
    out_channels, kernel = weight_shape[0], weight_shape[2:]
    rows, columns = out_size(shape[2:], kernel, stride, padding, dilation)
    pitch, in_pitch = channel_pitch(out_channels, itemsize), channel_pitch(channels, itemsize)
    geometry = (shape[2:], kernel, stride, padding, dilation, (rows, columns))
    listed = not pool and worth_lists(images, geometry)
    halo = image_copy(shape, steps) if listed else halo_table(shape, steps, padding)
    taps = tap_offsets(channels, kernel, dilation, halo[7:11])
    # The numbers that a tile of taps needs of a pixel shall stand side by side.
    by_place = not listed and halo[8] == 1
    if by_place:
        taps = taps.reshape(channels, -1).T.ravel()

    depth, taps_each = len(taps), kernel[0] * kernel[1]
    pixels = rows * columns
    splits = max(1, min(images, SPLITS, SUMS // (depth * pitch), images * pixels // BLOCK))
    parts = 1 if splits >= TASKS else -(-TASKS // (2 * splits))
    images_each = max(1, min(-(-images // splits), BLOCK // max(1, pixels)))
    line = stride[0] * (shape[3] + 2 * padding[1]) * channels + columns * pitch  # and of the gradient
    lines_each = max(1, CACHE // (line * itemsize))
    if not listed:
        images_each = max(1, min(images_each, lines_each // max(1, rows)))

    vector = channel_pitch(1, itemsize)
    least = vector if listed else least_width(itemsize)
    dots = not listed and worth_dots(channels, out_channels, pitch, vector, least)
    packed = packed_dots(channels, pitch) if dots else out_channels * in_pitch
    if listed:
        row_step, lead = columns * pitch, 0
        image_step = skewed(rows * row_step)
        by_tap = weight_lists(geometry, halo[10], pitch)
        by_pixel, size = input_lists(geometry, pitch, vector)
        phases = [by_tap.shape[1], by_tap.size, size[1], len(by_pixel[0])]
        tables, numbers = [by_tap.ravel(), *by_pixel], [taps_each, *range(taps_each)]
    else:
        row_step, image_step, lead, phases, tables, numbers = _phase_tables(
            shape[2:], geometry, 1 if dots else out_channels, packed, pitch, in_pitch, images_each
        )
    count = 1 if listed else stride[0] * stride[1]
    header = [
        images, splits, parts, images_each, out_channels, pitch, rows, columns, pool, row_step,
        image_step, lead, images_each * image_step, depth, stride[0] * halo[9], stride[1] * halo[10],
        count, in_pitch, shape[2] * shape[3] * in_pitch, images_each * halo[12], listed, least, dots,
        by_place, lines_each,
    ]  # fmt: skip
    table = np.concatenate([header, halo, taps, phases, *tables]).astype(np.int64)
    scratch = images_each * (image_step + halo[12]) + 2 * vector + DOT_SUMS
    return BackwardPlan(
        table, np.array(numbers, np.int64), splits, parts, depth, pitch, in_pitch, scratch,
        taps_each * packed, count, least, listed, dots, by_place,
    )  # fmt: skip
