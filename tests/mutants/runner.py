"""Plant mutants one after the other and see which check of the suite refuses each."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import functools
import importlib
import inspect
import io
import multiprocessing
import warnings
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pytest

from ops.core import TABLE
from tests import test_nn, test_table
from tests.mutants import rewrites
from tests.mutants.equivalent import reason_for
from tests.mutants.operators import Mutant, mutants_of, planted
from tests.mutants.probe import PROVED_BY, facts_of, gradients

__all__ = ["Outcome", "describe", "jobs_for", "run", "run_op", "run_rewrite"]

SEEDS = range(1, 11)
"""Draws of an op's samples on which a mutant that is set aside has to agree with the right rule."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a mutant.

    Attributes:
        name, kind: of the mutant.
        killer: the check or test that failed, None if none did.
        text: the message of the failure, or what is wrong with a survivor.
        reason: why the mutant was set aside as no bug, or None.
    """

    name: str
    kind: str
    killer: str | None
    text: str = ""
    reason: str | None = None

    @property
    def survived(self) -> bool:
        """Whether a bug went unnoticed."""
        return self.killer is None and self.reason is None


@contextlib.contextmanager
def quiet():
    """Neither warnings nor output from what mutants compute."""
    with (warnings.catch_warnings(), np.errstate(all="ignore"),
          contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO())):
        warnings.simplefilter("ignore")
        yield


# ------------------------------------------------------------------ mutants of gradient rules


def checks_of(name: str) -> Iterator[tuple[str, Callable]]:
    """The suite's checks of an op's gradient, as functions without arguments, the quickest first."""
    proof = PROVED_BY.get(name, name)

    def check(function: Callable) -> tuple[str, Callable]:
        return f"{function.__name__}[{proof}]", functools.partial(function, proof)

    if proof in test_table.TIES:
        yield check(test_table.test_gradient_at_ties)
    if proof in test_table.names_for("gradient"):
        yield check(test_table.test_recorded_gradient)
        if TABLE[proof].parts:
            yield check(test_table.test_gradient_of_some_parts)
        yield check(test_table.test_gradient)
    if proof in test_table.names_for("second_order"):
        yield check(test_table.test_second_order)
    if proof != name:
        yield "test_norms_to_third_order", test_nn.test_norms_to_third_order


def killer_of(name: str) -> tuple[str | None, str]:
    """The first check that an op fails, with the message."""
    for check, function in checks_of(name):
        try:
            function()
        except (Exception, pytest.fail.Exception) as error:  # whatever a mutant raises has killed it
            return check, f"{type(error).__name__}: {error}"
    return None, ""


def all_gradients(name: str) -> list[np.ndarray]:
    """First and second order gradients of an op, for many draws of its samples."""
    proof = PROVED_BY.get(name, name)
    return [array for seed in SEEDS for case in test_table.cases(proof, seed)
            for array in gradients(proof, case, seed)]


def run_op(name: str, wanted: Callable[[Mutant], bool] = lambda mutant: True) -> list[Outcome]:
    """Plant the mutants of all rules of an op.

    Raises:
        RuntimeError: if a check fails without any mutant.
    """
    op, outcomes, right = TABLE[name], [], None
    with quiet():
        broken, text = killer_of(name)
        if broken:
            raise RuntimeError(f"{broken} fails without any mutant: {text}")
        for mutant in filter(wanted, mutants_of(op, facts_of(op))):
            reason = reason_for(mutant.name)
            if reason and right is None:
                right = all_gradients(name)
            with planted(mutant):
                killer, text = killer_of(name)
                if killer is None and reason and not alike(right, all_gradients(name)):
                    reason, text = None, "is set aside, but differs on other draws of the samples"
            outcomes.append(Outcome(mutant.name, mutant.kind, killer, text, None if killer else reason))
    return outcomes


def alike(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    """Whether two lists of arrays agree up to rounding."""
    return len(one) == len(other) and all(
        a.shape == b.shape and np.allclose(a, b, rtol=1e-11, atol=1e-12, equal_nan=True)
        for a, b in zip(one, other))


# ------------------------------------------------------------------ mutants of source lines


def passes(test: str) -> tuple[bool, str]:
    """Whether one test of the suite passes, with the message or pytest's report.

    A test without fixtures and parameters is called as the function it is, any other run by pytest.
    """
    path, _, item = test.partition("::")
    name, _, parameter = item.removesuffix("]").partition("[")
    function = getattr(importlib.import_module(path.removesuffix(".py").replace("/", ".")), name)
    if path == "tests/test_table.py" or not inspect.signature(function).parameters:
        try:
            function(*([parameter] if parameter else []))
        except (Exception, pytest.fail.Exception) as error:
            return False, f"{type(error).__name__}: {error}"
        return True, ""
    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        code = pytest.main([test, "-x", "-q", "-o", "addopts=", "-p", "no:cacheprovider", "--no-header"])
    return code == pytest.ExitCode.OK, output.getvalue()


def run_rewrite(mutant: rewrites.Rewrite) -> Outcome:
    """Plant a changed source line and run the test that is to notice it, first without the change.

    Raises:
        RuntimeError: if the test fails without the mutant.
    """
    with quiet():
        passed, text = passes(mutant.test)
        if not passed:
            raise RuntimeError(f"{mutant.test} fails without any mutant:\n{text}")
        with rewrites.planted(mutant):
            passed, text = passes(mutant.test)
    return Outcome(mutant.name, mutant.kind, None if passed else mutant.test, text)


# ------------------------------------------------------------------ all of them


def jobs_for(only: str | None = None) -> list[str]:
    """What there is to do, one name a job: ops with rules, and changed source lines.

    Args:
        only: the name of one op, or the beginning of the names of changed lines.
    """
    names = [name for name, op in TABLE.items() if op.rules and not name.endswith("_example")]
    names += [f"line {mutant.name}" for mutant in rewrites.REWRITES]
    if only is None:
        return names
    return [name for name in names if name == only or name.startswith(f"line {only}")]


def describe(job: str) -> list[tuple[str, str | None]]:
    """Names of a job's mutants, each with the reason if it is set aside."""
    if job.startswith("line "):
        return [(job, None)]
    with quiet():
        found = list(mutants_of(TABLE[job], facts_of(TABLE[job])))
    return [(mutant.name, reason_for(mutant.name)) for mutant in found]


def run_job(job: str) -> list[Outcome]:
    """One job's mutants; what fails without a mutant counts as a survivor."""
    try:
        if job.startswith("line "):
            return [run_rewrite(next(r for r in rewrites.REWRITES if f"line {r.name}" == job))]
        return run_op(job)
    except RuntimeError as error:
        return [Outcome(job, "not tried", None, str(error))]


def run(jobs: Iterable[str], processes: int = 1) -> Iterator[list[Outcome]]:
    """The outcomes of jobs, as they are done, by so many processes."""
    jobs = list(jobs)
    if processes < 2 or len(jobs) < 2:
        yield from map(run_job, jobs)
        return
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(processes, spawn) as pool:
        waiting = {pool.submit(run_job, job): job for job in jobs}
        for done in concurrent.futures.as_completed(waiting):
            try:
                yield done.result()
            except concurrent.futures.process.BrokenProcessPool:
                yield [Outcome(waiting[done], "not tried", None, "a process died")]
