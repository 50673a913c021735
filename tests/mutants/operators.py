"""The mutations: each makes a wrong gradient rule of a right one.

A mutant changes attributes of one `Op` while it is planted, no file.  Rules are written with ops, and so
are the mutations: they work on arrays, in the first order, and on Tensors, in every higher one.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Callable, Iterator

import numpy as np

import ops
from ops.core import Op, Rule, Traced, array_of, dtype_of
from tests.mutants.probe import Facts, alter
from tests.mutants.substitution import reached, replaced

__all__ = ["Mutant", "mutants_of", "planted"]


@dataclasses.dataclass(frozen=True)
class Mutant:
    """One planted bug.

    Attributes:
        op: name of the op in the table.
        argument: the argument whose gradient is wrong.
        kind: what is done to the rule, the same word for all ops.
        detail: to which of its parts.
        changes: attributes of the op while the mutant is planted.
    """

    op: str
    argument: str
    kind: str
    detail: str
    changes: dict = dataclasses.field(compare=False, repr=False)

    @property
    def name(self) -> str:
        """Such as ``mul.input: stale value (other)``."""
        detail = f" ({self.detail})" if self.detail else ""
        return f"{self.op}.{self.argument}: {self.kind}{detail}"


@contextlib.contextmanager
def planted(mutant: Mutant):
    """The mutant in place of the op's own rule, inside a ``with`` block."""
    op = ops.TABLE[mutant.op]
    before = {name: getattr(op, name) for name in mutant.changes}
    try:
        alter(op, mutant.changes)
        yield
    finally:
        alter(op, before)


def mutants_of(op: Op, facts: dict[str, Facts]) -> Iterator[Mutant]:
    """All mutants of an op, rule by rule, as far as they are meaningful for what its samples show."""
    for argument, rule in op.rules.items():
        seen = facts[argument]
        makers = [_wrong_result, _wrong_sum, _wrong_value, _wrong_option, _lost_graph, _wrong_call]
        for make in [_wrong_zero] if seen.zero else makers:
            for kind, detail, mutated in make(op, argument, rule, seen):
                # a joint rule of all arguments is set aside: it would compute the gradient instead
                changes = {"rules": {**op.rules, argument: mutated}, "joint": None}
                yield Mutant(op.name, argument, kind, detail, changes)
        for kind, forward in _wrong_choice(op):
            yield Mutant(op.name, argument, kind, "", {"forward": forward})
    if op.joint is not None:
        yield from _wrong_joint(op, set.union(*(one.floats for one in facts.values())))


# ------------------------------------------------------------------ the gradient that comes out


def _each(change: Callable, gradient):
    """``change`` of a gradient, or of each one where an argument is a sequence."""
    if gradient is None:
        return None
    if isinstance(gradient, (tuple, list)):
        return tuple(_each(change, one) for one in gradient)
    return change(gradient)


def _after(rule: Rule, change: Callable) -> Rule:
    """The rule with ``change`` applied to what it returns."""
    return Rule(lambda g, *values: _each(change, rule.function(g, *values)), rule.needs)


def _spoil_last(x):
    """The element of the largest index is wrong, all others are right."""
    last = np.zeros(tuple(x.shape), dtype_of(x))
    last.reshape(-1)[-1:] = 1
    return ops.add(ops.mul(x, 1 + last), last / 2)


def _spoil_first(x):
    """The element of index 0 is lost, and another number stands there."""
    kept = np.ones(tuple(x.shape), dtype_of(x))
    kept.reshape(-1)[:1] = 0
    return ops.add(ops.mul(x, kept), (1 - kept) / 2)


def _rolled(x):
    return ops.reshape(ops.roll(ops.reshape(x, (-1,)), 1), tuple(x.shape)) if math.prod(x.shape) else x


def _transposed(x):
    """The elements in the order of the transposed array, the shape as it was."""
    return ops.reshape(ops.permute(x, tuple(range(x.ndim))[::-1]), tuple(x.shape))


