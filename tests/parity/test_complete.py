"""Nothing is left out: every public function is compared with PyTorch somewhere, or says why not."""

import inspect
import pathlib

import pytest
from counterparts import NAMES

import tinygrad_hw as thw
import tinygrad_hw.nn.functional as F
from ops.core import Op

torch = pytest.importorskip("torch")

CORE = {
    "elementwise": """
        abs add sub mul div floor_divide remainder pow neg reciprocal sign exp log log1p
        log2 sqrt rsqrt square sin cos tanh sigmoid erf floor ceil round clamp clamp_min
        maximum minimum lerp eq ne lt le gt ge logical_and logical_or logical_not isnan
        isfinite isclose allclose where __radd__ __rsub__ __rmul__ __rdiv__ __rpow__
    """,
    "reductions": """
        sum mean std var prod max min amax amin argmax argmin all any logsumexp norm cumsum
        topk sort argsort softmax log_softmax
    """,
    "matmul": "matmul mm bmm mv dot outer addmm einsum __rmatmul__ nn.functional.linear",
    "shape": """
        reshape view view_as flatten squeeze unsqueeze transpose permute T t expand
        expand_as broadcast_to repeat repeat_interleave cat stack split chunk unbind flip
        roll diag tril triu narrow meshgrid clone contiguous
    """,
    "indexing": """
        __getitem__ index_select gather scatter scatter_add index_put masked_fill
        masked_select nonzero unique nn.functional.one_hot nn.functional.embedding
    """,
    "creation and dtypes": """
        zeros ones full eye arange linspace empty zeros_like ones_like full_like empty_like
        randn rand_like randn_like randint new_zeros new_ones bernoulli normal to float
        double long int bool item
    """,
    "layers": """
        nn.functional.conv1d nn.functional.conv2d nn.functional.conv_transpose2d
        nn.functional.max_pool2d nn.functional.avg_pool2d nn.functional.adaptive_avg_pool2d
        nn.functional.batch_norm nn.functional.layer_norm nn.functional.group_norm
        nn.functional.dropout nn.functional.dropout2d nn.functional.pad
        nn.functional.interpolate nn.functional.normalize nn.functional.relu
        nn.functional.leaky_relu nn.functional.elu nn.functional.gelu nn.functional.silu
        nn.functional.softplus nn.functional.hardtanh nn.functional.logsigmoid
    """,
    "losses": """
        nn.functional.mse_loss nn.functional.l1_loss nn.functional.smooth_l1_loss
        nn.functional.huber_loss nn.functional.cross_entropy nn.functional.nll_loss
        nn.functional.binary_cross_entropy nn.functional.binary_cross_entropy_with_logits
        nn.functional.kl_div
    """,
}
"""The functions and methods that networks are written with."""


def places(library, functional):
    return library, library.Tensor, functional


@pytest.mark.parametrize("name", [name for names in CORE.values() for name in names.split()])
def test_core_function_in_every_form(name):
    """A core name is a function, a method, and in-place, wherever PyTorch has it so."""
    ours, theirs = places(thw, F), places(torch, torch.nn.functional)
    name = name.removeprefix("nn.functional.")
    assert any(hasattr(place, name) for place in ours), f"{name} is missing"
    for mine, other in zip(ours, theirs):
        for form in (name, name + "_"):
            if hasattr(other, form) and (form, mine) not in NOT_OFFERED:
                assert hasattr(mine, form), f"{form} is missing in {mine}"


NOT_OFFERED = {("dropout_", thw): "an internal function of PyTorch's"}
"""Forms of core functions that only PyTorch has, with the reason."""

ELSEWHERE = {
    "test_tensor_parity.py": "as_tensor asarray from_dlpack from_numpy",
    "test_inquiry.py": """
        broadcast_shapes chain_matmul enable_grad get_default_dtype inference_mode
        is_complex is_floating_point is_grad_enabled is_inference_mode_enabled is_nonzero
        is_tensor no_grad numel set_default_dtype set_grad_enabled
    """,
    "test_functional.py": """
        bilinear celu_ elu_ fold gumbel_softmax hardtanh_ leaky_relu_ local_response_norm
        relu_ rrelu rrelu_ selu_ threshold_ upsample_bilinear upsample_nearest
    """,
    "test_losses.py": "multilabel_margin_loss triplet_margin_with_distance_loss",
    "test_creation.py": """
        arange empty empty_like eye full full_like linspace logspace ones ones_like
        rand_like randint_like randn randn_like scalar_tensor tensor tril_indices
        triu_indices zeros zeros_like
    """,
    "test_compat_parity.py": """
        adjoint affine_grid alpha_dropout bartlett_window blackman_window detach embedding_bag fill
        frombuffer get_device grid_sample hamming_window hann_window is_same_size is_signed isin isreal
        msort range real renorm split_with_sizes unravel_index
    """,
    "test_linalg_parity.py": "logdet qr slogdet svd",
    "test_random_parity.py": "bernoulli manual_seed multinomial normal poisson rand randint randperm",
    "test_dtypes.py": "can_cast finfo iinfo promote_types result_type",
}
"""Public names that other modules compare, by module."""

UNCOMPARED = {
    "device": "one device",
    "get_num_threads": "a number of the machine",
    "set_num_threads": "a number of the machine",
    "seed": "no two calls are alike",
    "initial_seed": "PyTorch starts unseeded",
    "get_rng_state": "another generator",
    "set_rng_state": "another generator",
    "set_printoptions": "tests of printing",
    "is_anomaly_enabled": "tests of modes",
    "load": "tests of files",
    "save": "tests of files",
    **dict.fromkeys(
        """
        are_deterministic_algorithms_enabled compile get_default_device get_deterministic_debug_mode
        get_float32_matmul_precision get_num_interop_threads is_deterministic_algorithms_warn_only_enabled
        is_warn_always_enabled set_anomaly_enabled set_default_device set_default_tensor_type
        set_deterministic_debug_mode set_float32_matmul_precision set_flush_denormal
        set_num_interop_threads set_warn_always use_deterministic_algorithms
        """.split(),
        "a switch; tests/test_compat_names.py",
    ),
}
"""Public names without a value to compare, with the reason."""


def public_callables(module):
    """Functions and ops that users reach in a module, without its classes and submodules."""
    found = {name: getattr(module, name) for name in dir(module) if not name.startswith("_")}
    return {
        name
        for name, value in found.items()
        if callable(value)
        and not inspect.isclass(value)
        and not isinstance(value, thw.dtype)
        and (getattr(value, "__module__", None) or "").split(".")[0] in ("ops", "tinygrad_hw")
    }


def elsewhere():
    return {name for names in ELSEWHERE.values() for name in names.split()}


def test_every_public_function_is_compared():
    """The functions of ``tinygrad_hw``: ops and their second names, and the rest by list."""
    compared = {name for name in dir(thw) if isinstance(getattr(thw, name), Op)} | set(NAMES)
    assert public_callables(thw) <= compared | elsewhere() | set(UNCOMPARED)


def test_every_functional_is_compared():
    """The functions of ``tinygrad_hw.nn.functional``."""
    assert public_callables(F) <= set(NAMES) | elsewhere() | set(UNCOMPARED)


@pytest.mark.parametrize("files", ELSEWHERE)
def test_compared_elsewhere(files):
    """The modules named above mention the functions that they are said to compare."""
    text = "".join((pathlib.Path(__file__).parent / file).read_text() for file in files.split(", "))
    assert [name for name in ELSEWHERE[files].split() if name not in text] == []
