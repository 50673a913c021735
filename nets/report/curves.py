"""Lines by epoch as SVG, legible in black and white: dash, marker and colour tell the lines apart."""

from __future__ import annotations

import math
from html import escape

__all__ = ["chart", "history_charts", "ticks"]

# Paul Tol's "bright" colours (https://personal.sron.nl/~pault/), of different darkness.
COLOURS = ("#4477aa", "#aa3377", "#228833", "#666666")
DASHES = ("", "7 4", "2 3", "10 3 2 3")
MARKERS = ('<circle r="3"/>', '<rect x="-3" y="-3" width="6" height="6"/>', '<path d="M0-4 4 3-4 3z"/>',
           '<path d="M0-4 4 0 0 4-4 0z"/>')
GRID = 'stroke="#ccc" stroke-width="0.8" fill="none"'
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 470, 270, 58, 12, 28, 42
LEGEND = 18  # height of a line of the legend
MOST_MARKERS = 12  # on one line


def ticks(low: float, high: float, most: int = 6, least: float = 0.0) -> list[float]:
    """Round numbers 1, 2 or 5 times a power of ten apart, from one at or below ``low`` up to ``high``.

    Args:
        low, high: what they enclose.
        most: how many there are, about.
        least: how far they are apart at least.

    >>> ticks(0.13, 0.94)
    [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    >>> ticks(1, 30)
    [0, 10, 20, 30]
    """
    span = max((high - low) or abs(high) or 1.0, least * (most - 1))
    power = 10.0 ** math.floor(math.log10(span / (most - 1)))
    for factor in (1, 2, 5, 10, 20):
        step = factor * power
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        if last - first < most:
            break
    digits = max(0, -math.floor(math.log10(step)))
    values = [round(number * step, digits) for number in range(first, max(last, first + 1) + 1)]
    return values if digits else [int(value) for value in values]


def chart(title: str, lines: dict[str, list[tuple[float, float | None]]], x: str = "epoch") -> str:
    """An SVG element with a line for each label.

    Args:
        title: what the lines are values of.
        lines: ``{label: [(x, y), ...]}``; a y that is None or not finite leaves a gap.
        x: name of the horizontal axis.

    Raises:
        ValueError: if no point is finite.

    >>> chart("loss", {"train": [(1, 2.5), (2, 1.0)]}).startswith('<svg class="chart" ')
    True
    """
    points = [(a, b) for line in lines.values() for a, b in line if _finite(b)]
    if not points:
        raise ValueError(f"{title}: there is no finite value to draw")
    columns = ticks(min(a for a, _ in points), max(a for a, _ in points), least=1.0)  # no epoch is 1.5
    rows = ticks(min(b for _, b in points), max(b for _, b in points))
    width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def place(a, b):
        return (LEFT + (a - columns[0]) / (columns[-1] - columns[0]) * width,
                TOP + (1 - (b - rows[0]) / (rows[-1] - rows[0])) * height)

    parts = [f'<text font-size="14" font-weight="600" x="{LEFT}" y="16">{escape(title)}</text>']
    for value in rows:
        y = place(columns[0], value)[1]
        parts.append(f'<path {GRID} d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>'
                     f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>')
    for value in columns:
        a = place(value, rows[0])[0]
        parts.append(f'<path {GRID} d="M{a:.1f} {TOP}V{HEIGHT - BOTTOM}"/>'
                     f'<text x="{a:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{value:g}</text>')
    parts.append(f'<text x="{LEFT + width / 2:.0f}" y="{HEIGHT - 8}" text-anchor="middle">'
                 f"{escape(x)}</text>")
    for number, (label, line) in enumerate(lines.items()):
        parts.append(_line(number, label, line, place))
        parts.append(_legend(number, label, line))
    tall = HEIGHT + LEGEND * len(lines) + 4
    return (f'<svg class="chart" viewBox="0 0 {WIDTH} {tall}" font-size="12" fill="#111" role="img" '
            f'aria-label="{escape(_in_words(title, lines, x))}">{"".join(parts)}</svg>')


def _finite(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _style(number):
    colour, dash = COLOURS[number % len(COLOURS)], DASHES[number % len(DASHES)]
    return f'stroke="{colour}" stroke-dasharray="{dash or "none"}" fill="none" stroke-width="1.8"', colour


def _mark(number, x, y, title=""):
    inside = f"<title>{escape(title)}</title>" if title else ""
    return (f'<g transform="translate({x:.1f} {y:.1f})" fill="{_style(number)[1]}">{inside}'
            f"{MARKERS[number % len(MARKERS)]}</g>")


def _line(number, label, line, place):
    """The line with its gaps, and markers on some of its points."""
    pieces, pen = [], "M"
    for a, b in line:
        if _finite(b):
            pieces.append("{}{:.1f} {:.1f}".format(pen, *place(a, b)))
            pen = "L"
        else:
            pen = "M"
    every = max(1, math.ceil(len(line) / MOST_MARKERS))
    shift = number * every // 4  # so that markers of equal lines stand side by side
    marks = [_mark(number, *place(a, b), f"{label}: {b:.4g} at {a:g}")
             for index, (a, b) in enumerate(line)
             if _finite(b) and (index % every == shift or len(line) < 4)]
    return f'<path {_style(number)[0]} d="{"".join(pieces)}"/>{"".join(marks)}'


def _legend(number, label, line):
    y = HEIGHT + LEGEND * number + 6
    last = next((b for _, b in reversed(line) if _finite(b)), None)
    text = label if last is None else f"{label} (last {last:.4g})"
    return (f'<path {_style(number)[0]} d="M{LEFT} {y}h44"/>{_mark(number, LEFT + 22, y)}'
            f'<text x="{LEFT + 54}" y="{y + 4}">{escape(text)}</text>')


def _in_words(title, lines, x):
    """What somebody hears who cannot see the chart."""
    ends = []
    for label, line in lines.items():
        values = [b for _, b in line if _finite(b)]
        if values:
            ends.append(f"{label} from {values[0]:.4g} to {values[-1]:.4g}")
    return f"{title} by {x}: {'; '.join(ends)}"


def history_charts(history: list[dict]) -> list[str]:
    """Charts of a run's history: one for each quantity (loss, accuracy, ...), train and validation in it.

    Rows without an ``epoch`` are no training and are left out; where a run has trained several networks
    (``network`` in its rows), each has charts of its own.

    >>> len(history_charts([{"epoch": 1, "train_loss": 2.0, "validation_loss": 2.1, "train_accuracy": 0.5}]))
    2
    """
    charts: dict[tuple, dict] = {}
    for row in history:
        if not _finite(row.get("epoch")):
            continue
        for key, value in row.items():
            if key == "epoch" or not (value is None or _finite(value)):
                continue
            split, _, quantity = key.partition("_")
            if split not in ("train", "validation", "test"):
                split, quantity = key, key
            group = charts.setdefault((row.get("network"), quantity), {})
            group.setdefault(split, []).append((row["epoch"], value))
    return [chart((f"{network}: " if network else "") + quantity.replace("_", " "), lines)
            for (network, quantity), lines in charts.items()
            if any(_finite(value) for line in lines.values() for _, value in line)]
