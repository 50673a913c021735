"""Broadcasting and its reverse, the sum over broadcast axes."""

from __future__ import annotations

import functools

import numpy as np

from ops.core import Bad, case, op
from ops.lazy import LazyModule

__all__ = ["broadcast_shapes", "expand", "sum_to"]

_kernels = LazyModule("ops.kernels.reduce")
_MANY = 8192  # elements from which the kernel sums rows sooner than NumPy: a million in 50 in place of 170 us


def broadcast_shapes(*shapes) -> tuple[int, ...]:
    """The common shape of several shapes, aligned from the right, or a RuntimeError as PyTorch gives it.

    >>> broadcast_shapes((2, 1), (3,))
    (2, 3)
    >>> broadcast_shapes((2,), (3,))
    Traceback (most recent call last):
    ...
    RuntimeError: The size of tensor a (2) must match the size of tensor b (3) \
at non-singleton dimension 0 (shapes (2,) and (3,))
    """
    result: tuple[int, ...] = ()
    for shape in shapes:
        longer, shorter = (result, shape) if len(result) >= len(shape) else (shape, result)
        merged = list(longer)
        for i in range(1, len(shorter) + 1):
            a, b = result[-i], shape[-i]
            if a != b and a != 1 and b != 1:
                raise RuntimeError(
                    f"The size of tensor a ({a}) must match the size of tensor b ({b}) at non-singleton "
                    f"dimension {len(longer) - i} (shapes {result} and {shape})"
                )
            merged[-i] = b if a == 1 else a
        result = tuple(merged)
    return result


def _sum_to_cases(rng):
    yield case(rng.normal(size=(2, 3)), (1, 3))
    yield case(rng.normal(size=(2, 3, 4)), (3, 1))
    yield case(rng.normal(size=(2, 3)), ())
    yield case(rng.normal(size=(60, 150)), (60, 1))
    yield case(rng.normal(size=(2100, 4)), (2100, 1))
    yield case(rng.normal(size=(0, 3)), (1, 3))
    yield case(np.array(rng.normal()), ())


@op(
    grad=dict(input=lambda g, input_shape: expand(g, input_shape)),
    samples=_sum_to_cases,
    reference=lambda input, shape: _sum_reference(input, shape),
    bad=[
        Bad((np.ones((2, 3)), (2, 2)), {}, RuntimeError, r"size 3.*cannot be summed to.*\(2, 2\)"),
        Bad((np.array(1.0), (2, 3)), {}, RuntimeError, r"0 dimensions.*cannot be summed to.*\(2, 3\)"),
    ],
)
def sum_to(input, shape):
    """Sum an array over the axes along which ``shape`` was broadcast to it: the reverse of `expand`.

    Args:
        input: array of a shape that ``shape`` broadcasts to.
        shape: the shape of the result.

    Raises:
        RuntimeError: if ``shape`` does not broadcast to the shape of ``input``.

    >>> sum_to(np.ones((2, 3)), (1, 3))
    array([[2., 2., 2.]])
    """
    if input.shape == shape:
        return input
    lead = input.ndim - len(shape)
    if lead < 0:
        raise RuntimeError(f"an array of {input.ndim} dimensions, {input.shape}, cannot be summed to shape "
                           f"{tuple(shape)}, which has {len(shape)}")
    axes = list(range(lead))
    for i, size in enumerate(shape):
        if input.shape[lead + i] != size:
            if size != 1:
                raise RuntimeError(f"dimension {lead + i} of size {input.shape[lead + i]} in "
                                   f"{input.shape} cannot be summed to {size} of shape {tuple(shape)}")
            axes.append(lead + i)
    rows = axes == [input.ndim - 1] and input.flags.c_contiguous
    if rows and input.size >= _MANY and input.dtype.kind == "f":
        return _kernels.reduced("broadcast_sum", input, tuple(axes), True).reshape(shape)
    total = np.add.reduce(input, axis=tuple(axes), keepdims=True, dtype=input.dtype)
    return np.asarray(total).reshape(shape)


