"""What is seen while a network learns: a bar on a terminal, one plain line an epoch anywhere else."""

from __future__ import annotations

import sys
import time

from tqdm import tqdm

__all__ = ["Bar"]


class Bar:
    """Progress of a training on stderr.

    Args:
        name: of the network, in front of every line; "" for none.
        epochs: how many there are.
        steps: of an epoch.
        done: steps that were done before, by a training that goes on.
        quiet: show nothing.

    >>> from contextlib import redirect_stderr
    >>> with redirect_stderr(sys.stdout), Bar("", epochs=2, steps=10, done=19) as bar:
    ...     bar.update(rows=16)
    ...     bar.end_of_epoch(2, {"loss": 0.25, "accuracy": 0.9})       # doctest: +ELLIPSIS
    2 epochs of 10 steps
    epoch 2/2: loss 0.2500, accuracy 0.9000; ... rows/s, 0 s left
    """

    def __init__(self, name: str, epochs: int, steps: int, done: int = 0, quiet: bool = False):
        self.name, self.epochs, self.total, self.steps = name, epochs, epochs * steps, done
        self.plain = not quiet and not sys.stderr.isatty()
        self.bar = tqdm(desc=name or None, total=self.total, initial=done, unit="step",
                        disable=quiet or self.plain, dynamic_ncols=True)
        self.began, self.began_at = time.perf_counter(), done
        self.rows, self.since, self.first = 0, self.began, done + 1
        if self.plain and done < self.total:
            print(f"{name}{': ' if name else ''}{epochs} epoch{'s' * (epochs != 1)} of {steps} step"
                  f"{'s' * (steps != 1)}", file=sys.stderr)

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *error) -> None:
        self.close()

    def close(self) -> None:
        """Leave the bar as it is, and the cursor below it."""
        self.bar.close()

    def update(self, rows: int) -> None:
        """Count a step that was made with so many rows."""
        self.steps, self.rows = self.steps + 1, self.rows + rows
        if self.steps == self.first:  # it compiled the kernels: no measure for the others
            self.began, self.began_at = time.perf_counter(), self.steps
        self.bar.update()

    def end_of_epoch(self, epoch: int, figures: dict[str, float]) -> None:
        """Show the figures of an epoch, the rate of its steps and the time that is left."""
        shown = {name: f"{value:.4f}" for name, value in figures.items()}
        now = time.perf_counter()
        rate, self.rows = self.rows / max(now - self.since, 1e-9), 0
        self.since = now
        if not self.plain:
            self.bar.set_postfix({"epoch": f"{epoch}/{self.epochs}", **shown, "rows/s": f"{rate:,.0f}"})
            return
        left = (now - self.began) / max(self.steps - self.began_at, 1) * (self.total - self.steps)
        name = f"{self.name}: " if self.name else ""
        print(f"{name}epoch {epoch}/{self.epochs}: "
              f"{', '.join(f'{key} {value}' for key, value in shown.items())}; {rate:,.0f} rows/s, "
              f"{tqdm.format_interval(left) if left >= 60 else f'{left:.0f} s'} left", file=sys.stderr)
