"""Between PIL images, arrays and Tensors; between dtypes; and the normalisation at the end."""

from __future__ import annotations

import numpy as np
from PIL import Image

from ops.promotion import as_dtype, default_dtype
from tinygrad_hw.construct import from_numpy
from tinygrad_hw.nn import Module
from tinygrad_hw.tensor import Tensor
from tinygrad_hw.vision.transforms.images import is_pil

__all__ = [
    "ConvertImageDtype",
    "Normalize",
    "PILToTensor",
    "ToPILImage",
    "ToTensor",
    "convert_image_dtype",
    "normalize",
    "pil_to_tensor",
    "to_pil_image",
    "to_tensor",
]

_PIL_DTYPES = {"I": np.int32, "I;16": np.uint16, "F": np.float32}


def to_tensor(pic) -> Tensor:
    """A PIL image or array (H, W) or (H, W, C) as a Tensor (C, H, W); bytes become floats in 0..1.

    Raises:
        TypeError: ``pic`` is neither.
        ValueError: an array without two or three dimensions.

    >>> to_tensor(Image.new("RGB", (2, 1), (255, 0, 51)))[:, 0, 0].tolist()
    [1.0, 0.0, 0.20000000298023224]
    """
    if is_pil(pic):
        array = _pil_array(pic)
        array = array * np.uint8(255) if pic.mode == "1" else array
    elif isinstance(pic, np.ndarray):
        if pic.ndim not in (2, 3):
            raise ValueError(f"pic should be 2/3 dimensional. Got {pic.ndim} dimensions.")
        array = pic[:, :, None] if pic.ndim == 2 else pic
    else:
        raise TypeError(f"pic should be PIL Image or ndarray. Got {type(pic)}")
    array = np.ascontiguousarray(array.transpose(2, 0, 1))
    if array.dtype == np.uint8:
        array = array.astype(default_dtype()) / default_dtype().type(255)
    return from_numpy(array)


def pil_to_tensor(pic) -> Tensor:
    """A PIL image as a Tensor (C, H, W) with the values that it holds.

    Raises:
        TypeError: ``pic`` is no PIL image.

    >>> pil_to_tensor(Image.new("L", (2, 1), 7)).tolist()
    [[[7, 7]]]
    """
    if not is_pil(pic):
        raise TypeError(f"pic should be PIL Image. Got {type(pic)}")
    return from_numpy(np.ascontiguousarray(_pil_array(pic).transpose(2, 0, 1)))


def _pil_array(pic) -> np.ndarray:
    """(H, W, C) as the image's mode stores it, in a dtype that Tensors have."""
    array = np.array(pic, dtype=_PIL_DTYPES.get(pic.mode, np.uint8))
    if array.dtype == np.uint16:
        array = array.astype(np.int32)  # Tensors have no uint16; int16 would turn bright pixels negative
    return array[:, :, None] if array.ndim == 2 else array


def to_pil_image(pic, mode: str | None = None):
    """A Tensor (C, H, W) or an array (H, W, C), with or without the channel, as a PIL image.

    Floats are taken as 0..1, multiplied by 255 and cut off to whole numbers.

    Args:
        mode: Pillow's name of the colours; None chooses by the number of channels and the dtype.

    Raises:
        TypeError: ``pic`` is neither, or of a dtype that no PIL image holds.
        ValueError: a wrong number of dimensions or channels, or a mode that does not fit.

    >>> to_pil_image(np.full((1, 2, 3), 9, np.uint8)).getpixel((0, 0))
    (9, 9, 9)
    """
    array = _channels_last(pic)
    channels = array.shape[2]
    array = array[:, :, 0] if channels == 1 else array
    fitting = _fitting_modes(array, channels)
    if mode is not None and mode not in fitting:
        raise ValueError(
            f"Incorrect mode ({mode}) supplied for input type {array.dtype} with {channels} channels. "
            f"Should be {' or '.join(fitting)}"
        )
    array = np.ascontiguousarray(array)
    image = Image.fromarray(array)
    if mode is not None and mode != image.mode:  # the same bytes under another name: HSV for RGB, say
        image = Image.frombytes(mode, image.size, array.tobytes())
    return image


