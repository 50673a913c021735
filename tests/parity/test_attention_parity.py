"""Attention and transformers against torch.nn: values, gradients, weights' names, masks and errors."""

import itertools

import numpy as np
import pytest

import tinygrad_hw as thw
import tinygrad_hw.nn.functional as F

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore")  # PyTorch's on nested tensors and mixed masks

from harness import attempt, check_calls, check_errors, check_gradients, to_ours, to_torch
from layer_runs import TOLERANCE, compare, draw, pair

QUERIES, KEYS, BATCH, FEATURES = 3, 4, 2, 6


# ------------------------------------------------------------------ scaled_dot_product_attention

SEEN = np.array([[True, True, False, True], [False] * 4, [True] * 4])
CALLS = [
    ((2, 3, 5), (2, 4, 5), (2, 4, 2), {}),
    ((2, 2, 3, 5), (2, 2, 4, 5), (2, 2, 4, 5), {"is_causal": True}),
    ((4, 5), (2, 5), (2, 5), {"is_causal": True, "scale": 0.3}),
    ((2, 3, 5), (2, 4, 5), (2, 4, 2), {"attn_mask": SEEN}),
    ((2, 3, 5), (2, 4, 5), (2, 4, 2), {"attn_mask": np.where(SEEN, 0.3, -np.inf)}),
    ((2, 3, 5), (2, 4, 5), (2, 4, 2), {"attn_mask": draw(2, 1, 4), "scale": 2.0}),
    ((2, 4, 3, 5), (2, 2, 4, 5), (2, 2, 4, 3), {"enable_gqa": True}),
    ((2, 3, 5), (2, 4, 5), (2, 4, 2), {"dropout_p": 0.0}),
]


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("query, key, value, options", CALLS, ids=str)
def test_scaled_dot_product_attention(query, key, value, options, dtype):
    arrays = [draw(*shape, dtype=dtype, seed=seed) for seed, shape in enumerate((query, key, value))]
    options = {name: v.astype(dtype) if isinstance(v, np.ndarray) and v.dtype.kind == "f" else v
               for name, v in options.items()}
    functions = F.scaled_dot_product_attention, torch.nn.functional.scaled_dot_product_attention
    assert check_calls(*functions, arrays, options).error is None
    assert check_gradients(*functions, arrays, options)


def test_dropout_of_attention():
    """Dropout acts whenever it is asked for: at 1 nothing is left, between it keeps the mean."""
    q, k, v = (thw.from_numpy(draw(n, 3)) for n in (2000, 2, 2))
    assert not F.scaled_dot_product_attention(q, k, v, dropout_p=1.0).numpy().any()
    dropped = F.scaled_dot_product_attention(q * 0, k, v, dropout_p=0.4).numpy()
    np.testing.assert_allclose(dropped.mean(0), v.numpy().mean(0), atol=0.1)
    assert len(np.unique(dropped[:, 0].round(6))) == 4  # none, either, both


# ------------------------------------------------------------------ MultiheadAttention


def masks(kind, dtype):
    """Boolean masks (True hides) or masks to be added, none of which hides everything from a query."""
    attn, padding = np.zeros((QUERIES, KEYS), bool), np.zeros((BATCH, KEYS), bool)
    attn[0, 2:] = attn[2, :2] = padding[1, 3:] = True
    each = np.stack([np.roll(attn, n, 0) for n in range(BATCH * 2)])
    if kind == "float":
        attn, padding, each = (np.where(m, -np.inf, 0.5).astype(dtype) for m in (attn, padding, each))
    return {"attn_mask": attn, "key_padding_mask": padding, "each head": each}


