"""Short calls as homework writes them, right and wrong ones: in both libraries they print the same, or end in
the same type of error.  ``homework_calls.txt`` has one on each line; ``x`` is ``torch.ones(2, 3)``."""

import pathlib
import re
import warnings

import pytest
from side_by_side import BOTH

import tinygrad_hw as thw

torch = pytest.importorskip("torch")

CALLS = (pathlib.Path(__file__).parent / "homework_calls.txt").read_text().splitlines()
OTHERWISE = {
    r"exp\(np.ones|add\(1, 2\)": "NumPy arrays and numbers are computed",
    r"dtype='float32'|dtype=np.float32": "dtypes may be given by name, or as NumPy's",
    r"to\('cuda'\)": "a RuntimeError that says there is the CPU only; an AssertionError in PyTorch",
    r"^F\.(l1|mse)_loss\(x, ('a'|1\.0|\[1, 2\])": "a TypeError that names the argument",
    r"^F\.unfold\(x, 2\)": "a RuntimeError; PyTorch runs into an IndexError",
}
"""Calls that end otherwise on purpose."""


def outcome(call, library):
    """What the call prints; its error's nearest built-in type if it fails."""
    functional = library.nn.functional
    names = {"torch": library, "nn": library.nn, "F": functional, "np": __import__("numpy"),
             "x": library.ones(2, 3)}
    library.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            text = repr(eval(call, names)).replace("tinygrad_hw", "torch")
        except Exception as error:
            return next(kind for kind in type(error).__mro__ if kind.__module__ == "builtins")
    return re.sub(r"grad_fn=<\w+>", "grad_fn", re.sub(r"1\.0000\b", "1.", text))


@pytest.mark.parametrize("call", CALLS)
def test_call(call):
    if any(re.search(pattern, call) for pattern in OTHERWISE):
        assert outcome(call, torch) != outcome(call, thw)
        return
    theirs, ours = (outcome(call, library) for library in BOTH)
    assert ours == theirs