def _wrong_result(op, argument, rule, facts):
    yield "sign flipped", "", _after(rule, ops.neg)
    yield "factor 2.001", "", _after(rule, lambda x: ops.mul(x, 2.001))
    yield "zeroed", "", _after(rule, lambda x: ops.mul(x, 0.0))
    yield "one element wrong", "last", _after(rule, _spoil_last)
    yield "one element wrong", "first", _after(rule, _spoil_first)
    if facts.largest > 1:
        yield "moved", "rolled", _after(rule, _rolled)
    if facts.rank > 1:
        yield "moved", "transposed", _after(rule, _transposed)
    if facts.parts:
        for detail, change in (("reversed", lambda g: g[::-1]), ("present ones first", _present_first),
                               ("last", lambda g: [*g[:-1], None] if g[0] is not None else g)):
            kind = "dropped part" if detail == "last" else "swapped parts"
            yield kind, detail, Rule(
                lambda g, *values, change=change: rule.function(change(g), *values), rule.needs)
    if facts.same_shape:
        yield "passed through", "", Rule(
            lambda g, *values: _unless_shapes_differ(g, rule.function(g, *values)), rule.needs)
    if facts.several:
        yield "swapped operands", "order of the gradients", Rule(
            lambda g, *values: tuple(rule.function(g, *values))[::-1], rule.needs)


def _present_first(parts: list) -> list:
    """The cotangents of a node with several outputs, as if those without a gradient were the last."""
    return sorted(parts, key=lambda part: part is None)


def _unless_shapes_differ(g, gradient):
    return g if gradient is None or gradient.shape == g.shape else gradient


def _wrong_zero(op, argument, rule, facts):
    """Mutants of a rule whose gradient is zero everywhere: sign and factor would change nothing."""
    def instead(gradient):
        return Rule(lambda g, *values: gradient(g), rule.needs)

    yield "passed through", "", instead(lambda g: g)
    yield "passed through", "reversed", instead(ops.neg)
    yield "one element wrong", "last", instead(lambda g: ops.sub(_spoil_last(g), g))


def _wrong_joint(op: Op, floats: set[str]) -> Iterator[Mutant]:
    """One of the gradients that a joint rule returns is wrong, the others are right."""
    changes = {"sign flipped": ops.neg, "factor 2.001": lambda x: ops.mul(x, 2.001),
               "zeroed": lambda x: ops.mul(x, 0.0), "one element wrong": _spoil_last, "moved": _rolled}
    for place, argument in enumerate(op.rules):
        for kind, change in changes.items():
            def mutated(g, wanted, *values, place=place, change=change, right=op.joint.function):
                return tuple(_each(change, one) if i == place else one
                             for i, one in enumerate(right(g, wanted, *values)))

            yield Mutant(op.name, argument, kind, "joint rule", {"joint": Rule(mutated, op.joint.needs)})
    for need in sorted(floats.intersection(op.joint.needs)):
        stale = _with_value(op.joint, need, _on_floats(_of_another_call), before=1)
        yield Mutant(op.name, next(iter(op.rules)), "stale value", f"joint rule, {need}", {"joint": stale})


# ------------------------------------------------------------------ the sum over broadcast axes


def _first_of(x, shape):
    """The first of the elements that were to be summed to ``shape``."""
    lead = x.ndim - len(shape)
    index = (0,) * lead + tuple(slice(0, 1) if n == 1 else slice(None) for n in shape)
    return ops.sum_to(x, shape) if 0 in x.shape else ops.reshape(x[index], shape)


def _averaged(x, shape):
    total = ops.sum_to(x, shape)
    return ops.div(total, max(math.prod(x.shape), 1) / max(math.prod(shape), 1))


