"""Functions of the namespace ``torch`` that are put together from others, and second names."""

from __future__ import annotations

import math

import numpy as np

import ops
from ops import exp, mul, outer, sort, trunc
from ops.dims import wrap_dim
from ops.promotion import as_dtype, default_dtype
from tinygrad_hw import linalg
from tinygrad_hw.creation import finish
from tinygrad_hw.tensor import Tensor

__all__ = [
    "adjoint",
    "alpha_dropout",
    "bartlett_window",
    "blackman_window",
    "detach",
    "fill",
    "fix",
    "frombuffer",
    "ger",
    "get_device",
    "hamming_window",
    "hann_window",
    "is_same_size",
    "is_signed",
    "isin",
    "isreal",
    "logdet",
    "msort",
    "qr",
    "range",
    "real",
    "renorm",
    "slogdet",
    "split_with_sizes",
    "svd",
    "unravel_index",
]

fix = trunc
ger = outer
slogdet = linalg.slogdet


# ------------------------------------------------------------------ methods as functions


def detach(input):
    """`Tensor.detach`: the same memory without history.

    >>> detach(Tensor([1.0])).requires_grad
    False
    """
    return input.detach()


def fill(input, value):
    """A Tensor of one value in the shape and dtype of ``input``.

    >>> fill(Tensor([1.0, 2.0]), 7)
    tensor([7., 7.])
    """
    return input.clone().fill_(value)


def adjoint(input):
    """The last two dimensions swapped.

    >>> adjoint(Tensor([[1.0, 2.0]])).shape
    tinygrad_hw.Size([2, 1])
    """
    return input.mT


def real(input):
    """The input itself: all numbers are real.

    >>> real(Tensor([1.0]))
    tensor([1.])
    """
    return input


def isreal(input):
    """True for every element.

    >>> isreal(Tensor([1.0]))
    tensor([True])
    """
    return Tensor._wrap(np.ones(tuple(input.shape), bool))


def is_signed(input) -> bool:
    """Whether the dtype holds negative numbers.

    >>> is_signed(Tensor([1.0]))
    True
    """
    return input.is_signed()


def is_same_size(input, other) -> bool:
    """Whether two Tensors have the same shape.

    >>> is_same_size(Tensor([1.0]), Tensor([2.0]))
    True
    """
    return input.is_same_size(other)


def get_device(input) -> int:
    """-1, as for all Tensors on the CPU.

    >>> get_device(Tensor([1.0]))
    -1
    """
    return input.get_device()


def alpha_dropout(input, p, train):
    """`nn.functional.alpha_dropout` with the arguments that it has in this namespace.

    >>> alpha_dropout(Tensor([1.0]), 0.5, False)
    tensor([1.])
    """
    return ops.alpha_dropout(input, p, train)


# ------------------------------------------------------------------ put together


def split_with_sizes(input, split_sizes, dim=0):
    """`split` by a list of sizes.

    >>> [len(part) for part in split_with_sizes(Tensor([1.0, 2.0, 3.0]), [1, 2])]
    [1, 2]
    """
    return ops.split(input, list(split_sizes), dim)


def msort(input):
    """`sort` along the first dimension, values only.

    >>> msort(Tensor([3.0, 1.0]))
    tensor([1., 3.])
    """
    return sort(input, 0)[0]


def isin(elements, test_elements, *, assume_unique=False, invert=False):
    """Which elements are among ``test_elements``.

    >>> isin(Tensor([1.0, 2.0, 3.0]), Tensor([2.0, 5.0]))
    tensor([False,  True, False])
    """
    values, wanted = (np.asarray(ops.core.array_of(value)) for value in (elements, test_elements))
    return Tensor._wrap(np.isin(values, wanted, invert=invert))


def renorm(input, p, dim, maxnorm):
    """Every slice along ``dim`` scaled down to a p-norm of at most ``maxnorm``.

    >>> renorm(Tensor([[3.0, 4.0], [0.3, 0.4]]), 2, 0, 1.0)
    tensor([[0.6000, 0.8000],
            [0.3000, 0.4000]])
    """
    if p <= 0 or maxnorm < 0:
        raise RuntimeError(f"renorm: expected p > 0 and maxnorm >= 0, got p={p} and maxnorm={maxnorm}")
    dims = [place for place in np.arange(input.ndim).tolist() if place != wrap_dim(dim, input.ndim)]
    norms = ops.vector_norm(input, p, dims, True)
    return mul(input, ops.where(ops.gt(norms, maxnorm), ops.div(maxnorm, ops.add(norms, 1e-7)), 1.0))


def logdet(input):
    """The logarithm of the determinant; NaN where it is negative.

    >>> logdet(Tensor([[1.0, 0.0], [0.0, 1.0]]))
    tensor(0.)
    """
    sign, logarithm = linalg.slogdet(input)
    return ops.where(ops.lt(sign, 0), math.nan, logarithm) if (sign.array < 0).any() else logarithm


def svd(input, some=True, compute_uv=True):
    """Former name of `linalg.svd`: ``input = U @ diag(S) @ V.T``.

    >>> svd(Tensor([[0.0, 2.0], [1.0, 0.0]]))[1]
    tensor([2., 1.])
    """
    U, S, Vh = linalg.svd(input, full_matrices=not some)
    return U, S, ops.transpose(Vh, -2, -1)


def qr(input, some=True):
    """Former name of `linalg.qr`.

    >>> [part.shape for part in qr(Tensor([[3.0], [4.0]]))]
    [tinygrad_hw.Size([2, 1]), tinygrad_hw.Size([1, 1])]
    """
    return linalg.qr(input, "reduced" if some else "complete")


