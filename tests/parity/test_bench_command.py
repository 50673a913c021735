"""``python -m bench`` from end to end."""

import json
import pathlib
import subprocess
import sys

import pytest

pytest.importorskip("torch")

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_steps(tmp_path):
    """Values agree and every figure is there."""
    command = [sys.executable, "-m", "bench", "steps", "--only", "mlp", "--quick", "--threads", "1",
               "--json", str(tmp_path / "found.json"), "--png", str(tmp_path / "found.png")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr + done.stdout
    assert "mlp-1024-64-36-b100" in done.stdout and "geometric mean" in done.stdout
    rows = json.loads((tmp_path / "found.json").read_text())["rows"]
    assert len(rows) == 2
    for row in rows:
        assert row["difference"] <= 1e-5 and row["error"] is None
        assert set(row["samples"]) == {"ours", "eager", "fused"}
    assert (tmp_path / "found.png").stat().st_size > 1000
