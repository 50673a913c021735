"""`Function`: the user's own op, with a forward and a backward written by hand."""

from __future__ import annotations

import functools
import weakref

import numpy as np

from ops.broadcasting import sum_to
from tinygrad_hw.autograd.mode import mode, no_grad
from tinygrad_hw.autograd.nodes import Node

__all__ = ["Function", "FunctionCtx", "once_differentiable"]


class FunctionCtx:
    """What `Function.forward` hands to `Function.backward`; any attribute may be set on it.

    Attributes:
        needs_input_grad: for each argument of ``apply``, whether it needs a gradient.
        saved_tensors: what `save_for_backward` kept.
    """

    _materialize = True
    _save: tuple = ()
    _dirty: tuple = ()
    _constant: tuple = ()
    _node = None

    def save_for_backward(self, *tensors) -> None:
        """Keep inputs or outputs (Tensors or None) for backward, checked against in-place changes."""
        for position, tensor in enumerate(tensors):
            if tensor is not None and not hasattr(tensor, "_version_counter"):
                raise TypeError(f"save_for_backward can only save variables, but argument {position} is "
                                f"of type {type(tensor).__name__}; set other values as attributes of "
                                "ctx")
        self._save = tensors

    def mark_dirty(self, *tensors) -> None:
        """Declare inputs that forward changed in place and returned."""
        self._dirty = tensors

    def mark_non_differentiable(self, *tensors) -> None:
        """Declare outputs that carry no gradient, such as indices."""
        self._constant = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Whether backward gets zeros (default) or None for outputs that received no gradient."""
        self._materialize = value

    @property
    def saved_tensors(self) -> tuple:
        """The Tensors that `save_for_backward` kept, with their history."""
        node = self._node and self._node()
        return self._save if node is None else node.unpack()


class _FunctionNode(Node):
    """The node of a `Function`.

    Attributes:
        function: the user's class.
        ctx: what its forward left; it refers to the node weakly.
        fits: for each argument that is a Tensor its position, shape and dtype, in the order of the
            edges.
        shapes: shape and dtype of each output, None for what is no Tensor.
        saved: for each saved Tensor its array, version counter, version and edge; the edge of an output
            of this very node is its index, which makes no reference cycle.
        kind: the class Tensor.
    """

    fresh = False  # the user's backward may return what it also keeps

    def name(self) -> str:
        """The class name with PyTorch's suffix."""
        return f"{self.function.__name__}Backward"

    def unpack(self) -> tuple:
        """The saved Tensors; an error after they were freed or changed in place."""
        if self.saved is None:
            raise self.freed()
        return tuple(one and self._tensor(*one) for one in self.saved)

    def _tensor(self, array, counter, version, edge):
        if counter[0] != version:
            raise self.stale("a saved tensor", array, counter, version)
        return self.kind._with_history(array, (self, edge) if type(edge) is int else edge, counter)

    def backward(self, gradients: list, create_graph: bool) -> list:
        """Call the user's backward; see `Node.backward`."""
        tensors = []
        for gradient, shape in zip(gradients, self.shapes, strict=True):
            if gradient is not None and not create_graph:
                gradient = self.kind._wrap(gradient)
            elif gradient is None and shape is not None and self.ctx._materialize:
                gradient = self.kind._wrap(np.zeros(*shape))
            tensors.append(gradient)
        results = self.function.backward(self.ctx, *tensors)
        results = results if isinstance(results, tuple) else (results,)
        self._check_count(results)
        fitted = [
            self._fit(position, results[position], shape, dtype) for position, shape, dtype in self.fits
        ]
        return (
            fitted
            if create_graph
            else [None if gradient is None else gradient.array for gradient in fitted]
        )

    def _check_count(self, results: tuple) -> None:
        """One gradient for each argument, further ones None."""
        count = len(self.ctx.needs_input_grad)
        if len(results) < count or any(extra is not None for extra in results[count:]):
            raise RuntimeError(f"function {self.name()} returned an incorrect number of gradients "
                               f"(expected {count}, got {len(results)}): return one for each argument "
                               "of forward, None for those that need none")
        tensors = {position for position, _, _ in self.fits}
        for position, gradient in enumerate(results):
            if gradient is not None and position not in tensors:
                raise RuntimeError(f"function {self.name()} returned a gradient different from None at "
                                   f"position {position + 1}, but the corresponding forward input was "
                                   "not a Variable")

    def _fit(self, position: int, gradient, shape: tuple, dtype):
        """The gradient of an argument, summed to its shape and in its dtype."""
        if gradient is None:
            return None
        if not isinstance(gradient, self.kind):
            raise TypeError(f"{self.name()} must return Tensors or None, got {type(gradient).__name__} "
                            f"for argument {position}")
        if gradient.array.shape != shape:
            try:
                gradient = sum_to(gradient, shape)
            except RuntimeError:
                raise RuntimeError(f"Function {self.name()} returned an invalid gradient at index "
                                   f"{position} - got {list(gradient.array.shape)} but expected shape "
                                   f"compatible with {list(shape)}") from None
        return gradient if gradient.array.dtype == dtype else gradient.to(dtype)

    def release(self, site: tuple) -> None:
        """Drop the saved Tensors."""
        if self.saved:
            self.saved, self.freed_at = None, site