def _channels_last(pic) -> np.ndarray:
    """``pic`` as an array (H, W, C) of bytes, or of another dtype that PIL images hold."""
    if isinstance(pic, Tensor):
        if pic.ndim not in (2, 3):
            raise ValueError(f"pic should be 2/3 dimensional. Got {pic.ndim} dimensions.")
        array = pic.array if pic.ndim == 3 else pic.array[None]
        if array.shape[0] > 4:
            raise ValueError(f"pic should not have > 4 channels. Got {array.shape[0]} channels.")
        return _as_bytes(array.transpose(1, 2, 0))
    if isinstance(pic, np.ndarray):
        if pic.ndim not in (2, 3):
            raise ValueError(f"pic should be 2/3 dimensional. Got {pic.ndim} dimensions.")
        array = pic if pic.ndim == 3 else pic[:, :, None]
        if array.shape[2] > 4:
            raise ValueError(f"pic should not have > 4 channels. Got {array.shape[2]} channels.")
        return array
    raise TypeError(f"pic should be Tensor or ndarray. Got {type(pic)}.")


def _as_bytes(array):
    if array.dtype.kind != "f":
        return array
    # As a cast to bytes does, values outside 0..1 wrap around; NaN has no byte and becomes 0.
    return np.nan_to_num(array * 255).astype(np.int64).astype(np.uint8)


def _fitting_modes(array, channels: int) -> tuple[str, ...]:
    """The modes that hold such an array; the first is the default."""
    by_channels = {2: ("LA",), 3: ("RGB", "YCbCr", "HSV"), 4: ("RGBA", "CMYK", "RGBX")}
    by_dtype = {"uint8": ("L",), "int16": ("I;16",), "uint16": ("I;16",), "int32": ("I",),
                "float32": ("F",)}
    if channels in by_channels and array.dtype == np.uint8:
        return by_channels[channels]
    if channels == 1 and array.dtype.name in by_dtype:
        return by_dtype[array.dtype.name]
    raise TypeError(f"Input type {array.dtype} with {channels} channels is not supported: a PIL image "
                    "holds 1 to 4 channels of uint8, or one of int16, int32 or float32")


