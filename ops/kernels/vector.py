"""Arithmetic of SIMD vectors in jitted code: ``x + y``, ``x - y``, ``x * y``, ``x / y``, `math.sqrt` and
`max`, lane by lane.

A product and a sum may be contracted to one fused multiply-add; apart from that every lane is what the
same operation on scalars gives, and NaN and infinity keep their meaning.
"""

from __future__ import annotations

import inspect
import math
import operator

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import lower_builtin, type_callable

from .masked import _floor, _maximum_of
from .simd import VectorType, _call, _first_lanes, _intrinsic, _name, _same, _shuffle, _splat, _store

__all__: list[str] = []

_CONTRACT = ("contract",)


def _on_vectors(function):
    """Let jitted code call ``function`` on vectors: ``emit(builder, *vectors)`` makes its code."""

    def decorate(emit):
        arity = len(inspect.signature(emit).parameters) - 1

        @type_callable(function)
        def _result(context):
            def one(x):
                return x if isinstance(x, VectorType) else None

            def two(x, y):
                return x if isinstance(x, VectorType) and x == y else None

            return one if arity == 1 else two

        @lower_builtin(function, *[VectorType] * arity)
        def _generate(context, builder, signature, vectors):
            return emit(builder, *vectors)

        return emit

    return decorate


@_on_vectors(operator.add)
def _add(builder, x, y):
    return builder.fadd(x, y, flags=_CONTRACT)


@_on_vectors(operator.sub)
def _subtract(builder, x, y):
    return builder.fsub(x, y, flags=_CONTRACT)


@_on_vectors(operator.mul)
def _multiply(builder, x, y):
    return builder.fmul(x, y, flags=_CONTRACT)


@_on_vectors(operator.truediv)
def _divide(builder, x, y):
    return builder.fdiv(x, y)


@_on_vectors(math.sqrt)
def _sqrt(builder, x):
    return _call(builder, f"llvm.sqrt.{_name(x.type)}", x.type, [x])


@_on_vectors(max)
def _maximum(builder, x, y):
    """NaN where either is NaN, as `numpy.maximum`."""
    keep_x = builder.or_(builder.fcmp_ordered(">", x, y), builder.fcmp_unordered("uno", x, x))
    return builder.select(keep_x, x, y)


@_intrinsic(_same)
def vector_larger(builder, kinds, x, y):
    """x where it is larger, else y, also for NaN: one instruction of x86, where `max` takes four."""
    return builder.select(builder.fcmp_ordered(">", x, y), x, y)


@_intrinsic(_same)
def vector_spoilt(builder, kinds, x, y):
    """NaN where either is NaN, else 0; sums of such vectors tell whether there was any."""
    integers = ir.VectorType(ir.IntType(32 if _name(x.type).endswith("f32") else 64), x.type.count)
    either = builder.sext(builder.fcmp_unordered("uno", x, y), integers)  # all bits set: a NaN
    return builder.bitcast(either, x.type)


def _folded(builder, combine, vector):
    """The lanes of a vector put together: the upper half with the lower one, until one is left."""
    while (half := vector.type.count // 2) > 0:
        low, high = list(range(half)), list(range(half, 2 * half))
        vector = combine(builder, _shuffle(builder, vector, vector, low),
                         _shuffle(builder, vector, vector, high))
    return builder.extract_element(vector, ir.IntType(32)(0))


@_intrinsic(lambda vector: vector.element)
def vector_largest(builder, kinds, vector):
    """The largest lane; NaN if there is one."""
    return _folded(builder, _maximum, vector)


@_intrinsic(lambda vector: vector.element)
def vector_total(builder, kinds, vector):
    """The sum of all lanes."""
    return _folded(builder, _add, vector)


@_intrinsic(lambda pointer, number: VectorType(pointer.dtype))
def vector_full(builder, kinds, pointer, number):
    """The float64 ``number`` in every lane of a vector of the pointer's element type."""
    kind = VectorType(kinds[0].dtype)
    if isinstance(kind.llvm.element, ir.FloatType):
        number = builder.fptrunc(number, kind.llvm.element)
    return _splat(builder, number, kind.lanes)


@_intrinsic(_same)
def pointer_on_stack(builder, kinds, pointer, count):
    """Memory for a constant number of elements of the pointer's type, until the function returns."""
    return cgutils.alloca_once(builder, pointer.type.pointee, kinds[1].literal_value)


@_intrinsic(_same)
def vector_where_equal(builder, kinds, x, places, offset, number, count):
    """``x`` in the lanes where the bytes at ``places[offset]`` and on are ``number``, else zero.

    Unless ``count`` is None, only the first ``count`` bytes are read; the other lanes are zero.
    """
    numbers = ir.VectorType(ir.IntType(8), x.type.count)
    zeros, address = ir.Constant(x.type, None), builder.gep(places, [offset])
    address = builder.bitcast(address, numbers.as_pointer())
    wanted = _splat(builder, builder.trunc(number, numbers.element), numbers.count)
    if count is None:
        found = builder.load(address)
        found.align = 1
        return builder.select(builder.icmp_signed("==", found, wanted), x, zeros)
    inside = _first_lanes(builder, count, numbers.count)
    arguments = [address, ir.IntType(32)(1), inside, ir.Constant(numbers, None)]
    found = _call(builder, f"llvm.masked.load.v{numbers.count}i8.p0", numbers, arguments)
    mine = builder.and_(inside, builder.icmp_signed("==", found, wanted))
    return builder.select(mine, x, zeros)


@_intrinsic(lambda *kinds: types.none)
def vector_store_maximum(builder, kinds, out, places, offset, a, b, c, d, relu):
    """Write the maximum of four vectors to ``out[offset]`` and on, and which it was, 0 to 3, to places.

    The first of equal ones, the last NaN; with ``relu`` at least 0, and 0 counts as the first.
    """
    best, place = _maximum_of(builder, [a, b, c, d], _floor(builder, kinds[3], relu))
    _store(builder, best, builder.gep(out, [offset]))
    address = builder.bitcast(builder.gep(places, [offset]), place.type.as_pointer())
    builder.store(place, address).align = 1
