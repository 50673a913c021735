"""Optimizer steps on arrays, in place: the formulas of SGD and Adam for many parameters in one call.

A *row* holds the arrays of one parameter: its values, its gradient, and what the optimizer remembers of
it.  Neighbouring rows go to one kernel call where memory layout and dtype allow it, a row of any other
kind is computed by NumPy; the outcome is that of one row after the other.
"""

from __future__ import annotations

import math

import numpy as np

from ops.lazy import LazyModule

__all__ = ["adam_step", "sgd_step"]

_kernels = LazyModule("ops.kernels.update")
_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def sgd_step(rows, *, lr, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False, maximize=False,
             starts=False) -> None:
    """One step of gradient descent: ``p -= lr * d``, with ``d = g + weight_decay * p``.

    With momentum a buffer becomes ``b = momentum * b + (1 - dampening) * d`` and replaces d; Nesterov's
    method replaces d by ``d + momentum * b``.

    Args:
        rows: tuples of arrays ``(p, g)``, or ``(p, g, b)`` with momentum.
        maximize: climb along the gradient.
        starts: whether the buffers hold nothing yet and become d.

    Raises:
        ValueError: if rows differ in length, the arrays of a row do not have one shape, or memory to be
            written is read-only.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html

    >>> p, b = np.ones(2), np.zeros(2)
    >>> sgd_step([(p, np.array([1.0, 2.0]), b)], lr=0.5, momentum=0.9)
    >>> p.tolist(), b.tolist()
    ([0.5, 0.0], [1.0, 2.0])
    """

    def plain(parameter, gradient, buffer=None):
        if maximize:
            gradient = -gradient
        if weight_decay:
            gradient = gradient + weight_decay * parameter
        if buffer is not None:
            if starts:
                buffer[...] = gradient
            else:
                buffer *= momentum
                buffer += (1 - dampening) * gradient if dampening else gradient
            gradient = gradient + momentum * buffer if nesterov else buffer
        parameter -= lr * gradient

    def sweep(run):
        direction = -1 if maximize else 1
        _kernels.sgd(run, lr, direction, weight_decay, momentum, 1 - dampening, starts, nesterov)

    _update(rows, (2, 3), sweep, plain)


def adam_step(rows, step, *, lr, betas, eps, weight_decay=0.0, decoupled=False,
              maximize=False) -> None:
    """Step number ``step`` (from 1) of Adam: ``p -= lr * m / (sqrt(v) + eps)``.

    m and v are running means of the gradient and of its square, divided by ``1 - beta ** step``.

    Args:
        rows: tuples of arrays ``(p, g, m, v)``, or ``(p, g, m, v, largest)`` to divide by the largest v
            so far (AMSGrad).
        decoupled: whether weight decay shrinks p (AdamW) in place of adding to the gradient.
        maximize: climb along the gradient.

    Raises:
        ValueError: if rows differ in length, the arrays of a row do not have one shape, or memory to be
            written is read-only.

    Source: Kingma and Ba, Adam: A Method for Stochastic Optimization, 2014; Loshchilov and Hutter,
        Decoupled Weight Decay Regularization, 2019.

    >>> p, m, v = np.ones(2), np.zeros(2), np.zeros(2)
    >>> adam_step([(p, np.array([1.0, -4.0]), m, v)], 1, lr=0.5, betas=(0.5, 0.75), eps=0.0)
    >>> p.tolist(), m.tolist(), v.tolist()
    ([0.5, 1.5], [0.5, -2.0], [0.25, 4.0])
    """
    beta1, beta2 = betas
    size = lr / (1 - beta1 ** step)
    root = math.sqrt(1 - beta2 ** step)
    shrink = 1 - lr * weight_decay if decoupled else 1
    decay = 0 if decoupled else weight_decay

    def plain(parameter, gradient, mean, square, largest=None):
        if maximize:
            gradient = -gradient
        if shrink != 1:
            parameter *= shrink
        if decay:
            gradient = gradient + decay * parameter
        mean += (1 - beta1) * (gradient - mean)
        square *= beta2
        square += (1 - beta2) * (gradient * gradient)
        if largest is not None:
            square = np.maximum(largest, square, out=largest)
        denominator = np.sqrt(square, out=np.empty_like(square))
        denominator /= root
        denominator += eps
        np.divide(mean, denominator, out=denominator)
        denominator *= size
        parameter -= denominator

    def sweep(run):
        _kernels.adam(run, size, -1 if maximize else 1, shrink, decay, beta1, beta2, 1 / root, eps)

    _update(rows, (4, 5), sweep, plain)


def _update(rows, widths, sweep, plain) -> None:
    """Call ``sweep`` with runs of rows that fit the kernels and ``plain`` with the others, in order."""
    if rows and len(rows[0]) in widths and _all_fit(rows):
        sweep(rows)
        return
    found = set(map(len, rows))
    if len(found) > 1 or not found.issubset(widths):
        raise ValueError(f"rows must all have {widths[0]} or all have {widths[1]} arrays, but got rows "
                         f"of {sorted(found)}")
    run = []
    for row in rows:
        fitting = _fitting(row)
        if run and (fitting is None or row[0].dtype != run[0][0].dtype):
            sweep(run)
            run = []
        if fitting is None:
            plain(*row)
        else:
            run.append(fitting)
    if run:
        sweep(run)


def _all_fit(rows) -> bool:
    """Whether all rows are as the kernels take them, the usual case: quicker than `_fitting` of each."""
    dtype, width = rows[0][0].dtype, len(rows[0])
    if dtype not in _FLOATS:
        return False
    for row in rows:
        shape = row[0].shape
        if len(row) != width:
            return False
        for array in row:
            if array.dtype is not dtype or array.shape != shape or not array.flags.carray:
                return False
    return True


def _fitting(row):
    """The row as the kernels take it: alike arrays without gaps; None where NumPy has to do it."""
    shape, dtype = row[0].shape, row[0].dtype
    for array in row:  # NumPy's numbers, which have no memory to point to, are no "carray"
        if array.shape != shape or array.dtype != dtype or not array.flags.carray:
            return _same_layout(row)
    return row if dtype in _FLOATS else None


def _same_layout(row):
    """The row with its gradient in the order of memory of the others; None if theirs differ."""
    parameter, gradient, *others = row
    shape, dtype, strides = parameter.shape, parameter.dtype, parameter.strides
    if dtype not in _FLOATS or gradient.dtype != dtype or gradient.shape != shape:
        return None
    for array in (parameter, *others):
        alike = array.shape == shape and array.dtype == dtype and array.strides == strides
        if not (alike and array.flags.behaved):
            return None
    if not _dense(parameter):
        return None
    if not isinstance(gradient, np.ndarray) or gradient.strides != strides:
        ordered = np.empty_like(parameter)
        ordered[...] = gradient
        gradient = ordered
    return (parameter, gradient, *others)


def _dense(array) -> bool:
    """Whether the elements fill one block of memory, in whatever order of the dimensions."""
    order = sorted(range(array.ndim), key=array.strides.__getitem__, reverse=True)
    return array.transpose(order).flags.c_contiguous
