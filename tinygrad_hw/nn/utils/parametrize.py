"""Parametrizations: an attribute of a layer that is computed from trained Tensors whenever it is read.

    >>> import tinygrad_hw as torch
    >>> class Symmetric(torch.nn.Module):
    ...     def forward(self, weight):
    ...         return weight.triu() + weight.triu(1).T
    >>> layer = torch.nn.Linear(3, 3)
    >>> _ = register_parametrization(layer, "weight", Symmetric())
    >>> bool((layer.weight == layer.weight.T).all())
    True
    >>> [name for name, _ in layer.named_parameters()]
    ['bias', 'parametrizations.weight.original']

Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.parametrize.register_parametrization.html
"""

from __future__ import annotations

import functools

from tinygrad_hw.autograd.mode import no_grad
from tinygrad_hw.nn.container import ModuleDict, ModuleList
from tinygrad_hw.nn.module import Module
from tinygrad_hw.nn.parameter import Parameter
from tinygrad_hw.tensor import Tensor

__all__ = ["ParametrizationList", "is_parametrized", "register_parametrization", "remove_parametrizations"]


class ParametrizationList(ModuleList):
    """The parametrizations of one attribute and, as ``original``, what they start from.

    If the ``right_inverse`` of the first one returns several Tensors these are ``original0``,
    ``original1``...

    Attributes:
        is_tensor: whether there is one original.
        ntensors: the number of originals if there are several.
    """

    def __init__(self, modules, original: Tensor, unsafe: bool = False):
        super().__init__(modules)
        self.unsafe = unsafe
        values = self._inverted(original)
        self.is_tensor = isinstance(values, Tensor)
        if self.is_tensor:
            if isinstance(original, Parameter) and values.shape == original.shape:
                original.data = values.detach()  # the same object: optimizers that know it go on with it
                values = original
            self._keep("original", values, original)
        else:
            self.ntensors = len(values)
            for number, value in enumerate(values):
                self._keep(f"original{number}", value, original)

    def _keep(self, name: str, value: Tensor, original: Tensor) -> None:
        if isinstance(original, Parameter):
            if not isinstance(value, Parameter):
                value = Parameter(value.detach(), original.requires_grad)
            self.register_parameter(name, value)
        else:
            self.register_buffer(name, value)

    def _inverted(self, value):
        with no_grad():
            for module in reversed(list(self)):
                if hasattr(module, "right_inverse"):
                    value = module.right_inverse(value)
        if not isinstance(value, (Tensor, tuple, list)):
            raise ValueError("right_inverse must return a Tensor or a sequence of Tensors, got "
                             f"{type(value).__name__}")
        return value

    def _originals(self) -> list[Tensor]:
        if self.is_tensor:
            return [self.original]
        return [getattr(self, f"original{number}") for number in range(self.ntensors)]

    def right_inverse(self, value: Tensor) -> None:
        """Set the originals so that the attribute becomes ``value``."""
        values = self._inverted(value)
        with no_grad():
            for original, new in zip(self._originals(), [values] if self.is_tensor else values, strict=True):
                original.copy_(new)

    def forward(self) -> Tensor:
        """The attribute's value."""
        first, *others = self
        value = first(*self._originals())
        for module in others:
            value = module(value)
        return value


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether a layer has parametrizations, or one of the attribute.

    >>> from tinygrad_hw import nn
    >>> is_parametrized(nn.Linear(2, 2))
    False
    """
    found = module.__dict__.get("_modules", {}).get("parametrizations")
    return isinstance(found, ModuleDict) and (len(found) > 0 if tensor_name is None else tensor_name in found)


@functools.cache
def _parametrized_class(kind: type) -> type:
    """A subclass whose instances compute parametrized attributes; other attributes work as before."""

    def get_attribute(self, name: str):  # called for what is no attribute of the instance
        if is_parametrized(self, name):
            return self.parametrizations[name]()
        return kind.__getattr__(self, name)

    def set_attribute(self, name: str, value) -> None:
        if is_parametrized(self, name):
            self.parametrizations[name].right_inverse(value)
        else:
            kind.__setattr__(self, name, value)

    return type(f"Parametrized{kind.__name__}", (kind,), {
        "__getattr__": get_attribute, "__setattr__": set_attribute, "__module__": kind.__module__,
        "_plain_class": kind})


def register_parametrization(module: Module, tensor_name: str, parametrization: Module, *,
                             unsafe: bool = False) -> Module:
    """Compute a parameter or buffer by ``parametrization``, from what it was, whenever it is read.

    Further calls for the same attribute put one parametrization after the other.

    Args:
        parametrization: a Module from a Tensor to a Tensor; if it has a method ``right_inverse`` values
            can be assigned, and the attribute starts near to what it was.
        unsafe: allow another shape or dtype.

    Raises:
        ValueError: if the layer has no such parameter or buffer, or the shape or dtype changes.

    >>> import tinygrad_hw as torch
    >>> register_parametrization(torch.nn.Linear(2, 1), "bias", torch.nn.ReLU())
    ParametrizedLinear(
      in_features=2, out_features=1, bias=True
      (parametrizations): ModuleDict(
        (bias): ParametrizationList(
          (0): ReLU()
        )
      )
    )
    """
    if is_parametrized(module, tensor_name):
        before = module.parametrizations[tensor_name]
        with no_grad():
            value = getattr(module, tensor_name)
            _check(parametrization(value), value, parametrization, tensor_name, unsafe)
            if hasattr(parametrization, "right_inverse"):
                before.right_inverse(parametrization.right_inverse(value))
        before.append(parametrization)
        return module
    original = module._parameters.get(tensor_name, module._buffers.get(tensor_name))
    if original is None:
        raise ValueError(f"Module '{type(module).__name__}' does not have a parameter, a buffer, or a "
                         f"parametrized element with name '{tensor_name}'")
    shape_and_kind = original.detach().clone()
    modules = ParametrizationList([parametrization], original, unsafe)
    _check(modules(), shape_and_kind, parametrization, tensor_name, unsafe)
    delattr(module, tensor_name)
    if not is_parametrized(module):
        module.__class__ = _parametrized_class(type(module))
        module.parametrizations = ModuleDict()
    module.parametrizations[tensor_name] = modules
    return module


def _check(value, original: Tensor, parametrization: Module, name: str, unsafe: bool) -> None:
    if unsafe:
        return
    if not isinstance(value, Tensor):
        raise ValueError(f"A parametrization must return a Tensor, {type(parametrization).__name__} gave "
                         f"{type(value).__name__}")
    if value.shape != original.shape or value.dtype != original.dtype:
        raise ValueError(f"{type(parametrization).__name__} turns {name} of shape {tuple(original.shape)}, "
                         f"{original.dtype}, into {tuple(value.shape)}, {value.dtype}; if that is meant, "
                         "pass unsafe=True")


def remove_parametrizations(module: Module, tensor_name: str, leave_parametrized: bool = True) -> Module:
    """Make an attribute plain again: with its computed value, or with ``original`` as it is.

    Raises:
        ValueError: if it is not parametrized, or ``leave_parametrized=False`` and there are several
            originals.

    >>> import tinygrad_hw as torch
    >>> layer = register_parametrization(torch.nn.Linear(2, 1), "bias", torch.nn.ReLU())
    >>> remove_parametrizations(layer, "bias")
    Linear(in_features=2, out_features=1, bias=True)
    """
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"Module {type(module).__name__} does not have a parametrization on {tensor_name}")
    modules = module.parametrizations[tensor_name]
    trained = isinstance(modules._originals()[0], Parameter)
    if leave_parametrized:
        with no_grad():
            value = modules().detach()
    elif modules.is_tensor:
        value = modules.original
    else:
        raise ValueError("Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is "
                         f"parametrized in terms of a sequence of {modules.ntensors} tensors.")
    if modules.is_tensor and trained:
        original = modules.original
        if original.shape == value.shape:
            original.data = value.detach()
            value = original
    del module.parametrizations[tensor_name]
    if not len(module.parametrizations):
        del module.parametrizations
        module.__class__ = type(module)._plain_class
    if trained:
        module.register_parameter(tensor_name, value if isinstance(value, Parameter) else Parameter(value))
    else:
        module.register_buffer(tensor_name, value)
    return module
