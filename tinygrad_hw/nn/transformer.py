"""Transformers: layers of attention and position-wise networks, and stacks of them.

Source: Vaswani et al. 2017, https://arxiv.org/abs/1706.03762; with ``norm_first`` normalised as in
    Xiong et al. 2020, https://arxiv.org/abs/2002.04745
"""

from __future__ import annotations

import copy

import numpy as np

from ops.promotion import as_dtype, default_dtype
from tinygrad_hw.device import device as device_of
from tinygrad_hw.nn import functional as F
from tinygrad_hw.nn import init
from tinygrad_hw.nn.attention import MultiheadAttention
from tinygrad_hw.nn.container import ModuleList
from tinygrad_hw.nn.dropout import Dropout
from tinygrad_hw.nn.linear import Linear
from tinygrad_hw.nn.module import Module
from tinygrad_hw.nn.normalization import LayerNorm
from tinygrad_hw.tensor import Tensor

__all__ = ["Transformer", "TransformerDecoder", "TransformerDecoderLayer", "TransformerEncoder",
           "TransformerEncoderLayer"]


def _activation(activation):
    """A function, or that of the names "relu" and "gelu"."""
    if not isinstance(activation, str):
        return activation
    if activation not in ("relu", "gelu"):
        raise RuntimeError(f"activation should be relu/gelu, not {activation}; or give a function")
    return getattr(F, activation)


class TransformerEncoderLayer(Module):
    """Self-attention and a network of two linear layers, each with dropout, a sum and a normalisation.

    Args:
        d_model: features of input and output.
        nhead: number of attention heads.
        dim_feedforward: hidden features of the two linear layers.
        dropout: probability of dropout.
        activation: between the two linear layers: "relu", "gelu" or a function.
        layer_norm_eps: what is added to variances.
        batch_first: whether the batch is the first dimension instead of the second.
        norm_first: normalise before each part instead of after its sum.
        bias: whether linear layers and normalisations have biases.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.TransformerEncoderLayer.html

    >>> import tinygrad_hw
    >>> TransformerEncoderLayer(8, 2, batch_first=True)(tinygrad_hw.ones(3, 5, 8)).shape
    tinygrad_hw.Size([3, 5, 8])
    """

    def __init__(self, d_model: int, nhead: int, dim_feedforward: int = 2048, dropout: float = 0.1,
                 activation=F.relu, layer_norm_eps: float = 1e-05, batch_first: bool = False,
                 norm_first: bool = False, bias: bool = True, device=None, dtype=None):
        super().__init__()
        kind = {"device": device, "dtype": dtype}
        self.self_attn = MultiheadAttention(d_model, nhead, dropout, bias, batch_first=batch_first, **kind)
        self.linear1 = Linear(d_model, dim_feedforward, bias, **kind)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias, **kind)
        self.norm_first = norm_first
        self.norm1 = LayerNorm(d_model, layer_norm_eps, bias=bias, **kind)
        self.norm2 = LayerNorm(d_model, layer_norm_eps, bias=bias, **kind)
        self.dropout1 = Dropout(dropout)
        self.dropout2 = Dropout(dropout)
        self.activation = _activation(activation)

    def forward(self, src, src_mask=None, src_key_padding_mask=None, is_causal=False):
        def attend(x):
            return self.dropout1(self.self_attn(x, x, x, src_key_padding_mask, False, src_mask,
                                                is_causal=is_causal)[0])

        def feed_forward(x):
            return self.dropout2(self.linear2(self.dropout(self.activation(self.linear1(x)))))

        return _residual(src, self.norm_first, (attend, self.norm1), (feed_forward, self.norm2))


def _residual(x, norm_first: bool, *parts):
    """x + part(norm(x)) for every part in turn, or norm(x + part(x))."""
    for part, norm in parts:
        x = x + part(norm(x)) if norm_first else norm(x + part(x))
    return x


