"""Six learning-rate schedules side by side: the rates they give, and the losses they lead to."""

import json

import numpy as np
import torch
import torch.nn as nn
from torch.optim.lr_scheduler import (
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiStepLR,
    OneCycleLR,
    ReduceLROnPlateau,
    SequentialLR,
)

EPOCHS = 12
rng = np.random.default_rng(0)
x = torch.tensor(rng.normal(size=(64, 4)), dtype=torch.float32)
y = torch.tensor(rng.integers(0, 3, 64))


def make_model():
    model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
    draws = np.random.default_rng(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.from_numpy(draws.normal(0, 0.4, parameter.shape)))
    return model


def warmup_then_cosine(optimizer):
    warmup = LinearLR(optimizer, start_factor=0.1, total_iters=3)
    cosine = CosineAnnealingLR(optimizer, T_max=EPOCHS - 3)
    return SequentialLR(optimizer, [warmup, cosine], milestones=[3])


schedules = {
    "steps": lambda optimizer: MultiStepLR(optimizer, milestones=[4, 8], gamma=0.1),
    "exponential": lambda optimizer: ExponentialLR(optimizer, gamma=0.8),
    "square root": lambda optimizer: LambdaLR(optimizer, lambda epoch: (1 + epoch) ** -0.5),
    "warmup, cosine": warmup_then_cosine,
    "one cycle": lambda optimizer: OneCycleLR(optimizer, max_lr=0.5, total_steps=EPOCHS),
    "plateau": lambda optimizer: ReduceLROnPlateau(optimizer, factor=0.5, patience=1, threshold=0.02),
}

results = []
for name, make in schedules.items():
    model = make_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.2, momentum=0.9)
    scheduler = make(optimizer)
    for epoch in range(EPOCHS):
        results.append(optimizer.param_groups[0]["lr"])
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        if isinstance(scheduler, ReduceLROnPlateau):
            scheduler.step(loss.item())
        else:
            scheduler.step()
    print(f"{name:15} final rate {results[-1]:.4f}, loss {loss.item():.4f}")
    results.append(loss.item())

print(json.dumps(results))
