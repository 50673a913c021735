"""``python -m tests.fuzz --inputs 100000 [--parser NAME] [--atheris]``."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from tests.fuzz.guided import atheris_missing, guided
from tests.fuzz.parsers import PARSERS
from tests.fuzz.runner import Finding, fuzz


def main() -> int:
    """The command; exit code 1 if something was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz",
                                     description="Give damaged files to readers.")
    parser.add_argument("--inputs", type=int, default=100_000, help="files for each parser")
    parser.add_argument("--parser", choices=PARSERS, action="append", help="only this one; may be repeated")
    parser.add_argument("--seed", type=int, default=0, help="another one gives other files")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="end earlier, for each parser")
    parser.add_argument("--atheris", action="store_true",
                        help="let coverage guide the damage (needs pip install atheris)")
    options = parser.parse_args()
    if options.atheris and (missing := atheris_missing()):
        parser.error(missing)
    found = 0
    for name in options.parser or PARSERS:
        started = time.monotonic()
        if options.atheris:
            told, well = guided(name, options.inputs, options.seed)
            print(f"{name}: {told} in {time.monotonic() - started:.0f} s", flush=True)
            found += not well
            continue
        try:
            counts = fuzz(name, options.inputs, options.seed, options.seconds)
        except Finding as finding:
            path = Path(f"found-{name}-{options.seed}").absolute()
            path.write_bytes(finding.content)
            print(f"{name}: {finding} (the file: {path})")
            found += 1
            continue
        print(f"{name}: {dict(counts)} in {time.monotonic() - started:.0f} s", flush=True)
    return min(found, 1)


if __name__ == "__main__":
    sys.exit(main())
