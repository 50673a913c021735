"""Images and signals resampled to another size: nearest neighbour, linear, cubic and area interpolation.

Every mode is a linear map of rows and columns, so two ops are closed under differentiation: the
resampling and its transpose, each the gradient of the other.  "area" is adaptive average pooling.
"""

from __future__ import annotations

import math

import numpy as np

from ops.callers import warn_user
from ops.core import Bad, array_of, case, composite, dtype_of, op, shape_of
from ops.lazy import LazyModule
from ops.pooling.adaptive_pool import adaptive_avg_pool1d, adaptive_avg_pool2d
from ops.pooling.windows import INNER, planes
from ops.reduction.totals import TYPE_NAMES
from ops.samples import spaced
from ops.shape.layout import squeeze, unsqueeze

__all__ = ["interpolate", "resampling", "resampling_backward", "upsample"]

_kernels = LazyModule("ops.kernels.interpolate")


# ------------------------------------------------------------------ samples and slow references


def _cubic(distance: float, a: float) -> float:
    """The kernel of cubic convolution."""
    d = abs(distance)
    if d <= 1:
        return (a + 2) * d ** 3 - (a + 3) * d ** 2 + 1
    return a * (d ** 3 - 5 * d ** 2 + 8 * d - 4) if d < 2 else 0.0


def _matrix(size, output, scale, mode, align_corners) -> np.ndarray:
    """Resampling of one dimension as a matrix (output, size), from the formula of each kernel."""
    matrix = np.zeros((output, size))
    for i in range(output):
        at = i * scale if align_corners else (i + 0.5) * scale - 0.5
        if mode.startswith("nearest"):
            matrix[i, min(math.floor(at + 0.5 if mode == "nearest-exact" else i * scale), size - 1)] = 1
        elif mode == "bilinear":
            at = min(max(at, 0), size - 1)
            matrix[i] = [max(0, 1 - abs(at - j)) for j in range(size)]
        elif mode == "bicubic":
            for j in range(math.floor(at) - 1, math.floor(at) + 3):
                matrix[i, min(max(j, 0), size - 1)] += _cubic(at - j, -0.75)
        else:  # the kernel is stretched to the width of an output pixel, and what it sees is averaged
            center, width = at, max(scale, 1)
            offsets = [(j - center) / width for j in range(size)]
            cubic = mode.startswith("bicubic")
            matrix[i] = [_cubic(d, -0.5) if cubic else max(0, 1 - abs(d)) for d in offsets]
            matrix[i] /= matrix[i].sum()
    return matrix


_SHAPES = (  # input, output size, scales, mode, align_corners
    ((1, 2, 4, 3), (7, 5), (4 / 7, 3 / 5), "bilinear", False),
    ((2, 5, 4), (3, 6), (4 / 2, 3 / 5), "bilinear", True),
    ((2, 4, 5), (6, 3), (4 / 6, 5 / 3), "bicubic", False),
    ((1, 4, 3), (7, 5), (3 / 6, 2 / 4), "bicubic", True),
    ((1, 4, 5), (6, 3), (1 / 1.6, 1 / 0.7), "nearest", False),
    ((1, 4, 5), (6, 3), (1 / 1.6, 1 / 0.7), "nearest-exact", False),
    ((2, 1, 4), (1, 8), (1.0, 1 / 2.2), "nearest-line", False),
    ((1, 7, 3), (3, 5), (7 / 3, 3 / 5), "bilinear-antialias", False),
    ((1, 7, 3), (3, 5), (7 / 3, 3 / 5), "bicubic-antialias", False),
    ((0, 2, 3, 3), (4, 4), (3 / 4, 3 / 4), "bilinear", False),
)


def _matrices(input_size, output_size, scales, mode, align_corners):
    return [_matrix(*axis, mode, align_corners) for axis in zip(input_size, output_size, scales)]


def _reference(input, output_size, *options):
    rows, columns = _matrices(input.shape[-2:], output_size, *options)
    return np.einsum("ih,...hw,jw->...ij", rows, input, columns)


def _backward_reference(input, input_size, *options):
    rows, columns = _matrices(input_size, input.shape[-2:], *options)
    return np.einsum("ih,...ij,jw->...hw", rows, input, columns)


# ------------------------------------------------------------------ the map and its transpose


