"""Optimizers without torch: convergence, checkpoints bit for bit, hooks, and refused arguments."""

import copy
import pickle

import numpy as np
import pytest

from tinygrad_hw import no_grad, optim, tensor
from tinygrad_hw.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
    required,
)

# each with a rate that suits the quadratic below
ALGORITHMS = {
    "SGD": dict(lr=0.05, momentum=0.9),
    "Adam": dict(lr=0.05),
    "AdamW": dict(lr=0.05, weight_decay=0.0, amsgrad=True),
    "NAdam": dict(lr=0.05),
    "RAdam": dict(lr=0.1),
    "Adamax": dict(lr=0.1),
    "RMSprop": dict(lr=0.01, centered=True, momentum=0.3),
    "Adagrad": dict(lr=0.5),
    "Adadelta": dict(lr=10.0),
    "Rprop": dict(lr=0.1),
    "ASGD": dict(lr=0.1),
    "LBFGS": dict(line_search_fn="strong_wolfe"),
}


def weights():
    """A vector and a number."""
    return [tensor([4.0, -3.0, 0.5], requires_grad=True), tensor(2.0, requires_grad=True)]


def descend(parameters, optimizer, steps):
    """Minimise ``(p - 1) ** 2 + (q + 2) ** 2``; returns the last loss."""
    p, q = parameters

    def closure():
        optimizer.zero_grad()
        loss = ((p - 1) * (p - 1)).sum() + (q + 2) * (q + 2)
        loss.backward()
        return loss

    for _ in range(steps):
        loss = optimizer.step(closure)
    return float(loss.item())


@pytest.mark.parametrize("name", ALGORITHMS)
def test_converges(name):
    parameters = weights()
    assert descend(parameters, getattr(optim, name)(parameters, **ALGORITHMS[name]), 400) < 1e-3
    np.testing.assert_allclose(parameters[0].array, 1, atol=0.03)
    np.testing.assert_allclose(parameters[1].array, -2, atol=0.03)


@pytest.mark.parametrize("name", [name for name in ALGORITHMS if name != "LBFGS"])
def test_maximize_climbs(name):
    p = tensor([1.0], requires_grad=True)
    p.grad = tensor([2.0])
    getattr(optim, name)([p], maximize=True).step()
    assert p.array[0] > 1


@pytest.mark.parametrize("how", ["state_dict", "pickle", "deepcopy"])
@pytest.mark.parametrize("name", ALGORITHMS)
def test_checkpoint_continues_bit_for_bit(name, how):
    options = ALGORITHMS[name]
    parameters = weights()
    optimizer = getattr(optim, name)(parameters, **options)
    descend(parameters, optimizer, 3)
    if how == "state_dict":
        others = [tensor(p.array, requires_grad=True) for p in parameters]
        other = getattr(optim, name)(others, **{**options, "lr": 77.0})
        other.load_state_dict(pickle.loads(pickle.dumps(optimizer.state_dict())))
    else:
        other = copy.deepcopy(optimizer) if how == "deepcopy" else pickle.loads(pickle.dumps(optimizer))
        others = other.param_groups[0]["params"]
    assert repr(other) == repr(optimizer)
    assert descend(parameters, optimizer, 5) == descend(others, other, 5)
    for one, another in zip(parameters, others):
        assert one.array.tobytes() == another.array.tobytes()


def test_loaded_state_is_a_copy_in_the_parameters_dtype():
    p = tensor([1.0], requires_grad=True)
    p.grad = tensor([2.0])
    optimizer = optim.Adam([p])
    optimizer.step()
    saved = optimizer.state_dict()
    saved["state"]["note"] = {"kept": [1, 2]}
    wide = tensor(np.ones(1), requires_grad=True)
    other = optim.Adam([wide])
    other.load_state_dict(saved)
    state = other.state[wide]
    assert state["exp_avg"].array.dtype == np.float64 and state["step"].array.dtype == np.float32
    assert other.state["note"] == other.state_dict()["state"]["note"] == {"kept": [1, 2]}
    wide.grad = tensor(np.ones(1))
    other.step()
    assert saved["state"][0]["step"].item() == 1 and state["step"].item() == 2


def test_checkpoint_of_an_older_version():
    """Options that the checkpoint lacks come from the optimizer; a step count may be a plain number."""
    p = tensor([1.0], requires_grad=True)
    p.grad = tensor([2.0])
    optimizer = optim.Adam([p])
    optimizer.step()
    saved = optimizer.state_dict()
    saved["state"][0]["step"] = 1
    for name in ("amsgrad", "maximize", "decoupled_weight_decay"):
        del saved["param_groups"][0][name]
    other = optim.AdamW([p])
    other.load_state_dict(saved)
    other.step()
    assert other.state[p]["step"].item() == 2
    assert other.param_groups[0]["decoupled_weight_decay"] is True


