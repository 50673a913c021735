"""What scripts ask before they compute: devices, switches, older spellings; and the page of all names."""

import copy
import importlib
import pickle
import re

import numpy as np
import pytest

import tinygrad_hw as torch
from tinygrad_hw.compat import alias, notes, suggest, table
from tinygrad_hw.compat.scan import common_names, public_names

# ------------------------------------------------------------------ the page of all names


def test_page_is_up_to_date():
    assert table.PAGE.read_text() == table.page(), "run: python -m tinygrad_hw.compat.table"


def test_every_note_is_about_a_name_that_is_there():
    assert [name for name in notes.NOTES if table.status(name) != "differs"] == []
    assert [name for name in notes.REFUSED if table.status(name) != "refused"] == []


def test_every_reason_is_needed():
    """Each family of missing names has a member, so that no reason outlives its names."""
    names = [f"{space}.{name}" for space, found in public_names().items() for name in found]
    missing = [
        *names,
        *public_names(),
        *common_names(),
        "torch.autograd.forward_ad",
        "torch.onnx",
        "torch.cudnn_convolution",
        "torch.utils.tensorboard",
        "torchvision.ops",
        "torchtext",
        "torch.nn.qat",
        "torchvision.transforms.Scale",
        "torchvision.transforms.RandomSizedCrop",
    ]
    missing = [name for name in missing if name == "torchtext" or table.status(name) == "missing"]
    unused = [
        pattern for pattern, _ in suggest.REASONS if not any(re.match(pattern, name) for name in missing)
    ]
    assert unused == []


@pytest.mark.parametrize("name", alias._ELSEWHERE)
def test_module_of_another_name_exists(name):
    assert importlib.import_module(alias.place(name))


# ------------------------------------------------------------------ devices


def test_there_is_only_the_cpu():
    for kind in (torch.cuda, torch.mps, torch.xpu, torch.accelerator):
        assert kind.is_available() is False and kind.device_count() == 0
        with pytest.raises(RuntimeError, match=r"synchronize: device .* use device\('cpu'\)"):
            kind.synchronize()
    assert torch.accelerator.current_accelerator() is None
    assert not torch.backends.mps.is_available() and not torch.backends.cudnn.is_available()
    torch.cuda.manual_seed_all(0), torch.cuda.empty_cache()
    torch.backends.cudnn.benchmark = True
    assert torch.version.cuda is None


def test_device():
    x, layer = torch.ones(2), torch.nn.Linear(2, 1)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    assert x.to(device) is x and layer.to(device) is layer and x.cpu() is x
    assert device.type == "cpu" and device.index is None and str(torch.device("cpu", 0)) == "cpu:0"
    with torch.device("cpu"):
        assert torch.zeros(1, device="cpu:0").device == device
    for move in (lambda: x.cuda(), lambda: layer.cuda(), lambda: x.to("mps"), lambda: torch.device(0)):
        with pytest.raises(RuntimeError, match=r"is not available: tinygrad_hw computes on the CPU"):
            move()
    with pytest.raises(RuntimeError, match="Invalid device string: 'cpu:x'"):
        torch.device("cpu:x")


def test_tensor_types_of_a_gpu_may_be_named():
    kind = torch.cuda.FloatTensor if torch.cuda.is_available() else torch.FloatTensor
    assert kind is torch.FloatTensor and not isinstance(torch.ones(1), torch.cuda.FloatTensor)
    with pytest.raises(RuntimeError, match=r"torch.cuda.LongTensor: device 'cuda' is not available"):
        torch.cuda.LongTensor([1])


# ------------------------------------------------------------------ switches


def test_switches_are_remembered():
    torch.use_deterministic_algorithms(True, warn_only=True)
    assert torch.are_deterministic_algorithms_enabled() and torch.get_deterministic_debug_mode() == 1
    torch.set_deterministic_debug_mode("default")
    assert not torch.are_deterministic_algorithms_enabled()
    torch.set_float32_matmul_precision("high")
    assert torch.get_float32_matmul_precision() == "high"
    torch.set_float32_matmul_precision("highest")
    for wrong in (
        lambda: torch.set_float32_matmul_precision("low"),
        lambda: torch.set_num_interop_threads(0),
        lambda: torch.set_deterministic_debug_mode(7),
    ):
        with pytest.raises(RuntimeError):
            wrong()


def test_default_tensor_type():
    try:
        torch.set_default_tensor_type(torch.DoubleTensor)
        assert torch.ones(1).dtype is torch.float64
    finally:
        torch.set_default_tensor_type("torch.FloatTensor")
    assert torch.ones(1).dtype is torch.float32
    with pytest.raises(TypeError, match="'torch.HalfTensor' not available"):
        torch.set_default_tensor_type("torch.HalfTensor")


def test_compile_gives_back_what_it_gets():
    layer = torch.nn.Linear(2, 1)
    assert torch.compile(layer) is layer and torch.compile(mode="max-autotune")(layer) is layer


