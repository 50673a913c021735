"""Every layer against torch.nn: signature, printing, state, outputs, gradients and updated buffers."""

import copy
import inspect
import pathlib
import pickle
import re
import warnings

import numpy as np
import pytest

import tinygrad_hw as thw
from tinygrad_hw import nn

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore")  # what is deprecated or ignored there is also tested

from harness import attempt, map_values, to_ours, to_torch
from layer_table import ROWS, Made

LAYERS = sorted({row.name for row in ROWS})
CALLED = [row for row in ROWS if row.inputs is not None]
TOLERANCE = {"float64": 1e-9, "float32": 2e-4}

SIGNATURES = {
    name: "PyTorch's takes *args and **kwargs and refuses them"
    for name in ("LogSigmoid", "Module", "Sigmoid", "Softmax2d", "Softsign", "Tanh", "Tanhshrink")
}
INACCURATE = {"Hardsigmoid": 1e-7}
"""PyTorch's float64 gradient is a multiple of 1/6 rounded to float32."""


def build(row, library, dtype="float32"):
    """The layer of a row in one library, its floating-point arrays in the dtype."""
    convert = to_torch if library is torch else to_ours

    def make(value):
        if isinstance(value, Made):
            return value.build(library.nn)
        arrays = map_values(
            lambda leaf: leaf.astype(dtype) if isinstance(leaf, np.ndarray) else leaf, value
        )
        return convert(arrays)

    layer = getattr(library.nn, row.name)(
        *map(make, row.args), **{k: make(v) for k, v in row.kwargs.items()}
    )
    return layer.double() if dtype == "float64" else layer


def pair(row, dtype="float32", seed=0):
    """The layer twice, ours with the random parameters and buffers of PyTorch's."""
    theirs, ours = build(row, torch, dtype), build(row, thw, dtype)
    random = np.random.default_rng(seed)
    with torch.no_grad():
        for tensor in (*theirs.parameters(), *theirs.buffers()):
            if tensor.is_floating_point():  # positive: some are variances
                tensor.copy_(torch.from_numpy(np.asarray(random.uniform(0.2, 1.2, tuple(tensor.shape)))))
    state = {name: thw.from_numpy(value.numpy().copy()) for name, value in theirs.state_dict().items()}
    assert repr(ours.load_state_dict(state)) == "<All keys matched successfully>"
    return ours, theirs


def draw(row, dtype, seed=1):
    """The inputs of a row as arrays or plain values."""
    random = np.random.default_rng(seed)
    values = []
    for entry in row.inputs:
        value = entry.draw(random)
        if isinstance(value, (float, np.floating, np.integer, np.ndarray)):
            value = np.asarray(value)
            value = value.astype(dtype) if value.dtype.kind == "f" else value
        values.append(value)
    return values


def assert_close(ours, theirs, tolerance, what):
    mine, other = ours.detach().numpy(), theirs.detach().numpy()
    assert (mine.dtype, mine.shape) == (other.dtype, other.shape), what
    limit = tolerance * max(1.0, np.abs(other[np.isfinite(other)]).max(initial=0.0))
    np.testing.assert_allclose(mine, other, rtol=0, atol=limit, err_msg=what)


