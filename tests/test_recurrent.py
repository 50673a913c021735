"""Recurrent layers without PyTorch: gradients against differences, equations in NumPy, error texts."""

import copy
import pickle

import numpy as np
import pytest

import tinygrad_hw as thw
from tinygrad_hw import nn
from tinygrad_hw.nn.utils.rnn import (
    PackedSequence,
    pack_padded_sequence,
    pack_sequence,
    pad_packed_sequence,
    pad_sequence,
)
from tinygrad_hw.testing import gradcheck, gradgradcheck


def uniform(*shape, seed=0, dtype=np.float64):
    return thw.from_numpy(np.random.default_rng(seed).uniform(-1, 1, shape).astype(dtype))


def leaves(*tensors):
    return [tensor.requires_grad_() for tensor in tensors]


# ------------------------------------------------------------------ values


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def gates_of(cell, x, h):
    w_ih, w_hh, b_ih, b_hh = (p.detach().numpy() for p in cell.parameters())
    return x @ w_ih.T + b_ih, h @ w_hh.T + b_hh


def test_cells_are_their_equations():
    """The formulas of PyTorch's pages, written in NumPy."""
    x, h, c = (uniform(2, 3, seed=seed) for seed in range(3))
    cell = nn.RNNCell(3, 3, dtype=thw.float64)
    given, fed_back = gates_of(cell, x.numpy(), h.numpy())
    np.testing.assert_allclose(cell(x, h).detach().numpy(), np.tanh(given + fed_back))

    cell = nn.LSTMCell(3, 3, dtype=thw.float64)
    given, fed_back = gates_of(cell, x.numpy(), h.numpy())
    i, f, g, o = np.split(given + fed_back, 4, 1)
    new_c = sigmoid(f) * c.numpy() + sigmoid(i) * np.tanh(g)
    hidden, state = cell(x, (h, c))
    np.testing.assert_allclose(state.detach().numpy(), new_c)
    np.testing.assert_allclose(hidden.detach().numpy(), sigmoid(o) * np.tanh(new_c))

    cell = nn.GRUCell(3, 3, dtype=thw.float64)
    (r, z, n), (r_h, z_h, n_h) = (np.split(part, 3, 1) for part in gates_of(cell, x.numpy(), h.numpy()))
    r, z = sigmoid(r + r_h), sigmoid(z + z_h)
    expected = (1 - z) * np.tanh(n + r * n_h) + z * h.numpy()
    np.testing.assert_allclose(cell(x, h).detach().numpy(), expected)


@pytest.mark.parametrize("layer, cell", [(nn.RNN, nn.RNNCell), (nn.LSTM, nn.LSTMCell), (nn.GRU, nn.GRUCell)])
def test_layer_is_its_cell_again_and_again(layer, cell):
    layer, cell = layer(3, 4), cell(3, 4)
    cell.load_state_dict({name.removesuffix("_l0"): value for name, value in layer.state_dict().items()})
    x, state = uniform(5, 2, 3, dtype=np.float32), None
    outputs, last = layer(x)
    for step, expected in zip(x, outputs):
        state = cell(step, state)
        hidden = state[0] if isinstance(state, tuple) else state
        np.testing.assert_allclose(hidden.detach().numpy(), expected.detach().numpy(), atol=1e-6)
    last, state = (value if isinstance(value, tuple) else (value,) for value in (last, state))
    for here, there in zip(state, last):
        np.testing.assert_allclose(here.detach().numpy(), there[0].detach().numpy(), atol=1e-6)


@pytest.mark.parametrize("kind", [nn.RNN, nn.LSTM, nn.GRU])
def test_packed_batch_is_every_sequence_alone(kind):
    layer = kind(3, 4, num_layers=2, bidirectional=True)
    sequences = [uniform(n, 3, seed=n, dtype=np.float32) for n in (2, 5, 1, 5)]
    packed, state = layer(pack_sequence(sequences, enforce_sorted=False))
    outputs, lengths = pad_packed_sequence(packed)
    assert lengths.tolist() == [2, 5, 1, 5]
    for place, sequence in enumerate(sequences):
        alone, last = layer(sequence)
        np.testing.assert_allclose(outputs[:len(sequence), place].detach().numpy(),
                                   alone.detach().numpy(), atol=1e-6)
        assert not outputs[len(sequence):, place].numpy(force=True).any()
        for here, there in zip(*(v if isinstance(v, tuple) else (v,) for v in (state, last))):
            np.testing.assert_allclose(here[:, place].detach().numpy(), there.detach().numpy(), atol=1e-6)


# ------------------------------------------------------------------ gradients


@pytest.mark.parametrize("layer, hidden", [
    (lambda: nn.RNN(2, 2, 2, nonlinearity="tanh", bidirectional=True), (4, 2, 2)),
    (lambda: nn.LSTM(2, 2, batch_first=True), (1, 2, 2)),
    (lambda: nn.LSTM(2, 3, proj_size=2, bias=False), (1, 2, 2)),
    (lambda: nn.GRU(2, 2, bidirectional=True), (2, 2, 2)),
])
def test_gradients_of_layers(layer, hidden):
    layer = layer().double()
    x, h = leaves(uniform(2, 2, 2), uniform(*hidden, seed=1))
    state = [h, *leaves(uniform(hidden[0], 2, layer.hidden_size, seed=2))] if layer.mode == "LSTM" else [h]

    def function(x, *rest):
        outputs, last = layer(x, tuple(rest[:2]) if layer.mode == "LSTM" else rest[0])
        return (outputs, *(last if isinstance(last, tuple) else (last,)))

    gradcheck(function, (x, *state, *layer.parameters()))


