"""Pictures of a training run as PNG files, from plain arrays. Each is written atomically, with its caption
as the PNG's Description, and can be read in black and white: lines differ in dash and marker, too.

    training_curves("curves.png", history)             loss and accuracy by epoch
    weight_grids("weights.png", before, after)         what the first layer looks for
    confusion("confusion.png", matrix, names)          who is taken for whom
    reconstructions("kept.png", originals, outputs)    what an autoencoder keeps
    learning_rates("rates.png", runs)                  the same network at several rates, one line each
    rate_grid("rates.png", runs)                       the same, a row of two panels each
    compared("curves.png", runs, "psnr")               several runs, one line each
    comparison("comparison.png", runs, names, rows)    the same for any figures, with a table
    lines("losses.png", panels)                        any lines, in panels side by side
    losses_by_rate("rates.png", rates, losses, 0.1)    which learning rate to begin with
"""

import textwrap

import numpy as np

from nets.metrics import most_confused, psnr
from nets.runs import atomic_write

DASHES = ("-", "--", ":", "-.")
MARKERS = ("o", "s", "^", "D", "v")
LETTER, LONGEST_NAME = 0.085, 22  # inches that a letter of size 10 takes; of the names at a confusion matrix


def training_curves(path, history, figure="accuracy"):
    """Two panels by epoch: the loss, and the figure of merit; train and validation in each.

    history: a dictionary of equally long sequences. Those called "train_loss", "validation_loss",
    "train_<figure>" and "validation_<figure>" are drawn; any of them may be missing. Values that
    are not finite leave a gap.

    >>> import tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "curves.png")
    >>> training_curves(path, {"train_loss": [3.6, 2.0, 1.1], "validation_accuracy": [0.1, 0.5, 0.7]})
    >>> open(path, "rb").read(4)
    b'\\x89PNG'
    """
    picture = _figure(10, 4)
    for number, quantity in enumerate(("loss", figure), start=1):
        _draw_splits(picture.add_subplot(1, 2, number), history, quantity)
    _save(picture, path, f"loss and {figure} by epoch")


def weight_grids(path, before, after, shown=64):
    """The first units' weights as small images, before and after training, side by side.

    before, after: (units, height, width), of one shape. All images share one grey scale a side,
    centred on 0, so a unit that stayed weak looks flat. At most `shown` units are drawn.
    Raises ValueError if the shapes are not three-dimensional and equal.
    """
    before, after = np.asarray(before), np.asarray(after)
    if before.shape != after.shape or before.ndim != 3 or len(before) == 0:
        raise ValueError(f"weights must be two arrays of one shape (units, height, width), "
                         f"got {before.shape} and {after.shape}")
    picture = _figure(10, 4.3)
    for number, (title, weights) in enumerate((("before", before), ("after", after)), start=1):
        axes = picture.add_subplot(1, 2, number)
        limit = float(np.abs(weights[:shown]).max()) or 1.0
        drawn = axes.imshow(_tile(weights[:shown]), cmap="gray", vmin=-limit, vmax=limit,
                            interpolation="nearest")
        axes.set_title(f"first-layer weights {title} training")
        axes.set_axis_off()
        picture.colorbar(drawn, ax=axes, shrink=0.8)
    _save(picture, path, "weights of the first layer before and after training, one small image a unit")


