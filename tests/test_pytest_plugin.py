"""The pytest plugin registers its profiles, and our own ``--quick`` leaves out what is slow."""

import configparser
import pathlib
import subprocess
import sys
from importlib.metadata import entry_points

import hypothesis
import pytest

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

@pytest.mark.slow
def test_slow():
    pass
"""


def run(folder, *options, count, **files):
    """Pytest's last line for the module above, run in a folder of its own."""
    (folder / "test_counting.py").write_text(COUNTING.format(count=count))
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist",
         f"--rootdir={folder}", "-c", str(folder / "none.ini"), *options, str(folder)],
        capture_output=True, text=True, cwd=folder, check=False,
        env={"PYTHONPATH": str(ROOT), "PATH": "", "HYPOTHESIS_STORAGE_DIRECTORY": str(folder)})
    return result.stdout.strip().splitlines()[-1] if result.returncode == 0 else result.stdout + result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["quick", "ci"])
def test_profiles_are_chosen_with_hypothesis_option(tmp_path, profile):
    (tmp_path / "none.ini").write_text("[pytest]\nmarkers =\n    slow: slow\n")
    installed = any(entry.name == "tinygrad_hw" for entry in entry_points(group="pytest11"))
    plugin = () if installed else ("-p", "tinygrad_hw.testing.pytest_plugin")
    line = run(tmp_path, *plugin, f"--hypothesis-profile={profile}",
               count=pytest_plugin.PROFILES[profile]["max_examples"])
    assert line.startswith("3 passed"), line


@pytest.mark.slow
def test_quick_option_of_this_project(tmp_path):
    (tmp_path / "none.ini").write_text("[pytest]\n")
    parity = tmp_path / "tests" / "parity" / "test_other.py"
    parity.parent.mkdir(parents=True)
    parity.write_text("def test_other():\n    pass\n")
    conftest = (ROOT / "conftest.py").read_text().replace("HAS_TORCH = ", "HAS_TORCH = True or ")
    line = run(tmp_path, "--quick", count=5, conftest=conftest)
    assert line.startswith("2 passed, 1 deselected"), line
    line = run(tmp_path, "--quick", str(parity), count=5, conftest=conftest)
    assert line.startswith("3 passed, 1 deselected"), line


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