def run(layer, row, library, arrays):
    """Call a layer, differentiate a random combination of its outputs; (leaves, inputs, outputs)."""
    convert = to_torch if library is torch else to_ours
    leaves = [convert(a) for a in arrays]
    for leaf, entry in zip(leaves, row.inputs):
        if entry.differentiable:
            leaf.requires_grad_()
    inplace = row.kwargs.get("inplace") or row.name == "Sequential"
    inputs = [
        leaf.clone() if entry.differentiable and inplace else leaf
        for leaf, entry in zip(leaves, row.inputs)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outputs = layer(*inputs)
    several = outputs if isinstance(outputs, tuple) else (outputs,)
    random = np.random.default_rng(2)
    weighted = [
        (o * convert(random.normal(size=tuple(o.shape)).astype(o.detach().numpy().dtype))).sum()
        for o in several
        if o.requires_grad
    ]
    if weighted:
        weighted[0].backward()
    return leaves, inputs, several


# ------------------------------------------------------------------ the table is complete

ELSEWHERE = {
    "test_ctc_parity.py": "CTCLoss",
    "test_compat_parity.py": """
        EmbeddingBag LazyBatchNorm1d LazyBatchNorm2d LazyConv1d LazyConv2d LazyConvTranspose1d
        LazyConvTranspose2d LazyInstanceNorm1d LazyInstanceNorm2d LazyLinear
    """,
    "test_recurrent_parity.py": "GRU GRUCell LSTM LSTMCell RNN RNNBase RNNCell",
    "test_attention_parity.py": """
        MultiheadAttention Transformer TransformerDecoder TransformerDecoderLayer TransformerEncoder
        TransformerEncoderLayer
    """,
}
"""Layers with several outputs, states or masks, by the module that compares them."""
BASES = {"RNNCellBase", "DataParallel", "SyncBatchNorm"}
"""Public classes that are no layers by themselves, or that PyTorch has for GPUs only (tests/distributed)."""


def elsewhere():
    return {name for names in ELSEWHERE.values() for name in names.split()}


def test_every_layer_has_a_row():
    public = {
        name
        for name, value in vars(nn).items()
        if inspect.isclass(value) and issubclass(value, nn.Module)
    }
    assert public == set(LAYERS) | elsewhere() | BASES


@pytest.mark.parametrize("file", ELSEWHERE)
def test_compared_elsewhere(file):
    """The modules named above mention the layers that they are said to compare."""
    text = (pathlib.Path(__file__).parent / file).read_text()
    assert [name for name in ELSEWHERE[file].split() if not re.search(rf"\b{name}\b", text)] == []


def test_every_layer_with_a_forward_is_called():
    """Only what has no forward in PyTorch is not called."""
    not_called = set(LAYERS) - {row.name for row in CALLED}
    assert not_called == {"Module", "ModuleDict", "ModuleList", "ParameterDict", "ParameterList"}
    for name in not_called:
        ours, theirs = getattr(nn, name)(), getattr(torch.nn, name)()
        assert isinstance(attempt(ours, 1).error, type(attempt(theirs, 1).error))


def parameters_of(function):
    return [(p.name, p.kind, p.default) for p in inspect.signature(function).parameters.values()]


@pytest.mark.parametrize("name", LAYERS)
def test_signatures(name):
    ours, theirs = getattr(nn, name), getattr(torch.nn, name)
    if name not in SIGNATURES:
        assert parameters_of(ours.__init__) == parameters_of(theirs.__init__)
    if hasattr(theirs, "forward") and name != "Module":
        assert parameters_of(ours.forward) == parameters_of(theirs.forward)
    public = [m for m in vars(theirs) if not m.startswith("_") and callable(getattr(theirs, m))]
    missing = [m for m in public if not hasattr(ours, m)]
    assert not missing or name == "Module", missing


# ------------------------------------------------------------------ what a layer is


def plain_attributes(layer):
    kinds = (int, float, str, tuple, list, bool, type(None))
    return {
        name: value
        for name, value in vars(layer).items()
        if not name.startswith("_") and isinstance(value, kinds)
    }


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_printing_state_and_attributes(row):
    ours, theirs = build(row, thw), build(row, torch)
    expected = repr(theirs).replace("torch.FloatTensor", "torch.float32")  # as ParameterDict prints it
    assert repr(ours).replace("tinygrad_hw", "torch") == expected
    for listing in ("named_parameters", "named_buffers", "named_modules", "named_children"):
        assert [n for n, _ in getattr(ours, listing)()] == [n for n, _ in getattr(theirs, listing)()]
    mine, other = ours.state_dict(), theirs.state_dict()
    assert list(mine) == list(other)
    for key in other:
        assert tuple(mine[key].shape) == tuple(other[key].shape)
        assert str(mine[key].dtype).split(".")[1] == str(other[key].dtype).split(".")[1]
    assert {k: v.requires_grad for k, v in ours.named_parameters()} == {
        k: v.requires_grad for k, v in theirs.named_parameters()
    }
    assert ours.state_dict()._metadata == theirs.state_dict()._metadata
    attributes = plain_attributes(theirs)
    assert {name: getattr(ours, name, "missing") for name in attributes} == attributes


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in LAYERS
        if "dtype" in inspect.signature(getattr(torch.nn, name).__init__).parameters
    ],
)
def test_dtype_and_device(name):
    row = next(row for row in ROWS if row.name == name)
    ours, theirs = (
        getattr(library.nn, name)(*row.args, device="cpu", dtype=library.float64)
        for library in (thw, torch)
    )
    for key, value in theirs.state_dict().items():
        assert str(ours.state_dict()[key].dtype).split(".")[1] == str(value.dtype).split(".")[1]
    if ours.state_dict():
        with pytest.raises(RuntimeError, match="'cuda' is not available"):
            getattr(nn, name)(*row.args, device="cuda")


