"""Suite ``steps``: whole training steps of the networks, and inference of two large ones.

A training step is what the inner loop of homework does: zero the gradients, forward, loss, backward,
optimizer step, and look at the loss.  PyTorch runs in every mode that its users turn to for speed.
"""

from __future__ import annotations

import numpy as np

from bench.duel import Job
from bench.nets import TASKS, Task, dyadic_weights, load, uniform_weights

__all__ = ["TOLERANCE", "modes", "names", "prepare"]

TOLERANCE = 1e-5
"""Largest relative difference of the loss and of each parameter's gradient."""


def names() -> list[str]:
    """What can be measured."""
    return list(TASKS)


def modes(name: str, compile: bool = False) -> tuple[str, ...]:
    """PyTorch's modes, the plain one first.

    "compile" is torch.compile of the network, with a fused optimizer.

    >>> modes("mlp-1024-64-36-b100")
    ('eager', 'fused')
    """
    task, found = TASKS[name], ["eager"]
    if task.is_convolutional:
        found.append("channels_last")
    if task.optimizer:
        found.append("fused")
        if task.is_convolutional:
            found.append("channels_last+fused")
    return (*found, "compile") if compile else tuple(found)


def prepare(name: str, torch, mode: str) -> Job:
    """Network, data and optimizer in a mode; ``mode`` is "ours" for tinygrad_hw."""
    task = TASKS[name]
    net = task.build(torch)
    load(torch, net, uniform_weights, name)
    images, target = map(torch.from_numpy, task.data(name))
    if "channels_last" in mode:
        net = net.to(memory_format=torch.channels_last)
        images = images.contiguous(memory_format=torch.channels_last)
    if task.optimizer is None:
        return _inference(task, torch, torch.compile(net) if mode == "compile" else net, images)
    options = {"fused": True} if "fused" in mode or mode == "compile" else {}
    optimizer = task.optimizer(torch, net.parameters(), **options)
    forward = torch.compile(net) if mode == "compile" else net

    def step():
        optimizer.zero_grad()
        loss = task.loss(torch, forward(images), target)
        loss.backward()
        optimizer.step()
        return loss.item()

    return Job(step, lambda: loss_and_gradients(task, name, torch))


def _inference(task: Task, torch, net, images) -> Job:
    net.eval()

    def run():
        with torch.no_grad():
            return net(images).numpy()

    return Job(run, lambda: {"output": run()})


def loss_and_gradients(task: Task, name: str, torch, batch: int | None = None) -> dict[str, np.ndarray]:
    """The loss from ordinary weights, and all gradients of a loss.

    Gradients come from weights that no relu and no max-pool decides by rounding with (`dyadic_weights`),
    or where the network has batch-norm in float64.
    """
    images, target = map(torch.from_numpy, task.data(name, batch))
    net = task.build(torch)
    load(torch, net, uniform_weights, name)
    found = {"loss": task.loss(torch, net(images), target).detach().numpy()}
    if task.exact:
        load(torch, net, dyadic_weights, name)
    else:
        net, images = net.double(), images.double()
    task.loss(torch, net(images), target).backward()
    return found | {key: parameter.grad.numpy() for key, parameter in net.named_parameters()}
