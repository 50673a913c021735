"""Gradients of a convolution behind relu and a 2 x 2 max-pooling: only what won has a gradient.

Of the four pixels of a window one has won, in every channel another, so three quarters of the gradient in
front of the pooling are zeros.  The dense kernels multiply them; here each element of the pooled gradient
meets the *patch* of the input that its winner was computed from, and nothing else:

* the weight's gradient of output channel o is the sum of ``g * patch`` over the windows;
* the input's gradient at a pixel's patch grows by ``g * weight[o]`` for each channel o that the pixel won.
  With few output channels one adds, in place of the patches of a window's four pixels, the *region* that all
  of them see: one more row and column than a patch.

Images are copied to compact channels-last memory with their padding, where a patch is KH rows of KW * C
numbers side by side.  A tile of KH rows times some vectors stays in registers.

The images are cut into a number of splits that shapes alone decide, and the sums of the splits are added in
order: the same bits for any number of threads.
"""

from __future__ import annotations

import functools

import numpy as np

from .channels_last import as_written, channel_pitch, empty_channels_last, to_channels_last
from .cpu import VECTOR_BYTES, lanes
from .halo import element_steps
from .launch import Launch, Task
from .masked import aligned, bytes_of, integers_of
from .planes import fill_zeros
from .pooled_patches import (
    all_finite,
    compact_gradient,
    copy_in,
    copy_out,
    input_regions_of,
    input_rows_of,
    mark_winners,
    weight_rows_of,
)
from .simd import lanes_of, pointer_shift

__all__ = ["pooled_gradient", "worth_pooled_gradient"]

SPLITS = 16  # partial sums of a weight gradient, at most
SUMS = 2**20  # elements of all partial sums together, at most: 4 MiB of float32
CHANNELS = 64  # of the input, at most, for 3 x 3 kernels: with more, Winograd's products are as fast
CACHE = 20 * 2**10  # bytes of a first-level cache for rows of an image while all channels pass over them
# Rows and vectors of the tiles there are; vectors of half the length where a patch's row is no longer.
# With 3 x 3 kernels and few channels, three short rows, the dense kernels are as fast or faster with AVX-512.
SHAPES = ((3, 3, False), (5, 1, True), (5, 1, False), (5, 2, False))
if VECTOR_BYTES == 32:  # 3 to 5 input channels, 9 and 10: 0.4 to 0.95 of the dense kernels' time
    SHAPES += ((3, 2, False),)
REGIONS = {3: 4, 5: 5}  # vectors of two rows of a region, by the rows of a kernel


# ------------------------------------------------------------------ tasks


