"""Distributions of whole numbers and classes: `Bernoulli`, `Categorical`, ..."""

from __future__ import annotations

import numpy as np

import ops
from tinygrad_hw.construct import as_tensor
from tinygrad_hw.creation import zeros_like
from tinygrad_hw.distributions import constraints
from tinygrad_hw.distributions.distribution import Distribution, lazy, parameters
from tinygrad_hw.layout import Size
from tinygrad_hw.tensor import Tensor

__all__ = ["Bernoulli", "Binomial", "Categorical", "Geometric", "OneHotCategorical", "Poisson"]


def _one_of(probs, logits) -> None:
    if (probs is None) == (logits is None):
        raise ValueError("Either `probs` or `logits` must be specified, but not both.")


def _inside(probs):
    """Probabilities of which a finite logarithm can be taken."""
    edge = float(np.finfo(probs.array.dtype).eps)
    return ops.clamp(probs, edge, 1 - edge)


class _OfProbability(Distribution):
    """What distributions share that are given by ``probs`` or by ``logits`` = log(p / (1 - p))."""

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}

    def __init__(self, probs=None, logits=None, validate_args=None):
        _one_of(probs, logits)
        (given,) = parameters(logits if probs is None else probs)
        vars(self)["logits" if probs is None else "probs"] = given
        super().__init__(given.shape, (), validate_args)

    @lazy
    def probs(self):
        """The probability."""
        return ops.sigmoid(self.logits)

    @lazy
    def logits(self):
        """log(p / (1 - p)), finite for probabilities of 0 and 1, too."""
        inside = _inside(self.probs)
        return ops.log(inside) - ops.log1p(-inside)

    @property
    def param_shape(self):
        """Shape of ``probs``."""
        return self._batch_shape


def _rows(values: np.ndarray, batch_shape, expand: bool) -> Tensor:
    """Each value in a row of its own, once for each distribution of a batch if ``expand``."""
    values = values.reshape(-1, *(1,) * len(batch_shape))
    return Tensor._wrap(np.broadcast_to(values, (len(values), *batch_shape)).copy() if expand else values)


class Bernoulli(_OfProbability):
    """1 with probability ``probs``, else 0.

    >>> from tinygrad_hw import tensor
    >>> Bernoulli(0.25).log_prob(tensor(1.0))  # log 0.25
    tensor(-1.3863)
    """

    has_enumerate_support = True
    support = constraints.boolean

    def sample(self, sample_shape=()):
        draws = self._noise("uniform", sample_shape).array < self.probs.array
        return Tensor._wrap(draws.astype(self._dtype))

    def log_prob(self, value):
        self._validate_sample(value)
        logits, value = ops.broadcast_tensors(self.logits, as_tensor(value).to(self.logits.dtype))
        return -ops.binary_cross_entropy_with_logits(logits, value, reduction="none")

    def entropy(self):
        logits = self.logits
        return ops.binary_cross_entropy_with_logits(logits, ops.sigmoid(logits), reduction="none")

    def enumerate_support(self, expand: bool = True):
        return _rows(np.arange(2, dtype=self._dtype), self._batch_shape, expand)

    @property
    def mode(self):
        """1 or 0; NaN where both are as probable."""
        likely = ops.ge(self.probs, 0.5).to(self.probs.dtype)
        return ops.where(ops.eq(self.probs, 0.5), np.nan, likely)

    mean = property(lambda self: self.probs, doc="``probs``.")
    variance = property(lambda self: self.probs * (1 - self.probs), doc="The variance.")


