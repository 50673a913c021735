"""Running a network once to see its layers at work, and leaving no trace of that."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from ops.promotion import as_dtype
from ops.random.generator import default_generator
from tinygrad_hw.nn.module import Module
from tinygrad_hw.tensor import Tensor
from tinygrad_hw.waiting import compute_waiting

__all__ = ["as_found", "example_input", "tensors_in", "watched"]


def tensors_in(value) -> list[Tensor]:
    """The Tensors in a value, also inside tuples, lists and dicts.

    >>> len(tensors_in([Tensor([1.0]), {"state": (Tensor([2.0]), None)}]))
    2
    """
    if isinstance(value, Tensor):
        return [value]
    parts = value.values() if isinstance(value, Mapping) else value
    if not isinstance(value, (Mapping, tuple, list)):
        return []
    return [tensor for part in parts for tensor in tensors_in(part)]


def example_input(input_size, input_data=None, batch_dim: int | None = None,
                  dtypes=None) -> tuple[tuple, dict]:
    """Arguments for a network: those given, or made of their sizes.

    Args:
        input_size: the size of the input, or a list of the sizes of several; random numbers of [0, 1), or
            zeros for integers, which are valid indices and class numbers.
        input_data: a Tensor, a sequence of arguments or a dict of named ones, in place of sizes.
        batch_dim: where a batch dimension of 1 is put into each size; None if the sizes have one.
        dtypes: of each input; float32 by default.

    Returns:
        The positional and the named arguments.

    Raises:
        TypeError: if a size is no sequence of integers.

    >>> example_input((3, 8), batch_dim=0)[0][0].shape
    tinygrad_hw.Size([1, 3, 8])
    """
    if input_data is not None:
        if isinstance(input_data, Mapping):
            return (), dict(input_data)
        return tuple(input_data) if isinstance(input_data, (tuple, list)) else (input_data,), {}
    sizes = list(input_size)
    if all(isinstance(size, (int, np.integer)) for size in sizes):
        sizes = [tuple(sizes)]
    kinds = list(dtypes) if dtypes is not None else ["float32"] * len(sizes)
    if len(kinds) != len(sizes):
        raise ValueError(f"got {len(sizes)} sizes but {len(kinds)} dtypes")
    inputs = []
    for size, kind in zip(sizes, kinds):
        if not isinstance(size, (tuple, list)) or not all(isinstance(n, (int, np.integer)) for n in size):
            raise TypeError("input_size must be a size such as (1, 3, 32, 32), or a list of sizes, got "
                            f"{input_size!r}")
        shape, dtype = list(size), as_dtype(kind)
        if batch_dim is not None:
            shape.insert(batch_dim, 1)
        array = np.random.default_rng(0).random(shape) if dtype.kind == "f" else np.zeros(shape)
        inputs.append(Tensor._wrap(array.astype(dtype)))
    return tuple(inputs), {}


@contextlib.contextmanager
def as_found(model: Module, mode: str = "eval") -> Iterator[None]:
    """Put a network into a mode, and leave it as it was: modes, buffers and the random numbers.

    Args:
        mode: "train", "eval", or "same" for the modes that the layers are in.
    """
    if mode not in ("train", "eval", "same"):
        raise ValueError(f"mode must be 'train', 'eval' or 'same', got {mode!r}")
    training = [(module, module.training) for module in model.modules()]
    buffers = [(buffer, buffer.array.copy()) for buffer in model.buffers()]
    state = default_generator.get_state()
    try:
        if mode != "same":
            model.train(mode == "train")
        yield
    finally:
        for module, was in training:
            module.training = was
        for buffer, array in buffers:
            grown = buffer.array.shape != array.shape  # of a lazy layer, which has seen its first input
            if not grown and buffer.array.tobytes() != array.tobytes():
                compute_waiting(buffer)
                np.copyto(buffer.array, array)
                buffer._bump()
        default_generator.set_state(state)


@contextlib.contextmanager
def watched(model: Module, after: Callable, before: Callable = lambda path, module: None) -> Iterator[None]:
    """Call ``before(path, module)`` and ``after(path, module, args, kwargs, output)`` around each `forward`.

    What ``after`` returns, unless it is None, takes the place of the output.  Hooks would do all that too,
    but the layers would remember that they had some.

    >>> from tinygrad_hw import nn
    >>> net = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    >>> with watched(net, lambda path, module, args, kwargs, output: print(path, tuple(output.shape))):
    ...     _ = net(Tensor([[1.0, 2.0]]))
    0 (1, 3)
    1 (1, 3)
     (1, 3)
    """
    changed = []
    for path, module in model.named_modules():
        earlier = vars(module).get("forward")
        changed.append((module, earlier))
        vars(module)["forward"] = _between(path, module, module.forward, before, after)
    try:
        yield
    finally:
        for module, earlier in changed:
            if earlier is None:
                del vars(module)["forward"]
            else:
                vars(module)["forward"] = earlier


def _between(path: str, module: Module, forward: Callable, before: Callable, after: Callable) -> Callable:
    def call(*args, **kwargs):
        before(path, module)
        output = forward(*args, **kwargs)
        replaced = after(path, module, args, kwargs, output)
        return output if replaced is None else replaced

    return call
