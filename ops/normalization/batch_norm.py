"""Batch, group and instance norm: `channel_norm` with statistics over different sets of elements."""

from __future__ import annotations

import math

import numpy as np

from ops.core import Bad, array_of, case, composite, dtype_of, shape_of
from ops.elementwise.arithmetic import mul, neg, sub
from ops.normalization.affine import channel_affine
from ops.normalization.channel_norm import channel_norm, check_floating, count_of, norm_reference
from ops.samples import spaced

__all__ = ["batch_norm", "group_norm", "instance_norm"]


def _check_channels(channels: int, **tensors) -> None:
    for name, value in tensors.items():
        if value is not None and shape_of(value) != (channels,):
            raise RuntimeError(
                f"{name} should contain {channels} elements not {array_of(value).size}: the input has "
                f"{channels} channels, {name} has shape {tuple(value.shape)}"
            )


def _update_running(running_mean, running_var, mean: np.ndarray, variance: np.ndarray, momentum: float,
                    count: int) -> None:
    """Move the running averages in place; the variance that goes in is the unbiased one."""
    unbiased = variance * (count / (count - 1) if count > 1 else np.nan)
    for running, new in ((running_mean, mean), (running_var, unbiased)):
        if running is not None:
            array = array_of(running)
            array *= 1 - momentum
            array += momentum * new


def _batch_cases(rng):
    weight, bias = spaced(rng, (3,), 0.5, 1.5), spaced(rng, (3,))
    running = spaced(rng, (3,)), spaced(rng, (3,), 0.5, 2.0)
    yield case(spaced(rng, (2, 3, 2, 2)), None, None, weight, bias, True)
    yield case(spaced(rng, (4, 3)), None, None, training=True, eps=1e-2)
    yield case(spaced(rng, (2, 3, 2)), *running, weight, bias)
    yield case(spaced(rng, (0, 3, 2)), *running)


def _batch_reference(
    input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5
):
    moved = np.moveaxis(input, 1, -1)
    flat = moved.reshape(-1, input.shape[1])
    mean, var = (flat.mean(0), flat.var(0)) if training else (running_mean, running_var)
    result = (moved - mean) / np.sqrt(var + eps) * (1 if weight is None else weight) + (
        0 if bias is None else bias
    )
    return np.moveaxis(result, -1, 1)


