"""Learning-rate schedules without torch: known rates, warnings, checkpoints, and refused arguments."""

import math
import pickle
import warnings

import pytest

from tinygrad_hw import optim, tensor
from tinygrad_hw.optim import lr_scheduler


def sgd(lr=1.0, groups=1, **options):
    return optim.SGD([{"params": [tensor([1.0])]} for _ in range(groups)], lr=lr, **options)


def rates(optimizer, schedule, count):
    """The rate before each of ``count`` steps."""
    seen = []
    for _ in range(count):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return seen


@pytest.mark.parametrize(("name", "options", "expected"), [
    ("LambdaLR", dict(lr_lambda=lambda epoch: 10 - epoch), [10, 9, 8, 7]),
    ("MultiplicativeLR", dict(lr_lambda=lambda epoch: epoch), [1, 1, 2, 6]),
    ("StepLR", dict(step_size=2, gamma=0.5), [1, 1, 0.5, 0.5, 0.25]),
    ("MultiStepLR", dict(milestones=[1, 3, 3], gamma=0.5), [1, 0.5, 0.5, 0.125]),
    ("ConstantLR", dict(factor=0.25, total_iters=2), [0.25, 0.25, 1, 1]),
    ("LinearLR", dict(start_factor=0.5, total_iters=4), [0.5, 0.625, 0.75, 0.875, 1, 1]),
    ("ExponentialLR", dict(gamma=0.5), [1, 0.5, 0.25]),
    ("PolynomialLR", dict(total_iters=4), [1, 0.75, 0.5, 0.25, 0, 0]),
    ("CosineAnnealingLR", dict(T_max=4), [(1 + math.cos(math.pi * e / 4)) / 2 for e in range(10)]),
    ("CosineAnnealingWarmRestarts", dict(T_0=2), [1, 0.5, 1, 0.5, 1]),
    ("CyclicLR", dict(base_lr=0, max_lr=1, step_size_up=2, cycle_momentum=False), [0, 0.5, 1, 0.5, 0]),
    ("OneCycleLR", dict(max_lr=4, total_steps=5, pct_start=0.4, anneal_strategy="linear", div_factor=4,
                        final_div_factor=1, cycle_momentum=False), [1, 4, 3, 2, 1]),
])
def test_known_rates(name, options, expected):
    optimizer = sgd()
    schedule = getattr(lr_scheduler, name)(optimizer, **options)
    assert rates(optimizer, schedule, len(expected)) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(("optimizer", "momentum"), [
    (lambda p: optim.SGD(p, momentum=0.3), lambda group: group["momentum"]),
    (lambda p: optim.Adam(p), lambda group: group["betas"][0]),
])
@pytest.mark.parametrize(("name", "options"), [
    ("CyclicLR", dict(base_lr=0, max_lr=1, step_size_up=2)),
    ("OneCycleLR", dict(max_lr=1, total_steps=5, pct_start=0.6, anneal_strategy="linear")),
])
def test_momentum_moves_against_the_rate(optimizer, momentum, name, options):
    optimizer = optimizer([tensor([1.0])])
    schedule = getattr(lr_scheduler, name)(optimizer, **options, base_momentum=0.5, max_momentum=0.9)
    seen = []
    for _ in range(5):
        seen.append(momentum(optimizer.param_groups[0]))
        optimizer.step()
        schedule.step() if len(seen) < 5 else None
    assert seen == pytest.approx([0.9, 0.7, 0.5, 0.7, 0.9])
    if isinstance(optimizer, optim.Adam):
        assert optimizer.param_groups[0]["betas"][1] == 0.999


def test_plateau():
    optimizer = sgd(groups=2)
    options = dict(factor=0.5, patience=1, cooldown=1, min_lr=[0.0, 0.4])
    schedule = lr_scheduler.ReduceLROnPlateau(optimizer, **options)
    seen = []
    for loss in [3, 2, 2, tensor([2.0]), 2, 2, 2, 1, 1, math.nan]:
        schedule.step(loss)
        seen.append(schedule.get_last_lr()[0])
    assert seen == [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125]
    assert schedule.get_last_lr()[1] == 0.4 and schedule.best == 1.0 and schedule.in_cooldown
    optimizer.add_param_group({"params": [tensor([1.0])]})
    with pytest.raises(RuntimeError, match=r"optimizer \(3\) differs .* initialized \(2\)"):
        for _ in range(4):
            schedule.step(1)


