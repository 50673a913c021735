"""A `Drawing` by matplotlib, for PNG and PDF files."""

from __future__ import annotations

from tinygrad_hw.viz.picture import FONT, SMALL, STYLES, Drawing, curve, labelled

__all__ = ["figure"]

POINT = 0.75
"""Points of a font in a unit of the drawing, which is a pixel of CSS: 1/96 inch."""


def figure(drawing: Drawing):
    """The drawing as a matplotlib Figure of its own size."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
    from matplotlib.path import Path

    result = Figure((drawing.width / 96, drawing.height / 96))
    FigureCanvasAgg(result)
    axes = result.add_axes((0, 0, 1, 1))
    axes.set_xlim(drawing.left, drawing.left + drawing.width)
    axes.set_ylim(drawing.top + drawing.height, drawing.top)
    axes.axis("off")

    def rectangle(x, y, width, height, radius, **style):
        shape = f"round,pad=0,rounding_size={radius}"
        axes.add_patch(FancyBboxPatch((x, y), width, height, shape, linewidth=POINT, **style))

    def text(x, y, words, size, colour, **options):
        options = {"ha": "center", "va": "baseline", **options}
        axes.text(x, y, words.replace("$", r"\$"), fontsize=size * POINT, color=colour, **options)

    for frame in drawing.frames:
        rectangle(frame.left, frame.top, frame.right - frame.left, frame.bottom - frame.top, 8,
                  facecolor="#6080a012", edgecolor="#99aabb")
        text(frame.left + 6, frame.top + 13, frame.title, SMALL, "#556677", ha="left")
    for arrow in drawing.arrows:
        pieces = curve(arrow.points, drawing.turned)
        path = Path([arrow.points[0], *(point for piece in pieces for point in piece)],
                    [Path.MOVETO] + [Path.CURVE4] * (3 * len(pieces)))
        axes.add_patch(FancyArrowPatch(path=path, arrowstyle="-|>,head_length=3,head_width=1.6",
                                       linewidth=POINT, color="#666666", shrinkA=0, shrinkB=0))
    for box in drawing.boxes:
        (x, y), (width, height), (fill, stroke) = box.centre, box.size, STYLES[box.style]
        rectangle(x - width / 2, y - height / 2, width, height, 6, facecolor=fill, edgecolor=stroke)
        for number, line in enumerate(box.lines):
            size, colour = (SMALL, "#555555") if number else (FONT, "#111111")
            text(x, y - height / 2 + 19 + 13.5 * number, line, size, colour)
    for arrow in labelled(drawing.arrows):
        x, y = arrow.label_place
        text(x, y, arrow.label, SMALL, "#555555", va="center",
             bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 0.6})
    return result
