"""What a benchmark found: rows, and their forms as a table for the terminal, JSON and a bar chart."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import math
import os
import platform
import statistics
import sys
from collections.abc import Iterable

__all__ = ["Row", "environment", "geometric_mean", "summary", "table", "write_chart", "write_json"]

EAGER = "eager"
CHART_ROWS = 40


@dataclasses.dataclass
class Row:
    """One measurement with one number of threads.

    Attributes:
        suite, name, threads: what was measured.
        samples: values of each contender, a value a round: "ours", "eager" and PyTorch's other modes.
        unit: "s" for seconds or "bytes".
        difference: largest relative difference of values from PyTorch's.
        error: why there are no samples.
        notes: what was left out.
    """

    suite: str
    name: str
    threads: int
    samples: dict[str, list[float]] = dataclasses.field(default_factory=dict)
    unit: str = "s"
    difference: float | None = None
    error: str | None = None
    notes: list[str] = dataclasses.field(default_factory=list)

    def median(self, contender: str) -> float:
        """The middle value of a contender."""
        return statistics.median(self.samples[contender])

    @property
    def fastest(self) -> str:
        """PyTorch's best mode."""
        return max((label for label in self.samples if label != "ours"), key=self.ratio)

    def ratio(self, contender: str) -> float:
        """The median of the rounds' ratios of our value to theirs: below 1 we are better.

        The two values of a round were measured one right after the other, so a machine that is slow for some
        seconds is slow for both.

        >>> Row("steps", "mlp", 1, {"ours": [1.0, 3.0, 2.0], "eager": [4.0, 6.0, 2.0]}).ratio("eager")
        0.5
        """
        return statistics.median(self._ratios(contender))

    def spread(self, contender: str) -> tuple[float, float]:
        """10th and 90th percentile of the ratios of the rounds."""
        ratios = sorted(self._ratios(contender))
        return tuple(ratios[round(share * (len(ratios) - 1))] for share in (0.1, 0.9))

    def _ratios(self, contender: str) -> list[float]:
        """Our value divided by theirs, round by round."""
        return [mine / other for mine, other in zip(self.samples["ours"], self.samples[contender])]


# ------------------------------------------------------------------ text


SCALES = {"s": ((1, "s"), (1e-3, "ms"), (1e-6, "us")), "bytes": ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))}
HEADER = ("measurement", "threads", "ours", "eager", "fastest", "mode", "/eager", "/fastest", "10-90%",
          "difference")


def amount(value: float, unit: str) -> str:
    """A value in a readable unit.

    >>> amount(0.00123, "s"), amount(2.5e-6, "s"), amount(3.2e7, "bytes")
    ('1.23 ms', '2.50 us', '32.0 MB')
    """
    scale, label = next((pair for pair in SCALES[unit] if value >= pair[0]), SCALES[unit][-1])
    value /= scale
    return f"{value:.{2 if value < 10 else 1 if value < 100 else 0}f} {label}"


def geometric_mean(values: Iterable[float]) -> float:
    """The mean for ratios.

    >>> geometric_mean([0.5, 2.0])
    1.0
    """
    return math.exp(statistics.fmean(map(math.log, values)))


def cells(row: Row) -> tuple[str, ...]:
    """The columns of a row, as `HEADER` names them."""
    if row.error:
        return (row.name, str(row.threads), row.error)
    low, high = row.spread(row.fastest)
    return (
        row.name, str(row.threads),
        *(amount(row.median(contender), row.unit) for contender in ("ours", EAGER, row.fastest)),
        row.fastest, f"{row.ratio(EAGER):.2f}", f"{row.ratio(row.fastest):.2f}", f"{low:.2f}-{high:.2f}",
        "" if row.difference is None else f"{row.difference:.0e}",
    )


def worst_first(rows: list[Row]) -> list[Row]:
    """Errors, then by falling ratio to PyTorch's fastest mode."""
    return sorted(rows, key=lambda row: -math.inf if row.error else -row.ratio(row.fastest))


def table(rows: list[Row]) -> str:
    """The rows as aligned text; errors take the place of the figures."""
    lines = [HEADER, *map(cells, rows)]
    complete = [line for line in lines if len(line) == len(HEADER)]
    widths = [max(len(line[i]) for line in complete) for i in range(len(HEADER))]
    widths[0] = max(len(line[0]) for line in lines)

    def aligned(line):
        name, threads, *rest = line
        start = [name.ljust(widths[0]), threads.rjust(widths[1])]
        if len(line) < len(HEADER):
            return "  ".join([*start, "FAILED: " + rest[0].splitlines()[0]])
        return "  ".join([*start, *map(str.rjust, rest, widths[2:])]).rstrip()

    return "\n".join(map(aligned, lines))


