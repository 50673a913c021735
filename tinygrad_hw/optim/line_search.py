"""Line search for a step length that satisfies the strong Wolfe conditions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

__all__ = ["strong_wolfe"]


class _Point(NamedTuple):
    """Loss, gradient, and slope along the direction at one step length."""

    length: float
    loss: float
    gradient: np.ndarray
    slope: float


def strong_wolfe(evaluate: Callable, length: float, direction: np.ndarray, loss: float,
                 gradient: np.ndarray, slope: float, decrease: float = 1e-4, flatness: float = 0.9,
                 tolerance_change: float = 1e-9,
                 max_evaluations: int = 25) -> tuple[float, np.ndarray, float, int]:
    """A step length t where the loss f has fallen enough and is flat enough.

    These are ``f(t) <= f(0) + decrease * t * f'(0)`` and ``abs(f'(t)) <= flatness * abs(f'(0))``.

    First the length grows until an interval must hold such a point, then the interval shrinks by cubic
    interpolation.

    Args:
        evaluate: maps a length to loss and gradient (a vector).
        length: first length to try.
        direction: the search direction, a vector.
        loss, gradient, slope: at length 0.
        tolerance_change: stop when the interval moves no parameter by more than this.
        max_evaluations: bound on the trials.

    Returns:
        Loss, gradient, length, and how often ``evaluate`` was called.

    Source: Nocedal and Wright, Numerical Optimization, 2006, algorithms 3.5 and 3.6.

    >>> loss, gradient, length, calls = strong_wolfe(
    ...     lambda t: ((4 - t) ** 2, np.array([2 * (t - 4)])), length=1.0, direction=np.array([1.0]),
    ...     loss=16.0, gradient=np.array([-8.0]), slope=-8.0, flatness=0.1)
    >>> round(length, 6), round(loss, 6)
    (4.0, 0.0)
    """
    calls = 0

    def trial(at: float) -> _Point:
        nonlocal calls
        calls += 1
        value, vector = evaluate(at)
        return _Point(at, value, vector, float(vector @ direction))

    def too_high(point: _Point) -> bool:
        return point.loss > loss + decrease * point.length * slope

    def flat(point: _Point) -> bool:
        return abs(point.slope) <= -flatness * slope

    start = previous = _Point(0.0, loss, gradient, slope)
    new = trial(length)
    rounds = 0
    bracket = None
    while rounds < max_evaluations:
        if too_high(new) or (rounds > 1 and new.loss >= previous.loss):
            bracket = [previous, new]
            break
        if flat(new):
            return new.loss, new.gradient, new.length, calls
        if new.slope >= 0:
            bracket = [previous, new]
            break
        shortest, longest = new.length + 0.01 * (new.length - previous.length), new.length * 10
        previous, new = new, trial(_cubic_minimum(previous, new, shortest, longest))
        rounds += 1
    if bracket is None:
        bracket = [start, new]

    best, other = sorted(bracket, key=lambda point: point.loss)
    stuck = False
    while rounds < max_evaluations:
        low, high = sorted((best.length, other.length))
        if (high - low) * np.abs(direction).max() < tolerance_change:
            break
        length = _cubic_minimum(best, other, low, high)
        margin = 0.1 * (high - low)
        if min(high - length, length - low) < margin:  # close to an end: once is fine, then move away
            at_end = stuck or length >= high or length <= low
            if at_end:
                length = high - margin if high - length < length - low else low + margin
            stuck = not at_end
        else:
            stuck = False
        new = trial(length)
        rounds += 1
        if too_high(new) or new.loss >= best.loss:
            best, other = sorted((best, new), key=lambda point: point.loss)
            continue
        if flat(new):
            best = new
            break
        if new.slope * (other.length - best.length) >= 0:
            other = best
        best = new
    return best.loss, best.gradient, best.length, calls


def _cubic_minimum(a: _Point, b: _Point, low: float, high: float) -> float:
    """Minimum in [low, high] of the cubic with the losses and slopes of two points; else their middle.

    Source: Nocedal and Wright, Numerical Optimization, 2006, equation 3.59.
    """
    if a.length > b.length:
        a, b = b, a
    if a.length == b.length:
        return (low + high) / 2
    mixed = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.length - b.length)
    square = mixed * mixed - a.slope * b.slope
    if not square >= 0:
        return (low + high) / 2
    root = math.sqrt(square)
    bottom = b.slope - a.slope + 2 * root
    if bottom == 0:
        return (low + high) / 2
    return min(max(b.length - (b.length - a.length) * (b.slope + root - mixed) / bottom, low), high)
