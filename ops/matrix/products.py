"""Products of matrices and batches of matrices; those with vectors are in `ops.matrix.vectors`.

`mm` and `bmm` carry the gradient rules; the others are written with them.
"""

from __future__ import annotations

import math

import numpy as np

from ops.broadcasting import broadcast_shapes, expand
from ops.core import Bad, array_of, case, composite, op, shape_of
from ops.lazy import LazyModule
from ops.matrix.vectors import dot, expect_dims, mv, refuse_bool, same_dtype, swap_last, vector_times_matrix
from ops.reduction.totals import sum
from ops.samples import spaced
from ops.shape.layout import reshape

__all__ = ["bmm", "linear", "linear_weight", "matmul", "mm"]

_gemm = LazyModule("ops.kernels.gemm")


def _mm_cases(rng):
    for m, k, n in ((2, 3, 4), (1, 5, 1), (0, 3, 2), (2, 0, 3)):
        yield case(spaced(rng, (m, k)), spaced(rng, (k, n)))


@op(
    grad=dict(input=lambda g, mat2: mm(g, swap_last(mat2)),
              mat2=lambda g, input: mm(swap_last(input), g)),
    samples=_mm_cases,
    reference=lambda input, mat2: np.array(
        [[np.sum(row * column) for column in mat2.T] for row in input],
    ).reshape(input.shape[0], mat2.shape[1]),
    bad=[Bad((np.ones((2, 3)), np.ones((2, 3))), {}, RuntimeError,
             r"cannot be multiplied \(2x3 and 2x3\)"),
         Bad((np.ones(3), np.ones((3, 2))), {}, RuntimeError, "input must be a matrix"),
         Bad((np.ones((2, 3)), np.ones((3, 2), np.float32)), {}, RuntimeError,
             "same dtype.*float64 and float32"),
         Bad((np.ones((1, 1), bool), np.ones((1, 1), bool)), {}, NotImplementedError, "for 'Bool'")],
    exempt={"zero_dim": "takes matrices"},
)
def mm(input, mat2):
    """Product of two matrices, (M, K) x (K, N) -> (M, N).

    Raises:
        RuntimeError: if they are not matrices of one dtype, or the inner sizes differ.

    >>> mm(np.array([[1.0, 2.0]]), np.array([[3.0], [4.0]]))
    array([[11.]])
    """
    if input.ndim != 2 or mat2.ndim != 2:
        expect_dims("mm", input=(input, 2), mat2=(mat2, 2))
    if input.dtype != mat2.dtype:
        same_dtype("mm", input, mat2)
    if input.shape[1] != mat2.shape[0]:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied "
                           f"({input.shape[0]}x{input.shape[1]} and {mat2.shape[0]}x{mat2.shape[1]})")
    if input.dtype.kind == "f":
        return _gemm.matmul(input, mat2)
    if mat2.size:
        refuse_bool("addmm_impl_cpu_", input)
    return np.matmul(input, mat2)


def _bmm_cases(rng):
    for b, m, k, n in ((2, 3, 4, 2), (1, 1, 2, 1), (0, 2, 2, 2), (2, 2, 0, 1)):
        yield case(spaced(rng, (b, m, k)), spaced(rng, (b, k, n)))


@op(
    grad=dict(input=lambda g, mat2: bmm(g, swap_last(mat2)),
              mat2=lambda g, input: bmm(swap_last(input), g)),
    samples=_bmm_cases,
    reference=lambda input, mat2: np.array([a @ b for a, b in zip(input, mat2)]).reshape(
        len(input), input.shape[1], mat2.shape[2]),
    bad=[Bad((np.ones((2, 3, 4)), np.ones((2, 3, 4))), {}, RuntimeError,
             r"bmm.*\(2, 3, 4\) and \(2, 3, 4\)"),
         Bad((np.ones((2, 3, 4)), np.ones((3, 4, 2))), {}, RuntimeError,
             r"bmm.*\(2, 3, 4\) and \(3, 4, 2\)")],
    exempt={"zero_dim": "takes batches of matrices"},
)
def bmm(input, mat2):
    """Products of matrices pair by pair, (B, M, K) x (B, K, N) -> (B, M, N).

    >>> bmm(np.ones((2, 1, 3)), np.ones((2, 3, 1))).ravel()
    array([3., 3.])
    """
    if input.ndim != 3 or mat2.ndim != 3:
        expect_dims("bmm", input=(input, 3), mat2=(mat2, 3))
    if input.dtype != mat2.dtype:
        same_dtype("bmm", input, mat2)
    if input.shape[0] != mat2.shape[0] or input.shape[2] != mat2.shape[1]:
        raise RuntimeError("bmm: expected shapes (B, M, K) and (B, K, N) with the same B and K, got "
                           f"{input.shape} and {mat2.shape}")
    if input.dtype.kind == "f":
        return _gemm.batched_matmul(input, mat2)
    refuse_bool("bmm", input)
    return np.matmul(input, mat2)


