"""What pytest collects and how long it takes.

Parity tests and PyTorch's side of the benchmark are collected only where PyTorch is installed.
``--quick`` leaves out what is marked slow and, unless they are asked for by name, the parity tests, and tries
few random examples; other numbers of examples with ``--hypothesis-profile`` (see
``tinygrad_hw/testing/pytest_plugin.py``).
"""

import importlib.util

import hypothesis

from tinygrad_hw.testing import pytest_plugin

HAS_TORCH = importlib.util.find_spec("torch") is not None

collect_ignore_glob = [] if HAS_TORCH else ["tests/parity/*", "bench/*_torch.py", "bench/classification_*.py"]
if importlib.util.find_spec("skimage") is None:
    collect_ignore_glob.append("nets/reading/*")  # their examples need the extra "ocr"

pytest_plugin.register_profiles()
hypothesis.settings.load_profile("ci")  # before test modules are imported


def pytest_addoption(parser):
    parser.addoption("--quick", action="store_true",
                     help="leave out slow tests and tests/parity, try few random examples")


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: left out by --quick")
    if config.getoption("--quick"):
        hypothesis.settings.load_profile("quick")
        if not any("parity" in str(argument) for argument in config.args):
            collect_ignore_glob.append("tests/parity/*")


def pytest_collection_modifyitems(config, items):
    if config.getoption("--quick"):
        slow = [item for item in items if item.get_closest_marker("slow")]
        items[:] = [item for item in items if not item.get_closest_marker("slow")]
        config.hook.pytest_deselected(items=slow)


def pytest_report_header():
    """Say it where the parity tests are left out."""
    if not HAS_TORCH:
        return "PyTorch is not installed: tests/parity is left out (pip install torch==2.13.0)"
    return None
