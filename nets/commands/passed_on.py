"""``python -m nets warmup`` and ``bench``: commands of other packages under one roof."""

from __future__ import annotations

__all__ = ["add_parser", "pass_on"]

SUMMARIES = {
    "warmup": "compile all kernels now instead of when they are used first (python -m tinygrad_hw warmup)",
    "bench": "compare the speed with PyTorch's (python -m bench); from the source tree",
}


def add_parser(commands) -> None:
    """Add both, so that the help lists them; `pass_on` takes them before they are parsed."""
    for name, summary in SUMMARIES.items():
        commands.add_parser(name, help=summary, add_help=False)


def pass_on(arguments: list[str]) -> int | None:
    """Let the other package answer, if the command is its; the exit code, or None if it is not.

    >>> pass_on(["list"]) is None
    True
    """
    if not arguments or arguments[0] not in SUMMARIES:
        return None
    if arguments[0] == "warmup":
        from tinygrad_hw.__main__ import main

        return main(arguments)
    try:
        from bench.__main__ import main
    except ModuleNotFoundError as error:
        if error.name not in ("bench", "bench.__main__"):
            raise
        raise ImportError("bench is no part of the installed package; run it in the source tree, with "
                          "PyTorch installed (pip install '.[bench]')") from error
    return main(arguments[1:])
