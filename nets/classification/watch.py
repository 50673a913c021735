"""What is watched while a network learns: the running loss, as it is printed, and the gradients' norms.

    watch = Watch(net, len(loader))
    fit(net, optimizer, watch.loss, loader, evaluate, ..., after_step=watch.after_step)
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from tqdm import tqdm

from nets.nist36 import classification_loss
from tinygrad_hw import nn

__all__ = ["Watch", "gradient_norms"]


def gradient_norms(net: nn.Module) -> dict[str, float]:
    """Euclidean norm of the gradient of each convolution's and linear layer's weights, by the layer's name.

    >>> import tinygrad_hw as thw
    >>> net = nn.Sequential(nn.Linear(1, 1))
    >>> net(thw.full((1, 1), 3.0)).sum().backward()
    >>> gradient_norms(net)
    {'0': 3.0}
    """
    return {name: float(np.linalg.norm(layer.weight.grad.numpy()))
            for name, layer in net.named_modules()
            if isinstance(layer, (nn.Conv2d, nn.Linear)) and layer.weight.grad is not None}


class Watch:
    """Prints the mean loss of every ``every`` iterations as the assignment asks, and keeps it.

    Args:
        net: the network that learns.
        iterations: of one epoch.
        every: iterations that a printed mean covers; it starts anew with each epoch.
        quiet: print nothing.
        gradients_every: iterations between two looks at the gradients; 0 for none.
        loss: ``loss(net, batch)``.

    Attributes:
        lines: what was, or would have been, printed.
        running: (iteration, mean loss) pairs.
        norms: (iteration, `gradient_norms`) pairs.

    >>> import tinygrad_hw as thw
    >>> net = nn.Linear(2, 2)
    >>> watch = Watch(net, iterations=4, every=2, quiet=True, loss=lambda net, batch: thw.tensor(batch))
    >>> for value in (1.0, 2.0, 3.0, 5.0, 0.5, 0.5):
    ...     _ = watch.loss(net, value)
    ...     watch.after_step()
    >>> print("\\n".join(watch.lines))
    [epoch: 1, batch:     2] loss: 1.500
    [epoch: 1, batch:     4] loss: 4.000
    [epoch: 2, batch:     2] loss: 0.500
    """

    def __init__(self, net, iterations: int, *, every: int = 100, quiet: bool = False,
                 gradients_every: int = 0, loss: Callable = classification_loss):
        self.net, self.iterations, self.every, self.quiet = net, iterations, every, quiet
        self.gradients_every, self._loss = gradients_every, loss
        self.steps, self.total = 0, 0.0
        self.lines, self.running, self.norms = [], [], []

    def state_dict(self) -> dict:
        """What was watched so far, for a checkpoint."""
        return {name: getattr(self, name) for name in ("steps", "total", "lines", "running", "norms")}

    def load_state_dict(self, state: dict) -> None:
        """Go on from there."""
        vars(self).update(state)

    def loss(self, net, batch):
        """The loss of a batch, remembered until the step is done."""
        self.last = self._loss(net, batch)
        return self.last

    def after_step(self):
        """Count the step; print and look where it is due."""
        if self.gradients_every and self.steps % self.gradients_every == 0:
            self.norms.append((self.steps + 1, gradient_norms(self.net)))
        epoch, place = divmod(self.steps, self.iterations)
        self.total = self.last.item() + (self.total if place else 0.0)
        self.steps += 1
        if (place + 1) % self.every == 0:
            mean, self.total = self.total / self.every, 0.0
            self.running.append((self.steps, mean))
            self.lines.append(f"[epoch: {epoch + 1}, batch: {place + 1:5d}] loss: {mean:.3f}")
            if not self.quiet:
                tqdm.write(self.lines[-1])
