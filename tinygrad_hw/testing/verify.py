"""The comparison that `gradcheck` makes for one function: rows of the Jacobian against difference quotients.
"""

from __future__ import annotations

import dataclasses
import itertools
import warnings

import numpy as np

from tinygrad_hw.tensor import Tensor
from tinygrad_hw.testing import kinks
from tinygrad_hw.testing.jacobian import Problem
from tinygrad_hw.testing.mismatch import GradcheckError, Mismatch, knob, pattern

__all__ = ["Tolerance", "check_leaves", "compare", "random_numbers"]

RANDOM_ROWS = 3
MOST_KINKS = 50


@dataclasses.dataclass(frozen=True)
class Tolerance:
    """Those arguments of `gradcheck` that say how to compare, and what is allowed."""

    eps: float
    atol: float
    rtol: float
    nondet_tol: float
    check_undefined_grad: bool
    fast_mode: bool
    jacobian_limit: float
    seed: int

    def __post_init__(self):
        if not self.eps > 0:
            raise ValueError("eps is the step of the difference quotient and must be positive, got "
                             f"{self.eps}")
        if not (self.atol >= 0 and self.rtol >= 0 and self.nondet_tol >= 0):
            raise ValueError("atol, rtol and nondet_tol must be 0 or more, got "
                             f"{self.atol}, {self.rtol} and {self.nondet_tol}")


def random_numbers(rng, shape) -> np.ndarray:
    """Numbers between 0.5 and 1.5 with random signs: none is so small that it hides an error."""
    return np.asarray(rng.uniform(0.5, 1.5, shape) * rng.choice([-1.0, 1.0], shape))


def _addresses(array: np.ndarray) -> np.ndarray:
    """The address of every element."""
    start = array.__array_interface__["data"][0]
    return start + sum((np.arange(n).reshape(-1, *(1,) * (array.ndim - 1 - axis)) * step
                        for axis, (n, step) in enumerate(zip(array.shape, array.strides))), np.int64(0))


def _overlaps_itself(array: np.ndarray) -> bool:
    """Whether two elements share an address, as after `expand` or `unfold`."""
    return not array.flags.forc and np.unique(_addresses(array)).size < array.size


def _check_sharing(inputs) -> None:
    """Refuse different inputs that share memory: a step of one element would move two."""
    leaves = [(i, t) for i, t in enumerate(inputs) if isinstance(t, Tensor)]
    for (i, one), (j, other) in itertools.combinations(leaves, 2):
        if one is not other and (one.requires_grad or other.requires_grad) and np.may_share_memory(
                one.array, other.array) and np.intersect1d(_addresses(one.array),
                                                           _addresses(other.array)).size:
            raise RuntimeError(f"inputs {i} and {j} share memory, so an element of one cannot be moved "
                               "alone; call .clone() on one of them before passing it to gradcheck.")


def check_leaves(inputs) -> None:
    """Refuse inputs whose elements cannot be moved one by one; warn of low precision."""
    found = False
    for position, tensor in enumerate(inputs):
        if not isinstance(tensor, Tensor) or not tensor.requires_grad:
            continue
        found, array = True, tensor.array
        if array.dtype != np.float64:
            warnings.warn(f"Input #{position} requires gradient and is not a double precision floating "
                          f"point or complex, but {tensor.dtype}. This check will likely fail; call "
                          ".double() on it.", stacklevel=4)
        if _overlaps_itself(array):
            what = "a dimension with stride 0" if 0 in array.strides else "elements that share memory"
            raise RuntimeError(f"The {position}th input has {what}. gradcheck only "
                               "supports inputs that are non-overlapping to be able to compute the "
                               "numerical gradients correctly. You should call .contiguous on the input "
                               "before passing it to gradcheck.")
        if not array.flags.writeable:
            raise RuntimeError(f"The {position}th input is read-only memory, whose elements cannot be "
                               "moved; call .clone() on it before passing it to gradcheck.")
    if not found:
        raise ValueError("gradcheck expects at least one input tensor to require gradient, but none of "
                         "them have requires_grad=True.")
    _check_sharing(inputs)


