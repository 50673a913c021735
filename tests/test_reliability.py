"""Living with others: forks, threads, other processes, folders that cannot be written, damaged caches.

Which promise each test stands for is told in docs/reliability.md.
"""

import errno
import io
import os
import pickle
import resource
import subprocess
import sys
import textwrap
import threading
import tracemalloc

import numpy as np
import pytest
from PIL import Image

import tinygrad_hw as thw
from nets.pretrained import weights
from ops.kernels.gemm import matmul
from tests import soak
from tests.fuzz import __main__ as fuzz_command
from tests.fuzz.parsers import PARSERS
from tests.fuzz.runner import fuzz
from tests.kill import digest
from tinygrad_hw import nn, optim
from tinygrad_hw.pth import read_pth
from tinygrad_hw.vision.datasets import archives, pickles, reading

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def script(text, **environment):
    """What a process prints that runs ``text``; it must end by itself and in peace."""
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(text)], capture_output=True, text=True,
                          cwd=ROOT, timeout=120, env={**os.environ, **environment})
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.split()


# ------------------------------------------------------------------ forks and threads

TRAINED = """
    import os, multiprocessing
    import numpy as np
    import tinygrad_hw as thw
    from tests.test_reliability import trained, digest
    from ops.kernels.gemm import matmul
    from tinygrad_hw.utils.data import DataLoader, TensorDataset
    a = np.ones((700, 700), np.float32)
    matmul(a, a)                       # the threads of the kernels run from here on
"""


def trained(seed=0, steps=3):
    """A digest of a small network after some steps, the same wherever it is computed."""
    random = np.random.default_rng(seed)
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 3))
    for parameter in net.parameters():
        parameter.data = thw.from_numpy(random.normal(0, 0.3, parameter.shape).astype(np.float32))
    optimizer = optim.Adam(net.parameters(), lr=0.01)
    for _ in range(steps):
        images = thw.from_numpy(random.random((16, 1, 8, 8), np.float32))
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(images), thw.from_numpy(random.integers(0, 3, 16))).backward()
        optimizer.step()
    return digest([net.state_dict(), optimizer.state_dict()])


@pytest.mark.slow
def test_forks_after_a_parallel_kernel():
    """A bare fork with a child of its own, pools of forked and of spawned processes, a loader's workers."""
    shown = script(TRAINED + """
    def child():
        pid = os.fork()
        if pid == 0:
            if os.fork() == 0:
                os._exit(trained() != EXPECTED)
            os._exit(os.wait()[1] != 0 or trained() != EXPECTED)
        return os.waitpid(pid, 0)[1]

    if __name__ == "__main__":
        EXPECTED = trained()
        print(child())
        for method in ("fork", "spawn"):
            with multiprocessing.get_context(method).Pool(2) as pool:
                print(len(set(pool.map(trained, [0] * 4)) | {EXPECTED}))
        loader = DataLoader(TensorDataset(thw.arange(8)), 2, num_workers=2)
        print(sum(int(batch.sum()) for batch, in loader), trained() == EXPECTED)
    """, TINYGRAD_HW_NUM_THREADS="2")
    assert shown == ["0", "1", "1", "28", "True"]


def test_two_threads_train_at_once():
    """Each gets the bits that it gets alone."""
    expected = [trained(seed, 12) for seed in range(3)]
    for _ in range(3):
        found = [None] * 3

        def work(seed, found=found):
            found[seed] = trained(seed, 12)

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert found == expected


def test_threads_call_parallel_kernels_at_once():
    """Each of them would share its work with all cores."""
    def work(seed):
        factors = [np.random.default_rng((seed, number)).random((500, 500)) for number in range(2)]
        found[seed] = all(np.array_equal(matmul(*factors), expected[seed]) for _ in range(10))

    expected = [matmul(*(np.random.default_rng((seed, number)).random((500, 500)) for number in range(2)))
                for seed in range(3)]
    found, before = [None] * 3, thw.get_num_threads()
    thw.set_num_threads(2)
    try:
        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        thw.set_num_threads(before)
    assert found == [True] * 3


@pytest.mark.slow
def test_same_bits_in_other_processes():
    """Whatever the number of threads and the seed of Python's hashes."""
    text = "from tests.test_reliability import trained; print(trained(3, 5))"
    found = {script(text, PYTHONHASHSEED=seed, TINYGRAD_HW_NUM_THREADS=threads)[0]
             for seed, threads in (("1", "1"), ("2", "2"))}
    assert found == {trained(3, 5)}


# ------------------------------------------------------------------ disks and folders


