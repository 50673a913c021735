"""A Wasserstein GAN with gradient penalty on points of the plane: the loss holds a gradient.

The critic's gradient between real and made points is pulled towards norm 1, so the penalty is
differentiated through ``autograd.grad`` (Gulrajani et al. 2017).
"""

import json

import numpy as np
import torch
import torch.nn as nn
from torch import autograd

rng = np.random.default_rng(0)
LAMBDA, CRITIC_STEPS, BATCH = 10.0, 3, 32


def mlp(*sizes):
    """Linear layers with LeakyReLU between, their weights drawn by NumPy."""
    layers = []
    for fan_in, fan_out in zip(sizes, sizes[1:]):
        linear = nn.Linear(fan_in, fan_out)
        linear.weight.data = torch.tensor(rng.normal(0, fan_in**-0.5, (fan_out, fan_in)), dtype=torch.float)
        linear.bias.data.zero_()
        layers += [linear, nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers[:-1])


def real_points():
    """Points on a ring of radius 2."""
    angle = rng.uniform(0, 2 * np.pi, BATCH)
    points = 2 * np.stack([np.cos(angle), np.sin(angle)], axis=1) + rng.normal(0, 0.05, (BATCH, 2))
    return torch.tensor(points, dtype=torch.float)


def noise():
    return torch.tensor(rng.normal(size=(BATCH, 2)), dtype=torch.float)


def calc_gradient_penalty(critic, real, fake):
    alpha = torch.tensor(rng.uniform(size=(BATCH, 1)), dtype=torch.float)
    between = (alpha * real + (1 - alpha) * fake).requires_grad_(True)
    scores = critic(between)
    gradients = autograd.grad(outputs=scores, inputs=between, grad_outputs=torch.ones(scores.size()),
                              create_graph=True, retain_graph=True, only_inputs=True)[0]
    return ((gradients.norm(2, dim=1) - 1) ** 2).mean() * LAMBDA


critic, generator = mlp(2, 32, 32, 1), mlp(2, 32, 2)
optimizer_c = torch.optim.Adam(critic.parameters(), lr=1e-3, betas=(0.5, 0.9))
optimizer_g = torch.optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.9))

losses = []
for step in range(8):
    for _ in range(CRITIC_STEPS):
        real, fake = real_points(), generator(noise()).detach()
        penalty = calc_gradient_penalty(critic, real, fake)
        loss_c = critic(fake).mean() - critic(real).mean() + penalty
        optimizer_c.zero_grad()
        loss_c.backward()
        optimizer_c.step()
    loss_g = -critic(generator(noise())).mean()
    optimizer_g.zero_grad()
    loss_g.backward()
    optimizer_g.step()
    losses += [loss_c.item(), penalty.item(), loss_g.item()]

print(json.dumps(losses))
