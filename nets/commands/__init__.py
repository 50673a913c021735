"""The commands of ``python -m nets``, in the order in which its help lists them.

Each is a module with ``add_parser(commands)``, which adds its parser and sets ``act``: what is done, from the
options to the exit code. `settings` is what ``run`` makes of ``--set`` and ``--config``.
"""

from __future__ import annotations

from nets import coco_subset, data, scrape_imagenet
from nets.by_hand import commands as by_hand
from nets.commands import compare, completion, doctor, listing, passed_on, report, run
from nets.pretrained import command as pretrained
from nets.reading import command as read_text

__all__ = ["COMMANDS"]

COMMANDS = (
    listing,          # list
    run,              # run
    report,           # report
    compare,          # compare
    data,             # data list|fetch|show
    read_text,        # read-text
    pretrained,       # classify, classify-video
    by_hand,          # by-hand ..., hw02_imagenet_task2
    scrape_imagenet,  # scrape-imagenet
    coco_subset,      # make-coco-subset
    doctor,           # doctor
    passed_on,        # warmup, bench
    completion,       # completion bash|zsh
)
