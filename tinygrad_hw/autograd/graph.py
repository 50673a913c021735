"""The nodes of ops: what they save, and how the gradient rules of an op are applied.

A node holds what its gradient rules need and nothing else; a plan says what that is for the arguments that
need gradients.
"""

from __future__ import annotations

from sys import _getframe

import numpy as np

import ops
from ops.broadcasting import sum_to
from ops.core import Op, Traced, array_of
from tinygrad_hw.autograd.callers import inside
from tinygrad_hw.autograd.nodes import Edge, Node, numbers
from tinygrad_hw.layout import Size

__all__ = ["ARGUMENT", "OUTPUT", "PLAIN", "SHAPE", "OpNode", "Plan", "edges_of", "link", "link_view",
           "needs_of", "origin_of", "plan_of", "shape_of"]

_new = object.__new__

ARGUMENT, OUTPUT, SHAPE = range(3)
"""Where a value comes from that a rule needs."""
PLAIN = frozenset((int, float, bool, type(None), str, slice, type(...), Size, np.ndarray))
"""Types of arguments that hold no Tensor."""


class Plan:
    """What the node of an op does if certain of its arguments need gradients.

    Attributes:
        rules: for each such argument its name, its rule, and the positions of the rule's needs among
            `saves`; None for all of them in their order.
        joint: a rule for all of them together and which arguments it is to differentiate, or None.
        saves: what is kept for the rules: where it comes from (an argument, an output, an argument's
            shape), the position there, and its name.
    """

    __slots__ = ("joint", "rules", "saves")

    def __init__(self, op: Op, wanted: int):
        chosen = [(name, rule) for bit, (name, rule) in enumerate(op.rules.items()) if wanted >> bit & 1]
        names = [name for name, mask in needs_of(op) if wanted & mask]
        self.rules = [
            (name, rule.function, None if list(rule.needs) == names else tuple(map(names.index, rule.needs)))
            for name, rule in chosen
        ]
        self.saves = [(*self._source(op, name), name) for name in names]
        self.joint = op.joint and (
            op.joint.function, tuple(bool(wanted >> bit & 1) for bit in range(len(op.rules)))
        )

    @staticmethod
    def _source(op: Op, name: str) -> tuple[int, int]:
        if name in op.parameters:
            return ARGUMENT, op.parameters.index(name)
        if name == "ans":
            return OUTPUT, 0
        if name in op.outputs:
            return OUTPUT, op.outputs.index(name)
        return SHAPE, op.parameters.index(name.removesuffix("_shape"))


def needs_of(op: Op) -> list[tuple[str, int]]:
    """What the rules of an op need, each with the set of those that do; what all of them need comes first.

    >>> needs_of(ops.mul), needs_of(ops.pow)
    ([('other', 1), ('input', 2)], [('input', 3), ('exponent', 3), ('ans', 2)])
    """
    masks: dict[str, int] = {}
    for bit, rule in enumerate(op.rules.values()):
        for name in rule.needs:
            masks[name] = masks.get(name, 0) | 1 << bit
    every = (1 << len(op.rules)) - 1
    return sorted(masks.items(), key=lambda need: need[1] != every)


def plan_of(op: Op, wanted: int) -> Plan:
    """The op's plan for a set of arguments that need gradients, made once.

    >>> [name for name, _, _ in plan_of(ops.mul, 0b01).rules]
    ['input']
    """
    return op.plans.setdefault(wanted, Plan(op, wanted))


def edges_of(values) -> tuple[list, list]:
    """The edge of each of several arguments, and its shape and dtype; None where no gradient is needed."""
    edges, fits = [], []
    for value in values:
        edge = fit = None
        if isinstance(value, Traced):
            edge = value._history if value._view is None else value._edge()
            if edge is not None:
                array = value.stored if value.deferred else value.array
                fit = array.shape, array.dtype
        edges.append(edge)
        fits.append(fit)
    return edges, fits


