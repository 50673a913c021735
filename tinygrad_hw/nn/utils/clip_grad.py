"""Limits on the size of gradients."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable

import numpy as np

from tinygrad_hw.tensor import Tensor
from tinygrad_hw.waiting import compute_waiting

__all__ = [
    "clip_grad_norm",
    "clip_grad_norm_",
    "clip_grad_value_",
    "clip_grads_with_norm_",
    "get_total_norm",
]


def _gradients(parameters: Iterable[Tensor] | Tensor) -> list[Tensor]:
    parameters = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    if not parameters:
        warnings.warn(
            "`parameters` is an empty generator, no gradient clipping will occur.", stacklevel=3
        )
    return [p.grad for p in parameters if p.grad is not None]


def get_total_norm(
    tensors: Iterable[Tensor] | Tensor,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """The norm of all Tensors as if they were one vector.

    Args:
        tensors: Tensors, usually gradients.
        norm_type: which norm, ``inf`` for the largest magnitude.
        error_if_nonfinite: refuse NaN and infinity.
        foreach: accepted as in PyTorch, without effect.

    >>> from tinygrad_hw import tensor
    >>> get_total_norm([tensor([3.0]), tensor([4.0])])
    tensor(5.)
    """
    arrays = [t.array for t in ([tensors] if isinstance(tensors, Tensor) else tensors)]
    if not arrays:
        return Tensor._wrap(np.float32(0.0))
    norm_type = float(norm_type)
    dtype = np.result_type(*arrays)
    # each norm is taken in the Tensors' dtype: a norm of norms, as in PyTorch
    norms = np.array([np.linalg.norm(array.reshape(-1), norm_type) for array in arrays], dtype)
    total = np.asarray(np.linalg.norm(norms, norm_type), dtype)
    if error_if_nonfinite and not np.isfinite(total):
        raise RuntimeError(
            f"The total norm of order {norm_type} for gradients from `parameters` is non-finite, so it "
            "cannot be clipped. To disable this error and scale the gradients by the non-finite norm "
            "anyway, set `error_if_nonfinite=False`"
        )
    return Tensor._wrap(total)


def clip_grads_with_norm_(parameters: Iterable[Tensor] | Tensor, max_norm: float, total_norm: Tensor,
                          foreach: bool | None = None) -> None:
    """Scale the gradients in place by max_norm / total_norm if that is below 1."""
    factor = min(float(max_norm) / (float(total_norm.array) + 1e-6), 1.0)
    factor = math.nan if math.isnan(float(total_norm.array)) else factor
    for gradient in _gradients(parameters):
        compute_waiting(gradient)
        gradient.array *= gradient.array.dtype.type(factor)
        gradient._bump()


def clip_grad_norm_(parameters: Iterable[Tensor] | Tensor, max_norm: float, norm_type: float = 2.0,
                    error_if_nonfinite: bool = False, foreach: bool | None = None) -> Tensor:
    """Scale the gradients in place so that their total norm is at most ``max_norm``.

    Returns:
        The total norm before.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.clip_grad_norm_.html

    >>> from tinygrad_hw import tensor
    >>> p = tensor([1.0], requires_grad=True)
    >>> (4 * p).sum().backward()
    >>> clip_grad_norm_(p, 2.0), p.grad
    (tensor(4.), tensor([2.0000]))
    """
    parameters = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    total = get_total_norm(_gradients(parameters), norm_type, error_if_nonfinite)
    clip_grads_with_norm_(parameters or [Tensor(0)], max_norm, total)
    return total


def clip_grad_norm(parameters, max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False,
                   foreach: bool | None = None) -> Tensor:
    """Former name of `clip_grad_norm_`."""
    warnings.warn("nn.utils.clip_grad_norm is now deprecated in favor of nn.utils.clip_grad_norm_.",
                  FutureWarning, stacklevel=2)
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite, foreach)


def clip_grad_value_(
    parameters: Iterable[Tensor] | Tensor, clip_value: float, foreach: bool | None = None
) -> None:
    """Limit every element of the gradients to [-clip_value, clip_value], in place.

    >>> from tinygrad_hw import tensor
    >>> p = tensor([1.0], requires_grad=True)
    >>> (4 * p).sum().backward()
    >>> clip_grad_value_(p, 1.5)
    >>> p.grad
    tensor([1.5000])
    """
    for gradient in _gradients(parameters):
        compute_waiting(gradient)
        np.clip(gradient.array, -float(clip_value), float(clip_value), out=gradient.array)
        gradient._bump()
