"""Frozen layers cost nothing, cached features change nothing, and files of weights are not trusted."""

import io
import json
import os
import pickle
import zipfile

import numpy as np
import pytest

import tinygrad_hw as thw
from nets.__main__ import main
from nets.classification import transfer, weights
from nets.classification.images import as_input
from nets.classification.resnet import ResNet18
from tests.picture_folders import write_pictures
from tinygrad_hw.nn import functional as F


@pytest.fixture(scope="module")
def net():
    thw.manual_seed(0)
    return ResNet18(5)


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


class TestWeights:
    def test_a_file_of_another_number_of_classes(self, net, tmp_path):
        arrays = {name: value.numpy() for name, value in net.state_dict().items()
                  if not name.endswith("num_batches_tracked")}
        arrays |= {"fc.weight": np.zeros((1000, 512), np.float32), "fc.bias": np.zeros(1000, np.float32)}
        np.savez(tmp_path / "weights.npz", **arrays)
        other = ResNet18(5)
        head = other.fc.weight.detach().numpy().copy()
        assert sorted(weights.load_into(other, tmp_path / "weights.npz", skip="fc.")) == [
            "fc.bias", "fc.weight"]
        np.testing.assert_array_equal(other.layer4[1].conv2.weight.detach().numpy(),
                                      net.layer4[1].conv2.weight.detach().numpy())
        np.testing.assert_array_equal(other.fc.weight.detach().numpy(), head)
        with pytest.raises(ValueError, match=r"fc.weight \(1000, 512\) instead of \(5, 512\)"):
            weights.load_into(other, tmp_path / "weights.npz")

    def test_missing_and_unknown_names(self, tmp_path):
        np.savez(tmp_path / "a.npz", weight=np.zeros((1, 2)), other=np.zeros(1))
        with pytest.raises(ValueError, match=r"missing \['bias'\], not known \['other'\]"):
            weights.load_into(thw.nn.Linear(2, 1), tmp_path / "a.npz")

    def test_no_such_file_and_other_endings(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="no file of weights"):
            weights.read(tmp_path / "a.pth")
        with pytest.raises(ValueError, match="weights are read from .safetensors, .npz, .pth"):
            weights.read(tmp_path / "a.bin")

    @pytest.mark.parametrize("ending", [".pth", ".npz", ".safetensors"])
    @pytest.mark.parametrize("content", [b"", b"PK\x03\x04" * 9, b"\x80\x02}q\x00.", b"\xff" * 99])
    def test_damaged(self, tmp_path, ending, content):
        path = tmp_path / f"a{ending}"
        path.write_bytes(content)
        with pytest.raises(ValueError, match="a" + ending):
            weights.read(path)

    def test_a_pickle_cannot_call_anything(self, tmp_path):
        class Call:
            def __reduce__(self):
                return os.mkdir, (str(tmp_path / "called"),)

        path = tmp_path / "a.pth"
        self.zipped(path, pickle.dumps({"weight": Call()}))
        with pytest.raises(ValueError, match="asks for posix.mkdir|asks for nt.mkdir"):
            weights.read(path)
        assert not (tmp_path / "called").exists()

    @pytest.mark.parametrize("count, offset, size, stride, message", [
        (4, 0, (2, 2), (2, 1), None), (4, 0, (2, 2), (1, 2), None), (4, 2, (2,), (1,), None),
        (4, 0, (0, 3), (3, 1), None), (4, 1, (2, 2), (2, 1), "outside its storage"),
        (4, 0, (2, 2), (9, 1), "outside"), (4, -1, (2,), (1,), "outside"), (4, 0, (2,), (-1,), "outside"),
        (10**9, 0, (2,), (1,), "16 bytes for 1,000,000,000 numbers"),
    ])
    def test_a_tensor_lies_within_its_storage(self, tmp_path, count, offset, size, stride, message):
        path = tmp_path / "a.pth"
        self.zipped(path, self.tensor(count, offset, size, stride), np.arange(4, dtype=np.float32).tobytes())
        if message:
            with pytest.raises(ValueError, match=message):
                weights.read(path)
        else:
            numbers = np.arange(4, dtype=np.float32)
            expected = np.lib.stride_tricks.as_strided(numbers[offset:], size, [4 * step for step in stride])
            np.testing.assert_array_equal(weights.read(path)["weight"], expected)

    @staticmethod
    def zipped(path, program, storage=b""):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a/data.pkl", program)
            archive.writestr("a/data/0", storage)

    @staticmethod
    def tensor(count, offset, size, stride):
        """The pickle that PyTorch writes for {"weight": a Tensor}, opcode by opcode."""
        out = io.BytesIO()
        dump = pickle._Pickler(out, 2)
        dump.memoize = lambda value: None
        out.write(pickle.PROTO + b"\x02" + pickle.EMPTY_DICT)
        dump.save("weight")
        out.write(b"ctorch._utils\n_rebuild_tensor_v2\n" + pickle.MARK + pickle.MARK)
        dump.save("storage")
        out.write(b"ctorch\nFloatStorage\n")
        for value in ("0", "cpu", count):
            dump.save(value)
        out.write(pickle.TUPLE + pickle.BINPERSID)
        for value in (offset, size, stride, False, {}):
            dump.save(value)
        out.write(pickle.TUPLE + pickle.REDUCE + pickle.SETITEM + pickle.STOP)
        return out.getvalue()


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


def test_the_command_says_what_is_wrong(tmp_path, capsys):
    folder = write_pictures(tmp_path / "data", dict.fromkeys("ab", (2, 2)), side=32)
    assert main(["run", "dogs-transfer", "--data", str(folder), "--weights", str(tmp_path / "no.pth"),
                 "--out", str(tmp_path / "run")]) == 1
    assert "no file of weights" in capsys.readouterr().err
