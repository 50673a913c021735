"""A convolution, relu and max-pooling in one pass, and the chain of ops that leads there.

Written as in any homework, ``pool(relu(conv(x)))``, each op would write its whole result to memory for the
next one to read.  The fused op keeps a strip of the convolution in the first-level cache and stores what
is left of it, and its backward pass spreads the gradient back the same way.  Users never call it: the
engine puts a convolution off until it knows what follows (`ops.core.Chain`).

The result is channels-last in memory behind the usual shape (N, C, H, W): the next convolution reads it
so.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np

from ops.activation.piecewise import relu as relu_op
from ops.convolution.core import convolution, convolution_gradients, convolved, output_size, window_cases
from ops.core import Chain, Joint, array_of, case, dtype_of, op, shape_of
from ops.elementwise.comparison import le
from ops.elementwise.masking import zero_where
from ops.lazy import LazyModule
from ops.normalization.affine import channel_affine
from ops.pooling.max_pool import largest_of, max_pooling, planes_scatter
from ops.pooling.windows import Windows, all_places
from ops.samples import spaced

__all__ = ["convolution_block"]

_kernels = LazyModule("ops.kernels.conv_block")
_NOWHERE = np.empty(0, np.uint8)


# ------------------------------------------------------------------ samples and a slow reference


def _cases(rng):
    for x, w, *options in window_cases(rng):
        for relu, pool in ((True, True), (True, False), (False, True)):
            yield case(spaced(rng, x), spaced(rng, w), spaced(rng, (w[0],)), *options, relu, pool)
    yield case(spaced(rng, (2, 3, 6, 7)), spaced(rng, (4, 3, 3, 3)), None, (1, 1), (1, 1), (1, 1), 1,
               True, True)


def _reference(input, weight, bias, stride, padding, dilation, groups, relu, pool):
    result = convolution.reference(input, weight, bias, stride, padding, dilation, groups)
    result = np.where(result <= 0, 0, result) if relu else result
    if not pool:
        return result, _NOWHERE
    rows, columns = (places[:size // 2] for places, size in
                     zip(all_places(result.shape[2:], 2), result.shape[2:]))
    values, places = largest_of(result, rows, columns)
    row, column = np.divmod(places, result.shape[3])
    return values, (row % 2 * 2 + column % 2).astype(np.uint8)


# ------------------------------------------------------------------ the op


def _unpooled(g, places, size):
    """The gradient before the pooling: each element at the place of its window's winner."""
    places = array_of(places).astype(np.int64)
    rows, columns = np.ogrid[:places.shape[2], :places.shape[3]]
    return planes_scatter(g, (2 * rows + places // 2) * size[1] + 2 * columns + places % 2, size)


def _gradients(g, wanted, input, weight, values, places, stride, padding, dilation, groups, relu, pool):
    if isinstance(g, np.ndarray):
        return _kernels.conv_block_backward(g, input, weight, values, places if pool else None, stride,
                                            padding, dilation, groups, relu, wanted)
    if relu:
        g = zero_where(g, le(values, 0))
    if pool:
        size = tuple(map(output_size, input.shape[2:], weight.shape[2:], stride, padding, dilation))
        g = _unpooled(g, places, size)
    return convolution_gradients(g, wanted, input, weight, stride, padding, dilation, groups)


@op(
    grad=Joint(("input", "weight", "bias"), _gradients), outputs=("values", "places"),
    samples=_cases, reference=_reference,
    exempt={"zero_dim": "takes images", "bad": "checked by conv2d and max_pool2d"},
)
def convolution_block(input, weight, bias, stride, padding, dilation, groups, relu, pool):
    """`convolution`, then relu, then the maximum over windows of 2 x 2, the last two if asked for.

    Returns the values and, if pooled, the place of each maximum in its window: 2 * row + column.

    >>> image, weight = np.arange(4.0).reshape(1, 1, 2, 2), np.ones((1, 1, 1, 1))
    >>> convolution_block(image, weight, None, (1, 1), (0, 0), (1, 1), 1, True, True)
    convolution_block(values=array([[[[3.]]]]), places=array([[[[3]]]], dtype=uint8))
    """
    values, places = convolved("convolution_block", input, weight, bias, stride, padding, dilation, groups,
                               relu, pool)
    return values, _NOWHERE if places is None else places


# ------------------------------------------------------------------ the chain


class Block(NamedTuple):
    """A convolution (`convolution`) and which of relu and pooling follow it."""

    shape: tuple[int, ...]
    relu: bool = False
    pool: bool = False
    further: tuple = ()
    weights: int = 0

    def then(self, op, args: tuple, recording: bool) -> Block | None:
        """See `ops.core.Chain.then`.

        Relu after the pooling is relu before it.  A map ``factor * x + offset`` of each channel, such as
        batch-norm in evaluation, goes into weight and bias where no gradient needs it apart and the weight
        is smaller than the images.
        """
        if op is relu_op and not self.relu:
            return Block(self.shape, True, self.pool, self.further, self.weights)
        if op is channel_affine and not (recording or self.relu or self.pool or self.further) \
                and self.weights < math.prod(self.shape):
            return self._replace(further=tuple(map(array_of, args)))
        if op is max_pooling and not self.pool:
            half = (self.shape[2] // 2, self.shape[3] // 2)
            if min(half) > 0 and args[0] == Windows((2, 2), (2, 2), (0, 0), (1, 1), half):
                return Block((*self.shape[:2], *half), self.relu, True, self.further, self.weights)
        return None

    @property
    def complete(self) -> bool:
        """Whether nothing can follow."""
        return self.relu and self.pool

    def fused(self, arguments: tuple) -> tuple:
        """See `ops.core.Chain.fused`."""
        if self.further:  # of the map of each channel
            (factor, offset), (input, weight, bias, *options) = self.further, arguments
            bias = offset if bias is None else bias * factor + offset
            arguments = (input, weight * factor[:, None, None, None], bias, *options)
        if self.relu or self.pool:
            return convolution_block, (*arguments, self.relu, self.pool)
        return convolution, arguments


def start_block(input, weight, bias, stride, padding, dilation, groups) -> Block | None:
    """The chain that begins with a convolution of these images; None where no fused kernel is worth it."""
    return _first_block(shape_of(input), dtype_of(input), shape_of(weight), stride, padding, dilation, groups)


@functools.lru_cache(maxsize=4096)
def _first_block(input_shape, dtype, weight_shape, stride, padding, dilation, groups) -> Block | None:
    """The chain of a convolution alone."""
    if groups != 1 or dtype.kind != "f" or 0 in input_shape:
        return None
    if _kernels.is_small(input_shape, weight_shape, stride, padding, dilation, groups, dtype.itemsize):
        return None  # putting it off takes longer than what fusion spares
    size = map(output_size, input_shape[2:], weight_shape[2:], stride, padding, dilation)
    return Block((input_shape[0], weight_shape[0], *size), weights=math.prod(weight_shape))


Chain.register(Block)
convolution.chain = start_block
