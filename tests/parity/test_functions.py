"""Every op on all samples of its record: values, dtypes, gradients, errors, signatures.

The list is made from ``ops.TABLE``, so an op that is defined is an op that is compared.
"""

import inspect
import itertools

import numpy as np
import pytest
from counterparts import (
    DEFAULTS,
    INTERNAL_NAMESAKES,
    LENIENT,
    NAMES,
    NOT_FOR_INTEGERS,
    OTHER_GRADIENTS,
    OUR_BAD_CALLS,
    PROMOTION,
    SAMPLES,
    TIES,
    UNCOMPARED_GRADIENTS,
    UNCOMPARED_SIGNATURES,
    counterpart,
    is_public,
    public,
)
from harness import (
    DTYPES,
    arguments,
    arrays_in,
    attempt,
    cast_floats,
    check_calls,
    check_errors,
    check_gradients,
    describe,
    dtype_pairs,
    generator,
    no_kernel,
    to_integers,
    to_ours,
    to_torch,
)
from signatures import IGNORED, REQUIRED, overloads

import tinygrad_hw as thw
from ops.core import TABLE, Composite, Op

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.filterwarnings("ignore")


def samples(name):
    """The calls of an op's record; without the ones that PyTorch computes wrongly."""
    wrong = SAMPLES.get(name, {})
    for case in TABLE[name].samples(generator()):
        if describe(name, case.args, case.kwargs) not in wrong:
            yield case.args, case.kwargs


def test_public_ops_are_those_that_pytorch_has():
    """An op is public under PyTorch's name, or it serves other ops."""
    assert {name for name in TABLE if is_public(name) and counterpart(name) is None} == set()
    assert {name for name in TABLE if not is_public(name) and counterpart(name)} == set(
        INTERNAL_NAMESAKES
    )


def test_exceptions_are_still_needed():
    """Lists of exceptions name only what exists."""
    for exceptions in (
        SAMPLES,
        NOT_FOR_INTEGERS,
        TIES,
        LENIENT,
        OTHER_GRADIENTS,
        PROMOTION,
        OUR_BAD_CALLS,
        UNCOMPARED_SIGNATURES,
        DEFAULTS,
    ):
        assert set(exceptions) <= set(NAMES)
    for name, wrong in SAMPLES.items():
        assert set(wrong) <= {
            describe(name, case.args, case.kwargs) for case in TABLE[name].samples(generator())
        }
    for name, calls in OUR_BAD_CALLS.items():
        assert set(calls) <= {describe(name, bad.args, bad.kwargs) for bad in TABLE[name].bad}


@pytest.mark.parametrize("name", NAMES)
def test_values(name):
    """Float64: same values, shape and dtype."""
    for args, kwargs in samples(name):
        check_calls(public(name), counterpart(name), args, kwargs, name)


@pytest.mark.parametrize("name", NAMES)
def test_float32(name):
    """Float32: same dtype, and values to float32's precision."""
    for args, kwargs in samples(name):
        check_calls(public(name), counterpart(name), *cast_floats(args, kwargs, np.float32), name)


def differentiable(name):
    """Whether the op's record says how to differentiate it."""
    record = TABLE[name]
    return bool(record.differentiable if isinstance(record, Composite) else record.rules)


@pytest.mark.parametrize("name", NAMES)
def test_gradient(name):
    """Float64: same gradients of every argument for the same random cotangents."""
    if name in OTHER_GRADIENTS:
        pytest.skip(OTHER_GRADIENTS[name])
    compared = sum(
        check_gradients(public(name), counterpart(name), args, kwargs, name, LENIENT.get(name))
        for args, kwargs in samples(name)
    )
    assert compared or not differentiable(name) or name in UNCOMPARED_GRADIENTS, (
        "no sample's gradient was compared")


ALIASES = sorted(name for name in dir(thw) if isinstance(getattr(thw, name), Op) and name not in TABLE)


@pytest.mark.parametrize("name", ALIASES)
def test_alias(name):
    """Second names: ``absolute`` is ``abs``, in PyTorch as well."""
    original = getattr(thw, name)
    for args, kwargs in samples(original.name):
        check_calls(original, getattr(torch, name), args, kwargs, name)


# ------------------------------------------------------------------ other dtypes


@pytest.mark.parametrize("name", NAMES)
def test_integers_and_bool(name):
    """All samples with integers in place of floats: the same result, or the same type of error."""
    if name in NOT_FOR_INTEGERS:
        pytest.skip(NOT_FOR_INTEGERS[name])
    for args, kwargs in samples(name):
        if any(a.size == 0 for a in arrays_in(args, kwargs)):
            continue  # PyTorch looks at the dtype only when there are elements
        for dtype in DTYPES[:5]:
            check_calls(
                public(name),
                counterpart(name),
                *to_integers(args, kwargs, dtype),
                name,
                first_only=name in TIES,
                precision=np.float32,
            )


