"""L-BFGS: a quasi-Newton method for smooth full-batch problems, with an optional line search."""

from __future__ import annotations

import numpy as np

from tinygrad_hw.autograd.mode import enable_grad
from tinygrad_hw.optim.line_search import strong_wolfe
from tinygrad_hw.optim.optimizer import Optimizer
from tinygrad_hw.tensor import Tensor
from tinygrad_hw.waiting import compute_waiting

__all__ = ["LBFGS"]


class LBFGS(Optimizer):
    """Limited-memory BFGS: Newton's direction from the last changes of parameters and gradients.

    All parameters form one vector; one `step` makes up to ``max_iter`` iterations and calls the closure
    at least once for each.

    Args:
        params: Tensors; a single group.
        lr: step length along the direction.
        max_iter: iterations in a step.
        max_eval: evaluations of the closure in a step; default ``max_iter * 5 // 4``.
        tolerance_grad: stop when no gradient is larger.
        tolerance_change: stop when the loss or every parameter changes less.
        history_size: how many changes are remembered.
        line_search_fn: ``"strong_wolfe"`` or None for steps of fixed length.

    Raises:
        ValueError: for more than one parameter group.
        RuntimeError: for another ``line_search_fn``, when `step` uses it.

    Source: Nocedal and Wright, Numerical Optimization, 2006, algorithms 7.4 and 7.5.

    >>> from tinygrad_hw import tensor
    >>> p = tensor([4.0, -3.0], requires_grad=True)
    >>> optimizer = LBFGS([p], line_search_fn="strong_wolfe")
    >>> def closure():
    ...     optimizer.zero_grad()
    ...     loss = ((p - 1) * (p - 1)).sum()
    ...     loss.backward()
    ...     return loss
    >>> optimizer.step(closure)
    tensor(25., grad_fn=<SumBackward0>)
    >>> p
    tensor([1.0000, 1.0000], requires_grad=True)
    """

    def __init__(self, params, lr=1, max_iter=20, max_eval=None, tolerance_grad=1e-7,
                 tolerance_change=1e-9, history_size=100, line_search_fn=None):
        self._check(lr=(lr, 0, None))
        if max_eval is None:
            max_eval = max_iter * 5 // 4
        super().__init__(params, dict(lr=lr, max_iter=max_iter, max_eval=max_eval,
                                      tolerance_grad=tolerance_grad, tolerance_change=tolerance_change,
                                      history_size=history_size, line_search_fn=line_search_fn))
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups), but got "
                             f"{len(self.param_groups)} groups; give all Tensors in one list")

    def step(self, closure):
        """Make up to ``max_iter`` iterations.

        Args:
            closure: clears the gradients, computes the loss, calls backward and returns the loss.

        Returns:
            The loss before the step.
        """
        (group,) = self.param_groups
        lr, tolerance_change = float(group["lr"]), group["tolerance_change"]
        if group["line_search_fn"] not in (None, "strong_wolfe"):
            raise RuntimeError("only 'strong_wolfe' is supported, but got line_search_fn="
                               f"{group['line_search_fn']!r}")
        state = self.state[group["params"][0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        with enable_grad():
            first_loss = closure()
        state["func_evals"] += 1
        loss, gradient, evaluations = float(first_loss), self._gradient(), 1
        if np.abs(gradient).max() <= group["tolerance_grad"]:
            return first_loss

        for iteration in range(1, group["max_iter"] + 1):
            state["n_iter"] += 1
            if state["n_iter"] == 1:
                direction = -gradient
                state.update(old_dirs=[], old_stps=[], ro=[], H_diag=1)
                length = min(1.0, 1.0 / float(np.abs(gradient).sum())) * lr
            else:
                self._remember(state, gradient - state["prev_flat_grad"].array, group["history_size"])
                direction = _newton_direction(state, gradient)
                length = lr
            state["d"], state["prev_flat_grad"] = Tensor._wrap(direction), Tensor._wrap(gradient.copy())
            previous_loss = state["prev_loss"] = loss
            slope = float(gradient @ direction)
            state["t"] = length
            if slope > -tolerance_change:
                break
            start, used = self._values(), 0
            if group["line_search_fn"] is not None:
                loss, gradient, length, used = strong_wolfe(
                    lambda t: self._evaluate(closure, start, t, direction), length, direction, loss,
                    gradient, slope, max_evaluations=group["max_eval"] - evaluations)
                self._move(start, length, direction)
            elif iteration < group["max_iter"]:
                loss, gradient = self._evaluate(closure, start, length, direction)
                used = 1
            else:
                self._move(start, length, direction)
            state["t"] = length
            evaluations += used
            state["func_evals"] += used
            if (evaluations >= group["max_eval"] or np.abs(gradient).max() <= group["tolerance_grad"]
                    or np.abs(length * direction).max() <= tolerance_change
                    or abs(loss - previous_loss) < tolerance_change):
                break
        return first_loss

    @staticmethod
    def _remember(state: dict, change: np.ndarray, history_size: int) -> None:
        """Add the last change of the gradient and the step that made it, if they agree in direction."""
        step = state["d"].array * state["t"]
        curvature = float(change @ step)
        if curvature <= 1e-10:
            return
        for name, value in (("old_dirs", Tensor._wrap(change)), ("old_stps", Tensor._wrap(step)),
                            ("ro", 1.0 / curvature)):
            state[name] = [*state[name], value][-history_size:]
        state["H_diag"] = curvature / float(change @ change)

    # ------------------------------------------------------------------ all parameters as one vector

    def _gradient(self) -> np.ndarray:
        return np.concatenate([(np.zeros_like(p.array) if p._grad is None else p._grad.array).ravel()
                               for p in self.param_groups[0]["params"]])

    def _values(self) -> list[np.ndarray]:
        return [p.array.copy() for p in self.param_groups[0]["params"]]

    def _move(self, start: list, length: float, direction: np.ndarray) -> None:
        """Set the parameters to ``start + length * direction``."""
        offset = 0
        compute_waiting(*self.param_groups[0]["params"])
        for parameter, values in zip(self.param_groups[0]["params"], start):
            part = direction[offset:offset + values.size].reshape(values.shape)
            parameter.array[...] = values + length * part
            parameter._bump("optimizer.step()")
            offset += values.size

    def _evaluate(self, closure, start: list, length: float, direction: np.ndarray) -> tuple:
        """Loss and gradient at ``start + length * direction``; the parameters stay there."""
        self._move(start, length, direction)
        with enable_grad():
            loss = float(closure())
        return loss, self._gradient()


def _newton_direction(state: dict, gradient: np.ndarray) -> np.ndarray:
    """Approximation of ``-inverse(Hessian) @ gradient`` by the two-loop recursion."""
    history = [(change.array, step.array, scale)
               for change, step, scale in zip(state["old_dirs"], state["old_stps"], state["ro"])]
    direction = -gradient
    weights = []
    for change, step, scale in reversed(history):
        weights.append(scale * float(step @ direction))
        direction -= weights[-1] * change
    direction *= state["H_diag"]
    for change, step, scale in history:
        direction += (weights.pop() - scale * float(change @ direction)) * step
    return direction