def unravel_index(indices, shape):
    """The coordinates of positions in a flattened Tensor of a shape: one Tensor a dimension.

    >>> from tinygrad_hw import arange
    >>> unravel_index(arange(4), (2, 2))
    (tensor([0, 0, 1, 1]), tensor([0, 1, 0, 1]))
    """
    return tuple(
        Tensor._wrap(np.asarray(part)) for part in np.unravel_index(indices.array, tuple(shape))
    )


# ------------------------------------------------------------------ made of numbers


def range(start=0, end=None, step=1, *, dtype=None, device=None, requires_grad=False):
    """Numbers from ``start`` to ``end``, both included; `arange` is its successor.

    >>> range(1, 3)
    tensor([1., 2., 3.])
    """
    if end is None:
        start, end = 0, start
    dtype = as_dtype(dtype) or default_dtype()
    count = math.floor((end - start) / step) + 1
    if count < 1:
        raise RuntimeError(
            f"upper bound and lower bound inconsistent with step sign: start={start}, end={end}, "
            f"step={step}"
        )
    return finish((start + np.arange(count) * step).astype(dtype), None, device, requires_grad)


def frombuffer(buffer, *, dtype, count=-1, offset=0, requires_grad=False):
    """A Tensor that shares the memory of a bytes-like object.

    >>> frombuffer(bytearray(b"ab"), dtype="uint8")
    tensor([97, 98], dtype=tinygrad_hw.uint8)
    """
    return finish(np.frombuffer(buffer, as_dtype(dtype), count, offset), None, None, requires_grad)


def _window(name: str, weights: tuple[float, ...], summary: str):
    """A window that is a sum of cosines, the Bartlett window if there are no weights."""

    def window(
        window_length, periodic=True, *, dtype=None, layout=None, device=None, requires_grad=False
    ):
        size = window_length + 1 if periodic and window_length > 1 else window_length
        place = np.arange(size) / max(size - 1, 1)
        if window_length == 1:
            values = np.ones(1)
        elif weights:
            values = np.sum([w * np.cos(2 * np.pi * k * place) for k, w in enumerate(weights)], axis=0)
        else:
            values = 1 - np.abs(2 * place - 1)
        values = values[:window_length].astype(as_dtype(dtype) or default_dtype())
        return finish(values, None, device, requires_grad)

    window.__name__ = window.__qualname__ = name
    window.__doc__ = f"""{summary}, ``window_length`` numbers; not periodic: symmetric.

    >>> {name}(4).shape
    tinygrad_hw.Size([4])
    """
    return window


hann_window = _window("hann_window", (0.5, -0.5), "Hann's window")
hamming_window = _window("hamming_window", (0.54, -0.46), "Hamming's window")
blackman_window = _window("blackman_window", (0.42, -0.5, 0.08), "Blackman's window")
bartlett_window = _window("bartlett_window", (), "Bartlett's window, a triangle")


# ------------------------------------------------------------------ methods


def _geometric_(self, p, *, generator=None):
    """Fill with geometric random numbers: trials until the first success of probability ``p``."""
    uniform = Tensor._wrap(np.empty(tuple(self.shape), np.float64)).uniform_(generator=generator)
    return self.copy_(ops.ceil(ops.div(ops.log1p(ops.neg(uniform)), math.log1p(-p))).clamp_min(1))


def _cauchy_(self, median=0.0, sigma=1.0, *, generator=None):
    """Fill with Cauchy random numbers."""
    uniform = Tensor._wrap(np.empty(tuple(self.shape), np.float64)).uniform_(generator=generator)
    return self.copy_(median + sigma * ops.tan(math.pi * (uniform - 0.5)))


def _log_normal_(self, mean=1.0, std=2.0, *, generator=None):
    """Fill with exp of normal random numbers."""
    normal = Tensor._wrap(np.empty(tuple(self.shape), np.float64)).normal_(
        mean, std, generator=generator
    )
    return self.copy_(exp(normal))


def _share_memory_(self):
    """The Tensor itself: forked workers see it, and spawned ones get a copy."""
    return self


def _map_(self, tensor, callable):
    """Replace each element a by ``callable(a, b)``, b from ``tensor``; slow, for Python functions."""
    self._check_inplace()
    other = np.broadcast_to(tensor.array, self.array.shape)
    for index in np.ndindex(self.array.shape):
        self.array[index] = callable(self.array[index].item(), other[index].item())
    self._bump()
    return self


for _name in (
    "adjoint",
    "isreal",
    "logdet",
    "msort",
    "qr",
    "renorm",
    "slogdet",
    "split_with_sizes",
    "svd",
):
    setattr(Tensor, _name, globals()[_name])
for _name, _value in dict(
    cauchy_=_cauchy_,
    geometric_=_geometric_,
    log_normal_=_log_normal_,
    map_=_map_,
    share_memory_=_share_memory_,
).items():
    _value.__name__ = _value.__qualname__ = _name
    setattr(Tensor, _name, _value)
Tensor.real = property(lambda self: self, doc="The Tensor itself: all numbers are real.")
Tensor.fix, Tensor.fix_, Tensor.ger = ops.trunc, Tensor.trunc_, ops.outer
Tensor.is_shared = lambda self: False
Tensor.is_inference = lambda self: False
Tensor.is_conj = Tensor.is_neg = lambda self: False
Tensor.is_nonzero = lambda self: bool(self)
Tensor.polygamma = lambda self, n: ops.polygamma(n, self)
for (
    _name
) in "is_meta is_mps is_xpu is_quantized is_nested is_mkldnn is_xla is_ipu is_sparse_csr".split():
    setattr(Tensor, _name, False)
