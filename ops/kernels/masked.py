"""SIMD steps that treat lanes differently: relu, windows of a max-pooling and the lanes that won there, the
border of a transposition.

The third file that emits LLVM IR, after `simd` and `vector`.  Everything here is for use inside jitted
functions and works on raw pointers.
"""

from __future__ import annotations

from llvmlite import ir
from numba.core import types

from .cpu import VECTOR_BYTES
from .simd import (
    TileType,
    VectorType,
    _add_products,
    _at_offsets,
    _int,
    _intrinsic,
    _load,
    _multiply_add,
    _nothing,
    _places,
    _same,
    _splat,
    _store,
    _tile,
    _transposed,
    _vector_at,
    _vectors,
)

__all__ = ["aligned", "bytes_of", "doubles_of", "integers_of", "lanes_that_won", "lowest_bit",
           "offsets_of_turned", "offsets_of_windows", "spread_window", "tile_add_lines", "tile_add_scaled",
           "tile_clamp", "tile_load_half", "tile_of_windows", "tile_splat", "tile_store_windows",
           "transpose_part", "vector_where_positive", "vector_zeros"]  # fmt: skip

_INT8, _INT64 = ir.IntType(8), ir.IntType(64)


@_intrinsic(lambda pointer: types.CPointer(types.uint8))
def bytes_of(builder, kinds, pointer):
    """``pointer`` to an array of bytes that was passed among arrays of numbers."""
    return builder.bitcast(pointer, _INT8.as_pointer())


@_intrinsic(lambda pointer: types.CPointer(types.int64))
def integers_of(builder, kinds, pointer):
    """``pointer`` to an array of int64 that was passed among arrays of floats."""
    return builder.bitcast(pointer, _INT64.as_pointer())


@_intrinsic(lambda pointer: types.CPointer(types.float64))
def doubles_of(builder, kinds, pointer):
    """``pointer`` to an array of float64 that was passed among arrays of another type."""
    return builder.bitcast(pointer, ir.DoubleType().as_pointer())


@_intrinsic(_same)
def aligned(builder, kinds, pointer):
    """The first place at or after ``pointer`` where a vector crosses no cache line."""
    place = builder.add(builder.ptrtoint(pointer, _INT64), _int(VECTOR_BYTES - 1))
    return builder.inttoptr(builder.and_(place, _int(-VECTOR_BYTES)), pointer.type)


@_intrinsic(_vector_at)
def vector_zeros(builder, kinds, pointer):
    """A vector of zeros of the pointer's element type."""
    return ir.Constant(VectorType(kinds[0].dtype).llvm, None)


@_intrinsic(_same)
def vector_where_positive(builder, kinds, x, condition):
    """``x`` in the lanes where ``condition`` is positive, else zero."""
    zeros = ir.Constant(x.type, None)
    return builder.select(builder.fcmp_ordered(">", condition, zeros), x, zeros)


