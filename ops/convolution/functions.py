"""Convolutions and transposed convolutions in one and two dimensions, as users call them.

They check and complete their arguments, and leave the work to the ops of `ops.convolution.core`.  A signal is
an image of one row; the transposed convolution *is* the input gradient of a convolution.
"""

from __future__ import annotations

import numpy as np

import ops
from ops.convolution.core import convolution, convolution_input, pair, signal_convolution
from ops.core import Bad, Traced, case, composite, dtype_of, shape_of
from ops.matrix.vectors import dtype_advice
from ops.samples import spaced
from ops.shape.layout import reshape

__all__ = ["conv1d", "conv2d", "conv_transpose1d", "conv_transpose2d"]


def _check(name: str, input, weight, bias, dims: int, groups: int, transposed: bool) -> None:
    """Refuse what does not fit, in PyTorch's words."""
    for argument, value in (("input", input), ("weight", weight)):
        if not hasattr(value, "ndim"):
            raise TypeError(f"{name}(): argument '{argument}' must be Tensor, "
                            f"not {type(value).__name__}")
    if weight.ndim != dims + 2:
        raise RuntimeError(f"{name}: expected a {dims + 2}-dimensional weight, "
                           f"but got shape {tuple(weight.shape)}")
    if input.ndim not in (dims + 1, dims + 2):
        raise RuntimeError(f"Expected {dims + 1}D (unbatched) or {dims + 2}D (batched) input to {name}, "
                           f"but got input of size: {list(input.shape)}; {_ndim_advice(input, dims)}")
    if groups < 1:
        raise RuntimeError(f"non-positive groups is not supported, got groups={groups}")
    channels = input.shape[-dims - 1]
    expected = weight.shape[0] if transposed else weight.shape[1] * groups
    outputs = weight.shape[1] * groups if transposed else weight.shape[0]
    if channels != expected:
        raise RuntimeError(f"Given groups={groups}, weight of size {list(weight.shape)}, expected input"
                           f"{list(input.shape)} to have {expected} channels, but got {channels} "
                           f"channels instead; {_channel_advice(tuple(input.shape), dims, expected)}")
    if weight.shape[0] % groups:
        raise RuntimeError(f"Given groups={groups}, expected weight to be divisible by {groups} at "
                           f"dimension 0, but got weight of size {list(weight.shape)} instead")
    if bias is not None and shape_of(bias) != (outputs,):
        raise RuntimeError(f"Given weight of size {list(weight.shape)}, expected bias to be "
                           f"1-dimensional with {outputs} elements, but got bias of size "
                           f"{list(bias.shape)} instead")
    for argument, value in (("weight", weight), ("bias", bias)):
        if value is not None and dtype_of(value) != dtype_of(input):
            raise RuntimeError(f"Input type ({dtype_of(input)}) and {argument} type ({dtype_of(value)}) "
                               f"should be the same; {dtype_advice(dtype_of(input))}")
    if dtype_of(input).kind != "f":
        raise NotImplementedError(f"{name} is not implemented for {dtype_of(input)}; "
                                  "convert input and weight with .float()")


def _ndim_advice(input, dims: int) -> str:
    """What may be done about an input of too few or too many dimensions."""
    sizes = ("N, C, L", "N, C, H, W")[dims - 1]
    if input.ndim == dims:
        return f"add batch and channel dimensions: x[None, None] is ({sizes})"
    return f"x.reshape({sizes}) brings flat samples into shape"


def _channel_advice(shape: tuple, dims: int, expected: int) -> str:
    """What may be done about an input with a wrong number of channels."""
    batched = len(shape) == dims + 2
    if shape[-1] == expected != shape[-2]:
        order = (*(0,) * batched, batched + dims, *range(batched, batched + dims))
        return f"the last size is {expected}: looks like channels-last, use x.permute{order}"
    if not batched and shape[0] > 1 and expected == 1:
        return "the channel dimension seems to be missing: x.unsqueeze(1)"
    if shape[-dims - 1] == 1 and expected == 3:
        return "a grey image for a layer of colours: x.expand(-1, 3, -1, -1), or in_channels=1"
    return f"a layer for this input has in_channels={shape[-dims - 1]}"


