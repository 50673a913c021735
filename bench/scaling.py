"""How training scales with the number of processes: an all-reduce measured here, a model for clusters.

Measure on this machine, then print the tables of ``docs/scaling.md``::

    for n in 1 2 4; do mpirun -n $n python -m bench.scaling measure --out runs/ranks-$n.json; done
    python -m bench.scaling steps --out runs/steps.json
    python -m bench.scaling tables runs/ranks-*.json --steps runs/steps.json

The model.  A rank computes a step on its own rows in ``t`` seconds, and ``n`` bytes of gradients have to be
summed over ``p`` ranks that are joined by links of latency ``alpha`` (s) and bandwidth ``beta`` (bytes/s).
An all-reduce takes the shorter of

* ``2 log2(p) alpha + 2 (p - 1)/p n/beta`` (halving the vector, then doubling it: long vectors),
* ``log2(p) (alpha + n/beta)`` (doubling: short vectors),

R. Thakur, R. Rabenseifner, W. Gropp, Optimization of Collective Communication Operations in MPICH, 2005,
https://doi.org/10.1177/1094342005051521, section 4.5.  Every byte is copied to a bucket, added and copied
back by this engine, ``n * gamma`` seconds, which is measured with one rank.  The sums of all buckets but the
last run while the backward pass goes on.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from pathlib import Path

import numpy as np

from bench.nets import TASKS

SIZES = tuple(4**power for power in range(5, 13))  # bytes
NETWORKS = {"10 Gbit/s": (30e-6, 1.25e9), "100 Gbit/s": (3e-6, 12.5e9)}
"""Assumed latency in s and bandwidth in bytes/s: Ethernet through the kernel's TCP, and RDMA."""
RANKS = (8, 32, 128, 1024)
BACKWARD = 2 / 3
"""Share of a step that is the backward pass: two of the three products of each layer."""
BUCKET, FIRST_BUCKET = 25 * 2**20, 2**20


def allreduce_seconds(size: float, ranks: int, latency: float, bandwidth: float) -> float:
    """The model's time of an all-reduce of ``size`` bytes.

    >>> allreduce_seconds(1e6, 1, 1e-6, 1e9)
    0.0
    >>> round(allreduce_seconds(1e9, 1024, 1e-6, 1e9), 3)
    1.998
    """
    if ranks == 1:
        return 0.0
    rounds = math.log2(ranks)
    return min(2 * rounds * latency + 2 * (ranks - 1) / ranks * size / bandwidth,
               rounds * (latency + size / bandwidth))


def buckets(size: float) -> list[float]:
    """Bytes of each bucket, the first one small; see `tinygrad_hw.distributed.reducer`.

    >>> [round(one / 2**20) for one in buckets(60 * 2**20)]
    [1, 25, 25, 9]
    """
    found = [min(size, FIRST_BUCKET)]
    while sum(found) < size:
        found.append(min(size - sum(found), BUCKET))
    return found


def efficiency(step: float, size: float, ranks: int, latency: float, bandwidth: float, gamma: float) -> float:
    """Share of the ideal speed when every rank keeps its batch: ``step`` over a step with communication.

    Bucket k is complete when its share of the backward pass is done; sums follow one another.

    >>> efficiency(0.1, 4e6, 1, 1e-6, 1e9, 0.0)
    1.0
    """
    now, link_free, ready = step * (1 - BACKWARD), 0.0, 0.0
    for one in buckets(size):
        now += step * BACKWARD * one / size + gamma * one / 2
        ready = max(now, link_free) + allreduce_seconds(one, ranks, latency, bandwidth)
        link_free = ready
    return step / (max(now, ready) + gamma * size / 2)


# ------------------------------------------------------------------ measuring


