"""The networks for pictures learn as PyTorch's do: same weights, same batches, same losses and averages."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import tinygrad_hw as thw
from bench import classification_time, classification_torch, transfer_torch
from bench.classification_studies import STUDIES, Learner
from nets import checkpoint
from nets.classification import transfer
from nets.classification.images import Pictures
from nets.pretrained.resnet import resnet18


def pictures(side, count=6):
    random = np.random.default_rng(0)
    return Pictures(random.integers(0, 256, (count, side, side, 3), dtype=np.uint8), np.arange(count) % 5,
                    tuple("abcde"))


@pytest.mark.parametrize("name", ["net1", "net4", "dogs", "fashion"])
def test_three_steps(name):
    study = STUDIES[name]
    learners = [Learner(library, study, pictures(study.side), seed=0, epochs=3) for library in (thw, torch)]
    ours, theirs = learners
    for learner in learners:
        for module in learner.net.modules():
            if type(module).__name__ == "Dropout":
                module.p = 0.0  # each library drops others
    theirs.net.load_state_dict({key: torch.from_numpy(value.numpy().copy())
                                for key, value in ours.net.state_dict().items()})
    images = thw.randn(4, 3, study.side, study.side)
    labels = thw.arange(4)
    losses = [[learner.step(images, labels) for _ in range(3)] for learner in learners]
    np.testing.assert_allclose(*losses, rtol=2e-3)
    assert len(set(losses[0])) == 3


def test_the_loader_gives_both_the_same_batches():
    study = STUDIES["net4"]
    batches = []
    for library in (thw, torch):
        learner = Learner(library, study, pictures(64, count=70), seed=3, epochs=1)
        batches.append([(images.numpy().copy(), labels.numpy().copy()) for images, labels in learner.loader])
    for (images, labels), (others, other_labels) in zip(*batches, strict=True):
        np.testing.assert_array_equal(images, others)
        np.testing.assert_array_equal(labels, other_labels)


def test_both_average_alike():
    study = STUDIES["net4"]
    ours, theirs = (Learner(library, study, pictures(64), seed=0, epochs=2) for library in (thw, torch))
    with thw.no_grad():
        ours.net.fc.bias.fill_(1.0)
    with torch.no_grad():
        theirs.net.fc.bias.fill_(1.0)
        theirs.judged.fc.bias.copy_(torch.from_numpy(ours.average.values["fc.bias"]))
    for _ in range(3):
        ours.average.update()
        theirs.steps += 1
        theirs._average()
    np.testing.assert_allclose(ours.average.values["fc.bias"], theirs.judged.fc.bias.numpy(force=True),
                               rtol=1e-6)


@pytest.fixture
def threads():
    """Measuring sets the number of threads; it is put back."""
    before = [(library, library.get_num_threads()) for library in (thw, torch)]
    yield
    for library, number in before:
        library.set_num_threads(number)


@pytest.mark.parametrize("kind", classification_time.KINDS)
def test_steps_are_timed(kind, threads):
    milliseconds, steps = classification_time.measure("imbalance", kind, None, steps=2, threads=1)
    assert milliseconds > 0 and steps == 10 * 7  # epochs, and 210 pictures in batches of 32


def test_pytorchs_figures():
    result = classification_torch.train("imbalance", None, seed=0, epochs=1, weight=20.0)
    assert result["epochs"] == 1 and 0 <= result["average_precision"] <= 1


def test_a_new_last_layer_learns_from_frozen_ones(tmp_path):
    training = pictures(32, count=10)
    ours = resnet18(num_classes=5).eval()
    checkpoint.save(tmp_path / "model.safetensors", ours)
    net = transfer_torch.network(tmp_path / "model.safetensors", 5)
    known = transfer_torch.features(net, training.pixels)
    np.testing.assert_allclose(known.numpy(), transfer.features(ours, training.pixels), rtol=1e-3, atol=1e-4)
    labels = torch.from_numpy(training.labels)
    history, _ = transfer_torch.train(net, known, labels, known, training, seed=0)
    assert history[-1] > history[0]