class TransformerDecoderLayer(Module):
    """Like `TransformerEncoderLayer`, with attention to an encoder's output ``memory`` in the middle.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.TransformerDecoderLayer.html

    >>> import tinygrad_hw
    >>> target, memory = tinygrad_hw.ones(4, 3, 8), tinygrad_hw.ones(5, 3, 8)
    >>> TransformerDecoderLayer(8, 2)(target, memory).shape
    tinygrad_hw.Size([4, 3, 8])
    """

    def __init__(self, d_model: int, nhead: int, dim_feedforward: int = 2048, dropout: float = 0.1,
                 activation=F.relu, layer_norm_eps: float = 1e-05, batch_first: bool = False,
                 norm_first: bool = False, bias: bool = True, device=None, dtype=None):
        super().__init__()
        kind = {"device": device, "dtype": dtype}
        attention = {"dropout": dropout, "bias": bias, "batch_first": batch_first, **kind}
        self.self_attn = MultiheadAttention(d_model, nhead, **attention)
        self.multihead_attn = MultiheadAttention(d_model, nhead, **attention)
        self.linear1 = Linear(d_model, dim_feedforward, bias, **kind)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, bias, **kind)
        self.norm_first = norm_first
        self.norm1 = LayerNorm(d_model, layer_norm_eps, bias=bias, **kind)
        self.norm2 = LayerNorm(d_model, layer_norm_eps, bias=bias, **kind)
        self.norm3 = LayerNorm(d_model, layer_norm_eps, bias=bias, **kind)
        self.dropout1 = Dropout(dropout)
        self.dropout2 = Dropout(dropout)
        self.dropout3 = Dropout(dropout)
        self.activation = _activation(activation)

    def forward(self, tgt, memory, tgt_mask=None, memory_mask=None, tgt_key_padding_mask=None,
                memory_key_padding_mask=None, tgt_is_causal=False, memory_is_causal=False):
        def attend(x):
            return self.dropout1(self.self_attn(x, x, x, tgt_key_padding_mask, False, tgt_mask,
                                                is_causal=tgt_is_causal)[0])

        def attend_to_memory(x):
            return self.dropout2(self.multihead_attn(x, memory, memory, memory_key_padding_mask, False,
                                                     memory_mask, is_causal=memory_is_causal)[0])

        def feed_forward(x):
            return self.dropout3(self.linear2(self.dropout(self.activation(self.linear1(x)))))

        return _residual(tgt, self.norm_first, (attend, self.norm1), (attend_to_memory, self.norm2),
                         (feed_forward, self.norm3))


def _copies(layer: Module, count: int) -> ModuleList:
    return ModuleList([copy.deepcopy(layer) for _ in range(count)])


class TransformerEncoder(Module):
    """``num_layers`` copies of an encoder layer one after another, and a normalisation if given.

    The copies start with the same weights.  ``enable_nested_tensor`` and ``mask_check`` are accepted and
    ignored: padding is always computed along.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.TransformerEncoder.html

    >>> import tinygrad_hw
    >>> TransformerEncoder(TransformerEncoderLayer(8, 2), 2)(tinygrad_hw.ones(5, 3, 8)).shape
    tinygrad_hw.Size([5, 3, 8])
    """

    def __init__(self, encoder_layer: Module, num_layers: int, norm: Module | None = None,
                 enable_nested_tensor: bool = True, mask_check: bool = True):
        super().__init__()
        self.layers, self.num_layers, self.norm = _copies(encoder_layer, num_layers), num_layers, norm
        self.enable_nested_tensor, self.mask_check = enable_nested_tensor, mask_check

    def forward(self, src, mask=None, src_key_padding_mask=None, is_causal=None):
        for layer in self.layers:
            src = layer(src, mask, src_key_padding_mask, bool(is_causal))
        return src if self.norm is None else self.norm(src)


class TransformerDecoder(Module):
    """``num_layers`` copies of a decoder layer one after another, and a normalisation if given.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.TransformerDecoder.html
    """

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None):
        super().__init__()
        self.layers, self.num_layers, self.norm = _copies(decoder_layer, num_layers), num_layers, norm

    def forward(self, tgt, memory, tgt_mask=None, memory_mask=None, tgt_key_padding_mask=None,
                memory_key_padding_mask=None, tgt_is_causal=None, memory_is_causal=False):
        for layer in self.layers:
            tgt = layer(tgt, memory, tgt_mask, memory_mask, tgt_key_padding_mask, memory_key_padding_mask,
                        bool(tgt_is_causal), memory_is_causal)
        return tgt if self.norm is None else self.norm(tgt)


