"""Learning-rate schedules against torch.optim.lr_scheduler: rates, state, warnings and errors."""

import inspect
import math
import warnings

import numpy as np
import pytest

import tinygrad_hw
from tinygrad_hw import optim
from tinygrad_hw.optim import lr_scheduler

torch = pytest.importorskip("torch")
reference = torch.optim.lr_scheduler

STEPS = 60


class Decay:
    """A factor with state, to be saved in checkpoints."""

    def __init__(self, rate):
        self.rate = rate

    def __call__(self, epoch):
        return self.rate ** epoch


def inverse(epoch):
    return 1 / (1 + epoch)


def shrinking(x):
    return 0.9 ** x


SETTINGS = {
    "LambdaLR": [dict(lr_lambda=inverse), dict(lr_lambda=[Decay(0.9), inverse])],
    "MultiplicativeLR": [dict(lr_lambda=inverse), dict(lr_lambda=[inverse, Decay(0.99)])],
    "StepLR": [dict(step_size=7), dict(step_size=1, gamma=0.9)],
    "MultiStepLR": [dict(milestones=[3, 20, 20, 41]), dict(milestones=(1, 2), gamma=0.5)],
    "ConstantLR": [dict(), dict(factor=0.7, total_iters=13), dict(factor=1.0, total_iters=0)],
    "LinearLR": [dict(), dict(start_factor=0.9, end_factor=0.1, total_iters=33), dict(start_factor=1.0)],
    "ExponentialLR": [dict(gamma=0.9), dict(gamma=1.1)],
    "PolynomialLR": [dict(), dict(total_iters=40, power=2.5), dict(total_iters=100, power=0.5)],
    "CosineAnnealingLR": [dict(T_max=20), dict(T_max=7, eta_min=0.01), dict(T_max=100)],
    "CosineAnnealingWarmRestarts": [dict(T_0=5), dict(T_0=3, T_mult=2, eta_min=0.01)],
    "CyclicLR": [
        dict(base_lr=0.01, max_lr=0.2, step_size_up=5),
        dict(base_lr=[0.01, 0.02], max_lr=[0.2, 0.4], step_size_up=4, step_size_down=9,
             mode="triangular2"),
        dict(base_lr=0.01, max_lr=0.2, step_size_up=6, mode="exp_range", gamma=0.95,
             base_momentum=[0.7, 0.6]),
        dict(base_lr=0.01, max_lr=0.2, step_size_up=6, scale_fn=shrinking, cycle_momentum=False),
        dict(base_lr=0.01, max_lr=0.2, step_size_up=6, scale_fn=shrinking, scale_mode="iterations"),
    ],
    "OneCycleLR": [
        dict(max_lr=0.5, total_steps=STEPS),
        dict(max_lr=[0.5, 0.2], epochs=7, steps_per_epoch=10, anneal_strategy="linear", pct_start=0.4),
        dict(max_lr=0.5, total_steps=STEPS, three_phase=True, base_momentum=0.5,
             max_momentum=[0.9, 0.8]),
        dict(max_lr=0.5, total_steps=STEPS + 5, cycle_momentum=False, div_factor=10.0,
             final_div_factor=100.0),
    ],
}
CASES = [(name, options) for name, settings in SETTINGS.items() for options in settings]
OPTIMIZERS = {"SGD": dict(momentum=0.9), "Adam": dict()}


def optimizers(kind="SGD"):
    """The same optimizer of two groups twice: ours and torch's."""
    both = []
    for library, make in ((optim, tinygrad_hw.tensor), (torch.optim, torch.tensor)):
        groups = [{"params": [make([1.0])]}, {"params": [make([2.0])], "lr": 0.3}]
        both.append(getattr(library, kind)(groups, lr=0.1, **OPTIMIZERS[kind]))
    return both


def schedules(pair, name, **options):
    """The same schedule for each of two optimizers."""
    return [getattr(library, name)(optimizer, **options)
            for library, optimizer in zip((lr_scheduler, reference), pair)]


def options_of(optimizer):
    return [{key: value for key, value in group.items() if key != "params"}
            for group in optimizer.param_groups]


def assert_same(mine, theirs):
    """Equal numbers, lists and dicts; floats to the last few bits."""
    if isinstance(theirs, dict):
        assert set(mine) == set(theirs)
        for key in theirs:
            assert_same(mine[key], theirs[key])
    elif isinstance(theirs, (list, tuple)):
        assert len(mine) == len(theirs)
        for one, other in zip(mine, theirs):
            assert_same(one, other)
    elif isinstance(theirs, float) and math.isfinite(theirs):
        assert mine == pytest.approx(theirs, rel=1e-12, abs=1e-15)
    else:
        assert mine == theirs


