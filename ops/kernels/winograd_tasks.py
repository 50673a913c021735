"""The tasks of Winograd's convolution (see `winograd`); plans are described in `winograd_plan`."""

from __future__ import annotations

from .jit import part
from .launch import Task
from .masked import aligned, bytes_of
from .planes import fill_zeros
from .simd import lanes_of, pointer_shift, table_at, vector_load, vector_store
from .winograd_plan import DEPTH
from .winograd_strips import fill_gradient_strip, fill_strip
from .winograd_transforms import (
    KERNELS,
    PLANES,
    finish_weight_gradient,
    multiply_planes,
    plane_step,
    spread_tiles,
    transform_inputs,
    transform_weights,
    write_maxima,
    write_outputs,
)

__all__ = ["correlate", "correlate_weight", "finish_weight", "transform"]


@part
def _block(plan, number):
    """First image, images, first row of tiles and rows of tiles of a block."""
    images, tile_rows, images_each, rows_each, row_blocks = plan[0], plan[1], plan[3], plan[4], plan[5]
    image, row = number // row_blocks * images_each, number % row_blocks * rows_each
    return image, min(images_each, images - image), row, min(rows_each, tile_rows - row)


@part
def _read_gradient(
    grad, output, winners, numbers, image, first_channel, channels,
    row, rows, padding, columns, strip, pitch, line,
):  # fmt: skip
    """`fill_gradient_strip` of one image;
    ``numbers`` are those of `winograd._gradient_numbers`."""
    fill_gradient_strip(
        pointer_shift(grad, image * numbers[2] + first_channel * numbers[7]), pointer_shift(numbers, 3),
        pointer_shift(output, image * numbers[8] + first_channel), pointer_shift(numbers, 9),
        pointer_shift(bytes_of(winners), image * numbers[14] + first_channel),
        pointer_shift(numbers, 15), numbers[0], numbers[1], channels,
        row, rows, padding, columns, strip, pitch, line,
    )  # fmt: skip


