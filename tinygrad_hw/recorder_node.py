"""The last part of a recorder's text (``recorder_text.py``): the node and what it saves."""

from __future__ import annotations

import inspect

from ops.core import Op
from tinygrad_hw.autograd.graph import needs_of

__all__ = ["indented", "node_text"]


def indented(text: str, **values) -> str:
    """The lines of a text, four columns to the right, with values in the place of names in {braces}."""
    text = text.format(**values) if values else text
    return "".join(f"    {line}\n" for line in text.strip("\n").splitlines())


def node_text(op: Op) -> str:
    """Edges, node and saved values, for an op with gradient rules.

    >>> import ops
    >>> print(node_text(ops.exp).partition("f_lasti")[2], end="")
    <BLANKLINE>
        node.saved, node.origins = [result.array], [(result._version_counter, 0, 0)]
        result._history = node, 0
        return result
    """
    return _edges(op) + _node(op) + _saved(op)


def _edges(op: Op) -> str:
    """Where gradients of the arguments go, and their shapes and dtypes; the way out if there are none."""
    returned = "results" if op.outputs else "result"
    if op.parameters[0] == "tensors":
        return indented("if not any(edges):\n    return result\nwanted, fits = 1, [fits]")
    names = [op.parameters[position] for _, position in op.ruled]
    edge = [f"{name}._history if {name}._view is None else {name}._edge()" for name in names]
    fit = [f"({name}_array.shape, {name}_array.dtype)" for name in names]
    if len(names) == 1:
        return indented(f'''
if not isinstance({names[0]}, Tensor):
    return {returned}
edge = {edge[0]}
if edge is None:
    return {returned}
wanted, edges, fits = 1, [edge], [{fit[0]}]
''')
    text = "".join(indented(f"edge{i} = None\nif isinstance({name}, Tensor):\n    edge{i} = {edge[i]}")
                   for i, name in enumerate(names))
    if len(names) == 2:
        return text + indented(f'''
if edge0 is None:
    if edge1 is None:
        return {returned}
    wanted, edges, fits = 2, [edge1], [{fit[1]}]
elif edge1 is None:
    wanted, edges, fits = 1, [edge0], [{fit[0]}]
else:
    wanted, edges, fits = 3, [edge0, edge1], [{fit[0]}, {fit[1]}]
''')
    text += indented("wanted, edges, fits = 0, [], []")
    for i, (bit, _) in enumerate(op.ruled):
        text += indented(f'''
if edge{i} is not None:
    wanted |= {bit}
    edges.append(edge{i})
    fits.append({fit[i]})
''')
    return text + indented(f"if not wanted:\n    return {returned}")


def _node(op: Op) -> str:
    """The node, with the user's call; see `tinygrad_hw.autograd.callers.call_site`."""
    return indented('''
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
''')


def _saved(op: Op) -> str:
    """What the rules need, and where it came from, in the order of `needs_of`."""
    every = (1 << len(op.ruled)) - 1
    needs = [(*_kept(op, name), mask) for name, mask in needs_of(op)]
    always = [(value, origin) for value, origin, mask in needs if mask == every]
    sometimes = [need for need in needs if need[2] != every]
    lists = ", ".join("[" + ", ".join(one) + "]" for one in (list(zip(*always)) or [(), ()]))
    if sometimes:
        text = indented("saved, origins = {lists}", lists=lists)
        for value, origin, mask in sometimes:
            text += indented("if wanted & {mask}:\n    saved.append({value})\n    origins.append({origin})",
                             mask=mask, value=value, origin=origin)
        text += indented("node.saved, node.origins = saved, origins")
    else:
        text = indented("node.saved, node.origins = {lists}", lists=lists)
    return text + indented("result._history = node, 0\nreturn {returned}",
                           returned="results" if op.outputs else "result")


def _kept(op: Op, name: str) -> tuple[str, str]:
    """The value that a rule needs, and its origin."""
    if name == "ans" or name in op.outputs:
        place = 0 if name == "ans" else op.outputs.index(name)
        result = f"result{place or ''}"
        return f"{result}.array", f"({result}._version_counter, 0, {place})"
    if name in op.parameters:
        origin = f"None if type({name}) in PLAIN else origin_of({name})"
        if op.__signature__.parameters[name].default is inspect.Parameter.empty:
            history = f"{name}._version_counter, {name}._version_counter[0], {name}._history"
            origin = f"({history}) if type({name}) is Tensor else {origin}"
        return f"{name}_array", origin
    name = name.removesuffix("_shape")
    if name == "tensors":
        return "tuple(shapes)", "None"
    return f"{name}_array.shape if type({name}_array) is ndarray else shape_of({name}_array)", "None"
