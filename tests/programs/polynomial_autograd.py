"""Fit a cubic to the sine: autograd finds the gradients, the update is written by hand."""

import json
import math

import torch

x = torch.linspace(-math.pi, math.pi, 2000)
y = torch.sin(x)

a = torch.tensor(0.5, requires_grad=True)
b = torch.tensor(-0.3, requires_grad=True)
c = torch.tensor(0.2, requires_grad=True)
d = torch.tensor(0.1, requires_grad=True)

learning_rate = 1e-6
losses = []
for step in range(200):
    y_pred = a + b * x + c * x**2 + d * x**3
    loss = (y_pred - y).pow(2).sum()
    if step % 20 == 0:
        losses.append(loss.item())

    loss.backward()

    # the update itself is no part of the graph
    with torch.no_grad():
        for coefficient in (a, b, c, d):
            coefficient -= learning_rate * coefficient.grad
            coefficient.grad = None

print(f"Result: y = {a.item():.4f} + {b.item():.4f} x + {c.item():.4f} x^2 + {d.item():.4f} x^3")
print(json.dumps(losses))
