"""Every program here, unchanged, under ``python -m tinygrad_hw run``, where PyTorch cannot be imported.

A program draws its own data and first weights with NumPy, trains for a moment and prints its losses as
JSON in the last line.  ``losses.json`` holds those that PyTorch reaches; tests/parity/test_programs_parity.py
compares them with PyTorch itself.

To start Python for every program would take most of the time, so one process runs them one after another:
this file as a script, which reads names of programs and calls what the command calls.  It also runs them
the other way, with their imports changed to ``import tinygrad_hw as torch``.
"""

import contextlib
import io
import json
import os
import pathlib
import re
import subprocess
import sys
import traceback

import numpy as np
import pytest

FOLDER = pathlib.Path(__file__).parent
ROOT = FOLDER.parent.parent
PROGRAMS = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem not in ("conftest", "test_programs"))
EXPECTED = json.loads((FOLDER / "losses.json").read_text())
REFUSAL = "PyTorch is not installed here"


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Variables with which ``import torch`` and ``import torchvision`` fail in a new Python process."""
    folder = tmp_path_factory.mktemp("without_torch")
    for name in ("torch", "torchvision"):
        (folder / f"{name}.py").write_text(f"raise ImportError({REFUSAL!r})\n")
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)]),
            "TINYGRAD_HW_NUM_THREADS": "1"}


def python(environment, *arguments):
    return subprocess.run([sys.executable, *arguments], env=environment, capture_output=True, text=True,
                          cwd=FOLDER, timeout=280, check=False)


@pytest.fixture(scope="module")
def server(environment):
    """A function that runs a program one of two ways: exit code, standard output and error output."""
    with subprocess.Popen([sys.executable, __file__], env=environment, text=True, bufsize=1, cwd=FOLDER,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        def run(name, way):
            process.stdin.write(f"{name} {way}\n")
            return json.loads(process.stdout.readline())

        yield run
        process.stdin.close()


def test_twenty_programs_and_losses_of_each():
    assert len(PROGRAMS) >= 20 and PROGRAMS == sorted(EXPECTED)
    assert all(len(losses) >= 5 and len(set(losses)) > 3 for losses in EXPECTED.values())


def test_torch_cannot_be_imported(environment):
    """The tests below would be worth nothing if the programs could find PyTorch."""
    process = python(environment, "linear_regression.py")
    assert process.returncode != 0 and REFUSAL in process.stderr


def test_command(environment):
    """The command itself, with arguments for the program."""
    process = python(environment, "-m", "tinygrad_hw", "run", "mnist_cnn.py", "--epochs", "1")
    assert process.returncode == 0 and not process.stderr
    losses = json.loads(process.stdout.splitlines()[-1])
    np.testing.assert_allclose(losses, EXPECTED["mnist_cnn"][:len(losses)], rtol=1e-3)


@pytest.mark.parametrize("way", ["unchanged", pytest.param("imports", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", PROGRAMS)
def test_losses(name, way, server):
    """As it stands under the command, and with its imports changed."""
    code, printed, errors = server(name, way)
    assert code == 0, errors
    assert not errors, "a warning or a stray message"
    np.testing.assert_allclose(json.loads(printed.splitlines()[-1]), EXPECTED[name], rtol=1e-4, atol=1e-6)


def with_our_imports(source):
    """The program with every import of torch changed by hand, so to speak."""
    source = re.sub(r"^import torch$", "import tinygrad_hw as torch", source, flags=re.M)
    return re.sub(r"^(import|from) torch\b", r"\1 tinygrad_hw", source, flags=re.M)


def run_with_our_imports(path):
    sys.argv = [str(path)]
    try:
        exec(compile(with_our_imports(path.read_text()), str(path), "exec"), {"__name__": "__main__"})
    except Exception:
        traceback.print_exc()
        return 1
    return 0


def serve():
    """Run the programs whose names come in, a line each; answer a line with what came of each."""
    from tinygrad_hw.compat.command import run

    answers = sys.stdout
    for line in sys.stdin:
        name, way = line.split()
        path = FOLDER / f"{name}.py"
        printed, errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(errors):
            code = run(str(path), []) if way == "unchanged" else run_with_our_imports(path)
        print(json.dumps([code, printed.getvalue(), errors.getvalue()]), file=answers, flush=True)


if __name__ == "__main__":
    serve()