def test_a_limit_on_the_size_of_files(tmp_path):
    """The system's own error for a file that grows too large; what was there stays."""
    path = tmp_path / "weights.safetensors"
    thw.save(thw.ones(3), path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, before[1]))
    try:
        with pytest.raises(OSError, match=r"cannot write weights.*: File too large; .*ulimit") as caught:
            thw.save(thw.ones(10_000), path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.errno == errno.EFBIG and os.listdir(tmp_path) == [path.name]
    assert thw.load(path).tolist() == [1, 1, 1]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")
def test_a_disk_that_is_full():
    with open("/dev/full", "wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
        thw.save(thw.ones(3), file)


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        thw.save(1, tmp_path / "file" / "weights.safetensors")


@pytest.mark.slow
def test_an_install_that_can_only_be_read(tmp_path):
    """Nothing is ever written beside the sources: a try would end this process."""
    shown = script("""
    import os, sys
    sys.dont_write_bytecode = True
    def refuse(event, arguments):
        if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+") or (
                event in ("os.mkdir", "os.rename", "os.remove")):
            if os.path.abspath(str(arguments[0])).startswith(os.getcwd()):
                raise OSError(30, "Read-only file system", arguments[0])
    sys.addaudithook(refuse)
    from tests.test_reliability import trained
    print(len(trained()))
    """)
    assert shown == ["16"]


@pytest.fixture
def with_kernels(tmp_path):
    """A function of a text that runs it where ``twice`` and others are kernels with their own cache."""
    (tmp_path / "kernels_of_a_test.py").write_text("from ops.kernels.jit import jit\n" + "".join(
        f"@jit\ndef {name}(x):\n    return {number} * x\n"
        for name, number in (("twice", 2), ("thrice", 3), ("half", 0.5))))
    environment = {"TINYGRAD_HW_CACHE": str(tmp_path / "cache"), "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    return lambda text: script("from kernels_of_a_test import *\n" + textwrap.dedent(text), **environment)


@pytest.mark.slow
def test_a_damaged_kernel_cache(tmp_path, with_kernels):
    """Half a file, or an index that another numba wrote: compiled anew, not a crash."""
    text = "print(twice(21), sum(twice.stats.cache_hits.values()))"
    assert with_kernels(text) == ["42", "0"]
    assert with_kernels(text) == ["42", "1"]
    (index,) = (tmp_path / "cache").rglob("*.nbi")
    with open(index, "rb") as file:
        version, rest = pickle.load(file), file.read()
    index.write_bytes(pickle.dumps("0" + version, -1) + rest)
    assert with_kernels(text) == ["42", "0"]
    for ending, cut in ((".nbc", 100), (".nbi", 10)):
        for path in (tmp_path / "cache").rglob(f"*{ending}"):
            path.write_bytes(path.read_bytes()[:cut])
        assert with_kernels(text)[0] == "42"


@pytest.mark.slow
def test_a_kernel_cache_that_cannot_be_used(tmp_path, with_kernels):
    """It is removed while a process runs, and made again; then the disk is full, which is told once."""
    assert with_kernels("""
    import os, resource, shutil, warnings
    print(twice(21))
    shutil.rmtree(os.environ["TINYGRAD_HW_CACHE"])
    print(thrice(21))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
    with warnings.catch_warnings(record=True) as caught:
        print(half(21), twice(0.5))
    (warning,) = caught
    print("(File too large); they are compiled again" in str(warning.message))
    """) == ["42", "63", "10.5", "1.0", "True"]
    assert [path.name.split("-")[0] for path in (tmp_path / "cache").rglob("*.nbc")] == [
        "kernels_of_a_test.thrice"]


@pytest.mark.slow
def test_kernels_that_other_processes_compiled(tmp_path):
    """Two processes meet the parts of their kernels in another order; a third one loads what both stored.

    Parts made by one function have one name, and numba tells them apart by a number that counts from 1 in
    each process: calls once went to the part of another kernel, which gave wrong gradients now and then.
    """
    (tmp_path / "kernels_of_a_test.py").write_text(textwrap.dedent("""
    from ops.kernels.jit import jit, part
    from ops.kernels.simd import no_inline

    def make(factor):
        @part
        def scaled(x):
            no_inline()
            return x * factor
        return scaled

    double, triple = make(2), make(3)

    @jit
    def first(x):
        return double(x) + 10 * triple(x)

    @jit
    def second(x):
        return triple(x) + 10 * double(x)
    """))
    environment = {"TINYGRAD_HW_CACHE": str(tmp_path / "cache"), "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    for names, expected in (("first", "[32]"), ("second", "[23]"), ("first, second", "[32, 23]")):
        text = f"from kernels_of_a_test import {names}; print([f(1) for f in ({names},)])"
        assert " ".join(script(text, **environment)) == expected


# ------------------------------------------------------------------ hostile files, memory


@pytest.mark.parametrize("name", PARSERS)
def test_hostile_files(name):
    """A few hundred damaged files for each reader; 100,000 with ``python -m tests.fuzz``."""
    counts = fuzz(name, 250, seed=1)
    assert counts["given"] == 250 and counts["read"] < 250


def test_damage_that_coverage_guides(monkeypatch, capsys):
    """With Atheris; without it, the command says what it needs."""
    if fuzz_command.atheris_missing():
        monkeypatch.setattr(sys, "argv", ["tests.fuzz", "--atheris"])
        with pytest.raises(SystemExit):
            fuzz_command.main()
        assert "pip install atheris" in capsys.readouterr().err
    else:
        told, well = fuzz_command.guided("json", 200, seed=0)
        assert well and "'given': 200" in told, told


def test_what_the_fuzzer_found():
    """A pickle that names a function of the reader itself, and one that announces 2 GB."""
    with pytest.raises(ValueError, match="holds the name of a function"):
        pickles.load_pickle(b"\x80\x02}c_codecs\nencode\nK\x01s.")
    with pytest.raises(ValueError, match="damaged or cut short"):
        pickles.load_pickle(b"\x80\x05\x96" + (2**31).to_bytes(8, "little") + b"abc.")


def test_dictionaries_of_lzma(tmp_path):
    """They have the size that a file asks for: 512 MB in a look for a tar archive, 1 GB in a zip one."""
    pth, npz, archive = tmp_path / "a.pth", tmp_path / "a.npz", tmp_path / "a.zip"
    pth.write_bytes(b"\0\0\0\0\x20" + bytes(35) + b"+\xff\x80\xff\xff\xff\xff\xff\xff\x7f}")
    content = bytearray(PARSERS["npz"].seeds()[0])
    dictionary = content.index(b"weight.npy") + len("weight.npy") + 5  # behind two versions and a length
    assert content[dictionary - 1] == 0x5D
    content[dictionary:dictionary + 4] = (2**30).to_bytes(4, "little")
    npz.write_bytes(content)
    archive.write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="begins neither like a zip archive nor like a pickle"):
            read_pth(pth)
        with pytest.raises(ValueError, match="'weight.npy' is compressed as NumPy never does"):
            weights.read(npz)
        with pytest.raises(ValueError, match="neither stored nor compressed by deflate or bzip2"):
            archives.extract(archive, tmp_path / "into")
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_an_image_that_announces_more_than_it_has(tmp_path):
    """A piece of 2 GB, by its header: Python reserved them when Pillow asked for them from the disk."""
    png = PARSERS["image"].seeds()[0]
    place = png.index(b"IDAT")
    path = tmp_path / "a.png"
    path.write_bytes(png[:place - 4] + (2**31 - 1).to_bytes(4, "big") + png[place:])
    tracemalloc.start()
    try:
        assert reading.open_image(path).size == (7, 9)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"save_all": True, "append_images": [
    Image.new("RGB", (700, 900))]}])
