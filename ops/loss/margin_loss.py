"""Losses with margins: rankings, embeddings, and the multi-class and multi-label forms of the hinge."""

from __future__ import annotations

import math

import numpy as np

from ops.activation.smooth import softplus
from ops.core import Bad, array_of, case, composite
from ops.elementwise.arithmetic import add, mul, neg, sub
from ops.elementwise.clamping import clamp_min, minimum
from ops.elementwise.division import div
from ops.elementwise.exponential import pow
from ops.indexing.gather import gather
from ops.loss.regression import BAD_LOSS, choose_reduction, reduce_losses, require_same_shape
from ops.loss.softmax_loss import require_classes
from ops.reduction.norms import cosine_similarity, pairwise_distance
from ops.reduction.totals import mean, sum
from ops.samples import spaced

__all__ = ["cosine_embedding_loss", "hinge_embedding_loss", "margin_ranking_loss", "multi_margin_loss",
           "multilabel_soft_margin_loss", "soft_margin_loss", "triplet_margin_loss"]

_NO_SCALAR = {"zero_dim": "vectors have a dimension"}


def _reduced(values, reduction):
    return values if reduction == "none" else np.sum(values) / (np.size(values) if reduction == "mean"
                                                                else 1)


def _signs(rng, shape):
    """Targets of 1 and -1."""
    return np.asarray(rng.choice([-1.0, 1.0], shape))


def _sign_cases(inputs):
    """Samples of a loss of some inputs and a target of signs."""

    def samples(rng):
        for shape, reduction in (((2, 3), "mean"), ((4,), "none"), ((), "sum"), ((0, 3), "sum")):
            arrays = [np.asarray(spaced(rng, shape, -2, 1.7) + 0.0131 * i) for i in range(inputs)]
            yield case(*arrays, _signs(rng, shape), reduction=reduction)

    return samples


# ------------------------------------------------------------------ pairs and rankings


@composite(
    samples=_sign_cases(1), bad=BAD_LOSS,
    reference=lambda input, target, margin=1.0, reduction="mean": _reduced(
        np.where(target == 1, input, np.maximum(0, margin - input)), reduction),
)
def hinge_embedding_loss(input, target, margin=1.0, size_average=None, reduce=None, reduction="mean"):
    """Distances ``input`` of pairs: as they are for target 1, ``max(0, margin - input)`` for target -1.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.HingeEmbeddingLoss.html

    >>> float(hinge_embedding_loss(np.array([0.5, 0.5]), np.array([1.0, -1.0])))
    0.5
    """
    reduction = choose_reduction(reduction, size_average, reduce)
    require_same_shape("hinge_embedding_loss", input, target)
    labels = array_of(target)
    apart = mul(clamp_min(sub(margin, input), 0), labels != 1)
    return reduce_losses(add(mul(input, labels != -1), apart), reduction)


@composite(
    samples=_sign_cases(2), differentiable=("input1", "input2"),
    reference=lambda input1, input2, target, margin=0, reduction="mean": _reduced(
        np.maximum(0, -target * (input1 - input2) + margin), reduction),
    bad=[Bad((np.ones(2), np.ones((2, 1)), np.ones(2)), {}, RuntimeError,
             r"same dimension.*\(2,\).*\(2, 1\)")],
)
def margin_ranking_loss(input1, input2, target, margin=0, size_average=None, reduce=None,
                        reduction="mean"):
    """``max(0, -target * (input1 - input2) + margin)``: target 1 wants the first larger, -1 the second.

    >>> float(margin_ranking_loss(np.array([1.0]), np.array([3.0]), np.array([1.0])))
    2.0
    """
    reduction = choose_reduction(reduction, size_average, reduce)
    if not input1.ndim == input2.ndim == target.ndim:
        raise RuntimeError("margin_ranking_loss : All input tensors should have same dimension but got "
                           f"sizes: input1: {tuple(input1.shape)}, input2: {tuple(input2.shape)}, "
                           f"target: {tuple(target.shape)}")
    return reduce_losses(clamp_min(add(mul(neg(target), sub(input1, input2)), margin), 0), reduction)


@composite(
    samples=_sign_cases(1), bad=BAD_LOSS,
    reference=lambda input, target, reduction="mean": _reduced(np.logaddexp(0, -target * input),
                                                               reduction),
)
def soft_margin_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    """``log(1 + exp(-target * input))`` for targets of 1 and -1.

    >>> float(soft_margin_loss(np.array([0.0]), np.array([1.0])).round(3))
    0.693
    """
    reduction = choose_reduction(reduction, size_average, reduce)
    require_same_shape("soft_margin_loss", input, target)
    return reduce_losses(softplus(neg(mul(target, input)), 1.0, math.inf), reduction)


