"""The house: imports run one way, nets -> tinygrad_hw -> ops, and the engine imports no other engine."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parent.parent
ROOMS = {"ops": 0, "tinygrad_hw": 1, "nets": 2}
FOREIGN = {"torch", "torchvision", "jax", "tensorflow", "autograd"}
FILES = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]


def imported(path):
    """Top-level names of the modules that a file imports, wherever in the file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_run_one_way(path):
    room = path.relative_to(ROOT).parts[0]
    names = set(imported(path))
    upward = {name for name in names if ROOMS.get(name, -1) > ROOMS[room]}
    assert not upward, f"{path} imports {upward}, which stands above it"
    assert not names & FOREIGN, f"{path} imports another engine: {names & FOREIGN}"


def test_files_stay_readable():
    """Files of about 400 lines: the limit leaves room for a record's samples."""
    long = {str(path.relative_to(ROOT)): count for path in FILES
            if (count := len(path.read_text().splitlines())) > 490}
    assert not long, long


def test_private_folders_are_packages():
    """Each folder with Python files is a package, so that the installed project holds it."""
    missing = {path.parent for path in FILES if not (path.parent / "__init__.py").exists()}
    assert not missing
