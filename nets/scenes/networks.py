"""The network for CIFAR-10: four 3x3 convolutions and a mean over places.

Scenes and flowers are learned by `nets.classification.residual_nets.Net4`.
"""

from __future__ import annotations

from tinygrad_hw import nn

__all__ = ["CifarNet"]


class CifarNet(nn.Module):
    """3x3 convolutions with 32, 64, 128 and 128 channels, each normalised, cut off below 0 and halved.

    >>> import tinygrad_hw as thw
    >>> net = CifarNet().eval()
    >>> net(thw.ones(2, 3, 32, 32)).shape, sum(p.numel() for p in net.parameters())
    (tinygrad_hw.Size([2, 10]), 246314)
    """

    def __init__(self, classes: int = 10, dropout: float = 0.1):
        super().__init__()
        layers = []
        for channels, out in ((3, 32), (32, 64), (64, 128), (128, 128)):
            layers += [nn.Conv2d(channels, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU(),
                       nn.MaxPool2d(2)]
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Flatten(), nn.Dropout(dropout), nn.Linear(128 * 2 * 2, classes))

    def forward(self, x):
        """Images (N, 3, 32, 32), normalised, to scores (N, classes)."""
        return self.classifier(self.features(x))
