"""`Distribution`: what all distributions share."""

from __future__ import annotations

import copy

import numpy as np

import ops
from tinygrad_hw.autograd.mode import enable_grad, no_grad
from tinygrad_hw.construct import as_tensor
from tinygrad_hw.distributions.constraints import Constraint
from tinygrad_hw.layout import Size
from tinygrad_hw.tensor import Tensor

__all__ = ["Distribution", "lazy", "parameters"]


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
    shape = ops.broadcast_shapes(*(tuple(tensor.shape) for tensor in whole))
    return tuple(tensor if tensor.shape == shape else ops.expand(tensor, shape) for tensor in whole)


class lazy:
    """A parameter that follows from others: computed when it is asked for first, then kept.

    >>> class Half:
    ...     @lazy
    ...     def value(self):
    ...         return 0.5
    >>> half = Half()
    >>> half.value, vars(half)
    (0.5, {'value': 0.5})
    """

    def __init__(self, function):
        self.function, self.__doc__ = function, function.__doc__

    def __get__(self, instance, owner=None):
        if instance is None:
            return self
        with enable_grad():
            value = vars(instance)[self.function.__name__] = self.function(instance)
        return value


class Distribution:
    """The base class; subclasses give ``rsample`` or ``sample``, and ``log_prob``.

    Attributes:
        batch_shape: shape of the parameters: so many independent distributions.
        event_shape: shape of one draw of one of them.
        has_rsample: whether gradients flow from draws to the parameters.
        has_enumerate_support: whether all values can be listed.
        arg_constraints: name of each parameter and where it may lie, see `constraints`.
        support: where draws lie.
    """

    has_rsample = has_enumerate_support = False
    arg_constraints: dict[str, Constraint] = {}
    _validate_args = True

    def __init__(self, batch_shape=(), event_shape=(), validate_args: bool | None = None):
        self._batch_shape, self._event_shape = Size(batch_shape), Size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if self._validate_args:
            self._check_parameters()

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Whether parameters and values are checked from now on."""
        if value is not True and value is not False:
            raise ValueError(f"set_default_validate_args takes True or False, got {value!r}")
        Distribution._validate_args = value

    @property
    def batch_shape(self) -> Size:
        """Shape of the parameters."""
        return self._batch_shape

    @property
    def event_shape(self) -> Size:
        """Shape of one draw."""
        return self._event_shape

    @property
    def support(self) -> Constraint:
        """Where draws lie."""
        raise NotImplementedError

    # ------------------------------------------------------------------ checks

    def _given(self) -> dict[str, Tensor]:
        """The parameters that are there: given, or computed since."""
        there = vars(self)
        return {name: there[name] for name in self.arg_constraints if name in there}

    def _check_parameters(self) -> None:
        """ValueError for a parameter outside of its constraint."""
        for name, value in self._given().items():
            constraint = self.arg_constraints[name]
            if not constraint.check(value).all():
                raise ValueError(f"Expected parameter {name} (Tensor of shape {tuple(value.shape)}) of "
                                 f"distribution {self!r} to satisfy the constraint {constraint!r}, but found "
                                 f"invalid values:\n{value}")

    def _validate_sample(self, value: Tensor) -> None:
        """ValueError for a value whose density is not defined: no Tensor, a wrong shape, off the support."""
        if not self._validate_args:
            return
        if not isinstance(value, Tensor):
            raise ValueError("The value argument to log_prob must be a Tensor")
        shape, expected = value.size(), Size((*self._batch_shape, *self._event_shape))
        if shape[len(shape) - len(self._event_shape):] != self._event_shape:
            raise ValueError("The right-most size of value must match event_shape: "
                             f"{shape} vs {self._event_shape}.")
        if any(i != 1 and j != 1 and i != j for i, j in zip(reversed(shape), reversed(expected))):
            raise ValueError("Value is not broadcastable with batch_shape+event_shape: "
                             f"{shape} vs {expected}.")
        try:
            support = self.support
        except NotImplementedError:  # a class of the user's that has none
            return
        if not support.check(value).all():
            raise ValueError(f"Expected value argument (Tensor of shape {tuple(shape)}) to be within the "
                             f"support ({support!r}) of the distribution {self!r}, but found invalid "
                             f"values:\n{value}")

    # ------------------------------------------------------------------ draws

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

    def expand(self, batch_shape) -> Distribution:
        """The same distribution for a larger batch, to whose shape the parameters are expanded."""
        batch_shape, extra = Size(batch_shape), len(self._batch_shape)
        result = copy.copy(self)
        result._batch_shape = batch_shape
        for name, value in vars(self).items():
            if isinstance(value, Distribution):
                vars(result)[name] = value.expand(batch_shape)
            elif isinstance(value, Tensor):
                vars(result)[name] = ops.expand(value, (*batch_shape, *value.shape[extra:]))
        return result

    # ------------------------------------------------------------------ what is known of it

    def log_prob(self, value) -> Tensor:
        """The logarithm of the density or probability of a value.

        Raises:
            ValueError: for a value outside of the support, unless ``validate_args=False``.
        """
        raise NotImplementedError

    def cdf(self, value) -> Tensor:
        """The probability of at most ``value``."""
        raise NotImplementedError

    def icdf(self, value) -> Tensor:
        """The number below which a draw lies with probability ``value``."""
        raise NotImplementedError

    def entropy(self) -> Tensor:
        """The entropy, in nats."""
        raise NotImplementedError

    @property
    def mean(self) -> Tensor:
        """The expected value."""
        raise NotImplementedError

    @property
    def mode(self) -> Tensor:
        """The most probable value."""
        raise NotImplementedError(f"{type(self)} does not implement mode")

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

    def enumerate_support(self, expand: bool = True) -> Tensor:
        """All values, one in each row."""
        raise NotImplementedError

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}: {value if value.numel() == 1 else value.size()}"
                          for name, value in self._given().items())
        return f"{type(self).__name__}({shown})"
