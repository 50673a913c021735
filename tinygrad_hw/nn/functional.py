"""The functions behind the layers, under the names of ``torch.nn.functional``.

Most are ops and stand in ``ops``, with their formulas, gradients and tests.  Written here is what acts
on Tensors only, ``inplace=True``, and functions put together from ops that few networks use.
"""

from __future__ import annotations

import inspect

import numpy as np

import ops
from ops import (  # noqa: F401
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
    avg_pool1d,
    avg_pool2d,
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    channel_shuffle,
    conv1d,
    conv2d,
    conv_transpose1d,
    conv_transpose2d,
    cosine_embedding_loss,
    cosine_similarity,
    cross_entropy,
    ctc_loss,
    embedding,
    gaussian_nll_loss,
    gelu,
    glu,
    group_norm,
    hardshrink,
    hinge_embedding_loss,
    huber_loss,
    interpolate,
    kl_div,
    l1_loss,
    layer_norm,
    linear,
    log_softmax,
    logsigmoid,
    lp_pool1d,
    lp_pool2d,
    margin_ranking_loss,
    max_pool1d,
    max_pool2d,
    max_unpool1d,
    max_unpool2d,
    mse_loss,
    multi_margin_loss,
    multilabel_soft_margin_loss,
    nll_loss,
    normalize,
    one_hot,
    pad,
    pairwise_distance,
    pdist,
    pixel_shuffle,
    pixel_unshuffle,
    poisson_nll_loss,
    prelu,
    rms_norm,
    scaled_dot_product_attention,
    sigmoid,
    smooth_l1_loss,
    soft_margin_loss,
    softmax,
    softmin,
    softplus,
    softshrink,
    softsign,
    tanh,
    tanhshrink,
    triplet_margin_loss,
)
from ops.loss.regression import choose_reduction as _choose_reduction
from ops.loss.regression import reduce_losses as _reduce_losses
from tinygrad_hw.nn.lookup import affine_grid, embedding_bag, grid_sample  # noqa: F401
from tinygrad_hw.tensor import Tensor
from tinygrad_hw.waiting import compute_waiting as _compute_waiting

_NO_OPTIONS: dict = {}

# ------------------------------------------------------------------ inplace=True


def _with_inplace(op, saves_input: bool | None = None):
    """``op`` with a last argument ``inplace``: the result is written over the input, history included.

    An op whose gradient needs its input works on a copy then.
    """
    parameters = [p for p in inspect.signature(op).parameters.values() if p.kind is not p.KEYWORD_ONLY]
    count, plain = len(parameters), type(op) is ops.core.Op
    if saves_input is None:
        saves_input = "input" not in op.rules or "input" in op.rules["input"].needs

    def function(input, *args, inplace=False, **kwargs):
        if plain and not inplace and len(args) < count and isinstance(input, Tensor):
            return (op.recorded or input.recorder(op))(input, *args, **kwargs)  # 0.3 us less than op(...)
        if len(args) >= count:
            *args, inplace = args
        if not inplace:
            return op(input, *args, **kwargs)
        result = op(ops.clone(input) if saves_input and input.requires_grad else input, *args, **kwargs)
        return input if result is input else input._assign(result)

    function.__name__ = function.__qualname__ = op.__name__
    function.__module__ = __name__
    function.__signature__ = inspect.Signature(
        [
            *parameters,
            inspect.Parameter("inplace", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=False),
        ]
    )
    function.__doc__ = f"`ops.{op.__name__}`, which may overwrite its input (``inplace=True``)."
    return function


celu = _with_inplace(ops.celu)
elu = _with_inplace(ops.elu)
hardsigmoid = _with_inplace(ops.hardsigmoid)
hardswish = _with_inplace(ops.hardswish)
hardtanh = _with_inplace(ops.hardtanh)
leaky_relu = _with_inplace(ops.leaky_relu)
mish = _with_inplace(ops.mish)
relu = _with_inplace(ops.relu)
relu6 = _with_inplace(ops.relu6)
selu = _with_inplace(ops.selu)
silu = _with_inplace(ops.silu)
threshold = _with_inplace(ops.threshold)
dropout = _with_inplace(ops.dropout, saves_input=False)
dropout1d = _with_inplace(ops.dropout1d, saves_input=False)
dropout2d = _with_inplace(ops.dropout2d, saves_input=False)
dropout3d = _with_inplace(ops.dropout3d, saves_input=False)