@op(
    grad=dict(input=lambda g, input_shape, scales, mode, align_corners:
              resampling_backward(g, input_shape[-2:], scales, mode, align_corners)),
    samples=lambda rng: (case(spaced(rng, shape), *options) for shape, *options in _SHAPES),
    reference=_reference, exempt=INNER,
)
def resampling(input, output_size, scales, mode, align_corners):
    """`interpolate` of images (..., H, W) and arguments that were checked.

    Args:
        output_size: (Ho, Wo).
        scales: how many input pixels one output pixel is wide, down and across.
        mode: a mode for images, or one of "bilinear-antialias", "bicubic-antialias" and "nearest-line"
            (for signals: a size that the factor keeps or doubles is no special case, as in PyTorch).

    >>> resampling(np.array([[[0.0, 1.0]]]), (1, 4), (1.0, 0.5), "bilinear", False)
    array([[[0.  , 0.25, 0.75, 1.  ]]])
    """
    _check_planes("resampling", input.shape[-2:], output_size)
    if input.dtype == np.uint8:  # bytes are exact in float32, and nearest neighbours are copies
        wide = resampling(input.astype(np.float32), output_size, scales, mode, align_corners)
        return wide.astype(np.uint8)
    result = _kernels.interpolate(planes(input), output_size, scales, mode, align_corners)
    return result.reshape(input.shape[:-2] + output_size)


@op(
    grad=dict(input=lambda g, input_shape, scales, mode, align_corners:
              resampling(g, input_shape[-2:], scales, mode, align_corners)),
    samples=lambda rng: (case(spaced(rng, (*shape[:-2], *size)), shape[-2:], *options)
                         for shape, size, *options in _SHAPES),
    reference=_backward_reference, exempt=INNER,
)
def resampling_backward(input, input_size, scales, mode, align_corners):
    """The transpose of `resampling`: every pixel (..., Ho, Wo) is shared out to those it was made of.

    >>> resampling_backward(np.ones((1, 1, 4)), (1, 2), (1.0, 0.5), "bilinear", False)
    array([[[2., 2.]]])
    """
    _check_planes("resampling_backward", input.shape[-2:], input_size)
    result = _kernels.interpolate_backward(planes(input), input_size, scales, mode, align_corners)
    return result.reshape(input.shape[:-2] + input_size)


# ------------------------------------------------------------------ checks


def _check_planes(name: str, *sizes) -> None:
    """Refuse planes without a pixel: the kernels would look for neighbours outside of them."""
    for size in sizes:
        if len(size) != 2 or min(size) < 1:
            raise RuntimeError(f"{name}(): images must have a height and a width greater than 0, "
                               f"got {tuple(size)}")


_MODES = {"nearest": (3, 4), "nearest-exact": (3, 4), "area": (3, 4), "linear": (3,), "bilinear": (4,),
          "bicubic": (4,)}


def _sizes(size, scale_factor, spatial: tuple[int, ...]) -> tuple[list[int], list[float] | None]:
    """The output size, and the scale factors if they were given, one number for each dimension."""
    if size is not None and scale_factor is not None:
        raise ValueError("only one of size or scale_factor should be defined")
    if size is None and scale_factor is None:
        raise ValueError("either size or scale_factor should be defined")
    if scale_factor is None:
        return [int(n) for n in _each("size", size, spatial, (int, np.integer))], None
    factors = _each("scale_factor", scale_factor, spatial, (int, float, np.integer, np.floating))
    return [int(n * factor) for n, factor in zip(spatial, factors)], factors


def _each(name: str, value, spatial: tuple[int, ...], kinds: tuple[type, ...]) -> list:
    """A number for each spatial dimension, from one or from a sequence."""
    items = list(value) if isinstance(value, (tuple, list)) else [value] * len(spatial)
    if len(items) != len(spatial):
        raise ValueError(f"Input and {'output' if name == 'size' else name} must have the same number "
                         "of spatial dimensions, but got input with spatial dimensions of "
                         f"{list(spatial)} and {name} of {value}. Give one number, or one for each of "
                         f"these {len(spatial)} dimensions")
    for item in items:
        if not isinstance(item, kinds) or isinstance(item, bool):
            what = "ints" if name == "size" else "numbers"
            raise TypeError(f"interpolate(): argument '{name}' must be {what[:-1]} or a tuple of "
                            f"{what}, not {type(item).__name__} ({value!r})")
    return items


def _check_mode(input, mode, align_corners, antialias) -> None:
    if mode in ("nearest", "area", "nearest-exact") and align_corners is not None:
        raise ValueError("align_corners option can only be set with the interpolating modes: linear | "
                         f"bilinear | bicubic, but got mode='{mode}'")
    if antialias and (mode not in ("bilinear", "bicubic") or input.ndim != 4):
        raise ValueError("Anti-alias option is restricted to bilinear and bicubic modes and requires "
                         f"a 4-D tensor as input, but got mode='{mode}' and {input.ndim}D input")
    if input.ndim not in _MODES.get(mode, ()):
        if mode in ("linear", "bilinear", "trilinear") and input.ndim in (3, 4, 5):
            wanted = {"linear": 3, "bilinear": 4, "trilinear": 5}[mode]
            raise NotImplementedError(f"Got {input.ndim}D input, but {mode} mode needs {wanted}D input")
        raise NotImplementedError("Input Error: Only 3D and 4D input Tensors supported (got "
                                  f"{input.ndim}D) for the modes: {' | '.join(_MODES)} (got {mode})")


