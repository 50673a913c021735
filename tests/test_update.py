"""Optimizer steps on arrays: kernels against formulas in float64, in any layout, for any threads."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest

from ops.kernels import launch
from ops.kernels import update as kernels
from ops.update import adam_step, sgd_step
from tinygrad_hw import optim, tensor
from tinygrad_hw.tensor import Tensor

ROOT = pathlib.Path(__file__).parent.parent
DTYPES = [np.float32, np.float64]
SHAPES = [(), (0,), (1,), (3,), (7, 5), (16,), (17,), (2, 0, 3), (33, 9)]
SGD = [dict(), dict(weight_decay=0.1, maximize=True),
       dict(momentum=0.9, starts=True), dict(momentum=0.9),
       dict(momentum=0.8, dampening=0.3, weight_decay=0.2, maximize=True),
       dict(momentum=0.8, nesterov=True),
       dict(momentum=0.8, nesterov=True, starts=True, weight_decay=0.1)]
ADAM = [dict(), dict(weight_decay=0.1, maximize=True), dict(weight_decay=0.1, decoupled=True)]


@pytest.fixture
def threads():
    """`set_num_threads`, undone at the end."""
    before = launch.get_num_threads()
    yield launch.set_num_threads
    launch.set_num_threads(before)


@pytest.fixture
def launches(monkeypatch):
    """The number of rows of each kernel call."""
    calls = []
    for name in ("sgd", "adam"):
        kernel = getattr(kernels, name)
        counted = lambda rows, *options, kernel=kernel: (calls.append(len(rows)), kernel(rows, *options))
        monkeypatch.setattr(f"ops.update._kernels.{name}", counted, raising=False)
    return calls


def normal(shape, dtype, count, seed=0):
    """A row of random arrays; running means of squares are not negative."""
    arrays = np.random.default_rng(seed).normal(size=(count, *shape)).astype(dtype)
    return [np.array(array if i < 3 else np.abs(array)) for i, array in enumerate(arrays)]


def sgd_formula(p, g, b=None, *, lr, momentum=0, dampening=0, weight_decay=0, nesterov=False,
                maximize=False, starts=False):
    d = (-g if maximize else g) + weight_decay * p
    if b is None:
        return [p - lr * d, g]
    b = d if starts else momentum * b + (1 - dampening) * d
    return [p - lr * (d + momentum * b if nesterov else b), g, b]


def adam_formula(p, g, m, v, largest=None, *, step, lr, betas, eps, weight_decay=0, decoupled=False,
                 maximize=False):
    if decoupled:
        p, weight_decay = p * (1 - lr * weight_decay), 0
    d = (-g if maximize else g) + weight_decay * p
    m, v = betas[0] * m + (1 - betas[0]) * d, betas[1] * v + (1 - betas[1]) * d ** 2
    top = v if largest is None else np.maximum(largest, v)
    change = lr * m / (1 - betas[0] ** step) / (np.sqrt(top / (1 - betas[1] ** step)) + eps)
    return [p - change, g, m, v, *([] if largest is None else [top])]


def wide(row):
    return [array.astype(np.float64) for array in row]


def assert_rows(rows, expected, dtype):
    for row, reference in zip(rows, expected):
        for array, values in zip(row, reference):
            assert array.dtype == dtype
            np.testing.assert_allclose(array, values, rtol=50 * np.finfo(dtype).eps,
                                       atol=20 * np.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("options", SGD)
def test_sgd(options, dtype, launches):
    width = 3 if "momentum" in options else 2
    rows = [normal(shape, dtype, width, seed) for seed, shape in enumerate(SHAPES)]
    expected = [sgd_formula(*wide(row), lr=0.1, **options) for row in rows]
    sgd_step(rows, lr=0.1, **options)
    assert_rows(rows, expected, dtype)
    assert launches == [len(SHAPES)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("width", [4, 5])
@pytest.mark.parametrize("options", ADAM)
def test_adam(options, width, dtype, launches):
    rows = [normal(shape, dtype, width, seed) for seed, shape in enumerate(SHAPES)]
    options = dict(lr=0.1, betas=(0.8, 0.9), eps=1e-3, **options)
    expected = [adam_formula(*wide(row), step=3, **options) for row in rows]
    adam_step(rows, 3, **options)
    assert_rows(rows, expected, dtype)
    assert launches == [len(SHAPES)]


@pytest.mark.parametrize("dtype", DTYPES)
def test_same_bits_for_any_number_of_threads(dtype, threads, monkeypatch):
    monkeypatch.setattr(launch, "LITTLE_WORK", 0)
    results = []
    for count in (1, 2):
        threads(count)
        rows = [normal(shape, dtype, 5, seed) for seed, shape in enumerate([(3, 5), (200_003,), (7,)])]
        adam_step(rows, 2, lr=0.1, betas=(0.9, 0.99), eps=1e-8)
        sgd_step([row[:3] for row in rows], lr=0.1, momentum=0.9)
        results.append([array.tobytes() for row in rows for array in row])
    assert results[0] == results[1]


def test_a_cut_changes_no_bits():
    """An element's value depends neither on its place in a vector nor on the rows around it."""
    whole = normal((3 * kernels.BLOCK + 5,), np.float32, 5)
    pieces = [[array[i:i + 13].copy() for array in whole] for i in range(0, len(whole[0]), 13)]
    for rows in ([whole], pieces):
        adam_step(rows, 2, lr=0.1, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.1)
    for index, array in enumerate(whole):
        assert array.tobytes() == np.concatenate([piece[index] for piece in pieces]).tobytes()


