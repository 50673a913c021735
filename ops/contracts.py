"""What an op makes sure of before a kernel gets addresses, where nobody has checked the arguments before.

``conv2d``, ``batch_norm`` and their like check what a user gives and answer in PyTorch's words.  The ops
behind them, which gradient rules call with what was checked already, can be called by anybody, too: they
look here whether the arrays have the types and shapes that their kernels take for granted.
"""

from __future__ import annotations

import functools

import numpy as np

__all__ = ["check_convolution", "check_convolved", "check_rows", "one_type", "shaped"]

_INT64 = np.dtype(np.int64)


def one_type(op: str, **arrays) -> None:
    """Refuse arrays of different element types; None stands for an array that is not there.

    >>> one_type("convolution", input=np.ones(2), weight=np.ones(2, np.float32))
    Traceback (most recent call last):
    ...
    RuntimeError: convolution(): the arrays must have one type, got input float64, weight float32
    """
    _one_type(op, {name: array.dtype for name, array in arrays.items() if array is not None})


def _one_type(op: str, there: dict) -> None:
    if len(set(there.values())) > 1:
        listed = ", ".join(f"{name} {dtype}" for name, dtype in there.items())
        raise RuntimeError(f"{op}(): the arrays must have one type, got {listed}")


def shaped(op: str, name: str, array, shape: tuple[int, ...]) -> None:
    """Refuse an array that is there and has another shape.

    >>> shaped("convolution", "bias", np.ones(3), (2,))
    Traceback (most recent call last):
    ...
    RuntimeError: convolution(): bias must have shape (2,), got (3,)
    """
    if array is not None and array.shape != tuple(shape):
        raise _misshapen(op, name, tuple(shape), array.shape)


def _misshapen(op: str, name: str, expected: tuple, got: tuple) -> RuntimeError:
    return RuntimeError(f"{op}(): {name} must have shape {expected}, got {got}")


def check_rows(op: str, scores, target, weight) -> None:
    """Refuse anything but scores (M, C), class numbers (M,) of int64 and weights (C,) or None.

    >>> check_rows("softmax_cross_entropy", np.ones((2, 3)), np.zeros(2, np.int64), None)
    """
    if scores.ndim != 2 or target.dtype != _INT64:
        raise RuntimeError(f"{op}(): scores have two dimensions and targets are int64, got {scores.shape} "
                           f"and {target.dtype}")
    if target.shape != scores.shape[:1]:
        shaped(op, "target", target, scores.shape[:1])
    if weight is not None:
        shaped(op, "weight", weight, scores.shape[1:])


@functools.lru_cache(1024)  # training asks for the same shapes again and again
def check_convolution(op: str, input_shape, weight_shape, stride, padding, dilation, groups) -> tuple:
    """The shape (N, O, OH, OW) of the output of a convolution; refuses arguments that do not fit.

    Shapes and pairs are tuples.

    >>> check_convolution("convolution", (1, 2, 5, 5), (4, 2, 3, 3), (1, 1), (0, 0), (1, 1), 1)
    (1, 4, 3, 3)
    """
    given = f"{op}(): input {tuple(input_shape)}, weight {tuple(weight_shape)}, {groups=}"
    if len(input_shape) != 4 or len(weight_shape) != 4 or not _integers(groups) or groups < 1:
        raise RuntimeError(f"{given}: input and weight have 4 dimensions and groups is 1 or more")
    if weight_shape[0] % groups or input_shape[1] != weight_shape[1] * groups:
        raise RuntimeError(f"{given}: the channels do not fit the groups")
    pairs = {"stride": stride, "padding": padding, "dilation": dilation}
    for name, pair in pairs.items():
        if len(pair) != 2 or not _integers(*pair) or min(pair) < (name != "padding"):
            raise RuntimeError(f"{given}: {name}={pair} must be two whole numbers that are not too small")
    size = [(length + 2 * pad - step * (kernel - 1) - 1) // by + 1 for length, kernel, by, pad, step
            in zip(input_shape[2:], weight_shape[2:], stride, padding, dilation)]
    if min(size) < 0:
        raise RuntimeError(f"{given}: the kernel is larger than the padded input")
    return (input_shape[0], weight_shape[0], *size)


def check_convolved(op: str, input_shape, input_type, weight_shape, weight_type, bias_shape, bias_type,
                    *options) -> None:
    """`one_type`, `check_convolution` and `shaped` of arrays of these shapes and types.

    Without a bias its shape and type are None; the options are stride, padding, dilation and groups.

    >>> number = np.dtype(np.float64)
    >>> check_convolved("convolution", (1, 2, 5, 5), number, (4, 2, 3, 3), number, (4,), number,
    ...                 (1, 1), (0, 0), (1, 1), 1)
    """
    types = {"input": input_type, "weight": weight_type, "bias": bias_type}
    _one_type(op, {name: dtype for name, dtype in types.items() if dtype is not None})
    check_convolution(op, input_shape, weight_shape, *options)
    if bias_shape not in (None, weight_shape[:1]):
        raise _misshapen(op, "bias", weight_shape[:1], bias_shape)


def _integers(*numbers) -> bool:
    return all(isinstance(number, (int, np.integer)) for number in numbers)
