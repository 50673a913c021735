"""The further character systems: changed pictures, averaged weights, studies; on a handful of images."""

import json

import numpy as np
import pytest
import scipy.io

from nets import characters
from nets.__main__ import main
from nets.augment import Augmentation
from nets.handwriting import ChangedCharacters, CharacterNet
from nets.systems import SYSTEMS


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """144 and 72 characters of glyph36 in .mat files."""
    folder = tmp_path_factory.mktemp("data")
    splits = characters.load()
    for split, name, count in ((splits.train, "train", 4), (splits.validation, "valid", 2)):
        rows = np.concatenate([np.flatnonzero(split.labels == c)[:count] for c in range(36)])
        data = split.images[rows, 0].transpose(0, 2, 1).reshape(len(rows), -1).astype(np.float64)
        scipy.io.savemat(folder / f"few_{name}.mat",
                         {f"{name}_data": data, f"{name}_labels": np.eye(36)[split.labels[rows]]})
    return folder


class TestAugmentation:
    def test_repeats_with_the_seed_and_stays_in_range(self):
        images = characters.load().train.images[::400]
        before = images.copy()
        first, again = (Augmentation()(images, np.random.default_rng(3)) for _ in range(2))
        np.testing.assert_array_equal(first, again)
        np.testing.assert_array_equal(images, before)
        assert first.shape == images.shape and first.dtype == np.float32
        assert 0 <= first.min() and first.max() <= 1 and (first != images).any(axis=(1, 2, 3)).all()

    def test_no_change_leaves_the_picture(self):
        still = Augmentation(rotation=0, shear=0, scale=0, stretch=0, shift=0, bend=0, pen=0)
        images = characters.load().train.images[::1000]
        np.testing.assert_allclose(still(images, np.random.default_rng(0)), images, atol=1e-4)

    def test_each_change_by_itself(self):
        still = dict(rotation=0, shear=0, scale=0, stretch=0, shift=0, bend=0, pen=0)
        image = np.ones((200, 1, 32, 32), np.float32)
        image[:, :, 8:24, 14:18] = 0
        ink = (1 - image).sum() / 200
        for name, amount, low, high in (("rotation", 90, 0.9, 1.1), ("shear", 0.3, 0.9, 1.1),
                                        ("shift", 4, 0.99, 1.01), ("scale", 0.3, 0.45, 2.2),
                                        ("bend", 1.0, 0.4, 2.5), ("pen", 1.0, 0.3, 1.8)):
            changed = Augmentation(**{**still, name: amount})(image, np.random.default_rng(0))
            inks = (1 - changed).sum(axis=(1, 2, 3)) / ink
            assert low < inks.min() and inks.max() < high, name

    def test_errors(self):
        with pytest.raises(ValueError, match=r"images \(N, 1, height, width\), got \(3, 32, 32\)"):
            Augmentation()(np.ones((3, 32, 32), np.float32), np.random.default_rng(0))

    def test_pictures_change_every_time(self):
        split = characters.Characters(*(part[:4] for part in (
            characters.load().train.images, characters.load().train.labels)))
        data = ChangedCharacters(split, Augmentation())
        first, second = data[1], data[1]
        assert len(data) == 4 and first[1] == split.labels[1] and (first[0] != second[0]).any()


@pytest.mark.slow
@pytest.mark.parametrize("name, files", [
    ("nist36-deep", ["confusion.png", "curves.png", "model.safetensors", "weights.png"]),
    ("nist36-autoencoder-conv", ["curves.png", "model.safetensors", "reconstructions.png"]),
    ("nist36-autoencoder-momentum", ["curves.png", "momentum-0.9/weights.png", "momentum-0/curves.png"]),
    ("nist36-mlp-rates", ["rates.png", "lr-0.02/weights.png", "lr-0.2/confusion.png", "lr-0.002/curves.png"]),
])
def test_systems_run(folder, tmp_path, name, files, capsys):
    """Two epochs of each system write their pictures and results."""
    out = tmp_path / "out"
    code = main(["run", name, "--data", str(folder), "--epochs", "2", "--batch-size", "16", "--quiet",
                 "--out", str(out), "--debug"])
    shown = capsys.readouterr().out
    assert code == 0 and f"best validation {SYSTEMS[name].figure}" in shown
    for file in files:
        assert (out / file).stat().st_size > 0
    results = json.loads((out / "metrics.json").read_text())["results"]
    assert results["interrupted"] is False and results["best_epoch"] in (1, 2)


@pytest.mark.slow
def test_the_saved_average_is_the_network_that_was_judged(folder, tmp_path, capsys):
    from nets import checkpoint
    from nets.train import predict

    main(["run", "nist36-deep", "--data", str(folder), "--epochs", "2", "--batch-size", "16", "--quiet",
          "--hold-out", "0.25", "--out", str(tmp_path / "out")])
    net = CharacterNet()
    facts = checkpoint.load(tmp_path / "out" / "model.safetensors", net)
    split = characters.held_out(characters.load(folder), 0.25).validation
    assert len(split) == 36
    right = float((predict(net, split.images).argmax(axis=1) == split.labels).mean())
    assert facts["final_accuracy"] == pytest.approx(right)


def test_hold_out_never_shows_the_validation_set():
    splits = characters.load()
    chosen = characters.held_out(splits, 0.2)
    known = {image.tobytes() for image in splits.train.images}
    assert {image.tobytes() for image in chosen.validation.images} <= known
    assert len(chosen.train) + len(chosen.validation) == len(splits.train) and chosen.test is None
    assert characters.held_out(splits, 0) is splits
    with pytest.raises(ValueError, match="leaves a part without any"):
        characters.held_out(splits, 1e-6)
    assert pytest.raises(SystemExit, main, ["run", "nist36-mlp", "--hold-out", "1"]).value.code == 2
