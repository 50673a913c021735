"""Every op of the table through every check.

One row an op, one column a check: the tests below are generated from ``ops.TABLE``, so an op that is
defined is an op that is proved.  An op may be exempt from a check only with a reason in its record.
``--quick`` tries the values, the gradient, the ties and the bad calls of every op, and of the checks that are
`in_turns` each of every fifth.
"""

import numpy as np
import pytest

import ops
import tinygrad_hw as thw
from ops.core import TABLE, Composite, Traced
from ops.samples import spaced
from tests.ties import TIES
from tinygrad_hw.testing import KinkWarning, gradcheck, gradgradcheck

pytestmark = pytest.mark.filterwarnings(f"error::{KinkWarning.__module__}.KinkWarning")  # judges nothing

NAMES = sorted(name for name in TABLE if not name.endswith("_example"))


def cases(name, seed=0):
    record = TABLE[name]
    assert record.samples is not None, f"{name} has no samples"
    found = list(record.samples(np.random.Generator(np.random.Philox(seed))))
    assert found, f"{name} has no samples"
    return found


def differentiable(name):
    record = TABLE[name]
    return set(record.differentiable) if isinstance(record, Composite) else set(record.rules)


def names_for(check):
    """The ops that a check applies to."""
    return [name for name in NAMES if check not in TABLE[name].exempt
            and (check not in ("gradient", "second_order") or differentiable(name))]


IN_TURNS = ("second_order", "recorded_gradient", "float32", "layout", "repeatable")


def in_turns(check):
    """`names_for` a check of which ``--quick`` leaves out four ops in five, for every check others."""
    applies = names_for("gradient" if check == "recorded_gradient" else check)
    turn = IN_TURNS.index(check)
    return [pytest.param(name, marks=pytest.mark.slow if (number + turn) % len(IN_TURNS) else [])
            for number, name in enumerate(NAMES) if name in applies]


def outputs_of(result):
    """The arrays of a result: one array or the items of a tuple."""
    several = result if isinstance(result, (tuple, list)) else (result,)
    return [np.asarray(ops.core.array_of(r)) for r in several]


def map_arrays(change, value):
    """``change`` applied to every array in nested tuples and lists."""
    if isinstance(value, np.ndarray):
        return change(value)
    if type(value) in (tuple, list):
        return type(value)(map_arrays(change, item) for item in value)
    return value


def changed(case, change):
    return ([map_arrays(change, a) for a in case.args],
            {k: map_arrays(change, v) for k, v in case.kwargs.items()})


def is_float(value):
    return isinstance(value, np.ndarray) and value.dtype.kind == "f"


def as_function(name, case):
    """The op as a function of its differentiable float arguments, and those arguments as leaves."""
    record = TABLE[name]
    kinds = record.__signature__.parameters
    variadic = next((p for p in kinds if kinds[p].kind is kinds[p].VAR_POSITIONAL), None)
    named = [p for p in record.parameters
             if p != variadic and kinds[p].kind is not kinds[p].KEYWORD_ONLY]
    bound = dict(zip(named, case.args)) | case.kwargs
    if variadic:
        bound[variadic] = tuple(case.args[len(named):])
    positional = list(bound)[:len(case.args)] if not variadic else [p for p in named if p in bound]
    leaves, slots = [], []

    def leaf(array, *slot):
        leaves.append(thw.from_numpy(array.copy(order="K")).requires_grad_())
        slots.append(slot)

    for key in record.parameters:
        value = bound.get(key)
        if key not in differentiable(name):
            continue
        if is_float(value):
            leaf(value, key, None)
        elif type(value) in (tuple, list):
            for i, item in enumerate(value):
                if is_float(item):
                    leaf(item, key, i)

    def function(*tensors):
        arguments = dict(bound)
        for (key, i), tensor in zip(slots, tensors):
            if i is None:
                arguments[key] = tensor
            else:
                items = enumerate(arguments[key])
                arguments[key] = type(bound[key])(tensor if j == i else item for j, item in items)
        first = [arguments.pop(p) for p in positional]
        rest = arguments.pop(variadic) if variadic else ()
        result = record(*first, *rest, **arguments)
        return result[0] if record.outputs else result  # the further outputs are constants for the graph

    return function, leaves


@pytest.mark.parametrize("name", names_for("values"))
def test_values(name):
    """The forward function agrees with the independent NumPy reference."""
    record = TABLE[name]
    assert record.reference is not None, f"{name} has no reference"
    for case in cases(name):
        ours = outputs_of(record(*case.args, **case.kwargs))
        theirs = outputs_of(record.reference(*case.args, **case.kwargs))
        for mine, other in zip(ours, theirs, strict=True):
            assert mine.shape == other.shape, f"{case}: shape {mine.shape}, reference {other.shape}"
            np.testing.assert_allclose(mine, other, rtol=1e-9, atol=1e-10, err_msg=str(case))