@composite(
    differentiable=("input", "weight", "bias"),
    samples=_batch_cases,
    reference=_batch_reference,
    exempt={"zero_dim": "takes 2 dimensions or more"},
    bad=[
        Bad(
            (np.ones((2, 3)), None, None),
            {},
            RuntimeError,
            "running_mean must be defined in evaluation mode",
        ),
        Bad(
            (np.ones((2, 3)), np.ones(3), None),
            {},
            RuntimeError,
            "running_var must be defined in evaluation mode",
        ),
        Bad(
            (np.ones((2, 3)), np.ones(2), np.ones(2)),
            {},
            RuntimeError,
            "running_mean should contain 3 elements not 2",
        ),
        Bad(
            (np.ones((2, 3)), None, None, np.ones(2), None, True),
            {},
            RuntimeError,
            "weight should contain 3 .* not 2",
        ),
        Bad(
            (np.ones((1, 3)), None, None, None, None, True),
            {},
            ValueError,
            r"more than 1 value per channel.*\(1, 3\)",
        ),
        Bad(
            (np.ones((2, 3), int), None, None, None, None, True),
            {},
            NotImplementedError,
            "not implemented for 'int64'",
        ),
    ],
)
def batch_norm(
    input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5
):
    """Normalise each channel, by the batch's statistics while training, else by the running ones.

    Args:
        input: (N, C, ...).
        running_mean: (C,); while training it is updated in place, or None.
        running_var: (C,), of unbiased variances; while training it is updated in place, or None.
        weight: (C,) or None.
        bias: (C,) or None.
        training: use the batch's own (biased) variance and update the running statistics.
        momentum: weight of the new statistics in the running ones.
        eps: added to the variance.

    Raises:
        RuntimeError: if a vector has not C elements, or running statistics are missing in evaluation.
        ValueError: if a channel has only one value while training.

    Source: Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167

    >>> batch_norm(np.array([[1.0], [3.0]]), None, None, training=True, eps=0.0)
    array([[-1.],
           [ 1.]])
    """
    shape = check_floating("batch_norm", input)
    if len(shape) < 2:
        raise IndexError(f"batch_norm expects an input (N, C, ...), got shape {shape}")
    if training:
        count = count_of(shape, None)
        if count == 1:
            raise ValueError(
                f"Expected more than 1 value per channel when training, got input size {shape}; use a "
                "batch of 2 or more, or .eval()"
            )
    else:
        for name, value in (("running_mean", running_mean), ("running_var", running_var)):
            if value is None:
                raise RuntimeError(f"{name} must be defined in evaluation mode")
    _check_channels(
        shape[1], running_mean=running_mean, running_var=running_var, weight=weight, bias=bias
    )
    if training:
        values, mean, variance = channel_norm(input, weight, bias, None, eps)
        if count:
            _update_running(
                running_mean, running_var, array_of(mean), array_of(variance), momentum, count
            )
        return values
    scale = array_of(running_var) + eps
    inverse = (1.0 / np.sqrt(scale)).astype(dtype_of(input))
    center = array_of(running_mean).astype(dtype_of(input))
    # with constant statistics the layer is one affine map: input * factor + offset
    factor = inverse if weight is None else mul(weight, inverse)
    offset = neg(mul(factor, center)) if bias is None else sub(bias, mul(factor, center))
    return channel_affine(input, factor, offset)


def _group_cases(rng):
    yield case(spaced(rng, (2, 4, 3)), 2, spaced(rng, (4,), 0.5, 1.5), spaced(rng, (4,)))
    yield case(spaced(rng, (2, 4)), 1)
    yield case(spaced(rng, (0, 4, 2)), 2)


def _group_reference(input, num_groups, weight=None, bias=None, eps=1e-5):
    return norm_reference(input, weight, bias, num_groups, eps)[0]


@composite(
    differentiable=("input", "weight", "bias"),
    samples=_group_cases,
    reference=_group_reference,
    exempt={"zero_dim": "takes 2 dimensions or more"},
    bad=[
        Bad((np.ones((2, 3, 4)), 2), {}, RuntimeError, "divisible by num_groups"),
        Bad(
            (np.ones(3), 3),
            {},
            RuntimeError,
            "Expected at least 2 dimensions for input tensor but received 1",
        ),
        Bad((np.ones((1, 3)), 3), {}, ValueError, "more than 1 value per channel"),
        Bad(
            (np.ones((2, 3, 4)), 3, np.ones(2)),
            {},
            RuntimeError,
            r"Expected weight to be a vector.*\[2\]",
        ),
    ],
)
def group_norm(input, num_groups, weight=None, bias=None, eps=1e-5):
    """Normalise each sample over groups of channels.

    Args:
        input: (N, C, ...).
        num_groups: number of groups, a divisor of C.
        weight: (C,) or None.
        bias: (C,) or None.
        eps: added to the (biased) variance.

    Source: Wu and He 2018, https://arxiv.org/abs/1803.08494

    >>> group_norm(np.array([[1.0, 3.0, 5.0, 5.0]]), 2, eps=0.01).round(2)
    array([[-1.,  1.,  0.,  0.]])
    """
    shape = check_floating("group_norm", input)
    if len(shape) < 2:
        raise RuntimeError(f"Expected at least 2 dimensions for input tensor but received {len(shape)}")
    if num_groups < 1 or shape[1] % num_groups:
        raise RuntimeError(
            "Expected number of channels in input to be divisible by num_groups, but got input of shape "
            f"{list(shape)} and num_groups={num_groups}"
        )
    for name, value in (("weight", weight), ("bias", bias)):
        if value is not None and shape_of(value) != (shape[1],):
            raise RuntimeError(
                f"Expected {name} to be a vector of size equal to the number of channels in input, but"
                f" got {name} of shape {list(value.shape)} and input of shape {list(shape)}"
            )
    if math.prod(shape) and shape[0] * count_of(shape, num_groups) == 1:
        raise ValueError(
            f"Expected more than 1 value per channel when training, got input size {list(shape)}"
        )
    return channel_norm(input, weight, bias, num_groups, eps)[0]


