"""What the processor offers that kernels are shaped after: vectors, registers, fused multiply-add."""

from __future__ import annotations

import llvmlite.binding
from numba.core import config
from numba.core.codegen import get_host_cpu_features

__all__ = ["HAS_FMA", "REGISTERS", "VECTOR_BYTES", "lanes"]


def _enabled_features() -> set:
    """Names of the processor features that numba compiles for."""
    text = get_host_cpu_features() if config.CPU_FEATURES is None else config.CPU_FEATURES
    return {name[1:] for name in text.split(",") if name.startswith("+")}


_FEATURES = _enabled_features()
_ARM64 = llvmlite.binding.get_process_triple().startswith(("aarch64", "arm64"))
HAS_FMA = _ARM64 or "fma" in _FEATURES
VECTOR_BYTES = 64 if "avx512f" in _FEATURES else 32 if "avx" in _FEATURES else 16
REGISTERS = 32 if _ARM64 or "avx512f" in _FEATURES else 16


def lanes(itemsize: int) -> int:
    """Number of elements of ``itemsize`` bytes in one vector.

    >>> lanes(4) == 2 * lanes(8)
    True
    """
    return VECTOR_BYTES // itemsize
