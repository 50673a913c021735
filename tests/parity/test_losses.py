"""Losses and embeddings with all their options: reductions, weights, dimensions, wrong calls."""

import itertools

import numpy as np
import pytest
from counterparts import counterpart, public
from harness import cast_floats, check_calls, check_gradients, generator

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.filterwarnings("ignore")
REDUCTIONS = ["mean", "sum", "none"]
SHAPES = [(), (4,), (2, 3), (2, 3, 2), (0, 3)]


def check(name, args, kwargs=None, gradients=True):
    """Values in both precisions and gradients."""
    kwargs = kwargs or {}
    check_calls(public(name), counterpart(name), args, kwargs, name)
    check_calls(public(name), counterpart(name), *cast_floats(args, kwargs, np.float32), name)
    if gradients:
        check_gradients(public(name), counterpart(name), args, kwargs, name)


OPTIONS = {
    "mse_loss": [{}],
    "l1_loss": [{}],
    "smooth_l1_loss": [{}, {"beta": 0.3}, {"beta": 0}, {"beta": -1.0}],
    "huber_loss": [{}, {"delta": 0.4}, {"delta": 0.0}, {"delta": -1.0}],
    "kl_div": [{}, {"log_target": True}],
    "soft_margin_loss": [{}],
    "hinge_embedding_loss": [{}, {"margin": 0.5}],
    "poisson_nll_loss": [{}, {"log_input": False}, {"full": True}, {"eps": 0.1, "log_input": False}],
}


@pytest.mark.parametrize("reduction", [*REDUCTIONS, "batchmean", "all"])
@pytest.mark.parametrize("name", OPTIONS)
def test_elementwise_losses(name, reduction):
    """Losses of two arrays of one shape, of every rank."""
    rng = generator()
    for shape, options in itertools.product(SHAPES, OPTIONS[name]):
        input, target = rng.standard_normal(shape), rng.uniform(0.1, 0.9, shape)
        if name == "kl_div" and options:
            target = np.log(target)
        if name == "hinge_embedding_loss":
            target = np.where(target > 0.5, 1.0, -1.0)
        if options.get("log_input") is False:
            input = np.exp(input)
        if name == "huber_loss" and options.get("delta", 1) <= 0 and reduction not in REDUCTIONS:
            continue  # two reasons to refuse, in another order
        check(name, (np.asarray(input), np.asarray(target)), {"reduction": reduction, **options})


@pytest.mark.parametrize(
    "name",
    [
        "mse_loss",
        "l1_loss",
        "smooth_l1_loss",
        "kl_div",
        "binary_cross_entropy",
        "binary_cross_entropy_with_logits",
    ],
)
def test_former_arguments(name):
    """``size_average`` and ``reduce`` choose the reduction."""
    input, target = generator().uniform(0.1, 0.9, (2, 2, 3))
    for size_average, reduce in itertools.product([None, True, False], repeat=2):
        check(name, (input, target), {"size_average": size_average, "reduce": reduce})


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("shape", SHAPES)
def test_binary_cross_entropy(shape, reduction):
    """Weights, positive weights, probabilities 0 and 1, targets outside of [0, 1]."""
    rng = generator()
    p, target, weight = (np.asarray(rng.uniform(0.1, 0.9, shape)) for _ in range(3))
    logits = np.asarray(rng.standard_normal(shape) * 5)
    for options in ({}, {"weight": weight}):
        check("binary_cross_entropy", (p, target), {"reduction": reduction, **options})
        check(
            "binary_cross_entropy",
            (np.round(p), np.round(target)),
            {"reduction": reduction, **options},
            False,
        )
        for more in ({}, {"pos_weight": np.asarray(rng.uniform(0.5, 2, shape[-1:]))}):
            check(
                "binary_cross_entropy_with_logits",
                (logits, target),
                {"reduction": reduction, **options, **more},
            )
    for wrong in (p + 1, -p):
        check("binary_cross_entropy", (wrong, target), {"reduction": reduction}, False)