def measure(out: Path, rounds: int = 15) -> None:
    """Time an all-reduce of each size, and what a reducer adds to a backward pass."""
    import tinygrad_hw as torch
    from tinygrad_hw import distributed as dist
    from tinygrad_hw.distributed.reducer import Reducer

    dist.init_process_group()
    found = {"ranks": dist.get_world_size(), "allreduce": {}, "reducer": {}}
    for size in SIZES:
        values = torch.zeros(size // 4)
        found["allreduce"][size] = _median(lambda values=values: dist.all_reduce(values), rounds,
                                           dist.barrier)
        parameter = torch.zeros(size // 4, requires_grad=True)
        parameter.grad = torch.zeros(size // 4)
        reducer = Reducer([parameter], dist.group.WORLD, BUCKET, BUCKET)

        def reduce(reducer=reducer):
            for bucket in reducer.buckets:
                bucket.start(reducer.group)
            for bucket in reducer.buckets:
                bucket.finish(reducer.group.size())

        found["reducer"][size] = _median(reduce, rounds, dist.barrier)
    if dist.get_rank() == 0:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(found, indent=1))
    dist.destroy_process_group()


def _median(work, rounds: int, before) -> float:
    times = []
    for _ in range(rounds + 2):
        before()
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times[2:])


def steps(out: Path, rounds: int = 9) -> None:
    """Seconds of a training step of each network, one thread, and its bytes of gradients."""
    import tinygrad_hw as torch
    from bench.steps import prepare

    torch.set_num_threads(1)
    found = {}
    for name, task in TASKS.items():
        if task.optimizer:
            size = 4 * sum(parameter.numel() for parameter in task.build(torch).parameters())
            found[name] = {"seconds": _median(prepare(name, torch, "ours").run, rounds, lambda: None),
                           "bytes": size}
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(found, indent=1))


# ------------------------------------------------------------------ tables


def tables(measured: list[dict], networks: dict) -> str:
    """The tables of ``docs/scaling.md`` in Markdown."""
    measured = sorted(measured, key=lambda one: one["ranks"])
    head = " | ".join(f"{one['ranks']} rank{'s' * (one['ranks'] > 1)}" for one in measured)
    lines = [f"| bytes | {head} |", "|---|" + "---|" * len(measured)]
    for size in SIZES:
        times = " | ".join(f"{1e6 * one['allreduce'][str(size)]:,.0f}" for one in measured)
        lines.append(f"| {size:,} | {times} |")
    gamma = copying(measured)
    lines += ["", f"gamma = {gamma * 1e9:.2f} ns a byte", ""]
    fits = [f"{one['ranks']} ranks: alpha = {latency * 1e6:.0f} us, beta = {bandwidth / 1e9:.2f} GB/s"
            for one in measured if one["ranks"] > 1 for latency, bandwidth in [fit(one)]]
    lines += ["; ".join(fits), ""]
    lines.append("| step | ms | MB | network | " + " | ".join(f"{p:,} ranks" for p in RANKS) + " | half at |")
    lines.append("|---|---|---|---|" + "---|" * (len(RANKS) + 1))
    for name, facts in networks.items():
        for network, link in NETWORKS.items():
            def share(p, facts=facts, link=link):
                return efficiency(facts["seconds"], facts["bytes"], p, *link, gamma)

            half = next((2**k for k in range(1, 21) if share(2**k) < 0.5), None)
            shares = " | ".join(f"{100 * share(p):.0f} %" for p in RANKS)
            lines.append(f"| {name} | {1e3 * facts['seconds']:.1f} | {facts['bytes'] / 1e6:.2f} | {network} "
                         f"| {shares} | {'never' if half is None else f'{half:,}'} |")
    return "\n".join(lines)


def copying(measured: list[dict]) -> float:
    """Seconds a byte for copying and adding: the reducer of one rank, which sends nothing."""
    alone = next(one for one in measured if one["ranks"] == 1)["reducer"]
    return alone[str(SIZES[-1])] / SIZES[-1]


def fit(one: dict) -> tuple[float, float]:
    """Latency and bandwidth that fit the measured times best, by relative least squares."""
    ranks = one["ranks"]
    rounds = 2 * math.log2(ranks)
    sizes = np.array(SIZES, float)
    times = np.array([one["allreduce"][str(size)] for size in SIZES])
    matrix = np.stack([np.full(len(sizes), rounds), 2 * (ranks - 1) / ranks * sizes], 1) / times[:, None]
    latency, per_byte = np.linalg.lstsq(matrix, np.ones(len(sizes)), rcond=None)[0]
    return float(latency), float(1 / per_byte)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.scaling", description=__doc__.split("\n\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (("measure", "time all-reduce; start it with mpirun"),
                       ("steps", "time the networks' training steps")):
        command = commands.add_parser(name, help=text)
        command.add_argument("--out", type=Path, required=True, help="JSON file to write")
    command = commands.add_parser("tables", help="print the tables")
    command.add_argument("measured", nargs="+", type=Path, help="files of 'measure'")
    command.add_argument("--steps", type=Path, required=True, help="file of 'steps'")
    options = parser.parse_args(arguments)
    if options.command == "tables":
        print(tables([json.loads(path.read_text()) for path in options.measured],
                     json.loads(options.steps.read_text())))
    else:
        {"measure": measure, "steps": steps}[options.command](options.out)


if __name__ == "__main__":
    main()
