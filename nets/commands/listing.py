"""``python -m nets list``: the systems and the other commands, a line each."""

from __future__ import annotations

from nets.by_hand import commands as by_hand
from nets.commands.options import add_debug
from nets.pretrained import command as pretrained
from nets.reading import command as read_text

__all__ = ["add_parser"]

CHARACTERS = "characters; DATA is a folder of .mat files in the layout of NIST36 (none: glyph36, drawn)"
PICTURES = "pictures; DATA is a folder or archive of classes or lists (none: Shapes5, drawn)"
DATA = {"imbalance": "DATA has two classes (none: balloons and cars of Shapes5)"}

# Seconds of training with the system's own epochs, the shortest of one to four runs on one thread of a
# machine with two cores and AVX-512: characters on 5,282 pictures of handwriting, dogs on 500 photos, the
# rare class on 210. Systems that were not timed alone are left out.
SECONDS = {"nist36-mlp": 16, "nist36-cnn": 12, "nist36-autoencoder": 15, "nist36-deep": 464,
           "nist36-autoencoder-conv": 307, "dogs-cnn": 9, "imbalance": 2}


def add_parser(commands) -> None:
    """Add ``list`` to the commands of ``python -m nets``."""
    parser = commands.add_parser("list", help="what can be trained, with its data and time")
    add_debug(parser)
    parser.set_defaults(act=_list)


def _list(options) -> int:
    from nets.systems import SYSTEMS

    width = max(map(len, SYSTEMS))
    print("python -m nets run NAME [--data DATA] trains:")
    for data in (CHARACTERS, PICTURES):
        print(f"\n{data}:")
        for name, system in SYSTEMS.items():
            if data == (CHARACTERS if name.startswith("nist36") else PICTURES):
                needs = f"; {DATA[name]}" if name in DATA else ""
                print(f"{name:{width}}  {system.summary}; {system.epochs} epochs{_time(name)}{needs}")
    print("\ncommands of their own, python -m nets COMMAND [--help]:")
    for name, summary in {**read_text.SUMMARIES, **pretrained.SUMMARIES, **by_hand.SUMMARIES}.items():
        print(f"{name:{width}}  {summary}")
    print("\nTimes are of training on one thread with the data of docs/systems.md (characters: half as\n"
          "many as glyph36 has). The first run also compiles kernels, half a minute; python -m nets warmup\n"
          "compiles them all beforehand.")
    return 0


def _time(name):
    seconds = SECONDS.get(name)
    if seconds is None:
        return ""
    return f", {seconds} s" if seconds < 100 else f", {round(seconds / 60)} min"
