"""The examples of README and of the tutorial run as they stand, and what the documents name exists."""

import pathlib
import re

import pytest

import tinygrad_hw as torch

ROOT = pathlib.Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_readme_examples_run():
    """The Python blocks of README run in order in one namespace, and the network has learned."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    namespace = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), namespace)
    assert namespace["loss"].item() < 0.02


def rounded(text):
    """Numbers to four digits: the last ones of a difference quotient depend on the processor."""
    return re.sub(r"\d+\.\d+(e[+-]\d+)?", lambda number: f"{float(number[0]):.4g}", text)


def test_prove_your_op_runs_and_prints_what_it_says(capsys):
    """The Python blocks of the page run in order; a text block is what was printed since the last one."""
    text = (ROOT / "docs" / "prove_your_op.md").read_text()
    torch.manual_seed(0)
    namespace = {}
    for language, block in re.findall(r"```(python|text)\n(.*?)```", text, re.S):
        if language == "python":
            exec(compile(block, "prove_your_op.md", "exec"), namespace)
        else:
            assert rounded(capsys.readouterr().out) == rounded(block)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_named_files_exist(document):
    """Every path and link in a document leads to a file or folder of the project."""
    text = document.read_text()
    paths = re.findall(r"`((?:ops|tinygrad_hw|nets|tests|bench|docs)/[\w/.]*)`", text)
    links = [document.parent / link for link in re.findall(r"\]\((?!http)([^)#]+)\)", text)]
    named = [*(ROOT / path for path in paths), *links]
    missing = [str(path) for path in named if not path.exists()]
    assert not missing
