"""Files that PyTorch writes are read number for number, and the networks give PyTorch's scores with them.

PyTorch's networks are made of the same source, in which the import of the library is changed; that its names
and shapes are torchvision's is tested in tests/test_pretrained.py.
"""

import collections

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import tinygrad_hw as thw
from bench.imagenet import under
from nets import pretrained
from nets.pretrained import weights
from tinygrad_hw.pth import read_pth

FORMATS = pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])


@FORMATS
@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16", "int64", "int32", "int16",
                                   "int8", "uint8", "bool"])
def test_numbers_of_every_type(tmp_path, dtype, protocol, zipped):
    values = torch.arange(24).reshape(2, 3, 4).to(getattr(torch, dtype))
    stored = {"whole": values, "turned": values.transpose(0, 2), "part": values[1, 1:],
              "one": values[0, 0, 1], "none": values[:0], "parameter": torch.nn.Parameter(torch.ones(2))}
    torch.save(stored, tmp_path / "a.pth", pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
    found = read_pth(tmp_path / "a.pth")
    assert list(found) == list(stored)
    for name, value in stored.items():
        expected = value.detach().float() if value.dtype == torch.bfloat16 else value.detach()
        np.testing.assert_array_equal(found[name], expected.numpy(), strict=True)
    assert np.shares_memory(found["whole"], found["turned"])


@FORMATS
def test_what_a_training_program_stores(tmp_path, zipped):
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    optimizer = torch.optim.Adam(net.parameters())
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 5])
    net(torch.randn(2, 1, 4, 4)).sum().backward()
    optimizer.step()
    torch.save({"state_dict": net.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3,
                "milestones": scheduler.state_dict()["milestones"], "size": torch.Size([1, 2]),
                "dtype": torch.float16, "device": torch.device("cpu")},
               tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    found = read_pth(tmp_path / "a.pth")
    assert found["milestones"] == collections.Counter([3, 5]) and found["size"] == (1, 2)
    assert (found["epoch"], found["dtype"], found["device"]) == (3, "float16", "cpu")
    assert found["optimizer"]["param_groups"] == optimizer.state_dict()["param_groups"]
    np.testing.assert_array_equal(found["optimizer"]["state"][0]["exp_avg"],
                                  optimizer.state_dict()["state"][0]["exp_avg"].numpy())
    assert list(weights.read(tmp_path / "a.pth")) == list(net.state_dict())


@FORMATS
def test_whole_networks_are_refused(tmp_path, zipped):
    torch.save(torch.nn.Linear(1, 1), tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(ValueError, match="asks for 'torch.nn.modules.linear.Linear', .* save its weights: "
                                         r"torch.save\(net.state_dict\(\), 'weights.pth'\)"):
        read_pth(tmp_path / "a.pth")


@FORMATS
def test_an_expanded_tensor_is_refused(tmp_path, zipped):
    torch.save(torch.ones(1).expand(5), tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(ValueError, match="more than once; make it .contiguous"):
        read_pth(tmp_path / "a.pth")


def learned(name):
    """PyTorch's network with random weights, and the statistics of random pictures in its batch-norms.

    As in learned networks, a block's branch is weaker than its shortcut. Where both are as strong, a hundred
    layers amplify rounding so much that PyTorch's own convolutions (oneDNN or not) differ by 1e-3.
    """
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(2_400_000, generator=generator)
    with torch.device("meta"):  # draws no weights
        net = under(torch, name.rstrip("0123456789_"))[name](num_classes=20)
    net.to_empty(device="cpu")
    for key, parameter in net.named_parameters():
        if parameter.ndim > 1:
            start = torch.randint(len(noise) - parameter.numel() + 1, (), generator=generator)
            values = noise[start:start + parameter.numel()].view_as(parameter)
            parameter.data = values * (2 / parameter[0].numel()) ** 0.5
        else:
            low, high = (-0.2, 0.2) if key.endswith("bias") else (0.5, 1.5)
            torch.nn.init.uniform_(parameter, low, high, generator=generator)
    for block in net.modules():
        if hasattr(block, "downsample"):
            getattr(block, "bn3", block.bn2).weight.data *= 0.2
        elif isinstance(block, torch.nn.BatchNorm2d):
            block.momentum = 1.0  # the statistics are those of the one batch below
            block.reset_running_stats()
    with torch.no_grad():
        net.train()(torch.randn(8, 3, 64, 64, generator=generator))
    return net.eval()


@pytest.mark.parametrize("name, zipped", [
    ("squeezenet1_0", False), ("squeezenet1_1", True), ("resnet18", True), ("resnet18", False),
    ("resnet34", False), ("resnet50", True), pytest.param("resnet101", False, marks=pytest.mark.slow),
    pytest.param("resnet152", True, marks=pytest.mark.slow)])
def test_logits_are_pytorchs(tmp_path, name, zipped):
    net = learned(name)
    torch.save(net.state_dict(), tmp_path / "a.pth", _use_new_zipfile_serialization=zipped)
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = net(images).numpy()
    assert expected.std() > 0.05
    ours = pretrained.load(tmp_path / "a.pth")
    with thw.no_grad():
        scores = ours(thw.from_numpy(images.numpy())).numpy()
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-4)
