"""The ImageNet scraper, end to end, against a server on loopback that misbehaves in every known way."""

import io
import json
import os
import re
import threading
import time

import numpy as np
import pytest
from data_files import jpeg, png, send, server, write_json
from PIL import Image
from test_hostile_data import bomb_png

from nets import scrape_imagenet, web_images
from nets.__main__ import main

pytest.importorskip("requests", reason="the extra data is not installed")

WNID = "n02123597"


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(web_images, "READ_SECONDS", 0.4)
    monkeypatch.setattr(web_images, "TOTAL_SECONDS", 0.8)
    monkeypatch.setattr(web_images, "MAX_BYTES", 300_000)


def trickle(handler):
    handler.send_response(200)
    handler.send_header("Content-Type", "image/jpeg")
    handler.send_header("Content-Length", "5000")
    handler.end_headers()
    for _ in range(100):
        handler.wfile.write(b"x")
        handler.wfile.flush()
        time.sleep(0.05)


def endless(handler):
    handler.send_response(200)
    handler.send_header("Content-Type", "image/jpeg")
    handler.end_headers()
    while True:
        handler.wfile.write(bytes(50_000))


def cut_off(handler):
    handler.send_response(200)
    handler.send_header("Content-Type", "image/jpeg")
    handler.send_header("Content-Length", "90000")
    handler.end_headers()
    handler.wfile.write(jpeg()[:2000])


def redirect(place):
    return lambda handler: send(handler, b"", status=302, headers=[("Location", place)])


IMAGE = "image/jpeg"
BAD = {
    "silent.jpg": (lambda handler: time.sleep(1.0), "read timeout"),
    "trickle.jpg": (trickle, "read timeout"),
    "loop.jpg": (redirect("/flickr/loop.jpg"), "too many redirects"),
    "gone.jpg": (redirect("/flickr/photo_unavailable.png"), "photo unavailable"),
    "untyped.jpg": (lambda handler: send(handler, jpeg(), None), "no content type"),
    "page.jpg": (lambda handler: send(handler, b"<html>" * 500, "text/html"), "not an image"),
    "small.png": (lambda handler: send(handler, png(), "image/png"), "under 1 kB"),
    "lie.jpg": (lambda handler: send(handler, b"no image " * 500, IMAGE), "damaged image"),
    "half.jpg": (lambda handler: send(handler, jpeg()[:3000], IMAGE), "damaged image"),
    "bomb.png": (lambda handler: send(handler, bomb_png(100_000, 100_000) + bytes(2000), "image/png"),
                 "image too large"),
    "endless.jpg": (endless, "too many bytes"),
    "cut.jpg": (cut_off, "connection error"),
    "missing.jpg": (lambda handler: send(handler, b"", IMAGE, 404), "HTTP 404"),
    "broken.jpg": (lambda handler: send(handler, b"", IMAGE, 500), "HTTP 500"),
    "rude.jpg": (lambda handler: handler.wfile.write(b"\x00\xffno HTTP\r\n\r\n"), "connection error"),
}
ODD_ADDRESSES = {
    "127.0.0.1/flickr/no_schema.jpg": "missing schema",
    "http://[flickr/x.jpg": "invalid URL",
    "ftp://127.0.0.1/flickr/x.jpg": "invalid URL",
    "http://127.0.0.1:9/flickr/closed.jpg": "connection error",
    "http:///flickr.jpg": "invalid URL",
}


class Web:
    """The server's answers by path, and what it was asked for."""

    def __init__(self):
        self.asked = []
        self.pages = {f"/flickr/{name}": answer for name, (answer, _) in BAD.items()}
        self.pages["/flickr/photo_unavailable.png"] = lambda handler: send(handler, jpeg(), "image/png")

    def image(self, name, content, kind=IMAGE):
        self.pages[f"/flickr/{name}"] = lambda handler: send(handler, content, kind)

    def __call__(self, handler):
        self.asked.append(handler.path)
        page = self.pages.get(handler.path.split("?")[0])
        if page is None:
            send(handler, b"", status=404)
        else:
            page(handler)


@pytest.fixture
def web():
    pages = Web()
    with server(pages) as address:
        pages.address = address
        yield pages


