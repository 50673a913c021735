"""Every system that ``python -m nets run`` trains, by name."""

from nets import autoencoders, classification, handwriting, nist36, rate_study, scenes

__all__ = ["SYSTEMS"]

SYSTEMS = {**nist36.SYSTEMS, **rate_study.SYSTEMS, **handwriting.SYSTEMS, **autoencoders.SYSTEMS,
           **classification.SYSTEMS, **scenes.SYSTEMS}
