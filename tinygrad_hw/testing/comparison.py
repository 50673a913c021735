"""`assert_close`: equal up to rounding, with a message that shows where and how much."""

from __future__ import annotations

import collections.abc
import numbers

import numpy as np

from tinygrad_hw.tensor import Size, Tensor

__all__ = ["assert_close"]

TOLERANCES = {"float16": (1e-3, 1e-5), "float32": (1.3e-6, 1e-5), "float64": (1e-7, 1e-7)}
"""``(rtol, atol)`` of each floating dtype, PyTorch's; other dtypes are compared exactly."""


def assert_close(actual, expected, *, allow_subclasses: bool = True, rtol: float | None = None,
                 atol: float | None = None, equal_nan: bool = False, check_device: bool = True,
                 check_dtype: bool = True, check_layout: bool = True, check_stride: bool = False,
                 msg=None) -> None:
    """Raise an AssertionError unless ``|actual - expected| <= atol + rtol * |expected|`` everywhere.

    Args:
        actual, expected: Tensors, NumPy arrays, numbers, None, or nested sequences and mappings of them.
        allow_subclasses: also compare different types of Tensors, arrays or numbers with each other.
        rtol, atol: tolerances, both or none; by default those of the less precise dtype
            (float32: 1.3e-6 and 1e-5; float64: 1e-7 and 1e-7; integers: 0 and 0).
        equal_nan: whether NaN equals NaN.
        check_dtype: whether dtypes (of numbers: types) must be equal.
        check_stride: whether strides must be equal.
        check_device, check_layout: accepted; there is one device and one layout.
        msg: text of the error, or a function that makes it from the text that would be.

    Raises:
        AssertionError: with the number of mismatched elements, the greatest absolute and relative
            difference, the index of each, and both values there.
        ValueError: if only one tolerance is given.
        TypeError: for values that cannot be compared.

    Source: https://docs.pytorch.org/docs/stable/testing.html#torch.testing.assert_close

    >>> from tinygrad_hw import tensor
    >>> assert_close(tensor([1.0, 2.0]), tensor([1.0, 2.000001]))
    >>> assert_close(tensor([1.0, 2.0]), tensor([1.0, 2.5]))
    Traceback (most recent call last):
    ...
    AssertionError: Tensor-likes are not close!
    <BLANKLINE>
    Mismatched elements: 1 / 2 (50.0%)
    Greatest absolute difference: 0.5 at index (1,) (up to 1e-05 allowed)
    Greatest relative difference: 0.2 at index (1,) (up to 1.3e-06 allowed)
    At index (1,): actual 2.0, expected 2.5
    """
    if (rtol is None) != (atol is None):
        raise ValueError("Both 'rtol' and 'atol' must be either specified or omitted, but got no "
                         f"{'rtol' if rtol is None else 'atol'}.")
    comparison = _Comparison(rtol, atol, equal_nan, check_dtype, check_stride, allow_subclasses)
    try:
        comparison.compare(actual, expected)
    except AssertionError as error:
        text = str(error) if msg is None else msg(str(error)) if callable(msg) else msg
        raise AssertionError(text) from None