@pytest.mark.parametrize("name", names_for("gradient"))
def test_gradient(name):
    """First order against central differences, along random cotangents, in float64.

    Samples of thousands of elements, which are there for a kernel's sake, are moved along random directions.
    """
    checked = 0
    for case in cases(name):
        function, leaves = as_function(name, case)
        if leaves:
            assert gradcheck(function, leaves, fast_mode=sum(leaf.array.size for leaf in leaves) > 1000)
            checked += 1
    assert checked, f"{name}: no sample has a differentiable float array"


@pytest.mark.parametrize("name", [name for name in names_for("gradient") if TABLE[name].parts])
def test_gradient_of_some_parts(name):
    """Where one node makes several views, each of which may be used or not: every part but one."""
    for case in cases(name):
        function, leaves = as_function(name, case)
        for missing in range(len(function(*leaves))):
            def others(*tensors, function=function, missing=missing):
                return [part for i, part in enumerate(function(*tensors)) if i != missing]

            if others(*leaves):
                joint = sum((part * (2.0 + i)).sum() for i, part in enumerate(others(*leaves)))
                found = thw.autograd.grad(joint, leaves)[0]
                alone = [thw.autograd.grad((part * (2.0 + i)).sum(), leaves)[0].array
                         for i, part in enumerate(others(*leaves))]
                np.testing.assert_allclose(found.array, sum(alone), rtol=1e-12, err_msg=str(case))


@pytest.mark.parametrize("name", in_turns("second_order"))
def test_second_order(name):
    """The gradient's own gradient, in the inputs and in the cotangent."""
    for case in cases(name):
        function, leaves = as_function(name, case)
        if leaves and sum(leaf.array.size for leaf in leaves) <= 150:
            assert gradgradcheck(function, leaves)


@pytest.mark.parametrize("name", in_turns("recorded_gradient"))
def test_recorded_gradient(name):
    """The rules on Tensors, which make a graph, give what they give on arrays, where kernels compute."""
    for case in cases(name):
        function, leaves = as_function(name, case)
        result = function(*leaves) if leaves else ()
        outs = [out for out in (result if isinstance(result, (tuple, list)) else [result])
                if isinstance(out, Traced) and out.requires_grad]
        if outs:
            rng = np.random.default_rng(0)
            cotangents = [thw.from_numpy(spaced(rng, out.array.shape, -1.5, 1.6)) for out in outs]
            plain, recorded = (
                thw.autograd.grad(outs, leaves, cotangents, retain_graph=True, create_graph=recorded,
                                  materialize_grads=True) for recorded in (False, True))
            for mine, other in zip(recorded, plain, strict=True):
                np.testing.assert_allclose(mine.array, other.array, rtol=1e-9, atol=1e-11,
                                           err_msg=str(case))
            for leaf, together in zip(leaves, plain) if len(leaves) > 1 else ():
                alone, = thw.autograd.grad(outs, leaf, cotangents, retain_graph=True, materialize_grads=True)
                np.testing.assert_allclose(alone.array, together.array, rtol=1e-12, err_msg=str(case))


def gradients_at_tie(name, case, create_graph=False):
    """What each list among the arguments, made a Tensor, receives from the cotangent 1, 2, 3, ..."""
    args = [thw.tensor(value, dtype=thw.float64, requires_grad=True) if type(value) is list else value
            for value in case.args]
    result = TABLE[name](*args, **case.kwargs)
    result = result[0] if TABLE[name].outputs else result
    cotangent = np.asarray(1.0 + np.arange(result.array.size)).reshape(result.array.shape)
    leaves = [value for value in args if isinstance(value, Traced)]
    return thw.autograd.grad(result, leaves, thw.from_numpy(cotangent).requires_grad_(create_graph),
                             create_graph=create_graph)


@pytest.mark.parametrize("name", TIES)
def test_gradient_at_ties(name):
    """PyTorch's choice where a difference quotient is blind: kinks, ties, bounds, options."""
    for case, expected in TIES[name]:
        for recorded in (False, True):
            found = gradients_at_tie(name, case, recorded)
            for mine, other in zip(found, expected, strict=True):
                assert mine.requires_grad == recorded, f"{case}: the graph of the gradient is lost"
                np.testing.assert_allclose(mine.array, other, rtol=1e-12, err_msg=str(case))


@pytest.mark.parametrize("name", in_turns("float32"))
def test_float32(name):
    """Float32 in, float32 out, close to the float64 result."""
    for case in cases(name):
        args, kwargs = changed(case, lambda a: a.astype(np.float32) if is_float(a) else a)
        narrow = outputs_of(TABLE[name](*args, **kwargs))
        args, kwargs = changed(
            case, lambda a: a.astype(np.float32).astype(np.float64) if is_float(a) else a)
        wide = outputs_of(TABLE[name](*args, **kwargs))
        for mine, other in zip(narrow, wide, strict=True):
            if other.dtype.kind == "f" and any(map(is_float, [*case.args, *case.kwargs.values()])):
                if case.kwargs.get("dtype") is None and name != "cast":
                    assert mine.dtype == np.float32, f"{case} gave {mine.dtype}"
                np.testing.assert_allclose(mine, other, rtol=2e-5, atol=2e-5, err_msg=str(case))
            else:
                np.testing.assert_array_equal(mine, other, err_msg=str(case))