# ------------------------------------------------------------------ embeddings


def _cosine_cases(rng):
    for reduction in ("mean", "none"):
        yield case(spaced(rng, (4, 3)), spaced(rng, (4, 3)) + 0.0131, _signs(rng, 4), 0.1,
                   reduction=reduction)
    yield case(spaced(rng, (3,)), spaced(rng, (3,)) + 0.0131, np.array(1.0))
    yield case(np.ones((0, 3)), np.ones((0, 3)), np.ones(0), reduction="sum")


def _cosine_reference(input1, input2, target, margin=0, reduction="mean"):
    cosine = (input1 * input2).sum(-1) / np.linalg.norm(input1, axis=-1) / np.linalg.norm(input2,
                                                                                          axis=-1)
    return _reduced(np.where(target == 1, 1 - cosine, np.maximum(0, cosine - margin)), reduction)


@composite(
    samples=_cosine_cases, reference=_cosine_reference, differentiable=("input1", "input2"),
    bad=[Bad((np.ones((2, 3)), np.ones((2, 3)), np.ones((2, 1))), {}, RuntimeError,
             "multi-target not supported"),
         Bad((np.ones((2, 3)), np.ones((2, 3)), np.ones(3)), {}, RuntimeError, r"target of shape "
                                                                               r"\(2,\), got \(3,\)")],
)
def cosine_embedding_loss(input1, input2, target, margin=0, size_average=None, reduce=None,
                          reduction="mean"):
    """``1 - cos`` of pairs of vectors for target 1, ``max(0, cos - margin)`` for target -1.

    Args:
        input1, input2: vectors ``(N, D)`` with a target ``(N,)``, or ``(D,)`` with a 0-d target.

    >>> float(cosine_embedding_loss(np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]]), np.array([1.0])))
    1.0
    """
    reduction = choose_reduction(reduction, size_average, reduce)
    if target.ndim > 1:
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported, got shape "
                           f"{tuple(target.shape)}")
    if tuple(target.shape) != tuple(input1.shape[:-1]):
        raise RuntimeError(f"cosine_embedding_loss: inputs of shape {tuple(input1.shape)} need a target "
                           f"of shape {tuple(input1.shape[:-1])}, got {tuple(target.shape)}")
    cosine, labels = cosine_similarity(input1, input2, -1), array_of(target)
    alike = mul(sub(1.0, cosine), labels == 1)
    return reduce_losses(add(alike, mul(clamp_min(sub(cosine, margin), 0), labels == -1)), reduction)


def _triplets(rng):
    for shape, options in (((4, 3), {}), ((3,), {"swap": True}),
                           ((4, 3), {"p": 1.0, "reduction": "none"}),
                           ((0, 3), {"reduction": "sum"}), ((4, 3), {"swap": True, "margin": 0.5})):
        yield case(*(spaced(rng, shape) + 0.0131 * i for i in range(3)), **options)


def _triplet_reference(anchor, positive, negative, margin=1.0, p=2, eps=1e-6, swap=False,
                       reduction="mean"):
    def distance(a, b):
        return (np.abs(a - b + eps) ** p).sum(-1) ** (1 / p)

    other = distance(anchor, negative)
    other = np.minimum(other, distance(positive, negative)) if swap else other
    return _reduced(np.maximum(0, distance(anchor, positive) - other + margin), reduction)


@composite(
    samples=_triplets, reference=_triplet_reference, differentiable=("anchor", "positive", "negative"),
    exempt=_NO_SCALAR,
    bad=[Bad((np.ones((2, 3)), np.ones((2, 3)), np.ones(3)), {}, RuntimeError, "anchor 2D, positive 2D, "
                                                                               "and negative 1D")],
)
def triplet_margin_loss(anchor, positive, negative, margin=1.0, p=2, eps=1e-6, swap=False,
                        size_average=None,
                        reduce=None, reduction="mean"):
    """``max(0, distance(anchor, positive) - distance(anchor, negative) + margin)`` of vectors.

    Args:
        p, eps: of `pairwise_distance`.
        swap: take the distance of positive and negative where it is the smaller one.

    >>> float(triplet_margin_loss(np.array([[0.0]]), np.array([[3.0]]), np.array([[1.0]])).round(3))
    3.0
    """
    reduction = choose_reduction(reduction, size_average, reduce)
    if not anchor.ndim == positive.ndim == negative.ndim:
        raise RuntimeError("The anchor, positive, and negative tensors are expected to have the same "
                           f"number of dimensions, but got: anchor {anchor.ndim}D, positive "
                           f"{positive.ndim}D, and negative {negative.ndim}D inputs")
    near, far = pairwise_distance(anchor, positive, p, eps), pairwise_distance(anchor, negative, p, eps)
    if swap:
        far = minimum(far, pairwise_distance(positive, negative, p, eps))
    return reduce_losses(clamp_min(add(sub(near, far), margin), 0), reduction)


