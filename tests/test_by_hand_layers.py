"""The layers by hand: gradients, stability, refusals."""

import json

import numpy as np
import pytest

from nets.__main__ import main
from nets.by_hand import gradient_errors, layers


def test_layers_below_1e_9():
    for name, (quotients, engine) in gradient_errors.layer_errors().items():
        assert quotients < 1e-9 and engine < 1e-12, name


def test_softmax_loss_of_huge_scores():
    """Scores of 1e4 neither overflow nor lose the gradient: adding to all of them changes nothing."""
    small = np.array([[1.0, -2.0, 0.5], [0.0, 3.0, -1.0]])
    labels = np.array([2, 1])
    with np.errstate(all="raise"):
        loss, grad = layers.softmax_loss(small, labels)
        for shift in (1e4, -1e4):
            shifted, shifted_grad = layers.softmax_loss(small + shift, labels)
            assert shifted == pytest.approx(loss, rel=1e-11)
            np.testing.assert_allclose(shifted_grad, grad, atol=1e-11)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        loss, grad = layers.softmax_loss(np.array([[1e4, -1e4]]), np.array([1]))
    assert loss == 2e4 and grad.tolist() == [[1.0, -1.0]]


def test_losses_by_their_formulas():
    x, y = np.array([[1.0, 2.0], [0.0, 1.0]]), np.array([[0.0, 2.0], [2.0, 0.0]])
    assert layers.l2_loss(x, y)[0] == pytest.approx((1 + 4 + 1) / 4)
    p = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    labels = np.array([0, 1])
    assert layers.softmax_loss(x, labels)[0] == pytest.approx(-np.log([p[0, 0], p[1, 1]]).mean())
    assert layers.l2_regularization(x, 0.5)[0] == pytest.approx(0.25 * 6)


def test_dtype_stays():
    x, w, b = np.ones((2, 3), np.float32), np.ones((3, 4), np.float32), np.ones(4, np.float32)
    out, cache = layers.fc_forward(x, w, b)
    loss, grad = layers.softmax_loss(out, np.array([0, 1]))
    arrays = [out, grad, *layers.fc_backward(grad, cache), layers.relu_backward(out, out),
              layers.l2_loss(x, x)[1], layers.l2_regularization(w, 0.1)[1]]
    assert all(array.dtype == np.float32 for array in arrays)


@pytest.mark.parametrize("call, text", [
    (lambda: layers.fc_forward(np.ones((2, 3)), np.ones((4, 5)), np.ones(5)), r"\(2, 3\), \(4, 5\)"),
    (lambda: layers.l2_loss(np.ones((2, 1)), np.ones(2)), "equal shapes"),
    (lambda: layers.softmax_loss(np.ones((2, 3)), np.array([0, 3])), r"0\.\.2, got 0\.\.3"),
    (lambda: layers.softmax_loss(np.ones((2, 3)), np.array([-1, 0])), r"got -1\.\.0"),
    (lambda: layers.softmax_loss(np.ones((2, 3)), np.array([0.0, 1.0])), "float64"),
    (lambda: layers.softmax_loss(np.ones((0, 3)), np.zeros(0, int)), r"\(0, 3\)"),
])
def test_refusals(call, text):
    with pytest.raises(ValueError, match=text):
        call()


def test_command(tmp_path):
    assert main(["by-hand", "layers", "--out", str(tmp_path / "run")]) == 0
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["results"]["within_limits"]
    assert "errors.png" in (tmp_path / "run" / "report.md").read_text()
    assert (tmp_path / "run" / "errors.png").exists()
