"""What an op's samples show of its gradient rules: which mutants are meaningful, and which are equal."""

from __future__ import annotations

import dataclasses

import numpy as np

import tinygrad_hw as thw
from ops.core import Op, Rule, array_of
from tests import test_table
from tinygrad_hw.recorder import written

__all__ = ["PROVED_BY", "Facts", "alter", "facts_of", "gradients"]

PROVED_BY = {"channel_norm_input": "channel_norm", "channel_norm_weight": "channel_norm"}
"""Ops that are checked as the gradient of another one."""


@dataclasses.dataclass
class Facts:
    """What was seen of one rule.

    Attributes:
        calls: how often the rule was called.
        zero: whether its gradient was zero everywhere, always.
        several: whether it returned the gradients of a sequence.
        parts: whether it received a list of cotangents, one for each of several outputs.
        same_shape: whether some gradient had the cotangent's shape.
        broadcast: whether some gradient was larger than the argument.
        rank, largest: the most dimensions, longer than 1, and elements that a gradient had.
        floats, integers: names of the values that were arrays of that kind.
        options: all distinct values of the other needs, by name.
    """

    calls: int = 0
    zero: bool = True
    several: bool = False
    parts: bool = False
    same_shape: bool = False
    broadcast: bool = False
    rank: int = 0
    largest: int = 0
    floats: set = dataclasses.field(default_factory=set)
    integers: set = dataclasses.field(default_factory=set)
    options: dict = dataclasses.field(default_factory=dict)


def gradients(name: str, case, seed: int = 0) -> list[np.ndarray]:
    """First and second order gradients of an op, along random cotangents."""
    function, leaves = test_table.as_function(name, case)
    out = function(*leaves) if leaves else None
    if isinstance(out, tuple):  # parts that all carry gradient
        out = thw.cat([part.reshape(-1) for part in out])
    if out is None or not out.requires_grad:
        return []
    rng = np.random.default_rng(seed)

    def random(like):
        return thw.from_numpy(rng.uniform(0.5, 1.5, like.array.shape)).requires_grad_()

    cotangent = random(out)
    first = thw.autograd.grad(out, leaves, cotangent, create_graph=True, materialize_grads=True)
    recorded = [one for one in first if one.requires_grad]
    second = thw.autograd.grad(recorded, [*leaves, cotangent], [random(one) for one in recorded],
                               materialize_grads=True) if recorded else ()
    return [one.array for one in (*first, *second)]


def alter(op: Op, changes: dict) -> None:
    """Set attributes of an op; its recorder, which may stand in other places, gets new code."""
    vars(op).update(changes)
    op.plans.clear()
    if op.recorded is not None:
        op.recorded.__code__ = written(op).__code__


def facts_of(op: Op) -> dict[str, Facts]:
    """What the op's samples show of each of its rules."""
    facts = {argument: Facts() for argument in op.rules}
    own, joint = op.rules, op.joint
    watched = {argument: _watched(argument, rule, facts[argument]) for argument, rule in own.items()}
    alter(op, {"rules": watched, "joint": None})
    name = PROVED_BY.get(op.name, op.name)
    try:
        with np.errstate(all="ignore"):
            for case in test_table.cases(name):
                gradients(name, case)
            for case, _ in test_table.TIES.get(name, ()):
                test_table.gradients_at_tie(name, case)
    finally:
        alter(op, {"rules": own, "joint": joint})
    arrays = {parameter for case in test_table.cases(op.name) if op.name == name
              for parameter, value in zip(op.parameters, op.bind(case.args, case.kwargs))
              if test_table.is_float(value)}
    for one in facts.values():
        one.floats |= arrays
    return facts


def _watched(argument: str, rule: Rule, facts: Facts) -> Rule:
    """The rule, with each call noted; it is told the argument's shape as well."""
    def watched(g, shape, *values):
        gradient = rule.function(g, *values)
        _note(facts, g, shape, gradient)
        for need, value in zip(rule.needs, values):
            _note_value(facts, need, value)
        return gradient

    return Rule(watched, (f"{argument}_shape", *rule.needs))


def _note(facts: Facts, g, shape, gradient) -> None:
    facts.calls += 1
    several = isinstance(gradient, (tuple, list))
    facts.several |= several
    facts.parts |= type(g) is list
    for one in gradient if several else [gradient]:
        if one is not None:
            facts.zero &= not np.any(array_of(one))
            facts.same_shape |= not several and not facts.parts and tuple(one.shape) == tuple(g.shape)
            facts.broadcast |= not several and np.size(array_of(one)) > np.prod(shape) > 0
            facts.rank = max(facts.rank, sum(n > 1 for n in one.shape))
            facts.largest = max(facts.largest, np.size(array_of(one)))


def _note_value(facts: Facts, need: str, value) -> None:
    array = array_of(value)
    if isinstance(array, np.ndarray):
        (facts.floats if array.dtype.kind == "f" else facts.integers).add(need)
    elif isinstance(value, (tuple, list)) and any(isinstance(array_of(v), np.ndarray) for v in value):
        kinds = {array_of(v).dtype.kind for v in value if isinstance(array_of(v), np.ndarray)}
        (facts.floats if "f" in kinds else facts.integers).add(need)
    elif not need.endswith("_shape"):
        pool = facts.options.setdefault(need, [])
        if not any(type(v) is type(value) and repr(v) == repr(value) for v in pool):
            pool.append(value)
