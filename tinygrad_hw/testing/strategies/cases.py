"""Strategies of whole calls: operands that fit each other, for matmul, convolution, pooling, losses."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tinygrad_hw.testing.strategies.tensors import as_tensor, kink_free, tensors

__all__ = ["conv2d_cases", "index_expressions", "indices", "labels_and_logits", "matmul_operands",
           "pool2d_cases"]


@st.composite
def matmul_operands(draw, dtype=np.float64, max_dims: int = 4, min_side: int = 0, max_side: int = 4,
                    low: float | None = -10, high: float | None = 10, requires_grad: bool = False):
    """Two tensors that ``matmul`` accepts: vectors, matrices, and stacks that broadcast.

    >>> from hypothesis import find
    >>> vector, matrix = find(matmul_operands(), lambda pair: (pair[0].ndim, pair[1].ndim) == (1, 2))
    >>> (vector @ matrix).ndim
    1
    """
    drawn = draw(hnp.mutually_broadcastable_shapes(signature=np.matmul.signature, max_dims=max_dims - 2,
                                                   min_side=min_side, max_side=max_side))
    return [draw(tensors(dtype, shape, low, high, requires_grad))
            for shape in drawn.input_shapes]


def _pairs(low: int, high: int):
    """A number, or one for each of two dimensions, as layers take them."""
    one = st.integers(low, high)
    return st.one_of(one, st.tuples(one, one))


def _two(value) -> tuple[int, int]:
    return value if isinstance(value, tuple) else (value, value)


@st.composite
def conv2d_cases(draw, max_batch: int = 2, max_channels: int = 3, max_kernel: int = 3, max_side: int = 6,
                 min_batch: int = 0, low: float = -2, high: float = 2, dtype=np.float64,
                 requires_grad: bool = False):
    """Keyword arguments of ``F.conv2d``: batches with and without elements, groups, any geometry.

    >>> from hypothesis import find
    >>> call = find(conv2d_cases(), lambda call: call["bias"] is None)
    >>> sorted(call)
    ['bias', 'dilation', 'groups', 'input', 'padding', 'stride', 'weight']
    """
    groups = draw(st.integers(1, max_channels))
    inputs, outputs = (draw(st.integers(1, max(1, max_channels // groups))) for _ in range(2))
    kernel = tuple(draw(st.integers(1, max_kernel)) for _ in range(2))
    stride, padding, dilation = draw(_pairs(1, 3)), draw(_pairs(0, 2)), draw(_pairs(1, 2))
    sides = []
    for size, pad, step in zip(kernel, _two(padding), _two(dilation)):
        least = max(1, step * (size - 1) + 1 - 2 * pad)  # so that the output has an element
        sides.append(draw(st.integers(least, max(least, max_side))))
    batch = (draw(st.integers(min_batch, max_batch)),)

    def tensor(*shape):
        return draw(tensors(dtype, shape, low, high, requires_grad))

    return dict(
        input=tensor(*batch, groups * inputs, *sides), weight=tensor(groups * outputs, inputs, *kernel),
        bias=tensor(groups * outputs) if draw(st.booleans()) else None, stride=stride, padding=padding,
        dilation=dilation, groups=groups,
    )


@st.composite
def pool2d_cases(draw, max_kernel: int = 3, max_side: int = 6, dilation: bool = True,
                 requires_grad: bool = False):
    """Keyword arguments of ``F.max_pool2d`` (without ``dilation`` also of ``F.avg_pool2d``).

    The input's values differ from each other, so that no window holds a tie.

    >>> from hypothesis import find
    >>> call = find(pool2d_cases(), lambda call: call["ceil_mode"])
    >>> call["kernel_size"], call["input"].shape
    ((1, 1), tinygrad_hw.Size([1, 1, 1, 1]))
    """
    kernel = tuple(draw(st.integers(1, max_kernel)) for _ in range(2))
    padding = draw(_pairs(0, min(kernel) // 2))
    spread = draw(_pairs(1, 2)) if dilation else 1
    sides = []
    for size, pad, step in zip(kernel, _two(padding), _two(spread)):
        least = max(1, step * (size - 1) + 1 - 2 * pad)
        sides.append(draw(st.integers(least, max(least, max_side))))
    shape = (draw(st.integers(1, 2)), draw(st.integers(1, 2)), *sides)
    call = dict(input=draw(kink_free(shape, requires_grad=requires_grad)), kernel_size=kernel,
                stride=draw(st.one_of(st.none(), _pairs(1, 3))), padding=padding,
                ceil_mode=draw(st.booleans()))
    return {**call, "dilation": spread} if dilation else call


@st.composite
def labels_and_logits(draw, max_batch: int = 4, max_classes: int = 5, spatial: bool = True,
                      ignore_index: int | None = None, low: float = -10, high: float = 10,
                      dtype=np.float64, requires_grad: bool = False):
    """Class numbers and scores as ``F.cross_entropy`` takes them: (N,) and (N, C), or with more axes.

    Args:
        spatial: also scores (C,) of one example and maps (N, C, d1, ...).
        ignore_index: a label that may turn up among the others.

    Returns:
        strategy of ``(labels, logits)``.

    >>> from hypothesis import find
    >>> labels, logits = find(labels_and_logits(spatial=False), lambda pair: len(pair[0]) == 2)
    >>> labels, logits.shape
    (tensor([0, 0]), tinygrad_hw.Size([2, 1]))
    """
    classes = draw(st.integers(1, max_classes))
    batch: tuple[int, ...] = (draw(st.integers(1, max_batch)),)
    if spatial:
        batch = draw(st.sampled_from([batch, (), (*batch, 2), (*batch, 2, 1)]))
    shape = (*batch[:1], classes, *batch[1:])
    label = st.integers(0, classes - 1)
    if ignore_index is not None:
        label = st.one_of(label, st.just(ignore_index))
    labels = draw(hnp.arrays(np.int64, batch, elements=label))
    logits = draw(tensors(dtype, shape, low, high, requires_grad))
    return as_tensor(labels), logits


def indices(size: int, shape=None, negative: bool = False):
    """Integer tensors of positions along an axis of ``size`` elements.

    Args:
        shape: tuple or strategy; `shapes` by default.
        negative: also count from the end.

    >>> from hypothesis import find
    >>> find(indices(3, (2,)), lambda index: index[0] != index[1])
    tensor([0, 1])
    """
    if size == 0:
        shape = (0,)
    return tensors(np.int64, shape, -size if negative else 0, max(size - 1, 0))


@st.composite
def index_expressions(draw, shape: tuple[int, ...]):
    """What may stand in the brackets of ``x[...]`` for a tensor of this shape.

    Numbers, slices with steps, None, Ellipsis, integer tensors and boolean masks, in tuples of any length.

    >>> from hypothesis import find
    >>> find(index_expressions((3, 2)), lambda index: type(index) is int)
    0
    """
    parts: list = []
    axis = 0
    advanced = draw(st.booleans())
    while axis < len(shape) and draw(st.integers(0, 3)):
        size = shape[axis]
        choices = ["slice", "none"] + ["number"] * (size > 0) + ["tensor", "mask"] * advanced
        kind = draw(st.sampled_from(choices))
        if kind == "none":
            parts.append(None)
            continue
        if kind == "number":
            parts.append(draw(st.integers(-size, size - 1)))
        elif kind == "slice":
            start, stop = (draw(st.one_of(st.none(), st.integers(-size - 1, size + 1))) for _ in range(2))
            parts.append(slice(start, stop, draw(st.sampled_from([None, 1, 2, 3]))))
        elif kind == "tensor":
            # one common shape, so that several index tensors broadcast
            parts.append(draw(indices(size, (2,) if size else (0,), negative=True)))
        else:
            parts.append(draw(tensors(bool, (size,))))
        axis += 1
    masks = [part for part in parts if getattr(part, "ndim", 0)]
    if len(masks) > 1:  # masks select different numbers of elements: keep the first index tensor alone
        parts = [slice(None) if any(part is mask for mask in masks[1:]) else part for part in parts]
    if draw(st.booleans()) and Ellipsis not in [part for part in parts if not hasattr(part, "ndim")]:
        behind = draw(st.integers(0, len(parts)))
        if behind == len(parts):
            parts.append(Ellipsis)
    return parts[0] if len(parts) == 1 and draw(st.booleans()) else tuple(parts)
