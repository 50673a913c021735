"""Networks with torchvision's names of layers, for weights that others learned from ImageNet.

From simple to complex: `resnet` and `squeezenet` (the networks), `weights` (files), `networks` (all by name,
and which one a file belongs to), `classify` (pictures), `video` (frames), `command` (both on the command
line).  ``imagenet_classes.txt`` names the 1000 classes.

    net = load("resnet18-f37072fd.pth")
"""

from nets.pretrained.networks import NETWORKS, load, recognise, undrawn
from nets.pretrained.resnet import (
    BasicBlock,
    Bottleneck,
    ResNet,
    resnet18,
    resnet34,
    resnet50,
    resnet101,
    resnet152,
)
from nets.pretrained.squeezenet import Fire, SqueezeNet, squeezenet1_0, squeezenet1_1

__all__ = ["BasicBlock", "Bottleneck", "Fire", "NETWORKS", "ResNet", "SqueezeNet", "load", "recognise",
           "resnet101", "resnet152", "resnet18", "resnet34", "resnet50", "squeezenet1_0", "squeezenet1_1",
           "undrawn"]
