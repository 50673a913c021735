"""Resizing and warping of Tensor images beside what torchvision calls for them in PyTorch."""

import numpy as np
import pytest

import tinygrad_hw as thw
from tinygrad_hw.vision.transforms import InterpolationMode
from tinygrad_hw.vision.transforms import functional as F
from tinygrad_hw.vision.transforms.warp import inverse_matrix

torch = pytest.importorskip("torch")

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "bilinear", "bicubic"])
@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("old, new", [((7, 9), (4, 5)), ((7, 9), (13, 20)), ((32, 48), (7, 50)),
                                      ((5, 5), (1, 1)), ((60, 50), (60, 7))])
def test_resize(mode, antialias, old, new):
    image = RNG.random((2, 3, *old)).astype(np.float32)
    options = dict(antialias=antialias, align_corners=False) if mode.startswith("bi") else {}
    theirs = torch.nn.functional.interpolate(torch.from_numpy(image), new, mode=mode, **options)
    ours = F.resize(thw.from_numpy(image), list(new), InterpolationMode(mode), antialias=antialias)
    np.testing.assert_allclose(ours.array, theirs.numpy(), atol=5e-6)


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
@pytest.mark.parametrize("fill", [None, [0.3, 0.6, 0.9]])
def test_affine(mode, fill):
    height, width = 11, 14
    image = RNG.random((3, height, width)).astype(np.float32)
    arguments = 23.0, (2, -1), 1.3, (7.0, -4.0)
    ours = F.affine(thw.from_numpy(image), *arguments, InterpolationMode(mode), fill).array
    # torchvision hands grid_sample the old places in -1..1, and ones for the share of the colour.
    matrix = inverse_matrix((0, 0), *arguments)
    y, x = np.mgrid[:height, :width] - np.array([(height - 1) / 2, (width - 1) / 2])[:, None, None]
    places = np.einsum("ij,jhw->hwi", matrix, [x, y, np.ones_like(x)]) / [width / 2, height / 2]
    stack = torch.from_numpy(np.concatenate([image, np.ones_like(image[:1])]))[None]
    theirs = torch.nn.functional.grid_sample(
        stack, torch.from_numpy(places.astype(np.float32))[None], mode=mode, align_corners=False
    )[0].numpy()
    values, share = theirs[:3], theirs[3:]
    if fill is not None:
        values = values * share + (1 - share) * np.float32(fill)[:, None, None]
    np.testing.assert_allclose(ours, values, atol=1e-5)