def _check_input(input, output_size, mode) -> None:
    spatial = shape_of(input)[2:]
    if min(*spatial, *output_size) <= 0:
        raise RuntimeError("Input and output sizes should be greater than 0, but got input "
                           f"{spatial} and output {tuple(output_size)}")
    if input.shape[1] == 0:
        raise RuntimeError(f"Non-empty {input.ndim}D data tensor expected but got a tensor with sizes "
                           f"{list(input.shape)}")
    dtype = dtype_of(input)
    if dtype.kind != "f" and not (dtype == np.uint8 and mode.startswith("nearest")):
        raise NotImplementedError(f'"interpolate" with mode=\'{mode}\' not implemented for '
                                  f"'{TYPE_NAMES[dtype.name]}'; convert the input first: x.float()")


def _scale(size: int, output: int, factor: float | None, align_corners: bool) -> float:
    """How many input pixels one output pixel is wide."""
    if align_corners:
        return (size - 1) / (output - 1) if output > 1 else 0.0
    return 1 / factor if factor else size / output


# ------------------------------------------------------------------ what users call


def _interpolate_cases(rng):
    yield case(spaced(rng, (1, 2, 4, 3)), 5)
    yield case(spaced(rng, (1, 1, 4, 3)), None, (1.7, 0.6), "bilinear")
    yield case(spaced(rng, (1, 1, 4, 3)), None, 1.7, "bilinear", recompute_scale_factor=True)
    yield case(spaced(rng, (1, 1, 4, 3)), (6, 4), mode="bicubic", align_corners=True)
    yield case(spaced(rng, (1, 1, 6, 5)), (2, 7), mode="bilinear", antialias=True)
    yield case(spaced(rng, (1, 1, 6, 4)), (3, 2), mode="area")
    yield case(spaced(rng, (2, 1, 4)), 7, mode="linear")
    yield case(spaced(rng, (2, 1, 4)), None, 1.6, mode="nearest-exact")
    yield case(spaced(rng, (1, 2, 4)), None, 0.5, mode="area")
    yield case(spaced(rng, (0, 2, 4, 4)), 3, mode="bicubic")


