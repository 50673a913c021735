"""Damage to bytes, as a file from a stranger may have it."""

from __future__ import annotations

import random
import re

__all__ = ["mutated"]

_NUMBERS = [0, 1, -1, 2**7, 2**8 - 1, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63 - 1]
_DIGITS = re.compile(rb"\d+")


def mutated(content: bytes, dice: random.Random, others: list[bytes], tokens: list[bytes] = ()) -> bytes:
    """``content`` with one to six random changes.

    Args:
        dice: where the randomness comes from.
        others: whole files, of which pieces are put in.
        tokens: words of the format, which are put in, too.

    >>> first = mutated(b"hello", random.Random(3), [b"world"])
    >>> first != b"hello", mutated(b"hello", random.Random(3), [b"world"]) == first
    (True, True)
    """
    changed = bytearray(content)
    for _ in range(dice.choice((1, 1, 1, 2, 3, 6))):
        dice.choice(_CHANGES)(changed, dice, others, tokens)
    return bytes(changed)


def _flip(changed, dice, others, tokens):
    if changed:
        changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)


def _set(changed, dice, others, tokens):
    if changed:
        changed[dice.randrange(len(changed))] = dice.choice((0, 1, 127, 128, 255, dice.randrange(256)))


def _cut(changed, dice, others, tokens):
    if changed:
        del changed[dice.randrange(len(changed)):]


def _delete(changed, dice, others, tokens):
    start = dice.randrange(len(changed) + 1)
    del changed[start:start + _length(dice)]


def _repeat(changed, dice, others, tokens):
    start = dice.randrange(len(changed) + 1)
    piece = changed[start:start + _length(dice)]
    changed[start:start] = piece * dice.choice((1, 2, 10))


def _insert(changed, dice, others, tokens):
    start = dice.randrange(len(changed) + 1)
    changed[start:start] = dice.choice(tokens) if tokens and dice.random() < 0.7 else dice.randbytes(
        _length(dice))


def _overwrite(changed, dice, others, tokens):
    token = dice.choice(tokens) if tokens else dice.randbytes(4)
    start = dice.randrange(len(changed) + 1)
    changed[start:start + len(token)] = token


def _number(changed, dice, others, tokens):
    size = dice.choice((1, 2, 4, 8))
    value = dice.choice(_NUMBERS) % 256**size
    start = dice.randrange(max(1, len(changed) - size + 1))
    changed[start:start + size] = value.to_bytes(size, dice.choice(("little", "big")))


def _digits(changed, dice, others, tokens):
    found = list(_DIGITS.finditer(changed[:4096]))
    if found:
        place = dice.choice(found)
        changed[place.start():place.end()] = str(dice.choice(_NUMBERS)).encode()


def _splice(changed, dice, others, tokens):
    other = dice.choice(others)
    start, length = dice.randrange(len(other) + 1), _length(dice) * 4
    place = dice.randrange(len(changed) + 1)
    changed[place:place + dice.choice((0, length))] = other[start:start + length]


def _length(dice):
    return dice.choice((1, 2, 3, 4, 8, 16, 64))


_CHANGES = (_flip, _flip, _set, _cut, _delete, _repeat, _insert, _overwrite, _number, _number, _digits,
            _splice)
