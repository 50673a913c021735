"""Images from files to Tensors and back, with the names of ``torchvision.io``."""

from __future__ import annotations

import enum
import io

import numpy as np
from PIL import Image

from tinygrad_hw.tensor import Tensor
from tinygrad_hw.vision.datasets.reading import open_image
from tinygrad_hw.vision.transforms.conversion import pil_to_tensor

__all__ = ["ImageReadMode", "decode_image", "read_file", "read_image", "write_jpeg", "write_png"]


class ImageReadMode(enum.Enum):
    """Which colours an image is read with; the values are Pillow's names, None leaves them as they are."""

    UNCHANGED = None
    GRAY = "L"
    GRAY_ALPHA = "LA"
    RGB = "RGB"
    RGB_ALPHA = "RGBA"


def read_file(path) -> Tensor:
    """The bytes of a file as a uint8 Tensor.

    >>> read_file(__file__).dtype
    tinygrad_hw.uint8
    """
    with open(path, "rb") as file:
        return Tensor._wrap(np.frombuffer(bytearray(file.read()), np.uint8))


def decode_image(input, mode=ImageReadMode.UNCHANGED, apply_exif_orientation: bool = False) -> Tensor:
    """An image file's bytes, or a path, as a Tensor (C, H, W) of uint8.

    Args:
        input: uint8 Tensor of the file's bytes, or a path.
        mode: an `ImageReadMode` or its name.
        apply_exif_orientation: turn the image as the camera says.

    Raises:
        ValueError: for what is no image, or damaged.

    >>> from tinygrad_hw import zeros
    >>> decode_image(write_png(zeros(3, 2, 4, dtype="uint8"))).shape
    tinygrad_hw.Size([3, 2, 4])
    """
    mode = ImageReadMode[mode.upper().replace("RGBA", "RGB_ALPHA")] if isinstance(mode, str) else mode
    from_memory = isinstance(input, Tensor)
    source = io.BytesIO(input.array.tobytes()) if from_memory else input
    image = open_image(source, None, "the image in memory" if from_memory else input, apply_exif_orientation)
    plain = {"P": "RGB", "1": "L"}.get(image.mode, image.mode)
    return pil_to_tensor(image.convert(mode.value or plain))


def read_image(path, mode=ImageReadMode.UNCHANGED, apply_exif_orientation: bool = False) -> Tensor:
    """`decode_image` of a file.

    >>> import tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "grey.png"
    >>> from tinygrad_hw import zeros
    >>> write_png(zeros(1, 2, 4, dtype="uint8"), path)
    >>> read_image(path, ImageReadMode.RGB).shape
    tinygrad_hw.Size([3, 2, 4])
    """
    return decode_image(path, mode, apply_exif_orientation)


def _write(input: Tensor, filename, **options):
    if not isinstance(input, Tensor) or input.array.dtype != np.uint8 or input.ndim != 3:
        raise RuntimeError(
            "an image to write is a uint8 Tensor (C, H, W), got "
            f"{getattr(input, 'dtype', type(input))} of shape {tuple(getattr(input, 'shape', ()))}"
        )
    if input.shape[0] not in (1, 3):
        raise RuntimeError(f"The number of channels should be 1 or 3, got: {input.shape[0]}")
    pixels = np.ascontiguousarray(input.array.transpose(1, 2, 0))
    image = Image.fromarray(pixels[:, :, 0] if input.shape[0] == 1 else pixels)
    if filename is not None:
        image.save(filename, **options)
        return None
    file = io.BytesIO()
    image.save(file, **options)
    return Tensor._wrap(np.frombuffer(bytearray(file.getvalue()), np.uint8))


def write_png(input: Tensor, filename=None, compression_level: int = 6):
    """Write a uint8 Tensor (C, H, W) as PNG; without a file name the bytes are returned.

    >>> from tinygrad_hw import zeros
    >>> write_png(zeros(3, 2, 4, dtype="uint8"))[1:4].tolist()  # "PNG"
    [80, 78, 71]
    """
    return _write(input, filename, format="png", compress_level=compression_level)


def write_jpeg(input: Tensor, filename=None, quality: int = 75):
    """Write a uint8 Tensor (C, H, W) as JPEG; without a file name the bytes are returned.

    >>> from tinygrad_hw import zeros
    >>> write_jpeg(zeros(3, 2, 4, dtype="uint8"))[:2].tolist()
    [255, 216]
    """
    return _write(input, filename, format="jpeg", quality=quality)