def link(op: Op, values: tuple, results, site: tuple | None = None) -> OpNode | None:
    """The node that records ``results = op(*values)``, or None if no argument needs a gradient.

    Args:
        values: all arguments in the order of the op's parameters, with Tensors among them.
        results: the output Tensors; those that no rule names may be missing.
        site: the user's call (see `call_site`); by default the one that is running.
    """
    edges, fits, wanted = [], [], 0
    for bit, position in op.ruled:
        value = values[position]
        if isinstance(value, Traced):
            edge = value._history if value._view is None else value._edge()
            if edge is not None:
                wanted |= bit
                edges.append(edge)
                array = value.stored if value.deferred else value.array
                fits.append((array.shape, array.dtype))
        elif type(value) is tuple or type(value) is list:
            several, shapes = edges_of(value)
            if any(several):
                wanted |= bit
                edges += several
                fits.append(shapes)
    if not wanted:
        return None
    node = _new(OpNode)  # 0.1 microseconds less than a call of the class
    node.edges, node.op, node._fits, node.order = edges, op, fits, next(numbers)
    node._plan = op.plans.get(wanted) or plan_of(op, wanted)
    if site is None:
        frame = _getframe(1)  # `call_site`, written out: a function call costs 0.1 microseconds
        while inside[(code := frame.f_code).co_filename] and frame.f_back is not None:
            frame = frame.f_back
        site = code, frame.f_lasti
    node.site = site
    node.save(values, results)
    return node


def link_view(edge: Edge, array: np.ndarray, step: tuple, site: tuple, order: int,
              outputs: int = 1) -> OpNode:
    """The node that records a view taken earlier, or all the views that an op cut a Tensor into.

    Args:
        edge: where a gradient of the Tensor goes that was viewed.
        array: the memory of that Tensor.
        step: the view op, its further arguments and its options.
        site: the user's call; see `call_site`.
        order: the number that was reserved for the node.
        outputs: how many views there are.
    """
    op, args, kwargs = step
    node = _new(OpNode)
    node.op, node.edges, node._fits, node.order = op, [edge], [(array.shape, array.dtype)], order
    node.site = site
    if outputs != 1:
        node.outputs = outputs
    node._plan = op.plans.get(1) or plan_of(op, 1)
    node.save(op.bind((array, *args), kwargs), ())
    return node


