"""Dtypes: names, promotion, casts, limits."""

import itertools

import numpy as np
import pytest
from harness import attempt, check_errors, check_values, to_ours, to_torch

import tinygrad_hw as thw

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.filterwarnings("ignore")
DTYPE_NAMES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float32", "float64"]


@pytest.mark.parametrize(
    "name",
    [
        "float32",
        "float64",
        "int8",
        "int16",
        "int32",
        "int64",
        "uint8",
        "bool",
        "float",
        "double",
        "long",
        "int",
        "short",
    ],
)
def test_dtype_names(name):
    """The names, and what they say of themselves."""
    ours, theirs = getattr(thw, name), getattr(torch, name)
    assert repr(ours)[12:] == repr(theirs)[6:]
    for attribute in ("is_floating_point", "is_complex", "is_signed", "itemsize"):
        assert getattr(ours, attribute) == getattr(theirs, attribute), attribute


@pytest.mark.parametrize("pair", itertools.product(DTYPE_NAMES, DTYPE_NAMES), ids="-".join)
def test_casts_between_dtypes(pair):
    """``promote_types``, ``can_cast`` and ``x.to(dtype)`` for every pair."""
    source, target = pair
    theirs = torch.promote_types(getattr(torch, source), getattr(torch, target))
    assert repr(thw.promote_types(getattr(thw, source), getattr(thw, target)))[12:] == repr(theirs)[6:]
    assert thw.can_cast(getattr(thw, source), getattr(thw, target)) == torch.can_cast(
        getattr(torch, source), getattr(torch, target)
    )
    values = np.array([0, 1, 100]).astype(source)
    for method in (
        lambda x, lib: x.to(getattr(lib, target)),
        lambda x, lib: x.type(getattr(lib, target)),
        lambda x, lib: x.to(dtype=getattr(lib, target)),
        lambda x, lib: x.to("cpu", getattr(lib, target)),
    ):
        check_values(
            method(to_ours(values), thw), method(to_torch(values), torch), f"{source} to {target}"
        )


@pytest.mark.parametrize(
    "pair",
    itertools.product(
        [
            np.ones(2),
            np.ones(2, np.float32),
            np.arange(2),
            np.array(1.0),
            np.array(1),
            np.array([True]),
            2,
            2.5,
            True,
        ],
        repeat=2,
    ),
    ids=str,
)
def test_result_type(pair):
    """``result_type`` of arrays, 0-d arrays and numbers."""
    theirs, ours = attempt(torch.result_type, *to_torch(pair)), attempt(thw.result_type, *to_ours(pair))
    check_errors(ours, theirs, str(pair))
    assert theirs.error or repr(ours.value)[12:] == repr(theirs.value)[6:]


@pytest.mark.parametrize("name", ["float32", "float64"])
def test_limits_of_floats(name):
    """finfo."""
    ours, theirs = thw.finfo(getattr(thw, name)), torch.finfo(getattr(torch, name))
    for attribute in ("eps", "max", "min", "tiny", "bits", "resolution", "smallest_normal"):
        assert float(getattr(ours, attribute)) == pytest.approx(getattr(theirs, attribute)), attribute


@pytest.mark.parametrize("name", ["int8", "int16", "int32", "int64", "uint8"])
def test_limits_of_integers(name):
    """iinfo."""
    ours, theirs = thw.iinfo(getattr(thw, name)), torch.iinfo(getattr(torch, name))
    assert (ours.max, ours.min, ours.bits) == (theirs.max, theirs.min, theirs.bits)
