"""``python -m nets``: list the systems, train one of them, look after the data."""

from __future__ import annotations

import argparse
import sys

from nets import coco_subset, data, scrape_imagenet
from nets.by_hand import commands as by_hand
from nets.reading import command as read_text

__all__ = ["main"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m nets", description="Train the networks of tinygrad_hw.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    commands.add_parser("list", help="what can be run")
    run = commands.add_parser(
        "run", help="train a system and write a run folder",
        description="Train a system and write a run folder: config.json, metrics.json, "
                    "best and last weights, pictures.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    run.add_argument("name", metavar="NAME", help="a name from 'python -m nets list'")
    run.add_argument("--data", metavar="DIR",
                     help="for characters a folder of .mat files in the NIST36 layout, for pictures a "
                          "folder or archive of classes or lists (none: drawn on the spot)")
    run.add_argument("--epochs", type=_positive,
                     help="passes over the data (none: the system's own number)")
    run.add_argument("--batch-size", type=_positive,
                     help="images a step (none: the system's own number)")
    run.add_argument("--lr", type=float, help="learning rate (none: the system's own)")
    run.add_argument("--seed", type=int, default=0, help="of initial weights and data order")
    run.add_argument("--threads", type=_positive, help="threads of the kernels (none: all cores)")
    run.add_argument("--workers", type=int, default=0, help="processes that prepare batches")
    run.add_argument("--hold-out", type=_share, default=0.0, metavar="SHARE",
                     help="judge by this share of the training images, which is kept out of the training, "
                          "instead of the validation set: for choosing settings")
    run.add_argument("--resume", metavar="FILE",
                     help="go on from a checkpoint of an earlier run (dogs-cnn)")
    run.add_argument("--weights", metavar="FILE",
                     help="learned weights of the frozen layers: .safetensors, .npz or .pth (dogs-transfer)")
    run.add_argument("--out", metavar="DIR", help="the run folder (none: runs/NAME-date-time)")
    run.add_argument("--quiet", action="store_true", help="no progress bar")
    run.add_argument("--debug", action="store_true", help="show the traceback of an error")
    for module in (data, scrape_imagenet, coco_subset, read_text, by_hand):
        module.add_parser(commands)
    return parser


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not a positive number")
    return value


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"{value} is no share: at least 0 and less than 1")
    return value


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit code: 0, 1 for an error, 2 for a wrong command, 130 for Ctrl-C."""
    options = _parser().parse_args(arguments)
    if hasattr(options, "act"):
        return _guarded(options.act, options)
    from nets.systems import SYSTEMS

    if options.command == "list":
        width = max(map(len, SYSTEMS))
        for name, system in SYSTEMS.items():
            print(f"{name:{width}}  {system.summary}; {system.epochs} epochs")
        print("\ncommands of their own, python -m nets COMMAND [--help]:")
        for name, summary in {**read_text.SUMMARIES, **by_hand.SUMMARIES}.items():
            print(f"{name:{width}}  {summary}")
        return 0
    if options.name not in SYSTEMS:
        print(f"error: no system {options.name!r}; there are {', '.join(SYSTEMS)}", file=sys.stderr)
        return 2
    return _guarded(lambda options: _run(options, SYSTEMS[options.name]), options)


def _guarded(act, options) -> int:
    """``act(options)``, with errors as one line."""
    try:
        return act(options)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except (OSError, ValueError, RuntimeError, ArithmeticError, ImportError) as error:
        if options.debug:
            raise
        print(f"error: {error}  (--debug shows where)", file=sys.stderr)
        return 1


def _run(options, system) -> int:
    import tinygrad_hw as thw
    from nets.runs import Run

    settings = {}
    for name in ("epochs", "batch_size", "lr"):
        given = getattr(options, name)
        settings[name] = given if given is not None else getattr(system, name)
    if options.threads:
        thw.set_num_threads(options.threads)
    settings.update(seed=options.seed, data=options.data, workers=options.workers,
                    hold_out=options.hold_out)
    for name in ("resume", "weights"):
        if getattr(options, name) is not None:
            if name not in getattr(system, "options", ()):
                raise ValueError(f"{options.name} takes no --{name}")
            settings[name] = getattr(options, name)
    run = Run(options.name, {**settings, "threads": thw.get_num_threads()}, options.out)
    results = system.run(run, quiet=options.quiet, **settings)
    best = results[f"best_{system.figure}"]
    if best is not None:
        unit = f"{best:.2f} dB" if system.figure == "psnr" else f"{best:.4f}"
        print(f"best validation {system.figure} {unit} "
              f"(epoch {results['best_epoch']} of {settings['epochs']}), "
              f"{results['seconds']:.1f} s of training")
    print(f"results and pictures: {run.folder}")
    return 130 if results["interrupted"] else 0


if __name__ == "__main__":
    sys.exit(main())
