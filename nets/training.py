"""The training loop that the systems share: a plain loop with a progress bar, a log and checkpoints."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from tqdm import tqdm

import tinygrad_hw as thw
from nets import checkpoint
from nets.bar import Bar
from nets.culprit import first_nonfinite, nonfinite_parameter
from nets.interruption import Interruption
from nets.model_table import describing
from nets.progress import LossLog, Progress, rng_state, set_rng_state
from nets.runs import Conduct

__all__ = ["fit", "predict"]


def fit(net, optimizer, loss_of: Callable, loader, evaluate: Callable, *, epochs: int, run, figure: str,
        quiet: bool = False, after_step: Callable | None = None, judged=None,
        after_epoch: Callable | None = None, remembered=(), enough: Callable | None = None) -> dict:
    """Train a network; log every epoch; keep the best and the last weights in the run's folder.

    The run's ``conduct`` (`nets.runs.Conduct`) says how often the state is stored in the folder ``state``,
    and whether training goes on from there; it then gives the same bits as if it had never stopped.
    Ctrl-C and SIGTERM end the training after the step in progress; everything up to there is saved.

    Args:
        net: a Module.
        optimizer: of its parameters.
        loss_of: ``loss_of(net, batch)`` gives the mean loss of a batch.
        loader: yields the batches of one epoch. If it has ``state_dict`` and ``load_state_dict``, they are
            called at the begin of a pass.
        evaluate: the figures of an epoch, ``{"validation_loss": ..., "validation_<figure>": ...}``; where
            nothing validates, ``validation_<figure>`` is left out and no epoch is the best.
        epochs: passes over the data.
        run: a `nets.runs.Run`.
        figure: name of the figure of merit (larger is better).
        quiet: no progress bar.
        after_step: called after every step of the optimizer (a schedule, an average of the weights). If it
            is a method of an object with ``state_dict``, that object's state is stored and restored, too.
        after_epoch: called when an epoch's row is in the run's history and its weights are kept.
        judged: the network that ``evaluate`` looks at and whose best weights are kept, if it is another
            than the one that is trained (its average).
        remembered: further objects with ``state_dict`` and ``load_state_dict`` that change with the steps.
        enough: ``enough(history)`` ends the training early if it is true (`nets.train.patience`); looked at
            before every epoch, so also by a training that goes on.

    Returns:
        ``best_<figure>``, ``best_epoch``, ``epochs`` done, ``steps``, ``seconds`` of training and
        ``interrupted``.

    Raises:
        FloatingPointError: if the loss stops being a finite number; the text names what made it so.
        ValueError: if the stored state belongs to another training.
    """
    training = _Training(net, optimizer, loader, run, f"validation_{figure}", epochs, judged or net,
                         [*remembered, *_owner(after_step)])
    training.begin()
    loss_of = describing(loss_of, run.path("model.txt"))
    bar = Bar(getattr(run, "name", ""), epochs, len(loader), training.progress.step, quiet)
    with Interruption(training.last_words()) as interruption, bar:
        while training.progress.epoch <= epochs and not training.told_to_end(interruption):
            if enough is not None and enough(run.history):
                break
            if not training.steps(loss_of, after_step, bar, interruption):
                break
            row = training.end_of_epoch(evaluate)
            if after_epoch is not None:
                after_epoch()
            training.store(best=training.best_epoch == row["epoch"])
            shown = {f"validation {figure}": row[training.key]} if training.key in row else {}
            bar.end_of_epoch(row["epoch"], {"loss": row["train_loss"], **shown})
        interrupted = interruption.signal is not None
    if interrupted:
        tqdm.write(f"interrupted by {interruption.signal.name} after step {training.progress.step:,}: "
                   f"everything is saved in {run.path('state')}")
    return {f"best_{figure}": training.best if training.best_epoch else None,
            "best_epoch": training.best_epoch, "epochs": len(run.history), "steps": training.progress.step,
            "seconds": round(training.progress.seconds, 2), "interrupted": interrupted}


class _Training:
    """What `fit` does, piece by piece."""

    def __init__(self, net, optimizer, loader, run, key, epochs, judged, others):
        self.net, self.optimizer, self.run, self.key, self.judged = net, optimizer, run, key, judged
        self.epochs = epochs
        self.conduct = getattr(run, "conduct", None) or Conduct()
        self.team = self.conduct.team
        self.progress = Progress(net, optimizer, loader, others)
        self.checkpoints = checkpoint.Checkpoints(run.path("state"), self.conduct.keep)
        self.log = LossLog(run.path("losses.csv"))
        self.best, self.best_epoch = -math.inf, 0

    def begin(self) -> None:
        """Start, or go on from the newest state that is whole."""
        self.team.join(self.net)
        state = self.team.from_first(self._stored)
        if state is not None:
            self.progress.load_state_dict(state["progress"])
            self.run.restore(state["history"])
            if self.team.rank == 0:
                self.log.cut(state["log_bytes"])
        else:
            self.checkpoints.forget()
            self.log.cut(0)
            self.progress.epoch = len(self.run.history) + 1  # a system may bring epochs of its own
            self.progress.step = (self.progress.epoch - 1) * len(self.progress.loader)
        for row in self.run.history:
            if row.get(self.key, -math.inf) > self.best:
                self.best, self.best_epoch = row[self.key], row["epoch"]

    def told_to_end(self, interruption) -> bool:
        """Whether any process has received a signal: all ask together, so that all end together."""
        _, ending = self.team.agree(0.0, interruption.signal)
        interruption.signal = interruption.signal or ending
        return ending is not None

    def last_words(self) -> str:
        """What a signal is answered with at once: after the death of another process nothing may follow."""
        if self.team.rank > 0:
            return ""
        others = "perhaps because another process of the job has ended; " if self.team.size > 1 else ""
        return f"{others}ending after this step; what is stored stays in {self.run.path('state')}"

    def _stored(self) -> dict | None:
        return self.checkpoints.newest(tqdm.write) if self.conduct.resume else None

    def steps(self, loss_of, after_step, bar, interruption) -> bool:
        """The rest of an epoch; False if a signal came before it was done."""
        net, optimizer, progress = self.net, self.optimizer, self.progress
        every, must_be_finite = self.conduct.checkpoint_every, self.conduct.stop_at_nonfinite
        net.train()
        set_rng_state(self.team.from_first(rng_state))
        batches = progress.passing()
        while True:
            try:
                batch = next(batches, None)
            except RuntimeError:
                if interruption.signal is None or self.team.size > 1:  # others may be in the step already
                    raise
                batch = None  # SIGTERM to the whole group has ended the loader's workers
            if batch is None:
                break
            optimizer.zero_grad()
            share, weight = self.team.share(batch)
            loss = loss_of(net, share)
            if weight != 1.0:
                loss = loss * weight
            loss.backward()
            value, ending = self.team.agree(loss.item(), interruption.signal)
            interruption.signal = interruption.signal or ending  # one that has come meanwhile waits its turn
            if must_be_finite and not math.isfinite(value):
                raise FloatingPointError(
                    f"the loss became {value} in epoch {progress.epoch}, step {progress.step + 1}: "
                    f"{first_nonfinite(net, loss_of, batch, value)} (--allow-nonfinite goes on all the same)")
            optimizer.step()
            if after_step is not None:
                after_step()
            progress.done(value, len(batch[0]))
            self.log.add(progress.epoch, progress.step, value)
            bar.update(len(batch[0]))
            if ending is not None:
                break
            if every and progress.step % every == 0 and progress.batches < len(progress.loader):
                self.store()
        batches.close()
        if interruption.signal is not None and progress.batches < len(progress.loader):
            self.store()
            checkpoint.save(self.run.path("last.safetensors"), net, optimizer, epoch=progress.epoch - 1,
                            interrupted=True)
            return False
        return True

    def end_of_epoch(self, evaluate) -> dict:
        """Judge and log an epoch, keep its weights; its row of the history."""
        progress = self.progress
        epoch, loss = progress.epoch, progress.total / progress.count
        figures = {"train_loss": loss, **self.team.from_first(lambda: evaluate(self.judged))}
        progress.next_epoch()
        self.run.log(epoch=epoch, **figures)
        facts = {"epoch": epoch, self.key: figures.get(self.key)}
        if figures.get(self.key, -math.inf) > self.best:
            self.best, self.best_epoch = figures[self.key], epoch
            checkpoint.save(self.run.path("best.safetensors"), self.judged, **facts)
        checkpoint.save(self.run.path("last.safetensors"), self.net, self.optimizer, **facts)
        return {"epoch": epoch, **figures}

    def store(self, best: bool = False) -> None:
        """Store the state, unless the weights are spoiled."""
        spoiled = nonfinite_parameter(self.net) if self.conduct.stop_at_nonfinite else None
        if spoiled is not None:
            raise FloatingPointError(f"after step {self.progress.step} the parameter {spoiled}; lower the "
                                     "learning rate (--lr), or clip the gradients (--allow-nonfinite goes on "
                                     "all the same)")
        self.checkpoints.write({"progress": self.progress.state_dict(), "history": self.run.history,
                                "log_bytes": self.log.flush(), "run": self.run.facts},
                               self.progress.step, best)


def _owner(after_step) -> list:
    """The object whose method ``after_step`` is, if it has a state."""
    owner = getattr(after_step, "__self__", None)
    return [owner] if hasattr(owner, "state_dict") else []


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
