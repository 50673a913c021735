"""What a failed gradient check says: where, how much, what the pattern hints at, which knob to turn."""

from __future__ import annotations

import dataclasses

import numpy as np

__all__ = ["GradcheckError", "Mismatch", "pattern"]


@dataclasses.dataclass(frozen=True)
class Mismatch:
    """The worst element of a gradient that is wrong.

    Attributes:
        order: 1 for the gradient, 2 for the gradient of the gradient, ...
        position, name: which input, by number and by name.
        index: the element of the input, and ``value`` what it holds.
        output: number of the output and the index in it; None along a random cotangent.
        analytic, numeric: the two derivatives.
        left, right: the one-sided difference quotients.
        wrong, total: how many entries are compared, and how many of them differ.
        hints: what the pattern of the errors points at.
    """

    order: int
    position: int
    name: str | None
    index: tuple[int, ...]
    value: float
    output: tuple[int, tuple[int, ...]] | None
    analytic: float
    numeric: float
    left: float
    right: float
    wrong: int
    total: int
    tolerance: str
    hints: tuple[str, ...] = ()

    def __str__(self) -> str:
        number = self.output[0] if self.output else 0
        where = f"index {self.output[1]}" if self.output else "all elements, along a random cotangent"
        level = "" if self.order == 1 else f" (derivative of order {self.order})"
        argument = f" (argument '{self.name}')" if self.name else ""
        lines = [
            f"Jacobian mismatch for output {number} with respect to input {self.position}{argument}"
            f"{level}, worst at index {self.index}:",
            f"  analytic  {self.analytic:.10g}",
            f"  numerical {self.numeric:.10g}   (slope {self.left:.6g} to the left, {self.right:.6g} to "
            "the right)",
            f"  input     {self.value:.10g}",
            f"  output    {where}",
            f"{self.wrong} of {self.total} entries differ by more than {self.tolerance}.",
            *self.hints,
        ]
        return "\n".join(lines)


class GradcheckError(RuntimeError):
    """An analytic gradient does not agree with the numerical one.

    Attributes:
        mismatch: the `Mismatch`, None for other failures (such as a backward that is not reproducible).
    """

    def __init__(self, message, mismatch: Mismatch | None = None):
        super().__init__(message)
        self.mismatch = mismatch


def pattern(analytic: np.ndarray, numeric: np.ndarray, wrong: np.ndarray) -> str | None:
    """What the wrong entries have in common: a factor, a sign, zeros, NaN; None for nothing.

    >>> pattern(np.array([2.0, -4.0]), np.array([-2.0, 4.0]), np.array([True, True]))
    'Wherever it is wrong the analytic gradient has the opposite sign.'
    """
    ours, theirs = analytic[wrong], numeric[wrong]
    if not np.isfinite(ours).all():
        return "The analytic gradient is not finite: look for 0/0, log(0) or an overflow in the backward."
    if not np.isfinite(theirs).all():
        return ("The difference quotient is not finite: the function is not defined on both sides of the "
                "input; move the input into the domain.")
    if not ours.any():
        return ("Wherever it is wrong the analytic gradient is zero: the graph is cut there (detach, "
                ".data, .item(), no_grad, once_differentiable), or a term is missing.")
    big = np.abs(theirs) > 1e-3 * np.max(np.abs(theirs))
    if not theirs.any() or not big.any():
        return "Wherever it is wrong the function does not depend on the input, yet has a gradient."
    ratios = ours[big] / theirs[big]
    factor = float(np.median(ratios))
    if np.all(np.abs(ratios - factor) <= 1e-3 * abs(factor)):
        if abs(factor + 1) < 1e-3:
            return "Wherever it is wrong the analytic gradient has the opposite sign."
        return (f"Wherever it is wrong the analytic gradient is {factor:.5g} times the numerical one: a "
                "factor in the backward is wrong.")
    return None


def knob(steps: dict[float, float], analytic: float, numeric: float, rtol: float, atol: float,
         double: bool) -> str:
    """Which argument of gradcheck to change, judged by how the quotient depends on the step.

    Args:
        steps: the difference quotient at some steps around eps.
    """
    if not double:
        return ("The input is not float64, and rounding spoils the difference quotient: call .double() on "
                "it, or raise eps, atol and rtol (to about 1e-2).")
    values = np.array(list(steps.values()))
    error = abs(analytic - numeric)
    if not np.isfinite(values).all() or np.ptp(values) > max(error / 10, atol + rtol * abs(numeric)):
        table = ", ".join(f"{value:.6g} at eps={eps:.0e}" for eps, value in steps.items())
        return (f"The quotient depends on the step ({table}): change eps, or move the input to where the "
                "function is less steep.")
    ratio = f" or rtol={1.1 * error / abs(numeric):.1e}" if abs(numeric) > 1e-300 else ""
    return (f"The quotient is steady for eps from {min(steps):.0e} to {max(steps):.0e}, so the backward is "
            f"at fault; only atol={1.1 * error:.1e}{ratio} would accept it.")
