"""Where values may lie: what parameters of distributions must satisfy, and the supports of their draws.

``constraint.check(value)`` is True where a value satisfies the constraint.
Source of names: https://docs.pytorch.org/docs/stable/distributions.html#module-torch.distributions.constraints

>>> from tinygrad_hw import tensor
>>> interval(0.0, 1.0), interval(0.0, 1.0).check(tensor([0.5, 2.0]))
(Interval(lower_bound=0.0, upper_bound=1.0), tensor([ True, False]))
"""

from __future__ import annotations

import numpy as np

import ops
from tinygrad_hw.tensor import Tensor

__all__ = ["Constraint", "boolean", "greater_than", "greater_than_eq", "half_open_interval", "independent",
           "integer_interval", "interval", "less_than", "lower_cholesky", "nonnegative",
           "nonnegative_integer", "one_hot", "positive", "positive_definite", "positive_integer", "real",
           "real_vector", "simplex", "square", "symmetric", "unit_interval"]


class Constraint:
    """A region; ``event_dim`` trailing dimensions of a value make one point of it."""

    is_discrete = False
    event_dim = 0

    def check(self, value: Tensor) -> Tensor:
        """Whether each point of ``value`` lies inside, without the trailing ``event_dim`` dimensions."""
        raise NotImplementedError

    def __repr__(self) -> str:
        bounds = ", ".join(f"{name}={value}" for name, value in vars(self).items())
        return f"{type(self).__name__}({bounds})"


class Real(Constraint):
    """Any number but NaN."""

    def check(self, value):
        return value == value


class Boolean(Constraint):
    """0 and 1."""

    is_discrete = True

    def check(self, value):
        return (value == 0) | (value == 1)


class GreaterThan(Constraint):
    """Above a bound."""

    def __init__(self, lower_bound):
        self.lower_bound = lower_bound

    def check(self, value):
        return value > self.lower_bound


class GreaterThanEq(GreaterThan):
    """A bound and above."""

    def check(self, value):
        return value >= self.lower_bound


class IntegerGreaterThan(GreaterThan):
    """Whole numbers from a bound on."""

    is_discrete = True

    def check(self, value):
        return (value % 1 == 0) & (value >= self.lower_bound)


class LessThan(Constraint):
    """Below a bound."""

    def __init__(self, upper_bound):
        self.upper_bound = upper_bound

    def check(self, value):
        return value < self.upper_bound


class Interval(Constraint):
    """From one bound to another, both included."""

    def __init__(self, lower_bound, upper_bound):
        self.lower_bound, self.upper_bound = lower_bound, upper_bound

    def check(self, value):
        return (value >= self.lower_bound) & (value <= self.upper_bound)


class HalfOpenInterval(Interval):
    """From one bound, included, to another, which is not."""

    def check(self, value):
        return (value >= self.lower_bound) & (value < self.upper_bound)


class IntegerInterval(Interval):
    """The whole numbers from one bound to another, both included."""

    is_discrete = True

    def check(self, value):
        return (value % 1 == 0) & super().check(value)


class Simplex(Constraint):
    """Vectors of non-negative numbers whose sum is 1 (to 1e-6)."""

    event_dim = 1

    def check(self, value):
        return (value >= 0).all(-1) & ((value.sum(-1) - 1).abs() < 1e-6)


class OneHot(Constraint):
    """Vectors of zeros with a single 1."""

    is_discrete, event_dim = True, 1

    def check(self, value):
        return boolean.check(value).all(-1) & (value.sum(-1) == 1)


class Square(Constraint):
    """Square matrices."""

    event_dim = 2

    def check(self, value):
        fits = value.shape[-1] == value.shape[-2]
        return Tensor._wrap(np.full(value.shape[:-2], fits))


class Symmetric(Square):
    """Matrices that equal their transposes (to 1e-6)."""

    def check(self, value):
        square = super().check(value)
        return ops.isclose(value, value.mT, atol=1e-6).all(-1).all(-1) if square.all() else square


class PositiveDefinite(Symmetric):
    """Symmetric matrices whose eigenvalues are all positive."""

    def check(self, value):
        symmetric = super().check(value)
        if not symmetric.all():
            return symmetric
        return Tensor._wrap(np.asarray((np.linalg.eigvalsh(value.detach().numpy()) > 0).all(-1)))


class LowerCholesky(Constraint):
    """Lower triangular matrices with a positive diagonal."""

    event_dim = 2

    def check(self, value):
        lower = (ops.tril(value) == value).all(-1).all(-1)
        return lower & (ops.diagonal(value, 0, -2, -1) > 0).all(-1)


class IndependentConstraint(Constraint):
    """A constraint of which so many further dimensions make one point."""

    def __init__(self, base_constraint: Constraint, reinterpreted_batch_ndims: int):
        self.base_constraint, self.reinterpreted_batch_ndims = base_constraint, reinterpreted_batch_ndims
        self.is_discrete = base_constraint.is_discrete
        self.event_dim = base_constraint.event_dim + reinterpreted_batch_ndims

    def check(self, value):
        result = self.base_constraint.check(value)
        for _ in range(self.reinterpreted_batch_ndims):
            result = result.all(-1)
        return result

    def __repr__(self) -> str:
        return f"IndependentConstraint({self.base_constraint}, {self.reinterpreted_batch_ndims})"


real, boolean, simplex, one_hot = Real(), Boolean(), Simplex(), OneHot()
square, symmetric = Square(), Symmetric()
positive_definite, lower_cholesky = PositiveDefinite(), LowerCholesky()
greater_than, greater_than_eq, less_than = GreaterThan, GreaterThanEq, LessThan
interval, half_open_interval, integer_interval = Interval, HalfOpenInterval, IntegerInterval
independent = IndependentConstraint
positive, nonnegative, unit_interval = GreaterThan(0.0), GreaterThanEq(0.0), Interval(0.0, 1.0)
nonnegative_integer, positive_integer = IntegerGreaterThan(0), IntegerGreaterThan(1)
real_vector = IndependentConstraint(real, 1)
