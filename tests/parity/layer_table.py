"""Every layer of `tinygrad_hw.nn` with arguments and inputs: what the tests of layers are made from.

A `Row` is built and called in the same way in both libraries.  Arrays among the arguments become
Tensors, and what is `Made` from layers is made from the layers of each library.
"""

import dataclasses
from collections import OrderedDict
from collections.abc import Callable

import numpy as np

REDUCTIONS = ("mean", "sum", "none")


@dataclasses.dataclass(frozen=True)
class Made:
    """An argument that each library makes for itself: a function of its ``nn``."""

    build: Callable


@dataclasses.dataclass(frozen=True)
class Row:
    """One layer and the inputs it is called with, or None if it has no forward."""

    name: str
    inputs: tuple | None
    args: tuple
    kwargs: dict

    def __str__(self):
        arguments = [*map(_show, self.args), *(f"{name}={_show(v)}" for name, v in self.kwargs.items())]
        called = "" if self.inputs is None else " of " + " ".join(_show(i) for i in self.inputs)
        return f"{self.name}({', '.join(arguments)}){called}"

    @property
    def random(self):
        """Whether the output depends on chance while training; compared by its statistics then."""
        if self.name == "RReLU":
            return "lower" not in self.kwargs
        return "Dropout" in self.name and self.kwargs.get("p", 0.5) not in (0.0, 1.0)


def _show(value):
    if isinstance(value, np.ndarray):
        return f"{value.dtype}{list(value.shape)}"
    if isinstance(value, Input):
        return str(value)
    return "..." if isinstance(value, Made) or callable(value) else repr(value)


def row(name, inputs, *args, **kwargs):
    """A `Row`; a shape stands for normal numbers."""
    if inputs is not None:
        several = inputs if isinstance(inputs, list) else [inputs]
        inputs = tuple(Input("normal", i) if isinstance(i, tuple) else i for i in several)
    return Row(name, inputs, args, kwargs)


# ------------------------------------------------------------------ inputs


@dataclasses.dataclass(frozen=True)
class Input:
    """How an input is drawn; gradients are compared for the kinds that have them."""

    kind: str
    shape: tuple
    value: object = None

    def __str__(self):
        return f"{self.kind}{list(self.shape)}" if self.value is None else f"{self.kind} {self.value}"

    @property
    def differentiable(self):
        return self.kind in ("normal", "probabilities")

    def draw(self, random):
        """The input as an array, float64 where it is no number of a class."""
        if self.kind == "normal":
            return random.normal(size=self.shape)
        if self.kind in ("probabilities", "shares"):
            return random.uniform(0.1, 0.9, size=self.shape)
        if self.kind == "classes":
            return random.integers(*self.value, size=self.shape)
        if self.kind == "signs":
            return random.choice([-1.0, 1.0], size=self.shape)
        return self.value


def probabilities(*shape):
    """Numbers between 0.1 and 0.9."""
    return Input("probabilities", shape)


def shares(*shape):
    """`probabilities` that no gradient is asked for."""
    return Input("shares", shape)


def classes(high, *shape, low=0):
    """Integers."""
    return Input("classes", shape, (low, high))


def signs(*shape):
    """1 and -1."""
    return Input("signs", shape)


def given(value):
    """The value itself."""
    return Input("given", (), value)


# fmt: off
# ------------------------------------------------------------------ activations

