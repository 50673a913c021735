"""Functions that make Tensors of random numbers, with PyTorch's signatures."""

from __future__ import annotations

import numbers

import numpy as np

import ops
from ops.core import array_of
from ops.promotion import as_dtype, default_dtype
from tinygrad_hw.creation import checked_size, finish
from tinygrad_hw.tensor import Tensor

__all__ = [
    "bernoulli",
    "multinomial",
    "normal",
    "poisson",
    "rand",
    "rand_like",
    "randint",
    "randint_like",
    "randn",
    "randn_like",
    "randperm",
]


def _generator(generator=None) -> np.random.Generator:
    return (generator or ops.random.default_generator).numpy


def _uniform(shape, dtype, generator=None):
    return _generator(generator).random(shape, _float(dtype, "rand"))


def _gaussian(shape, dtype, generator=None):
    dtype = dtype if dtype.kind == "f" else _float(dtype, "randn")
    return ops.random.standard_normal((generator or ops.random.default_generator).numpy, shape, dtype)


def _float(dtype: np.dtype, name: str) -> np.dtype:
    if dtype.kind != "f":
        raise NotImplementedError(f"\"{name}\" not implemented for '{dtype}': random numbers of this "
                                  "kind are float32 or float64")
    return dtype


def _random(name: str, draw, summary: str):
    """`_filled` for random numbers, which take a generator."""

    def sized(
        *sizes,
        size=None,
        generator=None,
        out=None,
        dtype=None,
        layout=None,
        device=None,
        requires_grad=False,
        pin_memory=False,
    ):
        shape = checked_size(sizes if size is None else (size,), name)
        array = draw(shape, as_dtype(dtype) or default_dtype(), generator)
        return finish(array, out, device, requires_grad)

    def like(
        input,
        *,
        generator=None,
        dtype=None,
        layout=None,
        device=None,
        requires_grad=False,
        memory_format=None,
    ):
        return finish(
            draw(input.array.shape, as_dtype(dtype) or input.array.dtype, generator),
            None,
            device,
            requires_grad,
        )

    sized.__name__ = sized.__qualname__ = name
    like.__name__ = like.__qualname__ = name + "_like"
    sized.__doc__ = f"""{summary}, of the given sizes, from ``generator`` or the default one.

    >>> {name}(2, 3).shape
    tinygrad_hw.Size([2, 3])
    """
    like.__doc__ = f"""{summary}, of the shape and dtype of ``input``.

    >>> {name}_like(Tensor(2, 3)).shape
    tinygrad_hw.Size([2, 3])
    """
    return sized, like


rand, rand_like = _random("rand", _uniform, "Uniform random numbers of [0, 1)")
randn, randn_like = _random("randn", _gaussian, "Standard normal random numbers")


def randint(low, high=None, size=None, *, generator=None, out=None, dtype=None, layout=None, device=None,
            requires_grad=False) -> Tensor:
    """Random integers of [low, high): ``randint(10, (3,))`` or ``randint(2, 5, (3,))``.

    >>> bool((randint(2, 5, (100,)) >= 2).all())
    True
    """
    if size is None:
        low, high, size = 0, low, high
    if not isinstance(size, (tuple, list)):
        raise TypeError(f"randint(): argument 'size' must be tuple of ints, not {type(size).__name__}; "
                        f"write randint({low}, {high}, ({size},))")
    if low >= high:
        raise RuntimeError(f"random_ expects 'from' to be less than 'to', but got from={low} >= "
                           f"to={high}")
    for argument, bound in (("low", low), ("high", high)):
        if type(bound) is not int and not isinstance(bound, (numbers.Integral, Tensor)):
            raise TypeError(f"randint(): argument '{argument}' must be int, not {type(bound).__name__}")
    shape = checked_size((size,), "randint")
    values = ops.random.bounded_integers(_generator(generator), low, high, shape)
    return finish(values.astype(as_dtype(dtype) or np.int64, copy=False), out, device, requires_grad)


def randint_like(
    input, low, high=None, *, generator=None, dtype=None, layout=None, device=None, requires_grad=False
) -> Tensor:
    """Random integers in the shape and dtype of ``input``.

    >>> randint_like(Tensor(3), 5).shape
    tinygrad_hw.Size([3])
    """
    low, high = (0, low) if high is None else (low, high)
    return randint(
        low,
        high,
        tuple(input.shape),
        generator=generator,
        dtype=dtype or input.dtype,
        device=device,
        requires_grad=requires_grad,
    )


def randperm(n, *, generator=None, out=None, dtype=None, layout=None, device=None, requires_grad=False,
             pin_memory=False) -> Tensor:
    """A random permutation of 0 to n - 1.

    >>> sorted(randperm(4).tolist())
    [0, 1, 2, 3]
    """
    if n < 0:
        raise RuntimeError(f"n must be non-negative, got {n}")
    values = _generator(generator).permutation(n)
    return finish(values.astype(as_dtype(dtype) or np.int64), out, device, requires_grad)


