"""Recurrent layers, cells and packed sequences against torch.nn: values, gradients, state and errors."""

import itertools
import warnings

import numpy as np
import pytest

import tinygrad_hw as thw

torch = pytest.importorskip("torch")

from harness import attempt, check_errors, to_ours, to_torch
from layer_runs import TOLERANCE, compare, draw

STEPS, BATCH, INPUT, HIDDEN = 4, 3, 5, 4

OPTIONS = [
    {},
    {"batch_first": True},
    {"num_layers": 2, "bidirectional": True},
    {"num_layers": 3, "bias": False},
    {"num_layers": 2, "bidirectional": True, "batch_first": True, "bias": False},
]
LAYERS = [
    *((name, options) for name in ("RNN", "LSTM", "GRU") for options in OPTIONS),
    ("RNN", {"nonlinearity": "relu", "num_layers": 2}),
    ("LSTM", {"proj_size": 2}),
    ("LSTM", {"proj_size": 3, "num_layers": 2, "bidirectional": True}),
]


def states(name, options, *batch, dtype="float64"):
    """Random h_0, or (h_0, c_0)."""
    rows = options.get("num_layers", 1) * (2 if options.get("bidirectional") else 1)
    hidden = draw(rows, *batch, options.get("proj_size") or HIDDEN, dtype=dtype, seed=10)
    return (hidden, draw(rows, *batch, HIDDEN, dtype=dtype, seed=11)) if name == "LSTM" else hidden


@pytest.mark.parametrize("name, options", LAYERS, ids=str)
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_layers(name, options, dtype):
    """With and without an initial state, batched and unbatched."""
    sizes = (BATCH, STEPS) if options.get("batch_first") else (STEPS, BATCH)
    x, h = draw(*sizes, INPUT, dtype=dtype), states(name, options, BATCH, dtype=dtype)
    compare(name, (INPUT, HIDDEN), options, lambda lib, layer, given: layer(given(x)), dtype)
    compare(name, (INPUT, HIDDEN), options, lambda lib, layer, given: layer(given(x), given(h)), dtype)
    single, h = draw(STEPS, INPUT, dtype=dtype), states(name, options, dtype=dtype)
    compare(name, (INPUT, HIDDEN), options, lambda lib, layer, given: layer(given(single)), dtype)
    compare(name, (INPUT, HIDDEN), options, lambda lib, layer, given: layer(given(single), given(h)), dtype)


@pytest.mark.parametrize("name, options", LAYERS, ids=str)
@pytest.mark.parametrize("ordered", [True, False])
def test_packed_sequences(name, options, ordered):
    """Sequences of unlike lengths, in order and not, through pack and pad."""
    lengths = [5, 3, 3] if ordered else [2, 5, 3]
    first = options.get("batch_first", False)
    x = draw(*((3, 5) if first else (5, 3)), INPUT)
    h = states(name, options, 3)

    def call(lib, layer, given):
        rnn = lib.nn.utils.rnn
        packed = rnn.pack_padded_sequence(given(x), lengths, first, enforce_sorted=ordered)
        output, state = layer(packed, given(h))
        assert isinstance(output, rnn.PackedSequence)
        return rnn.pad_packed_sequence(output, first, padding_value=2.0, total_length=6), state, output

    compare(name, (INPUT, HIDDEN), options, call)
    compare(name, (INPUT, HIDDEN), options, lambda lib, layer, given: layer(
        lib.nn.utils.rnn.pack_padded_sequence(given(x), lengths, first, enforce_sorted=ordered)))


@pytest.mark.parametrize("name, options", [
    ("RNNCell", {}), ("RNNCell", {"nonlinearity": "relu", "bias": False}), ("LSTMCell", {}),
    ("LSTMCell", {"bias": False}), ("GRUCell", {}), ("GRUCell", {"bias": False}),
], ids=str)
@pytest.mark.parametrize("dtype", TOLERANCE)
def test_cells(name, options, dtype):
    for batch in ((BATCH,), ()):
        x = draw(*batch, INPUT, dtype=dtype)
        h = draw(*batch, HIDDEN, dtype=dtype, seed=1)
        h = (h, draw(*batch, HIDDEN, dtype=dtype, seed=2)) if name == "LSTMCell" else h
        compare(name, (INPUT, HIDDEN), options, lambda lib, layer, given: layer(given(x)), dtype)
        compare(name, (INPUT, HIDDEN), options, lambda lib, layer, given: layer(given(x), given(h)), dtype)


