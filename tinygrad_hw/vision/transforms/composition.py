"""Transforms made of transforms."""

from __future__ import annotations

from tinygrad_hw.nn import Module
from tinygrad_hw.utils.data.randomness import transform_generator

__all__ = ["Compose", "Lambda", "RandomApply", "RandomChoice", "RandomOrder", "RandomTransforms"]


class Compose:
    """One transform after the other.

    >>> from tinygrad_hw.vision.transforms import CenterCrop, ToTensor
    >>> Compose([CenterCrop(10), ToTensor()])
    Compose(
        CenterCrop(size=(10, 10))
        ToTensor()
    )
    """

    def __init__(self, transforms):
        self.transforms = transforms

    def __call__(self, img):
        for transform in self.transforms:
            img = transform(img)
        return img

    def __repr__(self):
        return _listed(f"{type(self).__name__}(", self.transforms)


class Lambda:
    """A function of the user's as a transform; with spawned workers it must be importable by name.

    Raises:
        TypeError: it is not callable.

    >>> Lambda(lambda image: 2 * image)(21)
    42
    """

    def __init__(self, lambd):
        if not callable(lambd):
            raise TypeError(f"Argument lambd should be callable, got {type(lambd).__name__!r}")
        self.lambd = lambd

    def __call__(self, img):
        return self.lambd(img)

    def __repr__(self):
        return f"{type(self).__name__}()"


class RandomTransforms:
    """Base of what chooses among ``transforms``, a sequence.

    >>> RandomTransforms([abs]).transforms
    [<built-in function abs>]
    """

    def __init__(self, transforms):
        if not isinstance(transforms, (list, tuple)):
            raise TypeError("Argument transforms should be a sequence")
        self.transforms = transforms

    def __call__(self, *args, **kwargs):
        raise NotImplementedError(f"{type(self).__name__} must implement __call__(img)")

    def __repr__(self):
        return _listed(f"{type(self).__name__}(", self.transforms)


class RandomApply(Module):
    """All ``transforms`` with probability ``p``, or none.

    >>> RandomApply([abs], p=1.0)(-3)
    3
    """

    def __init__(self, transforms, p=0.5):
        super().__init__()
        self.transforms = transforms
        self.p = p

    def forward(self, img):
        if self.p < transform_generator().random():
            return img
        for transform in self.transforms:
            img = transform(img)
        return img

    def __repr__(self):
        return _listed(f"{type(self).__name__}(\n    p={self.p}", self.transforms)


class RandomOrder(RandomTransforms):
    """All ``transforms`` in random order.

    >>> RandomOrder([abs, float])(-3)
    3.0
    """

    def __call__(self, img):
        for number in transform_generator().permutation(len(self.transforms)):
            img = self.transforms[number](img)
        return img


class RandomChoice(RandomTransforms):
    """One of ``transforms``, with probabilities in proportion to ``p``; by default all alike.

    >>> RandomChoice([abs, float], p=[1, 0])(-3)
    3
    """

    def __init__(self, transforms, p=None):
        super().__init__(transforms)
        if p is not None and not isinstance(p, (list, tuple)):
            raise TypeError("Argument p should be a sequence")
        if p is not None and len(p) != len(transforms):
            raise ValueError(f"p has {len(p)} weights for {len(transforms)} transforms")
        self.p = p

    def __call__(self, *args):
        p = None if self.p is None else [weight / sum(self.p) for weight in self.p]
        return self.transforms[transform_generator().choice(len(self.transforms), p=p)](*args)

    def __repr__(self):
        return f"{super().__repr__()}(p={self.p})"


def _listed(head: str, transforms) -> str:
    return head + "".join(f"\n    {transform}" for transform in transforms) + "\n)"
