"""The examples of docs/theory.md run and print what the page says; the command draws its plots."""

import json
import pathlib
import re

import numpy as np
import pytest

from nets.__main__ import main
from nets.by_hand import theory

PAGE = pathlib.Path(__file__).parent.parent / "docs" / "theory.md"


@pytest.mark.slow
def test_the_page_s_examples(capsys):
    namespace, text_blocks = {}, 0
    for language, block in re.findall(r"```(python|text)\n(.*?)```", PAGE.read_text(), re.S):
        if language == "python":
            exec(compile(block, "theory.md", "exec"), namespace)
        else:
            assert capsys.readouterr().out == block
            text_blocks += 1
    assert text_blocks == 6 and capsys.readouterr().out == ""


def test_gradients_of_stacked_sigmoids_vanish_as_the_slope_says():
    norms = theory.gradient_norms("sigmoid", depth=10)
    assert (norms <= 1.2 * 0.25 ** np.arange(10, 0, -1.0)).all()  # random weights keep sizes on average only
    assert theory.gradient_norms("relu", depth=10)[0] > 0.5


@pytest.mark.slow
def test_command(tmp_path):
    assert main(["by-hand", "theory", "--out", str(tmp_path / "run")]) == 0
    files = {path.name for path in (tmp_path / "run").iterdir()}
    assert {"report.md", "vanishing_gradients.png", "zero_start.png"} <= files
    starts = json.loads((tmp_path / "run" / "metrics.json").read_text())["results"]["starts"]
    assert starts["zero"][0] == 0.5 and starts["random"][0] > 0.95
