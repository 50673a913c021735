"""What a Module does: registration, state, hooks, printing, errors; and how layers start.

The values and gradients of layers are those of the ops, which ``test_table.py`` proves.
"""

import copy
import pickle
from collections import OrderedDict

import numpy as np
import pytest

import tinygrad_hw as thw
from tinygrad_hw import nn
from tinygrad_hw.nn import functional as F
from tinygrad_hw.testing import gradcheck, gradgradcheck


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(4, 3)
        self.norm = nn.BatchNorm1d(3)
        self.out = nn.Linear(3, 2, bias=False)

    def forward(self, x):
        return self.out(F.relu(self.norm(self.hidden(x))))


NET_KEYS = ["hidden.weight", "hidden.bias", "norm.weight", "norm.bias", "norm.running_mean",
            "norm.running_var",
            "norm.num_batches_tracked", "out.weight"]


# ------------------------------------------------------------------ registration


def test_attributes_are_registered_in_order():
    net = Net()
    assert list(net.state_dict()) == NET_KEYS
    assert [name for name, _ in net.named_children()] == ["hidden", "norm", "out"]
    assert [name for name, _ in net.named_modules()] == ["", "hidden", "norm", "out"]
    assert len(list(net.parameters())) == 5 and len(list(net.buffers())) == 3
    assert net.get_submodule("hidden") is net.hidden and net.get_parameter("out.weight") is net.out.weight
    assert net.get_buffer("norm.running_mean") is net.norm.running_mean


def test_reassigned_and_deleted_attributes():
    net = Net()
    net.hidden = nn.Identity()
    assert "hidden.weight" not in net.state_dict() and isinstance(net.hidden, nn.Identity)
    del net.hidden
    assert not hasattr(net, "hidden") and "hidden" not in dict(net.named_children())
    net.out.weight = None
    assert net.out.weight is None and list(net.out.parameters()) == []
    net.norm.running_mean = thw.ones(3)
    assert net.norm.state_dict()["running_mean"].tolist() == [1, 1, 1]


@pytest.mark.parametrize("change, error, text", [
    (lambda net: setattr(net, "hidden", 3), TypeError, "cannot assign 'int' as child module 'hidden'"),
    (lambda net: setattr(net.hidden, "weight", thw.ones(3, 4)), TypeError,
     "cannot assign .*Tensor' as parameter"),
    (lambda net: setattr(net.norm, "running_var", 1.0), TypeError,
     "cannot assign 'float' as buffer 'running_var'"),
    (lambda net: net.missing, AttributeError, "'Net' object has no attribute 'missing'"),
    (lambda net: net.register_parameter("hidden", None), KeyError, "attribute 'hidden' already exists"),
    (lambda net: net.register_buffer("a.b", None), KeyError, 't contain "."'),
    (lambda net: net.register_buffer("", None), KeyError, "t be empty"),
    (lambda net: net.register_buffer("a", 3), TypeError, "cannot assign 'int' object to buffer 'a'"),
    (lambda net: net.register_parameter("a", thw.ones(1)), TypeError, "object to parameter 'a'"),
    (lambda net: net.add_module("a", 3), TypeError, "int is not a Module subclass"),
    (lambda net: net.get_submodule("hidden.a"), AttributeError, "Linear has no attribute `a`"),
    (lambda net: net.get_parameter("norm.running_mean"), AttributeError, "not an nn.Parameter"),
    (lambda net: net.train("yes"), ValueError, "training mode is expected to be boolean"),
    (lambda net: net.to(thw.int64), TypeError, "only accepts floating point"),
    (lambda net: net.cuda(), RuntimeError, "'cuda' is not available"),
    (lambda net: nn.Module()(1), NotImplementedError, 'missing the required "forward"'),
])
def test_errors(change, error, text):
    with pytest.raises(error, match=text):
        change(Net())


