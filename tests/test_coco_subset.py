"""The COCO subset builder, end to end: a small annotation file, images in a folder or on loopback."""

import json
import os
import re

import numpy as np
import pytest
from data_files import jpeg, send, server, write_json
from PIL import Image

from nets import coco_subset
from nets.__main__ import main
from tinygrad_hw.vision.datasets import COCOSubset

CATEGORIES = {17: "cat", 18: "dog", 6: "bus"}


def annotations(tmp_path, address="http://127.0.0.1:9"):
    """Images 0-9 hold a cat, 10-19 a dog, 20-23 both, all a bus. Image n is grey of level 8 n."""
    images, found = [], []
    for number in range(24):
        images.append(
            {"id": number, "file_name": f"{number:012}.jpg", "coco_url": f"{address}/{number}.jpg"}
        )
        kinds = [17] * (number < 10 or number >= 20) + [18] * (number >= 10) + [6]
        found += [{"image_id": number, "category_id": kind, "id": len(found)} for kind in kinds * 2]
    categories = [{"id": number, "name": name} for number, name in CATEGORIES.items()]
    write_json(tmp_path / "instances.json", {"images": images[::-1], "annotations": found,
                                             "categories": categories})


def write_images(tmp_path, skip=()):
    folder = tmp_path / "images"
    folder.mkdir(exist_ok=True)
    for number in range(24):
        if number not in skip:
            Image.new("RGB", (100, 80), (8 * number,) * 3).save(folder / f"{number:012}.jpg", quality=95)
    return str(folder)


def make(tmp_path, root, *more, categories=("dog", "cat"), train=3, val=2):
    return main(["make-coco-subset", "--annotations", str(tmp_path / "instances.json"),
                 "--categories", *categories, "--train", str(train), "--val", str(val),
                 "--root", str(tmp_path / root), *more])


def numbers(dataset):
    """Which images were taken, by their grey."""
    return [round(np.asarray(dataset[index][0]).mean() / 8) for index in range(len(dataset))]


def test_from_a_folder(tmp_path, capsys):
    annotations(tmp_path)
    folder = write_images(tmp_path)
    assert make(tmp_path, "a", "--images", folder) == 0
    train, val = COCOSubset(tmp_path / "a"), COCOSubset(tmp_path / "a", "val")
    assert train.classes == ["cat", "dog"]
    assert sorted(train.targets) == [0] * 3 + [1] * 3 and sorted(val.targets) == [0] * 2 + [1] * 2
    taken = numbers(train) + numbers(val)
    assert len(set(taken)) == 10 and max(taken) < 20  # each once, and none with both
    assert [number >= 10 for number in taken] == [bool(label) for label in train.targets + val.targets]
    assert train[0][0].size == (64, 64)
    assert sorted(os.listdir(tmp_path / "a")) == ["contact_sheet.png", "my_dataset.txt", "train", "val"]
    assert sorted(os.listdir(tmp_path / "a" / "val")) == [f"valid{number:06}.jpg" for number in range(4)]
    content = json.loads((tmp_path / "a" / "my_dataset.txt").read_text())
    assert content["train"][0] == {"img": "train000000.jpg", "label": train.classes[train.targets[0]]}
    assert content["categories"] == ["cat", "dog"]
    assert "6 training and 4 validation images of dog, cat" in capsys.readouterr().out


def test_the_seed_decides(tmp_path):
    annotations(tmp_path)
    folder = write_images(tmp_path)
    for root, seed in (("a", "0"), ("b", "0"), ("c", "1")):
        assert make(tmp_path, root, "--images", folder, "--seed", seed, "--threads", "3") == 0
    a, b, c = (COCOSubset(tmp_path / root) for root in "abc")
    assert numbers(a) == numbers(b) and a.targets == b.targets
    assert numbers(a) != numbers(c)


