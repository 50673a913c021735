"""Jacobians two ways: from the engine's backward passes, and from difference quotients.

A function of several tensors is looked at as one vector function: the elements of all its floating
outputs, one after the other, depending on the elements of its inputs.
"""

from __future__ import annotations

import inspect

import numpy as np

from tinygrad_hw.autograd.api import grad
from tinygrad_hw.autograd.function import Function
from tinygrad_hw.tensor import Tensor

__all__ = ["Problem", "argument_names", "numerical_gradient", "relative_error"]


def as_tuple(value) -> tuple:
    """One Tensor or a sequence of arguments as a tuple."""
    return (value,) if isinstance(value, Tensor) or not isinstance(value, (tuple, list)) else tuple(value)


def floating_outputs(result) -> list[Tensor]:
    """The floating Tensors among what a function returned; what is no Tensor is refused."""
    several = result if isinstance(result, (tuple, list)) else (result,)
    for number, out in enumerate(several):
        if not isinstance(out, Tensor):
            raise TypeError(f"output {number} of the function is {type(out).__name__}, not Tensor; return a "
                            "Tensor, or a tuple of them, computed from the inputs")
    return [out for out in several if out.array.dtype.kind == "f"]


def _change(after: np.ndarray, before: np.ndarray) -> np.ndarray:
    """The difference of outputs; an infinite one that stays the same has not changed."""
    with np.errstate(invalid="ignore"):
        return np.where(after == before, 0.0, after - before)


def argument_names(function, count: int) -> list[str | None]:
    """Names of the first ``count`` positional arguments of a function, None where it has none to tell.

    For ``Function.apply`` they are those of its forward.

    >>> argument_names(lambda weight, bias: weight, 3)
    ['weight', 'bias', None]
    """
    owner = getattr(function, "__self__", None)
    skip = 0
    if inspect.isclass(owner) and function.__name__ == "apply":
        skip = int(owner.setup_context is Function.setup_context)  # then it is forward(ctx, ...)
        function = owner.forward
    try:
        parameters = list(inspect.signature(function).parameters.values())[skip:]
    except (TypeError, ValueError):
        parameters = []
    names: list[str | None] = []
    for parameter in parameters:
        if parameter.kind is parameter.VAR_POSITIONAL:
            names += [f"{parameter.name}[{i}]" for i in range(count - len(names))]
        elif parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            names.append(parameter.name)
    return (names + [None] * count)[:count]


class Problem:
    """A function at a point, as a vector function whose Jacobian can be computed both ways.

    Args:
        function: takes the inputs, returns a Tensor or several.
        inputs: its positional arguments.
        every_output: also look at floating outputs that require no gradient (they must not depend on
            the inputs); by default only if no output requires one, as in PyTorch.

    Attributes:
        leaves: ``(position, Tensor)`` of each input that requires a gradient.
        outputs: the floating outputs at the point.
        size: the number of elements of all outputs together.
    """

    def __init__(self, function, inputs, every_output: bool = False):
        self.function, self.inputs = function, as_tuple(inputs)
        self.leaves = [(i, t) for i, t in enumerate(self.inputs)
                       if isinstance(t, Tensor) and t.requires_grad]
        outputs = floating_outputs(function(*self.inputs))
        wanted = [out.requires_grad for out in outputs]
        self.chosen = [i for i, needs in enumerate(wanted) if needs or every_output or not any(wanted)]
        self.outputs = [outputs[i] for i in self.chosen]
        self.size = sum(out.array.size for out in self.outputs)

    def values(self) -> np.ndarray:
        """The elements of all outputs at the inputs' present values, as one float64 vector."""
        outputs = floating_outputs(self.function(*self.inputs))
        parts = [np.asarray(outputs[i].array, np.float64).ravel() for i in self.chosen]
        return np.concatenate(parts) if parts else np.zeros(0)

    def moved(self, array: np.ndarray, index, step) -> np.ndarray:
        """`values` with ``array[index]`` moved by ``step`` (and put back afterwards)."""
        kept = array[index].copy() if isinstance(array[index], np.ndarray) else array[index]
        try:
            array[index] = kept + step
            return self.values()
        finally:
            array[index] = kept

    def slopes(self, array: np.ndarray, index, eps: float, direction=1.0):
        """Slopes of all outputs to the right and to the left of ``array[index]``."""
        middle = self.values()
        right = _change(self.moved(array, index, eps * direction), middle) / eps
        left = _change(middle, self.moved(array, index, -eps * direction)) / eps
        return right, left

    def numeric(self, array: np.ndarray, rows: np.ndarray | None, eps: float) -> np.ndarray:
        """Central differences: one row for each element of ``array``, one column for each output element.

        Args:
            rows: cotangents (K, `size`); the columns are then the outputs projected on them.
        """
        table = np.empty((array.size, self.size if rows is None else len(rows)))
        for number, index in enumerate(np.ndindex(array.shape)):
            change = _change(self.moved(array, index, eps), self.moved(array, index, -eps))
            table[number] = (change if rows is None else rows @ change) / (2 * eps)
        return table

    def split(self, vector: np.ndarray) -> list[Tensor]:
        """A vector of `size` elements as one cotangent for each output."""
        ends = np.cumsum([out.array.size for out in self.outputs])[:-1]
        return [
            Tensor._wrap(np.asarray(part.reshape(out.array.shape), out.array.dtype))
            for part, out in zip(np.split(vector, ends), self.outputs)
        ]

    def backward(self, outputs, cotangents) -> list[Tensor]:
        """The engine's gradients of ``<cotangents, outputs>``; zeros where no path leads."""
        pairs = [(out, v) for out, v in zip(outputs, cotangents) if out.requires_grad]
        tensors = [t for _, t in self.leaves]
        if not pairs:
            return [Tensor._wrap(np.zeros(t.array.shape, t.array.dtype)) for t in tensors]
        return list(grad([out for out, _ in pairs], tensors, [v for _, v in pairs], retain_graph=True,
                         allow_unused=True, materialize_grads=True))

    def rows(self, alone: bool = True):
        """The gradients of every single output element in turn.

        Args:
            alone: the other outputs get no gradient at all; otherwise they get zeros.
        """
        for number, output in enumerate(self.outputs):
            for index in np.ndindex(output.array.shape):
                one = np.zeros(output.array.shape, output.array.dtype)
                one[index] = 1
                cotangents = [Tensor._wrap(np.zeros_like(out.array)) for out in self.outputs]
                cotangents[number] = Tensor._wrap(one)
                chosen = slice(number, number + 1) if alone else slice(None)
                yield self.backward(self.outputs[chosen], cotangents[chosen])

    def place(self, element: int) -> tuple[int, tuple[int, ...]]:
        """The output that an element of the vector belongs to, and its index there."""
        for number, output in enumerate(self.outputs):
            if element < output.array.size:
                return number, tuple(map(int, np.unravel_index(element, output.array.shape)))
            element -= output.array.size
        raise IndexError(f"the outputs have {self.size} elements")


