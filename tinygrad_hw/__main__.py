"""Commands of the engine itself: ``python -m tinygrad_hw --help``."""

from __future__ import annotations

import argparse
import sys
import time

from tinygrad_hw.compat import command

__all__ = ["main"]


def _warm_up(options: argparse.Namespace) -> int:
    from ops.kernels.jit import cache_folder
    from tinygrad_hw.warmup import remove_stale, warm_up

    start = time.perf_counter()
    if not options.quiet and not sys.stderr.isatty():
        print("compiling; some minutes where nothing is in the cache yet", file=sys.stderr)
    try:
        count = warm_up(tuple(dict.fromkeys(options.dtype)), options.quiet)
    except KeyboardInterrupt:
        print("stopped; what was finished is kept", file=sys.stderr)
        return 130
    print(f"{count} kernels and ops ready in {time.perf_counter() - start:.0f} s, kept in {cache_folder()}")
    if options.clean:
        print(f"removed {remove_stale() / 1e6:.0f} MB of kernels of other versions")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tinygrad_hw",
                                     description="Commands of the engine itself.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    warmup = commands.add_parser(
        "warmup", help="compile all kernels now instead of when they are used first",
        description="Compile every kernel and keep the machine code in the cache folder "
                    "(TINYGRAD_HW_CACHE, else ~/.cache/tinygrad_hw). What is there already is only loaded.",
    )
    warmup.add_argument("--dtype", nargs="+", choices=("float32", "float64"), default=["float32"],
                        help="types of elements to compile for (default: float32)")
    warmup.add_argument("--clean", action="store_true", help="then remove the kernels of other versions")
    warmup.add_argument("--quiet", action="store_true", help="no progress bar")
    warmup.set_defaults(run=_warm_up)
    command.add_command(commands)
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit code."""
    options = _parser().parse_args(arguments)
    return options.run(options)


if __name__ == "__main__":
    sys.exit(main())
