"""`backward` and `grad`: the two ways to ask for gradients."""

from __future__ import annotations

import numpy as np

from tinygrad_hw.autograd import engine
from tinygrad_hw.tensor import Tensor

__all__ = ["backward", "grad"]


def _sequence(value) -> list:
    return [value] if isinstance(value, Tensor) or value is None else list(value)


def _roots(outputs: list, cotangents: list, create_graph: bool) -> list:
    """``(edge, gradient)`` of each output, the cotangents checked."""
    if len(cotangents) != len(outputs):
        raise RuntimeError(f"got {len(outputs)} tensors and {len(cotangents)} gradients")
    roots = []
    for position, (output, cotangent) in enumerate(zip(outputs, cotangents)):
        edge = output._edge()
        if edge is None:
            raise RuntimeError(f"element {position} of tensors does not require grad and does not have "
                               "a grad_fn: no tensor it was computed from has requires_grad=True (or it "
                               "was computed under no_grad)")
        if cotangent is None:
            if output.array.size != 1:
                raise RuntimeError("grad can be implicitly created only for scalar outputs, got shape "
                                   f"{tuple(output.shape)}; reduce it first (.sum() or .mean()) or pass "
                                   "gradient=")
            ones = np.empty(output.array.shape, output.array.dtype)
            ones.fill(1)
            roots.append((edge, Tensor._wrap(ones) if create_graph else ones))
            continue
        if not isinstance(cotangent, Tensor):
            raise TypeError("gradients can be either Tensors or None, but got "
                            f"{type(cotangent).__name__}")
        if cotangent.shape != output.shape:
            raise RuntimeError(f"Mismatch in shape: grad_output[{position}] has a shape of "
                               f"{cotangent.shape} and output[{position}] has a shape of "
                               f"{output.shape}.")
        if cotangent.array.dtype != output.array.dtype:
            cotangent = cotangent.to(output.dtype)
        roots.append((edge, cotangent if create_graph else cotangent.array))
    return roots


def backward(tensors, grad_tensors=None, retain_graph: bool | None = None, create_graph: bool = False,
             grad_variables=None, inputs=None) -> None:
    """Add the gradients of ``tensors`` to the leaves they were computed from; see `Tensor.backward`.

    >>> import tinygrad_hw
    >>> x = tinygrad_hw.tensor(3.0, requires_grad=True)
    >>> backward([x * x, 2 * x])
    >>> x.grad
    tensor(8.)
    """
    tensors = _sequence(tensors)
    cotangents = _sequence(grad_tensors) if grad_tensors is not None else [None] * len(tensors)
    retain = create_graph if retain_graph is None else retain_graph
    roots = _roots(tensors, cotangents, create_graph)
    edges = None
    if inputs is not None:
        inputs = _sequence(inputs)
        if not inputs:
            raise RuntimeError("`inputs` argument to `backward()` cannot be empty.")
        edges = [tensor._edge() for tensor in inputs]
        if any(edge is None for edge in edges):
            raise RuntimeError("One of the differentiated Tensors does not require grad")
        for tensor in inputs:
            if tensor.grad_fn is not None:
                tensor.retain_grad()
    engine.run(roots, retain_graph=retain, create_graph=create_graph, make=Tensor._wrap, only=edges)


def grad(
    outputs,
    inputs,
    grad_outputs=None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Tensor | None, ...]:
    """Gradients of the sum of ``outputs`` with respect to ``inputs``; no ``grad`` attribute changes.

    Args:
        outputs: Tensor or sequence of Tensors.
        inputs: Tensor or sequence of Tensors, leaves or not.
        grad_outputs: cotangents of the outputs; may be None for outputs of one element.
        retain_graph: keep what the graph saved (default: the value of ``create_graph``).
        create_graph: record the pass, so that the result can be differentiated again.
        allow_unused: return None for an input that the outputs do not depend on, in place of an error.
        materialize_grads: return zeros for such an input.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.autograd.grad.html

    >>> import tinygrad_hw
    >>> x = tinygrad_hw.tensor(2.0, requires_grad=True)
    >>> (first,) = grad(x ** 3, x, create_graph=True)
    >>> (second,) = grad(first, x)
    >>> first.item(), second.item()
    (12.0, 12.0)
    """
    if is_grads_batched:
        raise NotImplementedError("is_grads_batched=True is not supported; call grad once for each "
                                  "cotangent")
    outputs, inputs = _sequence(outputs), _sequence(inputs)
    cotangents = _sequence(grad_outputs) if grad_outputs is not None else [None] * len(outputs)
    retain = create_graph if retain_graph is None else retain_graph
    if materialize_grads and allow_unused is False:
        raise ValueError("Expected allow_unused to be True or not passed when materialize_grads=True, "
                         "but got: False.")
    edges = [tensor._edge() for tensor in inputs]
    if any(edge is None for edge in edges):
        raise RuntimeError("One of the differentiated Tensors does not require grad")
    gradients = engine.run(
        _roots(outputs, cotangents, create_graph),
        retain_graph=retain,
        create_graph=create_graph,
        make=Tensor._wrap,
        capture=edges,
    )
    for position, (tensor, gradient) in enumerate(zip(inputs, gradients)):
        if gradient is None and materialize_grads:
            gradients[position] = Tensor._wrap(np.zeros(tensor.array.shape, tensor.array.dtype))
        elif gradient is None and not allow_unused:
            raise RuntimeError(f"The differentiated Tensor at index {position} appears to not have been "
                               "used in the graph. Set allow_unused=True if this is the desired "
                               "behavior.")
    return tuple(gradients)
