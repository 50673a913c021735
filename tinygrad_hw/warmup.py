"""Compile every kernel now, so that no later program waits for it: ``python -m tinygrad_hw warmup``.

Kernels are compiled when they are used first, some seconds for a network, and kept in the cache folder.
Warming up is for those who would rather wait once: before a lesson, in a container image, on a cluster.
"""

from __future__ import annotations

import importlib
import pathlib
import pkgutil
import shutil
import warnings
from collections.abc import Callable, Iterator

import numpy as np
from tqdm import tqdm

from ops.core import TABLE

__all__ = ["remove_stale", "warm_up"]

_BY_NAME = {"float32": np.float32, "float64": np.float64}


def warm_up(dtypes: tuple[str, ...] = ("float32",), quiet: bool = False) -> int:
    """Compile all kernels for the dtypes given and store them in the cache folder.

    Args:
        dtypes: "float32", "float64" or both.
        quiet: show no progress bar; there is none where standard error is no terminal.

    Returns:
        The number of kernels and ops that were prepared.
    """
    jobs = [(name, job) for dtype in dtypes for name, job in _jobs(_BY_NAME[dtype])]
    bar = tqdm(jobs, disable=quiet or None, bar_format="{desc:32.32} {percentage:3.0f}% |{bar}| {remaining}")
    for name, job in bar:
        bar.set_description_str(f"compiling {name}")
        job()
    bar.set_description_str("all kernels are compiled")
    return len(jobs)


def _jobs(dtype) -> Iterator[tuple[str, Callable]]:
    """Named steps: every task of the kernels, then every op of the table on its smallest sample."""
    import ops.kernels
    from ops.kernels.launch import Task

    for module in pkgutil.iter_modules(ops.kernels.__path__):
        importlib.import_module(f"ops.kernels.{module.name}")
    for task in Task.every:
        yield task.__name__.strip("_"), lambda task=task: task.address(np.dtype(dtype))
    for name, op in TABLE.items():
        if op.samples is not None:
            yield name, lambda op=op: _call(op, dtype)


def _call(op, dtype) -> None:
    """Call an op on its samples; what it says about them is of no interest here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for case in op.samples(np.random.default_rng(0)):
            op(*(_cast(a, dtype) for a in case.args), **{k: _cast(v, dtype) for k, v in case.kwargs.items()})


def _cast(value, dtype):
    """Floating arrays, also inside tuples and lists, in ``dtype``."""
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return value.astype(dtype)
    return type(value)(_cast(item, dtype) for item in value) if type(value) in (tuple, list) else value


def remove_stale() -> int:
    """Remove the kernels of other versions from the cache folder.

    Returns:
        The number of bytes that this freed.
    """
    from ops.kernels.jit import cache_folder

    current, freed = pathlib.Path(cache_folder()), 0
    for folder in current.parent.iterdir():
        if folder.is_dir() and folder != current and len(folder.name) == len(current.name) \
                and set(folder.name) <= set("0123456789abcdef"):
            freed += sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
            shutil.rmtree(folder, ignore_errors=True)
    return freed
