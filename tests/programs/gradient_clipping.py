"""Exploding gradients of a deep linear chain, and two ways to clip them: by norm and by value."""

import json

import numpy as np
import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

rng = np.random.default_rng(0)
x = torch.tensor(rng.normal(size=(32, 8)), dtype=torch.float32)
y = torch.tensor(rng.normal(size=(32, 1)), dtype=torch.float32)
start = [rng.normal(0, 0.6, (8, 8)) for _ in range(6)] + [rng.normal(0, 0.6, (1, 8))]


def make_model():
    layers = [nn.Linear(8, 8, bias=False) for _ in range(6)] + [nn.Linear(8, 1, bias=False)]
    with torch.no_grad():
        for layer, values in zip(layers, start):
            layer.weight.copy_(torch.from_numpy(values))
    return nn.Sequential(*layers)


def train(clip):
    model = make_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    for step in range(15):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        norm = clip(model.parameters())
        optimizer.step()
        yield loss.item(), norm


def by_norm(parameters):
    """The norm before clipping; afterwards it is at most 1."""
    return clip_grad_norm_(parameters, max_norm=1.0).item()


def by_value(parameters):
    """The largest gradient after every one has been brought to between -0.1 and 0.1."""
    parameters = list(parameters)
    clip_grad_value_(parameters, clip_value=0.1)
    return max(p.grad.abs().max().item() for p in parameters)


results = []
for clip in (by_norm, by_value):
    history = list(train(clip))
    print(f"{clip.__name__}: loss {history[0][0]:.3f} -> {history[-1][0]:.3f}")
    results += [number for pair in history for number in pair]

print(json.dumps(results))
