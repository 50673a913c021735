"""The text of an op's recorder (``recorder.py``), from its signature to the node.

>>> import ops
>>> print(source_of(ops.neg))
def record(input, *, out=None, traced=False):
    if out is not None:
        return op.call(input, out=out)
    if type(input) is Tensor:
        input_array = input.array
    elif isinstance(input, Tensor):
        if input.deferred:
            return input.record(op, (input,), {})
        input_array = input.array
    elif traced:
        input_array = input if type(input) in PLAIN else unwrap(input)
    elif type(input) is ndarray:
        try:
            return op.forward(input)
        except Exception:
            return op.call(input)
    else:
        return op.call(input)
    try:
        computed = op.forward(input_array)
    except Exception as error:
        better = op.explain(error, (input,), {})
        if better is error:
            raise
        raise better from None
    if computed is input_array:
        return input
    result = new(Tensor)
    result.array = computed if type(computed) is ndarray else asarray(computed)
    result._history, result._view, result._version_counter = None, None, [0, None]
    if not grad_mode.recording or result.array.dtype.kind != "f":
        return result
    if not isinstance(input, Tensor):
        return result
    edge = input._history if input._view is None else input._edge()
    if edge is None:
        return result
    wanted, edges, fits = 1, [edge], [(input_array.shape, input_array.dtype)]
    node = new(OpNode)
    node.op, node.edges, node._fits, node.order = op, edges, fits, next(numbers)
    node._plan = op.plans.get(wanted) or plan_of(op, wanted)
    try:
        frame = getframe(1)
    except ValueError:
        frame = getframe(0)
    while inside[(code := frame.f_code).co_filename] and (caller := frame.f_back):
        frame = caller
    node.site = code, frame.f_lasti
    node.saved, node.origins = [], []
    result._history = node, 0
    return result
"""

from __future__ import annotations

import inspect

from ops.core import SPELLINGS, Op
from tinygrad_hw.recorder_node import indented, node_text

__all__ = ["source_of"]


def source_of(op: Op, instead: Op | None = None) -> str:
    """The text of an op's recorder: compute on arrays, wrap the results, make a node; see `written`.

    >>> import ops
    >>> print(source_of(ops.exp).partition("f_lasti")[2])
    <BLANKLINE>
        node.saved, node.origins = [result.array], [(result._version_counter, 0, 0)]
        result._history = node, 0
        return result
    """
    parts = [_begin(instead or op), _computed(op), _results(op)]
    if instead is not None:
        parts.insert(1, _unless_instead(op, instead))
    if op.rules and not op.parts:
        parts.append(node_text(op))
    return "".join(parts).rstrip("\n")


# ------------------------------------------------------------------ the parts of the text, from top to bottom


def _tuple(values) -> str:
    """Such as "(x,)" of ["x"]."""
    return "(" + ", ".join(values) + (",)" if len(values) == 1 else ")")


def _arguments(op: Op, first: int = 0) -> tuple[str, str]:
    """The arguments from the ``first`` on: a tuple of those given by position, a dict of the others.

    >>> import ops
    >>> _arguments(ops.sum)
    ('(input, dim, keepdim)', '{"dtype": dtype}')
    """
    parameters = list(op.__signature__.parameters.values())[first:]
    positional = _tuple([one.name for one in parameters if one.kind is not one.KEYWORD_ONLY])
    named = [f'"{one.name}": {one.name}' for one in parameters if one.kind is one.KEYWORD_ONLY]
    return positional, "{" + ", ".join(named) + "}"


