"""Tests of the tests: bugs planted at run time, each of which the suite has to notice.

``python -m tests.mutants`` plants them all and prints how many were killed; see ``docs/mutants.md``.
"""