def scrape(tmp_path, web, addresses, count, *more, names=("Siamese cat",)):
    info = tmp_path / "info.json"
    write_json(info, {WNID: {"class_name": "Siamese cat", "img_url_count": 5, "flickr_img_url_count": 3},
                      "n02123394": {"class_name": "Persian cat", "flickr_img_url_count": 2},
                      "n00000001": {"class_name": "crane", "flickr_img_url_count": 1},
                      "n00000002": {"class_name": "crane", "flickr_img_url_count": 7}})
    listing = "\r\n".join(addresses).encode()
    web.pages["/list"] = lambda handler: send(handler, listing, "text/plain")
    return main(["scrape-imagenet", "--subclass_list", *names, "--images_per_subclass", str(count),
                 "--data_root", str(tmp_path / "data"), "--main_class", "cat",
                 "--imagenet_info_json", str(info), "--list_address", web.address + "/list?wnid={wnid}",
                 *more])


def images(tmp_path):
    return sorted(name for name in os.listdir(tmp_path / "data" / "cat") if not name.startswith("."))


def test_every_failure_has_its_name_and_the_good_ones_arrive(tmp_path, web, capsys):
    for number in range(4):
        web.image(f"good{number}.jpg", jpeg(90, 70, number))
    web.image("copy.jpg", jpeg(90, 70, 0))
    stream = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 50), dtype=np.uint8)).save(
        stream, "PNG"
    )
    web.image("grey.png", stream.getvalue(), "image/png")
    addresses = [f"{web.address}/flickr/{name}" for name in BAD]
    addresses += [*ODD_ADDRESSES, "", f"{web.address}/elsewhere/x.jpg", f"{web.address}/flickr/"]
    addresses += [f"{web.address}/flickr/{name}" for name in
                  ("good0.jpg", "good1.jpg", "good1.jpg", "copy.jpg", "good2.jpg?size=b", "grey.png")]
    assert scrape(tmp_path, web, addresses, 5) == 1
    captured = capsys.readouterr()
    expected = [reason for _, reason in BAD.values()] + list(ODD_ADDRESSES.values())
    expected += ["not flickr", "no name", "duplicate"]
    counts = {reason: int(count) for count, reason in re.findall(r"^ +(\d+)  (.+)$", captured.out, re.M)}
    assert counts == {reason: expected.count(reason) for reason in expected}
    assert f"Siamese cat ({WNID}): 4 of 5 images in" in captured.out
    assert "some classes have too few images" in captured.err
    kept = images(tmp_path)
    assert len(kept) == 4 and {"good1.jpg", "good2.jpg", "grey.jpg"} < set(kept)
    for name in kept:
        with Image.open(tmp_path / "data" / "cat" / name) as image:
            assert image.size == (64, 64) and image.mode == "RGB" and image.format == "JPEG"
    assert sum("good1.jpg" in path for path in web.asked) == 1


def test_box_resizing(tmp_path, web):
    smooth = Image.open(io.BytesIO(jpeg(8, 8))).resize((128, 128), Image.Resampling.BICUBIC)
    stream = io.BytesIO()
    smooth.save(stream, "PNG")
    content = stream.getvalue()
    web.image("a.jpg", content)
    assert scrape(tmp_path, web, [f"{web.address}/flickr/a.jpg"], 1) == 0
    pixels = np.asarray(Image.open(io.BytesIO(content)), float)
    means = pixels.reshape(64, 2, 64, 2, 3).mean((1, 3))
    kept = np.asarray(Image.open(tmp_path / "data" / "cat" / "a.jpg"), float)
    assert np.abs(kept - means).mean() < 3  # JPEG again


def test_another_run_goes_on(tmp_path, web, capsys):
    for number in range(6):
        web.image(f"{number}x.jpg", jpeg(seed=number))
    addresses = [f"{web.address}/flickr/{number}x.jpg" for number in range(6)]
    assert scrape(tmp_path, web, addresses, 2, "--threads", "1") == 0
    first = images(tmp_path)
    assert len(first) == 2
    with open(tmp_path / "data" / "cat" / ".scraped.jsonl", "a") as file:
        file.write('["n02123597", "http://cut')  # as a crash would leave it
    web.asked.clear()
    assert scrape(tmp_path, web, addresses, 4, "--threads", "1") == 0
    assert len(images(tmp_path)) == 4 and set(first) < set(images(tmp_path))
    assert not any(name.replace(".jpg", "") in path for path in web.asked for name in first)
    for thread in threading.enumerate():  # a download that was under way when there were enough may go on
        if thread.name.startswith("fetch"):
            thread.join(10)
    web.asked.clear()
    assert scrape(tmp_path, web, addresses, 4) == 0
    assert web.asked == [] and "4 images are there" in capsys.readouterr().out


