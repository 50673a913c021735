"""The networks for five kinds of objects: sizes, what is watched, and their two commands."""

import json

import numpy as np
import pytest

import tinygrad_hw as thw
from nets import checkpoint, pictures
from nets.__main__ import main
from nets.classification import coco_nets, residual_nets
from nets.classification.images import PictureSet, as_input, load, statistics
from nets.classification.judge import Judge
from nets.classification.watch import gradient_norms
from tests.picture_folders import write_pictures
from tinygrad_hw.nn import functional as F
from tinygrad_hw.utils.data import DataLoader

CLASSES = ("airplane", "bus", "cat", "dog", "pizza")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_pictures(tmp_path_factory.mktemp("coco"), dict.fromkeys(CLASSES, (6, 3)))


@pytest.mark.parametrize("build, parameters, before_linear", [
    (coco_nets.net1, 406_885, "32 x 14 x 14"),
    (coco_nets.net2, 529_765, "32 x 16 x 16"),
    (coco_nets.net3, 622_245, "32 x 16 x 16"),
])
def test_the_table_derives_the_assignments_numbers(build, parameters, before_linear):
    net = build()
    rows = coco_nets.layer_table(net, (3, 64, 64))
    assert sum(row[-1] for row in rows) == parameters == sum(p.numel() for p in net.parameters())
    assert rows[-3][2] == before_linear and rows[-1][2] == "5"
    assert len(rows) == 6 + len(net.extra)


def test_a_formula_that_disagrees_is_an_error():
    class Wrong(thw.nn.Conv2d):
        def forward(self, x):
            return super().forward(x)[:, :, 1:]

    with pytest.raises(RuntimeError, match="by the formula it gives"):
        coco_nets.layer_table(thw.nn.Sequential(Wrong(3, 2, 3)), (3, 8, 8))


def test_a_cure_changes_no_number_of_parameters_and_lets_gradients_through():
    """Of the ten added convolutions the first one's gradient, against the last one's, before training."""
    images, labels = thw.randn(8, 3, 64, 64), thw.arange(8) % 5
    ratios = {}
    for name, build in {"plain": coco_nets.net3, "kaiming": lambda: coco_nets.kaiming(coco_nets.net3()),
                        "residual": lambda: coco_nets.CourseNet(1, 10, residual=True)}.items():
        thw.manual_seed(0)
        net = build()
        assert sum(p.numel() for p in net.parameters()) == 622_245
        F.cross_entropy(net(images), labels).backward()
        norms = gradient_norms(net)
        ratios[name] = norms["extra.0"] / norms["extra.9"]
    assert ratios["plain"] < 0.1 < min(ratios["kaiming"], ratios["residual"])


class TestPictures:
    def test_load(self, folder):
        train, validation = load(folder)
        assert train.pixels.shape == (30, 64, 64, 3) and len(validation) == 15
        assert train.classes == CLASSES and np.bincount(train.labels).tolist() == [6] * 5
        assert (train.pixels[0] == train.pixels[0, :, :, :1]).all()  # grey, in three channels

    def test_hold_out_takes_from_the_training_pictures_only(self, folder):
        everything, _ = load(folder)
        train, held_out = load(folder, hold_out=0.2)
        assert (len(train), len(held_out)) == (24, 6)
        known = {picture.tobytes() for picture in everything.pixels}
        parts = [{picture.tobytes() for picture in part.pixels} for part in (train, held_out)]
        assert parts[0] | parts[1] == known and not parts[0] & parts[1]

    def test_statistics_normalise(self, folder):
        train, _ = load(folder)
        images = as_input(train.pixels, *statistics(train))
        np.testing.assert_allclose(images.mean((0, 2, 3)), 0, atol=1e-4)
        np.testing.assert_allclose(images.std((0, 2, 3)), 1, atol=1e-4)

    def test_changes(self, folder):
        train, _ = load(folder)
        plain = as_input(train.pixels, 0, 1)
        mirrored, _ = PictureSet(train, 0, (1, 1, 1), flip=1.0)[3]
        np.testing.assert_array_equal(mirrored, plain[3, :, :, ::-1])
        covered, _ = PictureSet(train, 0, (1, 1, 1), cover=16)[4]
        changed = (covered != plain[4]).any(0)
        assert 0 < changed.sum() <= 256 and (covered[:, changed] == 0).all()
        moved, _ = PictureSet(train, 0, (1, 1, 1), shift=3)[5]
        places = [np.abs(moved[:, 8:-8, 8:-8] - plain[5][:, 8 + i:56 + i, 8 + j:56 + j]).max()
                  for i in range(-3, 4) for j in range(-3, 4)]
        assert places.count(0.0) == 1

    def test_workers_change_nothing(self, folder):
        train, _ = load(folder)
        batches = []
        for workers in (0, 2):
            thw.manual_seed(3)
            loader = DataLoader(PictureSet(train, 0.5, (1, 1, 1), flip=0.5, shift=2, light=0.2, cover=4), 7,
                                shuffle=True, num_workers=workers)
            batches.append([(images.numpy(), labels.numpy()) for images, labels in loader])
        for (images, labels), (others, other_labels) in zip(*batches):
            np.testing.assert_array_equal(images, others)
            np.testing.assert_array_equal(labels, other_labels)

    def test_no_validation_pictures(self, tmp_path):
        write_pictures(tmp_path, {"cat": (2, 0)})
        (tmp_path / "val" / "cat").rmdir()
        (tmp_path / "val").rmdir()
        with pytest.raises(ValueError, match="must hold training and validation pictures, it holds train"):
            load(tmp_path)


