"""The programs of tests/programs on PyTorch: their losses are those that are recorded, and ours.

``python tests/parity/test_programs_parity.py`` writes ``losses.json`` anew.
"""

import contextlib
import io
import json
import pathlib
import runpy
import sys
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")

FOLDER = pathlib.Path(__file__).parent.parent / "programs"
PROGRAMS = sorted(path for path in FOLDER.glob("*.py") if path.stem not in ("conftest", "test_programs"))


def losses_of(path):
    """Run a program as a script in this process, where torch is PyTorch; its last line."""
    torch.set_num_threads(1)
    printed, arguments = io.StringIO(), sys.argv
    sys.argv = [str(path)]
    try:
        with contextlib.redirect_stdout(printed), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            runpy.run_path(str(path), run_name="__main__")
    finally:
        sys.argv = arguments
    return json.loads(printed.getvalue().splitlines()[-1])


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_recorded_losses_are_pytorchs(path):
    recorded = json.loads((FOLDER / "losses.json").read_text())[path.stem]
    np.testing.assert_allclose(recorded, losses_of(path), rtol=1e-4, atol=1e-6)


if __name__ == "__main__":
    found = {path.stem: [float(f"{loss:.7g}") for loss in losses_of(path)] for path in PROGRAMS}
    rows = [f'  "{name}": {json.dumps(losses)}' for name, losses in found.items()]
    (FOLDER / "losses.json").write_text("{\n" + ",\n".join(rows) + "\n}\n")