BROADCASTING = [name for name in NAMES if TABLE[name].broadcasts and name not in PROMOTION]


@pytest.mark.parametrize("name", BROADCASTING)
def test_promotion(name):
    """The result's dtype for every pair of dtypes, ranks and Python numbers."""
    required = [
        p
        for p in inspect.signature(TABLE[name]).parameters.values()
        if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD
    ]
    for pair in dtype_pairs():
        if len(required) > 2 or len(required) == 1:
            pytest.skip("takes another number of operands: test_promotion_of_three")
        check_calls(public(name), counterpart(name), pair, {}, name, precision=np.float32)


@pytest.mark.parametrize("name", ["where", "lerp", "addcmul", "addcdiv", "clamp"])
def test_promotion_of_three(name):
    """Ops of three operands."""
    for left, right in dtype_pairs():
        for third in (np.array([1.0, 2.0]), 1, 0.5):
            args = (np.array([True, False]), left, right) if name == "where" else (left, right, third)
            check_calls(public(name), counterpart(name), args, {}, name, precision=np.float32)


# ------------------------------------------------------------------ errors and signatures


def bad_calls():
    """Every call that a record lists as refused."""
    for name in NAMES:
        for number, bad in enumerate(TABLE[name].bad):
            yield pytest.param(name, bad, id=f"{name}-{number}")


@pytest.mark.parametrize(("name", "bad"), list(bad_calls()))
def test_bad_calls(name, bad):
    """What our records refuse, PyTorch refuses with the same type of error.

    Where PyTorch's Python code stumbles over an attribute that a wrong type lacks, a TypeError is ours.
    """
    reason = OUR_BAD_CALLS.get(name, {}).get(describe(name, bad.args, bad.kwargs))
    if reason:
        pytest.skip(reason)
    theirs = attempt(
        counterpart(name), *(their := arguments(to_torch, bad.args, bad.kwargs))[0], **their[1]
    )
    ours = attempt(public(name), *(our := arguments(to_ours, bad.args, bad.kwargs))[0], **our[1])
    if isinstance(theirs.error, AttributeError):
        assert isinstance(ours.error, TypeError), ours
    elif no_kernel(theirs):
        assert isinstance(ours.error, RuntimeError), ours
    else:
        check_errors(ours, theirs, describe(name, bad.args, bad.kwargs))


@pytest.mark.parametrize("name", NAMES)
def test_wrong_types(name):
    """Text, a list or any object in place of a Tensor: the same type of error.

    Numbers are not tried: some ops of ours take them where PyTorch does not.
    """
    for args, kwargs in itertools.islice(samples(name), 2):
        for position, wrong in itertools.product(range(len(args)), ("text", [1.0], object())):
            if isinstance(args[position], np.ndarray):
                changed = (*args[:position], wrong, *args[position + 1 :])
                theirs = attempt(
                    counterpart(name), *map(to_torch, changed), **arguments(to_torch, (), kwargs)[1]
                )
                ours = attempt(public(name), *map(to_ours, changed), **arguments(to_ours, (), kwargs)[1])
                if isinstance(theirs.error, AttributeError):
                    assert isinstance(ours.error, (AttributeError, TypeError)), ours
                else:
                    check_errors(ours, theirs, describe(name, changed, kwargs))


@pytest.mark.parametrize("name", NAMES)
def test_signature(name):
    """The same parameter names with the same defaults; what several overloads require may have one."""
    theirs = overloads(name, counterpart(name))
    if theirs is None or name in UNCOMPARED_SIGNATURES:
        pytest.skip(UNCOMPARED_SIGNATURES.get(name, "PyTorch does not expose the signature"))
    ours = {p.name: p.default for p in inspect.signature(public(name)).parameters.values()}
    names = set().union(*theirs)
    assert set(ours) - IGNORED == names - IGNORED
    for parameter in set(ours) & names - set(DEFAULTS.get(name, ())):
        accepted = [overload[parameter] for overload in theirs if parameter in overload]
        overloaded = len(theirs) > 1 and REQUIRED in accepted
        if not overloaded and ... not in accepted:
            assert any(ours[parameter] is value or ours[parameter] == value for value in accepted), (
                f"{parameter}={ours[parameter]}, PyTorch has {accepted}"
            )


def test_missing_kernels_are_recognised():
    """The harness knows PyTorch's words for a dtype that it has no kernel for."""
    assert no_kernel(attempt(torch.addmm, *(torch.ones(2, 2, dtype=torch.bool),) * 3))
