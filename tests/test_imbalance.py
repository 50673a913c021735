"""Figures for a rare class, against definitions written out; and the command."""

import json

import numpy as np
import pytest

from nets.__main__ import main
from nets.classification import binary
from nets.classification.imbalance import pair
from tests.picture_folders import write_pictures


def test_figures_against_their_definitions():
    random = np.random.default_rng(0)
    positive, labels = random.random(200) < 0.3, (random.random(200) < 0.2).astype(int)
    one = binary.figures(positive, labels)
    assert one.precision == pytest.approx(labels[positive].mean())
    assert one.recall == pytest.approx(positive[labels == 1].mean())
    assert one.specificity == pytest.approx((~positive)[labels == 0].mean())
    assert one.accuracy == pytest.approx((positive == labels).mean())
    assert one.f1 == pytest.approx(2 / (1 / one.precision + 1 / one.recall))


def test_a_share_of_nothing_is_0():
    one = binary.figures([False, False], [0, 0])
    assert (one.precision, one.recall, one.f1, one.accuracy) == (0, 0, 0, 1)


def test_the_curve_is_what_every_threshold_gives():
    random = np.random.default_rng(1)
    probabilities = random.integers(0, 20, 100) / 20  # with ties
    labels = (random.random(100) < 0.3 + 0.4 * probabilities).astype(int)
    thresholds, precision, recall = binary.precision_recall(probabilities, labels)
    assert thresholds.tolist() == sorted(set(probabilities), reverse=True)
    for threshold, p, r in zip(thresholds, precision, recall):
        one = binary.figures(probabilities >= threshold, labels)
        assert (one.precision, one.recall) == (pytest.approx(p), pytest.approx(r))
    best = binary.best_threshold(probabilities, labels)
    most = max(binary.figures(probabilities >= threshold, labels).f1 for threshold in thresholds)
    assert binary.figures(probabilities >= best, labels).f1 == most


def test_average_precision_of_right_order_and_of_no_knowledge():
    labels = np.repeat([1, 0], [10, 90])
    assert binary.average_precision(np.linspace(1, 0, 100), labels) == 1
    assert binary.average_precision(np.full(100, 0.5), labels) == pytest.approx(0.1)


@pytest.mark.parametrize("call, message", [
    (lambda: binary.figures([True], [1, 0]), r"\(1,\) and \(2,\)"),
    (lambda: binary.precision_recall([0.5, 0.6], [0, 0]), "at least one 1"),
    (lambda: binary.precision_recall([0.5], [0, 1]), r"got \(1,\) and \(2,\) with 1"),
])
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_three_classes_are_refused(tmp_path):
    folder = write_pictures(tmp_path, dict.fromkeys(("cat", "cow", "dog"), (2, 2)))
    with pytest.raises(ValueError, match="two classes are needed"):
        pair(folder)


@pytest.mark.slow
def test_command(tmp_path):
    folder = write_pictures(tmp_path / "data", {"cat": (30, 10), "dog": (3, 4)})
    out = tmp_path / "run"
    assert main(["run", "imbalance", "--data", str(folder), "--epochs", "2", "--quiet", "--debug",
                 "--out", str(out)]) == 0
    models = json.loads((out / "metrics.json").read_text())["results"]["models"]
    assert set(models) == {"unweighted", "weighted"}
    for one in models.values():
        assert one["accuracy_1"] == one["recall"] and 0 <= one["average_precision"] <= 1
    report = (out / "report.md").read_text()
    for name in ("precision_recall.png", "weighted-curves.png", "weighted-confusion.png"):
        assert name in report and (out / name).stat().st_size > 1000
    assert "| F1 |" in report and "positive = dog" in report
