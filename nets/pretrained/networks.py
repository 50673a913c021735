"""The networks by name, and the one that a file of weights belongs to."""

from __future__ import annotations

from contextlib import contextmanager

from nets.pretrained.resnet import resnet18, resnet34, resnet50, resnet101, resnet152
from nets.pretrained.squeezenet import squeezenet1_0, squeezenet1_1
from nets.pretrained.weights import load_into, read
from tinygrad_hw.nn import init

__all__ = ["NETWORKS", "load", "recognise", "undrawn"]

NETWORKS = {make.__name__: make for make in (
    resnet18, resnet34, resnet50, resnet101, resnet152, squeezenet1_0, squeezenet1_1)}

_RESNETS = {(False, (2, 2, 2, 2)): "resnet18", (False, (3, 4, 6, 3)): "resnet34",
            (True, (3, 4, 6, 3)): "resnet50", (True, (3, 4, 23, 3)): "resnet101",
            (True, (3, 8, 36, 3)): "resnet152"}
"""By whether the blocks are bottlenecks, and their number in each stage."""

_SQUEEZENETS = {(96, 3, 7, 7): "squeezenet1_0", (64, 3, 3, 3): "squeezenet1_1"}
"""By the shape of the first convolution's weight."""


def recognise(shapes: dict) -> tuple[str, int]:
    """The network that has weights of these names and shapes, and its number of classes.

    Args:
        shapes: {name: shape}, as of a ``state_dict``.

    Raises:
        ValueError: it is none of `NETWORKS`.

    >>> recognise({name: value.shape for name, value in squeezenet1_1(num_classes=5).state_dict().items()})
    ('squeezenet1_1', 5)
    """
    blocks = tuple(len({name.split(".")[1] for name in shapes if name.startswith(f"layer{stage}.")})
                   for stage in (1, 2, 3, 4))
    name, head = _RESNETS.get(("layer1.0.conv3.weight" in shapes, blocks)), "fc.weight"
    if name is None:
        first = tuple(shapes.get("features.0.weight", ()))
        name, head = _SQUEEZENETS.get(first), "classifier.1.weight"
    if name is None or not len(shapes.get(head, ())):
        raise ValueError(f"these are weights of none of the networks {', '.join(NETWORKS)}: their names "
                         f"begin with {', '.join(list(shapes)[:4])}")
    return name, int(shapes[head][0])


def load(path, net: str | None = None):
    """The network whose weights are in a file, ready to judge pictures (``eval()``).

    Args:
        path: see `weights.read <nets.pretrained.weights.read>`.
        net: one of `NETWORKS`; None finds it out.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, or its weights do not fit the network.

    >>> import tempfile, numpy, os
    >>> path = os.path.join(tempfile.mkdtemp(), "weights.npz")
    >>> weights = squeezenet1_1(num_classes=5).state_dict()
    >>> numpy.savez(path, **{name: value.numpy() for name, value in weights.items()})
    >>> type(load(path)).__name__
    'SqueezeNet'
    """
    arrays = read(path)
    if net is not None and net not in NETWORKS:
        raise ValueError(f"no network {net!r}; there are {', '.join(NETWORKS)}")
    shapes = {name: value.shape for name, value in arrays.items()}
    try:
        found, classes = recognise(shapes)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    if net not in (None, found):
        raise ValueError(f"{path} holds weights of {found}, not of {net}")
    with undrawn():
        model = NETWORKS[found](num_classes=classes)
    load_into(model, arrays)
    return model.eval()


@contextmanager
def undrawn():
    """Within the block layers get no random weights, only memory: for networks that a file fills next.

    Drawing the 60 million of ResNet-152 takes 5 seconds, reading them 0.4.

    >>> with undrawn():
    ...     net = resnet152(num_classes=5)
    """
    kept = init.normal_, init.uniform_
    init.normal_ = init.uniform_ = lambda tensor, *args, **kwargs: tensor
    try:
        yield
    finally:
        init.normal_, init.uniform_ = kept
