"""tinygrad_hw: an autograd engine written from scratch, with PyTorch's names and meanings.

    import tinygrad_hw as torch

The functions below are the ops themselves: ``tinygrad_hw.exp`` is ``ops.exp``.  They take Tensors, and
NumPy arrays as well (then they return arrays and record nothing).
"""

# isort: off
# (the names stand packed, several a line, and the last import needs those above it)
import importlib as _importlib
import math as _math

from ops import (
    abs, absolute, acos, acosh, adaptive_avg_pool1d, adaptive_max_pool1d, add, addbmm, addcdiv, addcmul,
    addmm, addmv, addr, all, allclose, amax, amin, aminmax, any, arccos, arccosh, arcsin, arcsinh,
    arctan, arctan2, arctanh, argmax, argmin, argsort, argwhere, asin, asinh, atan, atan2, atanh,
    atleast_1d, atleast_2d, atleast_3d, avg_pool1d, baddbmm, batch_norm,
    binary_cross_entropy_with_logits, bincount, bitwise_and, bitwise_left_shift, bitwise_not, bitwise_or,
    bitwise_right_shift, bitwise_xor, block_diag, bmm, broadcast_tensors, broadcast_to, bucketize,
    cartesian_prod, cat, cdist, ceil, celu, chain_matmul, channel_shuffle, cholesky, chunk, clamp,
    clamp_max, clamp_min, clip, clone, column_stack, combinations, concat, concatenate, constant_pad_nd,
    conv1d, conv2d, conv_transpose1d, conv_transpose2d, copysign, corrcoef, cos, cosh,
    cosine_embedding_loss, cosine_similarity, count_nonzero, cov, cross, cummax, cummin, cumprod, cumsum,
    cumulative_trapezoid, deg2rad, det, diag, diag_embed, diagflat, diagonal, diff, digamma, dist, div,
    divide, dot, dropout, dsplit, dstack, einsum, embedding, eq, equal, erf, erfc, erfinv, exp, exp2,
    expm1, flatten, flip, fliplr, flipud, float_power, floor, floor_divide, fmax, fmin, fmod, frac,
    gather, gcd, ge, greater, greater_equal, group_norm, gt, hardshrink, heaviside, hinge_embedding_loss,
    histc, hsplit, hstack, hypot, index_add, index_copy, index_fill, index_put, index_select, inner,
    instance_norm, inverse, isclose, isfinite, isinf, isnan, isneginf, isposinf, kl_div, kron, kthvalue,
    layer_norm, lcm, ldexp, le, lerp, less, less_equal, lgamma, log, log10, log1p, log2, log_softmax,
    logaddexp, logaddexp2, logcumsumexp, logical_and, logical_not, logical_or, logical_xor, logit,
    logsumexp, lt, margin_ranking_loss, masked_fill, masked_scatter, masked_select, matmul, matrix_exp,
    matrix_power, max, max_pool1d, max_pool2d, maximum, mean, median, meshgrid, min, minimum, mm, mode,
    moveaxis, movedim, mul, multiply, mv, nan_to_num, nanmean, nanmedian, nanquantile, nansum, narrow,
    ne, neg, negative, nonzero, norm, not_equal, outer, pairwise_distance, pdist, permute, pinverse,
    pixel_shuffle, pixel_unshuffle, poisson_nll_loss, polygamma, positive, pow, prelu, prod, quantile,
    rad2deg, ravel, reciprocal, relu, remainder, repeat_interleave, reshape, rms_norm, roll, rot90,
    round, row_stack, rsqrt, rsub, scatter, scatter_add, scatter_reduce, searchsorted, select, selu, sgn,
    sigmoid, sign, signbit, sin, sinc, sinh, softmax, sort, split, sqrt, square, squeeze, stack, std,
    std_mean, sub, subtract, sum, swapaxes, swapdims, t, take, take_along_dim, tan, tanh, tensor_split,
    tensordot, threshold, tile, topk, trace, transpose, trapezoid, trapz, tril, triplet_margin_loss,
    triu, true_divide, trunc, unbind, unflatten, unique, unique_consecutive, unsqueeze, vander, var,
    var_mean, vdot, vsplit, vstack, xlogy,
)
from ops.broadcasting import broadcast_shapes
from tinygrad_hw import (
    autograd, creation, deferred, dtypes, methods, older_signatures, random, recorder, testing,
)
from tinygrad_hw.autograd.function import Function
from tinygrad_hw.autograd.mode import (
    enable_grad, inference_mode, is_anomaly_enabled, is_grad_enabled, is_inference_mode_enabled, no_grad,
    set_grad_enabled,
)
from tinygrad_hw.construct import as_tensor, asarray, from_numpy, tensor
from tinygrad_hw.conversions import from_dlpack
from tinygrad_hw.creation import (
    arange, empty, empty_like, eye, full, full_like, linspace, logspace, ones, ones_like, scalar_tensor,
    tril_indices, triu_indices, zeros, zeros_like,
)
from tinygrad_hw.device import device
from tinygrad_hw.drawing import (
    bernoulli, multinomial, normal, poisson, rand, rand_like, randint, randint_like, randn, randn_like,
    randperm,
)
from tinygrad_hw.dtypes import (
    bool, double, dtype, finfo, float, float32, float64, iinfo, int, int8, int16, int32, int64, long,
    short, uint8,
)
from tinygrad_hw.formats import (
    channels_last, contiguous_format, layout, memory_format, preserve_format, strided,
)
from tinygrad_hw.further import (
    adjoint, alpha_dropout, bartlett_window, blackman_window, detach, fill, fix, frombuffer, ger,
    get_device, hamming_window, hann_window, is_same_size, is_signed, isin, isreal, logdet, msort, qr,
    range, real, renorm, slogdet, split_with_sizes, svd, unravel_index,
)
from tinygrad_hw.inquiry import (
    can_cast, get_default_dtype, is_complex, is_floating_point, is_nonzero, is_tensor, numel,
    promote_types, result_type, set_default_dtype,
)
from tinygrad_hw.methods import where
from tinygrad_hw.printing import set_printoptions
from tinygrad_hw.random import (
    Generator, default_generator, get_rng_state, initial_seed, manual_seed, seed, set_rng_state,
)
from tinygrad_hw.settings import (
    are_deterministic_algorithms_enabled, compile, get_default_device, get_deterministic_debug_mode,
    get_float32_matmul_precision, get_num_interop_threads, is_deterministic_algorithms_warn_only_enabled,
    is_warn_always_enabled, set_anomaly_enabled, set_default_device, set_default_tensor_type,
    set_deterministic_debug_mode, set_float32_matmul_precision, set_flush_denormal, set_num_interop_threads,
    set_warn_always, use_deterministic_algorithms,
)
from tinygrad_hw.tensor import Size, Tensor
from tinygrad_hw.threads import get_num_threads, set_num_threads
from tinygrad_hw.typed_tensors import (
    BoolTensor, ByteTensor, CharTensor, DoubleTensor, FloatTensor, IntTensor, LongTensor, ShortTensor,
)
from tinygrad_hw.version import __version__

