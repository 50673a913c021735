"""What all learning-rate schedules share: counting epochs, setting the rates, saving and loading."""

from __future__ import annotations

import types
import warnings

from tinygrad_hw.optim.optimizer import Optimizer
from tinygrad_hw.tensor import Tensor

__all__ = ["LRScheduler"]

EPOCH_WARNING = ("The epoch parameter in `scheduler.step()` is deprecated: call `scheduler.step()` "
                 "without it. If it is given, the closed form of the schedule is used in place of the "
                 "chainable one.")


def copied(value):
    """The value itself, or the clone of a Tensor (a rate may be a Tensor of one element)."""
    return value.detach().clone() if isinstance(value, Tensor) else value


def group_values(optimizer: Optimizer, name: str) -> list:
    """One option of every parameter group."""
    return [copied(group[name]) for group in optimizer.param_groups]


def set_option(group: dict, name: str, value) -> None:
    """Set an option of a group; a Tensor is filled in place, since others may hold it too."""
    if isinstance(group[name], Tensor):
        group[name].array[...] = float(value)
    else:
        group[name] = value


def per_group(name: str, value, optimizer: Optimizer) -> list:
    """``value`` as a list with one entry for every parameter group.

    Raises:
        ValueError: if a list of another length is given.
    """
    count = len(optimizer.param_groups)
    if not isinstance(value, (list, tuple)):
        return [copied(value) for _ in range(count)]
    if len(value) != count:
        raise ValueError(f"{name} must have the same length as optimizer.param_groups. {name} has "
                         f"{len(value)} values, param_groups has {count}.")
    return [copied(entry) for entry in value]


def check_optimizer(optimizer) -> None:
    """Refuse anything else than an optimizer."""
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")


def saved_function(function):
    """What a checkpoint keeps of a function: nothing, or the attributes of a callable object."""
    return None if isinstance(function, types.FunctionType) else dict(vars(function))


class LRScheduler:
    """Base class: a schedule defines `get_lr`, which returns the rates of epoch ``self.last_epoch``.

    Most schedules are chainable: they change the current rates and so work together on one optimizer.

    Args:
        optimizer: whose groups' ``lr`` to set; their first rate is kept in ``group["initial_lr"]``.
        last_epoch: number of the epoch to resume after; -1 to begin.

    Attributes:
        base_lrs: the groups' initial rates.
        last_epoch: number of calls of `step`, from 0.

    Raises:
        TypeError: if ``optimizer`` is not an `Optimizer`.
        KeyError: if ``last_epoch`` resumes, but a group has no ``initial_lr``.

    Source: https://docs.pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate

    >>> from tinygrad_hw import optim, tensor
    >>> class Halving(LRScheduler):
    ...     def get_lr(self):
    ...         return [rate / 2 ** self.last_epoch for rate in self.base_lrs]
    >>> optimizer = optim.SGD([tensor([1.0])], lr=0.5)
    >>> scheduler = Halving(optimizer)
    >>> optimizer.step()
    >>> scheduler.step()
    >>> scheduler.get_last_lr()
    [0.25]
    """

    _get_lr_called_within_step = False
    _is_initial = False

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1):
        check_optimizer(optimizer)
        self.optimizer = optimizer
        for number, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", copied(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(f"param 'initial_lr' is not specified in param_groups[{number}] when "
                               f"resuming a schedule with last_epoch={last_epoch}; load the optimizer's "
                               "state_dict first, or begin with last_epoch=-1")
        self.base_lrs = group_values(optimizer, "initial_lr")
        self.last_epoch = last_epoch
        if optimizer._stepped is None:
            optimizer._stepped = False  # from now on the optimizer notes its first step
        self._initial_step()

    def _initial_step(self) -> None:
        """Set the rates of the first epoch."""
        self._step_count = 0
        self._is_initial = True
        try:
            self.step()
        finally:
            self._is_initial = False

    def get_last_lr(self) -> list:
        """The rates that this schedule set last, one for every parameter group."""
        return self._last_lr

    def get_lr(self) -> list:
        """The rates of the present epoch, from the groups' current ones; called by `step`."""
        if not self._get_lr_called_within_step:
            warnings.warn("To get the last learning rate computed by the scheduler, please use "
                          "`get_last_lr()`.", UserWarning, stacklevel=2)
        return self._rates()

    def _rates(self) -> list:
        raise NotImplementedError(f"{type(self).__name__} does not define get_lr()")

    def _scaled(self, factor: float) -> list:
        """The groups' current rates times ``factor``."""
        return [group["lr"] * factor for group in self.optimizer.param_groups]

    def step(self, epoch: int | None = None) -> None:
        """Go on to the next epoch and set its rates.

        Args:
            epoch: deprecated; number of the epoch to jump to.
        """
        if self._step_count == 1 and not self.optimizer._stepped:
            warnings.warn("Detected call of `lr_scheduler.step()` before `optimizer.step()`. Call them "
                          "in the opposite order: `optimizer.step()` before `lr_scheduler.step()`. "
                          "Failure to do this skips the first value of the learning rate schedule.",
                          UserWarning, stacklevel=2)
        self._step_count += 1
        if epoch is not None:
            warnings.warn(EPOCH_WARNING, UserWarning, stacklevel=2)
        self._update_lr(epoch)

    def _update_lr(self, epoch: int | None = None) -> None:
        """Set the rates of the next epoch, or of ``epoch`` by the closed form if there is one."""
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        closed = epoch is not None and hasattr(self, "_get_closed_form_lr")
        self._set_rates(self._get_closed_form_lr if closed else self.get_lr)

    def _set_rates(self, compute) -> None:
        self._get_lr_called_within_step = True
        try:
            rates = compute()
        finally:
            self._get_lr_called_within_step = False
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            set_option(group, "lr", rate)
        self._last_lr = group_values(self.optimizer, "lr")

    def state_dict(self) -> dict:
        """All attributes apart from the optimizer."""
        return {name: value for name, value in vars(self).items() if name != "optimizer"}

    def load_state_dict(self, state_dict: dict) -> None:
        """Take over what `state_dict` returned."""
        vars(self).update(state_dict)
