"""A hint to the processor: `prefetch`."""

from __future__ import annotations

from llvmlite import ir

from .simd import _INT32, _call, _intrinsic, _nothing

__all__ = ["prefetch"]


@_intrinsic(_nothing)
def prefetch(builder, kinds, pointer, offset):
    """Start to fetch the cache line of ``pointer[offset]``; any address will do."""
    to_read, into_all_caches, data = _INT32(0), _INT32(3), _INT32(1)
    place = builder.gep(pointer, [offset])
    _call(builder, "llvm.prefetch.p0", ir.VoidType(), [place, to_read, into_all_caches, data])