OPTIONS = [{}, {"bias": False, "batch_first": True}, {"add_bias_kv": True, "add_zero_attn": True},
           {"kdim": 5, "vdim": 3}, {"kdim": 5, "bias": False, "add_bias_kv": True, "batch_first": True}]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_multihead_attention(options, dtype):
    """Every way of masking, averaged weights, weights of every head, and none."""
    def sized(length, features, seed):
        sizes = (BATCH, length) if options.get("batch_first") else (length, BATCH)
        return draw(*sizes, features, dtype=dtype, seed=seed)

    arrays = (sized(QUERIES, FEATURES, 0), sized(KEYS, options.get("kdim", FEATURES), 1),
              sized(KEYS, options.get("vdim", FEATURES), 2))
    calls = [{}, {"need_weights": False}, {"average_attn_weights": False}]
    for kind in ("bool", "float"):
        given = masks(kind, dtype)
        calls += [{"attn_mask": given["attn_mask"]}, {"key_padding_mask": given["key_padding_mask"]},
                  {"attn_mask": given["each head"], "key_padding_mask": given["key_padding_mask"]}]
    for kwargs in calls:
        def call(lib, layer, given, kwargs=kwargs):
            convert = to_torch if lib is torch else to_ours
            masks = {name: convert(v) if isinstance(v, np.ndarray) else v for name, v in kwargs.items()}
            return layer(*map(given, arrays), **masks)

        compare("MultiheadAttention", (FEATURES, 2), options, call, dtype)


@pytest.mark.parametrize("options", [{}, {"batch_first": True}], ids=str)
def test_self_attention_and_unbatched(options):
    """Query, key and value that are one Tensor, and Tensors without batch."""
    def attend_to_itself(lib, layer, given):
        x = given(draw(KEYS, BATCH, FEATURES))
        return layer(x, x, x)

    compare("MultiheadAttention", (FEATURES, 3), options, attend_to_itself)
    query, key = draw(QUERIES, FEATURES), draw(KEYS, FEATURES, seed=1)
    for average in (True, False):
        compare("MultiheadAttention", (FEATURES, 3), options, lambda lib, layer, given: layer(
            given(query), given(key), given(key), average_attn_weights=average))
    hidden = np.array([False, True, False, False])
    compare("MultiheadAttention", (FEATURES, 3), options, lambda lib, layer, given: layer(
        given(query), given(key), given(key), key_padding_mask=given(hidden)))


def test_causal_hint():
    x, mask = draw(KEYS, BATCH, FEATURES), np.triu(np.ones((KEYS, KEYS), bool), 1)
    for weights in (True, False):
        compare("MultiheadAttention", (FEATURES, 2), {}, lambda lib, layer, given: layer(
            given(x), given(x), given(x), attn_mask=given(mask), is_causal=True, need_weights=weights))


# ------------------------------------------------------------------ transformers


def causal(lib, size):
    mask = lib.nn.Transformer.generate_square_subsequent_mask(size, dtype=lib.float64)
    assert str(mask.dtype).split(".")[1] == "float64"
    return mask


PADDING = np.array([[False, False, False, True], [False, False, True, True]])


@pytest.mark.parametrize("options", [
    {}, {"norm_first": True, "batch_first": True, "activation": "gelu"}, {"bias": False},
    {"activation": lambda x: x.tanh(), "layer_norm_eps": 0.1}],
    ids=lambda options: ", ".join(options) or "plain")
def test_encoder_layer(options):
    x = draw(*((BATCH, KEYS) if options.get("batch_first") else (KEYS, BATCH)), FEATURES)
    args = (FEATURES, 2, 7, 0.0)
    compare("TransformerEncoderLayer", args, options, lambda lib, layer, given: layer(given(x)))
    compare("TransformerEncoderLayer", args, options,
            lambda lib, layer, given: layer(given(x), causal(lib, KEYS), is_causal=True))
    compare("TransformerEncoderLayer", args, options,
            lambda lib, layer, given: layer(given(x), src_key_padding_mask=given(PADDING)))


@pytest.mark.parametrize("options", [{}, {"norm_first": True, "batch_first": True}, {"bias": False}], ids=str)
def test_decoder_layer(options):
    def sized(length, seed):
        sizes = (BATCH, length) if options.get("batch_first") else (length, BATCH)
        return draw(*sizes, FEATURES, seed=seed)

    target, memory = sized(QUERIES, 0), sized(KEYS, 1)
    args = (FEATURES, 2, 7, 0.0)
    compare("TransformerDecoderLayer", args, options,
            lambda lib, layer, given: layer(given(target), given(memory)))
    compare("TransformerDecoderLayer", args, options, lambda lib, layer, given: layer(
        given(target), given(memory), causal(lib, QUERIES), tgt_is_causal=True,
        memory_key_padding_mask=given(PADDING)))