class Transformer(Module):
    """An encoder for the source and a decoder for the target that attends to it.

    Args:
        d_model: features of source and target.
        nhead: number of attention heads.
        num_encoder_layers, num_decoder_layers: layers of each.
        custom_encoder, custom_decoder: modules to take instead.

    The others are those of `TransformerEncoderLayer`.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.Transformer.html

    >>> import tinygrad_hw
    >>> model = Transformer(8, 2, num_encoder_layers=1, num_decoder_layers=1, dim_feedforward=16)
    >>> model(tinygrad_hw.ones(5, 3, 8), tinygrad_hw.ones(4, 3, 8)).shape
    tinygrad_hw.Size([4, 3, 8])
    """

    def __init__(self, d_model: int = 512, nhead: int = 8, num_encoder_layers: int = 6,
                 num_decoder_layers: int = 6, dim_feedforward: int = 2048, dropout: float = 0.1,
                 activation=F.relu, custom_encoder=None, custom_decoder=None,
                 layer_norm_eps: float = 1e-05, batch_first: bool = False, norm_first: bool = False,
                 bias: bool = True, device=None, dtype=None):
        super().__init__()
        kind = {"device": device, "dtype": dtype}
        options = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps, batch_first,
                   norm_first, bias)

        def stack(whole, layer, count):
            norm = LayerNorm(d_model, layer_norm_eps, bias=bias, **kind)
            return whole(layer(*options, **kind), count, norm)

        self.encoder = custom_encoder if custom_encoder is not None else stack(
            TransformerEncoder, TransformerEncoderLayer, num_encoder_layers)
        self.decoder = custom_decoder if custom_decoder is not None else stack(
            TransformerDecoder, TransformerDecoderLayer, num_decoder_layers)
        self._reset_parameters()
        self.d_model, self.nhead, self.batch_first = d_model, nhead, batch_first

    def forward(self, src, tgt, src_mask=None, tgt_mask=None, memory_mask=None, src_key_padding_mask=None,
                tgt_key_padding_mask=None, memory_key_padding_mask=None, src_is_causal=None,
                tgt_is_causal=None, memory_is_causal=False):
        batch_dim = 0 if self.batch_first else 1
        if src.ndim == 3 and src.shape[batch_dim] != tgt.shape[batch_dim]:
            raise RuntimeError("the batch number of src and tgt must be equal, got shapes "
                               f"{tuple(src.shape)} and {tuple(tgt.shape)} with "
                               f"batch_first={self.batch_first}")
        for name, value in (("src", src), ("tgt", tgt)):
            if value.shape[-1] != self.d_model:
                raise RuntimeError("the feature number of src and tgt must be equal to d_model, "
                                   f"{self.d_model}; {name} has shape {tuple(value.shape)}")
        memory = self.encoder(src, src_mask, src_key_padding_mask, src_is_causal)
        return self.decoder(tgt, memory, tgt_mask, memory_mask, tgt_key_padding_mask,
                            memory_key_padding_mask, tgt_is_causal, memory_is_causal)

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device=None, dtype=None) -> Tensor:
        """A causal mask to add to scores: 0 up to the diagonal, -infinity above.

        >>> Transformer.generate_square_subsequent_mask(2)
        tensor([[0., -inf],
                [0., 0.]])
        """
        if device is not None:
            device_of(device)
        return Tensor._wrap(np.triu(np.full((sz, sz), -np.inf, as_dtype(dtype) or default_dtype()), 1))

    def _reset_parameters(self) -> None:
        """Draw new initial values of all matrices by Xavier's law."""
        for parameter in self.parameters():
            if parameter.ndim > 1:
                init.xavier_uniform_(parameter)
