"""The network for articles of clothing: three normalised convolutions and two linear layers."""

from __future__ import annotations

from tinygrad_hw import nn

__all__ = ["SIDE", "FashionNet"]

SIDE = 28  # of the pictures that the network takes


class FashionNet(nn.Module):
    """3x3 convolutions with 32, 64 and 128 channels, each normalised, cut off below 0 and halved.

    >>> import tinygrad_hw as thw
    >>> FashionNet().eval()(thw.ones(2, 3, 28, 28)).shape
    tinygrad_hw.Size([2, 10])
    """

    def __init__(self, classes: int = 10, dropout: float = 0.2):
        super().__init__()
        layers = []
        for channels, out in ((3, 32), (32, 64), (64, 128)):
            layers += [nn.Conv2d(channels, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU(),
                       nn.MaxPool2d(2)]
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Flatten(), nn.Dropout(dropout), nn.Linear(128 * 3 * 3, 128),
                                        nn.ReLU(), nn.Dropout(dropout), nn.Linear(128, classes))

    def forward(self, x):
        """Images (N, 3, 28, 28), grey in three channels, to scores (N, classes)."""
        return self.classifier(self.features(x))
