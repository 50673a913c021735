"""Attention and transformers without PyTorch: gradients against differences, NumPy's results, error texts."""

import copy
import pickle

import numpy as np
import pytest

import tinygrad_hw as thw
from tinygrad_hw import nn
from tinygrad_hw.nn import functional as F
from tinygrad_hw.testing import gradcheck, gradgradcheck


def uniform(*shape, seed=0):
    return thw.from_numpy(np.random.default_rng(seed).uniform(-1, 1, shape))


def prepared(layer):
    """The layer in float64, without dropout, its parameters small random numbers."""
    layer = layer.double().eval()
    with thw.no_grad():
        for seed, parameter in enumerate(layer.parameters()):
            parameter.copy_(uniform(*parameter.shape, seed=seed) * 0.7)
    return layer


def softmax(scores):
    sizes = np.exp(scores - scores.max(-1, keepdims=True))
    return sizes / sizes.sum(-1, keepdims=True)


# ------------------------------------------------------------------ values


def test_multihead_attention_is_its_equation():
    """Every head alone, written in NumPy for one sequence."""
    layer = prepared(nn.MultiheadAttention(6, 2))
    query, key = uniform(3, 6, seed=20), uniform(4, 6, seed=21)
    (w_q, w_k, w_v), (b_q, b_k, b_v) = (
        np.split(p.detach().numpy(), 3) for p in (layer.in_proj_weight, layer.in_proj_bias))
    q, k, v = query.numpy() @ w_q.T + b_q, key.numpy() @ w_k.T + b_k, key.numpy() @ w_v.T + b_v
    heads, weights = [], []
    for head in (slice(0, 3), slice(3, 6)):
        weights.append(softmax(q[:, head] @ k[:, head].T / np.sqrt(3)))
        heads.append(weights[-1] @ v[:, head])
    out = layer.out_proj
    expected = np.hstack(heads) @ out.weight.detach().numpy().T + out.bias.detach().numpy()
    result, found = layer(query, key, key, average_attn_weights=False)
    np.testing.assert_allclose(result.detach().numpy(), expected)
    np.testing.assert_allclose(found.detach().numpy(), weights)


@pytest.mark.parametrize("norm_first", [False, True])
def test_causal_mask_hides_the_future(norm_first):
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(6, 2, 8, norm_first=norm_first), 2)
    encoder = prepared(encoder)
    x = uniform(5, 1, 6)
    changed = x.clone()
    changed[3:] += 1
    mask = nn.Transformer.generate_square_subsequent_mask(5, dtype=thw.float64)
    before, after = (encoder(value, mask, is_causal=True).detach().numpy() for value in (x, changed))
    np.testing.assert_allclose(before[:3], after[:3])
    assert not np.allclose(before[3:], after[3:])


def test_padding_does_not_matter():
    model = prepared(nn.Transformer(6, 2, 1, 1, 8, batch_first=True))
    source, target = uniform(1, 5, 6), uniform(1, 3, 6, seed=1)
    padded = thw.cat([source, thw.full((1, 2, 6), 100.0, dtype=thw.float64)], 1)
    hidden = thw.tensor([[False] * 5 + [True] * 2])
    result = model(padded, target, src_key_padding_mask=hidden, memory_key_padding_mask=hidden)
    np.testing.assert_allclose(result.detach().numpy(), model(source, target).detach().numpy())


def test_a_query_that_sees_nothing():
    """Zeros, and gradients without NaN."""
    q, k, v = (uniform(2, 2, seed=seed).requires_grad_() for seed in range(3))
    result = F.scaled_dot_product_attention(q, k, v, thw.tensor([[False, False], [True, False]]))
    assert result[0].tolist() == [0, 0] and result[1].tolist() == v[0].tolist()
    result.sum().backward()
    assert all(np.isfinite(leaf.grad.numpy()).all() for leaf in (q, k, v))


# ------------------------------------------------------------------ gradients


MASK = thw.tensor([[False, True, False], [False, False, True]])


@pytest.mark.parametrize("options", [{}, {"add_bias_kv": True, "add_zero_attn": True, "bias": False},
                                     {"kdim": 3, "vdim": 2, "batch_first": True}])
