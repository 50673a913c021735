"""Which learning rate to begin with: one that rises from step to step, and what becomes of the loss."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Callable

import numpy as np

from nets.progress import rng_state, set_rng_state
from nets.train.callbacks import Callback

__all__ = ["LearningRateFinder", "LearningRates", "lr_find"]


@dataclasses.dataclass(frozen=True)
class LearningRates:
    """What `lr_find` has found.

    Attributes:
        rates: the learning rate of each step, rising.
        losses: running averages of the loss.

    >>> LearningRates([0.01, 0.1, 1.0, 10.0], [3.0, 2.9, 1.0, 5.0]).suggestion()
    1.0
    """

    rates: list[float]
    losses: list[float]

    def suggestion(self, skip_begin: int = 10) -> float:
        """The rate up to whose step the loss fell fastest: a good largest rate of a schedule.

        Args:
            skip_begin: first steps that are left out, a quarter of all at most: their averages, of few
                batches each, go up and down by chance.
        """
        skipped = min(skip_begin, len(self.losses) // 4)
        return self.rates[skipped + int(np.diff(self.losses[skipped:]).argmin()) + 1]

    def plot(self, path) -> None:
        """Draw the losses by rate, with the suggestion marked, into a PNG."""
        from nets import pictures

        pictures.losses_by_rate(path, self.rates, self.losses, self.suggestion())


def lr_find(net, optimizer, loss_of: Callable, loader, *, min_lr: float = 1e-6, max_lr: float = 10.0,
            num_training: int = 100, smoothing: float = 0.8,
            early_stop_threshold: float = 4.0) -> LearningRates:
    """Train a few steps with a learning rate that rises geometrically; then put everything back.

    The network, the optimizer, gradients, modes and random numbers, also the loader's own, are as before
    afterwards.

    Args:
        net: a Module.
        optimizer: of its parameters.
        loss_of: ``loss_of(net, batch)`` gives the mean loss of a batch.
        loader: yields batches; it is begun again when it ends.
        min_lr, max_lr: the first and the last rate.
        num_training: steps between them.
        smoothing: share of the average of the losses before in an average.
        early_stop_threshold: no further step is made once the average is so many times the smallest one.

    Raises:
        ValueError: rates or steps make no sense, the loader is empty, or the first losses are not finite.

    Source: Smith, "Cyclical Learning Rates for Training Neural Networks", 2017, section 3.3.

    >>> import tinygrad_hw as thw
    >>> net = thw.nn.Linear(1, 1)
    >>> optimizer = thw.optim.SGD(net.parameters(), lr=0.5)
    >>> def loss_of(net, x):
    ...     return (net(x) - x).square().mean()
    >>> found = lr_find(net, optimizer, loss_of, [thw.ones(4, 1)], num_training=9)
    >>> len(found.rates) == len(found.losses), optimizer.param_groups[0]["lr"]
    (True, 0.5)
    """
    if not 0 < min_lr < max_lr or num_training < 2 or not 0 <= smoothing < 1 or not early_stop_threshold > 1:
        raise ValueError("a test needs 0 < min_lr < max_lr, num_training of at least 2, 0 <= smoothing < 1 "
                         f"and early_stop_threshold > 1, got {min_lr}, {max_lr}, {num_training}, {smoothing} "
                         f"and {early_stop_threshold}")
    weights = {name: value.clone() for name, value in net.state_dict().items()}
    state, random = copy.deepcopy(optimizer.state_dict()), rng_state()
    modes = [(module, module.training) for module in net.modules()]
    generator = getattr(loader, "generator", None)
    drawn = None if generator is None else generator.get_state().copy()
    place = loader.state_dict() if hasattr(loader, "load_state_dict") else None
    try:
        rates = np.geomspace(min_lr, max_lr, num_training)
        return _rising(net, optimizer, loss_of, loader, rates, smoothing, early_stop_threshold)
    finally:
        net.load_state_dict(weights)
        optimizer.load_state_dict(state)
        optimizer.zero_grad()
        for module, training in modes:
            module.training = training
        if generator is not None:
            generator.set_state(drawn)
        if place is not None:
            loader.load_state_dict(place)
        set_rng_state(random)


def _rising(net, optimizer, loss_of, loader, rates, smoothing, threshold):
    net.train()
    found, average, batches = LearningRates([], []), 0.0, iter(())
    for step, rate in enumerate(rates, start=1):
        batch = next(batches, None)
        if batch is None:
            batches = iter(loader)
            batch = next(batches, None)
            if batch is None:
                raise ValueError("the loader yields no batch to test rates with")
        for group in optimizer.param_groups:
            group["lr"] = float(rate)
        optimizer.zero_grad()
        loss = loss_of(net, batch)
        loss.backward()
        optimizer.step()
        average = smoothing * average + (1 - smoothing) * loss.item()
        value = average / (1 - smoothing**step)  # without the 0 that the average began with
        if not math.isfinite(value) or value > threshold * min(found.losses, default=math.inf):
            break
        found.rates.append(float(rate))
        found.losses.append(value)
    if len(found.rates) < 2:
        raise ValueError(f"the loss is not finite or explodes at once, at a rate of {rates[0]:.1e}; begin "
                         "with a smaller one (min_lr=...), or look at the inputs")
    return found


class LearningRateFinder(Callback):
    """Begin a training with the rate that `lr_find` suggests for its network, loss and loader.

    Not together with a schedule that was given its rates when it was made; a training that goes on keeps the
    rate that it had.

    Args:
        plot: a PNG to draw the losses into.
        options: those of `lr_find`, such as ``max_lr=1.0``.

    >>> import tinygrad_hw as thw
    >>> from nets.train import fit
    >>> net = thw.nn.Linear(1, 1)
    >>> optimizer = thw.optim.SGD(net.parameters(), lr=1e-9)
    >>> _ = fit(net, optimizer, lambda net, batch: (net(batch[0]) - 3).square().mean(), [(thw.ones(4, 1),)],
    ...         epochs=1, callbacks=[finder := LearningRateFinder(num_training=20)], quiet=True)
    >>> optimizer.param_groups[0]["lr"] == finder.found.suggestion() > 1e-3
    True
    """

    def __init__(self, plot=None, **options):
        self.picture, self.options, self.found = plot, options, None

    def on_train_begin(self, training) -> None:
        """See `Callback.on_train_begin`."""
        if training.step > 0:
            return
        self.found = lr_find(training.net, training.optimizer, training.loss_of, training.loader,
                             **self.options)
        if self.picture is not None:
            self.found.plot(self.picture)
        for group in training.optimizer.param_groups:
            group["lr"] = self.found.suggestion()
