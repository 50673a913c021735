"""Multi-head attention."""

from __future__ import annotations

import numpy as np

import ops
from tinygrad_hw.nn import init
from tinygrad_hw.nn.linear import Linear
from tinygrad_hw.nn.module import Module
from tinygrad_hw.nn.parameter import Parameter, empty
from tinygrad_hw.tensor import Tensor

__all__ = ["MultiheadAttention"]


class NonDynamicallyQuantizableLinear(Linear):
    """A `Linear` under the name that PyTorch prints for an attention's output layer."""


def _additive(name: str, mask, dtype):
    """A mask that is added to the scores: boolean ones hide where True, floats are left as they are."""
    if mask is None:
        return None
    kind = mask.array_dtype.kind
    if kind == "f":
        return mask
    if kind != "b":
        raise RuntimeError(f"{name} must be bool or floating point, got {mask.dtype}")
    return Tensor._wrap(np.where(mask.array, dtype.type(-np.inf), dtype.type(0)))


class MultiheadAttention(Module):
    """Attention of ``num_heads`` heads, each on its own projection of query, key and value.

    Takes query (queries, batch, embed_dim), key (keys, batch, kdim) and value (keys, batch, vdim), with
    the batch first if ``batch_first``, or all without batch.  Returns the result, shaped like the query,
    and the weights (batch, queries, keys), averaged over the heads; None without ``need_weights``.
    A query that may see no key at all gets weights 0 (in PyTorch NaN, if the weights are asked for).

    Args:
        embed_dim: features of query and result; a multiple of ``num_heads``.
        num_heads: the number of heads.
        dropout: probability of dropout on the weights while training.
        bias: whether the projections have biases.
        add_bias_kv: add a trained key and value to those given.
        add_zero_attn: add a key and value of zeros.
        kdim, vdim: features of key and value, ``embed_dim`` by default.
        batch_first: whether the batch is the first dimension instead of the second.

    Source: Vaswani et al. 2017, https://arxiv.org/abs/1706.03762, section 3.2.2;
        https://docs.pytorch.org/docs/stable/generated/torch.nn.MultiheadAttention.html

    >>> import tinygrad_hw
    >>> x = tinygrad_hw.ones(2, 5, 8)
    >>> result, weights = MultiheadAttention(8, 2, batch_first=True)(x, x, x)
    >>> result.shape, weights.shape
    (tinygrad_hw.Size([2, 5, 8]), tinygrad_hw.Size([2, 5, 5]))
    """

    def __init__(self, embed_dim, num_heads, dropout=0.0, bias=True, add_bias_kv=False,
                 add_zero_attn=False, kdim=None, vdim=None, batch_first=False, device=None, dtype=None):
        super().__init__()
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError("embed_dim and num_heads must be greater than 0, got "
                             f"embed_dim={embed_dim} and num_heads={num_heads} instead")
        if embed_dim % num_heads:
            raise AssertionError("embed_dim must be divisible by num_heads, got "
                                 f"embed_dim={embed_dim} and num_heads={num_heads}")
        self.embed_dim, self.num_heads, self.head_dim = embed_dim, num_heads, embed_dim // num_heads
        self.kdim, self.vdim = kdim or embed_dim, vdim or embed_dim
        self.dropout, self.batch_first, self.add_zero_attn = dropout, batch_first, add_zero_attn
        self._qkv_same_embed_dim = self.kdim == self.vdim == embed_dim

        def parameter(*shape):
            return Parameter(empty(shape, device, dtype))

        if self._qkv_same_embed_dim:
            self.in_proj_weight = parameter(3 * embed_dim, embed_dim)
            for name in ("q", "k", "v"):
                self.register_parameter(f"{name}_proj_weight", None)
        else:
            self.q_proj_weight = parameter(embed_dim, embed_dim)
            self.k_proj_weight = parameter(embed_dim, self.kdim)
            self.v_proj_weight = parameter(embed_dim, self.vdim)
            self.register_parameter("in_proj_weight", None)
        self.register_parameter("in_proj_bias", parameter(3 * embed_dim) if bias else None)
        self.out_proj = NonDynamicallyQuantizableLinear(embed_dim, embed_dim, bias, device, dtype)
        for name in ("bias_k", "bias_v"):
            if add_bias_kv:
                setattr(self, name, parameter(1, 1, embed_dim))
            else:
                setattr(self, name, None)
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        """Draw new initial values: weights by Xavier's law, biases 0."""
        for weight in (self.in_proj_weight, self.q_proj_weight, self.k_proj_weight, self.v_proj_weight):
            if weight is not None:
                init.xavier_uniform_(weight)
        if self.in_proj_bias is not None:
            init.zeros_(self.in_proj_bias)
            init.zeros_(self.out_proj.bias)
        for bias in (self.bias_k, self.bias_v):
            if bias is not None:
                init.xavier_normal_(bias)

    def _check(self, query, key, value) -> None:
        sizes = (self.embed_dim, self.kdim, self.vdim)
        names = zip(("query", "key", "value"), (query, key, value), sizes)
        if query.ndim not in (2, 3):
            raise AssertionError("query should be unbatched 2D or batched 3D tensor but received "
                                 f"{query.ndim}-D query tensor")
        for name, tensor, size in names:
            if tensor.ndim != query.ndim:
                raise AssertionError(f"For {'' if query.ndim == 3 else 'un'}batched {query.ndim}-D query, "
                                     f"{name} should be {query.ndim}-D, too, but got a {tensor.ndim}-D "
                                     "tensor")
            if tensor.shape[-1] != size:
                raise AssertionError(f"was expecting {name} with {size} features in its last dimension, "
                                     f"but got shape {tuple(tensor.shape)}")
        if tuple(key.shape[:-1]) != tuple(value.shape[:-1]):
            raise AssertionError("key and value must have the same batch and number, got shapes "
                                 f"{tuple(key.shape)} and {tuple(value.shape)}")

    def _projections(self, query, key, value) -> list:
        """Query, key and value after their linear layers, by one product where they are one Tensor."""
        if self._qkv_same_embed_dim and query is key is value:
            return list(ops.chunk(ops.linear(query, self.in_proj_weight, self.in_proj_bias), 3, -1))
        weights = (ops.chunk(self.in_proj_weight, 3) if self._qkv_same_embed_dim
                   else (self.q_proj_weight, self.k_proj_weight, self.v_proj_weight))
        biases = (None,) * 3 if self.in_proj_bias is None else ops.chunk(self.in_proj_bias, 3)
        return [ops.linear(*one) for one in zip((query, key, value), weights, biases)]

    def _heads(self, tensor):
        """(length, batch, embed_dim) as (batch, heads, length, head_dim)."""
        length, batch = tensor.shape[:2]
        split = ops.reshape(tensor, (length, batch, self.num_heads, self.head_dim))
        return ops.permute(split, (1, 2, 0, 3))

    def _mask(self, attn_mask, key_padding_mask, sizes: tuple[int, int, int], dtype):
        """Both masks as one that is added to scores (batch, heads, queries, keys), or None."""
        batch, queries, keys = sizes
        attn_mask = _additive("attn_mask", attn_mask, dtype)
        padding = _additive("key_padding_mask", key_padding_mask, dtype)
        if attn_mask is not None:
            every = (queries, keys) if attn_mask.ndim == 2 else (batch * self.num_heads, queries, keys)
            if tuple(attn_mask.shape) != every:
                raise RuntimeError(f"The shape of the {attn_mask.ndim}D attn_mask is "
                                   f"{tuple(attn_mask.shape)}, but should be {every}; a mask of its own for "
                                   "each head has shape (batch * num_heads, queries, keys)")
            if attn_mask.ndim == 3:
                attn_mask = ops.reshape(attn_mask, (batch, self.num_heads, queries, keys))
        if padding is None:
            return attn_mask
        if padding.ndim == 1:
            padding = ops.unsqueeze(padding, 0)
        if tuple(padding.shape) != (batch, keys):
            raise AssertionError(f"key_padding_mask must have shape {(batch, keys)}, (batch, keys), but got "
                                 f"{tuple(key_padding_mask.shape)}")
        padding = ops.reshape(padding, (batch, 1, 1, keys))
        return padding if attn_mask is None else ops.add(attn_mask, padding)

    def forward(self, query, key, value, key_padding_mask=None, need_weights=True, attn_mask=None,
                average_attn_weights=True, is_causal=False):
        """Attention of every query to the keys.

        Args:
            key_padding_mask: (batch, keys), boolean and True for keys that nobody may see, or floats that
                are added to the scores.
            need_weights: whether the weights are returned as well.
            attn_mask: (queries, keys) or (batch * num_heads, queries, keys), likewise.
            average_attn_weights: over the heads; if False the weights are (batch, heads, queries, keys).
            is_causal: says that ``attn_mask`` is causal, which must be given all the same.
        """
        self._check(query, key, value)
        if is_causal and attn_mask is None:
            raise RuntimeError("Need attn_mask if specifying the is_causal hint.")
        batched = query.ndim == 3
        q, k, v = self._projections(query, key, value)
        if not batched:
            q, k, v = (ops.unsqueeze(t, 1) for t in (q, k, v))
        elif self.batch_first:
            q, k, v = (ops.transpose(t, 0, 1) for t in (q, k, v))
        (queries, batch), keys = q.shape[:2], k.shape[0]
        mask = self._mask(attn_mask, key_padding_mask, (batch, queries, keys), q.array_dtype)
        if self.bias_k is not None:
            k, v = (ops.cat([t, ops.expand(extra, (1, batch, self.embed_dim))])
                    for t, extra in ((k, self.bias_k), (v, self.bias_v)))
        if self.add_zero_attn:
            zero = Tensor._wrap(np.zeros((1, batch, self.embed_dim), q.array_dtype))
            k, v = ops.cat([k, zero]), ops.cat([v, zero])
        if mask is not None and len(k) > keys:
            mask = ops.pad(mask, (0, len(k) - keys))  # what was added here may be seen

        weights = ops.attention_weights(self._heads(q), self._heads(k), mask)
        if self.dropout and self.training:
            weights = ops.dropout(weights, self.dropout)
        result = ops.matmul(weights, self._heads(v))  # (batch, heads, queries, head_dim)
        result = ops.reshape(ops.permute(result, (2, 0, 1, 3)), (queries, batch, self.embed_dim))
        result = self.out_proj(result)
        if not batched:
            result = ops.squeeze(result, 1)
        elif self.batch_first:
            result = ops.transpose(result, 0, 1)
        if not need_weights:
            return result, None
        if average_attn_weights:
            weights = ops.mean(weights, 1)
        return result, weights if batched else ops.squeeze(weights, 0)
