"""The pytest plugin registers its profiles; our own ``--quick`` leaves out what is slow, and never an op."""

import configparser
import pathlib
import subprocess
import sys
from importlib.metadata import entry_points

import hypothesis
import pytest

from tests.test_table import IN_TURNS, names_for
from tinygrad_hw.testing import pytest_plugin

ROOT = pathlib.Path(__file__).parent.parent

COUNTING = """
import hypothesis, pytest
from hypothesis import given, strategies as st
calls = []

@given(st.integers())
def test_property(n):
    calls.append(n)

def test_count():
    assert len(calls) == {count}, len(calls)
    assert hypothesis.settings().deadline is None

@pytest.mark.long
def test_long():
    pass

@pytest.mark.slow
def test_slow():
    pass
"""


def run(folder, *options, count=0, **files):
    """What pytest prints about the module above, run in a folder of its own, line by line."""
    (folder / "test_counting.py").write_text(COUNTING.format(count=count))
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist",
         f"--rootdir={folder}", "-c", str(folder / "none.ini"), *options, str(folder)],
        capture_output=True, text=True, cwd=folder, check=False,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "HYPOTHESIS_STORAGE_DIRECTORY": str(folder)})
    return (result.stdout + result.stderr).strip().splitlines()


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["quick", "ci"])
def test_profiles_are_chosen_with_hypothesis_option(tmp_path, profile):
    (tmp_path / "none.ini").write_text("[pytest]\nmarkers =\n    slow: slow\n    long: long\n")
    installed = any(entry.name == "tinygrad_hw" for entry in entry_points(group="pytest11"))
    plugin = () if installed else ("-p", "tinygrad_hw.testing.pytest_plugin")
    lines = run(tmp_path, *plugin, f"--hypothesis-profile={profile}",
                count=pytest_plugin.PROFILES[profile]["max_examples"])
    assert lines[-1].startswith("4 passed"), lines


@pytest.mark.slow
def test_quick_option_of_this_project(tmp_path):
    (tmp_path / "none.ini").write_text("[pytest]\n")
    parity = tmp_path / "tests" / "parity" / "test_other.py"
    parity.parent.mkdir(parents=True)
    parity.write_text("def test_other():\n    pass\n")
    conftest = (ROOT / "conftest.py").read_text().replace("HAS_TORCH = ", "HAS_TORCH = True or ")
    lines = run(tmp_path, "--quick", count=5, conftest=conftest)
    assert lines[-1].startswith("3 passed, 1 deselected"), lines
    lines = run(tmp_path, "--quick", str(parity), count=5, conftest=conftest)
    assert lines[-1].startswith("4 passed, 1 deselected"), lines
    lines = run(tmp_path, "--collect-only", conftest=conftest)
    order = [line.rpartition("::")[2] for line in lines if "::" in line]
    assert order == ["test_slow", "test_long", "test_property", "test_count", "test_other"]


@pytest.mark.slow
def test_quick_keeps_every_op():
    """Its values, its gradient where it has one, and one of the checks that are made in turns."""
    command = [sys.executable, "-m", "pytest", "--quick", "--collect-only", "-q", "-n", "0",
               "-p", "no:cacheprovider", "tests/test_table.py"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    kept = {line.partition("::")[2] for line in result.stdout.splitlines()}
    for check in ("values", "gradient"):
        assert not {f"test_{check}[{name}]" for name in names_for(check)} - kept, result.stdout[-500:]
    others = [f"test_{check}" for check in IN_TURNS]
    for name in set.intersection(*(set(names_for(check)) for check in IN_TURNS)) & set(names_for("gradient")):
        assert sum(f"{test}[{name}]" in kept for test in others) == 1, name


def test_profiles():
    assert set(pytest_plugin.PROFILES) == {"quick", "dev", "ci", "thorough"}
    for name, options in pytest_plugin.PROFILES.items():
        profile = hypothesis.settings.get_profile(name)
        assert profile.deadline is None and profile.max_examples == options["max_examples"]
    assert hypothesis.settings.get_profile("ci").derandomize
    assert not hypothesis.settings.get_profile("thorough").derandomize
    assert hypothesis.settings().deadline is None


def test_pytest_finds_the_plugin():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    name, _, module = setup["options.entry_points"]["pytest11"].strip().partition(" = ")
    assert (name, module) == ("tinygrad_hw", pytest_plugin.__name__)


def test_without_hypothesis(monkeypatch):
    """The kit works without Hypothesis; only the strategies ask for it, with the command that installs it."""
    monkeypatch.setattr(pytest_plugin, "hypothesis", None)
    assert pytest_plugin.register_profiles() is False
    blocked = ("import sys; sys.modules['hypothesis'] = None\n"
               "from tinygrad_hw.testing import check_op, gradcheck, pytest_plugin\n"
               "from tinygrad_hw.testing import strategies\n")
    result = subprocess.run([sys.executable, "-c", blocked], capture_output=True, text=True, cwd=ROOT,
                            check=False)
    assert "ImportError: tinygrad_hw.testing.strategies needs Hypothesis, which is not installed: pip" in (
        result.stderr)