def test_assignment_before_init():
    class Forgetful(nn.Module):
        def __init__(self):
            self.layer = nn.ReLU()

    with pytest.raises(AttributeError, match=r"cannot assign module before Module.__init__\(\) call"):
        Forgetful()


def test_plain_containers_are_registered():
    class Plain(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = [nn.Linear(2, 3)]
            self.layers.append(nn.Linear(3, 1))
            self.named = {"a": (nn.Linear(1, 1, bias=False),)}
            self.scales = [nn.Parameter(thw.ones(1))]
            self.first = self.layers[0]
            self.parents = [self]
            self.known = list(self.parameters())

    net = Plain()
    keys = ["scales.0", "first.weight", "first.bias", "layers.1.weight", "layers.1.bias",
            "named.a.0.weight"]
    assert list(net.state_dict()) == keys
    assert [name for name, _ in net.named_parameters()] == keys
    assert net.get_submodule("named.a.0") is net.named["a"][0]
    assert repr(net.load_state_dict(net.state_dict())) == "<All keys matched successfully>"
    assert not net.eval().layers[1].training
    net.double()
    assert {p.dtype for p in net.parameters()} == {thw.float64}


# ------------------------------------------------------------------ state


def test_state_dict_shares_memory_and_round_trips():
    net, other = Net(), Net()
    state = net.state_dict(prefix="x.")
    assert all(key.startswith("x.") for key in state)
    assert state["x.out.weight"].array is net.out.weight.array and not state["x.out.weight"].requires_grad
    assert net.state_dict(keep_vars=True)["out.weight"] is net.out.weight
    net(thw.randn(5, 4))
    assert repr(other.load_state_dict(net.state_dict())) == "<All keys matched successfully>"
    for key, value in net.state_dict().items():
        np.testing.assert_array_equal(value.array, other.state_dict()[key].array)
    assert other.norm.num_batches_tracked.item() == 1
    other.load_state_dict({key: value.array for key,
                           value in net.state_dict().items()})  # arrays will do


def test_load_state_dict_reports_everything_at_once():
    net = Net()
    state = net.state_dict()
    del state["hidden.bias"]
    state["extra"] = thw.ones(1)
    state["out.weight"] = thw.ones(3, 3)
    with pytest.raises(RuntimeError) as caught:
        net.load_state_dict(state)
    text = str(caught.value)
    assert text.startswith("Error(s) in loading state_dict for Net:\n\tMissing key(s) in state_dict: "
                           "\"hidden.bias\". ")
    assert '\n\tUnexpected key(s) in state_dict: "extra". ' in text
    assert "\n\tsize mismatch for out.weight: copying a param with shape" in text
    del state["out.weight"]
    keys = net.load_state_dict(state, strict=False)
    assert keys.missing_keys == ["hidden.bias", "out.weight"] and keys.unexpected_keys == ["extra"]
    with pytest.raises(TypeError, match="Expected state_dict to be dict-like, got <class 'list'>"):
        net.load_state_dict([])


def test_load_state_dict_assign():
    net, other = Net(), Net()
    net.load_state_dict(other.state_dict(), assign=True)
    assert net.out.weight.array is other.out.weight.array and isinstance(net.out.weight, nn.Parameter)
    assert net.out.weight is dict(net.named_parameters())["out.weight"]


def test_buffers_that_are_not_persistent():
    net = nn.Module()
    net.register_buffer("kept", thw.ones(1))
    net.register_buffer("scratch", thw.ones(1), persistent=False)
    net.direct = nn.Buffer(thw.zeros(2))
    assert list(net.state_dict()) == ["kept", "direct"]
    assert [name for name, _ in net.named_buffers()] == ["kept", "scratch", "direct"]


def test_copy_and_pickle():
    net = Net()
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert twin.out.weight is not net.out.weight
        assert twin.out.weight is twin.get_parameter("out.weight") and twin.out.weight.requires_grad
        for key, value in net.state_dict().items():
            np.testing.assert_array_equal(value.array, twin.state_dict()[key].array)


def test_modes_dtypes_and_gradients():
    net = Net()
    assert net.training and not net.eval().norm.training and net.train().out.training
    net.double()
    assert net.hidden.weight.dtype is thw.float64 and net.norm.running_mean.dtype is thw.float64
    assert net.norm.num_batches_tracked.dtype is thw.int64
    assert net.to("cpu").to(thw.float32).hidden.weight.dtype is thw.float32
    net(thw.randn(5, 4)).sum().backward()
    assert all(p.grad is not None for p in net.parameters())
    net.zero_grad(set_to_none=False)
    assert all((p.grad.array == 0).all() for p in net.parameters())
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())
    assert not any(p.requires_grad for p in net.requires_grad_(False).parameters())
    seen = []
    net.apply(lambda module: seen.append(type(module).__name__))
    assert seen == ["Linear", "BatchNorm1d", "Linear", "Net"]