@pytest.mark.parametrize("name", LAYERS)
def test_copies_and_files(name):
    """A deep copy and a pickled layer have the same state and look, and share no memory."""
    row = [row for row in ROWS if row.name == name][-1]
    if row.kwargs.get("distance_function"):
        return
    layer = build(row, thw)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert repr(other) == repr(layer) and type(other) is type(layer)
        assert list(other.state_dict()) == list(layer.state_dict())
        for (key, mine), theirs in zip(layer.state_dict().items(), other.state_dict().values()):
            np.testing.assert_array_equal(mine.numpy(), theirs.numpy())
            assert not np.shares_memory(mine.numpy(), theirs.numpy()) or not mine.numel(), key


# ------------------------------------------------------------------ what a layer computes


COMPUTED = [
    pytest.param(row, dtype, mode, id=f"{row}-{dtype}-{mode}")
    for row in CALLED
    for dtype in TOLERANCE
    for mode in ("train", "eval")
    if mode == "eval" or not row.random  # test_random_layers compares the statistics of those
]


@pytest.mark.parametrize("row, dtype, mode", COMPUTED)
def test_outputs_gradients_and_buffers(row, dtype, mode):
    ours, theirs = pair(row, dtype)
    limit = max(TOLERANCE[dtype], INACCURATE.get(row.name, 0))
    ours.train(mode == "train"), theirs.train(mode == "train")
    for seed in (1, 2):  # twice: buffers change from call to call, gradients accumulate
        arrays = draw(row, dtype, seed)
        mine, other = run(ours, row, thw, arrays), run(theirs, row, torch, arrays)
        assert len(mine[2]) == len(other[2])
        for position, (here, there) in enumerate(zip(mine[2], other[2])):
            assert here.requires_grad == there.requires_grad
            assert_close(here, there, limit, f"output {position}")
        for position, (here, there) in enumerate(zip(mine[1], other[1])):
            if isinstance(there, torch.Tensor):
                assert_close(here, there, limit, f"input {position} after the call")
        for position, (here, there) in enumerate(zip(mine[0], other[0])):
            if isinstance(there, torch.Tensor):
                assert (here.grad is None) == (there.grad is None), f"gradient of input {position}"
                if there.grad is not None:
                    assert_close(here.grad, there.grad, limit, f"gradient of input {position}")
        for (name, here), there in zip(ours.named_parameters(), theirs.parameters()):
            assert (here.grad is None) == (there.grad is None), f"gradient of {name}"
            if there.grad is not None:
                assert_close(here.grad, there.grad, limit, f"gradient of {name}")
        for name, there in theirs.state_dict().items():
            assert_close(ours.state_dict()[name], there, limit, name)


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize(
    "name",
    ["Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout", "RReLU"],
)
def test_random_layers(name, inplace):
    """Shares, values and moments of what is drawn, and the gradient that belongs to it."""
    thw.manual_seed(5), torch.manual_seed(5)
    array = np.random.default_rng(0).normal(size=(100, 400, 5, 1, 1)[: 3 if name == "Dropout1d" else 5])
    if name == "Dropout2d":
        array = array[..., 0]
    options = {"inplace": inplace} if name == "RReLU" else {"p": 0.3, "inplace": inplace}
    found = {}
    for library, convert in ((thw, to_ours), (torch, to_torch)):
        leaf = convert(array).requires_grad_()
        output = getattr(library.nn, name)(**options)(leaf * 1)
        output.sum().backward()
        values, slope = output.detach().numpy(), leaf.grad.numpy()
        assert output.shape == leaf.shape
        if name == "RReLU":
            np.testing.assert_allclose(values, slope * array)
            found[library] = [
                slope[array > 0].min(),
                slope[array > 0].max(),
                slope[array < 0].mean(),
                slope[array < 0].std(),
                slope[array < 0].min(),
                slope[array < 0].max(),
            ]
            continue
        kept = slope != 0
        channels = kept.reshape(100, 400, -1)
        found[library] = [
            kept.mean(),
            slope.max(),
            channels.all(2).mean(),
            values.mean(),
            values.std(),
            values[~kept].min(),
            values[~kept].max(),
            slope[kept].min(),
        ]
    np.testing.assert_allclose(found[thw], found[torch], atol=0.015)


