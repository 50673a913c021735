"""Attention: averages of values, weighted by how well the keys fit a query."""

from __future__ import annotations

import math

import numpy as np

from ops.core import Bad, array_of, case, composite, dtype_of
from ops.elementwise.arithmetic import add, mul
from ops.elementwise.comparison import logical_not
from ops.indexing.masked import masked_fill
from ops.loss.softmax_family import softmax
from ops.matrix.products import matmul
from ops.random.dropping import dropout
from ops.samples import spaced
from ops.shape.arrange import repeat_interleave
from ops.shape.layout import transpose

__all__ = ["attention_weights", "scaled_dot_product_attention"]


def _mask_cases(rng):
    """Query and key with masks of every kind; some rows see nothing at all."""
    query, key = spaced(rng, (2, 3, 4)), spaced(rng, (2, 5, 4))
    partly_blind = np.array([[True] * 5, [False] * 5, [True, False] * 2 + [True]])
    yield case(query, key)
    yield case(query, key, is_causal=True)
    yield case(query[0], key[0], attn_mask=spaced(rng, (3, 5)), scale=2.0)
    yield case(query, key, attn_mask=rng.integers(0, 2, (2, 3, 5)) > 0)
    yield case(query, key, attn_mask=partly_blind)
    yield case(query, key, attn_mask=np.where(partly_blind, 0.5, -np.inf))
    yield case(query[:0], key[:0])


def _reference_weights(query, key, attn_mask=None, is_causal=False, scale=None):
    scores = np.einsum("...le,...se->...ls", query, key)
    scores = scores * (1 / np.sqrt(query.shape[-1]) if scale is None else scale)
    if is_causal:
        attn_mask = np.arange(scores.shape[-1]) <= np.arange(scores.shape[-2])[:, None]
    if attn_mask is not None:
        scores = scores + (np.where(attn_mask, 0, -np.inf) if attn_mask.dtype == bool else attn_mask)
    sizes = np.exp(scores)
    return sizes / np.maximum(sizes.sum(-1, keepdims=True), 1e-300)


def _causal_mask(queries: int, keys: int) -> np.ndarray:
    """True where the key is not later than the query."""
    return np.tri(queries, keys, dtype=bool)


def _check(query, key, attn_mask, is_causal: bool) -> None:
    name = "scaled_dot_product_attention"
    if query.ndim < 2 or key.ndim < 2:
        raise RuntimeError(f"{name}: Expected query, key, and value to all be at least 2 dimensional, but "
                           f"got query of shape {tuple(query.shape)}, key of shape {tuple(key.shape)}")
    if dtype_of(query) != dtype_of(key):
        raise RuntimeError(f"{name}: Expected query, key, and value to have the same dtype, but got "
                           f"{dtype_of(query)} and {dtype_of(key)}")
    if query.shape[-1] != key.shape[-1]:
        raise RuntimeError(f"{name}: query and key must have the same number of features, got shapes "
                           f"{tuple(query.shape)} and {tuple(key.shape)}")
    if attn_mask is not None:
        if is_causal:
            raise RuntimeError(f"{name}: Explicit attn_mask should not be set when is_causal=True")
        if dtype_of(attn_mask) not in (bool, dtype_of(query)):
            raise RuntimeError(f"{name}: Expected attn_mask dtype to be bool or that of the query, "
                               f"{dtype_of(query)}, but got {dtype_of(attn_mask)}")


@composite(
    samples=_mask_cases, reference=_reference_weights, differentiable=("query", "key", "attn_mask"),
    exempt={"zero_dim": "takes matrices"},
    bad=[Bad((np.ones(3), np.ones((3, 3))), {}, RuntimeError, r"at least 2 dimensional.*\(3,\)"),
         Bad((np.ones((2, 3)), np.ones((2, 4))), {}, RuntimeError, r"\(2, 3\) and \(2, 4\)")],
)
def attention_weights(query, key, attn_mask=None, is_causal=False, scale=None):
    """``softmax(scale * query @ key.T + mask)``: how much each query takes of each key's value.

    A query that may see no key at all gets weights 0.

    Args:
        query: (*, queries, features).
        key: (*, keys, features).
        attn_mask: broadcasts to (*, queries, keys): boolean, True where a key may be seen; or floats that
            are added to the scores.
        is_causal: query i sees keys 0 to i only.
        scale: 1 / sqrt(features) by default.

    Source: Vaswani et al. 2017, https://arxiv.org/abs/1706.03762

    >>> attention_weights(np.zeros((2, 1)), np.zeros((2, 1)), is_causal=True)
    array([[1. , 0. ],
           [0.5, 0.5]])
    """
    _check(query, key, attn_mask, is_causal)
    scale = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    scores = matmul(mul(query, scale), transpose(key, -2, -1))
    if is_causal:
        attn_mask = _causal_mask(query.shape[-2], key.shape[-2])
    if attn_mask is None:
        return softmax(scores, -1)
    # rows that see nothing are computed as if they saw everything, since softmax of nothing is NaN
    mask = array_of(attn_mask)
    seen = mask if mask.dtype == bool else mask != -np.inf
    blind = ~seen.any(-1, keepdims=True)
    if mask.dtype == bool:
        hidden = logical_not(seen | blind)
        scores = masked_fill(scores, hidden, -np.inf)
    else:
        scores = add(scores, masked_fill(attn_mask, blind, 0.0) if blind.any() else attn_mask)
    weights = softmax(scores, -1)
    return masked_fill(weights, blind, 0.0) if blind.any() else weights