def test_forward_hooks():
    layer, log = nn.Identity(), []
    first = layer.register_forward_pre_hook(lambda module, args: log.append("second") or (args[0] + 1,))
    layer.register_forward_pre_hook(lambda module, args, kwargs: log.append("first"), prepend=True,
                                    with_kwargs=True)
    layer.register_forward_hook(lambda module, args, output: output * 2)
    assert layer(thw.ones(1)).tolist() == [4] and log == ["first", "second"]
    first.remove()
    assert layer(thw.ones(1)).tolist() == [2]


def test_full_backward_hook_sees_and_replaces_gradients():
    layer, seen = nn.Linear(2, 3), []

    def hook(module, grad_input, grad_output):
        seen.append((grad_input[0].clone(), grad_output[0].clone()))
        return (grad_input[0] * 10,)

    handle = layer.register_full_backward_hook(hook)
    x = thw.ones(4, 2, requires_grad=True)
    layer(x).sum().backward()
    np.testing.assert_allclose(seen[0][0].array, np.ones((4, 3)) @ layer.weight.array, rtol=1e-6)
    np.testing.assert_array_equal(seen[0][1].array, np.ones((4, 3)))
    np.testing.assert_allclose(x.grad.array, 10 * seen[0][0].array, rtol=1e-6)
    handle.remove()
    layer.register_full_backward_hook(lambda module, grad_input, grad_output: seen.append(grad_input))
    layer(thw.ones(4, 2)).sum().backward()  # no input needs a gradient
    assert seen[-1] == (None,)


def test_errors_name_the_layer():
    net = nn.Sequential(nn.ReLU(), nn.Sequential(OrderedDict(fc=nn.Linear(2, 1))))
    with pytest.raises(RuntimeError) as caught:
        net(thw.ones(4, 3))
    notes = getattr(caught.value, "__notes__", None) or [str(caught.value)]
    assert len(notes) == 1
    assert "raised in 1.fc: Linear(in_features=2, out_features=1, bias=True), called with (4, 3)" in notes[0]


def test_sequential():
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    assert len(net) == 3 and net[-1] is net[2] and list(net[:2]._modules) == ["0", "1"]
    net.append(nn.Tanh()).insert(1, nn.Sigmoid())
    assert [type(m).__name__ for m in net] == ["Linear", "Sigmoid", "ReLU", "Linear", "Tanh"]
    net[1] = nn.ELU()
    assert isinstance(net.pop(1), nn.ELU) and list(net._modules) == ["0", "1", "2", "3"]
    del net[1:3]
    assert list(net._modules) == ["0", "1"] and isinstance(net[1], nn.Tanh)
    named = nn.Sequential(OrderedDict(a=nn.Linear(1, 1), b=nn.ReLU()))
    assert named.a is named[0] and list(named.state_dict()) == ["a.weight", "a.bias"]
    with pytest.raises(IndexError, match="index 9 is out of range"):
        net[9]


