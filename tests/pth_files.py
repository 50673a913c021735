"""Files of torch.save put together by hand, opcode by opcode, so that any part of them can be wrong."""

import pickle
import struct
import zipfile

from tinygrad_hw import pth


def value(content):
    """The opcodes that push a plain value."""
    return pickle.dumps(content, 2)[2:-1]


def named(name):
    """The opcodes that push a global, "module name"."""
    module, name = name.split(" ")
    return f"c{module}\n{name}\n".encode()


def storage(count=4, kind="torch FloatStorage", key="0", legacy=False):
    """The opcodes that push a storage."""
    view = value(None) if legacy else b""
    return (pickle.MARK + value("storage") + named(kind) + value(key) + value("cpu") + value(count) + view
            + pickle.TUPLE + pickle.BINPERSID)


def tensor(count=4, offset=0, size=(4,), stride=(1,), kind="torch FloatStorage", key="0", legacy=False,
           rebuild="torch._utils _rebuild_tensor_v2"):
    """The opcodes that push a Tensor."""
    return (named(rebuild) + pickle.MARK + storage(count, kind, key, legacy) + value(offset) + value(size)
            + value(stride) + value(False) + named("collections OrderedDict") + b")R" + pickle.TUPLE + b"R")


def program(**entries):
    """A pickle of a dict whose values are given by their opcodes."""
    pairs = b"".join(value(name) + content for name, content in entries.items())
    return b"\x80\x02}(" + pairs + b"u."


def write_zip(path, content, storages, compression=zipfile.ZIP_STORED, **extra):
    """The format since PyTorch 1.6: ``content`` is the pickle, ``storages`` are bytes by key."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("a/data.pkl", content)
        for name, text in extra.items():
            archive.writestr(f"a/{name}", text)
        for key, raw in storages.items():
            archive.writestr(f"a/data/{key}", raw)
    return path


def write_legacy(path, content, storages, counts=None, keys=None, facts=None, magic=pth.MAGIC,
                 version=pth.VERSION):
    """The format before: ``storages`` are (count, bytes) by key."""
    facts = {"protocol_version": 1001, "little_endian": True, "type_sizes": {}} if facts is None else facts
    order = "<q" if facts.get("little_endian", True) else ">q"
    with open(path, "wb") as file:
        for header in (magic, version, facts):
            file.write(pickle.dumps(header, 2))
        file.write(content)
        file.write(pickle.dumps(sorted(storages) if keys is None else keys, 2))
        for key in sorted(storages):
            count, raw = storages[key]
            file.write(struct.pack(order, count) + raw)
    return path
