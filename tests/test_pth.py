"""Files of torch.save are data or an error: nothing in them runs, and no size in them is believed."""

import io
import os
import pickle
import struct
import tarfile
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pth_files import named, program, storage, tensor, value, write_legacy, write_zip

from tinygrad_hw import data_pickle
from tinygrad_hw.pth import read_pth

FOUR = np.arange(4, dtype=np.float32).tobytes()


@pytest.fixture(autouse=True)
def little_memory():
    """No hostile file may cost more than 64 MB."""
    tracemalloc.start()
    yield
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64e6


@pytest.fixture(params=["zip", "legacy"])
def write(request, tmp_path):
    """Write one Tensor's program, made by ``make(legacy)``, with the storage 0 of four numbers."""
    def written(make, raw=FOUR, count=4):
        legacy = request.param == "legacy"
        path = tmp_path / "a.pth"
        content = make(legacy)
        content = content if content.startswith(b"\x80") else program(weight=content)
        if legacy:
            return write_legacy(path, content, {"0": (count, raw)})
        return write_zip(path, content, {"0": raw})

    return written


class TestData:
    @pytest.mark.parametrize("offset, size, stride, expected", [
        (0, (2, 2), (2, 1), [[0, 1], [2, 3]]), (0, (2, 2), (1, 2), [[0, 2], [1, 3]]), (2, (2,), (1,), [2, 3]),
        (3, (), (), 3), (0, (0, 3), (3, 1), np.zeros((0, 3))), (4, (0,), (1,), []),
        (1, (1, 3), (2**62, 1), [[1, 2, 3]]), (0, (2,), (3,), [0, 3]),
    ])
    def test_a_tensor_is_a_view_of_its_storage(self, write, offset, size, stride, expected):
        found = read_pth(write(lambda legacy: tensor(4, offset, size, stride, legacy=legacy)))["weight"]
        np.testing.assert_array_equal(found, np.array(expected, np.float32), strict=True)
        assert found.flags.writeable

    def test_tensors_of_one_storage_share_its_memory(self, write):
        found = read_pth(write(lambda legacy: program(
            whole=tensor(size=(2, 2), stride=(2, 1), legacy=legacy),
            part=tensor(offset=1, size=(2,), legacy=legacy))))
        found["whole"][0, 1] = 7
        assert found["part"].tolist() == [7, 2]

    @pytest.mark.parametrize("kind, stored, dtype, expected", [
        ("HalfStorage", np.float16([1, 0.5]), np.float16, [1, 0.5]),
        ("BFloat16Storage", np.uint16([0x3F80, 0xC049]), np.float32, [1, -3.140625]),
        ("BoolStorage", np.uint8([0, 2]), np.bool_, [False, True]),
        ("CharStorage", np.int8([-1, 5]), np.int8, [-1, 5]),
        ("ShortStorage", np.int16([-300, 5]), np.int16, [-300, 5]),
        ("LongStorage", np.int64([-1, 2**40]), np.int64, [-1, 2**40]),
        ("DoubleStorage", np.float64([0.1, 5]), np.float64, [0.1, 5]),
    ])
    @pytest.mark.parametrize("order", ["<", ">"])
    def test_types(self, tmp_path, kind, stored, dtype, expected, order):
        raw = stored.astype(stored.dtype.newbyteorder(order)).tobytes()
        zipped = write_zip(tmp_path / "a.pth", program(w=tensor(2, size=(2,), kind=f"torch {kind}")),
                           {"0": raw}, byteorder="little" if order == "<" else "big")
        legacy = write_legacy(tmp_path / "b.pth",
                              program(w=tensor(2, size=(2,), kind=f"torch {kind}", legacy=True)),
                              {"0": (2, raw)}, facts={"little_endian": order == "<"})
        for path in (zipped, legacy):
            np.testing.assert_array_equal(read_pth(path)["w"], np.array(expected, dtype), strict=True)

    def test_containers(self, write):
        content = {"lr": 0.1, "betas": (0.9, 0.999), "milestones": [1, 2**80, None, True], 5: {"a": {1, 2}}}
        path = write(lambda legacy: program(all=value(content), w=tensor(legacy=legacy)))
        assert read_pth(path)["all"] == content

    def test_what_python_2_wrote(self, write):
        """Its OrderedDicts are lists of pairs, its text is a string of bytes, sizes are long integers."""
        def make(legacy):
            pair = b"]U\x06weight" + pickle.APPEND + tensor(legacy=legacy) + pickle.APPEND
            return b"\x80\x02" + named("collections OrderedDict") + b"]" + pair + pickle.APPEND + b"\x85R."

        found = read_pth(write(make))
        assert type(found) is dict and found["weight"].tolist() == [0, 1, 2, 3]

    def test_metadata_of_a_state_dict_is_left_out(self, write):
        def make(legacy):
            return (b"\x80\x02" + named("collections OrderedDict") + b")R(" + value("weight")
                    + tensor(legacy=legacy) + b"u}(" + value("items") + value(1) + b"ub.")

        assert list(read_pth(write(make)).items())[0][0] == "weight"

    def test_old_and_new_names_of_tensors(self, write):
        for rebuild in ("_rebuild_tensor", "_rebuild_tensor_v2"):
            path = write(lambda legacy: tensor(legacy=legacy, rebuild=f"torch._utils {rebuild}"))
            assert read_pth(path)["weight"].shape == (4,)


