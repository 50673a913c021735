"""Optimizers against torch.optim: parameters, state, options and errors from the same gradients."""

import copy
import inspect
import itertools

import numpy as np
import pytest

import tinygrad_hw
from tinygrad_hw import optim

torch = pytest.importorskip("torch")

STEPS = 10
SHAPES = [(3, 4), (5,), ()]
TOLERANCE = {"float32": 3e-6, "float64": 1e-13}
OPTIMIZERS = [name for name in optim.__all__ if name not in ("Optimizer", "lr_scheduler", "swa_utils")]


def grid(**options):
    """Every combination of the listed values, as dicts."""
    return [dict(zip(options, values)) for values in itertools.product(*options.values())]


BOTH = [False, True]
DECAY = [0, 0.1]
COMBINATIONS = {
    "SGD": grid(lr=[0.1], momentum=[0, 0.9], dampening=[0, 0.3], weight_decay=DECAY, maximize=BOTH)
    + grid(momentum=[0.8], nesterov=[True], weight_decay=DECAY, maximize=BOTH),
    "Adam": grid(amsgrad=BOTH, weight_decay=DECAY, maximize=BOTH, decoupled_weight_decay=BOTH)
    + grid(betas=[(0.3, 0.5), (0.0, 0.999)], eps=[1e-3]),
    "AdamW": grid() + grid(amsgrad=BOTH, weight_decay=[0, 0.3], maximize=BOTH),
    "NAdam": grid(momentum_decay=[4e-3, 0.1], weight_decay=DECAY, decoupled_weight_decay=BOTH,
                  maximize=BOTH),
    "RAdam": grid(lr=[0.05], weight_decay=DECAY, decoupled_weight_decay=BOTH, maximize=BOTH)
    + grid(betas=[(0.8, 0.9)]),
    "Adamax": grid(betas=[(0.9, 0.999), (0.5, 0.6)], weight_decay=DECAY, maximize=BOTH),
    "RMSprop": grid(momentum=[0, 0.9], centered=BOTH, weight_decay=DECAY, maximize=BOTH)
    + grid(alpha=[0.5], eps=[0.1]),
    "Adagrad": grid(lr_decay=[0, 0.1], initial_accumulator_value=[0, 0.5], weight_decay=DECAY, maximize=BOTH),
    "Adadelta": grid(lr=[1.0, 0.5], rho=[0.9, 0.5], weight_decay=DECAY, maximize=BOTH),
    "Rprop": grid(lr=[0.01], etas=[(0.5, 1.2), (0.3, 1.5)], step_sizes=[(1e-6, 50), (0.005, 0.02)],
                  maximize=BOTH),
    "ASGD": grid(lambd=[1e-4, 0.1], alpha=[0.75, 0.5], t0=[1e6, 3], weight_decay=DECAY, maximize=BOTH),
}


def label(options):
    return "-".join(f"{name}={value}" for name, value in options.items()) or "defaults"


CASES = [pytest.param(name, options, id=f"{name}-{label(options)}")
         for name, combinations in COMBINATIONS.items() for options in combinations]


def pair(dtype, seed=0):
    """The same parameters twice: ours and torch's."""
    random = np.random.default_rng(seed)
    arrays = [random.normal(size=shape).astype(dtype) for shape in SHAPES]
    ours = [tinygrad_hw.tensor(array, requires_grad=True) for array in arrays]
    return ours, [torch.tensor(array, requires_grad=True) for array in arrays]


def steps(optimizers, parameters, count, seed=1, skip=()):
    """Step both with the same random gradients; parameters in ``skip`` get none."""
    random = np.random.default_rng(seed)
    for _ in range(count):
        for index, (mine, theirs) in enumerate(zip(*parameters)):
            gradient = random.normal(size=mine.shape).astype(mine.array.dtype)
            if index not in skip:
                mine.grad = tinygrad_hw.tensor(gradient)
                theirs.grad = torch.tensor(gradient)
        for optimizer in optimizers:
            optimizer.step()


