"""Why a name of PyTorch's is missing, and what to take instead."""

from __future__ import annotations

import difflib
import functools
import re
import types

from tinygrad_hw.compat.alias import Missing, resolve

__all__ = ["advice", "nearest", "reason"]

_COMPLEX = "there are no complex numbers; keep real and imaginary parts in two tensors"
_HALF = "the floating dtypes are float32 and float64; leave the conversion out"
_SPARSE = "there are no sparse tensors; use dense ones, and index_select or embedding for look-ups"
_QUANTIZED = "there are no quantized tensors; keep float32"
_CUDA = "there is no GPU; guard it with torch.cuda.is_available(), which is False"
_VOLUME = "there are no layers for volumes; use the 2d layers on slices"
_COMPILER = "nothing is compiled from Python source; the engine fuses layers by itself (docs/fusion.md)"
_FORWARD_MODE = "there is reverse mode only; use torch.autograd.functional (jacobian, hessian, jvp, vjp)"
_INTERNAL = "an internal function of PyTorch's; call the public one it stands behind"

REASONS = [
    (
        r"torch\.(fft|view_as_complex|view_as_real|polar|angle|stft|istft|complex\d*|c(half|float|double)|imag|"
        r"Complex\w+|eig|isreal|conj\w*|resolve_(conj|neg)|is_conj|is_neg)\b",
        _COMPLEX,
    ),
    (
        r"torch\.Tensor\.(view_as_complex|view_as_real|angle|stft|istft|cfloat|cdouble|chalf|imag|conj\w*|eig|isreal|"
        r"resolve_(conj|neg)|is_conj|is_neg)$",
        _COMPLEX,
    ),
    (
        r"torch\.(linalg\.eig|linalg\.eigvals)$",
        "eigenvalues may be complex, which there are none; use eigh",
    ),
    (
        r"torch\.(half|float16|bfloat16|float8\w*|float4\w*|HalfTensor|BFloat16Tensor|HalfStorage)$",
        _HALF,
    ),
    (
        r"torch\.(uint16|uint32|uint64|u?int[1-7]|bits\w+|bit)$",
        "the integer dtypes are int8 to int64 and uint8",
    ),
    (r"torch\.(nn\.|nn\.functional\.|nn\.modules\.)?\w*3[dD]\w*$", _VOLUME),
    (r"torch\.(sparse\w*|hsmm|hspmm|dsmm|smm|spmm|sspaddmm|saddmm|optim\.SparseAdam)\b", _SPARSE),
    (
        r"torch\.Tensor\.(\w*sparse\w*|coalesce|is_coalesced|indices|values|crow_indices|col_indices|ccol_indices|"
        r"row_indices|dense_dim|to_dense|smm|sspaddmm)$",
        _SPARSE,
    ),
    (
        r"torch\.(quantization|ao|quantize\w*|quantized\w*|fake_quantize\w*|q_\w+|q?u?int\d+x?\d*|fbgemm\w*|"
        r"dequantize|per_(tensor|channel)\w*|qscheme|int_repr|nn\.(quantized|qat|quantizable|intrinsic))\b",
        _QUANTIZED,
    ),
    (r"torch\.Tensor\.(q_\w+|qscheme|int_repr|dequantize|is_quantized)$", _QUANTIZED),
    (
        r"torch\.(jit|fx|export|_dynamo|_inductor|compiler|library|package|onnx|Script\w+|cond|while_loop)\b",
        _COMPILER,
    ),
    (r"torch\.(vmap|func)\b", f"there is no vmap; {_FORWARD_MODE}"),
    (r"torch\.autograd\.(forward_ad|functional\.fwAD)\b", _FORWARD_MODE),
    (
        r"torch\.(profiler|autograd\.profiler\w*|monitor|utils\.benchmark|utils\.bottleneck)\b",
        "use Python's own cProfile and timeit",
    ),
    (r"torch\.utils\.tensorboard\b", "write numbers to a file and plot them with matplotlib"),
    (r"torch\.hub\b", "nothing is downloaded by name; load a file of weights with load_state_dict"),
    (
        r"torchvision\.models\b",
        "networks with trained weights are in the project's nets/, or write the layers down in the script",
    ),
    (r"torchvision\.(ops|tv_tensors)\b", "detection and segmentation are not covered"),
    (r"torchvision\.transforms\.Scale$", "its name is Resize now"),
    (r"torchvision\.transforms\.RandomSizedCrop$", "its name is RandomResizedCrop now"),
    (
        r"torchvision\.transforms\.(v2\.)?(functional\.)?\w+",
        "write it as a function of the image for transforms.Lambda",
    ),
    (r"torchvision\.datasets\.\w+", "lay the files out in class folders and read them with ImageFolder"),
    (r"torch\.cuda\b", _CUDA),
    (r"torch\.(mps|xpu|mtia|cpu|accelerator)\b", "the CPU is the one device"),
    (r"torch\.Tensor\.(ipu|xpu|hpu|mtia|is_\w+|record_stream|to_mkldnn)$", "the CPU is the one device"),
    (r"torch\.nested\b", "there are no nested tensors; pad them: torch.nn.utils.rnn.pad_sequence"),
    (
        r"torch\.(overrides|Storage|\w+Storage|storage)\b|torch\.Tensor\.\w*storage\w*$",
        "memory is a NumPy array: x.numpy()",
    ),
    (
        r"torch\.(cudnn|miopen|mkldnn|native|sym|unsafe|autocast_|get_autocast|set_autocast|is_autocast)_?\w+$",
        _INTERNAL,
    ),
    (r"torch\.symeig$", "its name is torch.linalg.eigh now"),
    (
        r"torch\.(lstsq|matrix_rank|lu_solve|lu|lu_unpack|geqrf|orgqr|ormqr|triangular_solve|cholesky\w*|"
        r"lobpcg|svd_lowrank|pca_lowrank)$",
        "see torch.linalg",
    ),
    (
        r"torch\.distributions\.(\w*[tT]ransform\w*|biject_to|transform_to|LogisticNormal)$",
        "write the change of variables down, with its log-derivative",
    ),
    (r"torch\.distributions\.\w+$", "build it from those that are there, or from its log-probability"),
    (r"torch\.special\.\w+$", "scipy.special has its values, without gradients"),
    (r"torch\.linalg\.\w+$", "use solve, inv, cholesky, eigh or svd"),
    (
        r"torch\.(i0_?|igammac?|mvlgamma|Tensor\.(i0|igammac?|mvlgamma)_?)$",
        "scipy.special has its values, without gradients",
    ),
    (
        r"torch\.(gru|lstm|rnn_\w+|gru_cell|lstm_cell|ctc_loss|embedding_bag|grid_sampler\w*|affine_grid_generator|"
        r"max_pool1d_with_indices|nn\.functional\.\w+_with_indices)$",
        "use the layer or function in torch.nn",
    ),
    (
        r"torch\.(nn\.)?(functional\.)?(\w*ctc_loss|CTCLoss)$",
        "alignments of unknown length are not covered; use cross_entropy on aligned labels",
    ),
    (
        r"torch\.utils\.data\.\w*(DataPipe|datapipe|runtime_validation\w*|argument_validation|determin\w*)$",
        "use Dataset, IterableDataset and DataLoader",
    ),
    (r"torch\.utils\.checkpoint\b", "the whole graph is kept; use a smaller batch if memory is short"),
    (r"torch\.utils\.\w+$", "PyTorch's own tools; Python's standard library has the like"),
    (r"torch\.nn\.utils\.(fuse|fusion|convert_conv)\w*$", "the engine fuses by itself (docs/fusion.md)"),
    (
        r"torch\.(Tensor\.)?(as_strided|empty_strided|empty_permuted|set_|new_empty_strided)\w*$",
        "memory is the engine's own affair; use view, reshape, unfold or indexing",
    ),
    (r"torch\.(Tensor\.)?(resize\w*)$", "make a new tensor of the size: torch.empty, or x.new_empty"),
    (
        r"torch\.Tensor\.(volatile|reinforce)$",
        "gone from PyTorch, too; use torch.no_grad and torch.distributions",
    ),
    (r"torch\.(Tensor\.)?(\w+_scatter)$", "clone the tensor and assign to its part"),
    (r"torch\.nn\.utils\.prune\b", "multiply the weights by a mask: torch.nn.utils.parametrize"),
    (r"torch\.nn\.utils\.stateless\b", "assign the parameters, or write the network as a function of them"),
    (r"torch\.nn\.AdaptiveLogSoftmaxWithLoss$", "use Linear and CrossEntropyLoss, over all classes"),
    (r"torch\.nn\.functional\.multi_head_attention_forward$",
     "use torch.nn.MultiheadAttention, or scaled_dot_product_attention"),
    (r"torch\.nn\.attention\b", "there is one implementation of attention: leave the choice out"),
    (r"torch\.nn\.modules\.utils\b", "write the pair: (size, size)"),
    (r"torch\.optim\.(Muon|Adafactor)$", "use torch.optim.AdamW"),
    (r"torchvision\.utils\.draw\w+$", "draw with PIL.ImageDraw on transforms.ToPILImage()(image)"),
    (r"torchtext|torchaudio", "libraries on top of PyTorch are not covered"),
]
"""Families of names that are missing on purpose: a regular expression, and why or what instead."""

