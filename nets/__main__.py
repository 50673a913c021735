"""``python -m nets``, installed as ``tinygrad-hw``: the commands are in `nets.commands`."""

from __future__ import annotations

import argparse
import os
import sys

from nets.commands import COMMANDS
from nets.commands.options import Parser
from nets.commands.passed_on import pass_on

__all__ = ["main", "make_parser"]

ERRORS = (OSError, ValueError, RuntimeError, ArithmeticError, ImportError)
EPILOG = """\
first steps:
  python -m nets list                 what can be trained
  python -m nets run nist36-cnn       train it; report.html in the run folder shows what came of it
  python -m nets doctor               when something is slow or broken

exit codes:
  0    done
  1    an error, told in one line (--debug: with its traceback); doctor: something is broken
  2    a wrong command or option
  130  interrupted by Ctrl-C; 143 by SIGTERM: a training is saved and tells how to go on"""


def make_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = Parser(
        prog="python -m nets", description="Train the networks of tinygrad_hw, look after data and runs.",
        epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", title="commands")
    for command in COMMANDS:
        command.add_parser(commands)
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit code (see ``--help``)."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = argparse.Namespace(debug="--debug" in arguments)
    try:
        code = pass_on(arguments)
        if code is not None:
            return code
        parser = make_parser()
        if not arguments:
            parser.print_help(sys.stderr)
            parser.exit(2, "\nerror: no COMMAND\n")
        options, unknown = parser.parse_known_args(arguments)
        if unknown:
            parser.exit(2, f"error: {options.command} does not take {' '.join(unknown)}; "
                           f"python -m nets {options.command} --help tells all\n")
        code = options.act(options)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # who reads the output, `head` say, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141  # as the shell says it of SIGPIPE
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except ERRORS as error:
        if options.debug:
            raise
        print(f"error: {error}  (--debug shows where)", file=sys.stderr)
        if getattr(options, "distributed", False):
            from nets.team import end_all

            end_all(1)
        return 1


if __name__ == "__main__":
    sys.exit(main())
