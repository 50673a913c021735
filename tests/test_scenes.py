"""CIFAR-10, scenes and flowers: every command runs, tests once, and is repeatable."""

import json
import pickle
import signal
import tarfile

import numpy as np
import pytest
import safetensors.numpy
from PIL import Image

import tinygrad_hw as thw
from nets import samples
from nets.__main__ import main
from nets.classification.images import Pictures, as_input
from nets.pretrained.squeezenet import squeezenet1_1
from nets.pretrained.weights import read
from nets.scenes import flowers
from nets.scenes.data import cropped, shrunk
from nets.scenes.recognition import Tally
from nets.scenes.systems import CIFAR
from tests.picture_folders import write_pictures

CLASSES = ("desert", "park", "windmill")


@pytest.fixture(scope="module")
def sun(tmp_path_factory):
    return write_sun(tmp_path_factory.mktemp("sun"))


def write_sun(folder, test_seed=1):
    """A folder with the lists of SUN: 12 training and 6 test pictures of 128x128."""
    for split, count, seed in (("train", 4, 0), ("test", 2, test_seed)):
        random, names = np.random.default_rng(seed), []
        for label, name in enumerate(CLASSES):
            (folder / name).mkdir(exist_ok=True)
            for number in range(count):
                colour = np.array([80 * label, 200 - 80 * label, 60])
                pixels = (colour + random.integers(0, 50, (128, 128, 3))).astype(np.uint8)
                names.append(f"{name}/{split}{number}.png")
                Image.fromarray(pixels).save(folder / names[-1])
        (folder / f"{split}_files.txt").write_text("\n".join(names) + "\n")
        labels = (str(label) for label in range(len(CLASSES)) for _ in range(count))
        (folder / f"{split}_labels.txt").write_text("\n".join(labels) + "\n")
    return folder


@pytest.fixture(scope="module")
def cifar(tmp_path_factory):
    """An archive in the layout of CIFAR-10 with 20 training and 10 test pictures."""
    folder = tmp_path_factory.mktemp("cifar")
    inside = folder / "cifar-10-batches-py"
    inside.mkdir()
    random = np.random.default_rng(0)
    names = [f"data_batch_{number}" for number in range(1, 6)]
    for name in (*names, "test_batch"):
        count = 10 if name == "test_batch" else 4
        batch = {b"data": random.integers(0, 256, (count, 3072), dtype=np.uint8),
                 b"labels": random.integers(0, 10, count).tolist()}
        (inside / name).write_bytes(pickle.dumps(batch, protocol=2))
    (inside / "batches.meta").write_bytes(pickle.dumps(
        {b"label_names": [f"class{number}".encode() for number in range(10)]}, protocol=2))
    with tarfile.open(folder / "cifar-10-python.tar.gz", "w:gz") as archive:
        archive.add(inside, inside.name)
    return folder / "cifar-10-python.tar.gz"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_pictures(tmp_path_factory.mktemp("flowers"), dict.fromkeys(CLASSES, (4, 2)), side=64)


@pytest.fixture
def undrawn(monkeypatch):
    """No pictures are written: that takes longer than the training."""
    for place in ("nets.pictures", "nets.samples"):
        monkeypatch.setattr(f"{place}._save", lambda *arguments: None)


def run(name, data, out, *more, epochs=2):
    return main(["run", name, "--data", str(data), "--epochs", str(epochs), "--batch-size", "5", "--quiet",
                 "--debug", "--out", str(out), *map(str, more)])


def metrics(folder):
    return json.loads((folder / "metrics.json").read_text())


def weights(folder, name="last.safetensors"):
    return {key: value.tobytes() for key, value in safetensors.numpy.load_file(folder / name).items()}


@pytest.mark.long
def test_scenes_by_command(sun, tmp_path, capsys):
    out = tmp_path / "run"
    assert run("sun8-cnn", sun, out) == 0
    found = metrics(out)
    accuracy = found["results"]["test_accuracy"]
    assert f"test accuracy {accuracy:.4f}" in capsys.readouterr().out
    assert [sorted(row) for row in found["history"]] == [["epoch", "train_accuracy", "train_loss"]] * 2
    report = (out / "report.md").read_text()
    for text in ("12 training and 6 test pictures of 3 classes", f"**{accuracy:.4f}** of 6 test pictures",
                 "looked at once", "about 0.50", "| label smoothing | 0.1 |", "| windmill | 2 |"):
        assert text in report
    for name in ("curves", "confusion", "samples"):
        assert (out / f"{name}.png").stat().st_size > 1000 and f"{name}.png" in report


