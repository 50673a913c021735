"""Give damaged files to a parser and look: exceptions, commands, memory, files left behind."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import signal
import sys
import tempfile
import time
import tracemalloc
import warnings
from collections import Counter
from pathlib import Path

from tests.fuzz.mutation import mutated
from tests.fuzz.parsers import PARSERS
from tests.fuzz.seeds import CANARY

__all__ = ["Finding", "damaged", "fuzz", "judge", "layers_of"]

_FORBIDDEN = {"os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "subprocess.Popen",
              "pty.spawn", "socket.connect", "socket.bind", "os.remove", "os.rename", "os.chmod",
              "shutil.rmtree", "ctypes.dlopen"}
_ADDRESS_SPACE = 3 * 2**30
MEASURED = 20  # every so many inputs memory is traced, which takes three times as long
_LOOSE = 2**26  # bytes by which a process may grow beyond what one file may take: caches, gaps in memory
_SLOW = 20  # seconds that one input may take before it counts as a hang
_IN_MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") else None  # a disk takes ten times as long
_watched: dict = {"events": None}


class Finding(AssertionError):
    """A parser did what it must not do; ``content`` is the file."""

    def __init__(self, text, content):
        super().__init__(text)
        self.content = content


def fuzz(name: str, inputs: int, seed: int = 0, seconds: float = float("inf")) -> Counter:
    """Give ``inputs`` damaged files to a parser, or as many as there is time for.

    Returns how many were given, how many read, how many refused with which error, and the largest ``memory``
    that was measured, in bytes.  Raises `Finding`.
    """
    parser, dice = PARSERS[name], random.Random(f"{name} {seed}")
    whole = parser.seeds()
    layered = [layer for content in whole for layer in layers_of(parser, content)]
    counts, deadline = Counter(), time.monotonic() + seconds
    with judge(name) as give:
        for number in range(inputs):
            if time.monotonic() > deadline:
                break
            layer = dice.choice(layered) if layered and dice.random() < 0.5 else None
            give(damaged(dice.choice(whole), layer, dice, whole, parser.tokens), counts,
                 number % MEASURED == 0)
    return counts


@contextlib.contextmanager
def judge(name: str):
    """Yields a function of (content, counts, whether to measure memory) that gives a file to a parser.

    It raises `Finding` if the parser does what it must not do.  Everything happens in a folder of its own.
    """
    parser = PARSERS[name]
    _watch()
    with tempfile.TemporaryDirectory(dir=_IN_MEMORY) as folder, warnings.catch_warnings(), _Here(folder):
        warnings.simplefilter("ignore")
        path = Path(folder) / parser.name
        for content in parser.seeds():  # loads what is imported late
            _one(parser, path, content, Counter(), True)
        before = _largest()

        def give(content, counts, measured):
            _one(parser, path, content, counts, measured)
            grown = _largest() - before
            if grown > parser.times * len(content) + parser.plus + _LOOSE:  # with what C libraries take
                raise Finding(f"the process grew by {grown:,} bytes for a file of {len(content):,}", content)

        yield give


def layers_of(parser, content: bytes) -> list[tuple]:
    """(what puts the layer on again, the pieces below it) of each layer of a file that can be taken off."""
    found = []
    for take_off, put_on in parser.layers:
        with contextlib.suppress(Exception):  # a file without that layer
            found.append((put_on, take_off(content)))
    return found


def damaged(content: bytes, layer, dice, others: list[bytes], tokens: list[bytes]) -> bytes:
    """``content`` with random damage, below the ``layer`` that would hide it if there is one."""
    put_on, pieces = layer or (None, {})
    if pieces:
        name = dice.choice(list(pieces))
        with contextlib.suppress(Exception):  # what cannot be put on again is damaged from outside
            return put_on({**pieces, name: mutated(pieces[name], dice, list(pieces.values()), tokens)})
    return mutated(content, dice, others, tokens)


class _Here:
    """Inside of the folder, so that a canary is found; with limits on memory, and on time for each input."""

    def __init__(self, folder):
        self.folder = folder

    def __enter__(self):
        self.before = (os.getcwd(), resource.getrlimit(resource.RLIMIT_AS),
                       signal.signal(signal.SIGALRM, _hang))
        os.chdir(self.folder)
        resource.setrlimit(resource.RLIMIT_AS, (_address_space() + _ADDRESS_SPACE, self.before[1][1]))

    def __exit__(self, *error):
        signal.alarm(0)
        os.chdir(self.before[0])
        resource.setrlimit(resource.RLIMIT_AS, self.before[1])
        signal.signal(signal.SIGALRM, self.before[2])


class _Hang(BaseException):
    pass


def _hang(*_):
    raise _Hang


def _address_space() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def _largest() -> int:
    """Bytes that the process held when it held most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _one(parser, path, content, counts, measured):
    path.write_bytes(content)
    if measured:
        tracemalloc.start()
    _watched["events"] = events = []
    signal.alarm(_SLOW)
    try:
        value = parser.read(path)
        counts["read"] += 1
        whole = parser.whole(value)
        del value
    except parser.errors as error:
        counts[f"refused with {type(error).__name__}"] += 1
        whole = len(str(error)) < 2000
    except _Hang:
        raise Finding(f"it takes more than {_SLOW} seconds", content) from None
    except BaseException as error:
        raise Finding(f"{type(error).__name__} instead of a documented error: {str(error)[:300]}",
                      content) from error
    finally:
        signal.alarm(0)
        _watched["events"] = None
        peak = tracemalloc.get_traced_memory()[1] if measured else 0
        tracemalloc.stop()
    counts["given"] += 1
    counts["memory"] = max(counts["memory"], peak)
    if not whole:
        raise Finding("the result is not whole, or the error's text is too long", content)
    if events:
        raise Finding(f"reading did {events[:3]}", content)
    if peak > parser.times * len(content) + parser.plus:
        raise Finding(f"reading took {peak:,} bytes for a file of {len(content):,}", content)
    left = sorted(entry.name for entry in path.parent.iterdir())
    if left != [path.name]:
        raise Finding(f"{'the canary is dead' if CANARY in left else 'files are left'}: {left}", content)


def _watch():
    """Note what Python's audit events tell of commands, connections and changed files; once in a process."""
    if "hook" in _watched:
        return

    def hook(event, arguments):
        events = _watched["events"]
        if events is not None and (event in _FORBIDDEN or event == "open" and _writes(arguments)):
            events.append((event, str(arguments)[:200]))

    _watched["hook"] = hook
    sys.addaudithook(hook)


def _writes(arguments) -> bool:
    mode = arguments[1]
    return isinstance(mode, str) and any(letter in mode for letter in "wax+")
