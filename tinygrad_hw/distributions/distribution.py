"""`Distribution`: what all distributions share."""

from __future__ import annotations

import numpy as np

import ops
from tinygrad_hw.autograd.mode import no_grad
from tinygrad_hw.construct import as_tensor
from tinygrad_hw.layout import Size
from tinygrad_hw.tensor import Tensor

__all__ = ["Distribution", "parameters"]


def parameters(*values) -> tuple[Tensor, ...]:
    """Numbers and Tensors as Tensors of one shape and of floating dtype.

    >>> parameters(0.0, Tensor([1.0, 2.0]))
    (tensor([0., 0.]), tensor([1., 2.]))
    """
    tensors = [value if isinstance(value, Tensor) else None for value in values]
    known = next(
        (tensor for tensor in tensors if tensor is not None and tensor.is_floating_point()), None
    )
    dtype = None if known is None else known.dtype
    whole = [
        as_tensor(float(value), dtype=dtype) if tensor is None else tensor
        for value, tensor in zip(values, tensors)
    ]
    whole = [tensor if tensor.is_floating_point() else tensor.float() for tensor in whole]
    return tuple(ops.broadcast_tensors(*whole))


class Distribution:
    """The base class; subclasses give ``rsample`` or ``sample``, and ``log_prob``.

    Attributes:
        batch_shape: shape of the parameters: so many independent distributions.
        event_shape: shape of one draw of one of them.
        has_rsample: whether gradients flow from draws to the parameters.
    """

    has_rsample = False
    arg_constraints: dict = {}
    _validate_args = True

    def __init__(self, batch_shape=(), event_shape=(), validate_args: bool | None = None):
        self._batch_shape, self._event_shape = Size(batch_shape), Size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Whether parameters are checked from now on."""
        Distribution._validate_args = bool(value)

    @property
    def batch_shape(self) -> Size:
        """Shape of the parameters."""
        return self._batch_shape

    @property
    def event_shape(self) -> Size:
        """Shape of one draw."""
        return self._event_shape

    def _check(self, name: str, value: Tensor, good: np.ndarray, what: str) -> None:
        """ValueError with the offending values unless the parameter is good everywhere."""
        if self._validate_args and not good.all():
            wrong = np.broadcast_to(value.array, good.shape)[~good].reshape(-1)[:3].tolist()
            raise ValueError(
                f"Expected parameter {name} of shape {tuple(value.shape)} of distribution "
                f"{type(self).__name__} to be {what}, but found invalid values: {wrong}"
            )

    def _check_positive(self, **values: Tensor) -> None:
        for name, value in values.items():
            self._check(name, value, value.array > 0, "positive")

    def _check_real(self, **values: Tensor) -> None:
        for name, value in values.items():
            self._check(name, value, ~np.isnan(value.array), "real")

    def _extended(self, sample_shape) -> tuple[int, ...]:
        """Shape of so many draws."""
        return (*sample_shape, *self._batch_shape, *self._event_shape)

    def _noise(self, kind: str, sample_shape, *numbers) -> Tensor:
        """Random numbers for draws, a constant for the graph."""
        shape, dtype = self._extended(sample_shape), self._dtype
        return Tensor._wrap(np.asarray(getattr(ops.random, kind)(shape, *numbers, dtype=dtype)))

    @property
    def _dtype(self) -> np.dtype:
        return next(
            v.array.dtype for v in vars(self).values() if isinstance(v, Tensor) and v.is_floating_point()
        )

    def rsample(self, sample_shape=()) -> Tensor:
        """Draws that gradients flow through: (*sample_shape, *batch_shape, *event_shape)."""
        raise NotImplementedError(
            f"{type(self).__name__} has no rsample: gradients do not flow through its draws; "
            "use sample() and log_prob()"
        )

    def sample(self, sample_shape=()) -> Tensor:
        """Draws, constants for the graph: (*sample_shape, *batch_shape, *event_shape)."""
        with no_grad():
            return self.rsample(sample_shape)

    def sample_n(self, n: int) -> Tensor:
        """Former spelling of ``sample((n,))``."""
        return self.sample((n,))

    def log_prob(self, value) -> Tensor:
        """The logarithm of the density or probability of a value."""
        raise NotImplementedError

    def entropy(self) -> Tensor:
        """The entropy, in nats."""
        raise NotImplementedError

    @property
    def mean(self) -> Tensor:
        """The expected value."""
        raise NotImplementedError

    @property
    def variance(self) -> Tensor:
        """The variance."""
        raise NotImplementedError

    @property
    def stddev(self) -> Tensor:
        """The standard deviation."""
        return ops.sqrt(self.variance)

    def perplexity(self) -> Tensor:
        """exp of the entropy."""
        return ops.exp(self.entropy())

    def __repr__(self) -> str:
        shown = ", ".join(
            f"{name}: {value if value.numel() == 1 else value.size()}"
            for name, value in vars(self).items()
            if isinstance(value, Tensor) and not name.startswith("_")
        )
        return f"{type(self).__name__}({shown})"
