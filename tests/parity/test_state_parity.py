"""State dicts and hooks of Modules against torch.nn: the same steps report the same facts."""

import pytest

torch = pytest.importorskip("torch")

from networks import network
from scenarios import caught, compare, scenario, scenarios, text

# ------------------------------------------------------------------ state


@scenario
def saving(lib):
    net = network(lib)
    state = net.state_dict()
    yield state, [v.requires_grad for v in state.values()], type(state).__name__
    kept = net.state_dict(keep_vars=True)
    yield [v.requires_grad for v in kept.values()], kept["scale"] is net.scale
    yield list(net.state_dict(prefix="net.")), net.state_dict(prefix="net.")._metadata
    mine = {"already": 1}
    yield net.first.state_dict(destination=mine, prefix="x.") is mine, list(mine)
    state["scale"].fill_(7)
    yield net.scale, type(net).__name__

    class WithExtra(lib.nn.Linear):
        def get_extra_state(self):
            return {"seen": 3}

        def set_extra_state(self, state):
            self.seen = state["seen"]

    outer = lib.nn.Sequential(WithExtra(1, 1), lib.nn.ReLU())
    yield list(outer.state_dict()), outer.state_dict()["0._extra_state"]
    outer.load_state_dict(outer.state_dict())
    yield outer[0].seen, caught(lib.nn.Linear(1, 1).get_extra_state)
    broken = outer.state_dict()
    del broken["0._extra_state"]
    yield text(outer.load_state_dict, broken)
    yield text(lib.nn.Sequential(lib.nn.Linear(1, 1)).load_state_dict, outer.state_dict())


@scenario
def loading(lib):
    net, state = network(lib), network(lib).state_dict()
    addresses = [id(p) for p in net.parameters()]
    yield repr(net.load_state_dict(state)), [id(p) for p in net.parameters()] == addresses
    state["scale"] = lib.ones(3)
    state["blocks.1.norm.weight"] = lib.ones(2, 2)
    del state["first.bias"], state["blocks.0.norm.running_mean"]
    state["extra"], state["first.more"], state["last.9.weight"] = lib.ones(1), lib.ones(1), lib.ones(1)
    yield text(net.load_state_dict, state), text(net.load_state_dict, state, strict=False)
    state["scale"], state["blocks.1.norm.weight"] = lib.full((2,), 3.0), lib.full((2,), 4.0)
    yield text(net.load_state_dict, state)
    result = net.load_state_dict(state, strict=False)
    yield result.missing_keys, result.unexpected_keys, repr(result), net.state_dict()
    yield text(net.load_state_dict, {}), text(net.load_state_dict, {"scale": 3}, False)
    yield caught(net.load_state_dict, [1])
    yield text(net.first.load_state_dict, {"weight": lib.ones(2, 3)}), net.first.weight
    yield text(net.first.load_state_dict, {"weight": lib.ones(2, 3), "bias": "text"})
    yield repr(
        net.first.load_state_dict({"weight": lib.arange(6).reshape(2, 3), "bias": lib.ones(2).double()})
    )
    yield net.first.weight, net.first.bias
    yield caught(net.load_state_dict, {"nothing": 1}), net.nothing
    taken = {name: value.clone() for name, value in network(lib).double().state_dict().items()}
    net.load_state_dict(taken, assign=True)
    yield net.state_dict(), [type(p) for p in net.parameters()]
    yield [p.requires_grad for p in net.parameters()]
    scalar = lib.nn.Module()
    scalar.value = lib.nn.Parameter(lib.tensor(1.0))
    yield repr(scalar.load_state_dict({"value": lib.tensor([5.0])})), scalar.value


@scenario
def batch_norm_files_without_a_count(lib):
    """A file of an old PyTorch has no num_batches_tracked."""
    layer = lib.nn.BatchNorm1d(2)
    state = layer.state_dict()
    del state["num_batches_tracked"]
    yield text(layer.load_state_dict, state)
    state._metadata[""]["version"] = 1
    yield repr(layer.load_state_dict(state))
    yield repr(layer.load_state_dict(dict(state)))


