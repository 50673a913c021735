"""Kinds of values that several commands take."""

from __future__ import annotations

import argparse
import math

__all__ = ["add_debug", "positive", "rate", "share"]


def positive(text: str) -> int:
    """A whole number above 0.

    >>> positive("3")
    3
    """
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not a positive number")
    return value


def rate(text: str) -> float:
    """A finite number of at least 0.

    >>> rate("0.01")
    0.01
    """
    value = float(text)
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f"{value} is no learning rate: at least 0 and finite")
    return value


def share(text: str) -> float:
    """A number from 0 up to, but not including, 1.

    >>> share("0.2")
    0.2
    """
    value = float(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"{value} is no share: at least 0 and less than 1")
    return value


def add_debug(parser: argparse.ArgumentParser) -> None:
    """The option ``--debug``, which every command has."""
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
