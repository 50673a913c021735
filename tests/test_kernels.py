"""The kernels of matrix products and convolutions against float64 sums written with NumPy alone."""

import itertools
import os
import subprocess
import sys
import threading
from unittest import mock

import numba
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ops.kernels import correlation, cpu, gemm, launch, micro
from ops.kernels.conv import conv2d, conv2d_input, conv2d_weight
from ops.kernels.gemm import batched_matmul, linear, matmul

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DTYPES = [np.float32, np.float64]
quick = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture
def threads():
    """`set_num_threads`, undone at the end."""
    before = launch.get_num_threads()
    yield launch.set_num_threads
    launch.set_num_threads(before)


def normal(rng, shape, dtype, layout="C"):
    """Random normal values in an array of the given memory layout."""
    values = rng.standard_normal(shape).astype(dtype)
    if layout == "F":
        return np.asfortranarray(values)
    if layout == "reversed":
        turn = (slice(None, None, -1),) * len(shape)
        return np.ascontiguousarray(values[turn])[turn]
    if layout == "sparse":
        wide = np.full([2 * n + 1 for n in shape], np.nan, dtype)
        part = wide[tuple(slice(1, None, 2) for _ in shape)]
        part[...] = values
        return part
    if layout == "repeated":
        return np.broadcast_to(values[:1], shape)
    return values


LAYOUTS = ["C", "F", "reversed", "sparse", "repeated"]


def assert_sums(actual, expected, absolute, terms):
    """Compare sums of ``terms`` products, whose absolute values add up to ``absolute``, with float64."""
    assert actual.flags.c_contiguous and actual.shape == expected.shape
    bound = (3 + np.sqrt(terms)) * np.finfo(actual.dtype).eps * (absolute + 1)
    assert np.all(np.abs(actual - expected) <= bound)


def check_product(a, b, bias=None):
    a64, b64 = a.astype(np.float64), b.astype(np.float64)
    expected, absolute = a64 @ b64, np.abs(a64) @ np.abs(b64)
    if a.ndim == 3:
        actual = batched_matmul(a, b)
    else:
        actual = matmul(a, b, bias)
    if bias is not None:
        expected, absolute = expected + bias, absolute + np.abs(bias)
    assert actual.dtype == a.dtype
    assert_sums(actual, expected, absolute, a.shape[-1])


# ---------------------------------------------------------------- matrix products


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layouts", list(itertools.product(LAYOUTS, LAYOUTS)))
def test_matmul_reads_any_strides(dtype, layouts):
    rng = np.random.default_rng(0)
    for shape in [(5, 70, 40), (37, 35, 65), (40, 3, 100)]:
        rows, depth, columns = shape
        a, b = (
            normal(rng, (rows, depth), dtype, layouts[0]),
            normal(rng, (depth, columns), dtype, layouts[1]),
        )
        check_product(a, b)


@given(
    rows=st.integers(0, 40), columns=st.integers(0, 70), depth=st.integers(0, 600),
    dtype=st.sampled_from(DTYPES), layouts=st.tuples(st.sampled_from(LAYOUTS), st.sampled_from(LAYOUTS)),
    biased=st.booleans(), seed=st.integers(0, 9),
)  # fmt: skip
@quick
def test_matmul_any_shape(rows, columns, depth, dtype, layouts, biased, seed):
    rng = np.random.default_rng(seed)
    a, b = (
        normal(rng, (rows, depth), dtype, layouts[0]),
        normal(rng, (depth, columns), dtype, layouts[1]),
    )
    check_product(a, b, normal(rng, (columns,), dtype, "sparse") if biased else None)


@pytest.mark.parametrize("dtype", DTYPES)
def test_matmul_of_several_blocks(dtype):
    rng = np.random.default_rng(1)
    for rows, depth, columns in [
        (300, 700, 290),
        (16, 3000, 100),
        (2000, 40, 3),
        (1, 1000, 513),
        (513, 1, 513),
    ]:
        check_product(normal(rng, (rows, depth), dtype), normal(rng, (depth, columns), dtype))
        check_product(normal(rng, (rows, depth), dtype, "F"), normal(rng, (depth, columns), dtype, "F"))


