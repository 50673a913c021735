"""Sequences of different lengths in one batch: padded to the longest, or packed without padding.

Packed, the first elements of all sequences come first, then all second ones, and so on, longest
sequence first.  ``batch_sizes`` says how many sequences are still running at each step:

    >>> from tinygrad_hw import tensor
    >>> packed = pack_sequence([tensor([1, 2, 3]), tensor([4, 5])])
    >>> packed.data, packed.batch_sizes
    (tensor([1, 4, 2, 5, 3]), tensor([2, 2, 1]))

Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.utils.rnn.PackedSequence.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

import ops
from tinygrad_hw.tensor import Tensor

__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpad_sequence",
]


class PackedSequence(NamedTuple):
    """What the recurrent layers take in place of a padded batch; made by `pack_padded_sequence`.

    Attributes:
        data: (all elements, *), ordered by step.
        batch_sizes: (steps,), the number of sequences that reach each step; never rising.
        sorted_indices: (batch,), the place in the batch of each sequence from the longest on; None if
            they were given in that order.
        unsorted_indices: the inverse permutation.
    """

    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None = None
    unsorted_indices: Tensor | None = None

    def to(self, *args, **kwargs) -> PackedSequence:
        """The same with ``data.to(...)``."""
        return self._replace(data=self.data.to(*args, **kwargs))

    def cpu(self) -> PackedSequence:
        """Nothing to do: everything is on the CPU."""
        return self

    def float(self) -> PackedSequence:
        """The same with data of float32."""
        return self._replace(data=self.data.float())

    def double(self) -> PackedSequence:
        """The same with data of float64."""
        return self._replace(data=self.data.double())

    @property
    def is_cuda(self) -> bool:
        """False: everything is on the CPU."""
        return False


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation that undoes another one.

    >>> from tinygrad_hw import tensor
    >>> invert_permutation(tensor([2, 0, 1]))
    tensor([1, 2, 0])
    """
    return None if permutation is None else Tensor._wrap(np.argsort(permutation.array))


def _length_array(lengths) -> np.ndarray:
    """Lengths as an array of int64, refused unless there is one or more and all are above 0."""
    lengths = np.array(lengths.array if isinstance(lengths, Tensor) else lengths, np.int64)
    if lengths.ndim != 1 or not lengths.size:
        raise RuntimeError(f"lengths must be one number for each sequence, got shape {lengths.shape}")
    if lengths.min() <= 0:
        raise RuntimeError("Length of all samples has to be greater than 0, but sequence "
                           f"{lengths.argmin()} has length {lengths.min()}")
    return lengths


def pack_padded_sequence(input: Tensor, lengths, batch_first: bool = False,
                         enforce_sorted: bool = True) -> PackedSequence:
    """Take the padding away from a batch of sequences.

    Args:
        input: (steps, batch, *), or (batch, steps, *) with ``batch_first``.
        lengths: the length of each sequence: list or Tensor.
        enforce_sorted: expect the longest first, the next longest second...; if False they are sorted
            here, and `pad_packed_sequence` brings them back.

    Raises:
        RuntimeError: for lengths that are 0, too large, too many or too few, or not sorted.

    >>> from tinygrad_hw import tensor
    >>> pack_padded_sequence(tensor([[1, 0], [2, 3]]), [1, 2], True, enforce_sorted=False).data
    tensor([2, 1, 3])
    """
    lengths = _length_array(lengths)
    if batch_first:
        input = ops.transpose(input, 0, 1)
    steps, batch = input.shape[:2]
    if len(lengths) != batch:
        raise RuntimeError(f"Expected `len(lengths)` to be equal to batch_size, but got {len(lengths)} "
                           f"(batch_size={batch})")
    if lengths.max() > steps:
        raise RuntimeError(f"Expected sequence length to be at most the input's {steps} steps, but got "
                           f"{lengths.max()}; is batch_first right?")
    order = None
    if not enforce_sorted:
        order = Tensor._wrap(np.argsort(-lengths, kind="stable"))
        input, lengths = ops.index_select(input, 1, order), lengths[order.array]
    elif (np.diff(lengths) > 0).any():
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True, got "
            f"{lengths.tolist()}. You can pass `enforce_sorted=False` to pack_padded_sequence and/or "
            "pack_sequence to sidestep this requirement"
        )
    running = np.arange(lengths[0])[:, None] < lengths  # (longest, batch)
    rows = ops.reshape(input, (steps * batch, *input.shape[2:]))
    places = np.flatnonzero(running)
    return PackedSequence(ops.index_select(rows, 0, Tensor._wrap(places)),
                          Tensor._wrap(running.sum(1)), order, invert_permutation(order))


