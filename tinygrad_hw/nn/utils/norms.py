"""`weight_norm` and `spectral_norm`: a layer's weight as a function of other parameters."""

from __future__ import annotations

import numpy as np

import ops
from tinygrad_hw.autograd.mode import no_grad
from tinygrad_hw.nn.conv import _ConvTranspose
from tinygrad_hw.nn.module import Module
from tinygrad_hw.nn.parameter import Parameter
from tinygrad_hw.tensor import Tensor

__all__ = ["remove_spectral_norm", "remove_weight_norm", "spectral_norm", "weight_norm"]


class _Reweighted:
    """A hook that computes the weight before each call of the layer."""

    def __init__(self, name: str):
        self.name = name

    def __call__(self, module, inputs) -> None:
        setattr(module, self.name, self.compute(module))

    @classmethod
    def hooks_of(cls, module, name: str) -> list[int]:
        """Keys of the hooks of this kind for a parameter of a layer."""
        return [key for key, hook in module._forward_pre_hooks.items()
                if isinstance(hook, cls) and hook.name == name]

    def install(self, module) -> None:
        kind = type(self).__name__
        if self.hooks_of(module, self.name):
            raise RuntimeError(f"Cannot register two {kind} hooks on the same parameter {self.name}")
        weight = getattr(module, self.name, None)
        if not isinstance(weight, Parameter):
            raise ValueError(f"{kind}: the layer {type(module).__name__} has no parameter {self.name!r}")
        delattr(module, self.name)
        self.split(module, weight)
        module.register_forward_pre_hook(self)
        self(module, ())

    @classmethod
    def uninstall(cls, module, name: str) -> None:
        keys = cls.hooks_of(module, name)
        if not keys:
            raise ValueError(f"{cls.__name__} of '{name}' not found in {module}")
        hook = module._forward_pre_hooks.pop(keys[0])
        with no_grad():
            weight = hook.compute(module, last=True)
        for extra in hook.extras:
            delattr(module, name + extra)
        delattr(module, name)
        setattr(module, name, Parameter(weight.detach()))


class WeightNorm(_Reweighted):
    """``weight = g * v / norm(v)``."""

    extras = ("_g", "_v")

    def __init__(self, name: str, dim: int | None):
        super().__init__(name)
        self.dim = dim

    def _norm(self, v):
        if self.dim is None:
            return ops.vector_norm(v)
        return ops.vector_norm(v, 2, [d for d in range(v.ndim) if d != self.dim % v.ndim], True)

    def split(self, module, weight) -> None:
        with no_grad():
            length = self._norm(weight)
        setattr(module, f"{self.name}_g", Parameter(length.detach()))
        setattr(module, f"{self.name}_v", Parameter(weight.detach()))

    def compute(self, module, last: bool = False):
        g, v = getattr(module, f"{self.name}_g"), getattr(module, f"{self.name}_v")
        return ops.mul(v, ops.div(g, self._norm(v)))


class SpectralNorm(_Reweighted):
    """``weight = weight_orig / sigma``, its largest singular value, by the power method."""

    extras = ("_orig", "_u", "_v")

    def __init__(self, name: str, n_power_iterations: int, dim: int, eps: float):
        super().__init__(name)
        if n_power_iterations <= 0:
            raise ValueError("Expected n_power_iterations to be positive, but got n_power_iterations="
                             f"{n_power_iterations}")
        self.n_power_iterations, self.dim, self.eps = n_power_iterations, dim, eps

    def _matrix(self, weight):
        first = ops.movedim(weight, self.dim, 0)
        return ops.reshape(first, (first.shape[0], -1))

    def split(self, module, weight) -> None:
        module.register_parameter(f"{self.name}_orig", weight)
        for end, size in zip(("_u", "_v"), self._matrix(weight.detach()).shape):
            start = ops.random.normal((size,), dtype=weight.array.dtype)
            module.register_buffer(self.name + end, Tensor._wrap(start / np.linalg.norm(start)))

    def compute(self, module, last: bool = False):
        weight = getattr(module, f"{self.name}_orig")
        u, v = getattr(module, f"{self.name}_u"), getattr(module, f"{self.name}_v")
        matrix = self._matrix(weight)
        if module.training and not last:
            values = matrix.array
            for _ in range(self.n_power_iterations):
                v.array[...] = self._unit(values.T @ u.array)
                u.array[...] = self._unit(values @ v.array)
            u._bump(), v._bump()
        sigma = ops.dot(u.clone(), ops.mv(matrix, v.clone()))
        return ops.div(weight, sigma)

    def _unit(self, vector: np.ndarray) -> np.ndarray:
        return vector / max(np.linalg.norm(vector), self.eps)


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Split a parameter into length and direction, ``weight_g`` and ``weight_v``, which are trained instead.

    Args:
        dim: there is a length for each index of this dimension; None for one length in all.

    Source: Salimans and Kingma 2016, https://arxiv.org/abs/1602.07868

    >>> from tinygrad_hw import nn
    >>> sorted(name for name, _ in weight_norm(nn.Linear(2, 3)).named_parameters())
    ['bias', 'weight_g', 'weight_v']
    """
    WeightNorm(name, dim).install(module)
    return module


def remove_weight_norm(module: Module, name: str = "weight") -> Module:
    """Make the weight a plain parameter again.

    >>> from tinygrad_hw import nn
    >>> len(list(remove_weight_norm(weight_norm(nn.Linear(2, 3))).parameters()))
    2
    """
    WeightNorm.uninstall(module, name)
    return module


def spectral_norm(module: Module, name: str = "weight", n_power_iterations: int = 1, eps: float = 1e-12,
                  dim: int | None = None) -> Module:
    """Divide a parameter by its largest singular value, which keeps the layer's Lipschitz constant at 1.

    The value is followed by the power method, ``n_power_iterations`` steps a call in training mode.

    Source: Miyato et al. 2018, https://arxiv.org/abs/1802.05957

    >>> from tinygrad_hw import nn
    >>> layer = spectral_norm(nn.Linear(2, 3), n_power_iterations=50)
    >>> round(np.linalg.norm(layer.weight.detach().numpy(), 2).item(), 2)
    1.0
    """
    if dim is None:
        dim = 1 if isinstance(module, _ConvTranspose) else 0
    SpectralNorm(name, n_power_iterations, dim, eps).install(module)
    return module


def remove_spectral_norm(module: Module, name: str = "weight") -> Module:
    """Make the weight, as divided last, a plain parameter again.

    >>> from tinygrad_hw import nn
    >>> sorted(remove_spectral_norm(spectral_norm(nn.Linear(2, 3))).state_dict())
    ['bias', 'weight']
    """
    SpectralNorm.uninstall(module, name)
    return module