def _always_inplace(function):
    def inplace(input, *args, **kwargs):
        return function(input, *args, inplace=True, **kwargs)

    inplace.__name__ = inplace.__qualname__ = function.__name__ + "_"
    inplace.__doc__ = f"`{function.__name__}` that overwrites its input."
    return inplace


def alpha_dropout(input, p=0.5, training=False, inplace=False):
    """Dropout that keeps mean 0 and variance 1; off unless ``training``."""
    result = ops.alpha_dropout(input, p, training)
    return input._assign(result) if inplace and result is not input else result


def feature_alpha_dropout(input, p=0.5, training=False, inplace=False):
    """`alpha_dropout` of whole channels; off unless ``training``."""
    result = ops.feature_alpha_dropout(input, p, training)
    return input._assign(result) if inplace and result is not input else result


def rrelu(input, lower=1.0 / 8, upper=1.0 / 3, training=False, inplace=False):
    """Leaky ReLU with a slope drawn from [lower, upper) while training, else their mean.

    Source: Xu et al. 2015, https://arxiv.org/abs/1505.00853

    >>> from tinygrad_hw import tensor
    >>> rrelu(tensor([-2.0, 2.0]), 0.5, 0.5)
    tensor([-1.,  2.])
    """
    if lower > upper:
        raise RuntimeError(
            f"Lower bound should be less than or equal to the upper bound, got {lower} and {upper}"
        )
    if training:
        slope = ops.random.uniform(tuple(input.shape), lower, upper, dtype=input.array.dtype)
        result = ops.where(ops.ge(input, 0), input, ops.mul(input, slope))
    else:
        result = ops.leaky_relu(input, (lower + upper) / 2)
    return input._assign(result) if inplace else result


relu_, elu_, celu_, selu_, leaky_relu_, rrelu_, hardtanh_, threshold_ = map(
    _always_inplace, (relu, elu, celu, selu, leaky_relu, rrelu, hardtanh, threshold))


# ------------------------------------------------------------------ normalisation


def _will_change(*buffers) -> None:
    """Running statistics are about to be changed in place."""
    for buffer in buffers:
        if buffer is not None:
            _compute_waiting(buffer)
            buffer._bump()


def batch_norm(
    input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5
):
    """`ops.batch_norm`; while training, ``running_mean`` and ``running_var`` are updated in place."""
    if training:
        _will_change(running_mean, running_var)
    return ops.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)


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
    """`ops.instance_norm`; with ``use_input_stats`` the running statistics are updated in place."""
    if use_input_stats:
        _will_change(running_mean, running_var)
    return ops.instance_norm(
        input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps
    )


