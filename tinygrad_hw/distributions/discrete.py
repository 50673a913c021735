"""Distributions of whole numbers and classes: `Bernoulli`, `Categorical`, ..."""

from __future__ import annotations

import numpy as np

import ops
from tinygrad_hw.construct import as_tensor
from tinygrad_hw.distributions.distribution import Distribution, parameters
from tinygrad_hw.tensor import Tensor

__all__ = ["Bernoulli", "Binomial", "Categorical", "Geometric", "OneHotCategorical", "Poisson"]


def _one_of(name: str, probs, logits) -> None:
    if (probs is None) == (logits is None):
        raise ValueError(f"{name}: Either `probs` or `logits` must be specified, but not both.")


class _OfProbability(Distribution):
    """What distributions share that are given by ``probs`` or by ``logits`` = log(p / (1 - p))."""

    def __init__(self, probs=None, logits=None, validate_args=None):
        _one_of(type(self).__name__, probs, logits)
        (given,) = parameters(logits if probs is None else probs)
        self._given_logits = probs is None
        super().__init__(given.shape, (), validate_args)
        if probs is not None:
            self._check("probs", given, (given.array >= 0) & (given.array <= 1), "within [0, 1]")
            self.probs = given
        else:
            self._check_real(logits=given)
            self.logits = given

    def __getattr__(self, name: str):
        if name == "probs" and "logits" in vars(self):
            return ops.sigmoid(self.logits)
        if name == "logits" and "probs" in vars(self):
            edge = float(np.finfo(self.probs.array.dtype).eps)
            inside = ops.clamp(self.probs, edge, 1 - edge)
            return ops.log(inside) - ops.log1p(-inside)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")


class Bernoulli(_OfProbability):
    """1 with probability ``probs``, else 0.

    >>> from tinygrad_hw import tensor
    >>> Bernoulli(0.25).log_prob(tensor(1.0))  # log 0.25
    tensor(-1.3863)
    """

    def sample(self, sample_shape=()):
        draws = self._noise("uniform", sample_shape).array < self.probs.array
        return Tensor._wrap(draws.astype(self._dtype))

    def log_prob(self, value):
        logits, value = ops.broadcast_tensors(self.logits, as_tensor(value).to(self.logits.dtype))
        return -ops.binary_cross_entropy_with_logits(logits, value, reduction="none")

    def entropy(self):
        logits = self.logits
        return ops.binary_cross_entropy_with_logits(logits, ops.sigmoid(logits), reduction="none")

    mean = property(lambda self: self.probs, doc="``probs``.")
    variance = property(lambda self: self.probs * (1 - self.probs), doc="The variance.")


class Geometric(_OfProbability):
    """The number of failures before the first success.

    >>> Geometric(0.25).mean
    tensor(3.)
    """

    def sample(self, sample_shape=()):
        draws = np.log1p(-self._noise("uniform", sample_shape).array) / np.log1p(-self.probs.array)
        return Tensor._wrap(np.floor(draws).astype(self._dtype))

    def log_prob(self, value):
        return value * ops.log1p(-self.probs) + ops.log(self.probs)

    def entropy(self):
        return (
            ops.binary_cross_entropy_with_logits(self.logits, self.probs, reduction="none") / self.probs
        )

    mean = property(lambda self: 1 / self.probs - 1, doc="The expected number.")
    variance = property(lambda self: (1 / self.probs - 1) / self.probs, doc="The variance.")


class Binomial(_OfProbability):
    """The number of successes among ``total_count`` trials.

    >>> Binomial(10, 0.25).mean
    tensor(2.5000)
    """

    def __init__(self, total_count=1, probs=None, logits=None, validate_args=None):
        count, given = parameters(total_count, logits if probs is None else probs)
        super().__init__(*((given, None) if logits is None else (None, given)), validate_args)
        self.total_count = count.detach()

    def sample(self, sample_shape=()):
        shape = self._extended(sample_shape)
        generator = ops.random.default_generator.numpy
        draws = generator.binomial(self.total_count.array.astype(np.int64), self.probs.array, shape)
        return Tensor._wrap(np.asarray(draws).astype(self._dtype))

    def log_prob(self, value):
        count = self.total_count
        choices = ops.lgamma(count + 1) - ops.lgamma(value + 1) - ops.lgamma(count - value + 1)
        return choices + value * self.logits - count * ops.softplus(self.logits)

    mean = property(lambda self: self.total_count * self.probs, doc="The expected number.")
    variance = property(lambda self: self.mean * (1 - self.probs), doc="The variance.")


