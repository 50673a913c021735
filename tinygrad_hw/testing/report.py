"""What `check_op` reports: findings, and the table of checks that they are printed in."""

from __future__ import annotations

import dataclasses

__all__ = ["CHECKS", "Finding", "OpCheckError", "OpReport"]

CHECKS = ("values", "gradient", "second_order", "float32", "layout", "repeatable", "empty", "zero_dim",
          "bad")
"""The names of the checks, in the order in which they run; the same as in the op table."""


@dataclasses.dataclass(frozen=True)
class Finding:
    """What one check found in one sample: ``status`` is ``"failed"``, ``"kink"`` or ``"skipped"``."""

    check: str
    status: str
    text: str
    sample: int | None = None


@dataclasses.dataclass
class OpReport:
    """The result of `check_op`; printed it is a table of the checks.

    Attributes:
        name: of the op.
        trials: how many calls were tried.
        findings: everything that was not simply right.
    """

    name: str
    trials: int
    findings: list[Finding]

    @property
    def failures(self) -> list[Finding]:
        """The findings that make the check fail."""
        return [finding for finding in self.findings if finding.status == "failed"]

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return not self.failures

    def status(self, check: str) -> str:
        """``"passed"``, ``"failed"``, ``"kink"`` or ``"skipped"``."""
        found = {finding.status for finding in self.findings if finding.check == check}
        return next((word for word in ("failed", "kink", "skipped") if word in found), "passed")

    def __str__(self) -> str:
        count = len(self.failures)
        verdict = "proved" if self.passed else f"{count} finding{'s' * (count != 1)}"
        lines = [f"check_op({self.name}): {verdict}, {self.trials} sample{'s' * (self.trials != 1)}"]
        for check in CHECKS:
            found = [finding for finding in self.findings if finding.check == check]
            first = found[0].text if found and found[0].status == "skipped" else ""
            lines.append(f"  {check:<13} {self.status(check):<8} {first}".rstrip())
            for text in dict.fromkeys(finding.text for finding in found if finding.status != "skipped"):
                numbers = sorted({finding.sample for finding in found if finding.text == text} - {None})
                where = f"in sample {', '.join(map(str, numbers))}: " if self.trials > 1 and numbers else ""
                lines += [f"    {line}" for line in (where + text).splitlines()]
        return "\n".join(lines)


class OpCheckError(AssertionError):
    """An op failed `check_op`; ``report`` is the `OpReport`, and the text lists every finding."""

    def __init__(self, report: OpReport):
        super().__init__(str(report))
        self.report = report
