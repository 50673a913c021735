"""What happens around the steps of `nets.train.fit`: callbacks, with the names that they have elsewhere.

A `Callback` may overwrite any of five methods.  One with ``state_dict`` and ``load_state_dict`` is stored
with a run's state and goes on with it.
"""

from __future__ import annotations

import math
from pathlib import Path

from nets import checkpoint
from nets.bar import Bar

__all__ = ["BestModel", "Callback", "EarlyStopping", "ModelCheckpoint", "ProgressBar", "best_epoch"]


class Callback:
    """The base of all callbacks: does nothing, whenever it is called.

    Every method is given the `nets.train.Training`: its network, optimizer, history and counters, and `stop`.

    >>> from nets.train import fit
    >>> import tinygrad_hw as thw
    >>> class Shout(Callback):
    ...     def on_epoch_end(self, training, row):
    ...         print(f"epoch {row['epoch']} done, step {training.step}")
    >>> net, data = thw.nn.Linear(1, 1), [(thw.ones(4, 1),)]
    >>> _ = fit(net, thw.optim.SGD(net.parameters(), 0.1), lambda net, batch: net(batch[0]).square().mean(),
    ...         data, epochs=2, quiet=True, callbacks=[Shout()])
    epoch 1 done, step 1
    epoch 2 done, step 2
    """

    def on_train_begin(self, training) -> None:
        """Before the first step, also of a training that goes on: its state is back already."""

    def on_train_batch_end(self, training) -> None:
        """After a step of the optimizer; ``training.loss`` and ``training.rows`` are those of its batch."""

    def on_epoch_end(self, training, row: dict) -> None:
        """After an epoch; ``row`` is what the history has of it."""

    def on_interrupt(self, training) -> None:
        """Ctrl-C or SIGTERM has ended the training within an epoch."""

    def on_train_end(self, training) -> None:
        """In the end, also after an error."""


class ProgressBar(Callback):
    """A bar on a terminal, a plain line an epoch anywhere else, both on stderr (`nets.bar.Bar`)."""

    def on_train_begin(self, training) -> None:
        """See `Callback.on_train_begin`."""
        self.bar = Bar(training.name, training.epochs, len(training.loader), training.step)

    def on_train_batch_end(self, training) -> None:
        """See `Callback.on_train_batch_end`."""
        self.bar.update(training.rows)

    def on_epoch_end(self, training, row: dict) -> None:
        """See `Callback.on_epoch_end`."""
        key = training.monitor
        shown = {key.replace("_", " "): row[key]} if row.get(key) is not None else {}
        self.bar.end_of_epoch(row["epoch"], {"loss": row["train_loss"], **shown})

    def on_train_end(self, training) -> None:
        """See `Callback.on_train_end`."""
        self.bar.close()


# ------------------------------------------------------------------ what becomes better


def best_epoch(history: list[dict], monitor: str, min_delta: float = 0.0) -> int:
    """The place in a history of the last row that was better than all before it, counted from 1; 0 for none.

    Args:
        history: rows such as ``{"epoch": 1, "validation_loss": 0.5}``; a row without the figure, or with NaN,
            is not better.
        monitor: the figure; smaller is better if its name ends in "loss" or "error", else larger.
        min_delta: by how much better is better.

    >>> best_epoch([{"validation_loss": loss} for loss in (3.0, 2.0, 2.5)], "validation_loss")
    2
    """
    sign = -1.0 if monitor.endswith(("loss", "error")) else 1.0
    best, place = -math.inf, 0
    for number, row in enumerate(history, start=1):
        value = row.get(monitor)
        if value is not None and sign * value > best + min_delta:
            best, place = sign * value, number
    return place


class EarlyStopping(Callback):
    """End a training whose figure has not become better for some epochs.

    It looks at the history only, so a training that was interrupted ends where it would have.

    Args:
        monitor: the figure; see `best_epoch`.
        patience: how many epochs may pass without a better one.
        min_delta: by how much a better figure must be better.

    Raises:
        ValueError: ``patience`` is not positive, or ``min_delta`` negative.

    Source: Prechelt, "Early stopping - but when?", 1998.

    >>> stopping = EarlyStopping("validation_loss", patience=2)
    >>> history = [{"validation_loss": loss} for loss in (3.0, 2.0, 2.5, 2.1)]
    >>> stopping.has_enough(history[:3]), stopping.has_enough(history)
    (False, True)
    """

    def __init__(self, monitor: str = "validation_loss", patience: int = 5, min_delta: float = 0.0):
        if patience < 1 or not min_delta >= 0:
            raise ValueError("early stopping needs a positive patience and no negative min_delta, got "
                             f"{patience} and {min_delta}")
        self.monitor, self.patience, self.min_delta = monitor, patience, min_delta

    def has_enough(self, history: list[dict]) -> bool:
        """Whether the training with this history should end.

        Raises ValueError if there is a history and no row of it has the figure.
        """
        _check(self.monitor, history)
        return len(history) - best_epoch(history, self.monitor, self.min_delta) >= self.patience

    def on_train_begin(self, training) -> None:
        """See `Callback.on_train_begin`."""
        if training.history:
            self.on_epoch_end(training, training.history[-1])

    def on_epoch_end(self, training, row: dict) -> None:
        """See `Callback.on_epoch_end`."""
        if self.has_enough(training.history):
            training.stop()