@scenario
def state_hooks(lib):
    net, seen = network(lib), []
    net.register_state_dict_pre_hook(
        lambda module, prefix, keep: seen.append((type(module), prefix, keep))
    )
    net.first.register_state_dict_post_hook(
        lambda module, state, prefix, meta: seen.append((list(state), prefix, meta))
    )
    net.first.register_load_state_dict_pre_hook(
        lambda module, state, prefix, meta, strict, missing, unexpected, errors: seen.append(
            (prefix, strict, len(state))
        )
    )
    handle = net.register_load_state_dict_post_hook(lambda module, keys: keys.missing_keys.clear())
    state = net.state_dict()
    yield seen
    del state["scale"]
    yield repr(net.load_state_dict(state)), seen
    handle.remove()
    yield text(net.load_state_dict, state), len(seen)


# ------------------------------------------------------------------ hooks


@scenario
def forward_hooks(lib):
    layer, seen = lib.nn.Linear(2, 1, bias=False), []
    with lib.no_grad():
        layer.weight.fill_(1)

    def note(name, result=None):
        def hook(module, *values):
            seen.append((name, values))
            return result(*values) if result else None

        return hook

    x = lib.ones(1, 2)
    handles = [
        layer.register_forward_pre_hook(note("pre 1", lambda args: args[0] * 2)),
        layer.register_forward_pre_hook(note("pre 2", lambda args: (args[0] + 1,)), prepend=True),
        layer.register_forward_hook(note("post 1", lambda args, out: out * 10)),
        layer.register_forward_hook(note("post 2"), prepend=True),
        layer.register_forward_pre_hook(
            note("pre 3", lambda args, kwargs: (args, kwargs)), with_kwargs=True
        ),
        layer.register_forward_hook(note("post 3", lambda args, kwargs, out: out + 1), with_kwargs=True),
    ]
    yield layer(x), seen
    seen.clear()
    for handle in handles[:3]:
        handle.remove()
        handle.remove()
    yield layer(input=x), seen
    seen.clear()
    layer.register_forward_hook(note("always"), always_call=True)
    yield caught(layer, lib.ones(1, 5)), [name for name, _ in seen]
    layer.register_forward_pre_hook(lambda module, args, kwargs: 3, with_kwargs=True)
    yield caught(layer, x)
    with lib.nn.Identity().register_forward_hook(note("in with")) as handle:
        yield handle is not None


@scenario
def backward_hooks(lib):
    net, seen = lib.nn.Sequential(lib.nn.Linear(2, 2), lib.nn.Sigmoid(), lib.nn.Linear(2, 1)), []
    with lib.no_grad():
        for parameter in net.parameters():
            parameter.fill_(0.5)
    for name, layer in net.named_children():
        layer.register_full_backward_hook(
            lambda module, grads, outs, name=name: seen.append((name, grads, outs))
        )
        layer.register_full_backward_pre_hook(lambda module, outs, name=name: seen.append((name, outs)))
    net(lib.ones(3, 2)).sum().backward()
    yield seen
    seen.clear()
    x = lib.ones(3, 2).requires_grad_()
    handle = net[1].register_full_backward_hook(lambda module, grads, outs: (grads[0] * 2,))
    pre = net[2].register_full_backward_pre_hook(lambda module, outs: (outs[0] * 3,))
    net(x).sum().backward()
    yield seen, x.grad, {name: p.grad for name, p in net.named_parameters()}
    handle.remove(), pre.remove()
    net.zero_grad()
    seen.clear()
    net(x).sum().backward()
    yield len(seen), {name: p.grad for name, p in net.named_parameters()}
    net[1].register_full_backward_hook(lambda module, grads, outs: (grads[0], grads[0]))
    yield caught(lambda: net(x).sum().backward())


@pytest.mark.parametrize("steps", scenarios(globals()))
def test_same_facts(steps):
    compare(steps)
