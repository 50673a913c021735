"""ResNet-18, 34, 50, 101 and 152 with torchvision's names of layers, so that files of its weights fit.

He et al., "Deep residual learning for image recognition", arXiv:1512.03385. As in torchvision, the
stride of a `Bottleneck` sits in its 3x3 convolution ("ResNet v1.5").
"""

from __future__ import annotations

import tinygrad_hw as thw
from tinygrad_hw import nn

__all__ = ["BasicBlock", "Bottleneck", "ResNet", "resnet101", "resnet152", "resnet18", "resnet34", "resnet50"]


class BasicBlock(nn.Module):
    """Two normalised 3x3 convolutions around a shortcut.

    Args:
        inplanes: channels that come in.
        planes: channels of both convolutions.
        stride: of the first convolution.
        downsample: changes the shortcut where the sizes differ; None leaves it as it is.

    >>> BasicBlock(4, 4)(thw.ones(2, 4, 6, 6)).shape
    tinygrad_hw.Size([2, 4, 6, 6])
    """

    expansion = 1  # channels that go out, in units of planes

    def __init__(self, inplanes: int, planes: int, stride: int = 1, downsample=None):
        super().__init__()
        self.conv1 = nn.Conv2d(inplanes, planes, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(planes, planes, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.downsample = downsample

    def forward(self, x):
        """(N, inplanes, H, W) to (N, planes, H / stride, W / stride)."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.bn2(self.conv2(x))
        x += shortcut
        return self.relu(x)


class Bottleneck(nn.Module):
    """A 1x1 convolution to few channels, a 3x3 one, a 1x1 one to four times as many, around a shortcut.

    Args:
        inplanes: channels that come in.
        planes: channels of the 3x3 convolution; a quarter of those that go out.
        stride, downsample: as in `BasicBlock`; the stride is that of the 3x3 convolution.

    >>> Bottleneck(16, 4)(thw.ones(2, 16, 6, 6)).shape
    tinygrad_hw.Size([2, 16, 6, 6])
    """

    expansion = 4

    def __init__(self, inplanes: int, planes: int, stride: int = 1, downsample=None):
        super().__init__()
        self.conv1 = nn.Conv2d(inplanes, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.conv3 = nn.Conv2d(planes, planes * self.expansion, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(planes * self.expansion)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample

    def forward(self, x):
        """(N, inplanes, H, W) to (N, 4 planes, H / stride, W / stride)."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        x = self.bn3(self.conv3(x))
        x += shortcut
        return self.relu(x)


class ResNet(nn.Module):
    """A stem, four stages of residual blocks, the mean over places, one linear layer.

    Args:
        block: `BasicBlock` or `Bottleneck`.
        layers: number of blocks in each of the four stages.
        num_classes: number of scores.
        zero_init_residual: the last normalisation of every block starts at 0, so that every block starts
            as its shortcut (Goyal et al., arXiv:1706.02677, section 5.1).

    Convolutions start with `kaiming_normal_` by their outputs.

    >>> net = ResNet(BasicBlock, (1, 1, 1, 1), num_classes=5)
    >>> net(thw.ones(2, 3, 32, 32)).shape, net.features(thw.ones(2, 3, 32, 32)).shape
    (tinygrad_hw.Size([2, 5]), tinygrad_hw.Size([2, 512]))
    """

    def __init__(self, block, layers, num_classes: int = 1000, zero_init_residual: bool = False):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        self.layer1 = _stage(block, 64, 64, layers[0], stride=1)
        self.layer2 = _stage(block, 64 * block.expansion, 128, layers[1], stride=2)
        self.layer3 = _stage(block, 128 * block.expansion, 256, layers[2], stride=2)
        self.layer4 = _stage(block, 256 * block.expansion, 512, layers[3], stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(512 * block.expansion, num_classes)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            elif zero_init_residual and isinstance(layer, (BasicBlock, Bottleneck)):
                nn.init.zeros_((layer.bn2 if isinstance(layer, BasicBlock) else layer.bn3).weight)

    def features(self, x):
        """Images (N, 3, height, width), normalised, to what the last layer sees, (N, 512 or 2048)."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return thw.flatten(self.avgpool(x), 1)

    def forward(self, x):
        """Images (N, 3, height, width), normalised, to scores (N, num_classes)."""
        return self.fc(self.features(x))


def _stage(block, inplanes, planes, blocks, stride):
    """Blocks in a row; the first one changes the size and the number of channels."""
    out, downsample = planes * block.expansion, None
    if stride != 1 or inplanes != out:
        downsample = nn.Sequential(nn.Conv2d(inplanes, out, 1, stride, bias=False), nn.BatchNorm2d(out))
    return nn.Sequential(block(inplanes, planes, stride, downsample),
                         *(block(out, planes) for _ in range(1, blocks)))


def resnet18(**options) -> ResNet:
    """11,689,512 parameters; options as in `ResNet`.

    >>> sum(parameter.numel() for parameter in resnet18().parameters())
    11689512
    """
    return ResNet(BasicBlock, (2, 2, 2, 2), **options)


def resnet34(**options) -> ResNet:
    """21,797,672 parameters; options as in `ResNet`."""
    return ResNet(BasicBlock, (3, 4, 6, 3), **options)


def resnet50(**options) -> ResNet:
    """25,557,032 parameters; options as in `ResNet`."""
    return ResNet(Bottleneck, (3, 4, 6, 3), **options)


def resnet101(**options) -> ResNet:
    """44,549,160 parameters; options as in `ResNet`."""
    return ResNet(Bottleneck, (3, 4, 23, 3), **options)


def resnet152(**options) -> ResNet:
    """60,192,808 parameters; options as in `ResNet`."""
    return ResNet(Bottleneck, (3, 8, 36, 3), **options)
