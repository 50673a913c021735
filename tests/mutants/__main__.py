"""``python -m tests.mutants [--only OP] [--list] [--jobs N]``: plant bugs, count the killed."""

from __future__ import annotations

import argparse
import collections
import os
import sys
import time

from tqdm import tqdm

from tests.mutants.runner import Outcome, describe, jobs_for, run


def report(outcomes: list[Outcome]) -> str:
    """The table: killed and planted by kind, by what they were killed, set aside, survivors by name."""
    kinds = collections.defaultdict(list)
    for outcome in outcomes:
        kinds[outcome.kind].append(outcome)
    lines = [f"{'kind':24}{'killed':>8} / {'planted':<8} set aside"]
    for kind, members in [*kinds.items(), ("all", outcomes)]:
        killed = sum(outcome.killer is not None for outcome in members)
        aside = sum(outcome.reason is not None for outcome in members)
        lines.append(f"{kind:24}{killed:8} / {len(members) - aside:<8} {aside or ''}".rstrip())
    rules = collections.Counter(outcome.name.partition(":")[0] for outcome in outcomes
                                if "." in outcome.name.partition(":")[0])
    if rules:
        least, most = min(rules.values()), max(rules.values())
        lines += ["", f"gradients: {len(rules)}, each with {least} to {most} mutants"]
    checks = [outcome.killer for outcome in outcomes if outcome.killer and "::" not in outcome.killer]
    killers = collections.Counter(check.partition("[")[0] for check in checks)
    lines += ["", "killed by: " + ", ".join(f"{name} {count}" for name, count in killers.most_common())]
    reasons = collections.Counter(outcome.reason for outcome in outcomes if outcome.reason)
    if reasons:
        lines += ["", "set aside, after they gave the right gradients on ten draws of all samples:"]
        lines += [f"{count:5}  {reason}" for reason, count in reasons.most_common()]
    survivors = [outcome for outcome in outcomes if outcome.survived]
    if survivors:
        lines += ["", "SURVIVED:"]
        lines += [f"  {outcome.name}  {outcome.text.strip()[-300:]}".rstrip() for outcome in survivors]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """The command; returns 1 if a mutant survived, 2 if there is nothing to do."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--only", metavar="OP", help="an op, or engine, 'in place', optimizer, state")
    parser.add_argument("--list", action="store_true", help="name the mutants and plant none")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), metavar="N",
                        help="processes (default: %(default)s)")
    options = parser.parse_args(arguments)
    jobs = jobs_for(options.only)
    if not jobs:
        parser.print_usage()
        print(f"no op with gradient rules, and no other mutant, is called {options.only!r}")
        return 2
    if options.list:
        for job in jobs:
            for name, reason in describe(job):
                print(f"{name}  [set aside: {reason}]" if reason else name)
        return 0
    outcomes: list[Outcome] = []
    started = time.perf_counter()
    with tqdm(total=len(jobs), unit="job", disable=None) as bar:
        for found in run(jobs, options.jobs):
            outcomes += found
            survived = sum(outcome.survived for outcome in outcomes)
            bar.set_postfix(planted=len(outcomes), survived=survived)
            bar.update()
    print(report(outcomes))
    print(f"\n{time.perf_counter() - started:.0f} s")
    return int(any(outcome.survived for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
