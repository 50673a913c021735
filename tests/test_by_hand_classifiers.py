"""Classifiers by hand: gradients, training, saved weights and the commands, on small drawn pictures."""

import json

import numpy as np
import pytest
from PIL import Image

import tinygrad_hw as thw
from nets.__main__ import main
from nets.by_hand import classifiers, gradient_errors, pixels
from nets.by_hand.classifiers import Classifier, LinearClassifier, TwoLayerNet
from nets.by_hand.training import (
    SGD,
    MinibatchSampler,
    Settings,
    evaluate,
    new_classifier,
    train,
    training_step,
)
from tinygrad_hw import nn, optim
from tinygrad_hw.nn import functional as F


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """A folder of two classes of 6x6 pictures, dark and bright, with noise: train and test."""
    folder = tmp_path_factory.mktemp("pictures")
    random = np.random.default_rng(0)
    for part, count in (("train", 60), ("test", 20)):
        for name, level in (("bright", 150), ("dark", 90)):
            (folder / part / name).mkdir(parents=True)
            for number in range(count):
                noise = random.integers(-80, 81, (6, 6, 3))
                image = Image.fromarray((level + noise).astype(np.uint8))
                image.save(folder / part / name / f"{number}.png")
    return str(folder)


def test_classifiers_below_1e_10():
    for name, (quotients, engine) in gradient_errors.classifier_errors().items():
        assert quotients < 1e-10 and engine < 1e-12, name


def test_regularization_leaves_the_biases_alone():
    model = TwoLayerNet(4, 5, 3, dtype=np.float64)
    for bias in ("b1", "b2"):
        model.parameters[bias] += 1.0
    x, y = np.random.default_rng(0).standard_normal((6, 4)), np.arange(6) % 3
    loss, plain = training_step(model, x, y)
    total, regularized = training_step(model, x, y, reg=0.5)
    weights = [model.parameters[name] for name in ("W1", "W2")]
    assert total == pytest.approx(loss + 0.25 * sum((w * w).sum() for w in weights))
    for name, gradient in regularized.items():
        expected = plain[name] + (0.5 * model.parameters[name] if name.startswith("W") else 0)
        np.testing.assert_allclose(gradient, expected, atol=1e-15)


def test_ten_steps_are_the_engine_s():
    """The same start, batches, decay and regularization: the weights stay equal to 1e-12."""
    random = np.random.default_rng(0)
    x, y = random.standard_normal((20, 6)), random.integers(0, 3, 20)
    model = TwoLayerNet(6, 8, 3, dtype=np.float64)
    net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3)).double()
    with thw.no_grad():
        for layer, number in ((net[0], 1), (net[2], 2)):
            layer.weight.copy_(thw.from_numpy(model.parameters[f"W{number}"].T.copy()))
            layer.bias.zero_()
    engine = optim.SGD([{"params": [net[0].weight, net[2].weight], "weight_decay": 0.1},
                        {"params": [net[0].bias, net[2].bias]}], lr=0.2)
    by_hand = SGD(model.parameters, 0.2)
    for _ in range(10):
        by_hand.step(training_step(model, x, y, reg=0.1)[1])
        engine.zero_grad()
        F.cross_entropy(net(thw.from_numpy(x)), thw.from_numpy(y)).backward()
        engine.step()
    for layer, number in ((net[0], 1), (net[2], 2)):
        weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
        np.testing.assert_allclose(weight.T, model.parameters[f"W{number}"], atol=1e-12)
        np.testing.assert_allclose(bias, model.parameters[f"b{number}"], atol=1e-12)


class TestSampler:
    def test_every_row_once_with_its_label(self):
        sampler = MinibatchSampler(np.arange(10), np.arange(10) * 2, 3)
        for _ in range(2):
            batches = list(sampler)
            assert [len(x) for x, _ in batches] == [3, 3, 3, 1]
            assert sorted(np.concatenate([x for x, _ in batches])) == list(range(10))
            assert all((y == 2 * x).all() for x, y in batches)

    def test_orders_differ_and_depend_on_the_seed(self):
        def orders(seed):
            sampler = MinibatchSampler(np.arange(30), np.arange(30), 30, seed)
            return [next(iter(sampler))[0].tolist() for _ in range(2)]

        assert orders(1) == orders(1) and orders(1)[0] != orders(1)[1] and orders(1) != orders(2)

    @pytest.mark.parametrize("x, y, batch_size", [(3, 2, 1), (0, 0, 1), (3, 3, 0)])
    def test_refusals(self, x, y, batch_size):
        with pytest.raises(ValueError, match="as many x as y"):
            MinibatchSampler(np.arange(x), np.arange(y), batch_size)


