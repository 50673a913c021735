"""The programs here are run by test_programs.py; pytest shall not import them to look for doctests."""

import pathlib

collect_ignore = [p.name for p in pathlib.Path(__file__).parent.glob("*.py") if p.name != "test_programs.py"]
