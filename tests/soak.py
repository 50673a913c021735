"""``python -m tests.soak --steps 10000``: a training with workers and checkpoints in flat memory."""

from __future__ import annotations

import argparse
import gc
import resource
import tempfile
import time
from pathlib import Path

import tinygrad_hw as thw
from nets.nist36 import classification_loss
from nets.runs import Conduct, Run
from nets.train import fit
from tests.kill import Noisy
from tinygrad_hw import nn, optim
from tinygrad_hw.utils.data import DataLoader

__all__ = ["soak"]


def soak(steps: int, warm: int, workers: int = 0, tell=lambda step, size: None) -> int:
    """Train for some steps; by how many bytes the process has grown since step ``warm``.

    Args:
        tell: called every hundred steps with the step and the bytes of the process.
    """
    thw.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),
                        nn.Dropout(0.2), nn.Linear(36, 3))
    loader = DataLoader(Noisy(), 8, shuffle=True, num_workers=workers, persistent_workers=workers > 0)
    sizes, done = {}, [0]

    def after_step():
        done[0] += 1
        if done[0] == warm or done[0] % 100 == 0:
            gc.collect()
            sizes[done[0]] = _size()
            tell(done[0], sizes[done[0]])

    with tempfile.TemporaryDirectory() as folder:
        fit(net, optim.AdamW(net.parameters()), classification_loss, loader,
            lambda net: {"validation_x": 0.0}, epochs=steps // len(loader), figure="x", quiet=True,
            run=Run("soak", {}, Path(folder) / "run", Conduct(checkpoint_every=50)), after_step=after_step)
    return _size() - sizes[warm]


def _size() -> int:
    """Bytes of memory that the process holds now."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__.split(": ")[1])
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=2, help="processes that prepare batches")
    options = parser.parse_args()
    started = time.monotonic()
    grown = soak(options.steps, min(1000, options.steps // 2), options.workers,
                 lambda step, size: step % 1000 or print(f"step {step}: {size / 1e6:.1f} MB", flush=True))
    print(f"{options.steps} steps in {time.monotonic() - started:.0f} s, grown by {grown / 1e6:.2f} MB "
          f"since step {min(1000, options.steps // 2)}")


if __name__ == "__main__":
    main()