class BestModel(Callback):
    """Leave the network with the weights of its best epoch when the training ends.

    Args:
        monitor: the figure; see `best_epoch`.

    >>> from nets.train import fit
    >>> import tinygrad_hw as thw
    >>> net = thw.nn.Linear(1, 1, bias=False)
    >>> def loss_of(net, batch):                   # a rate at which the weight runs away from 0
    ...     return net(batch[0]).square().mean()
    >>> def evaluate(net):
    ...     return {"validation_loss": net.weight.item() ** 2}
    >>> _ = fit(net, thw.optim.SGD(net.parameters(), 1.5), loss_of, [(thw.ones(4, 1),)], evaluate, epochs=3,
    ...         callbacks=[best := BestModel()], quiet=True)
    >>> best.epoch, net.weight.item() ** 2 == best.value
    (1, True)
    """

    def __init__(self, monitor: str = "validation_loss"):
        self.monitor = monitor
        self.epoch, self.value, self.weights = 0, None, {}

    def on_epoch_end(self, training, row: dict) -> None:
        """See `Callback.on_epoch_end`."""
        if _is_best(self.monitor, training.history):
            self.epoch, self.value = row["epoch"], row[self.monitor]
            self.weights = {name: value.clone() for name, value in training.judged.state_dict().items()}

    def on_train_end(self, training) -> None:
        """See `Callback.on_train_end`."""
        if self.weights:
            training.judged.load_state_dict(self.weights)

    def state_dict(self) -> dict:
        """What a stored state holds of it."""
        return {"epoch": self.epoch, "value": self.value, "weights": self.weights}

    def load_state_dict(self, state: dict) -> None:
        """Go on from there."""
        self.epoch, self.value, self.weights = state["epoch"], state["value"], dict(state["weights"])


class ModelCheckpoint(Callback):
    """Keep the network, the optimizer and the figures in files that `nets.checkpoint.load` reads.

    A run (``fit(..., run=Run(...))``) keeps its best and last weights by itself, and all that it needs to go
    on; this is for more, or without one.

    Args:
        path: of the files; figures of the row fill it, as in ``"net-{epoch:03d}-{validation_loss:.2f}"``.
        monitor: the figure, if only epochs are kept that are better than all before; see `best_epoch`.

    >>> from nets.train import fit
    >>> import tempfile
    >>> import tinygrad_hw as thw
    >>> folder, net = Path(tempfile.mkdtemp()), thw.nn.Linear(1, 1)
    >>> _ = fit(net, thw.optim.SGD(net.parameters(), 0.1), lambda net, batch: net(batch[0]).square().mean(),
    ...         [(thw.ones(4, 1),)], epochs=2, quiet=True,
    ...         callbacks=[ModelCheckpoint(folder / "net-{epoch}.safetensors")])
    >>> sorted(path.name for path in folder.iterdir())
    ['net-1.safetensors', 'net-2.safetensors']
    >>> checkpoint.load(folder / "net-2.safetensors", net)["epoch"]
    2
    """

    def __init__(self, path, monitor: str | None = None):
        self.path, self.monitor = str(path), monitor

    def on_epoch_end(self, training, row: dict) -> None:
        """See `Callback.on_epoch_end`."""
        if training.rank == 0 and (self.monitor is None or _is_best(self.monitor, training.history)):
            try:
                path = Path(self.path.format(**row))
            except (KeyError, ValueError, IndexError) as error:
                raise ValueError(f"the path {self.path!r} cannot be filled ({error}); an epoch has "
                                 f"{', '.join(row)}") from error
            path.parent.mkdir(parents=True, exist_ok=True)
            checkpoint.save(path, training.judged, training.optimizer, **row)


def _is_best(monitor, history):
    _check(monitor, history)
    return best_epoch(history, monitor) == len(history)


def _check(monitor, history):
    if history and all(monitor not in row for row in history):
        raise ValueError(f"there is no figure {monitor!r} to monitor; the rows of the history have "
                         f"{', '.join(history[-1])}")
