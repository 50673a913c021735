"""The parallel launcher: what it hands to the workers stays in memory until they are done."""

import os
import subprocess
import sys

import pytest

from ops.kernels.launch import get_num_threads

# Large enough for the parallel loop, and small enough for the serial one.
PRODUCTS = """
import numpy as np
from ops.kernels.gemm import matmul
for size in 600, 60:
    square = np.ones((size, size))
    for _ in range(10):
        assert (matmul(square, square) == size).all(), size
"""


@pytest.mark.skipif(get_num_threads() < 2, reason="one core: nothing runs in parallel")
def test_memory_that_is_freed_too_early_would_show():
    """glibc overwrites what is freed at once here.

    numba once released the task counter before the loop that reads it: the loop's use was an address, and
    it moved the array's last use in front of the loop.  Now and then another thread then got that memory,
    and tasks were left out.
    """
    tunables = "glibc.malloc.tcache_count=0:glibc.malloc.perturb=85"
    environment = {**os.environ, "GLIBC_TUNABLES": tunables, "TINYGRAD_HW_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, "-c", PRODUCTS], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
