"""Fit a cubic to the sine: the powers of x go through a linear layer, RMSprop takes the steps."""

import json
import math

import torch

x = torch.linspace(-math.pi, math.pi, 2000)
y = torch.sin(x)
xx = x.unsqueeze(-1).pow(torch.tensor([1, 2, 3]))  # (2000, 3)

model = torch.nn.Sequential(torch.nn.Linear(3, 1), torch.nn.Flatten(0, 1))
linear_layer = model[0]
linear_layer.weight.data = torch.tensor([[-0.3, 0.2, 0.1]])
linear_layer.bias.data.fill_(0.5)

loss_fn = torch.nn.MSELoss(reduction="sum")
optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3)

losses = []
for step in range(200):
    loss = loss_fn(model(xx), y)
    if step % 20 == 0:
        losses.append(loss.item())

    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

weight, bias = linear_layer.weight, linear_layer.bias
print(
    f"Result: y = {bias.item():.4f} + {weight[:, 0].item():.4f} x "
    f"+ {weight[:, 1].item():.4f} x^2 + {weight[:, 2].item():.4f} x^3"
)
print(json.dumps(losses))
