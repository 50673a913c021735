"""The mechanics of Modules against torch.nn: the same steps in both libraries report the same facts."""

import copy
import pickle

import pytest

torch = pytest.importorskip("torch")

from networks import names, network
from scenarios import caught, compare, scenario, scenarios

# ------------------------------------------------------------------ registration and walking


@scenario
def walking(lib):
    net = network(lib)
    yield names(net.named_parameters()), names(net.named_buffers()), names(net.named_modules())
    yield names(net.named_children()), names(net.named_parameters(recurse=False))
    yield names(net.named_buffers("p", False))
    yield names(net.named_parameters("top")), names(net.named_modules(prefix="top"))
    yield len(list(net.modules())), len(list(net.children())), len(list(net.buffers()))
    yield len(list(net.parameters()))
    yield list(net.state_dict()), net.state_dict()._metadata, repr(net)
    yield net.get_submodule("blocks.1.norm"), net.get_parameter("blocks.0.linear.bias")
    yield net.get_buffer("kept")
    yield net.get_submodule("") is net, caught(net.get_submodule, "blocks.7")
    yield caught(net.get_submodule, "scale")
    yield caught(net.get_parameter, "kept"), caught(net.get_buffer, "scale")
    yield caught(net.get_parameter, "first.none")
    net.set_submodule("blocks.1.norm", lib.nn.ReLU())
    net.set_submodule("last.5", lib.nn.ReLU())
    yield net, caught(net.set_submodule, "", lib.nn.ReLU())
    yield caught(net.set_submodule, "last.7", lib.nn.ReLU(), True)
    yield caught(net.set_submodule, "last.0", 3), caught(net.set_submodule, "scale", lib.nn.ReLU())
    yield caught(net.set_submodule, "none.a", lib.nn.ReLU())
    yield caught(net.set_submodule, "lost", lib.nn.ReLU())
    yield net.nothing, net.shift, hasattr(net, "missing"), caught(getattr, net, "missing")
    yield sorted(
        name for name in dir(net) if name in ("scale", "first", "kept", "blocks", "shift", "training")
    )


@scenario
def changing_attributes(lib):
    net, nn = network(lib), lib.nn
    net.first = nn.Linear(3, 2, bias=False)
    yield list(net.state_dict())
    net.shift = nn.Parameter(lib.ones(2))
    net.scale = None
    yield list(net.state_dict()), names(net.named_parameters())
    net.kept = None
    yield list(net.state_dict()), net.kept
    net.kept = lib.ones(2)
    net.lost = lib.ones(2)
    yield list(net.state_dict()), names(net.named_buffers())
    del net.blocks
    del net.kept
    yield list(net.state_dict()), caught(delattr, net, "kept"), hasattr(net, "blocks")
    net.last = None
    yield names(net.named_modules()), repr(net)
    net.first = nn.ReLU()
    net.plain = 3
    net.plain = nn.Linear(1, 1)
    yield names(net.named_parameters()), names(net.named_children())
    net.buffer = nn.Buffer(lib.zeros(1))
    net.hidden = nn.Buffer(lib.zeros(1), persistent=False)
    yield names(net.named_buffers()), list(net.state_dict())
    net.hidden = nn.Parameter(lib.zeros(1))
    net.buffer = lib.ones(3)
    yield names(net.named_buffers()), list(net.state_dict())


@scenario
def refused_attributes(lib):
    nn = lib.nn

    def fails(change):
        return caught(change, network(lib))

    yield fails(lambda net: setattr(net, "first", 3))
    yield fails(lambda net: setattr(net, "first", lib.ones(1)))
    yield fails(lambda net: setattr(net, "scale", lib.ones(2)))
    yield fails(lambda net: setattr(net, "scale", nn.ReLU()))
    yield fails(lambda net: setattr(net, "shift", nn.ReLU()))
    yield fails(lambda net: setattr(net, "kept", nn.ReLU()))
    yield fails(lambda net: setattr(net, "plain", nn.ReLU()))
    yield fails(lambda net: setattr(net, "first", nn.Parameter(lib.ones(1))))
    yield fails(lambda net: setattr(net, "kept", nn.Parameter(lib.ones(1))))
    yield fails(lambda net: setattr(net, "first", nn.Buffer(lib.ones(1))))
    yield fails(lambda net: setattr(net, "scale", nn.Buffer(lib.ones(1))))
    yield fails(lambda net: setattr(net, "kept", 3))
    yield fails(lambda net: setattr(net, "shift", 3))
    for method, good in (
        ("add_module", nn.ReLU()),
        ("register_module", nn.ReLU()),
        ("register_buffer", lib.ones(1)),
        ("register_parameter", nn.Parameter(lib.ones(1))),
    ):
        for name in ("", "a.b", 3, None, "forward", "first", "scale", "kept", "fine"):
            yield fails(lambda net: getattr(net, method)(name, good))
        for value in (3, "x", nn.ReLU, [], None):
            yield fails(lambda net: getattr(net, method)("fine", value))
    yield fails(lambda net: net.register_parameter("fine", lib.ones(2)))
    yield fails(lambda net: net.register_parameter("fine", nn.Parameter(lib.ones(1)) * 2))
    yield fails(lambda net: net.train("yes")), fails(lambda net: net.train(1))
    yield fails(lambda net: net.first(3))
    yield caught(nn.Module()), caught(lambda: nn.Module(3)), caught(lambda: nn.Module(a=3))
    yield caught(nn.Module().forward)

    class Forgetful(nn.Module):
        def __init__(self, value):
            self.value = value

    for value in (nn.ReLU(), nn.Parameter(lib.ones(1)), nn.Buffer(lib.ones(1)), 3):
        yield caught(Forgetful, value)
    yield caught(nn.Parameter, lib.arange(2)), caught(nn.Parameter, lib.arange(2), False)


