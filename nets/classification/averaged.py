"""Training whose result is a running average of the weights (Polyak and Juditsky, 1992).

AdamW, one rise and fall of the rate, smoothed labels if wanted; what is judged is always the average.
"""

from __future__ import annotations

from collections.abc import Callable

from nets.handwriting import AveragedWeights
from nets.one_cycle import adamw_one_cycle, shuffled
from nets.train import fit
from tinygrad_hw import nn
from tinygrad_hw.nn import functional as F
from tinygrad_hw.utils.data import Dataset

__all__ = ["train_averaged"]


def train_averaged(run, build: Callable[[], nn.Module], changed: Dataset, judge: Callable, *, epochs: int,
                   batch_size: int, lr: float, weight_decay: float, decay: float, smoothing: float = 0.0,
                   workers: int = 0, quiet: bool = False) -> tuple[nn.Module, dict]:
    """Train a network and judge the average of its weights after every epoch.

    Args:
        run: a `nets.runs.Run`.
        build: makes the network.
        changed: the training pictures as it sees them.
        judge: ``judge(net)`` gives the figures of an epoch.
        epochs, batch_size: as usual.
        lr, weight_decay: the largest rate, and the decay of the weights, of AdamW.
        decay: of the average (`AveragedWeights`).
        smoothing: share of a label that is spread over all classes.
        workers, quiet: as in `nets.classification.coco.CocoNets.run`.

    Returns:
        The network with the averaged weights, and the results of `nets.train.fit` with the number of
        ``parameters``.
    """
    net, twin = build(), build()
    averaged = AveragedWeights(net, decay)
    loader = shuffled(changed, batch_size, workers)
    optimizer, schedule = adamw_one_cycle(net, loader, epochs=epochs, lr=lr, weight_decay=weight_decay)

    def loss_of(net, batch):
        images, labels = batch
        return F.cross_entropy(net(images), labels, label_smoothing=smoothing)

    def after_step():
        schedule.step()
        averaged.update()

    results = fit(net, optimizer, loss_of, loader, lambda net: judge(averaged.into(twin)), epochs=epochs,
                  run=run, figure="accuracy", quiet=quiet, after_step=after_step, judged=twin,
                  remembered=(schedule, averaged))
    results["parameters"] = sum(p.numel() for p in net.parameters())
    return averaged.into(twin), results
