"""SIMD vectors and register tiles for numba: the only file that emits LLVM IR, with `vector` and `philox`.

A *vector* is one SIMD register full of floats; its length, `cpu.lanes`, follows the processor (float32:
16 with AVX-512, 8 with AVX, else 4) and the pointer's element type.  A *tile* is a grid of vectors held
as one value, so that a matrix product can keep its whole accumulator in registers: LLVM does not find
that by itself. Everything here works on raw pointers, without bounds checks; callers guarantee the
memory.

Functions named ``vector_*``, ``tile_*`` and ``pointer_*`` are for use inside jitted functions.  The
numbers of rows and columns of a tile and of offsets must be constants there.
"""

from __future__ import annotations

import inspect

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic, models, register_model

from .cpu import HAS_FMA, VECTOR_BYTES, lanes

_INT32, _INT64 = ir.IntType(32), ir.IntType(64)
_ALIGNMENT = _INT32(4)  # an element's, not a vector's: arrays begin anywhere
_FLOATS = {types.float32: ir.FloatType(), types.float64: ir.DoubleType()}


class VectorType(types.Type):
    """One SIMD register of ``element`` (float32 or float64), or only ``length`` lanes of it."""

    def __init__(self, element, length=None):
        self.element, self.lanes = element, length or lanes(element.bitwidth // 8)
        self.llvm = ir.VectorType(_FLOATS[element], self.lanes)
        super().__init__(name=f"Vector({element},{self.lanes})")


class TileType(types.Type):
    """``rows`` x ``columns`` vectors of ``element``, held in registers."""

    def __init__(self, element, rows, columns, length=None):
        self.vector, self.rows, self.columns = VectorType(element, length), rows, columns
        self.llvm = ir.ArrayType(self.vector.llvm, rows * columns)
        super().__init__(name=f"Tile({self.vector},{rows},{columns})")


@register_model(VectorType)
@register_model(TileType)
class _RegisterModel(models.PrimitiveModel):
    def __init__(self, manager, kind):
        super().__init__(manager, kind, kind.llvm)


def _int(value):
    return ir.Constant(_INT64, value)


def _undefined(kind):
    return ir.Constant(kind, ir.Undefined)


def _shuffle(builder, first, second, order):
    return builder.shuffle_vector(first, second, ir.Constant(ir.VectorType(_INT32, len(order)), order))


def _splat(builder, scalar, length):
    empty = _undefined(ir.VectorType(scalar.type, length))
    return _shuffle(builder, builder.insert_element(empty, scalar, _INT32(0)), empty, [0] * length)


def _name(kind):
    return f"v{kind.count}{'f32' if isinstance(kind.element, ir.FloatType) else 'f64'}"


def _call(builder, name, result, arguments):
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)


def _multiply_add(builder, x, y, z):
    # llvm.fma is one instruction where the processor has it, a slow library call elsewhere.
    if not HAS_FMA:
        return builder.fadd(builder.fmul(x, y), z)
    return _call(builder, f"llvm.fma.{_name(x.type)}", x.type, [x, y, z])


def _first_lanes(builder, count, length):
    """Mask of the lanes below ``count``."""
    numbers = ir.Constant(ir.VectorType(_INT64, length), list(range(length)))
    return builder.icmp_signed("<", numbers, _splat(builder, count, length))


def _load(builder, pointer, kind, count=None):
    """The vector at ``pointer``; with ``count`` only its first lanes, and zeros."""
    pointer = builder.bitcast(pointer, kind.as_pointer())
    if count is not None:
        arguments = [
            pointer,
            _ALIGNMENT,
            _first_lanes(builder, count, kind.count),
            ir.Constant(kind, None),
        ]
        return _call(builder, f"llvm.masked.load.{_name(kind)}.p0", kind, arguments)
    value = builder.load(pointer)
    value.align = _ALIGNMENT.constant
    return value


def _store(builder, value, pointer, count=None):
    pointer = builder.bitcast(pointer, value.type.as_pointer())
    if count is not None:
        arguments = [value, pointer, _ALIGNMENT, _first_lanes(builder, count, value.type.count)]
        _call(builder, f"llvm.masked.store.{_name(value.type)}.p0", ir.VoidType(), arguments)
    else:
        builder.store(value, pointer).align = _ALIGNMENT.constant


