"""Functions that make Tensors of constants and ranges, with PyTorch's signatures."""

from __future__ import annotations

import functools
import math
import numbers

import numpy as np

from ops import create
from ops.core import array_of
from ops.promotion import as_dtype, default_dtype, result_dtype
from tinygrad_hw.device import check_device
from tinygrad_hw.tensor import Tensor

__all__ = ["arange", "empty", "empty_like", "eye", "full", "full_like", "linspace", "logspace", "ones",
           "ones_like", "scalar_tensor", "tril_indices", "triu_indices", "zeros", "zeros_like"]


def finish(array: np.ndarray, out, device, requires_grad: bool) -> Tensor:
    """The Tensor of a creation function: the array itself, or ``out`` filled with it.

    >>> finish(np.ones(2), None, "cpu", True)
    tensor([1., 1.], dtype=tinygrad_hw.float64, requires_grad=True)
    """
    if device is not None:
        check_device(device)
    if out is not None:
        return out.receive(array)
    result = Tensor._wrap(array)
    return result if requires_grad is False else result.requires_grad_(requires_grad)


def checked_size(size: tuple, name: str) -> tuple[int, ...]:
    """Sizes given one by one or as one sequence, for the function of this name.

    >>> checked_size(((2, 3),), "zeros")
    (2, 3)
    """
    if not size:
        raise TypeError(f"{name}() missing 1 required positional arguments: \"size\"")
    if len(size) == 1 and isinstance(size[0], (tuple, list)):
        size = tuple(size[0])
    for n in size:
        if type(n) is not int or n < 0:
            break
    else:
        return size
    for n in size:
        if not isinstance(n, (numbers.Integral, Tensor)) or isinstance(n, bool):
            raise TypeError(f"{name}(): argument 'size' must be tuple of ints, but found element of "
                            f"type {type(n).__name__} in {size}")
        if n < 0:
            raise RuntimeError(f"Trying to create tensor with negative dimension {n}: {list(size)}")
    return tuple(map(int, size))


def _filled(name: str, fill, summary: str):
    """A creation function of sizes and one of a model Tensor."""

    def sized(
        *sizes,
        size=None,
        out=None,
        dtype=None,
        layout=None,
        device=None,
        requires_grad=False,
        pin_memory=False,
        memory_format=None,
    ):
        shape = checked_size(sizes if size is None else (size,), name)
        return finish(fill(shape, as_dtype(dtype) or default_dtype()), out, device, requires_grad)

    def like(input, *, dtype=None, layout=None, device=None, requires_grad=False, memory_format=None):
        array = fill(input.array.shape, as_dtype(dtype) or input.array.dtype)
        return finish(array, None, device, requires_grad)

    sized.__name__ = sized.__qualname__ = name
    like.__name__ = like.__qualname__ = name + "_like"
    sized.__doc__ = f"""{summary} of the given sizes, ``{name}(2, 3)`` or ``{name}((2, 3))``.

    >>> {name}(2, 3).shape
    tinygrad_hw.Size([2, 3])
    """
    like.__doc__ = f"""{summary} of the shape and dtype of ``input``.

    >>> {name}_like(Tensor(2, 3)).shape
    tinygrad_hw.Size([2, 3])
    """
    return sized, like


zeros, zeros_like = _filled("zeros", np.zeros, "Zeros")
ones, ones_like = _filled("ones", lambda shape, dtype: create.filled(shape, 1, dtype), "Ones")
empty, empty_like = _filled("empty", np.empty, "Uninitialised memory")


def full(
    size, fill_value, *, out=None, dtype=None, layout=None, device=None, requires_grad=False
) -> Tensor:
    """A Tensor of one value; its dtype follows the value unless given.

    >>> full((2,), 7)
    tensor([7, 7])
    """
    value = array_of(fill_value)
    if type(value) not in (int, float) and (
            np.ndim(value) or not isinstance(value, (int, float, np.ndarray, np.generic))):
        raise TypeError("full(): argument 'fill_value' (position 2) must be Number, not "
                        f"{type(fill_value).__name__}")
    if not isinstance(size, (tuple, list)):
        raise TypeError("full(): argument 'size' (position 1) must be tuple of ints, not "
                        f"{type(size).__name__}; write full(({size},), {fill_value})")
    size = checked_size((size,), "full")
    dtype = as_dtype(dtype) or (default_dtype() if type(value) is float else result_dtype(value))
    return finish(create.filled(size, value, dtype), out, device, requires_grad)


def full_like(input, fill_value, *, dtype=None, layout=None, device=None, requires_grad=False,
              memory_format=None) -> Tensor:
    """A Tensor of one value in the shape and dtype of ``input``.

    >>> full_like(zeros(2), 7)
    tensor([7., 7.])
    """
    dtype = as_dtype(dtype) or input.array.dtype
    return finish(create.filled(input.array.shape, array_of(fill_value), dtype), None, device, requires_grad)


