"""report.md in a run's folder: what was run, with which settings, what came out, with pictures."""

from tinygrad_hw.utils.files import atomic_write

__all__ = ["picture", "table", "write"]


def table(header, rows) -> str:
    """A Markdown table; numbers with four digits that count, small ones as powers of ten.

    >>> print(table(("layer", "error"), [("relu", 1.23456e-10), ("fc", 0.5), ("none", None)]))
    | layer | error |
    |---|---|
    | relu | 1.235e-10 |
    | fc | 0.5 |
    | none | - |
    """
    lines = [header, ["---"] * len(header), *rows]
    text = ["|" + "|".join(_cell(cell) for cell in line) + "|" for line in lines]
    return "\n".join(line if "---" in line else line.replace("|", " | ").strip() for line in text)


def picture(name, caption) -> str:
    """A picture of the same folder.

    >>> picture("curves.png", "loss")
    '![loss](curves.png)'
    """
    return f"![{caption}]({name})"


def write(run, title, *sections) -> None:
    """Write report.md with a title and sections of Markdown into the folder of a `nets.runs.Run`.

    >>> import pathlib, tempfile
    >>> from nets.runs import Run
    >>> run = Run("demo", {}, pathlib.Path(tempfile.mkdtemp()) / "run")
    >>> write(run, "Demo", "It ran.")
    >>> run.path("report.md").read_text()
    '# Demo\\n\\nIt ran.\\n'
    """
    with atomic_write(run.path("report.md")) as file:
        file.write(("\n\n".join([f"# {title}", *sections]) + "\n").encode())


def _cell(value) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
