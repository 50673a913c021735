"""One call of an op under test: its arguments as arrays, and the ways in which they are varied."""

from __future__ import annotations

import inspect

import numpy as np

from ops.core import Case, Composite, Op
from tinygrad_hw.autograd.api import grad
from tinygrad_hw.autograd.function import Function
from tinygrad_hw.dtypes import dtype
from tinygrad_hw.tensor import Tensor
from tinygrad_hw.testing.jacobian import floating_outputs

__all__ = ["LAYOUTS", "Trial", "callable_of", "first_output"]


def callable_of(function):
    """What is called to apply an op: ``apply`` of a `Function` class, anything else itself."""
    if inspect.isclass(function) and issubclass(function, Function):
        return function.apply
    return function


def first_output(function, result):
    """The part of a result that carries gradients: of a table's op with several outputs the first."""
    return result[0] if isinstance(function, Op) and function.outputs else result


def differentiable_names(function) -> set[str] | None:
    """The arguments that an op of the table has gradients for; None if the function does not say."""
    if isinstance(function, Composite):
        return set(function.differentiable)
    return set(function.rules) if isinstance(function, Op) else None


def _is_dtype(value) -> bool:
    return isinstance(value, (dtype, np.dtype)) or inspect.isclass(value) and issubclass(value, np.generic)


class _Leaf:
    """Stands for an array in the arguments."""

    def __init__(self, number: int):
        self.number = number


