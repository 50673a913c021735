"""Residual networks of our own for small pictures (He et al., arXiv:1512.03385).

`Net4` learns objects and scenes from pictures of 64x64, `FashionNet` clothes from pictures of 28x28.
"""

from __future__ import annotations

import tinygrad_hw as thw
from tinygrad_hw import nn
from tinygrad_hw.nn import functional as F

__all__ = ["SIDE", "FashionNet", "Net4", "Residual"]

SIDE = 28  # of the pictures that `FashionNet` takes


class Residual(nn.Module):
    """Two normalised 3x3 convolutions around a shortcut.

    Args:
        channels, out: before and after.
        stride: 2 halves the picture.

    >>> Residual(4, 8, stride=2)(thw.ones(1, 4, 6, 6)).shape
    tinygrad_hw.Size([1, 8, 3, 3])
    """

    def __init__(self, channels: int, out: int, stride: int = 1):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.pool = nn.AvgPool2d(stride) if stride > 1 else nn.Identity()
        self.shortcut = nn.Conv2d(channels, out, 1, bias=False)

    def forward(self, x):
        """(N, channels, height, width) to (N, out, height / stride, width / stride)."""
        shortcut = self.shortcut(self.pool(x))
        x = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.bn2(self.conv2(x)) + shortcut)


class Net4(nn.Module):
    """A residual network with batch normalisation: 24, 48, 96 and 192 channels, then the mean of each.

    Where Net1 to Net3 have nearly all their weights in one linear layer, which sees every place apart,
    this one averages over places, so what it learns at one place holds at all.

    >>> Net4().eval()(thw.ones(2, 3, 64, 64)).shape
    tinygrad_hw.Size([2, 5])
    """

    def __init__(self, classes: int = 5, dropout: float = 0.2):
        super().__init__()
        self.conv = nn.Conv2d(3, 24, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(24)
        self.pool = nn.MaxPool2d(2)
        self.blocks = nn.Sequential(Residual(24, 48, stride=2), Residual(48, 96, stride=2),
                                    Residual(96, 192, stride=2))
        self.mean = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(192, classes)

    def forward(self, x):
        """Images (N, 3, height, width) to scores (N, classes)."""
        x = self.blocks(F.relu(self.bn(self.pool(self.conv(x)))))
        return self.fc(self.dropout(thw.flatten(self.mean(x), 1)))


class FashionNet(nn.Module):
    """The same for 28x28: 24, 48, 96 and 192 channels, halved by pooling between the blocks.

    >>> net = FashionNet().eval()
    >>> net(thw.ones(2, 3, 28, 28)).shape, sum(p.numel() for p in net.parameters())
    (tinygrad_hw.Size([2, 10]), 681346)
    """

    def __init__(self, classes: int = 10, dropout: float = 0.1):
        super().__init__()
        self.conv = nn.Conv2d(3, 24, 3, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(24)
        self.pool = nn.MaxPool2d(2)
        self.blocks = nn.Sequential(Residual(24, 48), nn.MaxPool2d(2), Residual(48, 96), nn.MaxPool2d(2),
                                    Residual(96, 192))
        self.mean = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(192, classes)

    def forward(self, x):
        """Images (N, 3, 28, 28), grey in three channels, to scores (N, classes)."""
        x = self.blocks(self.pool(F.relu(self.bn(self.conv(x)))))
        return self.fc(self.dropout(thw.flatten(self.mean(x), 1)))