def test_binary_cross_entropy_extremes():
    """Logits of 1000 and probabilities of exactly 0 and 1 give finite numbers."""
    check(
        "binary_cross_entropy_with_logits", (np.array([1000.0, -1000.0, 0.0]), np.array([0.0, 1.0, 0.5]))
    )
    check(
        "binary_cross_entropy",
        (np.array([0.0, 1.0, 1.0, 0.0]), np.array([0.0, 1.0, 0.0, 1.0])),
        gradients=False,
    )
    for name in ("binary_cross_entropy", "binary_cross_entropy_with_logits"):
        for target in (np.ones(3), np.ones((2, 1)), np.ones(2, np.int64), np.ones(2, np.float32)):
            if name.endswith("logits") and target.dtype == np.float32:
                continue  # PyTorch gives the target's dtype
            check_calls(public(name), counterpart(name), (np.full(2, 0.5), target), {}, name)


CLASSES = [
    ((3,), ()),
    ((4, 3), (4,)),
    ((2, 3, 5), (2, 5)),
    ((2, 3, 2, 2), (2, 2, 2)),
    ((1, 3, 1, 2, 2), (1, 1, 2, 2)),
    ((0, 3), (0,)),
    ((2, 3, 0), (2, 0)),
]


@pytest.mark.parametrize("smoothing", [0.0, 0.2, 1.0])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("shape", "labels"), CLASSES)
def test_cross_entropy(shape, labels, reduction, weighted, smoothing):
    """Class numbers, weights, ignored classes and probabilities, for all ranks."""
    rng = generator()
    logits, target = rng.standard_normal(shape), np.asarray(rng.integers(0, 3, labels))
    options = {"reduction": reduction} | ({"weight": rng.uniform(0.5, 2, 3)} if weighted else {})
    smooth = {"label_smoothing": smoothing}
    for ignore in ({}, {"ignore_index": 1}, {"ignore_index": -7}):
        check("cross_entropy", (logits, target), options | smooth | ignore)
    check("cross_entropy", (logits, np.abs(rng.standard_normal(shape))), options | smooth)
    if not smoothing:
        check("nll_loss", (logits, target), options)
        check("nll_loss", (logits, target), options | {"ignore_index": 2})
        check("nll_loss", (logits, np.full_like(target, 1)), options | {"ignore_index": 1})
        check("cross_entropy", (logits, np.full_like(target, -100)), options)


@pytest.mark.parametrize(
    ("input", "target", "options"),
    [
        ((2, 3), np.array([0, 3]), {}),
        ((2, 3), np.array([0, -1]), {}),
        ((2, 3), np.array([0]), {}),
        ((2, 3), np.array([0.0, 1]), {}),
        ((2, 3), np.array([0, 1], np.int32), {}),
        ((2, 3), np.array([0, 1], np.uint8), {}),
        ((2, 3), np.zeros((2, 1), np.int64), {}),
        ((2, 3, 4), np.zeros((2, 3), np.int64), {}),
        ((2, 3), np.zeros((2, 4)), {}),
        ((2, 3), np.array([0, 1]), {"weight": np.ones(2)}),
        ((2, 3), np.array([0, 1]), {"label_smoothing": 1.5}),
        ((2, 3), np.array([0, 1]), {"weight": np.ones(3, np.float32)}),
        ((2, 3), np.zeros((2, 3), np.int64), {}),
        ((2, 3), np.array([True, False]), {}),
        ((3,), np.array([1]), {}),
        ((3,), np.array([1, 2]), {}),
    ],
)
@pytest.mark.parametrize("name", ["cross_entropy", "nll_loss"])
def test_wrong_classes(name, input, target, options):
    """Class numbers out of range, unlike shapes and dtypes: the same errors."""
    if name == "nll_loss" and "label_smoothing" in options:
        return
    check_calls(public(name), counterpart(name), (np.ones(input), target), options, name)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_other_losses(reduction):
    """Margins, embeddings, triplets, Gaussians."""
    rng = generator()
    x, y, z = rng.standard_normal((3, 4, 3))
    signs, classes = np.where(rng.random(4) > 0.5, 1.0, -1.0), rng.integers(0, 3, 4)
    options = {"reduction": reduction}
    for margin in ({}, {"margin": 0.5}):
        check("margin_ranking_loss", (x[:, 0], y[:, 0], signs), options | margin)
        check("cosine_embedding_loss", (x, y, signs), options | margin)
        check("cosine_embedding_loss", (x[0], y[0], signs[0].reshape(())), options | margin)
        for more in ({}, {"swap": True}, {"p": 1}, {"eps": 0.1}):
            check("triplet_margin_loss", (x, y, z), options | margin | more)
        for more in ({}, {"p": 2}, {"weight": rng.uniform(0.5, 2, 3)}):
            check("multi_margin_loss", (x, classes), options | margin | more)
    check("multi_margin_loss", (x[0], np.array(1)), options)
    check("triplet_margin_with_distance_loss", (x, y, z), options)
    check("triplet_margin_with_distance_loss", (x, y, z), options | {"swap": True, "margin": 2.0})
    check("multilabel_soft_margin_loss", (x, np.round(np.abs(y) % 1)), options)
    check(
        "multilabel_soft_margin_loss",
        (x, np.round(np.abs(y) % 1)),
        options | {"weight": np.array([1.0, 2.0, 0.5])},
    )
    check(
        "multilabel_margin_loss", (x, np.array([[0, -1, 2], [2, 1, 0], [-1, 0, 1], [1, 2, -1]])), options
    )
    check("multilabel_margin_loss", (x[0], np.array([2, -1, 0])), options)
    for variance in (
        np.abs(z) + 0.1,
        np.abs(z[:, :1]) + 0.1,
        np.abs(z[:, 0]) + 0.1,
        np.zeros((4, 3)),
        -np.ones((4, 3)),
    ):
        for more in ({}, {"full": True}, {"eps": 0.5}):
            check("gaussian_nll_loss", (x, y, variance), options | more, gradients=variance.min() > 0)