# ------------------------------------------------------------------ how a layer starts


STARTS = {
    "Linear": [(300, 200)],
    "Bilinear": [(50, 40, 30)],
    "Embedding": [(300, 200), (300, 200, 3)],
    "Conv1d": [(60, 80, 7), (60, 80, 7, 1, 0, 1, 4)],
    "Conv2d": [(30, 40, 5), (30, 40, 5, 1, 0, 1, 2)],
    "ConvTranspose1d": [(60, 80, 7), (60, 80, 7, 1, 0, 0, 4)],
    "ConvTranspose2d": [(30, 40, 5), (30, 40, 5, 1, 0, 0, 2)],
    "BatchNorm1d": [(5,)],
    "BatchNorm2d": [(5,)],
    "InstanceNorm1d": [(5, 1e-5, 0.1, True, True)],
    "InstanceNorm2d": [(5, 1e-5, 0.1, True, True)],
    "LayerNorm": [(5,)],
    "RMSNorm": [(5,)],
    "GroupNorm": [(2, 4)],
    "PReLU": [(4,), (1, 0.3)],
}


def test_every_layer_with_parameters_has_a_start():
    given = {"Sequential", "ModuleList", "ModuleDict", "ParameterList", "ParameterDict"}
    assert set(STARTS) | given == {row.name for row in ROWS if list(build(row, torch).parameters())}


@pytest.mark.parametrize(
    "name, args", [(name, args) for name in STARTS for args in STARTS[name]], ids=str
)
def test_initial_values(name, args):
    """Bounds, mean and deviation of the default initial values."""
    thw.manual_seed(0), torch.manual_seed(0)
    kept = {}
    for library in (thw, torch):
        layer = getattr(library.nn, name)(*args)
        layer.reset_parameters()
        # biases are few: those of 50 layers together
        biases = [getattr(library.nn, name)(*args).state_dict().get("bias") for _ in range(50)]
        kept[library] = {key: value.numpy() for key, value in layer.state_dict().items()}
        if biases[0] is not None:
            kept[library]["bias"] = np.concatenate([bias.numpy() for bias in biases])
    for key, theirs in kept[torch].items():
        ours = kept[thw][key]
        if theirs.std() < 1e-12:
            np.testing.assert_array_equal(ours, theirs)
            continue
        deviation = theirs.std()
        assert abs(ours.mean() - theirs.mean()) < 6 * deviation / np.sqrt(theirs.size)
        assert ours.std() == pytest.approx(deviation, rel=0.05)
        if name != "Embedding":  # uniform: the same bound, and nearly reached
            bound = np.abs(theirs).max()
            assert np.abs(ours).max() == pytest.approx(bound, rel=0.01)
    if args == (300, 200, 3):
        assert not kept[thw]["weight"][3].any() and kept[thw]["weight"][2].any()
