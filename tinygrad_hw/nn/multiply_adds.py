"""How many multiplications (each with an addition) a layer needs for an input."""

from __future__ import annotations

import functools
import math

from tinygrad_hw.nn.attention import MultiheadAttention
from tinygrad_hw.nn.conv import Conv1d, Conv2d, ConvTranspose1d, ConvTranspose2d
from tinygrad_hw.nn.linear import Bilinear, Linear
from tinygrad_hw.nn.recurrent import RNNBase
from tinygrad_hw.nn.recurrent_cells import RNNCellBase

__all__ = ["multiply_adds"]


@functools.singledispatch
def multiply_adds(layer, inputs: tuple, output) -> int:
    """Multiply-adds of one call of a layer: those of weights (and in attention, of keys) with data.

    Layers without such products count 0: activations, pooling, normalisation, embeddings.  A layer of
    your own is added by ``multiply_adds.register``.

    Args:
        layer: the layer.
        inputs: Tensors it was called with.
        output: what it returned.

    >>> from tinygrad_hw import nn, zeros
    >>> layer, x = nn.Conv2d(3, 8, 5), zeros(1, 3, 12, 12)
    >>> multiply_adds(layer, (x,), layer(x)) == 8 * 8 * 8 * (3 * 5 * 5)
    True
    """
    return 0


@multiply_adds.register(Linear)
def _linear(layer, inputs, output):
    return output.numel() * layer.in_features


@multiply_adds.register(Bilinear)
def _bilinear(layer, inputs, output):
    return output.numel() * layer.in1_features * layer.in2_features


@multiply_adds.register(Conv1d)
@multiply_adds.register(Conv2d)
def _convolution(layer, inputs, output):
    return output.numel() * math.prod(layer.weight.shape[1:])


@multiply_adds.register(ConvTranspose1d)
@multiply_adds.register(ConvTranspose2d)
def _transposed_convolution(layer, inputs, output):
    return inputs[0].numel() * math.prod(layer.weight.shape[1:])


def _weights(layer) -> int:
    """Elements of all weight matrices of a layer."""
    return sum(parameter.numel() for parameter in layer.parameters() if parameter.ndim > 1)


@multiply_adds.register(RNNCellBase)
def _cell(layer, inputs, output):
    return inputs[0].numel() // inputs[0].shape[-1] * _weights(layer)


@multiply_adds.register(RNNBase)
def _recurrent(layer, inputs, output):
    data = inputs[0]
    tokens = data.data if hasattr(data, "batch_sizes") else data
    return tokens.numel() // tokens.shape[-1] * _weights(layer)


@multiply_adds.register(MultiheadAttention)
def _attention(layer, inputs, output):
    query, key, value = inputs[:3]
    batch = query.numel() // query.shape[-1]
    batch //= query.shape[layer.batch_first] if query.ndim == 3 else query.shape[0]
    queries, keys = (x.numel() // x.shape[-1] // batch for x in (query, key))
    features = layer.embed_dim
    projections = queries * features + keys * (layer.kdim + layer.vdim)  # out_proj is a layer of its own
    return batch * features * (projections + 2 * queries * keys)
