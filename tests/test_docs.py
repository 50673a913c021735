"""The examples of README and of every page of docs/ run as they stand, and what the documents name exists."""

import doctest
import importlib
import os
import pathlib
import re
import subprocess
import sys

import pytest
from PIL import Image
from pth_files import program, tensor, write_zip

import ops
import tinygrad_hw as torch

ROOT = pathlib.Path(__file__).parent.parent
DOCS = ROOT / "docs"
DOCUMENTS = [ROOT / "README.md", *sorted(DOCS.rglob("*.md"))]
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```", re.S | re.M)
LANGUAGES = {"python", "text", ""}


def photos(folder):
    """Two classes of two small pictures, the folder that docs/data.md reads."""
    for kind in ("beagle", "pug"):
        place = folder / "dogs5" / "train" / kind
        place.mkdir(parents=True)
        for number in range(2):
            Image.new("RGB", (80, 70), (40 * number, 90, 120)).save(place / f"{number}.jpg")


def learned_weights(folder):
    """squeezenet1_1.pth as torch.save writes it (with random numbers), which docs/pretrained.md reads."""
    from nets.pretrained import squeezenet1_1

    arrays = [(name, value.numpy()) for name, value in squeezenet1_1().state_dict().items()]
    entries = {name: tensor(array.size, size=array.shape, stride=tuple(step // 4 for step in array.strides),
                            key=str(place)) for place, (name, array) in enumerate(arrays)}
    write_zip(folder / "squeezenet1_1.pth", program(**entries),
              {str(place): array.tobytes() for place, (_, array) in enumerate(arrays)})


NEEDS = {"docs/scaling.md": "mpi4py", "docs/notebooks/4_reading.md": "skimage"}
"""Modules of extras that a page's blocks need."""

SLOW = ["docs/notebooks/2_characters.md", "docs/notebooks/4_reading.md"]
"""Pages that take seconds."""

PREPARE = {"docs/data.md": photos, "docs/pretrained.md": learned_weights}
"""What has to lie in the working folder of a page's blocks."""


def title(path):
    return path.relative_to(ROOT).as_posix()


def blocks(path):
    """Language and text of every fenced block of a page."""
    return FENCE.findall(path.read_text(encoding="utf-8"))


def rounded(text):
    """Numbers to four digits: the last ones of a difference quotient depend on the processor."""
    return re.sub(r"\d+\.\d+(e[+-]\d+)?", lambda number: f"{float(number[0]):.4g}", text)


WITH_PYTHON = [path for path in DOCUMENTS if any(language == "python" for language, _ in blocks(path))]


@pytest.mark.long
@pytest.mark.parametrize("page", [
    pytest.param(path, marks=pytest.mark.slow if title(path) in SLOW else [])
    for path in WITH_PYTHON], ids=title)
def test_python_blocks_run_and_print_what_the_page_says(page, capsys, monkeypatch, tmp_path):
    """A page's blocks run in order in one namespace; a text block is what was printed since the last one."""
    if title(page) in NEEDS:
        pytest.importorskip(NEEDS[title(page)])
    PREPARE.get(title(page), lambda folder: None)(tmp_path)
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    namespace = {"__name__": "page"}
    for language, block in blocks(page):
        if language == "python":
            exec(compile(block, title(page), "exec"), namespace)
        elif language == "text":
            assert rounded(capsys.readouterr().out) == rounded(block)
    assert capsys.readouterr().out == ""
    if page == ROOT / "README.md":
        assert namespace["loss"].item() < 0.02  # the network has learned


@pytest.mark.parametrize("page", DOCUMENTS, ids=title)
def test_fences_name_their_language(page):
    """Python cannot hide from the test above: a fence without a language holds commands, no other is used."""
    for language, block in blocks(page):
        assert language in LANGUAGES, f"{language}: say python, text (printed), or nothing (commands)"
        assert language or not re.search(r"^(import|from) \w", block, re.M), f"say ```python:\n{block}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=title)
def test_named_files_exist(document):
    """Every path and link in a document leads to a file or folder of the project."""
    text = re.sub(FENCE, "", document.read_text(encoding="utf-8"))
    paths = re.findall(r"`((?:ops|tinygrad_hw|nets|tests|bench|docs)/[\w/.]*)`", text)
    links = [document.parent / link for link in re.findall(r"\]\((?!http)([^)#]+)(?:#[^)]*)?\)", text)]
    named = [*(ROOT / path for path in paths), *links]
    missing = [str(path) for path in named if not path.exists()]
    assert not missing


def test_speed_table_of_readme_is_that_of_the_performance_page():
    rows = re.findall(r"^\| (?:`([\w-]+)`|\[all, (.*)\]\(.*\)) \| ([\d.]+) \| ([\d.]+) \|$",
                      (ROOT / "README.md").read_text(encoding="utf-8"), re.M)
    measured = (DOCS / "performance.md").read_text(encoding="utf-8")
    assert len(rows) == 5
    for name, mean, one, two in rows:
        row = rf"^\| {name or mean} \| {one} / [\d.]+ \| {two} / [\d.]+ \|"
        assert re.search(row, measured, re.M), name or mean


# ------------------------------------------------------------------ the site


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path):
    """The extra "docs"; skipped without."""
    pytest.importorskip("material")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path / "site"]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "WARNING" not in done.stderr, done.stderr
    assert (tmp_path / "site" / "reference" / "nn" / "index.html").is_file()


def test_every_page_is_in_the_sites_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    listed = re.findall(r"- (?:Home: )?([\w/]+\.md)$", navigation, re.M)
    assert sorted(listed) == sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))


@pytest.fixture(scope="module")
def reference():
    """The hook that makes the API reference; it needs no MkDocs."""
    sys.path.insert(0, str(DOCS / "hooks"))
    try:
        yield importlib.import_module("reference")
    finally:
        sys.path.remove(str(DOCS / "hooks"))


def test_reference_hooks_doctests(reference):
    for module in (reference, sys.modules["docstrings"]):
        found = doctest.testmod(module)
        assert found.attempted and not found.failed


def test_reference_describes_everything_once(reference):
    """Each public name of `tinygrad_hw` and each op has an entry or a link, with signature and docstring."""
    text = "".join(reference.expanded(page.read_text(encoding="utf-8"), page.name)
                   for page in sorted(reference.PAGES.glob("*.md")))
    assert "<!-- reference" not in text
    anchors = re.findall(r"^#{3,4} .*\{ #([\w.]+) \}$", text, re.M)
    assert len(anchors) == len(set(anchors)) > 1000
    links = re.findall(r"\]\(\w+\.md#([\w.]+)\)", text)
    assert set(links) <= set(anchors)
    names = {name for name, one in reference.public(torch).items() if callable(one)}
    entries = {anchor.removeprefix("tinygrad_hw.") for anchor in anchors}
    named = entries | set(re.findall(r"\[`(\w+)`\]", text))
    assert not names - named
    assert not {name for name, one in vars(torch).items() if isinstance(one, ops.core.Op)} - named
    empty = re.findall(r"^#{3} (.*)\n\n```python\n[^`]*```\n\n(?:<small>.*</small>\n\n)?(?=#)", text, re.M)
    assert not empty


def test_reference_entry_of_an_op(reference):
    entry = reference.entry("tinygrad_hw.add", torch.add)
    assert "### add { #tinygrad_hw.add }" in entry
    assert "```python\nadd(input, other, *, alpha=1)\n```" in entry
    assert "gradient: `input`, `other`" in entry and "**Raises**" in entry and "```pycon\n>>> add(" in entry
