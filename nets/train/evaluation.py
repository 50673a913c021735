"""A network in evaluation mode: its figures by batches, its outputs for arrays."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import tinygrad_hw as thw

__all__ = ["evaluate", "predict"]


def evaluate(net, loader, **figures: Callable) -> dict[str, float]:
    """Mean figures over all rows of a loader, without recording and in evaluation mode.

    Args:
        net: a Module; its modes are as before afterwards.
        loader: yields batches, whose first entry has a row for each sample.
        figures: ``name=function``; ``function(net, batch)`` gives the mean over the batch.

    Raises:
        ValueError: there is no figure, or the loader yields no batch.

    >>> def error(net, batch):
    ...     return (net(batch[0]) - batch[1]).abs().mean()
    >>> batches = [(thw.zeros(3, 1), thw.ones(3, 1)), (thw.zeros(1, 1), thw.full((1, 1), 5.0))]
    >>> evaluate(thw.nn.Identity(), batches, validation_error=error)
    {'validation_error': 2.0}
    """
    if not figures:
        raise ValueError("name what to compute, such as evaluate(net, loader, validation_loss=loss_of)")
    sums, rows = dict.fromkeys(figures, 0.0), 0
    modes = [(module, module.training) for module in net.modules()]
    net.eval()
    try:
        with thw.no_grad():
            for batch in loader:
                count = len(batch[0])
                for name, figure in figures.items():
                    sums[name] += float(figure(net, batch)) * count
                rows += count
    finally:
        for module, training in modes:
            module.training = training
    if rows == 0:
        raise ValueError("the loader yields no batch to evaluate the network with")
    return {name: total / rows for name, total in sums.items()}


def predict(net, images: np.ndarray, batch_size: int = 500) -> np.ndarray:
    """The network's outputs for all images, without recording and in evaluation mode, where it stays.

    >>> predict(thw.nn.Identity(), np.zeros((3, 2), np.float32)).shape
    (3, 2)
    """
    net.eval()
    with thw.no_grad():
        parts = [net(thw.from_numpy(images[i:i + batch_size])).numpy()
                 for i in range(0, len(images), batch_size)]
    return np.concatenate(parts)