@pytest.mark.slow
def test_cifar_by_command(cifar, tmp_path):
    assert run("cifar-cnn", cifar, tmp_path / "run") == 0
    report = (tmp_path / "run/report.md").read_text()
    assert "20 training and 10 test pictures of 10 classes, kept at 32x32" in report
    assert "Together 246,314 parameters" in report
    assert 0 <= metrics(tmp_path / "run")["results"]["test_accuracy"] <= 1


@pytest.mark.usefixtures("undrawn")
def test_settings_are_chosen_without_the_test_pictures(sun, tmp_path):
    """Other test pictures change nothing of a run with a held-out share, and it has no test figure."""
    (tmp_path / "sun").mkdir()
    other = write_sun(tmp_path / "sun", test_seed=7)
    assert (CIFAR.lesson(sun).judged.pixels != CIFAR.lesson(other).judged.pixels).any()
    for name, data in (("first", sun), ("second", other)):
        assert run("cifar-cnn", data, tmp_path / name, "--hold-out", "0.25") == 0
    first, second = (metrics(tmp_path / name) for name in ("first", "second"))
    assert first["history"] == second["history"]
    assert weights(tmp_path / "first") == weights(tmp_path / "second")
    assert "test_accuracy" not in first["results"]
    assert first["history"][-1]["validation_accuracy"] == first["results"]["final_accuracy"]
    lesson = CIFAR.lesson(sun, 0.25)
    training = {picture.tobytes() for picture in CIFAR.lesson(sun).training.pixels}
    held_out = {picture.tobytes() for picture in lesson.judged.pixels}
    assert (len(lesson.training), len(held_out)) == (9, 3) and held_out < training
    report = (tmp_path / "first/report.md").read_text()
    assert "9 training and 3 held-out training pictures" in report and "were not looked at" in report


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_the_same_seed_gives_the_same_run_and_another_seed_another(sun, tmp_path):
    for name, seed in (("first", 3), ("second", 3), ("third", 4)):
        assert run("sun8-cnn", sun, tmp_path / name, "--seed", seed, epochs=1) == 0
    first, second, third = (metrics(tmp_path / name)["history"] for name in ("first", "second", "third"))
    assert first == second != third
    assert weights(tmp_path / "first") == weights(tmp_path / "second")


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_a_run_that_goes_on_gives_the_same_bits(cifar, tmp_path, monkeypatch):
    assert run("cifar-cnn", cifar, tmp_path / "whole", epochs=3) == 0
    taken, take = [], Tally.take

    def interrupted(self):
        taken.append(1)
        if len(taken) == 2:  # in the second epoch of three
            signal.raise_signal(signal.SIGINT)
        return take(self)

    monkeypatch.setattr(Tally, "take", interrupted)
    assert run("cifar-cnn", cifar, tmp_path / "part", epochs=3) == 130
    assert not (tmp_path / "part/report.md").exists() and len(metrics(tmp_path / "part")["history"]) == 2
    assert main(["run", "cifar-cnn", "--resume", str(tmp_path / "part"), "--quiet", "--debug"]) == 0
    whole, part = metrics(tmp_path / "whole"), metrics(tmp_path / "part")
    assert part["history"] == whole["history"]
    assert part["results"]["test_accuracy"] == whole["results"]["test_accuracy"]
    assert weights(tmp_path / "part") == weights(tmp_path / "whole")


