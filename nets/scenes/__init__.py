"""CIFAR-10, eight scenes of SUN and seventeen flowers.

From simple to complex: `networks`, `data` (random parts of pictures), `recognition` (training with a test
set that is used once), `flowers` (a network of our own against SqueezeNet with a new classifier), `systems`.
"""

from nets.scenes.systems import SYSTEMS

__all__ = ["SYSTEMS"]
