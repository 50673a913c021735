"""Padding: a constant around an array, or its own elements reflected, replicated or wrapped around."""

from __future__ import annotations

import functools
import operator

import numpy as np

from ops.core import Bad, case, composite, op, shape_of
from ops.indexing.slices import index_select
from ops.samples import spaced
from ops.shape.layout import clone

__all__ = ["constant_pad_nd", "pad"]


def _pairs(pad, ndim: int) -> list[tuple[int, int]]:
    """``(before, after)`` for every dimension; ``pad`` starts with the last one."""
    pad = tuple(pad)
    if len(pad) % 2:
        raise RuntimeError(f"Padding length must be divisible by 2, got {len(pad)} in {pad}")
    if len(pad) > 2 * ndim:
        raise RuntimeError("Padding length should be less than or equal to two times the input "
                           f"dimension but got padding length {len(pad)} and input of dimension {ndim}")
    pairs = list(zip(pad[::2], pad[1::2]))
    return [(0, 0)] * (ndim - len(pairs)) + pairs[::-1]


def _constant_cases(rng):
    yield case(spaced(rng, (2, 3)), (1, 2))
    yield case(spaced(rng, (2, 3, 4)), (0, 1, -1, 2), value=2.5)
    yield case(spaced(rng, (3, 4)), (-1, -2, 1, 0))
    yield case(spaced(rng, (4,)), (1, -1))
    yield case(spaced(rng, ()), ())
    yield case(spaced(rng, (0, 2)), (1, 0, 0, 2), value=1.5)


