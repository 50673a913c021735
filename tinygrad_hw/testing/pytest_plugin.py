"""The pytest plugin: Hypothesis profiles that suit gradient tests.

It is found by pytest wherever the project is installed.  It registers profiles and changes nothing by
itself; one is chosen with ``--hypothesis-profile NAME`` (Hypothesis' own option) or with
``hypothesis.settings.load_profile(NAME)`` in a ``conftest.py``:

==============  ========  ======================================================================
profile         examples  meant for
==============  ========  ======================================================================
``quick``              5  a look while editing; the same examples each time
``dev``               30  work on a function: new examples each time, failures are remembered
``ci``                30  the same examples each time; a failure prints what reproduces it
``thorough``        1000  a search for bugs, with new examples each time
==============  ========  ======================================================================

None has a deadline: the first call of a kernel compiles it, which takes seconds.
"""

from __future__ import annotations

import pytest

try:
    import hypothesis
except ImportError:  # without Hypothesis there are no profiles to register
    hypothesis = None

__all__ = ["PROFILES", "pytest_configure", "register_profiles"]

PROFILES = {
    "quick": dict(max_examples=5, derandomize=True, database=None),
    "dev": dict(max_examples=30),
    "ci": dict(max_examples=30, derandomize=True, database=None, print_blob=True),
    "thorough": dict(max_examples=1000),
}
"""The settings of each profile, on top of no deadline and no complaint about slow drawing."""


def register_profiles() -> bool:
    """Tell Hypothesis the `PROFILES`; whether Hypothesis is installed.

    >>> register_profiles()
    True
    """
    if hypothesis is None:
        return False
    parent = hypothesis.settings.get_profile("default")
    for name, options in PROFILES.items():
        hypothesis.settings.register_profile(
            name, parent, deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow], **options)
    return True


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config) -> None:
    """Register the profiles, before Hypothesis' own plugin loads the one that was asked for."""
    register_profiles()