def _sum_reference(input, shape):
    total = np.zeros(shape)
    lead = input.ndim - len(shape)
    for index in np.ndindex(input.shape):
        total[tuple(0 if n == 1 else i for i, n in zip(index[lead:], shape))] += input[index]
    return total


def _expand_cases(rng):
    yield case(rng.normal(size=(1, 3)), (2, 3))
    yield case(rng.normal(size=(3, 1)), (2, 3, 4))
    yield case(rng.normal(size=(3, 1)), (2, -1, 4))
    yield case(np.array(rng.normal()), (2, 2))
    yield case(rng.normal(size=(1, 3)), (0, 3))
    yield case(rng.normal(size=(0, 3)), (2, 0, 3))
    yield case(np.array(rng.normal()), ())


@op(
    grad=dict(input=lambda g, input_shape: sum_to(g, input_shape)),
    view=True,
    samples=_expand_cases,
    reference=lambda input, size: np.broadcast_to(
        input, [input.shape[i - len(size)] if n == -1 else n for i, n in enumerate(size)]),
    bad=[
        Bad((np.ones((2, 3)), (2, 4)), {}, RuntimeError, r"expanded size.*\(4\).*existing size \(3\)"),
        Bad((np.ones((2, 3)), (3,)), {}, RuntimeError, r"number of sizes provided.*\(1\)"),
    ],
)
def expand(input, size):
    """View of ``input`` in which axes of size 1 are repeated to ``size`` without copying.

    Args:
        input: array of at most as many dimensions as ``size`` has numbers.
        size: the shape of the result; -1 keeps an axis.

    Raises:
        RuntimeError: if an axis of another size than 1 would change, or dimensions would be lost.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.Tensor.expand.html

    >>> expand(np.array([[1.0], [2.0]]), (2, 3))
    array([[1., 1., 1.],
           [2., 2., 2.]])
    """
    size = size if isinstance(size, tuple) else tuple(size)
    target, steps, in_order = _expanded(input.shape, input.strides, input.itemsize, size)
    if steps is None:
        return input[(None,) * (len(target) - input.ndim) + (...,)]  # it may be written to
    if not in_order:
        return np.broadcast_to(input, target)
    result = np.ndarray(target, input.dtype, input, 0, steps)  # broadcast_to takes 2 microseconds more
    result.setflags(False)  # not to be written to
    return result


@functools.lru_cache(maxsize=4096)
def _expanded(shape: tuple, strides: tuple, itemsize: int, size: tuple) -> tuple:
    """Shape and strides of the view that `expand` gives, and whether the array is in row-major order.

    None for the strides where nothing is repeated.
    """
    target = list(size)
    lead = len(target) - len(shape)
    if lead < 0:
        raise RuntimeError(f"expand({shape}, size={size}): the number of sizes provided "
                           f"({len(target)}) must be greater or equal to the number of dimensions in the "
                           f"tensor ({len(shape)})")
    steps = [0] * lead + list(strides)
    repeats = lead > 0 and target[:lead] != [1] * lead
    for i, old in enumerate(shape, lead):
        new = target[i]
        if new == -1:
            target[i] = old
        elif new != old:
            if old != 1:
                raise RuntimeError(f"The expanded size of the tensor ({new}) must match the existing size "
                                   f"({old}) at non-singleton dimension {i}. Target sizes: {size}. "
                                   f"Tensor sizes: {shape}")
            steps[i], repeats = 0, True
    if target and min(target) < 0:
        raise RuntimeError(f"expand: sizes {size} hold a negative number where the tensor has "
                           "no dimension to keep")
    in_order, step = 0 not in shape, itemsize
    for old, stride in zip(shape[::-1], strides[::-1]):
        in_order, step = in_order and (stride == step or old == 1), step * old
    return tuple(target), tuple(steps) if repeats else None, in_order