def compare(func, inputs, names, order: int, check: Tolerance) -> None:
    """Compare the gradients of one function by every leaf; raise the worst mismatch."""
    check_leaves(inputs)
    before = [np.copy(t.array) if isinstance(t, Tensor) else None for t in inputs]
    problem = Problem(func, inputs, every_output=order > 1)
    for position, _ in problem.leaves:
        if not np.array_equal(before[position], inputs[position].array, equal_nan=True):
            raise GradcheckError(f"the function changed its input {position} (argument "
                                 f"'{names[position]}'); work on a copy (.clone())")
    rng = np.random.Generator(np.random.Philox(check.seed))
    cotangent = random_numbers(rng, problem.size)
    values, joint = _reproducible(problem, cotangent, names, check)
    full = problem.size * sum(t.array.size for _, t in problem.leaves) <= check.jacobian_limit
    if check.check_undefined_grad and len(problem.outputs) > 1 and (check.fast_mode or not full):
        _check_missing(problem, cotangent, joint, names, check)
    if check.fast_mode:
        tables = None
    elif full:
        rows, tables = None, _full(problem, cotangent, joint, names, check)
    else:
        rows = np.stack([cotangent, *(random_numbers(rng, problem.size) for _ in range(RANDOM_ROWS - 1))])
        others = [problem.backward(problem.outputs, problem.split(row)) for row in rows[1:]]
        tables = [np.stack([g.array.ravel() for g in column], axis=1) for column in zip(joint, *others)]
    _warn_of_blindness(problem, tables, names, order, check)
    met: list[tuple[str, kinks.Kink]] = []
    for number, (position, tensor) in enumerate(problem.leaves):
        leaf = _Leaf(problem, position, names[position], tensor, order, check, met)
        if check.fast_mode:
            leaf.compare_fast(cotangent, joint[number].array, rng)
        else:
            leaf.compare(tables[number], rows)
    difference = _spread(problem.values(), values)
    if not difference <= check.nondet_tol:
        raise GradcheckError("the function is not deterministic: at the same inputs it gives other values "
                             f"after some calls (by {difference:.3g}). Let it keep no state.")
    if met:
        kinks.warn(*met[0], len(met) - 1, stacklevel=4)


def _spread(one, two) -> float:
    """The largest difference of two arrays."""
    return float(np.max(np.abs(np.nan_to_num(one) - np.nan_to_num(two)), initial=0.0))


def _warn_of_blindness(problem: Problem, tables, names, order: int, check: Tolerance) -> None:
    """Say of which inputs the gradient is so small that the tolerance would hide any error."""
    for (position, _), table in zip(problem.leaves, tables or ()):
        largest = float(np.max(np.abs(table), initial=0.0))
        if order == 1 and 0 < largest < check.atol:
            warnings.warn(f"The gradient of input {position} (argument '{names[position]}') is nowhere "
                          f"larger than {largest:.3g}, and an error up to atol={check.atol:g} is allowed: "
                          "nothing is proved of it. Scale the function up, or lower atol.", stacklevel=4)


def _reproducible(problem: Problem, cotangent: np.ndarray, names, check: Tolerance):
    """The values, and the gradients along a cotangent, after two calls and two passes gave the same."""
    values = problem.values()
    difference = _spread(values, problem.values())
    if not difference <= check.nondet_tol:
        raise GradcheckError("the function is not deterministic: two equal calls differ by "
                             f"{difference:.3g}. Seed its random numbers inside the function (dropout: "
                             "call .eval()), or, if the spread is expected, raise nondet_tol.")
    received = cotangent.copy()
    first, second = (problem.backward(problem.outputs, problem.split(received)) for _ in range(2))
    if not np.array_equal(received, cotangent):
        raise GradcheckError("the backward changes the gradient it receives, which others may still need; "
                             "work on a copy (g.clone())")
    for (position, tensor), one, two in zip(problem.leaves, first, second):
        difference = _spread(one.array, two.array)
        if not difference <= check.nondet_tol:
            raise GradcheckError("Backward is not reentrant, i.e., it is not reproducible: two runs with "
                                 f"the same cotangent differ by {difference:.3g} in input {position} "
                                 f"(argument '{names[position]}'); if that is expected, raise nondet_tol.")
        if one.array.shape != tensor.array.shape or one.array.dtype != tensor.array.dtype:
            raise GradcheckError(f"the gradient of input {position} has shape {one.array.shape} and dtype "
                                 f"{one.dtype}, the input {tensor.array.shape} and {tensor.dtype}")
    return values, first


