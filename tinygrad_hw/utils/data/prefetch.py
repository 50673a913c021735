"""The loader's side of ``num_workers > 0``: hand out tasks, take in batches, never wait for the dead.

Every worker has its own `Channel`, and at most ``prefetch_factor`` batches that were asked for and not
yet yielded. Workers get their tasks strictly in turn, so which worker makes which batch depends on no
timing.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
import warnings
import weakref
from multiprocessing.connection import wait

from tinygrad_hw.utils.data.channel import Channel
from tinygrad_hw.utils.data.sampler import draw_seed
from tinygrad_hw.utils.data.worker import GRACE_SECONDS, Exhausted, Failure, worker_loop

__all__ = ["WorkerIterator"]


class WorkerIterator:
    """One pass over a `DataLoader` with workers; `restart` begins another with the same workers.

    Dropping the iterator, leaving it half-way, an error of a worker's process and the end of the program
    all end the workers.
    """

    def __init__(self, loader):
        # Not the loader itself: with persistent_workers it holds the iterator, and a cycle would keep
        # the workers alive until the garbage collector comes by.
        self._index_sampler = loader._index_sampler
        self._generator = loader.generator
        self._timeout = loader.timeout
        self._in_order = loader.in_order
        self._prefetch_factor = loader.prefetch_factor
        self._persistent = loader.persistent_workers
        self._epoch = 0
        self._dead = set()  # workers that were found to have died
        self._error = None
        self._processes = []
        self._channels = []
        self._finalizer = weakref.finalize(
            self, _end_workers, os.getpid(), self._processes, self._channels
        )
        try:
            for worker in range(loader.num_workers):
                self._start_worker(loader, worker)
            self.restart()
        except BaseException:
            self.close()
            raise

    def _start_worker(self, loader, worker):
        context = loader.multiprocessing_context
        here, there = context.Pipe()
        # Made before the fork, so that this child closes its copy of the loader's end, too.
        self._channels.append(Channel(here, in_loader=True))
        process = context.Process(
            target=worker_loop,
            args=(
                there,
                worker,
                loader.num_workers,
                loader.dataset,
                loader._make_fetcher,
                loader.worker_init_fn,
            ),
            name=f"DataLoader worker {worker}",
            daemon=True,
        )
        with warnings.catch_warnings():
            # Python 3.12 warns of a fork beside other threads. Ours are the idle ones of the kernels'
            # pool, which hold no lock, and the worker does not touch that pool.
            warnings.filterwarnings("ignore", r".*multi-threaded, use of fork", DeprecationWarning)
            process.start()
        self._processes.append(process)
        there.close()

    def restart(self):
        """Begin a new pass. Batches of the pass before that are still under way are dropped."""
        count = len(self._processes)
        self._epoch += 1
        self._base_seed = draw_seed(self._generator)
        self._indices = iter(self._index_sampler)
        self._turn = list(range(count))  # the workers that still have samples, next one first
        self._asked = 0  # number of tasks sent
        self._yielded = 0  # number of tasks done with
        self._owner = {}  # task -> worker, from sending to yielding
        self._arrived = {}  # task -> batch, waiting to be yielded
        self._pending = [0] * count  # tasks sent to each worker and not yet yielded
        self._unread = [0] * count  # tasks sent to each worker and not yet received
        for worker in range(count):
            self._send(worker, None, self._base_seed)
        self._ask_ahead()

    @property
    def closed(self) -> bool:
        """Whether the workers have been ended."""
        return not self._finalizer.alive

    def close(self):
        """End the workers: they see EOF, may finish for a moment, and are killed if they do not end."""
        self._finalizer()

    def __iter__(self):
        return self

    def __len__(self):
        return len(self._index_sampler)

    def __next__(self):
        if self._error is not None:
            raise RuntimeError(self._error)
        while not self.closed and self._yielded < self._asked:
            task = self._next_task()
            batch = self._arrived.pop(task)
            worker = self._owner.pop(task)
            self._pending[worker] -= 1
            self._yielded += 1
            if isinstance(batch, Exhausted):
                # Taken off here, at this task's turn, and not on arrival: so the order of the batches
                # of an iterable dataset does not depend on timing.
                if worker in self._turn:
                    self._turn.remove(worker)
                self._ask_ahead()
                continue
            self._ask_ahead()
            if isinstance(batch, Failure):
                raise batch.exception()
            return batch
        if not self._persistent:
            self.close()
        raise StopIteration

    def _ask_ahead(self):
        """Send tasks until each worker has its share."""
        while self._turn:
            if not self._in_order:
                self._turn.sort(key=self._pending.__getitem__)
            worker = self._turn[0]
            if self._pending[worker] >= self._prefetch_factor:
                return
            try:
                indices = next(self._indices)
            except StopIteration:
                return
            self._turn.append(self._turn.pop(0))
            task = self._asked
            self._asked += 1
            self._owner[task] = worker
            self._pending[worker] += 1
            self._unread[worker] += 1
            self._send(worker, task, indices)

    def _send(self, worker, task, content):
        try:
            with self._whole_message():
                self._channels[worker].send((self._epoch, task, content))
        except OSError:
            pass  # the worker is dead, which `_receive` finds out and reports

    @contextlib.contextmanager
    def _whole_message(self):
        """Close when a message is cut off, by Ctrl-C say: what follows could not be read any more."""
        try:
            yield
        except (EOFError, OSError):
            raise  # the worker is dead
        except BaseException as error:
            self._error = f"this pass ended in {error!r} between loader and worker; begin a new one"
            self.close()
            raise

    def _next_task(self):
        """The task whose batch comes next, once that batch is here."""
        if not self._in_order:
            while not self._arrived:
                self._check_alive(self._dead)
                self._receive()
            return next(iter(self._arrived))
        while self._yielded not in self._arrived:
            self._check_alive(self._dead & {self._owner[self._yielded]})
            self._receive()
        return self._yielded

    def _receive(self):
        """Wait for messages and take one from every worker that has one."""
        expecting = {worker for worker, count in enumerate(self._unread) if count} - self._dead
        connections = {self._channels[worker].connection: worker for worker in expecting}
        sentinels = {self._processes[worker].sentinel: worker for worker in expecting}
        ready = wait([*connections, *sentinels], self._timeout or None)
        if not ready:
            raise RuntimeError(
                f"DataLoader timed out after {self._timeout} seconds: no worker sent a batch. "
                "Raise timeout, or look for what blocks in the dataset"
            )
        speaking = {connections[item] for item in ready if item in connections}
        for worker in speaking:
            try:
                with self._whole_message():
                    epoch, task, batch = self._channels[worker].receive()
            except (EOFError, OSError):
                self._dead.add(worker)
                continue
            if epoch == self._epoch:
                self._unread[worker] -= 1
                self._arrived[task] = batch
        for worker in {sentinels[item] for item in ready if item in sentinels} - speaking:
            if not self._channels[worker].connection.poll():  # its last words may have come just now
                self._dead.add(worker)

    def _check_alive(self, dead):
        """Raise for one of the ``dead`` workers, if there is one: its batch is waited for in vain."""
        if not dead:
            return
        worker = min(dead)
        process = self._processes[worker]
        process.join(GRACE_SECONDS)
        code = process.exitcode
        reason = f"exit code {code}"
        if code is not None and code < 0:
            try:
                reason += f" (killed by {signal.Signals(-code).name})"
            except ValueError:  # a real-time signal has no name
                reason += f" (killed by signal {-code})"
        if code == -getattr(signal, "SIGKILL", 9):
            reason += "; the system may be out of memory: try fewer workers or smaller batches"
        self._error = f"DataLoader worker {worker} (pid {process.pid}) exited unexpectedly with {reason}"
        self.close()
        raise RuntimeError(self._error)


def _end_workers(owner, processes, channels):
    """Close the channels, wait a moment for the workers to end, kill the rest."""
    if os.getpid() != owner:
        return  # a forked copy of the iterator: the workers are not this process's children
    for channel in channels:
        channel.close()
    deadline = time.monotonic() + GRACE_SECONDS
    for process in processes:
        process.join(max(0.0, deadline - time.monotonic()))
        if process.exitcode is None:
            process.kill()
            process.join()
