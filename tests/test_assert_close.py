"""`assert_close`: tolerances by dtype, and a message that shows where and how much."""

import inspect

import numpy as np
import pytest

import tinygrad_hw as thw
from tinygrad_hw import tensor
from tinygrad_hw.testing import assert_close

NAN = float("nan")


def test_the_message_shows_where_and_how_much():
    actual = tensor([[1.0, 2.0], [3.0, 4.0]], dtype=thw.float64)
    expected = tensor([[1.5, 2.0], [3.0, 5.0]], dtype=thw.float64)
    with pytest.raises(AssertionError) as caught:
        assert_close(actual, expected)
    assert str(caught.value) == (
        "Tensor-likes are not close!\n\n"
        "Mismatched elements: 2 / 4 (50.0%)\n"
        "Greatest absolute difference: 1.0 at index (1, 1) (up to 1e-07 allowed)\n"
        "Greatest relative difference: 0.3333333333333333 at index (0, 0) (up to 1e-07 allowed)\n"
        "At index (1, 1): actual 4.0, expected 5.0\n"
        "At index (0, 0): actual 1.0, expected 1.5"
    )


@pytest.mark.parametrize("dtype, rtol, atol", [
    (thw.float32, 1.3e-6, 1e-5), (thw.float64, 1e-7, 1e-7), (thw.int64, 0, 0),
])
def test_default_tolerances(dtype, rtol, atol):
    for value in (0, 1000):
        allowed = atol + rtol * value
        expected = tensor([value], dtype=dtype)
        assert_close(tensor([value + 0.9 * allowed], dtype=dtype), expected)
        with pytest.raises(AssertionError):
            assert_close(tensor([value + max(1.2 * allowed, dtype == thw.int64)], dtype=dtype), expected)


def test_the_less_precise_dtype_decides():
    narrow, wide = tensor([1.0]), tensor([1.000005], dtype=thw.float64)
    assert_close(narrow, wide, check_dtype=False)
    with pytest.raises(AssertionError, match=r"attribute 'dtype' do not match: .*float32 != .*float64"):
        assert_close(narrow, wide)


@pytest.mark.parametrize("actual, expected, options", [
    (tensor([NAN, 1.0]), tensor([NAN, 1.0]), dict(equal_nan=True)),
    (tensor([float("inf")]), tensor([float("inf")]), {}),
    (tensor([]), tensor([]), {}),
    (1, 1.0, dict(check_dtype=False)),
    ({"w": [np.ones(2), 3]}, {"w": (np.ones(2), 3)}, {}),
    (None, None, {}),
    (tensor([1.0], requires_grad=True), tensor([1.0]), {}),
    (tensor([[1.0, 2.0]]).t(), tensor([[1.0], [2.0]]), {}),
    (tensor([1.0]), tensor([1.05]), dict(rtol=0.1, atol=0)),
])
def test_what_is_close(actual, expected, options):
    assert_close(actual, expected, **options)


@pytest.mark.parametrize("actual, expected, options, text", [
    (tensor([NAN]), tensor([NAN]), {}, r"Greatest absolute difference: nan at index \(0,\)"),
    (tensor([1.0]), tensor([float("inf")]), {}, "difference: inf at index"),
    (tensor([1.0]), tensor([1.0, 2.0]), {}, r"attribute 'shape' do not match: .*\(\[1\]\) != .*\(\[2\]\)"),
    (tensor([200], dtype=thw.uint8), tensor([201], dtype=thw.uint8), {},
     r"are not equal!\n\nMismatched elements: 1 / 1 \(100.0%\)\nGreatest absolute difference: 1 at"),
    (tensor([True]), tensor([False]), {}, r"absolute difference: 1 at index \(0,\)"),
    (tensor(1.0), tensor(2.0), {}, r"Scalars are not close!\n\nExpected 2.0 but got 1.0.\nAbsolute diff"),
    (1, 2, {}, "Scalars are not equal!\n\nExpected 2 but got 1.\nAbsolute difference: 1\nRelative"),
    (1, 1.0, {}, r"The \(d\)types do not match: <class 'int'> != <class 'float'>"),
    (True, False, {}, "Booleans mismatch: True is not False"),
    (None, 1, {}, "None mismatch: None is not 1"),
    ([1.0], [1.0, 2.0], {}, "The length of the sequences mismatch: 1 != 2"),
    ({"a": 1}, {"b": 1}, {}, r"Missing keys in the actual mapping: \['b'\]\nAdditional keys in .*\['a'\]"),
    ({"layer": [1.0, 2.0]}, {"layer": [1.0, 3.0]}, {}, r"The failure occurred for item \['layer'\]\[1\]"),
    (tensor([[1.0, 2.0]]).t(), tensor([[1.0], [2.0]]), dict(check_stride=True), r"attribute 'stride\(\)'"),
    (np.ones(2), np.zeros(2), dict(msg="my own text"), "^my own text$"),
    (1, 2, dict(msg=lambda text: f"step 3: {text}"), "^step 3: Scalars are not equal"),
])
def test_what_is_not_close(actual, expected, options, text):
    with pytest.raises(AssertionError, match=text):
        assert_close(actual, expected, **options)


def test_refusals():
    with pytest.raises(ValueError, match="must be either specified or omitted, but got no atol"):
        assert_close(1.0, 1.0, rtol=0.1)
    for value in ([1.0], 1.0, "text", np.ones(1)):
        with pytest.raises(TypeError, match="No comparison pair was able to handle inputs of type"):
            assert_close(tensor([1.0]), value)
    with pytest.raises(TypeError, match="Parameter"):
        assert_close(tensor([1.0]), thw.nn.Parameter(tensor([1.0])), allow_subclasses=False)


def test_it_has_pytorchs_arguments():
    assert str(inspect.signature(assert_close)).replace("'", "") == (
        "(actual, expected, *, allow_subclasses: bool = True, rtol: float | None = None, atol: float | "
        "None = None, equal_nan: bool = False, check_device: bool = True, check_dtype: bool = True, "
        "check_layout: bool = True, check_stride: bool = False, msg=None) -> None")
