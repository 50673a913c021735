"""Other ops in place of those that a gradient rule calls, for the time of one call."""

from __future__ import annotations

import dis
import types
from collections.abc import Callable, Iterator

__all__ = ["reached", "replaced"]


def _places(function, seen: set) -> Iterator[tuple[object, object, object]]:
    """``(holder, name, value)`` of whatever a function and its module's helpers look up.

    The holder is the module's namespace, or a closure's cell with the name ``cell_contents``.
    """
    if id(function) in seen:
        return
    seen.add(id(function))
    found = [(cell, "cell_contents", cell.cell_contents) for cell in function.__closure__ or ()]
    namespace = function.__globals__
    found += [(namespace, name, namespace[name]) for name in _names(function.__code__)
              if name in namespace]
    for holder, name, value in found:
        yield holder, name, value
        if isinstance(value, types.FunctionType) and value.__module__.startswith("ops."):
            yield from _places(value, seen)


def _names(code: types.CodeType) -> set[str]:
    """The names that a code object and those nested in it look up in the module's namespace."""
    nested = (_names(constant) for constant in code.co_consts if isinstance(constant, types.CodeType))
    own = {step.argval for step in dis.get_instructions(code) if step.opname == "LOAD_GLOBAL"}
    return own.union(*nested)


def reached(function: Callable, op) -> bool:
    """Whether a rule calls ``op`` by name, itself or through helpers."""
    return any(value is op for _, _, value in _places(function, set()))


def replaced(function: Callable, changes: dict) -> Callable:
    """The rule that calls ``changes[op]`` wherever the given one calls ``op``."""
    by_identity = {id(op): other for op, other in changes.items()}
    places = [(holder, name, value) for holder, name, value in _places(function, set())
              if id(value) in by_identity]

    def put(holder, name, value):
        if isinstance(holder, dict):
            holder[name] = value
        else:
            setattr(holder, name, value)

    def mutated(*args):
        for holder, name, value in places:
            put(holder, name, by_identity[id(value)])
        try:
            return function(*args)
        finally:
            for holder, name, value in places:
                put(holder, name, value)

    return mutated
