"""Event files for TensorBoard, with the package tensorboard, which also shows them; an extra."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from nets.train.callbacks import Callback

__all__ = ["TensorBoard", "library"]


class TensorBoard(Callback):
    """Write figures, losses, learning rates and, if wanted, histograms of the weights as event files.

    An epoch's figures are called as in the history, a step's are ``step/loss`` and ``step/learning_rate``;
    all stand at the number of the step. A training that goes on adds a file, and TensorBoard forgets what
    earlier files say of later steps. ``tensorboard --logdir FOLDER`` shows them.

    Args:
        log_dir: the folder, made if missing; several trainings' folders below one can be compared.
        update_freq: steps from one loss to the next; 0 for epochs only.
        histogram_freq: epochs from one histogram of each parameter to the next; 0 for none.

    Raises:
        ImportError: the package tensorboard is not installed.
        ValueError: a frequency is negative.
    """

    def __init__(self, log_dir, update_freq: int = 10, histogram_freq: int = 0):
        if update_freq < 0 or histogram_freq < 0:
            raise ValueError("TensorBoard's frequencies are 0 or more, got "
                             f"update_freq={update_freq}, histogram_freq={histogram_freq}")
        self.log_dir, self.update_freq, self.histogram_freq = Path(log_dir), update_freq, histogram_freq
        self._events, self._summaries, self._file_writer = library()
        self._writer = None

    def on_train_begin(self, training) -> None:
        """Begin a file; of a training that goes on TensorBoard forgets later steps."""
        if training.rank > 0:
            return
        self._writer = self._file_writer(str(self.log_dir))
        if training.step > 0:
            start = self._events.SessionLog(status=self._events.SessionLog.START)
            self._add(training.step + 1, session_log=start)

    def on_train_batch_end(self, training) -> None:
        """Write the step's loss and learning rates."""
        if self.update_freq and training.step % self.update_freq == 0:
            groups = training.optimizer.param_groups
            rates = {f"step/learning_rate{f'/{place}' if len(groups) > 1 else ''}": group["lr"]
                     for place, group in enumerate(groups)}
            self._scalars(training.step, {"step/loss": training.loss, **rates})

    def on_epoch_end(self, training, row: dict) -> None:
        """Write the figures of the row, and histograms where it is time."""
        self._scalars(training.step, {name: value for name, value in row.items() if name != "epoch"})
        if self._writer and self.histogram_freq and row["epoch"] % self.histogram_freq == 0:
            self._histograms(training.step, training.net)
        if self._writer:
            self._writer.flush()

    def on_train_end(self, training) -> None:
        """Close the file."""
        if self._writer:
            self._writer.close()
            self._writer = None

    def _scalars(self, step, figures):
        values = [self._summaries.Summary.Value(tag=name, simple_value=float(value))
                  for name, value in figures.items() if isinstance(value, (int, float, np.number))]
        self._add(step, summary=self._summaries.Summary(value=values))

    def _histograms(self, step, net):
        arrays = ((name, parameter.detach().numpy()) for name, parameter in net.named_parameters())
        finite = ((name, values[np.isfinite(values)]) for name, values in arrays)
        self._add(step, summary=self._summaries.Summary(value=[
            self._summaries.Summary.Value(tag=name, histo=self._histogram(values))
            for name, values in finite if values.size]))

    def _histogram(self, values):
        counts, edges = np.histogram(values, bins=30)
        return self._summaries.HistogramProto(
            min=values.min(), max=values.max(), num=values.size, sum=values.sum(),
            sum_squares=np.square(values, dtype=np.float64).sum(),
            bucket_limit=edges[1:].tolist(), bucket=counts.tolist())

    def _add(self, step, **content):
        if self._writer:
            self._writer.add_event(self._events.Event(wall_time=time.time(), step=step, **content))


def library():
    """The modules of events and of summaries and the writer of files; ImportError tells how to get them."""
    try:
        from tensorboard.compat.proto import event_pb2, summary_pb2
        from tensorboard.summary.writer.event_file_writer import EventFileWriter
    except ImportError as error:
        raise ImportError("event files need the package tensorboard; pip install '.[tensorboard]', or pip "
                          "install tensorboard") from error
    return event_pb2, summary_pb2, EventFileWriter
