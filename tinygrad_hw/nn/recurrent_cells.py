"""One step of a recurrent network: the equations of RNN, LSTM and GRU, and the layers for single steps.

A step takes ``gates``, the part of the pre-activations that depends on the input, and the state, a tuple
whose first part is the hidden state; it returns the next state.
"""

from __future__ import annotations

import functools
import math

import numpy as np

import ops
from tinygrad_hw.nn import init
from tinygrad_hw.nn.module import Module
from tinygrad_hw.nn.parameter import Parameter, empty
from tinygrad_hw.tensor import Tensor

__all__ = ["GATES", "GRUCell", "LSTMCell", "RNNCell", "RNNCellBase", "STEPS", "zeros"]

State = tuple[Tensor, ...]


# ------------------------------------------------------------------ equations


def elman_step(activation, gates, state: State, weight_hh, bias_hh=None) -> State:
    """h' = activation(gates + W_hh h + b_hh).

    Source: Elman 1990, Finding structure in time
    """
    return (activation(ops.add(gates, ops.linear(state[0], weight_hh, bias_hh))),)


def lstm_step(gates, state: State, weight_hh, bias_hh=None, weight_hr=None) -> State:
    """c' = f c + i g and h' = o tanh(c'); the gates and the candidate g come in the order i f g o.

    Source: Hochreiter and Schmidhuber 1997; the projection by W_hr: https://arxiv.org/abs/1402.1128
    """
    hidden, cell = state
    after = ops.lstm_update(gates, ops.linear(hidden, weight_hh, bias_hh), cell).state
    hidden, cell = ops.unbind(after)
    return (hidden if weight_hr is None else ops.linear(hidden, weight_hr)), cell


def gru_step(gates, state: State, weight_hh, bias_hh=None) -> State:
    """h' = n + z (h - n) with n = tanh(n_x + r n_h); the gates come in the order r z n.

    Source: Cho et al. 2014, https://arxiv.org/abs/1406.1078
    """
    (hidden,) = state
    return (ops.gru_update(gates, ops.linear(hidden, weight_hh, bias_hh), hidden).state,)


STEPS = {
    "RNN_TANH": functools.partial(elman_step, ops.tanh),
    "RNN_RELU": functools.partial(elman_step, ops.relu),
    "LSTM": lstm_step,
    "GRU": gru_step,
}
"""The step of each mode."""

GATES = {"RNN_TANH": 1, "RNN_RELU": 1, "LSTM": 4, "GRU": 3}
"""How many pre-activations a step needs for each hidden unit."""


def zeros(like: Tensor, shape: tuple[int, ...]) -> Tensor:
    """An initial state in the dtype of an input."""
    return Tensor._wrap(np.zeros(shape, like.array_dtype))


# ------------------------------------------------------------------ layers for one step


class RNNCellBase(Module):
    """What `RNNCell`, `LSTMCell` and `GRUCell` share.

    Args:
        input_size: features of the input.
        hidden_size: features of the hidden state.
        bias: whether biases are added.
        num_chunks: pre-activations for each hidden unit.
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool, num_chunks: int, device=None,
                 dtype=None):
        super().__init__()
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        rows = num_chunks * hidden_size
        self.weight_ih = Parameter(empty((rows, input_size), device, dtype))
        self.weight_hh = Parameter(empty((rows, hidden_size), device, dtype))
        for name in ("bias_ih", "bias_hh"):
            self.register_parameter(name, Parameter(empty((rows,), device, dtype)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values: uniform up to 1 / sqrt(hidden_size)."""
        bound = 1 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        if not self.bias:
            text += f", bias={self.bias}"
        return text + (f", nonlinearity={self.nonlinearity}"
                       if getattr(self, "nonlinearity", "tanh") != "tanh" else "")

    def _next_state(self, step, input, state: State) -> State:
        """One step for a batch (batch, input_size) or a single input (input_size,)."""
        name = type(self).__name__
        if input.ndim not in (1, 2):
            raise ValueError(f"{name}: Expected input to be 1D or 2D, got {input.ndim}D instead: shape "
                             f"{tuple(input.shape)}")
        if input.shape[-1] != self.input_size:
            raise RuntimeError(f"input has inconsistent input_size: got {input.shape[-1]} expected "
                               f"{self.input_size}")
        wanted = (*input.shape[:-1], self.hidden_size)
        for part in state:
            if part is not None and part.ndim not in (1, 2):
                raise ValueError(f"{name}: Expected hidden to be 1D or 2D, got {part.ndim}D instead: "
                                 f"shape {tuple(part.shape)}")
            if part is not None and tuple(part.shape) != wanted:
                raise RuntimeError(f"{name}: hidden state of shape {tuple(part.shape)} does not fit input "
                                   f"of shape {tuple(input.shape)}: expected {wanted}")
        state = tuple([zeros(input, wanted) if part is None else part for part in state])
        gates = ops.linear(input, self.weight_ih, self.bias_ih)
        return step(gates, state, self.weight_hh, self.bias_hh)


class RNNCell(RNNCellBase):
    """h' = tanh(W_ih x + b_ih + W_hh h + b_hh): (batch, input_size) -> (batch, hidden_size).

    Args:
        nonlinearity: "tanh" or "relu".

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.RNNCell.html

    >>> import tinygrad_hw
    >>> RNNCell(4, 3)(tinygrad_hw.ones(2, 4)).shape
    tinygrad_hw.Size([2, 3])
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh",
                 device=None, dtype=None):
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input, hx=None):
        mode = f"RNN_{self.nonlinearity.upper()}"
        if mode not in STEPS:
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}; use tanh or relu")
        return self._next_state(STEPS[mode], input, (hx,))[0]


class LSTMCell(RNNCellBase):
    """One step of an LSTM: input and (h, c) give (h', c'), each (batch, hidden_size).

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.LSTMCell.html

    >>> import tinygrad_hw
    >>> hidden, cell = LSTMCell(4, 3)(tinygrad_hw.ones(2, 4))
    >>> cell.shape
    tinygrad_hw.Size([2, 3])
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device=None, dtype=None):
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def forward(self, input, hx=None):
        if isinstance(hx, Tensor) or hx is not None and len(hx) != 2:
            raise TypeError("LSTMCell: hx must be a tuple (h, c) of two Tensors, got "
                               f"{type(hx).__name__}; pass LSTMCell(input, (h, c))")
        return self._next_state(lstm_step, input, (None, None) if hx is None else tuple(hx))


class GRUCell(RNNCellBase):
    """One step of a gated recurrent unit: (batch, input_size) -> (batch, hidden_size).

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.GRUCell.html

    >>> import tinygrad_hw
    >>> GRUCell(4, 3)(tinygrad_hw.ones(4)).shape
    tinygrad_hw.Size([3])
    """

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device=None, dtype=None):
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input, hx=None):
        return self._next_state(gru_step, input, (hx,))[0]
