"""Connectionist temporal classification: the loss of a label sequence whose places in time nobody knows."""

from __future__ import annotations

import itertools

import numpy as np

from ops.core import Bad, array_of, case, composite, dtype_of
from ops.elementwise.arithmetic import add, neg
from ops.elementwise.division import div
from ops.elementwise.masking import where
from ops.indexing.gather import gather
from ops.indexing.masked import masked_fill
from ops.indexing.spans import narrow
from ops.loss.regression import choose_reduction, reduce_losses
from ops.reduction.totals import TYPE_NAMES, logsumexp
from ops.samples import spaced
from ops.shape.join import stack
from ops.shape.layout import squeeze, unsqueeze
from ops.shape.padding import constant_pad_nd
from ops.shape.splitting import unbind

__all__ = ["ctc_loss"]

_NEVER = -1e30  # for the logarithm of 0: -inf has no difference from itself, so no gradient


def _rows(targets: np.ndarray, lengths: np.ndarray, blank: int) -> np.ndarray:
    """Targets of any form as (N, longest), filled up with blanks."""
    rows = np.full((len(lengths), lengths.max(initial=0)), blank, np.int64)
    start = 0
    for place, length in enumerate(lengths):
        source = targets[start:start + length] if targets.ndim == 1 else targets[place, :length]
        rows[place, :length] = source
        start += length
    return rows


def _collapsed(path: tuple, blank: int) -> list[int]:
    """What a path reads: repetitions once, no blanks."""
    return [label for label, _ in itertools.groupby(path) if label != blank]


def _reference(log_probs, targets, input_lengths, target_lengths, blank=0, reduction="mean",
               zero_infinity=False):
    """Every path through the classes that reads as the target, one by one."""
    losses = []
    rows = _rows(targets, np.array(target_lengths, int), blank)
    for n, (steps, length) in enumerate(zip(input_lengths, target_lengths)):
        wanted = rows[n, :length].tolist()
        total = np.sum([np.exp(np.sum(log_probs[range(steps), n, path]))
                        for path in itertools.product(range(log_probs.shape[2]), repeat=steps)
                        if _collapsed(path, blank) == wanted])
        losses.append(-np.log(total) if total or not zero_infinity else 0.0)
    if reduction == "mean":
        return np.mean(np.array(losses) / np.maximum(target_lengths, 1))
    return np.array(losses) if reduction == "none" else np.sum(losses)


def _cases(rng):
    log_probs = spaced(rng, (4, 2, 3))
    yield case(log_probs, np.array([[1, 2], [2, 2]]), (4, 3), (2, 2))
    yield case(log_probs, np.array([1, 1, 2]), (4, 2), (2, 1), reduction="sum")
    yield case(log_probs, np.array([[0, 1], [1, 0]]), (3, 4), (2, 0), 2, "none")
    yield case(log_probs, np.array([[1, 1], [1, 2]]), (2, 4), (2, 2), reduction="none", zero_infinity=True)


def _lengths(name: str, values, batch: int, longest: int) -> np.ndarray:
    lengths = np.array(array_of(values), np.int64).reshape(-1)
    if len(lengths) != batch:
        raise RuntimeError(f"{name} must be of size batch_size, {batch}, but got {len(lengths)} numbers")
    if len(lengths) and not 0 <= lengths.min() <= lengths.max() <= longest:
        raise RuntimeError(f"Expected {name} to have values from 0 to {longest}, but got {lengths.tolist()}")
    return lengths


def _checked(log_probs, targets: np.ndarray, input_lengths, target_lengths, blank: int) -> tuple:
    """Lengths and rows of targets as arrays, refused if they do not fit together."""
    steps, batch, classes = log_probs.shape
    if 0 in log_probs.shape:
        raise RuntimeError(f"log_probs tensor must not be empty, got shape {tuple(log_probs.shape)}")
    if dtype_of(log_probs).kind != "f":
        raise RuntimeError(f'"ctc_loss" not implemented for {TYPE_NAMES[dtype_of(log_probs).name]}')
    if not 0 <= blank < classes:
        raise RuntimeError(f"blank must be in label range 0 to {classes - 1}, got {blank}")
    input_lengths = _lengths("input_lengths", input_lengths, batch, steps)
    longest = targets.shape[1] if targets.ndim == 2 else targets.size
    target_lengths = _lengths("target_lengths", target_lengths, batch, longest)
    if targets.ndim == 2 and len(targets) != batch:
        raise RuntimeError(f"ctc_loss: targets of shape {targets.shape} for a batch of {batch}")
    if targets.ndim == 1 and target_lengths.sum() != targets.size:
        raise RuntimeError(f"ctc_loss: target_lengths sum up to {target_lengths.sum()}, but there are "
                           f"{targets.size} targets in one row")
    rows = _rows(targets, target_lengths, blank)
    if rows.size and not 0 <= rows.min() <= rows.max() < classes:
        raise RuntimeError(f"ctc_loss: targets must be from 0 to {classes - 1}, got {rows.min()} to "
                           f"{rows.max()}")
    return input_lengths, target_lengths, rows


