"""Jacobians, Hessians and their products with vectors, of functions of Tensors.

Everything is built from `grad`.  A product with a Jacobian from the right, ``jvp``, is the gradient of
the product from the left with respect to the vector, which is linear in it.
Source of names and signatures:
https://docs.pytorch.org/docs/stable/autograd.html#functional-higher-level-api
"""

from __future__ import annotations

import numpy as np

from tinygrad_hw.autograd.api import grad
from tinygrad_hw.autograd.mode import enable_grad
from tinygrad_hw.tensor import Tensor

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]


def _tensors(value, what: str) -> tuple:
    """One Tensor or a sequence of them as a tuple."""
    several = tuple(value) if isinstance(value, (tuple, list)) else (value,)
    for position, item in enumerate(several):
        if not isinstance(item, Tensor):
            raise TypeError(f"the {what} must be a Tensor or a tuple of Tensors, but element {position} "
                            f"is of type {type(item).__name__}")
    return several


def _like(template, values: tuple):
    """``values`` as a tuple where the template is a sequence, else the only one of them."""
    return values if isinstance(template, (tuple, list)) else values[0]


def _inputs(inputs, create_graph: bool) -> tuple:
    """Inputs that require a gradient: connected to the caller's with ``create_graph``, else detached."""
    if create_graph:
        return tuple(x.view_as(x) if x.requires_grad else x.detach().requires_grad_() for x in inputs)
    return tuple(x.detach().requires_grad_() for x in inputs)


def _finish(values: tuple, create_graph: bool) -> tuple:
    return values if create_graph else tuple(value.detach() for value in values)


def _vector(v, like: tuple, what: str) -> tuple:
    """The vectors of a product, checked against what they multiply; ones where it has one element."""
    if v is None:
        if len(like) != 1 or like[0].numel() != 1:
            raise RuntimeError("The vector v can only be None if the user-provided function has a "
                               f"single {what} with one element; got {[tuple(t.shape) for t in like]}")
        return (like[0].new_ones(like[0].shape),)
    several = _tensors(v, "vector v")
    if len(several) != len(like):
        raise RuntimeError(f"v has {len(several)} elements where the function has {len(like)} {what}s")
    for position, (one, other) in enumerate(zip(several, like)):
        if one.shape != other.shape:
            raise RuntimeError(f"v has an invalid size at element {position}: it should be "
                               f"{other.shape} but got {one.shape}")
    return several


def _grad(
    outputs: tuple, inputs: tuple, vectors, create_graph: bool, strict: bool, retain: bool = True
) -> tuple:
    """Gradients, zeros for what does not depend on the input; an error for that if ``strict``."""
    chosen = [(out, v) for out, v in zip(outputs, vectors) if out.requires_grad]
    if not chosen:
        found = (None,) * len(inputs)
    else:
        found = grad(
            [out for out, _ in chosen],
            inputs,
            [v for _, v in chosen],
            create_graph=create_graph,
            retain_graph=retain or create_graph,
            allow_unused=True,
        )
    if strict and (None in found or len(chosen) < len(outputs)):
        independent = found.index(None) if None in found else "any"
        raise RuntimeError("The output of the user-provided function is independent of input "
                           f"{independent}. This is not allowed in strict mode.")
    return tuple(x.new_zeros(x.shape) if g is None else g for x, g in zip(inputs, found))


def vjp(func, inputs, v=None, create_graph: bool = False, strict: bool = False):
    """The outputs of ``func`` and the product of the vector ``v`` with its Jacobian.

    Args:
        func: takes the inputs and returns a Tensor or a tuple of them.
        inputs: Tensor or tuple of Tensors.
        v: vectors of the outputs' shapes; may be left out for one output of one element.
        create_graph: record, so that the result can be differentiated.
        strict: an output that does not depend on an input is an error instead of zeros.

    Returns:
        ``(outputs, product)``, the product in the form of the inputs.

    >>> import tinygrad_hw as thw
    >>> vjp(lambda x: x * x, thw.tensor([1.0, 2.0]), thw.tensor([1.0, 10.0]))[1]
    tensor([ 2., 40.])
    """
    with enable_grad():
        points = _inputs(_tensors(inputs, "inputs"), create_graph)
        result = func(*points)
        outputs = _tensors(result, "outputs")
        products = _grad(outputs, points, _vector(v, outputs, "output"), create_graph, strict)
    return _like(result, _finish(outputs, create_graph)), _like(inputs, _finish(products, create_graph))


def jvp(func, inputs, v=None, create_graph: bool = False, strict: bool = False):
    """The outputs of ``func`` and the product of its Jacobian with ``v``; arguments as for `vjp`.

    >>> import tinygrad_hw as thw
    >>> jvp(lambda x: x * x, thw.tensor([1.0, 2.0]), thw.tensor([1.0, 10.0]))[1]
    tensor([ 2., 40.])
    """
    with enable_grad():
        points = _inputs(_tensors(inputs, "inputs"), create_graph)
        vectors = _vector(v, points, "input")
        result = func(*points)
        outputs = _tensors(result, "outputs")
        helpers = tuple(out.new_zeros(out.shape).requires_grad_() for out in outputs)
        products = _grad(
            _grad(outputs, points, helpers, True, strict), helpers, vectors, create_graph, False
        )
    return _like(result, _finish(outputs, create_graph)), _like(result, _finish(products, create_graph))


