"""Fit a cubic to the sine with a Module of one's own."""

import json
import math

import torch


class Polynomial3(torch.nn.Module):
    def __init__(self, a, b, c, d):
        super().__init__()
        self.a = torch.nn.Parameter(torch.tensor(a))
        self.b = torch.nn.Parameter(torch.tensor(b))
        self.c = torch.nn.Parameter(torch.tensor(c))
        self.d = torch.nn.Parameter(torch.tensor(d))

    def forward(self, x):
        return self.a + self.b * x + self.c * x**2 + self.d * x**3

    def string(self):
        """The polynomial as text; a Module may have any methods."""
        a, b, c, d = (coefficient.item() for coefficient in self.parameters())
        return f"y = {a:.4f} + {b:.4f} x + {c:.4f} x^2 + {d:.4f} x^3"


x = torch.linspace(-math.pi, math.pi, 2000)
y = torch.sin(x)

model = Polynomial3(0.5, -0.3, 0.2, 0.1)
criterion = torch.nn.MSELoss(reduction="sum")
optimizer = torch.optim.SGD(model.parameters(), lr=1e-6)

losses = []
for step in range(200):
    y_pred = model(x)
    loss = criterion(y_pred, y)
    if step % 20 == 0:
        losses.append(loss.item())

    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

print(f"Result: {model.string()}")
print(json.dumps(losses))
