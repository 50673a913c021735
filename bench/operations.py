"""Suite ``ops``: the functions that users of small networks type, at 10^3 to 10^6 elements.

A forward is timed as in training: inputs that can have a gradient require one, so the graph is recorded.
A backward is ``autograd.grad`` through a graph that is kept.  A gradient must be memory of its own, as it
is in ``.grad``: PyTorch's may be a view of the cotangent, and is copied then.
"""

from __future__ import annotations

import inspect
import math

import numpy as np

from bench.duel import Job
from bench.nets import generator
from bench.optable import DIFFERENTIABLE, OTHERS, RANDOM

__all__ = ["TOLERANCE", "gradient_job", "inputs", "modes", "names", "prepare", "results", "settled"]

TOLERANCE = 1e-4
"""Largest relative difference of a result or gradient: sums of a million terms round differently."""

SIZES = {"1e3": 1000, "1e4": 10_000, "1e5": 100_000, "1e6": 1_000_000}
PASSES = ("forward", "backward")


def names() -> list[str]:
    """Every op with size and pass, such as "exp 1e3 forward"."""
    both = [f"{name} {size} {part}" for name in DIFFERENTIABLE for size in SIZES for part in PASSES]
    return both + [f"{name} {size} forward" for name in OTHERS for size in SIZES]


def modes(name: str, compile: bool = False) -> tuple[str, ...]:
    """PyTorch's modes: there is one."""
    return ("eager",)


# ------------------------------------------------------------------ inputs


def side(count: int) -> int:
    """Rows and columns of a square of about ``count`` elements."""
    return math.isqrt(count)


def image_shape(count: int) -> tuple[int, int, int, int]:
    """Batch, channels, height and width of images of about ``count`` elements: 4 to 64 channels.

    >>> [image_shape(n) for n in SIZES.values()]
    [(1, 4, 15, 15), (2, 16, 17, 17), (6, 32, 22, 22), (18, 64, 29, 29)]
    """
    exponent = round(math.log10(count)) - 3
    batch, channels = (1, 2, 6, 18)[exponent], (4, 16, 32, 64)[exponent]
    size = math.isqrt(count // (batch * channels))
    return batch, channels, size, size


def inputs(names: list[str], count: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Arrays for the parameters of a function in `bench.optable`, by their names (listed there)."""
    n = side(count)
    batch, channels, size, _ = image_shape(count)
    stack = max(1, math.isqrt(count // 10))

    def floats(*shape, low=-2.0, high=2.0):
        total = math.prod(shape)  # evenly spaced: no two are equal, so sorting has one answer
        values = low + (high - low) * (np.arange(total, dtype=np.float32) + 0.5) / total
        return rng.permutation(values.astype(np.float32)).reshape(shape)

    def integers(high, *shape):
        return rng.integers(0, high, shape)

    makers = {
        "x": lambda: floats(n, n), "y": lambda: floats(n, n), "p": lambda: floats(n, n, low=0.5),
        "q": lambda: floats(n, n, low=0.5), "u": lambda: floats(n, n, low=0.05, high=0.95),
        "t": lambda: floats(n, n, low=0.05, high=0.95), "row": lambda: floats(n),
        "near1": lambda: floats(n, n, low=0.99, high=1.01),
        "v": lambda: floats(count), "w": lambda: floats(count), "s": lambda: floats(),
        "a3": lambda: floats(10, stack, stack), "b3": lambda: floats(10, stack, stack),
        "image": lambda: floats(batch, channels, size, size),
        "kernel": lambda: floats(channels, channels, 3, 3),
        "signal": lambda: floats(batch, channels, size * size),
        "kernel1": lambda: floats(channels, channels, 3),
        "scale": lambda: floats(channels, low=0.5), "shift": lambda: floats(channels),
        "m": lambda: rng.random((n, n)) < 0.5, "m2": lambda: rng.random((n, n)) < 0.5,
        "i": lambda: integers(100, n, n), "k": lambda: integers(n, n, n), "j": lambda: integers(n, n),
        "label": lambda: integers(n, n),
    }
    return {name: makers[name]() for name in names}


NOT_TRAINED = {"t", "s"}
"""Float inputs that are targets or data: no gradient is asked for."""


# ------------------------------------------------------------------ jobs


def prepare(name: str, torch, mode: str) -> Job:
    """The op's call, or the gradient of its first output along random numbers."""
    op, size, part = name.split()
    function = (DIFFERENTIABLE | OTHERS)[op]
    parameters = list(inspect.signature(function).parameters)
    modules = {"torch": torch, "F": torch.nn.functional}
    arrays = inputs([p for p in parameters if p not in modules], SIZES[size], generator(op + size))
    tensors = {key: torch.from_numpy(array) if array.ndim else torch.tensor(array.item())
               for key, array in arrays.items()}
    leaves = [tensor.requires_grad_() for key, tensor in tensors.items()
              if op in DIFFERENTIABLE and arrays[key].dtype.kind == "f" and key not in NOT_TRAINED]
    values = [modules.get(p, tensors.get(p)) for p in parameters]

    def call():
        return function(*values)

    if part == "backward":
        return gradient_job(torch, call, leaves, name)
    return Job(settled(call), lambda: results(call(), shapes_only=op in RANDOM))


def gradient_job(torch, call, leaves, name: str) -> Job:
    """Gradients of the leaves from a graph that was recorded before, along a random cotangent."""
    output = tensors_in(call())[0]
    cotangent = generator(name).uniform(0.5, 1.5, tuple(output.shape)).astype(np.float32)
    cotangent = torch.from_numpy(cotangent) if cotangent.ndim else torch.tensor(cotangent.item())

    def gradients():
        return torch.autograd.grad(output, leaves, cotangent, retain_graph=True)

    copied = [shares(gradient, cotangent) or gradient.stride() != leaf.stride()
              for gradient, leaf in zip(gradients(), leaves)]

    def owned():
        return [gradient.clone(memory_format=torch.contiguous_format) if copy else gradient
                for gradient, copy in zip(gradients(), copied)]

    random = name.split()[0] in RANDOM
    run = owned if any(copied) else gradients
    return Job(run, lambda: results(run(), shapes_only=random))


def shares(gradient, cotangent) -> bool:
    """Whether a gradient lies in the memory of the cotangent.

    >>> import tinygrad_hw
    >>> cotangent = tinygrad_hw.ones(2, 3)
    >>> shares(cotangent.t(), cotangent), shares(cotangent.clone(), cotangent)
    (True, False)
    """
    begin, address = cotangent.data_ptr(), gradient.data_ptr()
    return begin <= address < begin + cotangent.numel() * cotangent.element_size()


def tensors_in(result) -> list:
    """The Tensors of a result: one, or those of a tuple or list."""
    several = result if isinstance(result, (tuple, list)) else (result,)
    return [item for item in several if hasattr(item, "detach")]


def settled(call):
    """The call, with a look at its result where the computation is else put off.

    Nothing is added to other calls: what both libraries' times have in common would hide a part of the ratio.
    """
    if getattr(call(), "deferred", False):
        return lambda: call().array
    return call


def results(result, shapes_only: bool = False) -> dict[str, np.ndarray]:
    """The Tensors of a result as arrays by position; numbers and booleans as well."""
    found = [np.array(item.detach().numpy()) for item in tensors_in(result)]
    found = found or [np.asarray(result, np.float64)]
    return {str(i): np.array(array.shape) if shapes_only else array for i, array in enumerate(found)}
