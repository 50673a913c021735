"""Gradients against central differences, of first and second order, along random cotangents.

For a function ``f`` and a random cotangent ``v`` the engine's gradient of ``<v, f(x)>`` is compared,
element by element, with ``(<v, f(x + eps e)> - <v, f(x - eps e)>) / (2 eps)``.  A cotangent of ones
would be blind: it cannot see an error in softmax or in a normalisation, whose outputs have a constant
sum.
"""

from __future__ import annotations

import numpy as np

from tinygrad_hw.autograd.api import grad
from tinygrad_hw.tensor import Tensor

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]


class GradcheckError(RuntimeError):
    """An analytic gradient does not agree with the numerical one."""


def _outputs(function, inputs) -> list[Tensor]:
    """The floating outputs of a call."""
    result = function(*inputs)
    several = result if isinstance(result, (tuple, list)) else (result,)
    return [out for out in several if isinstance(out, Tensor) and out.array.dtype.kind == "f"]


def _differentiable(inputs) -> list[tuple[int, Tensor]]:
    found = [(i, t) for i, t in enumerate(inputs) if isinstance(t, Tensor) and t.requires_grad]
    if not found:
        raise ValueError("gradcheck expects at least one input tensor to require gradient; call "
                         "requires_grad_()")
    for i, tensor in found:
        if tensor.array.dtype != np.float64:
            raise ValueError(f"input {i} is {tensor.dtype}; central differences need float64: call "
                             ".double()")
    return found


def gradcheck(func, inputs, *, eps: float = 1e-6, atol: float = 1e-5, rtol: float = 1e-3,
              raise_exception: bool = True, nondet_tol: float = 0.0, seed: int = 0) -> bool:
    """Compare the engine's gradient with central differences for every input that requires a gradient.

    Args:
        func: takes the inputs, returns a Tensor or several.
        inputs: Tensor or sequence; those that require a gradient must be float64.
        eps: step of the difference quotient.
        atol, rtol: tolerances, as ``|analytic - numeric| <= atol + rtol * |numeric|``.
        raise_exception: raise `GradcheckError`; otherwise return False.
        nondet_tol: how much two backward passes may differ.
        seed: of the private generator that draws the cotangents.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.autograd.gradcheck.gradcheck.html

    >>> import tinygrad_hw
    >>> x = tinygrad_hw.tensor([0.5, 2.0], dtype=tinygrad_hw.float64, requires_grad=True)
    >>> gradcheck(lambda x: x * x, x)
    True
    """
    inputs = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    try:
        _compare(func, inputs, eps, atol, rtol, nondet_tol, seed)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def _compare(func, inputs, eps, atol, rtol, nondet_tol, seed) -> None:
    found = _differentiable(inputs)
    rng = np.random.Generator(np.random.Philox(seed))
    outputs = _outputs(func, inputs)
    cotangents = [
        rng.uniform(0.5, 1.5, out.array.shape) * rng.choice([-1.0, 1.0], out.array.shape)
        for out in outputs
    ]
    wanted = [(out, v) for out, v in zip(outputs, cotangents) if out.requires_grad]
    if wanted:
        arguments = (
            [out for out, _ in wanted],
            [t for _, t in found],
            [Tensor._wrap(v) for _, v in wanted],
        )
        analytic = grad(*arguments, retain_graph=True, allow_unused=True, materialize_grads=True)
        again = grad(*arguments, allow_unused=True, materialize_grads=True)
    else:
        analytic = again = [Tensor._wrap(np.zeros(t.array.shape)) for _, t in found]

    def projected() -> float:
        return sum(float(np.sum(v * out.array)) for v, out in zip(cotangents, _outputs(func, inputs)))

    for (position, tensor), first, second in zip(found, analytic, again):
        spread = np.max(np.abs(np.nan_to_num(first.array) - np.nan_to_num(second.array)), initial=0.0)
        if not spread <= nondet_tol:
            raise GradcheckError(f"the backward pass is not reproducible: two runs differ by {spread} "
                                 f"in input {position}; if that is expected, raise nondet_tol")
        if first.array.shape != tensor.array.shape or first.array.dtype != tensor.array.dtype:
            raise GradcheckError(f"the gradient of input {position} has shape {first.array.shape} and "
                                 f"dtype {first.array.dtype}, the input {tensor.array.shape} and "
                                 f"{tensor.array.dtype}")
        right, left = _differences(tensor.array, projected, eps)
        numeric = (right + left) / 2
        error = np.abs(first.array - numeric)
        allowed = atol + rtol * np.abs(numeric)
        wrong = ~(error <= allowed)
        if wrong.any():
            worst = np.argmax(np.where(wrong, np.nan_to_num(error, nan=np.inf), -1))
            index = np.unravel_index(worst, error.shape)
            kink = not abs(right[index] - left[index]) <= max(allowed[index], error[index] / 2)
            advice = (
                f"The slopes to the right and to the left differ, {right[index]:.6g} and "
                f"{left[index]:.6g}: the function has a kink or a jump there; move the input."
                if kink
                else "If the function is steep there, change eps, atol or rtol."
            )
            raise GradcheckError(
                f"Jacobian mismatch for input {position} at index {tuple(map(int, index))}: analytic "
                f"{first.array[index]:.6g}, numerical {numeric[index]:.6g} (input value "
                f"{tensor.array[index]:.6g}); {int(wrong.sum())} of {wrong.size} elements differ. "
                f"{advice}"
            )


def _differences(array: np.ndarray, evaluate, eps: float) -> tuple[np.ndarray, np.ndarray]:
    """Slopes of ``evaluate()`` to the right and to the left of each element of ``array``."""
    right, left = np.empty(array.shape), np.empty(array.shape)
    middle = evaluate()
    for index in np.ndindex(array.shape):
        kept = array[index]
        array[index] = kept + eps
        right[index] = (evaluate() - middle) / eps
        array[index] = kept - eps
        left[index] = (middle - evaluate()) / eps
        array[index] = kept
    return right, left


def gradgradcheck(
    func,
    inputs,
    grad_outputs=None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    seed: int = 0,
) -> bool:
    """`gradcheck` of the gradient function: second order in the inputs and in the cotangents.

    Args:
        grad_outputs: cotangents; random ones by default.  The other arguments are those of `gradcheck`.

    >>> import tinygrad_hw
    >>> x = tinygrad_hw.tensor([0.5, 2.0], dtype=tinygrad_hw.float64, requires_grad=True)
    >>> gradgradcheck(lambda x: x * x * x, x)
    True
    """
    inputs = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    found = _differentiable(inputs)
    rng = np.random.Generator(np.random.Philox(seed + 1))
    outputs = [out for out in _outputs(func, inputs) if out.requires_grad]
    if not outputs:
        return True
    if grad_outputs is None:
        cotangents = [
            Tensor._wrap(rng.uniform(0.5, 1.5, out.array.shape)).requires_grad_() for out in outputs
        ]
    else:
        cotangents = [grad_outputs] if isinstance(grad_outputs, Tensor) else list(grad_outputs)
    positions = [i for i, _ in found]

    def gradient(*arguments):
        values = list(arguments[:len(inputs)])
        outs = [out for out in _outputs(func, values) if out.requires_grad]
        return grad(outs, [values[i] for i in positions], arguments[len(inputs):], create_graph=True,
                    allow_unused=True, materialize_grads=True)

    return gradcheck(gradient, (*inputs, *cotangents), eps=eps, atol=atol, rtol=rtol,
                     raise_exception=raise_exception, nondet_tol=nondet_tol, seed=seed)