def _gradients(rows, vectors, half):
    """The task for patches of ``rows`` rows, ``vectors`` vectors at a time."""
    weight_rows, input_rows = weight_rows_of(rows, vectors, half), input_rows_of(rows, vectors, half)
    region_vectors = REGIONS[rows]
    input_regions = input_regions_of(region_vectors)

    @Task
    def pooled_gradients(arrays, numbers, task, worker):
        """The gradients of one split of the images."""
        grad, x, out, winners = arrays[0], arrays[1], arrays[2], bytes_of(arrays[3])
        packed, dx, partials, bias_partials = aligned(arrays[4]), arrays[5], aligned(arrays[6]), arrays[7]
        images, splits, relu, need_input, need_weight = (
            numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]
        )  # fmt: skip
        channels, height, breadth = numbers[12], numbers[13], numbers[14]
        out_channels, pitch, in_pitch = numbers[15], numbers[16], numbers[17]
        lines, columns = numbers[18], numbers[19]
        row_step, down, across, lead, size = (
            numbers[20], numbers[21], numbers[22], numbers[23], numbers[24]
        )  # fmt: skip
        passes, width, lines_each = numbers[25], numbers[26], numbers[27]
        each, windows = numbers[29], lines * columns * pitch
        regions, weight_step, block, before = numbers[30], numbers[31], numbers[32], numbers[33]
        shifts, across_weights = pointer_shift(numbers, 34), region_vectors * lanes_of(grad)

        copy = aligned(pointer_shift(arrays[8], worker * numbers[28]))
        spread, values = pointer_shift(copy, size), pointer_shift(copy, 2 * size)
        marks = integers_of(pointer_shift(values, windows))
        fill_zeros(copy, size)
        sums = pointer_shift(bias_partials, task * pitch)
        fill_zeros(sums, pitch)
        partials = pointer_shift(partials, task * out_channels * rows * passes * each)
        if need_weight:
            fill_zeros(partials, out_channels * rows * passes * each)
        for image in range(task * images // splits, (task + 1) * images // splits):
            won = pointer_shift(winners, image * windows)
            compact_gradient(
                pointer_shift(grad, image * numbers[5]), numbers[6], numbers[7],
                pointer_shift(out, image * windows), relu, lines, columns, out_channels, pitch, values, sums,
            )  # fmt: skip
            if need_weight:
                copy_in(
                    pointer_shift(x, image * numbers[8]), numbers[9], numbers[10], numbers[11], channels,
                    height, breadth, pointer_shift(copy, lead), row_step,
                )  # fmt: skip
                for first in range(0, lines, lines_each):
                    count, start = min(lines_each, lines - first), first * columns * pitch
                    for o in range(out_channels):
                        for p in range(passes):
                            weight_rows(
                                pointer_shift(copy, 2 * first * down + p * each), row_step, down, across,
                                pointer_shift(values, start + o), pointer_shift(won, start + o), pitch,
                                count, columns, pointer_shift(partials, (o * rows * passes + p) * each),
                                passes * each,
                            )  # fmt: skip
            if need_input:
                fill_zeros(spread, size)
                if regions and all_finite(sums, out_channels):
                    for r in range(0, rows + 1, 2):
                        for j in range(0, weight_step, across_weights):
                            input_regions(
                                values, won, pitch, out_channels, pointer_shift(packed, r * weight_step + j),
                                block, weight_step, shifts, pointer_shift(spread, r * row_step + j), row_step,
                                down, across, lines, columns,
                            )  # fmt: skip
                else:
                    mark_winners(values, won, pitch, lines * columns, marks)
                    for p in range(passes):
                        start = p * each if regions else p * pitch * block
                        input_rows(
                            values, marks, pitch, pointer_shift(packed, before + start), block, weight_step,
                            pointer_shift(spread, p * each), row_step, down, across, lines, columns,
                            width - p * each,
                        )  # fmt: skip
                copy_out(
                    pointer_shift(spread, lead), row_step, channels, height, breadth,
                    pointer_shift(dx, image * height * breadth * in_pitch), in_pitch,
                )  # fmt: skip

    return pooled_gradients


_TASKS = {shape: _gradients(*shape) for shape in SHAPES}


@Task
def _pack(arrays, numbers, task, worker):
    """The weights (O, C, KH, KW) of one output channel: for each pass rows of (column, channel)."""
    weight, packed = arrays[0], aligned(arrays[1])
    channels, rows, columns = numbers[0], numbers[1], numbers[2]
    pitch, passes, each, block, before = numbers[3], numbers[4], numbers[5], numbers[6], numbers[7]
    for p in range(passes):
        target = pointer_shift(packed, (p * pitch + task) * block)
        fill_zeros(target, block)
        for r in range(rows):
            for j in range(p * each, min((p + 1) * each, columns * channels)):
                source = (task * channels + j % channels) * rows + r
                target[before + r * each + j - p * each] = weight[source * columns + j // channels]
    if before > 0 and task == numbers[8] - 1:  # the last channel has zeros behind it, too
        fill_zeros(pointer_shift(packed, numbers[8] * block), before)


@Task
def _finish(arrays, numbers, task, worker):
    """Add the partial sums of one output channel in order, and write them as (C, KH, KW)."""
    partials, bias_partials, out, bias = aligned(arrays[0]), arrays[1], arrays[2], arrays[3]
    channels, rows, columns, pitch = numbers[0], numbers[1], numbers[2], numbers[3]
    row, splits, out_channels = numbers[4], numbers[5], numbers[6]
    total = bias_partials[task]
    for split in range(1, splits):
        total += bias_partials[split * pitch + task]
    bias[task] = total
    sums = pointer_shift(partials, task * rows * row)
    for split in range(1, splits):
        other = pointer_shift(sums, split * out_channels * rows * row)
        for i in range(rows * row):
            sums[i] += other[i]
    target = pointer_shift(out, task * channels * rows * columns)
    for r in range(rows):
        for k in range(columns):
            for c in range(channels):
                target[(c * rows + r) * columns + k] = sums[r * row + k * channels + c]


# ------------------------------------------------------------------ from Python


def _tile(kernel, channels, itemsize):
    """The shape of the tile for this kernel, and how many of them make a patch; None without one."""
    width, length = kernel[1] * channels, lanes(itemsize)
    if 2 * width <= length and (kernel[0], 1, True) in SHAPES:
        return (kernel[0], 1, True), 1
    vectors = -(-width // length)
    for count in (3, 2, 1):
        if vectors % count == 0 and (kernel[0], count, False) in SHAPES:
            return (kernel[0], count, False), vectors // count
    return None


@functools.lru_cache(maxsize=1024)
def worth_pooled_gradient(channels, weight_shape, dilation, itemsize) -> bool:
    """Whether `pooled_gradient` applies and is faster than the dense kernels.

    Measured, time of all three gradients: 0.3 to 0.65 of the dense one for 5 x 5, 0.65 to 0.9 for 3 x 3 with
    16 to 64 channels, 1.1 to 1.4 with 128 and 256.

    >>> worth_pooled_gradient(16, (32, 16, 3, 3), (1, 1), 4)
    True
    """
    few = weight_shape[2] != 3 or channels <= CHANNELS
    return dilation == (1, 1) and few and _tile(weight_shape[2:], channels, itemsize) is not None


def region_step(channels, kernel, itemsize) -> int:
    """Elements of a row of weights that a region meets: a pixel of zeros, a row of the kernel, and zeros.

    >>> region_step(6, (5, 5), 4) % lanes(4)
    0
    """
    whole = REGIONS[kernel[0]] * lanes(itemsize)
    return -(-(kernel[1] + 1) * channels // whole) * whole


def worth_regions(channels, out_channels, kernel, stride) -> bool:
    """Whether the input's gradient is formed by regions: with few output channels, a pixel wins too few to
    be worth a jump.

    Measured with AVX2 alone: 0.5 to 0.95 of the time of pixel by pixel, 1.1 to 2.8 with more channels.
    """
    few = out_channels <= (32 if kernel[0] == 5 else 16)
    return VECTOR_BYTES == 32 and stride == (1, 1) and channels > 3 and few


class _PooledGradient:
    """The launches for one geometry: arguments as for `pooled_gradient`, steps and shapes for arrays."""

    def __init__(self, shape, x_steps, grad_shape, grad_steps, kernel, stride, padding, relu, needs, dtype):
        images, channels, height, breadth = shape
        _, out_channels, lines, columns = grad_shape
        item = dtype.itemsize
        length, pitch = lanes(item), channel_pitch(out_channels, item)
        (rows, vectors, half), passes = tile = _tile(kernel, channels, item)
        each = length // 2 if half else vectors * length
        row_step = (breadth + 2 * padding[1]) * channels
        # A patch's last row is read in whole vectors, a region's too.
        longest = max(passes * each, region_step(channels, kernel, item))
        size = -(-((height + 2 * padding[0]) * row_step + longest) // length) * length
        lines_each = max(1, (CACHE // (row_step * item) - rows + 1) // (2 * stride[0]))
        weights = out_channels * rows * passes * each  # elements, with what fills the last vectors
        splits = max(1, min(images, SPLITS, SUMS // weights))
        regions = worth_regions(channels, out_channels, kernel, stride)
        if regions:  # a row of zeros before the weights of a channel, and a pixel of zeros before each row
            step = region_step(channels, kernel, item)
            block, before = (rows + 1) * step, step + channels
            packing = 1, step, block, before
        else:
            step, block, before = each, rows * each, 0
            packing = passes, each, block, before
        shifts = [(1 - row) * step + (1 - column) * channels for row in (0, 1) for column in (0, 1)]
        marks = 4 * -(-pitch // 64) * 8 // item  # of a window
        scratch = 2 * size + lines * columns * (pitch + marks) + length
        numbers = (
            images, splits, int(relu), int(needs[0]), int(needs[1]), grad_steps[0], *grad_steps[2:], *x_steps,
            channels, height, breadth, out_channels, pitch, channel_pitch(channels, item), lines, columns,
            row_step, stride[0] * row_step, stride[1] * channels,
            padding[0] * row_step + padding[1] * channels, size,
            passes, kernel[1] * channels, lines_each, scratch, each,
            int(regions), step, block, before, *shifts,
        )  # fmt: skip
        work = images * lines * columns * weights * (needs[0] + needs[1])
        self._gradients = Launch(_TASKS[tile[0]], dtype, numbers, splits, work, scratch)
        self._shape, self._dtype, self._out_channels = shape, dtype, out_channels
        self._weight_shape, self._pitch = (out_channels, channels, *kernel), pitch
        self._partials = splits * weights + length
        if needs[0]:
            self._packed = pitch * packing[0] * block + before + length
            numbers = (channels, *kernel, pitch, *packing, out_channels)
            self._pack = Launch(_pack, dtype, numbers, out_channels, 8 * weights)
        self._sums = splits * pitch
        numbers = (channels, *kernel, pitch, passes * each, splits, out_channels)
        self._finish = Launch(_finish, dtype, numbers, out_channels, 8 * splits * weights)

    def __call__(self, grad, x, weight, out, places, needs):
        dtype = self._dtype
        nothing = grad  # in place of an array that is not there
        dx = packed = partials = nothing
        if needs[0]:
            packed, dx = np.empty(self._packed, dtype), empty_channels_last(self._shape, dtype)
            self._pack(weight, packed)
        if needs[1]:
            partials = np.empty(self._partials, dtype)
        sums = np.empty(self._sums, dtype)
        self._gradients(grad, x, nothing if out is None else out, places, packed, dx, partials, sums)
        if not needs[1]:
            db = sums.reshape(-1, self._pitch)[:, :self._out_channels].sum(0)
            return dx if needs[0] else None, None, db
        dw, db = np.empty(self._weight_shape, dtype), np.empty(self._out_channels, dtype)
        self._finish(partials, sums, dw, db)
        return dx if needs[0] else None, dw, db


_planned = functools.lru_cache(maxsize=256)(_PooledGradient)


def pooled_gradient(grad, x, weight, out, places, stride, padding, relu, needs):
    """`conv_block_backward` behind a pooling, where `worth_pooled_gradient` says so.

    Arguments:
        grad, x, weight: gradient of the pooled values, input and weight, of any strides.
        out, places: what the forward pass returned; ``out`` may be None without relu.
        stride, padding: pairs.
        needs: whether the gradients of input, weight and bias are wanted.

    >>> x, weight = np.ones((2, 1, 6, 6)), np.ones((1, 1, 5, 5))
    >>> grad, places = np.ones((2, 1, 1, 1)), np.full((2, 1, 1, 1), 3, np.uint8)
    >>> dx, dw, db = pooled_gradient(grad, x, weight, None, places, (1, 1), (0, 0), False, (True,) * 3)
    >>> dx[0, 0, :2].tolist()
    [[0.0, 0.0, 0.0, 0.0, 0.0, 0.0], [0.0, 1.0, 1.0, 1.0, 1.0, 1.0]]
    >>> float(dw.sum()), db.tolist()
    (50.0, [2.0])
    """
    needs, pitch = tuple(map(bool, needs)), channel_pitch(len(weight), x.itemsize)
    weight = np.ascontiguousarray(weight)
    if grad.strides[1] != grad.itemsize and len(weight) > 1:
        grad = to_channels_last(grad)
    out, places = as_written(out if relu else None, pitch), as_written(places, pitch)
    run = _planned(x.shape, element_steps(x), grad.shape, element_steps(grad), weight.shape[2:], stride,
                   padding, relu, needs, x.dtype)
    dx, dw, db = run(grad, x, weight, out, places, needs)
    return dx, dw, db if needs[2] else None
