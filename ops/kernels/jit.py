"""The one door to numba: compilation, the cache folder, and a word to the user while it compiles.

numba keys its cache by the file a function stands in and does not notice edits in the other files that
the function calls.  The cache folder is therefore named after a hash of every kernel source, of numba's
version and of the processor; stale machine code cannot be loaded.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import hashlib
import os
import pathlib
import sys
import tempfile
import time
import warnings

import llvmlite.binding
import numba
from numba.core import config, types
from numba.core.ccallback import CFunc

from .compiler import KernelCompiler, PartCompiler

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None

__all__ = ["cache_folder", "callback_address", "direct", "jit", "part"]

_OPTIONS = {"error_model": "numpy", "nogil": True, "boundscheck": False, "no_cfunc_wrapper": True}


def _fingerprint() -> str:
    """Hash of all that decides what machine code a kernel becomes."""
    digest = hashlib.sha256()
    for source in sorted(pathlib.Path(__file__).parent.glob("*.py")):
        digest.update(source.name.encode() + source.read_bytes())
    machine = (numba.__version__, sys.version, llvmlite.binding.get_host_cpu_name())
    digest.update(repr(machine).encode())
    return digest.hexdigest()[:16]


@functools.cache
def cache_folder() -> str:
    """The folder that holds compiled kernels: ``TINYGRAD_HW_CACHE``, else the user's cache folder.

    Where that cannot be written a temporary folder is used, and a warning says so once.

    >>> import os
    >>> os.path.isdir(cache_folder())
    True
    """
    root = os.environ.get("TINYGRAD_HW_CACHE")
    if root is None:
        home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
        root = os.path.join(home, "tinygrad_hw")
    folder = os.path.join(root, _fingerprint())
    try:
        os.makedirs(folder, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        folder = tempfile.mkdtemp(prefix="tinygrad_hw_")
        warnings.warn(
            f"cannot write compiled kernels to {root} ({error}); they go to {folder} and are compiled "
            "again in the next process. Set TINYGRAD_HW_CACHE to a writable folder to keep them.",
            stacklevel=2,
        )
    return folder


def jit(function=None, **options):
    """Compile ``function`` with numba on first use and keep the machine code in `cache_folder`.

    Division by zero follows IEEE (``error_model="numpy"``), the interpreter lock is released, and NaN
    and infinity keep their meaning unless the caller asks for ``fastmath``.

    >>> @jit
    ... def twice(x):
    ...     return x + x
    >>> twice(21)
    42
    """
    if function is None:
        return functools.partial(jit, **options)
    dispatcher = numba.njit(**{**_OPTIONS, **options})(function)
    dispatcher.compile = _no_collections()(dispatcher.compile)
    _keep(dispatcher, function)
    return dispatcher


def direct(*kinds):
    """Decorator: `jit` for arguments of these types alone, compiled at once.

    What numba's dispatcher does for a call, it looks at the types, takes 0.08 of 0.2 microseconds.

    >>> @direct(types.int64)
    ... def twice(x):
    ...     return x + x
    >>> twice(21)
    42
    """

    def compiled(function):
        dispatcher = jit(function)
        dispatcher.compile(kinds)
        _dispatchers.append(dispatcher)
        return dispatcher.overloads[kinds].entry_point

    return compiled


def part(function=None, **options):
    """Let jitted functions call ``function``, which is compiled as a part of them; Python cannot call it.

    One translation serves all constants: a part cannot tell the argument 1 from a number.

    >>> @part
    ... def square(x):
    ...     return x * x
    >>> @jit
    ... def sum_of_squares(x, y):
    ...     return square(x) + square(y)
    >>> sum_of_squares(3, 4)
    25
    """
    if function is None:
        return functools.partial(part, **options)
    options = {**_OPTIONS, **options, "no_cpython_wrapper": True}
    dispatcher = numba.njit(**options, pipeline_class=PartCompiler)(function)
    template = dispatcher.get_call_template
    # numba would translate for the argument 0, again for 1, and again for a number.
    dispatcher.get_call_template = lambda args, kws: template(tuple(map(types.unliteral, args)), kws)
    return dispatcher


def callback_address(function, signature) -> int:
    """Compile ``function`` for C callers, or load it from `cache_folder`, and return its address.

    The address stays valid until the process ends.

    >>> import ctypes
    >>> address = callback_address(lambda x: 2 * x, numba.intp(numba.intp))
    >>> ctypes.CFUNCTYPE(ctypes.c_ssize_t, ctypes.c_ssize_t)(address)(21)
    42
    """
    argument_types = signature.args, signature.return_type
    options = {"error_model": "numpy", "boundscheck": False}
    callback = CFunc(function, argument_types, {}, options, pipeline_class=KernelCompiler)
    _keep(callback, function)
    begin = time.perf_counter()
    with _no_collections():
        callback.compile()
    if not callback.cache_hits:
        _tell(time.perf_counter() - begin)
    _callbacks.append(callback)
    return callback.address


_callbacks = []  # owners of the machine code whose addresses were given out
_dispatchers = []  # and of that which `direct` gave out
_PATIENCE = 1.0  # seconds of compilation after which a terminal gets a word
_waited = 0.0


@contextlib.contextmanager
def _no_collections():
    """Keep Python from looking for unreachable objects while numba makes millions that are reachable.

    The kernels of a network take a tenth less time to compile: 13.9 s in place of 15.6 s for Fashion's.
    """
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def _tell(seconds: float) -> None:
    """Say once in a terminal why the program does not move, when compilation has taken a second."""
    global _waited
    before, _waited = _waited, _waited + seconds
    if before < _PATIENCE <= _waited and sys.stderr is not None and sys.stderr.isatty():
        sys.stderr.write("tinygrad_hw: compiling kernels for this processor, once ...\n")
        sys.stderr.flush()


def _keep(compiled, function):
    """Let ``compiled`` store its machine code in `cache_folder`."""
    if not os.path.isfile(function.__code__.co_filename):
        return  # typed at a prompt: there is no source file to key a cache by
    before, config.CACHE_DIR = config.CACHE_DIR, cache_folder()
    try:
        compiled.enable_caching()
    finally:
        config.CACHE_DIR = before
    cache = compiled._cache
    # numba writes an index that names a file before that file: a reader in between would find the machine
    # code of another dtype if the name had been in use before.
    cache.load_overload = _or_anew(_locked(cache.load_overload, exclusive=False), cache)
    cache.save_overload = _or_not(_locked(cache.save_overload, exclusive=True))


def _or_anew(load, cache):
    """``load``, with a damaged file taken for one that is missing: the kernel is compiled and stored anew."""

    @functools.wraps(load)
    def guarded(*arguments):
        try:
            return load(*arguments)
        except Exception as error:  # a pickle that was cut short raises nearly any type
            warnings.warn(f"a file of compiled kernels in {cache_folder()} is damaged "
                          f"({type(error).__name__}: {error}); that kernel is compiled anew", stacklevel=2)
            try:
                cache.flush()
            except OSError:  # it cannot be stored anew either
                pass
            return None

    return guarded


def _or_not(save):
    """``save``, or a warning where the disk is full: the kernel works without a file."""

    @functools.wraps(save)
    def guarded(*arguments):
        try:
            save(*arguments)
        except OSError as error:
            _tell_unstored(error.strerror)

    return guarded


@functools.cache
def _tell_unstored(reason: str) -> None:
    """Say once that kernels are not stored."""
    warnings.warn(f"cannot store compiled kernels in {cache_folder()} ({reason}); they are compiled again in "
                  "the next process. Free space there, or set TINYGRAD_HW_CACHE to another folder.",
                  stacklevel=2)


def _locked(step, exclusive):
    """``step`` under a lock between processes: one writer, or any number of readers.

    numba reads an index, takes the next free file name and writes the index back: of two processes at once
    one would give its name to the other's machine code, of another dtype.
    """
    if fcntl is None:
        return step

    @functools.wraps(step)
    def guarded(*arguments):
        try:
            lock = open(os.path.join(cache_folder(), "lock"), "a")
        except OSError:  # the folder is gone or full: numba itself then does without a cache
            return step(*arguments)
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
            return step(*arguments)

    return guarded
