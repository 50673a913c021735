"""The command that compiles all kernels ahead of time."""

import pathlib

import numpy as np
import pytest

from ops.kernels import jit
from ops.kernels.launch import Task
from tinygrad_hw.__main__ import main
from tinygrad_hw.warmup import remove_stale, warm_up


@pytest.mark.slow
def test_every_kernel_is_compiled_afterwards():
    """Each task has machine code for the dtype, and the plain kernels were called by the ops."""
    assert warm_up(quiet=True) > len(Task.every) > 20
    assert all(np.dtype(np.float32) in task._addresses for task in Task.every)


def test_the_command_says_what_it_did(monkeypatch, capsys):
    monkeypatch.setattr("tinygrad_hw.warmup.TABLE", {})
    assert main(["warmup", "--quiet"]) == 0
    assert "kernels and ops ready in" in capsys.readouterr().out


def test_help_and_unknown_commands(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0 and "warmup" in capsys.readouterr().out
    with pytest.raises(SystemExit) as stop:
        main(["warmup", "--dtype", "int8"])
    assert stop.value.code == 2 and "float64" in capsys.readouterr().err


def test_interruption_is_no_traceback(monkeypatch, capsys):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("tinygrad_hw.warmup.warm_up", interrupt)
    assert main(["warmup"]) == 130
    assert "what was finished is kept" in capsys.readouterr().err


def test_kernels_of_other_versions_are_removed(monkeypatch, tmp_path):
    current, stale, other = (tmp_path / name for name in ("0" * 16, "f" * 16, "data"))
    for folder in (current, stale, other):
        folder.mkdir()
        (folder / "file").write_bytes(b"12345")
    monkeypatch.setattr(jit, "cache_folder", lambda: str(current))
    assert remove_stale() == 5
    assert sorted(path.name for path in pathlib.Path(tmp_path).iterdir()) == ["0" * 16, "data"]