class TestClassifiers:
    def test_base_class_says_what_to_define(self):
        base = Classifier(1.0, 0, np.float32, W=(2, 2))
        for call in (lambda: base.forward(np.ones((1, 2))), lambda: base.backward(None, None)):
            with pytest.raises(NotImplementedError, match="Classifier must define"):
                call()

    def test_first_weights(self):
        net = TwoLayerNet(200, 100, 10)
        assert net.parameters["W1"].std() == pytest.approx(0.1, rel=0.05)
        assert not net.parameters["b1"].any() and net.parameters["W1"].dtype == np.float32
        assert TwoLayerNet(200, 100, 10, weight_scale=1e-3).parameters["W1"].std() < 2e-3
        seeded = [TwoLayerNet(4, 3, 2, seed=seed).parameters["W1"] for seed in (0, 1)]
        assert (seeded[0] != seeded[1]).all()

    @pytest.mark.parametrize("model", [LinearClassifier(4, 3, weight_scale=1.0), TwoLayerNet(4, 5, 3)])
    def test_saved_and_loaded(self, model, tmp_path):
        model.facts = {"classes": ["a", "b", "c"]}
        model.save(tmp_path / "m.npz", mean=np.arange(4.0))
        again, arrays = classifiers.load(tmp_path / "m.npz")
        x = np.random.default_rng(0).standard_normal((50, 4))
        assert type(again) is type(model) and again.facts == model.facts
        assert (again.predict(x, batch_size=7) == model.predict(x)).all()
        assert arrays["mean"].tolist() == [0, 1, 2, 3]

    def test_other_files_are_refused(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            classifiers.load(tmp_path / "none.npz")
        for number, content in enumerate((b"text", b"")):
            (tmp_path / f"{number}.npz").write_bytes(content)
            with pytest.raises(ValueError, match="holds no classifier"):
                classifiers.load(tmp_path / f"{number}.npz")
        np.savez(tmp_path / "pickle.npz", kind=np.array([{}], dtype=object))
        with pytest.raises(ValueError, match="holds no classifier"):
            classifiers.load(tmp_path / "pickle.npz")


class TestTraining:
    def test_data_are_normalized_and_split(self, pictures):
        data = pixels.load(pictures)
        assert (len(data.train.y), len(data.validation.y), len(data.test.y)) == (96, 24, 40)
        assert abs(data.train.x.mean(axis=0)).max() < 1e-5
        assert data.train.x.std() == pytest.approx(1, rel=1e-4)
        assert data.shape == (6, 6, 3) and data.classes == ["bright", "dark"]
        rows = {row.tobytes() for row in data.train.x}
        assert not any(row.tobytes() in rows for row in data.validation.x)

    def test_learns_and_keeps_the_best_epoch(self, pictures):
        data, history = pixels.load(pictures), []
        model, results = train(data, Settings(hidden_size=16, epochs=6), lambda **row: history.append(row))
        best = max(row["validation_accuracy"] for row in history)
        assert results["best_validation_accuracy"] == best > 0.9
        assert evaluate(model, data.validation)["accuracy"] == best
        assert results["test_accuracy"] > 0.9

    def test_a_loss_that_is_no_number(self, pictures):
        with np.errstate(all="ignore"), pytest.raises(FloatingPointError, match="--learning-rate"):
            train(pixels.load(pictures), Settings(learning_rate=1e20, epochs=50))

    def test_refusals(self, pictures, tmp_path):
        with pytest.raises(ValueError, match="'two-layer' or 'linear'"):
            new_classifier(Settings(model="deep"), 4, 3)
        with pytest.raises(FileNotFoundError):
            pixels.load(tmp_path / "none")
        with pytest.raises(ValueError, match="leaves none"):
            pixels.load(pictures, held_out=0.001)


@pytest.mark.slow
def test_commands(pictures, tmp_path, capsys):
    """train, overfit and test by their options; a run folder with weights, pictures and report each."""
    options = ["--data", pictures, "--epochs", "8", "--batch-size", "8", "--quiet"]
    for name, more in (("train", ["--model", "linear", "--learning-rate", "0.01", "--reg", "0.1"]),
                       ("overfit", ["--hidden-size", "32", "--num-train", "40",
                                    "--weight-scale", "0.05"])):
        folder = tmp_path / name
        assert main(["by-hand", name, *options, *more, "--out", str(folder)]) == 0
        assert {"best.npz", "confusion.png", "config.json", "curves.png", "metrics.json", "metrics.jsonl",
                "report.md"} == {path.name for path in folder.iterdir()}
        report = (folder / "report.md").read_text()
        assert "| batch size |" not in report and "| batch_size | 8 |" in report and "curves.png" in report
        assert len(json.loads((folder / "metrics.json").read_text())["history"]) == 8
    results = json.loads((tmp_path / "overfit" / "metrics.json").read_text())["results"]
    assert results["highest_train_accuracy"] >= 0.8 and results["train_images"] == 40
    capsys.readouterr()
    weights = str(tmp_path / "overfit" / "best.npz")
    assert main(["by-hand", "test", "--weights", weights, "--data", pictures,
                 "--out", str(tmp_path / "test")]) == 0
    assert f"accuracy {results['test_accuracy']:.4f}" in capsys.readouterr().out


def test_weights_of_other_data_are_refused(pictures, tmp_path, capsys):
    model = LinearClassifier(4, 2)
    model.facts = {"classes": ["x", "y"], "settings": {"seed": 0}}
    model.save(tmp_path / "w.npz", mean=np.zeros(108, np.float32), std=np.float64(1),
               shape=np.array([2, 2]))
    assert main(["by-hand", "test", "--weights", str(tmp_path / "w.npz"), "--data", pictures,
                 "--out", str(tmp_path / "run")]) == 1
    assert "was trained on images" in capsys.readouterr().err
