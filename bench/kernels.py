"""Suite ``kernels``: the heavy pieces of training, one by one, through the public functions.

Convolutions (forward, gradient of the weight, gradient of the input) in the shapes of the measured
networks and of ResNet-18, max-pooling, linear layers, losses and optimizer steps.
"""

from __future__ import annotations

import numpy as np

from bench.duel import Job
from bench.nets import generator
from bench.operations import gradient_job, results, settled

__all__ = ["TOLERANCE", "modes", "names", "prepare"]

TOLERANCE = 5e-5
"""Largest relative difference of a result: sums of a quarter of a million terms round differently."""

CONVOLUTIONS = {  # batch, channels, height and width, filters, kernel, stride, padding
    "net1-1": (64, 3, 64, 16, 3, 1, 0),
    "net1-2": (64, 16, 31, 32, 3, 1, 0),
    "net3-3": (64, 32, 16, 32, 3, 1, 1),
    "lenet-1": (100, 1, 32, 6, 5, 1, 0),
    "lenet-2": (100, 6, 14, 16, 5, 1, 0),
    "dogs-1": (32, 3, 32, 16, 5, 2, 2),
    "dogs-2": (32, 16, 16, 32, 5, 2, 2),
    "dogs-3": (32, 32, 8, 64, 5, 2, 2),
    "dogs-4": (32, 64, 4, 128, 5, 2, 2),
    "fashion-1": (64, 1, 28, 32, 3, 1, 1),
    "fashion-2": (64, 32, 14, 64, 3, 1, 1),
    "resnet-stem": (1, 3, 224, 64, 7, 2, 3),
    "resnet-1": (1, 64, 56, 64, 3, 1, 1),
    "resnet-2-down": (1, 64, 56, 128, 3, 2, 1),
    "resnet-2-shortcut": (1, 64, 56, 128, 1, 2, 0),
    "resnet-2": (1, 128, 28, 128, 3, 1, 1),
    "resnet-3-down": (1, 128, 28, 256, 3, 2, 1),
    "resnet-3-shortcut": (1, 128, 28, 256, 1, 2, 0),
    "resnet-3": (1, 256, 14, 256, 3, 1, 1),
    "resnet-4-down": (1, 256, 14, 512, 3, 2, 1),
    "resnet-4-shortcut": (1, 256, 14, 512, 1, 2, 0),
    "resnet-4": (1, 512, 7, 512, 3, 1, 1),
}
POOLS = {  # batch, channels, height and width, kernel, stride, padding
    "net1-1": (64, 16, 62, 2, 2, 0),
    "net1-2": (64, 32, 29, 2, 2, 0),
    "lenet-1": (100, 6, 28, 2, 2, 0),
    "fashion-1": (64, 32, 28, 2, 2, 0),
    "resnet": (1, 64, 112, 3, 2, 1),
}
LINEARS = {  # batch, inputs, outputs
    "net1": (64, 6272, 64), "net3": (64, 8192, 64), "lenet-1": (100, 400, 128),
    "mlp-1024": (100, 1024, 64), "mlp-12288": (10, 12288, 1000), "mlp-1000": (10, 1000, 256),
    "two-layer": (128, 3072, 200), "autoencoder-in": (36, 1024, 32), "autoencoder-out": (36, 32, 1024),
    "fashion": (64, 3136, 128), "resnet": (1, 512, 1000),
}
LOSSES = {  # function, shape of the output
    "cross_entropy-b64": ("cross_entropy", (64, 5)), "cross_entropy-b100": ("cross_entropy", (100, 36)),
    "cross_entropy-1000": ("cross_entropy", (64, 1000)), "mse_loss-b10": ("mse_loss", (10, 2)),
    "mse_loss-b36": ("mse_loss", (36, 1024)),
}
OPTIMIZERS = {
    "SGD": dict(lr=0.01), "SGD-momentum": dict(lr=0.01, momentum=0.9), "Adam": dict(lr=0.001),
    "AdamW": dict(lr=0.001),
}
PARAMETERS = {  # shapes of the parameters that an optimizer steps
    "net1": [(16, 3, 3, 3), (16,), (32, 16, 3, 3), (32,), (64, 6272), (64,), (5, 64), (5,)],
    "mlp-1024": [(64, 1024), (64,), (36, 64), (36,)],
    "mlp-12288": [(1000, 12288), (1000,), (256, 1000), (256,), (2, 256), (2,)],
}

