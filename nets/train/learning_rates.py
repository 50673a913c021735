"""Which learning rate to begin with: one that rises from step to step, and what becomes of the loss."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Callable

import numpy as np

from nets.progress import rng_state, set_rng_state

__all__ = ["RateTest", "rate_test"]

TOO_LARGE = 4.0  # times the smallest loss: beyond it nothing more is learned about rates


@dataclasses.dataclass(frozen=True)
class RateTest:
    """What a test has found.

    Attributes:
        rates: the learning rate of each step, rising.
        losses: running averages of the loss.

    >>> RateTest([0.01, 0.1, 1.0, 10.0], [3.0, 2.9, 1.0, 5.0]).steepest
    1.0
    """

    rates: list[float]
    losses: list[float]

    @property
    def steepest(self) -> float:
        """The rate up to whose step the loss fell fastest: a good largest rate of a schedule."""
        falls = np.diff(self.losses)
        return self.rates[int(falls.argmin()) + 1]


def rate_test(net, optimizer, loss_of: Callable, loader, *, low: float = 1e-6, high: float = 10.0,
              steps: int = 100, smoothing: float = 0.8) -> RateTest:
    """Train a few steps with a learning rate that rises geometrically; then put everything back.

    The network, the optimizer, gradients, modes and random numbers are as before afterwards.

    Args:
        net: a Module.
        optimizer: of its parameters.
        loss_of: ``loss_of(net, batch)`` gives the mean loss of a batch.
        loader: yields batches; it is begun again when it ends.
        low, high: the first and the last rate.
        steps: between them; fewer are made if the loss grows beyond 4 times its smallest value.
        smoothing: share of the average of the losses before in an average.

    Raises:
        ValueError: rates or steps make no sense, the loader is empty, or the first losses are not finite.

    Source: Smith, "Cyclical Learning Rates for Training Neural Networks", 2017, section 3.3.

    >>> import tinygrad_hw as thw
    >>> net = thw.nn.Linear(1, 1)
    >>> optimizer = thw.optim.SGD(net.parameters(), lr=0.5)
    >>> def loss_of(net, x):
    ...     return (net(x) - x).square().mean()
    >>> test = rate_test(net, optimizer, loss_of, [thw.ones(4, 1)], steps=9)
    >>> len(test.rates) == len(test.losses), optimizer.param_groups[0]["lr"]
    (True, 0.5)
    """
    if not 0 < low < high or steps < 2 or not 0 <= smoothing < 1:
        raise ValueError("a test needs 0 < low < high, at least 2 steps and 0 <= smoothing < 1, got "
                         f"low={low}, high={high}, steps={steps}, smoothing={smoothing}")
    weights = {name: value.clone() for name, value in net.state_dict().items()}
    state, random = copy.deepcopy(optimizer.state_dict()), rng_state()
    modes = [(module, module.training) for module in net.modules()]
    try:
        return _rising(net, optimizer, loss_of, loader, np.geomspace(low, high, steps), smoothing)
    finally:
        net.load_state_dict(weights)
        optimizer.load_state_dict(state)
        optimizer.zero_grad()
        for module, training in modes:
            module.training = training
        set_rng_state(random)


def _rising(net, optimizer, loss_of, loader, rates, smoothing):
    net.train()
    found, average, batches = RateTest([], []), 0.0, iter(())
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
        if not math.isfinite(value) or value > TOO_LARGE * min(found.losses, default=math.inf):
            break
        found.rates.append(float(rate))
        found.losses.append(value)
    if len(found.rates) < 2:
        raise ValueError(f"the loss is not finite or explodes at once, at a rate of {rates[0]:.1e}; begin "
                         "with a smaller one (low=...), or look at the inputs")
    return found