def _full(problem: Problem, cotangent: np.ndarray, joint, names, check: Tolerance) -> list[np.ndarray]:
    """The engine's Jacobian for each leaf, inputs down and outputs across, proved to be linear."""
    rows = [[g.array.ravel() for g in row] for row in problem.rows(alone=check.check_undefined_grad)]
    tables = [np.stack(column, axis=1) for column in zip(*rows)] if rows else [
        np.zeros((t.array.size, 0)) for _, t in problem.leaves]
    _check_linear(problem, joint, [
        (table @ cotangent, np.abs(table) @ np.abs(cotangent)) for table in tables
    ], "one output element", names, check)
    return tables


def _check_missing(problem: Problem, cotangent: np.ndarray, joint, names, check: Tolerance) -> None:
    """Passes in which all outputs but one receive no gradient, together give the pass with all of them."""
    parts = problem.split(cotangent)
    passes = [problem.backward([out], [part]) for out, part in zip(problem.outputs, parts)]
    _check_linear(problem, joint, [
        (sum(g.array for g in column), sum(np.abs(g.array) for g in column)) for column in zip(*passes)
    ], "one output", names, check)


def _check_linear(problem: Problem, joint, sums, what: str, names, check: Tolerance) -> None:
    """The gradients of each leaf along a cotangent against the sum of passes, given with its size."""
    for (position, tensor), along, (expected, size) in zip(problem.leaves, joint, sums):
        expected, size = expected.reshape(tensor.array.shape), size.reshape(tensor.array.shape)
        error = np.abs(along.array - expected)
        if np.isfinite(expected).all() and not (error <= check.atol + check.rtol * size).all():
            index = np.unravel_index(np.argmax(np.nan_to_num(error, nan=np.inf)), error.shape)
            raise GradcheckError(
                f"the backward is not linear in the gradient it receives: for a random cotangent the "
                f"gradient of input {position} (argument '{names[position]}') at index "
                f"{tuple(map(int, index))} is {along.array[index]:.10g}, the same combination of passes "
                f"with {what} each gives {expected[index]:.10g}. Look for a cotangent that is used twice "
                "or not at all, or for an output whose missing gradient is not taken for zero "
                "(check_undefined_grad)."
            )