def test_mixed_precision_changes_nothing():
    model = torch.nn.Linear(2, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler, before = torch.amp.GradScaler("cpu"), model.weight.detach().clone()

    @torch.autocast("cpu", dtype=torch.float32)
    def loss():
        return model(torch.ones(1, 2)).sum()

    scaler.scale(loss()).backward()
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()
    np.testing.assert_allclose(model.weight.detach(), before - 0.1, rtol=1e-6)
    with torch.cuda.amp.autocast():
        assert model(torch.ones(1, 2)).dtype is torch.float32
    assert torch.cuda.amp.GradScaler(enabled=True).get_scale() == 1.0
    with pytest.raises(ValueError, match="Expected `device_type` of type `str`"):
        torch.autocast(True)


def test_constants_of_layout():
    x = torch.ones(1, 2, 2, 2).to(memory_format=torch.channels_last)
    assert x.layout is torch.strided and str(torch.channels_last) == "torch.channels_last"
    assert pickle.loads(pickle.dumps(torch.strided)) is torch.strided
    assert copy.deepcopy(torch.channels_last) is torch.channels_last


# ------------------------------------------------------------------ older spellings


def test_typed_tensors():
    assert torch.FloatTensor(2, 3).shape == (2, 3) and torch.LongTensor([1, 2]).tolist() == [1, 2]
    assert torch.FloatTensor(np.arange(3)).dtype is torch.float32
    assert torch.LongTensor().shape == (0,) and torch.ByteTensor(torch.Size([2])).shape == (2,)
    x = torch.ones(2)
    assert isinstance(x, torch.FloatTensor) and not isinstance(x, torch.LongTensor)
    assert (
        x.type(torch.LongTensor).dtype is torch.int64
        and x.type("torch.DoubleTensor").dtype is torch.float64
    )
    assert torch.FloatTensor(x).data_ptr() == x.data_ptr()
    assert x.new(3).shape == (3,) and x.long().new([1.5]).tolist() == [1]
    with pytest.raises(TypeError, match="expected LongTensor .got a Tensor of .*float32"):
        torch.LongTensor(x)
    with pytest.raises(TypeError, match="data must be a sequence"):
        torch.FloatTensor(1.5)


def test_variable():
    x = torch.ones(2)
    v = torch.autograd.Variable(x, requires_grad=True)
    (v * v).sum().backward()
    assert v.grad.tolist() == [2, 2] and not x.requires_grad and v.data_ptr() == x.data_ptr()
    assert isinstance(x, torch.autograd.Variable)
    with pytest.warns(UserWarning, match="volatile was removed"):
        torch.autograd.Variable(x, volatile=True)
    with pytest.raises(TypeError, match="Variable data has to be a tensor, but got list"):
        torch.autograd.Variable([1.0])


def test_inits_without_underscore_warn():
    weight = torch.empty(2, 2)
    with pytest.warns(FutureWarning, match="nn.init.constant_"):
        torch.nn.init.constant(weight, 3.0)
    assert weight.tolist() == [[3, 3], [3, 3]]


def test_missing_names_say_why():
    with pytest.raises(AttributeError, match="'fft': there are no complex numbers"):
        torch.fft  # noqa: B018
    with pytest.raises(AttributeError, match="'models': networks with trained weights are in"):
        torch.vision.models  # noqa: B018
    assert not hasattr(torch, "jit") and "linalg" in dir(torch)


def test_fork_rng():
    torch.manual_seed(0)
    with torch.random.fork_rng():
        torch.rand(5)
    after = torch.rand(1)
    torch.manual_seed(0)
    assert after == torch.rand(1)


def test_random_numbers_in_place():
    torch.manual_seed(0)
    x = torch.empty(20000, dtype=torch.float64)
    trials = x.geometric_(0.25)
    assert trials.min() == 1 and abs(trials.mean().item() - 4) < 0.1 and (trials == trials.floor()).all()
    assert abs(x.cauchy_(1.0, 2.0).median().item() - 1) < 0.1
    assert abs(x.log_normal_(0.5, 1.0).log().mean().item() - 0.5) < 0.05


def test_methods_for_older_scripts():
    x = torch.tensor([1.5, -2.5])
    assert x.clone().map_(torch.tensor([1.0, 2.0]), lambda a, b: a * b).tolist() == [1.5, -5.0]
    assert x.clone().fix_().tolist() == [1, -2] and torch.fix(x).tolist() == [1, -2]
    assert x.share_memory_() is x and not x.is_shared() and not x.is_meta and x.real is x
    assert torch.tensor([2.0]).polygamma(1).item() == pytest.approx(np.pi**2 / 6 - 1, rel=1e-6)
    assert torch.tensor(1.0).is_nonzero() and torch.zero_(x.clone()).tolist() == [0, 0]
    assert torch.combinations(torch.tensor([1, 2, 3])).tolist() == [[1, 2], [1, 3], [2, 3]]


def test_spawn_joins_and_reports(tmp_path):
    from tinygrad_hw import multiprocessing

    multiprocessing.spawn(_write, (str(tmp_path / "rank"),), nprocs=2, start_method="fork")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rank0", "rank1"]
    with pytest.raises(RuntimeError, match="process 0 with exit code 1 failed"):
        multiprocessing.spawn(_write, (), nprocs=1, start_method="fork")


def _write(rank, path):
    with open(f"{path}{rank}", "w") as file:
        file.write("done")
