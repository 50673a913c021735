"""Random calls of an op: its test samples with other values, types, shapes, layouts and numbers."""

from __future__ import annotations

import random
import warnings

import numpy as np

from ops.core import TABLE, Case
from tests.guards.buffers import cut_out

__all__ = ["LAYOUTS", "NAMES", "Call", "random_call"]

# An op that is called for its effect on an argument, or that reads files, would not fit here; there is none.
NAMES = sorted(name for name, op in TABLE.items() if op.samples is not None and not name.endswith("_example"))
LAYOUTS = ("rows", "columns", "reversed", "stepped", "last", "zero")
_DTYPES = ("float32", "float32", "float64", "int64", "int32", "uint8", "int8", "bool", "float16", "complex64")
_NUMBERS = (-2**63, -2**31, -100, -3, -2, -1, 0, 1, 2, 3, 5, 7, 100, 2**31, 2**62)
_samples: dict[str, list[Case]] = {}


class Call:
    """A call whose arrays lie in guarded memory.

    Attributes:
        name: of the op.
        args, kwargs: its arguments.
        arrays: (argument's name, array, copy of its values, `Guarded` memory) of each array.
    """

    def __init__(self, name, args, kwargs, layouts, pattern):
        self.name, self.arrays = name, []
        layouts = iter(layouts)
        names = [*TABLE[name].parameters, *[TABLE[name].parameters[-1]] * len(args)]
        self.args = tuple(self._placed(key, value, layouts, pattern) for key, value in zip(names, args))
        self.kwargs = {key: self._placed(key, value, layouts, pattern) for key, value in kwargs.items()}

    def _placed(self, key, value, layouts, pattern):
        if isinstance(value, np.ndarray):
            layout, shift = next(layouts, ("rows", 0))
            array, memory = cut_out(value, layout, shift * value.itemsize, pattern)
            self.arrays.append((key, array, array.copy(), memory))
            return array
        if type(value) in (tuple, list):
            return type(value)(self._placed(key, item, layouts, pattern) for item in value)
        return value

    def __repr__(self):
        def shown(value):
            if isinstance(value, np.ndarray):
                return f"{value.dtype}{list(value.shape)} strides {value.strides}"
            if type(value) in (tuple, list):
                return f"({', '.join(map(shown, value))})"
            return repr(value)[:80]

        parts = [*map(shown, self.args), *(f"{key}={shown(value)}" for key, value in self.kwargs.items())]
        return f"{self.name}({', '.join(parts)})"


def random_call(seed: int, name: str | None = None):
    """A function of a pattern that makes the `Call` number ``seed``: the same one but for the guard bytes.

    >>> make = random_call(5, "add")
    >>> repr(make(0)) == repr(make(255))
    True
    """
    dice = random.Random(seed)
    name = name or dice.choice(NAMES)
    if name not in _samples:
        _samples[name] = list(TABLE[name].samples(np.random.default_rng(0)))
    case = dice.choice(_samples[name])
    args, kwargs = list(case.args), dict(case.kwargs)
    together = _kept(dice)
    args = [together(value) for value in args]
    kwargs = {key: together(value) for key, value in kwargs.items()}
    for _ in range(dice.choice((0, 0, 1, 1, 2))):
        place = dice.randrange(len(args) + len(kwargs))
        if place < len(args):
            args[place] = _changed(args[place], dice)
        else:
            key = list(kwargs)[place - len(args)]
            kwargs[key] = _changed(kwargs[key], dice)
    layouts = [(dice.choice(LAYOUTS), dice.choice((0, 0, 1, 3))) for _ in range(20)]
    return lambda pattern: Call(name, args, kwargs, layouts, pattern)


def _kept(dice):
    """A change that keeps a call valid, the same for all its arrays: the float type."""
    dtype = dice.choice((None, np.float32, np.float32))

    def change(value):
        if isinstance(value, np.ndarray) and value.dtype == np.float64 and dtype is not None:
            return value.astype(dtype)
        if type(value) in (tuple, list):
            return type(value)(map(change, value))
        return value

    return change


def _changed(value, dice):
    """Another value in place of one argument; the call may become wrong."""
    if isinstance(value, np.ndarray):
        return dice.choice((_dtype, _shape, _shape, _values))(value, dice)
    if type(value) in (tuple, list):
        if not value or dice.random() < 0.2:
            return type(value)((*value, dice.choice((1, 0, -1))))
        place = dice.randrange(len(value))
        if dice.random() < 0.2:
            return type(value)(item for number, item in enumerate(value) if number != place)
        return type(value)(_changed(item, dice) if number == place else item
                           for number, item in enumerate(value))
    if isinstance(value, bool) or value is None:
        return dice.choice((True, False, None, 1))
    if isinstance(value, (int, float)):
        return dice.choice((*_NUMBERS, 0.5, float("nan"), float("inf"), None, "text"))
    return dice.choice((value, None, 0, ""))


def _dtype(array, dice):
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of imaginary parts that are dropped
        return array.astype(dice.choice(_DTYPES))


def _shape(array, dice):
    shape = list(array.shape)
    kind = dice.choice(("grow", "shrink", "zero", "more", "fewer", "long"))
    if kind == "more" or not shape:
        shape.insert(dice.randrange(len(shape) + 1), dice.choice((1, 2, 3)))
    elif kind == "fewer":
        del shape[dice.randrange(len(shape))]
    else:
        place = dice.randrange(len(shape))
        shape[place] = {"grow": shape[place] + dice.choice((1, 2, 15)), "zero": 0,
                        "shrink": max(0, shape[place] - 1), "long": dice.choice((16, 17, 33, 65))}[kind]
    if np.prod(shape) > 200_000:
        return array
    return np.resize(array, shape) if array.size else np.zeros(shape, array.dtype)


def _values(array, dice):
    array = array.copy()
    if array.size:
        odd = _NUMBERS if array.dtype.kind in "iu" else (0, np.nan, np.inf, -np.inf, 1e300, -1)
        if array.dtype.kind in "iuf":
            with np.errstate(all="ignore"):
                array.flat[dice.randrange(array.size)] = np.array(dice.choice(odd)).astype(array.dtype)
    return array
