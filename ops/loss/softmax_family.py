"""Softmax and its logarithm, with gradients from the saved output alone.

The backward passes are ops of their own, with rules written with ops, so every order exists.
"""

from __future__ import annotations

import numpy as np

from ops.callers import warn_user
from ops.contracts import one_type, shaped
from ops.core import Bad, case, composite, op
from ops.elementwise.arithmetic import mul, neg, sub
from ops.elementwise.exponential import exp
from ops.elementwise.pointwise import tensor_only
from ops.lazy import LazyModule
from ops.promotion import as_dtype
from ops.reduction.extrema import one_dim
from ops.reduction.totals import sum
from ops.samples import spaced

__all__ = ["log_softmax", "log_softmax_backward", "softmax", "softmax_backward", "softmin"]

_kernels = LazyModule("ops.kernels.softmax")


def _by_rows(kernel, dim: int, *arrays):
    """Run a kernel of the last dimension along dimension ``dim`` of arrays of any shape."""
    ndim = arrays[0].ndim
    if dim == ndim - 1:
        return kernel(*arrays)
    if not ndim:
        return kernel(*(array.reshape(1) for array in arrays)).reshape(())
    return np.moveaxis(kernel(*(np.moveaxis(array, dim, -1) for array in arrays)), -1, dim)


def _prepare(name: str, input, dim, dtype) -> tuple:
    """The input in the floating dtype to compute in, and the dimension as one axis."""
    if type(input) is not np.ndarray:
        tensor_only(input)
    dim = one_dim(_implicit_dim(name, input.ndim) if dim is None else dim, input.ndim)
    if dtype is not None:
        input = input.astype(as_dtype(dtype), copy=False)
    if input.dtype.kind != "f":
        raise NotImplementedError(f"{name} is not implemented for '{input.dtype}'; give "
                                  "dtype=torch.float32, or convert the input: x.float()")
    return input, dim


def _implicit_dim(name: str, ndim: int) -> int:
    """PyTorch's old choice of a dimension that was not given: 0 for 0, 1 or 3 dimensions, else 1."""
    warn_user(f"Implicit dimension choice for {name} has been deprecated. Change the call to "
              "include dim=X as an argument.")
    return _implicit_silently(None, ndim)


def _cases(rng):
    yield case(spaced(rng, (2, 3)), 1)
    yield case(spaced(rng, (2, 3, 2)), -2)
    yield case(spaced(rng, ()), 0)
    yield case(spaced(rng, (0, 3)), 1)


def _backward_cases(rng):
    for one in _cases(rng):
        yield case(spaced(rng, one.args[0].shape), one.args[0], one.args[1])


def _reference(input, dim, dtype=None):
    sizes = np.exp(input)
    return sizes / sizes.sum(axis=dim, keepdims=True) if np.ndim(input) else np.array(1.0)


_BAD = [Bad((np.ones((2, 3)), 2), {}, IndexError, r"Dimension out of range.*\[-2, 1\], but got 2"),
        Bad((np.arange(3), 0), {}, NotImplementedError, "not implemented for 'int64'")]
_BAD_BACKWARD = [Bad((np.ones(2), np.ones(2), 1), {}, IndexError, "Dimension out of range")]


# ------------------------------------------------------------------ softmax


@op(
    grad=dict(
        input=lambda g, output, dim: softmax_backward(g, output, dim),
        output=lambda g, input, output, dim: sub(
            mul(g, sub(input, sum(mul(input, output), dim, True))),
            mul(input, sum(mul(g, output), dim, True))),
    ),
    samples=_backward_cases,
    reference=lambda input, output, dim: output * (input - (input * output).sum(dim, keepdims=True))
    if np.ndim(input) else output * (input - input * output),
    bad=_BAD_BACKWARD,
)
def softmax_backward(input, output, dim):
    """Gradient of `softmax` by its input, from the cotangent ``input`` and softmax's ``output``.

    >>> softmax_backward(np.array([1.0, 0.0]), np.array([0.25, 0.75]), 0)
    array([ 0.1875, -0.1875])
    """
    shaped("softmax_backward", "output", output, input.shape)
    one_type("softmax_backward", input=input, output=output)
    return _by_rows(_kernels.softmax_backward, one_dim(dim, input.ndim), input, output)


@op(
    grad=dict(input=lambda g, ans, dim: softmax_backward(g, ans, _implicit_silently(dim, ans.ndim))),
    samples=_cases, reference=_reference, bad=_BAD,
)
def softmax(input, dim=None, dtype=None):
    """``exp(input) / sum(exp(input))`` along ``dim``, for elements of any size.

    Args:
        dim: the dimension along which the results add up to 1.
        dtype: floating dtype to convert the input to before.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.softmax.html

    >>> softmax(np.array([1000.0, 1000.0]), 0)
    array([0.5, 0.5])
    """
    input, dim = _prepare("softmax", input, dim, dtype)
    last = dim == input.ndim - 1
    return _kernels.softmax(input) if last else _by_rows(_kernels.softmax, dim, input)


def _implicit_silently(dim, ndim: int) -> int:
    """`_implicit_dim` for the backward pass: the forward pass has warned."""
    return dim if dim is not None else 0 if ndim in (0, 1, 3) else 1


# ------------------------------------------------------------------ log-softmax


@op(
    grad=dict(
        input=lambda g, output, dim: sub(g, sum(mul(g, exp(output)), dim, True)),
        output=lambda g, input, output, dim: neg(mul(mul(g, exp(output)), sum(input, dim, True))),
    ),
    samples=_backward_cases,
    reference=lambda input, output, dim: input - np.exp(output) * input.sum(dim, keepdims=True)
    if np.ndim(input) else input - np.exp(output) * input,
    bad=_BAD_BACKWARD,
)
def log_softmax_backward(input, output, dim):
    """Gradient of `log_softmax` by its input, from the cotangent ``input`` and log_softmax's ``output``.

    >>> log_softmax_backward(np.array([1.0, 0.0]), np.log([0.25, 0.75]), 0)
    array([ 0.75, -0.75])
    """
    shaped("log_softmax_backward", "output", output, input.shape)
    one_type("log_softmax_backward", input=input, output=output)
    return _by_rows(_kernels.log_softmax_backward, one_dim(dim, input.ndim), input, output)


@op(
    grad=dict(input=lambda g, ans, dim: log_softmax_backward(g, ans, _implicit_silently(dim, ans.ndim))),
    samples=_cases, reference=lambda *args: np.log(_reference(*args)), bad=_BAD,
)
def log_softmax(input, dim=None, dtype=None):
    """``log(softmax(input))`` along ``dim``, exact where softmax itself would be 0.

    >>> log_softmax(np.array([0.0, 1000.0]), 0)
    array([-1000.,     0.])
    """
    input, dim = _prepare("log_softmax", input, dim, dtype)
    last = dim == input.ndim - 1
    return _kernels.log_softmax(input) if last else _by_rows(_kernels.log_softmax, dim, input)


@composite(samples=_cases, reference=lambda input, dim: _reference(-input, dim), bad=_BAD)
def softmin(input, dim=None, dtype=None):
    """``softmax(-input)``.

    >>> softmin(np.array([2.0, 2.0]), 0)
    array([0.5, 0.5])
    """
    return softmax(neg(input), dim, dtype)
