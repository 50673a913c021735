"""Schedules for every batch that move rate and momentum in opposite directions."""

from __future__ import annotations

import math
from collections.abc import Callable

from tinygrad_hw.optim.lr_scheduler.base import (
    LRScheduler,
    check_optimizer,
    per_group,
    saved_function,
    set_option,
)
from tinygrad_hw.optim.optimizer import Optimizer

__all__ = ["CyclicLR", "OneCycleLR"]


class _MomentumCycle(LRScheduler):
    """What both share: the momentum, or the first of Adam's betas, which falls while the rate rises."""

    def _prepare_momentum(self, base_momentum, max_momentum, last_epoch: int) -> tuple[list, list]:
        """Note the bounds in the groups; returns them as lists with one entry for every group."""
        defaults = self.optimizer.defaults
        if "momentum" not in defaults and "betas" not in defaults:
            raise ValueError("optimizer must support momentum or beta1 with `cycle_momentum` option "
                             f"enabled, but {type(self.optimizer).__name__} has neither; use "
                             "cycle_momentum=False")
        self.use_beta1 = "betas" in defaults
        lowest = per_group("base_momentum", base_momentum, self.optimizer)
        highest = per_group("max_momentum", max_momentum, self.optimizer)
        if last_epoch == -1:
            self._set_momentum(highest)
            for group, low, high in zip(self.optimizer.param_groups, lowest, highest, strict=True):
                group["max_momentum"], group["base_momentum"] = high, low
        return lowest, highest

    def _set_momentum(self, values: list) -> None:
        for group, value in zip(self.optimizer.param_groups, values, strict=True):
            if self.use_beta1:
                group["betas"] = (value, *group["betas"][1:])
            else:
                group["momentum"] = value


