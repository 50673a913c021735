"""python -m nets data: lists, fetches and shows data sets of every kind."""

import hashlib
import os
import pickle
import zipfile

import numpy as np
import pytest
import scipy.io
from data_files import jpeg, png, send, server, tar, write_cifar, write_json, write_mnist, write_pictures
from PIL import Image

from nets import contact_sheet, data_sets
from nets.__main__ import main
from tinygrad_hw.vision import datasets as D
from tinygrad_hw.vision.datasets import shapes


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TINYGRAD_HW_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def zip_folder(path, folder, top):
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*.*")):
            if file.is_file():
                archive.write(file, f"{top}/{file.relative_to(folder)}")


def test_list(tmp_path, capsys):
    write_mnist(tmp_path / "MNIST" / "raw")
    assert main(["data", "list", "--root", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    for name in data_sets.KNOWN:
        assert name in text
    assert "mnist          there" in text and "glyph36        embedded" in text


def everything(root):
    """One of each kind; returns the names and what their lines say."""
    write_mnist(root / "mnist")
    write_mnist(root / "fashion-mnist", zipped=False)
    write_cifar(root / "temporary")
    files = {f"cifar-10-batches-py/{path.name}": path.read_bytes()
             for path in (root / "temporary" / "cifar-10-batches-py").iterdir()}
    tar(root / "cifar-10-python.tar.gz", files)
    (root / "chars").mkdir()
    for part, key in (("train", "train"), ("valid", "valid")):
        scipy.io.savemat(root / "chars" / f"a_{part}.mat", {
            f"{key}_data": np.random.default_rng(0).random((36, 1024)), f"{key}_labels": np.eye(36)})
    for split in ("train", "val"):
        write_pictures(root / "temporary" / "pets" / split)
    zip_folder(root / "pets.zip", root / "temporary" / "pets", "pets")
    write_pictures(root / "sun", ("kitchen", "park"))
    for split in ("train", "test"):
        (root / "sun" / f"{split}_files.txt").write_text("park/0.png\nkitchen/1.png\n")
        (root / "sun" / f"{split}_labels.txt").write_text("1\n0\n")
    write_pictures(root / "coco", ("train", "val"))
    entries = [{"img": "0.png", "label": "bus"}]
    write_json(
        root / "coco" / "my_dataset.txt", {"train": entries, "val": entries, "categories": ["bus"]}
    )
    write_pictures(root / "flat")
    write_pictures(root / "table", ("pictures",))
    (root / "table" / "labels.csv").write_text("file,label\npictures/0.png,cow\n")
    (root / "pages").mkdir()
    (root / "pages" / "1.png").write_bytes(png())
    write_json(root / "pages" / "ground_truth.json", {"1.png": ["A NAP"]})
    np.savez(
        root / "functions.npz", f1_inputs=np.zeros((9, 2)), f1_outputs=np.zeros(9), alone=np.zeros(4)
    )
    np.save(root / "numbers.npy", np.zeros((5, 3), np.float32))
    (root / "graph.pkl").write_bytes(
        pickle.dumps({"f1": {"inputs": [(1.0, 2.0)] * 6, "outputs": [3.0] * 6}})
    )
    write_json(root / "info.json", {"n01": {"class_name": "dog"}, "n02": {"class_name": "cat"}})
    import shutil

    shutil.rmtree(root / "temporary")
    return {
        "mnist": "MNIST",
        "fashion-mnist": "FashionMNIST",
        "cifar-10-python": "CIFAR10",
        "chars": "NIST36",
        "pets": "ImageFolder",
        "sun": "SUN",
        "coco": "COCOSubset",
        "flat": "ImageFolder",
        "table": "CSVFolder",
        "pages": "TextPages",
        "functions": "ArrayDataset",
        "numbers": "MemoryMappedDataset",
        "graph": "ArrayDataset",
        "info": "ArrayDataset",
    }


def test_show_all(tmp_path, capsys):
    root = tmp_path / "data"
    root.mkdir()
    names = everything(root)
    assert main(["data", "show", "--all", "--root", str(root), "--out", "sheets"]) == 0
    text = capsys.readouterr().out
    for name, kind in names.items():
        assert f"{name}: {kind} from {root}" in text
    pictures = {name for name in names if name not in ("functions", "numbers", "graph", "info")}
    assert {path.stem for path in (tmp_path / "sheets").iterdir()} == pictures
    assert "    cat  3 + 3\n    dog  3 + 3\n" in text and "train            6 x 6 x 8 x 3" in text
    assert "f1               9 x 2" in text and "alone            4 x number" in text
    with Image.open("sheets/pets.png") as sheet:
        assert sheet.format == "PNG"
    again = sorted(os.listdir(tmp_path / "cache" / "data" / "unpacked"))
    assert main(["data", "show", "pets", "--root", str(root)]) == 0
    assert sorted(os.listdir(tmp_path / "cache" / "data" / "unpacked")) == again and len(again) == 1


def test_mean_and_standard_deviation(tmp_path, capsys):
    random = np.random.default_rng(0)
    (tmp_path / "pets" / "dog").mkdir(parents=True)
    pictures = [random.integers(0, 256, (size, 9, 3), dtype=np.uint8) for size in (5, 8)]
    for number, picture in enumerate(pictures):
        Image.fromarray(picture).save(tmp_path / "pets" / "dog" / f"{number}.png")
    assert main(["data", "show", "pets"]) == 0
    pixels = np.concatenate([picture.reshape(-1, 3) for picture in pictures]) / 255
    text = capsys.readouterr().out
    for title, values in (("mean", pixels.mean(0)), ("std ", pixels.std(0))):
        shown = " ".join(f"{value:.4f}" for value in values)
        assert f"{title} of all, each channel: {shown} of 0..1" in text


def test_known_names(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(shapes, "SPLITS", {"train": range(0, 2), "validation": range(2, 3),
                                           "test": range(3, 4)})
    assert main(["data", "fetch", "shapes5"]) == 0
    assert "shapes5: train 10, validation 5, test 5; in " in capsys.readouterr().out
    assert main(["data", "show", "shapes5"]) == 0
    text = capsys.readouterr().out
    assert "balloon  2 + 1 + 1" in text and "contact sheet contact_sheets/shapes5.png" in text


def test_fetch_from_a_server(tmp_path, monkeypatch, capsys):
    pytest.importorskip("pooch")
    source = tmp_path / "source"
    write_mnist(source)
    md5 = {path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in source.iterdir()}
    with server(lambda handler: send(handler, (source / handler.path[1:]).read_bytes())) as address:
        monkeypatch.setattr(D.MNIST, "mirrors", [address + "/"])
        monkeypatch.setattr(D.MNIST, "resources", [(name, md5[name]) for name, _ in D.MNIST.resources])
        assert main(["data", "fetch", "mnist", "--root", "here"]) == 0
    assert "mnist: train 7, test 7; in here/MNIST/raw" in capsys.readouterr().out
    assert main(["data", "show", "mnist", "--root", "here"]) == 0


@pytest.mark.parametrize("arguments, text", [
    (["fetch", "nist36"], "nist36 has no public address; put its files into"),
    (["fetch", "nothing"], "no data set 'nothing'; there are glyph36"),
    (["show", "nothing"], "no data set 'nothing'"),
    (["show"], "name one data set, or give --all"),
    (["show", "mnist", "--all"], "name one data set, or give --all"),
    (["show", "mnist", "--root", "empty"], "Dataset not found"),
    (["show", "--all", "--root", "empty"], "the folder empty is empty"),
    (["show", "odd"], "holds no data set of a known kind, but notes.txt"),
    (["show", "evil.pkl"], "evil.pkl: the pickle asks for builtins.print"),
    (["show", "bad.zip"], "would be written outside of the folder"),
    (["show", "bad.npz"], "damaged or cut short"),
    (["show", "odd/notes.txt"], "is none of the known files"),
])
def test_errors_are_one_line(tmp_path, capsys, arguments, text):
    (tmp_path / "empty").mkdir()
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "notes.txt").write_text("")
    (tmp_path / "evil.pkl").write_bytes(pickle.dumps(print))
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04 no zip")
    with zipfile.ZipFile("bad.zip", "w") as archive:
        archive.writestr("../evil", "x")
    assert main(["data", *arguments]) == 1
    error = capsys.readouterr().err
    assert text in error and error.startswith("error: ") and error.count("\n") == 1
    unpacked = tmp_path / "cache" / "data" / "unpacked"
    assert not unpacked.exists() or list(unpacked.iterdir()) == []


def test_one_bad_file_does_not_hide_the_others(tmp_path, capsys):
    root = tmp_path / "data"
    write_pictures(root / "pets")
    (root / "bad.npz").write_bytes(b"PK\x03\x04 no zip")
    assert main(["data", "show", "--all", "--root", str(root)]) == 1
    captured = capsys.readouterr()
    assert "pets: ImageFolder" in captured.out and "bad.npz: " in captured.err


def test_contact_sheet(tmp_path):
    import io

    wide = Image.open(io.BytesIO(jpeg(200, 20)))
    contact_sheet.contact_sheet(tmp_path / "a.png", [("cats", [wide] * 2), ("dogs", [wide])])
    with Image.open(tmp_path / "a.png") as sheet:
        assert sheet.height == 2 * (contact_sheet.TILE + 4) + 4
    with pytest.raises(ValueError, match="at least one image"):
        contact_sheet.contact_sheet(tmp_path / "b.png", [])
    assert os.listdir(tmp_path) == ["a.png"]
    assert contact_sheet.as_picture(np.ones((3, 4), np.float32)).mode == "L"