class TestFlowers:
    @pytest.mark.slow
    def test_both_networks_by_command(self, folder, tmp_path, monkeypatch):
        """SqueezeNet has the features that squeezenet-pretrain learned, and a classifier that learns."""
        before = tmp_path / "pretrain"
        assert run("squeezenet-pretrain", folder, before, epochs=1) == 0
        assert "python -m nets run flowers17 --weights" in (before / "report.md").read_text()
        file, out, built = before / "last.safetensors", tmp_path / "run", []
        monkeypatch.setattr(flowers, "squeezenet1_1", lambda **options: built.append(
            squeezenet1_1(**options)) or built[-1])
        assert run("flowers17", folder, out, "--weights", file) == 0
        known, (net,) = read(file), built
        for name, value in net.state_dict().items():
            assert np.array_equal(known[name], value.numpy()) == name.startswith("features."), name
        found = metrics(out)
        networks = found["results"]["networks"]
        assert list(networks) == ["own", "squeezenet"] and found["results"]["weights"] == str(file)
        assert networks["squeezenet"]["learned"] == 3 * 513
        assert [row["network"] for row in found["history"]] == ["own"] * 2 + ["squeezenet"] * 2
        assert all("validation_accuracy" in row for row in found["history"])
        report = (out / "report.md").read_text()
        assert "SqueezeNet's features: " + str(file) in report and "1,539" in report
        for name in ("compared", *(f"{net}-{what}" for net in networks
                                   for what in ("curves", "confusion", "samples"))):
            assert (out / f"{name}.png").stat().st_size > 1000 and f"{name}.png" in report

    def test_features_are_the_networks_own(self):
        net, pixels = squeezenet1_1(num_classes=3).eval(), np.full((2, 64, 64, 3), 90, np.uint8)
        pixels[0, :, :32] = 200
        images = thw.from_numpy(as_input(pixels, flowers.MEAN, flowers.STD))
        with thw.no_grad():
            expected = net(images).numpy()
            head = net.classifier(thw.from_numpy(flowers.frozen_features(net, pixels))).flatten(1).numpy()
        assert np.array_equal(head, expected) and not np.array_equal(head[0], head[1])

    @pytest.mark.slow
    @pytest.mark.usefixtures("undrawn")
    def test_without_weights_the_report_says_so(self, folder, tmp_path):
        assert run("flowers17", folder, tmp_path / "run", epochs=1) == 0
        assert "SqueezeNet's features: random" in (tmp_path / "run/report.md").read_text()

    def test_wrong_weights(self, folder, tmp_path, capsys):
        np.savez(tmp_path / "w.npz", a=np.zeros(3))
        quiet = ["run", "flowers17", "--data", str(folder), "--epochs", "1", "--quiet"]
        assert main([*quiet, "--weights", str(tmp_path / "w.npz"), "--out", str(tmp_path / "a")]) == 1
        assert "does not fit the network" in capsys.readouterr().err
        assert main([*quiet, "--weights", str(tmp_path / "no.pth"), "--out", str(tmp_path / "b")]) == 1
        assert "no file of weights" in capsys.readouterr().err


def test_parts_of_pictures_differ_and_whole_ones_do_not():
    random = np.random.default_rng(0)
    pictures = Pictures(random.integers(0, 256, (2, 32, 32, 3), dtype=np.uint8), np.array([1, 0]), ("a", "b"))
    mean, std = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
    thw.manual_seed(0)
    looks = cropped(pictures, mean, std, 16)
    first, second = (looks[0][0].numpy() for _ in range(2))
    assert first.shape == (3, 16, 16) and not np.array_equal(first, second)
    whole = shrunk(pictures, mean, std, 32)
    assert np.allclose(whole, (pictures.pixels.transpose(0, 3, 1, 2) / 255 - 0.5) / 0.25, atol=1e-5)
    assert np.array_equal(whole, shrunk(pictures, mean, std, 32))


def test_samples_need_not_fill_the_picture(tmp_path):
    """Three pictures, all wrong."""
    scores = np.array([[0.0, 1.0], [0.0, 3.0], [0.0, 2.0]])
    labels = np.zeros(3, np.int64)
    assert samples.surest(scores, labels, False, 2).tolist() == [1, 2]
    assert samples.surest(scores, labels, True, 2).tolist() == []
    file = tmp_path / "samples.png"
    samples.draw_samples(file, np.zeros((3, 8, 8, 3), np.uint8), labels, scores, ("cat", "dog"))
    assert file.stat().st_size > 1000
