"""Layers that learn the size of their input from the first batch: `LazyLinear`, `LazyConv2d`, ...

A lazy layer becomes the plain layer of its kind when it is called, or when it loads a ``state_dict``.
Call the network once before the parameters go to an optimizer, and before initial values are drawn.
Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.modules.lazy.LazyModuleMixin.html
"""

from __future__ import annotations

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
    """What lazy layers share.

    ``_size`` names the attribute that is found out, and ``_becomes`` the plain layer.
    """

    _size: str
    _becomes: type

    def _create_lazily(self, *args, **kwargs) -> None:
        """``__init__`` of the plain layer for one input feature; then its parameters lose their shapes."""
        self._arguments = args, kwargs
        self._becomes.__init__(self, self._least(kwargs.get("groups", 1)), *args, **kwargs)
        setattr(self, self._size, 0)
        for name, parameter in self._parameters.items():
            if parameter is not None:
                setattr(self, name, UninitializedParameter(dtype=parameter.array.dtype))
        for name, buffer in self._buffers.items():
            if buffer is not None and buffer.ndim:
                setattr(self, name, UninitializedBuffer(dtype=buffer.array.dtype))

    @staticmethod
    def _least(groups: int) -> int:
        return groups

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

    _size, _becomes = "in_features", Linear

    def __init__(self, out_features: int, bias: bool = True, device=None, dtype=None):
        self._create_lazily(out_features, bias, device=device, dtype=dtype)

    def _size_of(self, input: Tensor) -> int:
        return input.shape[-1]

    def _size_in(self, weight: Tensor) -> int:
        return weight.shape[1]


class _LazyConv(_Lazy):
    _size = "in_channels"

    def __init__(
        self,
        out_channels: int,
        kernel_size,
        stride=1,
        padding=0,
        dilation=1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device=None,
        dtype=None,
    ):
        self._create_lazily(
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation=dilation,
            groups=groups,
            bias=bias,
            padding_mode=padding_mode,
            device=device,
            dtype=dtype,
        )


class LazyConv1d(_LazyConv, Conv1d):
    """A `Conv1d` whose ``in_channels`` is found from its first input.

    >>> LazyConv1d(4, 3)
    LazyConv1d(0, 4, kernel_size=(3,), stride=(1,))
    """

    _becomes = Conv1d


class LazyConv2d(_LazyConv, Conv2d):
    """A `Conv2d` whose ``in_channels`` is found from its first input.

    >>> from tinygrad_hw import ones
    >>> layer = LazyConv2d(4, 3)
    >>> layer(ones(1, 2, 5, 5)).shape, layer
    (tinygrad_hw.Size([1, 4, 3, 3]), Conv2d(2, 4, kernel_size=(3, 3), stride=(1, 1)))
    """

    _becomes = Conv2d


class _LazyConvTranspose(_Lazy):
    _size = "in_channels"

    def __init__(
        self,
        out_channels: int,
        kernel_size,
        stride=1,
        padding=0,
        output_padding=0,
        groups: int = 1,
        bias: bool = True,
        dilation=1,
        padding_mode: str = "zeros",
        device=None,
        dtype=None,
    ):
        self._create_lazily(
            out_channels,
            kernel_size,
            stride,
            padding,
            output_padding,
            groups=groups,
            bias=bias,
            dilation=dilation,
            padding_mode=padding_mode,
            device=device,
            dtype=dtype,
        )


class LazyConvTranspose1d(_LazyConvTranspose, ConvTranspose1d):
    """A `ConvTranspose1d` whose ``in_channels`` is found from its first input.

    >>> LazyConvTranspose1d(4, 3).has_uninitialized_params()
    True
    """

    _becomes = ConvTranspose1d


class LazyConvTranspose2d(_LazyConvTranspose, ConvTranspose2d):
    """A `ConvTranspose2d` whose ``in_channels`` is found from its first input.

    >>> LazyConvTranspose2d(4, 3).has_uninitialized_params()
    True
    """

    _becomes = ConvTranspose2d


class _LazyNorm(_Lazy):
    _size = "num_features"

    def _size_of(self, input: Tensor) -> int:
        self._check_input_dim(input)
        return input.shape[1]

    def _size_in(self, weight: Tensor) -> int:
        return weight.shape[0]


class _LazyBatchNorm(_LazyNorm):
    def __init__(
        self,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device=None,
        dtype=None,
    ):
        self._create_lazily(eps, momentum, affine, track_running_stats, device, dtype)


class _LazyInstanceNorm(_LazyNorm):
    def __init__(
        self,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device=None,
        dtype=None,
    ):
        self._create_lazily(eps, momentum, affine, track_running_stats, device, dtype)


class LazyBatchNorm1d(_LazyBatchNorm, BatchNorm1d):
    """A `BatchNorm1d` whose ``num_features`` is found from its first input.

    >>> LazyBatchNorm1d().has_uninitialized_params()
    True
    """

    _becomes = BatchNorm1d


class LazyBatchNorm2d(_LazyBatchNorm, BatchNorm2d):
    """A `BatchNorm2d` whose ``num_features`` is found from its first input.

    >>> from tinygrad_hw import ones
    >>> layer = LazyBatchNorm2d()
    >>> layer(ones(1, 2, 3, 3)).shape, layer.num_features
    (tinygrad_hw.Size([1, 2, 3, 3]), 2)
    """

    _becomes = BatchNorm2d


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
