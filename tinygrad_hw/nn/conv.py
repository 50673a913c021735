"""Convolutions and transposed convolutions in one and two dimensions."""

from __future__ import annotations

import math
from collections.abc import Iterable

import ops
from tinygrad_hw.nn import init
from tinygrad_hw.nn.module import Module
from tinygrad_hw.nn.parameter import Parameter, empty

__all__ = ["Conv1d", "Conv2d", "ConvTranspose1d", "ConvTranspose2d"]

_PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


def _tuple(value, count: int) -> tuple:
    """A number repeated for each dimension; a sequence as a tuple."""
    return tuple(value) if isinstance(value, Iterable) else (value,) * count


class _Conv(Module):
    """What all convolutions share: weight, bias, checks and printing."""

    def __init__(
        self,
        dimensions: int,
        in_channels: int,
        out_channels: int,
        kernel_size,
        stride,
        padding,
        dilation,
        transposed: bool,
        output_padding,
        groups: int,
        bias: bool,
        padding_mode: str,
        device,
        dtype,
    ):
        super().__init__()
        if groups <= 0:
            raise ValueError(f"groups must be a positive integer, got {groups}")
        if in_channels % groups:
            raise ValueError(
                f"in_channels must be divisible by groups, got {in_channels} and groups={groups}"
            )
        if out_channels % groups:
            raise ValueError(
                f"out_channels must be divisible by groups, got {out_channels} and groups={groups}"
            )
        self.in_channels, self.out_channels, self.groups = in_channels, out_channels, groups
        self.kernel_size, self.stride = _tuple(kernel_size, dimensions), _tuple(stride, dimensions)
        self.dilation = _tuple(dilation, dimensions)
        self.output_padding, self.transposed = _tuple(output_padding, dimensions), transposed
        self.padding = padding if isinstance(padding, str) else _tuple(padding, dimensions)
        self.padding_mode = padding_mode
        if isinstance(padding, str):
            if padding not in ("same", "valid"):
                raise ValueError(
                    f"Invalid padding string {padding!r}, should be one of {{'valid', 'same'}}"
                )
            if padding == "same" and any(step != 1 for step in self.stride):
                raise ValueError("padding='same' is not supported for strided convolutions")
        if padding_mode not in _PADDING_MODES:
            raise ValueError(f"padding_mode must be one of {set(_PADDING_MODES)}, but got padding_mode="
                             f"'{padding_mode}'")
        shape = (
            (in_channels, out_channels // groups)
            if transposed
            else (out_channels, in_channels // groups)
        )
        self.weight = Parameter(empty((*shape, *self.kernel_size), device, dtype))
        if bias:
            self.bias = Parameter(empty((out_channels,), device, dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values: uniform up to 1 / sqrt(fan_in)."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in, _ = init._calculate_fan_in_and_fan_out(self.weight)
            if fan_in:
                bound = 1 / math.sqrt(fan_in)
                init.uniform_(self.bias, -bound, bound)

    def _padding_list(self) -> list[int]:
        """The padding as `pad` takes it: before and after, the last dimension first."""
        if self.padding == "valid":
            return [0, 0] * len(self.kernel_size)
        if self.padding == "same":
            totals = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size)]
            sides = [(total // 2, total - total // 2) for total in totals]
        else:
            sides = [(p, p) for p in self.padding]
        return [side for pair in reversed(sides) for side in pair]

    def _convolve(self, convolution, input):
        if self.padding_mode == "zeros":
            return convolution(
                input, self.weight, self.bias, self.stride, self.padding, self.dilation, self.groups
            )
        padded = ops.pad(input, self._padding_list(), mode=self.padding_mode)
        return convolution(padded, self.weight, self.bias, self.stride, 0, self.dilation, self.groups)

    def extra_repr(self) -> str:
        zeros, ones = (0,) * len(self.kernel_size), (1,) * len(self.kernel_size)
        text = (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size},"
            f" stride={self.stride}"
        )
        for name, default in (
            ("padding", zeros),
            ("dilation", ones),
            ("output_padding", zeros),
            ("groups", 1),
        ):
            if getattr(self, name) != default:
                text += f", {name}={getattr(self, name)}"
        if self.bias is None:
            text += ", bias=False"
        if self.padding_mode != "zeros":
            text += f", padding_mode={self.padding_mode}"
        return text


class Conv1d(_Conv):
    """Cross-correlation: (N, in_channels, L) -> (N, out_channels, L_out).

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: size of the window, a number or a tuple.
        stride: step of the window.
        padding: number, tuple, ``"same"`` or ``"valid"``.
        dilation: step between the elements of the window.
        groups: channels are cut into so many groups that do not see each other.
        bias: whether a bias is added.
        padding_mode: ``"zeros"``, ``"reflect"``, ``"replicate"`` or ``"circular"``.

    >>> Conv1d(16, 33, 3, stride=2)
    Conv1d(16, 33, kernel_size=(3,), stride=(2,))
    """

    def __init__(
        self,
        in_channels: int,
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
        super().__init__(
            1,
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            False,
            0,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )

    def forward(self, input):
        return self._convolve(ops.conv1d, input)


class Conv2d(_Conv):
    """Cross-correlation: (N, in_channels, H, W) -> (N, out_channels, H_out, W_out).

    The arguments are those of `Conv1d`.
    Weight and bias start uniform up to 1 / sqrt(fan_in).

    >>> Conv2d(3, 8, 3, padding=1)
    Conv2d(3, 8, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
    """

    def __init__(
        self,
        in_channels: int,
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
        super().__init__(
            2,
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            False,
            0,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )

    def forward(self, input):
        return self._convolve(ops.conv2d, input)


class _ConvTranspose(_Conv):
    """What the transposed convolutions share."""

    def __init__(
        self,
        dimensions: int,
        in_channels: int,
        out_channels: int,
        kernel_size,
        stride,
        padding,
        output_padding,
        groups: int,
        bias: bool,
        dilation,
        padding_mode: str,
        device,
        dtype,
    ):
        if padding_mode != "zeros":
            raise ValueError(
                f'Only "zeros" padding mode is supported for {type(self).__name__}, got {padding_mode!r}'
            )
        super().__init__(
            dimensions,
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            True,
            output_padding,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )

    def _output_padding(self, input, output_size) -> tuple[int, ...]:
        """What has to be added to the smallest output to give ``output_size``."""
        if output_size is None:
            return self.output_padding
        dimensions = len(self.kernel_size)
        spatial = tuple(input.shape[-dimensions:])
        batched = input.ndim == dimensions + 2
        output_size = tuple(output_size)
        if len(output_size) == dimensions + (2 if batched else 1):
            output_size = output_size[-dimensions:]
        if len(output_size) != dimensions:
            raise ValueError(
                f"ConvTranspose{dimensions}D: for {input.ndim}D input, output_size must have"
                f" {dimensions} or {input.ndim} elements (got {len(output_size)})"
            )
        smallest = [(n - 1) * s - 2 * p + d * (k - 1) + 1 for n, s, p, d, k in
                    zip(spatial, self.stride, self.padding, self.dilation, self.kernel_size)]
        largest = [low + step - 1 for low, step in zip(smallest, self.stride)]
        if any(not low <= size <= high for low, size, high in zip(smallest, output_size, largest)):
            raise ValueError(
                f"requested an output size of {list(output_size)}, but valid sizes range from {smallest}"
                f" to {largest} (for an input of {list(spatial)})"
            )
        return tuple(size - low for size, low in zip(output_size, smallest))

    def _transposed(self, convolution, input, output_size):
        return convolution(input, self.weight, self.bias, self.stride, self.padding,
                           self._output_padding(input, output_size), self.groups, self.dilation)


class ConvTranspose1d(_ConvTranspose):
    """The gradient of `Conv1d` with respect to its input: (N, C, L) -> (N, out_channels, L_out).

    >>> ConvTranspose1d(16, 33, 3, stride=2)
    ConvTranspose1d(16, 33, kernel_size=(3,), stride=(2,))
    """

    def __init__(
        self,
        in_channels: int,
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
        super().__init__(
            1,
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            output_padding,
            groups,
            bias,
            dilation,
            padding_mode,
            device,
            dtype,
        )

    def forward(self, input, output_size=None):
        return self._transposed(ops.conv_transpose1d, input, output_size)


class ConvTranspose2d(_ConvTranspose):
    """The gradient of `Conv2d` with respect to its input, as a layer; upsamples for ``stride`` > 1.

    ``forward(input, output_size)`` chooses among the sizes that the stride makes ambiguous.

    >>> ConvTranspose2d(16, 33, 3, stride=2, output_padding=1)
    ConvTranspose2d(16, 33, kernel_size=(3, 3), stride=(2, 2), output_padding=(1, 1))
    """

    def __init__(
        self,
        in_channels: int,
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
        super().__init__(
            2,
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            output_padding,
            groups,
            bias,
            dilation,
            padding_mode,
            device,
            dtype,
        )

    def forward(self, input, output_size=None):
        return self._transposed(ops.conv_transpose2d, input, output_size)
