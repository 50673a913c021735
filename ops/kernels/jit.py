"""The one door to numba: compilation, the cache folder, and a word to the user while it compiles.

numba keys its cache by the file a function stands in and does not notice edits in the other files that
the function calls.  The cache folder is therefore named after a hash of every kernel source, of numba's
version and of the processor; stale machine code cannot be loaded.
"""

from __future__ import annotations

import functools
import hashlib
import os
import pathlib
import sys
import tempfile
import warnings

import llvmlite.binding
import numba
from numba.core import config
from numba.core.ccallback import CFunc

__all__ = ["cache_folder", "callback_address", "jit"]


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
    options = {"error_model": "numpy", "nogil": True, "boundscheck": False, **options}
    dispatcher = numba.njit(**options)(function)
    _keep(dispatcher, function)
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
    callback = CFunc(function, argument_types, {}, {"error_model": "numpy", "boundscheck": False})
    _keep(callback, function)
    callback.compile()
    _callbacks.append(callback)
    return callback.address


_callbacks = []  # owners of the machine code whose addresses were given out


def _keep(compiled, function):
    """Let ``compiled`` store its machine code in `cache_folder`."""
    if not os.path.isfile(function.__code__.co_filename):
        return  # typed at a prompt: there is no source file to key a cache by
    before, config.CACHE_DIR = config.CACHE_DIR, cache_folder()
    try:
        compiled.enable_caching()
    finally:
        config.CACHE_DIR = before