ROWS = [
    *(row(name, shape) for shape in ((3, 4), (), (0, 2)) for name in (
        "CELU", "ELU", "GELU", "Hardshrink", "Hardsigmoid", "Hardswish", "Hardtanh", "LeakyReLU",
        "LogSigmoid", "Mish", "PReLU", "RReLU", "ReLU", "ReLU6", "SELU", "SiLU", "Sigmoid", "Softplus",
        "Softshrink", "Softsign", "Tanh", "Tanhshrink")),
    *(row(name, (3, 4), inplace=True) for name in (
        "CELU", "ELU", "Hardsigmoid", "Hardswish", "Hardtanh", "LeakyReLU", "Mish", "RReLU", "ReLU",
        "ReLU6", "SELU", "SiLU")),
    row("CELU", (3, 4), 0.5), row("ELU", (3, 4), 0.5), row("GELU", (3, 4), "tanh"),
    row("Hardshrink", (3, 4), 0.2), row("Softshrink", (3, 4), 0.2), row("Hardtanh", (3, 4), -0.3, 0.6),
    row("Hardtanh", (3, 4), min_value=-0.3, max_value=0.6), row("LeakyReLU", (3, 4), 0.2),
    row("RReLU", (3, 4), lower=0.25, upper=0.25),
    row("RReLU", (3, 4), lower=0.25, upper=0.25, inplace=True),
    row("PReLU", (2, 3, 4), 3), row("PReLU", (2, 3), 3, init=0.1), row("Softplus", (3, 4), 2, 0.5),
    row("Threshold", (3, 4), 0.1, 20), row("Threshold", (3, 4), 0.1, 20, inplace=True),
    row("GLU", (3, 4)), row("GLU", (2, 4, 3), 1), row("Softmax2d", (2, 3, 2, 2)),
    row("Softmax2d", (3, 2, 2)),
    *(row(name, (2, 3, 4), *dim) for name in ("Softmax", "LogSoftmax", "Softmin")
      for dim in ((0,), (1,), (-1,), ())),
    *(row(name, (3, 4)) for name in ("Softmax", "LogSoftmax", "Softmin")),

    # -------------------------------------------------------------- linear layers, look-up, shapes

    row("Identity", (2, 3), 54, unused=0.1),
    row("Linear", (4, 3), 3, 5), row("Linear", (3,), 3, 5), row("Linear", (2, 4, 3), 3, 5, bias=False),
    row("Linear", (0, 3), 3, 5), row("Linear", (2, 3), 3, 1),
    row("Bilinear", [(4, 3), (4, 2)], 3, 2, 5),
    row("Bilinear", [(2, 4, 3), (2, 4, 2)], 3, 2, 5, bias=False),
    row("Bilinear", [(3,), (2,)], 3, 2, 5),
    row("Embedding", classes(7, 2, 3), 7, 4), row("Embedding", classes(7, 20), 7, 4, padding_idx=2),
    row("Embedding", classes(7, 20), 7, 4, padding_idx=-1, scale_grad_by_freq=True),
    row("Embedding", classes(7), 7, 4),
    row("Embedding", classes(7, 20), 7, 4, max_norm=1.5),
    row("Embedding", classes(7, 20), 7, 4, None, 0.8, 1.0),
    row("Embedding", classes(7, 0), 7, 4),
    row("Embedding", classes(3, 5), 3, 2, _weight=np.arange(6.0).reshape(3, 2)),
    row("Flatten", (2, 3, 4)), row("Flatten", (2, 3, 4, 5), 0, 1), row("Flatten", (2, 3, 4), 0),
    row("Flatten", (2, 3)),
    row("Unflatten", (2, 6), 1, (2, 3)), row("Unflatten", (2, 6, 3), -2, (-1, 2)),
    row("CosineSimilarity", [(2, 3, 4), (2, 3, 4)]),
    row("CosineSimilarity", [(3, 4), (1, 4)], dim=-1, eps=1e-3),
    row("PairwiseDistance", [(3, 4), (3, 4)]),
    row("PairwiseDistance", [(3, 4), (4,)], 1.0, 1e-3, keepdim=True),
    row("PairwiseDistance", [(3, 4), (3, 4)], p=float("inf")),

    # -------------------------------------------------------------- dropout

    *(row(name, shape, p=p) for name, shape in (
        ("Dropout", (3, 4)), ("AlphaDropout", (3, 4)), ("Dropout1d", (2, 3, 4)), ("Dropout2d", (2, 3, 2,
            2)),
        ("Dropout3d", (2, 3, 2, 2, 2)), ("FeatureAlphaDropout", (2, 3, 4))) for p in (0.3, 0.0, 1.0)),
    *(row(name, (2, 3, 4, 2), p=p, inplace=True) for name in ("Dropout", "Dropout2d") for p in (0.0, 0.5,
      1.0)),
    row("Dropout", (3, 4)), row("Dropout1d", (3, 4)), row("Dropout2d", (3, 4, 2)),
    row("Dropout3d", (3, 4, 2, 2)),

    # -------------------------------------------------------------- convolutions

    row("Conv1d", (2, 3, 9), 3, 4, 3), row("Conv1d", (3, 9), 3, 4, 2, stride=2, padding=1, bias=False),
    row("Conv1d", (2, 4, 9), 4, 6, (3,), 1, 2, 2, 2),
    row("Conv1d", (2, 3, 8), 3, 4, 4, padding="same", dilation=2),
    row("Conv1d", (2, 3, 8), 3, 4, 3, padding="valid"), row("Conv1d", (1, 3, 8), 3, 3, 1, groups=3),
    row("Conv2d", (2, 3, 6, 5), 3, 4, 3), row("Conv2d", (3, 6, 5), 3, 4, (3, 2), bias=False),
    row("Conv2d", (2, 4, 7, 6), 4, 6, 3, (2, 1), (1, 2), (1, 2), 2),
    row("Conv2d", (2, 3, 6, 5), 3, 6, 3, groups=3),
    row("Conv2d", (2, 3, 6, 5), 3, 4, (2, 3), padding="same", dilation=(1, 2)),
    row("Conv2d", (2, 3, 4, 4), 3, 5, 1),
    row("Conv2d", (2, 3, 6, 5), 3, 4, 3, padding="valid"), row("Conv2d", (0, 3, 6, 5), 3, 4, 3),
    *(row("Conv1d", (2, 3, 6), 3, 4, 3, stride=2, padding=2, padding_mode=mode)
      for mode in ("reflect", "replicate", "circular")),
    *(row("Conv2d", (2, 3, 5, 6), 3, 4, (3, 2), padding=(2, 1), padding_mode=mode)
      for mode in ("reflect", "replicate", "circular")),
    row("Conv2d", (2, 3, 5, 6), 3, 4, (2, 3), padding="same", padding_mode="circular"),
    row("Conv2d", (2, 3, 5, 6), 3, 4, 4, padding="same", padding_mode="reflect"),
    row("ConvTranspose1d", (2, 3, 5), 3, 4, 3),
    row("ConvTranspose1d", (3, 5), 3, 4, 3, 2, 1, 1, bias=False),
    row("ConvTranspose1d", (2, 4, 5), 4, 6, 2, 3, groups=2, dilation=2, output_padding=1),
    row("ConvTranspose1d", [(2, 3, 5), given([10])], 3, 4, 3, 2, 1),
    row("ConvTranspose2d", (2, 3, 4, 3), 3, 4, 3),
    row("ConvTranspose2d", (3, 4, 3), 3, 4, (3, 2), 2, (1, 0), 1),
    row("ConvTranspose2d", (2, 4, 3, 4), 4, 6, 3, (2, 1), (1, 2), (1, 0), 2, False, (1, 2)),
    row("ConvTranspose2d", [(2, 3, 4, 3), given((2, 4, 8, 6))], 3, 4, 3, 2, 1),
    row("ConvTranspose2d", [(3, 4, 3), given((8, 5))], 3, 4, 3, 2, 1),
    row("Unfold", (2, 3, 5, 4), (2, 3)), row("Unfold", (2, 3, 6, 5), 2, 2, 1, 2),
    row("Unfold", (3, 5, 4), 2),
    row("Fold", (2, 12, 20), (5, 6), 2), row("Fold", (2, 12, 12), (5, 6), (2, 3), 1, (1, 0), (2, 1)),
    row("Fold", (12, 20), (5, 6), 2),

    # -------------------------------------------------------------- pooling

    row("MaxPool1d", (2, 3, 9), 2), row("MaxPool1d", (3, 9), 3, 2, 1, 2, ceil_mode=True),
    row("MaxPool1d", (2, 3, 9), 3, return_indices=True), row("MaxPool2d", (2, 3, 6, 5), 2),
    row("MaxPool2d", (3, 7, 6), (3, 2), (2, 1), (1, 0), (1, 2), ceil_mode=True),
    row("MaxPool2d", (2, 3, 6, 5), 2, 1, return_indices=True), row("MaxPool2d", (0, 3, 6, 5), 2),
    row("MaxUnpool1d", [(1, 2, 3), given(np.array([[[0, 3, 4], [1, 2, 5]]]))], 2),
    row("MaxUnpool1d", [(1, 2, 3), given(np.array([[[0, 3, 4], [1, 2, 5]]])), given([1, 2, 7])], 2),
    row("MaxUnpool2d", [(1, 1, 2, 2), given(np.array([[[[0, 3], [8, 14]]]]))], 2),

    row("MaxUnpool2d", [(1, 1, 2, 2), given(np.array([[[[0, 3], [8, 14]]]])), given((5, 4))], (2, 2), 2,
        0),
    row("AvgPool1d", (2, 3, 9), 2), row("AvgPool1d", (3, 9), 3, 2, 1, True, False),
    row("AvgPool2d", (2, 3, 6, 5), 2),
    row("AvgPool2d", (2, 3, 7, 6), (3, 2), (2, 3), (1, 0), True),
    row("AvgPool2d", (3, 6, 5), 3, 2, 1, False, False),
    row("AvgPool2d", (2, 3, 6, 5), 3, 1, 1, divisor_override=5),
    row("LPPool1d", (2, 3, 9), 2, 3), row("LPPool1d", (2, 3, 9), 3, 2, 3, ceil_mode=True),
    row("LPPool2d", (2, 3, 6, 5), 2, 2),
    row("LPPool2d", probabilities(2, 3, 6, 5), 1.5, (3, 2), stride=(2, 1)),
    row("AdaptiveAvgPool1d", (2, 3, 8), 3), row("AdaptiveAvgPool1d", (3, 8), 1),
    row("AdaptiveAvgPool1d", (2, 3, 2), 5),
    row("AdaptiveAvgPool2d", (2, 3, 7, 5), 3), row("AdaptiveAvgPool2d", (3, 7, 5), (1, None)),
    row("AdaptiveMaxPool1d", (2, 3, 8), 3), row("AdaptiveMaxPool1d", (2, 3, 8), 3, return_indices=True),
    row("AdaptiveMaxPool2d", (2, 3, 7, 5), (3, 2)),
    row("AdaptiveMaxPool2d", (3, 7, 5), (None, 2), return_indices=True),

    # -------------------------------------------------------------- padding and resolution

    *(row(f"{kind}Pad1d", shape, padding) for kind in ("Circular", "Reflection", "Replication", "Zero")
      for shape, padding in (((2, 3, 5), 2), ((3, 5), (1, 3)))),
    *(row(f"{kind}Pad2d", shape, padding) for kind in ("Circular", "Reflection", "Replication", "Zero")
      for shape, padding in (((2, 3, 5, 4), 2), ((3, 5, 4), (1, 3, 0, 2)))),
    row("ZeroPad2d", (2, 3, 5, 4), (-1, 2, 0, -2)),
    row("ConstantPad1d", (2, 3, 5), 2, 3.5), row("ConstantPad1d", (3, 5), (-1, 2), value=-1),
    row("ConstantPad2d", (2, 3, 5, 4), 1, 3.5), row("ConstantPad2d", (3, 5, 4), (1, 0, -2, 2), 0.5),
    row("ChannelShuffle", (2, 6, 2, 2), 3), row("PixelShuffle", (2, 8, 2, 3), 2),
    row("PixelShuffle", (9, 2, 3), 3),
    row("PixelUnshuffle", (2, 3, 4, 6), 2), row("PixelUnshuffle", (1, 4, 6), 2),
    row("Upsample", (2, 3, 4), 7), row("Upsample", (2, 3, 4), scale_factor=2, mode="linear"),
    row("Upsample", (2, 3, 4, 3), (6, 7)), row("Upsample", (2, 3, 4, 3), scale_factor=(2, 1.5)),
    row("Upsample", (2, 3, 4, 3), None, 2.5, "bilinear"),
    row("Upsample", (2, 3, 4, 3), (7, 5), None, "bilinear", True),
    row("Upsample", (2, 3, 4, 5), None, 1.7, "bilinear", False, True),
    row("Upsample", (2, 3, 4, 3), 6, mode="bicubic"),
    row("Upsample", (2, 3, 4, 3), 6, mode="nearest-exact"),
    row("Upsample", (2, 3, 6, 6), 4, mode="area"),
    row("UpsamplingBilinear2d", (2, 3, 4, 3), scale_factor=2),
    row("UpsamplingBilinear2d", (2, 3, 4, 3), (5, 7)),
    row("UpsamplingNearest2d", (2, 3, 4, 3), scale_factor=2),
    row("UpsamplingNearest2d", (2, 3, 4, 3), 5),

    # -------------------------------------------------------------- normalisation

    *(row(f"BatchNorm{n}d", shape, 3, *args, **options) for n, shape in ((1, (4, 3)), (1, (4, 3, 5)), (2,
      (2, 3, 4, 2)))
      for args, options in (((), {}), ((1e-2, None), {}), ((1e-3, 0.4), {"affine": False}), ((),
      {"bias": False}),
                            ((), {"track_running_stats": False}))),
    *(row(f"InstanceNorm{n}d", shape, 3, **options)
      for n, shape in ((1, (2, 3, 5)), (1, (3, 5)), (2, (2, 3, 4, 2)), (2, (3, 4, 2)))
      for options in ({}, {"affine": True}, {"track_running_stats": True, "momentum": 0.3},
                      {"affine": True, "track_running_stats": True, "eps": 1e-2}, {"affine": True,
                          "bias": False})),
    row("LayerNorm", (2, 3, 4), 4), row("LayerNorm", (2, 3, 4), (3, 4), 1e-2),
    row("LayerNorm", (4,), [4], bias=False),
    row("LayerNorm", (2, 3, 4), 4, elementwise_affine=False), row("LayerNorm", (0, 4), 4),
    row("RMSNorm", (2, 3, 4), 4), row("RMSNorm", (2, 3, 4), [3, 4], 1e-2),
    row("RMSNorm", (3, 4), 4, None, False),
    row("GroupNorm", (2, 6, 4), 3, 6), row("GroupNorm", (2, 6), 2, 6, 1e-2),
    row("GroupNorm", (2, 4, 3, 2), 1, 4),
    row("GroupNorm", (2, 4, 3), 4, 4, affine=False), row("GroupNorm", (2, 4, 3), 2, 4, bias=False),
    row("LocalResponseNorm", (2, 5, 4), 3), row("LocalResponseNorm", (2, 5, 4, 3), 2, 0.5, 0.6, 2.0),

    # -------------------------------------------------------------- losses

    *(row(name, [(3, 4), (3, 4)], reduction=r) for name in ("L1Loss", "MSELoss", "SmoothL1Loss",
      "HuberLoss")
      for r in REDUCTIONS),
    row("SmoothL1Loss", [(3, 4), (3, 4)], beta=0.3), row("SmoothL1Loss", [(3, 4), (3, 4)], beta=0.0),
    row("HuberLoss", [(3, 4), (3, 4)], "sum", 0.3), row("MSELoss", [(), ()]),
    *(row("MSELoss", [(3, 4), (3, 4)], *old) for old in ((False,), (None, False), (True, True), (False,
      True))),
    *(row(name, [inputs, classes(4, *shape)], reduction=r, **options) for r in REDUCTIONS
      for name in ("NLLLoss", "CrossEntropyLoss") for inputs, shape in (((5, 4), (5,)), ((2, 4, 3), (2,
      3)), ((4,), ()))
      for options in ({}, {"weight": np.array([0.5, 1.0, 2.0, 0.3]), "ignore_index": 1})),
    *(row("CrossEntropyLoss", [(5, 4), target], weight=weight, reduction=r, label_smoothing=smoothing)
      for r in REDUCTIONS for target in (classes(4, 5), probabilities(5, 4))
      for weight in (None, np.array([0.5, 1.0, 2.0, 0.3])) for smoothing in (0.0, 0.2)),
    *(row("BCELoss", [probabilities(3, 4), shares(3, 4)], weight=weight, reduction=r)
      for r in REDUCTIONS for weight in (None, np.array([0.5, 1.0, 2.0, 0.3]))),
    *(row("BCEWithLogitsLoss", [(3, 4), probabilities(3, 4)], weight=weight, reduction=r, pos_weight=pos)
      for r in REDUCTIONS for weight in (None, np.array([0.5, 1.0, 2.0, 0.3]))
      for pos in (None, np.array([2.0, 0.3, 1.0, 4.0]))),
    *(row("KLDivLoss", [(3, 4), target], reduction=r, log_target=log) for r in (*REDUCTIONS, "batchmean")
      for target, log in ((probabilities(3, 4), False), ((3, 4), True))),
    *(row("PoissonNLLLoss", [probabilities(3, 4), classes(6, 3, 4)], log, full, reduction=r)
      for r in REDUCTIONS for log in (True, False) for full in (True, False)),
    *(row("GaussianNLLLoss", [(3, 4), (3, 4), var], full=full, reduction=r) for r in REDUCTIONS
      for full in (True, False) for var in (probabilities(3, 4), probabilities(3, 1), probabilities(3))),
    *(row("HingeEmbeddingLoss", [(3, 4), signs(3, 4)], margin=m, reduction=r) for r in REDUCTIONS
      for m in (1.0, 0.2)),
    *(row("CosineEmbeddingLoss", [(5, 4), (5, 4), signs(5)], m, reduction=r) for r in REDUCTIONS
      for m in (0.0, 0.3)),
    row("CosineEmbeddingLoss", [(4,), (4,), signs()]),
    *(row("MarginRankingLoss", [(5,), (5,), signs(5)], m, reduction=r) for r in REDUCTIONS for m in (0.0,
      0.3)),
    *(row("SoftMarginLoss", [(3, 4), signs(3, 4)], reduction=r) for r in REDUCTIONS),
    *(row("MultiLabelMarginLoss", [shape, given(target)], reduction=r) for r in REDUCTIONS for shape,
      target in (
        ((4,), np.array([3, 0, -1, 1])), ((2, 4), np.array([[3, 0, -1, 1], [0, 1, 2, 3]])))),
    *(row("MultiLabelSoftMarginLoss", [(3, 4), shares(3, 4)], weight=weight, reduction=r)
      for r in REDUCTIONS
      for weight in (None, np.array([0.5, 1.0, 2.0, 0.3]))),
    *(row("MultiMarginLoss", [(3, 4), classes(4, 3)], p, m, weight, reduction=r) for r in REDUCTIONS
      for p in (1, 2)
      for m, weight in ((1.0, None), (0.5, np.array([0.5, 1.0, 2.0, 0.3])))),
    *(row("TripletMarginLoss", [(3, 4)] * 3, 1.0, p, swap=swap, reduction=r) for r in REDUCTIONS
      for p in (2.0, 1.0) for swap in (False, True)),
    *(row("TripletMarginWithDistanceLoss", [(3, 4)] * 3, margin=0.7, swap=swap, reduction=r)
      for r in REDUCTIONS
      for swap in (False, True)),

    row("TripletMarginWithDistanceLoss", [(3, 4)] * 3, distance_function=lambda a,
        b: (a - b).abs().sum(-1)),

    # -------------------------------------------------------------- containers

    row("Module", None),
    row("Sequential", (4, 3)),
    row("Sequential", (4, 3), Made(lambda nn: nn.Linear(3, 5)), Made(lambda nn: nn.ReLU(inplace=True)),
        Made(lambda nn: nn.BatchNorm1d(5)), Made(lambda nn: nn.Sequential(nn.Linear(5, 2), nn.Tanh()))),
    row("Sequential", (2, 1, 6, 6), Made(lambda nn: OrderedDict([
        ("conv", nn.Conv2d(1, 3, 3)), ("norm", nn.BatchNorm2d(3)), ("act", nn.GELU()), ("pool",
            nn.MaxPool2d(2)),
        ("flat", nn.Flatten()), ("out", nn.Linear(12, 2))]))),
    row("ModuleList", None),
    row("ModuleList", None, Made(lambda nn: [nn.Linear(2, 2), nn.Linear(2, 2), nn.ReLU()])),
    row("ModuleDict", None),
    row("ModuleDict", None, Made(lambda nn: {"a": nn.Linear(2, 3), "b": nn.ReLU()})),
    row("ParameterList", None), row("ParameterList", None, [np.ones((2, 3)), np.ones(4)]),
    row("ParameterDict", None),
    row("ParameterDict", None, Made(lambda nn: {"b": nn.Parameter(), "a": nn.Parameter()})),
    row("ParameterDict", None, Made(lambda nn: [("b", nn.Parameter()), ("a", 3)])),
]