def stacked(name, library):
    """An encoder or decoder of two layers in one library."""
    layer = getattr(library.nn, f"{name}Layer")(FEATURES, 2, 7, 0.0)
    return getattr(library.nn, name)(layer, 2, library.nn.LayerNorm(FEATURES))


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_whole_transformer(dtype):
    source, target = draw(KEYS, BATCH, FEATURES, dtype=dtype), draw(QUERIES, BATCH, FEATURES, dtype=dtype)

    def call(lib, model, given):
        mask = model.generate_square_subsequent_mask(QUERIES, dtype=getattr(lib, dtype))
        return model(given(source), given(target), tgt_mask=mask, src_key_padding_mask=given(PADDING),
                     memory_key_padding_mask=given(PADDING))

    compare("Transformer", (FEATURES, 2, 2, 2, 7, 0.0), {}, call, dtype)
    compare("Transformer", (FEATURES, 2, 1, 1, 7, 0.0), {"norm_first": True},
            lambda lib, model, given: model(given(source), given(target)), dtype)


@pytest.mark.parametrize("name", ["TransformerEncoder", "TransformerDecoder"])
def test_stacks(name):
    """Copies with weights of their own; evaluation mode with padding, where PyTorch has a path of its own."""
    kind = name.removeprefix("Transformer")
    ours, theirs = stacked(name, thw), stacked(name, torch)
    assert repr(ours) == repr(theirs) and list(ours.state_dict()) == list(theirs.state_dict())
    state = {key: draw(*value.shape, dtype="float32", seed=n)
             for n, (key, value) in enumerate(theirs.state_dict().items())}
    x = [draw(KEYS, BATCH, FEATURES, dtype="float32", seed=seed) for seed in (0, 1)]
    found = []
    for model, convert in ((ours, to_ours), (theirs, to_torch)):
        model.load_state_dict({key: convert(value) for key, value in state.items()})
        model.eval()
        inputs = convert(x[:1] if kind == "Encoder" else x)
        padding = {f"{'src' if kind == 'Encoder' else 'memory'}_key_padding_mask": convert(PADDING)}
        found.append([model(*inputs).detach().numpy(), model(*inputs, **padding).detach().numpy()])
    seen = ~PADDING.T if kind == "Encoder" else slice(None)
    np.testing.assert_allclose(found[0][0], found[1][0], atol=2e-5)
    np.testing.assert_allclose(found[0][1][seen], found[1][1][seen], atol=2e-5)


# ------------------------------------------------------------------ what the layers are


@pytest.mark.parametrize("name, args, options", [
    *(("MultiheadAttention", (FEATURES, 2), options) for options in OPTIONS),
    ("TransformerEncoderLayer", (FEATURES, 2, 7), {"norm_first": True}),
    ("TransformerDecoderLayer", (FEATURES, 2, 7), {"bias": False}),
    ("Transformer", (FEATURES, 2, 2, 1, 7), {}),
], ids=str)
def test_printing_and_parameters(name, args, options):
    ours, theirs = (getattr(lib.nn, name)(*args, **options) for lib in (thw, torch))
    assert repr(ours) == repr(theirs)
    for listing in ("named_parameters", "named_modules"):
        assert [n for n, _ in getattr(ours, listing)()] == [n for n, _ in getattr(theirs, listing)()]
    assert [tuple(p.shape) for p in ours.parameters()] == [tuple(p.shape) for p in theirs.parameters()]


@pytest.mark.parametrize("name, args", [("MultiheadAttention", (128, 2, 0.0, True, True)),
                                        ("TransformerEncoderLayer", (128, 2, 128)),
                                        ("Transformer", (128, 2, 1, 1, 128))])
def test_initial_values(name, args):
    """Zero biases stay zero, and what is random has PyTorch's bound and deviation."""
    thw.manual_seed(0), torch.manual_seed(0)
    ours, theirs = (getattr(lib.nn, name)(*args) for lib in (thw, torch))
    for (key, mine), other in zip(ours.state_dict().items(), theirs.state_dict().values()):
        mine, other = mine.numpy(), other.numpy()
        few = mine.ndim == 1 or len(mine) == 1
        assert mine.std() == pytest.approx(other.std(), rel=0.25 if few else 0.03)
        if mine.ndim == 2:
            assert np.abs(mine).max() == pytest.approx(np.abs(other).max(), rel=0.05), key


