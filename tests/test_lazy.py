"""Lazy layers take the arguments of their plain layers but the first, which they find out."""

import inspect

import pytest

import tinygrad_hw as thw
from tinygrad_hw import nn

NAMES = ["Linear", *(f"{kind}{dims}d" for dims in (1, 2)
                     for kind in ("Conv", "ConvTranspose", "BatchNorm", "InstanceNorm"))]
ARGUMENTS = {"Linear": (3,), "Conv": (6, 2, 1, 1, 1, 3), "ConvTranspose": (6, 2, 1, 0, 0, 3),
             "BatchNorm": (), "InstanceNorm": ()}  # of the convolutions, the last are three groups
SIZES = {"Linear": (4, 3), "1": (4, 3, 5), "2": (4, 3, 5, 5)}


@pytest.mark.parametrize("name", NAMES)
def test_signature(name):
    plain, lazy = (inspect.signature(getattr(nn, prefix + name)).parameters for prefix in ("", "Lazy"))
    assert list(lazy) == list(plain)[1:]
    own = {"affine": True, "track_running_stats": True} if name.startswith("Instance") else {}
    assert all(lazy[key].default == own.get(key, plain[key].default) for key in lazy)


@pytest.mark.parametrize("name", NAMES)
def test_the_first_batch_makes_the_plain_layer(name):
    arguments = ARGUMENTS[name.rstrip("12d")]
    layer = getattr(nn, f"Lazy{name}")(*arguments)
    assert layer.has_uninitialized_params()
    x = thw.randn(*SIZES.get(name) or SIZES[name[-2]])
    shape = layer(x).shape
    assert type(layer) is getattr(nn, name)
    again = getattr(nn, name)(3, *arguments)
    assert again(x).shape == shape
    for key, value in again.state_dict().items():  # lazy instance norms have more: they are affine
        assert layer.state_dict()[key].shape == value.shape


def test_keywords():
    assert nn.LazyBatchNorm1d(bias=False).bias is None
    layer = nn.LazyConv2d(out_channels=4, kernel_size=3, groups=2, padding="same")
    assert layer(thw.ones(1, 2, 5, 5)).shape == (1, 4, 5, 5)


@pytest.mark.parametrize("arguments, options, match", [
    ((), {}, r"LazyConv2d\(out_channels.*\): missing a required argument: 'out_channels'"),
    ((4, 3), {"strides": 2}, "unexpected keyword argument 'strides'"),
])
def test_wrong_arguments_are_named(arguments, options, match):
    with pytest.raises(TypeError, match=match):
        nn.LazyConv2d(*arguments, **options)