def test_lists_and_dicts():
    layers = nn.ModuleList([nn.Linear(1, 1) for _ in range(3)])
    layers += [nn.ReLU()]
    assert len(layers) == 4 and list(layers.state_dict())[-1] == "2.bias" and isinstance(layers[-1],
                                                                                         nn.ReLU)
    table = nn.ModuleDict({"a": nn.ReLU()})
    table["b"] = nn.Tanh()
    assert list(table) == ["a", "b"] and isinstance(table.pop("a"), nn.ReLU) and len(table) == 1
    weights = nn.ParameterList([thw.ones(1), nn.Parameter(thw.ones(2))])
    assert list(weights.state_dict()) == ["0",
                                          "1"] and weights[-1].requires_grad and len(weights[:1]) == 1
    scales = nn.ParameterDict({"x": thw.ones(1)})
    assert "x" in scales and list(scales.state_dict()) == ["x"]


def test_repr():
    net = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.Sequential(nn.ReLU(True), nn.MaxPool2d(2)),
                        nn.Flatten())
    assert repr(net) == """Sequential(
  (0): Conv2d(1, 2, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))
  (1): Sequential(
    (0): ReLU(inplace=True)
    (1): MaxPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)
  )
  (2): Flatten(start_dim=1, end_dim=-1)
)"""


# ------------------------------------------------------------------ layers


def test_batch_norm_running_statistics():
    x = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    layer = nn.BatchNorm1d(3)
    layer(thw.tensor(x))
    np.testing.assert_allclose(layer.running_mean.array, 0.1 * x.mean(0), rtol=1e-5)
    np.testing.assert_allclose(layer.running_var.array, 0.9 + 0.1 * x.var(0, ddof=1), rtol=1e-5)
    average = nn.BatchNorm1d(3, momentum=None)
    average(thw.tensor(x[:3]))
    average(thw.tensor(x[3:]))
    np.testing.assert_allclose(average.running_mean.array, (x[:3].mean(0) + x[3:].mean(0)) / 2,
                               rtol=1e-4, atol=1e-6)
    layer.eval()
    expected = (x - layer.running_mean.array) / np.sqrt(layer.running_var.array + 1e-5)
    np.testing.assert_allclose(layer(thw.tensor(x)).array, expected, rtol=1e-4, atol=1e-5)


def test_norms_to_third_order():
    x = thw.tensor(np.random.default_rng(1).normal(size=(2, 4, 2)), requires_grad=True)
    w = thw.tensor(np.array([0.5, 1.0, 1.5, 2.0]), requires_grad=True)

    def gradient(x, w):
        y = F.group_norm(x, 2, w, eps=0.1)
        return thw.autograd.grad((y * y * y).sum(), (x, w), create_graph=True)

    assert gradcheck(gradient, (x, w)) and gradgradcheck(gradient, (x, w))


@pytest.mark.parametrize("name", ["relu", "leaky_relu", "elu", "silu", "hardtanh", "mish", "hardswish"])
def test_inplace_keeps_the_gradient(name):
    function = getattr(F, name)
    x = thw.linspace(-2, 2, 7).requires_grad_()
    (function(x) ** 2).sum().backward()
    expected, x.grad = x.grad, None
    y = x * 1
    assert function(y, inplace=True) is y
    (y**2).sum().backward()
    np.testing.assert_allclose(x.grad.array, expected.array, rtol=1e-6)


@pytest.mark.parametrize("layer, fan_in", [(nn.Linear(50, 40), 50), (nn.Conv2d(6, 40, 3), 54),
                                           (nn.Conv1d(8, 40, 3, groups=2), 12)])
def test_default_initialisation(layer, fan_in):
    bound = fan_in**-0.5
    for values in (layer.weight.array, layer.bias.array):
        assert abs(values).max() <= bound and abs(values).max() > 0.8 * bound
    assert abs(layer.weight.array.var() - bound**2 / 3) < 0.15 * bound**2 / 3