def _check_options(stride, padding, dilation) -> None:
    """Refuse a stride or dilation below 1 and a padding below 0."""
    options = (("stride", stride, 1), ("dilation", dilation, 1), ("padding", padding, 0))
    for argument, values, least in options:
        if min(values) < least:
            kind = "non-positive" if least else "negative"
            raise RuntimeError(f"{kind} {argument} is not supported, got {argument}={values}")


def _check_window(input, kernel, stride, padding, dilation) -> None:
    """Refuse options as `_check_options` does, and a window that is larger than the padded input."""
    _check_options(stride, padding, dilation)
    padded = [n + 2 * p for n, p in zip(input.shape[2:], padding)]
    spans = [d * (k - 1) + 1 for k, d in zip(kernel, dilation)]
    if any(n < k for n, k in zip(padded, spans)):
        raise RuntimeError(f"Calculated padded input size per channel: {tuple(padded)}. Kernel size: "
                           f"{tuple(spans)}. Kernel size can't be greater than actual input size")


def _batched(input, dims: int):
    """The input with a batch dimension, and whether it was added."""
    if input.ndim == dims + 1:
        return reshape(input, (1, *input.shape)), True
    return input, False


def _conv(name: str, dims: int, input, weight, bias, stride, padding, dilation, groups):
    _check(name, input, weight, bias, dims, groups, False)
    stride, dilation = pair(stride, "stride", dims), pair(dilation, "dilation", dims)
    input, added = _batched(input, dims)
    kernel = shape_of(weight)[2:]
    if isinstance(padding, str):
        if padding not in ("same", "valid"):
            raise RuntimeError(f"Invalid padding string: '{padding}'; use 'same', 'valid' or numbers")
        if padding == "same" and any(s != 1 for s in stride):
            raise RuntimeError("padding='same' is not supported for strided convolutions, "
                               f"got stride={stride}")
        total = [d * (k - 1) if padding == "same" else 0 for k, d in zip(kernel, dilation)]
        if any(t % 2 for t in total):  # the odd one out goes to the end, as in PyTorch
            input = ops.pad(input, tuple(side for t in reversed(total) for side in (0, t % 2)))
        padding = tuple(t // 2 for t in total)
    padding = pair(padding, "padding", dims)
    _check_window(input, kernel, stride, padding, dilation)
    convolve = signal_convolution if dims == 1 else convolution
    result = convolve(input, weight, bias, stride, padding, dilation, groups)
    return reshape(result, shape_of(result)[1:]) if added else result


_checked: dict = {}  # keys of calls that passed all checks -> their options as tuples


def _convolve(name: str, convolve, dims: int, input, weight, bias, stride, padding, dilation, groups):
    """`_conv`, without the checks if a call like this one has passed them."""
    key, options = _look_up(input, weight, bias, stride, padding, dilation, groups)
    if options is not None:
        return convolve(input, weight, bias, *options)
    result = _conv(name, dims, input, weight, bias, stride, padding, dilation, groups)
    if input.ndim == dims + 2 and not isinstance(padding, str):
        _remember(key, (*(pair(v, "option", dims) for v in (stride, padding, dilation)), groups))
    return result


def _remember(key, plan: tuple) -> None:
    if key is not None:
        if len(_checked) >= 4096:
            _checked.clear()
        _checked[key] = plan


def _look_up(input, weight, bias, *options):
    """What decides whether a call is right (None if that cannot be a key), and what `_remember` kept for it.

    It is decided by shapes, dtypes and options.  Checking takes 20 microseconds and a network calls with the
    same shapes in every step.
    """
    try:
        key = [options, *map(type, options)]
        for value in (input, weight, bias):
            if isinstance(value, Traced):
                key += value.array_shape, value.array_dtype
            elif value is not None:
                key += value.shape, value.dtype
        key = tuple(key)
        return key, _checked.get(key)
    except (TypeError, AttributeError):
        return None, None


def _lift(signal):
    """A signal as an image of one row: (N, C, L) -> (N, C, 1, L)."""
    return reshape(signal, (*signal.shape[:2], 1, signal.shape[2]))


def _transpose_plan(name: str, dims: int, input, weight, bias, stride, padding, output_padding, groups,
                    dilation) -> tuple:
    """Room for further input pixels, the shape of the result of a batch, and the options as tuples."""
    _check(name, input, weight, bias, dims, groups, True)
    stride, padding = pair(stride, "stride", dims), pair(padding, "padding", dims)
    extra, dilation = pair(output_padding, "output_padding", dims), pair(dilation, "dilation", dims)
    for e, s, d in zip(extra, stride, dilation):
        if e < 0 or e >= max(s, d):
            raise RuntimeError("output padding must be smaller than either stride or dilation, but got "
                               f"output_padding={extra}, stride={stride}, dilation={dilation}")
    _check_options(stride, padding, dilation)
    *lead, _ = shape_of(input)[:-dims]
    images, kernel = shape_of(input)[-dims:], shape_of(weight)[2:]
    sizes = [(n - 1) * s - 2 * p + d * (k - 1) + e + 1 for n, s, p, d, k, e in
             zip(images, stride, padding, dilation, kernel, extra)]
    if min(sizes) < 1:
        raise RuntimeError(f"Given input size per channel: {list(images)}. Calculated output "
                           f"size per channel: {sizes}. Output size is too small")
    # Output padding of a whole stride makes room for further input pixels, which are zeros.
    room = [(size + 2 * p - d * (k - 1) - 1) // s + 1 - n for size, n, s, p, d, k in
            zip(sizes, images, stride, padding, dilation, kernel)]
    return room, (*(lead or (1,)), shape_of(weight)[1] * groups, *sizes), stride, padding, dilation


def _conv_transpose(name: str, dims: int, input, weight, bias, stride, padding, output_padding, groups,
                    dilation):
    arguments = input, weight, bias, stride, padding, output_padding, groups, dilation
    key, plan = _look_up(*arguments, name)
    if plan is None:
        plan = _transpose_plan(name, dims, *arguments)
        _remember(key, plan)
    room, shape, stride, padding, dilation = plan
    input, added = _batched(input, dims)
    if any(room):
        input = ops.pad(input, tuple(side for more in reversed(room) for side in (0, more)))
    if dims == 1:
        result = convolution_input(_lift(input), _lift(weight), (*shape[:2], 1, shape[2]),
                                   (1, *stride), (0, *padding), (1, *dilation), groups, bias)
        result = reshape(result, shape)
    else:
        result = convolution_input(input, weight, shape, stride, padding, dilation, groups, bias)
    return reshape(result, shape[1:]) if added else result


# ------------------------------------------------------------------ convolutions


_IMAGE, _FILTERS = np.ones((1, 2, 5, 5)), np.ones((2, 2, 3, 3))  # of the calls that must be refused


def _conv2d_cases(rng):
    yield case(spaced(rng, (2, 2, 5, 5)), spaced(rng, (3, 2, 3, 3)), spaced(rng, (3,)), 1, 1)
    yield case(spaced(rng, (2, 6, 5)), spaced(rng, (2, 2, 3, 2)), stride=2)
    yield case(spaced(rng, (1, 2, 5, 5)), spaced(rng, (2, 1, 2, 3)), padding="same", groups=2)
    yield case(spaced(rng, (0, 2, 5, 5)), spaced(rng, (2, 2, 3, 3)), padding="valid")


def _conv2d_reference(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    stride, dilation = np.broadcast_to(stride, 2), np.broadcast_to(dilation, 2)
    batch = input if input.ndim == 4 else input[None]
    if padding == "same":
        total = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:])]
        batch = np.pad(batch, ((0, 0), (0, 0), *((t // 2, t - t // 2) for t in total)))
    padding = np.broadcast_to(padding if not isinstance(padding, str) else 0, 2)
    result = convolution.reference(batch, weight, bias, stride, padding, dilation, groups)
    return result if input.ndim == 4 else result[0]


@composite(
    differentiable=("input", "weight", "bias"), samples=_conv2d_cases, reference=_conv2d_reference,
    bad=[Bad((np.ones((1, 3, 5, 5)), _FILTERS), {}, RuntimeError, "to have 2 channels, but got 3"),
         Bad((np.ones((1, 2, 2, 5)), _FILTERS), {}, RuntimeError, r"\(2, 5\). Kernel size: \(3, 3\)"),
         Bad((np.ones((5, 5)), _FILTERS), {}, RuntimeError, r"Expected 3D.*or 4D.*\[5, 5\]"),
         Bad((_IMAGE, _FILTERS, np.ones(3)), {}, RuntimeError, "bias.*2 elements"),
         Bad((_IMAGE, _FILTERS, None, 0), {}, RuntimeError, "non-positive stride"),
         Bad((_IMAGE, _FILTERS, None, 2, "same"), {}, RuntimeError, "same.*strided"),
         Bad((_IMAGE, _FILTERS, None, (1, 1, 1)), {}, RuntimeError, "list of 2 values"),
         Bad((_IMAGE, _FILTERS.astype(np.float32)), {}, RuntimeError, "float64.*float32.*be the same")],
    exempt={"zero_dim": "takes images"},
)
def conv2d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """Two-dimensional convolution of images with filters.

    Args:
        input: (N, C, H, W) or (C, H, W).
        weight: (O, C / groups, KH, KW).
        bias: (O,) or None.
        stride, dilation: one number or (vertical, horizontal).
        padding: likewise, or ``"same"``, ``"valid"``.
        groups: input and output channels are split into this many independent groups.

    Raises:
        RuntimeError: if shapes, dtypes or options do not fit; the text has the sizes.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.conv2d.html

    >>> conv2d(np.ones((1, 3, 3)), np.ones((1, 1, 3, 3)), padding=1)[0]
    array([[4., 6., 4.],
           [6., 9., 6.],
           [4., 6., 4.]])
    """
    return _convolve("conv2d", convolution, 2, input, weight, bias, stride, padding, dilation, groups)


def _conv1d_cases(rng):
    yield case(spaced(rng, (2, 2, 6)), spaced(rng, (3, 2, 3)), spaced(rng, (3,)), 2, 1)
    yield case(spaced(rng, (2, 6)), spaced(rng, (2, 2, 2)), padding="same")
    yield case(spaced(rng, (0, 2, 6)), spaced(rng, (2, 1, 2)), groups=2, dilation=2)


def _conv1d_reference(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    padding = padding if isinstance(padding, str) else (0, padding)
    return _conv2d_reference(input[..., None, :], weight[:, :, None], bias,
                             (1, stride), padding, (1, dilation), groups)[..., 0, :]


@composite(
    differentiable=("input", "weight", "bias"), samples=_conv1d_cases, reference=_conv1d_reference,
    bad=[Bad((np.ones((1, 2, 2)), np.ones((2, 2, 3))), {}, RuntimeError, "Kernel size can't be greater"),
         Bad((np.ones((1, 3, 5)), np.ones((2, 2, 3))), {}, RuntimeError, "2 channels, but got 3")],
    exempt={"zero_dim": "takes signals"},
)
def conv1d(input, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    """One-dimensional convolution: as `conv2d`, of signals with filters.

    Args:
        input: (N, C, L) or (C, L).
        weight: (O, C / groups, K).

    >>> conv1d(np.array([[1.0, 2.0, 4.0]]), np.array([[[-1.0, 1.0]]]))
    array([[1., 2.]])
    """
    return _convolve("conv1d", signal_convolution, 1, input, weight, bias, stride, padding, dilation, groups)


def _transpose_cases(rng):
    yield case(spaced(rng, (2, 2, 3, 3)), spaced(rng, (2, 3, 3, 2)), spaced(rng, (3,)), 2, 1, 1)
    yield case(spaced(rng, (4, 3, 2)), spaced(rng, (4, 1, 2, 2)), groups=2, dilation=2)
    yield case(spaced(rng, (0, 2, 3, 3)), spaced(rng, (2, 3, 2, 2)))


def _transpose_reference(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1,
                         dilation=1):
    options = (stride, padding, output_padding, dilation)
    stride, padding, extra, dilation = (np.broadcast_to(value, 2) for value in options)
    batch = input if input.ndim == 4 else input[None]
    sizes = [(n - 1) * s - 2 * p + d * (k - 1) + e + 1 for n, s, p, d, k, e in
             zip(batch.shape[2:], stride, padding, dilation, weight.shape[2:], extra)]
    shape = (len(batch), weight.shape[1] * groups, *sizes)
    result = convolution_input.reference(batch, weight, shape, stride, padding, dilation, groups)
    result = result if bias is None else result + bias[:, None, None]
    return result if input.ndim == 4 else result[0]


@composite(
    differentiable=("input", "weight", "bias"), samples=_transpose_cases, reference=_transpose_reference,
    bad=[Bad((np.ones((1, 3, 5, 5)), _FILTERS), {}, RuntimeError, "to have 2 channels, but got 3"),
         Bad((_IMAGE, _FILTERS, None, 1, 0, 1), {}, RuntimeError, "output padding must be smaller"),
         Bad((_IMAGE[..., :1, :1], _FILTERS[..., :1, :1], None, 1, 1), {}, RuntimeError,
             "Output size is too small")],
    exempt={"zero_dim": "takes images"},
)
def conv_transpose2d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1,
                     dilation=1):
    """Transposed two-dimensional convolution: the gradient of `conv2d` with respect to its input.

    Args:
        input: (N, C, H, W) or (C, H, W).
        weight: (C, O / groups, KH, KW).
        bias: (O,) or None.
        output_padding: rows and columns added at the end of the output; smaller than stride or dilation.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.conv_transpose2d.html

    >>> conv_transpose2d(np.ones((1, 1, 1)), np.ones((1, 1, 2, 2)))[0]
    array([[1., 1.],
           [1., 1.]])
    """
    return _conv_transpose("conv_transpose2d", 2, input, weight, bias, stride, padding, output_padding,
                           groups, dilation)


@composite(
    differentiable=("input", "weight", "bias"),
    samples=lambda rng: iter([
        case(spaced(rng, (2, 2, 4)), spaced(rng, (2, 3, 3)), spaced(rng, (3,)), 2, 1, 1),
        case(spaced(rng, (0, 2, 4)), spaced(rng, (2, 3, 3)))]),
    reference=lambda input, weight, bias=None, stride=1, padding=0, extra=0: _transpose_reference(
        input[:, :, None], weight[:, :, None], bias, (1, stride), (0, padding), (0, extra))[:, :, 0],
    bad=[Bad((np.ones((1, 3, 5)), np.ones((2, 2, 3))), {}, RuntimeError, "2 channels, but got 3")],
    exempt={"zero_dim": "takes signals"},
)
def conv_transpose1d(input, weight, bias=None, stride=1, padding=0, output_padding=0, groups=1,
                     dilation=1):
    """Transposed one-dimensional convolution; as `conv_transpose2d`, with weight (C, O / groups, K).

    >>> conv_transpose1d(np.ones((1, 1)), np.ones((1, 1, 2)))
    array([[1., 1.]])
    """
    return _conv_transpose("conv_transpose1d", 1, input, weight, bias, stride, padding, output_padding,
                           groups, dilation)