def _begin(op: Op) -> str:
    """The signature, NumPy's names for arguments, and the check of flags.

    >>> import ops
    >>> print(_begin(ops.gather).partition(" is not")[0])
    def record(input, dim=MISSING, index=MISSING, *, sparse_grad=False, axis=None, out=None, traced=False):
        if axis
    """
    declared, spelled, missing, text = [], [], [], ""
    for one in op.__signature__.parameters.values():
        default = "" if one.default is inspect.Parameter.empty else f"={one.default!r}"
        if not default and (missing or one.name in SPELLINGS.values()):  # it may come by another name
            default, missing = "=MISSING", [*missing, one.name]
        if one.kind is one.KEYWORD_ONLY and "*" not in declared:
            declared.append("*")
        declared.append(one.name + default)
    for theirs, ours in SPELLINGS.items():
        if ours in op.parameters:
            spelled += [f"{theirs}=None"]
            text += indented(f"if {theirs} is not None:\n    {ours} = {theirs}")
    if missing:
        text += indented("if {any}:\n    raise missing(op, {values})",
                         any=" or ".join(f"{name} is MISSING" for name in missing),
                         values=", ".join(f"{name}={name}" for name in missing))
    for _, name in op.flags:
        text += indented(f"if {name} is not False and {name} is not True:\n"
                         f"    op.check_flags({_tuple(op.parameters)}, {{}})")
    if "*" not in declared:
        declared.append("*")
    return f"def record({', '.join([*declared, *spelled, 'out=None', 'traced=False'])}):\n{text}"


def _unless_instead(op: Op, composite: Op) -> str:
    """The way to a composite whose arguments are not those of the op; see `tinygrad_hw.recorder.written`."""
    if composite.alone is None:
        return indented("if type(other) is not Tensor:\n    return instead(input, other)\n"
                        f"{op.parameters[1]} = other.array.shape")
    _, *others = composite.__signature__.parameters.values()
    return indented("if {any}:\n    return instead({given})", given=_given(composite),
                    any=" or ".join(f"{one.name} is not {one.default!r}" for one in others))


def _given(op: Op, ending: str = "") -> str:
    """All arguments, as a call is written.

    >>> import ops
    >>> _given(ops.sum)
    'input, dim, keepdim, dtype=dtype'
    """
    return ", ".join(f"{name}={name}{ending}" if one.kind is one.KEYWORD_ONLY else f"{name}{ending}"
                     for name, one in op.__signature__.parameters.items())


def _plain_call(op: Op) -> tuple[str, str]:
    """When a call is of arrays and numbers alone, as most in a backward pass, and what it computes then."""
    first, *others = op.parameters
    plain = [f"type({first}) is ndarray"]
    for name in others:
        default = op.__signature__.parameters[name].default
        if default is None:
            plain.append(f"({name} is None or type({name}) in PLAIN)")
        elif name in ("dims", "shape", "size"):
            plain.append(f"type({name}) is tuple")
        elif type(default) is not bool:
            plain.append(f"type({name}) in PLAIN")
    computed = f"op.forward({_given(op)})"
    return " and ".join(plain), f"new_tuple(op.result_type, {computed})" if op.outputs else computed


_ONE_TENSOR = '''
if type({x}) is Tensor:
    {x}_array = {x}.array
elif isinstance({x}, Tensor):
    if {x}.deferred:
        return {x}.record(op, {values}, {options})
    {x}_array = {x}.array
elif traced:
    {x}_array = {x} if type({x}) in PLAIN else unwrap({x})
elif {plain}:
    try:
        return {plainly}
    except Exception:
        return op.call({given})
else:
    return op.call({given})
'''

_SEVERAL_TENSORS = '''
if not traced and (type({x}) is not list or not {x} or type({x}[0]) is not Tensor):
    return op.call({given})
if type({x}) is not list and type({x}) is not tuple:
    {x}_array, edges = unwrap({x}), ()
else:
    {x}_array, edges, fits, shapes = [], [], [], []
    for item in {x}:
        if type(item) is Tensor:
            array, edge = item.array, item._history if item._view is None else item._edge()
        elif isinstance(item, Tensor):
            if item.deferred and op.any_layout:
                return item.record(op, {values}, {options})
            array, edge = item.array, item._edge()
        else:
            array, edge = unwrap(item), None
        shape = getattr(array, "shape", None)
        {x}_array.append(array)
        shapes.append(shape)
        edges.append(edge)
        fits.append(edge and (shape, array.dtype))
'''