def convert_image_dtype(image: Tensor, dtype=None) -> Tensor:
    """The image in another dtype, scaled: floats are 0..1, integers 0..their largest value.

    Args:
        dtype: default float32.

    Raises:
        TypeError: no Tensor.
        RuntimeError: float32 to int32 or int64, float64 to int64: not every value could be reached.

    >>> from tinygrad_hw import as_tensor
    >>> convert_image_dtype(as_tensor(np.uint8([[0, 51, 255]]))).tolist()
    [[0.0, 0.20000000298023224, 1.0]]
    """
    if not isinstance(image, Tensor):
        raise TypeError(f"Input img should be Tensor Image. Got {type(image)}")
    target = np.dtype(np.float32) if dtype is None else as_dtype(dtype)
    source = image.array.dtype
    if source == target:
        return image
    if source.kind == "f":
        if target.kind == "f":
            return image.to(target)
        if (source.name, target.name) in {("float32", "int32"), ("float32", "int64"),
                                          ("float64", "int64")}:
            raise RuntimeError(f"The cast from {source} to {target} cannot be performed safely: "
                               f"{source} has too few digits; convert to a smaller integer dtype")
        # Each whole number gets an equal part of 0..1: 1.0 becomes the largest, not one above it.
        scaled = image.array * source.type(_largest(target) + 1.0 - 1e-3)
        return from_numpy(np.asarray(scaled.astype(target)))
    if target.kind == "f":
        return from_numpy(np.asarray(image.array.astype(target) / target.type(_largest(source))))
    largest, new_largest = _largest(source), _largest(target)
    if largest > new_largest:
        values = (image.array // ((largest + 1) // (new_largest + 1))).astype(target)
    else:
        values = image.array.astype(target) * target.type((new_largest + 1) // (largest + 1))
    return from_numpy(np.asarray(values))


def _largest(dtype) -> int:
    return 1 if dtype == np.bool_ else int(np.iinfo(dtype).max)


def normalize(tensor: Tensor, mean, std, inplace: bool = False) -> Tensor:
    """``(image - mean) / std`` for each channel of a Tensor image (..., C, H, W). Gradients pass.

    Args:
        mean, std: one number a channel, or one for all.
        inplace: write into ``tensor``.

    Raises:
        TypeError: no Tensor of floats.
        ValueError: fewer than three dimensions, or a ``std`` that is 0 in the image's dtype.

    >>> from tinygrad_hw import as_tensor
    >>> normalize(as_tensor([[[0.5, 1.0]]]), [0.5], [0.25]).tolist()
    [[[0.0, 2.0]]]
    """
    if not isinstance(tensor, Tensor):
        raise TypeError(f"img should be Tensor Image. Got {type(tensor)}; put ToTensor before Normalize")
    if not tensor.is_floating_point():
        raise TypeError(f"Input tensor should be a float tensor. Got {tensor.dtype}.")
    if tensor.ndim < 3:
        raise ValueError(
            "Expected tensor to be a tensor image of size (..., C, H, W). Got tensor.size() = "
            f"{tuple(tensor.shape)}"
        )
    dtype = tensor.array.dtype
    mean, std = (np.asarray(getattr(v, "array", v), dtype) for v in (mean, std))
    if (std == 0).any():
        raise ValueError(f"std evaluated to zero after conversion to {dtype}, leading to division by "
                         f"zero: {std.tolist()}")
    mean, std = (v.reshape(-1, 1, 1) if v.ndim == 1 else v for v in (mean, std))
    _fit_channels(tensor, mean, std)
    if inplace:
        return tensor.sub_(from_numpy(mean)).div_(from_numpy(std))
    if tensor.requires_grad:
        return (tensor - from_numpy(mean)) / from_numpy(std)
    result = tensor.array - mean
    result /= std
    return from_numpy(result)


def _fit_channels(tensor, mean, std):
    for name, values in (("mean", mean), ("std", std)):
        if values.ndim == 3 and values.shape[0] not in (1, tensor.shape[-3]):
            raise RuntimeError(
                f"{name} has {values.shape[0]} values, but the image has {tensor.shape[-3]} channels "
                f"(shape {tuple(tensor.shape)}); give one value for each channel")


class ToTensor:
    """See `to_tensor`.

    >>> ToTensor()(Image.new("L", (4, 2))).shape
    tinygrad_hw.Size([1, 2, 4])
    """

    def __call__(self, pic):
        return to_tensor(pic)

    def __repr__(self):
        return f"{type(self).__name__}()"


class PILToTensor:
    """See `pil_to_tensor`.

    >>> PILToTensor()(Image.new("L", (1, 1), 255)).item()
    255
    """

    def __call__(self, pic):
        return pil_to_tensor(pic)

    def __repr__(self):
        return f"{type(self).__name__}()"


class ToPILImage:
    """See `to_pil_image`.

    >>> ToPILImage()(np.zeros((2, 4), np.uint8)).size
    (4, 2)
    """

    def __init__(self, mode=None):
        self.mode = mode

    def __call__(self, pic):
        return to_pil_image(pic, self.mode)

    def __repr__(self):
        return f"{type(self).__name__}({'' if self.mode is None else f'mode={self.mode}'})"


class ConvertImageDtype(Module):
    """See `convert_image_dtype`.

    >>> import tinygrad_hw
    >>> ConvertImageDtype(tinygrad_hw.uint8)(tinygrad_hw.as_tensor([[1.0]])).item()
    255
    """

    def __init__(self, dtype):
        super().__init__()
        self.dtype = dtype

    def forward(self, image):
        return convert_image_dtype(image, self.dtype)

    def __repr__(self):
        return f"{type(self).__name__}()"


class Normalize(Module):
    """See `normalize`.

    >>> Normalize([0.5], [0.5])
    Normalize(mean=[0.5], std=[0.5])
    """

    def __init__(self, mean, std, inplace=False):
        super().__init__()
        self.mean = mean
        self.std = std
        self.inplace = inplace

    def forward(self, tensor):
        return normalize(tensor, self.mean, self.std, self.inplace)

    def __repr__(self):
        return f"{type(self).__name__}(mean={self.mean}, std={self.std})"