def run(pair, both, count, metric=None):
    """Step both and compare rates and all other options of the groups after each."""
    for number in range(count):
        for optimizer, schedule in zip(pair, both):
            optimizer.step()
            schedule.step(*([] if metric is None else [metric(number)]))
        assert_same(options_of(pair[0]), options_of(pair[1]))
        assert_same(both[0].get_last_lr(), both[1].get_last_lr())
        assert both[0].last_epoch == both[1].last_epoch


@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.parametrize(("name", "options"), CASES)
def test_rates(name, options, kind):
    pair = optimizers(kind)
    both = schedules(pair, name, **options)
    assert_same(options_of(pair[0]), options_of(pair[1]))
    run(pair, both, STEPS)
    with pytest.warns(UserWarning, match="get_last_lr"):
        both[0].get_lr()


@pytest.mark.parametrize(("name", "options"), CASES)
def test_checkpoints(name, options):
    """A state dict has torch's keys, and a schedule that loads it goes on where it was."""
    pair = optimizers()
    both = schedules(pair, name, **options)
    run(pair, both, 17)
    assert_same(both[0].state_dict(), both[1].state_dict())
    again = optimizers()
    resumed = schedules(again, name, **options)
    for new, old in zip(resumed, both):
        new.load_state_dict(old.state_dict())
        new.optimizer.load_state_dict(old.optimizer.state_dict())
    run(again, resumed, STEPS - 17)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_resuming_by_last_epoch(name, options):
    pair = optimizers()
    run(pair, schedules(pair, name, **options), 11)
    run(pair, schedules(pair, name, **options, last_epoch=10), 20)


@pytest.mark.parametrize(("name", "options"), CASES)
def test_jumping_to_an_epoch(name, options):
    pair = optimizers()
    both = schedules(pair, name, **options)
    for epoch in (0, 3, 26, 7):
        for schedule in both:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                schedule.step(epoch)
        assert_same(options_of(pair[0]), options_of(pair[1]))


@pytest.mark.parametrize("options", [dict(T_0=3, T_mult=2), dict(T_0=4)])
def test_warm_restarts_at_fractions(options):
    both = schedules(optimizers(), "CosineAnnealingWarmRestarts", **options)
    for epoch in np.arange(0, 30, 0.37):
        for schedule in both:
            schedule.step(float(epoch))
        assert_same(both[0].state_dict(), both[1].state_dict())


@pytest.mark.parametrize("options", [
    dict(),
    dict(patience=2),
    dict(patience=0, cooldown=3, factor=0.5),
    dict(mode="max", patience=1, threshold=0.1),
    dict(threshold_mode="abs", threshold=0.05, patience=1),
    dict(mode="max", threshold_mode="abs", patience=3),
    dict(patience=0, min_lr=[0.01, 0.2]),
    dict(patience=0, factor=0.5, eps=0.02),
    dict(patience=1, min_lr=0.05),
])
def test_plateau(options):
    pair = optimizers()
    both = schedules(pair, "ReduceLROnPlateau", **options)
    results = np.random.default_rng(0).normal(size=STEPS) * 0.2 + np.exp(-np.arange(STEPS) / 5)
    results[50] = np.nan
    run(pair, both, STEPS, lambda number: results[number])
    assert_same(both[0].state_dict(), both[1].state_dict())
    resumed = schedules(pair, "ReduceLROnPlateau")
    for new, old in zip(resumed, both):
        new.load_state_dict(old.state_dict())
    run(pair, resumed, STEPS, lambda number: 1.0)


def warmup_and_cosine(library, optimizer):
    return library.SequentialLR(optimizer, milestones=[10], schedulers=[
        library.LinearLR(optimizer, 0.1, total_iters=10), library.CosineAnnealingLR(optimizer, T_max=50)])


def three_in_a_row(library, optimizer):
    return library.SequentialLR(optimizer, milestones=[5, 20], schedulers=[
        library.ConstantLR(optimizer, 0.1, total_iters=3), library.ExponentialLR(optimizer, 0.9),
        library.StepLR(optimizer, 4, 0.5)])


def restarts_last(library, optimizer):
    return library.SequentialLR(optimizer, milestones=[7], schedulers=[
        library.ExponentialLR(optimizer, 0.9), library.CosineAnnealingWarmRestarts(optimizer, 5)])


