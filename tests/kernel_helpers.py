"""What the tests of matrix products and convolutions share: arrays in any layout, bounds on sums."""

import os
import subprocess
import sys

import numpy as np
from hypothesis import settings

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DTYPES = [np.float32, np.float64]
EPS = {np.float32: 1.2e-7, np.float64: 2.3e-16}
EXAMPLES = settings().max_examples  # of the chosen profile; tests of many shapes take several times as many


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


def run_python(code, **environment):
    environment = {**os.environ, **environment}
    arguments = [sys.executable, "-c", code]
    return subprocess.run(
        arguments, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
    )
