"""Look-up tables, `Embedding` and `EmbeddingBag`: what they share, and what both refuse."""

import pytest

import tinygrad_hw as thw
from tinygrad_hw import nn

LAYERS = [nn.Embedding, nn.EmbeddingBag]


@pytest.mark.parametrize("layer", LAYERS)
def test_wrong_sizes_are_refused(layer):
    with pytest.raises(AssertionError, match="within num_embeddings, got 4 of 4"):
        layer(4, 2, padding_idx=4)
    with pytest.raises(AssertionError, match=r"does not match .*\(4, 3\) and \(4, 2\)"):
        layer(4, 2, _weight=thw.ones(4, 3))
    with pytest.raises(AssertionError, match=r"2-dimensional, got shape \(4,\)"):
        layer.from_pretrained(thw.ones(4))


@pytest.mark.parametrize("layer", LAYERS)
def test_from_pretrained(layer):
    weight = thw.arange(8.0).reshape(4, 2)
    table = layer.from_pretrained(weight, padding_idx=-1)
    assert not table.weight.requires_grad and table.padding_idx == 3
    assert thw.equal(table.weight, weight)
    assert layer.from_pretrained(weight, freeze=False).weight.requires_grad


@pytest.mark.parametrize("layer", LAYERS)
def test_long_rows_are_shortened_in_place(layer):
    """What waits to read the weight is computed first, and backward notices the change."""
    table = layer(4, 2, max_norm=1.0, _weight=thw.full((4, 2), 3.0))
    doubled = table.weight * 2
    before = table.weight._version
    rows = table(thw.tensor([[0, 1]]))
    assert rows.norm(dim=-1).max() <= 1 + 1e-6 and table.weight._version > before
    assert thw.equal(table.weight[2], thw.full((2,), 3.0))
    assert thw.equal(doubled, thw.full((4, 2), 6.0))


def test_representation():
    assert repr(nn.Embedding(4, 2, 1, 2.0, sparse=True)) == (
        "Embedding(4, 2, padding_idx=1, max_norm=2.0, sparse=True)")
    assert repr(nn.EmbeddingBag(4, 2, scale_grad_by_freq=True, padding_idx=1)) == (
        "EmbeddingBag(4, 2, scale_grad_by_freq=True, mode='mean', padding_idx=1)")
