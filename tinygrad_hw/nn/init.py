"""Initial values of parameters, with the names of ``torch.nn.init``.

Every function fills its Tensor in place, records nothing, and returns the Tensor.  The numbers come from
``generator``, by default from the one that ``manual_seed`` seeds.
Source: https://docs.pytorch.org/docs/stable/nn.init.html
"""

from __future__ import annotations

import functools
import math
import warnings

import numpy as np

from ops import random
from tinygrad_hw.tensor import Tensor
from tinygrad_hw.waiting import compute_waiting

__all__ = [
    "calculate_gain",
    "constant_",
    "dirac_",
    "eye_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "normal_",
    "ones_",
    "orthogonal_",
    "sparse_",
    "trunc_normal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]

_GAINS = {
    "tanh": 5.0 / 3,
    "relu": math.sqrt(2.0),
    "selu": 3.0 / 4,
    **dict.fromkeys(
        (
            "linear",
            "conv1d",
            "conv2d",
            "conv3d",
            "conv_transpose1d",
            "conv_transpose2d",
            "conv_transpose3d",
            "sigmoid",
        ),
        1.0,
    ),
}


def calculate_gain(nonlinearity: str, param=None) -> float:
    """The factor that keeps the variance of activations through a nonlinearity.

    Args:
        nonlinearity: name of the function in `nn.functional`.
        param: the negative slope of ``leaky_relu``, 0.01 by default.

    Raises:
        ValueError: for a function without a known gain.

    >>> calculate_gain("relu")
    1.4142135623730951
    """
    if nonlinearity == "leaky_relu":
        if param is None:
            param = 0.01
        elif isinstance(param, bool) or not isinstance(param, (int, float)):
            raise ValueError(f"negative_slope {param} not a valid number")
        return math.sqrt(2.0 / (1 + param**2))
    if nonlinearity not in _GAINS:
        raise ValueError(
            f"Unsupported nonlinearity {nonlinearity}; use one of leaky_relu, {', '.join(_GAINS)}"
        )
    return _GAINS[nonlinearity]


def _fill(tensor: Tensor, values) -> Tensor:
    compute_waiting(tensor)
    np.copyto(tensor.array, values, casting="unsafe")
    tensor._bump()
    return tensor


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator=None) -> Tensor:
    """Uniform numbers of [a, b).

    >>> from tinygrad_hw import zeros
    >>> bool((uniform_(zeros(100), 2, 3) >= 2).all())
    True
    """
    return _fill(
        tensor, random.uniform(tensor.shape, a, b, dtype=tensor.array.dtype, generator=generator)
    )


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator=None) -> Tensor:
    """Normal numbers.

    >>> from tinygrad_hw import zeros
    >>> normal_(zeros(2), 5.0, 0.0)
    tensor([5., 5.])
    """
    return _fill(
        tensor, random.normal(tensor.shape, mean, std, dtype=tensor.array.dtype, generator=generator)
    )


def trunc_normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0,
                  generator=None) -> Tensor:
    """Normal numbers that lie in [a, b].

    >>> from tinygrad_hw import zeros
    >>> bool((trunc_normal_(zeros(100), a=-1, b=1).abs() <= 1).all())
    True
    """
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn("mean is more than 2 std from [a, b] in nn.init.trunc_normal_. "
                      "The distribution of values may be incorrect.", stacklevel=2)
    return _fill(tensor, random.truncated_normal(tensor.shape, mean, std, a, b, dtype=tensor.array.dtype,
                                                 generator=generator))


def constant_(tensor: Tensor, val: float) -> Tensor:
    """One value everywhere.

    >>> from tinygrad_hw import zeros
    >>> constant_(zeros(2), 0.5)
    tensor([0.5000, 0.5000])
    """
    return _fill(tensor, val)


def ones_(tensor: Tensor) -> Tensor:
    """Ones."""
    return _fill(tensor, 1)


def zeros_(tensor: Tensor) -> Tensor:
    """Zeros."""
    return _fill(tensor, 0)


