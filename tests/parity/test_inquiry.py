"""Questions about Tensors and the library's state: types, default dtype, gradient modes."""

import numpy as np
import pytest
from harness import (
    attempt,
    check_calls,
    check_errors,
    check_gradients,
    generator,
    to_ours,
    to_torch,
)

import tinygrad_hw as thw

torch = pytest.importorskip("torch")

VALUES = [
    np.ones((2, 3)),
    np.array(0),
    np.array([1.5]),
    np.zeros(0),
    np.array([True]),
    np.ones(2),
    3,
    "a",
    None,
    [1],
]


@pytest.mark.parametrize("value", VALUES, ids=repr)
@pytest.mark.parametrize("name", ["is_tensor", "numel", "is_floating_point", "is_complex", "is_nonzero"])
def test_questions(name, value):
    """What a Tensor is; what is no Tensor is refused."""
    check_calls(getattr(thw, name), getattr(torch, name), (value,), {}, name)


@pytest.mark.parametrize(
    "shapes", [((2, 3), (3,)), ((2, 1), (1, 3)), ((), (4,)), ((2,), (3,)), ((0,), (1,)), ((2, 3),), ()]
)
def test_broadcast_shapes(shapes):
    """The common shape or an error."""
    theirs, ours = attempt(torch.broadcast_shapes, *shapes), attempt(thw.broadcast_shapes, *shapes)
    check_errors(ours, theirs, str(shapes))
    assert theirs.error or tuple(ours.value) == tuple(theirs.value)


@pytest.mark.filterwarnings("ignore")
def test_chain_matmul():
    """Products of several matrices in the cheapest order."""
    rng = generator()
    matrices = [rng.standard_normal(shape) for shape in ((2, 5), (5, 3), (3, 4))]
    for count in (1, 2, 3):
        check_calls(thw.chain_matmul, torch.chain_matmul, matrices[:count], {})
        check_gradients(thw.chain_matmul, torch.chain_matmul, matrices[:count], {})
    check_calls(thw.chain_matmul, torch.chain_matmul, (matrices[0], matrices[2]), {})


@pytest.mark.parametrize("name", ["float32", "float64", "int64", "bool"])
def test_default_dtype(name):
    """The default dtype is that of Python floats and of results that become floating point."""
    outcomes = []
    for library, convert in ((torch, to_torch), (thw, to_ours)):
        before = library.get_default_dtype()
        try:
            outcome = attempt(library.set_default_dtype, getattr(library, name))
            dtypes = [
                library.get_default_dtype(),
                library.tensor([1.5]).dtype,
                library.zeros(2).dtype,
                convert(np.arange(3)).exp().dtype,
                (convert(np.arange(3)) / 2).dtype,
            ]
        finally:
            library.set_default_dtype(before)
        outcomes.append((outcome, [str(dtype).split(".")[1] for dtype in dtypes]))
    check_errors(outcomes[1][0], outcomes[0][0], name)
    assert outcomes[1][1] == outcomes[0][1]


def states(library):
    """Whether gradients are recorded inside of each mode, and after it."""
    x = library.ones(2, requires_grad=True)

    def report():
        inference = (
            library.is_inference_mode_enabled()
        )  # PyTorch's inference tensors never require a gradient
        return library.is_grad_enabled(), inference, inference or (x * 2).requires_grad

    yield report()
    for mode in (
        library.no_grad,
        library.enable_grad,
        library.inference_mode,
        lambda: library.set_grad_enabled(False),
        lambda: library.inference_mode(False),
    ):
        with mode():
            yield report()
            with library.enable_grad():
                yield report()
        yield report()
    with library.no_grad(), library.set_grad_enabled(True):
        yield report()
    for mode in (library.no_grad(), library.no_grad, library.enable_grad(), library.inference_mode()):
        yield mode(report)()
        yield report()
    library.set_grad_enabled(False)
    yield report()
    library.set_grad_enabled(True)
    yield report()


def test_gradient_modes():
    """no_grad, enable_grad, inference_mode and set_grad_enabled as blocks, decorators and calls."""
    assert list(states(thw)) == list(states(torch))