def _sums(builder, vectors):
    """Horizontal sums of as many vectors as there are lanes, as one vector.

    Each round adds the even to the odd lanes of a pair of vectors: log2(lanes) rounds, lanes - 1
    additions.
    """
    length = len(vectors)
    while len(vectors) > 1:
        pairs = zip(vectors[::2], vectors[1::2])
        even, odd = list(range(0, 2 * length, 2)), list(range(1, 2 * length, 2))
        vectors = [
            builder.fadd(_shuffle(builder, x, y, even), _shuffle(builder, x, y, odd)) for x, y in pairs
        ]
    return vectors[0]


def _transposed(builder, rows):
    """The columns of a matrix whose rows are given, as vectors; both numbers are powers of two.

    Each round interleaves the first half of the vectors with the second.  There may be fewer rows than lanes.
    """
    count, length = len(rows), rows[0].type.count
    low = [lane for i in range(length // 2) for lane in (i, length + i)]
    high = [lane for i in range(length // 2, length) for lane in (i, length + i)]
    for _ in range(count.bit_length() - 1):
        pairs = zip(rows[: count // 2], rows[count // 2 :])
        rows = [_shuffle(builder, x, y, order) for x, y in pairs for order in (low, high)]
    if count == length:
        return rows
    starts = range(0, length, count)
    return [_shuffle(builder, row, row, list(range(i, i + count))) for row in rows for i in starts]


def _argument(context, builder, value, kind):
    if isinstance(kind, types.Integer):
        return context.cast(builder, value, kind, types.int64)
    return None if isinstance(kind, types.NoneType) else value


def _intrinsic(result):
    """Turn ``emit(builder, kinds, *values)`` into an intrinsic whose type is ``result(*kinds)``.

    Integer arguments reach ``emit`` as 64-bit values and None as None; what returns None returns
    nothing.
    """

    def decorate(emit):
        def define(typing_context, *kinds):
            def generate(context, builder, signature, values):
                values = [_argument(context, builder, *pair) for pair in zip(values, signature.args)]
                value = emit(builder, kinds, *values)
                return context.get_dummy_value() if value is None else value

            return result(*kinds)(*kinds), generate

        define.__name__, define.__doc__ = emit.__name__, emit.__doc__
        # numba reads the parameters: the context first, then those of the intrinsic.
        define.__signature__ = inspect.Signature(list(inspect.signature(emit).parameters.values())[1:])
        return intrinsic(prefer_literal=True)(define)

    return decorate


def _nothing(*kinds):
    return types.none


def _vector_at(pointer, *others):
    return VectorType(pointer.dtype)


def _same(first, *others):
    return first


# ---------------------------------------------------------------- pointers


@_intrinsic(_same)
def pointer_shift(builder, kinds, pointer, offset):
    """``pointer`` moved by ``offset`` elements."""
    return builder.gep(pointer, [offset])


@_intrinsic(lambda address: types.CPointer(types.int64))
def table_at(builder, kinds, address):
    """Pointer to the int64 table at ``address``."""
    return builder.inttoptr(address, _INT64.as_pointer())


@_intrinsic(lambda pointer: types.int64)
def lanes_of(builder, kinds, pointer):
    """Number of elements of the pointer's type in one vector."""
    return _int(VectorType(kinds[0].dtype).lanes)


@_intrinsic(lambda counter: types.int64)
def fetch_add_one(builder, kinds, counter):
    """Add one to ``counter[0]`` as one indivisible step and return its value before."""
    return builder.atomic_rmw("add", counter, _int(1), "monotonic")


@_intrinsic(_nothing)
def call_task(builder, kinds, address, arrays, numbers, task, worker):
    """Call the compiled function at ``address`` with four machine words."""
    kind = ir.FunctionType(ir.VoidType(), [_INT64] * 4)
    builder.call(builder.inttoptr(address, kind.as_pointer()), [arrays, numbers, task, worker])


@_intrinsic(_nothing)
def no_inline(builder, kinds):
    """Keep LLVM from inlining the function around this: inlined micro-kernels spill their tile."""
    builder.function.attributes.add("noinline")


@_intrinsic(_nothing)
def fence(builder, kinds):
    """No instruction, but LLVM moves no load across it.

    At the end of an iteration it stops LLVM from unrolling the loop, which spills the tile
    (measured: 36 instead of 80 GFLOP/s).
    """
    _fence(builder)


def _fence(builder):
    builder.asm(ir.FunctionType(ir.VoidType(), []), "", "~{memory}", [], True)


# ---------------------------------------------------------------- vectors


@_intrinsic(_vector_at)
def vector_load(builder, kinds, pointer, offset, count):
    """The vector at ``pointer[offset]``; unless ``count`` is None, zeros after the first lanes."""
    return _load(builder, builder.gep(pointer, [offset]), VectorType(kinds[0].dtype).llvm, count)


@_intrinsic(_nothing)
def vector_store(builder, kinds, pointer, offset, vector, count):
    """Write ``vector`` (its first ``count`` lanes unless None) to ``pointer[offset]`` and on."""
    _store(builder, vector, builder.gep(pointer, [offset]), count)


@_intrinsic(VectorType)
def vector_splat(builder, kinds, scalar):
    """``scalar`` in every lane."""
    return _splat(builder, scalar, VectorType(kinds[0]).lanes)


@_intrinsic(_same)
def vector_add(builder, kinds, x, y):
    """x + y"""
    return builder.fadd(x, y)


# ---------------------------------------------------------------- offsets of rows and columns


def _offsets(first, last, step_or_table, count):
    return types.UniTuple(types.int64, count.literal_value)


def _clamped(builder, first, last, count, offset_of):
    result = _undefined(ir.ArrayType(_INT64, count))
    for i in range(count):
        index = builder.add(first, _int(i))
        index = builder.select(builder.icmp_signed("<", index, last), index, last)
        result = builder.insert_value(result, offset_of(index), i)
    return result


@_intrinsic(_offsets)
def offsets_by_step(builder, kinds, first, last, step, count):
    """``min(first + i, last) * step`` for i < count: rows past the last one repeat it."""
    return _clamped(builder, first, last, kinds[3].literal_value, lambda index: builder.mul(index, step))


@_intrinsic(_offsets)
def offsets_from_table(builder, kinds, first, last, table, count):
    """``table[min(first + i, last)]`` for i < count."""
    count = kinds[3].literal_value
    return _clamped(builder, first, last, count, lambda index: builder.load(builder.gep(table, [index])))


# ---------------------------------------------------------------- tiles


def _tile_at(pointer, offsets, columns, *others):
    return TileType(pointer.dtype, offsets.count, columns.literal_value)


def _places(builder, kind, pointer, offsets, count):
    """(address, what is left of ``count``) of every vector of a tile in memory, row by row."""
    for start in _at_offsets(builder, pointer, offsets):
        for before in range(0, kind.columns * kind.vector.lanes, kind.vector.lanes):
            rest = None if count is None else builder.sub(count, _int(before))
            yield builder.gep(start, [_int(before)]), rest


def _tile(builder, kind, vectors):
    """The tile of these vectors, given row by row."""
    tile = _undefined(kind.llvm)
    for index, vector in enumerate(vectors):
        tile = builder.insert_value(tile, vector, index)
    return tile


def _vectors(builder, kind, tile):
    return [builder.extract_value(tile, index) for index in range(kind.rows * kind.columns)]


@_intrinsic(
    lambda pointer, rows, columns: TileType(pointer.dtype, rows.literal_value, columns.literal_value)
)
def tile_zeros(builder, kinds, pointer, rows, columns):
    """``rows`` x ``columns`` vectors of zeros of the pointer's element type."""
    kind = TileType(kinds[0].dtype, kinds[1].literal_value, kinds[2].literal_value)
    return ir.Constant(kind.llvm, None)


@_intrinsic(_tile_at)
def tile_load(builder, kinds, pointer, offsets, columns, count):
    """Row r holds ``columns`` vectors from ``pointer[offsets[r]]`` on.

    Unless ``count`` is None, only the first ``count`` elements of a row are read; the others are 0.
    """
    kind = _tile_at(*kinds)
    places = _places(builder, kind, pointer, offsets, count)
    return _tile(
        builder, kind, [_load(builder, place, kind.vector.llvm, rest) for place, rest in places]
    )


@_intrinsic(_nothing)
def tile_store(builder, kinds, pointer, offsets, tile, count):
    """Write row r (its first ``count`` elements unless None) to ``pointer[offsets[r]]`` and on."""
    places = _places(builder, kinds[2], pointer, offsets, count)
    for vector, (place, rest) in zip(_vectors(builder, kinds[2], tile), places):
        _store(builder, vector, place, rest)


@_intrinsic(_nothing)
def tile_store_front(builder, kinds, pointer, offsets, tile, count):
    """`tile_store` of the first ``count`` elements of rows; what is behind them in whole vectors is written
    back as it was, and must be memory that nobody else changes.

    Masked stores are slow on AMD's processors with AVX2, quick on all with AVX-512.
    """
    places = list(_places(builder, kinds[2], pointer, offsets, count))
    vectors = _vectors(builder, kinds[2], tile)
    if VECTOR_BYTES < 64:
        before = [_load(builder, place, kinds[2].vector.llvm) for place, _ in places]
        _fence(builder)  # or LLVM makes masked stores of it
        length = kinds[2].vector.lanes
        vectors = [builder.select(_first_lanes(builder, rest, length), vector, old)
                   for vector, old, (_, rest) in zip(vectors, before, places)]
        places = [(place, None) for place, _ in places]
    for vector, (place, rest) in zip(vectors, places):
        _store(builder, vector, place, rest)


def _add_products(builder, kind, tile, rows, columns):
    """tile[r, c] += rows[r] * columns[c]"""
    pairs = [(row, column) for row in rows for column in columns]
    sums = zip(pairs, _vectors(builder, kind, tile))
    return _tile(
        builder, kind, [_multiply_add(builder, row, column, total) for (row, column), total in sums]
    )


@_intrinsic(_same)
def tile_sum(builder, kinds, first, second):
    """The sum of two tiles of one type."""
    pairs = zip(_vectors(builder, kinds[0], first), _vectors(builder, kinds[0], second))
    return _tile(builder, kinds[0], [builder.fadd(x, y) for x, y in pairs])


def _at_offsets(builder, pointer, offsets):
    return [builder.gep(pointer, [builder.extract_value(offsets, i)]) for i in range(offsets.type.count)]


@_intrinsic(_same)
def tile_add_outer(builder, kinds, tile, a, offsets, b):
    """``tile[r] += a[offsets[r]] * b[0:width]``: the rank-1 update of a matrix product."""
    lanes, vector = kinds[0].vector.lanes, kinds[0].vector.llvm
    columns = [
        _load(builder, builder.gep(b, [_int(i * lanes)]), vector) for i in range(kinds[0].columns)
    ]
    rows = [_splat(builder, builder.load(place), lanes) for place in _at_offsets(builder, a, offsets)]
    return _add_products(builder, kinds[0], tile, rows, columns)


@_intrinsic(_same)
def tile_add_dots(builder, kinds, tile, a, a_offsets, b, b_offsets, count):
    """``tile[r, c] += a[a_offsets[r]:] * b[b_offsets[c]:]``, one vector each: a step of all dot
    products.

    Unless ``count`` is None, only the first ``count`` lanes are read and take part.
    """
    vector = kinds[0].vector.llvm
    rows = [_load(builder, place, vector, count) for place in _at_offsets(builder, a, a_offsets)]
    columns = [_load(builder, place, vector, count) for place in _at_offsets(builder, b, b_offsets)]
    return _add_products(builder, kinds[0], tile, rows, columns)


@_intrinsic(_nothing)
def tile_sums(builder, kinds, pointer, tile):
    """Write each vector's sum of lanes to ``pointer[row * columns + column]``, in whole vectors."""
    vectors, length = _vectors(builder, kinds[1], tile), kinds[1].vector.lanes
    vectors += [ir.Constant(kinds[1].vector.llvm, None)] * (-len(vectors) % length)
    for start in range(0, len(vectors), length):
        sums = _sums(builder, vectors[start : start + length])
        _store(builder, sums, builder.gep(pointer, [_int(start)]))


@_intrinsic(_nothing)
def transpose_block(builder, kinds, source, source_step, target, target_step):
    """``target[j * target_step + i] = source[i * source_step + j]`` for i, j < lanes."""
    kind = VectorType(kinds[0].dtype)
    rows = []
    for i in range(kind.lanes):
        rows.append(_load(builder, builder.gep(source, [builder.mul(source_step, _int(i))]), kind.llvm))
    for i, row in enumerate(_transposed(builder, rows)):
        _store(builder, row, builder.gep(target, [builder.mul(target_step, _int(i))]))
