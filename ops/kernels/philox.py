"""Random numbers from NumPy's Philox generator, number for number those that NumPy draws, only sooner.

Philox makes four words of a counter and a key (Salmon et al. 2011, "Parallel random numbers: as easy as
1, 2, 3").  NumPy makes the next four when it is asked for a fifth; here the processor works on several
counters at a time, and no jump depends on a random sign, which is foreseen wrongly every other time: a
normal number takes 3 nanoseconds in place of 10.

The kernels read and write the generator's own state, eight words at an address that NumPy gives
(`numpy.random.Philox.ctypes`): the addresses of the counter and of the key, the place in the last block,
this block's four words, and whether half a word is left (lower half) and which (upper half).
"""

from __future__ import annotations

import ctypes
import functools
import math

import numpy as np
from numba import types

from .jit import jit, part
from .launch import Launch, Task
from .simd import _INT64, _intrinsic, ir, no_inline, pointer_shift, table_at

__all__ = ["fits", "integers", "standard_normal"]

_ROUNDS = 10
_BLOCKS = 32  # made at a time
_WORDS = 4 * _BLOCKS + 4
_FACTORS = tuple(np.array([0xD2E7470EE14C6C93, 0xCA5A826395121157], np.uint64).view(np.int64))
_WEYL = tuple(np.array([0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B], np.uint64).view(np.int64))
_HALF = 2**32 - 1


# ---------------------------------------------------------------- the words


@_intrinsic(lambda x, y: types.UniTuple(types.int64, 2))
def _product(builder, kinds, x, y):
    """The upper and the lower word of the product of two words without sign."""
    wide = ir.IntType(128)
    product = builder.mul(builder.zext(x, wide), builder.zext(y, wide))
    upper, lower = builder.trunc(builder.lshr(product, wide(64)), _INT64), builder.trunc(product, _INT64)
    pair = ir.Constant(ir.ArrayType(_INT64, 2), ir.Undefined)
    return builder.insert_value(builder.insert_value(pair, upper, 0), lower, 1)


@part
def _count(counter, steps):
    """The counter, a number of four words, some steps further on."""
    x0, x1, x2, x3 = counter[0] + steps, counter[1], counter[2], counter[3]
    if counter[0] < 0 <= x0:  # past the largest number without sign
        x1 += 1
        if x1 == 0:
            x2 += 1
            if x2 == 0:
                x3 += 1
    return x0, x1, x2, x3


@part
def _make_block(state, number, words):
    """The four words of the block ``number`` counters after that of the state."""
    key = table_at(state[1])
    key0, key1 = key[0], key[1]
    x0, x1, x2, x3 = _count(table_at(state[0]), number)
    for _ in range(_ROUNDS):
        high0, low0 = _product(_FACTORS[0], x0)
        high1, low1 = _product(_FACTORS[1], x2)
        x0, x1, x2, x3 = high1 ^ x1 ^ key0, low1, high0 ^ x3 ^ key1, low0
        key0, key1 = key0 + _WEYL[0], key1 + _WEYL[1]
    words[0], words[1], words[2], words[3] = x0, x1, x2, x3


@part
def _begin(state, words):
    """Put the last block at the end of ``words``, memory for `_WORDS`; returns the place there, and the
    number of the first block.

    Places count halves of words; blocks count from the last one.
    """
    for i in range(4):
        words[4 * _BLOCKS + i] = state[3 + i]
    left = state[7] & 1
    place = 8 * _BLOCKS + 2 * (state[2] & _HALF) - left
    if left:
        words[place >> 1] = state[7]
    return place, -_BLOCKS


@part
def _refill(state, words, first):
    """The next blocks into ``words``, behind the last one."""
    no_inline()
    for i in range(4):
        words[i] = words[4 * _BLOCKS + i]
    for block in range(1, _BLOCKS + 1):
        _make_block(state, first + block, pointer_shift(words, 4 * block))


@part
def _draw(state, words, place, first):
    """Half a word without sign, the place after it, and the number of the first block."""
    if place == 2 * _WORDS:
        first += _BLOCKS
        _refill(state, words, first)
        place = 8
    return (words[place >> 1] >> (place & 1) * 32) & _HALF, place + 1, first


@part
def _end(state, words, place, first):
    """Leave the generator as NumPy does after the same draws."""
    word = (place - 1) >> 1  # the last that was drawn from
    block = max(word >> 2, -first)
    state[2], state[7] = word + 1 - 4 * block, place & 1 | words[word] & ~_HALF
    if first + block > 0:
        counter = table_at(state[0])
        counter[0], counter[1], counter[2], counter[3] = _count(counter, first + block)
        for i in range(4):
            state[3 + i] = words[4 * block + i]


# ---------------------------------------------------------------- normal numbers


_FLOAT32 = np.dtype(np.float32)
_EDGE = 3.6541528853610088  # where the tail begins
_AREA = 0.00492867323399  # of a layer