class Call:
    """Its pickle calls a function when it is loaded."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


class TestNoCodeRuns:
    @pytest.mark.parametrize("protocol", [2, 3, 4, 5])
    def test_calls(self, write, tmp_path, protocol):
        target = tmp_path / "called"
        for evil in (Call(os.system, f"touch {target}"), Call(eval, f"open({str(target)!r}, 'w')"),
                     Call(os.mkdir, str(target)), Call(getattr, {}, "pop"), Call(np.fromfile, "/etc/passwd"),
                     Call(bytearray, 10**12)):
            path = write(lambda legacy: pickle.dumps({"weight": evil}, protocol))
            with pytest.raises(ValueError, match="a.pth: the pickle asks for '.*', which is not data; if it "
                                                 "is a whole network .*state_dict"):
                read_pth(path)
        assert not target.exists()

    @pytest.mark.parametrize("content, text", [
        (b"\x80\x02cposix\nsystem\n.", "asks for 'posix.system'"),
        (b"\x80\x02ctorch.nn.modules.linear\nLinear\n)\x81.", "'torch.nn.modules.linear.Linear'.*state_dict"),
        (b"\x80\x02c__main__\nNet\n)\x81.", "'__main__.Net', which is not data"),
        (b"(S'touch x'\nios\nsystem\n.", "opcode STRING|opcode INST"),
        (b"\x80\x02\x82\x01.", "opcode EXT1"),
        (b"\x80\x02ccollections\nOrderedDict\n)\x81.", "opcode NEWOBJ"),
        (b"\x80\x02" + value("eval") + b")R.", "calls 'eval', which is no function"),
        (b"\x80\x02ctorch\nFloatStorage\n)R.", "calls a _Kind, which is no function"),
        (b"\x80\x02ccollections\nOrderedDict\n.", "leaves something that is not data"),
        (b"\x80\x02ctorch\nFloatStorage\n.", "leaves something that is not data"),
        (b"\x80\x04" + value("x" * 5000) + value("y") + b"\x93.", r"asks for 'x+\.\.\.'"),
        (b"\x80\x04K\x01K\x02\x93.", "asks for 1 of 2, which is no name"),
        (b"\x80\x02ccollections\nOrderedDict\n" + value((5,)) + b"R.", "damaged|something else than pairs"),
        (b"\x80\x02]}b.", "adds to a list, where a dict should be"),
    ])
    def test_programs(self, write, content, text):
        with pytest.raises(ValueError, match=text):
            read_pth(write(lambda legacy: content))


class TestSizes:
    @pytest.mark.parametrize("options, text", [
        (dict(offset=1, size=(2, 2), stride=(2, 1)),
         r"size \(2, 2\), stride \(2, 1\) and offset 1 lies outside its storage of 4 numbers"),
        (dict(size=(2, 2), stride=(9, 1)), "outside its storage"),
        (dict(offset=5, size=(0,)), "outside its storage"),
        (dict(offset=2**62, size=(1,)), "outside its storage"),
        (dict(offset=-1, size=(2,)), "has offset -1"),
        (dict(size=(2,), stride=(-1,)), r"stride \(-1\), not whole numbers from 0 on"),
        (dict(size=(-2,)), r"size \(-2\)"),
        (dict(size=(2**70,)), r"size \(1180591620717411303424\)"),
        (dict(size=(2, 2), stride=(1,)), "as many of both"),
        (dict(size=(1,) * 65, stride=(1,) * 65), "not whole numbers from 0 on, as many of both"),
        (dict(size=(1.0,)), r"size \(1.0\)"),
        (dict(size=(True,)), r"size \(True\)"),
        (dict(size=[4]), "no storage, size or stride"),
        (dict(size=(10**9,), stride=(0,)),
         "shows its storage of 4 numbers more than once; make it .contiguous"),
        (dict(size=(3, 3), stride=(1, 0)), "more than once"),
        (dict(kind="torch DoubleStorage"), "4 numbers of DoubleStorage|needs 32 bytes"),
        (dict(kind="torch ComplexFloatStorage"), "asks for 'torch.ComplexFloatStorage', which is not data"),
        (dict(kind="torch float32"), "a storage '0' of 4 numbers of 'float32'"),
        (dict(count=10**15), "storage '0' needs 4,000,000,000,000,000 bytes for "
                             "1,000,000,000,000,000 numbers of FloatStorage, but the file has at most"),
        (dict(count=-4), "a storage '0' of -4 numbers"),
        (dict(count=3, size=(3,)), "storage '0' has .* belong|storage '0' has 16 bytes, but 3"),
        (dict(key="1"), "no storage '1'|storage '0' twice, or no Tensor needs it"),
        (dict(key=5), "a storage 5 of 4 numbers"),
    ])
    def test_a_tensor_lies_within_its_storage(self, write, options, text):
        with pytest.raises(ValueError, match=text) as caught:
            read_pth(write(lambda legacy: tensor(legacy=legacy, **options)))
        assert "a.pth: " in str(caught.value) and len(str(caught.value)) < 500

    @pytest.mark.parametrize("make, text", [
        (lambda legacy: named("torch._utils _rebuild_tensor_v2") + b")R", "damaged"),
        (lambda legacy: named("torch._utils _rebuild_tensor_v2")
         + value(([1.0], 0, (1,), (1,), False, {})) + b"R", "no storage, size or stride"),
        (lambda legacy: named("torch._utils _rebuild_parameter") + value((5, True, None)) + b"R",
         "a Parameter is made of 5"),
        (lambda legacy: storage(legacy=legacy), "leaves something that is not data"),
        (lambda legacy: value(("module", 1)) + b"Q", "no storage of numbers"),
        (lambda legacy: value("storage") + b"Q", "no storage of numbers"),
        (lambda legacy: tensor(legacy=legacy) + value("b")
         + tensor(legacy=legacy, kind="torch IntStorage"), "as 4 numbers of IntStorage and as 4 of Float"),
    ])
    def test_tensors_of_something_else(self, write, make, text):
        with pytest.raises(ValueError, match=text):
            read_pth(write(make))


def nested(depth, container=b"]", close=b"a"):
    return b"\x80\x02" + container * depth + close * (depth - 1) + b"."


class TestBombs:
    @pytest.mark.parametrize("content, text", [
        (nested(3000), "nests its containers more than 100 deep"),
        (b"\x80\x02]q\x00h\x00a.", "a container that contains itself"),
        (b"\x80\x02}q\x00U\x04selfh\x00s.", "contains itself"),
        # Every list holds the one before twice: 2**60 entries when written out.
        (b"\x80\x02]]q\x00a" + b"".join(b"](h%ch%ceq%ca" % (n, n, n + 1) for n in range(60)) + b".",
         "unfolds to more than 10,000,000 entries"),
        # The hash of a tuple of tuples of tuples takes as long.
        (b"\x80\x02])q\x00a" + b"".join(b"h%ch%c\x86q%ca" % (n, n, n + 1) for n in range(60))
         + b"}h\x3cNsa.", "has a tuple as a key, not text or a number"),
        (b"\x80\x02}" + value((1, 2)) + value(1) + b"s.", "has a tuple as a key, not text or a number"),
        (b"\x80\x02}]" + value(1) + b"s.", "has a list as a key"),
        (b"\x80\x02" + b"0" * 9 + b".", "opcode POP"),
        (b"\x80\x02" + b"NNN" + b".", "ends with 3 values, not one"),
        (b"\x80\x02.", "ends with 0 values"),
        (b"\x80\x02(.", "not data|ends with"),
        (b"\x80\x02h\x05.", "uses value 5, which it did not remember"),
        (b"\x80\x02q\x05.", "remembers a value where there is none"),
        (b"\x80\x02e.", "ends a container that it did not begin"),
        (b"\x80\x02a.", "takes a value where there is none"),
        (b"\x80\x02}(Nu.", "a key without a value"),
        (b"\x80\x02(}" + value("a") + b"Ns(a.", "takes a value|adds to"),
        (b"\x80\x02X\xff\xff\xff\x7fabc.", "damaged, cut short"),
        (b"\x80\x04\x8d" + struct.pack("<Q", 2**62) + b"abc.", "damaged, cut short"),
        (b"\x80\x02\x8b\xff\xff\xff\x7fabc.", "damaged, cut short"),
        (b"I" + b"9" * 100_000 + b"\n.", "damaged|opcode INT"),
        (b"\x80\x02c" + b"x" * 100_000 + b"\ny\n.", "damaged|asks for"),
        (b"", "damaged, cut short|holds 0"),
    ])
    def test_pickles(self, tmp_path, content, text):
        write_zip(tmp_path / "a.pth", content, {})
        write_legacy(tmp_path / "b.pth", content, {})
        for name in ("a.pth", "b.pth"):
            with pytest.raises(ValueError, match=text) as caught:
                read_pth(tmp_path / name)
            assert name in str(caught.value)

    def test_too_many_opcodes(self, monkeypatch):
        monkeypatch.setattr(data_pickle, "MOST_OPCODES", 1000)
        with pytest.raises(data_pickle.Refused, match="more than 1,000 opcodes"):
            data_pickle.run(io.BytesIO(b"\x80\x02(" + b"N" * 2000 + b"l."), {})

    def test_compressed_entries(self, tmp_path):
        zeros = bytes(4 * 10**7)
        path = write_zip(tmp_path / "a.pth", program(w=tensor(10**7, size=(10**7,))), {"0": zeros},
                         zipfile.ZIP_DEFLATED)
        with pytest.raises(ValueError, match="is compressed to .* which torch.save never does"):
            read_pth(path)

    def test_entries_that_overlap(self, tmp_path):
        """Ten names of the same bytes: the directory's offsets are changed by hand."""
        path = write_zip(tmp_path / "a.pth", program(w=tensor(1000, size=(1000,))),
                         {str(key): bytes(4000) if key == 0 else b"" for key in range(10)})
        content = bytearray(path.read_bytes())
        directory, first = content.index(b"PK\x01\x02"), None
        while (directory := content.find(b"PK\x01\x02", directory)) >= 0:
            fields = struct.unpack_from("<III", content, directory + 16)
            if fields[1] == 4000:
                first = fields, struct.unpack_from("<I", content, directory + 42)
            elif first:
                struct.pack_into("<III", content, directory + 16, *first[0])
                struct.pack_into("<I", content, directory + 42, *first[1])
            directory += 4
        path.write_bytes(content)
        with pytest.raises(ValueError, match="entries have 40,.* bytes, but the file only .*they overlap"):
            read_pth(path)

    def test_a_storage_that_is_cut_short(self, tmp_path):
        path = write_legacy(tmp_path / "a.pth", program(w=tensor(legacy=True)), {"0": (4, FOUR[:-1])})
        with pytest.raises(ValueError, match="storage '0' has 4 numbers and 15 bytes are left"):
            read_pth(path)
        path = write_zip(tmp_path / "b.pth", program(w=tensor()), {"0": FOUR[:-1]})
        with pytest.raises(ValueError, match="storage '0' has 15 bytes, but 4 numbers of Float.* take 16"):
            read_pth(path)

    def test_storages_together_larger_than_the_file(self, tmp_path):
        entries = {f"w{key}": tensor(3000, size=(3000,), key=str(key), legacy=True) for key in range(50)}
        path = write_legacy(tmp_path / "a.pth", program(**entries), {"0": (3000, bytes(12000))})
        with pytest.raises(ValueError, match="needs 12,000 bytes .* at most"):
            read_pth(path)


