"""Arithmetic of SIMD vectors in jitted code: ``x + y``, ``x - y``, ``x * y``, ``x / y``, `math.sqrt` and
`max`, lane by lane.

A product and a sum may be contracted to one fused multiply-add; apart from that every lane is what the
same operation on scalars gives, and NaN and infinity keep their meaning.
"""

from __future__ import annotations

import inspect
import math
import operator

from numba.extending import lower_builtin, type_callable

from .simd import VectorType, _call, _name

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