@Task
def transform(arrays, numbers, task, worker):
    """The kernels of one panel and one pass."""
    weight, out, scratch = arrays[0], arrays[1], arrays[2]
    out_channels, channels, depth, pitch = numbers[4], numbers[5], numbers[6], numbers[7]
    lanes = lanes_of(weight)
    passes = -(-channels // depth)
    first_out, first = task // passes * 2 * lanes, task % passes * depth
    count, width = min(depth, channels - first), min(2 * lanes, pitch - first_out)
    place = task // passes * PLANES * (2 * channels + passes) * lanes
    place += PLANES * (first * width + task % passes * lanes)
    transform_weights(
        pointer_shift(weight, first_out * numbers[0] + first * numbers[1]), numbers,
        out_channels - first_out, count,
        pointer_shift(aligned(out), place), count * width + lanes, width,
        aligned(pointer_shift(scratch, worker * (KERNELS + 1) * lanes)),
    )  # fmt: skip


@Task
def correlate(arrays, numbers, task, worker):
    """The panels of one part, for one block of tiles."""
    source, output, winners, weight = arrays[0], arrays[1], arrays[2], arrays[3]
    bias, target, places = arrays[4], arrays[5], bytes_of(arrays[6])
    plan, steps = table_at(numbers[0]), pointer_shift(numbers, 1)
    parts, transformed, relu, pool = numbers[5], numbers[6], numbers[7], numbers[8]
    gradient = pointer_shift(numbers, 9)
    columns, row_padding, padding = plan[2], plan[6], plan[7]
    channels, pitch, out_channels, out_pitch = plan[8], plan[9], plan[10], plan[11]
    height, breadth, depth = plan[12], plan[13], plan[14]
    lanes = lanes_of(source)

    # scratch: transformed pixels, products, kernels of a panel, strip, line
    inputs = aligned(pointer_shift(arrays[7], worker * plan[20]))
    products, kernels = pointer_shift(inputs, plan[15]), pointer_shift(inputs, plan[16])
    panel_weights, strip = pointer_shift(inputs, plan[17]), pointer_shift(inputs, plan[18])
    line = pointer_shift(inputs, plan[19])

    first_image, images, first_row, rows = _block(plan, task // parts)
    tiles = images * rows * columns
    input_plane = plane_step(tiles * pitch, lanes)
    for n in range(images):
        _read_gradient(
            source, output, winners, gradient, first_image + n, 0, channels, 2 * first_row - row_padding,
            2 * rows + 2, padding, 2 * columns + 2, strip, pitch, line,
        )  # fmt: skip
        place = pointer_shift(inputs, n * rows * columns * pitch)
        transform_inputs(strip, pitch, rows, columns, place, input_plane)

    panels, part = -(-out_pitch // (2 * lanes)), task % parts
    passes = -(-channels // depth)
    for panel in range(part * panels // parts, (part + 1) * panels // parts):
        first_out = panel * 2 * lanes
        width = min(2 * lanes, out_pitch - first_out)
        product_plane = tiles * width + lanes
        for first in range(0, channels, depth):
            count = min(depth, channels - first)
            kernel_plane = count * width + lanes
            if transformed:
                place = panel * PLANES * (2 * channels + passes) * lanes
                place += PLANES * (first * width + first // depth * lanes)
                used = pointer_shift(aligned(weight), place)
            else:
                used = panel_weights
                here = pointer_shift(weight, first_out * steps[0] + first * steps[1])
                transform_weights(
                    here, steps, out_channels - first_out, count, used, kernel_plane, width, kernels
                )
            multiply_planes(
                pointer_shift(inputs, first), input_plane, pitch, 1, tiles,
                used, kernel_plane, width, count, products, product_plane, width, first > 0,
            )  # fmt: skip
        for n in range(images):
            image = (first_image + n) * height * breadth * out_pitch + first_out
            here = pointer_shift(products, n * rows * columns * width)
            offsets = pointer_shift(bias, first_out)
            if pool:
                place = image + first_row * breadth * out_pitch
                write_maxima(
                    here, product_plane, width, rows, columns, offsets, relu,
                    pointer_shift(target, place), pointer_shift(places, place),
                    out_pitch, breadth * out_pitch,
                )  # fmt: skip
            else:
                place = image + 2 * first_row * breadth * out_pitch
                write_outputs(
                    here, product_plane, width, rows, columns, offsets, relu,
                    pointer_shift(target, place), out_pitch, breadth * out_pitch,
                    height - 2 * first_row, breadth,
                )  # fmt: skip


@part
def _add_rows(rows, count, step, width, sums):
    """Add ``count`` rows of ``width`` elements, in whole vectors, to ``sums``."""
    lanes = lanes_of(rows)
    for c in range(0, width, lanes):
        total = vector_load(rows, c, None)
        for r in range(1, count):
            total = total + vector_load(rows, r * step + c, None)
        vector_store(sums, c, vector_load(sums, c, None) + total, None)


@Task
def correlate_weight(arrays, numbers, task, worker):
    """A partial sum of the gradients of weight and bias: panels of one part, blocks of one split.

    With a single block it is the whole sum, and the gradients are written at once.
    """
    x, grad, output, winners = arrays[0], arrays[1], arrays[2], arrays[3]
    partials, weight, bias = arrays[4], arrays[5], arrays[6]
    plan, image_step, map = table_at(numbers[0]), numbers[1], pointer_shift(numbers, 2)
    parts, multiplies, gradient = numbers[7], numbers[8], pointer_shift(numbers, 9)
    columns, row_padding, padding = plan[2], plan[6], plan[7]
    channels, pitch, out_channels, out_pitch = plan[8], plan[9], plan[10], plan[11]
    blocks, splits = plan[12], plan[13]
    lanes = lanes_of(x)

    # scratch: transformed pixels, transformed gradients, strip, line
    inputs = aligned(pointer_shift(arrays[7], worker * plan[19]))
    spread, strip = pointer_shift(inputs, plan[14]), pointer_shift(inputs, plan[15])
    line, kernels = pointer_shift(inputs, plan[16]), pointer_shift(inputs, plan[17])
    sums_of_pass = pointer_shift(kernels, KERNELS * lanes)

    panels, part, split = -(-out_pitch // (2 * lanes)), task % parts, task // parts
    first_panel, last_panel = part * panels // parts, (part + 1) * panels // parts
    first_out = first_panel * 2 * lanes
    spread_pitch = min(out_pitch, last_panel * 2 * lanes) - first_out
    spread_channels = min(out_channels - first_out, spread_pitch)
    partials = pointer_shift(aligned(partials), split * plan[18])
    panel_size = PLANES * (2 * channels + 1) * lanes
    whole = blocks == 1  # no partial sums
    sums = pointer_shift(bias if whole else partials, (0 if whole else panels * panel_size) + first_out)
    fill_zeros(sums, spread_pitch)

    started = False
    for number in range(split * blocks // splits, (split + 1) * blocks // splits):
        first_image, images, first_row, rows = _block(plan, number)
        tiles = images * rows * columns
        input_plane = plane_step(tiles * pitch, lanes)
        spread_plane = plane_step(tiles * spread_pitch, lanes)
        for n in range(images):
            image, tile = first_image + n, n * rows * columns
            _read_gradient(
                grad, output, winners, gradient, image, first_out, spread_channels,
                2 * first_row, 2 * rows, 0, 2 * columns, strip, spread_pitch, line,
            )  # fmt: skip
            place = pointer_shift(spread, tile * spread_pitch)
            spread_tiles(strip, spread_pitch, rows, columns, place, spread_plane)
            if multiplies:
                fill_strip(
                    pointer_shift(x, image * image_step), map, channels, 2 * first_row - row_padding,
                    2 * rows + 2, padding, 2 * columns + 2, strip, pitch,
                )  # fmt: skip
                place = pointer_shift(inputs, tile * pitch)
                transform_inputs(strip, pitch, rows, columns, place, input_plane)
        # Place (1, 1) holds the sums of the tiles.
        _add_rows(pointer_shift(spread, 5 * spread_plane), tiles, spread_pitch, spread_pitch, sums)
        for panel in range(first_panel if multiplies else last_panel, last_panel):
            width = min(2 * lanes, out_pitch - panel * 2 * lanes)
            here = pointer_shift(spread, panel * 2 * lanes - first_out)
            each = min(DEPTH, channels) if whole else channels
            for first in range(0, channels, each):
                count = min(each, channels - first)
                plane = count * width + lanes
                products = sums_of_pass if whole else pointer_shift(partials, panel * panel_size)
                multiply_planes(
                    pointer_shift(inputs, first), input_plane, 1, pitch, count, here, spread_plane,
                    spread_pitch, tiles, products, plane, width, started,
                )  # fmt: skip
                if whole:
                    first_kernel = (panel * 2 * lanes * channels + first) * 9
                    finish_weight_gradient(
                        products, plane, 1, 0, width, count, out_channels - panel * 2 * lanes,
                        pointer_shift(weight, first_kernel), channels * 9, kernels,
                    )  # fmt: skip
        started = True


@Task
def finish_weight(arrays, numbers, task, worker):
    """The gradient of weight and bias of one panel and a few input channels, from the partial sums."""
    partials, grad, bias, scratch = aligned(arrays[0]), arrays[1], arrays[2], arrays[3]
    plan, each = table_at(numbers[0]), numbers[1]
    channels, out_channels, out_pitch = plan[8], plan[10], plan[11]
    lanes = lanes_of(grad)
    groups = -(-channels // each)
    panel, first = task // groups, task % groups * each
    first_out = panel * 2 * lanes
    width = min(2 * lanes, out_pitch - first_out)
    panel_size = PLANES * (2 * channels + 1) * lanes
    if first == 0:
        sums = pointer_shift(partials, -(-out_pitch // (2 * lanes)) * panel_size + first_out)
        _add_rows(sums, plan[13], plan[18], width, pointer_shift(bias, first_out))
    if not numbers[2]:
        return
    place = panel * panel_size + first * width
    finish_weight_gradient(
        pointer_shift(partials, place), channels * width + lanes, plan[13], plan[18], width,
        min(each, channels - first), out_channels - first_out,
        pointer_shift(grad, (first_out * channels + first) * 9), channels * 9,
        aligned(pointer_shift(scratch, worker * (KERNELS + 1) * lanes)),
    )  # fmt: skip
