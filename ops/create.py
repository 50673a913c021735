"""New arrays: constants, ranges, identity matrices, and the indices of triangles, with PyTorch's rules
for dtypes.

These are plain functions on arrays; they take part in no graph.
"""

from __future__ import annotations

import math
import operator

import numpy as np

from ops.lazy import LazyModule
from ops.promotion import as_dtype, default_dtype

_kernels = LazyModule("ops.kernels.arrange")

__all__ = ["arange", "empty", "eye", "full", "linspace", "logspace", "ones", "tril_indices",
           "triu_indices", "zeros"]

_MANY = 50_000  # elements: where the kernel fills memory sooner than NumPy, a million in 43 in place of 69 us
_NUMBERS = (int, float, np.integer, np.floating, np.bool_)


def _shape(name: str, size) -> tuple[int, ...]:
    """A checked shape: a sequence of numbers that are not negative; a single number is a 1-D shape."""
    sizes = (size,) if isinstance(size, (int, np.integer)) else size
    if not hasattr(sizes, "__iter__"):
        raise TypeError(f"{name}(): argument 'size' (position 1) must be tuple of ints, not "
                        f"{type(size).__name__}")
    try:
        shape = tuple(map(operator.index, sizes))
    except TypeError:
        raise TypeError(f"{name}(): argument 'size' (position 1) must be tuple of ints, "
                        f"got {size}") from None
    if min(shape, default=0) < 0:
        raise RuntimeError(f"{name}: Dimension size must be non-negative. Trying to create tensor with "
                           f"negative dimension {min(shape)}: {list(shape)}")
    return shape


