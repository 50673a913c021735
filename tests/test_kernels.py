"""The kernels of matrix products against float64 sums written with NumPy alone, and their machine code."""

import itertools

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ops.kernels import cpu, micro
from ops.kernels.gemm import batched_matmul, linear, matmul
from tests.kernel_helpers import DTYPES, EXAMPLES, LAYOUTS, assert_sums, normal, run_python


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
@settings(max_examples=2 * EXAMPLES)
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
