"""The examples of README run as they stand, and what the documents name exists."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def test_readme_examples_run():
    """The Python blocks of README run in order in one namespace, and the network has learned."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    namespace = {}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), namespace)
    assert namespace["loss"].item() < 0.02


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_named_files_exist(document):
    """Every path and link in a document leads to a file or folder of the project."""
    text = document.read_text()
    paths = re.findall(r"`((?:ops|tinygrad_hw|nets|tests|bench|docs)/[\w/.]*)`", text)
    links = [document.parent / link for link in re.findall(r"\]\((?!http)([^)#]+)\)", text)]
    named = [*(ROOT / path for path in paths), *links]
    missing = [str(path) for path in named if not path.exists()]
    assert not missing