LAYOUTS = {  # change of the parameter and its buffer, change of the gradient, rows for the kernel
    "transposed": (lambda a: a.T, lambda a: a.T, [1]),
    "permuted": (lambda a: a.transpose(1, 2, 0), lambda a: a.transpose(1, 2, 0).copy(), [1]),
    "gradient transposed": (np.copy, np.asfortranarray, [1]),
    "gradient repeated": (np.copy, lambda a: np.broadcast_to(a[:1], a.shape), [1]),
    "strided": (lambda a: a[:, ::2], lambda a: a[:, ::2], []),
    "reversed": (lambda a: a[::-1], lambda a: a[::-1], []),
}


@pytest.mark.parametrize("kind", LAYOUTS)
def test_layouts(kind, launches):
    """Memory without gaps goes to the kernel whatever the order of its dimensions."""
    change, change_gradient, expected_launches = LAYOUTS[kind]
    p, g, b = normal((6, 4, 8), np.float64, 3)
    row = change(p), change_gradient(g), change(b)
    expected = sgd_formula(*row, lr=0.1, momentum=0.9)
    sgd_step([row], lr=0.1, momentum=0.9)
    assert_rows([row], [expected], np.float64)
    assert launches == expected_launches


def test_rows_of_all_kinds_together(launches):
    rows = [normal((5,), np.float32, 2), normal((5,), np.float64, 2), normal((5,), np.float64, 2),
            [array[::2] for array in normal((5,), np.float64, 2)], normal((5,), np.float64, 2),
            [normal((5,), np.float32, 1)[0], normal((5,), np.float64, 1)[0]],
            [array.astype(">f8") for array in normal((5,), np.float64, 2)],
            [array.astype(np.float16) for array in normal((5,), np.float64, 2)]]
    expected = [sgd_formula(*wide(row), lr=0.1) for row in rows]
    sgd_step(rows, lr=0.1)
    for row, reference in zip(rows, expected):
        tolerance = 4e-3 if row[0].itemsize == 2 else 1e-6
        np.testing.assert_allclose(row[0], reference[0], rtol=tolerance, atol=tolerance)
    assert launches == [1, 2, 1]


@pytest.mark.parametrize("size", [10, 5 * kernels.BLOCK])
def test_shared_memory_is_updated_in_order(size, threads):
    """A parameter that is listed twice, or whose gradient is another parameter."""
    threads(2)
    p, g, q = (np.linspace(1, 2, size) for _ in range(3))
    sgd_step([(p, g), (p, g), (q, p), (g, g)], lr=0.5)
    np.testing.assert_array_equal(p, 0)
    np.testing.assert_array_equal(q, np.linspace(1, 2, size))
    np.testing.assert_allclose(g, np.linspace(1, 2, size) / 2)


@pytest.mark.parametrize("dtype", DTYPES)
def test_infinity_and_nan_as_in_numpy(dtype):
    values = np.array([np.inf, -np.inf, np.nan, 0.0, 1.0], dtype)
    p, g = (array.ravel().copy() for array in np.meshgrid(values, values))
    for options in SGD:
        for sign in (1, -1):
            row = [p, g, sign * g[::-1]][:3 if "momentum" in options else 2]
            ours, theirs = [array.copy() for array in row], [np.repeat(array, 2)[::2] for array in row]
            with np.errstate(invalid="ignore"):
                sgd_step([ours], lr=0.5, **options)
                sgd_step([theirs], lr=0.5, **options)
            np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    rows = [[p, g, p[::-1], np.abs(g[::-1]), np.roll(np.abs(g), 1)] for _ in range(2)]
    ours, theirs = [array.copy() for array in rows[0]], [np.repeat(array, 2)[::2] for array in rows[1]]
    for row in (ours, theirs):
        with np.errstate(invalid="ignore"):
            adam_step([row], 1, lr=0.5, betas=(0.5, 0.5), eps=0.1)
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def read_only(shape):
    array = np.ones(shape)
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(("rows", "text"), [
    ([(np.ones(3), np.ones(4))], "broadcast"),
    ([(np.ones((2, 2)), np.ones((2, 2)), np.ones(3))], "broadcast"),
    ([(read_only(3), np.ones(3))], "read-only"),
    ([(np.ones(3), np.ones(3), read_only(3))], "read-only"),
    ([(np.ones(3),) * 2, (np.ones(3),) * 3], r"all have 3 .* got rows of \[2, 3\]"),
    ([(np.ones(3),)], r"all have 2 .* got rows of \[1\]"),
])
def test_refused(rows, text):
    with pytest.raises(ValueError, match=text):
        sgd_step(rows, lr=0.1, momentum=0.9)
    assert all(np.all(row[0] == 1) for row in rows)


