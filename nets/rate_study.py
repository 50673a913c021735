"""A study of learning rates: the perceptron at the tuned rate, ten times it, and a tenth of it."""

from __future__ import annotations

import dataclasses

from nets import pictures
from nets.nist36 import SYSTEMS as FIRST_SYSTEMS

__all__ = ["SYSTEMS", "RateStudy"]


@dataclasses.dataclass(frozen=True)
class RateStudy:
    """Three runs of one system that differ in the learning rate only, and six plots in one figure.

    The results are those of the tuned rate; each run has its folder with its own weights and pictures.
    """

    summary: str
    system: str = "nist36-mlp"
    figure: str = "accuracy"
    epochs: int = 100
    batch_size: int = 16
    lr: float = 0.02

    def run(self, run, *, lr: float, quiet: bool = False, **settings) -> dict:
        """Train at lr, 10 lr and lr / 10; see `nets.nist36.System.run`."""
        histories, results = {}, {}
        for rate in (lr, 10 * lr, lr / 10):
            part = run.inner(self.system, {**settings, "lr": rate}, f"lr-{rate:g}")
            results[rate] = FIRST_SYSTEMS[self.system].run(part, lr=rate, quiet=quiet, **settings)
            if part.history:
                histories[rate] = {key: [row[key] for row in part.history] for key in part.history[0]}
            if results[rate]["interrupted"]:
                break
        if histories:
            pictures.rate_grid(run.path("rates.png"), histories, self.figure)
        summary = {key: results[lr][key] for key in (f"best_{self.figure}", "best_epoch", "seconds")}
        summary["interrupted"] = any(result["interrupted"] for result in results.values())
        run.finish(**summary, runs=results)
        return summary


SYSTEMS = {
    "nist36-mlp-rates": RateStudy("the perceptron at its learning rate, ten times it and a tenth of it"),
}
