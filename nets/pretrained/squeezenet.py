"""SqueezeNet 1.0 and 1.1 with torchvision's names of layers, so that files of its weights fit.

Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters", arXiv:1602.07360; 1.1
needs 2.4 times less computation (https://github.com/forresti/SqueezeNet/tree/master/SqueezeNet_v1.1).
"""

from __future__ import annotations

import tinygrad_hw as thw
from tinygrad_hw import nn

__all__ = ["Fire", "SqueezeNet", "squeezenet1_0", "squeezenet1_1"]


class Fire(nn.Module):
    """A 1x1 convolution squeezes to few channels, a 1x1 and a 3x3 one expand them side by side.

    Args:
        inplanes: channels that come in.
        squeeze_planes: channels in between.
        expand1x1_planes, expand3x3_planes: channels that go out, first those of the 1x1 convolution.

    >>> Fire(8, 2, 4, 6)(thw.ones(1, 8, 5, 5)).shape
    tinygrad_hw.Size([1, 10, 5, 5])
    """

    def __init__(self, inplanes: int, squeeze_planes: int, expand1x1_planes: int, expand3x3_planes: int):
        super().__init__()
        self.squeeze = nn.Conv2d(inplanes, squeeze_planes, 1)
        self.expand1x1 = nn.Conv2d(squeeze_planes, expand1x1_planes, 1)
        self.expand3x3 = nn.Conv2d(squeeze_planes, expand3x3_planes, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        """(N, inplanes, H, W) to (N, expand1x1_planes + expand3x3_planes, H, W)."""
        x = self.relu(self.squeeze(x))
        return thw.cat([self.relu(self.expand1x1(x)), self.relu(self.expand3x3(x))], 1)


class SqueezeNet(nn.Module):
    """Eight `Fire` modules, a 1x1 convolution to scores at every place, and their mean.

    Args:
        version: "1_0" or "1_1".
        num_classes: number of scores.
        dropout: probability of a zero before the last convolution.

    Raises:
        ValueError: there is no such version.

    >>> SqueezeNet("1_1", num_classes=5)(thw.ones(2, 3, 32, 32)).shape
    tinygrad_hw.Size([2, 5])
    """

    def __init__(self, version: str = "1_0", num_classes: int = 1000, dropout: float = 0.5):
        super().__init__()
        if version == "1_0":
            self.features = nn.Sequential(
                nn.Conv2d(3, 96, 7, stride=2), nn.ReLU(inplace=True), _pool(),
                Fire(96, 16, 64, 64), Fire(128, 16, 64, 64), Fire(128, 32, 128, 128), _pool(),
                Fire(256, 32, 128, 128), Fire(256, 48, 192, 192), Fire(384, 48, 192, 192),
                Fire(384, 64, 256, 256), _pool(),
                Fire(512, 64, 256, 256),
            )
        elif version == "1_1":
            self.features = nn.Sequential(
                nn.Conv2d(3, 64, 3, stride=2), nn.ReLU(inplace=True), _pool(),
                Fire(64, 16, 64, 64), Fire(128, 16, 64, 64), _pool(),
                Fire(128, 32, 128, 128), Fire(256, 32, 128, 128), _pool(),
                Fire(256, 48, 192, 192), Fire(384, 48, 192, 192), Fire(384, 64, 256, 256),
                Fire(512, 64, 256, 256),
            )
        else:
            raise ValueError(f"Unsupported SqueezeNet version {version}: 1_0 or 1_1 expected")
        self.classifier = nn.Sequential(
            nn.Dropout(dropout), nn.Conv2d(512, num_classes, 1), nn.ReLU(inplace=True),
            nn.AdaptiveAvgPool2d((1, 1)))
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)
        nn.init.normal_(self.classifier[1].weight, std=0.01)

    def forward(self, x):
        """Images (N, 3, height, width), normalised, to scores (N, num_classes), none below 0."""
        return thw.flatten(self.classifier(self.features(x)), 1)


def _pool():
    return nn.MaxPool2d(3, stride=2, ceil_mode=True)


def squeezenet1_0(**options) -> SqueezeNet:
    """1,248,424 parameters; options as in `SqueezeNet`.

    >>> sum(parameter.numel() for parameter in squeezenet1_0().parameters())
    1248424
    """
    return SqueezeNet("1_0", **options)


def squeezenet1_1(**options) -> SqueezeNet:
    """1,235,496 parameters; options as in `SqueezeNet`."""
    return SqueezeNet("1_1", **options)