class OpNode(Node):
    """The node of an op from the table, made by `link`: its gradient rules and the values they name.

    Attributes:
        op: the op that was applied.
        saved: what the rules need: arrays in place of Tensors, anything else as it was given.
        origins: for each Tensor saved ``(version counter, version, edge)``; the edge of an output of
            this very node is its index, which makes no reference cycle.  None for what is no Tensor.
    """

    def save(self, values: tuple, results) -> None:
        """Keep what the plan names of the op's arguments and outputs; see `link`."""
        self.saved = saved = []
        self.origins = origins = []
        for source, position, _ in self._plan.saves:
            origin = None
            if source == ARGUMENT:
                value = values[position]
                origin = origin_of(value)
                if isinstance(value, Traced):
                    value = value.stored if value.deferred else value.array
                elif origin is not None:
                    value = tuple(map(array_of, value))
            elif source == OUTPUT:
                value = results[position]
                counter = value._version_counter
                origin = (counter, counter[0], position)
                value = value.stored if value.deferred else value.array
            else:
                value = shape_of(values[position])
            saved.append(value)
            origins.append(origin)

    def name(self) -> str:
        """``MulBackward0`` for the op ``mul``, ``MaxBackward0`` for ``max_dim``."""
        words = self.op.name.removesuffix("_dim").split("_")
        return "".join(word.capitalize() for word in words) + "Backward0"

    def describe(self) -> str:
        """The op and the shapes of what is differentiated; see `Node.describe`."""
        shapes = [one[0] for fit in self._fits for one in (fit if type(fit) is list else [fit]) if one]
        return f"{self.op.name} of {' and '.join(map(str, shapes))}"

    def backward_to(self, asked: list[bool], gradients: list, create_graph: bool) -> list:
        """Apply only the rules that are asked for; one for a sequence of Tensors gives all of its parts."""
        if type(self._fits[0]) is list:
            asked = None
        return self.backward(gradients, create_graph, asked)

    def backward(self, gradients: list, create_graph: bool, asked: list[bool] | None = None) -> list:
        """Apply the gradient rules; see `Node.backward`."""
        saved = self.saved
        if saved is None:
            raise self.freed()
        for origin in self.origins:
            if origin is not None and (type(origin) is list or origin[0][0] != origin[1]):
                self._check_versions()
        g = gradients if self.op.parts else gradients[0]
        if create_graph:
            kind = type(next(one for one in gradients if one is not None))
            saved = [self._unpack(*one, kind) for one in zip(saved, self.origins)]
        results, joint, found = [], self._plan.joint, None
        if joint is not None:
            function, planned = joint
            wanted = planned
            if asked is not None:
                each = iter(asked)
                wanted = tuple(is_planned and next(each) for is_planned in planned)
            found = [one for one, is_planned in zip(function(g, wanted, *saved), planned) if is_planned]
        for place, ((name, rule, needs), fit) in enumerate(zip(self._plan.rules, self._fits)):
            if asked is not None and not asked[place]:
                gradient = None
            elif found is not None:
                gradient = found[place]
            elif needs is None:
                gradient = rule(g, *saved)
            else:
                gradient = rule(g, *[saved[i] for i in needs])
            if type(fit) is list:
                several = gradient if gradient is not None else (None,) * len(fit)
                results.extend(
                    f and self._fit(name, one, *f) for one, f in zip(several, fit, strict=True)
                )
            elif gradient is None or gradient.dtype is fit[1] and gradient.shape == fit[0]:
                results.append(gradient)
            else:
                results.append(self._fit(name, gradient, *fit))
        return results

    def _fit(self, name: str, gradient, shape: tuple, dtype):
        """The gradient in its input's shape and dtype: broadcasting and promotion are undone here."""
        if gradient is None:
            return None
        if gradient.shape != shape:
            if not self.op.broadcasts:
                raise RuntimeError(f"the gradient rule of {self.op.name} for {name} returned shape "
                                   f"{tuple(gradient.shape)}, expected {shape}")
            gradient = sum_to(gradient, shape)
        if ops.core.dtype_of(gradient) != dtype:
            gradient = ops.cast(gradient, dtype)
        return gradient

    def _check_versions(self) -> None:
        """Refuse values that were changed in place since they were saved."""
        for value, origin, (_, _, name) in zip(self.saved, self.origins, self._plan.saves):
            several = zip(value, origin) if type(origin) is list else [(value, origin)]
            for array, one in several:
                if one is not None and one[0][0] != one[1]:
                    raise self.stale(name, array, *one[:2])

    def _unpack(self, value, origin, kind):
        """A saved value as Tensors of the class ``kind`` with their history."""
        if origin is None:
            return value
        if type(origin) is list:
            return tuple(self._unpack(*one, kind) for one in zip(value, origin))
        counter, _, edge = origin
        if type(edge) is int:
            edge = (self, 0) if edge == 0 else None
        return kind._with_history(value, edge, counter)

    def release(self, site: tuple) -> None:
        """Drop the saved arrays; a node that saved none may run again."""
        if any(self.origins or ()):
            self.saved = self.origins = None
            self.freed_at = site


def origin_of(value):
    """Where a saved value came from: a Tensor's version counter, version and edge; a list of these for a
    sequence with Tensors in it; None for anything else.
    """
    if isinstance(value, Traced):
        counter = value._version_counter
        return counter, counter[0], value._history
    if type(value) is tuple or type(value) is list:
        for item in value:
            if type(item) not in PLAIN and isinstance(item, Traced):
                return [(one._version_counter, one._version_counter[0], one._edge())
                        if isinstance(one, Traced) else None for one in value]
    return None


def shape_of(value):
    """The shape of a Tensor, an array or a number, or the shapes of several.

    >>> shape_of((np.ones(2), 3.0))
    ((2,), ())
    """
    if type(value) is np.ndarray:
        return value.shape
    if type(value) is list or type(value) is tuple:
        return tuple([item.shape if type(item) is np.ndarray else shape_of(item) for item in value])
    return value.array_shape if isinstance(value, Traced) else np.shape(value)
