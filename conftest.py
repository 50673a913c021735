"""What pytest collects: parity tests and PyTorch's side of the benchmark only where PyTorch is installed."""

import importlib.util

HAS_TORCH = importlib.util.find_spec("torch") is not None

collect_ignore_glob = [] if HAS_TORCH else ["tests/parity/*", "bench/characters_torch.py"]


def pytest_report_header():
    """Say it where the parity tests are left out."""
    if not HAS_TORCH:
        return "PyTorch is not installed: tests/parity is left out (pip install torch==2.13.0)"
    return None
