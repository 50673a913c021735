"""A convolution of few numbers in one call: its result is row-major at once.

Packing the weights, the sums and the copy to row-major memory are the launches of `Convolution` and of
`channels_last`, so the numbers are the same bits.
"""

from __future__ import annotations

import numpy as np

from .channels_last import planes_from_pixels
from .conv_block_forward import Convolution
from .cpu import VECTOR_BYTES
from .sequence import Sequence

__all__ = ["SMALL_RESULT", "SMALL_WORK", "SmallConvolution"]

SMALL_RESULT = 1024  # elements: with 900 a step of convolution, relu and max-pooling that is not fused takes
# 97 microseconds in place of 102, with 1800 as many, and with 6272 140 in place of 111
SMALL_WORK = 2**16  # multiplications: 5 microseconds


class SmallConvolution(Convolution):
    """`Convolution` without relu and pooling for little work; the result is C-contiguous.

    Of ``signals`` everything may come without the dimension of the rows, and so does the result.

    >>> one, array = (1, 1), np.ones((1, 1, 2, 2))
    >>> geometry = array.shape, array.strides, array.dtype, (1, 1, 1, 1), False, one, (0, 0), one
    >>> SmallConvolution(*geometry, signals=False)(array, 2 * np.ones((1, 1, 1, 1)), None)
    array([[[[2., 2.],
             [2., 2.]]]])
    """

    def __init__(self, *geometry, signals):
        super().__init__(*geometry, relu=False, pool=False)
        images, channels, _, columns = self._shape
        self._result_shape = (images, channels, columns) if signals else self._shape
        itemsize = self._dtype.itemsize
        pixel_strides = tuple([step * itemsize for step in self._steps])
        copy = planes_from_pixels(self._shape, pixel_strides, self._dtype)
        out, x, weight, bias, memory = range(5)
        packed, pixels = (memory, 0), (memory, _lines(self._packed * itemsize))
        sums = (memory, pixels[1] + _lines(images * pixel_strides[0]))
        self._in_turn = Sequence([
            (self._pack, [(weight, 0), (bias, 0), packed]),
            (self._run, [(x, 0), packed, pixels, pixels, sums]),
            (copy, [pixels, (out, 0)]),
        ], sums[1] + (self._plan.scratch or 1) * itemsize)  # fmt: skip

    def __call__(self, x, weight, bias):
        if not weight.flags.c_contiguous:
            weight = np.ascontiguousarray(weight)
        if bias is None:
            bias = weight
        elif not bias.flags.c_contiguous:
            bias = np.ascontiguousarray(bias)
        out = np.empty(self._result_shape, self._dtype)
        self._in_turn(out, x, weight, bias)
        return out


def _lines(count: int) -> int:
    """So many bytes in whole cache lines."""
    return -(-count // VECTOR_BYTES) * VECTOR_BYTES
