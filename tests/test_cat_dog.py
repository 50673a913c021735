"""The network of three matrices: gradients, the sheet's doubled factor, images, files and the command."""

import re

import numpy as np
import pytest
from PIL import Image

from nets.__main__ import main
from nets.by_hand import cat_dog
from nets.by_hand.gradient_errors import numeric
from tinygrad_hw.testing import relative_error


@pytest.fixture(scope="module")
def animals(tmp_path_factory):
    """Pictures of cats (reddish), dogs (bluish) and cows, in folders as the course names them."""
    root = tmp_path_factory.mktemp("animals")
    random = np.random.default_rng(0)
    for part, count in (("Train", 6), ("Val", 3)):
        for name, channel in (("cat", 0), ("cow", 1), ("dog", 2)):
            (root / part / name).mkdir(parents=True)
            for number in range(count):
                pixels = random.integers(0, 100, (64, 64, 3), dtype=np.uint8)
                pixels[..., channel] += 100
                Image.fromarray(pixels).save(root / part / name / f"{number}.png")
    return root


def small(seed=0, rows=4, sizes=(6, 5, 4, 2)):
    random = np.random.default_rng(seed)
    labels = np.eye(2)[random.integers(0, 2, rows)]
    return random.standard_normal((rows, sizes[0])), labels, cat_dog.new_weights(sizes, seed)


def doubled(x, y, weights):
    """The gradients as the exercise's sheet has them: a 2 in every layer."""
    w1, w2, w3 = weights
    h1 = x @ w1
    h2 = np.maximum(h1, 0) @ w2
    error = np.maximum(h2, 0) @ w3 - y
    h2_error = 2 * error @ w3.T * (h2 > 0)
    h1_error = 2 * h2_error @ w2.T * (h1 > 0)
    return 2 * x.T @ h1_error, 2 * np.maximum(h1, 0).T @ h2_error, 2 * np.maximum(h2, 0).T @ error


def test_gradients_by_quotients():
    x, y, weights = small()
    gradients = cat_dog.gradients(x, y, weights)[1]
    quotients = numeric(lambda *weights: cat_dog.gradients(x, y, weights)[0], *weights)
    assert max(map(relative_error, gradients, quotients)) < 1e-8


def test_the_sheet_s_gradients_are_1_2_and_4_times_the_true_ones():
    x, y, weights = small()
    pairs = zip((4, 2, 1), doubled(x, y, weights), cat_dog.gradients(x, y, weights)[1])
    for times, sheet, true in pairs:
        assert np.abs(true).max() > 0
        np.testing.assert_allclose(sheet, times * true, rtol=1e-12)


@pytest.mark.slow
def test_full_size_gradients_are_the_engine_s():
    """12288-1000-256-2: equal to 1e-12, both timed."""
    random = np.random.default_rng(0)
    x, y = random.uniform(-1, 1, (3, 12288)), np.eye(2)[[0, 1, 1]]
    result = cat_dog.measure(x, y, cat_dog.new_weights(), repeats=1)
    assert result["greatest_difference"] < 1e-12
    assert result["by_hand_ms"] > 0 and result["engine_ms"] > 0


class TestImages:
    def test_one_hot_in_the_order_of_the_list(self, animals):
        training, validation = cat_dog.splits(animals, ["dog", "cat"])
        assert (len(training), len(validation)) == (12, 6)
        for index in range(len(training)):
            x, y = training[index]
            red, green, blue = x.numpy().reshape(3, -1).mean(axis=1)
            assert y.tolist() == ([0.0, 1.0] if red > blue else [1.0, 0.0])
            assert -1 <= x.numpy().min() and x.numpy().max() <= 1 and x.numpy().dtype == np.float64

    @pytest.mark.parametrize("class_list, text", [
        (["cat", "horse"], "cat, cow, dog"), (["cat", "cat"], "different"), (["cat"], "takes two names"),
    ])
    def test_class_lists_that_are_refused(self, animals, class_list, text):
        with pytest.raises(ValueError, match=text):
            cat_dog.splits(animals, class_list)

    def test_other_folders_are_refused(self, tmp_path):
        with pytest.raises(FileNotFoundError, match="no folder or archive"):
            cat_dog.splits(tmp_path / "none")
        with pytest.raises(FileNotFoundError, match="no folders train and val"):
            cat_dog.splits(tmp_path)


def test_training_lowers_the_loss_and_an_overflow_is_noticed(animals):
    training, _ = cat_dog.splits(animals, ["cat", "dog"])
    sizes = (12288, 8, 6, 2)
    losses = cat_dog.train(training, cat_dog.new_weights(sizes), epochs=4, lr=1e-4, batch_size=4)
    assert losses[-1] < losses[0]
    with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match="--lr"):
        huge = [1e60 * w for w in cat_dog.new_weights(sizes)]
        cat_dog.train(training, huge, epochs=1, lr=1e-4, batch_size=4)


def test_other_weight_files_are_refused(tmp_path):
    (tmp_path / "w").write_bytes(b"no weights")
    with pytest.raises(ValueError, match="w1, w2 and w3"):
        cat_dog.load_weights(tmp_path / "w")
    with pytest.raises(FileNotFoundError):
        cat_dog.load_weights(tmp_path / "none")


def test_command(animals, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(cat_dog.new_weights, "__defaults__", ((12288, 8, 6, 2), 0))
    folder = tmp_path / "run"
    assert main(["hw02_imagenet_task2", "--imagenet_root", str(animals), "--class_list", "cat", "dog",
                 "--epochs", "3", "--batch_size", "4", "--quiet", "--out", str(folder)]) == 0
    text = (folder / "output.txt").read_text()
    form = r"(Epoch \d: \d+\.\d{4}\n){3}\nVal Loss: \d+\.\d{4}\nVal Accuracy: \d+\.\d\d%\n"
    assert re.fullmatch(form, text)
    assert text in capsys.readouterr().out
    assert {"curves.png", "confusion.png", "report.md", "weights.safetensors"} <= {
        path.name for path in folder.iterdir()}
    loss = cat_dog.validate(cat_dog.splits(animals, ["cat", "dog"])[1],
                            cat_dog.load_weights(folder / "weights.safetensors"))[0]
    assert f"Val Loss: {loss:.4f}\n" in text