def test_two_subclasses_share_the_folder(tmp_path, web):
    web.image("a.jpg", jpeg(seed=1))
    web.image("b.jpg", jpeg(seed=2))
    addresses = [f"{web.address}/flickr/{name}.jpg" for name in "ab"]
    assert scrape(tmp_path, web, addresses, 1, names=("Siamese cat", "persian CAT")) == 0
    assert images(tmp_path) == ["a.jpg", "b.jpg"]


def test_names_cannot_lead_out(tmp_path, web):
    for number, name in enumerate(("..%2F..%2Fevil.jpg", "%2e%2e", "a%00b.jpg", "-" * 300 + ".jpg")):
        web.pages[f"/flickr/{name}"] = lambda handler, number=number: send(
            handler, jpeg(seed=number), IMAGE
        )
    addresses = [web.address + path for path in web.pages if "%" in path or "--" in path]
    scrape(tmp_path, web, addresses, 9)
    assert (
        all(re.fullmatch(r"[\w-]+\.jpg", name) for name in images(tmp_path))
        and len(images(tmp_path)) >= 3
    )
    assert sorted(os.listdir(tmp_path)) == ["data", "info.json"]


def test_a_server_is_not_stormed(tmp_path, web, monkeypatch):
    monkeypatch.setattr(web_images, "READ_SECONDS", 5)
    monkeypatch.setattr(web_images, "TOTAL_SECONDS", 5)
    lock, now, most = threading.Lock(), [0], [0]

    def slow(handler):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.05)
        with lock:
            now[0] -= 1
        send(handler, jpeg(seed=len(web.asked)), IMAGE)

    for number in range(20):
        web.pages[f"/flickr/{number}x.jpg"] = slow
    scrape(tmp_path, web, [f"{web.address}/flickr/{n}x.jpg" for n in range(20)], 20, "--threads", "16")
    assert 1 < most[0] <= web_images.PER_HOST


def test_lists_in_a_folder(tmp_path, web):
    web.image("a.jpg", jpeg())
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / f"{WNID}.txt").write_text(f"{web.address}/flickr/a.jpg\n")
    assert scrape(tmp_path, web, [], 1, "--url_lists", str(tmp_path / "lists")) == 0


def test_any_host(tmp_path, web):
    web.pages["/elsewhere/a.jpg"] = lambda handler: send(handler, jpeg(), IMAGE)
    assert scrape(tmp_path, web, [f"{web.address}/elsewhere/a.jpg"], 1, "--any_host") == 0


@pytest.mark.parametrize("change, text", [
    (dict(names=["Siamese cta"]), "no class 'Siamese cta'; did you mean Siamese cat"),
    (dict(more=["--main_class", "../x"]), "names a folder, without slashes; got '../x'"),
    (dict(more=["--images_per_subclass", "0"]), "must be at least 1"),
    (dict(more=["--list_address", "http://127.0.0.1:9/"]), "cannot be fetched from .*--url_lists"),
    (dict(more=["--list_address", "{address}/nothing"]), r"cannot be fetched.*\(HTTP 404\)"),
    (dict(more=["--imagenet_info_json", "list.json"]), "no dictionary of wnid and"),
    (dict(more=["--imagenet_info_json", "none.json"]), "No such file"),
])
def test_errors(tmp_path, web, capsys, monkeypatch, change, text):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.json").write_text(json.dumps({"../x": {"class_name": "cat"}}))
    more = [part.replace("{address}", web.address) for part in change.get("more", ())]
    assert scrape(tmp_path, web, [], 1, *more, names=change.get("names", ("Siamese cat",))) == 1
    error = capsys.readouterr().err
    assert re.search(text, error) and error.count("\n") == 1


def test_of_two_classes_the_one_with_more_images(tmp_path, web):
    scrape(tmp_path, web, [], 1)
    assert scrape_imagenet.wnid_of("crane", tmp_path / "info.json") == "n00000002"