def spread(array):
    """The same values in memory that is neither contiguous nor in order."""
    if array.ndim == 0:
        return array
    wide = np.empty(tuple(2 * n for n in array.shape[::-1]), array.dtype).T
    view = wide[tuple(slice(None, None, -2) for _ in array.shape)]
    view[...] = array
    return view


@pytest.mark.parametrize("name", in_turns("layout"))
def test_layout(name):
    """Strided, reversed and transposed memory gives what contiguous memory gives."""
    for case in cases(name):
        args, kwargs = changed(case, spread)
        for mine, other in zip(outputs_of(TABLE[name](*args, **kwargs)),
                               outputs_of(TABLE[name](*case.args, **case.kwargs)), strict=True):
            np.testing.assert_allclose(mine, other, rtol=1e-12, atol=1e-13, err_msg=str(case))


@pytest.mark.parametrize("name", in_turns("layout"))
def test_equal_types(name):
    """A type may be equal to NumPy's and not the very same object: that of an array from another process."""
    def with_its_own_type(array):
        return array.view(np.dtype(array.dtype, copy=True)) if isinstance(array, np.ndarray) else array

    assert with_its_own_type(np.ones(1)).dtype is not np.dtype(np.float64)
    for case in cases(name):
        args, kwargs = changed(case, with_its_own_type)
        for mine, other in zip(outputs_of(TABLE[name](*args, **kwargs)),
                               outputs_of(TABLE[name](*case.args, **case.kwargs)), strict=True):
            np.testing.assert_allclose(mine, other, rtol=1e-12, atol=1e-13, err_msg=str(case))


@pytest.mark.parametrize("name", in_turns("repeatable"))
def test_repeatable(name):
    """An op writes to no input, and a call gives the same bits again, for any number of threads."""
    threads = thw.get_num_threads()
    for case in cases(name):
        args, kwargs = changed(case, np.copy)
        first = outputs_of(TABLE[name](*args, **kwargs))
        for mine, other in zip([*args, *kwargs.values()], [*case.args, *case.kwargs.values()]):
            if isinstance(mine, np.ndarray):
                np.testing.assert_array_equal(mine, other, err_msg=f"{name} changed its input")
        try:
            for count in (1, 2):
                thw.set_num_threads(count)
                for mine, other in zip(outputs_of(TABLE[name](*args, **kwargs)), first, strict=True):
                    np.testing.assert_array_equal(mine, other, err_msg=f"{count} threads: {case}")
        finally:
            thw.set_num_threads(threads)


@pytest.mark.parametrize("name", NAMES)
def test_samples_hold_empty_and_zero_dimensional(name):
    """Every op is tried on an empty array and on a 0-d one, or says why not."""
    arrays = []
    for case in cases(name):
        changed(case, lambda a: arrays.append(a) or a)
    record = TABLE[name]
    assert "empty" in record.exempt or any(a.size == 0 for a in arrays), f"{name} has no empty sample"
    assert "zero_dim" in record.exempt or any(a.ndim == 0 for a in arrays), f"{name} has no 0-d sample"


@pytest.mark.parametrize("name", names_for("bad"))
def test_bad_input_is_refused(name):
    """Each bad call raises the error its record names, from arrays and from Tensors."""
    assert TABLE[name].bad, f"{name} has no bad calls"
    for bad in TABLE[name].bad:
        with pytest.raises(bad.error, match=bad.match):
            TABLE[name](*bad.args, **bad.kwargs)
        wrapped = [thw.from_numpy(a) if isinstance(a, np.ndarray) else a for a in bad.args]
        if any(isinstance(a, Traced) for a in wrapped):
            with pytest.raises(bad.error, match=bad.match):
                TABLE[name](*wrapped, **bad.kwargs)


@pytest.mark.parametrize("name", NAMES)
def test_docstring_has_an_example(name):
    """Every op says what it does and shows it; the example itself runs under doctest."""
    assert TABLE[name].__doc__ and ">>>" in TABLE[name].__doc__, f"{name} has no example"


def test_exemptions_are_few_and_reasoned():
    """A check is left out only by name, with a reason of some words, for a small part of the table."""
    checks = {"values", "gradient", "second_order", "float32", "layout", "repeatable",
              "empty", "zero_dim", "bad"}
    exempt = [(name, check, reason) for name in NAMES for check, reason in TABLE[name].exempt.items()]
    assert all(check in checks and len(reason.split()) >= 2 for _, check, reason in exempt), exempt
    unproved = [e for e in exempt if e[1] not in ("empty", "zero_dim", "bad")]
    assert len(unproved) < 0.05 * len(NAMES), unproved