def test_distances():
    """Cosine similarity and pairwise distance, broadcast and with zeros."""
    rng = generator()
    x, y = rng.standard_normal((2, 4, 3))
    for options in ({}, {"dim": 0}, {"dim": -1}, {"eps": 1e-3}):
        check("cosine_similarity", (x, y), options)
    check("cosine_similarity", (x, y[0]), {"dim": -1})
    check("cosine_similarity", (x, np.zeros((4, 3))), {}, gradients=False)
    for options in ({}, {"p": 1}, {"p": 3.0}, {"keepdim": True}, {"eps": 0.1}, {"p": float("inf")}):
        check("pairwise_distance", (x, y), options)
    check("pairwise_distance", (x[0], y[0]))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"padding_idx": 1},
        {"padding_idx": -1},
        {"scale_grad_by_freq": True},
        {"max_norm": 1.0},
        {"max_norm": 0.5, "norm_type": 1.0},
        {"padding_idx": 9},
    ],
)
@pytest.mark.parametrize(
    "indices",
    [
        np.array([0, 3, 1, 3]),
        np.array([[1, 1], [0, 2]]),
        np.array(2),
        np.zeros((0,), np.int64),
        np.array([1, 2], np.int32),
        np.array([4]),
        np.array([-1]),
        np.array([1.0]),
    ],
    ids=repr,
)
def test_embedding(indices, options):
    """Rows of a table: padding, frequencies, norms; indices out of range and of other dtypes."""
    if indices.dtype == float and options:
        return
    table = generator().standard_normal((4, 3))
    check_calls(public("embedding"), counterpart("embedding"), (indices, table), options, "embedding")
    if "max_norm" not in options:  # changes the table in place, which a leaf does not allow
        check_gradients(
            public("embedding"), counterpart("embedding"), (indices, table), options, "embedding"
        )


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "softmin"])
@pytest.mark.parametrize("dim", [0, 1, -1, 2, 5, None])
def test_softmax(name, dim):
    """Every dimension, the implicit one, huge numbers, other dtypes."""
    rng = generator()
    for x in (
        rng.standard_normal((2, 3, 4)),
        np.array([[1000.0, 0.0], [-1000.0, np.inf]]),
        np.array(2.0),
        rng.standard_normal(3),
        np.full((2, 2), -np.inf),
    ):
        check(name, (x, dim) if dim is not None else (x,), gradients=np.isfinite(x).all())
    for dtype in (np.float32, np.float64):
        check(name, (np.arange(6).reshape(2, 3), 1), {"dtype": dtype}, gradients=False)
