"""What a run's folder keeps of a training: best and last weights, every loss, states to go on from."""

from __future__ import annotations

from tqdm import tqdm

from nets import checkpoint
from nets.culprit import nonfinite_parameter
from nets.progress import LossLog
from nets.runs import Conduct
from nets.train.callbacks import Callback, best_epoch

__all__ = ["RunFolder"]


class RunFolder(Callback):
    """Keeps a training in the folder of its run, and brings it back; `nets.train.fit` makes one for each run.

    Args:
        run: a `nets.runs.Run`; its ``conduct`` says how often the state is stored, and whether the training
            goes on from one.
    """

    def __init__(self, run):
        self.run, self.conduct = run, getattr(run, "conduct", None) or Conduct()
        self.checkpoints = checkpoint.Checkpoints(run.path("state"), self.conduct.keep)
        self.log = LossLog(run.path("losses.csv"))

    def on_train_begin(self, training) -> None:
        """Go on from the newest state that is whole, or begin anew."""
        state, progress = training.team.from_first(self._stored), training.progress
        if state is not None:
            progress.load_state_dict(state["progress"])
            self.run.restore(state["history"])
            if training.rank == 0:
                self.log.cut(state["log_bytes"])
        else:
            self.checkpoints.forget()
            self.log.cut(0)
            progress.epoch = len(self.run.history) + 1  # a system may bring epochs of its own
            progress.step = (progress.epoch - 1) * len(progress.loader)

    def _stored(self) -> dict | None:
        return self.checkpoints.newest(tqdm.write) if self.conduct.resume else None

    def on_train_batch_end(self, training) -> None:
        """Note the loss; store the state where it is time within an epoch."""
        self.log.add(training.epoch, training.step, training.loss)
        every = self.conduct.checkpoint_every
        if every and training.step % every == 0 and training.progress.batches < len(training.loader):
            self._store(training)

    def on_epoch_end(self, training, row: dict) -> None:
        """Keep the weights, if they are the best also as these, and the state."""
        facts = {"epoch": row["epoch"], training.monitor: row.get(training.monitor)}
        best = best_epoch(training.history, training.monitor) == len(training.history)
        if best:
            checkpoint.save(self.run.path("best.safetensors"), training.judged, **facts)
        checkpoint.save(self.run.path("last.safetensors"), training.net, training.optimizer, **facts)
        self._store(training, best)

    def on_interrupt(self, training) -> None:
        """Store the state within the epoch, and the weights."""
        self._store(training)
        checkpoint.save(self.run.path("last.safetensors"), training.net, training.optimizer,
                        epoch=training.epoch - 1, interrupted=True)

    def _store(self, training, best=False):
        spoiled = nonfinite_parameter(training.net) if self.conduct.stop_at_nonfinite else None
        if spoiled is not None:
            raise FloatingPointError(f"after step {training.step} the parameter {spoiled}; lower the "
                                     "learning rate (--lr), or clip the gradients (--allow-nonfinite goes on "
                                     "all the same)")
        self.checkpoints.write({"progress": training.progress.state_dict(), "history": self.run.history,
                                "log_bytes": self.log.flush(), "run": self.run.facts}, training.step, best)