def jacobian(func, inputs, create_graph: bool = False, strict: bool = False, vectorize: bool = False,
             strategy: str = "reverse-mode"):
    """All derivatives of all outputs: shape ``(*output.shape, *input.shape)`` for each pair.

    Args:
        func, inputs, create_graph, strict: as for `vjp`.
        vectorize: accepted as in PyTorch; rows are computed one after the other.
        strategy: ``"reverse-mode"``.

    Returns:
        A Tensor, a tuple if there are several inputs or several outputs, or a tuple (for the outputs) of
        tuples (for the inputs).

    >>> import tinygrad_hw as thw
    >>> jacobian(lambda x: x * x, thw.tensor([1.0, 2.0]))
    tensor([[2., 0.],
            [0., 4.]])
    """
    if strategy != "reverse-mode":
        raise NotImplementedError(f"strategy={strategy!r} is not supported; use 'reverse-mode'")
    with enable_grad():
        points = _inputs(_tensors(inputs, "inputs"), create_graph)
        result = func(*points)
        tables = tuple(_rows(out, points, create_graph, strict) for out in _tensors(result, "outputs"))
    return _like(result, tuple(_like(inputs, _finish(table, create_graph)) for table in tables))


def _rows(output, points: tuple, create_graph: bool, strict: bool) -> tuple:
    """The derivatives of one output: a gradient for each of its elements, stacked for each input."""
    import ops

    rows = []
    for index in np.ndindex(output.array.shape):
        pick = np.zeros(output.array.shape, output.array.dtype)
        pick[index] = 1
        rows.append(_grad((output,), points, (Tensor._wrap(pick),), create_graph, strict))
    shape = tuple(output.array.shape)
    return tuple(
        ops.reshape(ops.stack(column), (*shape, *point.array.shape))
        if rows
        else point.new_zeros((*shape, *point.shape))
        for point, column in zip(points, zip(*rows) if rows else [()] * len(points))
    )


def hessian(func, inputs, create_graph: bool = False, strict: bool = False, vectorize: bool = False,
            outer_jacobian_strategy: str = "reverse-mode"):
    """Second derivatives of a function with one output of one element; arguments as for `jacobian`.

    Returns:
        A Tensor of shape ``(*input.shape, *input.shape)``, or a tuple of tuples if the inputs are a
        tuple.

    >>> import tinygrad_hw as thw
    >>> hessian(lambda x: (x ** 3).sum(), thw.tensor([1.0, 2.0]))
    tensor([[ 6.,  0.],
            [ 0., 12.]])
    """

    def gradient(*points):
        found = _grad((_scalar(func(*points)),), points, (None,), True, strict)
        return _like(inputs, found)

    return jacobian(gradient, inputs, create_graph, strict, vectorize, outer_jacobian_strategy)


def _scalar(output) -> Tensor:
    """The one output of a function that a Hessian is taken of."""
    (output,) = _tensors(output, "outputs")[:1] if isinstance(output, Tensor) else (None,)
    if output is None or output.numel() != 1:
        raise RuntimeError("The function given to hessian, vhp or hvp should return a single Tensor "
                           "with one element, got "
                           + ("several outputs" if output is None else f"shape {tuple(output.shape)}"))
    return output


def vhp(func, inputs, v=None, create_graph: bool = False, strict: bool = False):
    """The output of a scalar function and the product of the vector ``v`` with its Hessian.

    >>> import tinygrad_hw as thw
    >>> vhp(lambda x: (x ** 3).sum(), thw.tensor([1.0, 2.0]), thw.tensor([1.0, 10.0]))[1]
    tensor([  6., 120.])
    """
    with enable_grad():
        points = _inputs(_tensors(inputs, "inputs"), create_graph)
        vectors = _vector(v, points, "input")
        output = _scalar(func(*points))
        products = _grad(
            _grad((output,), points, (None,), True, strict), points, vectors, create_graph, strict
        )
    return _finish((output,), create_graph)[0], _like(inputs, _finish(products, create_graph))


def hvp(func, inputs, v=None, create_graph: bool = False, strict: bool = False):
    """The output of a scalar function and its Hessian times ``v``: `vhp`, since a Hessian is symmetric.

    >>> import tinygrad_hw as thw
    >>> hvp(lambda x: (x ** 3).sum(), thw.tensor([1.0, 2.0]), thw.tensor([1.0, 10.0]))[1]
    tensor([  6., 120.])
    """
    return vhp(func, inputs, v, create_graph, strict)
