"""`Module`: the base class of layers and networks.

Walking through the layers is in ``tree.py``, saving and loading in ``state.py``,
hooks are in ``hooks.py``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ops.promotion import as_dtype
from tinygrad_hw.device import check_device
from tinygrad_hw.device import device as device_of
from tinygrad_hw.nn.advice import missing_attribute, missing_forward, not_a_module
from tinygrad_hw.nn.hooks import Hooks
from tinygrad_hw.nn.parameter import Buffer, Parameter
from tinygrad_hw.nn.plain import plain_modules
from tinygrad_hw.nn.state import State
from tinygrad_hw.nn.trace import name_layer
from tinygrad_hw.nn.tree import Tree
from tinygrad_hw.tensor import Tensor

__all__ = ["Module"]

_REGISTRIES = ("_parameters", "_buffers", "_modules")


def _typename(value) -> str:
    kind = type(value)
    return (
        kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    )


class Module(Tree, State, Hooks):
    """A function with parameters.  Subclasses create layers in ``__init__`` and use them in ``forward``.

    Parameters, buffers and layers that are assigned to attributes are registered; so are parameters and
    layers in attributes that are plain lists, tuples and dicts (not so in PyTorch).

    Attributes:
        training: whether the module is in training mode, see `train` and `eval`.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html

    >>> from tinygrad_hw import nn
    >>> class Net(Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.hidden = nn.Linear(4, 3)
    ...         self.out = nn.Linear(3, 1)
    ...     def forward(self, x):
    ...         return self.out(nn.functional.relu(self.hidden(x)))
    >>> net = Net()
    >>> net
    Net(
      (hidden): Linear(in_features=4, out_features=3, bias=True)
      (out): Linear(in_features=3, out_features=1, bias=True)
    )
    >>> [name for name, _ in net.named_parameters()]
    ['hidden.weight', 'hidden.bias', 'out.weight', 'out.bias']
    """

    training: bool

    def __init__(self):
        # what is registered stands in a registry and, for fast look-ups, among the plain attributes
        self.__dict__.update(training=True, _parameters={}, _buffers={}, _modules={},
                             _non_persistent_buffers_set=set())
        self._init_hooks()
        self._init_state()

    def forward(self, *input):
        """Compute the output; to be overridden."""
        raise missing_forward(self)

    def __call__(self, *args, **kwargs):
        try:
            if self._hooked:
                return self._call_with_hooks(args, kwargs)
            return self.forward(*args, **kwargs)
        except Exception as error:
            name_layer(self, args, error)
            raise

    # ------------------------------------------------------------------ attributes

    def __setattr__(self, name: str, value) -> None:
        attributes = self.__dict__
        if "_modules" not in attributes:
            if isinstance(value, (Parameter, Module, Buffer)):
                kind = {Parameter: "parameters", Buffer: "buffers"}.get(type(value), "module")
                raise AttributeError(
                    f"cannot assign {kind} before Module.__init__() call; begin __init__ with "
                    "super().__init__()"
                )
            object.__setattr__(self, name, value)
        elif isinstance(value, Parameter):
            self._forget(name, but="_parameters")
            self.register_parameter(name, value)
        elif name in self._parameters:
            self._refill("_parameters", name, value, value is None, "parameter", "Parameter")
        elif isinstance(value, Module):
            self._forget(name, but="_modules")
            self._modules[name] = attributes[name] = value
        elif name in self._modules:
            self._refill("_modules", name, value, value is None, "child module", "Module")
        elif isinstance(value, Buffer):
            self._forget(name, but="_buffers")
            self.register_buffer(name, value, value.persistent)
        elif name in self._buffers:
            allowed = value is None or isinstance(value, Tensor)
            self._refill("_buffers", name, value, allowed, "buffer", "Buffer, Tensor")
        else:
            object.__setattr__(self, name, value)

    def _refill(self, registry: str, name: str, value, allowed: bool, kind: str, expected: str) -> None:
        """Put a value in the place of what is registered under the name, or refuse it."""
        if not allowed:
            raise TypeError(f"cannot assign '{_typename(value)}' as {kind} '{name}' "
                            f"({expected} or None expected)")
        self.__dict__[registry][name] = self.__dict__[name] = value

    def __getattr__(self, name: str):
        raise missing_attribute(self, name)

    def __delattr__(self, name: str) -> None:
        if name not in self.__dict__:
            return object.__delattr__(self, name)
        return self._forget(name)

    def _forget(self, name: str, but: str | None = None) -> None:
        """Take a name out of the attributes and all registries but one, where it keeps its place."""
        for registry in _REGISTRIES:
            if registry != but:
                self.__dict__[registry].pop(name, None)
        self._non_persistent_buffers_set.discard(name)
        self.__dict__.pop(name, None)

    def _check_name(self, name: str, kind: str, registry: str) -> None:
        if registry not in self.__dict__:
            raise AttributeError(f"cannot assign {kind} before Module.__init__() call; begin __init__ with "
                                 "super().__init__()")
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string. Got {_typename(name)}")
        if "." in name:
            raise KeyError(f'{kind} name can\'t contain ".", got: {name}')
        if name == "":
            raise KeyError(f'{kind} name can\'t be empty string ""')
        if hasattr(self, name) and name not in self.__dict__[registry]:
            raise KeyError(f"attribute '{name}' already exists")

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter, or None to reserve the name.

        Raises:
            KeyError: for an empty name, one with a dot, or one that is taken.
            TypeError: if ``param`` is no Parameter.
            ValueError: if it was computed from other Tensors.
        """
        self._check_name(name, "parameter", "_parameters")
        if param is not None:
            if not isinstance(param, Parameter):
                raise TypeError(f"cannot assign '{_typename(param)}' object to parameter '{name}' "
                                "(Parameter or None required)")
            if param.grad_fn is not None:
                raise ValueError(
                    f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must be"
                    f" created explicitly. To express '{name}' as a function of another Tensor, compute"
                    " the value in the forward() method."
                )
        self._parameters[name] = self.__dict__[name] = param

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a Tensor that is part of the state but not trained, such as a running mean.

        Args:
            name: the attribute's name.
            tensor: the buffer, or None to reserve the name.
            persistent: whether it is part of the ``state_dict``.
        """
        self._check_name(name, "buffer", "_buffers")
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(f"cannot assign '{_typename(tensor)}' object to buffer '{name}' "
                            "(Tensor or None required)")
        self._buffers[name] = self.__dict__[name] = tensor
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a layer under a name; the same as an assignment to an attribute."""
        if not isinstance(module, Module) and module is not None:
            raise not_a_module(module, _typename(module))
        self._check_name(name, "module", "_modules")
        self._modules[name] = self.__dict__[name] = module

    register_module = add_module

    # ------------------------------------------------------------------ changing all layers

    def apply(self, fn: Callable[[Module], None]) -> Module:
        """Call ``fn`` on every layer below and then on the module itself; for initialisation."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def train(self, mode: bool = True) -> Module:
        """Set training mode (dropout drops, batch norm uses the batch), for all layers below too."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self) -> Module:
        """Set evaluation mode: ``train(False)``."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Module:
        """Train all parameters, or freeze them."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or set them to zero."""
        for parameter in self.parameters():
            if parameter.grad is not None:
                if set_to_none:
                    parameter.grad = None
                else:
                    parameter.grad = Tensor._wrap(np.zeros_like(parameter.grad.array))

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Module:
        """Replace the values of all parameters, their gradients and all buffers by ``fn`` of them."""
        for module in self.modules() if recurse else [self]:
            for _, parameter in module._own_parameters():
                gradient, parameter._grad = parameter._grad, None
                parameter.data = fn(parameter.data)
                if gradient is not None:
                    parameter.grad = fn(gradient.detach())
            for name, buffer in module._buffers.items():
                if buffer is not None:
                    module._buffers[name] = module.__dict__[name] = fn(buffer)
        return self

    def to(self, *args, **kwargs) -> Module:
        """Convert floating-point parameters and buffers: ``to(dtype)``, ``to(device)``, ``to(tensor)``.

        Raises:
            TypeError: for a dtype that is not floating point.
            RuntimeError: for a device other than the CPU.
        """
        dtype = kwargs.get("dtype")
        if kwargs.get("device") is not None:
            device_of(kwargs["device"])
        for value in args:
            if isinstance(value, Tensor):
                dtype = value.dtype
            elif isinstance(value, (str, device_of)):
                device_of(value)
            elif value is not None and not isinstance(value, bool):
                dtype = value
        if dtype is None:
            return self
        wanted = as_dtype(dtype)
        if wanted.kind != "f":
            raise TypeError(
                "nn.Module.to only accepts floating point or complex dtypes, but got desired "
                f"dtype={dtype}"
            )
        return self._apply(lambda t: _converted(t, wanted) if t.array.dtype.kind == "f" else t)

    def float(self) -> Module:
        """Convert floating-point parameters and buffers to float32."""
        return self.to(np.float32)

    def double(self) -> Module:
        """Convert floating-point parameters and buffers to float64."""
        return self.to(np.float64)

    def half(self) -> Module:
        """Refused: there are no floats of 16 bits; TypeError."""
        return self.to(dtype="float16")

    def type(self, dst_type) -> Module:
        """Convert all parameters and buffers to a dtype."""
        wanted = as_dtype(dst_type)
        return self._apply(lambda t: _converted(t, wanted))

    def cpu(self) -> Module:
        """Nothing to do: everything is on the CPU."""
        return self

    def cuda(self, device=None) -> Module:
        """Refused: there is no GPU; RuntimeError."""
        return self.to(device_of("cuda" if device is None else f"cuda:{device}"))

    def to_empty(self, *, device, recurse: bool = True) -> Module:
        """Give all parameters and buffers new memory with arbitrary values."""
        check_device(device)
        return self._apply(lambda t: Tensor._wrap(np.empty_like(t.array)), recurse)

    def share_memory(self) -> Module:
        """Nothing to do: threads share memory anyway."""
        return self

    # ------------------------------------------------------------------ printing

    def extra_repr(self) -> str:
        """What stands between the brackets of the module's ``repr``; to be overridden."""
        return ""

    def _get_name(self) -> str:
        return self.__class__.__name__

    def __repr__(self) -> str:
        extra = self.extra_repr()
        layers = [
            f"({name}): " + repr(child).replace("\n", "\n  ")
            for name, child in (*self._modules.items(), *plain_modules(self, Module))
        ]
        lines = (extra.split("\n") if extra else []) + layers
        if not layers and len(lines) <= 1:
            return f"{self._get_name()}({extra})"
        return f"{self._get_name()}(\n  " + "\n  ".join(lines) + "\n)"


def _converted(tensor: Tensor, dtype: np.dtype) -> Tensor:
    if tensor.array.dtype == dtype:
        return tensor
    return Tensor._wrap(tensor.array.astype(dtype))
