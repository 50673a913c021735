"""Tables addressed by class numbers: one-hot vectors and embeddings."""

from __future__ import annotations

import numpy as np

from ops.core import Bad, array_of, case, dtype_of, op
from ops.elementwise.arithmetic import mul
from ops.indexing.places import add_to_rows, inside
from ops.indexing.slices import index_add
from ops.samples import spaced
from ops.shape.layout import reshape

__all__ = ["embedding", "one_hot"]

_INT64 = np.dtype(np.int64)


@op(
    samples=lambda rng: iter([case(np.array([[0, 2], [1, 0]])), case(np.array(2), 4),
                              case(np.zeros(0, np.int64), 3)]),
    reference=lambda tensor, num_classes=-1: np.eye(
        num_classes if num_classes > 0 else tensor.max() + 1, dtype=np.int64)[tensor],
    bad=[Bad((np.array([0, 5]), 3), {}, RuntimeError,
             "Class values must be smaller than num_classes.*5.*3"),
         Bad((np.array([0, -1]),), {}, RuntimeError, "Class values must be non-negative"),
         Bad((np.array([0.0]),), {}, RuntimeError, "only applicable to index tensor of type LongTensor"),
         Bad((np.array([0]), 0), {}, RuntimeError, "Class values must be smaller than num_classes"),
         Bad((np.zeros(0, np.int64),), {}, RuntimeError,
             "Can not infer total number of classes from empty tensor")],
)
def one_hot(tensor, num_classes=-1):
    """Vectors of zeros with a one at the place that each class number names, as int64.

    Args:
        tensor: int64 of any shape, numbers from 0 to ``num_classes - 1``.
        num_classes: length of the vectors; -1 stands for the largest number plus 1.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.one_hot.html

    >>> one_hot(np.array([0, 2]))
    array([[1, 0, 0],
           [0, 0, 1]])
    """
    if tensor.dtype != np.int64:
        raise RuntimeError("one_hot is only applicable to index tensor of type LongTensor, got "
                           f"{tensor.dtype}; convert it with .long()")
    if tensor.size == 0 and num_classes <= 0:
        raise RuntimeError("Can not infer total number of classes from empty tensor.")
    high = int(np.maximum.reduce(tensor.view(np.uint64), axis=None)) if tensor.size else -1
    if high >= 2**63:  # without its sign a negative number is large
        raise RuntimeError(f"Class values must be non-negative, got {tensor.min()}")
    if num_classes != -1 and high >= num_classes:
        raise RuntimeError(f"Class values must be smaller than num_classes, got {high} with "
                           f"num_classes={num_classes}")
    classes = high + 1 if num_classes == -1 else num_classes
    out = np.zeros((*tensor.shape, classes), np.int64)
    out.reshape(-1)[np.arange(tensor.size) * classes + tensor.reshape(-1)] = 1
    return out


def _weight_grad(g, input, weight_shape, padding_idx, scale_grad_by_freq):
    """The cotangents summed into the rows they were looked up from."""
    rows, width = weight_shape
    places = array_of(input).reshape(-1)
    g = reshape(g, (places.size, width))
    if scale_grad_by_freq or padding_idx is not None:
        factor = np.ones(places.size, dtype_of(g))
        if scale_grad_by_freq:
            factor /= np.bincount(places, minlength=rows)[places]
        if padding_idx is not None:
            factor[places == padding_idx % rows] = 0
        g = mul(g, factor[:, None])
    total = np.zeros(weight_shape, dtype_of(g))
    if type(g) is not np.ndarray:
        return index_add(total, 0, places, g)
    add_to_rows(total, places, g)
    return total


def _embedding_cases(rng):
    weight = spaced(rng, (4, 3))
    yield case(np.array([[0, 3], [3, 1]]), weight)
    yield case(np.array(2, np.int32), weight)
    yield case(np.zeros((0, 2), np.int64), weight)


@op(
    grad=dict(weight=_weight_grad),
    samples=_embedding_cases,
    reference=lambda input, weight: np.eye(len(weight))[input] @ weight,
    bad=[Bad((np.array([0, 5]), np.ones((3, 2))), {}, IndexError,
             "index out of range in self.*5.*3 rows"),
         Bad((np.array([-1]), np.ones((3, 2))), {}, IndexError, "index out of range in self.*-1"),
         Bad((np.array([0.0]), np.ones((3, 2))), {}, RuntimeError,
             "scalar types: Long, Int; but got float64"),
         Bad((np.array([0]), np.ones(3)), {}, RuntimeError, "'weight' must be 2-D"),
         Bad((np.array([0]), np.ones((3, 2)), 3), {}, AssertionError,
             "Padding_idx must be within num_embeddings")],
)
def embedding(input, weight, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False,
              sparse=False):
    """The rows of ``weight`` that ``input`` names: shape ``input.shape + (embedding_dim,)``.

    Args:
        input: int64 or int32 of any shape, numbers from 0 to ``len(weight) - 1``.
        weight: table of shape (num_embeddings, embedding_dim).
        padding_idx: row that receives no gradient; its values are used as they are.
        max_norm: rows that are looked up and whose ``norm_type``-norm exceeds it are scaled down in
            place.
        scale_grad_by_freq: divide the gradient of a row by how often it was looked up.
        sparse: accepted as in PyTorch; gradients are dense here.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.embedding.html

    >>> embedding(np.array([1, 1]), np.array([[1.0, 2.0], [3.0, 4.0]]))
    array([[3., 4.],
           [3., 4.]])
    """
    if input.dtype is not _INT64 and input.dtype not in (np.int64, np.int32):
        raise RuntimeError("Expected tensor for argument #1 'indices' to have one of the following "
                           f"scalar types: Long, Int; but got {input.dtype} instead (while checking "
                           "arguments for embedding); convert the indices: x.long()")
    if weight.ndim != 2:
        raise RuntimeError(f"'weight' must be 2-D, got shape {list(weight.shape)}")
    rows = len(weight)
    if padding_idx is not None and not -rows <= padding_idx < rows:
        raise AssertionError(f"Padding_idx must be within num_embeddings, got {padding_idx} for {rows} "
                             "rows")
    if not inside(input, rows) and input.size:
        low, high = input.min(), input.max()
        if low < 0 or high >= rows:
            raise IndexError(f"index out of range in self: {high if high >= rows else low} in a table "
                             f"of {rows} rows")
    if max_norm is not None:
        _renormalize(weight, np.unique(input), max_norm, norm_type)
    return weight.take(input, axis=0)


def _renormalize(weight: np.ndarray, rows: np.ndarray, max_norm: float, norm_type: float) -> None:
    """Scale the rows whose norm exceeds ``max_norm`` down to it, in place."""
    norms = np.linalg.norm(weight[rows], norm_type, axis=1)
    large = norms > max_norm
    weight[rows[large]] *= (max_norm / (norms[large] + 1e-7))[:, None].astype(weight.dtype)