def numerical_gradient(function, inputs, grad_outputs=None, *, eps: float = 1e-3) -> tuple[Tensor, ...]:
    """Gradients by five-point difference quotients: accurate to about 1e-12 where the function is smooth.

    The quotient ``(8 (f(x+h) - f(x-h)) - (f(x+2h) - f(x-2h))) / 12h`` has an error of order h^4, so the
    step may be large and little is lost to rounding.

    Args:
        function: takes the inputs, returns a Tensor or several.
        inputs: Tensor or sequence; a gradient is returned for each that requires one.
        grad_outputs: cotangent of each output; ones by default.
        eps: the step h; no kink may lie within 2h.

    Source: Abramowitz and Stegun, Handbook of Mathematical Functions, 25.3.6.

    >>> import tinygrad_hw
    >>> x = tinygrad_hw.tensor([0.0, 1.0], dtype=tinygrad_hw.float64, requires_grad=True)
    >>> numerical_gradient(lambda x: x.exp().sum(), x)
    (tensor([1.0000, 2.7183], dtype=tinygrad_hw.float64),)
    """
    problem = Problem(function, inputs)
    if not problem.leaves:
        raise ValueError("numerical_gradient expects at least one input tensor to require gradient, but "
                         "none of them have requires_grad=True.")
    cotangent = np.ones(problem.size)
    if grad_outputs is not None:
        cotangent = np.concatenate([np.ravel(v.array) for v in as_tuple(grad_outputs)])
    gradients = []
    for _, tensor in problem.leaves:
        array, result = tensor.array, np.empty(tensor.array.shape)
        for index in np.ndindex(array.shape):
            near, far = (
                problem.moved(array, index, h) - problem.moved(array, index, -h) for h in (eps, 2 * eps)
            )
            result[index] = cotangent @ (8 * near - far) / (12 * eps)
        gradients.append(Tensor._wrap(result))
    return tuple(gradients)


def relative_error(actual, expected, floor: float = 1e-8) -> float:
    """The greatest ``|actual - expected| / max(floor, |actual| + |expected|)`` over all elements.

    The measure that backpropagation assignments ask for.
    Source: https://cs231n.github.io/neural-networks-3/#gradcheck

    >>> relative_error(np.array([1.0, 3.0]), np.array([1.0, 1.0]))
    0.5
    """
    actual = np.asarray(getattr(actual, "array", actual), np.float64)
    expected = np.asarray(getattr(expected, "array", expected), np.float64)
    if actual.shape != expected.shape:
        raise ValueError(f"relative_error compares equal shapes, got {actual.shape} and {expected.shape}")
    error = np.abs(actual - expected) / np.maximum(floor, np.abs(actual) + np.abs(expected))
    return float(np.max(error, initial=0.0))