@pytest.mark.parametrize("dtype", DTYPES)
def test_linear_is_x_times_weight_transposed(dtype):
    rng = np.random.default_rng(2)
    for rows in (1, 4, 16, 17, 100):
        x, weight, bias = (normal(rng, shape, dtype) for shape in [(rows, 90), (33, 90), (33,)])
        expected = x.astype(np.float64) @ weight.T + bias
        assert_sums(linear(x, weight, bias), expected, np.abs(x) @ np.abs(weight.T) + np.abs(bias), 90)
        assert_sums(linear(x, weight), expected - bias, np.abs(x) @ np.abs(weight.T), 90)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layouts", [("C", "C"), ("F", "sparse"), ("repeated", "C"), ("C", "repeated")])
def test_batched_matmul(dtype, layouts):
    rng = np.random.default_rng(3)
    for batch, rows, depth, columns in [
        (1, 1, 1, 1),
        (7, 5, 33, 9),
        (3, 64, 70, 65),
        (40, 33, 20, 40),
        (0, 2, 2, 2),
    ]:
        a, b = (
            normal(rng, (batch, rows, depth), dtype, layouts[0]),
            normal(rng, (batch, depth, columns), dtype, layouts[1]),
        )
        check_product(a, b)


def test_sizes_of_zero():
    assert matmul(np.ones((2, 0)), np.ones((0, 3))).tolist() == [[0, 0, 0]] * 2
    assert linear(np.ones((2, 0)), np.ones((3, 0)), np.arange(3.0)).tolist() == [[0, 1, 2]] * 2
    assert matmul(np.ones((0, 4)), np.ones((4, 3))).shape == (0, 3)
    assert batched_matmul(np.ones((2, 3, 0)), np.ones((2, 0, 1))).tolist() == [[[0]] * 3] * 2


def test_nan_and_infinity_keep_their_meaning():
    for rows in (1, 20):
        a = np.ones((rows, 40), np.float32)
        a[0, :3] = np.nan, 1, 1
        b = np.ones((40, 33), np.float32)
        b[5, 32] = np.inf
        product = matmul(a, b)
        assert np.isnan(product[0]).all()
        assert (product[1:, :32] == 40).all() and (product[1:, 32] == np.inf).all()


def test_other_dtypes_are_refused():
    with pytest.raises(TypeError, match="float32 or float64, not int64; convert the array first"):
        matmul(np.ones((2, 2), np.int64), np.ones((2, 2), np.int64))


# ---------------------------------------------------------------- convolutions


def patches(x, kernel, out_size, stride, padding, dilation):
    """View (N, C, KH, KW, OH, OW) of the values of x that each tap meets."""
    x = np.pad(x, ((0, 0), (0, 0), *((p, p) for p in padding)))
    n, c, h, w = x.strides
    strides = (n, c, h * dilation[0], w * dilation[1], h * stride[0], w * stride[1])
    return np.lib.stride_tricks.as_strided(x, (*x.shape[:2], *kernel, *out_size), strides)


