"""Compiled kernels: where they are kept, what makes them stale, and the parts that they consist of."""

import functools
import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest

from ops.kernels import jit

KERNELS = pathlib.Path(jit.__file__).parent
PRODUCT = """
import numpy as np
from ops.kernels import jit
from ops.kernels.gemm import matmul
print(matmul(np.eye(40, dtype="f4"), np.ones((40, 40), "f4")).sum(), [c.cache_hits for c in jit._callbacks])
"""


def run(folder):
    """The output and the warnings of a process that multiplies matrices with its cache in ``folder``."""
    environment = {**os.environ, "TINYGRAD_HW_CACHE": str(folder)}
    done = subprocess.run([sys.executable, "-c", PRODUCT], env=environment, capture_output=True, text=True,
                          cwd=KERNELS.parents[1], timeout=300, check=True)  # fmt: skip
    return done.stdout.split(" ", 1), done.stderr


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """A copy of all kernel sources, which the fingerprint is taken of."""
    copies = tmp_path / "kernels"
    shutil.copytree(KERNELS, copies, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(jit, "__file__", str(copies / "jit.py"))
    return sorted(copies.glob("*.py"))


def test_every_source_changes_the_folder(sources):
    seen = {jit._fingerprint()}
    assert jit._fingerprint() in seen and len(sources) > 30
    for source in sources:
        source.write_text(source.read_text() + "\n# changed\n")
        assert jit._fingerprint() not in seen, source.name
        seen.add(jit._fingerprint())
    (sources[0].parent / "another.py").write_text("")
    assert jit._fingerprint() not in seen


def test_numba_and_the_processor_change_the_folder(monkeypatch):
    before = jit._fingerprint()
    monkeypatch.setattr(jit.numba, "__version__", "0.0")
    other = jit._fingerprint()
    monkeypatch.setattr(jit.llvmlite.binding, "get_host_cpu_name", lambda: "abacus")
    assert len({before, other, jit._fingerprint()}) == 3


@pytest.mark.slow
def test_a_second_process_loads_what_the_first_compiled(tmp_path):
    (total, hits), _ = run(tmp_path)
    assert float(total) == 1600 and "1" not in hits
    (total, hits), _ = run(tmp_path)
    assert float(total) == 1600 and "0" not in hits


@pytest.mark.slow
def test_a_folder_that_cannot_be_written(tmp_path):
    """A file stands where the folder should be: even root cannot write there."""
    place = tmp_path / "file"
    place.write_text("")
    (total, _), errors = run(place)
    assert float(total) == 1600
    assert errors.count("cannot write compiled kernels") == 1 and "Set TINYGRAD_HW_CACHE" in errors


def test_cache_folder_warns_and_falls_back(tmp_path, monkeypatch):
    place = tmp_path / "file"
    place.write_text("")
    monkeypatch.setenv("TINYGRAD_HW_CACHE", str(place))
    fresh = functools.cache(jit.cache_folder.__wrapped__)
    with pytest.warns(UserWarning, match="compiled again in the next process"):
        folder = fresh()
    assert os.path.isdir(folder) and not folder.startswith(str(place))
    os.rmdir(folder)


def test_parts_are_for_kernels_only():
    @jit.part
    def double(x):
        return x + x

    @jit.jit
    def sixfold(x):
        return double(x) + 2 * double(x)

    assert sixfold(7) == 42 and sixfold(np.float32(0.5)) == 3
    with pytest.raises(TypeError):
        double(7)


def test_one_translation_of_a_part_for_all_constants():
    @jit.part
    def add(x, y):
        return x + y

    @jit.jit
    def three_times(x):
        return add(x, 0) + add(x, 1) + add(1, x)

    assert three_times(5) == 17
    assert len(add.overloads) == 1


def test_a_word_in_a_terminal_once(monkeypatch, capsys):
    monkeypatch.setattr(jit, "_waited", 0.0)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    jit._tell(0.9)
    assert capsys.readouterr().err == ""
    jit._tell(0.9)
    jit._tell(5.0)
    assert capsys.readouterr().err.count("compiling kernels for this processor, once") == 1


def test_no_word_in_a_file(monkeypatch, capsys):
    monkeypatch.setattr(jit, "_waited", 0.0)
    jit._tell(9.0)
    assert capsys.readouterr().err == ""