class TestContainers:
    @pytest.mark.parametrize("content", [b"", b"\x80", b"PK\x03\x04" * 9, b"\x80\x02}q\x00.", b"\xff" * 99,
                                         b"<html>404</html>", b"PK\x03\x04"])
    def test_other_files(self, tmp_path, content):
        path = tmp_path / "a.pth"
        path.write_bytes(content)
        with pytest.raises(ValueError, match="a.pth: (it is damaged, cut short or no file of torch.save|the "
                                             "file is a pickle, but not of the format of torch.save)"):
            read_pth(path)

    def test_no_file(self, tmp_path):
        with pytest.raises(FileNotFoundError):
            read_pth(tmp_path / "a.pth")

    def test_the_format_before_0_1_10(self, tmp_path):
        with tarfile.open(tmp_path / "a.pth", "w") as archive:
            archive.addfile(tarfile.TarInfo("storages"))
        with pytest.raises(ValueError, match="before PyTorch 0.1.10, a tar archive; load it in PyTorch"):
            read_pth(tmp_path / "a.pth")

    def test_torchscript(self, tmp_path):
        with pytest.raises(ValueError, match="holds a program of TorchScript"):
            read_pth(write_zip(tmp_path / "a.pth", program(), {}, **{"constants.pkl": b")."}))

    @pytest.mark.parametrize("options, text", [
        (dict(magic=5), "not of the format of torch.save"), (dict(version=7), "has version 7 of the format"),
        (dict(keys=["0", "0"]), "holds storage '0' twice"), (dict(keys=[]), "has no storage '0', which"),
        (dict(keys=[5]), "no list of names"), (dict(keys={"0": 1}), "no list of names"),
        (dict(keys=["9"]), "storage '9' twice, or no Tensor needs it"),
    ])
    def test_legacy_headers(self, tmp_path, options, text):
        path = write_legacy(tmp_path / "a.pth", program(w=tensor(legacy=True)), {"0": (4, FOUR)}, **options)
        with pytest.raises(ValueError, match=text):
            read_pth(path)

    def test_a_storage_within_a_storage(self, tmp_path):
        view = value(4) + value(("1", 0, 4))
        content = program(w=tensor(legacy=True).replace(value(4) + value(None), view))
        path = write_legacy(tmp_path / "a.pth", content, {"0": (4, FOUR)})
        with pytest.raises(ValueError, match="part of another one, as before PyTorch 0.4"):
            read_pth(path)

    def test_zip_directories(self, tmp_path):
        for extra, text in (({"b/data.pkl": b"N."}, "holds 2 entries called data.pkl"),
                            ({"byteorder": b"middle"}, "byte order is b'middle'")):
            with pytest.raises(ValueError, match=text):
                read_pth(write_zip(tmp_path / "a.pth", program(w=tensor()), {"0": FOUR}, **extra))

    def test_a_wrong_check_sum(self, tmp_path):
        path = write_zip(tmp_path / "a.pth", program(w=tensor()), {"0": FOUR})
        path.write_bytes(path.read_bytes().replace(FOUR, bytes(16)))
        with pytest.raises(ValueError, match="Bad CRC-32"):
            read_pth(path)