def _linear_cases(rng):
    yield case(spaced(rng, (4, 3)), spaced(rng, (2, 3)), spaced(rng, (2,)))
    yield case(spaced(rng, (2, 2, 3)), spaced(rng, (4, 3)), spaced(rng, (4,)))
    yield case(spaced(rng, (3,)), spaced(rng, (2, 3)))
    yield case(spaced(rng, (0, 3)), spaced(rng, (2, 3)), spaced(rng, (2,)))


def merge_rows(array):
    """All leading dimensions merged: (..., K) -> (M, K)."""
    count = 1
    for size in array.shape[:-1]:
        count *= size
    return reshape(array, (count, array.shape[-1]))


def _refuse_features(shape: tuple, outputs: int, inputs: int) -> None:
    """The error for an input whose last dimension is not that of the weight, and how to mend it."""
    got = shape[-1] if shape else 0
    advice = f"a layer for this input has in_features={got}"
    if math.prod(shape[1:]) == inputs:
        advice = f"flatten the {len(shape) - 1} dimensions behind the batch first: x.flatten(1)"
    elif got == outputs:
        advice = f"the weight takes {inputs} and gives {outputs}: in_features and out_features swapped?"
    elif math.prod(shape) == inputs:
        advice = (f"one sample has {inputs}, so the batch dimension seems to be missing: give the network "
                  "x.unsqueeze(0)")
    rows = math.prod(shape[:-1])
    raise RuntimeError(f"mat1 and mat2 shapes cannot be multiplied ({rows}x{got} and {inputs}x{outputs}): "
                       f"linear got {got} features per sample (input of shape {shape}), "
                       f"in_features={inputs}; {advice}")


@op(
    grad=dict(
        input=lambda g, weight: mm(g, weight) if g.ndim == 2 else matmul(g, weight),
        weight=lambda g, input: linear_weight(g, input),
        bias=lambda g: sum(g, 0) if g.ndim == 2 else sum(merge_rows(g), 0) if g.ndim > 1 else g,
    ),
    samples=_linear_cases,
    reference=lambda input, weight, bias=0.0: np.einsum("...k,nk->...n", input, weight) + bias,
    bad=[Bad((np.ones((4, 3)), np.ones((2, 5))), {}, RuntimeError,
             r"\(4x3 and 5x2\).*linear got 3 features.*\(4, 3\)\), in_features=5; .*in_features=3"),
         Bad((np.ones((4, 3, 2)), np.ones((2, 6))), {}, RuntimeError, r"x\.flatten\(1\)"),
         Bad((np.ones((4, 3)), np.ones((2, 12))), {}, RuntimeError, r"batch .* missing.*unsqueeze\(0\)"),
         Bad((np.ones((4, 2)), np.ones((2, 5))), {}, RuntimeError, "out_features swapped"),
         Bad((np.ones((4, 3)), np.ones((2, 3)), np.ones(3)), {}, RuntimeError,
             r"bias.*\(2,\), got \(3,\)")],
    exempt={"zero_dim": "takes at least a vector"},
)
def linear(input, weight, bias=None):
    """``input @ weight.T + bias`` on the last dimension.

    Args:
        input: (..., in_features).
        weight: (out_features, in_features).
        bias: (out_features,) or None.

    Raises:
        RuntimeError: if the sizes or dtypes do not fit.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.linear.html

    >>> linear(np.array([1.0, 2.0]), np.array([[3.0, 4.0]]), np.array([0.5]))
    array([11.5])
    """
    if weight.ndim != 2:
        expect_dims("linear", weight=(weight, 2))
    if input.ndim == 0 or input.shape[-1] != weight.shape[1]:
        _refuse_features(shape_of(input), *weight.shape)
    if input.dtype != weight.dtype or bias is not None and input.dtype != bias.dtype:
        same_dtype("linear", input, weight, *([] if bias is None or bias.dtype == weight.dtype else [bias]))
    if bias is not None and bias.shape != (weight.shape[0],):
        raise RuntimeError(f"linear: bias must have shape ({weight.shape[0]},), got {bias.shape}")
    if input.dtype.kind != "f":
        refuse_bool("addmm_impl_cpu_", input)
        product = np.matmul(input, weight.T)
        return product if bias is None else product + bias
    rows = input if input.ndim == 2 else input.reshape(-1, weight.shape[1]) if input.size else np.zeros(
        (int(np.prod(input.shape[:-1])), weight.shape[1]), input.dtype)
    result = _gemm.linear(rows, weight, bias)
    return result if input.ndim == 2 else result.reshape(*input.shape[:-1], weight.shape[0])


