"""``python -m nets doctor``: what this installation is made of, what is broken, what is slow and why."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import os
import platform
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

from nets.commands.options import add_debug

__all__ = ["Finding", "add_parser", "findings"]

GOOD, SLOW, BROKEN = "ok", "slow", "BROKEN"
PACKAGES = ("tinygrad_hw", "numpy", "numba", "llvmlite", "scipy", "matplotlib", "pillow", "tqdm",
            "safetensors")
LOW_MEMORY = 2e9  # bytes; the largest networks here need 1 to 2 GB for a training step
FEATURES = ("avx512f", "avx2", "avx", "fma", "sse4.2", "neon")


def add_parser(commands) -> None:
    """Add ``doctor`` to the commands of ``python -m nets``."""
    parser = commands.add_parser(
        "doctor", help="versions, processor, threads, cache; what is broken or slow, and why",
        description="Look at the installation. Every line says what was found; 'slow' and 'BROKEN' say why "
                    "and how to mend it. Exit code 1 if something is broken.")
    add_debug(parser)
    parser.set_defaults(act=_doctor)


def _doctor(options) -> int:
    found = list(findings())
    width = max(len(finding.subject) for finding in found)
    for finding in found:
        print(f"{finding.state:6}  {finding.subject:{width}}  {finding.text}")
    counts = {state: sum(finding.state == state for finding in found) for state in (SLOW, BROKEN)}
    print(f"\n{counts[BROKEN]} broken, {counts[SLOW]} slow" if any(counts.values()) else "\nall is well")
    return 1 if counts[BROKEN] else 0


@dataclasses.dataclass(frozen=True)
class Finding:
    """One line: a subject, ``"ok"``, ``"slow"`` or ``"BROKEN"``, and what was found."""

    subject: str
    state: str
    text: str


def findings() -> Iterator[Finding]:
    """Look at everything, the simplest first.

    >>> [finding.subject for finding in findings()][:2]
    ['Python', 'packages']
    """
    yield Finding("Python", GOOD, f"{platform.python_version()} ({sys.executable}), {platform.platform()}")
    yield _packages()
    yield _processor()
    yield _threads()
    yield _jit()
    yield _cache()
    yield _blas()
    yield _memory()
    yield _gradient()


def _packages():
    versions, missing = [], []
    for name in PACKAGES:
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if missing == ["tinygrad_hw"]:  # run from the source tree
        versions.insert(0, "tinygrad_hw from its source tree")
    elif missing:
        return Finding("packages", BROKEN, f"missing: {', '.join(missing)}; pip install {' '.join(missing)}")
    return Finding("packages", GOOD, ", ".join(versions))


def _processor():
    import llvmlite.binding
    from numba.core import config

    from ops.kernels import cpu

    enabled = [name for name in FEATURES if name in cpu._FEATURES]
    text = (f"{llvmlite.binding.get_host_cpu_name()}: {', '.join(enabled) or 'no vector features'}; "
            f"{cpu.lanes(4)} float32 or {cpu.lanes(8)} float64 in a vector")
    if config.CPU_FEATURES is not None or config.CPU_NAME is not None:
        return Finding("processor", SLOW, text + "; NUMBA_CPU_NAME or NUMBA_CPU_FEATURES limits the kernels")
    if cpu.VECTOR_BYTES < 32 and not cpu._ARM64:
        return Finding("processor", SLOW, text + "; without AVX the kernels have short vectors")
    return Finding("processor", GOOD, text)


def _threads():
    from numba import config, threading_layer

    from ops.kernels import launch

    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    threads = launch.get_num_threads()
    limits = [f"{name}={os.environ[name]}" for name in ("TINYGRAD_HW_NUM_THREADS", "NUMBA_NUM_THREADS")
              if name in os.environ]
    try:
        layer = f"last used layer {threading_layer()}"
    except ValueError:  # no parallel loop has run yet
        layer = f"threading layer {config.THREADING_LAYER}, first of {config.THREADING_LAYER_PRIORITY}"
    text = f"{threads} of {usable} usable cores ({os.cpu_count()} in all); {layer}"
    if threads < usable:
        return Finding("threads", SLOW, f"{text}; limited by {', '.join(limits) or 'set_num_threads'}")
    if threads > usable:
        return Finding("threads", SLOW, f"{text}: more threads than cores wait for each other; set "
                                        f"TINYGRAD_HW_NUM_THREADS={usable}")
    return Finding("threads", GOOD, text)


def _jit():
    from numba import config

    if config.DISABLE_JIT:
        return Finding("compiler", BROKEN, "NUMBA_DISABLE_JIT is set: kernels cannot be compiled; unset it")
    slow = [name for name, found, usual in (
        ("NUMBA_OPT", config.OPT, 3), ("NUMBA_DEBUG", config.DEBUG, 0),
        ("NUMBA_BOUNDSCHECK", config.BOUNDSCHECK or 0, 0)) if found != usual]
    if slow:
        return Finding("compiler", SLOW, f"{', '.join(slow)} makes kernels slow; unset")
    return Finding("compiler", GOOD, "numba compiles at its highest level")


def _cache():
    from ops.kernels.jit import cache_folder

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        folder = Path(cache_folder())
    wanted = os.environ.get("TINYGRAD_HW_CACHE")
    if caught or (wanted and not folder.is_relative_to(wanted)):
        return Finding("kernel cache", SLOW, f"{wanted or 'the cache folder'} cannot be written: kernels are "
                       "compiled anew in every process; set TINYGRAD_HW_CACHE to a folder that can")
    files = list(folder.rglob("*"))
    kernels = sum(path.suffix == ".nbc" for path in files)
    size, whole = (sum(path.stat().st_size for path in some if path.is_file()) / 1e6
                   for some in (files, folder.parent.rglob("*")))
    text = (f"{folder}, can be written: {kernels} kernels, {size:.0f} MB ({whole:.0f} MB with data and other "
            "versions, which 'warmup --clean' removes)")
    if kernels == 0:
        return Finding("kernel cache", SLOW, f"{text}; empty: the first run compiles what it needs, half a "
                                             "minute; 'warmup' compiles everything now")
    return Finding("kernel cache", GOOD, text)


def _blas():
    import numpy as np

    facts = np.show_config(mode="dicts").get("Build Dependencies", {}).get("blas", {})
    text = f"NumPy with {facts.get('name', 'unknown')} {facts.get('version', '')}".rstrip()
    return Finding("BLAS", GOOD, f"{text}; the kernels here use their own matrix products")


def _memory():
    """Of the machine, and what a container may use of it."""
    try:
        page = os.sysconf("SC_PAGE_SIZE")
        total, free = page * os.sysconf("SC_PHYS_PAGES"), page * os.sysconf("SC_AVPHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return Finding("memory", GOOD, "this system does not tell")
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.is_file() else "max"
    most = min(total, int(text)) if text.isdigit() else total
    shown = f"{most / 1e9:.1f} GB, {free / 1e9:.1f} GB of the machine free (without what files occupy)"
    if most < LOW_MEMORY:
        return Finding("memory", SLOW, f"{shown}; lower --batch-size if a run is killed")
    return Finding("memory", GOOD, shown)


def _gradient():
    """A convolution, forward and backward, against the same sums by NumPy."""
    import numpy as np

    import tinygrad_hw as thw

    images = np.arange(50, dtype=np.float32).reshape(1, 2, 5, 5) / 50
    weights = thw.from_numpy(np.linspace(-1, 1, 18, dtype=np.float32).reshape(1, 2, 3, 3))
    weights.requires_grad_()
    try:
        output = thw.nn.functional.conv2d(thw.from_numpy(images), weights)
        output.sum().backward()
        windows = np.lib.stride_tricks.sliding_window_view(images, (3, 3), axis=(2, 3))
        expected = np.einsum("nchwij,ocij->nohw", windows, weights.detach().numpy())
        errors = [float(np.abs(output.detach().numpy() - expected).max()),
                  float(np.abs(weights.grad.numpy() - windows.sum((0, 2, 3))).max())]
    except Exception as error:  # whatever it is, the doctor tells
        return Finding("a convolution", BROKEN, f"{type(error).__name__}: {error}; clear the cache folder, "
                                                "then run it again with --debug")
    if max(errors) > 1e-4:
        return Finding("a convolution", BROKEN, f"wrong by {max(errors):.2g}; clear the cache folder above")
    return Finding("a convolution", GOOD, f"right, and its gradient (within {max(errors):.1g})")