def _constant_reference(input, pad, mode="constant", value=0):
    pairs = [(0, 0)] * input.ndim
    for d in range(len(pad) // 2):
        pairs[-1 - d] = (pad[2 * d], pad[2 * d + 1])
    if not pairs:
        return input
    widened = np.pad(input, [(max(a, 0), max(b, 0)) for a, b in pairs], constant_values=value or 0)
    return widened[tuple(slice(max(-a, 0), n + min(b, 0) + max(a, 0) + max(b, 0) if b < 0 else None)
                         for (a, b), n in zip(pairs, input.shape))]


_BAD_PAIRS = [
    Bad((np.ones((2, 3)), (1,)), {}, RuntimeError, "Padding length must be divisible by 2"),
    Bad((np.ones(3), (1, 1, 1, 1)), {}, RuntimeError,
        "two times the input dimension but got padding length 4"),
    Bad((np.ones(3), (-2, -2)), {}, RuntimeError,
        r"pad \(-2, -2\) leaves dimension 0 of size 3 with -1"),
]


@op(
    grad=dict(input=lambda g, pad: constant_pad_nd(g, tuple(-n for n in pad), 0)),
    samples=_constant_cases,
    reference=lambda input, pad, value=0: _constant_reference(input, pad, value=value),
    bad=_BAD_PAIRS,
)
def constant_pad_nd(input, pad, value=0):
    """`pad` with a constant.

    >>> constant_pad_nd(np.array([1, 2]), (1, 1))
    array([0, 1, 2, 0])
    """
    shape, outer, inner = _places(input.shape, tuple(map(operator.index, pad)))
    if max(pad, default=0) <= 0:  # nothing is added
        return np.array(input[inner], order="C")
    out = np.full(shape, value, input.dtype) if value else np.zeros(shape, input.dtype)
    out[outer] = input[inner]
    return out


@functools.lru_cache(maxsize=1024)
def _places(shape: tuple[int, ...], pad: tuple[int, ...]) -> tuple:
    """The padded shape, and where in it which part of the input is."""
    padded, outer, inner = [], [], []
    for dim, (size, (before, after)) in enumerate(zip(shape, _pairs(pad, len(shape)))):
        if size + before + after < 0:
            raise RuntimeError(f"pad ({before}, {after}) leaves dimension {dim} of size {size} with "
                               f"{size + before + after} elements; the length must be non-negative")
        padded.append(size + before + after)
        outer.append(slice(max(before, 0), size + before + min(after, 0)))
        inner.append(slice(max(-before, 0), size + min(after, 0)))
    return tuple(padded), tuple(outer), tuple(inner)


# ------------------------------------------------------------------ from the array's own elements


def _reflected(size: int, before: int, after: int) -> np.ndarray:
    return size - 1 - np.abs(size - 1 - np.abs(np.arange(-before, size + after)))


def _replicated(size: int, before: int, after: int) -> np.ndarray:
    return np.clip(np.arange(-before, size + after), 0, size - 1)


def _wrapped(size: int, before: int, after: int) -> np.ndarray:
    kept = np.arange(size)[max(-before, 0):size + min(after, 0)]
    return kept[np.arange(-max(before, 0), kept.size + max(after, 0)) % kept.size]


# for each mode: the element that every place of the result is taken from
_SOURCE_OF = {"reflect": _reflected, "replicate": _replicated, "circular": _wrapped}


def _check_mode(shape: tuple[int, ...], pad, mode: str, pairs) -> None:
    """What PyTorch asks of the modes other than constant."""
    ndim = len(shape)
    if ndim not in (len(pad) // 2 + 1, len(pad) // 2 + 2) or not 2 <= len(pad) <= 6:
        raise NotImplementedError(f"Padding size {len(pad)} is not supported for {ndim}D input tensor. "
                                  f"With mode {mode!r} the last 1, 2 or 3 of 2 to 5 dimensions can be "
                                  "padded")
    for dim, (size, (before, after)) in enumerate(zip(shape, pairs)):
        padded = ndim - dim <= len(pad) // 2
        if mode == "reflect" and max(before, after) >= size and padded and size:
            raise RuntimeError("Padding size should be less than the corresponding input dimension, "
                               f"but got: padding ({before}, {after}) at dimension {dim} of input "
                               f"{list(shape)}")
        if mode == "circular" and padded and max(before, after) > size:
            raise RuntimeError(f"Padding value causes wrapping around more than once: ({before}, "
                               f"{after}) at dimension {dim} of input {list(shape)}")
        if padded and size + before + after <= 0:
            raise RuntimeError(f"padding ({before}, {after}) leaves nothing of dimension {dim} of input "
                               f"{list(shape)}")
        if size == 0 and (padded or dim and mode != "circular"):
            raise RuntimeError("Expected a tensor with possibly 0 batch size and other non-zero "
                               f"dimensions for input, but got: {list(shape)}")


def _pad_cases(rng):
    yield from _constant_cases(rng)
    for mode in _SOURCE_OF:
        yield case(spaced(rng, (2, 4)), (2, 1), mode)
        yield case(spaced(rng, (1, 3, 4)), (1, 0, 2, 2), mode)
        yield case(spaced(rng, (2, 4)), (-1, 2), mode)
        yield case(spaced(rng, (0, 2, 3)), (1, 1), mode)


def _pad_reference(input, pad, mode="constant", value=None):
    if mode == "constant":
        return _constant_reference(input, pad, value=value)
    mode = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}[mode]
    pairs = [(0, 0)] * input.ndim
    for d in range(len(pad) // 2):
        pairs[-1 - d] = (pad[2 * d], pad[2 * d + 1])
    if mode == "wrap":
        input = input[tuple(slice(max(-a, 0), None) for a, _ in pairs)]
    widened = np.pad(input, [(max(a, 0), max(b, 0)) for a, b in pairs], mode)
    return widened if mode == "wrap" else widened[tuple(slice(max(-a, 0), None) for a, _ in pairs)]


@composite(
    samples=_pad_cases, reference=_pad_reference,
    bad=[*_BAD_PAIRS,
         Bad((np.ones((2, 3)), (1, 1), "mirror"), {}, NotImplementedError,
             "Unrecognised padding mode mirror"),
         Bad((np.ones((2, 3)), (3, 1), "reflect"), {}, RuntimeError,
             "less than the corresponding input dimension"),
         Bad((np.ones((2, 3)), (4, 1), "circular"), {}, RuntimeError, "wrapping around more than once"),
         Bad((np.ones((2, 3)), (1, 1), "circular", 2.0), {}, RuntimeError,
             'mode "circular" doesn\'t take in value'),
         Bad((np.ones(3), (1, 1), "reflect"), {}, NotImplementedError,
             "Padding size 2 is not supported for 1D input"),
         Bad((np.ones((2, 0)), (1, 1), "replicate"), {}, RuntimeError, "non-zero dimensions")],
)
def pad(input, pad, mode="constant", value=None):
    """``input`` made larger, or smaller by negative numbers, at the ends of its last dimensions.

    Args:
        pad: ``(before, after)`` of the last dimension, then of the one before it, and so on, in one flat
            tuple.
        mode: ``"constant"``, ``"reflect"`` (the edge is not repeated), ``"replicate"`` or
            ``"circular"``; the last three pad the last 1, 2 or 3 of (2, 3), (3, 4) or (4, 5) dimensions.
        value: the constant, 0 by default.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.pad.html

    >>> pad(np.array([[1, 2, 3]]), (2, 1), "reflect")
    array([[3, 2, 1, 2, 3, 2]])
    """
    if mode == "constant":
        return constant_pad_nd(input, pad, 0 if value is None else value)
    pairs = _pairs(pad, input.ndim)
    if mode not in _SOURCE_OF:
        raise NotImplementedError(f"Unrecognised padding mode {mode}; use 'constant', 'reflect', "
                                  "'replicate' or 'circular'")
    if value:
        raise RuntimeError(f'Padding mode "{mode}" doesn\'t take in value argument, got {value}')
    _check_mode(shape_of(input), pad, mode, pairs)
    result = input
    for dim, (size, (before, after)) in enumerate(zip(input.shape, pairs)):
        if before or after:
            result = index_select(result, dim, _SOURCE_OF[mode](size, before, after))
    return clone(input) if result is input else result