class Function:
    """Base class of the user's own differentiable ops.

    Write ``forward(ctx, *args)`` (or ``forward(*args)`` with ``setup_context(ctx, inputs, output)``) and
    ``backward(ctx, *grad_outputs)`` as static methods and call ``apply``.  A backward written with
    Tensor operations can itself be differentiated.
    Source: https://docs.pytorch.org/docs/stable/autograd.html#torch.autograd.Function

    >>> import tinygrad_hw
    >>> class Cube(Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         ctx.save_for_backward(x)
    ...         return x ** 3
    ...     @staticmethod
    ...     def backward(ctx, grad_output):
    ...         (x,) = ctx.saved_tensors
    ...         return grad_output * 3 * x ** 2
    >>> x = tinygrad_hw.tensor(2.0, requires_grad=True)
    >>> Cube.apply(x).backward()
    >>> x.grad
    tensor(12.)
    """

    @staticmethod
    def forward(*args, **kwargs):
        """Compute the outputs; to be overridden."""
        raise NotImplementedError("You must implement the forward function for custom "
                                  "autograd.Function.")

    @staticmethod
    def setup_context(ctx, inputs: tuple, output) -> None:
        """Fill ``ctx`` when ``forward`` is written without it."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx, *grad_outputs):
        """Gradients of the inputs; to be overridden."""
        raise NotImplementedError("You must implement the backward function to use your custom "
                                  "autograd.Function.")

    def __call__(self, *args):
        """The call of PyTorch's first versions, refused as PyTorch refuses it."""
        raise RuntimeError("Legacy autograd function with non-static forward method is deprecated. Please "
                           "use new-style autograd function with static forward method: "
                           f"{type(self).__name__}.apply(...)")

    @classmethod
    def apply(cls, *args):
        """Run ``forward`` and record it.

        Raises:
            RuntimeError: if forward marks as dirty what it must not change or does not return.
        """
        from tinygrad_hw.tensor import Tensor

        ctx = FunctionCtx()
        ctx.needs_input_grad = tuple(isinstance(a, Tensor) and a.requires_grad for a in args)
        inputs = [(position, a) for position, a in enumerate(args) if isinstance(a, Tensor)]
        node = None
        if mode.recording and any(ctx.needs_input_grad):
            node = _FunctionNode([a._edge() for _, a in inputs])
            node.function, node.ctx, node.kind = cls, ctx, Tensor
            node.fits = [(position, a.array.shape, a.array.dtype) for position, a in inputs]
        split = cls.setup_context is not Function.setup_context
        with no_grad():
            outputs = cls.forward(*args) if split else cls.forward(ctx, *args)
            if split:
                cls.setup_context(ctx, args, outputs)
        several = outputs if isinstance(outputs, (tuple, list)) else (outputs,)
        if any(not _among(dirty, several) for dirty in ctx._dirty):
            raise RuntimeError("Some elements marked as dirty during the forward method were not "
                               "returned as output. The inputs that are modified inplace must all be "
                               "outputs of the Function.")
        if node is None:
            return outputs
        results = [
            cls._output(node, index, output, ctx, [a for _, a in inputs])
            for index, output in enumerate(several)
        ]
        node.outputs = len(several)
        node.shapes = [
            (o.array.shape, o.array.dtype) if isinstance(o, Tensor) else None for o in several
        ]
        node.saved = tuple(t if t is None else _keep(t, several, node, results) for t in ctx._save)
        ctx._node, ctx._save, ctx._dirty, ctx._constant = weakref.ref(node), (), (), ()
        return type(outputs)(results) if isinstance(outputs, (tuple, list)) else results[0]

    @staticmethod
    def _output(node: _FunctionNode, index: int, output, ctx: FunctionCtx, inputs: list):
        """The output with its new history; what carries no gradient is returned as it is."""
        if (
            not isinstance(output, node.kind)
            or not output.dtype.is_floating_point
            or _among(output, ctx._constant)
        ):
            return output
        if _among(output, ctx._dirty):
            output._check_inplace(True)
            output._bump()
            output._rebase((node, index))
            return output
        return node.kind._with_history(output.array, (node, index), output._version_counter)


def _among(tensor, tensors) -> bool:
    """Whether the very object is one of several."""
    return any(tensor is one for one in tensors)


def _keep(tensor, outputs, node: _FunctionNode, results) -> tuple:
    """What is kept of a Tensor; of an output, the history that it has just received."""
    edge = tensor._edge()
    for index, (output, result) in enumerate(zip(outputs, results)):
        if output is tensor and result._history is not None and result._history[0] is node:
            edge = index
    return tensor.array, tensor._version_counter, tensor._version_counter[0], edge


def once_differentiable(backward):
    """Decorator of a backward that is not written with differentiable operations.

    Differentiating it again raises an error in place of a wrong result.

    >>> once_differentiable(lambda ctx, g: g).__name__
    '<lambda>'
    """

    @functools.wraps(backward)
    def wrapped(ctx, *gradients):
        recorded = mode.recording and any(g is not None and g.requires_grad for g in gradients)
        with no_grad():
            results = backward(ctx, *gradients)
        if not recorded:
            return results
        several = results if isinstance(results, tuple) else (results,)
        refused = tuple(r if r is None else _Refuse.apply(r.detach().requires_grad_()) for r in several)
        return refused if isinstance(results, tuple) else refused[0]

    return wrapped


class _Refuse(Function):
    """Identity whose gradient is an error."""

    @staticmethod
    def forward(ctx, value):
        return value.clone()

    @staticmethod
    def backward(ctx, g):
        raise RuntimeError("trying to differentiate twice a function that was marked with "
                           "@once_differentiable")