@pytest.mark.parametrize("fill, std", [
    (lambda w: nn.init.xavier_uniform_(w, 2.0), 2 * (2 / (300 + 200)) ** 0.5),
    (lambda w: nn.init.xavier_normal_(w), (2 / (300 + 200)) ** 0.5),
    (lambda w: nn.init.kaiming_normal_(w, mode="fan_out", nonlinearity="relu"), (2 / 300) ** 0.5),
    (lambda w: nn.init.kaiming_uniform_(w, a=1), (1 / 200) ** 0.5),
    (lambda w: nn.init.normal_(w, 0.0, 3.0), 3.0),
    (lambda w: nn.init.trunc_normal_(w), 0.8796),
    (lambda w: nn.init.orthogonal_(w), (1 / 300) ** 0.5),
])
def test_initialisers(fill, std):
    w = nn.Parameter(thw.empty(300, 200))
    assert fill(w) is w and w.requires_grad
    assert abs(w.array.std() / std - 1) < 0.02 and abs(w.array.mean()) < 0.02 * std


def test_initialiser_errors_and_former_names():
    with pytest.raises(ValueError, match="fewer than 2 dimensions"):
        nn.init.xavier_normal_(thw.ones(3))
    with pytest.raises(ValueError, match="Unsupported nonlinearity nix"):
        nn.init.calculate_gain("nix")
    with pytest.raises(ValueError, match="Mode nix not supported"):
        nn.init.kaiming_normal_(thw.ones(2, 2), mode="nix")
    with pytest.warns(FutureWarning, match="in favor of `nn.init.uniform_`"):
        nn.init.uniform(thw.ones(2))


@pytest.mark.parametrize("create, error, text", [
    (lambda: nn.Conv2d(3, 4, 3, groups=2), ValueError, "in_channels must be divisible by groups"),
    (lambda: nn.Conv2d(3, 4, 3, stride=2, padding="same"), ValueError,
     "'same' is not supported for strided"),
    (lambda: nn.Conv2d(3, 4, 3, padding_mode="nix"), ValueError, "padding_mode must be one of"),
    (lambda: nn.ConvTranspose2d(3, 4, 3, padding_mode="reflect"), ValueError,
     'Only "zeros" padding mode'),
    (lambda: nn.ConvTranspose2d(1, 1, 3, 2)(thw.ones(1, 1, 3, 3), (9, 9)), ValueError,
     "requested an output size"),
    (lambda: nn.Dropout(1.5), ValueError, "between 0 and 1, but got 1.5"),
    (lambda: nn.GroupNorm(2, 3), ValueError, "must be divisible by num_groups"),
    (lambda: nn.BatchNorm2d(3)(thw.ones(2, 3)), ValueError, "expected 4D input"),
    (lambda: nn.Linear(2, -1), RuntimeError, "negative dimension"),
])
def test_layer_errors(create, error, text):
    with pytest.raises(error, match=text):
        create()


def test_output_size_of_transposed_convolution():
    layer = nn.ConvTranspose2d(1, 1, 3, stride=2, padding=1)
    x = thw.ones(1, 1, 5, 5)
    assert tuple(layer(x).shape) == (1, 1, 9, 9)
    assert tuple(layer(x, output_size=(10, 10)).shape) == (1, 1, 10, 10)


def test_clip_grad():
    p = thw.tensor([3.0, 4.0], requires_grad=True)
    (p * p).sum().backward()
    assert nn.utils.clip_grad_norm_([p], 5.0).item() == pytest.approx(10.0)
    np.testing.assert_allclose(p.grad.array, [3.0, 4.0], rtol=1e-5)
    nn.utils.clip_grad_value_([p], 3.5)
    np.testing.assert_allclose(p.grad.array, [3.0, 3.5], rtol=1e-5)
    p.grad.array[0] = np.nan
    with pytest.raises(RuntimeError, match="is non-finite"):
        nn.utils.clip_grad_norm_([p], 1.0, error_if_nonfinite=True)
    vector = nn.utils.parameters_to_vector([p, thw.ones(1)])
    nn.utils.vector_to_parameters(vector * 2, [p])
    assert p.tolist() == [6, 8]