def _wrong_sum(op, argument, rule, facts):
    """What the engine makes of a gradient larger than its input, done wrong inside the rule."""
    changes = {"dropped": _first_of, "averaged": _averaged,
               "wrong axis": lambda x, shape: ops.sum_to(_transposed(x), shape)}
    if op.broadcasts and facts.broadcast:
        for detail, change in changes.items():
            yield "wrong reduction", detail, Rule(
                lambda g, shape, *values, change=change: _each(
                    lambda x: x if tuple(x.shape) == shape else change(x, shape),
                    rule.function(g, *values)),
                (f"{argument}_shape", *rule.needs))
    averaged = {ops.sum: lambda input, *rest, **options: _share_of_sum(input, *rest, **options),
                ops.sum_to: _averaged}
    dropped = {ops.sum: _first_along, ops.sum_to: _first_of}
    for detail, change in (("averaged in the rule", averaged), ("dropped in the rule", dropped)):
        if any(reached(rule.function, one) for one in change):
            yield "wrong reduction", detail, Rule(replaced(rule.function, change), rule.needs)


def _share_of_sum(input, dim=None, keepdim=False):
    total = ops.sum(input, dim, keepdim)
    return ops.div(total, max(math.prod(input.shape), 1) / max(math.prod(total.shape), 1))


def _first_along(input, dim=None, keepdim=False):
    if 0 in input.shape:
        return ops.sum(input, dim, keepdim)
    dims = range(input.ndim) if dim is None else dim if isinstance(dim, (tuple, list)) else (dim,)
    summed = {d % max(input.ndim, 1) for d in dims}
    first = slice(0, 1) if keepdim else 0
    return input[tuple(first if d in summed else slice(None) for d in range(input.ndim))]


# ------------------------------------------------------------------ the values that go in

_TRUSTING = ("ops.convolution", "ops.pooling", "ops.normalization", "ops.loss.softmax_loss",
             "ops.shape.patches", "ops.shape.diagonals")
"""Modules whose kernels rely on shapes and options that fit: wrong ones would write past an array."""


def _with_value(rule: Rule, need: str, change: Callable, before: int = 0) -> Rule:
    """The rule with ``change`` applied to one of the values it receives, the first ``before`` not counted."""
    position = rule.needs.index(need) + before

    def mutated(g, *values):
        values = list(values)
        values[position] = change(values[position])
        return rule.function(g, *values)

    return Rule(mutated, rule.needs)


def _of_another_call(value):
    """Other values of the same shape and about the same size: a buffer that was filled anew."""
    return ops.add(ops.mul(_rolled(value), 1.05), 0.03)


def _on_floats(change: Callable) -> Callable:
    """``change`` of float arrays and Tensors, also inside sequences; anything else as it is."""
    def changed(value):
        if isinstance(value, (tuple, list)):
            return type(value)(map(changed, value))
        array = array_of(value)
        if not isinstance(array, np.ndarray) or array.dtype.kind != "f":
            return value
        return change(value) if isinstance(value, Traced) else np.asarray(change(value))

    return changed


def _shifted(value):
    """Indices or a mask, each in its neighbour's place; of a single index the one before it."""
    if isinstance(value, (tuple, list)):
        return type(value)(map(_shifted, value))
    array = array_of(value)
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "biu":
        return value
    moved = np.roll(array.reshape(-1), 1).reshape(array.shape)
    if array.ndim == 0:
        moved = np.asarray(~array if array.dtype.kind == "b" else array - 1)
    return type(value)._wrap(moved) if isinstance(value, Traced) else moved


def _wrong_value(op, argument, rule, facts):
    for need in rule.needs:
        if need in facts.floats:
            yield "stale value", need, _with_value(rule, need, _on_floats(_of_another_call))
            for other in (*sorted(facts.floats - {"ans"}), "ans"):
                if op.__module__.startswith(_TRUSTING):
                    continue
                if other != need and (other != "ans" or not op.outputs):
                    needs = tuple(other if n == need else n for n in rule.needs)
                    kind = "swapped operands" if "ans" not in (need, other) else "wrong value saved"
                    yield kind, f"{other} for {need}", Rule(rule.function, needs)
        if need in facts.integers and not op.__module__.startswith("ops.convolution"):
            yield "stale value", need, _with_value(rule, need, _shifted)