@pytest.mark.parametrize("names", [
    CLASSES, ["n02085620-Chihuahua_long_haired", "golden_retriever", "n02110185-Siberian_husky"],
    [f"flower number {number}" for number in range(17)], list("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")])
def test_names_at_a_confusion_matrix_do_not_overlap(names, tmp_path, monkeypatch):
    kept = []
    monkeypatch.setattr(pictures, "_save", lambda picture, *more: kept.append(picture))
    pictures.confusion(tmp_path / "a.png", np.full((len(names), len(names)), 7), names)
    picture = kept[0]
    picture.draw_without_rendering()
    axes = picture.axes[0]
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        boxes = [label.get_window_extent() for label in labels]
        assert len(boxes) == len(names)
        for number, box in enumerate(boxes):
            assert picture.bbox.x0 <= box.x0 and box.x1 <= picture.bbox.x1
            assert picture.bbox.y0 <= box.y0 and box.y1 <= picture.bbox.y1
            assert not any(box.overlaps(other) for other in boxes[number + 1:])
            assert not box.overlaps(picture._suptitle.get_window_extent())


def test_the_mirror_image_is_judged_too():
    images = np.array([[[[1.0, 0.0]]], [[[0.0, 3.0]]]], np.float32)
    judge = Judge(images, np.array([0, 0]), ("left", "right"), mirrored=True)
    np.testing.assert_array_equal(judge.scores(thw.nn.Flatten()), [[0.5, 0.5], [1.5, 1.5]])


def test_lines_need_panels(tmp_path):
    with pytest.raises(ValueError, match="drawn in panels, got none"):
        pictures.lines(tmp_path / "a.png", [])


@pytest.mark.slow
def test_course_networks_by_command(folder, tmp_path):
    out = tmp_path / "run"
    assert main(["run", "coco-nets", "--data", str(folder), "--epochs", "1", "--batch-size", "10", "--quiet",
                 "--debug", "--out", str(out)]) == 0
    results = json.loads((out / "metrics.json").read_text())["results"]
    assert [one["parameters"] for one in results["networks"].values()] == [406885, 529765] + [622245] * 3
    report = (out / "report.md").read_text()
    for text in ("Together 622,245", "Does padding matter?", "Do gradients vanish", "hardest is"):
        assert text in report
    for name in ("losses", "gradients", "padding", *(f"net{n}-confusion" for n in (1, 2, 3))):
        assert (out / f"{name}.png").stat().st_size > 1000 and f"{name}.png" in report


@pytest.mark.slow
def test_our_network_by_command(folder, tmp_path):
    out = tmp_path / "run"
    assert main(["run", "coco-net4", "--data", str(folder), "--epochs", "2", "--batch-size", "10", "--quiet",
                 "--debug", "--out", str(out)]) == 0
    assert "680,381 parameters" in (out / "report.md").read_text()
    results = json.loads((out / "metrics.json").read_text())["results"]
    net = residual_nets.Net4()  # what is kept is what was judged: the average
    checkpoint.load(out / "model.safetensors", net)
    train, validation = load(folder)
    judge = Judge(as_input(validation.pixels, *statistics(train)), validation.labels, CLASSES, mirrored=True)
    assert judge(net)["validation_accuracy"] == results["final_accuracy"]


def test_clothes_by_command(folder, tmp_path):
    out = tmp_path / "run"
    assert main(["run", "fashion-cnn", "--data", str(folder), "--epochs", "2", "--batch-size", "9", "--quiet",
                 "--debug", "--out", str(out)]) == 0
    results = json.loads((out / "metrics.json").read_text())["results"]
    assert 0 <= results["test_accuracy"] <= 1
    assert "Test, once" in (out / "report.md").read_text()
