"""The parser of the commands, and kinds of values that several of them take."""

from __future__ import annotations

import argparse
import difflib
import math
import re

__all__ = ["Parser", "add_debug", "count", "positive", "rate", "share"]


class Parser(argparse.ArgumentParser):
    """Tells what is wrong with a command in one line, and which word was probably meant."""

    def error(self, message: str):
        """End the program with code 2."""
        wrong = re.search(r"invalid choice: '(.*)' \(choose from (.*)\)", message)
        near = difflib.get_close_matches(wrong[1], re.findall(r"[\w-]+", wrong[2]), 1) if wrong else ()
        hint = f"did you mean {near[0]}? " if near else ""
        self.exit(2, f"error: {message}; {hint}{self.prog} --help tells all\n")


def _number(kind, text, wanted):
    try:
        return kind(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not {wanted}") from None


def positive(text: str) -> int:
    """A whole number above 0.

    >>> positive("3")
    3
    """
    value = _number(int, text, "a positive whole number")
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not a positive number")
    return value


def count(text: str) -> int:
    """A whole number of at least 0.

    >>> count("0")
    0
    """
    value = _number(int, text, "a whole number")
    if value < 0:
        raise argparse.ArgumentTypeError(f"{value} is less than 0")
    return value


def rate(text: str) -> float:
    """A finite number of at least 0.

    >>> rate("0.01")
    0.01
    """
    value = _number(float, text, "a number")
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{value} is no learning rate: at least 0 and finite")
    return value


def share(text: str) -> float:
    """A number from 0 up to, but not including, 1.

    >>> share("0.2")
    0.2
    """
    value = _number(float, text, "a number")
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"{value} is no share: at least 0 and less than 1")
    return value


def add_debug(parser: argparse.ArgumentParser) -> None:
    """The option ``--debug``, which every command has."""
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
