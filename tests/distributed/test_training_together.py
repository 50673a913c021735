"""``mpirun -n N python -m nets run NAME --distributed``: like one process, with other ranks, with a death."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from tests.distributed.ranks import MPIRUN, ROOT, missing, run_ranks

pytestmark = pytest.mark.skipif(bool(missing), reason=f"{missing} not found: pip install .[distributed]")


@pytest.fixture(scope="module")
def characters(tmp_path_factory):
    """A folder with 60 random images in the layout of NIST36."""
    folder = tmp_path_factory.mktemp("characters")
    random = np.random.default_rng(0)
    for part, count in (("train", 40), ("valid", 20)):
        labels = np.eye(36)[random.integers(36, size=count)]
        savemat(folder / f"nist36_{part}.mat", {f"{part}_data": random.random((count, 1024)),
                                                f"{part}_labels": labels})
    return folder


def command(characters, epochs, *options):
    return ["-m", "nets", "run", "nist36-cnn", "--data", characters, "--epochs", epochs, "--batch-size", 9,
            "--quiet", *options]


def history(folder) -> list:
    rows = json.loads((folder / "metrics.json").read_text())["history"]
    return [[row["train_loss"], row["validation_loss"]] for row in rows]


@pytest.mark.slow
def test_four_ranks_then_two_are_like_one_process(characters, tmp_path):
    """40 images in batches of 9: the ranks' shares differ, and the last batch has 4 rows."""
    alone, together = tmp_path / "alone", tmp_path / "together"
    done = subprocess.run([sys.executable, *map(str, command(characters, 2, "--out", alone))], cwd=ROOT,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    done = run_ranks(4, *command(characters, 1, "--out", together, "--distributed"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("results and pictures") == 1
    assert "mpirun -n 4 python -m nets run nist36-cnn" in (together / "report.html").read_text()
    done = run_ranks(2, "-m", "nets", "run", "nist36-cnn", "--epochs", 2, "--resume", together, "--quiet",
                     "--distributed")
    assert done.returncode == 0, done.stderr
    np.testing.assert_allclose(history(together), history(alone), rtol=1e-5)


def pid_of_rank(number: int, folder) -> int | None:
    """The process of one rank of the run in ``folder``; None if it has not started."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            arguments, variables = (path / "cmdline").read_bytes(), (path / "environ").read_bytes()
        except OSError:
            continue
        if str(folder).encode() in arguments and f"OMPI_COMM_WORLD_RANK={number}\0".encode() in variables:
            return int(path.name)
    return None


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="finds the rank in /proc")
def test_a_killed_rank_leaves_a_checkpoint_to_go_on_from(characters, tmp_path):
    folder = tmp_path / "run"
    words = command(characters, 10**6, "--out", folder, "--distributed")
    process = subprocess.Popen(
        [MPIRUN, "--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "-n", "2", sys.executable,
         *map(str, words)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TINYGRAD_HW_NUM_THREADS": "1"})
    deadline = time.monotonic() + 120
    while not (folder / "state" / "index.json").exists() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert process.poll() is None, process.communicate()[0]
    os.kill(pid_of_rank(1, folder), signal.SIGKILL)
    output = process.communicate(timeout=60)[0]
    assert process.returncode != 0, output
    assert "perhaps because another process of the job has ended" in output, output
    assert str(folder / "state") in output
    epochs = len(history(folder))
    done = run_ranks(1, "-m", "nets", "run", "nist36-cnn", "--epochs", epochs + 1, "--resume", folder,
                     "--quiet", "--distributed")
    assert done.returncode == 0, done.stderr
    assert "this is one process alone" in done.stderr
    assert len(history(folder)) == epochs + 1


def test_an_error_in_a_rank_ends_all_with_one_line(tmp_path):
    done = run_ranks(2, "-m", "nets", "run", "nist36-mlp", "--data", tmp_path / "nowhere", "--distributed",
                     "--out", tmp_path / "run", timeout=60)
    assert done.returncode != 0
    assert "error:" in done.stderr and "nowhere" in done.stderr
    assert "Traceback" not in done.stderr