class Trial:
    """One call of an op.

    Attributes:
        arrays: every array and Tensor among the arguments, floating ones in float64.
        wanted: the numbers of those that gradients are checked for.
        names: what to call each of them in a report.
        states_dtype: whether an argument is a dtype, which then decides that of the result.
    """

    def __init__(self, function, case: Case):
        self.function = function
        self.arrays: list[np.ndarray] = []
        self.names: list[str] = []
        self._requiring: list[int] = []
        self._differentiable: list[int] = []
        known = differentiable_names(function)
        args, kwargs = [], {}
        for position, value in enumerate(case.args):
            name = self._parameter(position)
            args.append(self._strip(value, name, known))
        for name, value in case.kwargs.items():
            kwargs[name] = self._strip(value, name, known)
        self._args, self._kwargs = args, kwargs
        self.wanted = self._requiring or self._differentiable
        self.states_dtype = any(_is_dtype(value) for value in [*args, *kwargs.values()])

    def _parameter(self, position: int) -> str:
        """The name of a positional argument."""
        target = self.function
        names: list[str] = []
        if inspect.isclass(target) and issubclass(target, Function):
            skip = target.setup_context is Function.setup_context  # then it is forward(ctx, ...)
            target, position = target.forward, position + skip
        try:
            parameters = list(inspect.signature(target).parameters.values())
        except (TypeError, ValueError):
            return f"argument {position}"
        for parameter in parameters:
            if parameter.kind is parameter.VAR_POSITIONAL:
                return parameter.name
            names.append(parameter.name)
        return names[position] if position < len(names) else f"argument {position}"

    def _strip(self, value, name: str, known: set[str] | None):
        """The argument with a `_Leaf` in place of each array."""
        if isinstance(value, (Tensor, np.ndarray, np.floating)):
            array = np.asarray(value.array if isinstance(value, Tensor) else value)
            floating = array.dtype.kind == "f"
            number = len(self.arrays)
            self.arrays.append(np.array(array, np.float64 if floating else array.dtype, order="C"))
            self.names.append(name)
            if floating and (known is None or name in known):
                self._differentiable.append(number)
                if isinstance(value, Tensor) and value.requires_grad:
                    self._requiring.append(number)
            return _Leaf(number)
        if type(value) in (tuple, list):
            return type(value)(self._strip(item, f"{name}[{i}]" if known is None else name, known)
                               for i, item in enumerate(value))
        return value

    def _fill(self, value, leaves):
        if isinstance(value, _Leaf):
            return leaves[value.number]
        if type(value) in (tuple, list):
            return type(value)(self._fill(item, leaves) for item in value)
        return value

    def call(self, leaves, function=None):
        """The op (or another function) applied with these arrays or Tensors in the arguments' places."""
        target = callable_of(self.function) if function is None else function
        args = [self._fill(value, leaves) for value in self._args]
        return target(*args, **{key: self._fill(value, leaves) for key, value in self._kwargs.items()})

    def tensors(self, arrays=None, requiring=None) -> list[Tensor]:
        """Arrays as Tensors that share their memory; those of ``requiring`` require a gradient.

        By default they are copies of the trial's own, which no op may change.
        """
        requiring = self.wanted if requiring is None else requiring
        arrays = [array.copy() for array in self.arrays] if arrays is None else arrays
        leaves = [Tensor._wrap(array) for array in arrays]
        for number in requiring:
            leaves[number].requires_grad_()
        return leaves

    def as_function(self):
        """The op as a function of the wanted Tensors alone, with the part of its result that counts."""

        def function(*wanted):
            leaves = self.tensors(requiring=())
            for number, tensor in zip(self.wanted, wanted):
                leaves[number] = tensor
            return first_output(self.function, self.call(leaves))

        function.__signature__ = inspect.Signature([
            inspect.Parameter(name, inspect.Parameter.POSITIONAL_ONLY)
            for name in _distinct([self.names[number] for number in self.wanted])
        ])
        return function

    def copies(self) -> list[Tensor]:
        """The wanted Tensors, each a copy that requires a gradient."""
        return [Tensor._wrap(self.arrays[number].copy()).requires_grad_() for number in self.wanted]

    def run(self, arrays=None, seed: int = 0) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """All outputs, and the gradients of the wanted arrays along a random cotangent."""
        leaves = self.tensors(arrays)
        result = self.call(leaves)
        outputs = [np.asarray(out.array if isinstance(out, Tensor) else out)
                   for out in (result if isinstance(result, (tuple, list)) else (result,))]
        rng = np.random.Generator(np.random.Philox(seed))
        pairs = []
        for output in floating_outputs(first_output(self.function, result)):
            cotangent = np.asarray(rng.uniform(0.5, 1.5, output.array.shape))
            if output.requires_grad:
                pairs.append((output, Tensor._wrap(cotangent.astype(output.array.dtype))))
        gradients = []
        if pairs:
            wanted = [leaves[number] for number in self.wanted]
            found = grad([out for out, _ in pairs], wanted, [v for _, v in pairs], allow_unused=True,
                         materialize_grads=True)
            gradients = [gradient.array for gradient in found]
        return outputs, gradients


def _distinct(names: list[str]) -> list[str]:
    """Valid, different parameter names that resemble the given ones."""
    result: list[str] = []
    for position, name in enumerate(names):
        clean = "".join(c if c.isalnum() or c == "_" else "_" for c in name).strip("_") or "input"
        clean = clean if clean.isidentifier() else f"input_{clean}"
        result.append(clean if clean not in result else f"{clean}_{position}")
    return result


# ------------------------------------------------------------------ the same values in other memory


def _fortran(array):
    return np.array(array, order="F")


def _strided(array):
    wide = np.zeros(tuple(2 * n for n in array.shape), array.dtype)
    view = wide[(..., *(slice(None, None, 2) for _ in array.shape))]
    view[...] = array
    return view


def _reversed(array):
    return np.array(np.flip(array))[(..., *(slice(None, None, -1) for _ in array.shape))]


def _expanded(array):
    if array.ndim == 0 or array.dtype.kind != "f":  # indices must stay what they are
        return array
    return np.broadcast_to(array[..., :1], array.shape)


LAYOUTS = {"transposed": _fortran, "non-contiguous": _strided, "negative strides": _reversed,
           "stride 0": _expanded}
"""Functions that lay an array out differently; under stride 0 its last axis repeats one value."""