GRADIENTS = {"dW": ("weight", "bias"), "dX": ("input",), "backward": ("input",)}
"""The inputs that a gradient is asked for, by the last word of a name."""

FAST_MODES = {"conv": ("channels_last",), "pool": ("channels_last",), "optimizer": ("fused",)}
"""PyTorch's modes besides the plain one, by the first word of a name."""


def names() -> list[str]:
    """What can be measured, such as "conv net1-1 dW"."""
    return [
        *(f"conv {shape} {part}" for shape in CONVOLUTIONS for part in ("forward", "dW", "dX")),
        *(f"pool {shape} {part}" for shape in POOLS for part in ("forward", "backward")),
        *(f"linear {shape} {part}" for shape in LINEARS for part in ("forward", "dW", "dX")),
        *(f"loss {loss} {part}" for loss in LOSSES for part in ("forward", "backward")),
        *(f"optimizer {shape} {kind}" for shape in PARAMETERS for kind in OPTIMIZERS),
    ]


def modes(name: str, compile: bool = False) -> tuple[str, ...]:
    """PyTorch's modes, the plain one first.

    >>> modes("conv net1-1 dW"), modes("optimizer net1 Adam")
    (('eager', 'channels_last'), ('eager', 'fused'))
    """
    return ("eager", *FAST_MODES.get(name.split()[0], ()))


# ------------------------------------------------------------------ jobs


def prepare(name: str, torch, mode: str) -> Job:
    """The job of one measurement; modes concern PyTorch only."""
    kind, which, part = name.split()
    if kind == "optimizer":
        return _optimizer(torch, which, part, {"fused": True} if mode == "fused" else {})
    call, leaves = _BUILD[kind](torch, which, generator(name))
    if mode == "channels_last":
        leaves = {key: leaf.contiguous(memory_format=torch.channels_last) if leaf.ndim == 4 else leaf
                  for key, leaf in leaves.items()}
    for leaf in leaves.values():
        leaf.requires_grad_()

    def forward():
        return call(**leaves)

    if part == "forward":
        return Job(settled(forward), lambda: results(forward()))
    return gradient_job(torch, forward, [leaves[key] for key in GRADIENTS[part]], name)


def _floats(torch, rng, *shape):
    return torch.from_numpy(rng.uniform(-1, 1, shape).astype(np.float32))


def _conv(torch, which, rng):
    batch, channels, size, filters, kernel, stride, padding = CONVOLUTIONS[which]
    leaves = {"input": _floats(torch, rng, batch, channels, size, size),
              "weight": _floats(torch, rng, filters, channels, kernel, kernel),
              "bias": _floats(torch, rng, filters)}

    def call(input, weight, bias):
        return torch.nn.functional.conv2d(input, weight, bias, stride=stride, padding=padding)

    return call, leaves


def _pool(torch, which, rng):
    batch, channels, size, kernel, stride, padding = POOLS[which]

    def call(input):
        return torch.nn.functional.max_pool2d(input, kernel, stride, padding)

    return call, {"input": _floats(torch, rng, batch, channels, size, size)}


def _linear(torch, which, rng):
    batch, inputs, outputs = LINEARS[which]
    leaves = {"input": _floats(torch, rng, batch, inputs),
              "weight": _floats(torch, rng, outputs, inputs), "bias": _floats(torch, rng, outputs)}
    return torch.nn.functional.linear, leaves


def _loss(torch, which, rng):
    function, shape = LOSSES[which]
    if function == "cross_entropy":
        target = torch.from_numpy(rng.integers(0, shape[1], shape[0]))
    else:
        target = _floats(torch, rng, *shape)

    def call(input):
        return getattr(torch.nn.functional, function)(input, target)

    return call, {"input": _floats(torch, rng, *shape)}


_BUILD = {"conv": _conv, "pool": _pool, "linear": _linear, "loss": _loss}


def _optimizer(torch, which, kind, options) -> Job:
    rng = generator(which)

    def build():
        parameters = [torch.nn.Parameter(_floats(torch, rng, *shape)) for shape in PARAMETERS[which]]
        for parameter in parameters:
            parameter.grad = _floats(torch, rng, *parameter.shape)
        optimizer = getattr(torch.optim, kind.split("-")[0])(parameters, **OPTIMIZERS[kind], **options)
        return parameters, optimizer

    parameters, optimizer = build()

    def values():
        for _ in range(3):
            optimizer.step()
        return results(parameters)

    return Job(optimizer.step, values)
