"""Which function of PyTorch an op is compared with, and every exception with its reason."""

import numpy as np
import pytest
from harness import check_calls

import tinygrad_hw as thw
import tinygrad_hw.nn.functional as F
from ops.core import TABLE

torch = pytest.importorskip("torch")

NAMESPACES = ((torch.nn.functional, F), (torch, thw), (torch.Tensor, thw.Tensor), (torch.special, thw))
"""PyTorch's places for functions, and ours."""

PREFERRED = {"unfold": 2}
"""Ops whose name means something else in the first place that has it: the number of the right one."""


def pair(name):
    """PyTorch's function of that name and our public one; None for what is not there."""
    for theirs, ours in NAMESPACES[PREFERRED.get(name, 0) :]:
        if hasattr(theirs, name):
            return getattr(theirs, name), getattr(ours, name, None)
    return None, None


def counterpart(name):
    """PyTorch's function of that name."""
    return pair(name)[0]


def public(name):
    """Our function in the place where PyTorch has its own, else the op."""
    return pair(name)[1] or TABLE[name]


def run(name, args, kwargs=None, **options):
    """One op on both sides; ``options`` are those of `harness.check_calls`."""
    check_calls(public(name), counterpart(name), args, kwargs or {}, name, **options)


def is_public(name):
    """Whether users meet the op under this name."""
    return any(hasattr(ours, name) for _, ours in NAMESPACES)


NAMES = sorted(name for name in TABLE if is_public(name) and counterpart(name) is not None)
"""The ops that are compared."""

INTERNAL_NAMESAKES = {
    "convolution": "PyTorch's takes `transposed`; ours is what conv1d and conv2d share"
}
"""Internal ops that are called like something else in PyTorch."""

# ------------------------------------------------------------------ single calls

SAMPLES = {
    "addmv": {"addmv(float64[], float64[0, 3], float64[3])": "PyTorch returns the input unbroadcast"},
    "index_copy": {
        "index_copy(float64[2, 3, 2], -2, int32[2], float64[2, 2, 2])": "ours takes int32, too"
    },
    "multi_margin_loss": {
        "multi_margin_loss(float64[0, 3], int64[0], reduction='sum')": "uninitialised memory in PyTorch"
    },
    "pdist": dict.fromkeys(["pdist(float64[1, 2])", "pdist(float64[0, 2])"],
                           "PyTorch's gradient of no pairs ends the process"),
    "polygamma": {"polygamma(1, float64[2, 3])": "PyTorch's trigamma is right to nine digits"},
    "pixel_unshuffle": {
        "pixel_unshuffle(float64[0, 1, 2, 2], 2)": "PyTorch returns an empty input as it is"
    },
}
"""Samples that are not compared."""

LENIENT = {name: np.float32 for name in ("celu", "digamma", "hardsigmoid", "lerp", "polygamma")}
"""Gradients that PyTorch computes with float32 constants, or to nine digits, also for float64."""

UNCOMPARED_GRADIENTS = {"vander": "PyTorch changes a value that its own gradient needs, and refuses"}
"""Ops whose gradient only we compute."""

OTHER_GRADIENTS = {
    "ctc_loss": "PyTorch's is right through log_softmax only, see test_ctc_parity.py"
}
"""Ops whose gradient by the argument alone is another one on purpose."""

# ------------------------------------------------------------------ dtypes

_REFUSED = "refused: nothing in a network does this with integers; convert them first"
_COMPOSED = "PyTorch lets integers through some of the functions that it is put together from"

