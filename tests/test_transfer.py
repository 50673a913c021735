"""Frozen layers cost nothing, and cached features change nothing."""

import json

import numpy as np
import pytest

import tinygrad_hw as thw
from nets.__main__ import main
from nets.classification import transfer
from nets.classification.images import as_input
from nets.pretrained import resnet18
from tests.picture_folders import write_pictures
from tinygrad_hw.nn import functional as F


@pytest.fixture(scope="module")
def net():
    thw.manual_seed(0)
    return resnet18(num_classes=5)


def test_names_are_torchvisions(net):
    names = net.state_dict()
    assert len(names) == 122
    for name in ("conv1.weight", "bn1.running_mean", "layer1.0.conv1.weight", "layer2.0.downsample.0.weight",
                 "layer2.0.downsample.1.num_batches_tracked", "layer4.1.bn2.bias", "fc.weight"):
        assert name in names


def test_frozen_layers_record_and_keep_nothing(net):
    images, labels = thw.randn(2, 3, 32, 32), thw.tensor([1, 3])
    net.eval()
    for parameter in net.parameters():
        parameter.requires_grad_(True)
    everything = transfer.recorded(F.cross_entropy(net(images), labels))
    transfer.freeze(net, net.fc)
    loss = F.cross_entropy(net(images), labels)
    ops, size = transfer.recorded(loss)
    loss.backward()
    assert ops <= 3 < 40 < everything[0]  # the last layer and the loss
    assert size < 20_000 < 300_000 < everything[1]
    assert all((parameter.grad is not None) == name.startswith("fc.")
               for name, parameter in net.named_parameters())


def test_batch_norm_stays_as_it_is(net):
    transfer.freeze(net, net.fc)
    before = net.bn1.running_mean.numpy().copy()
    net(thw.randn(2, 3, 32, 32))
    np.testing.assert_array_equal(net.bn1.running_mean.numpy(), before)


def test_features_are_what_the_last_layer_sees(net):
    pixels = np.random.default_rng(0).integers(0, 256, (5, 32, 32, 3), dtype=np.uint8)
    transfer.freeze(net, net.fc)
    known = thw.from_numpy(transfer.features(net, pixels, batch_size=2))
    gradients = []
    for scores in (net.fc(known), net(thw.from_numpy(as_input(pixels, transfer.MEAN, transfer.STD)))):
        net.zero_grad()
        F.cross_entropy(scores, thw.arange(5)).backward()
        gradients.append(net.fc.weight.grad.numpy().copy())
    np.testing.assert_allclose(*gradients, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_command(net, tmp_path):
    folder = write_pictures(tmp_path / "data", dict.fromkeys("ab", (8, 4)), side=64)
    arrays = {name: value.numpy() for name, value in net.state_dict().items()}
    np.savez(tmp_path / "weights.npz", **arrays)
    out = tmp_path / "run"
    from nets.runs import Run

    system = transfer.Transfer(side=64)
    results = system.run(Run("dogs-transfer", {}, out), data=folder, epochs=3, batch_size=4, lr=1e-3, seed=0,
                         quiet=True, weights=tmp_path / "weights.npz")
    assert results["skipped"] == ["fc.weight", "fc.bias"]
    frozen = json.loads((out / "metrics.json").read_text())["results"]["cost"]["all but the last frozen"]
    assert frozen["ops"] <= 3
    assert "What freezing saves" in (out / "report.md").read_text()


@pytest.mark.slow
def test_weights_of_our_own(tmp_path):
    """One command learns them, the other takes them over, and only the last layer is new."""
    folder = write_pictures(tmp_path / "data", dict.fromkeys("ab", (4, 2)), side=64)
    out = tmp_path / "objects"
    assert main(["run", "coco-resnet18", "--data", str(folder), "--epochs", "1", "--batch-size", "4",
                 "--quiet", "--debug", "--out", str(out)]) == 0
    from nets.runs import Run

    results = transfer.Transfer(side=64).run(
        Run("dogs-transfer", {}, tmp_path / "dogs"), data=folder, epochs=1, batch_size=4, lr=1e-3, seed=0,
        quiet=True, weights=out / "model.safetensors")
    assert sorted(results["skipped"]) == ["fc.bias", "fc.weight"]


def test_the_command_says_what_is_wrong(tmp_path, capsys):
    folder = write_pictures(tmp_path / "data", dict.fromkeys("ab", (2, 2)), side=32)
    assert main(["run", "dogs-transfer", "--data", str(folder), "--weights", str(tmp_path / "no.pth"),
                 "--out", str(tmp_path / "run")]) == 1
    assert "no file of weights" in capsys.readouterr().err
