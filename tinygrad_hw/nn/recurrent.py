"""Recurrent layers: RNN, LSTM and GRU over whole sequences; their equations are in `recurrent_cells`.

The part of the gates that depends on the input is one product for all steps; only the product with
the hidden state is taken step by step.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Sequence

import ops
from tinygrad_hw.nn import init
from tinygrad_hw.nn.module import Module
from tinygrad_hw.nn.parameter import Parameter, empty
from tinygrad_hw.nn.recurrent_cells import GATES, STEPS, State, zeros
from tinygrad_hw.nn.utils.rnn import PackedSequence
from tinygrad_hw.tensor import Tensor

__all__ = ["GRU", "LSTM", "RNN", "RNNBase"]


# ------------------------------------------------------------------ all steps of one direction


def _forward_in_time(step, gates: Sequence, state: State) -> tuple[list, State]:
    """Outputs of all steps and the last state of every sequence.

    Args:
        step: from gates (running, G) and state to the next state.
        gates: of every step; the number of running sequences falls as the shorter ones end.
        state: parts (batch, H), the first of which is also the output.
    """
    outputs, ended = [], []
    for gate in gates:
        running = len(gate)
        if running < len(state[0]):
            ended.append([part[running:] for part in state])
            state = tuple([part[:running] for part in state])
        state = step(gate, state)
        outputs.append(state[0])
    if ended:
        state = tuple([ops.cat(parts) for parts in zip(state, *reversed(ended))])
    return outputs, state


def _backward_in_time(step, gates: Sequence, state: State) -> tuple[list, State]:
    """`_forward_in_time` from the last step to the first; shorter sequences join on the way."""
    start, outputs, running = state, [], len(gates[-1])
    state = tuple([part[:running] for part in start])
    for gate in reversed(gates):
        if len(gate) > running:
            state = tuple([ops.cat([part, whole[running:len(gate)]])
                           for part, whole in zip(state, start)])
            running = len(gate)
        state = step(gate, state)
        outputs.append(state[0])
    return outputs[::-1], state


_DIRECTIONS = {"": _forward_in_time, "_reverse": _backward_in_time}


# ------------------------------------------------------------------ layers


class RNNBase(Module):
    """What `RNN`, `LSTM` and `GRU` share.

    Args:
        mode: "RNN_TANH", "RNN_RELU", "LSTM" or "GRU".
        input_size: features of the input.
        hidden_size: features of the hidden state.
        num_layers: layers on top of each other, each taking the outputs of the one below.
        bias: whether biases are added.
        batch_first: whether input and output are (batch, steps, features), not (steps, batch, features).
        dropout: probability of dropout on the outputs of every layer but the last.
        bidirectional: also run backwards in time; the outputs of both directions are concatenated.
        proj_size: if above 0, an LSTM's hidden state is projected to this many features.

    Raises:
        TypeError, ValueError: for sizes, flags and probabilities that make no sense.
    """

    def __init__(self, mode: str, input_size: int, hidden_size: int, num_layers: int = 1,
                 bias: bool = True, batch_first: bool = False, dropout: float = 0.0,
                 bidirectional: bool = False, proj_size: int = 0, device=None, dtype=None):
        super().__init__()
        self.mode, self.input_size, self.hidden_size = mode, input_size, hidden_size
        self.num_layers, self.bias, self.batch_first = num_layers, bias, batch_first
        self.dropout, self.bidirectional, self.proj_size = dropout, bidirectional, proj_size
        self._check_options()
        self.dropout = float(dropout)
        self._directions = tuple(_DIRECTIONS) if bidirectional else ("",)
        rows, output_size = GATES[mode] * hidden_size, proj_size or hidden_size
        for layer in range(num_layers):
            below = output_size * len(self._directions) if layer else input_size
            shapes = {"weight_ih": (rows, below), "weight_hh": (rows, output_size)}
            if bias:
                shapes.update(bias_ih=(rows,), bias_hh=(rows,))
            if proj_size:
                shapes["weight_hr"] = (proj_size, hidden_size)
            for direction in self._directions:
                for name, shape in shapes.items():
                    setattr(self, f"{name}_l{layer}{direction}", Parameter(empty(shape, device, dtype)))
        self._weight_names = tuple(shapes)
        self.reset_parameters()

    def _check_options(self) -> None:
        if self.mode not in STEPS:
            raise ValueError(f"Unrecognized RNN mode: {self.mode}; use one of {', '.join(STEPS)}")
        for name in ("bias", "batch_first"):
            if not isinstance(getattr(self, name), bool):
                raise TypeError(f"{name} should be of type bool, got: {getattr(self, name)!r}")
        for name in ("input_size", "hidden_size", "num_layers"):
            value = getattr(self, name)
            if not isinstance(value, int):
                raise TypeError(f"{name} should be of type int, got: {type(value).__name__}")
            if value <= 0:
                raise ValueError(f"{name} must be greater than zero, got {value}")
        if not 0 <= self.proj_size < self.hidden_size:
            raise ValueError("proj_size has to be smaller than hidden_size, and 0 for no projection; got "
                             f"proj_size={self.proj_size}, hidden_size={self.hidden_size}")
        p = self.dropout
        if isinstance(p, bool) or not isinstance(p, (int, float)) or not 0 <= p <= 1:
            raise ValueError("dropout should be a number in range [0, 1] representing the probability "
                             f"of an element being zeroed, got {p!r}")
        if p > 0 and self.num_layers == 1:
            warnings.warn("dropout option adds dropout after all but last recurrent layer, so non-zero "
                          f"dropout expects num_layers greater than 1, but got dropout={p} and "
                          "num_layers=1", stacklevel=4)

    def reset_parameters(self) -> None:
        """Draw new initial values: uniform up to 1 / sqrt(hidden_size)."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def flatten_parameters(self) -> None:
        """Nothing to do: there is no cuDNN whose memory layout could be wished for."""

    def _weights(self, layer: int, direction: str) -> dict[str, Parameter]:
        return {name: getattr(self, f"{name}_l{layer}{direction}") for name in self._weight_names}

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters of every layer and direction."""
        return [list(self._weights(layer, direction).values())
                for layer in range(self.num_layers) for direction in self._directions]

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        defaults = dict(proj_size=0, num_layers=1, bias=True, batch_first=False, dropout=0,
                        bidirectional=False)
        for name, default in defaults.items():
            if getattr(self, name) != default:
                text += f", {name}={getattr(self, name)}"
        return text

    # ------------------------------------------------------------------ checks

    def _check_input(self, input) -> None:
        weight = self.weight_ih_l0
        if input.dtype != weight.dtype:
            raise ValueError(f"{type(self).__name__} input dtype ({input.dtype}) does not match weight "
                             f"dtype ({weight.dtype}); convert the input: input.to({weight.dtype})")
        if input.shape[-1] != self.input_size:
            raise RuntimeError(
                f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got "
                f"{input.shape[-1]}: input of shape {tuple(input.shape)}"
            )

    def _start(self, hx, input, batch: int | None) -> State:
        """The initial state in parts (layers * directions, batch, H); ``batch`` is None if unbatched."""
        sizes = (self.proj_size or self.hidden_size, self.hidden_size)[:2 if self.mode == "LSTM" else 1]
        rows = self.num_layers * len(self._directions)
        if hx is None:
            return tuple([zeros(input, (rows, 1 if batch is None else batch, size)) for size in sizes])
        if isinstance(hx, Tensor) == (len(sizes) == 2):
            wanted = "a tuple (h_0, c_0)" if len(sizes) == 2 else "a Tensor"
            raise TypeError(f"{type(self).__name__}: hx must be {wanted}, got {type(hx).__name__}")
        state = []
        for part, size in zip((hx,) if isinstance(hx, Tensor) else hx, sizes, strict=True):
            wanted = (rows, size) if batch is None else (rows, batch, size)
            if tuple(part.shape) != wanted:
                raise RuntimeError(
                    f"{type(self).__name__}: Expected hidden size {wanted}, got {list(part.shape)}; it is "
                    "(num_layers * directions, batch, hidden_size), without batch for unbatched input"
                )
            state.append(ops.unsqueeze(part, 1) if batch is None else part)
        return tuple(state)

    # ------------------------------------------------------------------ forward

    def forward(self, input, hx=None):
        if isinstance(input, PackedSequence):
            return self._forward_packed(input, hx)
        if input.ndim not in (2, 3):
            raise ValueError(f"{type(self).__name__}: Expected input to be 2D or 3D, got {input.ndim}D "
                             f"instead: shape {tuple(input.shape)}")
        self._check_input(input)
        if batched := input.ndim == 3:
            steps = ops.transpose(input, 0, 1) if self.batch_first else input
        else:
            steps = ops.unsqueeze(input, 1)
        if not len(steps):
            raise RuntimeError("Expected sequence length to be larger than 0 in RNN, got input of shape "
                               f"{tuple(input.shape)}")
        state = self._start(hx, input, steps.shape[1] if batched else None)
        outputs, state = self._all_layers(steps, state, ops.unbind, ops.stack)
        if not batched:
            outputs, state = ops.squeeze(outputs, 1), [ops.squeeze(part, 1) for part in state]
        elif self.batch_first:
            outputs = ops.transpose(outputs, 0, 1)
        return outputs, self._hidden(state)

    def _forward_packed(self, input: PackedSequence, hx):
        self._check_input(input.data)
        sizes = input.batch_sizes.tolist()
        state = self._start(hx, input.data, sizes[0])
        if hx is not None and input.sorted_indices is not None:
            state = tuple([ops.index_select(part, 1, input.sorted_indices) for part in state])
        outputs, state = self._all_layers(input.data, state, lambda gates: ops.split(gates, sizes), ops.cat)
        if input.unsorted_indices is not None:
            state = [ops.index_select(part, 1, input.unsorted_indices) for part in state]
        return input._replace(data=outputs), self._hidden(state)

    @staticmethod
    def _hidden(state):
        """The state as users know it: one Tensor, or (h, c)."""
        return tuple(state) if len(state) == 2 else state[0]

    def _all_layers(self, values, state: State, cut, join) -> tuple[Tensor, list]:
        """Outputs of the last layer for all steps, and the last state of all layers and directions.

        Args:
            values: the input of all steps in one Tensor.
            state: parts (layers * directions, batch, H).
            cut: takes such a Tensor apart into steps.
            join: puts the steps together again.
        """
        states, last = iter(zip(*[ops.unbind(part) for part in state])), []
        for layer in range(self.num_layers):
            outputs = []
            for direction in self._directions:
                weights = self._weights(layer, direction)
                gates = ops.linear(values, weights.pop("weight_ih"), weights.pop("bias_ih", None))
                step = functools.partial(STEPS[self.mode], **weights)
                steps, final = _DIRECTIONS[direction](step, cut(gates), next(states))
                outputs.append(join(steps))
                last.append(final)
            values = ops.cat(outputs, -1) if self.bidirectional else outputs[0]
            if self.dropout and layer < self.num_layers - 1:
                values = ops.dropout(values, self.dropout, self.training)
        return values, [ops.stack(parts) for parts in zip(*last)]


class RNN(RNNBase):
    """Elman's recurrent network: h' = tanh(W_ih x + b_ih + W_hh h + b_hh) for every step.

    Takes input (steps, batch, input_size) and h_0 (layers * directions, batch, hidden_size), zeros by
    default; returns the hidden states of all steps (steps, batch, directions * hidden_size) and the last
    ones of all layers, shaped like h_0.  The batch dimension may be missing in all of them, and input may
    be a `PackedSequence`.

    Args:
        nonlinearity: "tanh" or "relu"; the others are those of `RNNBase`.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.RNN.html

    >>> import tinygrad_hw
    >>> output, h_n = RNN(10, 20, num_layers=2)(tinygrad_hw.ones(5, 3, 10))
    >>> output.shape, h_n.shape
    (tinygrad_hw.Size([5, 3, 20]), tinygrad_hw.Size([2, 3, 20]))
    """

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, nonlinearity: str = "tanh",
                 bias: bool = True, batch_first: bool = False, dropout: float = 0.0,
                 bidirectional: bool = False, device=None, dtype=None):
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.")
        super().__init__(f"RNN_{nonlinearity.upper()}", input_size, hidden_size, num_layers, bias,
                         batch_first, dropout, bidirectional, 0, device, dtype)
        self.nonlinearity = nonlinearity


class LSTM(RNNBase):
    """Long short-term memory: like `RNN`, with a state of two Tensors (h, c).

    Takes input and (h_0, c_0); returns the hidden states of all steps and (h_n, c_n).

    Args:
        proj_size: features that the hidden state is projected to, 0 for none; the others are those of
            `RNNBase`.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTM.html

    >>> import tinygrad_hw
    >>> output, (h_n, c_n) = LSTM(10, 20, bidirectional=True)(tinygrad_hw.ones(5, 3, 10))
    >>> output.shape, c_n.shape
    (tinygrad_hw.Size([5, 3, 40]), tinygrad_hw.Size([2, 3, 20]))
    """

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True,
                 batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False,
                 proj_size: int = 0, device=None, dtype=None):
        super().__init__("LSTM", input_size, hidden_size, num_layers, bias, batch_first, dropout,
                         bidirectional, proj_size, device, dtype)


class GRU(RNNBase):
    """Gated recurrent unit: called like `RNN`.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.GRU.html

    >>> import tinygrad_hw
    >>> GRU(10, 20, batch_first=True)(tinygrad_hw.ones(3, 5, 10))[0].shape
    tinygrad_hw.Size([3, 5, 20])
    """

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True,
                 batch_first: bool = False, dropout: float = 0.0, bidirectional: bool = False,
                 device=None, dtype=None):
        super().__init__("GRU", input_size, hidden_size, num_layers, bias, batch_first, dropout,
                         bidirectional, 0, device, dtype)