_SIZES = '''
if type({x}) is tuple:
    {x}_array = {x}
    for item in {x}:
        if type(item) is not int:
            {x}_array = unwrap({x})
            break
else:
    {x}_array = {value}
'''


def _computed(op: Op) -> str:
    """Arrays in the place of Tensors, and the op's forward function."""
    first, *others = op.parameters
    flags = [name for _, name in op.flags]
    values, options = _arguments(op)
    text = indented("if out is not None:\n    return op.call({given}, out=out)", given=_given(op))
    if op.chain is not None:
        text += indented('''
if traced or isinstance({x}, Tensor):
    result = Tensor._begin_chain(op, {values}, {options})
    if result is not None:
        return result
''', x=first, values=values, options=options)
    plain, plainly = _plain_call(op)
    text += indented(_SEVERAL_TENSORS if first == "tensors" else _ONE_TENSOR,
                     x=first, values=values, options=options, given=_given(op), plain=plain, plainly=plainly)
    for name in others:
        default = op.__signature__.parameters[name].default
        value = f"{name} if type({name}) in PLAIN else unwrap({name})"
        if name in flags:
            value = name
        elif default is None:
            value = f"None if {name} is None else {value}"
        elif default is inspect.Parameter.empty and not (op.view or op.parts):  # numbers tell views
            value = f"{name}.array if isinstance({name}, Tensor) else {value}"
        text += indented(_SIZES if name in ("dims", "shape", "size") else "{x}_array = {value}",
                         x=name, value=value)
    return text + indented('''
try:
    computed = op.forward({given})
except Exception as error:
    better = op.explain(error, {values}, {options})
    if better is error:
        raise
    raise better from None
''', given=_given(op, "_array"), values=values, options=options)


def _results(op: Op) -> str:
    """Tensors of the computed arrays."""
    if op.parts:
        first, *others = op.parameters
        return indented(f"return record_parts(op, {first}, {_tuple(others)}, computed, {_named(others)})")
    if op.outputs:
        text, results = "", [f"result{i or ''}" for i in range(len(op.outputs))]
        for place, name in enumerate(results):
            text += _wrapped(name, f"computed[{place}]")
        text += indented("results = new_tuple(op.result_type, {results})", results=_tuple(results))
        returned = "results"
    else:
        text = indented("if computed is {x}_array:\n    return {x}", x=op.parameters[0])
        if op.view:
            text += _view(op)
        text += _wrapped("result", "computed")
        returned = "result"
    if not op.rules:
        return text + indented("return {returned}", returned=returned)
    return text + indented('''
if not grad_mode.recording or result.array.dtype.kind != "f":
    return {returned}
''', returned=returned)


def _wrapped(name: str, array: str) -> str:
    return indented('''
{name} = new(Tensor)
{name}.array = {array} if type({array}) is ndarray else asarray({array})
{name}._history, {name}._view, {name}._version_counter = None, None, [0, None]
''', name=name, array=array)


def _view(op: Op) -> str:
    """The way out of an op whose result shares the memory of its first argument."""
    first, *others = op.parameters
    further, options = _arguments(op, 1)
    return indented('''
owner = computed.base
if owner is not None and isinstance({x}, Tensor) and (
        owner is {x}_array or owner is {x}_array.base or may_share_memory(computed, {x}_array)):
    return record_view(op, {x}, {further}, {options}, computed, {named})
''', x=first, further=further, options=options, named=_named(others))


def _named(arguments: list[str]) -> str:
    """Whether one of the arguments that say which part a view shows is a Tensor."""
    return " or ".join(f"{name}_array is not {name}" for name in arguments) or "False"
