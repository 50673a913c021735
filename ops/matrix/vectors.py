"""Products with vectors: `dot`, matrix times vector, `outer`; and the checks of all products."""

from __future__ import annotations

import numpy as np

from ops.core import Bad, array_of, case, dtype_of, op
from ops.elementwise.arithmetic import mul
from ops.elementwise.pointwise import LARGE, not_implemented
from ops.lazy import LazyModule
from ops.promotion import operands
from ops.samples import spaced
from ops.shape.layout import cast, transpose

__all__ = ["dot", "mv", "outer", "vdot", "vector_times_matrix"]

_vectors = LazyModule("ops.kernels.matvec")


def swap_last(matrix):
    """The last two dimensions exchanged."""
    return transpose(matrix, -2, -1)


def same_dtype(name: str, *arrays) -> None:
    """PyTorch does not promote the operands of a product."""
    dtypes = [dtype_of(a) for a in arrays]
    if any(d != dtypes[0] for d in dtypes):
        raise RuntimeError(f"{name}: expected all operands to have the same dtype, but got "
                           f"{' and '.join(map(str, dtypes))}; {dtype_advice(dtypes[0])}")


def dtype_advice(dtype) -> str:
    """How to bring an input of this dtype and a network together.

    >>> dtype_advice(np.dtype("float64"))
    'NumPy makes float64, networks are float32: convert the input, x.float(), or the network, net.double()'
    >>> dtype_advice(np.dtype("int64"))
    'convert the input: x.float()'
    """
    if dtype == np.float64:
        return ("NumPy makes float64, networks are float32: convert the input, x.float(), or the network, "
                "net.double()")
    return "convert the input: x.float()" if dtype.kind != "f" else "convert one of them: x.to(y.dtype)"


def refuse_bool(name: str, array) -> None:
    """PyTorch multiplies no boolean matrices, empty ones excepted."""
    if array.dtype.kind == "b" and array.size:
        raise not_implemented(name, array.dtype)


def expect_dims(name: str, **expected) -> None:
    """Refuse operands with another number of dimensions than ``name=(array, ndim)`` says."""
    for argument, (array, ndim) in expected.items():
        if not hasattr(array_of(array), "ndim"):
            raise TypeError(f"{name}(): argument '{argument}' must be Tensor, "
                            f"not {type(array).__name__}")
        if array.ndim != ndim:
            kind = ("vector", "matrix", "batch of matrices")[ndim - 1]
            raise RuntimeError(f"{name}: {argument} must be a {kind} ({ndim}-D), "
                               f"got shape {tuple(array.shape)}")


# ------------------------------------------------------------------ the ops


@op(
    grad=dict(input=lambda g, tensor: mul(g, tensor), tensor=lambda g, input: mul(g, input)),
    samples=lambda rng: iter([case(spaced(rng, (3,)), spaced(rng, (3,))),
                              case(spaced(rng, (9000,)), spaced(rng, (9000,), -1, 2)),
                              case(spaced(rng, (0,)), spaced(rng, (0,)))]),
    reference=lambda input, tensor: np.sum(input * tensor),
    bad=[Bad((np.ones(2), np.ones(3)), {}, RuntimeError, "inconsistent tensor size.*2.*3"),
         Bad((np.ones((1, 2)), np.ones(2)), {}, RuntimeError, "must be a vector"),
         Bad((np.ones(2, bool), np.ones(2, bool)), {}, NotImplementedError, "\"dot\" not implemented")],
    exempt={"zero_dim": "takes vectors"},
)
def dot(input, tensor):
    """Sum of the products of two vectors.

    Raises:
        RuntimeError: if they are not vectors of one length and dtype.
        NotImplementedError: for booleans.

    >>> float(dot(np.array([1.0, 2.0]), np.array([3.0, 4.0])))
    11.0
    """
    if input.ndim != 1 or tensor.ndim != 1:
        expect_dims("dot", input=(input, 1), tensor=(tensor, 1))
    if input.dtype is not tensor.dtype:
        same_dtype("dot", input, tensor)
    if input.size != tensor.size:
        raise RuntimeError("dot: inconsistent tensor size, expected tensors of the same number of "
                           f"elements, got {input.shape[0]} and {tensor.shape[0]}")
    kind = input.dtype.kind
    if kind == "b":
        raise not_implemented("dot", input.dtype)
    return _vectors.dot(input, tensor) if kind == "f" and input.size >= LARGE else input.dot(tensor)


