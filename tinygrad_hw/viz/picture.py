"""A drawing of boxes and arrows, as SVG text or as pixels; neither needs graphviz."""

from __future__ import annotations

import html
import os
from dataclasses import dataclass, field

from tinygrad_hw.viz.layout import layered

__all__ = ["STYLES", "Arrow", "Box", "Drawing", "Frame", "arrange"]

FONT, SMALL = 12.0, 10.0
LETTER = 0.6
"""Width of a letter as a share of the font size: a little more than that of common fonts."""

MARGIN, TITLE = 16.0, 10.0

STYLES = {
    "input": ("#e8eefc", "#5b7bd5"),
    "parameter": ("#fdf3d8", "#c9a227"),
    "frozen": ("#eeeeee", "#9a9a9a"),
    "layer": ("#ffffff", "#333333"),
    "op": ("#f4f4f4", "#777777"),
    "output": ("#e3f4e3", "#3f9142"),
}
"""Fill and outline of each kind of box."""


@dataclass
class Box:
    """A node of the drawing.

    Attributes:
        lines: the text; the first line is larger.
        style: a key of `STYLES`.
        hint: what appears when the mouse rests on the box.
        group: frames around the box, the outermost first: each a title and what tells it from others.
        centre: the place, set by `arrange`.
    """

    lines: list[str]
    style: str = "op"
    hint: str = ""
    group: tuple[tuple[str, int], ...] = ()
    centre: tuple[float, float] = (0.0, 0.0)

    @property
    def size(self) -> tuple[float, float]:
        """Width and height that the text needs."""
        width = max(len(line) * LETTER * (SMALL if n else FONT) for n, line in enumerate(self.lines))
        return max(width + 16, 36.0), 12 + 16 + 13.0 * (len(self.lines) - 1)


@dataclass
class Arrow:
    """An edge of the drawing, from the box at one position to that at another.

    `arrange` sets its way and the place of its label; None if another arrow says the same.
    """

    start: int
    end: int
    label: str = ""
    points: list[tuple[float, float]] = field(default_factory=list)
    label_place: tuple[float, float] | None = None


@dataclass
class Frame:
    """A titled rectangle around the boxes of a group."""

    title: str
    left: float
    top: float
    right: float
    bottom: float


def arrange(boxes: list[Box], arrows: list[Arrow], direction: str = "down") -> Drawing:
    """Place boxes and arrows; the direction of the arrows is "down" or "right"."""
    if direction not in ("down", "right"):
        raise ValueError(f"direction must be 'down' or 'right', got {direction!r}")
    turned = direction == "right"
    label = max((len(arrow.label) * LETTER * SMALL for arrow in arrows), default=0)
    sizes = [box.size[::-1] if turned else box.size for box in boxes]
    room = 30 + label if turned else 44 if label else 30

    deepest = max((len(box.group) for box in boxes), default=0)

    def rank_gap(upper: list[int], lower: list[int]) -> float:
        """Room for an arrow with its label, and for the frames that end and begin between two ranks."""
        groups = [{group for n in rank for group in _groups(boxes[n])} for rank in (upper, lower)]
        return room + sum(_borders(*groups, deepest))

    centres, routes = layered(sizes, [(arrow.start, arrow.end) for arrow in arrows],
                              28 if turned or not label else 36, rank_gap)
    for box, centre in zip(boxes, centres):
        box.centre = centre[::-1] if turned else centre
    for arrow, route in zip(arrows, routes):
        start, end = boxes[arrow.start], boxes[arrow.end]
        points = [point[::-1] if turned else point for point in route]
        arrow.points = _between(points, start, end, turned)
        if len(points) > 2 and any(one.start == arrow.start and one.label == arrow.label
                                   and len(way) == 2 for one, way in zip(arrows, routes)):
            continue
        leaving, entering = _borders({*_groups(start)}, {*_groups(end)}, deepest)
        length = abs(arrow.points[1][not turned] - arrow.points[0][not turned])
        share = (length + leaving - entering) / 2 / max(length, 1)
        arrow.label_place = _on_curve(arrow.points, turned, min(max(share, 0.25), 0.75))
    return Drawing(boxes, arrows, _frames(boxes, arrows, deepest), turned)


