"""Living with others: forks, threads, other processes, folders that cannot be written, damaged caches.

Which promise each test stands for is told in docs/reliability.md.
"""

import errno
import os
import resource
import subprocess
import sys
import textwrap
import threading

import numpy as np
import pytest

import tinygrad_hw as thw
from tests import soak
from tests.fuzz.parsers import PARSERS
from tests.fuzz.runner import fuzz
from tests.kill import digest
from tinygrad_hw import nn, optim
from tinygrad_hw.vision.datasets import pickles

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


def test_forks_after_a_parallel_kernel():
    """A bare fork, a pool of forked and of spawned processes, and children of children."""
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
        print(trained() == EXPECTED)
    """)
    assert shown == ["0", "1", "1", "True"]


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


def test_a_damaged_kernel_cache(tmp_path):
    """Half a file in the cache is compiled anew, not a crash."""
    (tmp_path / "kernel_of_a_test.py").write_text(
        "from ops.kernels.jit import jit\n@jit\ndef twice(x):\n    return x + x\n")
    text = "from kernel_of_a_test import twice; print(twice(21), sum(twice.stats.cache_hits.values()))"
    environment = {"TINYGRAD_HW_CACHE": str(tmp_path / "cache"), "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    assert script(text, **environment) == ["42", "0"]
    assert script(text, **environment) == ["42", "1"]
    for ending, cut in ((".nbc", 100), (".nbi", 10)):
        for path in (tmp_path / "cache").rglob(f"*{ending}"):
            path.write_bytes(path.read_bytes()[:cut])
        assert script(text, **environment)[0] == "42"


# ------------------------------------------------------------------ hostile files, memory


@pytest.mark.parametrize("name", PARSERS)
def test_hostile_files(name):
    """A few hundred damaged files for each reader; 100,000 with ``python -m tests.fuzz``."""
    counts = fuzz(name, 250, seed=1)
    assert counts["given"] == 250 and counts["read"] < 250


def test_what_the_fuzzer_found():
    """A pickle that names a function of the reader itself, and one that announces 2 GB."""
    with pytest.raises(ValueError, match="holds the name of a function"):
        pickles.load_pickle(b"\x80\x02}c_codecs\nencode\nK\x01s.")
    with pytest.raises(ValueError, match="damaged or cut short"):
        pickles.load_pickle(b"\x80\x05\x96" + (2**31).to_bytes(8, "little") + b"abc.")


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
