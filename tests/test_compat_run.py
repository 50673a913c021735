"""``python -m tinygrad_hw run``: scripts that import torch run unchanged on this engine."""

import os
import pathlib
import subprocess
import sys

import pytest

from tinygrad_hw.__main__ import main

ROOT = pathlib.Path(__file__).parent.parent


@pytest.fixture
def run(tmp_path):
    """``run(text, *arguments, options=[...])`` in a folder of its own; the finished process."""

    def start(text, *arguments, options=(), name="script.py", as_module=None):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        target = ["-m", as_module] if as_module else [str(path)]
        return subprocess.run(
            [sys.executable, "-m", "tinygrad_hw", "run", *options, *target, *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )

    return start


PLACES = """
import pathlib, pickle, sys
import torch
import torch.nn as nn, torchvision.transforms as T
from torch.nn.modules.conv import Conv2d
from torch.autograd import Variable, gradcheck
import torch.utils.data.dataloader
import torch.backends.cudnn as cudnn

class Net(nn.Module):
    pass

if __name__ == "__main__":
    assert sys.argv[1:] == ["--lr", "0.1", "--list"], sys.argv
    assert pathlib.Path(sys.path[0]).resolve() == pathlib.Path(__file__).resolve().parent
    assert torch.__name__ == "tinygrad_hw" and torch.nn is nn and Conv2d is nn.Conv2d
    assert nn.modules.linear.Linear is nn.Linear
    assert isinstance(torch.ones(1), torch.Tensor) and isinstance(Net(), torch.nn.Module)
    assert torch.ones(1).dtype is torch.float32 and isinstance(torch.ones(1), torch.FloatTensor)
    assert tuple(map(int, torch.__version__.split("+")[0].split("."))) >= (2, 0)
    assert torch.__spec__.name == "tinygrad_hw"
    assert type(pickle.loads(pickle.dumps(Net()))) is Net
    print(torch.ones(2, 3).shape, torch.float64, gradcheck.__name__)
"""


def test_script_is_main_and_torch_is_the_engine(run):
    result = run(PLACES, "--lr", "0.1", "--list")
    assert result.stderr == "" and result.returncode == 0
    assert result.stdout == "torch.Size([2, 3]) torch.float64 gradcheck\n"


WORKERS = """
import subprocess, sys
import torch
from torch.utils.data import DataLoader, Dataset

class Numbers(Dataset):
    def __len__(self):
        return 4
    def __getitem__(self, index):
        return torch.tensor(float(index))

if __name__ == "__main__":
    for method in ("fork", "spawn"):
        loader = DataLoader(Numbers(), batch_size=2, num_workers=1, multiprocessing_context=method)
        print(method, [batch.tolist() for batch in loader])
    subprocess.run([sys.executable, "-c", "import torch; print(torch.__name__)"], check=True)
"""


@pytest.mark.slow
def test_child_processes_find_the_engine_too(run):
    result = run(WORKERS)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split("\n")[:3] == [
        "fork [[0.0, 1.0], [2.0, 3.0]]",
        "spawn [[0.0, 1.0], [2.0, 3.0]]",
        "tinygrad_hw",
    ]


def test_traceback_shows_the_script_only(run):
    """Also: names that are missing are listed first, and with --anyway the script runs into them."""
    result = run(
        "import torch\nprint('started')\ndef fail():\n    torch.fft.fft(1)\nfail()\n",
        options=["--anyway"],
    )
    assert result.returncode == 1 and result.stdout == "started\n"
    listed, _, trace = result.stderr.partition("Traceback (most recent call last):\n")
    assert "does not have 1 name that this script uses" in listed
    assert 'script.py", line 5, in <module>' in trace.splitlines()[0]
    assert "AttributeError: module 'tinygrad_hw' has no attribute 'fft': there are no complex" in trace
    assert "compat" not in trace


def test_missing_names_stop_the_script(tmp_path, capsys):
    path = tmp_path / "script.py"
    path.write_text("import torch\nprint('started')\ntorch.fft.fft(torch.ones(2))\n")
    assert main(["run", str(path)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "does not have 1 name that this script uses" in printed.err
    assert "script.py:3: torch.fft: there are no complex numbers" in printed.err
    assert "nothing was run; --anyway runs it all the same" in printed.err


def test_list_only_lists(tmp_path, capsys):
    path = tmp_path / "script.py"
    path.write_text("import torch\nprint('started')\ntorch.nn.Linaer")
    assert main(["run", "--list", str(path)]) == 2
    assert capsys.readouterr().out.endswith("torch.nn.Linaer: the nearest name is torch.nn.Linear\n")
    path.write_text("import torch\nprint('started')")
    assert main(["run", "--list", str(path)]) == 0
    assert capsys.readouterr().out == "nothing is missing\n"


def test_module_with_relative_imports_and_exit_code(run, tmp_path):
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").write_text("")
    (tmp_path / "package" / "part.py").write_text("import torch\nvalue = torch.tensor(3)")
    result = run(
        "import sys\nfrom .part import value\nprint(value, __package__)\nsys.exit(int(value))",
        name="package/train.py",
        as_module="package.train",
    )
    assert (result.returncode, result.stdout, result.stderr) == (3, "tensor(3) package\n", "")


def test_no_such_script_and_syntax_error(tmp_path, capsys):
    assert main(["run", "-m", "no_such_module"]) == 2
    assert "there is no module 'no_such_module'" in capsys.readouterr().err
    assert main(["run", "no_such_script.py"]) == 2
    assert "there is no script 'no_such_script.py'" in capsys.readouterr().err
    path = tmp_path / "wrong.py"
    path.write_text("import torch\nx = (\n")
    assert main(["run", str(path)]) == 1
    printed = capsys.readouterr().err
    assert "SyntaxError" in printed and "wrong.py" in printed