class Categorical(Distribution):
    """One of K classes, of probabilities along the last dimension of ``probs`` or ``logits``.

    Both are normalised: ``probs`` by their sum, ``logits`` by logsumexp.

    >>> from tinygrad_hw import tensor
    >>> Categorical(tensor([1.0, 3.0])).log_prob(tensor(1)).exp()
    tensor(0.7500)
    """

    def __init__(self, probs=None, logits=None, validate_args=None):
        _one_of("Categorical", probs, logits)
        (given,) = parameters(logits if probs is None else probs)
        if given.ndim < 1:
            raise ValueError(
                f"`{'logits' if probs is None else 'probs'}` parameter must be at least "
                "one-dimensional: one number for each class"
            )
        super().__init__(given.shape[:-1], (), validate_args)
        if probs is None:
            self._check_real(logits=given)
            self.logits = ops.log_softmax(given, -1)
            self.probs = ops.softmax(given, -1)
        else:
            total = given.array.sum(-1, keepdims=True)
            self._check(
                "probs", given, (given.array >= 0) & (total > 0), "weights of classes, none negative"
            )
            self.probs = given / ops.sum(given, -1, True)
            edge = float(np.finfo(given.array.dtype).eps)
            self.logits = ops.log(ops.clamp(self.probs, edge, 1 - edge))

    @property
    def param_shape(self):
        """Shape of ``probs``."""
        return self.probs.shape

    def sample(self, sample_shape=()):
        shape = (*sample_shape, *self._batch_shape)
        points = ops.random.uniform((*shape, 1), dtype=np.float64)
        sums = np.cumsum(self.probs.array.astype(np.float64), -1)
        below = points * sums[..., -1:] >= sums
        return Tensor._wrap(np.asarray(np.minimum(below.sum(-1), sums.shape[-1] - 1)))

    def log_prob(self, value):
        value = as_tensor(value).long()
        shape = ops.broadcast_shapes(tuple(value.shape), tuple(self._batch_shape))
        classes = self.logits.shape[-1]
        self._check(
            "value", value, (value.array >= 0) & (value.array < classes), f"classes 0 to {classes - 1}"
        )
        index = ops.unsqueeze(ops.expand(value, shape), -1).contiguous()
        return ops.squeeze(
            ops.gather(ops.expand(self.logits, (*shape, classes)).contiguous(), -1, index), -1
        )

    def entropy(self):
        lowest = float(np.finfo(self.logits.array.dtype).min)
        return -ops.sum(ops.clamp_min(self.logits, lowest) * self.probs, -1)

    def enumerate_support(self, expand: bool = True):
        """All classes, one in each row."""
        classes = np.arange(self.logits.shape[-1]).reshape(-1, *(1,) * len(self._batch_shape))
        wanted = (len(classes), *self._batch_shape)
        return Tensor._wrap(np.broadcast_to(classes, wanted).copy() if expand else classes)

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

    def __init__(self, probs=None, logits=None, validate_args=None):
        self._categorical = Categorical(probs, logits, validate_args)
        shape = self._categorical.param_shape
        super().__init__(shape[:-1], shape[-1:], validate_args)

    probs = property(lambda self: self._categorical.probs, doc="Probabilities of the classes.")
    logits = property(lambda self: self._categorical.logits, doc="Their logarithms.")

    def sample(self, sample_shape=()):
        classes = self._categorical.sample(sample_shape).array
        return Tensor._wrap(np.eye(self._event_shape[0], dtype=self.probs.array.dtype)[classes])

    def log_prob(self, value):
        return self._categorical.log_prob(ops.argmax(value, -1))

    def entropy(self):
        return self._categorical.entropy()

    mean = property(lambda self: self.probs, doc="``probs``.")
    variance = property(lambda self: self.probs * (1 - self.probs), doc="The variance.")


class Poisson(Distribution):
    """The number of events of a rate.

    >>> Poisson(3.0).mean
    tensor(3.)
    """

    def __init__(self, rate, validate_args=None):
        (self.rate,) = parameters(rate)
        super().__init__(self.rate.shape, (), validate_args)
        self._check("rate", self.rate, self.rate.array >= 0, "0 or more")

    def sample(self, sample_shape=()):
        draws = ops.random.default_generator.numpy.poisson(self.rate.array, self._extended(sample_shape))
        return Tensor._wrap(np.asarray(draws).astype(self._dtype))

    def log_prob(self, value):
        return ops.xlogy(value, self.rate) - self.rate - ops.lgamma(value + 1)

    mean = variance = property(lambda self: self.rate, doc="``rate``.")
