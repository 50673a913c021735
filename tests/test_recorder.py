"""The functions that are written for ops: they leave the nodes that `link` makes, however they are called."""

import dis
import inspect
import traceback

import numpy as np
import pytest

import ops
import tinygrad_hw as torch
from ops.core import TABLE, Composite
from tests.test_table import cases, is_float
from tinygrad_hw.autograd.graph import link
from tinygrad_hw.recorder import recorder, written
from tinygrad_hw.recorder_text import source_of
from tinygrad_hw.tensor import Tensor

PLAIN_OPS = [name for name, op in TABLE.items() if not isinstance(op, Composite)]


def tensors(value):
    """Tensors for arrays, those of floats with a gradient."""
    if isinstance(value, np.ndarray):
        return Tensor._wrap(value.copy()).requires_grad_(is_float(value))
    return type(value)(map(tensors, value)) if type(value) in (tuple, list) else value


def same(one, other) -> bool:
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return type(one) is type(other) and one.dtype == other.dtype and np.array_equal(one, other, True)
    if type(one) in (tuple, list) and type(other) in (tuple, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and (one == other or one != one)


@pytest.mark.parametrize("name", [name for name in PLAIN_OPS if TABLE[name].rules and not TABLE[name].parts])
def test_nodes_are_those_of_link(name):
    op = TABLE[name]
    for case in cases(name):
        args, kwargs = tuple(map(tensors, case.args)), {key: tensors(one) for key, one in case.kwargs.items()}
        results = written(op)(*args, **kwargs)
        results = results if op.outputs else (results,)
        edge = results[0]._edge() if isinstance(results[0], Tensor) else None
        values = op.bind(args, kwargs)
        if edge is None or any(results[0] is value for value in values):
            continue
        expected = link(op, values, results)
        node = edge[0]
        assert node.op is op and edge[1] == 0
        assert node.edges == expected.edges and node._fits == expected._fits
        assert node._plan.saves == expected._plan.saves and same(node.saved, expected.saved)
        assert [type(one) for one in node.origins] == [type(one) for one in expected.origins]
        for origin, other in zip(node.origins, expected.origins):
            assert origin == other and (type(origin) is not tuple or origin[0] is other[0])


@pytest.mark.parametrize("name", PLAIN_OPS)
def test_no_argument_has_a_name_that_the_text_uses(name):
    op, code = TABLE[name], written(TABLE[name]).__code__
    given = code.co_varnames[:code.co_argcount + code.co_kwonlyargcount]
    used = {one.argval for one in dis.get_instructions(code) if one.opname == "LOAD_GLOBAL"}
    assert not {*given} & {*used, *code.co_varnames[len(given):]}
    assert {*given} - {"axis", "keepdims", "out", "traced"} <= {*op.parameters} <= {*given}


def test_what_only_one_rule_needs_is_saved_for_that_one():
    x, y = torch.ones(2, requires_grad=True), torch.full((2,), 3.0)
    (x * y).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]
    y.requires_grad_()
    (x.detach() * y).sum().backward()
    assert y.grad.tolist() == [1.0, 1.0]


def test_numpys_names_of_arguments():
    x = torch.arange(6.0).reshape(2, 3).requires_grad_()
    for sums in (x.sum(axis=1, keepdims=True), torch.sum(x, axis=1, keepdims=True), x.sum(1, keepdims=True)):
        assert sums.tolist() == [[3.0], [12.0]]
    assert x.cumsum(axis=0).tolist() == torch.cumsum(x, axis=0).tolist() == [[0, 1, 2], [3, 5, 7]]


@pytest.mark.parametrize("call, text", [
    (lambda x: x.sum(0, 1), r"sum\(\): argument 'keepdim' \(position 3\) must be bool, not int"),
    (lambda x: x.exp(1), r"exp\(\) takes 1 positional argument but 2 were given"),
    (lambda x: x.atan2(), r"atan2\(\) missing 1 required positional argument: 'other'"),
    (lambda x: torch.atan2(x), r"atan2\(\) missing 1 required positional argument: 'other'"),
    (lambda x: x.exp(wrong=1), r"exp\(\) got an unexpected keyword argument 'wrong'"),
    (lambda x: x.atan2([1.0]), r"must be Tensor, not list"),
])
def test_calls_that_do_not_fit(call, text):
    for _ in range(2):  # the first call of a method is one that writes the recorder
        with pytest.raises(TypeError, match=text):
            call(torch.ones(2, 2, requires_grad=True))


def test_methods_are_the_recorders_with_the_ops_signature():
    torch.ones(2).square()
    assert Tensor.square is ops.square.recorded is recorder(ops.square)
    assert inspect.signature(Tensor.square) == inspect.signature(ops.square)
    assert Tensor.square.__doc__ == ops.square.__doc__ and Tensor.square.__name__ == "square"


def test_tracebacks_show_the_text():
    with pytest.raises(RuntimeError) as caught:
        torch.ones(2) + torch.ones(3)
    shown = "".join(traceback.format_exception(caught.value))
    assert "computed = op.forward(input_array, other_array, " in shown


def test_a_subclass_or_an_array_in_the_first_place():
    weight = torch.nn.Parameter(torch.ones(2))
    assert (weight * 2).requires_grad and torch.mul(np.ones(2), weight).requires_grad
    assert torch.mul(2.0, weight).requires_grad and type(weight * 2) is Tensor


def test_an_op_that_is_defined_later_is_recorded_too():
    @ops.core.op(grad=dict(input=lambda g, input: ops.mul(g, ops.mul(input, 2))), name="later_example")
    def later(input):
        return input * input

    try:
        x = torch.tensor([3.0], requires_grad=True)
        later(x).backward()
        assert x.grad.tolist() == [6.0]
        assert later.recorded is recorder(later) and "grad_mode.recording" in source_of(later)
    finally:
        del TABLE["later_example"]