X, Y = draw(KEYS, BATCH, FEATURES, dtype="float32"), draw(QUERIES, BATCH, FEATURES, dtype="float32")
MASK = np.zeros((QUERIES, KEYS), bool)


def attention(lib, t, *arrays, **masks):
    layer = lib.nn.MultiheadAttention(FEATURES, 2)
    masks = {name: t(m) if isinstance(m, np.ndarray) else m for name, m in masks.items()}
    return layer(*map(t, arrays), **masks)


def dot_product(lib, t, *arrays, **options):
    return lib.nn.functional.scaled_dot_product_attention(*map(t, arrays), **options)


BAD = {
    "heads": lambda lib, t: lib.nn.MultiheadAttention(FEATURES, 4),
    "no heads": lambda lib, t: lib.nn.MultiheadAttention(FEATURES, 0),
    "4-d query": lambda lib, t: attention(lib, t, X[None], X, X),
    "2-d key": lambda lib, t: attention(lib, t, Y, X[0], X[0]),
    "features": lambda lib, t: attention(lib, t, Y[..., :3], X, X),
    "keys and values": lambda lib, t: attention(lib, t, Y, X, X[:2]),
    "mask shape": lambda lib, t: attention(lib, t, Y, X, X, attn_mask=MASK.T),
    "mask of heads": lambda lib, t: attention(lib, t, Y, X, X, attn_mask=np.stack([MASK] * 3)),
    "padding shape": lambda lib, t: attention(lib, t, Y, X, X, key_padding_mask=PADDING.T),
    "hint alone": lambda lib, t: attention(lib, t, X, X, X, is_causal=True),
    "activation": lambda lib, t: lib.nn.TransformerEncoderLayer(FEATURES, 2, activation="sine"),
    "batches": lambda lib, t: lib.nn.Transformer(FEATURES, 2, 1, 1)(t(X), t(Y[:, :1])),
    "d_model": lambda lib, t: lib.nn.Transformer(FEATURES + 2, 2, 1, 1)(t(X), t(Y)),
    "1-d": lambda lib, t: dot_product(lib, t, X[0, 0], X, X),
    "dtypes": lambda lib, t: dot_product(lib, t, Y.astype(np.float64), X, X),
    "both masks": lambda lib, t: dot_product(lib, t, X, X, X, attn_mask=t(MASK), is_causal=True),
    "integer mask": lambda lib, t: dot_product(lib, t, X, X, X, attn_mask=t(np.ones((2, 2), np.int64))),
}


@pytest.mark.parametrize("name", BAD)
def test_errors(name):
    expected = attempt(BAD[name], torch, to_torch)
    assert expected.error is not None
    check_errors(attempt(BAD[name], thw, to_ours), expected, name)


def test_a_query_that_sees_nothing_gets_zeros():
    """Deliberate: PyTorch's weights are NaN then, if they are asked for, and zeros if not."""
    hidden = np.ones((QUERIES, KEYS), bool)
    hidden[1:] = False
    ours, theirs = pair("MultiheadAttention", FEATURES, 2, dtype="float32")
    result, weights = ours(*map(to_ours, (Y, X, X)), attn_mask=to_ours(hidden))
    expected, nothing = theirs(*map(to_torch, (Y, X, X)), attn_mask=to_torch(hidden))
    assert torch.isnan(nothing[:, 0]).all() and not weights[:, 0].detach().numpy().any()
    without, _ = theirs(*map(to_torch, (Y, X, X)), attn_mask=to_torch(hidden), need_weights=False)
    np.testing.assert_allclose(result.detach().numpy(), without.detach().numpy(), atol=1e-5)


@pytest.mark.parametrize("first, last", list(itertools.product((False, True), repeat=2)))
def test_dropout_modes(first, last):
    """In evaluation nothing is dropped; in training two calls differ."""
    thw.manual_seed(0)
    layer = thw.nn.TransformerEncoderLayer(FEATURES, 2, 8, 0.5, norm_first=first, batch_first=last)
    x = to_ours(X)
    layer.eval()
    np.testing.assert_array_equal(layer(x).detach().numpy(), layer(x).detach().numpy())
    layer.train()
    assert not np.allclose(layer(x).detach().numpy(), layer(x).detach().numpy())