def test_gradients_of_multihead_attention(options):
    layer = prepared(nn.MultiheadAttention(4, 2, **options))
    query, key, value = (uniform(*shape, seed=seed).requires_grad_() for seed, shape in enumerate(
        ((2, 4), (3, options.get("kdim", 4)), (3, options.get("vdim", 4)))))
    gradcheck(lambda q, k, v, *rest: layer(q, k, v, attn_mask=MASK), (query, key, value, *layer.parameters()))


@pytest.mark.parametrize("norm_first", [False, True])
def test_gradients_of_transformer_layers(norm_first):
    options = {"dim_feedforward": 3, "norm_first": norm_first, "activation": "gelu"}
    x, memory = uniform(2, 1, 4).requires_grad_(), uniform(3, 1, 4, seed=1).requires_grad_()
    encoder = prepared(nn.TransformerEncoderLayer(4, 2, **options))
    gradcheck(lambda x, *rest: encoder(x), (x, *encoder.parameters()))
    decoder = prepared(nn.TransformerDecoderLayer(4, 2, **options))
    gradcheck(lambda x, m, *rest: decoder(x, m), (x, memory, *decoder.parameters()))


def test_second_order():
    layer = prepared(nn.MultiheadAttention(4, 2, bias=False))
    x = uniform(2, 4).requires_grad_()
    gradgradcheck(lambda x, *rest: layer(x, x, x)[0], (x, layer.in_proj_weight))


# ------------------------------------------------------------------ what the layers are


def test_layers_of_a_stack_are_copies():
    layer = nn.TransformerEncoderLayer(4, 2, 8)
    encoder = nn.TransformerEncoder(layer, 2)
    first, second = encoder.layers
    assert first.linear1.weight is not second.linear1.weight is not layer.linear1.weight
    assert first.linear1.weight.tolist() == second.linear1.weight.tolist()
    for other in (copy.deepcopy(encoder), pickle.loads(pickle.dumps(encoder))):
        assert repr(other) == repr(encoder) and list(other.state_dict()) == list(encoder.state_dict())


X, Y = thw.ones(4, 2, 6), thw.ones(3, 2, 6)


@pytest.mark.parametrize("call, error, text", [
    (lambda layer: nn.MultiheadAttention(6, 4), AssertionError, "embed_dim=6 and num_heads=4"),
    (lambda layer: nn.MultiheadAttention(0, 1), ValueError, "embed_dim=0 and num_heads=1"),
    (lambda layer: layer(Y, X, X, attn_mask=thw.zeros(2, 4)), RuntimeError,
     r"2D attn_mask is \(2, 4\), but should be \(3, 4\)"),
    (lambda layer: layer(Y, X, X, attn_mask=thw.zeros(2, 3, 4)), RuntimeError,
     r"but should be \(4, 3, 4\); a mask of its own for each head"),
    (lambda layer: layer(Y, X, X, attn_mask=thw.zeros(3, 4, dtype=thw.int64)), RuntimeError,
     "attn_mask must be bool or floating point, got .*int64"),
    (lambda layer: layer(Y, X, X, key_padding_mask=thw.zeros(4, 2)), AssertionError,
     r"must have shape \(2, 4\), \(batch, keys\), but got \(4, 2\)"),
    (lambda layer: layer(Y[..., :3], X, X), AssertionError, r"query with 6 features.*\(3, 2, 3\)"),
    (lambda layer: layer(Y, X, X[:2]), AssertionError, r"\(4, 2, 6\) and \(2, 2, 6\)"),
    (lambda layer: layer(Y, X[0], X[0]), AssertionError, "For batched 3-D query, key should be 3-D"),
    (lambda layer: layer(Y[None], X, X), AssertionError, "2D or batched 3D tensor but received 4-D"),
    (lambda layer: layer(X, X, X, is_causal=True), RuntimeError, "Need attn_mask"),
    (lambda layer: nn.TransformerEncoderLayer(6, 2, activation="sine"), RuntimeError,
     "should be relu/gelu, not sine; or give a function"),
    (lambda layer: nn.Transformer(6, 2, 1, 1, 8)(X, Y[:, :1]), RuntimeError,
     r"\(4, 2, 6\) and \(3, 1, 6\) with batch_first=False"),
    (lambda layer: nn.Transformer(4, 2, 1, 1, 8)(X, Y), RuntimeError,
     r"d_model, 4; src has shape \(4, 2, 6\)"),
])
def test_error_texts(call, error, text):
    with pytest.raises(error, match=text):
        call(nn.MultiheadAttention(6, 2))