def pad_packed_sequence(sequence: PackedSequence, batch_first: bool = False, padding_value: float = 0.0,
                        total_length: int | None = None) -> tuple[Tensor, Tensor]:
    """Undo `pack_padded_sequence`: the padded batch, and the length of each sequence.

    Args:
        padding_value: what the places behind the end of a sequence are filled with.
        total_length: number of steps of the result, by default that of the longest sequence.

    Raises:
        ValueError: if ``total_length`` is below the length of the longest sequence.

    >>> from tinygrad_hw import tensor
    >>> pad_packed_sequence(pack_sequence([tensor([1, 2]), tensor([3])]), True, padding_value=-1)
    (tensor([[ 1,  2],
            [ 3, -1]]), tensor([2, 1]))
    """
    data, batch_sizes = sequence.data, sequence.batch_sizes.array
    steps, batch = len(batch_sizes), int(batch_sizes[0])
    if total_length is not None and total_length < steps:
        raise ValueError("Expected total_length to be at least the length of the longest sequence in "
                         f"input, but got total_length={total_length} and max sequence length being "
                         f"{steps}")
    running = np.zeros((total_length or steps, batch), bool)
    running[:steps] = np.arange(batch) < batch_sizes[:, None]
    padding = np.full((1, *data.shape[1:]), padding_value, data.array.dtype)
    places = np.full(running.shape, len(data))  # that of the padding, which comes last
    places[running] = np.arange(len(data))
    rows = ops.index_select(ops.cat([data, Tensor._wrap(padding)]), 0, Tensor._wrap(places.ravel()))
    padded = ops.reshape(rows, (*running.shape, *data.shape[1:]))
    lengths = Tensor._wrap(running.sum(0))
    if sequence.unsorted_indices is not None:
        padded = ops.index_select(padded, 1, sequence.unsorted_indices)
        lengths = ops.index_select(lengths, 0, sequence.unsorted_indices)
    return (ops.transpose(padded, 0, 1) if batch_first else padded), lengths


def pad_sequence(sequences: Sequence[Tensor], batch_first: bool = False, padding_value: float = 0.0,
                 padding_side: str = "right") -> Tensor:
    """Stack sequences (length, *) as one Tensor (longest, batch, *), the shorter ones filled up.

    Args:
        batch_first: put the batch before the steps.
        padding_side: "right" fills up behind the end, "left" before the start.

    >>> from tinygrad_hw import tensor
    >>> pad_sequence([tensor([1, 2, 3]), tensor([4])], batch_first=True)
    tensor([[1, 2, 3],
            [4, 0, 0]])
    """
    if padding_side not in ("left", "right"):
        raise RuntimeError(f"padding_side must be 'left' or 'right', got {padding_side!r}")
    longest = max((len(s) for s in sequences), default=0)
    padded = []
    for sequence in sequences:
        missing = longest - len(sequence)
        widths = (0, missing) if padding_side == "right" else (missing, 0)
        padded.append(ops.pad(sequence, (0, 0) * (sequence.ndim - 1) + widths, value=padding_value))
    return ops.stack(padded, 0 if batch_first else 1)


def unpad_sequence(padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False) -> list[Tensor]:
    """The sequences of a padded batch as a list: undoes `pad_sequence`.

    >>> from tinygrad_hw import tensor
    >>> unpad_sequence(tensor([[1, 2, 3], [4, 0, 0]]), tensor([3, 1]), batch_first=True)
    [tensor([1, 2, 3]), tensor([4])]
    """
    if not batch_first:
        padded_sequences = ops.transpose(padded_sequences, 0, 1)
    return [sequence[:length] for sequence, length in zip(padded_sequences, lengths.tolist())]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Pack a list of sequences (length, *): `pack_padded_sequence` of `pad_sequence`.

    >>> from tinygrad_hw import tensor
    >>> pack_sequence([tensor([1]), tensor([2, 3])], enforce_sorted=False).sorted_indices
    tensor([1, 0])
    """
    lengths = [len(sequence) for sequence in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)