def reference(x, weight, grad, stride, padding, dilation, groups):
    """Convolution, input gradient and weight gradient by their definitions, in float64."""
    x, weight = x.astype(np.float64), weight.astype(np.float64)
    images, channels, *size = x.shape
    out_channels, group_channels, *kernel = weight.shape
    out_size = [correlation.output_size(*axis) for axis in zip(size, kernel, stride, padding, dilation)]
    views = patches(x, kernel, out_size, stride, padding, dilation)
    views = views.reshape(images, groups, group_channels, *kernel, *out_size)
    kernels = weight.reshape(groups, out_channels // groups, group_channels, *kernel)
    out = np.einsum("ngchwij,gochw->ngoij", views, kernels).reshape(images, out_channels, *out_size)
    if grad is None:
        return out
    grad = grad.astype(np.float64).reshape(images, groups, out_channels // groups, *out_size)
    weight_grad = np.einsum("ngchwij,ngoij->gochw", views, grad).reshape(weight.shape)
    padded = np.zeros((images, channels, *(n + 2 * p for n, p in zip(size, padding))))
    for h, w in np.ndindex(*kernel):
        part = np.einsum("ngoij,goc->ngcij", grad, kernels[..., h, w]).reshape(
            images, channels, *out_size
        )
        rows, columns = (
            slice(k * d, k * d + s * (n - 1) + 1, s)
            for k, d, s, n in zip((h, w), dilation, stride, out_size)
        )
        padded[:, :, rows, columns] += part
    (top, left), (height, width) = padding, size
    return out, padded[:, :, top : top + height, left : left + width], weight_grad


def check_convolution(
    rng, dtype, x_shape, weight_shape, stride, padding, dilation, groups, layouts=("C", "C", "C")
):
    options = dict(stride=stride, padding=padding, dilation=dilation, groups=groups)
    x, weight = normal(rng, x_shape, dtype, layouts[0]), normal(rng, weight_shape, dtype, layouts[1])
    bias = normal(rng, weight_shape[:1], dtype)
    grad = normal(rng, reference(x, weight, None, **options).shape, dtype, layouts[2])
    actual = (
        conv2d(x, weight, bias, **options) - bias[:, None, None],
        conv2d(x, weight, **options),
        conv2d_input(grad, weight, x_shape, **options),
        conv2d_weight(grad, x, weight_shape, **options),
    )
    expected = reference(x, weight, grad, **options)
    absolute = reference(np.abs(x), np.abs(weight), np.abs(grad), **options)
    for result, i in zip(actual, (0, 0, 1, 2)):
        assert result.dtype == dtype
        margin = 10 if i == 0 else 0  # the bias was added and taken away
        assert_sums(result, expected[i], absolute[i] + margin, np.prod(x_shape[2:]) * x_shape[0])


@st.composite
def convolutions(draw):
    """Shapes and options of a convolution whose output is not empty."""
    pair = lambda low, high: draw(st.tuples(st.integers(low, high), st.integers(low, high)))
    kernel, stride, padding, dilation = pair(1, 5), pair(1, 4), pair(0, 4), pair(1, 3)
    groups, channels, out_channels = (
        draw(st.sampled_from([1, 1, 2, 4])),
        draw(st.integers(1, 5)),
        draw(st.integers(1, 11)),
    )
    extra = pair(0, 20)
    size = [max(1, d * (k - 1) + 1 - 2 * p + e) for k, p, d, e in zip(kernel, padding, dilation, extra)]
    x_shape = (draw(st.integers(1, 4)), groups * channels, *size)
    return x_shape, (groups * out_channels, channels, *kernel), stride, padding, dilation, groups


@given(
    case=convolutions(),
    dtype=st.sampled_from(DTYPES),
    layouts=st.tuples(*[st.sampled_from(LAYOUTS)] * 3),
)
@settings(quick, max_examples=150)
def test_convolution_any_shape(case, dtype, layouts):
    check_convolution(np.random.default_rng(4), dtype, *case, layouts)


@given(
    case=convolutions(),
    images=st.integers(1, 40),
    dtype=st.sampled_from(DTYPES),
    layouts=st.tuples(*[st.sampled_from(LAYOUTS)] * 3),
)
@settings(quick, max_examples=80)
def test_convolution_tap_by_tap(case, images, dtype, layouts):
    """Any shape as if its maps were small (see `conv_taps`), whatever is faster."""
    always = dict(worth_taps=lambda *shape, **how: True, worth_weight_taps=lambda *shape: True)
    (_, *image), *rest = case
    with mock.patch.multiple("ops.kernels.conv", **always):
        check_convolution(np.random.default_rng(7), dtype, (images, *image), *rest, layouts)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "case",
    [
        ((3, 3, 20, 33), (16, 3, 3, 3), (1, 1), (1, 1), (1, 1), 1),
        ((40, 6, 5, 5), (7, 6, 5, 5), (1, 1), (0, 0), (1, 1), 1),  # 1 x 1 output, many images in a block
        ((2, 20, 9, 9), (20, 1, 3, 3), (2, 2), (1, 1), (1, 1), 20),  # depthwise
        ((2, 2, 1, 2), (3, 2, 5, 4), (1, 2), (3, 4), (1, 1), 1),  # kernel larger than the image
        ((1, 2, 7, 7), (3, 2, 1, 1), (3, 3), (0, 0), (1, 1), 1),  # pixels that no tap reads
        ((2, 2, 6, 6), (3, 2, 2, 2), (1, 1), (5, 5), (1, 1), 1),  # padding beyond the kernel's reach
        ((2, 3, 15, 17), (4, 3, 3, 3), (2, 1), (4, 2), (3, 2), 1),
        ((9, 64, 4, 4), (40, 64, 5, 5), (2, 2), (2, 2), (1, 1), 1),  # a plane for every tap
        ((33, 32, 8, 8), (48, 32, 5, 5), (2, 2), (2, 2), (1, 1), 1),  # tap by tap
        ((64, 48, 7, 6), (32, 24, 3, 2), (1, 1), (1, 0), (1, 1), 2),
        ((70, 8, 16, 16), (24, 8, 3, 3), (1, 1), (1, 1), (1, 1), 1),
        ((1, 8, 70, 70), (8, 8, 3, 3), (1, 1), (1, 1), (1, 1), 1),
        ((1, 1, 1, 1), (1, 1, 1, 1), (1, 1), (0, 0), (1, 1), 1),
    ],
)
def test_convolution_shapes(dtype, case):
    check_convolution(np.random.default_rng(5), dtype, *case)


def test_convolution_of_nothing():
    weight = np.ones((2, 3, 3, 3), np.float32)
    assert conv2d(np.ones((0, 3, 5, 5), np.float32), weight).shape == (0, 2, 3, 3)
    assert conv2d_input(np.ones((0, 2, 3, 3), np.float32), weight, (0, 3, 5, 5)).shape == (0, 3, 5, 5)
    grad = conv2d_weight(
        np.ones((0, 2, 3, 3), np.float32), np.ones((0, 3, 5, 5), np.float32), weight.shape
    )
    assert grad.shape == weight.shape and not grad.any()


def test_plans_are_kept_and_bounded():
    x, weight = np.ones((1, 1, 4, 4)), np.ones((1, 1, 2, 2))
    conv2d(x, weight)
    hits = correlation.output_plan.cache_info().hits
    conv2d(x, weight)
    assert correlation.output_plan.cache_info().hits == hits + 1
    assert correlation.output_plan.cache_info().maxsize is not None


# ---------------------------------------------------------------- threads


def results():
    rng = np.random.default_rng(6)
    a, b = normal(rng, (300, 400), np.float32), normal(rng, (400, 210), np.float32)
    yield matmul(a, b)
    yield matmul(a[:9], np.asfortranarray(b))
    yield batched_matmul(a.reshape(10, 30, 400), np.broadcast_to(b, (10, 400, 210)))
    for images, channels, size in [(20, 8, 20), (1, 30, 40), (50, 64, 4), (60, 40, 9)]:
        x, weight = (
            normal(rng, (images, channels, size, size), np.float32),
            normal(rng, (40, channels, 3, 3), np.float32),
        )
        grad = conv2d(x, weight, padding=(1, 1))
        yield grad
        yield conv2d_input(grad, weight, x.shape, padding=(1, 1))
        yield conv2d_weight(grad, x, weight.shape, padding=(1, 1))


def test_same_bits_for_any_number_of_threads(threads):
    threads(1)
    alone = list(results())
    threads(2)
    for first, second in zip(alone, results()):
        assert np.array_equal(first, second)


def test_addresses_of_arrays():
    for values in (np.zeros(3), np.zeros((2, 3), np.float32)[1:, ::-1], np.zeros(0)):
        assert launch.address_of(values) == values.ctypes.data


def test_number_of_threads(threads):
    threads(1)
    assert launch.get_num_threads() == 1
    threads(10**6)
    assert 1 <= launch.get_num_threads() <= (os.cpu_count() or 1)
    with pytest.raises(RuntimeError, match="positive number of threads, got 0"):
        threads(0)


def run_python(code, **environment):
    environment = {**os.environ, **environment}
    arguments = [sys.executable, "-c", code]
    return subprocess.run(
        arguments, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
    )


@pytest.mark.slow
def test_number_of_threads_from_the_environment():
    code = "from ops.kernels.launch import get_num_threads; print(get_num_threads())"
    assert run_python(code, TINYGRAD_HW_NUM_THREADS="1").stdout.strip() == "1"
    assert (
        "TINYGRAD_HW_NUM_THREADS='many' is not a positive"
        in run_python(code, TINYGRAD_HW_NUM_THREADS="many").stderr
    )


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_forked_child_after_a_parallel_launch():
    code = """
import os, warnings
import numpy as np
from ops.kernels import launch
from ops.kernels.gemm import matmul
warnings.simplefilter("ignore")
launch.set_num_threads(2)
a = np.random.default_rng(0).standard_normal((300, 300)).astype(np.float32)
before = matmul(a, a)
child = os.fork()
if child == 0:
    os._exit(0 if np.array_equal(matmul(a, a), before) else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), np.array_equal(matmul(a, a), before))
"""
    done = run_python(code)
    assert done.stdout.split() == ["0", "True"], done.stderr


def test_launches_from_several_python_threads(threads):
    threads(2)
    rng = np.random.default_rng(7)
    a = normal(rng, (200, 200), np.float32)
    expected, wrong = matmul(a, a), []

    def work():
        for _ in range(50):
            if not np.array_equal(matmul(a, a), expected):
                wrong.append(1)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


# ---------------------------------------------------------------- machine code


def test_micro_kernels_keep_their_tile_in_registers():
    """The inner loop of the wide kernel holds all its multiply-adds and writes nothing to memory."""
    kernel = numba.njit(error_model="numpy")(
        micro._outer_tile(micro.ROWS, 2).py_func
    )  # cached code cannot be inspected
    pointer, table = numba.types.CPointer(numba.types.float32), numba.types.CPointer(numba.types.int64)
    number = numba.types.int64
    matrix = pointer, number
    kernel.compile((*matrix, number, number, pointer, table, number, *matrix, *matrix, number))
    (assembly,) = kernel.inspect_asm().values()
    if "vfmadd" not in assembly:
        pytest.skip("another processor")
    lines = assembly.splitlines()
    products = [i for i, line in enumerate(lines) if "vfmadd" in line]
    blocks = np.split(products, np.flatnonzero(np.diff(products) > 30) + 1)
    longest = max(blocks, key=len)
    assert len(longest) == 2 * micro.ROWS
    loop = lines[longest[0] : longest[-1]]
    assert not [line for line in loop if "vmov" in line and line.rstrip().endswith(")")]  # a store
    register = {64: "%zmm", 32: "%ymm", 16: "%xmm"}[cpu.VECTOR_BYTES]
    assert all(register in lines[i] for i in longest)


def test_blocks_of_a_product_do_not_depend_on_threads(threads, monkeypatch):
    seen = []
    monkeypatch.setattr(gemm, "Launch", lambda *cut: seen.append(cut) or (lambda *arrays: None))
    for count in (1, 2):
        threads(count)
        gemm._product.cache_clear()
        matmul(np.ones((300, 300), np.float32), np.ones((300, 300), np.float32))
    gemm._product.cache_clear()
    assert seen[0] == seen[1]


@pytest.mark.slow
def test_processors_without_wide_vectors():
    """The same kernels compiled for the narrowest vectors, where a tile's sums outnumber two vectors."""
    code = """
import numpy as np
from ops.kernels.conv import conv2d, conv2d_input, conv2d_weight
from ops.kernels.gemm import matmul
rng = np.random.default_rng(0)
for dtype in (np.float32, np.float64):
    a, b = rng.standard_normal((9, 70)).astype(dtype), rng.standard_normal((70, 40)).astype(dtype)
    assert np.allclose(matmul(a, b), a @ b, atol=1e-4)
    assert np.allclose(matmul(a, np.asfortranarray(b)), a @ b, atol=1e-4)
    x = rng.standard_normal((2, 3, 9, 8)).astype(dtype)
    weight = rng.standard_normal((5, 3, 3, 2)).astype(dtype)
    y = conv2d(x, weight)
    square = (y * y).sum()
    assert np.isclose((conv2d_input(y, weight, x.shape) * x).sum(), square, rtol=1e-4)
    assert np.isclose((conv2d_weight(y, x, weight.shape) * weight).sum(), square, rtol=1e-4)
print("right")
"""
    done = run_python(code, NUMBA_CPU_NAME="generic")
    assert done.stdout.strip() == "right", done.stderr
