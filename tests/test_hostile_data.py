"""Files that are cut short, corrupt, mislabelled or meant to harm: one clear error each."""

import gzip
import io
import os
import pickle
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
import scipy.io
from data_files import idx, png, write_cifar, write_mnist, write_pictures
from PIL import Image

from tinygrad_hw.vision import datasets as D
from tinygrad_hw.vision.datasets import pickles, reading


@pytest.fixture(autouse=True)
def little_memory_and_no_litter(tmp_path):
    """No hostile file may cost more than 64 MB, nor leave a temporary file."""
    tracemalloc.start()
    yield
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64e6
    assert not [name for _, folders, files in os.walk(tmp_path) for name in folders + files
                if name.endswith(".tmp")]


def bomb_png(width, height):
    """A PNG file of almost no bytes that announces ``width`` x ``height`` pixels."""
    def chunk(kind, content):
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
            + chunk(b"IEND", b""))


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
class TestImages:
    @pytest.mark.parametrize("content, text", [
        (bomb_png(100_000, 1), r"100000 x 1 pixels, allowed are 32768 a side"),
        (bomb_png(30_000, 30_000), "pixels, allowed are 32768 a side and 67,108,864 in all"),
        (bomb_png(9_000, 9_000), "9000 x 9000 pixels"),
        (bomb_png(100, 100), "damaged or cut short"),
        (png()[:-30], "damaged or cut short"),
        (png()[:30], "no image of the formats"),
        (b"", "no image of the formats"),
        (b"<html>404 not found</html>", "no image of the formats"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no image of the formats"),
        (b"GIF89a" + b"\xff" * 40, "damaged|no image"),
        (pickle.dumps(os.getcwd), "no image of the formats"),
    ])
    def test_bad_images(self, tmp_path, content, text):
        write_pictures(tmp_path)
        path = tmp_path / "cat" / "0.png"
        path.write_bytes(content)
        with pytest.raises(ValueError, match=text) as caught:
            D.ImageFolder(tmp_path)[0]
        assert str(path) in str(caught.value) and len(str(caught.value)) < 400

    def test_every_cut_of_every_format(self, tmp_path):
        noise = np.random.default_rng(0).integers(0, 256, (12, 12, 3), dtype=np.uint8)
        for kind in ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM"):
            stream = io.BytesIO()
            Image.fromarray(noise).save(stream, kind)
            content = stream.getvalue()
            for length in range(0, len(content), max(1, len(content) // 25)):
                try:
                    reading.open_image(io.BytesIO(content[:length]), name="cut")
                except ValueError as error:
                    assert str(error).startswith("cut: ")

    def test_random_damage(self):
        random = np.random.default_rng(1)
        for kind in ("PNG", "JPEG", "GIF", "TIFF", "WEBP"):
            stream = io.BytesIO()
            Image.new("RGB", (20, 20), (1, 2, 3)).save(stream, kind)
            for _ in range(60):
                content = bytearray(stream.getvalue())
                for place in random.integers(0, len(content), 3):
                    content[place] = random.integers(256)
                try:
                    reading.open_image(io.BytesIO(content), name="hit")
                except ValueError as error:
                    assert str(error).startswith("hit: ")


IMAGES = idx(np.zeros((3, 28, 28), np.uint8))


class TestIDX:
    @pytest.mark.parametrize("zipped", [False, True])
    @pytest.mark.parametrize(
        "content, text",
        [
            (b"", "no IDX file"),
            (b"\x1f", "no IDX file"),
            (b"not an idx file", "no IDX file"),
            (IMAGES[:10], "ends within its header"),
            (IMAGES[:500], "announces|ends before"),
            (IMAGES + b"x", "announces|goes on after"),
            (
                struct.pack(">HBB3I", 0, 8, 3, 2**31, 2**15, 2**15),
                r"announces \(2147483648, 32768, 32768\)",
            ),
            (struct.pack(">HBB8I", 0, 14, 8, *[2**32 - 1] * 8), "one of 3 dimensions"),
            (
                struct.pack(">HBB3I", 0, 8, 3, 60000, 28, 28),
                r"announces \(60000, 28, 28\) values in 47,040,000",
            ),
            (struct.pack(">HBB", 0, 8, 200) + b"\0" * 900, "no IDX file"),
            (struct.pack(">HBB", 0, 77, 1) + b"\0" * 900, "no IDX file"),
            (idx(np.zeros(9, np.uint8)), "shape .9,., but one of 3 dimensions"),
            (idx(np.zeros((3, 8, 8), np.uint8)), "28 x 28 bytes belong here"),
            (idx(np.zeros((2, 28, 28), np.uint8)), "holds 2 images, but .* 7 labels"),
            (idx(np.zeros((7, 28, 28), ">i4"), 12), "int32"),
        ],
    )
    def test_bad_images(self, tmp_path, content, text, zipped):
        write_mnist(tmp_path)
        path = tmp_path / "train-images-idx3-ubyte.gz"
        path.write_bytes(gzip.compress(content) if zipped else content)
        with pytest.raises(ValueError, match=text) as caught:
            D.MNIST(tmp_path)
        assert str(path) in str(caught.value)

    @pytest.mark.parametrize("content, text", [
        (idx(np.arange(4, 11, dtype=np.uint8)), r"label 10 of sample 6 is not in 0..9"),
        (IMAGES, "one of 1 dimensions belongs here"),
    ])
    def test_bad_labels(self, tmp_path, content, text):
        write_mnist(tmp_path)
        (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(gzip.compress(content))
        with pytest.raises(ValueError, match=text):
            D.MNIST(tmp_path)

    def test_damaged_gzip(self, tmp_path):
        write_mnist(tmp_path)
        path = tmp_path / "train-images-idx3-ubyte.gz"
        whole = path.read_bytes()
        for place in (len(whole) // 2, len(whole) - 6):  # in the data; in the check sum
            path.write_bytes(whole[:place] + bytes([whole[place] ^ 255]) + whole[place + 1:])
            with pytest.raises(ValueError, match="gzip data is damaged|goes on after|ends before"):
                D.MNIST(tmp_path)
        path.write_bytes(whole[:-9])
        with pytest.raises(ValueError, match="gzip data is damaged or cut short"):
            D.MNIST(tmp_path)

    def test_a_bomb_of_gzip_is_read_no_further_than_announced(self, tmp_path):
        write_mnist(tmp_path)
        path = tmp_path / "train-images-idx3-ubyte.gz"
        with gzip.open(path, "wb") as file:
            file.write(IMAGES)
            for _ in range(200):
                file.write(bytes(2**20))
        with pytest.raises(ValueError, match="goes on after the 2,352 bytes"):
            D.MNIST(tmp_path)


def is_plain_data(value) -> bool:
    """Whether a value consists of numbers, text and arrays of numbers alone."""
    if isinstance(value, dict):
        return all(map(is_plain_data, [*value, *value.values()]))
    if isinstance(value, (list, tuple, set, frozenset)):
        return all(map(is_plain_data, value))
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "biuf" and value.nbytes < 10_000
    return value is None or type(value) in (bool, int, float, str, bytes)


class Evil:
    """Its pickle calls a function when it is loaded."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def array_state(shape, raw=b"", code="u1"):
    """A protocol-2 pickle of an array that announces ``shape`` and holds ``raw``."""
    return (
        b"\x80\x02cnumpy._core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85c_codecs\nencode\n"
        b"X\x01\x00\x00\x00bX\x06\x00\x00\x00latin1\x86R\x87R(K\x01("
        + b"".join(b"\x8a\x08" + struct.pack("<q", length) for length in shape)
        + b"tcnumpy\ndtype\nX\x02\x00\x00\x00"
        + code.encode()
        + b"\x89\x88\x87R\x89c_codecs\nencode\nX"
        + struct.pack("<I", len(raw))
        + raw
        + b"X\x06\x00\x00\x00latin1\x86Rtb."
    )


class TestPickles:
    def test_data_comes_back(self):
        entry = {b"data": np.arange(6, dtype=">i4").reshape(2, 3), "big": 2**70, "set": {1, 2},
                 "list": [1, 2.5, None, True, ("a", b"b")], "fortran": np.asfortranarray(np.eye(3)),
                 "text": np.array(["a", "bc"]), "one": np.float32(3), "empty": np.zeros((0, 4))}
        for protocol in range(2, 6):
            found = pickles.load_pickle(pickle.dumps(entry, protocol))
            assert found.keys() == entry.keys()
            for key, value in entry.items():
                np.testing.assert_equal(found[key], value)
                assert type(found[key]) is type(value)
            assert found[b"data"].flags.writeable

    def test_no_code_runs(self, tmp_path):
        target = tmp_path / "owned"
        for evil in (Evil(os.system, f"touch {target}"), Evil(eval, f"open({str(target)!r}, 'w')"),
                     Evil(exec, f"open({str(target)!r}, 'w')"), Evil(open, str(target), "w"),
                     Evil(getattr, {}, "pop"), Evil(np.fromfile, "/etc/passwd"),
                     Evil(np.lib.format.open_memmap, str(target), "w+", np.uint8, (9,))):
            for protocol in range(6):
                content = pickle.dumps({"data": [evil], "labels": []}, protocol)
                with pytest.raises(
                    ValueError,
                    match=r"evil.pkl: the pickle asks for .*, not data; "
                    "do not trust it",
                ):
                    pickles.load_pickle(content, "evil.pkl")
        for raw in (
            b"cos\nsystem\n(S'touch x'\ntR.",
            b"(S'touch x'\nios\nsystem\n.",
            b"\x80\x02\x82\x01.",
            b"cbuiltins\neval\n(V1\ntR.",
        ):
            with pytest.raises(ValueError, match="not data"):
                pickles.load_pickle(raw)
        assert not target.exists()

    @pytest.mark.parametrize(
        "content, text",
        [
            (
                array_state((2**40,)),
                "announces an array of shape .1099511627776,. in 1,099,511,627,776 bytes",
            ),
            (array_state((-1, -4), b"abcd"), "announces"),
            (array_state((1,), b"12345678", "O8"), "holds an array of 'O8', which is not numbers"),
            (array_state((1,), b"12345678", "V8"), "not numbers"),
            (array_state((1,), b"12345678", "u1,O"), "damaged|not numbers|objects"),
            (b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"abc.", "damaged or cut short"),
            (b"\x80\x02T" + struct.pack("<i", 2**31 - 1) + b"abc.", "damaged or cut short"),
            (b"\x80\x02Nr\xff\xff\xff\x7f.", None),
            (b"\x80\x02" + b"]" * 3000 + b"a" * 2999 + b".", "nests its containers"),
            (b"", "damaged or cut short"),
            (b"hello", "damaged or cut short"),
            (b"\x80\x02.", "damaged"),
            (b"I" + b"9" * 100_000 + b"\n.", "damaged"),
            (pickle.dumps(list(range(1000)))[:500], "damaged or cut short"),
            (pickle.dumps(Evil(bytearray, 10**12)), "makes bytes of '1000000000000', which is no text"),
            (pickle.dumps(Evil(bytes, 10**12)), "makes bytes of"),
            (pickle.dumps(np.array([{}], object)), "not data|not numbers"),
            (pickle.dumps(np.zeros(2, [("a", int)])), "records|not numbers"),
        ],
    )
    def test_bad_pickles(self, content, text):
        if text is None:
            assert pickles.load_pickle(content) is None
            return
        with pytest.raises(ValueError, match=text) as caught:
            pickles.load_pickle(content, "bad.pkl")
        assert str(caught.value).startswith("bad.pkl: ")

    def test_random_damage(self):
        """Whatever three bytes change: it is refused by name, or what comes back is plain data."""
        random, refused = np.random.default_rng(0), 0
        whole = pickle.dumps({"data": np.zeros((2, 3072), np.uint8), "labels": [1, 2]}, 2)
        head = len(whole) - 6144
        for _ in range(400):
            content = bytearray(whole)
            for place in random.integers(0, head, 3):
                content[place] = random.integers(256)
            try:
                found = pickles.load_pickle(bytes(content), "bad.pkl")
            except ValueError as error:
                assert str(error).startswith("bad.pkl: ")
                refused += 1
            else:
                assert is_plain_data(found)
        assert 200 < refused < 400
        assert is_plain_data(pickles.load_pickle(whole)) and not is_plain_data({"data": [Evil(int, 1)]})

    @pytest.mark.parametrize(
        "entry, text",
        [
            (
                {"data": np.zeros((2, 10), np.uint8), "labels": [0, 1]},
                r"shape \(2, 10\), but bytes \(N, 3072\)",
            ),
            ({"data": np.zeros((2, 3072)), "labels": [0, 1]}, "bytes"),
            ({"data": [1, 2], "labels": [0, 1]}, "its images have shape list"),
            (
                {"data": np.zeros((2, 3072), np.uint8), "labels": [0]},
                "2 images and other than so many labels",
            ),
            (
                {"data": np.zeros((1, 3072), np.uint8), "labels": [10]},
                r"label 10 of sample 0 is not in 0..9",
            ),
            ({"data": np.zeros((1, 3072), np.uint8), "labels": ["a"]}, "not whole numbers"),
            ({"data": np.zeros((1, 3072), np.uint8)}, "no dictionary with 'data' and 'labels'"),
            ([1, 2], "no dictionary"),
        ],
    )
    def test_cifar_with_other_content(self, tmp_path, entry, text):
        write_cifar(tmp_path)
        path = tmp_path / "cifar-10-batches-py" / "data_batch_2"
        path.write_bytes(pickle.dumps(entry, 2))
        with pytest.raises(ValueError, match=text) as caught:
            D.CIFAR10(tmp_path)
        assert str(path) in str(caught.value)

    def test_cifar_with_code(self, tmp_path):
        write_cifar(tmp_path)
        path = tmp_path / "cifar-10-batches-py" / "batches.meta"
        path.write_bytes(pickle.dumps(Evil(os.system, f"touch {tmp_path}/owned")))
        with pytest.raises(ValueError, match="batches.meta: the pickle asks for .*system"):
            D.CIFAR10(tmp_path)
        assert not (tmp_path / "owned").exists()

    def test_binary_cifar_cut_short(self, tmp_path):
        folder = tmp_path / "cifar-10-batches-bin"
        folder.mkdir()
        (folder / "test_batch.bin").write_bytes(b"\0" * 5000)
        with pytest.raises(ValueError, match="test_batch.bin: it has 5,000 bytes.* no multiple of 3073"):
            D.CIFAR10(tmp_path, train=False)


class TestOtherFiles:
    def test_mat_files(self, tmp_path):
        path = tmp_path / "a_train.mat"
        scipy.io.savemat(path, {"train_data": np.zeros((2, 1024)), "train_labels": np.eye(36)[:2]},
                         do_compression=True)
        whole = path.read_bytes()
        for content in (
            whole[:-100],
            b"",
            whole[:150] + b"\xff" * 20 + whole[170:],
            pickle.dumps(print),
        ):
            path.write_bytes(content)
            with pytest.raises(ValueError, match="a_train.mat"):
                D.NIST36(tmp_path)

    def test_npy_files(self, tmp_path):
        path = tmp_path / "a.npy"
        np.save(path, np.arange(1000))
        whole = path.read_bytes()
        for content in (whole[:500], b"", b"hello", pickle.dumps([1]),
                        whole.replace(b"(1000,)", b"(10**9,)"), whole.replace(b"(1000,)", b"(9000,)")):
            path.write_bytes(content)
            with pytest.raises(ValueError, match=r"a.npy: it is no whole .npy file"):
                D.MemoryMappedDataset(path)
        np.save(path, np.array([Evil(os.system, "true")], object), allow_pickle=True)
        with pytest.raises(ValueError, match="no whole .npy file"):
            D.MemoryMappedDataset(path)

    @pytest.mark.parametrize("content, text", [
        (b"\xff\xfe", "no text in UTF-8"), (b"{", "no JSON"), (b"[" * 100_000, "no JSON|too deep")])
    def test_json(self, tmp_path, content, text):
        (tmp_path / "my_dataset.txt").write_bytes(content)
        with pytest.raises(ValueError, match=text):
            D.COCOSubset(tmp_path)

    def test_huge_text(self, tmp_path):
        with open(tmp_path / "labels.csv", "wb") as file:
            file.truncate(2**33)
        with pytest.raises(ValueError, match="has 8,589,934,592 bytes, allowed are"):
            D.CSVFolder(tmp_path)