def test_the_size_of_webp_is_known_before_pillow_takes_memory(options, monkeypatch):
    stream = io.BytesIO()
    Image.new("RGB", (700, 900), "red").save(stream, "WEBP", **options)
    assert reading.open_image(stream).size == (700, 900)
    assert reading._webp_size(stream.getvalue()[:30]) == (700, 900)
    monkeypatch.setattr(reading, "MAX_SIDE", 800)
    monkeypatch.setattr(Image, "open", None)
    with pytest.raises(ValueError, match="a.webp: the image has 700 x 900 pixels, allowed are 800 a side"):
        reading.open_image(stream, name="a.webp")


def test_a_mat_file_that_ends_scipy(tmp_path):
    """Damaged dimensions of a small element; SciPy's reader ends the process on such files."""
    whole = PARSERS["mat"].seeds()[0]
    path = tmp_path / "a.mat"
    for place in range(128, 300, 2):
        for value in (0, 5, 255):
            path.write_bytes(whole[:place] + bytes([value]) + whole[place + 1:])
            try:
                assert PARSERS["mat"].whole(PARSERS["mat"].read(path))
            except ValueError as error:
                assert "a.mat" in str(error)


def test_flat_memory():
    """Some steps; 10,000 with ``python -m tests.soak``."""
    grown = soak.soak(steps=120, warm=60)
    assert grown < 2e6, f"memory grew by {grown:,} bytes in 60 steps"
