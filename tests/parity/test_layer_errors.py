"""Wrong arguments and inputs: PyTorch's type of error, the values in the text, and the layer's path."""

import inspect
import re

import numpy as np
import pytest

import tinygrad_hw as thw
from tinygrad_hw import nn

torch = pytest.importorskip("torch")

from harness import attempt
from layer_table import ROWS

F32 = np.float32


def make(lib, shape, dtype=F32):
    """A Tensor of small numbers, of zeros for integers; anything but a shape is passed on."""
    if not isinstance(shape, tuple):
        return shape
    return lib.full(shape, 0.5) if dtype is F32 else lib.zeros(shape, dtype=getattr(lib, dtype))


# ------------------------------------------------------------------ constructors

WRONG_ARGUMENTS = [
    ("AlphaDropout", (1.5,), "1.5"),
    ("Dropout", (-0.1,), "-0.1"),
    ("Dropout1d", (2,), "2"),
    ("Dropout2d", (2,), "2"),
    ("Dropout3d", (2,), "2"),
    ("FeatureAlphaDropout", (-1,), "-1"),
    ("Bilinear", (0, 2, 3), "0"),
    ("Conv1d", (3, 4, 2, 1, 0, 1, 2), "3"),
    ("Conv2d", (4, 3, 2, 1, 0, 1, 2), "3"),
    ("Conv2d", (4, 4, 2, 1, 0, 1, 0), "0"),
    ("Conv2d", (4, 4, 2, 1, "full"), "full"),
    ("Conv2d", (4, 4, 2, 2, "same"), "same"),
    ("Conv1d", (4, 4, 2, 1, 0, 1, 1, True, "mirror"), "mirror"),
    ("ConvTranspose1d", (4, 4, 2, 1, 0, 0, 1, True, 1, "reflect"), "reflect|zeros"),
    ("ConvTranspose2d", (3, 4, 2, 1, 0, 0, 2), "3"),
    ("Embedding", (3, 2, 3), "3"),
    ("Embedding", (3, 2, -4), "-4"),
    ("GroupNorm", (4, 6), "6.*4"),
    ("Hardtanh", (1.0, 0.0), "1.0"),
    ("Hardtanh", (1.0, 1.0), "1.0"),
    ("Linear", (-1, 2), "-1"),
    ("Linear", (2,), "out_features"),
    ("Linear", ("a", 2), "a|str"),
    ("Linear", (2.0, 2), "float|2.0"),
    ("Conv2d", (1, 2), "kernel_size"),
    ("MultiMarginLoss", (3,), "3"),
    ("TripletMarginLoss", (0.0,), "0.0"),
    ("TripletMarginLoss", (-1.0,), "-1.0"),
    ("Unflatten", (1, 3), "3"),
    ("Unflatten", (1, (2, "a")), "str"),
    ("MSELoss", (None, None, "mean", 3), "5|positional"),
    ("ReLU", (True, 1), "positional"),
    ("Sigmoid", (1,), "positional"),
    ("Module", (1,), "positional"),
]


@pytest.mark.parametrize("name, args, text", WRONG_ARGUMENTS, ids=str)
def test_wrong_arguments(name, args, text):
    ours, theirs = attempt(getattr(nn, name), *args), attempt(getattr(torch.nn, name), *args)
    assert theirs.error is not None and isinstance(ours.error, type(theirs.error)), (ours, theirs)
    assert re.search(text, str(ours.error)), ours


@pytest.mark.parametrize("name", sorted({row.name for row in ROWS}))
def test_unknown_options(name):
    row = next(row for row in ROWS if row.name == name)
    if name == "Identity":
        return
    args = () if any(callable(getattr(a, "build", None)) for a in row.args) else row.args
    ours = attempt(getattr(nn, name), *args, nonsense=1)
    assert isinstance(ours.error, TypeError) and "nonsense" in str(ours.error)


# ------------------------------------------------------------------ inputs

