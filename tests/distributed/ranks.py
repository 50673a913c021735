"""Starting a program on several ranks of this machine."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MPIRUN = shutil.which("mpirun", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
missing = "mpi4py and mpirun" if MPIRUN is None or importlib.util.find_spec("mpi4py") is None else ""


def run_ranks(count: int, *command, timeout: float = 240, **environment) -> subprocess.CompletedProcess:
    """Run ``python *command`` on so many ranks, which may share cores."""
    variables = {**os.environ, "PYTHONPATH": str(ROOT), "TINYGRAD_HW_NUM_THREADS": "1", **environment}
    return subprocess.run(
        [MPIRUN, "--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "-n", str(count),
         sys.executable, *map(str, command)],
        cwd=ROOT, env=variables, capture_output=True, text=True, timeout=timeout, check=False)