def bernoulli(input, p=None, *, generator=None, out=None) -> Tensor:
    """0 or 1 with the probabilities of ``input`` (or with ``p`` everywhere), in the dtype of ``input``.

    >>> bernoulli(Tensor([1.0, 1.0, 1.0]))
    tensor([1., 1., 1.])
    """
    chance = input.array if p is None else np.broadcast_to(np.asarray(array_of(p)), input.shape)
    if p is None and input.array.dtype.kind != "f":
        raise NotImplementedError("bernoulli expects probabilities in a floating dtype, got "
                                  f"{input.dtype}")
    low, high = np.minimum.reduce(chance, None, initial=1), np.maximum.reduce(chance, None, initial=0)
    if not (low >= 0 and high <= 1):  # NaN is neither
        raise RuntimeError("Expected p_in >= 0 && p_in <= 1 to be true, but got probabilities from "
                           f"{chance.min()} to {chance.max()}")
    drawn = _generator(generator).random(input.array.shape)
    return finish(np.less(drawn, chance).astype(input.array.dtype), out, None, False)


def normal(
    mean=0.0,
    std=1.0,
    size=None,
    *,
    generator=None,
    out=None,
    dtype=None,
    layout=None,
    device=None,
    requires_grad=False,
) -> Tensor:
    """Normal random numbers; mean and std are numbers with a ``size``, or Tensors that broadcast.

    >>> normal(0.0, 1.0, (2, 3)).shape
    tinygrad_hw.Size([2, 3])
    """
    plain = type(mean) is type(std) is float
    center, spread = (mean, std) if plain else (array_of(mean), array_of(std))
    if spread < 0 if plain else np.any(np.asarray(spread) < 0):
        raise RuntimeError(f"normal expects all elements of std >= 0.0, got {np.min(spread)}")
    if size is not None:
        shape = checked_size((size,), "normal")
        dtype = default_dtype() if dtype is None else as_dtype(dtype)
    else:
        if not isinstance(mean, Tensor) and not isinstance(std, Tensor):
            raise TypeError("normal() of two numbers needs a size: normal(0.0, 1.0, (2, 3))")
        shape = ops.broadcast_shapes(np.shape(center), np.shape(spread))
        dtype = (mean if isinstance(mean, Tensor) else std).array.dtype
    values = np.asarray(_gaussian(shape, dtype, generator))
    if plain:
        if spread != 1:
            values *= spread
        if center != 0:
            values += center
    else:
        values = np.asarray(values * spread + center, dtype)
    return finish(values, out, device, requires_grad)


def poisson(input, generator=None) -> Tensor:
    """Poisson random numbers with the rates of ``input``, in its dtype.

    >>> poisson(Tensor([0.0, 0.0]))
    tensor([0., 0.])
    """
    if (input.array < 0).any():
        raise RuntimeError("invalid Poisson rate, expected rate to be non-negative, got "
                           f"{input.array.min()}")
    return Tensor._wrap(np.asarray(_generator(generator).poisson(input.array), input.array.dtype))


def multinomial(
    input, num_samples: int, replacement: bool = False, *, generator=None, out=None
) -> Tensor:
    """Indices drawn with the weights in each row of ``input``.

    >>> multinomial(Tensor([0.0, 1.0]), 3, replacement=True)
    tensor([1, 1, 1])
    """
    weights = np.atleast_2d(input.array).astype(np.float64)
    if input.ndim not in (1, 2):
        raise RuntimeError(f"prob_dist must be 1 or 2 dim, got shape {tuple(input.shape)}")
    if num_samples <= 0:
        raise RuntimeError(f"cannot sample n_sample <= 0 samples, got {num_samples}")
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise RuntimeError("probability tensor contains either `inf`, `nan` or element < 0")
    if (weights.sum(1) <= 0).any():
        raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")
    if not replacement and num_samples > weights.shape[1]:
        raise RuntimeError("cannot sample n_sample > prob_dist.size(-1) samples without replacement: "
                           f"{num_samples} > {weights.shape[1]}")
    rng = _generator(generator)
    if replacement:
        edges = np.cumsum(weights, 1)
        drawn = rng.random((len(weights), num_samples)) * edges[:, -1:]
        indices = np.stack([np.searchsorted(e, d, side="right") for e, d in zip(edges, drawn)])
    else:
        # exponential race: the num_samples smallest of Exp(weight) are a draw without replacement
        with np.errstate(divide="ignore"):
            times = rng.standard_exponential(weights.shape) / weights
        indices = np.argsort(times, 1)[:, :num_samples]
    return finish(indices.astype(np.int64).reshape(*input.shape[:-1], num_samples), out, None, False)