_COMPILED = [(re.compile(pattern), text) for pattern, text in REASONS]


def reason(path: str) -> str | None:
    """Why a name is missing on purpose, None if it is not in a known family.

    >>> reason("torch.complex64")
    'there are no complex numbers; keep real and imaginary parts in two tensors'
    """
    return next((text for pattern, text in _COMPILED if pattern.match(path)), None)


_MODULES = {
    "autograd",
    "data",
    "datasets",
    "distributions",
    "functional",
    "init",
    "linalg",
    "lr_scheduler",
    "nn",
    "optim",
    "transforms",
    "utils",
}
"""Modules that are PyTorch's by name, too."""


@functools.cache
def _offered(namespace: str) -> tuple[str, ...]:
    """The public names of one of PyTorch's namespaces that the engine has."""
    try:
        home = resolve(namespace)
    except Missing:
        return ()
    names = [
        name
        for name in dir(home)
        if not name.startswith("_")
        and (name in _MODULES or not isinstance(getattr(home, name, None), types.ModuleType))
    ]
    return tuple(sorted(names, key=lambda name: not name.endswith("_")))  # in-place forms first


_NEIGHBOURS = (
    "torch",
    "torch.nn",
    "torch.nn.functional",
    "torch.nn.init",
    "torch.nn.utils",
    "torch.linalg",
    "torch.optim",
    "torch.optim.lr_scheduler",
    "torch.utils.data",
    "torch.autograd",
    "torch.Tensor",
    "torchvision.transforms",
    "torchvision.datasets",
    "torchvision.utils",
)


def nearest(path: str) -> str | None:
    """The name that the engine has and that looks most like this one, in its own namespace first.

    >>> nearest("torch.nn.Linaer"), nearest("torch.nn.functional.Softmax")
    ('torch.nn.Linear', 'torch.nn.functional.softmax')
    """
    namespace, _, name = path.rpartition(".")
    for place in (namespace, *_NEIGHBOURS):
        offered = _offered(place)
        by_lower = {other.lower().replace("_", ""): other for other in offered}
        plain = name.lower().replace("_", "")
        if plain in by_lower:
            return f"{place}.{by_lower[plain]}"
        close = difflib.get_close_matches(name, offered, 1, 0.8 if place == namespace else 0.9)
        if close:
            return f"{place}.{close[0]}"
    return None


def advice(path: str) -> str:
    """One line for a name that is missing: why, or the nearest name that is there.

    >>> advice("torch.nn.Linaer")
    'the nearest name is torch.nn.Linear'
    """
    known = reason(path)
    if known:
        return known
    other = nearest(path)
    return f"the nearest name is {other}" if other else "nothing like it is offered"