def scalar_tensor(value, *, dtype=None, device=None, requires_grad=False) -> Tensor:
    """A 0-d Tensor of the default dtype.

    >>> scalar_tensor(2)
    tensor(2.)
    """
    return finish(np.array(value, as_dtype(dtype) or default_dtype()), None, device, requires_grad)


def eye(n, m=None, *, out=None, dtype=None, layout=None, device=None, requires_grad=False) -> Tensor:
    """The identity matrix of n rows and m columns.

    >>> eye(2)
    tensor([[1., 0.],
            [0., 1.]])
    """
    if n < 0 or (m is not None and m < 0):
        raise RuntimeError(f"n and m must be greater or equal to 0, got {n} and {m}")
    return finish(np.eye(n, m, dtype=as_dtype(dtype) or default_dtype()), out, device, requires_grad)


def arange(
    start=None, end=None, step=1, *, out=None, dtype=None, layout=None, device=None, requires_grad=False
) -> Tensor:
    """Numbers from ``start`` up to but without ``end``.

    Integers give int64; if one of the numbers is a float, the default dtype.

    >>> arange(1, 6, 2)
    tensor([1, 3, 5])
    """
    if start is None and end is None:
        raise TypeError("arange() missing 1 required positional argument: 'end'")
    start, end = (0, start) if end is None else (start or 0, end)
    start, end, step = (
        v.item() if isinstance(v, (Tensor, np.generic)) else v for v in (start, end, step)
    )
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if (end - start) * step < 0:
        raise RuntimeError(f"upper bound and lower bound inconsistent with step sign: start={start}, "
                           f"end={end}, step={step}")
    integral = all(isinstance(v, int) for v in (start, end, step))
    dtype = as_dtype(dtype) or (np.dtype("int64") if integral else default_dtype())
    count = math.ceil((end - start) / step) if not integral else -((start - end) // step)
    if dtype.kind in "iu":
        start, step = int(start), int(step)
    values = np.arange(start, end, step) if integral else start + np.arange(count) * step
    return finish(values.astype(dtype, copy=False), out, device, requires_grad)


def _steps(name: str, steps) -> int:
    if type(steps) is not int and not isinstance(steps, numbers.Integral):
        raise TypeError(f"{name}(): argument 'steps' (position 3) must be int, not "
                        f"{type(steps).__name__}")
    if steps < 0:
        raise RuntimeError(f"{name}: number of steps must be non-negative, got {steps}")
    return steps


@functools.lru_cache(maxsize=8)
def _from_both_ends(count: int, dtype: np.dtype) -> np.ndarray:
    """0, 1, 2, ... up to the middle, then ..., -2, -1, -0, to be read; NumPy counts to 2^16 in 40 us."""
    half = count // 2
    return np.concatenate([np.arange(half, dtype=dtype), -np.arange(count - half, dtype=dtype)[::-1]])


def linspace(
    start, end, steps, *, out=None, dtype=None, layout=None, device=None, requires_grad=False
) -> Tensor:
    """``steps`` evenly spaced numbers from ``start`` to ``end``, both included.

    >>> linspace(0, 1, 3)
    tensor([0.0000, 0.5000, 1.0000])
    """
    dtype = as_dtype(dtype) or default_dtype()
    kind = dtype if dtype.kind == "f" else np.dtype(np.float64)
    count = _steps("linspace", steps)
    first, last = kind.type(start), kind.type(end)
    step = (last - first) / kind.type(max(count - 1, 1))
    if dtype.kind in "iu":
        start, end = int(start), int(end)
        first, last = kind.type(start), kind.type(end)
        step = kind.type(end - start) / max(count - 1, 1)
    half = count // 2  # from both ends to the middle, so that both ends are exact
    if count < 2**16:
        values = _from_both_ends(count, kind) * step
        ahead, behind = values[:half], values[half:]
        ahead += first
        behind += last
    else:  # counting anew takes longer than it spares
        ahead, values = np.arange(count - half, dtype=kind) * step, np.empty(count, kind)
        np.add(first, ahead[:half], values[:half])
        np.subtract(last, ahead[::-1], values[half:])
    if count == 1:
        values[0] = start
    return finish(values.astype(dtype, copy=False), out, device, requires_grad)


def logspace(start, end, steps, base=10.0, *, out=None, dtype=None, layout=None, device=None,
             requires_grad=False) -> Tensor:
    """``base`` to the power of evenly spaced exponents.

    >>> logspace(0, 2, 3)
    tensor([  1.,  10., 100.])
    """
    values = base ** np.linspace(float(start), float(end), _steps("logspace", steps))
    return finish(values.astype(as_dtype(dtype) or default_dtype()), out, device, requires_grad)


def _triangle(name: str, indices):
    def function(row, col, offset=0, *, dtype=None, layout=None, device=None):
        return finish(indices(row, col, offset, as_dtype(dtype) or np.int64), None, device, False)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""`ops.{name}` as a Tensor: rows and columns of the elements of a triangle.

    >>> {name}(1, 1)
    tensor([[0],
            [0]])
    """
    return function


tril_indices = _triangle("tril_indices", create.tril_indices)
triu_indices = _triangle("triu_indices", create.triu_indices)
