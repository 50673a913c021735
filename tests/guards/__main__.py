"""``python -m tests.guards --cases 50000``; with NUMBA_BOUNDSCHECK=1, kernels check their indices, too."""

from __future__ import annotations

import argparse
import multiprocessing
import sys

from tests.guards.check import calls


def main() -> int:
    """The command; exit code 1 if something was found.

    The calls are made in a child process, so that one that kills the interpreter is told, too.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.guards", description="Random calls of every op.")
    parser.add_argument("--cases", type=int, default=50_000, help="calls")
    parser.add_argument("--seed", type=int, default=0, help="number of the first call")
    parser.add_argument("--op", help="only this one")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="end earlier")
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    now, answers = context.Value("q", options.seed), context.SimpleQueue()
    found = 0
    while now.value < options.seed + options.cases:
        process = context.Process(target=calls, args=(options, now, answers))
        process.start()
        while process.is_alive() or not answers.empty():
            if answers.empty():
                process.join(0.2)
            else:
                print(answers.get(), flush=True)
        if process.exitcode == 0:
            break
        print(f"call number {now.value} ended the process with exit code {process.exitcode}", flush=True)
        found += 1
        now.value += 1
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