class _Comparison:
    """The options of `assert_close` and the place in nested values that is being compared."""

    def __init__(self, rtol, atol, equal_nan, check_dtype, check_stride, allow_subclasses):
        self.rtol, self.atol, self.equal_nan = rtol, atol, equal_nan
        self.check_dtype, self.check_stride = check_dtype, check_stride
        self.allow_subclasses = allow_subclasses
        self.place = ""

    def fail(self, text: str):
        where = f"\n\nThe failure occurred for item {self.place}" if self.place else ""
        raise AssertionError(text + where)

    def compare(self, actual, expected) -> None:
        """Compare two values of any kind."""
        if isinstance(actual, collections.abc.Mapping) and isinstance(expected, collections.abc.Mapping):
            self._mappings(actual, expected)
        elif _is_sequence(actual) and _is_sequence(expected):
            self._sequences(actual, expected)
        elif actual is None or expected is None:
            if actual is not expected:
                self.fail(f"None mismatch: {actual} is not {expected}")
        elif all(isinstance(value, (bool, np.bool_)) for value in (actual, expected)):
            if bool(actual) is not bool(expected):
                self.fail(f"Booleans mismatch: {actual} is not {expected}")
        elif all(isinstance(value, numbers.Number) for value in (actual, expected)):
            self._numbers(actual, expected)
        elif self._both(actual, expected, Tensor) or self._both(actual, expected, np.ndarray):
            self._arrays(actual, expected)
        else:
            raise TypeError("No comparison pair was able to handle inputs of type "
                            f"{type(actual)} and {type(expected)}.")

    def _both(self, actual, expected, kind: type) -> bool:
        if not self.allow_subclasses and type(actual) is not type(expected):
            return False
        return isinstance(actual, kind) and isinstance(expected, kind)

    def _inside(self, key, actual, expected) -> None:
        before, self.place = self.place, f"{self.place}[{key!r}]"
        self.compare(actual, expected)
        self.place = before

    def _mappings(self, actual, expected) -> None:
        missing = [key for key in expected if key not in actual]
        additional = [key for key in actual if key not in expected]
        if missing or additional:
            self.fail("The keys of the mappings do not match:\n"
                      f"Missing keys in the actual mapping: {sorted(missing, key=repr)}\n"
                      f"Additional keys in the actual mapping: {sorted(additional, key=repr)}")
        for key in expected:
            self._inside(key, actual[key], expected[key])

    def _sequences(self, actual, expected) -> None:
        if len(actual) != len(expected):
            self.fail(f"The length of the sequences mismatch: {len(actual)} != {len(expected)}")
        for position, pair in enumerate(zip(actual, expected)):
            self._inside(position, *pair)

    def _numbers(self, actual, expected) -> None:
        if self.check_dtype and type(actual) is not type(expected):
            self.fail(f"The (d)types do not match: {type(actual)} != {type(expected)}.")
        exact = all(isinstance(value, numbers.Integral) for value in (actual, expected))
        rtol, atol = self._tolerances(() if exact else ("float64",))
        difference = abs(actual - expected)
        if self._close(np.asarray(actual), np.asarray(expected), rtol, atol).all():
            return
        relative = difference / abs(expected) if expected else float("inf")
        self.fail(self._title("Scalars", rtol, atol) + f"Expected {expected} but got {actual}.\n"
                  f"Absolute difference: {difference}{_up_to(atol, rtol, atol)}\n"
                  f"Relative difference: {relative}{_up_to(rtol, rtol, atol)}")

    def _arrays(self, actual, expected) -> None:
        checked = {"shape": _shape}
        if self.check_dtype:
            checked["dtype"] = lambda value: value.dtype
        if self.check_stride:
            checked["stride()"] = _stride
        for name, attribute in checked.items():
            ours, theirs = attribute(actual), attribute(expected)
            if ours != theirs:
                self.fail(f"The values for attribute '{name}' do not match: {ours} != {theirs}.")
        ours, theirs = (value.array if isinstance(value, Tensor) else value
                        for value in (actual, expected))
        rtol, atol = self._tolerances([array.dtype.name for array in (ours, theirs)])
        close = self._close(ours, theirs, rtol, atol)
        if not close.all():
            self.fail(self._differences(ours, theirs, close, rtol, atol))

    def _tolerances(self, names) -> tuple[float, float]:
        """The given tolerances, or the loosest of those of some dtypes."""
        if self.rtol is not None:
            return self.rtol, self.atol
        known = [TOLERANCES.get(name, (0.0, 0.0)) for name in names] or [(0.0, 0.0)]
        return tuple(map(max, zip(*known)))

    def _close(self, actual, expected, rtol: float, atol: float) -> np.ndarray:
        if actual.dtype.kind in "biu" and expected.dtype.kind in "biu" and not rtol and not atol:
            return np.asarray(actual == expected)
        kind = np.result_type(actual, expected, np.float64)
        return np.asarray(np.isclose(actual.astype(kind), expected.astype(kind), rtol, atol,
                                     self.equal_nan))

    @staticmethod
    def _title(kind: str, rtol: float, atol: float) -> str:
        return f"{kind} are not {'close' if rtol or atol else 'equal'}!\n\n"

    def _differences(self, actual, expected, close, rtol: float, atol: float) -> str:
        """The lines about differing arrays; elements that are close count as equal."""
        if actual.ndim == 0:
            absolute, relative = (_number(part) for part in _errors(actual, expected, close))
            return (self._title("Scalars", rtol, atol)
                    + f"Expected {_number(expected)} but got {_number(actual)}.\n"
                    f"Absolute difference: {absolute}{_up_to(atol, rtol, atol)}\n"
                    f"Relative difference: {relative}{_up_to(rtol, rtol, atol)}")
        wrong = int(close.size - close.sum())
        lines = [f"Mismatched elements: {wrong} / {close.size} ({wrong / close.size:.1%})"]
        places = []
        for name, error, allowed in zip(("absolute", "relative"), _errors(actual, expected, close),
                                        (atol, rtol)):
            place = tuple(map(int, np.unravel_index(np.argmax(error), error.shape)))
            places.append(place)
            lines.append(f"Greatest {name} difference: {_number(error[place])} at index {place}"
                         f"{_up_to(allowed, rtol, atol)}")
        for place in dict.fromkeys(places):
            lines.append(f"At index {place}: actual {_number(actual[place])}, expected "
                         f"{_number(expected[place])}")
        return self._title("Tensor-likes", rtol, atol) + "\n".join(lines)


def _is_sequence(value) -> bool:
    return isinstance(value, collections.abc.Sequence) and not isinstance(value, (str, bytes))


def _shape(value):
    return Size(value.shape)


def _stride(value):
    if isinstance(value, Tensor):
        return tuple(value.stride())
    return tuple(step // value.itemsize for step in value.strides)


def _number(value):
    """The Python number of a 0-d array or NumPy scalar."""
    return value.item() if hasattr(value, "item") else value


def _up_to(allowed: float, rtol: float, atol: float) -> str:
    return f" (up to {allowed} allowed)" if rtol or atol else ""


def _errors(actual, expected, close) -> tuple[np.ndarray, np.ndarray]:
    """Absolute and relative error of each element, 0 where it is close."""
    if actual.dtype.kind == "f" or expected.dtype.kind == "f":
        kind = np.result_type(actual, expected)
        actual, expected = actual.astype(kind), expected.astype(kind)
    else:  # integers as Python's, so that nothing wraps around
        actual, expected = actual.astype(object) + 0, expected.astype(object) + 0
    with np.errstate(all="ignore"):
        absolute = np.where(close, 0, abs(np.asarray(actual - expected)))
        size = np.asarray(abs(expected), np.float64)
        relative = np.where(close, 0.0, np.asarray(absolute, np.float64) / size)
    return absolute, relative
