"""What pytest collects, in which order, and how long it takes.

Parity tests and PyTorch's side of the benchmark are collected only where PyTorch is installed.
``--quick`` leaves out what is marked slow and, unless they are asked for by name, the parity tests with
PyTorch's side of the benchmark, and tries few random examples; other numbers of examples with
``--hypothesis-profile`` (see ``tinygrad_hw/testing/pytest_plugin.py``). Every op stays in it, with its values
and its gradient (see ``tests/test_table.py``). What takes long begins first, so that no process is left with
it at the end.
"""

import gc
import importlib.util

import hypothesis

from tinygrad_hw.testing import pytest_plugin

HAS_TORCH = importlib.util.find_spec("torch") is not None
NEEDS_TORCH = ["tests/parity/*", "bench/*_torch.py", "bench/classification_*.py"]

collect_ignore_glob = [] if HAS_TORCH else [*NEEDS_TORCH]
if importlib.util.find_spec("skimage") is None:
    collect_ignore_glob.append("nets/reading/*")  # their examples need the extra "ocr"

pytest_plugin.register_profiles()
hypothesis.settings.load_profile("ci")  # before test modules are imported


def pytest_addoption(parser):
    parser.addoption("--quick", action="store_true",
                     help="leave out slow tests and tests/parity, try few random examples")


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: left out by --quick, otherwise begun first")
    config.addinivalue_line("markers", "long: takes a second or more; begun first")
    if config.getoption("--quick"):
        hypothesis.settings.load_profile("quick")
        if not any("parity" in str(argument) for argument in config.args):
            collect_ignore_glob.extend(NEEDS_TORCH)


def pytest_collection_modifyitems(config, items):
    def marks(item):
        return [item.get_closest_marker(name) is not None for name in ("slow", "long")]

    items.sort(key=marks, reverse=True)  # first slow ones, then long ones, then the others as they were
    if config.getoption("--quick"):
        slow = [item for item in items if item.get_closest_marker("slow")]
        del items[:len(slow)]
        config.hook.pytest_deselected(items=slow)


def pytest_collection_finish():
    gc.collect()
    gc.freeze()  # ten thousand tests live to the end: no collection of garbage need look at them again


def pytest_report_header():
    """Say it where the parity tests are left out."""
    if not HAS_TORCH:
        return "PyTorch is not installed: tests/parity is left out (pip install torch==2.13.0)"
    return None
