"""Kinks and jumps: where the slopes to the right and to the left of a point differ.

There a derivative does not exist, and an engine picks one of the slopes, or one between them (relu'(0) =
0; max-pool sends a gradient to one of two equal values).  A difference quotient, which averages both
slopes, cannot judge that choice beyond this: it must lie between the two.
"""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np

__all__ = ["Kink", "KinkWarning", "find_kink", "warn"]


class KinkWarning(UserWarning):
    """A gradient was compared at a kink or a jump of the function, where no derivative exists."""


@dataclasses.dataclass(frozen=True)
class Kink:
    """A point where a gradient could not be judged.

    Attributes:
        kind: ``"kink"``, ``"jump"``, or ``"close"`` for one that lies within the step of the point.
        analytic: the engine's gradient, which lies between the two slopes.
        left, right: the slopes on the two sides.
    """

    kind: str
    analytic: float
    left: float
    right: float

    def __str__(self) -> str:
        what = {"kink": "a kink", "jump": "a jump", "close": "a kink or a steep bend within eps"}[self.kind]
        return (f"{what}: the slope is {self.left:.6g} to the left and {self.right:.6g} to the right, the "
                f"analytic gradient {self.analytic:.6g}")


def find_kink(problem, array: np.ndarray, index, cotangent: np.ndarray, analytic: float, eps: float,
              atol: float, rtol: float, direction=1.0) -> Kink | None:
    """The kink that explains why ``analytic`` is not the central difference, or None if none does.

    Each output element is looked at for itself at two steps: the gap between the one-sided slopes of a
    smooth function shrinks with the step, that at a kink stays, that at a jump grows.

    Args:
        problem: the `Problem`.
        array, index: the element of an input.
        cotangent: the weight of each output element.
        analytic: the engine's derivative of ``<cotangent, outputs>`` by that element.
        direction: of the step, if ``index`` stands for several elements.
        eps: the step of the difference quotient that disagrees.
    """
    used = cotangent != 0
    weights = cotangent[used]
    right, left = (side[used] for side in problem.slopes(array, index, eps, direction))
    near_right, near_left = (side[used] for side in problem.slopes(array, index, eps / 16, direction))
    if not all(np.isfinite(side).all() for side in (right, left, near_right, near_left)):
        return None

    def total(slopes):
        return float(weights @ slopes)

    middle = total(near_right + near_left) / 2
    if abs(analytic - middle) <= atol + rtol * abs(middle):
        return Kink("close", analytic, total(left), total(right))
    scale = max(1.0, float(np.max(np.abs(problem.values()), initial=0.0)))
    rounding = 64 * np.finfo(array.dtype).eps * scale / eps
    jumped = np.zeros(weights.shape, bool)
    for side, near in ((right, near_right), (left, near_left)):
        jumped |= (np.abs(near) > 4 * np.abs(side)) & (np.abs(near - side) > rounding)
    gap, near_gap = np.abs(right - left), np.abs(near_right - near_left)
    bent = jumped | ((gap > rounding) & (near_gap > gap / 2))
    if not bent.any():
        return None
    # slopes from eps/16 to eps: those beyond the jump; where the function is smooth both are its slope
    outer_right, outer_left = (16 * right - near_right) / 15, (16 * left - near_left) / 15
    smooth = (right + left) / 2
    ends = np.stack([weights * np.where(bent, side, smooth) for side in (outer_right, outer_left)])
    lowest, highest = float(ends.min(axis=0).sum()), float(ends.max(axis=0).sum())
    if not lowest - atol - rtol * abs(lowest) <= analytic <= highest + atol + rtol * abs(highest):
        return None
    return Kink("jump" if jumped.any() else "kink", analytic, total(outer_left), total(outer_right))


def warn(where: str, kink: Kink, others: int, stacklevel: int) -> None:
    """Report the first kink of a check, and how many more there are."""
    more = f" ({others} more like it)" if others else ""
    warnings.warn(
        f"gradcheck met {kink} at {where}{more}. That is no error: the gradient lies between the slopes. "
        "To prove the gradient as well, move the input off the kink (tinygrad_hw.testing.strategies."
        "kink_free draws such inputs).",
        KinkWarning,
        stacklevel=stacklevel,
    )