class Geometric(_OfProbability):
    """The number of failures before the first success.

    >>> Geometric(0.25).mean
    tensor(3.)
    """

    support = constraints.nonnegative_integer

    def __init__(self, probs=None, logits=None, validate_args=None):
        super().__init__(probs, logits, validate_args)
        if self._validate_args and probs is not None and not (self.probs > 0).all():
            raise ValueError(f"Expected parameter probs (Tensor of shape {tuple(self.probs.shape)}) of "
                             f"distribution {self!r} to be positive but found invalid values:\n"
                             f"{self.probs[self.probs <= 0]}")

    def sample(self, sample_shape=()):
        draws = np.log1p(-self._noise("uniform", sample_shape).array) / np.log1p(-self.probs.array)
        return Tensor._wrap(np.floor(draws).astype(self._dtype))

    def log_prob(self, value):
        self._validate_sample(value)
        return value * ops.log1p(-self.probs) + ops.log(self.probs)

    def entropy(self):
        return (
            ops.binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none") / self.probs
        )

    mean = property(lambda self: 1 / self.probs - 1, doc="The expected number.")
    mode = property(lambda self: zeros_like(self.probs), doc="0.")
    variance = property(lambda self: (1 / self.probs - 1) / self.probs, doc="The variance.")


class Binomial(_OfProbability):
    """The number of successes among ``total_count`` trials.

    >>> Binomial(10, 0.25).mean
    tensor(2.5000)
    """

    has_enumerate_support = True
    arg_constraints = {"total_count": constraints.nonnegative_integer, **_OfProbability.arg_constraints}

    def __init__(self, total_count=1, probs=None, logits=None, validate_args=None):
        _one_of(probs, logits)
        self.total_count, given = parameters(total_count, logits if probs is None else probs)
        super().__init__(*((given, None) if logits is None else (None, given)), validate_args)

    @property
    def support(self):
        """0 to ``total_count``."""
        return constraints.integer_interval(0, self.total_count)

    def enumerate_support(self, expand: bool = True):
        count = self.total_count.array
        if count.size and count.min() != count.max():
            raise NotImplementedError("Inhomogeneous total count not supported by `enumerate_support`.")
        return _rows(np.arange(int(count.max()) + 1, dtype=self._dtype), self._batch_shape, expand)

    def sample(self, sample_shape=()):
        shape = self._extended(sample_shape)
        generator = ops.random.default_generator.numpy
        draws = generator.binomial(self.total_count.array.astype(np.int64), self.probs.array, shape)
        return Tensor._wrap(np.asarray(draws).astype(self._dtype))

    def log_prob(self, value):
        self._validate_sample(value)
        count = self.total_count
        choices = ops.lgamma(count + 1) - ops.lgamma(value + 1) - ops.lgamma(count - value + 1)
        return choices + value * self.logits - count * ops.softplus(self.logits)

    mean = property(lambda self: self.total_count * self.probs, doc="The expected number.")

    @property
    def mode(self):
        return ops.minimum(ops.floor((self.total_count + 1) * self.probs), self.total_count)

    variance = property(lambda self: self.mean * (1 - self.probs), doc="The variance.")


