"""The worker process: fetch the batches that the loader asks for, and end when the loader does.

The main thread fetches; a second thread reads the loader's messages, so that the loader never waits
while it sends, and the worker notices at any moment that the loader is gone.
"""

from __future__ import annotations

import os
import pickle
import queue
import random
import signal
import threading
import traceback
from dataclasses import dataclass
from typing import Any

import numpy

from ops.random.generator import default_generator
from tinygrad_hw.utils.data.channel import Channel

__all__ = ["Exhausted", "Failure", "WorkerInfo", "get_worker_info", "worker_loop"]

GRACE_SECONDS = 5.0  # how long a worker may finish what it is doing once the loader is gone

_worker_info: WorkerInfo | None = None


@dataclass(frozen=True)
class WorkerInfo:
    """What a worker knows of itself.

    Attributes:
        id: 0 to ``num_workers - 1``.
        num_workers: how many workers the loader has.
        seed: ``base_seed + id``, from which ``random``, ``numpy.random`` and the global generator of
            tinygrad_hw were seeded; a new one every pass, also with ``persistent_workers``.
        dataset: this process's copy of the dataset.

    >>> WorkerInfo(id=1, num_workers=2, seed=8, dataset="abc").seed
    8
    """

    id: int
    num_workers: int
    seed: int
    dataset: Any


def get_worker_info() -> WorkerInfo | None:
    """The `WorkerInfo` in a worker of a `DataLoader`, None in any other process.

    >>> get_worker_info() is None
    True
    """
    return _worker_info


class Exhausted:
    """Sent in place of a batch: this worker's copy of an `IterableDataset` has no more samples."""


class _ReadableKey(str):
    """KeyError shows the ``repr`` of its argument; this one keeps a long message readable."""

    def __repr__(self):
        return str(self)


class Failure:
    """Sent in place of a batch: an exception, as its type and a text with the worker's traceback.

    >>> failure = Failure(ValueError("bad pixel"), "in DataLoader worker process 0", ("sample index", 3))
    >>> raise failure.exception()
    Traceback (most recent call last):
        ...
    ValueError: Caught ValueError in DataLoader worker process 0.
    It was fetching sample index 3.
    Original ValueError: bad pixel
    """

    def __init__(self, error: Exception, where: str, place=None):
        self.kind = type(error)
        lines = [f"Caught {self.kind.__name__} {where}."]
        if place is not None:
            file = f" ({place[2]})" if len(place) > 2 else ""
            lines.append(f"It was fetching {place[0]} {place[1]!r}{file}.")
        original = "".join(traceback.format_exception(type(error), error, error.__traceback__)).rstrip()
        self.text = "\n".join(lines) + f"\nOriginal {original}"
        try:
            pickle.dumps(self.kind)
        except Exception:  # a class inside a function, say; any error means that it cannot travel
            self.kind = RuntimeError

    def exception(self) -> Exception:
        """An exception of the original type; RuntimeError where its constructor takes no text."""
        text = _ReadableKey(self.text) if issubclass(self.kind, KeyError) else self.text
        try:
            return self.kind(text)
        except Exception:  # user code: its constructor may want other arguments, and fail in any way
            return RuntimeError(text)


class _Inbox:
    """Reads the loader's messages in a thread of its own.

    ``epoch`` is the pass that the loader is in: tasks of an earlier one need no work any more, and None,
    once the loader is gone, makes every task out of date.
    """

    def __init__(self, channel):
        self.messages = queue.SimpleQueue()
        self.epoch = None
        self._channel = channel
        self._parent = os.getppid()
        threading.Thread(target=self._read, name="DataLoader inbox", daemon=True).start()

    def _read(self):
        try:
            # EOF says that the loader closed its end. Only a process forked by C code can hold a copy of
            # that end beyond the loader's death; against it the parent's id is looked at now and then.
            while self._channel.connection.poll(GRACE_SECONDS) or os.getppid() == self._parent:
                if self._channel.connection.poll(0):
                    message = self._channel.receive()
                    self.epoch = message[0]
                    self.messages.put(message)
        except (EOFError, OSError):
            pass
        finally:
            self.epoch = None
            self.messages.put(None)
            last_resort = threading.Timer(GRACE_SECONDS, os._exit, (1,))
            last_resort.daemon = True
            last_resort.start()


def _prepare_process() -> None:
    """Undo what a forked child inherits and must not keep."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the loader's to handle; it ends the workers
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # the parent's handler is not meant for this process
    # The parent's thread pool did not survive the fork. Kernels loaded before know that they are
    # in a forked child and run serially; this is for those loaded later, and for spawned workers, which
    # would otherwise compete for the same cores.
    os.environ["TINYGRAD_HW_NUM_THREADS"] = "1"


def _seed_process(seed: int) -> None:
    random.seed(seed)
    numpy.random.seed(numpy.random.SeedSequence(seed).generate_state(4))
    default_generator.manual_seed(seed)


def worker_loop(connection, worker_id, num_workers, dataset, make_fetcher, worker_init_fn) -> None:
    """The main function of a worker.

    The loader sends ``(epoch, None, base_seed)`` when a pass begins and ``(epoch, task, indices)`` for a
    batch; the worker answers a task with ``(epoch, task, batch)``, where in place of the batch may
    stand a `Failure` or `Exhausted`.

    Args:
        connection: this worker's end of a ``multiprocessing.Pipe()``.
        make_fetcher: called with the dataset and the base seed at the start of each pass.
    """
    global _worker_info
    _prepare_process()
    channel = Channel(connection)
    inbox = _Inbox(channel)
    where = f"in DataLoader worker process {worker_id}"
    broken: Failure | None = None
    fetcher = None

    while (message := inbox.messages.get()) is not None:
        epoch, task, content = message
        if epoch != inbox.epoch:
            continue
        if task is None:
            seed = (content + worker_id) % 2**63
            _seed_process(seed)
            _worker_info = WorkerInfo(worker_id, num_workers, seed, dataset)
            broken = None
            try:
                if worker_init_fn is not None:
                    worker_init_fn(worker_id)
                    worker_init_fn = None  # once in a worker's life
                fetcher = make_fetcher(dataset, seed=content)
            except Exception as error:
                broken = Failure(error, where)
            continue
        try:
            _answer(channel, epoch, task, broken or _fetch(fetcher, content, where), where)
        except (BrokenPipeError, ConnectionResetError):  # the loader closed its end
            return


def _fetch(fetcher, indices, where):
    try:
        return fetcher(indices)
    except StopIteration:
        return Exhausted()
    except Exception as error:
        return Failure(error, where, fetcher.place)


def _answer(channel, epoch, task, result, where) -> None:
    try:
        channel.send((epoch, task, result))
    except OSError:
        raise
    except Exception as error:  # the batch cannot be pickled
        channel.send((epoch, task, Failure(error, where + " while it sent a batch")))
