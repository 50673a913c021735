"""`nn.summary`: its numbers against formulas and published figures, and that it leaves no trace."""

import numpy as np
import pytest

import tinygrad_hw as torch
from nets.pretrained import resnet
from tinygrad_hw import nn
from tinygrad_hw.nn import functional as F
from tinygrad_hw.nn.multiply_adds import multiply_adds


class Small(nn.Module):
    """Nested, with a shared layer, a frozen one and one that is never called."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2))
        self.body = nn.Linear(72, 72)
        self.again = self.body
        self.head = nn.Linear(72, 5)
        self.unused = nn.Linear(2, 2)
        self.body.bias.requires_grad_(False)

    def forward(self, x):
        x = self.features(x).flatten(1)
        return self.head(F.dropout(self.again(self.body(x)), training=self.training))


def row(found, path):
    return next(one for one in found.rows if one.path == path)


def test_resnet18_has_the_published_figures():
    """Parameters: torchvision's page of the model; multiply-adds: its 1.81 GFLOPS there.

    Source: https://docs.pytorch.org/vision/stable/models/generated/torchvision.models.resnet18.html
    """
    found = nn.summary(resnet.resnet18(), (1, 3, 224, 224), depth=1)
    assert found.total_params == found.trainable_params == 11_689_512
    assert found.total_mult_adds == 1_814_073_344
    assert row(found, "layer4").output_shapes == [(1, 512, 7, 7)]
    assert "11,689,512" in str(found) and "1.81 G" in str(found)


def test_rows():
    found = nn.summary(Small(), (4, 3, 8, 8))
    conv, body, head = row(found, "features.0"), row(found, "body"), row(found, "head")
    assert conv.output_shapes == [(4, 8, 6, 6)] and conv.parameters == 8 * 3 * 9 + 8
    assert conv.multiply_adds == 4 * 8 * 6 * 6 * 27
    assert (body.calls, body.parameters, body.trainable) == (2, 72 * 72 + 72, 72 * 72)
    assert body.multiply_adds == 2 * 4 * 72 * 72 and head.multiply_adds == 4 * 72 * 5
    assert row(found, "again").shared_with == "body" and row(found, "again").parameters == 0
    assert row(found, "unused").calls == 0 and row(found, "unused").output_shapes == []
    assert row(found, "").output_shapes == [(4, 5)]
    assert found.frozen_params == 72
    assert found.total_params == sum(one.parameters for one in found.rows)
    assert found.total_mult_adds == sum(one.multiply_adds for one in found.rows)


@pytest.mark.parametrize("depth", [0, 1, 2, 9])
def test_rows_that_are_not_shown_count_for_those_above(depth):
    found, whole = nn.summary(Small(), (4, 3, 8, 8), depth=depth), nn.summary(Small(), (4, 3, 8, 8))
    assert max(one.depth for one in found.rows) == min(depth, 2)
    assert sum(one.parameters for one in found.rows) == whole.total_params
    assert sum(one.multiply_adds for one in found.rows) == whole.total_mult_adds


def test_memory():
    found = nn.summary(nn.Sequential(nn.Linear(10, 20), nn.ReLU()), (5, 10))
    assert found.total_input_bytes == 5 * 10 * 4
    assert found.total_output_bytes == 2 * 5 * 20 * 4
    assert found.total_param_bytes == (10 * 20 + 20) * 4
    assert nn.summary(nn.BatchNorm1d(3)).total_buffer_bytes == 2 * 3 * 4 + 8


def test_the_text():
    text = str(nn.summary(Small(), (4, 3, 8, 8), depth=1)).splitlines()
    assert text[0].split() == ["Layer", "Output", "shape", "Parameters", "Multiply-adds"]
    assert any(line.startswith("├─body: Linear ×2") and "5,256 (5,184 trainable)" in line for line in text)
    assert any(line.startswith("├─again: Linear") and "shared with body" in line for line in text)
    assert any(line.startswith("└─unused: Linear   ") for line in text)
    assert text[-3] == "Parameters: 5,867 (5,795 trainable, 72 frozen)"


@pytest.mark.parametrize("mode", ["eval", "train", "same"])
def test_the_network_is_left_as_it_was(mode):
    net = Small()
    net.features.eval()
    before = {name: value.array.copy() for name, value in net.state_dict().items()}
    modes = [module.training for module in net.modules()]
    torch.manual_seed(3)
    expected = torch.rand(4).tolist()
    torch.manual_seed(3)
    nn.summary(net, (4, 3, 8, 8), mode=mode)
    assert torch.rand(4).tolist() == expected
    assert modes == [module.training for module in net.modules()]
    assert all(np.array_equal(before[name], value.array) for name, value in net.state_dict().items())
    assert all("forward" not in vars(module) and not module._hooked for module in net.modules())
    assert all(parameter.grad is None for parameter in net.parameters())


def test_lazy_layers_learn_their_sizes():
    net = nn.Sequential(nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.Flatten(), nn.LazyLinear(2))
    assert nn.summary(net, (1, 3, 5, 5)).total_params == 4 * 28 + 8 + 36 * 2 + 2


def test_a_network_that_fails_is_left_as_it_was():
    net = Small()
    with pytest.raises(RuntimeError, match="channels"):
        nn.summary(net, (4, 1, 8, 8))
    assert net.training and all("forward" not in vars(module) for module in net.modules())


class Two(nn.Module):
    """Two inputs, one of them indices, and several outputs."""

    def __init__(self):
        super().__init__()
        self.words, self.rows = nn.Embedding(10, 4), nn.Linear(3, 4)

    def forward(self, words, rows):
        return {"sum": self.words(words).sum(1) + self.rows(rows), "words": (words, None)}


@pytest.mark.parametrize("given", [
    dict(input_size=[(2, 5), (2, 3)], dtypes=[torch.int64, torch.float32]),
    dict(input_size=[(5,), (3,)], batch_dim=0, dtypes=["int64", "float32"]),
    dict(input_data=[torch.ones(2, 5, dtype=torch.int64), torch.ones(2, 3)]),
    dict(input_data={"rows": torch.ones(2, 3), "words": torch.ones(2, 5, dtype=torch.int64)}),
])
def test_ways_to_give_inputs(given):
    found = nn.summary(Two(), **given)
    batch = 1 if "batch_dim" in given else 2
    assert row(found, "").output_shapes == [(batch, 4), (batch, 5)]
    assert row(found, "rows").multiply_adds == batch * 12
    assert found.total_input_bytes == batch * (5 * 8 + 3 * 4)


def test_without_inputs_only_parameters_are_counted():
    found = nn.summary(Small())
    assert found.total_params == 224 + 16 + 5256 + 365 + 6 and found.total_mult_adds == 0


@pytest.mark.parametrize("given, error, text", [
    (dict(input_size=(1, 3, 8.5, 8)), TypeError, "must be a size such as"),
    (dict(input_size=(1, 3, 8, 8), mode="test"), ValueError, "'train', 'eval' or 'same', got 'test'"),
    (dict(input_size=[(2, 5), (2, 3)], dtypes=["int64"]), ValueError, "2 sizes but 1 dtypes"),
])
def test_wrong_arguments(given, error, text):
    with pytest.raises(error, match=text):
        nn.summary(Small(), **given)


@pytest.mark.parametrize("layer, sizes, expected", [
    (nn.Linear(3, 4), [(2, 5, 3)], 2 * 5 * 3 * 4),
    (nn.Bilinear(3, 4, 5), [(2, 3), (2, 4)], 2 * 3 * 4 * 5),
    (nn.Conv1d(4, 6, 3, groups=2), [(2, 4, 9)], 2 * 6 * 7 * 2 * 3),
    (nn.Conv2d(3, 8, 3, stride=2), [(2, 3, 9, 9)], 2 * 8 * 4 * 4 * 27),
    (nn.ConvTranspose2d(8, 3, 3, stride=2), [(2, 8, 4, 4)], 2 * 8 * 4 * 4 * 27),
    (nn.LSTM(3, 5, num_layers=2), [(7, 2, 3)], 7 * 2 * 4 * (5 * 3 + 5 * 5 + 5 * 5 + 5 * 5)),
    (nn.GRUCell(3, 5), [(2, 3)], 2 * 3 * (5 * 3 + 5 * 5)),
    (nn.ReLU(), [(2, 3)], 0),
])
def test_multiply_adds(layer, sizes, expected):
    assert nn.summary(layer, list(sizes)).total_mult_adds == expected


def test_multiply_adds_of_attention():
    """Four projections of every token, and two products of all pairs of tokens."""
    layer, x = nn.MultiheadAttention(8, 2, batch_first=True), torch.ones(3, 5, 8)
    found = nn.summary(layer, input_data=(x, x, x))
    assert found.total_mult_adds == 3 * (4 * 5 * 8 * 8 + 2 * 5 * 5 * 8)


def test_a_layer_of_your_own_can_be_counted():
    class Scale(nn.Module):
        def forward(self, x):
            return x * 3

    multiply_adds.register(Scale)(lambda layer, inputs, output: output.numel())
    assert nn.summary(nn.Sequential(Scale()), (2, 3)).total_mult_adds == 6
