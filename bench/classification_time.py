"""Seconds of training, ours and PyTorch's in turns: loading, changing, forward, backward, update.

    python -m bench.classification_time net1 net3 --data coco5.zip --steps 200

Each network is trained for so many steps in a process of its own, by both libraries one after the other,
several rounds; `fast` is PyTorch with channels-last memory and a fused optimizer. Prints one JSON object a
network: milliseconds a step (median of the rounds), and minutes that the system's whole training takes
at that speed.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time

import torch

import tinygrad_hw as thw
from bench.classification_studies import STUDIES, Learner

KINDS = ("ours", "torch", "fast")
WARM = 5  # steps before the clock starts


def measure(name, kind, data, steps, threads):
    """(milliseconds a step, steps of the whole training)."""
    for library in (thw, torch):
        library.set_num_threads(threads)
    study = STUDIES[name]
    learner = Learner(thw if kind == "ours" else torch, study, study.data(data)[0], seed=0,
                      epochs=1, fast=kind == "fast")
    done, started = 0, 0.0
    while True:
        for images, labels in learner.loader:
            if done == WARM:
                started = time.perf_counter()
            if done == WARM + steps or (learner.schedule and done == len(learner.loader)):
                return (1e3 * (time.perf_counter() - started) / (done - WARM),
                        learner.system.epochs * len(learner.loader))
            learner.step(images, labels)
            done += 1


def main():
    """Parse the command line; measure in processes of their own; print JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("nets", nargs="+", choices=STUDIES)
    parser.add_argument("--data", help="folder or archive of pictures; none: drawn ones")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--kind", choices=KINDS, help="measure only this, once, in this process")
    arguments = parser.parse_args()
    for name in arguments.nets:
        if arguments.kind:
            print(json.dumps(measure(name, arguments.kind, arguments.data, arguments.steps,
                                     arguments.threads)))
            continue
        samples = {kind: [] for kind in KINDS}
        for _ in range(arguments.rounds):
            for kind in KINDS:
                samples[kind].append(_in_process(name, kind, arguments))
        row = {kind: statistics.median(milliseconds for milliseconds, _ in samples[kind]) for kind in KINDS}
        total = samples["ours"][0][1]
        print(json.dumps({"network": name, "threads": arguments.threads, "milliseconds": row,
                          "minutes": {kind: value * total / 6e4 for kind, value in row.items()},
                          "ratio": row["ours"] / row["torch"], "ratio_fast": row["ours"] / row["fast"]}))


def _in_process(name, kind, arguments):
    command = [sys.executable, "-m", "bench.classification_time", name, "--kind", kind, "--steps",
               str(arguments.steps), "--threads", str(arguments.threads)]
    command += ["--data", arguments.data] if arguments.data else []
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


if __name__ == "__main__":
    main()
