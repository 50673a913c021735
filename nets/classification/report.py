"""The report of a run: report.md with tables and pictures, and the parts of a run with several networks."""

from __future__ import annotations

from nets.classification.coco_nets import layer_table
from tinygrad_hw.utils.files import atomic_write

__all__ = ["Part", "Report"]


class Report:
    """Markdown, piece by piece; every method returns the report.

    >>> report = Report("Two networks").text("Which is better?").table(("net", "accuracy"), [("A", 0.5)])
    >>> print(report.markdown())
    # Two networks
    <BLANKLINE>
    Which is better?
    <BLANKLINE>
    | net | accuracy |
    |---|---|
    | A | 0.5000 |
    <BLANKLINE>
    """

    def __init__(self, title: str):
        self.pieces = [f"# {title}"]

    def heading(self, text: str) -> Report:
        """A heading of the second level."""
        self.pieces.append(f"## {text}")
        return self

    def text(self, text: str) -> Report:
        """A paragraph."""
        self.pieces.append(text)
        return self

    def table(self, header, rows) -> Report:
        """A table; numbers with a fraction get four digits."""
        lines = [header, (), *rows]
        cells = [[f"{cell:.4f}" if isinstance(cell, float) else str(cell) for cell in line]
                 for line in lines]
        self.pieces.append("\n".join(
            "|---" * len(header) + "|" if number == 1 else f"| {' | '.join(line)} |"
            for number, line in enumerate(cells)))
        return self

    def layers(self, net, shape: tuple[int, ...]) -> Report:
        """The table of a network's layers (`layer_table`), and how many parameters it has."""
        count = sum(parameter.numel() for parameter in net.parameters())
        return self.table(("layer", "side of the output", "output", "parameters", "number"),
                          layer_table(net, shape)).text(
            f"Together {count:,} parameters, those of batch normalisation included.")

    def picture(self, file: str, caption: str) -> Report:
        """A picture of the run folder."""
        self.pieces.append(f"![{caption}]({file})")
        return self

    def markdown(self) -> str:
        """The whole text."""
        return "\n\n".join(self.pieces) + "\n"

    def write(self, path) -> None:
        """Into a file, atomically."""
        with atomic_write(path) as file:
            file.write(self.markdown().encode())


class Part:
    """A run's part for one of several networks: files NAME-..., and a history of its own.

    >>> import tempfile
    >>> from nets.runs import Run
    >>> part = Part(Run("demo", {}, out=tempfile.mkdtemp()), "net1")
    >>> part.log(epoch=1, train_loss=1.5)
    >>> part.path("best.safetensors").name, part.run.history
    ('net1-best.safetensors', [{'network': 'net1', 'epoch': 1, 'train_loss': 1.5}])
    """

    def __init__(self, run, name: str):
        self.run, self.name, self.history = run, name, []

    @property
    def conduct(self):
        """The run's."""
        return self.run.conduct

    @property
    def facts(self):
        """The run's."""
        return self.run.facts

    def restore(self, history) -> None:
        """Take the rows of a stored state, also into the run's history behind those of earlier networks."""
        self.history[:] = history
        before = [row for row in self.run.history if row.get("network") != self.name]
        self.run.restore([*before, *({"network": self.name, **row} for row in history)])

    def path(self, name: str):
        """Where this network's file called `name` belongs."""
        return self.run.path(f"{self.name}-{name}")

    def log(self, **values) -> None:
        """Append one row to this network's history and to the run's."""
        self.history.append(values)
        self.run.log(network=self.name, **values)