def summary(rows: list[Row]) -> str:
    """One line for each suite and number of threads: geometric means, the worst row, failures."""
    lines = []
    for suite, threads in dict.fromkeys((row.suite, row.threads) for row in rows):
        group = [row for row in rows if (row.suite, row.threads) == (suite, threads)]
        good = [row for row in group if not row.error]
        text = f"{suite}, {threads} thread{'s' * (threads > 1)}: "
        if good:
            worst, ratios = worst_first(good)[0], [row.ratio(row.fastest) for row in good]
            if suite != "cold":  # a mean over seconds and bytes would mean nothing
                to_eager = geometric_mean(row.ratio(EAGER) for row in good)
                text += f"geometric mean {to_eager:.2f} of eager, "
                text += f"{geometric_mean(ratios):.2f} of the fastest mode; "
            text += f"{sum(ratio < 1 for ratio in ratios)} of {len(good)} below 1; "
            text += f"worst {max(ratios):.2f} ({worst.name})"
        if len(good) < len(group):
            text += f"{'; ' * bool(good)}{len(group) - len(good)} of {len(group)} failed"
        lines.append(text)
    return "\n".join(lines)


# ------------------------------------------------------------------ files


def environment(versions: dict[str, str]) -> dict[str, object]:
    """The machine and the versions that the figures belong to."""
    try:
        with open("/proc/cpuinfo") as file:
            names = (line.split(":")[1].strip() for line in file if line.startswith("model name"))
            processor = next(names)
    except (OSError, StopIteration):
        processor = platform.processor() or platform.machine()
    return {
        "processor": processor, "cores": os.cpu_count(), "system": platform.platform(),
        "python": sys.version.split()[0],
        **{name: importlib.metadata.version(name) for name in ("numpy", "numba")},
        "tinygrad_hw": versions.get("ours"), "torch": versions.get("torch"),
    }


def write_json(rows: list[Row], path: str, environment: dict[str, object]) -> None:
    """All samples, with medians and ratios worked out, and the environment."""
    measured = []
    for row in rows:
        entry = dataclasses.asdict(row)
        if not row.error:
            entry["medians"] = {label: row.median(label) for label in row.samples}
            entry["fastest"] = row.fastest
            entry["ratio_to_eager"], entry["ratio_to_fastest"] = row.ratio(EAGER), row.ratio(row.fastest)
        if entry["difference"] is not None and not math.isfinite(entry["difference"]):
            entry["difference"] = str(entry["difference"])
        measured.append(entry)
    with open(path, "w") as file:
        json.dump({"environment": environment, "rows": measured}, file, indent=1, allow_nan=False)


def write_chart(rows: list[Row], path: str, environment: dict[str, object]) -> None:
    """Bars of our value divided by that of PyTorch's fastest mode, on a logarithmic axis.

    At most the 40 worst measurements are drawn.  Raises ValueError if no measurement succeeded.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.ticker import FuncFormatter

    good = worst_first([row for row in rows if not row.error])
    if not good:
        raise ValueError("no measurement succeeded, so there is nothing to draw")
    labels = list(dict.fromkeys(row.name for row in good))
    count, labels = len(labels), labels[:CHART_ROWS]
    threads = sorted({row.threads for row in good})
    figure, axes = pyplot.subplots(figsize=(9, 1.6 + 0.22 * len(labels) * max(1.4, len(threads))))
    height = 0.8 / len(threads)
    for i, used in enumerate(threads):
        found = {row.name: row for row in good if row.threads == used}
        drawn = [(place, found[label]) for place, label in enumerate(labels) if label in found]
        places = [place + (i - (len(threads) - 1) / 2) * height for place, _ in drawn]
        ratios = [row.ratio(row.fastest) for _, row in drawn]
        bars = axes.barh(places, [ratio - 1 for ratio in ratios], height, left=1, color=f"C{i}",
                         label=f"{used} thread{'s' * (used > 1)}")
        axes.bar_label(bars, [f" {ratio:.2f} " for ratio in ratios], fontsize=7)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    low, high = axes.get_xlim()
    axes.set_xlim(min(low * 0.85, 0.45), max(high * 1.2, 2.2))
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_yticks(range(len(labels)), labels, fontsize=8)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.tick_params(axis="x", which="both", labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("tinygrad_hw / PyTorch's fastest mode (left of 1: tinygrad_hw is better)"
                    + f"; the {CHART_ROWS} worst of {count}" * (count > CHART_ROWS), fontsize=8)
    axes.set_title(f"{environment['processor']}, torch {environment['torch']}", fontsize=9)
    axes.legend(fontsize=8, frameon=False)
    figure.savefig(path, dpi=150, bbox_inches="tight")
    pyplot.close(figure)
