"""``python -m bench``: compare tinygrad_hw with PyTorch, correctness first, then time."""

from __future__ import annotations

import argparse
import importlib
import sys

from bench import cold, report
from bench.duel import Duel, Effort, WorkerError

__all__ = ["main", "parser", "selected"]

SUITES = {
    "steps": ("steps", "whole training steps of every network, and inference of two large ones"),
    "ops": ("operations", "every function of the core list at 10^3 to 10^6 elements, worst first"),
    "kernels": ("kernels", "the heavy pieces of training, in the networks' and ResNet-18's shapes"),
    "cold": ("cold", "cold and warm start, import, peak memory of training steps, installed size"),
}
USUAL, QUICK = Effort(), Effort(rounds=3, seconds=0.01)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    lines = [f"  {name:8} {text}" for name, (_, text) in SUITES.items()]
    found = argparse.ArgumentParser(
        prog="python -m bench", formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Compare tinygrad_hw with PyTorch on this machine, in two processes that take\n"
                    "turns. Values are compared before times; a ratio below 1 means that tinygrad_hw\n"
                    "is faster (or smaller).\n\n"
                    "suites:\n" + "\n".join(lines),
        epilog="Nothing else should run meanwhile. Examples:\n"
               "  python -m bench steps --threads 1 --json steps.json --png steps.png\n"
               "  python -m bench ops --only softmax --quick\n\n"
               "Exit code: 0, 1 if a measurement failed or values differ, 2 for a wrong command,\n"
               "130 after Ctrl-C.")
    found.add_argument("suites", nargs="*", metavar="SUITE", help="which to run (default: all four)")
    found.add_argument("--threads", nargs="+", type=_positive, default=[1, 2], metavar="N",
                       help="numbers of threads, the same in both libraries (default: 1 2)")
    found.add_argument("--only", nargs="+", metavar="NAME",
                       help="measurements whose name contains one of these, in any case; see --list")
    found.add_argument("--list", action="store_true", help="print the measurements' names and stop")
    found.add_argument("--quick", action="store_true", help="few and short rounds: does it work?")
    found.add_argument("--compile", action="store_true",
                       help="let torch.compile compete in steps, too (needs a C++ compiler and 4 to "
                            "40 s a network)")
    found.add_argument("--json", metavar="FILE", help="write every sample, with machine and versions")
    found.add_argument("--png", metavar="FILE", help="draw a bar chart of the ratios")
    return found


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not a positive number")
    return value


def selected(suite: str, only: list[str] | None) -> list[str]:
    """The names of a suite's measurements that contain one of ``only``.

    >>> selected("steps", ["AUTO"])
    ['autoencoder-b36']
    """
    names = importlib.import_module(f"bench.{SUITES[suite][0]}").names()
    return [name for name in names if not only or any(part.lower() in name.lower() for part in only)]


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    command = parser()
    options = command.parse_args(arguments)
    unknown = [suite for suite in options.suites if suite not in SUITES]
    if unknown:
        command.error(f"no suite {unknown[0]!r}; there are {', '.join(SUITES)}")
    work = {suite: selected(suite, options.only) for suite in options.suites or SUITES}
    if not any(work.values()):
        command.error(f"no measurement is called {' or '.join(options.only)}; --list shows the names")
    if options.list:
        print("\n".join(f"{suite}: {name}" for suite, names in work.items() for name in names))
        return 0
    rows = []
    try:
        with Duel() as duel:
            for suite, names in work.items():
                if names:
                    rows += _run(duel, suite, names, options)
            facts = report.environment(duel.versions)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except WorkerError as error:
        print(f"error: {error}\n(PyTorch comes with the extra: pip install 'tinygrad_hw[bench]')",
              file=sys.stderr)
        return 1
    print(report.summary(rows))
    if options.json:
        report.write_json(rows, options.json, facts)
    if options.png and any(not row.error for row in rows):
        report.write_chart(rows, options.png, facts)
    return int(any(row.error for row in rows))


def _run(duel: Duel, suite: str, names: list[str], options: argparse.Namespace) -> list[report.Row]:
    """Measure a suite with a progress line on a terminal, and print its table."""
    effort = QUICK if options.quick else USUAL
    module, rows, plan = importlib.import_module(f"bench.{SUITES[suite][0]}"), [], []
    for name in names:
        once = suite == "cold" and not cold.uses_threads(name)
        plan += [(name, threads) for threads in (options.threads[:1] if once else options.threads)]
    for name, threads in plan:
        if sys.stderr.isatty():
            progress = f"\r\033[K{suite} {len(rows) + 1}/{len(plan)}: {name}"
            print(progress, end="", file=sys.stderr, flush=True)
        if suite == "cold":
            rows.append(cold.measure(name, threads, min(effort.rounds, 9)))  # a start takes seconds
        else:
            modes = module.modes(name, options.compile)
            row = duel.compare(SUITES[suite][0], name, modes, threads, effort, module.TOLERANCE)
            row.suite = suite
            rows.append(row)
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    ordered = report.worst_first(rows) if suite == "ops" else rows
    print(f"{suite}: {SUITES[suite][1]}\n{report.table(ordered)}\n")
    for note in dict.fromkeys(f"{row.name}: {note}" for row in rows for note in row.notes):
        print(note)
    return rows


if __name__ == "__main__":
    sys.exit(main())