class CyclicLR(_MomentumCycle):
    """The rate goes from ``base_lr`` up to ``max_lr`` and back in a line, again and again.

    Args:
        optimizer: whose rates to set.
        base_lr, max_lr: bounds, or lists with one for every parameter group.
        step_size_up, step_size_down: batches of the way up, and of the way down (default the same).
        mode: the height stays (``"triangular"``), halves every cycle (``"triangular2"``), or shrinks by
            ``gamma`` every batch (``"exp_range"``).
        gamma: for ``"exp_range"``.
        scale_fn: factor of the height as a function of the cycle or batch; replaces ``mode``.
        scale_mode: what ``scale_fn`` is given: ``"cycle"`` (from 1) or ``"iterations"``.
        cycle_momentum: also move the momentum (Adam: beta1), from ``max_momentum`` to ``base_momentum``.
        base_momentum, max_momentum: bounds, or lists with one for every parameter group.
        last_epoch: batch to resume after; -1 to begin.

    Raises:
        TypeError: if ``optimizer`` is not an `Optimizer`.
        ValueError: for an unknown mode, lists of a wrong length, or an optimizer without momentum.

    Source: Smith, Cyclical Learning Rates for Training Neural Networks, 2017.

    >>> from tinygrad_hw import optim, tensor
    >>> optimizer = optim.SGD([tensor([1.0])], momentum=0.9)
    >>> scheduler = CyclicLR(optimizer, base_lr=0.0, max_lr=1.0, step_size_up=2)
    >>> rates = scheduler.get_last_lr()
    >>> for _ in range(4):
    ...     optimizer.step(); scheduler.step()
    ...     rates = rates + scheduler.get_last_lr()
    >>> rates
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """

    def __init__(self, optimizer: Optimizer, base_lr, max_lr, step_size_up: int = 2000,
                 step_size_down: int | None = None, mode: str = "triangular", gamma: float = 1.0,
                 scale_fn: Callable | None = None, scale_mode: str = "cycle",
                 cycle_momentum: bool = True, base_momentum=0.8, max_momentum=0.9, last_epoch: int = -1):
        check_optimizer(optimizer)
        self.optimizer = optimizer
        base_lrs = per_group("base_lr", base_lr, optimizer)
        self.max_lrs = per_group("max_lr", max_lr, optimizer)
        if mode not in ("triangular", "triangular2", "exp_range") and scale_fn is None:
            raise ValueError("mode is invalid and scale_fn is None: mode must be 'triangular', "
                             f"'triangular2' or 'exp_range', but got {mode!r}")
        if last_epoch == -1:
            for group, rate in zip(optimizer.param_groups, base_lrs, strict=True):
                set_option(group, "lr", rate)
        if step_size_down is None:
            step_size_down = step_size_up
        self.total_size = float(step_size_up) + float(step_size_down)
        self.step_ratio = float(step_size_up) / self.total_size
        self.mode = mode
        self.gamma = gamma
        self._scale_fn_custom = scale_fn
        self.scale_mode = scale_mode
        if scale_fn is None:
            self.scale_mode = "iterations" if mode == "exp_range" else "cycle"
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            bounds = self._prepare_momentum(base_momentum, max_momentum, last_epoch)
            self.base_momentums, self.max_momentums = bounds
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def scale_fn(self, x: float) -> float:
        """Factor of the height in cycle ``x``, or at batch ``x``."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        if self.mode == "exp_range":
            return self.gamma ** x
        return 1 / 2.0 ** (x - 1) if self.mode == "triangular2" else 1.0

    def _rates(self) -> list:
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        place = 1.0 + self.last_epoch / self.total_size - cycle
        rising = place <= self.step_ratio
        height = place / self.step_ratio if rising else (place - 1) / (self.step_ratio - 1)
        scale = self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            bounds = zip(self.base_momentums, self.max_momentums, strict=True)
            self._set_momentum([high - (high - low) * height * scale for low, high in bounds])
        bounds = zip(self.base_lrs, self.max_lrs, strict=True)
        return [low + (high - low) * height * scale for low, high in bounds]

    def state_dict(self) -> dict:
        """All attributes apart from the optimizer; of a callable ``scale_fn`` only its attributes."""
        saved = None if self._scale_fn_custom is None else saved_function(self._scale_fn_custom)
        return {**super().state_dict(), "_scale_fn_custom": saved}

    def load_state_dict(self, state_dict: dict) -> None:
        """Take over what `state_dict` returned; ``scale_fn`` stays."""
        super().load_state_dict({k: v for k, v in state_dict.items() if k != "_scale_fn_custom"})
        if state_dict["_scale_fn_custom"] is not None:
            vars(self._scale_fn_custom).update(state_dict["_scale_fn_custom"])


class OneCycleLR(_MomentumCycle):
    """One rise to ``max_lr`` and one long fall far below the start, over the whole training.

    The rate starts at ``max_lr / div_factor`` and ends at ``max_lr / div_factor / final_div_factor``.

    Args:
        optimizer: whose rates to set.
        max_lr: highest rate, or a list with one for every parameter group.
        total_steps: number of batches, or give ``epochs`` and ``steps_per_epoch``.
        epochs, steps_per_epoch: their product is the number of batches.
        pct_start: fraction of the batches in which the rate rises.
        anneal_strategy: ``"cos"`` for half cosine waves, ``"linear"`` for lines.
        cycle_momentum: also move the momentum (Adam: beta1), from ``max_momentum`` to ``base_momentum``.
        base_momentum, max_momentum: bounds, or lists with one for every parameter group.
        div_factor: highest through first rate.
        final_div_factor: first through last rate.
        three_phase: fall back to the first rate as fast as it rose, and only then to the last.
        last_epoch: batch to resume after; -1 to begin.

    Raises:
        TypeError: if ``optimizer`` is not an `Optimizer`.
        ValueError: for numbers out of range, an unknown strategy, lists of a wrong length, an optimizer
            without momentum, or more steps than ``total_steps``.

    Source: Smith and Topin, Super-Convergence: Very Fast Training of Neural Networks, 2018.

    >>> from tinygrad_hw import optim, tensor
    >>> optimizer = optim.SGD([tensor([1.0])], momentum=0.9)
    >>> scheduler = OneCycleLR(optimizer, 1.0, total_steps=5, pct_start=0.4, anneal_strategy="linear")
    >>> rates = scheduler.get_last_lr()
    >>> for _ in range(4):
    ...     optimizer.step(); scheduler.step()
    ...     rates = rates + scheduler.get_last_lr()
    >>> [round(rate, 3) for rate in rates]
    [0.04, 1.0, 0.667, 0.333, 0.0]
    """

    def __init__(self, optimizer: Optimizer, max_lr, total_steps: int | None = None,
                 epochs: int | None = None, steps_per_epoch: int | None = None, pct_start: float = 0.3,
                 anneal_strategy: str = "cos", cycle_momentum: bool = True, base_momentum=0.85,
                 max_momentum=0.95, div_factor: float = 25.0, final_div_factor: float = 1e4,
                 three_phase: bool = False, last_epoch: int = -1):
        check_optimizer(optimizer)
        self.optimizer = optimizer
        self.total_steps = _total_steps(total_steps, epochs, steps_per_epoch)
        if not isinstance(pct_start, float) or not 0 <= pct_start <= 1:
            raise ValueError(f"Expected float between 0 and 1 pct_start, but got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError("anneal_strategy must be one of 'cos' or 'linear', instead got "
                             f"{anneal_strategy}")
        self._anneal_func_type = anneal_strategy
        self._schedule_phases = _phases(pct_start * self.total_steps, self.total_steps, three_phase)
        highest = per_group("max_lr", max_lr, optimizer)
        if last_epoch == -1:
            for group, rate in zip(optimizer.param_groups, highest, strict=True):
                group["initial_lr"] = rate / div_factor
                group["max_lr"] = rate
                group["min_lr"] = group["initial_lr"] / final_div_factor
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self._prepare_momentum(base_momentum, max_momentum, last_epoch)
        super().__init__(optimizer, last_epoch)

    def _rates(self) -> list:
        step = self.last_epoch
        if step > self.total_steps:
            raise ValueError(f"Tried to step {step} times. The specified number of total steps is "
                             f"{self.total_steps}; make the schedule longer, or stop calling step()")
        begin = 0.0
        for phase in self._schedule_phases:
            if step <= phase["end_step"] or phase is self._schedule_phases[-1]:
                break
            begin = phase["end_step"]
        done = (step - begin) / (phase["end_step"] - begin)
        groups = self.optimizer.param_groups
        if self.cycle_momentum:
            self._set_momentum([self._between(g[phase["start_momentum"]], g[phase["end_momentum"]], done)
                                for g in groups])
        return [self._between(g[phase["start_lr"]], g[phase["end_lr"]], done) for g in groups]

    def _between(self, start: float, end: float, done: float) -> float:
        """The value after a fraction ``done`` of the way."""
        if self._anneal_func_type == "linear":
            return (end - start) * done + start
        return end + (start - end) / 2.0 * (math.cos(math.pi * done) + 1)


def _total_steps(total_steps, epochs, steps_per_epoch) -> int:
    given = {"total_steps": total_steps}
    if total_steps is None:
        given = {"epochs": epochs, "steps_per_epoch": steps_per_epoch}
    if None in given.values():
        raise ValueError("You must define either total_steps OR (epochs AND steps_per_epoch)")
    for name, value in given.items():
        if not isinstance(value, int) or value <= 0:
            raise ValueError(f"Expected positive integer {name}, but got {value}")
    return math.prod(given.values())


def _phases(rise: float, total_steps: int, three_phase: bool) -> list[dict]:
    """Where each phase ends, and which entries of a parameter group it leads from and to."""
    path = [(rise - 1, "max_lr", "base_momentum"), (total_steps - 1, "min_lr", "max_momentum")]
    if three_phase:
        path.insert(1, (2 * rise - 2, "initial_lr", "max_momentum"))
    phases, lr, momentum = [], "initial_lr", "max_momentum"
    for end_step, end_lr, end_momentum in path:
        phases.append(dict(end_step=end_step, start_lr=lr, end_lr=end_lr, start_momentum=momentum,
                           end_momentum=end_momentum))
        lr, momentum = end_lr, end_momentum
    return phases
