"""ResNet-18 with torchvision's names of layers, so that files of its weights fit.

He et al., "Deep residual learning for image recognition", arXiv:1512.03385.
"""

from __future__ import annotations

import tinygrad_hw as thw
from tinygrad_hw import nn
from tinygrad_hw.nn import functional as F

__all__ = ["BasicBlock", "ResNet18"]


class BasicBlock(nn.Module):
    """Two normalised 3x3 convolutions around a shortcut, which is a 1x1 convolution where sizes differ.

    >>> BasicBlock(4, 8, stride=2)(thw.ones(2, 4, 6, 6)).shape
    tinygrad_hw.Size([2, 8, 3, 3])
    """

    def __init__(self, channels: int, out: int, stride: int = 1):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.downsample = None
        if stride != 1 or channels != out:
            self.downsample = nn.Sequential(nn.Conv2d(channels, out, 1, stride=stride, bias=False),
                                            nn.BatchNorm2d(out))

    def forward(self, x):
        """(N, channels, H, W) to (N, out, H / stride, W / stride)."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(x)) + shortcut)


class ResNet18(nn.Module):
    """A stem, four stages of two blocks, the mean over places, one linear layer.

    >>> sum(p.numel() for p in ResNet18().parameters())
    11689512
    """

    def __init__(self, classes: int = 1000):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = nn.Sequential(BasicBlock(64, 64), BasicBlock(64, 64))
        self.layer2 = nn.Sequential(BasicBlock(64, 128, 2), BasicBlock(128, 128))
        self.layer3 = nn.Sequential(BasicBlock(128, 256, 2), BasicBlock(256, 256))
        self.layer4 = nn.Sequential(BasicBlock(256, 512, 2), BasicBlock(512, 512))
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(512, classes)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")

    def features(self, x):
        """Images (N, 3, height, width), normalised, to what the last layer sees, (N, 512)."""
        x = self.maxpool(F.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return thw.flatten(self.avgpool(x), 1)

    def forward(self, x):
        """Images (N, 3, height, width), normalised, to scores (N, classes)."""
        return self.fc(self.features(x))
