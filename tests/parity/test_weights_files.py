"""Files that PyTorch writes are read, number for number."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from nets.classification import weights
from nets.classification.resnet import ResNet18


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "int64", "uint8", "bool"])
def test_numbers_of_every_type(tmp_path, dtype):
    values = torch.arange(24).reshape(2, 3, 4).to(getattr(torch, dtype))
    stored = {"whole": values, "turned": values.transpose(0, 2), "part": values[1, 1:],
              "one": values[0, 0, 1], "none": values[:0], "parameter": torch.nn.Parameter(torch.ones(2))}
    torch.save(stored, tmp_path / "a.pth")
    found = weights.read(tmp_path / "a.pth")
    assert list(found) == list(stored)
    for name, value in stored.items():
        np.testing.assert_array_equal(found[name], value.detach().numpy())
        assert found[name].dtype == value.detach().numpy().dtype


def test_resnet18_gives_the_same_scores(tmp_path):
    from bench.imagenet import resnet18

    torch.manual_seed(0)
    net = resnet18(torch, classes=7).eval()
    torch.save(net.state_dict(), tmp_path / "resnet18.pth")
    ours = ResNet18(7).eval()
    assert weights.load_into(ours, tmp_path / "resnet18.pth") == []
    images = torch.randn(2, 3, 64, 64)
    import tinygrad_hw as thw

    with torch.no_grad():
        expected = net(images).numpy()
    with thw.no_grad():
        found = ours(thw.from_numpy(images.numpy())).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
