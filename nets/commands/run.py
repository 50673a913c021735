"""``python -m nets run NAME``: train a system and write a run folder."""

from __future__ import annotations

import difflib
import sys
import tempfile
from pathlib import Path

from nets.commands import settings
from nets.commands.options import add_debug, count, positive, rate, share

__all__ = ["add_parser"]


def add_parser(commands) -> None:
    """Add ``run`` to the commands of ``python -m nets``."""
    run = commands.add_parser(
        "run", help="train a system and write a run folder",
        description="Train a system and write a run folder: report.html, config.json, metrics.json, best and "
                    "last weights, pictures. docs/command_line.md says what is in it.")
    run.add_argument("name", metavar="NAME", help="a name from 'python -m nets list'")
    run.add_argument("--data", metavar="DIR",
                     help="for characters a folder of .mat files in the NIST36 layout, for pictures a "
                          "folder or archive of classes or lists (none: drawn on the spot)")
    run.add_argument("--epochs", type=positive,
                     help="passes over the data (none: the system's own number)")
    run.add_argument("--batch-size", type=positive,
                     help="images a step (none: the system's own number)")
    run.add_argument("--lr", type=rate, help="learning rate (none: the system's own)")
    run.add_argument("--seed", type=count, help="of initial weights and data order (none: 0)")
    run.add_argument("--threads", type=positive, help="threads of the kernels (none: all cores)")
    run.add_argument("--workers", type=count, help="processes that prepare batches (none: 0)")
    run.add_argument("--config", metavar="FILE",
                     help="settings from a JSON file, or from config.json of another run of this system")
    run.add_argument("--set", metavar="KEY=VALUE", action="append",
                     help="one setting, also of the system's own recipe, such as weight_decay=0.1; may be "
                          "given again and again; an unknown key is refused with the list of all")
    run.add_argument("--hold-out", type=share, metavar="SHARE",
                     help="judge by this share of the training images, which is kept out of the training, "
                          "instead of the validation set: for choosing settings")
    run.add_argument("--resume", metavar="RUN",
                     help="the folder of a run that was interrupted: go on in it, with its settings and the "
                          "same bits; or a checkpoint of an epoch (dogs-cnn)")
    run.add_argument("--checkpoint-every", type=positive, metavar="STEPS",
                     help="store the state also within an epoch (none: after epochs and when interrupted)")
    run.add_argument("--allow-nonfinite", action="store_true",
                     help="go on when the loss or a weight becomes NaN or infinite")
    run.add_argument("--weights", metavar="FILE",
                     help="learned weights of the frozen layers: .safetensors, .npz or .pth (dogs-transfer, "
                          "flowers17)")
    run.add_argument("--distributed", action="store_true",
                     help="train on all processes that mpirun or srun has started, each on its share of "
                          "every batch: mpirun -n 4 python -m nets run NAME --distributed")
    run.add_argument("--out", metavar="DIR", help="the run folder (none: runs/NAME-date-time)")
    run.add_argument("--tensorboard", action="store_true",
                     help="also write event files for TensorBoard, into the run folder's tensorboard/")
    run.add_argument("--quiet", action="store_true", help="no progress bar")
    add_debug(run)
    run.set_defaults(act=_run)


def _run(options) -> int:
    from nets.systems import SYSTEMS

    if options.name not in SYSTEMS:
        near = difflib.get_close_matches(options.name, SYSTEMS, 1)
        hint = f"did you mean {near[0]}? " if near else ""
        print(f"error: no system {options.name!r}; {hint}there are {', '.join(SYSTEMS)}", file=sys.stderr)
        return 2
    system = SYSTEMS[options.name]

    import tinygrad_hw as thw
    from nets.runs import Conduct, Run, read_config
    from nets.train import tensorboard

    if options.tensorboard:
        tensorboard.library()  # an error now rather than when the data is read
    folder = options.out
    if options.resume is not None and not Path(options.resume).exists():
        raise FileNotFoundError(f"--resume {options.resume}: there is nothing; name the folder of a run")
    goes_on = options.resume is not None and (Path(options.resume) / "config.json").is_file()
    if goes_on:
        if options.out is not None:
            raise ValueError("--resume RUN goes on in the folder of that run; leave --out away")
        folder = options.resume
    given, changes = settings.settings(options, system, read_config(folder) if goes_on else None)
    system = settings.of_system(system, changes)
    if options.threads:
        thw.set_num_threads(options.threads)
    team = _team(options)
    conduct = Conduct(goes_on, options.checkpoint_every or 0, stop_at_nonfinite=not options.allow_nonfinite,
                      team=team, tensorboard=options.tensorboard)
    config = {**given, **changes, "threads": thw.get_num_threads()}
    if team.rank > 0:  # rank 0 alone keeps and tells what comes out
        with tempfile.TemporaryDirectory() as scratch:
            system.run(Run(options.name, config, scratch, conduct), quiet=True, **given)
        team.leave()
        return 0
    run = Run(options.name, config, folder, conduct)
    try:
        results = system.run(run, quiet=options.quiet, **given)
    except BaseException:
        run.withdraw()
        raise
    team.leave()
    return _tell(options.name, run, results, given["epochs"], team.size)


def _tell(name, run, results, epochs, processes) -> int:
    """Write the report, print the result and where it is; the exit code."""
    from nets import interruption
    from nets.report import command_line, headline, write_report

    report = write_report(run.folder)
    for line in headline(results, epochs):
        print(line)
    print(f"results and pictures: {run.folder}")
    print(f"all on one page: {report}")
    if not results["interrupted"]:
        return 0
    again = command_line(name, {"resume": run.folder}, processes)
    print(f"interrupted; go on with: {again}", file=sys.stderr)
    return interruption.exit_code()


def _team(options):
    """The processes that train together."""
    from nets.team import Ranks, Team

    if not options.distributed:
        return Team()
    team = Ranks()
    if team.size == 1:
        print("--distributed: this is one process alone; start several with mpirun -n 4 python -m nets run "
              f"{options.name} --distributed", file=sys.stderr)
    return team