def test_parameters_without_gradient_are_left_alone():
    p, q = tensor([1.0], requires_grad=True), tensor([1.0], requires_grad=True)
    p.grad = tensor([1.0])
    optimizer = optim.Adam([p, q])
    optimizer.step()
    assert q.array[0] == 1 and q not in optimizer.state and p in optimizer.state
    plain = optim.SGD([p, q])
    plain.step()
    assert plain.state_dict()["state"] == {}


def test_step_is_an_inplace_change():
    p = tensor([1.0], requires_grad=True)
    loss = (p * p).sum()
    loss.backward(retain_graph=True)
    memory = p.array
    optim.SGD([p], lr=0.5).step()
    assert p.array is memory and p.is_leaf
    with pytest.raises(RuntimeError, match=r"modified by an inplace operation(.|\n)*optimizer.step\(\)"):
        loss.backward()


def test_closure_runs_with_gradients_and_its_loss_is_returned():
    p = tensor([1.0], requires_grad=True)
    optimizer = optim.SGD([p], lr=0.5)

    def closure():
        loss = (p * 3).sum()
        loss.backward()
        return loss

    with no_grad():
        assert optimizer.step(closure).item() == 3.0
    assert p.array[0] == -0.5
    assert optimizer.step() is None


def test_zero_grad():
    p = tensor([1.0, 2.0], requires_grad=True)
    p.grad = gradient = tensor([3.0, 4.0])
    optimizer = optim.SGD([p])
    optimizer.zero_grad(set_to_none=False)
    assert p.grad is gradient and p.grad.tolist() == [0.0, 0.0]
    (p * p * p).sum().backward(create_graph=True)
    optimizer.zero_grad(set_to_none=False)
    assert not p.grad.requires_grad and p.grad.tolist() == [0.0, 0.0]
    optimizer.zero_grad()
    assert p.grad is None


# ---- hooks ----------------------------


class Doubled(optim.SGD):
    def step(self, closure=None):
        super().step(closure)
        super().step(closure)


@pytest.mark.parametrize("kind", [optim.SGD, optim.Adam, Doubled])
def test_step_hooks(kind):
    p = tensor([1.0], requires_grad=True)
    optimizer = kind([p])
    calls = []

    def note(name):
        return lambda *arguments: calls.append((name, *arguments))

    handles = [optimizer.register_step_pre_hook(note("before")),
               optimizer.register_step_post_hook(note("after")),
               register_optimizer_step_pre_hook(note("before all")),
               register_optimizer_step_post_hook(note("after all"))]
    optimizer.step(None)
    expected = (optimizer, (optimizer, None), {})
    assert calls == [(name, *expected) for name in ("before all", "before", "after", "after all")]
    for handle in handles:
        handle.remove()
    optimizer.step()
    assert len(calls) == 4


def test_step_hook_may_replace_the_arguments():
    p = tensor([1.0], requires_grad=True)
    optimizer = optim.SGD([p])
    other = {"closure": lambda: "replaced"}
    with optimizer.register_step_pre_hook(lambda optimizer, args, kwargs: (args, other)):
        assert optimizer.step() == "replaced"
    with (optimizer.register_step_pre_hook(lambda optimizer, args, kwargs: 3),
          pytest.raises(RuntimeError, match=r"must return None or a tuple .* got 3")):
        optimizer.step()
    assert optimizer.step() is None


def test_hooks_of_saving_and_loading():
    optimizer = optim.SGD([tensor([1.0])], lr=0.5)
    order = []
    optimizer.register_state_dict_pre_hook(lambda optimizer: order.append("second"))
    optimizer.register_state_dict_pre_hook(lambda optimizer: order.append("first"), prepend=True)
    optimizer.register_state_dict_post_hook(lambda optimizer, saved: {**saved, "extra": 1})
    saved = optimizer.state_dict()
    assert order == ["first", "second"] and saved["extra"] == 1

    def change(optimizer, saved):
        groups = [{**saved["param_groups"][0], "lr": 0.25}]
        return {**saved, "param_groups": groups}

    optimizer.register_load_state_dict_pre_hook(change)
    optimizer.register_load_state_dict_post_hook(lambda new: order.append(new.param_groups[0]["lr"]))
    optimizer.load_state_dict(saved)
    assert order[-1] == 0.25 and saved["param_groups"][0]["lr"] == 0.5


# ---- groups and errors ----------------------------


def test_groups_have_their_own_options():
    p, q = tensor([1.0], requires_grad=True), tensor([1.0], requires_grad=True)
    optimizer = optim.SGD([{"params": p, "lr": 0.5}, {"params": []}], lr=0.25)
    optimizer.add_param_group({"params": [q]})
    p.grad = q.grad = tensor([1.0])
    optimizer.step()
    assert (p.array[0], q.array[0]) == (0.5, 0.75)