# ------------------------------------------------------------------ classes


def _margin_cases(rng):
    for options in ({}, {"p": 2, "reduction": "none"}, {"margin": 0.5,
                                                        "weight": np.array([0.5, 2.0, 1.0])}):
        yield case(spaced(rng, (4, 3), -2, 1.7), np.array([2, 0, 1, 1]), **options)
    yield case(spaced(rng, (3,)), np.array(1))
    yield case(np.ones((0, 3)), np.zeros(0, np.int64), reduction="sum")


def _margin_reference(input, target, p=1, margin=1.0, weight=None, reduction="mean"):
    losses = []
    for row, label in zip(np.atleast_2d(input), np.atleast_1d(target)):
        factor = 1 if weight is None else weight[label]
        losses.append(np.sum([factor * max(0, margin - row[label] + x) ** p
                              for i, x in enumerate(row) if i != label]) / len(row))
    losses = np.array(losses)
    return _reduced(losses.reshape(np.shape(target)), reduction)


@composite(
    samples=_margin_cases, reference=_margin_reference,
    bad=[Bad((np.ones((2, 3)), np.array([0, 3])), {}, IndexError, "Target 3 is out of bounds"),
         Bad((np.ones((2, 3)), np.array([0])), {}, RuntimeError, r"target size \(2,\), but got \(1,\)"),
         Bad((np.ones((2, 3)), np.array([0, 1]), 3), {}, ValueError,
             "only p == 1 and p == 2 supported")],
)
def multi_margin_loss(input, target, p=1, margin=1.0, weight=None, size_average=None, reduce=None,
                      reduction="mean"):
    """Hinge over classes: the mean of ``max(0, margin - input[target] + input[other]) ** p``.

    Args:
        input: scores ``(N, C)`` or ``(C,)``.
        target: class numbers ``(N,)`` or 0-d.
        weight: one factor a class.

    >>> float(multi_margin_loss(np.array([[0.0, 2.0]]), np.array([0])))
    1.5
    """
    reduction = choose_reduction(reduction, size_average, reduce)
    if p not in (1, 2):
        raise ValueError(f"only p == 1 and p == 2 supported, got p={p}")
    if tuple(target.shape) != tuple(input.shape[:-1]):
        raise RuntimeError("multi_margin_loss: target tensor should be 1-D with size equal to the "
                           f"number of input samples. Expected target size {tuple(input.shape[:-1])}, "
                           f"but got {tuple(target.shape)}. Input has shape {tuple(input.shape)}.")
    labels, classes = array_of(target).astype(np.int64)[..., None], input.shape[-1]
    require_classes(labels, classes, -100)
    scores = sub(add(input, margin), gather(input, -1, labels))
    losses = mul(clamp_min(scores, 0) if p == 1 else pow(clamp_min(scores, 0), 2),
                 np.arange(classes) != labels)
    if weight is not None:
        losses = mul(losses, array_of(weight)[labels])
    return reduce_losses(div(sum(losses, -1), classes), reduction)


def _multilabel_reference(input, target, weight=None, reduction="mean"):
    losses = target * np.logaddexp(0, -input) + (1 - target) * np.logaddexp(0, input)
    return _reduced((losses * (1 if weight is None else weight)).mean(-1), reduction)


@composite(
    samples=lambda rng: iter([
        case(spaced(rng, (4, 3)), spaced(rng, (4, 3), 0, 1)),
        case(spaced(rng, (3,)), np.array([1.0, 0.0, 1.0])),
        case(spaced(rng, (4, 3)), spaced(rng, (4, 3), 0, 1), np.array([0.5, 2.0, 1.0]),
             reduction="none"),
        case(np.ones((0, 3)), np.ones((0, 3)), reduction="sum")]),
    reference=_multilabel_reference, bad=BAD_LOSS, exempt=_NO_SCALAR,
)
def multilabel_soft_margin_loss(input, target, weight=None, size_average=None, reduce=None,
                                reduction="mean"):
    """Binary cross entropy of logits, averaged over the last dimension before the reduction.

    >>> float(multilabel_soft_margin_loss(np.array([[0.0, 0.0]]), np.array([[1.0, 0.0]])).round(3))
    0.693
    """
    reduction = choose_reduction(reduction, size_average, reduce)
    require_same_shape("multilabel_soft_margin_loss", input, target)
    losses = add(mul(target, softplus(neg(input), 1.0, math.inf)),
                 mul(sub(1.0, target), softplus(input, 1.0, math.inf)))
    return reduce_losses(mean(losses if weight is None else mul(losses, weight), -1), reduction)
