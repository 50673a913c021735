"""The training loop that the systems share: a plain loop with callbacks around it."""

from __future__ import annotations

import math
from collections.abc import Callable

from tqdm import tqdm

from nets.culprit import first_nonfinite
from nets.interruption import Interruption
from nets.model_table import describing
from nets.progress import Progress, rng_state, set_rng_state
from nets.runs import Conduct
from nets.train.callbacks import Callback, ProgressBar, best_epoch
from nets.train.folder import RunFolder
from nets.train.tensorboard import TensorBoard

__all__ = ["Training", "fit"]


def fit(net, optimizer, loss_of: Callable, loader, evaluate: Callable | None = None, *, epochs: int, run=None,
        figure: str = "loss", callbacks=(), quiet: bool = False, after_step: Callable | None = None,
        judged=None, after_epoch: Callable | None = None, remembered=()) -> dict:
    """Train a network; with a run, log every epoch and keep the best and the last weights in its folder.

    The run's ``conduct`` (`nets.runs.Conduct`) says how often the state is stored in the folder ``state``,
    and whether training goes on from there; it then gives the same bits as if it had never stopped.
    Ctrl-C and SIGTERM end the training after the step in progress; everything up to there is saved.
    Without a run no file is written.

    Args:
        net: a Module.
        optimizer: of its parameters.
        loss_of: ``loss_of(net, batch)`` gives the mean loss of a batch.
        loader: yields the batches of one epoch. If it has ``state_dict`` and ``load_state_dict``, they are
            called at the begin of a pass.
        evaluate: ``evaluate(net)`` gives the figures of an epoch, ``{"validation_loss": ...,
            "validation_<figure>": ...}``; where nothing validates, ``validation_<figure>`` is left out and no
            epoch is the best.
        epochs: passes over the data.
        run: a `nets.runs.Run`; None keeps nothing.
        figure: what the best epoch is the best in; larger is better, but for "loss" or "error" at its end.
        callbacks: `nets.train.Callback` objects, called in this order.
        quiet: no progress bar.
        after_step: called after every step of the optimizer (a schedule, an average of the weights). If it
            is a method of an object with ``state_dict``, that object's state is stored and restored, too.
        judged: the network that ``evaluate`` looks at and whose best weights are kept, if it is another
            than the one that is trained (its average).
        after_epoch: called when an epoch's row is in the run's history.
        remembered: further objects with ``state_dict`` and ``load_state_dict`` that change with the steps.

    Returns:
        ``best_<figure>``, ``best_epoch``, ``epochs`` done, ``steps``, ``seconds`` of training and
        ``interrupted``.

    Raises:
        FloatingPointError: if the loss stops being a finite number; the text names what made it so.
        ValueError: if the stored state belongs to another training.

    >>> import tinygrad_hw as thw
    >>> net, data = thw.nn.Linear(1, 1), [(thw.ones(4, 1), thw.full((4, 1), 3.0))]
    >>> def loss_of(net, batch):
    ...     return (net(batch[0]) - batch[1]).square().mean()
    >>> results = fit(net, thw.optim.SGD(net.parameters(), lr=0.1), loss_of, data, epochs=50, quiet=True)
    >>> results["steps"], round(net(thw.ones(1)).item(), 2)
    (50, 3.0)
    """
    training = Training(net, optimizer, loss_of, loader, epochs, run, f"validation_{figure}", judged or net)
    training.callbacks = [*callbacks, *training.of_conduct(), *([] if quiet else [ProgressBar()])]
    training.progress.others += [*remembered, *_owner(after_step),
                                 *(each for each in callbacks if hasattr(each, "state_dict"))]
    training.begin()
    with Interruption(training.last_words()) as interruption:
        try:
            while training.epoch <= epochs and not training.told_to_end(interruption):
                if not training.steps(after_step, interruption):
                    training.tell("on_interrupt")
                    break
                training.end_of_epoch(evaluate, after_epoch)
        finally:
            training.tell("on_train_end")
        interrupted = interruption.signal is not None
    if interrupted and run is not None:
        tqdm.write(f"interrupted by {interruption.signal.name} after step {training.step:,}: everything is "
                   f"saved in {run.path('state')}")
    best = best_epoch(training.history, training.monitor)
    row = training.history[best - 1] if best else {}
    return {f"best_{figure}": row.get(training.monitor), "best_epoch": row.get("epoch", 0),
            "epochs": len(training.history), "steps": training.step,
            "seconds": round(training.progress.seconds, 2), "interrupted": interrupted}


