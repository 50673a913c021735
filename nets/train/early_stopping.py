"""Early stopping: end a training that has not become better for some epochs."""

from __future__ import annotations

import math
from collections.abc import Callable

__all__ = ["patience"]


def patience(key: str, epochs: int, least: float = 0.0) -> Callable[[list[dict]], bool]:
    """Tells from a run's history whether its training has had enough: the ``enough`` of `nets.training.fit`.

    It keeps nothing in mind but the history, so a training that was interrupted ends where it would have.

    Args:
        key: the figure in the history's rows; smaller is better if it ends in "loss", else larger.
        epochs: how many may pass without a better one.
        least: by how much a better figure must be better.

    Raises:
        ValueError: ``epochs`` is not positive, or ``least`` negative.

    Source: Prechelt, "Early stopping - but when?", 1998.

    >>> enough = patience("validation_loss", 2)
    >>> history = [{"validation_loss": loss} for loss in (3.0, 2.0, 2.5, 2.1)]
    >>> enough(history[:3]), enough(history)
    (False, True)
    """
    if epochs < 1 or not least >= 0:
        raise ValueError("patience needs a positive number of epochs and no negative difference, got "
                         f"{epochs} and {least}")
    sign = -1.0 if key.endswith("loss") else 1.0

    def enough(history: list[dict]) -> bool:
        best, since = -math.inf, 0
        for row in history:
            value = row.get(key)
            if value is not None and sign * value > best + least:
                best, since = sign * value, 0
            else:
                since += 1
        return since >= epochs

    return enough