vdot = dot


@op(
    grad=dict(input=lambda g, vec: outer(g, vec), vec=lambda g, input: mv(swap_last(input), g)),
    samples=lambda rng: iter([case(spaced(rng, (2, 3)), spaced(rng, (3,))),
                              case(spaced(rng, (90, 110)), spaced(rng, (110,))),
                              case(spaced(rng, (110, 90)).T, spaced(rng, (110,))),
                              case(spaced(rng, (0, 3)), spaced(rng, (3,))),
                              case(spaced(rng, (3, 0)), spaced(rng, (0,)))]),
    reference=lambda input, vec: np.array([np.sum(row * vec) for row in input]),
    bad=[Bad((np.ones((2, 3)), np.ones(2)), {}, RuntimeError, r"\(2, 3\) and \(2,\)"),
         Bad((np.ones((2, 3)), np.ones(3, np.float32)), {}, RuntimeError, "same dtype"),
         Bad((np.ones(3), np.ones(3)), {}, RuntimeError, "input must be a matrix")],
    exempt={"zero_dim": "takes a matrix and a vector"},
)
def mv(input, vec):
    """Matrix times vector, (M, K) x (K,) -> (M,).

    Raises:
        RuntimeError: if they are not a matrix and a vector of one dtype, or the inner sizes differ.
        NotImplementedError: for booleans.

    >>> mv(np.eye(2), np.array([3.0, 4.0]))
    array([3., 4.])
    """
    if input.ndim != 2 or vec.ndim != 1:
        expect_dims("mv", input=(input, 2), vec=(vec, 1))
    if input.shape[1] != vec.shape[0]:
        raise RuntimeError(f"size mismatch, got input {tuple(input.shape)} and {tuple(vec.shape)}: "
                           "mv takes (M, K) and (K,)")
    if input.dtype != vec.dtype:
        same_dtype("mv", input, vec)
    if input.dtype.kind == "f" and input.size >= LARGE:
        return _vectors.times_vector(input, vec)
    refuse_bool("addmv_impl_cpu", input)
    return input.dot(vec)


@op(
    grad=dict(input=lambda g, mat2: mv(mat2, g), mat2=lambda g, input: outer(input, g)),
    samples=lambda rng: iter([case(spaced(rng, (2,)), spaced(rng, (2, 3))),
                              case(spaced(rng, (90,)), spaced(rng, (90, 110))),
                              case(spaced(rng, (3,)), spaced(rng, (3, 0)))]),
    reference=lambda input, mat2: np.array([np.sum(input * column) for column in mat2.T]),
    bad=[Bad((np.ones(2), np.ones((3, 2))), {}, RuntimeError, r"\(3, 2\) and \(2,\)|\(2, 3\) and \(2,\)")],
    exempt={"zero_dim": "takes a vector and a matrix"},
)
def vector_times_matrix(input, mat2):
    """Row vector times matrix, (K,) x (K, N) -> (N,): `mv` of the transposed matrix.

    >>> vector_times_matrix(np.array([3.0, 4.0]), np.eye(2))
    array([3., 4.])
    """
    return mv.forward(mat2.T, input)


@op(
    grad=dict(input=lambda g, vec2: mv(g, cast(vec2, dtype_of(g))),
              vec2=lambda g, input: mv(swap_last(g), cast(input, dtype_of(g)))),
    samples=lambda rng: iter([case(spaced(rng, (2,)), spaced(rng, (3,))),
                              case(spaced(rng, (2,)), np.arange(3)),
                              case(spaced(rng, (90,)), spaced(rng, (110,))),
                              case(spaced(rng, (0,)), spaced(rng, (3,)))]),
    reference=np.multiply.outer,
    bad=[Bad((np.ones((2, 1)), np.ones(3)), {}, RuntimeError, "must be a vector")],
    exempt={"zero_dim": "takes vectors"},
)
def outer(input, vec2):
    """All products of the elements of two vectors, (M,) x (N,) -> (M, N).

    >>> outer(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    array([[3., 4.],
           [6., 8.]])
    """
    if input.ndim != 1 or vec2.ndim != 1:
        expect_dims("outer", input=(input, 1), vec2=(vec2, 1))
    input, vec2 = operands(input, vec2)
    if input.dtype.kind == "f" and input.size * vec2.size >= LARGE:
        return _vectors.outer(input, vec2)
    return np.multiply(input[:, None], vec2)