def _attention_cases(rng):
    for one in _mask_cases(rng):
        yield case(*one.args, spaced(rng, (*one.args[1].shape[:-1], 2)), **one.kwargs)
    yield case(spaced(rng, (1, 4, 2, 3)), spaced(rng, (1, 2, 2, 3)), spaced(rng, (1, 2, 2, 3)),
               enable_gqa=True)


def _reference_attention(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, *, scale=None,
                         enable_gqa=False):
    if enable_gqa:
        key, value = (np.repeat(v, query.shape[-3] // v.shape[-3], -3) for v in (key, value))
    return np.einsum("...ls,...sv->...lv", _reference_weights(query, key, attn_mask, is_causal, scale),
                     value)


@composite(
    samples=_attention_cases, reference=_reference_attention,
    differentiable=("query", "key", "value", "attn_mask"),
    exempt={"zero_dim": "takes matrices"},
    bad=[Bad((np.ones((2, 3)), np.ones((2, 3)), np.ones((2, 3))),
             dict(attn_mask=np.ones((2, 2), bool), is_causal=True), RuntimeError,
             "attn_mask should not be set when is_causal=True"),
         Bad((np.ones((2, 3)), np.ones((2, 3), np.float32), np.ones((2, 3))), {}, RuntimeError,
             "same dtype, but got float64 and float32"),
         Bad((np.ones((2, 3)), np.ones((2, 3)), np.ones((4, 3))), {}, RuntimeError,
             r"as many keys as values.*\(2, 3\) and \(4, 3\)"),
         Bad((np.ones((2, 3)), np.ones((2, 3)), np.ones((2, 3)), np.ones((2, 2), int)), {}, RuntimeError,
             "attn_mask dtype to be bool or that of the query, float64, but got int64"),
         Bad((np.ones((2, 3)), np.ones((2, 3)), np.ones((2, 3)), None, 1.5), {}, RuntimeError,
             "between 0 and 1, but got 1.5"),
         Bad((np.ones((3, 2, 3)), np.ones((2, 2, 3)), np.ones((2, 2, 3))), dict(enable_gqa=True),
             RuntimeError, "multiple of the 2 heads.*got 3")],
)
def scaled_dot_product_attention(query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, *,
                                 scale=None, enable_gqa=False):
    """``softmax(scale * query @ key.T + mask) @ value``, of shape (*, queries, value features).

    Args:
        query: (*, queries, features).
        key: (*, keys, features).
        value: (*, keys, value features).
        attn_mask: broadcasts to (*, queries, keys): boolean, True where a key may be seen; or floats that
            are added to the scores.
        dropout_p: probability of dropout on the weights; it is applied whenever it is above 0.
        is_causal: query i sees keys 0 to i only; not together with ``attn_mask``.
        scale: 1 / sqrt(features) by default.
        enable_gqa: let groups of query heads, dimension -3, share a head of key and value.

    Raises:
        RuntimeError: for shapes, dtypes or options that do not fit.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.scaled_dot_product_attention.html

    >>> value = np.array([[1.0], [3.0]])
    >>> scaled_dot_product_attention(np.zeros((2, 1)), np.zeros((2, 1)), value, is_causal=True)
    array([[1.],
           [2.]])
    """
    if not 0 <= dropout_p <= 1:
        raise RuntimeError(f"dropout probability has to be between 0 and 1, but got {dropout_p}")
    if tuple(key.shape[-2:-1]) != tuple(value.shape[-2:-1]):
        raise RuntimeError("scaled_dot_product_attention: there must be as many keys as values, got shapes "
                           f"{tuple(key.shape)} and {tuple(value.shape)}")
    if enable_gqa:
        heads, shared = query.shape[-3], key.shape[-3]
        if heads % shared:
            raise RuntimeError("scaled_dot_product_attention: enable_gqa needs a number of query heads that "
                               f"is a multiple of the {shared} heads of key and value, got {heads}")
        key, value = (repeat_interleave(v, heads // v.shape[-3], -3) for v in (key, value))
    weights = attention_weights(query, key, attn_mask, is_causal, scale)
    return matmul(dropout(weights, dropout_p) if dropout_p else weights, value)