def _linear_weight_cases(rng):
    yield case(spaced(rng, (4, 2)), spaced(rng, (4, 3)))
    yield case(spaced(rng, (2, 2, 2)), spaced(rng, (2, 2, 3)))
    yield case(spaced(rng, (2,)), spaced(rng, (3,)))
    yield case(spaced(rng, (0, 2)), spaced(rng, (0, 3)))


@op(
    grad=dict(grad=lambda g, input: linear(input, g), input=lambda g, grad: matmul(grad, g)),
    samples=_linear_weight_cases,
    reference=lambda grad, input: np.tensordot(grad, input, 2 * [list(range(grad.ndim - 1))]),
    bad=[Bad((np.ones((4, 2)), np.ones((3, 2))), {}, RuntimeError,
             r"linear_weight.*\(4, 2\) and \(3, 2\)")],
    exempt={"zero_dim": "takes at least vectors"},
)
def linear_weight(grad, input):
    """Gradient of `linear` with respect to its weight: ``grad.T @ input``, summed over all rows.

    Args:
        grad: cotangent of the output, (..., out_features).
        input: the layer's input, (..., in_features).

    >>> linear_weight(np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]]))
    array([[3., 4.],
           [6., 8.]])
    """
    if grad.shape[:-1] != input.shape[:-1]:
        raise RuntimeError("linear_weight: all sizes but the last must agree, got shapes "
                           f"{grad.shape} and {input.shape}")
    if grad.ndim != 2:
        grad, input = merge_rows(grad), merge_rows(input)
    if grad.dtype.kind != "f" or grad.dtype != input.dtype:
        return mm(swap_last(grad), input)
    return _gemm.matmul(grad.T, input)


# ------------------------------------------------------------------ written with the ops above


def _matmul_cases(rng):
    shapes = (((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 2)), ((2, 2, 3), (3, 2)),
              ((2, 2, 3), (3,)), ((3,), (2, 3, 2)), ((2, 1, 2, 3), (2, 3, 1)), ((0, 2, 3), (3, 2)))
    for first, second in shapes:
        yield case(spaced(rng, first), spaced(rng, second))


@composite(
    differentiable=("input", "other"),
    samples=_matmul_cases,
    reference=np.matmul,
    bad=[Bad((np.ones((2, 3)), np.ones((2, 3))), {}, RuntimeError,
             r"cannot be multiplied \(2x3 and 2x3\)"),
         Bad((np.ones((2, 1, 3)), np.ones((3, 3, 2))), {}, RuntimeError,
             r"size of tensor a \(2\) must match.*\(3\)"),
         Bad((np.ones(()), np.ones((3, 2))), {}, RuntimeError, "both arguments.*at least 1D")],
    exempt={"zero_dim": "refused: takes at least vectors"},
)
def matmul(input, other):
    """The product ``input @ other`` of vectors, matrices or batches of matrices; the batches broadcast.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.matmul.html

    >>> matmul(np.ones((2, 3)), np.ones(3))
    array([3., 3.])
    """
    if getattr(input, "ndim", 0) == 2 and getattr(other, "ndim", 0) == 2:
        return mm(input, other)
    for name, value in (("input", input), ("other", other)):
        if not hasattr(array_of(value), "ndim"):
            raise TypeError(f"matmul(): argument '{name}' must be Tensor, not {type(value).__name__}")
    if input.ndim == 0 or other.ndim == 0:
        raise RuntimeError("both arguments to matmul need to be at least 1D, "
                           f"but they are {input.ndim}D and {other.ndim}D")
    if input.shape[-1] != other.shape[max(other.ndim - 2, 0)]:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied: the last size of the first must "
                           "equal the second last of the second, got shapes "
                           f"{tuple(input.shape)} and {tuple(other.shape)}")
    if input.ndim == 1 and other.ndim == 1:
        return dot(input, other)
    if other.ndim == 1:
        product = mv(merge_rows(input) if input.ndim > 2 else input, other)
        return reshape(product, shape_of(input)[:-1]) if input.ndim > 2 else product
    if input.ndim == 1 and other.ndim == 2:
        return vector_times_matrix(input, other)
    if input.ndim == 1:
        product = matmul(reshape(input, (1, input.shape[0])), other)
        return reshape(product, (*other.shape[:-2], other.shape[-1]))
    if other.ndim == 2:
        return reshape(mm(merge_rows(input), other), (*input.shape[:-1], other.shape[1]))
    batch = broadcast_shapes(shape_of(input)[:-2], shape_of(other)[:-2])
    (m, k), n = input.shape[-2:], other.shape[-1]
    count = int(np.prod(batch))
    first = reshape(expand(input, (*batch, m, k)), (count, m, k))
    second = reshape(expand(other, (*batch, k, n)), (count, k, n))
    return reshape(bmm(first, second), (*batch, m, n))