def test_parameter_names():
    p, q = tensor([1.0], requires_grad=True), tensor([1.0], requires_grad=True)
    optimizer = optim.SGD([("weight", p), ("bias", q)])
    assert optimizer.param_groups[0]["param_names"] == ["weight", "bias"]
    unnamed = optim.SGD([p, q]).state_dict()
    optimizer.load_state_dict(unnamed)
    assert optimizer.param_groups[0]["param_names"] == ["weight", "bias"]
    with pytest.raises(ValueError, match="with/without names; the new group is without names"):
        optimizer.add_param_group({"params": [tensor([1.0])]})
    with pytest.raises(ValueError, match="Some param names are missing: 1 of 2 have one"):
        optim.SGD([("weight", p), q])


def test_duplicates():
    p = tensor([1.0], requires_grad=True)
    with pytest.warns(UserWarning, match="duplicate parameters"):
        optim.SGD([p, p])
    with pytest.raises(ValueError, match="more than one parameter group"):
        optim.SGD([{"params": [p]}, {"params": [p]}])


@pytest.mark.parametrize(("build", "error", "text"), [
    (lambda p: optim.SGD(p), TypeError, "iterable of Tensors or dicts, but got Tensor"),
    (lambda p: optim.SGD([]), ValueError, "empty parameter list"),
    (lambda p: optim.SGD([p, 3.0]), TypeError, "one of the params is float"),
    (lambda p: optim.SGD([{"params": {p}}]), TypeError, "ordered collections"),
    (lambda p: optim.SGD([p * 2]), ValueError, "non-leaf"),
    (lambda p: optim.SGD([p]).add_param_group([p]), TypeError, "must be a dict, but got list"),
    (lambda p: optim.Optimizer([p], {"lr": required}), ValueError, "required optimization parameter lr"),
    (lambda p: optim.Optimizer([p], {}).step((p * 1).backward), NotImplementedError,
     "neither update.. nor step"),
    (lambda p: optim.SGD([p], lr=-1), ValueError, "Invalid learning rate: -1; it must be >= 0"),
    (lambda p: optim.SGD([p], lr=tensor([1.0, 2.0])), ValueError, "Tensor lr must be 1-element"),
    (lambda p: optim.SGD([p], lr="0.1"), TypeError, "'str'"),
    (lambda p: optim.SGD([p], nesterov=True), ValueError,
     "Nesterov momentum requires .* momentum=0, dampening=0"),
    (lambda p: optim.SGD([p], fused=True, foreach=True), RuntimeError, "cannot be `True` together"),
    (lambda p: optim.SGD([p], differentiable=True), NotImplementedError, "differentiable=True"),
    (lambda p: optim.Adam([p], betas=(0.9, 1.0)), ValueError,
     r"Invalid beta parameter at index 1: 1.0; it must be in \[0, 1\)"),
    (lambda p: optim.Adam([p], betas=(0, 0.9)), ValueError, "both floats or both Tensors"),
    (lambda p: optim.Adam([p], eps=-1e-8), ValueError, "Invalid epsilon value: -1e-08"),
    (lambda p: optim.Adadelta([p], rho=2), ValueError, "Invalid rho value: 2"),
    (lambda p: optim.Rprop([p], etas=(2, 3)), ValueError, "Invalid eta values: 2, 3"),
    (lambda p: optim.LBFGS([{"params": [p]}, {"params": [tensor([1.0])]}]), ValueError, "got 2 groups"),
    (lambda p: optim.LBFGS([p], line_search_fn="exact").step(p.sum), RuntimeError,
     "'strong_wolfe'.*'exact'"),
    (lambda p: optim.SGD([p]).load_state_dict({"state": {}, "param_groups": []}), ValueError,
     "different number of parameter groups: 0, the optimizer has 1"),
    (lambda p: optim.SGD([p]).load_state_dict({"state": {}, "param_groups": [{"params": [0, 1]}]}),
     ValueError, r"doesn't match the size .*\[\(2, 1\)\]"),
])
def test_refused(build, error, text):
    with pytest.raises(error, match=text):
        build(tensor([1.0], requires_grad=True))


def test_retained_tensors_may_be_optimized():
    p = tensor([1.0], requires_grad=True)
    q = p * 2
    q.retain_grad()
    q.sum().backward()
    optimizer = optim.SGD([q], lr=0.5)
    with no_grad():
        optimizer.step()
    assert q.tolist() == [1.5]


@pytest.mark.filterwarnings("error")
def test_user_defined_step_is_hooked_and_noticed():
    class Forgetful(optim.Optimizer):
        def __init__(self, params):
            super().__init__(params, {"lr": 1.0})

        def step(self, closure=None):
            """Half of everything."""
            for parameter in self.param_groups[0]["params"]:
                parameter.array *= 0.5

    p = tensor([1.0], requires_grad=True)
    optimizer = Forgetful([p])
    calls = []
    optimizer.register_step_post_hook(lambda *arguments: calls.append(arguments))
    schedule = optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    optimizer.step()
    schedule.step()  # a warning would be an error here
    assert len(calls) == 1 and p.tolist() == [0.5] and Forgetful.step.__doc__ == "Half of everything."
