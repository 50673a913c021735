"""Comparisons with PyTorch: the same programs, in two processes that take turns.

See ``python -m bench --help``.
"""
