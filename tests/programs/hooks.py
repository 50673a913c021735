"""Hooks: watch activations and gradients of a network while it trains, and change a gradient on its way."""

import json

import numpy as np
import torch
import torch.nn as nn

rng = np.random.default_rng(0)
model = nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 1))
with torch.no_grad():
    for parameter in model.parameters():
        parameter.copy_(torch.from_numpy(rng.normal(0, 0.3, parameter.shape)))

activations, gradients = {}, {}


def watch_activation(name):
    def hook(module, input, output):
        activations[name] = output.detach()

    return hook


def watch_gradient(name):
    def hook(module, grad_input, grad_output):
        gradients[name] = grad_output[0].norm().item()

    return hook


handles = []
for name, layer in model.named_children():
    handles.append(layer.register_forward_hook(watch_activation(name)))
    handles.append(layer.register_full_backward_hook(watch_gradient(name)))

# a Tensor's hook may replace its gradient: the first layer learns at half the rate
model[0].weight.register_hook(lambda grad: grad * 0.5)
# the input of the whole network is centred before every call
centred = model.register_forward_pre_hook(lambda module, args: (args[0] - args[0].mean(dim=0),))

x = torch.tensor(rng.normal(2.0, 1.0, (32, 5)), dtype=torch.float32)
y = torch.sin(x.sum(dim=1, keepdim=True))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

losses = []
for step in range(10):
    optimizer.zero_grad()
    output = model(x)
    output.retain_grad()
    loss = nn.functional.mse_loss(output, y)
    loss.backward()
    optimizer.step()
    losses += [loss.item(), activations["1"].abs().mean().item(), gradients["2"], output.grad.norm().item()]

for handle in handles:
    handle.remove()
centred.remove()
activations.clear()
model(x)
print("activations seen after the hooks are gone:", len(activations))
print(json.dumps(losses))
