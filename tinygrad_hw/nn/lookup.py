"""Functions that look values up at places: bags of embeddings, and images at points of a grid."""

from __future__ import annotations

import warnings

import numpy as np

import ops
from tinygrad_hw.tensor import Tensor

__all__ = ["affine_grid", "embedding_bag", "grid_sample"]


# ------------------------------------------------------------------ bags of embeddings


def _bags(input, offsets, include_last_offset: bool) -> tuple[np.ndarray, np.ndarray]:
    """Bags of a flat list as a matrix (bags, longest), and which of its places are filled."""
    if input.ndim == 2:
        if offsets is not None:
            raise ValueError(
                "if input is 2D, then offsets has to be None, as input is treated is a mini-batch of fixed "
                f"length sequences, got offsets of shape {tuple(offsets.shape)}"
            )
        return input.array, np.ones(input.array.shape, bool)
    if input.ndim != 1:
        raise ValueError(f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input.ndim}")
    if offsets is None or offsets.ndim != 1:
        raise ValueError(
            "offsets has to be a 1D Tensor for 1D input, with the place where every bag begins, got "
            f"{None if offsets is None else tuple(offsets.shape)}"
        )
    starts, flat = offsets.array.astype(np.int64), input.array
    ends = starts[1:] if include_last_offset else np.append(starts[1:], len(flat))
    starts = starts[: len(ends)]
    if len(starts) and (starts[0] != 0 or (ends < starts).any() or ends[-1] > len(flat)):
        raise ValueError(
            f"offsets must begin with 0 and rise to at most the number of indices, {len(flat)}, got "
            f"{offsets.array.tolist()}"
        )
    lengths = ends - starts
    places = starts[:, None] + np.arange(lengths.max(initial=0))
    filled = places < ends[:, None]
    return flat[np.where(filled, places, 0)] if flat.size else np.zeros(places.shape, np.int64), filled


def embedding_bag(
    input,
    weight,
    offsets=None,
    max_norm=None,
    norm_type=2,
    scale_grad_by_freq=False,
    mode="mean",
    sparse=False,
    per_sample_weights=None,
    include_last_offset=False,
    padding_idx=None,
):
    """Sum, mean or maximum of the embeddings of each bag of indices: (bags, embedding_dim).

    Args:
        input: (bags, length), or all bags behind each other, (count,).
        weight: (num_embeddings, embedding_dim).
        offsets: where each bag begins in a flat input.
        mode: ``"sum"``, ``"mean"`` or ``"max"``; an empty bag gives zeros.
        per_sample_weights: factors of the embeddings, of the shape of ``input``; for ``"sum"`` only.
        padding_idx: an index that does not count and is not trained.

    >>> from tinygrad_hw import tensor
    >>> weight = tensor([[1.0], [2.0], [4.0]])
    >>> embedding_bag(tensor([0, 2, 1]), weight, tensor([0, 2]), mode="sum")
    tensor([[5.],
            [2.]])
    """
    if mode not in ("sum", "mean", "max"):
        raise ValueError(f"mode has to be one of sum, mean or max, got {mode!r}")
    if per_sample_weights is not None and mode != "sum":
        raise NotImplementedError(
            "embedding_bag: per_sample_weights was not None. per_sample_weights is only "
            f"supported for mode='sum' (got mode='{mode}')"
        )
    indices, filled = _bags(input, offsets, include_last_offset)
    if padding_idx is not None:
        padding_idx %= weight.shape[0]
        filled = filled & (indices != padding_idx)
    rows = ops.embedding(
        Tensor._wrap(indices), weight, padding_idx, max_norm, norm_type, scale_grad_by_freq
    )
    count = filled.sum(1)[:, None]
    if mode == "max":
        if indices.shape[1] == 0:
            return ops.sum(rows, 1)
        lowest = ops.where(filled[:, :, None], rows, -np.inf)
        return ops.where(count > 0, ops.max(lowest, 1)[0], 0.0)
    factors = filled.astype(weight.array.dtype)
    if per_sample_weights is not None:
        if tuple(per_sample_weights.shape) != tuple(input.shape):
            raise ValueError(
                f"embedding_bag: If per_sample_weights ({tuple(per_sample_weights.shape)}) is not None, "
                f"then it must have the same shape as the input ({tuple(input.shape)})"
            )
        if input.ndim == 2:
            factors = ops.mul(per_sample_weights, factors)
        else:
            order = np.cumsum(_bags(input, offsets, include_last_offset)[1]).reshape(filled.shape) - 1
            chosen = ops.index_select(per_sample_weights, 0, np.maximum(order, 0).reshape(-1))
            factors = ops.mul(ops.reshape(chosen, filled.shape), factors)
    total = ops.sum(ops.mul(rows, ops.unsqueeze(factors, 2)), 1)
    return ops.div(total, np.maximum(count, 1).astype(weight.array.dtype)) if mode == "mean" else total


# ------------------------------------------------------------------ images at points of a grid


