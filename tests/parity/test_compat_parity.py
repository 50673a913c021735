"""What scripts use besides the ops: look-ups, windows, lazy and normed layers, functions of ``torch``."""

import operator
import types

import numpy as np
import pytest
from side_by_side import BOTH, both

import tinygrad_hw as thw

torch = pytest.importorskip("torch")

RNG = np.random.Generator(np.random.Philox(3))
A = RNG.normal(size=(3, 3))


@pytest.mark.parametrize("padding_mode", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
@pytest.mark.parametrize("align_corners", [True, False])
def test_grid_sample(mode, padding_mode, align_corners):
    both(
        lambda library, x, grid: library.nn.functional.grid_sample(
            x, grid, mode=mode, padding_mode=padding_mode, align_corners=align_corners
        ),
        RNG.normal(size=(2, 3, 4, 5)),
        RNG.uniform(-2.3, 2.3, (2, 3, 3, 2)),
    )
    both(
        lambda library, theta: library.nn.functional.affine_grid(
            theta, (2, 1, 3, 4), align_corners=align_corners
        ),
        RNG.normal(size=(2, 2, 3)),
    )


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_embedding_bag_layer(mode):
    weight, indices, offsets = RNG.normal(size=(5, 2)), RNG.integers(0, 5, 7), np.array([0, 2, 5])

    def run(library, table, places, starts):
        layer = library.nn.EmbeddingBag(5, 2, mode=mode, dtype=library.float64)
        layer.load_state_dict({"weight": table})
        return layer(places, starts)

    both(run, weight, indices, offsets)


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_embedding_bag(mode):
    indices, weight, offsets = RNG.integers(0, 5, 7), RNG.normal(size=(5, 2)), np.array([0, 2, 2, 5])
    both(
        lambda library, i, w: library.nn.functional.embedding_bag(
            i.reshape(1, 7), w, mode=mode, padding_idx=1
        ),
        indices,
        weight,
    )
    both(
        lambda library, i, o, w: library.nn.functional.embedding_bag(i, w, o, mode=mode),
        indices,
        offsets,
        weight,
    )
    if mode == "sum":
        both(
            lambda library, i, o, w, p: library.nn.functional.embedding_bag(
                i, w, o, mode="sum", per_sample_weights=p
            ),
            indices,
            offsets,
            weight,
            RNG.normal(size=7),
        )


# ------------------------------------------------------------------ layers


def copied(theirs, ours):
    """Our layer with the parameters of PyTorch's."""
    ours.load_state_dict(
        {name: thw.tensor(value.numpy()) for name, value in theirs.state_dict().items()}
    )
    return ours


@pytest.mark.parametrize("norm", ["weight_norm", "spectral_norm"])
@pytest.mark.parametrize("layer, shape", [("Linear", (4, 3)), ("ConvTranspose2d", (2, 3, 4, 4))])
@pytest.mark.filterwarnings("ignore")
def test_normed_weights(norm, layer, shape):
    """The same names of parameters, outputs and gradients, through three calls in training mode."""
    options = (3, 2) if layer == "Linear" else (3, 2, 2)
    theirs = getattr(torch.nn.utils, norm)(getattr(torch.nn, layer)(*options).double())
    ours = getattr(thw.nn.utils, norm)(getattr(thw.nn, layer)(*options).double())
    copied(theirs, ours)
    x = RNG.normal(size=shape)
    for _ in range(3):
        theirs.zero_grad(), ours.zero_grad()
        expected, actual = theirs(torch.tensor(x)), ours(thw.tensor(x))
        np.testing.assert_allclose(actual.detach(), expected.detach(), rtol=1e-7, atol=1e-9)
        (expected**2).sum().backward(), (actual**2).sum().backward()
    for (name, mine), (other_name, other) in zip(
        sorted(ours.named_parameters()), sorted(theirs.named_parameters())
    ):
        assert name == other_name
        np.testing.assert_allclose(mine.grad, other.grad, rtol=1e-6, atol=1e-8)
    getattr(thw.nn.utils, f"remove_{norm}")(ours.eval())
    np.testing.assert_allclose(
        ours(thw.tensor(x)).detach(), theirs.eval()(torch.tensor(x)).detach(), rtol=1e-7
    )


@pytest.mark.parametrize(
    "name, options, shape",
    [
        ("LazyLinear", (3,), (4, 5)),
        ("LazyConv1d", (4, 3), (2, 3, 6)),
        ("LazyConv2d", (4, 3, 2, 1), (2, 3, 6, 6)),
        ("LazyConvTranspose1d", (4, 3), (2, 3, 6)),
        ("LazyConvTranspose2d", (4, 3, 2), (2, 3, 4, 4)),
        ("LazyBatchNorm1d", (), (4, 5)),
        ("LazyBatchNorm2d", (), (2, 3, 4, 4)),
        ("LazyInstanceNorm1d", (), (2, 3, 5)),
        ("LazyInstanceNorm2d", (), (2, 3, 4, 4)),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_lazy_layers(name, options, shape):
    """They become the plain layer of the same shape; a fresh one takes over a state_dict."""
    x = RNG.normal(size=shape).astype(np.float32)
    theirs, ours = getattr(torch.nn, name)(*options), getattr(thw.nn, name)(*options)
    weights = list(ours.parameters())
    theirs(torch.tensor(x)), ours(thw.tensor(x))
    assert repr(ours) == repr(theirs) and type(ours).__name__ == name.removeprefix("Lazy")
    assert all(mine is first for mine, first in zip(ours.parameters(), weights))
    fresh = copied(theirs, getattr(thw.nn, name)(*options))
    np.testing.assert_allclose(
        fresh.eval()(thw.tensor(x)).detach(),
        theirs.eval()(torch.tensor(x)).detach(),
        rtol=1e-4,
        atol=1e-5,
    )


# ------------------------------------------------------------------ functions of the namespace torch


@pytest.mark.parametrize("name", ["hann_window", "hamming_window", "blackman_window", "bartlett_window"])
def test_windows(name):
    for size in (1, 2, 5):
        for periodic in (True, False):
            ours, theirs = (getattr(library, name)(size, periodic) for library in BOTH)
            np.testing.assert_allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize(
    "call",
    [
        lambda library, x: library.renorm(x, 2, 0, 1.0),
        lambda library, x: library.msort(x),
        lambda library, x: library.split_with_sizes(x, [1, 2], 1),
        lambda library, x: library.adjoint(x),
        lambda library, x: library.detach(x),
        lambda library, x: library.fill(x, 3.0),
        lambda library, x: library.real(x),
        lambda library, x: library.isreal(x),
        lambda library, x: library.isin(x, x[0]),
        lambda library, x: library.unravel_index(library.tensor([1, 5]), (2, 3)),
        lambda library, x: library.alpha_dropout(x, 0.5, False),
        lambda library, x: library.slogdet(x),
        lambda library, x: library.range(1, 6, 2),
        lambda library, x: x.fix(),
        lambda library, x: x[0].ger(x[1]),
        lambda library, x: library.frombuffer(bytearray(b"abcd"), dtype=library.uint8, offset=1),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_further_functions(call):
    both(call, A)


def test_questions():
    x = thw.ones(2)
    assert thw.is_signed(x) and thw.get_device(x) == torch.get_device(torch.ones(2)) == -1
    assert thw.is_same_size(x, x) and not thw.is_same_size(x, thw.ones(3))


# ------------------------------------------------------------------ averages of weights


def nets():
    """A small net with batch norm in both libraries, of equal weights."""
    theirs = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    ours = copied(theirs, thw.nn.Sequential(thw.nn.Linear(3, 4), thw.nn.BatchNorm1d(4)))
    return theirs, ours


@pytest.mark.parametrize("options", [{}, {"decay": 0.7}, {"use_buffers": True}])
def test_averaged_models(options):
    averages = []
    for library, net in zip(BOTH, nets()):
        swa = library.optim.swa_utils
        decay = options.get("decay")
        averaged = swa.AveragedModel(net, avg_fn=decay and swa.get_ema_avg_fn(decay),
                                     use_buffers=options.get("use_buffers", False))
        for step in range(3):
            with library.no_grad():
                for parameter in net.parameters():
                    parameter.mul_(step + 0.5)
            net(library.ones(4, 3) * step)
            averaged.update_parameters(net)
        batches = [library.tensor(RNG.normal(size=(4, 3)).astype(np.float32) * 0 + k) for k in (1, 2)]
        swa.update_bn([[batch] for batch in batches], averaged)
        averages.append({name: value.numpy() for name, value in averaged.state_dict().items()})
    assert list(averages[0]) == list(averages[1])
    for name, value in averages[0].items():
        np.testing.assert_allclose(averages[1][name], value, rtol=1e-5, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("strategy", ["cos", "linear"])
@pytest.mark.parametrize("epochs", [0, 4])
def test_swalr(strategy, epochs):
    rates = []
    for library in BOTH:
        optimizer = library.optim.SGD([library.ones(1, requires_grad=True)], lr=1.0)
        schedule = library.optim.swa_utils.SWALR(optimizer, 0.1, epochs, strategy)
        rates.append([])
        for _ in range(6):
            optimizer.step(), schedule.step()
            rates[-1] += schedule.get_last_lr()
    np.testing.assert_allclose(rates[1], rates[0])


def test_list_of_names_is_that_of_this_pytorch():
    """docs/compat.md is about the names of the version that the tests compare with."""
    from torch_names import blocks

    from tinygrad_hw.compat.alias import PYTORCH
    from tinygrad_hw.compat.scan import public_names

    if torch.__version__.split("+")[0] != PYTORCH:
        pytest.skip(f"the list is that of PyTorch {PYTORCH}")
    for space, names in blocks().items():
        stored, present = set(public_names().get(space, ())), set(names)
        if space == "torch":  # which of its modules are loaded depends on who has imported what
            modules = {name for name in stored | present
                       if not hasattr(torch, name) or isinstance(getattr(torch, name), types.ModuleType)}
            stored, present = stored - modules, present - modules
        elif space.startswith("torch."):  # the same of the modules of its packages
            package = operator.attrgetter(space.removeprefix("torch."))(torch)
            present -= {name for name in present - stored
                        if isinstance(getattr(package, name, None), types.ModuleType)}
        assert stored == present, f"{space}; run: python tests/parity/torch_names.py"


@pytest.mark.parametrize("data", [
    lambda lib: [lib.tensor(1), lib.tensor(2.0)], lambda lib: [np.float32(1), np.int64(2)],
    lambda lib: [np.int32(1), lib.tensor(1.0)], lambda lib: [np.float64(1), 2.0],
    lambda lib: [np.ones(1), [2.0]],
    lambda lib: [lib.tensor(1.0, dtype=lib.float64), 2.0],
    lambda lib: [True, lib.tensor(1, dtype=lib.int32)], lambda lib: [1, np.float32(2)],
])
def test_dtype_of_a_list_of_numbers_of_several_kinds(data):
    mine, theirs = thw.tensor(data(thw)), torch.tensor(data(torch))
    assert str(mine.dtype).split(".")[1] == str(theirs.dtype).split(".")[1]
    assert mine.tolist() == theirs.tolist()
