"""Hypothesis strategies: random tensors, shapes and whole calls to test ops and networks with.

    from hypothesis import given
    from tinygrad_hw.testing import gradcheck, strategies

    @given(strategies.broadcastable_tensors(2, requires_grad=True))
    def test_product(tensors):
        assert gradcheck(lambda x, y: x * y, tensors)

Drawn tensors are small, their values modest, and they lie in memory in every way that views can bring
about.  What Hypothesis finds it shrinks to the smallest case.
"""

try:
    import hypothesis as _hypothesis
except ImportError as error:
    raise ImportError("tinygrad_hw.testing.strategies needs Hypothesis, which is not installed: pip install "
                      "hypothesis") from error

from tinygrad_hw.testing.strategies.cases import *
from tinygrad_hw.testing.strategies.tensors import *
