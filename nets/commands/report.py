"""``python -m nets report RUN``: write the page of a run again, or of one that was killed."""

from __future__ import annotations

from nets.commands.options import add_debug

__all__ = ["add_parser"]


def add_parser(commands) -> None:
    """Add ``report`` to the commands of ``python -m nets``."""
    parser = commands.add_parser(
        "report", help="write report.html of a run folder anew",
        description="Write report.html from what is in a run's folder: one file with curves, pictures, "
                    "layers, settings and history. 'run' does it at its end; this is for runs that go on, "
                    "that were killed, or that other commands made.")
    parser.add_argument("runs", nargs="+", metavar="RUN", help="folders of runs")
    add_debug(parser)
    parser.set_defaults(act=_report)


def _report(options) -> int:
    from nets.report import write_report

    for folder in options.runs:
        print(write_report(folder))
    return 0
