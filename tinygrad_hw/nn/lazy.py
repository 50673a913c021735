"""Layers that learn the size of their input from the first batch: `LazyLinear`, `LazyConv2d`, ...

A lazy layer becomes the plain layer of its kind when it is called, or when it loads a ``state_dict``.
Call the network once before the parameters go to an optimizer, and before initial values are drawn.
Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.modules.lazy.LazyModuleMixin.html
"""

from __future__ import annotations

import inspect

import numpy as np

from ops.promotion import as_dtype, default_dtype
from tinygrad_hw.device import check_device
from tinygrad_hw.nn.conv import Conv1d, Conv2d, ConvTranspose1d, ConvTranspose2d
from tinygrad_hw.nn.linear import Linear
from tinygrad_hw.nn.normalization import BatchNorm1d, BatchNorm2d, InstanceNorm1d, InstanceNorm2d
from tinygrad_hw.nn.parameter import Buffer, Parameter
from tinygrad_hw.tensor import Tensor

__all__ = [
    "LazyBatchNorm1d",
    "LazyBatchNorm2d",
    "LazyConv1d",
    "LazyConv2d",
    "LazyConvTranspose1d",
    "LazyConvTranspose2d",
    "LazyInstanceNorm1d",
    "LazyInstanceNorm2d",
    "LazyLinear",
    "UninitializedBuffer",
    "UninitializedParameter",
]