def whole_files(folder):
    entries = {f"w{key}": tensor(4, key=str(key)) for key in range(3)}
    zipped = write_zip(folder / "a.pth", program(**entries), dict.fromkeys("012", FOUR)).read_bytes()
    entries = {f"w{key}": tensor(4, key=str(key), legacy=True) for key in range(3)}
    legacy = write_legacy(folder / "b.pth", program(**entries), dict.fromkeys("012", (4, FOUR))).read_bytes()
    return zipped, legacy


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return whole_files(tmp_path_factory.mktemp("whole"))


def test_every_cut(whole, tmp_path):
    path = tmp_path / "cut.pth"
    for content in whole:
        for length in range(0, len(content), 29):
            path.write_bytes(content[:length])
            with pytest.raises(ValueError, match="cut.pth: "):
                read_pth(path)


@given(st.integers(0, 1),
       st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), min_size=1, max_size=6))
def test_random_damage(whole, tmp_path_factory, which, changes):
    content = bytearray(whole[which])
    for place, byte in changes:
        content[place % len(content)] = byte
    path = tmp_path_factory.getbasetemp() / "hit.pth"
    path.write_bytes(content)
    try:
        found = read_pth(path)
    except ValueError as error:
        assert "hit.pth: " in str(error)
    else:
        data_pickle._measure(found, {})
