"""A photograph to text: find letters, recognise them in one batch, settle what only the network can tell."""

from __future__ import annotations

import dataclasses

import numpy as np

from nets.characters import CLASSES
from nets.reading.binarize import LONG_SIDE, ink
from nets.reading.crops import variants
from nets.reading.letters import Letter, find_letters, joined
from nets.reading.lines import gap_limit, group_lines, words_of
from nets.reading.words import correct
from nets.train import predict

__all__ = ["Page", "Sign", "read"]

IS_DIGIT = np.array([character.isdigit() for character in CLASSES])
MIXED = np.log(1e-3)      # how likely a word holds letters and digits, a priori, per word


@dataclasses.dataclass
class Sign:
    """A letter that was read: where it is, what it is, and how likely each class is.

    letter: its ink on the page as it was worked on, which may be reduced; probabilities: (36,);
    character: the reading, by the context of its word too; box: [y1, x1, y2, x2] on the photograph.
    """

    letter: Letter
    probabilities: np.ndarray
    character: str = ""
    box: tuple = ()

    @property
    def confidence(self) -> float:
        """How likely the reading is by the picture of the letter alone."""
        return float(self.probabilities[CLASSES.index(self.character)])


@dataclasses.dataclass
class Page:
    """What was read: ``lines`` of words of `Sign`; ``ink`` is the page's bool picture."""

    lines: list
    ink: np.ndarray

    @property
    def text(self) -> list:
        """The lines as strings."""
        return [" ".join("".join(sign.character for sign in word) for word in line) for line in self.lines]

    def corrected(self, words) -> list:
        """The lines with each word replaced by the one of the list that fits best, if one does."""
        def one(word):
            read = "".join(sign.character for sign in word)
            if read in words:
                return read
            return correct(np.stack([sign.probabilities for sign in word]), words) or read
        return [" ".join(one(word) for word in line) for line in self.lines]

    def as_json(self) -> dict:
        """Text and, line by line and word by word, characters with box [y1, x1, y2, x2] and confidence."""
        return {"text": self.text, "lines": [[[
            {"character": sign.character, "box": list(sign.box),
             "confidence": round(sign.confidence, 4)} for sign in word] for word in line]
            for line in self.lines]}


def read(grey, net, context=True):
    """Read a page.

    Args:
        grey: float (height, width), 0 black, 1 white.
        net: scores (N, 36) from pictures (N, 1, 32, 32), such as `nets.handwriting.CharacterNet`.
        context: let a word's letters decide together between O and 0, I and 1, S and 5, Z and 2:
            words of letters only or of digits only are likelier than mixtures.

    Returns:
        A `Page`; without letters its ``lines`` are empty.

    Raises:
        ImportError: without scikit-image. ValueError: for a picture that is too small.
    """
    reduced, step = _reduced(grey)
    strokes = ink(reduced)
    letters, _ = find_letters(strokes)
    if not letters:
        return Page([], strokes)
    lines = [[letters[i] for i in line] for line in group_lines([letter.box for letter in letters])]
    lines = _settled(lines, net)
    limit = gap_limit([[sign.letter.box for sign in line] for line in lines])
    grouped = [[[line[i] for i in word] for word in words_of([s.letter.box for s in line], limit)]
               for line in lines]
    for line in grouped:
        for word in line:
            chosen = _in_context(word) if context else [s.probabilities.argmax() for s in word]
            for sign, number in zip(word, chosen):
                sign.character = CLASSES[number]
                sign.box = tuple(step * side for side in sign.letter.box)
    return Page(grouped, strokes)


