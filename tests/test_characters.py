"""The character data sets, and the figures, pictures and run folders of their networks."""

import doctest
import json
import os
import zipfile

import numpy as np
import pytest
import scipy.io
import scipy.sparse

from nets import characters, metrics, pictures, runs
from tinygrad_hw.vision.datasets import glyphs


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory):
    """One cache for this file, so that glyph36 is drawn once and the user's cache is left alone."""
    with pytest.MonkeyPatch.context() as patch:
        root = tmp_path_factory.mktemp("cache")
        patch.setenv("TINYGRAD_HW_CACHE", str(root))
        glyphs.load()
        yield root / "data"


@pytest.mark.slow
@pytest.mark.parametrize("module", [characters, glyphs, metrics, pictures, runs],
                         ids=lambda module: module.__name__)
def test_docstring_examples(module):
    result = doctest.testmod(module)
    assert result.attempted > 0 and result.failed == 0


class TestGlyphs:
    def test_splits(self):
        for (images, labels), count in zip(glyphs.load(), (300, 100, 50)):
            assert images.shape == (36 * count, 1, 32, 32) and images.dtype == np.float32
            assert labels.dtype == np.int64 and (np.bincount(labels) == count).all()
            assert images.min() == 0 and images.max() == 1 and images.flags.c_contiguous

    def test_paper_is_1_and_every_picture_has_ink(self):
        for images, _ in glyphs.load():
            assert np.median(images) > 0.95
            assert ((images < 0.7).sum(axis=(1, 2, 3)) >= 8).all()

    def test_splits_share_no_picture(self):
        every = np.concatenate([images for images, _ in glyphs.load()])
        assert len({image.tobytes() for image in every}) == len(every)

    def test_a_sample_depends_only_on_seed_class_and_index(self):
        batch = glyphs.draw("R", range(20))
        for order in ([7], [19, 7, 3], list(range(19, -1, -1))):
            np.testing.assert_array_equal(glyphs.draw("R", order), batch[order])
        validation = glyphs.load()[1][0].reshape(36, 100, 32, 32)
        drawn = glyphs.draw("R", [300])[0] / np.float32(255)
        np.testing.assert_array_equal(validation[glyphs.CLASSES.index("R"), 0], drawn)

    def test_seeds_and_classes_differ(self):
        pairs = {glyphs.draw(character, [0], seed).tobytes() for character in "O0" for seed in (0, 1)}
        assert len(pairs) == 4

    def test_templates_are_midlines_of_every_character_in_every_font(self):
        for label in range(36):
            on_line = glyphs._templates(label) == 0
            assert on_line.shape == (len(glyphs.FONTS), glyphs.FIELD, glyphs.FIELD)
            assert (on_line.sum(axis=(1, 2)) >= 20).all()  # even a bare I is a long line

    def test_thinning_leaves_the_midline_of_a_bar(self):
        bar = np.zeros((1, 20, 9), bool)
        bar[:, 3:17, 3:6] = True
        line = glyphs._thin(bar)[0]
        assert line[6:14].sum(axis=1).tolist() == [1] * 8 and line[6:14, 4].all()

    def test_distances_are_euclidean(self):
        lines = np.random.default_rng(0).random((3, 12, 12)) < 0.1
        rows, columns = np.mgrid[0:12, 0:12]
        for distance, line in zip(glyphs._distance(lines), lines):
            set_rows, set_columns = np.nonzero(line)
            expected = np.hypot(rows[..., None] - set_rows, columns[..., None] - set_columns).min(-1)
            np.testing.assert_allclose(distance, expected, rtol=1e-12)

    def test_no_indices(self):
        assert glyphs.draw("A", []).shape == (0, 32, 32)

    @pytest.mark.parametrize("character", ["a", "", "AB", "é"])
    def test_unknown_character(self, character):
        with pytest.raises(ValueError, match="glyph36 knows the characters ABC"):
            glyphs.draw(character, [0])

    @pytest.mark.parametrize("seed, index", [(-1, 0), (0, -1)])
    def test_negative_seed_or_index(self, seed, index):
        with pytest.raises(ValueError, match="must not be negative"):
            glyphs.draw("A", [index], seed)


