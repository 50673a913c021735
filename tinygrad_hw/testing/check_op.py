"""`check_op`: one line that proves an op of the user's own.

It asks of that op what the suite asks of every op of the table: values, gradients of first and second
order, dtypes, memory layouts, determinism, empty and 0-d shapes, errors.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable

import numpy as np

from ops.core import Bad, Case, Op
from tinygrad_hw.autograd.mode import no_grad
from tinygrad_hw.tensor import Tensor
from tinygrad_hw.testing.comparison import assert_close
from tinygrad_hw.testing.gradcheck import GradcheckError, gradcheck, gradgradcheck
from tinygrad_hw.testing.kinks import KinkWarning
from tinygrad_hw.testing.report import CHECKS, Finding, OpCheckError, OpReport
from tinygrad_hw.testing.trial import LAYOUTS, Trial, callable_of
from tinygrad_hw.threads import get_num_threads, set_num_threads

__all__ = ["check_op"]

LARGE = 150  # elements from which on second derivatives are checked along random directions


def check_op(function, *inputs, samples=None, reference: Callable | None = None, order: int = 2,
             bad: Iterable = (), exempt: dict[str, str] | None = None, name: str | None = None,
             rtol: float = 1e-7, atol: float = 1e-9, raise_exception: bool = True, seed: int = 0,
             ) -> OpReport:
    """Prove an op: a function of Tensors, an `autograd.Function` class, or an op of the table.

    Floating inputs are tested in float64 (and float32), whatever dtype they have.  If some of the Tensors
    given require a gradient, gradients are checked for those; otherwise for every floating one.  Inputs
    that were never tried empty or 0-d are shrunk to it; refusing them fails only if the reference answers.

    Args:
        function: the op.
        inputs: arguments of one call: Tensors, arrays, sequences of them, anything else as it is.
        samples: more calls: tuples of arguments, ``ops.core.case`` records, or a function of a NumPy
            generator that yields them.
        reference: the same function on NumPy arrays, written independently.
        order: 2 also checks second derivatives, 1 does not.
        bad: calls that must be refused: ``(arguments, error type, regular expression of its text)``.
        exempt: names of checks (see `CHECKS`) to leave out, with the reason.
        rtol, atol: tolerances of the values against the reference.
        raise_exception: raise if something is wrong; otherwise only report it.
        seed: of the private generator.

    For an op of the table its own samples, reference, bad calls and exemptions are the defaults.

    Raises:
        OpCheckError: (an AssertionError) listing every finding.

    >>> from tinygrad_hw import tensor
    >>> print(check_op(lambda x: x * x.sigmoid(), tensor([0.5, -1.0]),
    ...                reference=lambda x: x / (1 + np.exp(-x)), name="swish"))
    check_op(swish): proved, 1 sample
      values        passed
      gradient      passed
      second_order  passed
      float32       passed
      layout        passed
      repeatable    passed
      empty         passed
      zero_dim      passed
      bad           skipped  no bad calls given (bad=)
    """
    if isinstance(function, Op):
        samples = function.samples if samples is None and not inputs else samples
        reference, bad = reference or function.reference, bad or function.bad
        exempt = {**function.exempt, **(exempt or {})}
    unknown = set(exempt or ()) - set(CHECKS)
    if unknown:
        raise ValueError(f"exempt names no checks: {', '.join(sorted(unknown))}; there are "
                         f"{', '.join(CHECKS)}")
    cases = _cases(inputs, samples, seed)
    if not cases:
        raise ValueError("check_op needs inputs or samples to try the op on")
    name = name or getattr(function, "__name__", type(function).__name__)
    if name == "apply":
        name = function.__self__.__name__
    prover = _Prover(function, [Trial(function, one) for one in cases], reference, order, list(bad), rtol,
                     atol, seed)
    report = OpReport(name, len(cases), prover.findings)
    for check in CHECKS:
        if check in (exempt or ()):
            prover.skip(check, f"exempt: {exempt[check]}")
        else:
            getattr(prover, check)()
    if raise_exception and not report.passed:
        raise OpCheckError(report)
    return report


def _cases(inputs, samples, seed: int) -> list[Case]:
    """The calls to try, as records."""
    found = [Case(inputs, {})] if inputs else []
    if callable(samples):
        samples = samples(np.random.Generator(np.random.Philox(seed)))
    for sample in samples or ():
        if not isinstance(sample, Case):
            sample = Case(tuple(sample) if isinstance(sample, (tuple, list)) else (sample,), {})
        found.append(sample)
    return found


class _Prover:
    """The checks, each a method of its name; what they find is added to ``findings``."""

    def __init__(self, function, trials, reference, order, bad_calls, rtol, atol, seed):
        self.function, self.trials, self.reference = function, trials, reference
        self.order, self.bad_calls = order, bad_calls
        self.rtol, self.atol, self.seed = rtol, atol, seed
        self.findings: list[Finding] = []

    def skip(self, check: str, text: str) -> None:
        self.findings.append(Finding(check, "skipped", text))

    def fail(self, check: str, number: int | None, text: str) -> None:
        self.findings.append(Finding(check, "failed", text, number))

    def guarded(self, check: str, number: int, action: Callable) -> bool:
        """Run a part of a check; any error is a finding.  Whether it went well."""
        try:
            action()
        except (AssertionError, GradcheckError) as error:
            self.fail(check, number, str(error))
        except Exception as error:  # the user's op may raise anything, and that is a finding
            self.fail(check, number, f"{type(error).__name__}: {error}")
        else:
            return True
        return False

    def values(self) -> None:
        """The outputs against the reference."""
        if self.reference is None:
            self.skip("values", "no reference given (reference=)")
            return
        for number, trial in enumerate(self.trials):
            self.guarded("values", number, lambda trial=trial: self._same_as_reference(trial))

    def _same_as_reference(self, trial: Trial, arrays=None) -> None:
        ours, _ = trial.run(arrays)
        arrays = trial.arrays if arrays is None else arrays
        theirs = trial.call([np.array(array) for array in arrays], self.reference)
        theirs = theirs if isinstance(theirs, (tuple, list)) else (theirs,)
        theirs = [np.asarray(value.array if isinstance(value, Tensor) else value) for value in theirs]
        if len(ours) == len(theirs) == 1:
            ours, theirs = ours[0], theirs[0]
        assert_close(ours, theirs, rtol=self.rtol, atol=self.atol, equal_nan=True, check_dtype=False,
                     msg=lambda text: f"against the reference: {text}")

    def gradient(self) -> None:
        """First order; if it fails, every argument for itself."""
        self._derivatives("gradient", gradcheck)

    def second_order(self) -> None:
        """The gradient's own gradient."""
        if self.order < 2:
            self.skip("second_order", f"{self.order=}".replace("self.", ""))
        elif any(finding.check == "gradient" and finding.status == "failed" for finding in self.findings):
            self.skip("second_order", "the first order is wrong")
        else:
            self._derivatives("second_order", gradgradcheck)

    def _derivatives(self, check: str, compare: Callable) -> None:
        tried = [(number, trial) for number, trial in enumerate(self.trials) if trial.wanted]
        if not tried:
            self.skip(check, "no floating input")
        for number, trial in tried:
            size = sum(trial.arrays[i].size for i in trial.wanted)
            options = dict(seed=self.seed, fast_mode=check == "second_order" and size > LARGE)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                self._each_argument(check, number, trial, compare, options)
            for one in caught:
                if issubclass(one.category, KinkWarning):
                    self.findings.append(Finding(check, "kink", str(one.message), number))

    def _each_argument(self, check: str, number: int, trial: Trial, compare, options: dict) -> None:
        function, leaves = trial.as_function(), trial.copies()
        before = len(self.findings)
        if self.guarded(check, number, lambda: compare(function, leaves, **options)) or len(leaves) == 1:
            return
        together = self.findings.pop()
        for position in range(len(leaves)):
            for i, leaf in enumerate(leaves):
                leaf.requires_grad_(i == position)
            self.guarded(check, number, lambda: compare(function, leaves, **options))
        if len(self.findings) == before:
            self.findings.append(together)

    def float32(self) -> None:
        """Float32 stays float32, close to what float64 gives; gradients too."""
        for number, trial in enumerate(self.trials):
            if any(array.dtype.kind == "f" for array in trial.arrays):
                self.guarded("float32", number, lambda trial=trial: self._narrow(trial))

    @staticmethod
    def _narrow(trial: Trial) -> None:
        rounded = [array.astype(np.float32) if array.dtype.kind == "f" else array
                   for array in trial.arrays]
        wide = [array.astype(np.float64) if array.dtype.kind == "f" else array for array in rounded]
        for kind, ours, theirs in zip(("output", "gradient"), trial.run(rounded), trial.run(wide)):
            for position, (narrow, exact) in enumerate(zip(ours, theirs, strict=True)):
                if exact.dtype.kind == "f" and narrow.dtype != np.float32 and not trial.states_dtype:
                    raise AssertionError(f"{kind} {position} of float32 inputs is {narrow.dtype}, "
                                         "expected float32")
                size = float(np.max(np.abs(exact[np.isfinite(exact)]), initial=1.0))
                assert_close(narrow, exact, rtol=1e-4, atol=2e-5 * size, equal_nan=True, check_dtype=False,
                             msg=lambda text: f"{kind} {position} in float32 against float64: {text}")

    def layout(self) -> None:
        """Other memory with the same values gives the same, and the same gradients."""
        for number, trial in enumerate(self.trials):
            for word, change in LAYOUTS.items():
                arrays = [change(array) for array in trial.arrays]
                plain = [np.array(array, order="C") for array in arrays]
                self.guarded("layout", number, lambda: self._equal(
                    trial.run(arrays), trial.run(plain), f"inputs with {word}", 1e-10))

    @staticmethod
    def _equal(one, two, what: str, rtol: float = 0.0) -> None:
        """Outputs and gradients of two runs agree."""
        for kind, ours, theirs in zip(("output", "gradient"), one, two):
            for position, pair in enumerate(zip(ours, theirs, strict=True)):
                assert_close(*pair, rtol=rtol, atol=rtol / 100, equal_nan=True,
                             msg=lambda text: f"{kind} {position} differs for {what}: {text}")

    def repeatable(self) -> None:
        """Same bits again, for any number of threads and without recording; inputs stay as they were."""
        for number, trial in enumerate(self.trials):
            self.guarded("repeatable", number, lambda trial=trial: self._repeat(trial))

    def _repeat(self, trial: Trial) -> None:
        arrays = [array.copy() for array in trial.arrays]
        first = trial.run(arrays)
        for name, before, after in zip(trial.names, trial.arrays, arrays):
            if not np.array_equal(before, after, equal_nan=before.dtype.kind == "f"):
                raise AssertionError(f"the op changed its argument '{name}'; work on a copy (.clone()), or "
                                     "mark it dirty and return it")
        self._equal(trial.run(), first, "a second, equal call")
        threads = get_num_threads()
        try:
            for count in (1, 2):
                set_num_threads(count)
                self._equal(trial.run(), first, f"{count} threads")
        finally:
            set_num_threads(threads)
        with no_grad():
            outputs = trial.run()[0]
        self._equal((outputs, []), (first[0], []), "a call under no_grad")

    def empty(self) -> None:
        """An array without elements, given or made by cutting the first axis."""
        self._shrunk("empty", lambda array: array.size == 0, self._cut)

    def zero_dim(self) -> None:
        """A 0-d array, given or the first element of each."""
        self._shrunk("zero_dim", lambda array: array.ndim == 0,
                     lambda trial: [array.reshape(-1)[0].reshape(()) for array in trial.arrays])

    @staticmethod
    def _cut(trial: Trial) -> list[np.ndarray]:
        """Arrays without the first axis' elements where they share its length with the first array."""
        longest = next((len(array) for array in trial.arrays if array.ndim), None)
        return [array[:0] if array.ndim and len(array) == longest else array for array in trial.arrays]

    def _shrunk(self, check: str, already: Callable, shrink: Callable) -> None:
        if any(already(array) for trial in self.trials for array in trial.arrays):
            return  # the samples hold one, so every check above has seen it
        refusal = "no array to shrink; give a sample"
        for number, trial in enumerate(self.trials):
            if not any(array.size and array.ndim for array in trial.arrays):
                continue
            arrays = shrink(trial)
            try:
                trial.run(arrays)
            except Exception as error:  # refusing is allowed unless the reference knows an answer
                refusal = f"the op refuses it ({type(error).__name__}: {_first_line(error)})"
                if self.reference is not None and self._answers(trial, arrays):
                    self.fail(check, number, f"{refusal}, but the reference has an answer; if that is meant, "
                              f"exempt={{'{check}': reason}}")
                    return
                continue
            self.guarded(check, number, lambda: self._shapes_fit(trial, arrays))
            if self.reference is not None and self._answers(trial, arrays):
                self.guarded(check, number, lambda: self._same_as_reference(trial, arrays))
            return
        self.skip(check, refusal)

    def _answers(self, trial: Trial, arrays) -> bool:
        """Whether the reference gives a result for these arrays."""
        try:
            trial.call([np.array(array) for array in arrays], self.reference)
        except Exception:  # a reference that refuses too has no answer
            return False
        return True

    @staticmethod
    def _shapes_fit(trial: Trial, arrays) -> None:
        _, gradients = trial.run(arrays)
        for number, gradient in zip(trial.wanted, gradients):
            if gradient.shape != arrays[number].shape:
                raise AssertionError(f"the gradient of argument '{trial.names[number]}' has shape "
                                     f"{gradient.shape}, the argument {arrays[number].shape}")

    def bad(self) -> None:
        """Calls that must be refused, with the right error."""
        if not self.bad_calls:
            self.skip("bad", "no bad calls given (bad=)")
        for number, call in enumerate(self.bad_calls):
            call = call if isinstance(call, Bad) else Bad(_arguments(call[0]), {}, *call[1:])
            self._refused(number, call)

    def _refused(self, number: int, call: Bad) -> None:
        kinds = call.error if isinstance(call.error, tuple) else (call.error,)
        names = " or ".join(kind.__name__ for kind in kinds)
        wanted = f"expected {names} matching {call.match!r}"
        try:
            callable_of(self.function)(*call.args, **call.kwargs)
        except Exception as error:  # which error it is, is what is being checked
            if not isinstance(error, call.error) or not re.search(call.match, str(error)):
                self.fail("bad", None, f"bad call {number} raised {type(error).__name__}: {error}; {wanted}")
        else:
            self.fail("bad", None, f"bad call {number} was not refused; {wanted}")


def _arguments(value) -> tuple:
    return tuple(value) if isinstance(value, (tuple, list)) else (value,)


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