@pytest.mark.parametrize("cell", [nn.RNNCell, nn.LSTMCell, nn.GRUCell])
def test_second_order_of_cells(cell):
    cell = cell(2, 2).double()
    x, h, c = leaves(uniform(1, 2), uniform(1, 2, seed=1), uniform(1, 2, seed=2))
    state = (h, c) if isinstance(cell, nn.LSTMCell) else h
    gradgradcheck(lambda x, *rest: cell(x, state), (x, h, *cell.parameters()))


def test_gradients_through_packing():
    layer = nn.GRU(2, 2).double()
    (x,) = leaves(uniform(3, 2, 2))

    def function(x, *rest):
        outputs, last = layer(pack_padded_sequence(x, [1, 3], enforce_sorted=False))
        return pad_packed_sequence(outputs)[0], last

    gradcheck(function, (x, *layer.parameters()))


# ------------------------------------------------------------------ copies, files, errors


@pytest.mark.parametrize("layer", [nn.RNN(2, 3), nn.LSTM(2, 3, 2), nn.GRU(2, 3), nn.LSTMCell(2, 3)])
def test_copies_and_files(layer):
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert repr(other) == repr(layer)
        for (name, mine), theirs in zip(layer.state_dict().items(), other.state_dict().values()):
            np.testing.assert_array_equal(mine.numpy(), theirs.numpy(), err_msg=name)


X = thw.ones(4, 3, 2)


@pytest.mark.parametrize("call, error, text", [
    (lambda: nn.LSTM(2, 5)(X, thw.zeros(1, 3, 5)), TypeError, r"must be a tuple \(h_0, c_0\), got Tensor"),
    (lambda: nn.GRU(2, 5)(X, (thw.zeros(1, 3, 5),) * 2), TypeError, "must be a Tensor, got tuple"),
    (lambda: nn.LSTMCell(2, 5)(X[0], thw.zeros(3, 5)), TypeError, r"pass LSTMCell\(input, \(h, c\)\)"),
    (lambda: nn.GRU(2, 5)(X, thw.zeros(3, 5)), RuntimeError,
     r"Expected hidden size \(1, 3, 5\), got \[3, 5\]; it is \(num_layers \* directions, batch"),
    (lambda: nn.GRU(2, 5, batch_first=True)(X, thw.zeros(1, 3, 5)), RuntimeError,
     r"Expected hidden size \(1, 4, 5\)"),
    (lambda: nn.GRU(3, 5)(X), RuntimeError, r"Expected 3, got 2: input of shape \(4, 3, 2\)"),
    (lambda: nn.GRU(2, 5)(X.double()), ValueError, r"input dtype \(.*float64\).*input.to\(.*float32\)"),
    (lambda: nn.GRU(2, 5)(X[0, 0]), ValueError, r"2D or 3D, got 1D instead: shape \(2,\)"),
    (lambda: nn.RNNCell(2, 5)(X[0], thw.zeros(2, 5)), RuntimeError, r"shape \(2, 5\).*expected \(3, 5\)"),
    (lambda: nn.RNN(2, 5, nonlinearity="sine"), ValueError, "Unknown nonlinearity 'sine'"),
    (lambda: nn.GRU(2, 0), ValueError, "hidden_size must be greater than zero, got 0"),
    (lambda: pack_padded_sequence(X, [5, 1, 1]), RuntimeError, "at most the input's 4 steps, but got 5"),
    (lambda: pack_padded_sequence(X, [4, 1, 0]), RuntimeError, "sequence 2 has length 0"),
    (lambda: pack_padded_sequence(X, [1, 4, 1]), RuntimeError, r"got \[1, 4, 1\].*enforce_sorted=False"),
    (lambda: pack_padded_sequence(X, [4, 1]), RuntimeError, r"got 2 \(batch_size=3\)"),
    (lambda: pad_sequence([X], padding_side="top"), RuntimeError, "'left' or 'right', got 'top'"),
])
def test_error_texts(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_an_error_names_the_layer():
    net = nn.ModuleDict({"encoder": nn.GRU(3, 5)})
    net.forward = lambda x: net["encoder"](x)
    with pytest.raises(RuntimeError) as caught:
        net(X)
    assert "raised in encoder: GRU(3, 5), called with (4, 3, 2)" in str(
        getattr(caught.value, "__notes__", caught.value))


def test_packed_sequence_is_a_tuple():
    packed = pack_sequence([thw.tensor([1.0, 2.0]), thw.tensor([3.0])])
    data, batch_sizes, order, inverse = packed
    assert isinstance(packed, PackedSequence) and order is None and inverse is None
    assert data.tolist() == [1, 3, 2] and batch_sizes.tolist() == [2, 1]