class Categorical(Distribution):
    """One of K classes, of probabilities along the last dimension of ``probs`` or ``logits``.

    Both are normalised: ``probs`` by their sum, ``logits`` by logsumexp.

    >>> from tinygrad_hw import tensor
    >>> Categorical(tensor([1.0, 3.0])).log_prob(tensor(1)).exp()
    tensor(0.7500)
    """

    has_enumerate_support = True
    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}

    def __init__(self, probs=None, logits=None, validate_args=None):
        _one_of(probs, logits)
        (given,) = parameters(logits if probs is None else probs)
        if given.ndim < 1:
            name = "logits" if probs is None else "probs"
            raise ValueError(f"`{name}` parameter must be at least one-dimensional.")
        if probs is None:
            self.logits = given - ops.logsumexp(given, -1, True)
        else:
            self.probs = given / ops.sum(given, -1, True)
        self._classes = given.shape[-1]
        super().__init__(given.shape[:-1], (), validate_args)

    @lazy
    def probs(self):
        """Probabilities of the classes."""
        return ops.softmax(self.logits, -1)

    @lazy
    def logits(self):
        """Their logarithms, finite for probabilities of 0, too."""
        return ops.log(_inside(self.probs))

    @property
    def support(self):
        """The numbers of the classes."""
        return constraints.integer_interval(0, self._classes - 1)

    @property
    def param_shape(self):
        """Shape of ``probs``."""
        return Size((*self._batch_shape, self._classes))

    def sample(self, sample_shape=()):
        shape = (*sample_shape, *self._batch_shape)
        points = ops.random.uniform((*shape, 1), dtype=np.float64)
        sums = np.cumsum(self.probs.array.astype(np.float64), -1)
        below = points * sums[..., -1:] >= sums
        return Tensor._wrap(np.asarray(np.minimum(below.sum(-1), sums.shape[-1] - 1)))

    def log_prob(self, value):
        self._validate_sample(value)
        value = as_tensor(value).long()
        shape = ops.broadcast_shapes(tuple(value.shape), tuple(self._batch_shape))
        index = ops.unsqueeze(ops.expand(value, shape), -1).contiguous()
        return ops.squeeze(
            ops.gather(ops.expand(self.logits, (*shape, self._classes)).contiguous(), -1, index), -1
        )

    def entropy(self):
        lowest = float(np.finfo(self.logits.array.dtype).min)
        return -ops.sum(ops.clamp_min(self.logits, lowest) * self.probs, -1)

    def enumerate_support(self, expand: bool = True):
        return _rows(np.arange(self._classes), self._batch_shape, expand)

    mode = property(lambda self: ops.argmax(self.probs, -1), doc="The most probable class.")
    mean = variance = property(
        lambda self: ops.sum(self.probs, -1) * np.nan, doc="NaN: classes are no numbers."
    )


class OneHotCategorical(Distribution):
    """`Categorical` whose draws are vectors with a one in the place of the class.

    >>> from tinygrad_hw import tensor
    >>> OneHotCategorical(tensor([0.0, 1.0])).sample()
    tensor([0., 1.])
    """

    has_enumerate_support = True
    arg_constraints = Categorical.arg_constraints
    support = constraints.one_hot

    def __init__(self, probs=None, logits=None, validate_args=None):
        self._categorical = Categorical(probs, logits, validate_args)
        shape = self._categorical.param_shape
        super().__init__(shape[:-1], shape[-1:], validate_args)

    probs = property(lambda self: self._categorical.probs, doc="Probabilities of the classes.")
    logits = property(lambda self: self._categorical.logits, doc="Their logarithms.")

    def sample(self, sample_shape=()):
        return self._as_vectors(self._categorical.sample(sample_shape))

    def log_prob(self, value):
        self._validate_sample(value)
        return self._categorical.log_prob(ops.argmax(value, -1))

    def entropy(self):
        return self._categorical.entropy()

    def enumerate_support(self, expand: bool = True):
        return self._as_vectors(self._categorical.enumerate_support(expand))

    def _as_vectors(self, classes):
        return ops.one_hot(classes, self._event_shape[0]).to(self.probs.dtype)

    mean = property(lambda self: self.probs, doc="``probs``.")
    mode = property(lambda self: self._as_vectors(self._categorical.mode), doc="The most probable class.")
    variance = property(lambda self: self.probs * (1 - self.probs), doc="The variance.")


class Poisson(Distribution):
    """The number of events of a rate.

    >>> Poisson(3.0).mean
    tensor(3.)
    """

    arg_constraints = {"rate": constraints.nonnegative}
    support = constraints.nonnegative_integer

    def __init__(self, rate, validate_args=None):
        (self.rate,) = parameters(rate)
        super().__init__(self.rate.shape, (), validate_args)

    def sample(self, sample_shape=()):
        draws = ops.random.default_generator.numpy.poisson(self.rate.array, self._extended(sample_shape))
        return Tensor._wrap(np.asarray(draws).astype(self._dtype))

    def log_prob(self, value):
        self._validate_sample(value)
        return ops.xlogy(value, self.rate) - self.rate - ops.lgamma(value + 1)

    mean = variance = property(lambda self: self.rate, doc="``rate``.")
    mode = property(lambda self: ops.floor(self.rate), doc="The rate without its fraction.")
