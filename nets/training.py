"""The training loop that the systems share: a plain loop with a progress bar, a log and checkpoints."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np
from tqdm import tqdm

import tinygrad_hw as thw
from nets import checkpoint

__all__ = ["fit", "predict"]


def fit(net, optimizer, loss_of: Callable, loader, evaluate: Callable, *, epochs: int, run, figure: str,
        quiet: bool = False, after_step: Callable | None = None, judged=None,
        after_epoch: Callable | None = None) -> dict:
    """Train a network; log every epoch; keep the best and the last weights in the run's folder.

    Ctrl-C ends the training after the step in progress; everything up to there is saved. Epochs that the
    run's history holds already are not repeated.

    Args:
        net: a Module.
        optimizer: of its parameters.
        loss_of: ``loss_of(net, batch)`` gives the mean loss of a batch.
        loader: yields the batches of one epoch.
        evaluate: the figures of an epoch, ``{"validation_loss": ..., "validation_<figure>": ...}``.
        epochs: passes over the data.
        run: a `nets.runs.Run`.
        figure: name of the figure of merit (larger is better).
        quiet: no progress bar.
        after_step: called after every step of the optimizer (a schedule, an average of the weights).
        after_epoch: called when an epoch's row is in the run's history and its weights are kept.
        judged: the network that ``evaluate`` looks at and whose best weights are kept, if it is another
            than the one that is trained (its average).

    Returns:
        ``best_<figure>``, ``best_epoch``, ``epochs`` done, ``steps``, ``seconds`` of training and
        ``interrupted``.

    Raises:
        FloatingPointError: if the loss stops being a number; the text says where.
    """
    key, done = f"validation_{figure}", len(run.history)
    best, best_epoch, steps, seconds = -math.inf, 0, 0, 0.0
    for row in run.history:
        if row[key] > best:
            best, best_epoch = row[key], row["epoch"]
    interrupted = False
    bar = tqdm(total=(epochs - done) * len(loader), unit="step", disable=quiet, dynamic_ncols=True)
    try:
        for epoch in range(done + 1, epochs + 1):
            net.train()
            started, total, count = time.perf_counter(), 0.0, 0
            for batch in loader:
                optimizer.zero_grad()
                loss = loss_of(net, batch)
                loss.backward()
                optimizer.step()
                if after_step is not None:
                    after_step()
                value, rows = loss.item(), len(batch[0])
                if not math.isfinite(value):
                    raise FloatingPointError(f"the loss became {value} in epoch {epoch}, step "
                                             f"{steps + 1}; lower the learning rate (--lr)")
                total, count, steps = total + value * rows, count + rows, steps + 1
                bar.update()
            seconds += time.perf_counter() - started
            figures = {"train_loss": total / count, **evaluate(judged or net)}
            run.log(epoch=epoch, **figures)
            facts = {"epoch": epoch, key: figures[key]}
            if figures[key] > best:
                best, best_epoch = figures[key], epoch
                checkpoint.save(run.path("best.safetensors"), judged or net, **facts)
            checkpoint.save(run.path("last.safetensors"), net, optimizer, **facts)
            if after_epoch is not None:
                after_epoch()
            bar.set_postfix({"epoch": f"{epoch}/{epochs}", "loss": f"{total / count:.3f}",
                             figure: f"{figures[key]:.3f}"})
    except KeyboardInterrupt:
        interrupted = True
        checkpoint.save(run.path("last.safetensors"), net, optimizer, epoch=best_epoch, interrupted=True)
        tqdm.write(f"interrupted: the weights are saved in {run.path('last.safetensors')}")
    finally:
        bar.close()
    return {f"best_{figure}": best if best_epoch else None, "best_epoch": best_epoch,
            "epochs": len(run.history), "steps": steps, "seconds": round(seconds, 2),
            "interrupted": interrupted}


def predict(net, images: np.ndarray, batch_size: int = 500) -> np.ndarray:
    """The network's outputs for all images, without recording and in evaluation mode.

    >>> predict(thw.nn.Identity(), np.zeros((3, 2), np.float32)).shape
    (3, 2)
    """
    net.eval()
    with thw.no_grad():
        parts = [net(thw.from_numpy(images[i:i + batch_size])).numpy()
                 for i in range(0, len(images), batch_size)]
    return np.concatenate(parts)
