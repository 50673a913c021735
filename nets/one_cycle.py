"""Batches in a new order every pass, and a rate that rises and falls once while they are learned from."""

from __future__ import annotations

from tinygrad_hw import optim
from tinygrad_hw.utils.data import DataLoader

__all__ = ["adamw_one_cycle", "shuffled"]


def shuffled(data_set, batch_size: int, workers: int = 0) -> DataLoader:
    """Batches in a new order every pass, full ones only, unless one batch holds all.

    >>> [len(shuffled(range(n), 4)) for n in (3, 4, 9)]
    [1, 1, 2]
    """
    return DataLoader(data_set, batch_size, shuffle=True, num_workers=workers,
                      drop_last=len(data_set) > batch_size)


def adamw_one_cycle(net, loader, *, epochs: int, lr: float, weight_decay: float):
    """AdamW for a network's parameters, and the schedule of its rate, to be stepped after every batch.

    The rate rises to ``lr`` and falls to nearly nothing (Smith and Topin, "Super-convergence", 2018).

    >>> from tinygrad_hw import nn
    >>> net = nn.Linear(1, 1)
    >>> optimizer, schedule = adamw_one_cycle(net, range(10), epochs=10, lr=0.1, weight_decay=0.01)
    >>> rates = [(optimizer.step(), schedule.step(), schedule.get_last_lr()[0])[-1] for _ in range(99)]
    >>> round(max(rates), 6), rates[-1] < 1e-6
    (0.1, True)
    """
    optimizer = optim.AdamW(net.parameters(), lr=lr, weight_decay=weight_decay)
    return optimizer, optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=epochs * len(loader))