@scenario
def shared_layers(lib):
    nn = lib.nn
    net = nn.Module()
    net.a, net.b = nn.Linear(2, 2), nn.Linear(2, 2)
    net.c, net.d = net.a, nn.Sequential(net.a, net.b)
    net.b.weight = net.a.weight
    net.buffer = nn.Buffer(lib.zeros(1))
    net.again = net.buffer
    for remove in (True, False):
        yield names(net.named_parameters(remove_duplicate=remove))
        yield names(net.named_modules(remove_duplicate=remove))
        yield names(net.named_buffers(remove_duplicate=remove))
    yield list(net.state_dict()), names(net.named_children()), len(list(net.parameters()))
    yield len(list(net.modules()))
    calls = []
    net.apply(lambda module: calls.append(type(module)))
    yield calls
    other = copy.deepcopy(net)
    yield other.a.weight is other.b.weight, other.c is other.a, other.d[0] is other.a
    yield other.a is not net.a
    other = pickle.loads(pickle.dumps(net)) if lib is not torch else copy.deepcopy(net)
    yield other.a.weight is other.b.weight, other.c is other.a, list(other.state_dict())


# ------------------------------------------------------------------ modes, gradients, dtypes


@scenario
def modes_and_gradients(lib):
    net = network(lib)
    yield net.train(False) is net, [m.training for m in net.modules()]
    net.blocks.train()
    yield [m.training for m in net.modules()], net.eval() is net, [m.training for m in net.modules()]
    net.train()
    net(lib.ones(4, 3) * lib.arange(4).reshape(4, 1).float()).sum().backward()
    yield {name: p.grad is None for name, p in net.named_parameters()}
    net.first.zero_grad(set_to_none=False)
    net.blocks[0].zero_grad()
    yield {name: p.grad for name, p in net.named_parameters()}
    yield net.first.requires_grad_(False) is net.first, [p.requires_grad for p in net.parameters()]
    net.requires_grad_()
    yield [p.requires_grad for p in net.parameters()], {name: b for name, b in net.named_buffers()}
    order = []
    yield net.apply(lambda module: order.append(type(module))) is net, order


@scenario
def conversions(lib):
    net = network(lib)
    net(lib.ones(4, 3) * lib.arange(4).reshape(4, 1).float()).sum().backward()
    weights, addresses = net.first.weight, [id(p) for p in net.parameters()]
    yield net.double() is net, net.first.weight is weights
    yield [id(p) for p in net.parameters()] == addresses
    yield {n: v for n, v in net.state_dict().items()}, {n: p.grad for n, p in net.named_parameters()}
    yield net.to(lib.float32) is net, net.state_dict()
    for arguments in (
        (lib.float64,),
        ("cpu",),
        ("cpu", lib.float32),
        (lib.ones(1, dtype=lib.float64),),
        (lib.device("cpu"),),
    ):
        yield net.to(*arguments) is net, [str(v.dtype).split(".")[1] for v in net.state_dict().values()]
    yield net.to(dtype=lib.float32, non_blocking=True).first.weight, net.to(device="cpu").cpu() is net
    yield net.float().scale
    yield caught(net.to, lib.int64), caught(net.to, "nowhere"), caught(net.to)
    yield net.type(lib.float64).state_dict(), net.kept, [p.requires_grad for p in net.parameters()]


# ------------------------------------------------------------------ printing


@scenario
def printing(lib):
    nn = lib.nn

    class Wordy(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Sequential(nn.Linear(1, 1), nn.Module())

        def extra_repr(self):
            return "two\nlines"

    class Renamed(nn.ReLU):
        def _get_name(self):
            return "Other"

    yield Wordy(), nn.Sequential(Wordy(), Renamed()), nn.ModuleList([Wordy(), Wordy()]), nn.Module()
    yield repr(nn.Parameter(lib.ones(2))), repr(nn.Parameter(lib.ones(2), requires_grad=False))


@pytest.mark.parametrize("steps", scenarios(globals()))
def test_same_facts(steps):
    compare(steps)
