"""The names that public tutorials use most are all there, and what torchvision's part of them computes.

The list is ``tinygrad_hw/compat/common.txt``.
"""

import io
import re

import numpy as np
import pytest
from PIL import Image

import tinygrad_hw as torch
from tinygrad_hw.compat import table
from tinygrad_hw.compat.scan import common_names
from tinygrad_hw.compat.suggest import advice
from tinygrad_hw.vision import io as vision_io
from tinygrad_hw.vision import transforms, utils
from tinygrad_hw.vision.transforms import v2

COMMON = common_names()
REFUSED = {
    "torch.Tensor.bfloat16", "torch.Tensor.cuda", "torch.Tensor.half", "torch.cuda.Event",
    "torch.cuda.FloatTensor", "torch.cuda.get_device_name", "torch.cuda.memory_allocated",
    "torch.cuda.set_device", "torch.cuda.synchronize",
}
LEFT_OUT = (
    r"\w*3d$", r"complex|conj|fft|stft|\beig$", r"float16|half|float8", r"quantiz",
    r"sparse|Sparse|to_dense|Tensor\.values", r"storage|as_strided|resize_",
    r"jit\.|onnx|profiler|checkpoint|tensorboard|hub\.|vmap|func\.|forward_ad",
    r"torchvision\.(models|ops|datasets|transforms|utils\.draw)",
    r"torch\.(lu|solve|symeig|triangular_solve)$", r"distributions\.(Relaxed|Transformed)",
    r"prune|stateless|AdaptiveLog|_forward$|SDPBackend|_pair|Muon|Adafactor",
    r"fuse_conv|orthogonal|volatile|(NLLL|nll_l)oss2d",
)
"""What of the names may be missing, as docs/compat.md says; a name that no line allows has to be there."""


def test_common_names_are_there():
    """Nine of ten are; those that are not are known, and each names what to take instead."""
    found = {name: table.status(name) for name in COMMON}
    missing = [name for name, kind in found.items() if kind == "missing"]
    assert len(COMMON) > 1000 and len(missing) < 0.13 * len(COMMON)
    assert [name for name in missing if not any(re.search(family, name) for family in LEFT_OUT)] == []
    assert [name for name in missing if advice(name) == "nothing like it is offered"] == []
    assert {name for name, kind in found.items() if kind == "refused"} == REFUSED


# ------------------------------------------------------------------ torchvision.utils, io and transforms.v2


def test_make_grid_places_images_row_by_row():
    images = torch.arange(3.0).reshape(3, 1, 1, 1) * torch.ones(3, 1, 2, 3)
    grid = utils.make_grid(images, nrow=2, padding=1, pad_value=9)
    assert grid.shape == (3, 7, 9) and (grid[0] == grid[2]).all()
    assert grid[0].tolist() == [
        [9] * 9, [9, 0, 0, 0, 9, 1, 1, 1, 9], [9, 0, 0, 0, 9, 1, 1, 1, 9],
        [9] * 9, [9, 2, 2, 2, 9, 9, 9, 9, 9], [9, 2, 2, 2, 9, 9, 9, 9, 9], [9] * 9]


def test_make_grid_scales():
    images = torch.tensor([[[[-1.0, 1.0]]], [[[0.0, 3.0]]]])
    whole = utils.make_grid(images, padding=0, normalize=True)
    np.testing.assert_allclose(whole[0], [[0, 0.5, 0.25, 1]])
    each = utils.make_grid(images, padding=0, normalize=True, scale_each=True)
    np.testing.assert_allclose(each[0], [[0, 1, 0, 1]])
    ranged = utils.make_grid(list(images), padding=0, normalize=True, value_range=(0, 1))
    np.testing.assert_allclose(ranged[0], [[0, 1, 0, 1]])
    assert utils.make_grid(torch.ones(4, 5)).shape == (3, 4, 5)


@pytest.mark.parametrize("images, options, error, text", [
    ([1, 2], {}, TypeError, "tensor or list of tensors expected"),
    (torch.ones(1, 1, 1, 2, 2), {}, ValueError, r"got shape \(1, 1, 1, 2, 2\)"),
    (torch.ones(1, 2, 2), {"normalize": True, "value_range": [0, 1]}, TypeError, "has to be a tuple"),
])
def test_make_grid_refuses(images, options, error, text):
    with pytest.raises(error, match=text):
        utils.make_grid(images, **options)


def test_images_to_files_and_back(tmp_path):
    utils.save_image(torch.tensor([[[0.0, 0.5, 1.0, 2.0]]]), tmp_path / "row.png")
    row = vision_io.read_image(tmp_path / "row.png")
    assert row.dtype is torch.uint8 and row[0].tolist() == [[0, 128, 255, 255]] and row.shape == (3, 1, 4)
    grey = vision_io.read_image(str(tmp_path / "row.png"), vision_io.ImageReadMode.GRAY)
    assert grey.shape == (1, 1, 4)
    image = torch.randint(0, 256, (3, 4, 5), dtype=torch.uint8)
    assert (vision_io.decode_image(vision_io.write_png(image)) == image).all()
    vision_io.write_jpeg(image, tmp_path / "a.jpg", quality=90)
    assert vision_io.decode_image(vision_io.read_file(tmp_path / "a.jpg"), "GRAY").shape == (1, 4, 5)
    with pytest.raises(ValueError, match="the image in memory: it is no image"):
        vision_io.decode_image(torch.zeros(9, dtype=torch.uint8))
    with pytest.raises(RuntimeError, match=r"uint8 Tensor \(C, H, W\), got .*float32 of shape \(3, 2, 2\)"):
        vision_io.write_png(torch.ones(3, 2, 2))
    with pytest.raises(RuntimeError, match="channels should be 1 or 3, got: 2"):
        vision_io.write_png(torch.zeros(2, 2, 2, dtype=torch.uint8))


def test_images_are_turned_as_the_camera_says():
    file, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6
    Image.new("L", (4, 2)).save(file, "JPEG", exif=exif)
    bytes_of = torch.tensor(list(file.getvalue()), dtype=torch.uint8)
    assert vision_io.decode_image(bytes_of).shape == (1, 2, 4)
    assert vision_io.decode_image(bytes_of, apply_exif_orientation=True).shape == (1, 4, 2)


def test_second_version_of_transforms():
    picture = Image.new("RGB", (4, 2), (255, 0, 51))
    scaled = v2.ToDtype(torch.float32, scale=True)
    change = v2.Compose([v2.ToImage(), scaled, v2.Normalize([0.5] * 3, [0.5] * 3)])
    np.testing.assert_allclose(change(picture)[:, 0, 0], [1, -1, -0.6], rtol=1e-6)
    assert v2.Resize is transforms.Resize
    assert v2.ToDtype(torch.float64)(torch.tensor([2])).item() == 2.0
    assert v2.ToImage()(np.zeros((2, 4), np.uint8)).shape == (1, 2, 4)
    with pytest.raises(TypeError, match="a numpy array, or a PIL image, but got <class 'int'>"):
        v2.ToImage()(3)
