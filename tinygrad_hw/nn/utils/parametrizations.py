"""Parametrizations for every layer: `weight_norm` and `spectral_norm`.

Source: https://docs.pytorch.org/docs/stable/nn.html#parametrizing-tensors
"""

from __future__ import annotations

import numpy as np

import ops
from tinygrad_hw.nn.conv import _ConvTranspose
from tinygrad_hw.nn.module import Module
from tinygrad_hw.nn.utils.parametrize import register_parametrization
from tinygrad_hw.tensor import Tensor

__all__ = ["spectral_norm", "weight_norm"]


class _WeightNorm(Module):
    """``g * v / norm(v)``, with a norm for each index of ``dim``, or one in all for None."""

    def __init__(self, dim: int | None = 0):
        super().__init__()
        self.dim = -1 if dim is None else dim

    def _norm(self, v):
        squares = ops.mul(v, v)
        if self.dim == -1:
            return ops.sqrt(ops.sum(squares))
        return ops.sqrt(ops.sum(squares, [d for d in range(v.ndim) if d != self.dim % v.ndim], True))

    def forward(self, weight_g, weight_v):
        return ops.mul(weight_v, ops.div(weight_g, self._norm(weight_v)))

    def right_inverse(self, weight):
        return self._norm(weight), weight


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Train a parameter's length and direction, ``original0`` and ``original1``, in its place.

    Args:
        dim: there is a length for each index of this dimension; None for one length in all.

    Source: Salimans and Kingma 2016, https://arxiv.org/abs/1602.07868

    >>> from tinygrad_hw import nn
    >>> [name for name, _ in weight_norm(nn.Linear(2, 3)).named_parameters()][1:]
    ['parametrizations.weight.original0', 'parametrizations.weight.original1']
    """
    return register_parametrization(module, name, _WeightNorm(dim), unsafe=True)


class _SpectralNorm(Module):
    """A matrix divided by its largest singular value, which the power method follows while training."""

    def __init__(self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12):
        super().__init__()
        if n_power_iterations <= 0:
            raise ValueError("Expected n_power_iterations to be positive, but got n_power_iterations="
                             f"{n_power_iterations}")
        if not -weight.ndim <= dim < weight.ndim:
            raise IndexError(f"Dimension out of range (expected to be in range of [-{weight.ndim}, "
                             f"{weight.ndim - 1}] but got {dim})")
        self.dim, self.eps, self.n_power_iterations = dim % weight.ndim, eps, n_power_iterations
        if weight.ndim > 1:
            matrix = self._matrix(weight.detach())
            for name, size in zip(("_u", "_v"), matrix.shape):
                self.register_buffer(name, Tensor._wrap(
                    self._unit(ops.random.normal((size,), dtype=weight.array.dtype))))
            self._follow(matrix.array, 15)

    def _unit(self, vector: np.ndarray) -> np.ndarray:
        return vector / max(np.linalg.norm(vector), self.eps)

    def _matrix(self, weight):
        first = ops.movedim(weight, self.dim, 0)
        return ops.reshape(first, (first.shape[0], -1))

    def _follow(self, matrix: np.ndarray, steps: int) -> None:
        for _ in range(steps):
            self._u.array[...] = self._unit(matrix @ self._v.array)
            self._v.array[...] = self._unit(matrix.T @ self._u.array)
        self._u._bump(), self._v._bump()

    def forward(self, weight):
        if weight.ndim == 1:
            return ops.normalize(weight, dim=0, eps=self.eps)
        matrix = self._matrix(weight)
        if self.training:
            self._follow(matrix.array, self.n_power_iterations)
        sigma = ops.dot(self._u.clone(), ops.mv(matrix, self._v.clone()))
        return ops.div(weight, sigma)

    def right_inverse(self, value):
        return value


def spectral_norm(module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12,
                  dim: int | None = None) -> Module:
    """Divide a parameter by its largest singular value, which keeps the layer's Lipschitz constant at 1.

    Args:
        n_power_iterations: steps of the power method for each reading in training mode.
        eps: keeps lengths from 0.
        dim: the dimension of outputs; 1 for transposed convolutions and 0 for others by default.

    Source: Miyato et al. 2018, https://arxiv.org/abs/1802.05957

    >>> from tinygrad_hw import nn
    >>> layer = spectral_norm(nn.Linear(2, 3), n_power_iterations=20)
    >>> round(np.linalg.norm(layer.weight.detach().numpy(), 2).item(), 2)
    1.0
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"Module '{type(module).__name__}' has no parameter or buffer with name '{name}'")
    if dim is None:
        dim = 1 if isinstance(module, _ConvTranspose) else 0
    return register_parametrization(module, name, _SpectralNorm(weight, n_power_iterations, dim, eps))
