"""``python -m nets compare RUN RUN ...``: where runs differ, and what came of it."""

from __future__ import annotations

from pathlib import Path

from nets.commands.options import add_debug

__all__ = ["add_parser"]


def add_parser(commands) -> None:
    """Add ``compare`` to the commands of ``python -m nets``."""
    parser = commands.add_parser(
        "compare", help="several runs: curves in one figure, settings that differ, final figures",
        description="Print the settings in which runs differ and their final figures, and draw both with the "
                    "curves of all runs in one figure.")
    parser.add_argument("runs", nargs="+", metavar="RUN", help="folders of runs, two or more")
    parser.add_argument("--out", metavar="PNG", default="comparison.png",
                        help="the figure (default: comparison.png)")
    add_debug(parser)
    parser.set_defaults(act=_compare)


def _compare(options) -> int:
    from nets.report.comparison import compare, draw

    comparison = compare(options.runs)
    print(comparison.text())
    out = Path(options.out)
    draw(out, comparison)
    print(f"\nfigure: {out}")
    return 0
