"""The systems for pictures as both libraries train them: the same data, order, changes and settings.

A `Study` says how a network is built in either library; a `Learner` trains one of the two, by the same
lines. The network is written once: PyTorch runs the lines of `nets.classification`
(`bench.imagenet.under`). The batches come from our loader, for both with the same pictures and changes in
the same order; the initial weights are each library's own draw from the same law.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable

import torch

import tinygrad_hw as thw
from bench.imagenet import under
from nets.classification import SYSTEMS, coco, fashion, residual_nets
from nets.classification.dog_net import SIDE
from nets.classification.images import PictureSet, load, split, statistics
from nets.classification.imbalance import pair
from nets.handwriting import AveragedWeights
from tinygrad_hw.utils.data import DataLoader

__all__ = ["STUDIES", "Learner", "Study"]


@dataclasses.dataclass(frozen=True)
class Study:
    """A network in both libraries; the number of epochs, batch size and rate are the system's.

    Args:
        system: its name in `nets.classification.SYSTEMS`.
        module, network: the file in nets/classification, and the class in it.
        optimizer: of (library, parameters, rate, more options).
        options: of the class.
        side: of the pictures.
        normal: mean and standard deviation to normalise by; None: the training pictures'.
        changes: of the pictures, arguments of `PictureSet`.
        cycle: the rate rises and falls once.
        decay: of the average of the weights that is judged, by every picture and its mirror image; None
            judges the network itself, by the pictures.
        smoothing: share of a label that is spread over all classes.
    """

    system: str
    module: str
    network: str
    optimizer: Callable
    options: tuple = ()
    side: int = 64
    normal: tuple | None = None
    changes: tuple = (("flip", 0.5),)
    cycle: bool = False
    decay: float | None = None
    smoothing: float = 0.0

    def build(self, library, classes):
        """The network, which starts with random weights of its library."""
        return under(library, self.module, "classification")[self.network](
            classes=classes, **dict(self.options))

    def data(self, path):
        """Training, validation and, for a system that tests, test pictures."""
        if self.system == "imbalance":
            return *pair(path), None
        training, rest = load(path, self.side)
        return (*split(training, fashion.SHARE), rest) if self.system == "fashion-cnn" else (
            training, rest, None)


def adam(library, parameters, lr, **more):
    """The assignment's optimizer."""
    return library.optim.Adam(parameters, lr, (0.9, 0.99), **more)


def momentum(library, parameters, lr, **more):
    """That of the dogs' network."""
    return library.optim.SGD(parameters, lr, momentum=0.9, **more)


def adamw(weight_decay):
    """That of the networks of ours."""
    return lambda library, parameters, lr, **more: library.optim.AdamW(
        parameters, lr, weight_decay=weight_decay, **more)


OURS, CLOTHES = SYSTEMS["coco-net4"], SYSTEMS["fashion-cnn"]
COURSE = {"optimizer": adam, "normal": (coco.HALF, coco.HALF)}
STUDIES = {
    "net1": Study("coco-nets", "coco_nets", "CourseNet", **COURSE),
    "net2": Study("coco-nets", "coco_nets", "CourseNet", options=(("padding", 1),), **COURSE),
    "net3": Study("coco-nets", "coco_nets", "CourseNet", options=(("padding", 1), ("extra", 10)), **COURSE),
    "net4": Study("coco-net4", "residual_nets", "Net4", adamw(OURS.weight_decay), changes=OURS.changes,
                  cycle=True, decay=OURS.decay),
    "dogs": Study("dogs-cnn", "dog_net", "DogNet", momentum, side=SIDE),
    "imbalance": Study("imbalance", "dog_net", "DogNet", momentum, side=SIDE),
    "fashion": Study("fashion-cnn", "residual_nets", "FashionNet", adamw(CLOTHES.weight_decay),
                     side=residual_nets.SIDE, changes=CLOTHES.changes, cycle=True, decay=CLOTHES.decay,
                     smoothing=CLOTHES.smoothing),
}


class Learner:
    """One library's network in training.

    Args:
        library: the module ``torch`` or ``tinygrad_hw``.
        study: what learns.
        training: `Pictures`.
        seed: of the weights, and of order and changes.
        epochs: that the schedule is made for.
        weight: of class 1 in the loss; None weighs all alike.
        fast: PyTorch with channels-last memory and a fused optimizer.
    """

    def __init__(self, library, study, training, seed, epochs, weight=None, fast=False):
        self.library, self.study = library, study
        self.system = SYSTEMS[study.system]
        self.mean, self.std = study.normal or statistics(training)
        library.manual_seed(seed)
        changed = PictureSet(training, self.mean, self.std, **dict(study.changes))
        self.loader = DataLoader(changed, self.system.batch_size, shuffle=True,
                                 drop_last=study.cycle and len(changed) > self.system.batch_size)
        theirs = library is torch
        self.net = study.build(library, len(training.classes))
        thw.manual_seed(seed)  # the loader's random numbers are always ours
        self.layout = torch.channels_last if fast else torch.contiguous_format
        if theirs:
            self.net.to(memory_format=self.layout)
        self.optimizer = study.optimizer(library, self.net.parameters(), self.system.lr,
                                         **({"fused": True} if fast else {}))
        self.schedule = library.optim.lr_scheduler.OneCycleLR(
            self.optimizer, self.system.lr, total_steps=epochs * len(self.loader)) if study.cycle else None
        self.weight = None if weight is None else library.tensor([1.0, weight])
        self.judged, self.average, self.steps = self.net, None, 0
        if study.decay is not None and theirs:
            self.judged = copy.deepcopy(self.net)
        elif study.decay is not None:
            self.average = AveragedWeights(self.net, study.decay)

    def step(self, images, labels):
        """Learn from one batch of the loader."""
        if self.library is torch:
            images = torch.from_numpy(images.numpy()).contiguous(memory_format=self.layout)
            labels = torch.from_numpy(labels.numpy())
        self.optimizer.zero_grad()
        loss = self.library.nn.functional.cross_entropy(
            self.net(images), labels, weight=self.weight, label_smoothing=self.study.smoothing)
        loss.backward()
        self.optimizer.step()
        self.steps += 1
        if self.schedule is not None:
            self.schedule.step()
        if self.average is not None:
            self.average.update()
        elif self.judged is not self.net:
            self._average()
        return loss.item()

    @torch.no_grad()
    def _average(self):
        """The same running average as `AveragedWeights`."""
        share = max(1 - self.study.decay, 9 / (10 + self.steps))
        means, values = ([value for value in net.state_dict().values() if value.is_floating_point()]
                         for net in (self.judged, self.net))
        torch._foreach_lerp_(means, values, share)
