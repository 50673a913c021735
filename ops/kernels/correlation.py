"""Where a convolution finds its operands: offset tables over zero-padded copies of the images.

A worker copies the images of a block, channel by channel, to *planes* with room for the padding.  In a
plane an image is one run of numbers, row behind row, and several images follow each other.  Then the
value that tap k contributes to output position q lies at ``table[k] + q`` for every q: a convolution is
a matrix product whose second matrix is found through a table, without copying patches (no im2col).
Positions that fall into the padding between rows and images are computed and dropped; neighbours share
their padding to keep these few.

With stride s an image is split into s * s planes, one for each residue of the coordinates, so that tap
offsets stay constant.  The gradient with respect to the input runs the other way: one plane for the
gradient, and s * s *phases* of the result, each with its own taps.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from .cpu import lanes

__all__ = ["Axis", "Plan", "input_plan", "output_plan", "output_size"]


def output_size(size, kernel, stride, padding, dilation):
    """Length of a convolution's output along one axis.

    >>> output_size(32, kernel=3, stride=2, padding=1, dilation=1)
    16
    """
    return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


@dataclasses.dataclass(frozen=True)
class Phase:
    """Outputs ``target, target + target_step, ...`` along one axis, and the taps that reach them.

    A tap is (index in the kernel, plane, shift): it reads position ``first + i + shift`` of its plane
    for output i.
    """

    taps: tuple
    first: int
    count: int
    target: int
    target_step: int


@dataclasses.dataclass(frozen=True)
class Axis:
    """The geometry of a convolution along one axis.

    Position t of plane i holds element ``starts[i] + t * step`` of the source, or 0 where there is none.
    ``pitch`` is the distance from one row (or image) to the next, ``extent - pitch`` positions are
    shared with it.
    """

    source: int
    target: int
    starts: tuple
    step: int
    extent: int
    positions: int
    phases: tuple

    @property
    def pitch(self):
        """extent less the zeros at the end that can be the next row's zeros at the beginning."""
        shared = self.extent - self.positions
        for start in self.starts:
            lead = max(0, -(start // self.step))
            stop = max(0, -((start - self.source) // self.step))
            shared = min(shared, lead, max(0, self.extent - stop))
        return self.extent - shared


def output_axis(size, kernel, stride, padding, dilation):
    """The axis of a convolution's output: u reads element ``u * stride + k * dilation - padding``."""
    count = output_size(size, kernel, stride, padding, dilation)
    residues = sorted({k * dilation % stride for k in range(kernel)})
    taps = [(k, residues.index(k * dilation % stride), k * dilation // stride) for k in range(kernel)]
    extent = count + (kernel - 1) * dilation // stride
    starts = tuple(residue - padding for residue in residues)
    return Axis(size, count, starts, stride, extent, count, (Phase(tuple(taps), 0, count, 0, 1),))


def input_axis(size, kernel, stride, padding, dilation):
    """The axis of the gradient with respect to the input.

    Input i gets output h through tap k where ``i + padding = h * stride + k * dilation``.  With i +
    padding = u * stride + residue this is h = u + (residue - k * dilation) / stride.
    """
    count = output_size(size, kernel, stride, padding, dilation)
    raw = []
    for residue in range(stride):
        first = -((residue - padding) // stride)
        last = (size - 1 + padding - residue) // stride
        shifts = [
            (k, (residue - k * dilation) // stride)
            for k in range(kernel)
            if (k * dilation - residue) % stride == 0
        ]
        if first <= last:
            raw.append((residue, first, last, shifts))
    low = min(first for _, first, _, _ in raw)
    high = max(last for _, _, last, _ in raw)
    reach = max((-shift for *_, shifts in raw for _, shift in shifts), default=0)
    phases = []
    for residue, first, last, shifts in raw:
        taps = tuple((k, 0, shift + reach) for k, shift in shifts)
        target = first * stride + residue - padding
        phases.append(Phase(taps, first - low, last - first + 1, target, stride))
    positions = high - low + 1
    return Axis(count, size, (low - reach,), 1, positions + reach, positions, tuple(phases))


@dataclasses.dataclass(frozen=True)
class Plan:
    """All that the kernels need to know about a shape, as one table of int64.

    The table holds 16 numbers (see the end of `_plan`); the starts of the row and of the column planes;
    9 numbers for each phase; the tables of tap offsets.  ``taps`` are the (row, column) slices of the
    kernel that belong to each phase, ``scratch`` the elements of a channel's planes and ``strip`` those
    of a row of results.
    """

    table: np.ndarray
    taps: tuple
    images_each: int
    scratch: int
    strip: int


def _as_slice(taps):
    """The kernel indices of taps, which are evenly spaced, as a slice."""
    indices = [k for k, _, _ in taps]
    if not indices:
        return slice(0, 0)
    step = indices[1] - indices[0] if len(indices) > 1 else 1
    return slice(indices[0], indices[-1] + 1, step)


def spread(axis, kernel):
    """The same axis with a plane for every tap instead of shifted views.

    It takes more copies, but drops no positions.  With this on both axes the planes are the columns of
    im2col.
    """
    starts, phases = [0] * kernel, []
    for phase in axis.phases:
        for k, plane, shift in phase.taps:
            starts[k] = axis.starts[plane] + (phase.first + shift) * axis.step
        phases.append(
            dataclasses.replace(phase, taps=tuple((k, k, 0) for k, _, _ in phase.taps), first=0)
        )
    count = max(phase.count for phase in phases)
    return Axis(axis.source, axis.target, tuple(starts), axis.step, count, count, tuple(phases))


def _wasteful(axis):
    """Whether few outputs stand among many dropped positions, so that copies for every tap cost less.

    Measured: 256 channels of 4 x 4 take 3.5 ms instead of 4.5; where 5 taps make 10 outputs it is the
    reverse, 1.3 ms instead of 0.8 (LeNet's second layer).
    """
    return axis.positions <= 4 and 5 * axis.pitch > 6 * axis.positions


def _plan(rows, columns, kernel, channels, images, pixels, itemsize):
    width = 2 * lanes(itemsize)
    if _wasteful(columns):
        columns = spread(columns, kernel[1])
    if (
        _wasteful(rows) and 2 * rows.pitch * columns.pitch <= pixels
    ):  # rows matter where images follow each other
        rows = spread(rows, kernel[0])
    pitch = columns.pitch
    image = rows.pitch * pitch
    images_each = max(1, min(images, -(-pixels // image)))
    plane = images_each * image + (rows.extent - rows.pitch) * pitch + columns.extent - pitch
    channel = plane * len(rows.starts) * len(columns.starts)
    header = 16
    starts = [*rows.starts, *columns.starts]
    phase_place = header + len(starts)
    pairs = [(row, column) for row in rows.phases for column in columns.phases]
    table_place = phase_place + 9 * len(pairs)
    phases, tables, taps, longest = [], [], [], 0
    for row, column in pairs:
        row_offsets = [(i * len(columns.starts)) * plane + shift * pitch for _, i, shift in row.taps]
        column_offsets = [i * plane + shift for _, i, shift in column.taps]
        offsets = np.add.outer(
            np.add.outer(np.arange(channels) * channel, row_offsets), column_offsets
        ).ravel()
        position = row.first * pitch + column.first
        phases += [table_place, offsets.size, position, row.target, row.target_step, row.count,
                   column.target, column.target_step, column.count]  # fmt: skip
        table_place += offsets.size
        tables.append(offsets)
        taps.append((_as_slice(row.taps), _as_slice(column.taps)))
        longest = max(longest, (images_each - 1) * image + (row.count - 1) * pitch + column.count)
    numbers = [
        images_each, channels, rows.source, columns.source, len(rows.starts), len(columns.starts),
        rows.step, columns.step, rows.extent, columns.extent, pitch, image, plane,
        rows.target, columns.target, len(pairs),
    ]  # fmt: skip
    table = np.concatenate([np.array(numbers + starts + phases), *tables]).astype(np.int64)
    strip = -(-longest // width) * width + width
    return Plan(table, tuple(taps), images_each, channel, strip)


@functools.lru_cache(maxsize=256)
def output_plan(size, kernel, stride, padding, dilation, channels, images, pixels, itemsize):
    """Plan for a convolution's output and its weight gradient.

    Arguments:
        size, kernel, stride, padding, dilation: pairs (rows, columns).
        channels: input channels of one group.
        images: number of images.
        pixels: at least so many output positions make a block of images, if there are as many.
        itemsize: bytes of an element.
    """
    rows, columns = (output_axis(*axis) for axis in zip(size, kernel, stride, padding, dilation))
    return _plan(rows, columns, kernel, channels, images, pixels, itemsize)


@functools.lru_cache(maxsize=256)
def input_plan(size, kernel, stride, padding, dilation, channels, images, pixels, itemsize):
    """Plan for the input's gradient; ``channels`` are the output channels of one group."""
    rows, columns = (input_axis(*axis) for axis in zip(size, kernel, stride, padding, dilation))
    return _plan(rows, columns, kernel, channels, images, pixels, itemsize)
