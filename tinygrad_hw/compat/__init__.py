"""PyTorch's programs on this engine: ``python -m tinygrad_hw run SCRIPT.py``.

`alias` lets ``import torch`` find the engine, `scan` reads a script for names that are missing, `suggest`
says what to take instead, `command` runs the script, and `table` writes docs/compat.md.  `standin` holds
the two packages that Python finds under the names torch and torchvision while a script runs.
"""