def local_response_norm(input, size, alpha=1e-4, beta=0.75, k=1.0):
    """``input / (k + alpha * mean of squares over size neighbouring channels) ** beta``.

    Source: Krizhevsky et al. 2012, section 3.3

    >>> from tinygrad_hw import tensor
    >>> local_response_norm(tensor([[[2.0]]]), 1, alpha=1.0, beta=1.0)
    tensor([[[0.4000]]])
    """
    if input.ndim < 3:
        raise ValueError(f"Expected 3D or higher dimensionality input (got {input.ndim} dimensions)")
    if input.array.size == 0:
        return input
    batch, channels = input.shape[:2]
    squares = ops.reshape(ops.mul(input, input), (batch, 1, channels, -1))
    squares = ops.pad(squares, (0, 0, size // 2, (size - 1) // 2))
    means = ops.reshape(ops.avg_pool2d(squares, (size, 1), 1), tuple(input.shape))
    return ops.div(input, ops.pow(ops.add(ops.mul(means, alpha), k), beta))


# ------------------------------------------------------------------ products and rearrangements


def bilinear(input1, input2, weight, bias=None):
    """``input1 @ weight[o] @ input2 + bias[o]`` for each output feature o.

    Args:
        input1: (*, in1_features).
        input2: (*, in2_features).
        weight: (out_features, in1_features, in2_features).
        bias: (out_features,) or None.

    >>> from tinygrad_hw import tensor
    >>> bilinear(tensor([1.0, 2.0]), tensor([3.0]), tensor([[[1.0], [1.0]]]))
    tensor([9.])
    """
    if tuple(input1.shape[:-1]) != tuple(input2.shape[:-1]):
        raise RuntimeError("bilinear(): input batch dimensions do not match: got "
                           f"{tuple(input1.shape)} and {tuple(input2.shape)}")
    for number, value in ((1, input1), (2, input2)):
        if value.shape[-1] != weight.shape[number]:
            raise RuntimeError(
                f"bilinear(): input{number} size does not match weight size: got {value.shape[-1]} but "
                f"expected {weight.shape[number]}"
            )
    left = ops.tensordot(input1, weight, dims=([input1.ndim - 1], [1]))  # (*, out, in2)
    result = ops.sum(ops.mul(left, ops.unsqueeze(input2, -2)), -1)
    return result if bias is None else ops.add(result, bias)


def gumbel_softmax(logits, tau=1, hard=False, eps=1e-10, dim=-1):
    """Softmax of (logits + Gumbel noise) / tau; ``hard`` rounds to one-hot but keeps the soft gradient.

    Source: Jang et al. 2017, https://arxiv.org/abs/1611.01144
    """
    noise = -np.log(ops.random.exponential(tuple(logits.shape), dtype=logits.array.dtype))
    soft = ops.softmax(ops.div(ops.add(logits, noise), tau), dim)
    if not hard:
        return soft
    picked = np.zeros_like(soft.array)
    np.put_along_axis(picked, soft.array.argmax(dim, keepdims=True), 1, dim)
    return ops.add(ops.sub(Tensor._wrap(picked), soft.detach()), soft)


# ----------------------------------------- ops under another name, and former names


def unfold(input, kernel_size, dilation=1, padding=0, stride=1):
    """Sliding blocks of (N, C, H, W) as columns: `ops.im2col`."""
    return ops.im2col(input, kernel_size, dilation, padding, stride)


def fold(input, output_size, kernel_size, dilation=1, padding=0, stride=1):
    """The sum of columns at the places that `unfold` takes them from: `ops.col2im`."""
    return ops.col2im(input, output_size, kernel_size, dilation, padding, stride)


def upsample(input, size=None, scale_factor=None, mode="nearest", align_corners=None):
    """Former name of `interpolate`."""
    return ops.interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(input, size=None, scale_factor=None):
    """Former name of `interpolate` with mode nearest."""
    return ops.interpolate(input, size, scale_factor, "nearest")


def upsample_bilinear(input, size=None, scale_factor=None):
    """Former name of `interpolate` with mode bilinear and aligned corners."""
    return ops.interpolate(input, size, scale_factor, "bilinear", True)


# ------------------------------------------------------------------ losses with margins


def _reduced(losses, size_average, reduce, reduction):
    return _reduce_losses(losses, _choose_reduction(reduction, size_average, reduce))


def multilabel_margin_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    """Sum over target and other classes of max(0, 1 - input[target] + input[other]), divided by C.

    Args:
        input: (N, C) or (C,).
        target: classes of the same shape; those after the first -1 do not count.

    >>> from tinygrad_hw import tensor
    >>> multilabel_margin_loss(tensor([[0.1, 0.2, 0.4, 0.8]]), tensor([[3, 0, -1, 1]]))
    tensor(0.8500)
    """
    if input.shape != target.shape:
        raise RuntimeError(
            f"inconsistent target size: {list(target.shape)} for input of size: {list(input.shape)}"
        )
    single = input.ndim == 1
    rows, classes = (ops.unsqueeze(input, 0), target.array[None]) if single else (input, target.array)
    count = rows.shape[1]
    listed = np.cumprod(classes >= 0, 1).astype(bool)  # up to the first -1
    is_target = np.zeros((len(classes), count), bool)
    row, place = np.nonzero(listed)
    is_target[row, classes[row, place]] = True
    picked = ops.unsqueeze(
        ops.gather(rows, 1, Tensor._wrap(np.where(listed, classes, 0))), 2
    )  # (N, C, 1)
    hinge = ops.clamp_min(ops.add(ops.sub(ops.unsqueeze(rows, 1), picked), 1.0), 0)
    counted = listed[:, :, None] & ~is_target[:, None, :]
    losses = ops.mul(ops.sum(ops.mul(hinge, counted), (1, 2)), 1.0 / count)
    return _reduced(ops.squeeze(losses, 0) if single else losses, size_average, reduce, reduction)


def triplet_margin_with_distance_loss(anchor, positive, negative, *, distance_function=None, margin=1.0,
                                      swap=False, reduction="mean"):
    """max(0, distance(anchor, positive) - distance(anchor, negative) + margin).

    Args:
        distance_function: of two Tensors; the Euclidean distance by default.
        swap: take the negative's distance to the positive where that is nearer.
    """
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")
    distance = ops.pairwise_distance if distance_function is None else distance_function
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = ops.minimum(far, distance(positive, negative))
    return _reduced(ops.clamp_min(ops.add(ops.sub(near, far), margin), 0), None, None, reduction)
