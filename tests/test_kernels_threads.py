"""Kernels on several threads: the same bits, however many there are and whoever calls."""

import os
import threading

import numpy as np
import pytest

from ops.kernels import gemm, launch
from ops.kernels.conv import conv2d, conv2d_input, conv2d_weight
from ops.kernels.gemm import batched_matmul, matmul
from tests.kernel_helpers import normal, run_python


@pytest.fixture
def threads():
    """`set_num_threads`, undone at the end."""
    before = launch.get_num_threads()
    yield launch.set_num_threads
    launch.set_num_threads(before)


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


def test_blocks_of_a_product_do_not_depend_on_threads(threads, monkeypatch):
    seen = []
    monkeypatch.setattr(gemm, "Launch", lambda *cut: seen.append(cut) or (lambda *arrays: None))
    for count in (1, 2):
        threads(count)
        gemm._product.cache_clear()
        matmul(np.ones((300, 300), np.float32), np.ones((300, 300), np.float32))
    gemm._product.cache_clear()
    assert seen[0] == seen[1]