def test_dropout_between_layers():
    """Dropout acts between the layers and in training only; probability 1 is not random."""
    x = draw(STEPS, BATCH, INPUT)
    for p, training in ((1.0, True), (0.5, False)):
        compare("LSTM", (INPUT, HIDDEN), {"num_layers": 3, "dropout": p},
                lambda lib, layer, given: layer.train(training)(given(x)))
    layer = thw.nn.GRU(INPUT, HIDDEN, 2, dropout=0.5)
    outputs = [layer(thw.from_numpy(x).float())[0].detach().numpy() for _ in range(2)]
    assert not np.allclose(*outputs)


# ------------------------------------------------------------------ what the layers are


@pytest.mark.parametrize("name, options", [
    *LAYERS, ("RNNCell", {"nonlinearity": "relu"}), ("LSTMCell", {}), ("GRUCell", {"bias": False})], ids=str)
def test_printing_and_parameters(name, options):
    ours, theirs = (getattr(lib.nn, name)(INPUT, HIDDEN, **options) for lib in (thw, torch))
    assert repr(ours) == repr(theirs)
    assert [n for n, _ in ours.named_parameters()] == [n for n, _ in theirs.named_parameters()]
    assert [tuple(p.shape) for p in ours.parameters()] == [tuple(p.shape) for p in theirs.parameters()]
    if "Cell" not in name:
        names = {id(p): n for n, p in ours.named_parameters()}
        assert [[names[id(p)] for p in group] for group in ours.all_weights] == theirs._all_weights


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU", "RNNCell", "LSTMCell", "GRUCell"])
def test_initial_values(name):
    """Uniform up to 1 / sqrt(hidden_size), weights and biases alike."""
    thw.manual_seed(0)
    for key, value in getattr(thw.nn, name)(70, 100).named_parameters():
        values = value.detach().numpy()
        assert np.abs(values).max() == pytest.approx(0.1, rel=0.05), key
        assert values.std() == pytest.approx(0.1 / 3**0.5, rel=0.15), key


# ------------------------------------------------------------------ packing alone


def test_packing_and_padding():
    sequences = [draw(n, 2, seed=n) for n in (2, 4, 1)]
    for first, side in itertools.product((False, True), ("left", "right")):
        mine, other = (lib.nn.utils.rnn.pad_sequence(convert(sequences), first, -1.0, side)
                       for lib, convert in ((thw, to_ours), (torch, to_torch)))
        np.testing.assert_array_equal(mine.numpy(), other.numpy())
    padded, lengths = draw(3, 4, 2), np.array([2, 4, 1])
    mine, other = (lib.nn.utils.rnn.unpad_sequence(*convert([padded, lengths]), batch_first=True)
                   for lib, convert in ((thw, to_ours), (torch, to_torch)))
    for here, there in zip(mine, other):
        np.testing.assert_array_equal(here.numpy(), there.numpy())
    mine, other = (lib.nn.utils.rnn.pack_sequence(convert(sequences), enforce_sorted=False)
                   for lib, convert in ((thw, to_ours), (torch, to_torch)))
    for here, there in zip(mine, other):
        assert here.numpy().dtype == there.numpy().dtype
        np.testing.assert_array_equal(here.numpy(), there.numpy())
    assert mine.float().data.dtype == thw.float32 and mine.to(thw.float32).double().data.dtype == thw.float64
    assert mine.cpu() is mine and not mine.is_cuda