def plain(value):
    """A value of either library without Tensors."""
    if isinstance(value, tinygrad_hw.Tensor):
        return value.array
    if isinstance(value, torch.Tensor):
        return value.detach().numpy()
    return value


def assert_same(ours, theirs, tolerance, where=""):
    """Equal structures; arrays equal in dtype, shape and, within the tolerance, values."""
    ours, theirs = plain(ours), plain(theirs)
    if isinstance(theirs, dict):
        assert set(ours) == set(theirs), where
        for key in theirs:
            assert_same(ours[key], theirs[key], tolerance, f"{where}/{key}")
    elif isinstance(theirs, (list, tuple)):
        assert type(ours) is type(theirs) and len(ours) == len(theirs), where
        for index, (mine, reference) in enumerate(zip(ours, theirs)):
            assert_same(mine, reference, tolerance, f"{where}/{index}")
    elif isinstance(theirs, np.ndarray):
        assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype), where
        np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance, err_msg=where)
    else:
        assert ours == theirs and type(ours) is type(theirs), where


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "options"), CASES)
def test_parameters_and_state(name, options, dtype):
    ours, theirs = pair(dtype)
    mine = getattr(optim, name)(ours, **options)
    reference = getattr(torch.optim, name)(theirs, **options)
    assert_same(mine.state_dict(), reference.state_dict(), 0)
    for number in range(3):
        skipped = [1] if number == 0 else []
        steps((mine, reference), (ours, theirs), STEPS // 3 + 1, seed=number, skip=skipped)
        assert_same(ours, theirs, TOLERANCE[dtype])
        assert_same(mine.state_dict(), reference.state_dict(), TOLERANCE[dtype])


@pytest.mark.parametrize("name", COMBINATIONS)
def test_groups_rates_and_repr(name):
    ours, theirs = pair("float64")
    built = []
    for library, parameters in ((optim, ours), (torch.optim, theirs)):
        groups = [{"params": parameters[:1], "lr": 0.3}, {"params": parameters[1]}]
        built.append(getattr(library, name)(groups, lr=0.02))
        built[-1].add_param_group({"params": parameters[2:], "weight_decay": 0.2, "extra": "kept"})
    assert repr(built[0]) == repr(built[1])
    steps(built, (ours, theirs), STEPS)
    for optimizer in built:
        optimizer.param_groups[0]["lr"] = 0.001
    steps(built, (ours, theirs), STEPS)
    assert_same(ours, theirs, 1e-13)
    saved = [optimizer.state_dict() for optimizer in built]
    assert_same(*saved, 1e-13)
    orders = [[list(group) for group in entry["param_groups"]] for entry in saved]
    assert orders[0] == orders[1]


@pytest.mark.parametrize("name", COMBINATIONS)
def test_rate_as_tensor(name):
    ours, theirs = pair("float64")
    mine = getattr(optim, name)(ours, lr=tinygrad_hw.tensor(0.25))
    reference = getattr(torch.optim, name)(theirs, lr=torch.tensor(0.25))
    steps((mine, reference), (ours, theirs), 3)
    assert_same(ours, theirs, 1e-7)  # torch rounds lr / (1 - beta ** step) to float32


@pytest.mark.parametrize("name", COMBINATIONS)
def test_torch_state_loads(name):
    """A state dict of torch's continues here as it does there."""
    ours, theirs = pair("float32")
    mine, reference = getattr(optim, name)(ours, lr=0.3), getattr(torch.optim, name)(theirs, lr=0.02)
    steps((mine, reference), (ours, theirs), 3)
    for here, there in zip(ours, theirs):
        here.array[...] = there.detach().numpy()
    saved = copy.deepcopy(reference.state_dict())
    saved["state"] = {number: {key: tinygrad_hw.tensor(value.numpy()) for key, value in state.items()}
                      for number, state in saved["state"].items()}
    mine.load_state_dict(saved)
    steps((mine, reference), (ours, theirs), STEPS)
    assert_same(ours, theirs, 3e-6)
    assert_same(mine.state_dict(), reference.state_dict(), 3e-6)


@pytest.mark.parametrize("name", ["Adam", "NAdam", "ASGD"])
def test_scalars_have_the_default_dtype(name):
    ours, theirs = pair("float32")
    torch.set_default_dtype(torch.float64)
    tinygrad_hw.set_default_dtype(np.float64)
    try:
        mine, reference = getattr(optim, name)(ours), getattr(torch.optim, name)(theirs)
        steps((mine, reference), (ours, theirs), 3)
        assert_same(mine.state_dict(), reference.state_dict(), 3e-6)
    finally:
        torch.set_default_dtype(torch.float32)
        tinygrad_hw.set_default_dtype(np.float32)


def parameters_of(function):
    entries = inspect.signature(function).parameters.values()
    return [(entry.name, entry.kind, entry.default) for entry in entries]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_signatures_and_defaults(name):
    mine, reference = getattr(optim, name), getattr(torch.optim, name)
    assert parameters_of(mine) == parameters_of(reference)
    ours, theirs = pair("float32")
    assert mine(ours).defaults == reference(theirs).defaults
    for method in ("step", "zero_grad", "add_param_group", "state_dict", "load_state_dict",
                   "register_step_pre_hook", "register_step_post_hook", "register_state_dict_pre_hook",
                   "register_state_dict_post_hook", "register_load_state_dict_pre_hook",
                   "register_load_state_dict_post_hook"):
        assert parameters_of(getattr(mine, method)) == parameters_of(getattr(reference, method)), method


BAD_OPTIONS = {
    "SGD": [("lr", -1), ("momentum", -0.1), ("weight_decay", -1), ("nesterov", True), ("lr", "0.1")],
    "Adam": [("lr", -1), ("eps", -1), ("betas", (1.0, 0.9)), ("betas", (0.9, 1.0)),
             ("betas", (-0.1, 0.9)), ("betas", (0, 0.9)), ("weight_decay", -1), ("lr", float("nan"))],
    "AdamW": [("lr", -1), ("betas", (0.9, 1.5)), ("weight_decay", -1)],
    "NAdam": [("lr", -1), ("eps", -1), ("betas", (1.0, 0.9)), ("weight_decay", -1),
              ("momentum_decay", -1)],
    "RAdam": [("lr", -1), ("eps", -1), ("betas", (1.0, 0.9)), ("weight_decay", -1)],
    "Adamax": [("lr", -1), ("eps", -1), ("betas", (0.9, 1.0)), ("weight_decay", -1)],
    "RMSprop": [("lr", -1), ("eps", -1), ("momentum", -1), ("weight_decay", -1), ("alpha", -1)],
    "Adagrad": [("lr", -1), ("lr_decay", -1), ("weight_decay", -1), ("initial_accumulator_value", -1),
                ("eps", -1)],
    "Adadelta": [("lr", -1), ("rho", -1), ("rho", 1.1), ("eps", -1), ("weight_decay", -1)],
    "Rprop": [("lr", -1), ("etas", (0.0, 1.2)), ("etas", (0.5, 0.9))],
    "ASGD": [("lr", -1), ("weight_decay", -1)],
    "LBFGS": [("lr", -1)],
}
BAD_CASES = [(name, {option: value}) for name, pairs in BAD_OPTIONS.items() for option, value in pairs]
BAD_CASES += [(name, dict(fused=True, foreach=True)) for name in ("SGD", "Adam", "AdamW", "Adagrad")]


@pytest.mark.parametrize(("name", "options"), BAD_CASES)
def test_bad_options(name, options):
    ours, theirs = pair("float32")
    with pytest.raises(Exception) as expected:
        getattr(torch.optim, name)(theirs, **options)
    with pytest.raises(expected.type) as raised:
        getattr(optim, name)(ours, **options)
    if expected.type is ValueError:  # ours begins as torch's does and goes on to say how to mend it
        assert str(raised.value).startswith(str(expected.value))


def bad_calls(library, make, p, q):
    """Calls that both libraries refuse: name -> function."""
    sgd = library.SGD

    def with_gradient():
        p.grad = make(np.ones((3, 4), "float32"))
        return p.sum()

    two_groups = [{"params": [p]}, {"params": [q]}]
    return {
        "one Tensor": lambda: sgd(p),
        "nothing": lambda: sgd([]),
        "a number": lambda: sgd([3.0]),
        "a set": lambda: sgd([{"params": {p}}]),
        "computed": lambda: sgd([p * 2]),
        "twice": lambda: sgd([{"params": [p]}, {"params": [p]}]),
        "some named": lambda: sgd([("p", p), q]),
        "one group named": lambda: sgd([{"params": [("p", p)]}, {"params": [q]}]),
        "no dict": lambda: sgd([p]).add_param_group([q]),
        "no params": lambda: sgd([p]).add_param_group({"lr": 1}),
        "more groups": lambda: sgd([p]).load_state_dict(sgd(two_groups).state_dict()),
        "more parameters": lambda: sgd([p]).load_state_dict(sgd([p, q]).state_dict()),
        "Tensor lr": lambda: sgd([p], lr=make([0.1, 0.2])),
        "two groups": lambda: library.LBFGS(two_groups),
        "line search": lambda: library.LBFGS([p], line_search_fn="exact").step(with_gradient),
    }


@pytest.mark.parametrize("call", bad_calls(optim, None, None, None))
def test_bad_calls(call):
    ours, theirs = pair("float32")
    with pytest.raises(Exception) as expected:
        bad_calls(torch.optim, torch.tensor, *theirs[:2])[call]()
    with pytest.raises(expected.type):
        bad_calls(optim, tinygrad_hw.tensor, *ours[:2])[call]()


def test_duplicates_warn_and_names_are_kept():
    ours, theirs = pair("float64")
    built = []
    for library, parameters in ((optim, ours), (torch.optim, theirs)):
        with pytest.warns(UserWarning, match="duplicate parameters"):
            built.append(library.SGD([parameters[0], parameters[0]], lr=0.1))
    steps(built, (ours, theirs), 3)
    assert_same(ours, theirs, 1e-13)
    mine, reference = optim.Adam(zip("abc", ours)), torch.optim.Adam(zip("abc", theirs))
    assert_same(mine.state_dict(), reference.state_dict(), 0)


def rosenbrock(library, start):
    """A point and the function of it with a narrow curved valley and its minimum at (1, 1)."""
    point = library.tensor(np.array(start), requires_grad=True)

    def loss():
        x, y = point[0], point[1]
        return (1 - x) * (1 - x) + 100 * (y - x * x) * (y - x * x)

    return point, loss


@pytest.mark.parametrize("options", [
    dict(line_search_fn="strong_wolfe"),
    dict(line_search_fn="strong_wolfe", history_size=2, max_iter=4),
    dict(line_search_fn="strong_wolfe", max_eval=3, lr=0.5),
    dict(lr=1e-3, max_iter=5),
    dict(lr=1e-3, max_iter=3, history_size=1, max_eval=2),
])
@pytest.mark.parametrize("start", [(-1.2, 1.0), (2.0, -1.0)])
def test_lbfgs(options, start):
    """The same path, numbers of iterations and of evaluations."""
    runs = []
    for library, optimizers in ((tinygrad_hw, optim), (torch, torch.optim)):
        point, loss = rosenbrock(library, start)
        optimizer = optimizers.LBFGS([point], **options)

        def closure(optimizer=optimizer, loss=loss):
            optimizer.zero_grad()
            value = loss()
            value.backward()
            return value

        path = []
        for _ in range(6):
            value = optimizer.step(closure)
            state = optimizer.state_dict()["state"][0]
            path.append([float(value.detach()), *plain(point), state["n_iter"], state["func_evals"]])
        runs.append(np.array(path, dtype=np.float64))
    np.testing.assert_allclose(*runs, rtol=1e-7, atol=1e-9)
