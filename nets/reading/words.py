"""Words corrected by a list of words."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nets.characters import CLASSES

__all__ = ["correct", "load_words"]


def load_words(path):
    """The words of a text file, in capitals; those with other characters than A-Z and 0-9 are left out.

    Raises FileNotFoundError, or ValueError for a file without any such word.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "words.txt"
    >>> _ = path.write_text("cat it's DOG")
    >>> sorted(load_words(path))
    ['CAT', 'DOG']
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}; --words names a text file with words")
    words = {word.upper() for word in path.read_text(encoding="utf-8", errors="replace").split()}
    words = {word for word in words if all(character in CLASSES for character in word)}
    if not words:
        raise ValueError(f"{path} holds no word of A-Z and 0-9")
    return words


def correct(probabilities, words, doubt=4.0):
    """The word of the list that the letters fit best, or None if none fits.

    Only words of the same length are compared. The fit is the sum of the letters' log probabilities;
    a word that is less likely than the free reading by more than `doubt` per changed letter is no fit.

    Args:
        probabilities: (letters, 36).
        words: a set from `load_words`.

    >>> table = np.full((3, 36), 0.01)
    >>> table[0, 2] = table[1, 0] = 0.6                     # C, A, then I rather than T
    >>> table[2, 8], table[2, 19] = 0.4, 0.2
    >>> correct(table, {"CAT", "DOG"})
    'CAT'
    """
    logs = np.log(np.maximum(probabilities, 1e-9))
    free = logs.argmax(axis=1)
    best, found = -np.inf, None
    for word in sorted(words):
        if len(word) != len(logs):
            continue
        places = np.array([CLASSES.index(character) for character in word])
        fit = logs[np.arange(len(word)), places].sum()
        lost = logs[np.arange(len(word)), free].sum() - fit
        if fit > best and lost <= doubt * max(1, int((places != free).sum())):
            best, found = fit, word
    return found