class Training:
    """A training, as its callbacks see it.

    Attributes:
        net, optimizer, loss_of, loader, epochs: as given to `fit`.
        judged: the network that is evaluated; the trained one or its average.
        run: the `nets.runs.Run`, or None.
        monitor: name of the figure that the best epoch is the best in.
        history: a row for each epoch, ``{"epoch": 1, "train_loss": ..., ...}``.
        loss, rows: of the last step.
        stopped: whether `stop` was called.
    """

    def __init__(self, net, optimizer, loss_of, loader, epochs, run, monitor, judged):
        self.net, self.optimizer, self.loss_of, self.loader = net, optimizer, loss_of, loader
        self.epochs, self.run, self.monitor, self.judged = epochs, run, monitor, judged
        self.history: list[dict] = [] if run is None else run.history
        self.loss, self.rows, self.stopped = math.nan, 0, False
        self.callbacks: list[Callback] = []
        self.conduct = getattr(run, "conduct", None) or Conduct()
        self.team = self.conduct.team
        self.progress = Progress(net, optimizer, loader)
        self.keeper = Callback() if run is None else RunFolder(run)

    @property
    def name(self) -> str:
        """Of the run, or of its part; "" without one."""
        return getattr(self.run, "name", "")

    @property
    def epoch(self) -> int:
        """Number of the epoch in progress, from 1."""
        return self.progress.epoch

    @property
    def step(self) -> int:
        """Steps done, of all epochs."""
        return self.progress.step

    @property
    def rank(self) -> int:
        """Of this process among those that train together; 0 writes the files."""
        return self.team.rank

    def stop(self) -> None:
        """Let this epoch be the last one."""
        self.stopped = True

    # ------------------------------------------------------------------ what fit does, piece by piece

    def of_conduct(self) -> list[Callback]:
        """The callbacks that the run asks for."""
        wanted = self.conduct.tensorboard and self.rank == 0
        return [TensorBoard(self.run.path("tensorboard"))] if wanted else []

    def tell(self, what: str, *arguments) -> None:
        """Call a method of all callbacks; the run's folder comes last, when all have done their work."""
        for callback in (*self.callbacks, self.keeper):
            getattr(callback, what)(self, *arguments)

    def begin(self) -> None:
        """Start, or go on from the newest state that is whole."""
        self.team.join(self.net)
        self.keeper.on_train_begin(self)
        for callback in self.callbacks:
            callback.on_train_begin(self)
        if self.run is not None:
            self.loss_of = describing(self.loss_of, self.run.path("model.txt"))

    def told_to_end(self, interruption) -> bool:
        """Whether a callback or a signal ends it; all processes ask together, so that all end together."""
        _, ending = self.team.agree(0.0, interruption.signal)
        interruption.signal = interruption.signal or ending
        return ending is not None or self.stopped

    def last_words(self) -> str:
        """What a signal is answered with at once: after the death of another process nothing may follow."""
        if self.rank > 0:
            return ""
        others = "perhaps because another process of the job has ended; " if self.team.size > 1 else ""
        kept = "" if self.run is None else f"; what is stored stays in {self.run.path('state')}"
        return f"{others}ending after this step{kept}"

    def steps(self, after_step, interruption) -> bool:
        """The rest of an epoch; False if a signal came before it was done."""
        net, optimizer, progress = self.net, self.optimizer, self.progress
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
            loss = self.loss_of(net, share)
            if weight != 1.0:
                loss = loss * weight
            loss.backward()
            self.loss, ending = self.team.agree(loss.item(), interruption.signal)
            interruption.signal = interruption.signal or ending  # one that has come meanwhile waits its turn
            if self.conduct.stop_at_nonfinite and not math.isfinite(self.loss):
                raise FloatingPointError(
                    f"the loss became {self.loss} in epoch {self.epoch}, step {self.step + 1}: "
                    f"{first_nonfinite(net, self.loss_of, batch, self.loss)} (--allow-nonfinite goes on all "
                    "the same)")
            optimizer.step()
            if after_step is not None:
                after_step()
            self.rows = len(batch[0])
            progress.done(self.loss, self.rows)
            self.tell("on_train_batch_end")
            if ending is not None:
                break
        batches.close()
        return interruption.signal is None or progress.batches >= len(self.loader)

    def end_of_epoch(self, evaluate, after_epoch) -> None:
        """Judge and log an epoch, and tell its row."""
        progress = self.progress
        row = {"epoch": progress.epoch, "train_loss": progress.total / progress.count}
        if evaluate is not None:
            row.update(self.team.from_first(lambda: evaluate(self.judged)))
        progress.next_epoch()
        if self.run is None:
            self.history.append(row)
        else:
            self.run.log(**row)
        if after_epoch is not None:
            after_epoch()
        self.tell("on_epoch_end", row)


def _owner(after_step) -> list:
    """The object whose method ``after_step`` is, if it has a state."""
    owner = getattr(after_step, "__self__", None)
    return [owner] if hasattr(owner, "state_dict") else []