@composite(
    samples=_cases, reference=_reference, differentiable=("log_probs",),
    exempt={"zero_dim": "takes sequences", "empty": "a bad call, as in PyTorch"},
    bad=[Bad((np.ones((4, 0, 3)), np.ones((0, 2), int), (), ()), {}, RuntimeError,
             r"must not be empty, got shape \(4, 0, 3\)"),
         Bad((np.ones((4, 2, 3)), np.ones((2, 2), int), (4, 5), (2, 2)), {}, RuntimeError,
             r"input_lengths to have values from 0 to 4, but got \[4, 5\]"),
         Bad((np.ones((4, 2, 3)), np.ones((2, 2), int), (4,), (2, 2)), {}, RuntimeError,
             "input_lengths must be of size batch_size, 2, but got 1"),
         Bad((np.ones((4, 2, 3)), np.ones((2, 2), int), (4, 4), (2, 3)), {}, RuntimeError,
             "target_lengths to have values from 0 to 2"),
         Bad((np.ones((4, 2, 3)), np.ones((2, 2), int), (4, 4), (2, 2), 3), {}, RuntimeError,
             "blank must be in label range 0 to 2, got 3"),
         Bad((np.ones((4, 2, 3), int), np.ones((2, 2), int), (4, 4), (2, 2)), {}, RuntimeError,
             "not implemented for Long"),
         Bad((np.ones((4, 2, 3)), np.ones((2, 2), int), (4, 4), (2, 2), 0, "all"), {}, ValueError,
             "all is not a valid value for reduction")],
)
def ctc_loss(log_probs, targets, input_lengths, target_lengths, blank=0, reduction="mean",
             zero_infinity=False):
    """-log of the probability that a path of one class a step reads as the target.

    A path reads as its classes without repetitions and then without blanks: ``a a _ a b`` as ``a a b``.

    Args:
        log_probs: (T, N, C) or (T, C), logarithms of probabilities, as of `log_softmax`.
        targets: (N, S) padded, or all targets in one row; no blanks among them.
        input_lengths: (N,), how many of the T steps count.
        target_lengths: (N,).
        blank: number of the class that stands for nothing.
        reduction: "mean" of the losses divided by the target's length, "sum" or "none".
        zero_infinity: count targets that do not fit into their steps as 0, not infinity.

    Raises:
        RuntimeError: for lengths and classes that do not fit.

    Source: Graves et al. 2006, https://www.cs.toronto.edu/~graves/icml_2006.pdf

    >>> two_steps = np.log(np.array([[[0.4, 0.6]], [[0.5, 0.5]]]))  # 1 1, 1 _ and _ 1 read as 1: 0.8
    >>> float(np.exp(-ctc_loss(two_steps, np.array([[1]]), (2,), (1,))).round(3))
    0.8
    """
    reduction = choose_reduction(reduction)
    single = log_probs.ndim == 2
    targets = array_of(targets)
    if single:
        log_probs, targets = unsqueeze(log_probs, 1), targets.reshape(1, -1)
    input_lengths, target_lengths, rows = _checked(log_probs, targets, input_lengths, target_lengths, blank)
    steps, batch, _ = log_probs.shape
    # a blank before, between and after the labels; a path goes on by one place, stays, or skips a blank
    places = np.full((batch, 2 * rows.shape[1] + 1), blank)
    places[:, 1::2] = rows
    no_skip = np.ones(places.shape, bool)
    no_skip[:, 2:] = (places[:, 2:] == blank) | (places[:, 2:] == places[:, :-2])
    width = places.shape[1]
    scores = unbind(gather(log_probs, 2, np.broadcast_to(places, (steps, *places.shape)).copy()))
    reached = masked_fill(scores[0], np.broadcast_to(np.arange(width) > 1, places.shape), _NEVER)
    for step in range(1, steps):
        padded = constant_pad_nd(reached, (2, 0), _NEVER)
        one, two = narrow(padded, 1, 1, width), narrow(padded, 1, 0, width)
        ways = stack([reached, one, masked_fill(two, no_skip, _NEVER)])
        following = add(logsumexp(ways, 0), scores[step])
        reached = where((step < input_lengths)[:, None], following, reached)
    # a path may end at the last label or at the blank behind it
    ends = np.stack([2 * target_lengths, np.maximum(2 * target_lengths - 1, 0)], 1)
    last = masked_fill(gather(reached, 1, ends), np.stack([ends[:, 0] < 0, ends[:, 0] == 0], 1), _NEVER)
    losses = neg(logsumexp(last, 1))
    impossible = (array_of(losses) > -_NEVER / 2) | (input_lengths == 0) & (target_lengths > 0)
    losses = masked_fill(losses, impossible, 0.0 if zero_infinity else np.inf)
    if reduction == "mean":
        losses = div(losses, np.maximum(target_lengths, 1).astype(dtype_of(log_probs)))
    return squeeze(losses, 0) if single and reduction == "none" else reduce_losses(losses, reduction)
