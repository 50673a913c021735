"""Several runs side by side: the settings in which they differ, their final figures, their curves."""

from __future__ import annotations

import dataclasses

from nets import pictures
from nets.report.folder import RunFolder, read_folder

__all__ = ["Comparison", "compare", "draw"]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What is compared.

    Attributes:
        runs: `RunFolder` by its short name.
        settings: ``{setting: [its value in each run]}`` of those that differ.
        figures: the same of the final figures: the best and the test's, the seconds and the epochs done.
    """

    runs: dict[str, RunFolder]
    settings: dict[str, list[str]]
    figures: dict[str, list[str]]

    def rows(self) -> list[list[str]]:
        """A table with a column for each run; the first row and column name them."""
        return [["", *self.runs], *([name, *values] for name, values in self.settings.items()),
                *([name, *values] for name, values in self.figures.items())]

    def text(self) -> str:
        """The table in plain text."""
        rows = self.rows()
        widths = [max(map(len, column)) for column in zip(*rows)]
        lines = ["  ".join(cell.ljust(width) if place == 0 else cell.rjust(width)
                           for place, (cell, width) in enumerate(zip(row, widths))).rstrip() for row in rows]
        rule = "-" * max(map(len, lines))
        count = 1 + len(self.settings)
        return "\n".join([lines[0], rule, *(lines[1:count] or ["(the same settings)"]), rule, *lines[count:]])


def compare(folders) -> Comparison:
    """Read and compare the folders of runs.

    Raises:
        ValueError: there are fewer than two, or one is damaged.
        FileNotFoundError: one holds no run.
    """
    if len(folders) < 2:
        raise ValueError(f"a comparison needs at least two runs, got {len(folders)}; name more folders")
    found = [read_folder(folder) for folder in folders]
    runs = dict(zip(_names(found), found))
    keys = dict.fromkeys(key for run in found for key in run.config)
    settings = {"system": [run.name for run in found],
                **{key: [_text(run.config.get(key)) for run in found] for key in keys}}
    figures = dict.fromkeys(key for run in found for key, value in run.results.items()
                            if isinstance(value, (int, float)) and not isinstance(value, bool))
    return Comparison(
        runs, {key: values for key, values in settings.items() if len(set(values)) > 1},
        {**{key.replace("_", " "): [_text(run.results.get(key)) for run in found] for key in figures},
         "rows of history": [str(len(run.history)) for run in found]})


def _names(runs):
    """The folders' own names; where two are called the same, their paths."""
    names = [run.path.resolve().name for run in runs]
    return [name if names.count(name) == 1 else str(run.path.resolve()) for name, run in zip(names, runs)]


def _text(value):
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def draw(path, comparison: Comparison) -> None:
    """A PNG with a panel for each quantity that all runs have in common by epoch, above the table.

    Raises ValueError if the runs have no quantity in common.
    """
    histories = {name: _columns(run.history) for name, run in comparison.runs.items()}
    first, *others = histories.values()
    shared = [key for key in first if all(key in other for other in others)]
    if not shared:
        raise ValueError("the runs have no figure by epoch in common; their histories hold "
                         + "; ".join(f"{name}: {', '.join(each) or 'nothing'}"
                                     for name, each in histories.items()))
    pictures.comparison(path, histories, shared[:4], comparison.rows())


def _columns(history):
    """Lists of the numbers by epoch; None, which stands for NaN, leaves a gap."""
    rows = [row for row in history if "epoch" in row and "network" not in row]
    keys = [key for key in (rows[0] if rows else ()) if key != "epoch"]
    numbers = (int, float, type(None))
    return {key: [float("nan") if row.get(key) is None else row[key] for row in rows] for key in keys
            if all(isinstance(row.get(key), numbers) for row in rows)}
