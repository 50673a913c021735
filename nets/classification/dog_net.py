"""The network of a course for dog breeds: four convolutions of stride 2 in the place of poolings."""

from __future__ import annotations

from math import sqrt

import tinygrad_hw as thw
from tinygrad_hw import nn
from tinygrad_hw.nn import functional as F

__all__ = ["SIDE", "DogNet", "parameters_by_hand"]

SIDE = 32  # of the pictures that the network takes


class DogNet(nn.Module):
    """5x5 convolutions with stride 2 and padding 2, 16 - 32 - 64 - 128 channels; 512 - 64 - classes.

    All weights start as N(0, 1 / fan_in), fan_in being 5 * 5 * channels of a convolution and the inputs
    of a linear layer; all biases start at 0.

    >>> DogNet()(thw.ones(2, 3, 32, 32)).shape
    tinygrad_hw.Size([2, 5])
    """

    def __init__(self, classes: int = 5):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 5, stride=2, padding=2)
        self.conv2 = nn.Conv2d(16, 32, 5, stride=2, padding=2)
        self.conv3 = nn.Conv2d(32, 64, 5, stride=2, padding=2)
        self.conv4 = nn.Conv2d(64, 128, 5, stride=2, padding=2)
        self.fc1 = nn.Linear(128 * 2 * 2, 64)
        self.fc2 = nn.Linear(64, classes)
        for layer in self.children():
            nn.init.normal_(layer.weight, 0.0, 1 / sqrt(layer.weight[0].numel()))
            nn.init.zeros_(layer.bias)

    def forward(self, x):
        """Images (N, 3, 32, 32) to scores (N, classes)."""
        for conv in (self.conv1, self.conv2, self.conv3, self.conv4):
            x = F.relu(conv(x))
        x = F.relu(self.fc1(thw.flatten(x, 1)))
        return self.fc2(x)


def parameters_by_hand(classes: int = 5) -> list[tuple[str, str, int]]:
    """(layer, sum, number) of each layer: (inputs of an output + 1 for its bias) times outputs.

    >>> sum(count for _, _, count in parameters_by_hand())
    303397
    """
    channels = (3, 16, 32, 64, 128)
    rows = [(f"conv{place}", f"(5*5*{inputs} + 1) * {outputs}", (5 * 5 * inputs + 1) * outputs)
            for place, (inputs, outputs) in enumerate(zip(channels, channels[1:]), start=1)]
    return [*rows, ("fc1", "(128*2*2 + 1) * 64", 513 * 64), ("fc2", f"(64 + 1) * {classes}", 65 * classes)]
