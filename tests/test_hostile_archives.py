"""Archives and downloads that are damaged or meant to harm: one clear error, nothing left behind."""

import hashlib
import importlib.util
import os
import pickle
import stat
import struct
import sys
import tarfile
import zipfile

import numpy as np
import pytest
from data_files import send, server, tar, write_cifar, write_mnist

from tinygrad_hw.vision import datasets as D
from tinygrad_hw.vision.datasets import archives, download
from tinygrad_hw.vision.datasets.utils import download_and_extract_archive, extract_archive


@pytest.fixture(autouse=True)
def no_litter(tmp_path):
    yield
    assert not [name for _, folders, files in os.walk(tmp_path) for name in folders + files
                if name.endswith(".tmp")]


class RunsCode:
    """Its pickle calls os.system when it is loaded."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def zipped(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)


def link(name):
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def as_kind(kind, target="/etc/passwd"):
    def change(info):
        info.type, info.linkname = kind, target

    return change


class TestArchives:
    def refused(self, tmp_path, text, name="bad.zip"):
        goal = tmp_path / "goal"
        goal.mkdir()
        with pytest.raises(ValueError, match=text) as caught:
            extract_archive(tmp_path / name, goal)
        assert str(tmp_path / name) in str(caught.value)
        assert list(goal.iterdir()) == [] and not (tmp_path / "evil").exists()

    @pytest.mark.parametrize("name", ["../evil", "a/../../evil", "/tmp/evil", "..\\evil", "C:\\evil",
                                      "\\evil", "a/b/../../../evil"])
    @pytest.mark.parametrize("kind", ["zip", "tar.gz"])
    def test_names_that_lead_out(self, tmp_path, name, kind):
        if kind == "zip":
            zipped(tmp_path / "bad.zip", [("good.txt", "x"), (name, "x")])
        else:
            tar(tmp_path / "bad.tar.gz", {"good.txt": b"x", name: b"x"})
        self.refused(tmp_path, "would be written outside of the folder", f"bad.{kind}")

    def test_links(self, tmp_path):
        zipped(tmp_path / "bad.zip", [("good.txt", "x"), (link("a"), "/etc/passwd"), ("a/evil", "x")])
        self.refused(tmp_path, "'a' is a link or device")

    @pytest.mark.parametrize(
        "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE]
    )
    def test_tar_links_and_devices(self, tmp_path, kind):
        tar(tmp_path / "bad.tar.gz", {"a": b""}, as_kind(kind))
        self.refused(tmp_path, "'a' is a link or device", "bad.tar.gz")

    @pytest.mark.parametrize("kind", ["zip", "tar.gz"])
    def test_bombs(self, tmp_path, monkeypatch, kind):
        monkeypatch.setattr(archives, "FREE_BYTES", 2**20)
        content = bytes(2**23)
        if kind == "zip":
            zipped(tmp_path / "bad.zip", [("a", content)])
        else:
            tar(tmp_path / "bad.tar.gz", {"a": content})
        self.refused(tmp_path, "unpacks to more than 1,048,576 bytes", f"bad.{kind}")

    def test_too_many_files(self, tmp_path, monkeypatch):
        monkeypatch.setattr(archives, "MAX_MEMBERS", 10)
        zipped(tmp_path / "bad.zip", [(f"{n}", "") for n in range(11)])
        self.refused(tmp_path, "or 10 files")

    def test_sizes_that_lie(self, tmp_path):
        zipped(tmp_path / "bad.zip", [("a", bytes(100_000))])
        content = bytearray((tmp_path / "bad.zip").read_bytes())
        place = content.rindex(b"PK\x01\x02")
        content[place + 24:place + 28] = struct.pack("<I", 10)
        (tmp_path / "bad.zip").write_bytes(content)
        self.refused(tmp_path, "damaged|announces 10 bytes, but holds")

    def test_twice_and_encrypted(self, tmp_path):
        with pytest.warns(UserWarning, match="Duplicate"):
            zipped(tmp_path / "bad.zip", [("a", "1"), ("a", "2")])
        self.refused(tmp_path, "holds 'a' twice")
        zipped(tmp_path / "locked.zip", [("a", "1")])
        content = bytearray((tmp_path / "locked.zip").read_bytes())
        content[content.rindex(b"PK\x01\x02") + 8] |= 1
        (tmp_path / "locked.zip").write_bytes(content)
        with pytest.raises(ValueError, match="encrypted"):
            extract_archive(tmp_path / "locked.zip")

    @pytest.mark.parametrize("kind", ["zip", "tar.gz"])
    @pytest.mark.parametrize("damage", ["cut", "flip", "empty", "text"])
    def test_damage(self, tmp_path, kind, damage):
        files = {f"a/{n}": np.random.default_rng(n).bytes(3000) for n in range(5)}
        path = tmp_path / f"bad.{kind}"
        zipped(path, files.items()) if kind == "zip" else tar(path, files)
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 255
        path.write_bytes(
            {"cut": content[:-3000], "flip": content, "empty": b"", "text": b"hello"}[damage]
        )
        self.refused(tmp_path, "the archive is damaged, cut short or of another format", path.name)

    def test_what_is_there_stays(self, tmp_path):
        zipped(tmp_path / "good.zip", [("a/1", "new"), ("b/2", "new")])
        (tmp_path / "b").mkdir()
        (tmp_path / "b" / "mine").write_text("mine")
        with pytest.raises(
            FileExistsError, match="b is there already; remove it to unpack .*good.zip anew"
        ):
            extract_archive(tmp_path / "good.zip")
        assert sorted(os.listdir(tmp_path)) == ["b", "good.zip"]

    def test_an_interruption(self, tmp_path, monkeypatch):
        zipped(tmp_path / "good.zip", [("a/1", "new"), ("b/2", "new")])
        write = archives._write

        def interrupted(path, member, folder):
            if member.parts == ("b", "2"):
                raise KeyboardInterrupt
            write(path, member, folder)

        monkeypatch.setattr(archives, "_write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            extract_archive(tmp_path / "good.zip")
        assert os.listdir(tmp_path) == ["good.zip"]

    def test_a_full_disk(self, tmp_path, monkeypatch):
        zipped(tmp_path / "good.zip", [("a", "12345")])
        monkeypatch.setattr(archives.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 4}))
        with pytest.raises(OSError, match="needs 5 bytes, and .* has no room"):
            extract_archive(tmp_path / "good.zip", tmp_path / "goal")
        assert list((tmp_path / "goal").iterdir()) == []

    def test_a_pickle_in_an_archive(self, tmp_path):
        evil = pickle.dumps(RunsCode(f"touch {tmp_path}/owned"))
        tar(tmp_path / "cifar-10-python.tar.gz", {"cifar-10-batches-py/test_batch": evil})
        with pytest.raises(ValueError, match="test_batch: the pickle asks for"):
            D.CIFAR10(tmp_path, train=False)
        assert os.listdir(tmp_path) == ["cifar-10-python.tar.gz"]


HAS_POOCH = importlib.util.find_spec("pooch") is not None
GOOD = np.random.default_rng(0).bytes(700_000)


@pytest.mark.skipif(not HAS_POOCH, reason="the extra data is not installed")
class TestDownload:
    def fetch(self, tmp_path, answer, md5=None, **options):
        with server(answer) as address:
            return download.download_url(
                f"{address}/data.bin", tmp_path, md5=md5, progress=False, **options
            )

    def test_fetched_once(self, tmp_path):
        asked = []

        def answer(handler):
            asked.append(handler.path)
            send(handler, GOOD)

        md5 = hashlib.md5(GOOD).hexdigest()
        assert self.fetch(tmp_path, answer, md5).read_bytes() == GOOD
        assert self.fetch(tmp_path, answer, md5).name == "data.bin"
        assert len(asked) == 1 and os.listdir(tmp_path) == ["data.bin"]

    def test_wrong_check_sum(self, tmp_path):
        with pytest.raises(
            RuntimeError, match="not have the published check sum 0000.*has been removed"
        ):
            self.fetch(tmp_path, lambda handler: send(handler, b"other"), "0" * 32)
        assert os.listdir(tmp_path) == []

    def test_goes_on_where_it_broke_off(self, tmp_path):
        ranges = []

        def answer(handler):
            start = int((handler.headers.get("Range") or "bytes=0-")[6:-1])
            ranges.append(start)
            handler.send_response(206 if start else 200)
            handler.send_header("Content-Length", str(len(GOOD) - start))
            handler.end_headers()
            handler.wfile.write(GOOD[start:start + 300_000] if not start else GOOD[start:])

        with pytest.raises(RuntimeError, match="262,144 bytes are kept.*try again"):
            self.fetch(tmp_path, answer)
        assert os.listdir(tmp_path) == [".data.bin.partial"]
        assert self.fetch(tmp_path, answer).read_bytes() == GOOD
        assert ranges == [0, 262_144] and os.listdir(tmp_path) == ["data.bin"]

    def test_a_server_that_cannot_go_on_starts_anew(self, tmp_path):
        (tmp_path / ".data.bin.partial").write_bytes(b"x" * 1000)
        assert self.fetch(tmp_path, lambda handler: send(handler, GOOD)).read_bytes() == GOOD

    @pytest.mark.parametrize("status", [404, 403, 500])
    def test_errors_of_the_server(self, tmp_path, status):
        with pytest.raises(RuntimeError, match=f"cannot be fetched .HTTPError: {status}"):
            self.fetch(tmp_path, lambda handler: send(handler, b"", status=status))
        assert os.listdir(tmp_path) == []

    def test_too_long_and_endless_answers(self, tmp_path):
        def endless(handler):
            handler.send_response(200)
            handler.end_headers()
            while True:
                handler.wfile.write(bytes(100_000))

        for answer in (lambda handler: send(handler, GOOD), endless):
            with pytest.raises(RuntimeError, match="more than 50,000 bytes"):
                self.fetch(tmp_path, answer, max_bytes=50_000)
            assert os.listdir(tmp_path) == []

    def test_offline(self, tmp_path, monkeypatch):
        monkeypatch.setattr(D.MNIST, "mirrors", ["http://127.0.0.1:9/"])
        with pytest.raises(RuntimeError, match=r"cannot be fetched \(ConnectionError.*put it at .*raw"):
            D.MNIST(tmp_path, download=True)

    def test_without_pooch(self, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "pooch", None)
        with pytest.raises(ImportError, match=r"pip install \"tinygrad_hw\[data\]\""):
            D.CIFAR10(tmp_path, download=True)

    def test_mnist_and_cifar_from_a_server(self, tmp_path, monkeypatch):
        source = tmp_path / "source"
        images, _ = write_mnist(source)
        _, labels = write_cifar(source)
        files = {f"cifar-10-batches-py/{path.name}": path.read_bytes()
                 for path in (source / "cifar-10-batches-py").iterdir()}
        tar(source / "cifar-10-python.tar.gz", files)
        md5 = {path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in source.glob("*.gz")}
        with server(lambda handler: send(handler, (source / handler.path[1:]).read_bytes())) as address:
            monkeypatch.setattr(D.MNIST, "mirrors", ["http://127.0.0.1:9/", address + "/"])
            monkeypatch.setattr(
                D.MNIST, "resources", [(name, md5[name]) for name, _ in D.MNIST.resources]
            )
            monkeypatch.setattr(D.CIFAR10, "url", f"{address}/cifar-10-python.tar.gz")
            monkeypatch.setattr(D.CIFAR10, "tgz_md5", md5["cifar-10-python.tar.gz"])
            goal = tmp_path / "goal"
            for _ in range(2):
                assert (D.MNIST(goal, download=True).data.array == images).all()
                assert D.CIFAR10(goal, download=True).targets == labels
        assert sorted(os.listdir(goal)) == ["MNIST", "cifar-10-batches-py", "cifar-10-python.tar.gz"]

    def test_an_archive_that_leads_out(self, tmp_path):
        zipped(tmp_path / "source.zip", [("../evil", "x")])
        content = (tmp_path / "source.zip").read_bytes()
        with server(lambda handler: send(handler, content)) as address, pytest.raises(
                ValueError, match="outside of the folder"):
            download_and_extract_archive(f"{address}/data.zip", tmp_path / "goal")
        assert os.listdir(tmp_path / "goal") == ["data.zip"] and not (tmp_path / "evil").exists()
