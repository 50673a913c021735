"""Damage that is guided by coverage: ``python -m tests.fuzz --atheris --parser pth --inputs 100000``.

Atheris (https://github.com/google/atheris) watches which lines of the readers a file reaches, and goes on
with the files that reached new ones.  Half of its changes are those of `mutation`, which know the formats;
`runner` judges, as it does without Atheris.  A process of its own imports the readers, since Atheris has to
change their code while it is loaded, and ends as soon as the inputs are done.
"""

from __future__ import annotations

import importlib.util
import os
import random
import re
import subprocess
import sys
import tempfile
import traceback
from collections import Counter
from pathlib import Path

__all__ = ["atheris_missing", "guided"]

WATCHED = ["tinygrad_hw.serialization", "tinygrad_hw.pth", "tinygrad_hw.data_pickle",
           "tinygrad_hw.vision.datasets", "nets.runs", "nets.pretrained.weights", "nets.reading.pictures",
           "PIL", "zipfile", "json", "gzip", "safetensors", "numpy.lib"]
_LONGEST = 65536  # bytes of a file
_FAILED = 77


def atheris_missing() -> str:
    """What to do if Atheris is not installed, else nothing."""
    if importlib.util.find_spec("atheris"):
        return ""
    return "--atheris needs Atheris: pip install atheris; without it, leave --atheris away: damage is random"


def guided(name: str, inputs: int, seed: int) -> tuple[str, bool]:
    """Give files to a parser; what happened in words, and whether all went well."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([sys.executable, "-m", __name__, name, str(inputs), str(seed), folder],
                              capture_output=True, text=True, errors="replace")
    covered = re.findall(r"\bcov: (\d+)", done.stderr)
    if done.returncode == 0 and covered:
        return f"{done.stdout.strip()}, branches: {covered[0]} by whole files, {covered[-1]} at last", True
    told = done.stdout.strip() if done.returncode == _FAILED else done.stderr[-2000:]
    return f"exit code {done.returncode}: {told}", False


def _child(name: str, inputs: int, seed: int, folder: str) -> None:
    """The process that gives the files; ends by itself."""
    import atheris

    with atheris.instrument_imports(include=WATCHED):
        from tests.fuzz.parsers import PARSERS
        from tests.fuzz.runner import MEASURED, Finding, damaged, judge, layers_of

    parser, dice, counts = PARSERS[name], random.Random(f"{name} {seed}"), Counter()
    whole, begin = parser.seeds(), Path.cwd()
    for number, content in enumerate(whole):
        (Path(folder) / f"seed-{number}").write_bytes(content)

    def end(text, code):
        print(text, flush=True)
        os._exit(code)  # libFuzzer has no end that Python hears of

    def change(content, longest, seed):
        try:
            if dice.random() < 0.5:
                return atheris.Mutate(content, longest)
            layers = layers_of(parser, content) if dice.random() < 0.5 else []
            layer = dice.choice(layers) if layers else None
            return damaged(content, layer, dice, whole, parser.tokens)[:longest]
        except BaseException:
            end(traceback.format_exc(), _FAILED)

    with judge(name) as give:
        def one(content):
            try:
                give(content, counts, counts["given"] % MEASURED == 0)
            except Finding as finding:
                path = begin / f"found-{name}-atheris-{seed}"
                path.write_bytes(finding.content)
                end(f"{finding} (the file: {path})", _FAILED)
            except BaseException:
                end(traceback.format_exc(), _FAILED)
            if counts["given"] >= inputs:
                end(dict(counts), 0)

        atheris.Setup([sys.argv[0], folder, f"-seed={seed + 1}", f"-max_len={_LONGEST}", "-timeout=0",
                       "-handle_alrm=0", "-rss_limit_mb=0", "-artifact_prefix=" + folder + "/"], one,
                      custom_mutator=change)
        atheris.Fuzz()


if __name__ == "__main__":
    _child(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