def _reduced(grey):
    """Large photographs in whole steps smaller (means of blocks), and the step."""
    step = max(1, round(max(grey.shape) / LONG_SIDE))
    height, width = (side // step * step for side in grey.shape)
    blocks = grey[:height, :width].reshape(height // step, step, width // step, step)
    return blocks.mean(axis=(1, 3)), step


def recognise(letters, net):
    """Probabilities (N, 36) of letters: the mean over each one's variants, all in one batch."""
    pictures = np.concatenate([variants(letter.mask) for letter in letters])
    scores = predict(net, pictures).astype(np.float64)
    scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    scores /= scores.sum(axis=1, keepdims=True)
    return scores.reshape(len(letters), -1, scores.shape[1]).mean(axis=1)


def _settled(lines, net):
    """Lines of `Sign`, after neighbours that look like one letter together were joined, and wide
    letters that look like two were cut."""
    candidates = [letter for line in lines for letter in line]
    joins, cuts = [], []
    for number, line in enumerate(lines):
        height = float(np.median([letter.height for letter in line]))
        for i in range(len(line) - 1):
            if _may_be_one(line, i, height):
                joins.append((number, i, len(candidates)))
                candidates.append(joined(line[i:i + 2]))
        for i, letter in enumerate(line):
            for halves in _cuts(letter, height):
                cuts.append((number, i, len(candidates)))
                candidates.extend(halves)
    table = recognise(candidates, net)
    sure = table.max(axis=1)
    starts = np.cumsum([0, *map(len, lines)])
    replaced: dict = {}      # (line, place) -> candidates in its place
    for number, i, candidate in joins:
        place = starts[number] + i
        if (number, i) not in replaced and sure[candidate] > max(0.6, np.sqrt(sure[place] * sure[place + 1])):
            replaced[number, i], replaced[number, i + 1] = [candidate], []
    best: dict = {}
    for number, i, candidate in cuts:
        gain = min(sure[candidate:candidate + 2]) - sure[starts[number] + i]
        if (number, i) not in replaced and gain > max(0.1, best.get((number, i), (0, 0))[0]):
            best[number, i] = gain, candidate
    replaced.update({key: [candidate, candidate + 1] for key, (_, candidate) in best.items()})
    return [[Sign(candidates[c], table[c]) for i in range(len(line))
             for c in replaced.get((number, i), [starts[number] + i])]
            for number, line in enumerate(lines)]


def _may_be_one(line, i, height):
    """Whether a letter and its right neighbour are near and narrow enough to be one letter in two pieces."""
    gaps = [b.box[1] - a.box[3] for a, b in zip(line, line[1:])]
    one, other = line[i], line[i + 1]
    width = max(one.box[3], other.box[3]) - min(one.box[1], other.box[1])
    tall = max(one.height, other.height)
    near = gaps[i] < 0.5 * float(np.median(gaps)) and gaps[i] < 0.25 * height
    return near and width < 1.2 * max(tall, height) and min(one.width, other.width) < 0.5 * tall


def _cuts(letter, height):
    """Ways to cut a wide letter in two: at the columns with the least ink of its middle half."""
    if letter.width < 1.25 * max(height, 0.8 * letter.height):
        return []
    columns = letter.mask.sum(axis=0).astype(float)
    first, last = letter.width // 4, letter.width - letter.width // 4
    distance = np.abs(np.arange(letter.width) - letter.width / 2) / letter.width
    order = np.argsort(columns + distance * letter.height, kind="stable")
    places = []
    for column in order[(order >= first) & (order < last)]:
        if all(abs(column - place) > 0.08 * letter.width for place in places):
            places.append(int(column))
        if len(places) == 3:
            break
    return [halves for place in places if (halves := _halves(letter, place))]


def _halves(letter, column):
    """The two letters left and right of a column, each in its own box; None if one would be empty."""
    halves = []
    for left, right in ((0, column), (column, letter.width)):
        mask = letter.mask[:, left:right]
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if not len(rows):
            return None
        y, x = letter.box[0] + rows[0], letter.box[1] + left + columns[0]
        mask = mask[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1]
        halves.append(Letter((int(y), int(x), int(y + mask.shape[0]), int(x + mask.shape[1])), mask))
    return halves


def _in_context(word):
    """Class numbers of a word's signs: the likelier of letters only, digits only, and a mixture."""
    logs = np.log(np.maximum([sign.probabilities for sign in word], 1e-9))
    if len(word) == 1:
        return [int(logs[0].argmax())]
    readings = [np.where(IS_DIGIT, -np.inf, logs), np.where(IS_DIGIT, logs, -np.inf),
                logs + MIXED / len(word)]
    best = max(readings, key=lambda table: table.max(axis=1).sum())
    return best.argmax(axis=1).tolist()
