"""Containers of layers and of parameters against torch.nn: the same steps report the same facts."""

import pytest

torch = pytest.importorskip("torch")

from scenarios import caught, compare, scenario, scenarios


def names(pairs):
    return [name for name, _ in pairs]


@scenario
def sequential(lib):
    nn = lib.nn
    net = nn.Sequential(nn.Linear(1, 2), nn.ReLU(), nn.Linear(2, 3), nn.Tanh())
    yield len(net), net[0], net[-1], net[1:3], net[::-2], [type(layer) for layer in net]
    yield net[1:3][0] is net[1]
    yield caught(lambda: net[4]), caught(lambda: net[-5]), caught(lambda: net["a"])
    yield caught(lambda: net[1.0])
    yield net.append(nn.ELU()) is net, net.extend([nn.GELU(), nn.SiLU()]) is net, net
    yield net.insert(1, nn.Flatten()) is net, net.insert(-1, nn.Mish())
    yield caught(net.insert, 99, nn.ReLU())
    yield caught(net.insert, 0, 3), caught(net.append, 3), caught(net.extend, 3), caught(net.extend, [3])
    net[0] = nn.Sigmoid()
    net[-1] = nn.Softsign()
    yield net, list(net._modules), net.pop(1), net.pop(-1), net
    del net[0]
    del net[1:3]
    yield net, list(net._modules), caught(net.__delitem__, 9), caught(net.pop, 9)
    yield caught(net.__setitem__, 9, nn.ReLU())
    both = net + nn.Sequential(nn.ReLU6())
    yield both, both[0] is net[0], caught(lambda: net + 3), caught(lambda: net + [nn.ReLU()])
    yield 2 * nn.Sequential(nn.ReLU()), nn.Sequential(nn.ReLU()) * 3, caught(lambda: net * 0)
    yield caught(lambda: net * 1.5)
    net += nn.Sequential(nn.GLU())
    yield net, caught(lambda: net.__iadd__(3))
    net *= 2
    yield net, caught(net.__imul__, 0), caught(net.__imul__, "x"), nn.Sequential(), len(nn.Sequential())
    yield caught(nn.Sequential, 3), nn.Sequential(nn.ReLU(), nn.ReLU())(lib.ones(1)), nn.Sequential()(3)
    named = nn.Sequential()
    named.add_module("b", nn.ReLU())
    named.add_module("a", nn.Tanh())
    yield named, named[0], named[:1], list(named._modules), "b" in named._modules
    del named[0]
    yield named, list(named._modules)


@scenario
def module_list(lib):
    nn = lib.nn
    layers = nn.ModuleList([nn.Linear(1, 1), nn.Linear(1, 1), nn.ReLU()])
    yield layers, len(layers), layers[-1], layers[:2], type(layers[:2]), caught(lambda: layers[3])
    yield list(layers)
    yield layers.append(nn.Tanh()) is layers, layers.extend([nn.ReLU(), nn.ReLU()]) is layers, layers
    layers.insert(1, nn.Sigmoid())
    layers[2] = nn.Flatten()
    layers[-1] = nn.ELU()
    yield layers, layers.pop(0), layers.pop(-1), caught(layers.pop, 30), caught(layers.append, 3)
    yield caught(layers.extend, 3)
    del layers[0], layers[1:3]
    yield layers, list(layers._modules), caught(layers.__delitem__, 9)
    yield caught(layers.__setitem__, 9, nn.ReLU())
    layers += [nn.SiLU()]
    yield layers, layers + [nn.SELU()], caught(layers, 1), caught(nn.ModuleList, 3)
    yield caught(nn.ModuleList, [3])
    yield (
        [key for key in dir(layers) if key.isdigit()],
        nn.ModuleList(nn.Linear(i + 1, 1) for i in range(2)),
    )
    yield caught(nn.ModuleList, ["a"]), caught(lambda: layers["a"])


@scenario
def module_dict(lib):
    nn = lib.nn
    layers = nn.ModuleDict({"b": nn.Linear(1, 1), "a": nn.ReLU()})
    yield layers, len(layers), list(layers), list(layers.keys()), list(layers.values())
    yield list(layers.items())
    yield "a" in layers, "c" in layers, layers["b"], caught(lambda: layers["c"]), layers.pop("b"), layers
    layers["c"] = nn.Tanh()
    layers.update({"z": nn.GELU(), "y": nn.ELU()})
    layers.update([("m", nn.Mish()), ["c", nn.SiLU()]])
    layers.update(nn.ModuleDict({"q": nn.ReLU()}))
    yield layers, caught(layers.update, 3), caught(layers.update, [3]), caught(layers.update, [("a",)])
    yield caught(layers.__setitem__, "x", 3), caught(layers.__setitem__, "a.b", nn.ReLU())
    yield caught(layers.pop, "none")
    yield caught(layers.__delitem__, "none"), caught(layers.__setitem__, "keys", nn.ReLU())
    yield caught(layers, 1)
    del layers["c"]
    yield list(layers), layers.clear(), len(layers), layers, caught(nn.ModuleDict, 3)
    yield nn.ModuleDict([("a", nn.ReLU())])


@scenario
def parameter_list(lib):
    nn = lib.nn
    some = nn.ParameterList([nn.Parameter(lib.ones(2)), lib.zeros(3), 5, "text"])
    yield len(some), names(some.named_parameters()), [type(value) for value in some], some[-1], some[1:3]
    yield some.append(lib.ones(1)) is some, some.extend([lib.ones(2), 7]) is some
    yield names(some.named_parameters())
    some[0] = lib.full((2,), 3.0)
    some += [lib.ones(1)]
    yield some, some[0], caught(lambda: some[20]), caught(lambda: some["a"]), caught(some.extend, 3)
    yield caught(some, 1)
    yield caught(some.extend, lib.ones(3)), list(some.state_dict()), caught(nn.ParameterList, 3)
    yield len(nn.ParameterList())
    yield [key for key in dir(some) if key.isdigit()]


@scenario
def parameter_dict(lib):
    nn = lib.nn
    some = nn.ParameterDict({"b": lib.ones(2), "a": nn.Parameter(lib.zeros(3)), "c": 3})
    yield list(some), names(some.named_parameters()), {key: type(value) for key, value in some.items()}
    yield len(some)
    yield "b" in some, some["c"], some.get("none"), some.get("none", 4), some.setdefault("d", 5)
    yield some.setdefault("d", 6)
    some["e"] = lib.ones(1)
    some.update([("z", lib.ones(2)), ("y", 1)])
    some.update(nn.ParameterDict([("q", lib.ones(1)), ("p", lib.ones(1))]))
    yield list(some), list(reversed(some)), list(some.keys()), list(some.values())
    yield list(some.state_dict())
    yield some.pop("b"), some.popitem(), list(some), caught(some.pop, "none")
    yield caught(lambda: some["none"])
    yield list(some.copy()), list(some.fromkeys(["u", "v"], 3).items()), caught(some, 1)
    yield caught(some.update, 3)
    yield caught(some.update, [3]), caught(some.update, [("a",)])
    yield caught(nn.ParameterDict().__setitem__, 3, lib.ones(1))
    yield list(some | {"one": 1}), list({"one": 1} | some), caught(some.__delitem__, "none")
    some |= {"two": lib.ones(2)}
    yield names(some.named_parameters()), some.clear(), len(some)


@pytest.mark.parametrize("steps", scenarios(globals()))
def test_same_facts(steps):
    compare(steps)