def _groups(box: Box) -> list[tuple]:
    """The frames around a box, the outermost first."""
    return [box.group[:depth] for depth in range(1, len(box.group) + 1)]


def _pad(group: tuple, deepest: int) -> float:
    """Distance from a frame to the boxes in it: more for the outer ones."""
    return 8.0 + 16.0 * (deepest - len(group))


def _borders(above: set, below: set, deepest: int) -> tuple[float, float]:
    """What the frames that end below some boxes and those that begin above others need of the gap."""
    ending = max((_pad(group, deepest) for group in above - below), default=0.0)
    beginning = max((_pad(group, deepest) + TITLE for group in below - above), default=0.0)
    return ending, beginning


def _between(points: list, start: Box, end: Box, turned: bool) -> list:
    """The points of an arrow from the border of one box to that of the other."""
    half_start, half_end = (box.size[0 if turned else 1] / 2 for box in (start, end))
    (x, y), (u, v) = points[0], points[-1]
    if turned:
        return [(x + half_start, y), *points[1:-1], (u - half_end, v)]
    return [(x, y + half_start), *points[1:-1], (u, v - half_end)]


def _frames(boxes: list[Box], arrows: list[Arrow], deepest: int) -> list[Frame]:
    """A frame for each group, around its boxes and the bends of arrows to them, if no other box is inside."""
    frames = []
    for group in sorted({group for box in boxes for group in _groups(box)}, key=len):
        inside = [box for box in boxes if box.group[:len(group)] == group]
        pad = _pad(group, deepest)
        top = min(box.centre[1] - box.size[1] / 2 for box in inside) - pad - TITLE
        bottom = max(box.centre[1] + box.size[1] / 2 for box in inside) + pad
        bends = [x for arrow in arrows if any(boxes[arrow.end] is box for box in inside)
                 for x, y in arrow.points[1:-1] if top < y < bottom]
        left = min(bends + [box.centre[0] - box.size[0] / 2 for box in inside]) - pad
        right = max(bends + [box.centre[0] + box.size[0] / 2 for box in inside]) + pad
        others = [box.centre for box in boxes if box.group[:len(group)] != group]
        if len(inside) > 1 and not any(left < x < right and top < y < bottom for x, y in others):
            frames.append(Frame(group[-1][0], left, top, right, bottom))
    return frames


def _on_curve(points: list, turned: bool, share: float) -> tuple[float, float]:
    """The point of the first piece of an arrow at a share of its way."""
    start, (first, second, end) = points[0], curve(points, turned)[0]
    rest = 1 - share
    weights = rest**3, 3 * rest**2 * share, 3 * rest * share**2, share**3
    return tuple(sum(w * p[axis] for w, p in zip(weights, (start, first, second, end))) for axis in (0, 1))


def curve(points: list, turned: bool) -> list[tuple]:
    """Cubic pieces ``(control, control, end)`` that leave and reach every point along the arrows.

    >>> curve([(0, 0), (10, 20)], False)
    [((0, 10.0), (10, 10.0), (10, 20))]
    """
    pieces = []
    for (x, y), (u, v) in zip(points, points[1:]):
        middle = (x + u) / 2 if turned else (y + v) / 2
        pieces.append(((middle, y), (middle, v), (u, v)) if turned else ((x, middle), (u, middle), (u, v)))
    return pieces


def labelled(arrows: list[Arrow]) -> list[Arrow]:
    """The arrows that show a label."""
    return [arrow for arrow in arrows if arrow.label and arrow.label_place is not None]