class _Leaf:
    """The comparison for one leaf of a problem; kinks that it meets are added to ``met``."""

    def __init__(self, problem: Problem, position: int, name, tensor: Tensor, order: int, check: Tolerance,
                 met: list):
        self.problem, self.position, self.name, self.array = problem, position, name, tensor.array
        self.order, self.check, self.met = order, check, met

    def allowed(self, numeric):
        return self.check.atol + self.check.rtol * np.abs(numeric)

    def compare(self, analytic: np.ndarray, rows: np.ndarray | None) -> None:
        """Compare every entry of a Jacobian (elements down, rows across), the worst first."""
        numeric = self.problem.numeric(self.array, rows, self.check.eps)
        error = np.abs(analytic - numeric)
        wrong = ~(error <= self.allowed(numeric))
        if not wrong.any():
            return
        order = np.argsort(np.where(wrong, np.nan_to_num(error, nan=np.inf), -1.0), axis=None)[::-1]
        for element, row in zip(*np.unravel_index(order[:int(wrong.sum())], error.shape)):
            cotangent = np.eye(1, self.problem.size, row)[0] if rows is None else rows[row]
            output = self.problem.place(row) if rows is None else None
            hint = pattern(analytic, numeric, wrong)
            self.judge(int(element), cotangent, float(analytic[element, row]), output, wrong, hint)

    def judge(self, element: int, cotangent: np.ndarray, analytic: float, output, wrong: np.ndarray,
              hint: str | None) -> None:
        """Note the kink that explains a wrong entry, or raise the mismatch."""
        index = tuple(map(int, np.unravel_index(element, self.array.shape)))
        check, problem = self.check, self.problem
        kink = kinks.find_kink(problem, self.array, index, cotangent, analytic, check.eps, check.atol,
                               check.rtol)
        if kink is not None:
            self.met.append((f"index {index} of input {self.position} (argument '{self.name}', value "
                             f"{self.array[index]:.6g})", kink))
            return
        steps = {}
        for eps in (10 * check.eps, check.eps, check.eps / 10):
            right, left = (float(cotangent @ side) for side in problem.slopes(self.array, index, eps))
            steps[eps] = (right + left) / 2
            if eps == check.eps:
                sides = right, left
        numeric = steps[check.eps]
        advice = knob(steps, analytic, numeric, check.rtol, check.atol, self.array.dtype == np.float64)
        mismatch = Mismatch(
            self.order, self.position, self.name, index, float(self.array[index]), output, analytic,
            numeric, sides[1], sides[0], int(wrong.sum()), wrong.size,
            f"atol={check.atol:g} + rtol={check.rtol:g} * |numerical|",
            tuple(text for text in (hint, advice) if text),
        )
        raise GradcheckError(str(mismatch), mismatch)

    def compare_fast(self, cotangent: np.ndarray, analytic: np.ndarray, rng) -> None:
        """Compare along a random direction; on a mismatch find the element by halving."""
        if not self.array.size:
            return
        left_out = np.zeros(self.array.size, bool)
        direction = random_numbers(rng, self.array.shape)
        for _ in range(MOST_KINKS):
            direction.ravel()[left_out] = 0
            error, numeric = self.along(direction, cotangent, analytic)
            if error <= self.allowed(numeric):
                return
            element = self.halve(direction, cotangent, analytic)
            alone = np.zeros(self.array.shape)
            alone.ravel()[element] = 1.0
            error, numeric = self.along(alone, cotangent, analytic)
            if error <= self.allowed(numeric):
                self.judge_direction(direction, cotangent, analytic)
                return
            self.judge(element, cotangent, float(analytic.ravel()[element]), None,
                       np.array([True]), "Found by halving in fast_mode; other elements may be wrong too.")
            left_out[element] = True
        raise GradcheckError(f"input {self.position} (argument '{self.name}') lies on {MOST_KINKS} kinks or "
                             "more, which leaves nothing to compare; move the input")

    def judge_direction(self, direction: np.ndarray, cotangent: np.ndarray, analytic: np.ndarray) -> None:
        """Note the kink that a long step met (one of 100,000 relus may be close to 0), or raise."""
        check, slope = self.check, float(np.sum(analytic * direction))
        kink = kinks.find_kink(self.problem, self.array, ..., cotangent, slope, check.eps, check.atol,
                               check.rtol, direction)
        if kink is None:
            raise GradcheckError(
                f"Jacobian mismatch for input {self.position} (argument '{self.name}') along a random "
                "direction, although no single element differs by more than the tolerance; use "
                "fast_mode=False to see each element, or raise atol and rtol")
        self.met.append((f"a random direction of input {self.position} (argument '{self.name}')", kink))

    def along(self, direction: np.ndarray, cotangent: np.ndarray, analytic: np.ndarray):
        """Error and numeric value of the derivative along a direction."""
        right, left = self.problem.slopes(self.array, ..., self.check.eps, direction)
        numeric = float(cotangent @ (right + left)) / 2
        error = abs(float(np.sum(analytic * direction)) - numeric)
        return (np.inf if np.isnan(error) else error), numeric

    def halve(self, direction: np.ndarray, cotangent: np.ndarray, analytic: np.ndarray) -> int:
        """The element that a wrong directional derivative comes from."""
        candidates = np.flatnonzero(direction)
        while len(candidates) > 1:
            halves = np.array_split(candidates, 2)
            errors = []
            for half in halves:
                part = np.zeros_like(direction)
                part.ravel()[half] = direction.ravel()[half]
                errors.append(self.along(part, cotangent, analytic)[0])
            candidates = halves[int(errors[1] > errors[0])]
        return int(candidates[0])
