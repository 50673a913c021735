"""A computational graph as a picture: a value above and a gradient below every edge."""

import math

from matplotlib.patches import Circle, FancyArrowPatch

from nets.by_hand.graphs import GRAPHS
from nets.pictures import _figure, _save

__all__ = ["draw"]

VALUE, GRADIENT = "tab:green", "tab:red"
RADIUS = 0.24
INCHES = 1.2  # a column
ROW = 1.25  # columns


def draw(path, name: str, inputs=None) -> None:
    """Write a PNG of a graph at a point.

    Above an edge, green, is the value that goes forward; below, red, the gradient that comes back.

    Args:
        path: the file.
        name: of `GRAPHS`.
        inputs: the point; default the graph's example.

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "f1.png"
    >>> draw(path, "f1")
    >>> path.read_bytes()[1:4]
    b'PNG'
    """
    graph = GRAPHS[name]
    result = graph.by_hand(*(graph.example if inputs is None else inputs))
    places = dict(graph.leaves) | {node: entry.place for node, entry in graph.nodes.items()}
    places = {name: (x, ROW * y) for name, (x, y) in places.items()}
    right = max(x for x, _ in places.values()) + 1.1
    low, high = (pick(y for _, y in places.values()) for pick in (min, max))
    figure = _figure(INCHES * (right + 0.6), INCHES * (high - low + 1.4))
    axes = figure.add_subplot()
    axes.set(xlim=(-0.5, right + 0.1), ylim=(low - 0.5, high + 0.5), aspect="equal")
    axes.set_axis_off()
    axes.set_title(graph.formula)
    for node, entry in graph.nodes.items():
        for source in entry.inputs:
            gradient = result.gradients.get(f"{source}_{node}", result.gradients[source])
            _edge(axes, places[source], places[node], result.values[source], gradient)
    last = list(graph.nodes)[-1]
    x, y = places[last]
    _edge(axes, (x, y), (x + 1.1, y), result.values[last], result.gradients[last])
    for leaf in graph.leaves:
        _circle(axes, places[leaf], leaf, "#e8eefc")
    for node, entry in graph.nodes.items():
        _circle(axes, places[node], entry.operator, "white")
    _save(figure, path)


def _circle(axes, place, text, colour):
    axes.add_patch(Circle(place, RADIUS, facecolor=colour, edgecolor="black", zorder=3))
    size = 11 if len(text) <= 3 else 8
    axes.text(*place, text, ha="center", va="center", fontsize=size, zorder=4)


def _edge(axes, start, end, value, gradient):
    """An arrow, with the numbers near its start, where few edges cross."""
    length = math.dist(start, end)
    stop, middle = (length - RADIUS) / length, (0.51 if start[1] == end[1] else 0.65) / length
    tip, (x, y) = ([a + part * (b - a) for a, b in zip(start, end)] for part in (stop, middle))
    axes.add_patch(FancyArrowPatch(start, tip, arrowstyle="-|>", mutation_scale=9, color="0.55",
                                   shrinkA=0, shrinkB=0, zorder=1))
    box = dict(facecolor="white", edgecolor="none", alpha=0.8, pad=0.4)
    for number, colour, side, align in ((value, VALUE, 0.03, "bottom"),
                                        (gradient, GRADIENT, -0.03, "top")):
        text = f"{float(number) + 0.0:.3g}"  # + 0.0 turns -0 into 0
        axes.text(x, y + side, text, color=colour, fontsize=9, ha="center", va=align, bbox=box, zorder=2)