LOSSES_OF_EQUAL_SHAPES = "MSELoss L1Loss SmoothL1Loss HuberLoss".split()
WRONG_INPUTS = [
    ("Linear", (3, 4), [(2, 5)], "5"),
    ("Linear", (3, 4), [()], r"\(\)|0"),
    ("Linear", (3, 4), [((2, 3), "int64")], "int64|Long"),
    ("Bilinear", (3, 2, 4), [(5, 3), (4, 2)], "5.*4"),
    ("Bilinear", (3, 2, 4), [(5, 4), (5, 2)], "4"),
    ("Embedding", (3, 2), [(2,)], "float|Float"),
    ("Embedding", (3, 2), [3], "int"),
    ("Conv1d", (3, 4, 2), [(2, 4, 5)], "4"),
    ("Conv1d", (3, 4, 2), [(5,)], r"\[5\]|\(5,\)|1D"),
    ("Conv1d", (3, 4, 7), [(2, 3, 5)], "7.*5|5.*7"),
    ("Conv2d", (3, 4, 2), [(2, 4, 5, 5)], "4"),
    ("Conv2d", (3, 4, 7), [(2, 3, 5, 5)], "7|5"),
    ("Conv2d", (3, 4, 2), [(5, 5)], "2D|5, 5"),
    ("Conv2d", (3, 4, 2), [((2, 3, 5, 5), "float64")], "double|float64"),
    ("ConvTranspose1d", (3, 4, 2), [(2, 4, 5)], "4"),
    ("ConvTranspose2d", (3, 4, 2), [(2, 4, 5, 5)], "4"),
    ("ConvTranspose2d", (3, 4, 3, 2), [(2, 3, 5, 5), [30, 30]], r"30.*11.*12"),
    ("ConvTranspose2d", (3, 4, 3, 2), [(2, 3, 5, 5), [30]], "1"),
    ("BatchNorm1d", (3,), [(2, 4)], "3|4"),
    ("BatchNorm1d", (3,), [(2, 3, 4, 4)], "4D"),
    ("BatchNorm1d", (3,), [(1, 3)], "1, 3"),
    ("BatchNorm2d", (3,), [(2, 3)], "2D"),
    ("BatchNorm2d", (3,), [(2, 4, 3, 3)], "3|4"),
    ("BatchNorm1d", (3,), [(3,)], "1D"),
    ("InstanceNorm1d", (3,), [(2, 3, 4, 4)], "4D"),
    ("InstanceNorm2d", (3,), [(2, 3)], "2D"),
    ("InstanceNorm2d", (3, 1e-5, 0.1, True), [(2, 4, 3, 3)], "3.*4"),
    ("InstanceNorm1d", (3,), [(2, 3, 1)], "2, 3, 1"),
    ("LayerNorm", ((3, 4),), [(2, 4, 3)], "3, 4"),
    ("LayerNorm", (3,), [(2, 4)], "3"),
    ("RMSNorm", (3,), [(2, 4)], "3"),
    ("GroupNorm", (2, 4), [(2, 6, 3)], "4|6"),
    ("GroupNorm", (2, 4), [(4,)], "1"),
    ("LocalResponseNorm", (2,), [(2, 3)], "2"),
    ("MaxPool1d", (3,), [(2,)], "2"),
    ("MaxPool2d", (3,), [(2, 2)], "2"),
    ("MaxPool2d", (9,), [(2, 3, 4, 4)], "9|4|too small"),
    ("MaxPool2d", (2, 2, 3), [(2, 3, 4, 4)], "3|pad"),
    ("AvgPool1d", (9,), [(2, 3, 4)], "9|4|too small"),
    ("AvgPool2d", (2, 1, 2), [(2, 3, 4, 4)], "2|pad"),
    ("AvgPool2d", (2,), [(4, 4)], "4"),
    ("AdaptiveAvgPool2d", (2,), [(4, 4)], "4"),
    ("AdaptiveAvgPool1d", (2,), [(4,)], "4"),
    ("AdaptiveMaxPool2d", (2,), [(4, 4)], "4"),
    ("MaxUnpool2d", (2,), [(1, 1, 2, 2), ((1, 1, 2, 3), "int64")], "2, 3"),
    ("MaxUnpool1d", (2,), [(1, 1, 2), (1, 1, 2)], "Float"),
    ("Unfold", (3,), [(2, 3)], "2, 3|2D"),
    ("Unfold", (9,), [(2, 3, 4, 4)], "9|4"),
    ("Fold", ((4, 4), 2), [(2, 5, 9)], "5"),
    ("Fold", ((4, 4), 2), [(2, 12, 5)], "5"),
    ("ReflectionPad1d", (4,), [(2, 3, 4)], "4"),
    ("ReflectionPad2d", (4,), [(2, 3, 4, 4)], "4"),
    ("CircularPad1d", (5,), [(2, 3, 4)], "5|4|wrap"),
    ("ConstantPad1d", (-3, 0.0), [(2, 3, 4)], "-3|-2|negative"),
    ("PixelShuffle", (3,), [(2, 8, 2, 2)], "8"),
    ("PixelShuffle", (2,), [(2, 8)], "2"),
    ("PixelUnshuffle", (3,), [(2, 8, 4, 4)], "3"),
    ("ChannelShuffle", (3,), [(2, 8, 4, 4)], "3"),
    ("Upsample", (), [(2, 3, 4)], "size|scale"),
    ("Upsample", (4, 2.0), [(2, 3, 4)], "size|scale"),
    ("Upsample", (4, None, "bilinear"), [(2, 3, 4)], "3"),
    ("Upsample", (4, None, "cubic"), [(2, 3, 4)], "cubic"),
    ("Softmax2d", (), [(2, 3)], "2D"),
    ("Softmax", (3,), [(2, 3)], "3"),
    ("LogSoftmax", (-3,), [(2, 3)], "-3"),
    ("GLU", (), [(2, 3)], "3"),
    ("GLU", (5,), [(2, 3)], "5"),
    ("PReLU", (3,), [(2, 4)], "3|4"),
    ("RReLU", (0.5, 0.1), [(2, 4)], "0.5|0.1|Lower"),
    ("Flatten", (3,), [(2, 3)], "3"),
    ("Unflatten", (1, (2, 2)), [(2, 6)], "6"),
    ("Unflatten", (4, (2, 3)), [(2, 6)], "4"),
    ("CosineSimilarity", (), [(2, 3), (2, 4)], "3|4"),
    ("PairwiseDistance", (), [(2, 3), (2, 4)], "3|4"),
    ("NLLLoss", (), [(2, 3), ((3,), "int64")], "2.*3"),
    ("NLLLoss", (), [(2, 3), (2,)], "Float"),
    ("CrossEntropyLoss", (), [(2, 3), ((3,), "int64")], "2.*3"),
    ("CrossEntropyLoss", (), [(2, 3), (2, 4)], "3|4"),
    ("CrossEntropyLoss", (None, None, -100, None, "average"), [(2, 3), ((2,), "int64")], "average"),
    ("CrossEntropyLoss", (None, None, -100, None, "mean", 1.5), [(2, 3), ((2,), "int64")], "1.5"),
    ("BCELoss", (), [(2, 3), (2,)], "2"),
    ("BCEWithLogitsLoss", (), [(2, 3), (2,)], "2"),
    ("KLDivLoss", (None, None, "average"), [(2, 3), (2, 3)], "average"),
    ("PoissonNLLLoss", (True, False, None, 1e-8, None, "x"), [(2,), (2,)], "x"),
    ("GaussianNLLLoss", (), [(2, 3), (2, 3), (2, 2)], "var|2, 2"),
    ("MultiMarginLoss", (), [(2, 3), ((3,), "int64")], "3"),
    ("MultiLabelMarginLoss", (), [(2, 3), ((2, 4), "int64")], "4"),
    ("MarginRankingLoss", (), [(2,), (2, 1, 1), (2,)], "2"),
    ("CosineEmbeddingLoss", (), [(2, 3), (2, 3), (2, 3)], "2, 3|target"),
    ("TripletMarginLoss", (), [(2, 3), (2, 3), (3,)], "1D"),
    ("MultiLabelSoftMarginLoss", (), [(2, 3), (2,)], "2"),
    ("SoftMarginLoss", (), [(2, 3), (4,)], "3|4"),
    *(
        (name, (None, None, "average"), [(2, 3), (2, 3)], "average")
        for name in ("MSELoss", "L1Loss", "SmoothL1Loss", "SoftMarginLoss")
    ),
    *((name, (), [(2, 3), (4, 3)], r"\(2, 3\).*\(4, 3\)") for name in LOSSES_OF_EQUAL_SHAPES),
    *(
        (name, (), [[1.0, 2.0]], "list")
        for name in ("ReLU", "Sigmoid", "Tanh", "GELU", "Softplus", "ELU", "LeakyReLU", "SiLU")
    ),
    ("Linear", (3, 4), [[1.0]], "list"),
    ("Conv2d", (3, 4, 2), [None], "None"),
]
OTHER_TYPES = {
    **dict.fromkeys([*LOSSES_OF_EQUAL_SHAPES, "MultiLabelSoftMarginLoss", "SoftMarginLoss"], ValueError),
    "AvgPool2d": RuntimeError,
    "Unfold": RuntimeError,
}
"""Unequal shapes are one kind of error here; PyTorch's IndexErrors are accidents of its code."""


