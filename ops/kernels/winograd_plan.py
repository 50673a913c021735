"""How Winograd's convolution is cut into blocks of tiles, and what lies where in its scratch memory."""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

from .channels_last import channel_pitch
from .cpu import lanes
from .winograd_transforms import KERNELS, PLANES, SPREAD

__all__ = ["DEPTH", "Plan", "correlation_plan", "weight_plan"]

CACHE = 5 * 2**17  # bytes of a second-level cache of 1 MiB, for the transforms of one block
DEPTH = 128  # input channels of one pass: a panel of their transformed kernels fills a quarter MiB
SPLITS = 8  # partial sums of a weight gradient, at most
PARTIALS = 2**22  # bytes of them, in all
# The weight gradient of 512 channels, 8 images of 7 x 7, takes 14 instead of 31 ms as one block.
FEW_TILES = 256
LARGE_SUM = 2**20  # bytes


class Plan(NamedTuple):
    """How a kernel cuts its work: see `correlation_plan` and `weight_plan`."""

    table: np.ndarray  # what the kernel reads
    blocks: int
    panels: int
    scratch: int  # elements for each worker


def _blocks(images, rows, columns, wanted):
    """Cut images of rows x columns tiles into blocks of about ``wanted`` tiles, as even as can be.

    Returns (images of each, rows of each, blocks of an image, blocks).
    """
    if rows * columns > wanted:
        row_blocks = -(-rows // max(1, wanted // columns))
        rows_each = -(-rows // row_blocks)
        row_blocks = -(-rows // rows_each)
        return 1, rows_each, row_blocks, images * row_blocks
    blocks = -(-images // (wanted // (rows * columns)))
    images_each = -(-images // blocks)
    return images_each, rows, 1, -(-images // images_each)


def _offsets(*sizes):
    """Where parts of these sizes begin, one after the other, and where the last one ends."""
    return [sum(sizes[:i]) for i in range(len(sizes) + 1)]


def _strip_sizes(rows, columns, pitch):
    """Elements of a strip, and of a line of it."""
    return (2 * rows + 2) * (2 * columns + 2) * pitch, (2 * columns + 2) * pitch


@functools.lru_cache(maxsize=256)
def correlation_plan(images, channels, out_channels, rows, columns, out_size, padding, itemsize):
    """Plan of `correlate` for images of rows x columns tiles.

    Its table: images, rows and columns of tiles; images and rows of a block, blocks of an image;
    padding; channels and elements of a pixel, of the source and of the output; rows and columns of the
    output; channels of one pass; where in the scratch memory the products, the gathered kernels, a panel
    of transformed kernels, the strip and a line of it begin, after the transformed pixels; size of all.
    """
    length = lanes(itemsize)
    pitch, out_pitch = channel_pitch(channels, itemsize), channel_pitch(out_channels, itemsize)
    wanted = max(64, CACHE // (PLANES * itemsize * (pitch + 2 * length)))
    images_each, rows_each, row_blocks, blocks = _blocks(images, rows, columns, wanted)
    tiles = images_each * rows_each * columns
    depth = min(DEPTH, channels)
    sizes = (
        PLANES * (tiles * pitch + SPREAD // itemsize),
        PLANES * (2 * tiles + 1) * length,
        KERNELS * length,
        PLANES * (2 * depth + 1) * length,
        *_strip_sizes(rows_each, columns, pitch),
    )
    scratch = sum(sizes) + length
    table = [
        images, rows, columns, images_each, rows_each, row_blocks, *padding, channels, pitch,
        out_channels, out_pitch, *out_size, depth, *_offsets(*sizes)[1:-1], scratch,
    ]  # fmt: skip
    return Plan(np.array(table), blocks, -(-out_pitch // (2 * length)), scratch)


@functools.lru_cache(maxsize=256)
def weight_plan(images, channels, out_channels, rows, columns, padding, itemsize):
    """Plan of `correlate_weight` for images of rows x columns tiles of the output.

    Its table: as that of `correlation_plan` up to the elements of a pixel of the output; blocks and
    splits; where in the scratch memory the transformed gradients, the strip, a line of it and kernels
    begin, after the transformed pixels; elements of a partial sum; size of the scratch memory.
    """
    length = lanes(itemsize)
    pitch, out_pitch = channel_pitch(channels, itemsize), channel_pitch(out_channels, itemsize)
    wanted = max(32, CACHE // (PLANES * itemsize * (pitch + out_pitch)))
    panels = -(-out_pitch // (2 * length))
    partial = panels * PLANES * (2 * channels + 1) * length + out_pitch
    if images * rows * columns <= FEW_TILES and partial * itemsize >= LARGE_SUM:
        wanted = FEW_TILES  # all of them: no partial sums
    images_each, rows_each, row_blocks, blocks = _blocks(images, rows, columns, wanted)
    tiles = images_each * rows_each * columns
    splits = max(1, min(SPLITS, blocks, PARTIALS // (partial * itemsize)))
    sizes = (
        PLANES * (tiles * pitch + SPREAD // itemsize),
        PLANES * (tiles * out_pitch + SPREAD // itemsize),
        *_strip_sizes(rows_each, columns, max(pitch, out_pitch)),
        (KERNELS + PLANES * (2 * min(DEPTH, channels) + 1)) * length if blocks == 1 else 0,
    )
    scratch = sum(sizes) + length
    table = [
        images, rows, columns, images_each, rows_each, row_blocks, *padding, channels, pitch,
        out_channels, out_pitch, blocks, splits, *_offsets(*sizes)[1:-1], partial, scratch,
    ]  # fmt: skip
    return Plan(np.array(table), blocks, panels, scratch)
