"""Weights used several times: a network whose depth is drawn at every step, and a tied autoencoder."""

import json
import random

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

rng = np.random.default_rng(0)
random.seed(0)


class DynamicNet(nn.Module):
    """The middle layer is applied zero to three times; control flow is plain Python."""

    def __init__(self):
        super().__init__()
        self.input_linear = nn.Linear(10, 12)
        self.middle_linear = nn.Linear(12, 12)
        self.output_linear = nn.Linear(12, 1)

    def forward(self, x):
        h = self.input_linear(x).clamp(min=0)
        for _ in range(random.randint(0, 3)):
            h = self.middle_linear(h).clamp(min=0)
        return self.output_linear(h)


class TiedAutoencoder(nn.Module):
    """The decoder is the encoder's matrix transposed; one Parameter under two names."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(10, 3, bias=False)
        self.decoder_weight = self.encoder.weight
        self.bias = nn.Parameter(torch.zeros(10))

    def forward(self, x):
        return F.linear(torch.tanh(self.encoder(x)), self.decoder_weight.t(), self.bias)


def draw_weights(model):
    """The same initial weights in every library: NumPy draws them."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.from_numpy(rng.normal(0, 0.25, parameter.shape)))


x = torch.tensor(rng.normal(size=(40, 10)), dtype=torch.float32)
y = x.pow(2).sum(dim=1, keepdim=True) / 10

losses = []
for model, target in ((DynamicNet(), y), (TiedAutoencoder(), x)):
    draw_weights(model)
    criterion = nn.MSELoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for step in range(15):
        loss = criterion(model(x), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print(type(model).__name__, len(list(model.parameters())), "parameters")

print(json.dumps(losses))