def _number(name: str, argument: str, value):
    """A Python number; 0-d arrays count as numbers."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        return value.item()
    if not isinstance(value, _NUMBERS):
        raise TypeError(f"{name}(): argument '{argument}' must be Number, not {type(value).__name__}")
    return value.item() if isinstance(value, np.generic) else value


# ------------------------------------------------------------------ constants


def empty(size, dtype=None) -> np.ndarray:
    """Uninitialised memory of a shape; float32 (the default dtype) unless ``dtype`` says otherwise.

    Raises:
        RuntimeError: for a negative size.
        TypeError: for a size that is no integer.

    >>> empty((2, 3)).shape
    (2, 3)
    """
    return np.empty(_shape("empty", size), as_dtype(dtype) or default_dtype())


def zeros(size, dtype=None) -> np.ndarray:
    """Zeros; see `empty`.

    >>> zeros((2,))
    array([0., 0.], dtype=float32)
    """
    return np.zeros(_shape("zeros", size), as_dtype(dtype) or default_dtype())


def ones(size, dtype=None) -> np.ndarray:
    """Ones; see `empty`.

    >>> ones((2,), int)
    array([1, 1])
    """
    return filled(_shape("ones", size), 1, as_dtype(dtype) or default_dtype())


def full(size, fill_value, dtype=None) -> np.ndarray:
    """One number everywhere; its type gives the dtype: bool, int64, or the default float.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.full.html

    >>> full((2,), 3), full((1,), 0.5)
    (array([3, 3]), array([0.5], dtype=float32))
    """
    value = _number("full", "fill_value", fill_value)
    if not hasattr(size, "__iter__"):
        raise TypeError("full(): argument 'size' (position 1) must be tuple of ints, not "
                        f"{type(size).__name__}")
    shape = _shape("full", size)
    if dtype is None:
        dtype = np.bool_ if isinstance(value, bool) else np.int64 if isinstance(value,
                                                                                int) else default_dtype()
    return filled(shape, value, as_dtype(dtype))


def eye(n, m=None, dtype=None) -> np.ndarray:
    """Matrix of ``n`` rows and ``m`` columns (default ``n``) with ones on the diagonal.

    Raises:
        RuntimeError: for a negative size.

    >>> eye(2)
    array([[1., 0.],
           [0., 1.]], dtype=float32)
    """
    m = n if m is None else m
    for name, count in (("n", n), ("m", m)):
        if not isinstance(count, (int, np.integer)):
            raise TypeError(f"eye(): argument '{name}' must be int, not {type(count).__name__}")
        if count < 0:
            raise RuntimeError(f"{name} must be greater or equal to 0, got {count}")
    return np.eye(n, m, dtype=as_dtype(dtype) or default_dtype())


def filled(shape: tuple[int, ...], value, dtype: np.dtype) -> np.ndarray:
    """`numpy.full`, which takes twice the time for floats.

    >>> filled((2,), 1.5, np.dtype(np.float32))
    array([1.5, 1.5], dtype=float32)
    """
    if dtype.kind != "f":
        return np.full(shape, value, dtype)
    array = np.empty(shape, dtype)
    if array.size < _MANY:
        array.fill(value)
    else:
        _kernels.fill(array, value)
    return array


def own_copy(array: np.ndarray) -> np.ndarray:
    """A copy in row-major order; of one number, or of columns that repeat one number, in half NumPy's time.

    >>> own_copy(np.broadcast_to(np.float32(2.0), (2, 2))).tolist()
    [[2.0, 2.0], [2.0, 2.0]]
    """
    if array.size < _MANY or array.dtype.kind != "f" or array.strides[-1]:
        return np.array(array, order="C")
    if not any(array.strides):
        return filled(array.shape, array.item(0), array.dtype)
    return _kernels.repeated(np.ascontiguousarray(array[..., :1]), array.shape[-1])


# ------------------------------------------------------------------ ranges


def arange(start=0, end=None, step=1, dtype=None) -> np.ndarray:
    """Numbers from ``start`` up to, not including, ``end``; a single number is the end, and the start is
    0.

    Without ``dtype``, three integers give int64, any float gives the default float.  Each element is
    computed as ``start + i * step`` in float64, so that errors do not add up.

    Raises:
        RuntimeError: for a step of 0 or of the wrong sign, or bounds that are not finite.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.arange.html

    >>> arange(3), arange(1, 2.5, 0.5)
    (array([0, 1, 2]), array([1. , 1.5, 2. ], dtype=float32))
    """
    start, end = (0, start) if end is None else (start, end)
    start, end, step = (_number("arange", name, value) for name, value in (
        ("start", start), ("end", end), ("step", step)))
    dtype = as_dtype(dtype)
    if dtype is None:
        dtype = np.dtype(np.int64) if all(isinstance(v, int)
                                          for v in (start, end, step)) else default_dtype()
    if dtype == np.bool_:
        raise NotImplementedError("\"arange\" not implemented for 'Bool'")
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if not math.isfinite(start) or not math.isfinite(end):
        raise RuntimeError(f"unsupported range: {start} -> {end}")
    if (end - start) * (1 if step > 0 else -1) < 0:
        raise RuntimeError(f"upper bound and lower bound inconsistent with step sign: from {start} to "
                           f"{end} by {step}")
    if dtype.kind != "f":
        start, end, step = int(start), int(end), int(step)
        if step == 0:
            raise ValueError("step must be nonzero: it is cut to 0 by the integer dtype")
        return np.arange(start, end, step, np.int64).astype(dtype, copy=False)
    count = math.ceil((end - start) / step)
    return (start + np.arange(count) * float(step)).astype(dtype)


def _steps(steps) -> int:
    try:
        steps = operator.index(steps)
    except TypeError:
        raise TypeError(f"argument 'steps' must be int, not {type(steps).__name__}") from None
    if steps < 0:
        raise RuntimeError(f"number of steps must be non-negative, got {steps}")
    return steps


def linspace(start, end, steps, dtype=None) -> np.ndarray:
    """``steps`` evenly spaced numbers from ``start`` to ``end``, both included.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.linspace.html

    >>> linspace(0, 1, 3)
    array([0. , 0.5, 1. ], dtype=float32)
    """
    values = np.linspace(_number("linspace", "start", start), _number("linspace", "end", end),
                         _steps(steps))
    return values.astype(as_dtype(dtype) or default_dtype())


def logspace(start, end, steps, base=10.0, dtype=None) -> np.ndarray:
    """``base`` to the power of ``steps`` evenly spaced exponents from ``start`` to ``end``.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.logspace.html

    >>> logspace(0, 2, 3)
    array([  1.,  10., 100.], dtype=float32)
    """
    exponents = np.linspace(_number("logspace", "start", start), _number("logspace", "end", end),
                            _steps(steps))
    return np.power(float(base), exponents).astype(as_dtype(dtype) or default_dtype())


# ------------------------------------------------------------------ triangles


def _triangle(name: str, row: int, col: int, dtype, keep) -> np.ndarray:
    for argument, count in (("row", row), ("col", col)):
        if count < 0:
            raise RuntimeError(f"{argument} must be non-negative, got {count}")
    dtype = as_dtype(dtype)
    if dtype not in (np.int64, np.int32):
        raise NotImplementedError(f'"{name}" not implemented for {dtype}; use int64 or int32')
    return np.array(np.nonzero(keep(np.arange(col) - np.arange(row)[:, None])), dtype)


def tril_indices(row: int, col: int, offset: int = 0, dtype=np.int64) -> np.ndarray:
    """Rows and columns, shape (2, count), of the elements on and below a diagonal of a (row, col)
    matrix.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.tril_indices.html

    >>> tril_indices(2, 2)
    array([[0, 1, 1],
           [0, 0, 1]])
    """
    return _triangle("tril_indices", row, col, dtype, lambda distance: distance <= offset)


def triu_indices(row: int, col: int, offset: int = 0, dtype=np.int64) -> np.ndarray:
    """Rows and columns, shape (2, count), of the elements on and above a diagonal of a (row, col)
    matrix.

    >>> triu_indices(2, 2)
    array([[0, 0, 1],
           [0, 1, 1]])
    """
    return _triangle("triu_indices", row, col, dtype, lambda distance: distance >= offset)
