"""Every op with every dtype: it computes, or it says in our words and PyTorch's error type that it does not.

No error of numba's compiler, of NumPy's ufuncs or of a table of dtypes may come through.
"""

import numpy as np
import pytest

import tinygrad_hw as torch
from ops.core import TABLE
from ops.promotion import SUPPORTED
from tinygrad_hw.nn import functional as F

REFUSALS = (TypeError, RuntimeError, ValueError, IndexError, OverflowError)
INNER = ["bool", "int64", "float32", "float64"]  # for ops that nobody calls but other ops
FOREIGN = ["float16", "complex64", "uint16", "object"]
NOT_OURS = ("numba", "nopython", "ufunc", "dtype(", "casting rule", "according to the rule")
NAMES = sorted(name for name, op in TABLE.items() if op.samples)


def first_sample(op):
    """The first sample whose arrays have elements."""
    samples = list(op.samples(np.random.default_rng(0)))
    return next((case for case in samples if all(a.size for a in case.args if isinstance(a, np.ndarray))
                 and any(isinstance(a, np.ndarray) for a in case.args)), samples[0])


def converted(value, dtype):
    """Float arrays in another dtype; anything else as it is."""
    if type(value) in (tuple, list):
        return type(value)(converted(item, dtype) for item in value)
    return value.astype(dtype) if isinstance(value, np.ndarray) and value.dtype.kind == "f" else value


def attempt(op, case, dtype):
    """The error of the call in another dtype, or None."""
    args, kwargs = converted(list(case.args), dtype), {n: converted(v, dtype) for n, v in case.kwargs.items()}
    try:
        with np.errstate(all="ignore"):
            op(*args, **kwargs)
    except Exception as error:
        return error
    return None


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", NAMES)
def test_every_dtype_is_computed_or_refused_in_our_words(name):
    op = TABLE[name]
    case = first_sample(op)
    public = any(hasattr(place, name) for place in (torch, torch.Tensor, F))
    for dtype in [*(SUPPORTED.values() if public else INNER), *FOREIGN]:
        error = attempt(op, case, dtype)
        if error is None:
            continue
        text = str(error)
        ours = type(error).__module__ in ("builtins", "ops.linear_algebra.errors")
        assert ours and isinstance(error, REFUSALS), (dtype, error)
        assert len(text) > 15 and not any(part in text for part in NOT_OURS), (dtype, error)
        if dtype in FOREIGN:
            assert f"has dtype {dtype}, which is not supported; use one of" in text


IMAGES = {
    "conv2d": lambda x: F.conv2d(x, x[:, :, :2, :2]), "max_pool2d": lambda x: F.max_pool2d(x, 2),
    "avg_pool2d": lambda x: F.avg_pool2d(x, 2), "adaptive_avg_pool2d": lambda x: F.adaptive_avg_pool2d(x, 2),
    "interpolate": lambda x: F.interpolate(x, scale_factor=2), "layer_norm": lambda x: F.layer_norm(x, (4,)),
    "batch_norm": lambda x: F.batch_norm(x, None, None, training=True),
    "conv_transpose2d": lambda x: F.conv_transpose2d(x, x[:, :, :2, :2]), "softmax": lambda x: x.softmax(1),
    "relu of conv2d": lambda x: F.relu(F.conv2d(x, x[:, :, :2, :2])),
}


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "int64", "float64"])
@pytest.mark.parametrize("name", IMAGES)
def test_images_of_any_dtype(name, dtype):
    x = torch.ones(1, 1, 4, 4, dtype=getattr(torch, dtype))
    try:
        IMAGES[name](x).sum().item()
    except (RuntimeError, TypeError) as error:
        assert dtype != "float64" and not any(part in str(error) for part in NOT_OURS)


@pytest.mark.parametrize("dtype", ["float16", "complex64", "longdouble", "datetime64[s]"])
def test_a_tensor_has_no_other_dtype(dtype):
    """Neither by construction nor by promotion."""
    array = np.zeros(2, dtype)
    for make in (torch.tensor, torch.from_numpy, torch.as_tensor, lambda a: torch.ones(2) + a):
        with pytest.raises(TypeError, match="support"):
            assert make(array).dtype is torch.float32
            raise TypeError("computed in a supported dtype")


@pytest.mark.parametrize("call", [lambda size: F.pad(torch.ones(3), (size, size)),
                                  lambda size: torch.tril(torch.ones(3, 3), size),
                                  lambda size: torch.triu(torch.ones(3, 3), size)])
def test_a_float_does_not_pass_for_the_equal_integer(call):
    """Whether the integer was seen before, or is seen afterwards: plans of calls are remembered."""
    for _ in range(2):
        with pytest.raises(TypeError, match="float"):
            call(1.0)
        call(1)


def test_means_of_large_integers_are_exact():
    images = torch.tensor([[[[2**53 + 1, 2**53 + 1], [2**53 + 1, 2**53 + 1]]]])
    assert F.avg_pool2d(images, 2).item() == 2**53 + 1
    images = torch.arange(-30, 20).reshape(1, 2, 5, 5)
    options = dict(stride=2, padding=1, ceil_mode=True, count_include_pad=False)
    sums = F.avg_pool2d(images.double(), 3, **options)
    assert torch.equal(F.avg_pool2d(images, 3, **options), sums.trunc().long())
