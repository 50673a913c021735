"""Import aliasing: ``torch`` and ``torchvision`` with all their submodules are modules of this engine.

The modules are the same objects, ``torch.nn is tinygrad_hw.nn``, so nothing is loaded twice and
``isinstance`` holds whichever name a program uses.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import pathlib
import sys
import types

__all__ = ["PYTORCH", "STANDIN", "Finder", "Missing", "install", "place", "resolve"]

STANDIN = pathlib.Path(__file__).parent / "standin"
"""The folder that makes ``import torch`` work for who has it on ``sys.path``, child processes included."""

ROOTS = {"torch": "tinygrad_hw", "torchvision": "tinygrad_hw.vision"}

_ELSEWHERE = {
    "torch.nn.modules": "nn",
    "torch.nn.modules.batchnorm": "nn.normalization",
    "torch.nn.modules.flatten": "nn.linear",
    "torch.nn.modules.instancenorm": "nn.normalization",
    "torch.nn.modules.pixelshuffle": "nn.upsampling",
    "torch.nn.modules.rnn": "nn.recurrent",
    "torch.autograd.grad_mode": "autograd.mode",
    "torch.autograd.variable": "autograd",
    "torch.optim.adamw": "optim.adam",
    "torch.optim.adamax": "optim.adam",
    "torch.optim.nadam": "optim.adam",
    "torch.optim.radam": "optim.adam",
    "torch.optim.adadelta": "optim.adaptive",
    "torch.optim.adagrad": "optim.adaptive",
    "torch.optim.rmsprop": "optim.adaptive",
    "torch.distributions.bernoulli": "distributions.discrete",
    "torch.distributions.beta": "distributions.gamma",
    "torch.distributions.categorical": "distributions.discrete",
    "torch.distributions.independent": "distributions.multivariate",
    "torch.distributions.kl": "distributions.divergence",
    "torch.distributions.multivariate_normal": "distributions.multivariate",
    "torch.distributions.normal": "distributions.continuous",
    "torch.distributions.uniform": "distributions.continuous",
    "torch.utils.data.dataloader": "utils.data.loader",
    "torch.utils.data._utils": "utils.data",
    "torchvision.transforms.transforms": "vision.transforms",
}
"""Modules of PyTorch that go by another name here."""


def place(name: str) -> str:
    """The engine's module for a module of PyTorch's.

    >>> place("torch.nn.functional"), place("torch.nn.modules.conv"), place("torchvision.utils")
    ('tinygrad_hw.nn.functional', 'tinygrad_hw.nn.conv', 'tinygrad_hw.vision.utils')
    """
    if name in _ELSEWHERE:
        return f"tinygrad_hw.{_ELSEWHERE[name]}"
    parent, _, last = name.rpartition(".")
    return f"{place(parent)}.{last}" if parent else ROOTS[name]


class Missing(Exception):
    """A name of PyTorch's that the engine does not have; ``path`` ends with the part that is missing."""

    def __init__(self, path: str):
        super().__init__(path)
        self.path = path


def _module(name: str) -> types.ModuleType | None:
    """The engine's module for a module of PyTorch's, None if there is none."""
    target = place(name)
    try:
        found = importlib.util.find_spec(target)
    except ModuleNotFoundError:  # a parent is missing, or no package
        return None
    return importlib.import_module(target) if found else None


def resolve(path: str):
    """The object that a dotted name of PyTorch's stands for, as far as modules and classes go.

    Raises:
        Missing: with the part of the name up to what is not there.

    >>> resolve("torch.nn.functional.relu").__name__
    'relu'
    >>> resolve("torch.nn.Linearr.weight")
    Traceback (most recent call last):
    ...
    tinygrad_hw.compat.alias.Missing: torch.nn.Linearr
    """
    parts = path.split(".")
    value, name = _module(parts[0]), parts[0]
    for part in parts[1:]:
        name = f"{name}.{part}"
        if isinstance(value, types.ModuleType):
            found = getattr(value, part, None)
            if found is None and not hasattr(value, part):
                found = _module(name)
                if found is None:
                    raise Missing(name)
            value = found
        elif isinstance(value, type) and value.__module__.startswith("tinygrad_hw"):
            if not hasattr(value, part):
                raise Missing(name)
            value = getattr(value, part)
        else:
            return None  # an attribute of a result: not known before the script runs
    return value


class _Loader(importlib.abc.Loader):
    """Hands out the engine's module and leaves its own ``__spec__`` in place."""

    def __init__(self, name: str):
        self.name = name

    def create_module(self, spec):
        module = importlib.import_module(place(self.name))
        self.spec = module.__spec__
        return module

    def exec_module(self, module):
        module.__spec__ = self.spec


class Finder(importlib.abc.MetaPathFinder):
    """Finds ``torch``, ``torchvision`` and their submodules in this engine."""

    def find_spec(self, fullname, path=None, target=None):
        if fullname.partition(".")[0] not in ROOTS:
            return None
        if _module(fullname) is None:
            from tinygrad_hw.compat.suggest import advice

            raise ModuleNotFoundError(
                f"No module named {fullname!r} in tinygrad_hw: {advice(fullname)}", name=fullname
            )
        is_package = hasattr(_module(fullname), "__path__")
        return importlib.machinery.ModuleSpec(fullname, _Loader(fullname), is_package=is_package)


PYTORCH = "2.13.0"
"""The version of PyTorch whose names and meanings are followed."""


def install() -> None:
    """From now on ``import torch`` and ``import torchvision`` give this engine, in this process.

    ``torch.__version__`` becomes PyTorch's with the engine's behind the plus sign, since scripts compare it
    with numbers; dtypes and shapes print as ``torch.float32`` and ``torch.Size([2])``.
    """
    if any(isinstance(finder, Finder) for finder in sys.meta_path):
        return
    sys.meta_path.insert(0, Finder())
    import tinygrad_hw
    from ops.results import Results
    from tinygrad_hw import deferred, dtypes, version, vision

    dtypes.LIBRARY = "torch"
    Results.place = "torch.return_types"
    tinygrad_hw.Tensor.__module__ = deferred.Deferred.__module__ = "torch"
    vision.__version__ = f"0.28.0+tinygrad_hw.{version.__version__}"
    tinygrad_hw.__version__ = f"{PYTORCH}+tinygrad_hw.{version.__version__}"
    for name, target in ROOTS.items():
        sys.modules[name] = importlib.import_module(target)
    for name in _ELSEWHERE:  # scripts reach them as attributes, without an import of their own
        importlib.import_module(name)
