"""Make a random call and look at the guards, the inputs, and whether anything outside decides the result."""

from __future__ import annotations

import contextlib
import os
import resource
import time
import warnings
from collections import Counter

import numpy as np

import tinygrad_hw as thw
from ops.core import TABLE, array_of
from tests.guards.buffers import guarded_allocations
from tests.guards.calls import random_call

__all__ = ["Overrun", "calls", "check"]

_MEMORY = 6 * 2**30
_CHANGED = ("running_mean", "running_var")  # on purpose, by the ops of normalisation
_LARGEST = 2**28  # bytes of a result that is looked at
_ENOUGH = 30  # findings
_BEYOND = "index is out of bounds"  # what numba says in kernels that were compiled with NUMBA_BOUNDSCHECK=1

REFUSALS = (RuntimeError, ValueError, TypeError, IndexError, NotImplementedError, OverflowError, MemoryError,
            ZeroDivisionError, AssertionError)


class Overrun(AssertionError):
    """A call changed what is not its own, or used what it was not given."""


def check(seed: int, counts: Counter, name: str | None = None) -> None:
    """The random call number ``seed``, twice, between guard bytes of two patterns.

    Its guards and inputs must stay as they are, and the second result must have the bits of the first: it
    depends neither on bytes outside of the inputs nor on memory that was never written.  Raises `Overrun`.
    """
    make = random_call(seed, name)
    _compile(make(0))
    results = [_once(make(pattern), seed, pattern, counts) for pattern in (0x00, 0xFF)]
    if results[0] != results[1]:
        raise Overrun(f"seed {seed}: {make(0)} depends on bytes outside of its inputs, or on memory that was "
                      f"not written: {_short(results[0])} with zeros there, {_short(results[1])} with ones")


def _compile(call) -> None:
    """Make the call for its kernels alone: numba has to meet NumPy's own functions, not the guards."""
    with np.errstate(all="ignore"), warnings.catch_warnings(), contextlib.suppress(Exception):
        warnings.simplefilter("ignore")
        TABLE[call.name](*call.args, **call.kwargs)


def _once(call, seed, pattern, counts):
    """Bits of the result, or the kind of the refusal."""
    thw.manual_seed(seed)
    with guarded_allocations(pattern) as allocated, np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            result = TABLE[call.name](*call.args, **call.kwargs)
            counts["valid"] += pattern == 0
        except REFUSALS as error:
            if str(error) == _BEYOND:
                raise Overrun(f"seed {seed}: {call} lets a kernel use an index beyond its array") from error
            result = error
            counts["refused"] += pattern == 0
        except Exception as error:  # no harm is done, but the text will hardly say what is wrong
            result = error
            counts[f"refused with {type(error).__name__} by {call.name}"] += pattern == 0
    counts["buffers"] += len(allocated) + len(call.arrays)
    for memory in allocated:
        if not memory.intact():
            raise Overrun(f"seed {seed}: {call} wrote outside of {memory.size} bytes that it allocated")
    for key, array, copy, memory in call.arrays:
        if not memory.intact():
            raise Overrun(f"seed {seed}: {call} wrote outside of its argument {key}")
        if array.tobytes() != copy.tobytes() and key not in _CHANGED:
            raise Overrun(f"seed {seed}: {call} changed its argument {key}")
    return _bits(result)


def _bits(result):
    if isinstance(result, Exception):
        return type(result).__name__
    if isinstance(result, (tuple, list)):
        return [_bits(one) for one in result]
    array = array_of(result)
    if not isinstance(array, (np.ndarray, np.generic)):
        return repr(array)
    if array.nbytes > _LARGEST:
        return array.dtype, array.shape  # a small array, expanded
    return array.dtype, array.shape, np.asarray(array).tobytes()


def _short(bits) -> str:
    return str(bits)[:200]


def calls(options, now, answers) -> None:
    """The calls of the command ``python -m tests.guards``, in a process of their own.

    Args:
        options: its options.
        now: shared number of the call under way.
        answers: queue for what is found, and for the counts.
    """
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    counts, started, found, parent = Counter(), time.monotonic(), 0, os.getppid()
    for seed in range(now.value, options.seed + options.cases):
        now.value = seed
        if os.getppid() != parent:
            return  # nobody would hear of it
        if time.monotonic() - started > options.seconds or found >= _ENOUGH:
            break
        try:
            check(seed, counts, options.op)
        except Overrun as overrun:
            found += 1
            answers.put(str(overrun)[:700])
        except BaseException as error:
            found += 1
            answers.put(f"seed {seed}: {type(error).__name__}: {str(error)[:300]} is no refusal")
    answers.put(f"{dict(counts)}: {seed + 1 - options.seed} calls, {found} findings, "
                f"{time.monotonic() - started:.0f} s")