def _instance_cases(rng):
    weight, bias = spaced(rng, (3,), 0.5, 1.5), spaced(rng, (3,))
    yield case(spaced(rng, (2, 3, 4)), None, None, weight, bias)
    yield case(spaced(rng, (2, 3, 2, 2)))
    yield case(
        spaced(rng, (2, 3, 2)), spaced(rng, (3,)), spaced(rng, (3,), 0.5, 2.0), weight, bias, False
    )
    yield case(spaced(rng, (0, 3, 2)))


def _instance_reference(
    input,
    running_mean=None,
    running_var=None,
    weight=None,
    bias=None,
    use_input_stats=True,
    momentum=0.1,
    eps=1e-5,
):
    if not use_input_stats:
        return _batch_reference(input, running_mean, running_var, weight, bias, False, eps=eps)
    return norm_reference(input, weight, bias, input.shape[1], eps)[0]


@composite(
    differentiable=("input", "weight", "bias"),
    samples=_instance_cases,
    reference=_instance_reference,
    exempt={"zero_dim": "takes 3 dimensions or more"},
    bad=[
        Bad((np.ones((2, 3, 1)),), {}, ValueError, r"more than 1 spatial element.*\(2, 3, 1\)"),
        Bad(
            (np.ones((2, 3, 4)),),
            {"use_input_stats": False},
            RuntimeError,
            "running_mean and running_var to be def",
        ),
        Bad(
            (np.ones((2, 3, 4)),),
            {"weight": np.ones(2)},
            RuntimeError,
            "weight should contain 3 elements not 2",
        ),
    ],
)
def instance_norm(
    input,
    running_mean=None,
    running_var=None,
    weight=None,
    bias=None,
    use_input_stats=True,
    momentum=0.1,
    eps=1e-5,
):
    """Normalise each channel of each sample by itself.

    Args:
        input: (N, C, ...) with two positions or more.
        running_mean: (C,) or None; updated in place with the batch's average of the means.
        running_var: (C,) or None; likewise with the unbiased variances.
        weight: (C,) or None.
        bias: (C,) or None.
        use_input_stats: without it the running statistics are used.
        momentum: weight of the new statistics in the running ones.
        eps: added to the variance.

    Source: Ulyanov et al. 2016, https://arxiv.org/abs/1607.08022

    >>> instance_norm(np.array([[[1.0, 3.0], [5.0, 5.0]]]), eps=0.01).round(2)
    array([[[-1.,  1.],
            [ 0.,  0.]]])
    """
    shape = check_floating("instance_norm", input)
    if not use_input_stats:
        if running_mean is None or running_var is None:
            raise RuntimeError(
                "Expected running_mean and running_var to be defined when use_input_stats is false"
            )
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    positions = math.prod(shape[2:])
    if positions == 1:
        raise ValueError(f"Expected more than 1 spatial element when training, got input size {shape}")
    _check_channels(
        shape[1], running_mean=running_mean, running_var=running_var, weight=weight, bias=bias
    )
    values, mean, variance = channel_norm(input, weight, bias, max(shape[1], 1), eps)
    if shape[0] and positions:
        _update_running(
            running_mean,
            running_var,
            array_of(mean).mean(0),
            array_of(variance).mean(0),
            momentum,
            positions,
        )
    return values