def chained(library, optimizer):
    return library.ChainedScheduler([
        library.ConstantLR(optimizer, 0.1, total_iters=9), library.ExponentialLR(optimizer, 0.95),
        library.StepLR(optimizer, 7, 0.5)])


def chain_in_a_row(library, optimizer):
    return library.SequentialLR(optimizer, milestones=[9], schedulers=[
        chained(library, optimizer), library.PolynomialLR(optimizer, 30, 2.0)])


@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step..` before")
@pytest.mark.parametrize("build", [warmup_and_cosine, three_in_a_row, restarts_last, chained,
                                   chain_in_a_row])
def test_composed(build):
    pair = optimizers()
    both = [build(library, optimizer) for library, optimizer in zip((lr_scheduler, reference), pair)]
    assert_same(options_of(pair[0]), options_of(pair[1]))
    for _ in range(STEPS):
        for optimizer, schedule in zip(pair, both):
            optimizer.step()
            schedule.step()
        assert_same(both[0].get_last_lr(), both[1].get_last_lr())
        assert_same(both[0].state_dict(), both[1].state_dict())
    others = [build(library, optimizer)
              for library, optimizer in zip((lr_scheduler, reference), optimizers())]
    for new, old in zip(others, both):
        new.load_state_dict(old.state_dict())
    assert_same(others[0].state_dict(), others[1].state_dict())


SINGLE = [(name, options) for name, options in CASES
          if name == "MultiStepLR" or not any(isinstance(value, list) for value in options.values())]


@pytest.mark.parametrize(("name", "options"), SINGLE)
def test_rate_as_tensor(name, options):
    both = []
    for library, algorithms, make in ((lr_scheduler, optim, tinygrad_hw.tensor),
                                      (reference, torch.optim, torch.tensor)):
        rate = make(0.125)
        optimizer = algorithms.SGD([make([1.0])], lr=rate, momentum=0.9)
        schedule = getattr(library, name)(optimizer, **options)
        rates = []
        for _ in range(20):
            optimizer.step()
            schedule.step()
            rates.append(float(schedule.get_last_lr()[0]))
        assert optimizer.param_groups[0]["lr"] is rate  # filled in place
        both.append(rates)
    np.testing.assert_allclose(*both, rtol=1e-5, atol=1e-8)


def parameters_of(function):
    entries = inspect.signature(function).parameters.values()
    return [(entry.name, entry.kind, entry.default) for entry in entries]


@pytest.mark.parametrize("name", reference.__all__)
def test_signatures(name):
    mine, theirs = getattr(lr_scheduler, name), getattr(reference, name)
    assert parameters_of(mine) == parameters_of(theirs)
    assert parameters_of(mine.step) == parameters_of(theirs.step)
    assert parameters_of(mine.load_state_dict) == parameters_of(theirs.load_state_dict)


BAD = [
    ("LambdaLR", dict(lr_lambda=[inverse])),
    ("MultiplicativeLR", dict(lr_lambda=[inverse])),
    ("MultiplicativeLR", dict(lr_lambda=0.5)),
    ("ConstantLR", dict(factor=1.5)),
    ("ConstantLR", dict(factor=-1)),
    ("LinearLR", dict(start_factor=0)),
    ("LinearLR", dict(start_factor=1.1)),
    ("LinearLR", dict(end_factor=1.1)),
    ("LinearLR", dict(end_factor=-0.1)),
    ("StepLR", dict(step_size=3, last_epoch=4)),
    ("CosineAnnealingWarmRestarts", dict(T_0=0)),
    ("CosineAnnealingWarmRestarts", dict(T_0=1.5)),
    ("CosineAnnealingWarmRestarts", dict(T_0=2, T_mult=0)),
    ("CosineAnnealingWarmRestarts", dict(T_0=2, T_mult=1.5)),
    ("CosineAnnealingWarmRestarts", dict(T_0=2, eta_min="0")),
    ("CyclicLR", dict(base_lr=0.1, max_lr=[1.0])),
    ("CyclicLR", dict(base_lr=[0.1], max_lr=1.0)),
    ("CyclicLR", dict(base_lr=0.1, max_lr=1.0, mode="square")),
    ("CyclicLR", dict(base_lr=0.1, max_lr=1.0, base_momentum=[0.1])),
    ("OneCycleLR", dict(max_lr=1.0)),
    ("OneCycleLR", dict(max_lr=1.0, epochs=3)),
    ("OneCycleLR", dict(max_lr=1.0, total_steps=0)),
    ("OneCycleLR", dict(max_lr=1.0, total_steps=2.5)),
    ("OneCycleLR", dict(max_lr=1.0, epochs=0, steps_per_epoch=3)),
    ("OneCycleLR", dict(max_lr=1.0, epochs=2, steps_per_epoch=-3)),
    ("OneCycleLR", dict(max_lr=1.0, total_steps=9, pct_start=2.0)),
    ("OneCycleLR", dict(max_lr=1.0, total_steps=9, pct_start=1)),
    ("OneCycleLR", dict(max_lr=1.0, total_steps=9, anneal_strategy="square")),
    ("OneCycleLR", dict(max_lr=[1.0], total_steps=9)),
    ("ReduceLROnPlateau", dict(factor=1.0)),
    ("ReduceLROnPlateau", dict(mode="mid")),
    ("ReduceLROnPlateau", dict(threshold_mode="log")),
    ("ReduceLROnPlateau", dict(min_lr=[0.1])),
    ("SequentialLR", dict(schedulers=[], milestones=[])),
    ("SequentialLR", dict(schedulers=[3], milestones=[])),
]


@pytest.mark.parametrize(("name", "options"), BAD)
def test_bad_arguments(name, options):
    mine, theirs = optimizers()
    with pytest.raises(Exception) as expected:
        getattr(reference, name)(theirs, **options)
    with pytest.raises(expected.type):
        getattr(lr_scheduler, name)(mine, **options)


ASKS_FOR_GROUPS = ("LambdaLR", "MultiplicativeLR")


@pytest.mark.parametrize("name", [name for name in SETTINGS if name not in ASKS_FOR_GROUPS])
def test_not_an_optimizer(name):
    for library in (reference, lr_scheduler):
        with pytest.raises(TypeError, match="list is not an Optimizer"):
            getattr(library, name)([0.1], **SETTINGS[name][0])


def refused(library, optimizer, other):
    """Compositions and steps that both libraries refuse: name -> function."""
    exponential, plateau = library.ExponentialLR(optimizer, 0.9), library.ReduceLROnPlateau(optimizer)
    foreign = library.ExponentialLR(other, 0.9)
    cycle = library.OneCycleLR(other, 0.5, total_steps=2, cycle_momentum=False)
    return {
        "milestones": lambda: library.SequentialLR(optimizer, [exponential], [3]),
        "plateau in a row": lambda: library.SequentialLR(optimizer, [exponential, plateau], [3]),
        "two optimizers": lambda: library.SequentialLR(optimizer, [exponential, foreign], [3]),
        "empty chain": lambda: library.ChainedScheduler([]),
        "plateau in a chain": lambda: library.ChainedScheduler([exponential, plateau]),
        "two optimizers in a chain": lambda: library.ChainedScheduler([exponential, foreign]),
        "number in a chain": lambda: library.ChainedScheduler([exponential, 3]),
        "too many steps": lambda: [cycle.step() for _ in range(4)],
        "negative epoch": lambda: library.CosineAnnealingWarmRestarts(optimizer, 3).step(-1),
        "base class": lambda: library.LRScheduler(optimizer),
        "no momentum": lambda: library.CyclicLR(other, 0.1, 0.2),
    }


def refused_by(library, algorithms, make):
    return refused(library, algorithms.SGD([make([1.0])]), algorithms.Adagrad([make([1.0])]))


@pytest.mark.parametrize("call", refused_by(lr_scheduler, optim, tinygrad_hw.tensor))
@pytest.mark.filterwarnings("ignore:Detected call")
def test_refused(call):
    with pytest.raises(Exception) as expected:
        refused_by(reference, torch.optim, torch.tensor)[call]()
    with pytest.raises(expected.type):
        refused_by(lr_scheduler, optim, tinygrad_hw.tensor)[call]()


@pytest.mark.parametrize("before", [0, 1])
@pytest.mark.parametrize("after", [0, 1])
@pytest.mark.parametrize("count", [1, 2])
def test_order_warning(before, after, count):
    """The warning about the order appears exactly where torch gives it."""
    seen = []
    for library, optimizer in zip((lr_scheduler, reference), optimizers()):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for _ in range(before):
                optimizer.step()
            for _ in range(count):
                schedule = library.StepLR(optimizer, 2)
                for _ in range(after):
                    optimizer.step()
                schedule.step()
                schedule.step()
        seen.append([(warning.category, warning.filename) for warning in caught])
    assert seen[0] == seen[1]
    assert len(seen[0]) == (0 if after else count)
