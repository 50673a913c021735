"""``python tests/parity/torch_names.py``: write the list of PyTorch's public names for docs/compat.md.

The list is a file of the project (``tinygrad_hw/compat/names.txt``), so nobody needs PyTorch to read it;
it is made again for a new version of PyTorch.  torchvision's part is left as it is where torchvision is
not installed.
"""

import importlib
import importlib.util
import pathlib
import re
import types

import torch

import tinygrad_hw

NAMESPACES = """
    torch torch.Tensor torch.nn torch.nn.functional torch.nn.init torch.nn.utils torch.nn.utils.rnn
    torch.nn.utils.parametrize torch.nn.utils.parametrizations torch.nn.parameter torch.optim
    torch.optim.lr_scheduler torch.optim.swa_utils torch.utils torch.utils.data torch.utils.checkpoint
    torch.autograd torch.autograd.functional torch.random torch.linalg torch.special torch.fft
    torch.distributions torch.func torch.amp torch.accelerator torch.backends
    torch.backends.mps torch.cpu torch.cuda torch.mps torch.xpu torch.jit torch.hub torch.testing
    torch.multiprocessing
    torchvision torchvision.transforms torchvision.transforms.functional torchvision.transforms.v2
    torchvision.datasets torchvision.utils torchvision.io torchvision.models
""".split()

INTERNAL = re.compile(
    r"(cudnn|miopen|mkldnn|fbgemm|quantized|native|sym|unsafe|autocast|q|per|fake_quantize|fused|import_ir|parse|"
    r"unify|prepare|choose_qparams|merge_type|batch_norm_[a-z]+|[sg]et_autocast|is_autocast|get_file|init_num|"
    r"profiler_allow|norm_except|rnn_tanh|rnn_relu|sparse|int|uint|bits|is_vulkan|has|compiled_with)_?\w+"
    r"|(?!index_copy)\w+_copy|u?int[1-7]|q(int|uint)\w*|[A-Z](?!\w*Tensor$)(?!ize$)(?!enerator$)\w*"
    r"|torch_version|classes|classproperty|cpp|typename|version|types|ops|wait|fork|spawn|conv_tbc|convolution"
)
"""Names in the namespace torch itself that PyTorch's own code needs."""

NOISE = {
    "TYPE_CHECKING",
    "boolean_dispatch",
    "assert_int_or_pair",
    "handle_torch_function",
    "has_torch_function",
    "has_torch_function_unary",
    "has_torch_function_variadic",
}

KEPT = {
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "int",
    "pow",
    "permute",
}


def is_public(name, value, home):
    """Whether users type the name: no import of a module's own, and nothing internal."""
    if name.startswith("_") or home == "torch" and INTERNAL.fullmatch(name) and name not in KEPT:
        return False
    if home == "torch.Tensor":
        return True
    if isinstance(value, types.ModuleType):
        return value.__name__ == f"{home}.{name}"
    module = str(getattr(value, "__module__", None) or home)
    if home != "torch" and callable(value) and not module.startswith((home, "torch._C", "torchvision")):
        return False
    return (
        module.split(".")[0] in ("torch", "torchvision", "builtins")
        and name not in NOISE
        and (
            callable(value)
            or isinstance(value, (int, float, torch.dtype, torch.layout, torch.memory_format))
        )
    )


def public_names(namespace):
    """Sorted public names of a module or of Tensor."""
    home = torch.Tensor if namespace == "torch.Tensor" else importlib.import_module(namespace)
    declared = (
        getattr(home, "__all__", None) if namespace not in ("torch", "torch.nn.functional") else None
    )
    names = declared or dir(home)
    return sorted(name for name in names if is_public(name, getattr(home, name, None), namespace))


def blocks():
    """``{namespace: names}`` of what is installed."""
    skip = () if importlib.util.find_spec("torchvision") else ("torchvision",)
    return {name: public_names(name) for name in NAMESPACES if name.split(".")[0] not in skip}


def wrapped(names, width=108):
    """The names in lines."""
    lines, line = [], ""
    for name in names:
        if len(line) + len(name) >= width:
            lines.append(line)
            line = ""
        line = f"{line} {name}".strip()
    return "\n".join([*lines, line])


def write():
    """Write the file; blocks of libraries that are not installed keep what they hold."""
    path = pathlib.Path(tinygrad_hw.__file__).parent / "compat" / "names.txt"
    kept = {}
    if path.exists():
        from tinygrad_hw.compat.scan import public_names as stored

        kept = dict(stored())
    found = {**kept, **blocks()}
    text = [
        f"# Public names of PyTorch {torch.__version__.split('+')[0]}, written by tests/parity/torch_names.py"
    ]
    text += [f"[{name}]\n{wrapped(found[name])}" for name in NAMESPACES if found.get(name)]
    path.write_text("\n\n".join(text) + "\n")


if __name__ == "__main__":
    write()