def confusion(path, matrix, names):
    """A confusion matrix, true classes down and predicted across, with a number in every used cell.

    matrix: counts (C, C) as from metrics.confusion_matrix; names: the C class names. Cells are
    coloured by their share of the true class; the most frequent mistakes are listed below.
    """
    matrix, count = np.asarray(matrix, np.int64), len(names)
    if matrix.shape != (count, count):
        raise ValueError(f"a confusion matrix of {count} names has shape {(count, count)}, "
                         f"got {matrix.shape}")
    labels = [_shortened(str(name), LONGEST_NAME) for name in names]
    longest = LETTER * max(map(len, labels), default=1)
    inches = max(4.5, 0.36 * count)  # of the matrix
    across = longest < inches / count  # else the names above it stand upright
    right = np.trace(matrix) / max(matrix.sum(), 1)
    mistakes = [f"{true} as {taken}: {times}" for true, taken, times in most_confused(matrix, labels, 8)]
    mistakes = f"most confused: {',  '.join(mistakes) or 'none'}"
    below = textwrap.fill(mistakes, int((inches + longest) / LETTER))
    picture = _figure(inches + longest + 0.5,
                      inches + 1.2 + (0 if across else longest) + 0.2 * below.count("\n"))
    picture.get_layout_engine().set(h_pad=0.1)
    picture.suptitle(f"confusion matrix: {right:.1%} of {matrix.sum()} images right", fontsize=12)
    picture.supxlabel(f"predicted class\n\n{below}", fontsize=10)
    axes = picture.add_subplot()
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    axes.imshow(share, cmap="GnBu", vmin=0, vmax=1)
    for row, column in zip(*np.nonzero(matrix)):
        number = str(matrix[row, column])
        axes.text(column, row, number, ha="center", va="center",
                  fontsize=min(9.0, 100 * inches / count / len(number)),
                  color="white" if share[row, column] > 0.6 else "black")
    axes.set_xticks(range(count), labels=labels, fontsize=10, rotation=0 if across else 90)
    axes.set_yticks(range(count), labels=labels, fontsize=10)
    axes.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, length=0)
    axes.set_xticks(np.arange(count + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(count + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="0.9", linewidth=0.5)
    axes.tick_params(which="minor", length=0)
    axes.set_ylabel("true class")
    _save(picture, path, f"confusion matrix, true classes down and predicted across: {right:.1%} right")


def _shortened(text, longest):
    """At most so many letters; what is left out in the middle is marked."""
    if len(text) <= longest:
        return text
    half = longest // 2
    return f"{text[:longest - 1 - half]}…{text[-half:]}"


def reconstructions(path, originals, outputs, shown=10):
    """Originals above, their reconstructions below, each with its PSNR in dB.

    originals, outputs: (N, height, width) or (N, 1, height, width) in 0..1, of one shape; the first
    `shown` are drawn.
    """
    ratios = psnr(outputs, originals)
    side = np.shape(originals)[-2:]
    originals, outputs = np.reshape(originals, (-1, *side)), np.reshape(outputs, (-1, *side))
    if len(originals) != len(ratios):
        raise ValueError(f"reconstructions draws images of one channel, got {len(ratios)} images "
                         f"with {len(originals) // len(ratios)} channels")
    count = min(shown, len(ratios))
    picture = _figure(1.1 * count + 0.4, 3.2)
    grid = picture.subplots(2, count, squeeze=False)
    for column in range(count):
        for row, images in enumerate((originals, outputs)):
            grid[row, column].imshow(images[column], cmap="gray", vmin=0, vmax=1)
            grid[row, column].set(xticks=[], yticks=[])
        grid[1, column].set_xlabel(f"{ratios[column]:.1f} dB", fontsize=9)
    grid[0, 0].set_ylabel("original")
    grid[1, 0].set_ylabel("reconstruction")
    picture.suptitle(f"mean PSNR of all {len(ratios)} images: {ratios.mean():.2f} dB")
    _save(picture, path, "originals above, their reconstructions below, each with its PSNR")


def learning_rates(path, runs, figure="accuracy"):
    """Loss and figure of merit by epoch, one line a learning rate.

    runs: {rate: history}, each history with "train_loss" and "validation_<figure>".
    Raises ValueError if there are no runs.
    """
    if not runs:
        raise ValueError("a study of learning rates needs at least one run, got none")
    compared(path, {f"lr {rate:g}": runs[rate] for rate in sorted(runs)}, figure)


def compared(path, runs, figure="accuracy"):
    """Training loss and the validation's figure of merit by epoch, one line a run.

    runs: {name: history}, each history with "train_loss" and "validation_<figure>".
    Raises ValueError if there are no runs.
    """
    if not runs:
        raise ValueError("a comparison needs at least one run, got none")
    picture = _figure(10, 4)
    for number, quantity in enumerate(("train_loss", f"validation_{figure}"), start=1):
        overlay(picture.add_subplot(1, 2, number), runs, quantity)
    _save(picture, path, f"training loss and validation {figure} by epoch of {', '.join(map(str, runs))}")


def overlay(axes, runs, quantity):
    """One quantity by epoch in matplotlib axes, a line for each of {name: history} that has it."""
    from matplotlib import colormaps
    from matplotlib.ticker import LogFormatter

    for place, (name, history) in enumerate(runs.items()):
        values = np.asarray(history.get(quantity, ()), np.float64)
        if values.size:
            axes.plot(np.arange(1, values.size + 1), values, label=name, **_line(place, values.size),
                      color=colormaps["viridis"](0.9 * place / len(runs)))
    _label(axes, "epoch", quantity.replace("_", " "))
    if quantity == "train_loss":
        axes.set_yscale("log")  # a run that diverges would flatten the others
        for formatted in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
            formatted(LogFormatter())  # 3.2, not 3.2 x 10^0
    axes.xaxis.get_major_locator().set_params(integer=True)


def comparison(path, runs, quantities, rows):
    """A panel a quantity with a line for each run, and below them a table.

    runs: {name: history}; quantities: keys of the histories; rows: of equally many texts, the first is the
    heading. Raises ValueError if there are no runs or quantities.
    """
    if not runs or not quantities:
        raise ValueError(f"a comparison needs runs and quantities, got {len(runs)} and {len(quantities)}")
    columns = min(len(quantities), 2)
    lines = -(-len(quantities) // columns)
    table_height = 0.3 * len(rows)
    picture = _figure(10, 3.6 * lines + table_height)
    grid = picture.add_gridspec(lines + 1, columns, height_ratios=[3.6] * lines + [table_height])
    for number, quantity in enumerate(quantities):
        overlay(picture.add_subplot(grid[number // columns, number % columns]), runs, quantity)
    below = picture.add_subplot(grid[lines, :])
    below.set_axis_off()
    table = below.table(rows[1:] or [[""] * len(rows[0])], colLabels=rows[0], cellLoc="right", loc="center",
                        edges="horizontal", bbox=(0, 0, 1, 1))
    table.auto_set_font_size(False)
    table.set_fontsize(8)
    _save(picture, path, f"curves and final figures of {', '.join(map(str, runs))}")


def rate_grid(path, runs, figure="accuracy"):
    """Two panels a learning rate, loss and figure of merit by epoch, train and validation in each.

    runs: {rate: history} with histories as for `training_curves`; a column each, in order of the rates;
    each row of panels shares its scale, so that the rates can be compared.
    Raises ValueError if there are no runs.
    """
    if not runs:
        raise ValueError("a study of learning rates needs at least one run, got none")
    picture = _figure(4.5 * len(runs), 7)
    panels = picture.subplots(2, len(runs), squeeze=False, sharey="row")
    for column, rate in enumerate(sorted(runs)):
        for axes, quantity in zip(panels[:, column], ("loss", figure)):
            _draw_splits(axes, runs[rate], quantity)
            axes.set_title(f"learning rate {rate:g}")
    _save(picture, path, f"loss and {figure} by epoch, a column for each learning rate")


def _draw_splits(axes, history, quantity):
    """A quantity of training and validation by epoch."""
    for place, split in enumerate(("train", "validation")):
        values = np.asarray(history.get(f"{split}_{quantity}", ()), np.float64)
        if values.size:
            axes.plot(np.arange(1, values.size + 1), values, color=f"C{place}", **_line(place, values.size),
                      label=f"{split} (last {values[-1]:.3f})")
    _label(axes, "epoch", quantity)
    axes.xaxis.get_major_locator().set_params(integer=True)


def lines(path, panels):
    """Panels side by side with lines in them.

    panels: dictionaries with "x" and "y" (what the axes mean), "lines" ({label: (x values, y values)}),
    and, if wanted, "title", "log" (a logarithmic y axis) and "ordered" (colours that run from dark to
    light with the order of the lines, for layers or rates). Raises ValueError if there are no panels.

    >>> import tempfile, os
    >>> path = os.path.join(tempfile.mkdtemp(), "lines.png")
    >>> lines(path, [{"x": "step", "y": "loss", "lines": {"net": ([100, 200], [1.6, 1.2])}}])
    >>> open(path, "rb").read(4)
    b'\\x89PNG'
    """
    from matplotlib import colormaps

    if not panels:
        raise ValueError("lines are drawn in panels, got none")
    picture = _figure(5.5 * max(len(panels), 1.4), 4)
    for number, panel in enumerate(panels, start=1):
        axes = picture.add_subplot(1, len(panels), number)
        count = len(panel["lines"])
        for place, (label, (x, y)) in enumerate(panel["lines"].items()):
            colour = colormaps["viridis"](0.95 * place / count) if panel.get("ordered") else f"C{place}"
            axes.plot(x, np.asarray(y, np.float64), color=colour, label=label, **_line(place, len(y)))
        if panel.get("log"):
            axes.set_yscale("log")
        axes.set_title(panel.get("title", ""))
        _label(axes, panel["x"], panel["y"])
        if count > 6:
            axes.legend(fontsize=7, ncols=2)
    _save(picture, path, "; ".join(panel.get("title") or f"{panel['y']} by {panel['x']}" for panel in panels))


def losses_by_rate(path, rates, losses, suggestion):
    """Losses by learning rate on a logarithmic axis, one of the rates marked (`nets.train.lr_find`).

    rates, losses: of equal length; suggestion: the rate to mark.
    """
    picture = _figure(6, 4)
    axes = picture.add_subplot()
    axes.plot(rates, losses, color="C0", label="loss, averaged")
    axes.axvline(suggestion, color="black", linestyle="--", label=f"suggestion {suggestion:.2g}")
    axes.set_xscale("log")
    _label(axes, "learning rate", "loss")
    _save(picture, path, f"loss while the learning rate rises; it fell fastest up to {suggestion:.2g}")


def _figure(width, height):
    """A matplotlib figure of that many inches that needs no screen and no global state."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=120, layout="constrained")


def _save(picture, path, caption=""):
    """As a PNG file that carries its caption (`nets.report` shows it)."""
    with atomic_write(path) as file:
        picture.savefig(file, format="png", metadata={"Description": caption} if caption else None)


def _label(axes, x, y):
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(alpha=0.3)
    if axes.lines:
        axes.legend()


def _line(place, points):
    """Dash and marker of the line at a place; long lines are marked about ten times."""
    every = max(1, -(-points // 10))
    return {"linestyle": DASHES[place % len(DASHES)], "marker": MARKERS[place % len(MARKERS)],
            "markersize": 4, "markevery": (place * every // 4 % every, every) if points > 10 else None}


def _tile(images):
    """Images (N, height, width) in rows and columns as nearly square, with gaps of one blank pixel."""
    count, height, width = images.shape
    columns = int(np.ceil(np.sqrt(count)))
    rows = -(-count // columns)
    canvas = np.full((rows, height + 1, columns, width + 1), np.nan, np.float64)
    for place, image in enumerate(images):
        canvas[place // columns, :height, place % columns, :width] = image
    return canvas.reshape(rows * (height + 1), columns * (width + 1))[:-1, :-1]