# ---- the optimizers ----------------------------


def parameters(*arrays):
    """Parameters with random gradients."""
    result = [tensor(array, requires_grad=True) for array in arrays]
    for parameter in result:
        parameter.grad = tensor(np.random.default_rng(1).normal(size=parameter.shape))
    return result


@pytest.mark.parametrize(("kind", "options"), [
    (optim.SGD, dict(lr=0.1)), (optim.SGD, dict(lr=0.1, momentum=0.9)), (optim.Adam, dict(amsgrad=True)),
])
def test_one_launch_for_a_group(kind, options, launches):
    """Also after the user replaced the values; then in the new memory."""
    group = parameters(np.ones((3, 4)), np.ones(5), np.ones(()))
    optimizer = kind(group, **options)
    optimizer.step()
    launches.clear()
    optimizer.step()
    assert launches == [3]
    values = tensor(np.full((3, 4), 5.0))
    group[0].data = values
    optimizer.step()
    assert launches == [3, 3] and group[0].array is values.array and not np.any(values.array == 5)


def test_layout_of_the_state_follows_the_parameter(launches):
    p = Tensor._wrap(np.ones((4, 3)).T).requires_grad_()
    p.grad = tensor(np.ones((3, 4)))
    for kind, options in [(optim.SGD, dict(momentum=0.9)), (optim.Adam, {})]:
        optimizer = kind([p], **options)
        optimizer.step()
        optimizer.step()
        for entry in optimizer.state[p].values():
            assert entry.array.ndim == 0 or entry.array.strides == p.array.strides
    assert launches == [1] * 4


def test_steps_are_counted_for_each_parameter(launches):
    p, q = parameters(np.ones(3), np.ones(3))
    optimizer = optim.Adam([p, q], lr=0.1)
    gradient, p.grad = p.grad, None
    optimizer.step()
    p.grad = gradient
    optimizer.step()
    assert launches == [1, 1, 1]
    alone = parameters(np.ones(3))[0]
    optim.Adam([alone], lr=0.1).step()
    assert alone.tolist() == p.tolist() != q.tolist()


def test_a_parameter_listed_twice():
    once, twice = parameters(np.ones(3)), parameters(np.ones(3))
    for kind, options in [(optim.SGD, dict(lr=0.1, momentum=0.9)), (optim.Adam, {})]:
        optimizer = kind(once, **options)
        optimizer.step()
        optimizer.step()
        with pytest.warns(UserWarning, match="duplicate parameters"):
            kind(twice * 2, **options).step()
        assert once[0].tolist() == twice[0].tolist()


def test_a_subclass_may_define_another_update():
    class Signed(optim.SGD):
        def update(self, parameter, gradient, state, group):
            """Along the sign of the gradient."""
            super().update(parameter, np.sign(gradient), state, group)

    p, = parameters(np.zeros(4))
    Signed([p], lr=0.5, maximize=True).step()
    assert np.all(p.array == 0.5 * np.sign(p.grad.array))


def test_change_names_the_line_of_the_step():
    p = tensor([1.0], requires_grad=True)
    loss = (p * p).sum()
    loss.backward(retain_graph=True)
    optim.SGD([p]).step()
    with pytest.raises(RuntimeError, match=r"at .*test_update.py:\d+ in test_change\w+, optimizer.step"):
        loss.backward()


@pytest.mark.slow
def test_machine_code_uses_vectors(tmp_path):
    """Whole vectors and fused multiply-add where the processor has them."""
    program = """
import platform
import numpy as np
from ops.kernels import cpu, jit, update
update._adam.address(np.dtype("f4"))
code = jit._callbacks[-1]._library.get_asm_str()
if platform.machine() == "x86_64":
    register = {64: "zmm", 32: "ymm", 16: "xmm"}[cpu.VECTOR_BYTES]
    names = ["sqrtps", "divps", register, *["vfmadd"] * cpu.HAS_FMA]
    print(all(name in code for name in names))
else:
    print(True)
"""
    environment = {**os.environ, "TINYGRAD_HW_CACHE": str(tmp_path)}  # cached code has no listing
    done = subprocess.run([sys.executable, "-c", program], check=True, env=environment, cwd=ROOT,
                          capture_output=True, text=True)
    assert done.stdout == "True\n"