class Drawing:
    """Boxes and arrows that have found their places.

    In a notebook it shows itself; `save` writes it to a file, ``svg()`` gives the text.

    Attributes:
        boxes: the nodes.
        arrows: the edges.
        frames: rectangles around groups of boxes.
    """

    def __init__(self, boxes: list[Box], arrows: list[Arrow], frames: list[Frame], turned: bool = False):
        self.boxes, self.arrows, self.frames, self.turned = boxes, arrows, frames, turned
        places = [(box.centre, box.size) for box in boxes]
        xs = [x + s * w / 2 for (x, _), (w, _) in places for s in (-1, 1)] + [0.0]
        ys = [y + s * h / 2 for (_, y), (_, h) in places for s in (-1, 1)] + [0.0]
        xs += [x for frame in frames for x in (frame.left, frame.right)]
        labels = [(arrow.label_place[0], len(arrow.label) * LETTER * SMALL) for arrow in labelled(arrows)]
        xs += [x + side * width / 2 for x, width in labels for side in (-1, 1)]
        ys += [y for frame in frames for y in (frame.top, frame.bottom)]
        self.left, self.top = min(xs) - MARGIN, min(ys) - MARGIN
        self.width, self.height = max(xs) + MARGIN - self.left, max(ys) + MARGIN - self.top

    def __repr__(self) -> str:
        return f"<Drawing of {len(self.boxes)} boxes and {len(self.arrows)} arrows>"

    def svg(self) -> str:
        """The drawing as the text of an SVG file.

        >>> from tinygrad_hw import tensor, viz
        >>> viz.draw_graph(tensor(2.0, requires_grad=True) * 3).svg()[:4]
        '<svg'
        """
        return "\n".join(_svg(self))

    _repr_svg_ = svg

    def save(self, path: str | os.PathLike, dpi: float = 120) -> None:
        """Write an SVG file, or by matplotlib whatever its ending asks for: ``.png``, ``.pdf``.

        Args:
            path: where to; an existing file is overwritten.
            dpi: pixels per inch of pictures that are made of pixels.
        """
        if os.fspath(path).lower().endswith(".svg"):
            with open(path, "w", encoding="utf-8") as file:
                file.write(self.svg())
        else:
            from tinygrad_hw.viz.pixels import figure

            figure(self).savefig(path, dpi=dpi)


def _svg(drawing: Drawing):
    """The lines of the SVG file."""
    left, top, width, height = drawing.left, drawing.top, drawing.width, drawing.height
    yield (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
           f'viewBox="{left:.1f} {top:.1f} {width:.1f} {height:.1f}" '
           'font-family="Helvetica, Arial, sans-serif" text-anchor="middle">')
    yield ('<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" '
           'orient="auto"><path d="M0,0 L8,4 L0,8 z" fill="#666"/></marker></defs>')
    yield f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{height:.1f}" fill="white"/>'
    for frame in drawing.frames:
        yield (f'<rect x="{frame.left:.1f}" y="{frame.top:.1f}" width="{frame.right - frame.left:.1f}" '
               f'height="{frame.bottom - frame.top:.1f}" rx="8" fill="#6080a0" fill-opacity="0.07" '
               'stroke="#9ab"/>')
        yield (f'<text x="{frame.left + 6:.1f}" y="{frame.top + 13:.1f}" font-size="{SMALL}" fill="#567" '
               f'text-anchor="start">{html.escape(frame.title)}</text>')
    for arrow in drawing.arrows:
        (x, y), pieces = arrow.points[0], curve(arrow.points, drawing.turned)
        path = " ".join("C" + " ".join(f"{u:.1f},{v:.1f}" for u, v in piece) for piece in pieces)
        yield f'<path d="M{x:.1f},{y:.1f} {path}" fill="none" stroke="#666" marker-end="url(#tip)"/>'
    for box in drawing.boxes:
        yield from _svg_box(box)
    for arrow in labelled(drawing.arrows):
        x, y = arrow.label_place
        yield (f'<text x="{x:.1f}" y="{y + 3.5:.1f}" font-size="{SMALL}" fill="#555" stroke="white" '
               f'stroke-width="3" paint-order="stroke">{html.escape(arrow.label)}</text>')
    yield "</svg>"


def _svg_box(box: Box):
    (x, y), (width, height), (fill, stroke) = box.centre, box.size, STYLES[box.style]
    yield f"<g><title>{html.escape(box.hint)}</title>" if box.hint else "<g>"
    yield (f'<rect x="{x - width / 2:.1f}" y="{y - height / 2:.1f}" width="{width:.1f}" '
           f'height="{height:.1f}" rx="6" fill="{fill}" stroke="{stroke}"/>')
    for number, line in enumerate(box.lines):
        size, colour = (SMALL, "#555") if number else (FONT, "#111")
        yield (f'<text x="{x:.1f}" y="{y - height / 2 + 19 + 13.5 * number:.1f}" font-size="{size}" '
               f'fill="{colour}">{html.escape(line)}</text>')
    yield "</g>"