def test_bad_images_are_replaced(tmp_path, capsys):
    annotations(tmp_path)
    folder = write_images(tmp_path, skip=(1, 2))
    (tmp_path / "images" / f"{11:012}.jpg").write_bytes(b"no image")
    assert make(tmp_path, "a", "--images", folder, train=6, val=2) == 0
    assert not {1, 2, 11} & set(numbers(COCOSubset(tmp_path / "a")))
    capsys.readouterr()
    assert make(tmp_path, "b", "--images", folder, train=8, val=2) == 1
    error = capsys.readouterr().err
    assert re.search("only 9 of 10 images of 'dog' could be had .1 damaged image.*run it again", error)
    assert not (tmp_path / "b").exists()


def test_from_a_server_that_fails_at_first(tmp_path, capsys):
    pytest.importorskip("requests")
    working, asked = [False], []

    def answer(handler):
        number = int(handler.path[1:-4])
        asked.append(number)
        if number % 2 and not working[0]:
            send(handler, b"", "image/jpeg", 503)
        else:
            send(handler, jpeg(100, 80, number), "image/jpeg")

    with server(answer) as address:
        annotations(tmp_path, address)
        assert make(tmp_path, "a", train=6, val=2) == 1
        assert "HTTP 503" in capsys.readouterr().err and not (tmp_path / "a").exists()
        first, working[0] = list(asked), True
        asked.clear()
        assert make(tmp_path, "a", train=6, val=2) == 0
    assert not {number for number in first if number % 2 == 0} & set(asked)  # kept from before
    assert len(COCOSubset(tmp_path / "a")) == 12
    assert not (tmp_path / ".a.partial").exists()


@pytest.mark.parametrize("change, text", [
    (dict(categories=["cow"]), "no category cow; there are cat, dog, bus"),
    (dict(categories=["cat", "cat"]), "--categories must differ"),
    (dict(train=9, val=5), "has 10 images with 'dog' alone among the categories, but 9 . 5 are needed"),
    (dict(train=0), "at least 1"),
    (dict(root="images"), "is there already"),
    (dict(content="[1]"), "lacks what COCO's annotations"),
    (dict(content='{"categories": [], "images": 3, "annotations": []}'), "no category dog"),
    (dict(content="{"), "it is no JSON"),
    (dict(content=None), "No such file"),
])
def test_errors(tmp_path, capsys, change, text):
    annotations(tmp_path)
    write_images(tmp_path)
    if "content" in change:
        (tmp_path / "instances.json").unlink()
        if change["content"] is not None:
            (tmp_path / "instances.json").write_text(change["content"])
    options = {key: change[key] for key in ("categories", "train", "val") if key in change}
    assert make(tmp_path, change.get("root", "a"), "--images", str(tmp_path / "images"), **options) == 1
    error = capsys.readouterr().err
    assert re.search(text, error) and error.count("\n") == 1
    assert not (tmp_path / "a").exists()


def test_file_names_that_lead_out(tmp_path):
    annotations(tmp_path)
    folder = write_images(tmp_path)
    content = json.loads((tmp_path / "instances.json").read_text())
    for image in content["images"]:
        image["file_name"] = "../" + image["file_name"]
    write_json(tmp_path / "instances.json", content)
    assert make(tmp_path, "a", "--images", folder) == 1 and not (tmp_path / "a").exists()


@pytest.mark.parametrize("size", [(128, 64), (100, 80), (65, 150)])
def test_area_means(size):
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    small = np.asarray(coco_subset.area_resize(Image.fromarray(pixels), 64), int)
    fine = pixels.repeat(64, 0).repeat(64, 1)  # each pixel as 64 x 64 parts: a cell is a block of them
    expected = fine.reshape(64, size[1], 64, size[0], 3).mean((1, 3))
    assert np.abs(small - expected).max() <= 0.5 + 1e-9


def test_a_smaller_image_is_enlarged():
    assert coco_subset.area_resize(Image.new("RGB", (10, 200), (1, 2, 3)), 64).getpixel((9, 9)) == (
        1,
        2,
        3,
    )