def test_warmup_then_decay():
    optimizer = sgd()
    warmup = lr_scheduler.LinearLR(optimizer, 0.25, total_iters=3)
    decay = lr_scheduler.ExponentialLR(optimizer, 0.5)
    schedule = lr_scheduler.SequentialLR(optimizer, [warmup, decay], [3])
    assert rates(optimizer, schedule, 6) == pytest.approx([0.25, 0.5, 0.75, 1, 0.5, 0.25])


def test_several_at_once():
    optimizer = sgd()
    schedule = lr_scheduler.ChainedScheduler([lr_scheduler.ConstantLR(optimizer, 0.5, total_iters=2),
                                              lr_scheduler.ExponentialLR(optimizer, 0.5)])
    assert rates(optimizer, schedule, 4) == [0.5, 0.25, 0.25, 0.125]


def build_row(optimizer):
    parts = [lr_scheduler.LinearLR(optimizer, 0.1), lr_scheduler.CosineAnnealingLR(optimizer, 20)]
    return lr_scheduler.SequentialLR(optimizer, parts, [4])


def build_cycle(optimizer):
    return lr_scheduler.OneCycleLR(optimizer, 0.5, total_steps=40)


@pytest.mark.parametrize("build", [build_row, build_cycle])
def test_checkpoint_continues_bit_for_bit(build):
    optimizer = sgd(momentum=0.9)
    schedule = build(optimizer)
    rates(optimizer, schedule, 9)
    saved = pickle.loads(pickle.dumps((optimizer.state_dict(), schedule.state_dict())))
    other = sgd(momentum=0.9)
    resumed = build(other)
    other.load_state_dict(saved[0])
    resumed.load_state_dict(saved[1])
    assert rates(other, resumed, 20) == rates(optimizer, schedule, 20)


def test_functions_stay_out_of_checkpoints():
    class Decay:
        def __init__(self, rate):
            self.rate = rate

        def __call__(self, x):
            return self.rate ** x

    def build(rate):
        optimizer = sgd(groups=2)
        return (lr_scheduler.LambdaLR(optimizer, [Decay(rate), lambda epoch: 1.0]),
                lr_scheduler.CyclicLR(sgd(), 0.1, 1.0, scale_fn=Decay(rate), cycle_momentum=False))

    for old, new in zip(build(0.5), build(0.9)):
        saved = pickle.loads(pickle.dumps(old.state_dict()))
        new.load_state_dict(saved)
        function = new.lr_lambdas[0] if hasattr(new, "lr_lambdas") else new.scale_fn
        assert function(1) == 0.5


def test_base_rates_survive_a_second_schedule():
    optimizer = sgd(0.5)
    lr_scheduler.LinearLR(optimizer, 0.1)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.05)
    assert lr_scheduler.ExponentialLR(optimizer, 0.9).base_lrs == [0.5]


def test_rate_as_tensor_is_filled_in_place():
    rate = tensor(0.5)
    optimizer = optim.SGD([tensor([1.0])], lr=rate)
    schedule = lr_scheduler.ExponentialLR(optimizer, 0.5)
    optimizer.step()
    schedule.step()
    assert rate.item() == 0.25 and schedule.base_lrs[0].item() == 0.5
    assert optimizer.param_groups[0]["lr"] is rate and schedule.get_last_lr()[0] is not rate


# ---- warnings ----------------------------


def test_order_warning():
    optimizer = sgd()
    schedule = lr_scheduler.StepLR(optimizer, 2)
    with pytest.warns(UserWarning, match=r"`lr_scheduler.step\(\)` before `optimizer.step\(\)`"):
        schedule.step()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        schedule.step()  # once is enough
        optimizer.step()
        lr_scheduler.StepLR(optimizer, 2).step()


def test_deprecated_epoch_and_get_lr():
    optimizer = sgd()
    schedule = lr_scheduler.ExponentialLR(optimizer, 0.5)
    optimizer.step()
    with pytest.warns(UserWarning, match="epoch parameter"):
        schedule.step(3)
    assert schedule.get_last_lr() == [0.125]
    with pytest.warns(UserWarning, match="get_last_lr"):
        schedule.get_lr()


