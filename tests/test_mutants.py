"""A fixed part of the planted bugs, quick enough for every run of the suite; see ``docs/mutants.md``."""

import functools

import pytest

from ops.core import TABLE
from tests import test_table
from tests.mutants import operators, probe, rewrites, runner
from tests.mutants.__main__ import main, report
from tests.mutants.equivalent import SET_ASIDE, reason_for
from tinygrad_hw.testing import gradcheck, gradgradcheck

OPS = ("add", "mul", "maximum", "exp", "tanh", "sum", "amax", "max_dim", "log_softmax", "linear", "cat",
       "split", "relu", "floor")
"""Ops of most families, those whose mutants are planted in a second or less."""

THROUGH_PYTEST = ("test_a_hook_that_returns_nonsense_is_named", "test_modes_as_context_and_decorator")
DIRECT = [mutant for mutant in rewrites.REWRITES if mutant.kind == "engine"
          and not mutant.test.endswith(THROUGH_PYTEST)]
"""Mutants of the engine whose test is a plain function: no second pytest inside this one."""


@pytest.mark.parametrize("name", [
    pytest.param(name, marks=pytest.mark.slow if number % 2 else []) for number, name in enumerate(OPS)])
def test_mutants_of_an_op_are_killed(name):
    outcomes = runner.run_op(name)
    survivors = [outcome.name for outcome in outcomes if outcome.survived]
    assert not survivors and sum(outcome.killer is not None for outcome in outcomes) >= 3


@pytest.mark.parametrize("name", ["mul", "exp", "sum", "log_softmax", "cat", "split", "narrow"])
def test_fast_mode_finds_what_the_full_mode_finds(name, monkeypatch):
    """Difference quotients alone, along random directions: every mutant of smooth ops is still killed."""
    for check in (gradcheck, gradgradcheck):
        monkeypatch.setattr(test_table, check.__name__, functools.partial(check, fast_mode=True))
    for other in ("test_recorded_gradient", "test_gradient_of_some_parts"):
        monkeypatch.setattr(test_table, other, lambda name: None)
    survivors = [outcome.name for outcome in runner.run_op(name) if outcome.survived]
    assert not survivors


@pytest.mark.parametrize("mutant", DIRECT, ids=lambda mutant: mutant.what.replace(" ", "_"))
def test_mutants_of_the_engine_are_killed(mutant):
    assert runner.run_rewrite(mutant).killer == mutant.test


@pytest.mark.parametrize("mutant", rewrites.REWRITES, ids=lambda mutant: mutant.what.replace(" ", "_"))
def test_mutants_of_source_lines_are_up_to_date(mutant):
    """Each fragment still occurs once in its function, and the changed function compiles."""
    assert mutant.code() != mutant.function().__code__


def test_a_planted_mutant_is_taken_away_again():
    op = TABLE["exp"]
    rules, code = op.rules, rewrites.REWRITES[0].function().__code__
    mutant = next(operators.mutants_of(op, probe.facts_of(op)))
    with operators.planted(mutant), rewrites.planted(rewrites.REWRITES[0]):
        assert op.rules is not rules and rewrites.REWRITES[0].function().__code__ is not code
        with pytest.raises(Exception, match="exp|mismatch|Jacobian"):
            test_table.test_gradient("exp")
    assert op.rules is rules and rewrites.REWRITES[0].function().__code__ is code
    test_table.test_gradient("exp")


def test_a_wrong_reason_does_not_save_a_mutant(monkeypatch):
    """A mutant that is set aside, but not equal to the right rule, is killed or survives."""
    monkeypatch.setitem(SET_ASIDE, "not true", ["exp.input: factor 2.001"])
    assert reason_for("exp.input: factor 2.001") == "not true"
    outcome, = runner.run_op("exp", lambda mutant: mutant.kind == "factor 2.001")
    assert outcome.killer and outcome.reason is None
    monkeypatch.setattr(runner, "killer_of", lambda name: (None, ""))
    outcome, = runner.run_op("exp", lambda mutant: mutant.kind == "factor 2.001")
    assert outcome.survived and "differs on other draws" in outcome.text


def test_command(capsys):
    assert main(["--only", "exp2", "--jobs", "1"]) == 0
    assert "killed /" in capsys.readouterr().out
    assert main(["--only", "floor", "--list"]) == 0
    assert "floor.input: passed through" in capsys.readouterr().out
    assert main(["--only", "no_such_op"]) == 2
    assert "no op with gradient rules" in capsys.readouterr().out


def test_report_names_survivors():
    found = [runner.Outcome("exp.input: zeroed", "zeroed", None, ""),
             runner.Outcome("exp.input: sign flipped", "sign flipped", "test_gradient[exp]")]
    text = report(found)
    assert "SURVIVED:\n  exp.input: zeroed" in text and "       1 / 2" in text