def _interpolate_reference(input, size=None, scale_factor=None, mode="nearest", align_corners=None,
                           recompute_scale_factor=None, antialias=False):
    spatial = input.shape[2:]
    factors = np.broadcast_to(1.0 if scale_factor is None else scale_factor, len(spatial))
    if size is None:
        size = [int(n * f) for n, f in zip(spatial, factors)]
    size = np.broadcast_to(size, len(spatial)).tolist()
    result = input
    for axis, (n, m, f) in enumerate(zip(spatial, size, factors), 2):
        scale = n / m if scale_factor is None or recompute_scale_factor else 1 / f
        scale = (n - 1) / (m - 1) if align_corners else scale
        if mode == "area":  # the samples' sizes divide each other
            matrix = np.repeat(np.eye(m), n // m, axis=1) * m / n
        else:
            kernel = {"linear": "bilinear"}.get(mode, mode) + ("-antialias" if antialias else "")
            matrix = _matrix(n, m, scale, kernel, align_corners)
        result = np.moveaxis(np.tensordot(result, matrix, (axis, 1)), -1, axis)
    return result


_IMAGE = np.ones((1, 3, 8, 8))
_BAD = [
    Bad((_IMAGE,), {}, ValueError, "either size or scale_factor should be defined"),
    Bad((_IMAGE, 4, 2), {}, ValueError, "only one of size or scale_factor should be defined"),
    Bad((_IMAGE, (4, 4, 4)), {}, ValueError, r"Input and output must .*size of \(4, 4, 4\)"),
    Bad((_IMAGE, None, (2.0,)), {}, ValueError, "Input and scale_factor must have the same number"),
    Bad((_IMAGE, 4.5), {}, TypeError, "argument 'size' must be int or a tuple of ints, not float"),
    Bad((_IMAGE, None, "2"), {}, TypeError, "'scale_factor' must be number or .*, not str"),
    Bad((_IMAGE, 0), {}, RuntimeError, r"sizes should be greater than 0, but got input \(8, 8\)"),
    Bad((_IMAGE, None, 0.01), {}, RuntimeError, r"sizes should be greater than 0.*output \(0, 0\)"),
    Bad((_IMAGE[:, :0], 4), {}, RuntimeError, r"Non-empty 4D data tensor expected.*\[1, 0, 8, 8\]"),
    Bad((_IMAGE, 4, None, "linear"), {}, NotImplementedError, "Got 4D input, but linear mode needs 3D"),
    Bad((_IMAGE[0], 4, None, "bicubic"), {}, NotImplementedError, r"\(got 3D\).*\(got bicubic\)"),
    Bad((_IMAGE, 4, None, "cubic"), {}, NotImplementedError, r"for the modes: nearest .*\(got cubic\)"),
    Bad((_IMAGE, 4, None, "nearest", True), {}, ValueError, "align_corners option can only be set with"),
    Bad((_IMAGE.astype(np.int32), 4), {}, NotImplementedError, "not implemented for 'Int'"),
    Bad(([1.0], 4), {}, TypeError, r"argument 'input' \(position 1\) must be Tensor, not list"),
]


@composite(
    samples=_interpolate_cases, reference=_interpolate_reference, exempt={"zero_dim": "takes images"},
    bad=[*_BAD,
         Bad((_IMAGE, 4, None, "nearest", None, True), {}, ValueError, "not meaningful with an"),
         Bad((_IMAGE, 4), {"antialias": True}, ValueError, "Anti-alias option is restricted")],
)
def interpolate(input, size=None, scale_factor=None, mode="nearest", align_corners=None,
                recompute_scale_factor=None, antialias=False):
    """Signals or images resampled to a given size, or by a factor.

    Args:
        input: (N, C, L) or (N, C, H, W), floating point; "nearest" modes take uint8 as well.
        size: output size, one number or one for each spatial dimension.
        scale_factor: multiplier of the size, likewise; the output size is rounded down.
        mode: "nearest" (left neighbour), "nearest-exact" (nearest centre), "linear" (3-D input),
            "bilinear" and "bicubic" (4-D input), or "area" (mean of what an output pixel covers).
        align_corners: whether the centres of the corner pixels are kept, else their outer corners are;
            for the linear and cubic modes, False by default.
        recompute_scale_factor: derive the factor used for positions anew from the rounded size.
        antialias: when shrinking, widen the kernel to all pixels covered ("bilinear", "bicubic").

    Raises:
        ValueError, TypeError: if ``size`` and ``scale_factor`` are both or neither given, or do not fit.
        NotImplementedError: for a mode that does not exist for this number of dimensions or dtype.
        RuntimeError: if a size is not positive.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.interpolate.html

    >>> interpolate(np.array([[[0.0, 1.0]]]), scale_factor=2, mode="linear")
    array([[[0.  , 0.25, 0.75, 1.  ]]])
    """
    if not isinstance(array_of(input), np.ndarray):
        raise TypeError("interpolate(): argument 'input' (position 1) must be Tensor, not "
                        f"{type(input).__name__}")
    if size is not None and recompute_scale_factor and scale_factor is None:
        raise ValueError("recompute_scale_factor is not meaningful with an explicit size.")
    spatial = shape_of(input)[2:]
    output_size, factors = _sizes(size, scale_factor, spatial)
    _check_mode(input, mode, align_corners, antialias)
    if mode == "area":
        return (adaptive_avg_pool1d if input.ndim == 3 else adaptive_avg_pool2d)(input, output_size)
    _check_input(input, output_size, mode)
    if factors is None or recompute_scale_factor:
        factors = [None] * len(spatial)
    scales = [_scale(*axis, bool(align_corners)) for axis in zip(spatial, output_size, factors)]
    align_corners = bool(align_corners)
    if input.ndim == 3:
        mode = {"linear": "bilinear", "nearest": "nearest-line"}.get(mode, mode)
        images, size = unsqueeze(input, -2), (1, *output_size)
        return squeeze(resampling(images, size, (1.0, *scales), mode, align_corners), -2)
    mode = f"{mode}-antialias" if antialias else mode
    return resampling(input, tuple(output_size), tuple(scales), mode, align_corners)


@composite(
    samples=lambda rng: (case(spaced(rng, shape), 6) for shape in ((1, 2, 4, 3), (2, 1, 5), (0, 1, 2))),
    reference=_interpolate_reference, bad=_BAD, exempt={"zero_dim": "takes images"},
)
def upsample(input, size=None, scale_factor=None, mode="nearest", align_corners=None):
    """The old name of `interpolate`; it warns, as in PyTorch.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.upsample.html

    >>> upsample(np.array([[[0.0, 1.0]]]), scale_factor=2)
    array([[[0., 0., 1., 1.]]])
    """
    warn_user("`nn.functional.upsample` is deprecated. Use `nn.functional.interpolate` instead.")
    return interpolate(input, size, scale_factor, mode, align_corners)
