"""The networks that learn five kinds of objects from 64x64 colour pictures.

`net1`, `net2` and `net3` are those of a course's assignment: two convolutions and two linear layers; the
same with padding; and with ten more convolutions. `layer_table` derives sizes and numbers of parameters.
"""

from __future__ import annotations

import tinygrad_hw as thw
from tinygrad_hw import nn
from tinygrad_hw.nn import functional as F

__all__ = ["CourseNet", "kaiming", "layer_table", "net1", "net2", "net3"]


class CourseNet(nn.Module):
    """Two 3x3 convolutions with relu and 2x2 pooling, ``extra`` ones without pooling, two linear layers.

    Args:
        padding: of the first two convolutions; the extra ones keep the size.
        extra: number of further convolutions with 32 channels.
        residual: each pair of further convolutions adds its result to what it got (He et al.,
            arXiv:1512.03385). The parameters stay the same.
        classes: number of scores.

    >>> CourseNet()(thw.ones(2, 3, 64, 64)).shape
    tinygrad_hw.Size([2, 5])
    """

    def __init__(self, padding: int = 0, extra: int = 0, residual: bool = False, classes: int = 5):
        super().__init__()
        self.residual = residual
        self.conv1 = nn.Conv2d(3, 16, 3, padding=padding)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=padding)
        self.extra = nn.ModuleList(nn.Conv2d(32, 32, 3, padding=1) for _ in range(extra))
        self.pool = nn.MaxPool2d(2, 2)
        self.fc1 = nn.Linear(32 * (16 if padding else 14) ** 2, 64)
        self.fc2 = nn.Linear(64, classes)

    def forward(self, x):
        """Images (N, 3, 64, 64) to scores (N, classes)."""
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        if self.residual:
            for first, second in zip(self.extra[::2], self.extra[1::2]):
                x = F.relu(second(F.relu(first(x))) + x)
        else:
            for conv in self.extra:
                x = F.relu(conv(x))
        x = F.relu(self.fc1(thw.flatten(x, 1)))
        return self.fc2(x)


def net1() -> CourseNet:
    """No padding: 406,885 parameters.

    >>> sum(p.numel() for p in net1().parameters())
    406885
    """
    return CourseNet()


def net2() -> CourseNet:
    """Padding 1: 529,765 parameters, since fewer pixels are cut off before the first linear layer.

    >>> sum(p.numel() for p in net2().parameters())
    529765
    """
    return CourseNet(padding=1)


def net3() -> CourseNet:
    """Net2 with ten more convolutions: 622,245 parameters.

    >>> sum(p.numel() for p in net3().parameters())
    622245
    """
    return CourseNet(padding=1, extra=10)


def kaiming(net: nn.Module) -> nn.Module:
    """He et al.'s weights N(0, 2 / fan_in) (arXiv:1502.01852), which keep the size of signals behind a relu.

    The layers' own start, U(-1, 1) / sqrt(fan_in), has a sixth of that variance. Biases become 0.

    >>> net = kaiming(net3())
    >>> round(net.extra[0].weight.std().item() * (32 * 9 / 2) ** 0.5, 1)
    1.0
    """
    for layer in net.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
    return net


# ------------------------------------------------------------------ the table of layers


def layer_table(net: nn.Module, shape: tuple[int, ...]) -> list[tuple[str, str, str, str, int]]:
    """How the size of the output and the number of parameters of every layer come about.

    Args:
        net: a network of convolutions, poolings and linear layers.
        shape: (channels, height, width) of the input.

    Returns:
        Rows (layer, how its side follows, output's shape, how its parameters are counted, their number),
        in the order in which the layers are used.

    Raises:
        RuntimeError: a formula disagrees with the output that the network really produced, or with the
            parameters that a layer has.

    >>> for row in layer_table(net1(), (3, 64, 64))[:2]:
    ...     print(*row, sep=" | ")
    conv1 | (64 + 2*0 - 3) / 1 + 1 = 62 | 16 x 62 x 62 | (3*3*3 + 1) * 16 | 448
    pool | (62 + 2*0 - 2) / 2 + 1 = 31 | 16 x 31 x 31 |  | 0
    """
    calls = []

    def note(name):
        return lambda module, inputs, output: calls.append(
            (name, module, tuple(inputs[0].shape), tuple(output.shape)))

    handles = [module.register_forward_hook(note(name)) for name, module in net.named_modules()
               if isinstance(module, (nn.Conv2d, nn.MaxPool2d, nn.Linear))]
    with thw.no_grad():
        net(thw.zeros(1, *shape))
    for handle in handles:
        handle.remove()
    return [_row(*call) for call in calls]


def _row(name, module, before, after):
    if isinstance(module, nn.Linear):
        how, size = "", (module.out_features,)
        terms, count = _counted(f"{module.in_features}", module.in_features, module.out_features,
                                module.bias)
    else:
        kernel, stride, padding = (value[0] if isinstance(value, tuple) else value
                                   for value in (module.kernel_size, module.stride, module.padding))
        side = (before[-1] + 2 * padding - kernel) // stride + 1
        how = f"({before[-1]} + 2*{padding} - {kernel}) / {stride} + 1 = {side}"
        if (before[-1] + 2 * padding - kernel) % stride:
            how = how.replace("/", "//")
        channels = getattr(module, "out_channels", before[1])
        size, terms, count = (channels, side, side), "", 0
        if isinstance(module, nn.Conv2d):
            terms, count = _counted(f"{kernel}*{kernel}*{before[1]}", kernel * kernel * before[1],
                                    channels, module.bias)
    if size != after[1:] or count != sum(p.numel() for p in module.parameters()):
        raise RuntimeError(f"layer {name}: by the formula it gives {size} with {count} parameters, "
                           f"it gave {after[1:]} with {sum(p.numel() for p in module.parameters())}")
    return name, how, " x ".join(map(str, size)), terms, count


def _counted(terms, inputs, outputs, bias):
    """The parameters of a layer with so many inputs an output."""
    if bias is None:
        return f"{terms} * {outputs}", inputs * outputs
    return f"({terms} + 1) * {outputs}", (inputs + 1) * outputs