from tinygrad_hw import linalg, nn, optim, return_types, utils  # they use the names above
from tinygrad_hw.nn.functional import bilinear, celu_, rrelu, rrelu_, selu_, threshold_
from tinygrad_hw.serialization import load, save
from ops import allocation as _allocation

_allocation.keep_freed_memory()
pi, e, inf, nan, newaxis = _math.pi, _math.e, _math.inf, _math.nan, None

_LATER = {"accelerator", "amp", "backends", "cuda", "distributed", "distributions", "mps", "multiprocessing",
          "special", "version", "vision", "viz", "xpu"}
"""Modules that few scripts need: imported when they are asked for."""
_ALSO_IN_PLACE = {"detach_", "fill_", "fix_", "zero_"}


def __getattr__(name: str):
    if name in _LATER:
        return _importlib.import_module(f"{__name__}.{name}")
    if name == "autocast":
        return _importlib.import_module("tinygrad_hw.amp").autocast
    # exp_(x) is x.exp_(), for every method that writes in place
    if name.endswith("_") and (name[:-1] in methods.IN_PLACE or name in _ALSO_IN_PLACE):
        return getattr(Tensor, name)
    from tinygrad_hw.compat.suggest import reason

    why = reason(f"torch.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}{': ' + why if why else ''}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER, "autocast"})
