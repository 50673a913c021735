"""The systems of this package by name."""

from __future__ import annotations

import dataclasses

from nets.classification.images import PictureSet
from nets.classification.residual_nets import Net4
from nets.classification.transfer import MEAN, STD
from nets.pretrained.squeezenet import squeezenet1_1
from nets.scenes.data import cropped
from nets.scenes.flowers import Flowers
from nets.scenes.networks import CifarNet
from nets.scenes.recognition import Recognition

__all__ = ["CIFAR", "FLOWERS", "PRETRAIN", "SUN8", "SYSTEMS"]


def _moved(pictures, mean, std, side):
    """Small pictures, mirrored and moved by up to an eighth."""
    return PictureSet(pictures, mean, std, flip=0.5, shift=side // 8)


CIFAR = Recognition(
    "CIFAR-10 with four convolutions (AdamW, one cycle)", "CIFAR-10", CifarNet, _moved,
    stored=32, side=32, epochs=20, batch_size=64, lr=6e-3)

SUN8 = Recognition(
    "eight scenes of SUN with a residual network (AdamW, one cycle)", "Eight scenes of SUN", Net4,
    cropped, stored=128, side=64, epochs=30, batch_size=32, lr=4e-3,
    remark="The published solution of the course reports about 0.50.")

FLOWERS = Flowers(dataclasses.replace(SUN8, title="Flowers", remark=""))

PRETRAIN = Recognition(
    "SqueezeNet 1.1 from scratch on any pictures: weights for flowers17 (AdamW, one cycle)",
    "SqueezeNet 1.1 from scratch", lambda classes: squeezenet1_1(num_classes=classes), cropped,
    stored=64, side=64, epochs=15, batch_size=32, lr=1e-3, weight_decay=0.01, normal=(MEAN, STD),
    remark="`python -m nets run flowers17 --weights FILE` takes `last.safetensors` of this run.")

SYSTEMS = {"cifar-cnn": CIFAR, "sun8-cnn": SUN8, "flowers17": FLOWERS, "squeezenet-pretrain": PRETRAIN}