NOT_FOR_INTEGERS = {
    **dict.fromkeys(
        [
            "conv1d",
            "conv2d",
            "conv_transpose1d",
            "conv_transpose2d",
            "interpolate",
            "max_pool1d",
            "lp_pool1d",
            "lp_pool2d",
            "adaptive_avg_pool2d",
            "upsample",
        ],
        _REFUSED,
    ),
    **dict.fromkeys(
        ["alpha_dropout", "dropout", "dropout1d", "dropout2d", "dropout3d", "feature_alpha_dropout"],
        "PyTorch lets integers through for the probabilities 0 and 1 only",
    ),
    **dict.fromkeys(
        [
            "cosine_embedding_loss",
            "gaussian_nll_loss",
            "hinge_embedding_loss",
            "kl_div",
            "l1_loss",
            "margin_ranking_loss",
            "smooth_l1_loss",
        ],
        _COMPOSED,
    ),
    **dict.fromkeys(
        ["addbmm", "addcmul", "addmm", "addmv", "addr", "baddbmm"],
        "PyTorch truncates the fractional factors alpha, beta and value for some integers",
    ),
    "hardtanh": "PyTorch truncates fractional limits for unsigned integers",
    "threshold": "a 0-d uint8 and a negative value: RuntimeError there, OverflowError here",
}
"""Ops that are compared for float dtypes only."""

TIES = {
    name: "which of several equal elements comes first is not defined"
    for name in ("kthvalue", "median", "topk")
}
"""Ops whose indices are compared only where all elements differ."""

PROMOTION = {}
"""Broadcasting ops whose promotion is not compared."""

# ------------------------------------------------------------------ errors

_SHAPES = "deliberate: input and target of unlike shapes are an error, PyTorch warns and broadcasts"

OUR_BAD_CALLS = {
    **{
        name: {f"{name}(float64[3, 1], float64[3])": _SHAPES}
        for name in (
            "hinge_embedding_loss",
            "huber_loss",
            "kl_div",
            "l1_loss",
            "mse_loss",
            "multilabel_soft_margin_loss",
            "poisson_nll_loss",
            "smooth_l1_loss",
            "soft_margin_loss",
        )
    },
    "gaussian_nll_loss": {"gaussian_nll_loss(float64[3, 1], float64[3], float64[3])": _SHAPES},
    "avg_pool2d": {
        "avg_pool2d(float64[8, 8], 2)": "RuntimeError like max_pool2d; an IndexError in PyTorch"
    },
    "lp_pool2d": {
        "lp_pool2d(float64[4, 4], 2, 2)": "RuntimeError like max_pool2d; an IndexError in PyTorch"
    },
    "addbmm": {"addbmm(float64[2, 2], float64[2, 3], float64[3, 2])": "an IndexError in PyTorch"},
    "baddbmm": {"baddbmm(float64[2, 2], float64[2, 3], float64[3, 2])": "an IndexError in PyTorch"},
    "inverse": {"inverse(float64[2, 2])": "a LinAlgError of each library's own; both are RuntimeErrors"},
    "index_add": {"index_add(float64[2, 3], 1, int64[1], float64[2, 1])": "a RuntimeError in PyTorch"},
    "index_fill": {
        "index_fill(float64[2, 3], 1, float64[1], 1.0)": "an IndexError in PyTorch"
    },
    "multi_margin_loss": {
        "multi_margin_loss(float64[2, 3], int64[2])": "a RuntimeError in PyTorch"
    },
    "norm": {
        "norm(float64[2, 2], 'nuc')": "the nuclear norm needs singular values, which are not offered"
    },
    "take_along_dim": {
        "take_along_dim(float64[3], int64[1], 0)": "PyTorch does not check a single index"
    },
}
"""Calls that our records refuse and PyTorch does not, or with another type of error."""

# ------------------------------------------------------------------ signatures

UNCOMPARED_SIGNATURES = {
    "einsum": "PyTorch takes *args, and documents equation and operands",
    "expand": "sizes one by one: tests of methods",
    "repeat": "sizes one by one: tests of methods",
    **dict.fromkeys(["dsplit", "hsplit", "vsplit"], "PyTorch documents indices_or_sections, too"),
    "tensor_split": "PyTorch documents indices_or_sections and has three overloads behind it",
    "view": "sizes one by one: tests of methods",
}

DEFAULTS = {
    "contiguous": {"memory_format": "None is the contiguous format"},
    "nan_to_num": {"nan": "None means 0"},
    **{
        name: {"unbiased": "former name of correction; None if not given"}
        for name in ("std", "std_mean", "var", "var_mean")
    },
}
"""Parameters whose default is written differently."""
