"""How objects travel between the loader and a worker: pickled, with the bytes of arrays kept apart.

A `Channel` belongs to one worker alone. Nothing is shared, so there is no lock that a killed worker
could take with it, and there is no feeder thread. Large messages go through an anonymous memory file
whose descriptor is passed along: the worker never waits for the loader to read, and as the file has no
name the kernel frees it however the processes end.
"""

from __future__ import annotations

import os
import pickle
import weakref
from multiprocessing import reduction

import numpy

__all__ = ["Channel"]

# A socket takes about 200 KB before its writer waits. For small messages it is the faster way.
LARGE = 64 * 1024
HAS_MEMORY_FILES = hasattr(os, "memfd_create")

_open_in_loader: weakref.WeakSet[Channel] = weakref.WeakSet()


class Channel:
    """Send and receive objects over a ``multiprocessing`` connection.

    Args:
        connection: one end of ``multiprocessing.Pipe()``.
        in_loader: the loader's end, which must not live on in forked processes.

    >>> import multiprocessing
    >>> here, there = map(Channel, multiprocessing.Pipe())
    >>> here.send({"x": numpy.zeros(100_000)})
    >>> there.receive()["x"].shape
    (100000,)
    """

    def __init__(self, connection, in_loader=False):
        self.connection = connection
        if in_loader:
            _open_in_loader.add(self)

    def send(self, message) -> None:
        """Send one object. An object that cannot be pickled raises before anything is sent."""
        buffers: list[pickle.PickleBuffer] = []
        head = pickle.dumps(message, protocol=5, buffer_callback=buffers.append)
        parts = [head, *(buffer.raw() for buffer in buffers)]
        sizes = [len(part) for part in parts]
        in_file = HAS_MEMORY_FILES and sum(sizes) > LARGE
        self.connection.send((sizes, in_file))
        if in_file:
            self._send_file(parts)
        else:
            for part in parts:
                self.connection.send_bytes(part)

    def receive(self):
        """Wait for the next object. Raises EOFError or OSError when the other end is gone."""
        sizes, in_file = self.connection.recv()
        if in_file:
            parts = self._receive_file(sizes)
        else:
            parts = [self.connection.recv_bytes() for _ in sizes]
            parts[1:] = map(bytearray, parts[1:])  # arrays over bytes would be read-only
        return pickle.loads(parts[0], buffers=parts[1:])

    def close(self) -> None:
        """Close this end; the other end sees EOF."""
        self.connection.close()

    def _send_file(self, parts) -> None:
        descriptor = os.memfd_create("tinygrad_hw batch")
        with open(descriptor, "wb") as file:
            file.writelines(parts)
            file.flush()
            reduction.send_handle(self.connection, descriptor, None)

    def _receive_file(self, sizes):
        # Read into fresh memory rather than map the file: a mapping would hold one descriptor for each
        # batch that the user keeps, and the limit is often 1024.
        parts = [numpy.empty(size, dtype=numpy.uint8) for size in sizes]
        with open(reduction.recv_handle(self.connection), "rb") as file:
            file.seek(0)  # the position is shared with the sender, who left it at the end
            for part in parts:
                if file.readinto(part) != len(part):
                    raise EOFError("the memory file of a batch is shorter than announced")
        return parts


def _close_inherited() -> None:
    """A forked child drops its copies of the loaders' ends: held open they hide a loader's death."""
    for channel in list(_open_in_loader):
        channel.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_inherited)