def _layers() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The 256 layers of a ziggurat under exp(-x^2 / 2), all of one area (Marsaglia and Tsang 2000).

    Returns the width of a step, of which a layer has 2^23, the number of steps below the curve, and the
    height of the upper edge: rounded to float32 they are the numbers in NumPy's tables.
    """
    ends, heights = np.empty(256), np.empty(256)
    ends[255], heights[255] = _EDGE, math.exp(-(_EDGE**2) / 2)
    for i in range(254, 0, -1):
        heights[i] = _AREA / ends[i + 1] + heights[i + 1]
        ends[i] = math.sqrt(-2 * math.log(heights[i]))
    ends[0], heights[0] = _AREA / heights[255], 1  # the lowest layer with the tail, as if it were a rectangle
    inner = np.concatenate([[_EDGE, 0], ends[1:-1]])
    return (np.float32(ends / 2**23), np.int32(np.rint(inner / ends * 2**23)), np.float32(heights))


_WIDTHS, _INSIDE, _HEIGHTS = _layers()
_TAIL, _PER_TAIL, _UNIT = np.float32(_EDGE), np.float32(1 / _EDGE), np.float32(2.0**-24)


@part
def _log_of_rest(half):
    """-log(1 - u) for the uniform number u of half a word."""
    return -np.log1p(-np.float32(half >> 8) * _UNIT)


@part
def _outside(state, words, place, first, layer, steps, x):
    """For one point in 80, which lies at the edge of a layer: whether it is below the curve, the number,
    the place and the first block."""
    no_inline()
    if layer == 0:
        while True:
            half, place, first = _draw(state, words, place, first)
            beyond = _PER_TAIL * _log_of_rest(half)
            half, place, first = _draw(state, words, place, first)
            rest = _log_of_rest(half)
            if rest + rest > beyond * beyond:
                x = _TAIL + beyond
                return True, -x if steps & 256 else x, place, first
    half, place, first = _draw(state, words, place, first)
    low, high = _HEIGHTS[layer], _HEIGHTS[layer - 1]
    height = (high - low) * (np.float32(half >> 8) * _UNIT) + low
    return height < math.exp(-0.5 * x * x), x, place, first


@Task
def _fill_normal(arrays, numbers, task, worker):
    out, state = arrays[0], table_at(numbers[0])
    memory = np.empty(_WORDS, np.int64)
    words = table_at(memory.ctypes.data)
    place, first = _begin(state, words)
    drawn = 0
    while drawn < numbers[1]:
        half, place, first = _draw(state, words, place, first)
        layer, steps = half & 255, np.int32(half >> 9)
        size = np.float32(np.float32(steps) * _WIDTHS[layer])
        # As a choice between size and -size it is a jump on processors that choose integers only: 7.8 in
        # place of 4.1 nanoseconds a number.
        x = np.int32(size.view(np.int32) ^ np.int32(-((half & 256) << 23))).view(np.float32)
        below = steps < _INSIDE[layer]
        if not below:
            below, x, place, first = _outside(state, words, place, first, layer, steps, x)
        if below:
            out[drawn] = x
            drawn += 1
    _end(state, words, place, first)
    memory[0] = 0  # numba frees an array after its last use


def standard_normal(generator: np.random.Philox, shape) -> np.ndarray:
    """Normal numbers in float32, those of ``numpy.random.Generator(generator).standard_normal``.

    >>> drawn = standard_normal(np.random.Philox(0), (2, 3))
    >>> np.array_equal(drawn, np.random.Generator(np.random.Philox(0)).standard_normal((2, 3), np.float32))
    True
    """
    out = np.empty(shape, _FLOAT32)
    draw = _prepared_normal(generator.ctypes.state_address, out.size)
    with generator.lock:  # which NumPy holds while it draws
        draw(out)
    return out


@functools.lru_cache(maxsize=256)
def _prepared_normal(address: int, count: int) -> Launch:
    """The launch that draws for a generator whose state is at this address."""
    return Launch(_fill_normal, _FLOAT32, (address, count), 1, 0)


# ---------------------------------------------------------------- integers


@jit
def _fill_integers(address, out, low, count):
    """Lemire 2019, "Fast random integer generation in an interval": the upper half of a product."""
    state, memory = table_at(address), np.empty(_WORDS, np.int64)
    words = table_at(memory.ctypes.data)
    place, first = _begin(state, words)
    unfair = 2**32 % count  # lower halves of products that would make some integers more likely
    for i in range(out.size):
        half, place, first = _draw(state, words, place, first)
        product = half * count
        while product & _HALF < unfair:
            half, place, first = _draw(state, words, place, first)
            product = half * count
        out[i] = low + (product >> 32)
    _end(state, words, place, first)
    return memory[0]  # numba frees an array after its last use


def integers(generator: np.random.Philox, low: int, high: int, shape) -> np.ndarray:
    """Integers from ``low`` up to but without ``high``, those of ``numpy.random.Generator.integers``.

    There must be 2 to 2^31 of them.

    >>> drawn = integers(np.random.Philox(0), 2, 9, (2, 3))
    >>> np.array_equal(drawn, np.random.Generator(np.random.Philox(0)).integers(2, 9, (2, 3)))
    True
    """
    out = np.empty(shape, np.int64)
    with generator.lock:
        _fill_integers(generator.ctypes.state_address, out.reshape(-1), low, high - low)
    return out


# ---------------------------------------------------------------- NumPy's state


@functools.cache
def fits() -> bool:
    """Whether this version of NumPy has its state in memory as the kernels take it to.

    >>> fits()
    True
    """
    generator = np.random.Philox(5)
    np.random.Generator(generator).random(3, np.float32)  # two words, of which half a one is left
    state, address = generator.state, generator.ctypes.state_address
    words = (ctypes.c_uint64 * 8).from_address(address)
    counter, key = ((ctypes.c_uint64 * n).from_address(words[i]) for i, n in enumerate((4, 2)))
    return (
        [*counter] == state["state"]["counter"].tolist()
        and [*key] == state["state"]["key"].tolist()
        and [*words[3:7]] == state["buffer"].tolist()
        and [words[2] & _HALF, words[7]] == [state["buffer_pos"], state["uinteger"] << 32 | 1]
    )
