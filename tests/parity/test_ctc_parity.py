"""CTCLoss against torch.nn: values, gradients through log_softmax, forms of the targets, errors."""

import numpy as np
import pytest

import tinygrad_hw as thw

torch = pytest.importorskip("torch")

from harness import attempt, check_errors, to_ours, to_torch
from layer_runs import draw

STEPS, BATCH, CLASSES = 7, 3, 4
TARGETS = np.array([[1, 2, 2], [3, 1, 0], [1, 0, 0]])
TARGET_LENGTHS = [3, 2, 1]
IN_ONE_ROW = np.array([1, 2, 2, 3, 1, 1])
IMPOSSIBLE = [3, 7, 7]  # a repeated label needs a blank between


def loss_and_gradient(library, layer, logits, targets, *lengths, dtype):
    """The loss and its gradient by logits; PyTorch's is right through log_softmax only."""
    convert = to_torch if library is torch else to_ours
    leaf = convert(logits.astype(dtype)).requires_grad_()
    loss = layer(leaf.log_softmax(-1), convert(targets), *(convert(length) for length in lengths))
    finite = loss[loss.detach() < np.inf]
    (finite.sum() if loss.ndim else loss).backward()
    return loss.detach().numpy(), leaf.grad.numpy()


@pytest.mark.parametrize("dtype, tolerance", [("float32", 1e-5), ("float64", 1e-10)])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("targets", [TARGETS, IN_ONE_ROW], ids=["padded", "in one row"])
@pytest.mark.parametrize("lengths", [[7, 7, 7], [6, 5, 1], np.array([7, 4, 3])], ids=str)
def test_values_and_gradients(targets, lengths, reduction, dtype, tolerance):
    logits = draw(STEPS, BATCH, CLASSES)
    target_lengths = TARGET_LENGTHS if isinstance(lengths, list) else np.array(TARGET_LENGTHS)
    results = [loss_and_gradient(lib, lib.nn.CTCLoss(reduction=reduction), logits, targets, lengths,
                                 target_lengths, dtype=dtype) for lib in (thw, torch)]
    for mine, other in zip(*results):
        assert (mine.shape, mine.dtype) == (other.shape, other.dtype)
        np.testing.assert_allclose(mine, other, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("options", [{"blank": 3}, {"blank": 3, "reduction": "none"}], ids=str)
def test_blank_and_single_sequence(options):
    targets = np.array([0, 2, 2])
    results = [loss_and_gradient(lib, lib.nn.CTCLoss(**options), draw(STEPS, CLASSES), targets,
                                 np.array(6), np.array(3), dtype="float64") for lib in (thw, torch)]
    for mine, other in zip(*results):
        np.testing.assert_allclose(mine, other, rtol=1e-10, atol=1e-12)
        assert mine.shape == other.shape


@pytest.mark.parametrize("zero_infinity", [True, False])
def test_targets_that_do_not_fit(zero_infinity):
    results = [loss_and_gradient(lib, lib.nn.CTCLoss(reduction="none", zero_infinity=zero_infinity),
                                 draw(STEPS, BATCH, CLASSES), TARGETS, IMPOSSIBLE, TARGET_LENGTHS,
                                 dtype="float64") for lib in (thw, torch)]
    (ours, our_gradient), (theirs, their_gradient) = results
    np.testing.assert_allclose(ours, theirs)
    assert (ours[0] == 0) if zero_infinity else np.isinf(ours[0])
    kept = slice(None) if zero_infinity else slice(1, None)  # PyTorch's gradient of infinity is NaN
    np.testing.assert_allclose(our_gradient[:, kept], their_gradient[:, kept], atol=1e-12)
    assert np.isfinite(our_gradient).all()


X = draw(STEPS, BATCH, CLASSES, dtype="float32")
BAD = {
    "input lengths": (X, TARGETS, [7, 7], TARGET_LENGTHS),
    "target lengths": (X, TARGETS, [7, 7, 7], [1, 1]),
    "too long": (X, TARGETS, [7, 7, 8], TARGET_LENGTHS),
    "long target": (X, TARGETS, [7, 7, 7], [3, 2, 4]),
    "blank": (X, TARGETS, [7, 7, 7], TARGET_LENGTHS, CLASSES),
}


@pytest.mark.parametrize("name", BAD)
def test_errors(name):
    def call(library, convert):
        return library.nn.functional.ctc_loss(*map(convert, BAD[name]))

    expected = attempt(call, torch, to_torch)
    assert expected.error is not None
    check_errors(attempt(call, thw, to_ours), expected, name)


def test_printing_and_state():
    for library in (thw, torch):
        loss = library.nn.CTCLoss(2, "sum", True)
        assert repr(loss) == "CTCLoss()" and not loss.state_dict()
        assert (loss.blank, loss.reduction, loss.zero_infinity) == (2, "sum", True)