def affine_grid(theta, size, align_corners=None):
    """The points at which an affine map looks an image up, for `grid_sample`.

    Args:
        theta: (N, 2, 3) matrices that map points of the result to points of the image.
        size: (N, C, H, W) of the result.
        align_corners: whether -1 and 1 are the centres of the corner pixels, or their outer edges.

    Returns:
        (N, H, W, 2) points (x, y).

    >>> from tinygrad_hw import tensor
    >>> affine_grid(tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]), (1, 1, 1, 2), align_corners=True)[0, 0]
    tensor([[-1.,  0.],
            [ 1.,  0.]])
    """
    align_corners = _chosen("affine_grid", align_corners)
    if theta.ndim != 3 or tuple(theta.shape[1:]) != (2, 3):
        raise ValueError(
            "Expected a batch of 2D affine matrices of shape Nx2x3 for size "
            f"{tuple(size)}. Got {tuple(theta.shape)}."
        )
    height, width = size[-2:]
    axes = [np.linspace(-1, 1, n) if n > 1 else np.zeros(1) for n in (height, width)]
    if not align_corners:
        axes = [axis * (len(axis) - 1) / len(axis) for axis in axes]
    y, x = np.meshgrid(*axes, indexing="ij")
    points = np.stack([x, y, np.ones_like(x)], -1).reshape(-1, 3).astype(theta.array.dtype)
    grid = ops.matmul(Tensor._wrap(points), ops.transpose(theta, 1, 2))
    return ops.reshape(grid, (theta.shape[0], height, width, 2))


def _chosen(name: str, align_corners: bool | None) -> bool:
    if align_corners is None:
        warnings.warn(
            f"Default {name} and affine_grid behavior is align_corners=False; give it to be clear",
            UserWarning,
            stacklevel=3,
        )
    return bool(align_corners)


def _reflected(place, low: float, high: float):
    """Places folded back and forth between two edges."""
    span = high - low
    if span == 0:
        return ops.mul(place, 0)
    away = ops.abs(ops.sub(place, low))
    turns = np.floor(away.array / span)
    extra = ops.sub(away, Tensor._wrap((turns * span).astype(away.array.dtype)))
    return ops.where(turns % 2 == 0, ops.add(extra, low), ops.sub(high, extra))


def _pixels(coordinate, count: int, padding_mode: str, align_corners: bool):
    """Coordinates in -1..1 as places among ``count`` pixels."""
    place = (
        ops.mul(ops.add(coordinate, 1), (count - 1) / 2)
        if align_corners
        else ops.sub(ops.mul(ops.add(coordinate, 1), count / 2), 0.5)
    )
    if padding_mode == "reflection":
        place = (
            _reflected(place, 0, count - 1) if align_corners else _reflected(place, -0.5, count - 0.5)
        )
    return place if padding_mode == "zeros" else ops.clamp(place, 0, count - 1)


def grid_sample(input, grid, mode="bilinear", padding_mode="zeros", align_corners=None):
    """An image looked up at points: (N, C, H, W) at (N, H_out, W_out, 2) gives (N, C, H_out, W_out).

    Args:
        grid: points (x, y); -1 and 1 are the edges of the image.
        mode: ``"bilinear"`` or ``"nearest"``.
        padding_mode: outside there are ``"zeros"``, the ``"border"``, or a ``"reflection"``.
        align_corners: see `affine_grid`.

    Source: Jaderberg et al. 2015, https://arxiv.org/abs/1506.02025

    >>> from tinygrad_hw import tensor
    >>> grid_sample(tensor([[[[1.0, 3.0]]]]), tensor([[[[0.0, 0.0]]]]), align_corners=True)
    tensor([[[[2.]]]])
    """
    align_corners = _chosen("grid_sample", align_corners)
    if mode not in ("bilinear", "nearest"):
        raise ValueError(
            f"grid_sample(): expected mode to be 'bilinear' or 'nearest', but got: {mode!r}"
        )
    if padding_mode not in ("zeros", "border", "reflection"):
        raise ValueError(
            "grid_sample(): expected padding_mode to be 'zeros', 'border', or 'reflection', but got: "
            f"{padding_mode!r}"
        )
    if input.ndim != 4 or grid.ndim != 4 or grid.shape[-1] != 2 or input.shape[0] != grid.shape[0]:
        raise RuntimeError(
            "grid_sampler(): expected an image (N, C, H, W) and a grid (N, H_out, W_out, 2), got "
            f"{tuple(input.shape)} and {tuple(grid.shape)}"
        )
    batch, channels, height, width = input.shape
    out = tuple(grid.shape[1:3])
    x = _pixels(grid[..., 0], width, padding_mode, align_corners)
    y = _pixels(grid[..., 1], height, padding_mode, align_corners)
    flat = ops.reshape(input, (batch, channels, height * width))

    def at(row: np.ndarray, column: np.ndarray):
        """The pixels at whole places, zero outside."""
        inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        place = np.where(inside, row * width + column, 0).reshape(batch, 1, -1)
        index = np.ascontiguousarray(np.broadcast_to(place, (batch, channels, place.shape[2])))
        values = ops.reshape(ops.gather(flat, 2, Tensor._wrap(index)), (batch, channels, *out))
        return ops.mul(values, inside[:, None].astype(input.array.dtype))

    if mode == "nearest":
        return at(np.rint(y.array).astype(np.int64), np.rint(x.array).astype(np.int64))
    left, top = np.floor(x.array), np.floor(y.array)
    right_part, lower_part = (
        ops.unsqueeze(ops.sub(place, Tensor._wrap(start)), 1) for place, start in ((x, left), (y, top))
    )
    left_part, upper_part = ops.rsub(right_part, 1), ops.rsub(lower_part, 1)
    column, row = left.astype(np.int64), top.astype(np.int64)
    above = ops.add(ops.mul(at(row, column), left_part), ops.mul(at(row, column + 1), right_part))
    below = ops.add(
        ops.mul(at(row + 1, column), left_part), ops.mul(at(row + 1, column + 1), right_part)
    )
    return ops.add(ops.mul(above, upper_part), ops.mul(below, lower_part))
