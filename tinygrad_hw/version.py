"""``torch.version``: the engine's version, and None for everything about GPUs."""

__version__ = "0.1.0"
cuda = hip = xpu = git_version = None
debug = False