class TestGlyphCache:
    """With eight samples a class, to be quick."""

    @pytest.fixture(autouse=True)
    def few(self, monkeypatch):
        splits = {"train": range(0, 4), "validation": range(4, 6), "test": range(6, 8)}
        monkeypatch.setattr(glyphs, "SPLITS", splits)

    def test_second_load_reads_what_the_first_stored(self, tmp_path, monkeypatch):
        first = glyphs.load(folder=tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["glyph36-0.npz"]
        monkeypatch.setattr(glyphs, "_draw_all", lambda seed: pytest.fail("drawn again"))
        for (images, _), (stored, _) in zip(first, glyphs.load(folder=tmp_path)):
            np.testing.assert_array_equal(images, stored)

    @pytest.mark.parametrize("damage", ["cut", "flip", "empty", "text", "pickle", "other key"])
    def test_a_damaged_file_is_replaced(self, tmp_path, damage):
        expected = glyphs.load(folder=tmp_path)[0][0]
        path = tmp_path / "glyph36-0.npz"
        content = bytearray(path.read_bytes())
        if damage == "cut":
            content = content[:len(content) // 2]
        elif damage == "flip":
            content[len(content) // 2] ^= 255
        else:
            content = {"empty": b"", "text": b"not a zip file"}.get(damage, content)
        path.write_bytes(content)
        if damage == "pickle":
            np.savez(path, version=1, pixels=np.array([{}], dtype=object))
        elif damage == "other key":
            np.savez(path, version=1)
        with pytest.warns(UserWarning, match="cannot be read"):
            np.testing.assert_array_equal(glyphs.load(folder=tmp_path)[0][0], expected)
        np.testing.assert_array_equal(glyphs.load(folder=tmp_path)[0][0], expected)
        assert zipfile.is_zipfile(path)

    def test_another_version_or_shape_is_replaced(self, tmp_path):
        expected = glyphs.load(folder=tmp_path)[0][0]
        path = tmp_path / "glyph36-0.npz"
        pixels = np.load(path)["pixels"]
        for version, stale in ((0, pixels * 0), (glyphs.VERSION, pixels[:, :5])):
            np.savez(path, version=version, pixels=stale)
            np.testing.assert_array_equal(glyphs.load(folder=tmp_path)[0][0], expected)

    def test_a_cache_that_cannot_be_written_is_only_a_warning(self, tmp_path):
        blocker = tmp_path / "file"
        blocker.write_text("in the way")
        with pytest.warns(UserWarning, match="TINYGRAD_HW_CACHE"):
            assert len(glyphs.load(folder=blocker / "data")[0][0]) == 36 * 4


def mat_arrays(count=72, seed=0):
    """Images 0..1 with their labels, in the layout of the files."""
    random = np.random.default_rng(seed)
    return random.random((count, 1024)), np.eye(36, dtype=np.uint8)[np.arange(count) % 36]


def save_mat(folder, split, data, labels, name="nist36"):
    path = folder / f"{name}_{split}.mat"
    scipy.io.savemat(path, {f"{split}_data": data, f"{split}_labels": labels}, do_compression=True)
    return path


@pytest.fixture
def folder(tmp_path):
    save_mat(tmp_path, "train", *mat_arrays(72))
    save_mat(tmp_path, "valid", *mat_arrays(36, seed=1))
    return tmp_path


class TestMat:
    def test_images_are_upright_and_labels_are_numbers(self, folder):
        splits = characters.load(folder)
        data, labels = mat_arrays(72)
        assert splits.train.images.dtype == np.float32 and splits.train.images.flags.c_contiguous
        expected = np.stack([row.reshape(32, 32).T for row in data])[:, None].astype(np.float32)
        np.testing.assert_array_equal(splits.train.images, expected)
        np.testing.assert_array_equal(splits.train.labels, np.arange(72) % 36)
        assert splits.train.labels.dtype == np.int64 and len(splits.validation) == 36
        assert splits.test is None and splits.train.classes == glyphs.CLASSES

    def test_optional_test_split_and_choice_by_name(self, folder):
        for split in ("train", "valid", "test"):
            save_mat(folder, split, *mat_arrays(36), name="other")
        assert len(characters.load(folder, name="other").test) == 36
        with pytest.raises(ValueError, match="several data sets .nist36, other.; choose one by name="):
            characters.load(folder)

    def test_missing_folder_and_files(self, tmp_path, folder):
        with pytest.raises(FileNotFoundError, match="no folder .*nowhere"):
            characters.load(tmp_path / "nowhere")
        (tmp_path / "empty").mkdir()
        with pytest.raises(FileNotFoundError, match="looked for <name>_train.mat .* found nothing"):
            characters.load(tmp_path / "empty")
        (folder / "nist36_valid.mat").unlink()
        with pytest.raises(FileNotFoundError, match="no file .*nist36_valid.mat"):
            characters.load(folder)

    @pytest.mark.parametrize("change, message", [
        (lambda data, labels: (data[:, :1000], labels), r"train_data .* \(N, 1024\), got \(72, 1000\)"),
        (lambda data, labels: (data, labels[:, :26]), r"train_labels .* \(N, 36\), got \(72, 26\)"),
        (lambda data, labels: (data.reshape(72, 32, 32), labels), r"got \(72, 32, 32\)"),
        (lambda data, labels: (data, np.arange(72)), r"train_labels .* got \(1, 72\)"),
        (lambda data, labels: (data[:70], labels), "70 images but 72 labels"),
        (lambda data, labels: (data[:0], labels[:0]), "holds no images"),
        (lambda data, labels: (data * 255, labels), "0..1 .*divide 8-bit values by 255"),
        (lambda data, labels: (np.where(data > 0.9999, np.nan, data), labels), "row .* NaN or infinity"),
        (lambda data, labels: (data + 0j, labels), "real numbers, got complex128"),
        (lambda data, labels: (scipy.sparse.csc_matrix(data), labels), "full matrix of real numbers"),
        (lambda data, labels: (data[:1].astype(object), labels[:1]), "real numbers, got object"),
        (lambda data, labels: (data, labels * 2), "one-hot .*row 0 has the values .* sum 2"),
        (lambda data, labels: (data, labels * 0), "one-hot .*sum 0"),
        (lambda data, labels: (data, labels + np.eye(72, 36, k=1, dtype=np.uint8)), "one-hot .*sum 2"),
        (lambda data, labels: (data, np.where(labels == 1, np.nan, 0)), "one-hot"),
        (lambda data, labels: (data, labels * 0.5 + np.roll(labels, 1, 1) * 0.5), "one-hot .*sum 1"),
    ])
    def test_wrong_content(self, folder, change, message):
        save_mat(folder, "train", *change(*mat_arrays(72)))
        with pytest.raises(ValueError, match=message):
            characters.load(folder)

    def test_wrong_keys(self, folder):
        data, labels = mat_arrays()
        scipy.io.savemat(folder / "nist36_train.mat", {"train_data": data, "labels": labels})
        with pytest.raises(ValueError, match=r"no array 'train_labels', only \['labels', 'train_da"):
            characters.load(folder)

    @pytest.mark.parametrize("content", [b"", b"MATLAB", b"PK\x03\x04" * 99, b"\0" * 999, b"\xff" * 999])
    def test_not_a_mat_file(self, folder, content):
        (folder / "nist36_train.mat").write_bytes(content)
        with pytest.raises(ValueError, match="nist36_train.mat"):
            characters.load(folder)

    def test_matlab_7_3(self, folder):
        header = b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + b"\x89HDF\r\n\x1a\n" * 20
        (folder / "nist36_train.mat").write_bytes(header)
        with pytest.raises(ValueError, match="7.3 .HDF5. file; save it again .*-v7"):
            characters.load(folder)

    @pytest.mark.parametrize("share", [0.0001, 0.001, 0.1, 0.5, 0.9, 0.999])
    def test_truncated(self, folder, share):
        path = folder / "nist36_train.mat"
        content = path.read_bytes()
        path.write_bytes(content[:int(share * len(content))])
        with pytest.raises(ValueError, match="nist36_train.mat"):
            characters.load(folder)

    def test_flipped_bytes_never_raise_anything_but_value_errors(self, folder):
        path = save_mat(folder, "train", *mat_arrays(36))
        content, random = path.read_bytes(), np.random.default_rng(0)
        for place in [*range(120, 200, 3), *random.integers(128, len(content), 40)]:
            broken = bytearray(content)
            broken[place] ^= int(random.integers(1, 256))
            path.write_bytes(broken)
            try:
                split = characters.load_mat(path, "train")
            except ValueError:
                continue
            assert split.images.shape[1:] == (1, 32, 32) and np.isfinite(split.images).all()


class TestMetrics:
    def test_confusion_agrees_with_accuracy(self):
        random = np.random.default_rng(0)
        scores, labels = random.random((500, 36)), random.integers(0, 36, 500)
        matrix = metrics.confusion_matrix(scores, labels, 36)
        assert matrix.sum() == 500
        assert np.trace(matrix) / 500 == pytest.approx(metrics.accuracy(scores, labels))
        np.testing.assert_array_equal(matrix.sum(axis=1), np.bincount(labels, minlength=36))

    def test_psnr(self):
        black, white = np.zeros((2, 1, 4, 4), np.float32), np.ones((2, 1, 4, 4), np.float32)
        np.testing.assert_array_equal(metrics.psnr(black, white), [0, 0])
        np.testing.assert_array_equal(metrics.psnr(black, black), [np.inf, np.inf])

    def test_most_confused_skips_what_never_happened(self):
        assert metrics.most_confused(np.eye(3, dtype=int), "ABC") == []

    @pytest.mark.parametrize("call, message", [
        (lambda: metrics.accuracy([], []), "undefined"),
        (lambda: metrics.accuracy([1, 2], [1]), r"\(2,\) and \(1,\)"),
        (lambda: metrics.accuracy([0.5], [1]), "integer type, got float64"),
        (lambda: metrics.confusion_matrix([3], [0], 3), r"predictions must lie in 0..2, got 3"),
        (lambda: metrics.confusion_matrix([0], [-1], 3), r"labels must lie in 0..2, got -1"),
        (lambda: metrics.psnr(np.zeros((2, 4)), np.zeros((2, 5))), r"\(2, 4\) and \(2, 5\)"),
        (lambda: metrics.psnr(np.zeros((0, 4)), np.zeros((0, 4))), "non-empty"),
        (lambda: metrics.most_confused(np.eye(3), "AB"), r"\(2, 2\), got \(3, 3\)"),
    ])
    def test_errors(self, call, message):
        with pytest.raises(ValueError, match=message):
            call()


class TestPictures:
    @pytest.mark.parametrize("draw", [
        lambda path: pictures.training_curves(path, {}),
        lambda path: pictures.training_curves(path, {"train_loss": [1.0, np.nan, np.inf]}),
        lambda path: pictures.training_curves(path, {"train_psnr": [12, 14]}, figure="psnr"),
        lambda path: pictures.weight_grids(path, np.zeros((5, 4, 3)), np.ones((5, 4, 3))),
        lambda path: pictures.confusion(path, np.diag([3, 0]), ["cat", "dog"]),
        lambda path: pictures.reconstructions(path, np.zeros((3, 1, 8, 8)), np.ones((3, 1, 8, 8))),
        lambda path: pictures.reconstructions(path, np.zeros((1, 8, 8)), np.zeros((1, 8, 8))),
        lambda path: pictures.learning_rates(
            path, {0.1: {"train_loss": [3, np.nan], "validation_accuracy": [0.1, 0.2]}}),
    ])
    def test_a_whole_png_and_no_other_file(self, tmp_path, draw):
        from PIL import Image

        draw(tmp_path / "picture.png")
        assert [path.name for path in tmp_path.iterdir()] == ["picture.png"]
        with Image.open(tmp_path / "picture.png") as image:
            image.load()
            assert image.format == "PNG" and min(image.size) > 100

    @pytest.mark.parametrize("draw, message", [
        (lambda path: pictures.weight_grids(path, np.zeros((5, 4)), np.zeros((5, 4))), r"\(5, 4\)"),
        (lambda path: pictures.confusion(path, np.eye(3), "AB"), r"\(2, 2\), got \(3, 3\)"),
        (lambda path: pictures.reconstructions(path, np.zeros((2, 3, 8, 8)), np.zeros((2, 3, 8, 8))),
         "3 channels"),
        (lambda path: pictures.learning_rates(path, {}), "at least one run"),
    ])
    def test_errors_leave_no_file(self, tmp_path, draw, message):
        with pytest.raises(ValueError, match=message):
            draw(tmp_path / "picture.png")
        assert list(tmp_path.iterdir()) == []


class TestRuns:
    def test_an_error_while_writing_keeps_the_old_file(self, tmp_path):
        path = tmp_path / "file"
        path.write_text("old")
        with pytest.raises(RuntimeError), runs.atomic_write(path) as file:
            file.write(b"half of the new")
            raise RuntimeError
        assert path.read_text() == "old" and os.listdir(tmp_path) == ["file"]

    def test_a_run_writes_config_history_and_results(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        first = runs.Run("mlp", {"lr": np.float64(0.1), "data": tmp_path})
        second = runs.Run("mlp", {})
        assert first.folder != second.folder and first.folder.parent.name == "runs"
        first.log(epoch=1, loss=np.float32("nan"))
        first.finish(accuracy=0.5)
        config = json.loads(first.path("config.json").read_text())
        assert config["config"] == {"lr": 0.1, "data": str(tmp_path)}
        assert config["environment"]["packages"]["numpy"] == np.__version__
        stored = json.loads(first.path("metrics.json").read_text())
        assert stored["history"] == [{"epoch": 1, "loss": None}]
        assert stored["results"] == {"accuracy": 0.5}

    def test_errors(self, tmp_path):
        runs.Run("mlp", {}, out=tmp_path / "out")
        with pytest.raises(FileExistsError, match="already holds a run; name another folder"):
            runs.Run("mlp", {}, out=tmp_path / "out")
        (tmp_path / "file").write_text("")
        with pytest.raises(NotADirectoryError, match="is a file; name a folder"):
            runs.Run("mlp", {}, out=tmp_path / "file")
        with pytest.raises(ValueError, match="without slashes"):
            runs.Run("../mlp", {})
        with pytest.raises(TypeError, match="got set; convert it first"):
            runs.write_json(tmp_path / "a.json", {"values": {1, 2}})
        assert not (tmp_path / "a.json").exists()