def eye_(tensor: Tensor) -> Tensor:
    """The identity matrix.

    >>> from tinygrad_hw import zeros
    >>> eye_(zeros(2, 2))
    tensor([[1., 0.],
            [0., 1.]])
    """
    if tensor.ndim != 2:
        raise ValueError(
            f"Only tensors with 2 dimensions are supported, got shape {tuple(tensor.shape)}"
        )
    return _fill(tensor, np.eye(*tensor.shape))


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """A convolution's weight that passes its input channels on unchanged.

    >>> from tinygrad_hw import zeros
    >>> dirac_(zeros(1, 1, 3))
    tensor([[[0., 1., 0.]]])
    """
    shape = tuple(tensor.shape)
    if len(shape) not in (3, 4, 5):
        raise ValueError(f"Only tensors with 3, 4, or 5 dimensions are supported, got shape {shape}")
    if shape[0] % groups:
        raise ValueError(f"dim 0 must be divisible by groups, got {shape[0]} and {groups}")
    values = np.zeros(shape)
    per_group = shape[0] // groups
    center = tuple(size // 2 for size in shape[2:])
    for group in range(groups):
        for channel in range(min(per_group, shape[1])):
            values[(group * per_group + channel, channel, *center)] = 1
    return _fill(tensor, values)


def _calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    """How many inputs one output sees, and how many outputs one input reaches."""
    shape = tuple(tensor.shape)
    if len(shape) < 2:
        raise ValueError(
            "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions, got shape "
            f"{shape}"
        )
    positions = math.prod(shape[2:])
    return shape[1] * positions, shape[0] * positions


def _calculate_correct_fan(tensor: Tensor, mode: str) -> int:
    modes = ["fan_in", "fan_out"]
    if str(mode).lower() not in modes:
        raise ValueError(f"Mode {mode} not supported, please use one of {modes}")
    return _calculate_fan_in_and_fan_out(tensor)[modes.index(mode.lower())]


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator=None) -> Tensor:
    """Uniform numbers up to gain * sqrt(6 / (fan_in + fan_out)).

    Source: Glorot and Bengio 2010, https://proceedings.mlr.press/v9/glorot10a.html
    """
    bound = gain * math.sqrt(6.0 / sum(_calculate_fan_in_and_fan_out(tensor)))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator=None) -> Tensor:
    """Normal numbers of deviation gain * sqrt(2 / (fan_in + fan_out)); see `xavier_uniform_`."""
    return normal_(
        tensor, 0.0, gain * math.sqrt(2.0 / sum(_calculate_fan_in_and_fan_out(tensor))), generator
    )


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float | None:
    if 0 in tensor.shape:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=3)
        return None
    return calculate_gain(nonlinearity, a) / math.sqrt(_calculate_correct_fan(tensor, mode))


def kaiming_uniform_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator=None
) -> Tensor:
    """Uniform numbers up to gain * sqrt(3 / fan).

    Args:
        a: the negative slope of the leaky ReLU that follows.
        mode: ``fan_in`` keeps the variance forward, ``fan_out`` backward.
        nonlinearity: what `calculate_gain` is asked for.

    Source: He et al. 2015, https://arxiv.org/abs/1502.01852

    >>> from tinygrad_hw import zeros
    >>> bool(kaiming_uniform_(zeros(10, 6), nonlinearity="relu").abs().max() <= 1)
    True
    """
    std = _kaiming_std(tensor, a, mode, nonlinearity)
    if std is None:
        return tensor
    bound = math.sqrt(3.0) * std
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu",
                    generator=None) -> Tensor:
    """Normal numbers of standard deviation gain / sqrt(fan); see `kaiming_uniform_`."""
    std = _kaiming_std(tensor, a, mode, nonlinearity)
    return tensor if std is None else normal_(tensor, 0.0, std, generator)


def orthogonal_(tensor: Tensor, gain: float = 1, generator=None) -> Tensor:
    """A (semi-)orthogonal matrix; the dimensions after the first count as columns.

    Source: Saxe et al. 2014, https://arxiv.org/abs/1312.6120

    >>> from tinygrad_hw import zeros
    >>> w = orthogonal_(zeros(2, 3)).array
    >>> bool(np.allclose(w @ w.T, np.eye(2), atol=1e-6))
    True
    """
    if tensor.ndim < 2:
        raise ValueError(
            f"Only tensors with 2 or more dimensions are supported, got shape {tuple(tensor.shape)}"
        )
    if 0 in tensor.shape:
        return tensor
    rows = tensor.shape[0]
    columns = tensor.array.size // rows
    gaussian = random.normal((rows, columns), dtype=np.float64, generator=generator)
    q, r = np.linalg.qr(gaussian if rows >= columns else gaussian.T)
    q *= np.sign(np.diag(r))  # makes the distribution uniform
    return _fill(tensor, gain * (q if rows >= columns else q.T).reshape(tensor.shape))


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator=None) -> Tensor:
    """Normal numbers with a fraction of zeros in each column.

    Source: Martens 2010, https://www.cs.toronto.edu/~jmartens/docs/Deep_HessianFree.pdf

    >>> from tinygrad_hw import zeros
    >>> int((sparse_(zeros(4, 3), 0.5) == 0).sum())
    6
    """
    if tensor.ndim != 2:
        raise ValueError(
            f"Only tensors with 2 dimensions are supported, got shape {tuple(tensor.shape)}"
        )
    rows, columns = tensor.shape
    values = random.normal((rows, columns), 0.0, std, generator=generator)
    numpy = (generator or random.default_generator).numpy
    for column in range(columns):
        values[numpy.permutation(rows)[:math.ceil(sparsity * rows)], column] = 0
    return _fill(tensor, values)


def _deprecated(function):
    old = function.__name__[:-1]

    @functools.wraps(function)
    def renamed(*args, **kwargs):
        warnings.warn(
            f"`nn.init.{old}` is now deprecated in favor of `nn.init.{old}_`.",
            FutureWarning,
            stacklevel=2,
        )
        return function(*args, **kwargs)

    renamed.__doc__ = f"Former name of `{old}_`."
    return renamed


(
    uniform,
    normal,
    constant,
    eye,
    dirac,
    xavier_uniform,
    xavier_normal,
    kaiming_uniform,
    kaiming_normal,
    orthogonal,
    sparse,
) = map(
    _deprecated,
    (
        uniform_,
        normal_,
        constant_,
        eye_,
        dirac_,
        xavier_uniform_,
        xavier_normal_,
        kaiming_uniform_,
        kaiming_normal_,
        orthogonal_,
        sparse_,
    ),
)