class _Uninitialized:
    """What a parameter or buffer without a shape shares; `materialize` gives it one."""

    _becomes: type

    def materialize(self, shape, device=None, dtype=None) -> None:
        """Get memory of this shape and become a plain Parameter or Buffer; the values are arbitrary."""
        check_device(device)
        self.array = np.empty(tuple(shape), as_dtype(dtype) or self.array.dtype)
        self.__class__ = self._becomes

    @property
    def shape(self):
        """RuntimeError: the shape is not known yet."""
        raise RuntimeError(
            "the shape of an uninitialized parameter is not known; call the network once, with a "
            "batch of the right size, before you ask for shapes or create an optimizer"
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class UninitializedParameter(_Uninitialized, Parameter):
    """A Parameter whose shape is not known yet.

    >>> weight = UninitializedParameter()
    >>> weight.materialize((2, 3))
    >>> type(weight).__name__, weight.shape
    ('Parameter', tinygrad_hw.Size([2, 3]))
    """

    _becomes = Parameter

    def __init__(self, requires_grad: bool = True, device=None, dtype=None):
        check_device(device)
        super().__init__(Tensor._wrap(np.empty(0, as_dtype(dtype) or default_dtype())), requires_grad)


class UninitializedBuffer(_Uninitialized, Buffer):
    """A Buffer whose shape is not known yet.

    >>> UninitializedBuffer()
    <UninitializedBuffer>
    """

    _becomes = Buffer

    def __init__(self, requires_grad: bool = False, device=None, dtype=None):
        check_device(device)
        super().__init__(Tensor._wrap(np.empty(0, as_dtype(dtype) or default_dtype())))


class _Lazy:
    """What lazy layers share: a layer takes the arguments of the layer it ``_becomes`` but the first.

    That one is the size which is found out. ``_defaults`` are those that differ from the plain layer's.
    """

    _becomes: type
    _defaults: dict = {}

    def __init_subclass__(cls) -> None:
        if hasattr(cls, "_becomes"):
            size, *others = inspect.signature(cls._becomes).parameters.values()
            cls._size = size.name
            cls.__signature__ = inspect.Signature(
                [p.replace(default=cls._defaults.get(p.name, p.default)) for p in others])

    def __init__(self, *args, **kwargs):
        try:
            given = self.__signature__.bind(*args, **kwargs)
        except TypeError as error:
            raise TypeError(f"{type(self).__name__}{self.__signature__}: {error}") from None
        given.apply_defaults()
        self._arguments = given.args, given.kwargs
        least = given.arguments.get("groups", 1)
        self._becomes.__init__(self, least, *given.args, **given.kwargs)  # then parameters lose their shapes
        setattr(self, self._size, 0)
        for name, parameter in self._parameters.items():
            if parameter is not None:
                setattr(self, name, UninitializedParameter(dtype=parameter.array.dtype))
        for name, buffer in self._buffers.items():
            if buffer is not None and buffer.ndim:
                setattr(self, name, UninitializedBuffer(dtype=buffer.array.dtype))

    def has_uninitialized_params(self) -> bool:
        """Whether the layer still waits for its first batch."""
        return any(
            isinstance(p, _Uninitialized) for p in (*self._parameters.values(), *self._buffers.values())
        )

    def initialize_parameters(self, size: int) -> None:
        """Become the plain layer for ``size`` input features, with new initial values."""
        args, kwargs = self._arguments
        plain = self._becomes(size, *args, **kwargs)
        for name, value in (*plain._parameters.items(), *plain._buffers.items()):
            mine = getattr(self, name)
            if isinstance(mine, _Uninitialized):
                mine.materialize(value.shape)
                mine.array[...] = value.array
        setattr(self, self._size, size)
        del self._arguments
        self.__class__ = self._becomes

    def __call__(self, input, *args, **kwargs):
        self.initialize_parameters(self._size_of(input))
        return self(input, *args, **kwargs)

    def _size_of(self, input: Tensor) -> int:
        """The number of channels: the dimension before the spatial ones."""
        spatial = len(self.kernel_size)
        if input.ndim not in (spatial + 1, spatial + 2):
            raise RuntimeError(
                f"{type(self).__name__} takes {spatial + 1}D or {spatial + 2}D input, got shape "
                f"{tuple(input.shape)}"
            )
        return input.shape[-spatial - 1]

    def reset_parameters(self) -> None:
        """Nothing while there are no parameters yet."""
        if not self.has_uninitialized_params():
            super().reset_parameters()

    def _load_from_state_dict(self, state_dict: dict, prefix: str, *rest) -> None:
        found = state_dict.get(prefix + "weight", state_dict.get(prefix + "running_mean"))
        if found is not None:
            self.initialize_parameters(self._size_in(found))
            self._load_from_state_dict(state_dict, prefix, *rest)  # of the plain layer that it is now
        else:
            super()._load_from_state_dict(state_dict, prefix, *rest)

    def _size_in(self, weight: Tensor) -> int:
        """The number of input features that a stored weight was made for."""
        return weight.shape[0] if self.transposed else weight.shape[1] * self.groups


class LazyLinear(_Lazy, Linear):
    """A `Linear` whose ``in_features`` is the last dimension of its first input.

    >>> from tinygrad_hw import ones
    >>> layer = LazyLinear(3)
    >>> layer(ones(2, 5)).shape, layer
    (tinygrad_hw.Size([2, 3]), Linear(in_features=5, out_features=3, bias=True))
    """

    _becomes = Linear

    def _size_of(self, input: Tensor) -> int:
        return input.shape[-1]

    def _size_in(self, weight: Tensor) -> int:
        return weight.shape[1]


class LazyConv1d(_Lazy, Conv1d):
    """A `Conv1d` whose ``in_channels`` is found from its first input.

    >>> LazyConv1d(4, 3)
    LazyConv1d(0, 4, kernel_size=(3,), stride=(1,))
    """

    _becomes = Conv1d


class LazyConv2d(_Lazy, Conv2d):
    """A `Conv2d` whose ``in_channels`` is found from its first input.

    >>> from tinygrad_hw import ones
    >>> layer = LazyConv2d(4, 3)
    >>> layer(ones(1, 2, 5, 5)).shape, layer
    (tinygrad_hw.Size([1, 4, 3, 3]), Conv2d(2, 4, kernel_size=(3, 3), stride=(1, 1)))
    """

    _becomes = Conv2d


class LazyConvTranspose1d(_Lazy, ConvTranspose1d):
    """A `ConvTranspose1d` whose ``in_channels`` is found from its first input.

    >>> LazyConvTranspose1d(4, 3).has_uninitialized_params()
    True
    """

    _becomes = ConvTranspose1d


class LazyConvTranspose2d(_Lazy, ConvTranspose2d):
    """A `ConvTranspose2d` whose ``in_channels`` is found from its first input.

    >>> LazyConvTranspose2d(4, 3).has_uninitialized_params()
    True
    """

    _becomes = ConvTranspose2d


class _LazyNorm(_Lazy):
    def _size_of(self, input: Tensor) -> int:
        self._check_input_dim(input)
        return input.shape[1]

    def _size_in(self, weight: Tensor) -> int:
        return weight.shape[0]


class LazyBatchNorm1d(_LazyNorm, BatchNorm1d):
    """A `BatchNorm1d` whose ``num_features`` is found from its first input.

    >>> LazyBatchNorm1d().has_uninitialized_params()
    True
    """

    _becomes = BatchNorm1d


class LazyBatchNorm2d(_LazyNorm, BatchNorm2d):
    """A `BatchNorm2d` whose ``num_features`` is found from its first input.

    >>> from tinygrad_hw import ones
    >>> layer = LazyBatchNorm2d()
    >>> layer(ones(1, 2, 3, 3)).shape, layer.num_features
    (tinygrad_hw.Size([1, 2, 3, 3]), 2)
    """

    _becomes = BatchNorm2d


class _LazyInstanceNorm(_LazyNorm):
    _defaults = {"affine": True, "track_running_stats": True}


class LazyInstanceNorm1d(_LazyInstanceNorm, InstanceNorm1d):
    """An `InstanceNorm1d` whose ``num_features`` is found from its first input.

    >>> LazyInstanceNorm1d().has_uninitialized_params()
    True
    """

    _becomes = InstanceNorm1d


class LazyInstanceNorm2d(_LazyInstanceNorm, InstanceNorm2d):
    """An `InstanceNorm2d` whose ``num_features`` is found from its first input.

    >>> LazyInstanceNorm2d().has_uninitialized_params()
    True
    """

    _becomes = InstanceNorm2d