def _wrong_option(op, argument, rule, facts):
    """Options of the call that the rule takes no notice of, or takes from another call."""
    for need in rule.needs:
        pool = facts.options.get(need)
        if not pool or op.__module__.startswith(_TRUSTING):
            continue
        if need in op.parameters:
            default = op.defaults[op.parameters.index(need)]
            if default is not op.__signature__.empty and any(not _same(default, v) for v in pool):
                yield "option ignored", need, _with_value(rule, need, lambda _, d=default: d)
        if len(pool) > 1:
            yield "option of another call", need, _with_value(
                rule, need, lambda value, pool=pool: _another(value, pool))


def _same(one, other) -> bool:
    return type(one) is type(other) and repr(one) == repr(other)


def _another(value, pool):
    """The next option of the pool that differs, of the same type if there is one."""
    others = [v for v in pool if not _same(v, value)]
    alike = [v for v in others if type(v) is type(value) and np.shape(v) == np.shape(value)]
    return (alike or others or [value])[0]


# ------------------------------------------------------------------ the second order


def _detached(value):
    if isinstance(value, (tuple, list)):
        return type(value)(map(_detached, value))
    return value.detach() if isinstance(value, Traced) else value


def _lost_graph(op, argument, rule, facts):
    """The gradient is right, but it is not differentiable: only the second order can tell."""
    yield "graph lost", "cotangent", Rule(
        lambda g, *values: rule.function(_detached(g), *values), rule.needs)
    yield "graph lost", "all", Rule(
        lambda g, *values: _each(_detached, rule.function(g, *values)), rule.needs)
    for need in rule.needs:
        if need in facts.floats and need in (*op.rules, "ans", *op.outputs[:1]):
            yield "graph lost", need, _with_value(rule, need, _detached)


# ------------------------------------------------------------------ the ops that a rule calls


_OTHER_SIDE = {ops.lt: ops.le, ops.le: ops.lt, ops.gt: ops.ge, ops.ge: ops.gt}
_WRONG_CALLS = {
    ops.sin: ops.cos, ops.cos: ops.sin, ops.sinh: ops.cosh, ops.cosh: ops.sinh, ops.neg: ops.positive,
    ops.add: ops.sub, ops.sub: ops.add, ops.square: ops.abs, ops.sign: ops.abs, ops.exp: ops.expm1,
    ops.keep_where: ops.zero_where, ops.zero_where: ops.keep_where,
}


def _wrong_call(op, argument, rule, facts):
    comparisons = [one for one in _OTHER_SIDE if reached(rule.function, one)]
    if comparisons:
        yield "wrong tie", "bound", Rule(replaced(rule.function, _OTHER_SIDE), rule.needs)
    if reached(rule.function, ops.eq):
        never = {ops.eq: lambda input, other: array_of(ops.eq(input, other)) & False}
        yield "wrong tie", "unnoticed", Rule(replaced(rule.function, never), rule.needs)
    if op.name in _SHARING:
        whole = {ops.div: lambda input, other: input}
        yield "wrong tie", "not shared", Rule(replaced(rule.function, whole), rule.needs)
    for one, other in _WRONG_CALLS.items():
        if reached(rule.function, one):
            detail = f"{other.name} for {one.name}"
            yield "wrong call", detail, Rule(replaced(rule.function, {one: other}), rule.needs)


# ------------------------------------------------------------------ ties that the forward breaks

_SHARING = {"amax", "amin", "max_all", "min_all", "median_all", "scatter_fold"}
"""Ops whose ties share the gradient: the rule divides by their number."""

_TOWARDS_THE_OTHER_TIE = {
    "max_dim": 1, "min_dim": -1, "max_pooling": 1, "adaptive_max_pooling": 1, "cummax": -1, "cummin": 1,
}
"""Ops that choose one of several ties, and the slope of a bias that makes them choose another."""


def _wrong_choice(op):
    direction = _TOWARDS_THE_OTHER_TIE.get(op.name)
    if direction is None:
        return

    def forward(input, *args, **kwargs):
        bias = direction * 1e-9 * np.arange(input.size).reshape(input.shape)
        values, *_ = op.__wrapped__(input, *args, **kwargs)
        _, indices = op.__wrapped__(input + bias, *args, **kwargs)
        return values, indices

    yield "wrong tie", forward