def call(lib, name, args, inputs):
    """The outcome of the layer called inside a network."""
    values = [
        make(lib, *i) if isinstance(i, tuple) and i and isinstance(i[0], tuple) else make(lib, i)
        for i in inputs
    ]

    class Net(lib.nn.Module):
        def __init__(self):
            super().__init__()
            self.body = lib.nn.ModuleDict({"inner": getattr(lib.nn, name)(*args)})

        def forward(self, *values):
            return self.body["inner"](*values)

    return attempt(Net(), *values)


@pytest.mark.parametrize("name, args, inputs, text", WRONG_INPUTS, ids=lambda value: str(value)[:60])
def test_wrong_inputs(name, args, inputs, text):
    ours, theirs = call(thw, name, args, inputs), call(torch, name, args, inputs)
    assert theirs.error is not None, "PyTorch accepts this"
    assert ours.error is not None, f"PyTorch raises {theirs}"
    assert isinstance(ours.error, (type(theirs.error), OTHER_TYPES.get(name, ()))), (ours, theirs)
    assert re.search(text, str(ours.error), re.DOTALL), ours
    told = "".join([str(ours.error), *getattr(ours.error, "__notes__", [])])
    assert f"raised in body.inner: {name}(" in told or name in told and "body.inner" in told


def test_broadcast_losses_are_refused():
    """On purpose different: a target of another shape is nearly always a bug."""
    for name in LOSSES_OF_EQUAL_SHAPES:
        with pytest.raises(ValueError, match=r"\(4, 1\).*\(4,\)"):
            getattr(nn, name)()(thw.ones(4, 1), thw.ones(4))