def _half_tile(pointer, offsets, columns, count):
    element = pointer.dtype
    return TileType(element, offsets.count, columns.literal_value, VectorType(element).lanes // 2)


@_intrinsic(_half_tile)
def tile_load_half(builder, kinds, pointer, offsets, columns, count):
    """`simd.tile_load` of vectors of half the length: two of them are multiplied in the time of one."""
    kind = _half_tile(*kinds)
    places = _places(builder, kind, pointer, offsets, count)
    vectors = [_load(builder, place, kind.vector.llvm, rest) for place, rest in places]
    return _tile(builder, kind, vectors)


def _floor(builder, kind, relu):
    """A vector of what results must not fall below: zeros with ``relu``, else minus infinity."""
    element = kind.llvm.element
    lowest = ir.Constant(element, float("-inf"))
    floor = builder.select(builder.icmp_signed("!=", relu, _int(0)), ir.Constant(element, 0.0), lowest)
    return _splat(builder, floor, kind.lanes)


@_intrinsic(_same)
def tile_clamp(builder, kinds, tile, relu):
    """The tile, its negative lanes set to zero if ``relu`` is not 0; NaN stays."""
    kind = kinds[0]
    floor = _floor(builder, kind.vector, relu)
    vectors = _vectors(builder, kind, tile)
    return _tile(
        builder, kind, [builder.select(builder.fcmp_ordered(">", floor, x), floor, x) for x in vectors]
    )


def _maximum_of(builder, values, floor):
    """The maximum of some vectors, and the number of the first that holds it, lane by lane.

    NaN wins, as in PyTorch.  A maximum that does not exceed ``floor`` becomes it, at number 0.
    """
    numbers = ir.VectorType(_INT8, floor.type.count)
    best, place = values[0], ir.Constant(numbers, None)
    for number, value in enumerate(values[1:], 1):
        greater = builder.fcmp_ordered(">", value, best)
        wins = builder.or_(greater, builder.fcmp_unordered("uno", value, value))
        best = builder.select(wins, value, best)
        place = builder.select(wins, ir.Constant(numbers, [number] * numbers.count), place)
    low = builder.fcmp_ordered("<=", best, floor)
    return builder.select(low, floor, best), builder.select(low, ir.Constant(numbers, None), place)


@_intrinsic(_nothing)
def tile_store_windows(builder, kinds, out, places, offsets, tile, relu):
    """Write the maximum of rows 4 w to 4 w + 3 to ``out[offsets[w]]`` and on, and which it was to places.

    With ``relu`` the maximum is at least 0.
    """
    kind = kinds[3]
    vectors, floor = _vectors(builder, kind, tile), _floor(builder, kind.vector, relu)
    for window in range(kind.rows // 4):
        offset = builder.extract_value(offsets, window)
        for column in range(kind.columns):
            first = 4 * window * kind.columns + column
            values = vectors[first : first + 4 * kind.columns : kind.columns]
            best, place = _maximum_of(builder, values, floor)
            target = [builder.add(offset, _int(column * kind.vector.lanes))]
            _store(builder, best, builder.gep(out, target))
            bytes_ = builder.bitcast(builder.gep(places, target), place.type.as_pointer())
            builder.store(place, bytes_).align = 1


@_intrinsic(_nothing)
def spread_window(builder, kinds, gradient, places, target, row_step, column_step):
    """Write ``gradient`` to the four places of a window: each lane where ``places`` says, elsewhere 0."""
    numbers = ir.VectorType(_INT8, gradient.type.count)
    place = builder.load(builder.bitcast(places, numbers.as_pointer()))
    place.align = 1
    zeros = ir.Constant(gradient.type, None)
    for number in range(4):
        mine = builder.icmp_signed("==", place, ir.Constant(numbers, [number] * numbers.count))
        row = builder.mul(row_step, _int(number // 2))
        offset = builder.add(row, builder.mul(column_step, _int(number % 2)))
        _store(builder, builder.select(mine, gradient, zeros), builder.gep(target, [offset]))


@_intrinsic(lambda gradient, places, number: types.int64)
def lanes_that_won(builder, kinds, gradient, places, number):
    """The lanes where ``places`` holds ``number`` and the gradient is not 0, as bits."""
    kind = VectorType(kinds[0].dtype).llvm
    numbers = ir.VectorType(_INT8, kind.count)
    place = builder.load(builder.bitcast(places, numbers.as_pointer()))
    place.align = 1
    here = builder.icmp_signed("==", place, _splat(builder, builder.trunc(number, _INT8), kind.count))
    some = builder.fcmp_unordered("!=", _load(builder, gradient, kind), ir.Constant(kind, None))
    bits = builder.bitcast(builder.and_(here, some), ir.IntType(kind.count))
    return builder.zext(bits, _INT64)


@_intrinsic(lambda bits: types.int64)
def lowest_bit(builder, kinds, bits):
    """The number of the lowest bit that is set; one must be."""
    return builder.cttz(bits, ir.Constant(ir.IntType(1), 1))


@_intrinsic(_same)
def tile_add_scaled(builder, kinds, tile, factor, b, offsets):
    """``tile[r] += factor * b[offsets[r] : offsets[r] + width]``."""
    kind, vectors = kinds[0], _vectors(builder, kinds[0], tile)
    splat, result = _splat(builder, factor, kind.vector.lanes), []
    for r, start in enumerate(_at_offsets(builder, b, offsets)):
        for c in range(kind.columns):
            place = builder.gep(start, [_int(c * kind.vector.lanes)])
            value = _load(builder, place, kind.vector.llvm)
            result.append(_multiply_add(builder, splat, value, vectors[r * kind.columns + c]))
    return _tile(builder, kind, result)


@_intrinsic(lambda pointer, offsets, columns: TileType(pointer.dtype, offsets.count, columns.literal_value))
def tile_splat(builder, kinds, pointer, offsets, columns):
    """Row r holds ``pointer[offsets[r]]`` everywhere."""
    kind = TileType(kinds[0].dtype, kinds[1].count, kinds[2].literal_value)
    places, vectors = _at_offsets(builder, pointer, offsets), []
    for place in places:
        vectors += [_splat(builder, builder.load(place), kind.vector.lanes)] * kind.columns
    return _tile(builder, kind, vectors)


@_intrinsic(_same)
def tile_add_lines(builder, kinds, tile, a, offsets, b, step):
    """``tile[r, i] += a[offsets[r]] * b[i * step : i * step + lanes]``: `tile_add_outer` of several lines."""
    kind, vector = kinds[0], kinds[0].vector
    places = [builder.gep(b, [builder.mul(step, _int(i))]) for i in range(kind.columns)]
    lines = [_load(builder, place, vector.llvm) for place in places]
    rows = [_splat(builder, builder.load(place), vector.lanes) for place in _at_offsets(builder, a, offsets)]
    return _add_products(builder, kind, tile, rows, lines)


def _tile_of_windows(tile, divisor):
    lanes = tile.vector.lanes
    return TileType(tile.vector.element, 2 * lanes, 1, lanes // divisor.literal_value)


@_intrinsic(_tile_of_windows)
def tile_of_windows(builder, kinds, tile, divisor):
    """Pixels times channels from channels times pixels: row ``4 w + i`` of the result is pixel i of window w.

    Row c of ``tile`` holds two lines of pixels of channel c, one above the other.  A row of the result is a
    vector, or one of half the length if ``divisor`` is 2, with zeros behind the channels that there are.
    """
    kind, result = kinds[0], _tile_of_windows(*kinds)
    vectors, width, lines = _vectors(builder, kind, tile), result.vector.lanes, []
    for line in range(2):
        rows = vectors[line::2][:width]
        rows += [ir.Constant(kind.vector.llvm, None)] * (width - len(rows))
        lines.append(_transposed(builder, rows))
    order = [lines[i // 2 % 2][i // 4 * 2 + i % 2] for i in range(result.rows)]
    return _tile(builder, result, order)


@_intrinsic(lambda tile, step: types.UniTuple(types.int64, tile.rows // 4))
def offsets_of_turned(builder, kinds, tile, step):
    """The offsets ``i * step`` of the windows of a `tile_of_windows`."""
    result = ir.Constant(ir.ArrayType(_INT64, kinds[0].rows // 4), ir.Undefined)
    for i in range(kinds[0].rows // 4):
        result = builder.insert_value(result, builder.mul(step, _int(i)), i)
    return result


@_intrinsic(lambda first, last, table, count: types.UniTuple(types.int64, count.literal_value))
def offsets_of_windows(builder, kinds, first, last, table, count):
    """``table[4 * min(first + i // 4, last) + i % 4]`` for i < count."""
    count = kinds[3].literal_value
    result = ir.Constant(ir.ArrayType(_INT64, count), ir.Undefined)
    for i in range(count):
        window = builder.add(first, _int(i // 4))
        window = builder.select(builder.icmp_signed("<", window, last), window, last)
        place = builder.add(builder.mul(window, _int(4)), _int(i % 4))
        result = builder.insert_value(result, builder.load(builder.gep(table, [place])), i)
    return result


@_intrinsic(_nothing)
def transpose_part(builder, kinds, source, source_step, rows, columns, target, target_step):
    """``target[j * target_step + i] = source[i * source_step + j]`` for i < rows, j < columns, both at
    most the number of lanes.
    """
    kind = VectorType(kinds[0].dtype)
    vectors = []
    for i in range(kind.lanes):
        inside = builder.select(builder.icmp_signed("<", _int(i), rows), columns, _int(0))
        place = builder.gep(source, [builder.mul(source_step, _int(i))])
        vectors.append(_load(builder, place, kind.llvm, inside))
    for j, vector in enumerate(_transposed(builder, vectors)):
        inside = builder.select(builder.icmp_signed("<", _int(j), columns), rows, _int(0))
        _store(builder, vector, builder.gep(target, [builder.mul(target_step, _int(j))]), inside)
