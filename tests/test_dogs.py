"""The network for breeds of dogs; training that goes on from a checkpoint gives the same bits."""

import json

import numpy as np
import pytest
import safetensors.numpy

from nets.__main__ import main
from nets.classification.dog_net import DogNet, parameters_by_hand
from tests.picture_folders import write_pictures


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_pictures(tmp_path_factory.mktemp("dogs"), {"dhole": (9, 3), "dingo": (9, 3)}, side=40)


def train(folder, out, epochs, *more):
    return main(["run", "dogs-cnn", "--data", str(folder), "--epochs", str(epochs), "--batch-size", "5",
                 "--quiet", "--out", str(out), *more])


def state(folder, name="last.safetensors"):
    return {key: value.tobytes() for key, value in
            safetensors.numpy.load_file(folder / name).items()}


def history(folder):
    return json.loads((folder / "metrics.json").read_text())["history"]


def test_parameters_by_hand_and_by_the_program():
    for classes in (2, 5):
        by_layer = [sum(p.numel() for p in layer.parameters()) for layer in DogNet(classes).children()]
        assert [count for _, _, count in parameters_by_hand(classes)] == by_layer
    assert sum(by_layer) == 303_397


def test_initial_weights():
    net = DogNet()
    for layer in net.children():
        weight = layer.weight.detach().numpy()
        assert weight.std() == pytest.approx(weight[0].size ** -0.5, rel=0.1)
        assert (layer.bias.detach().numpy() == 0).all()


@pytest.mark.slow
def test_going_on_from_any_epoch_gives_the_same_bits(folder, tmp_path):
    whole = tmp_path / "whole"
    assert train(folder, whole, 4) == 0
    for epoch in (1, 3):
        part = tmp_path / f"from-{epoch}"
        file = whole / f"checkpoints/epoch-00{epoch}.safetensors"
        assert train(folder, part, 4, "--resume", str(file)) == 0
        assert state(part) == state(whole)
        assert history(part) == history(whole)
        assert state(part, "best.safetensors").keys() >= {"model/fc2.weight"}
        assert sorted(path.name for path in (part / "checkpoints").iterdir()) == [
            f"epoch-00{number}.safetensors" for number in range(1, 5)]
    assert "303,202" in (whole / "report.md").read_text()  # two classes
    assert (whole / "curves.png").exists()


@pytest.mark.parametrize("more, message", [
    (["--lr", "0.5"], "other settings (lr 0.01 there, 0.5 here); give the same"),
    (["--seed", "1"], "seed 0 there, 1 here"),
])
def test_other_settings_are_refused(folder, tmp_path, capsys, more, message):
    assert train(folder, tmp_path / "first", 1) == 0
    file = tmp_path / "first/checkpoints/epoch-001.safetensors"
    assert train(folder, tmp_path / "second", 2, "--resume", str(file), *more) == 1
    assert message in capsys.readouterr().err


def test_only_a_resumable_system_resumes(folder, tmp_path, capsys):
    assert main(["run", "imbalance", "--resume", str(tmp_path), "--out", str(tmp_path / "run")]) == 1
    assert "imbalance takes no --resume" in capsys.readouterr().err
    assert train(folder, tmp_path / "run", 1, "--resume", str(tmp_path / "none")) == 1
    assert "none: there is nothing" in capsys.readouterr().err


def test_a_file_that_is_no_epochs_checkpoint(folder, tmp_path, capsys):
    assert train(folder, tmp_path / "first", 1) == 0
    assert train(folder, tmp_path / "second", 2, "--resume", str(tmp_path / "first/last.safetensors")) == 1
    assert "take one of RUN/checkpoints" in capsys.readouterr().err


def test_weights_change(folder, tmp_path):
    assert train(folder, tmp_path / "run", 2) == 0
    first, second = (safetensors.numpy.load_file(tmp_path / f"run/checkpoints/epoch-00{n}.safetensors")
                     for n in (1, 2))
    assert not np.array_equal(first["model/conv1.weight"], second["model/conv1.weight"])
