"""The look at a script before it starts: what is missing is found, and nothing else."""

import pytest

from tinygrad_hw.compat.alias import Missing, place, resolve
from tinygrad_hw.compat.scan import scan
from tinygrad_hw.compat.suggest import advice, nearest, reason


@pytest.fixture
def found(tmp_path):
    """``found(text)``: what the scan finds in a script, as (line, name, sure)."""

    def look(text, **others):
        for name, other in others.items():
            path = tmp_path / name.replace("__", "/")
            path.parent.mkdir(exist_ok=True)
            path.with_suffix(".py").write_text(other)
        (tmp_path / "script.py").write_text(text)
        return [(f.line, f.name, f.sure) for f in scan(tmp_path / "script.py")]

    return look


ORDINARY = """
import torch, torchvision
import torch.nn as nn
import torch.nn.functional as F
from torch import optim
from torch.utils.data import DataLoader as Loader, TensorDataset
from torch.nn.modules.conv import Conv2d
from torchvision import datasets, transforms as T
import torchvision.transforms.v2 as v2
device = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
FloatTensor = torch.cuda.FloatTensor if torch.cuda.is_available() else torch.FloatTensor
class Net(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.log_softmax(x.view(-1, 4).cfg_like(), dim=1)
net = nn.Sequential(nn.Linear(4, 2), nn.ReLU(inplace=True)).to(device)
loader = Loader(TensorDataset(torch.randn(4, 4, dtype=torch.float32)), pin_memory=True, num_workers=0)
optimizer = optim.Adam(net.parameters(), lr=1e-3, weight_decay=1e-4)
schedule = optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.7)
nn.init.xavier_uniform(net[0].weight)
torch.nn.utils.clip_grad_norm_(net.parameters(), max_norm=1.0)
"""


def test_ordinary_script_has_nothing_missing(found):
    assert found(ORDINARY) == []


@pytest.mark.parametrize("text, expected", [
    ("import torch\ntorch.fft.fft(x)", (2, "torch.fft")),
    ("import torch.nn as nn\nnn.Linaer(1, 2)", (2, "torch.nn.Linaer")),
    ("import torch as t\nt.nn.functional.reluu(x)", (2, "torch.nn.functional.reluu")),
    ("from torch.nn import Linear, Conv3d", (1, "torch.nn.Conv3d")),
    ("from torch import jit", (1, "torch.jit")),
    ("import torch.jit", (1, "torch.jit")),
    ("from torch.fft import *", (1, "torch.fft")),
    ("import torch\nF = torch.nn.functional\nF.nothing(x)", (3, "torch.nn.functional.nothing")),
    ("def f():\n    import torch\n    return torch.complex64", (3, "torch.complex64")),
    ("import torchvision\nnet = torchvision.models.resnet18(weights=None)", (2, "torchvision.models")),
    ("import torch\ntorch.Tensor.no_such_method", (2, "torch.Tensor.no_such_method")),
    ("import torch\nclass A(torch.nn.NoLayer): pass", (2, "torch.nn.NoLayer")),
    ("import torch\n@torch.jit.script\ndef f(x): return x", (2, "torch.jit")),
    ("import torch\ndef f(x: torch.half): return x", (2, "torch.half")),
    ("import torch\ntorch.zeros(2, dtyp=torch.int8)", (2, "torch.zeros(dtyp=...)")),
    ("from torch import optim\noptim.SGD([], lr=1, speed=2)", (2, "torch.optim.SGD(speed=...)")),
])
def test_missing_name_is_found(found, text, expected):
    """Whatever way the name is written, the first part that is missing is named, with its line."""
    assert found(text) == [(*expected, True)]


@pytest.mark.parametrize("text", [
    "import torch\ntry:\n    torch.fft.fft\nexcept AttributeError:\n    pass",
    "import torch\nif hasattr(torch, 'jit'):\n    torch.jit.script",
    "import torch\nif torch.cuda.is_available():\n    torch.cuda.nccl.version()",
    "import torch\nx = torch.cuda.nccl if torch.cuda.is_available() else None",
    "import torch.nn as nn\nnn.Linaer\ndef f(nn):\n    return nn.other",
])
def test_guarded_name_is_only_perhaps_missing(found, text):
    results = found(text)
    assert results and not any(sure for _, _, sure in results)


def test_try_for_another_error_is_no_guard(found):
    assert found("import torch\ntry:\n    torch.fft\nexcept KeyError:\n    pass") == [(3, "torch.fft", True)]


def test_method_that_only_tensors_have(found):
    assert found("import torch\nx = torch.ones(2)\nx.lu_solve(x)\nx.sum()") == [(3, ".lu_solve()", False)]


def test_method_of_the_script_itself_is_none_of_ours(found):
    text = "class Solver:\n    def lu_solve(self, b):\n        return b\nSolver().lu_solve(1)"
    assert found(text) == []


def test_call_that_is_refused(found):
    assert found("import torch\ntorch.cuda.synchronize()") == [(2, "torch.cuda.synchronize()", False)]


def test_other_libraries_are_left_alone(found):
    assert found("import numpy as np\nnp.fft.fft(x)\nnp.linalg.lstsq(a, b)\ntorch = 3\ntorch.real") == []


def test_own_modules_are_read_too(found, tmp_path):
    results = found("import helper\nfrom package import part", helper="import torch\ntorch.fft",
                    package____init__="", package__part="from . import deep",
                    package__deep="import torch\ntorch.jit")
    assert results == [(2, "torch.fft", True), (2, "torch.jit", True)]


def test_finding_prints_file_line_and_advice(tmp_path):
    path = tmp_path / "s.py"
    path.write_text("import torch.nn as nn\n\nnn.Linaer")
    (finding,) = scan(path)
    assert str(finding) == f"{path}:3: torch.nn.Linaer: the nearest name is torch.nn.Linear"


def test_names_lead_to_the_same_objects():
    import tinygrad_hw

    assert resolve("torch") is tinygrad_hw
    assert resolve("torch.nn.modules.linear.Linear") is tinygrad_hw.nn.Linear
    assert resolve("torch.distributions.normal.Normal") is tinygrad_hw.distributions.Normal
    assert place("torchvision.datasets.mnist") == "tinygrad_hw.vision.datasets.mnist"
    with pytest.raises(Missing, match=r"^torch\.nn\.Nothing$"):
        resolve("torch.nn.Nothing.weight")


def test_advice():
    assert nearest("torch.nn.functional.leakyrelu") == "torch.nn.functional.leaky_relu"
    assert nearest("torch.Linear") == "torch.nn.Linear"
    assert "slices" in reason("torch.nn.Conv3d")
    assert reason("torch.exp") is None
    assert advice("torch.qqqq") == "nothing like it is offered"
