"""Every op between guard bytes, with a few random calls each; 50,000 with ``python -m tests.guards``."""

from collections import Counter

import numpy as np
import pytest

import ops
from ops.core import TABLE, case, op
from tests.guards import calls
from tests.guards import check as guards_check
from tests.guards.buffers import cut_out, guarded_allocations
from tests.guards.calls import LAYOUTS, NAMES
from tests.guards.check import Overrun, check

CALLS = 6  # for each op


@pytest.mark.parametrize("part", range(8))
def test_random_calls(part):
    """No call writes outside of its buffers, changes an input, or uses what it was not given."""
    counts = Counter()
    for name in NAMES[part::8]:
        for seed in range(CALLS):
            check(seed, counts, name)
    assert counts["valid"] > counts["refused"] > 0


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(layout):
    """The arrays have the values they should, in the memory they should."""
    for shape in ((), (3,), (2, 3), (2, 3, 4, 5), (0, 3)):
        values = np.random.default_rng(0).random(shape)
        array, memory = cut_out(values, layout, 8, 0x5A)
        assert memory.intact() and array.shape == shape
        assert np.shares_memory(array, memory.raw) == (values.size > 0)
        if layout != "zero":
            np.testing.assert_array_equal(array, values)


def plant(monkeypatch, forward):
    """An op with a fault, in the table for the time of the test."""
    planted = op(samples=lambda rng: iter([case(rng.random(5))]), name="planted_fault")(forward)
    monkeypatch.setitem(TABLE, "planted_fault", planted)
    monkeypatch.delitem(calls._samples, "planted_fault", raising=False)
    monkeypatch.setattr(guards_check, "_compile", lambda call: None)  # a fault must stay between guards
    with pytest.raises(Overrun) as caught:
        for seed in range(30):
            check(seed, Counter(), "planted_fault")
    return str(caught.value)


@pytest.fixture(autouse=True)
def table():
    yield
    TABLE.pop("planted_fault", None)


def test_planted_faults_are_found(monkeypatch):
    """A write behind the output, one into an input, a read outside, and memory that is never written."""

    def behind(input):
        out = np.empty(input.shape)
        np.lib.stride_tricks.as_strided(out, (out.size + 1,), (8,))[-1] = 1
        return out * 0

    def into(input):
        input[...] = 0
        return input.copy()

    def outside(input):
        return np.lib.stride_tricks.as_strided(input, (9,), (8,)).copy()

    def unwritten(input):
        return np.empty(input.shape)

    assert "wrote outside of" in plant(monkeypatch, behind)
    assert "changed its argument input" in plant(monkeypatch, into)
    for fault in (outside, unwritten):
        assert "depends on bytes outside" in plant(monkeypatch, fault)


@pytest.mark.parametrize("call, text", [
    (lambda: ops.convolution(np.ones((1, 2, 4, 4)), np.ones((3, 1, 2, 2)), None, (1, 1), (0, 0), (1, 1), 1),
     "channels do not fit the groups"),
    (lambda: ops.convolution_input(np.ones((1, 3, 3, 3)), np.ones((3, 2, 2, 2)), (1, 2, 9, 9), (1, 1), (0, 0),
                                   (1, 1), 1), r"grad must have shape \(1, 3, 8, 8\), got \(1, 3, 3, 3\)"),
    (lambda: ops.convolution_weight(np.ones((1, 3, 3, 3)), np.ones((1, 2, 4, 4), np.float32), (3, 2, 2, 2),
                                    (1, 1), (0, 0), (1, 1), 1), "one type, got grad float64, input float32"),
    (lambda: ops.planes_gather(np.ones((2, 3, 3)), np.zeros((3, 2, 2), np.int64)), "the same planes"),
    (lambda: ops.log_softmax_backward(np.ones((2, 3)), np.ones((2, 4)), 1), "output must have shape"),
    (lambda: ops.softmax_cross_entropy(np.ones((2, 3)), np.zeros(3, np.int64)), "target must have shape"),
    (lambda: ops.resampling_backward(np.ones((1, 7, 4)), (4, 0), (0.5, 0.5), "bicubic", True),
     r"a height and a width greater than 0, got \(4, 0\)"),
])
def test_what_random_calls_found(call, text):
    """Calls that once reached a kernel, some of them with the end of the process."""
    with pytest.raises(RuntimeError, match=text):
        call()


def test_a_diagonal_far_outside():
    """NumPy itself shows foreign memory for this offset."""
    for offset in (-2**31, 2**31, -2**70):
        assert ops.diagonal(np.ones((3, 4)), offset).shape == (0,)
        assert ops.diag(np.ones((3, 4)), offset).shape == (0,)


def test_more_repeats_than_memory_has_addresses():
    """NumPy's tile ends the process."""
    for shape, repeats in (((2, 3), (2, 2**62)), ((2, 3), (2**32, 2**32))):
        with pytest.raises(RuntimeError, match="Storage size calculation overflowed with sizes="):
            ops.repeat(np.ones(shape), repeats)


def test_allocations_are_as_ever_afterwards():
    before = np.empty, np.zeros, np.full_like
    with guarded_allocations(0):
        assert np.full_like(np.ones(2), 3).tolist() == [3, 3] and np.zeros((2, 0)).shape == (2, 0)
    assert (np.empty, np.zeros, np.full_like) == before