X = draw(STEPS, BATCH, INPUT, dtype="float32")
H = draw(1, BATCH, HIDDEN, dtype="float32")
BAD = {
    "1-d input": lambda lib, t: lib.nn.RNN(INPUT, HIDDEN)(t(X[0, 0])),
    "4-d input": lambda lib, t: lib.nn.LSTM(INPUT, HIDDEN)(t(X[None])),
    "input size": lambda lib, t: lib.nn.GRU(INPUT + 1, HIDDEN)(t(X)),
    "dtype": lambda lib, t: lib.nn.GRU(INPUT, HIDDEN)(t(X.astype(np.float64))),
    "no steps": lambda lib, t: lib.nn.GRU(INPUT, HIDDEN)(t(X[:0])),
    "hidden size": lambda lib, t: lib.nn.GRU(INPUT, HIDDEN)(t(X), t(H[:, :2])),
    "hidden of two directions": lambda lib, t: lib.nn.RNN(INPUT, HIDDEN, bidirectional=True)(t(X), t(H)),
    "hidden dimensions": lambda lib, t: lib.nn.RNN(INPUT, HIDDEN)(t(X), t(H[0])),
    "hidden of unbatched": lambda lib, t: lib.nn.RNN(INPUT, HIDDEN)(t(X[0]), t(H)),
    "cell size": lambda lib, t: lib.nn.LSTM(INPUT, HIDDEN)(t(X), (t(H), t(H[:, :2]))),
    "dropout": lambda lib, t: lib.nn.LSTM(INPUT, HIDDEN, 2, dropout=1.5),
    "dropout bool": lambda lib, t: lib.nn.LSTM(INPUT, HIDDEN, 2, dropout=True),
    "float size": lambda lib, t: lib.nn.LSTM(2.0, HIDDEN),
    "no size": lambda lib, t: lib.nn.LSTM(INPUT, 0),
    "no layers": lambda lib, t: lib.nn.LSTM(INPUT, HIDDEN, 0),
    "bias": lambda lib, t: lib.nn.GRU(INPUT, HIDDEN, bias=1),
    "projection": lambda lib, t: lib.nn.LSTM(INPUT, HIDDEN, proj_size=HIDDEN),
    "negative projection": lambda lib, t: lib.nn.LSTM(INPUT, HIDDEN, proj_size=-1),
    "nonlinearity": lambda lib, t: lib.nn.RNN(INPUT, HIDDEN, nonlinearity="sine"),
    "mode": lambda lib, t: lib.nn.RNNBase("ELMAN", INPUT, HIDDEN),
    "cell input": lambda lib, t: lib.nn.RNNCell(INPUT, HIDDEN)(t(X)),
    "cell input size": lambda lib, t: lib.nn.GRUCell(INPUT + 1, HIDDEN)(t(X[0])),
    "cell hidden": lambda lib, t: lib.nn.GRUCell(INPUT, HIDDEN)(t(X[0]), t(H)),
    "cell hidden size": lambda lib, t: lib.nn.GRUCell(INPUT, HIDDEN)(t(X[0]), t(H[0, :2])),
    "cell nonlinearity": lambda lib, t: lib.nn.RNNCell(INPUT, HIDDEN, nonlinearity="sine")(t(X[0])),
    "length 0": lambda lib, t: lib.nn.utils.rnn.pack_padded_sequence(t(X), [2, 1, 0]),
    "unsorted": lambda lib, t: lib.nn.utils.rnn.pack_padded_sequence(t(X), [1, 2, 3]),
    "lengths": lambda lib, t: lib.nn.utils.rnn.pack_padded_sequence(t(X), [3, 2]),
    "total length": lambda lib, t: lib.nn.utils.rnn.pad_packed_sequence(
        lib.nn.utils.rnn.pack_padded_sequence(t(X), [3, 2, 1]), total_length=2),
    "padding side": lambda lib, t: lib.nn.utils.rnn.pad_sequence([t(X)], padding_side="top"),
}


@pytest.mark.parametrize("name", BAD)
def test_errors(name):
    expected = attempt(BAD[name], torch, to_torch)
    assert expected.error is not None
    check_errors(attempt(BAD[name], thw, to_ours), expected, name)


def test_warning_of_dropout_without_effect():
    for library in (thw, torch):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            library.nn.LSTM(2, 3, dropout=0.5)
        assert ["num_layers greater than 1" in str(w.message) for w in caught] == [True]
        assert caught[0].filename == __file__ or library is torch
