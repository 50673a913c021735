"""Schedules made of others: one after another, or several at once."""

from __future__ import annotations

import bisect
from collections.abc import Sequence

from tinygrad_hw.optim.lr_scheduler.base import LRScheduler, group_values, set_option
from tinygrad_hw.optim.lr_scheduler.plateau import ReduceLROnPlateau
from tinygrad_hw.optim.optimizer import Optimizer

__all__ = ["ChainedScheduler", "SequentialLR"]


class _Composed(LRScheduler):
    """What both kinds share: checks, saving and loading."""

    def __init__(self, optimizer: Optimizer | None, schedulers: Sequence[LRScheduler]):
        name = type(self).__name__
        if len(schedulers) < 1:
            raise ValueError(f"{name} expects at least one scheduler, but got no scheduler.")
        optimizer = optimizer or schedulers[0].optimizer
        for number, scheduler in enumerate(schedulers):
            if not hasattr(scheduler, "optimizer"):
                raise TypeError(f"{name} at index {number} should have `optimizer` as its attribute, "
                                f"but got {type(scheduler).__name__}")
            if isinstance(scheduler, ReduceLROnPlateau):
                raise ValueError(f"{name} does not support `ReduceLROnPlateau`, whose step() needs a "
                                 f"metric, but got one at index {number}")
            if scheduler.optimizer is not optimizer:
                raise ValueError(f"{name} expects all schedulers to belong to the same optimizer, but "
                                 f"the {type(scheduler).__name__} at index {number} has another one")
        self._schedulers = schedulers
        self.optimizer = optimizer

    def state_dict(self) -> dict:
        """All attributes apart from the optimizer; of the schedulers their state_dicts."""
        inner = [scheduler.state_dict() for scheduler in self._schedulers]
        return {**super().state_dict(), "_schedulers": inner}

    def load_state_dict(self, state_dict: dict) -> None:
        """Take over what `state_dict` returned."""
        super().load_state_dict({k: v for k, v in state_dict.items() if k != "_schedulers"})
        for scheduler, saved in zip(self._schedulers, state_dict["_schedulers"], strict=True):
            scheduler.load_state_dict(saved)


class SequentialLR(_Composed):
    """One schedule after another: scheduler i + 1 begins at epoch ``milestones[i]``.

    Args:
        optimizer: the one that all schedulers belong to.
        schedulers: in order.
        milestones: epochs at which the next one takes over, one fewer than schedulers.
        last_epoch: epoch to resume after; -1 to begin.

    Raises:
        ValueError: for no schedulers, a wrong number of milestones, a `ReduceLROnPlateau`, or several
            optimizers.
        TypeError: for something that is not a scheduler.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.SequentialLR.html

    >>> from tinygrad_hw.optim import SGD, lr_scheduler
    >>> from tinygrad_hw import tensor
    >>> optimizer = SGD([tensor([1.0])], lr=1.0)
    >>> warmup = lr_scheduler.ConstantLR(optimizer, factor=0.5)
    >>> decay = lr_scheduler.ExponentialLR(optimizer, gamma=0.5)
    >>> scheduler = SequentialLR(optimizer, [warmup, decay], milestones=[2])
    >>> rates = scheduler.get_last_lr()
    >>> for _ in range(3):
    ...     optimizer.step(); scheduler.step()
    ...     rates = rates + scheduler.get_last_lr()
    >>> rates
    [0.5, 0.5, 1.0, 0.5]
    """

    def __init__(self, optimizer: Optimizer, schedulers: list[LRScheduler], milestones: list[int],
                 last_epoch: int = -1):
        super().__init__(optimizer, schedulers)
        if len(milestones) != len(schedulers) - 1:
            raise ValueError("Sequential Schedulers expects number of schedulers provided to be one "
                             f"more than the number of milestone points, but got {len(schedulers)} "
                             f"schedulers and {len(milestones)} milestones")
        self._milestones = milestones
        self.last_epoch = last_epoch + 1
        for group in self.optimizer.param_groups:
            set_option(group, "lr", group["initial_lr"])
        self.recursive_undo()
        first = self._schedulers[bisect.bisect_right(milestones, 0)]
        first._initial_step()
        self._last_lr = first.get_last_lr()

    def recursive_undo(self, sched: LRScheduler | None = None) -> None:
        """Take back the first step that each scheduler made when it was built."""
        scheduler = self if sched is None else sched
        if hasattr(scheduler, "_schedulers"):
            for inner in scheduler._schedulers:
                self.recursive_undo(inner)
        elif hasattr(scheduler, "last_epoch"):
            scheduler.last_epoch -= 1

    def step(self) -> None:
        """Go on to the next epoch and set its rates."""
        self.last_epoch += 1
        index = bisect.bisect_right(self._milestones, self.last_epoch)
        scheduler = self._schedulers[index]
        if index > 0 and self._milestones[index - 1] == self.last_epoch:
            scheduler._update_lr(0)
        else:
            scheduler.step()
        self._last_lr = scheduler.get_last_lr()


class ChainedScheduler(_Composed):
    """Several chainable schedules at once: each changes the rates that the one before has set.

    Args:
        schedulers: in order.
        optimizer: the one that all schedulers belong to; default that of the first.

    Raises:
        ValueError: for no schedulers, a `ReduceLROnPlateau`, or several optimizers.
        TypeError: for something that is not a scheduler.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ChainedScheduler.html

    >>> from tinygrad_hw.optim import SGD, lr_scheduler
    >>> from tinygrad_hw import tensor
    >>> optimizer = SGD([tensor([1.0])], lr=1.0)
    >>> scheduler = ChainedScheduler([lr_scheduler.ConstantLR(optimizer, factor=0.5),
    ...                               lr_scheduler.ExponentialLR(optimizer, gamma=0.5)])
    >>> optimizer.step(); scheduler.step()
    >>> scheduler.get_last_lr()
    [0.25]
    """

    def __init__(self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None):
        super().__init__(optimizer, schedulers)
        self._last_lr = group_values(self.optimizer, "lr")

    def step(self) -> None:
        """Let every scheduler make its step."""
        for scheduler in self._schedulers:
            scheduler.step()
        self._last_lr = group_values(self.optimizer, "lr")