# ---- errors ----------------------------


@pytest.mark.parametrize(("name", "options", "error", "text"), [
    ("StepLR", dict(step_size=2, last_epoch=3), KeyError, r"'initial_lr' is not .* param_groups\[0\]"),
    ("LambdaLR", dict(lr_lambda=[abs, abs]), ValueError, "Expected 1 lr_lambdas.* got 2"),
    ("MultiplicativeLR", dict(lr_lambda=0.5), TypeError, "should be a function, but got float"),
    ("ConstantLR", dict(factor=2), ValueError, "between 0 and 1, but got 2"),
    ("LinearLR", dict(start_factor=0), ValueError, "Starting multiplicative factor.* got 0"),
    ("LinearLR", dict(end_factor=1.5), ValueError, "Ending multiplicative factor.* got 1.5"),
    ("CosineAnnealingWarmRestarts", dict(T_0=-1), ValueError, "positive integer T_0, but got -1"),
    ("CosineAnnealingWarmRestarts", dict(T_0=1, T_mult=0), ValueError, "T_mult >= 1, but got 0"),
    ("CosineAnnealingWarmRestarts", dict(T_0=1, eta_min="a"), ValueError, "got a of type str"),
    ("CyclicLR", dict(base_lr=[1, 2], max_lr=1), ValueError, "base_lr has 2 values, param_groups has 1"),
    ("CyclicLR", dict(base_lr=0, max_lr=1, mode="x"), ValueError, "mode is invalid .*'x'"),
    ("OneCycleLR", dict(max_lr=1), ValueError, "either total_steps OR"),
    ("OneCycleLR", dict(max_lr=1, total_steps=1.5), ValueError, "integer total_steps, but got 1.5"),
    ("OneCycleLR", dict(max_lr=1, total_steps=3, pct_start=2.0), ValueError, "pct_start, but got 2.0"),
    ("OneCycleLR", dict(max_lr=1, total_steps=3, anneal_strategy="x"), ValueError, "instead got x"),
    ("ReduceLROnPlateau", dict(factor=1), ValueError, "< 1.0, but got 1"),
    ("ReduceLROnPlateau", dict(mode="x"), ValueError, "mode x is unknown"),
    ("ReduceLROnPlateau", dict(threshold_mode="x"), ValueError, "threshold mode x is unknown"),
    ("ReduceLROnPlateau", dict(min_lr=[1, 2]), ValueError, "expected 1 min_lrs, got 2"),
    ("SequentialLR", dict(schedulers=[], milestones=[]), ValueError, "got no scheduler"),
    ("SequentialLR", dict(schedulers=[3], milestones=[]), TypeError, "index 0 should have .*int"),
    ("LRScheduler", dict(), NotImplementedError, "LRScheduler does not define get_lr"),
])
def test_refused(name, options, error, text):
    with pytest.raises(error, match=text):
        getattr(lr_scheduler, name)(sgd(), **options)


def test_refused_compositions():
    optimizer = sgd()
    decay = lr_scheduler.ExponentialLR(optimizer, 0.5)
    plateau = lr_scheduler.ReduceLROnPlateau(optimizer)
    foreign = lr_scheduler.ExponentialLR(sgd(), 0.5)
    with pytest.raises(ValueError, match="1 schedulers and 1 milestones"):
        lr_scheduler.SequentialLR(optimizer, [decay], [3])
    with pytest.raises(ValueError, match="does not support `ReduceLROnPlateau`.* index 1"):
        lr_scheduler.ChainedScheduler([decay, plateau])
    with pytest.raises(ValueError, match="same optimizer.* index 1 has another"):
        lr_scheduler.ChainedScheduler([decay, foreign])
    with pytest.raises(TypeError, match="list is not an Optimizer"):
        lr_scheduler.StepLR([1], 2)
    with pytest.raises(ValueError, match="Adagrad has neither"):
        lr_scheduler.CyclicLR(optim.Adagrad([tensor([1.0])]), 0.1, 1.0)


def test_one_cycle_ends():
    optimizer = sgd(momentum=0.9)
    schedule = lr_scheduler.OneCycleLR(optimizer, 1.0, total_steps=3)
    rates(optimizer, schedule, 3)
    with pytest.raises(ValueError, match="Tried to step 4 times. .* total steps is 3"):
        schedule.step()
