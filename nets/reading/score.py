"""A reading against the truth: alignment of two texts and error rates."""

from __future__ import annotations

import numpy as np

__all__ = ["align", "character_error_rate", "compare"]


def align(truth, read):
    """The cheapest way from one text to another: [(true character, read character), ...].

    Levenshtein's distance (1966), insertions, deletions and substitutions costing 1 each; an empty
    string stands for a character that is missing on that side. Of equally cheap ways, the one with
    substitutions first.

    >>> align("CAT", "CHAT")
    [('C', 'C'), ('', 'H'), ('A', 'A'), ('T', 'T')]
    """
    costs = np.zeros((len(truth) + 1, len(read) + 1), int)
    costs[:, 0], costs[0] = np.arange(len(truth) + 1), np.arange(len(read) + 1)
    for i, true in enumerate(truth, start=1):
        for j, taken in enumerate(read, start=1):
            costs[i, j] = min(costs[i - 1, j - 1] + (true != taken), costs[i - 1, j] + 1, costs[i, j - 1] + 1)
    pairs, i, j = [], len(truth), len(read)
    while i or j:
        if i and j and costs[i, j] == costs[i - 1, j - 1] + (truth[i - 1] != read[j - 1]):
            i, j = i - 1, j - 1
            pairs.append((truth[i], read[j]))
        elif i and costs[i, j] == costs[i - 1, j] + 1:
            i -= 1
            pairs.append((truth[i], ""))
        else:
            j -= 1
            pairs.append(("", read[j]))
    return pairs[::-1]


def character_error_rate(truth, read):
    """Insertions, deletions and substitutions, divided by the length of the truth.

    Raises ValueError if the truth is empty.

    >>> character_error_rate("CAT", "CHAT")
    0.3333333333333333
    """
    if not truth:
        raise ValueError("the error rate against an empty truth is undefined")
    return sum(true != taken for true, taken in align(truth, read)) / len(truth)


def compare(truth, read):
    """Figures of one page: lines of text against lines of text.

    Args:
        truth, read: lists of lines.

    Returns:
        ``characters`` in the truth (without spaces), ``right`` (aligned to an equal character),
        ``accuracy`` = right / characters, ``error_rate`` (insertions count too), ``text_error_rate``
        (with spaces and line breaks as characters), ``found`` (characters read), ``mistakes``.

    >>> figures = compare(["AB C"], ["A8 C"])
    >>> figures["right"], figures["characters"], figures["mistakes"]
    (2, 3, [('B', '8')])
    """
    flat_truth, flat_read = ("".join("".join(lines).split()) for lines in (truth, read))
    pairs = align(flat_truth, flat_read)
    right = sum(true == taken for true, taken in pairs)
    return {
        "characters": len(flat_truth), "found": len(flat_read), "right": right,
        "accuracy": right / len(flat_truth) if flat_truth else None,
        "error_rate": character_error_rate(flat_truth, flat_read),
        "text_error_rate": character_error_rate("\n".join(truth), "\n".join(read)),
        "mistakes": [pair for pair in pairs if pair[0] != pair[1]],
    }