def test_every_layer_that_can_fail_is_tried():
    """Every layer with arguments or more than one kind of input is in one of the tables."""
    tried = {name for name, *_ in WRONG_ARGUMENTS + WRONG_INPUTS}
    elementwise = {
        "CELU",
        "Hardshrink",
        "Hardsigmoid",
        "Hardswish",
        "LogSigmoid",
        "Mish",
        "ReLU6",
        "SELU",
        "Softmin",
        "Softshrink",
        "Softsign",
        "Tanhshrink",
        "Threshold",
        "Identity",
    }
    alike = {
        "AdaptiveMaxPool1d",
        "CircularPad2d",
        "ConstantPad2d",
        "LPPool1d",
        "LPPool2d",
        "ReplicationPad1d",
        "ReplicationPad2d",
        "ZeroPad1d",
        "ZeroPad2d",
        "UpsamplingBilinear2d",
        "UpsamplingNearest2d",
        "HingeEmbeddingLoss",
        "TripletMarginWithDistanceLoss",
    }
    elsewhere = {  # tried in their own parity tests, test_compat_common.py and tests/distributed
        "CTCLoss", "DataParallel", "EmbeddingBag", "GRU", "GRUCell", "LSTM", "LSTMCell", "MultiheadAttention",
        "RNN", "RNNBase", "RNNCell", "RNNCellBase", "SyncBatchNorm", "Transformer", "TransformerDecoder",
        "TransformerDecoderLayer", "TransformerEncoder", "TransformerEncoderLayer",
        *(f"Lazy{name}" for name in ("Linear", "Conv1d", "Conv2d", "ConvTranspose1d", "ConvTranspose2d",
                                     "BatchNorm1d", "BatchNorm2d", "InstanceNorm1d", "InstanceNorm2d")),
    }
    containers = {"Module", "ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "Sequential"}
    classes = {
        name
        for name, value in vars(nn).items()
        if inspect.isclass(value) and issubclass(value, nn.Module)
    }
    assert classes == tried | elementwise | alike | containers | elsewhere
