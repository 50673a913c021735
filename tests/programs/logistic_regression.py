"""Logistic regression on two clouds of points, with weight decay; the boundary's accuracy at the end."""

import json

import numpy as np
import torch
import torch.nn.functional as F

rng = np.random.default_rng(1)
points = np.concatenate([rng.normal((-1, -1), 1.0, (150, 2)), rng.normal((1, 1), 1.0, (150, 2))])
classes = np.repeat([0.0, 1.0], 150)

x = torch.from_numpy(points).float()
y = torch.from_numpy(classes).float()


class LogisticRegression(torch.nn.Module):
    def __init__(self, in_features):
        super().__init__()
        self.linear = torch.nn.Linear(in_features, 1)
        torch.nn.init.constant_(self.linear.weight, 0.0)
        torch.nn.init.constant_(self.linear.bias, 0.0)

    def forward(self, x):
        return self.linear(x).squeeze(1)


model = LogisticRegression(2)
optimizer = torch.optim.SGD(model.parameters(), lr=0.5, weight_decay=1e-3)

losses = []
for epoch in range(40):
    optimizer.zero_grad()
    logits = model(x)
    loss = F.binary_cross_entropy_with_logits(logits, y)
    loss.backward()
    optimizer.step()
    if epoch % 5 == 0:
        losses.append(loss.item())

with torch.no_grad():
    predicted = (torch.sigmoid(model(x)) > 0.5).float()
    accuracy = (predicted == y).float().mean().item()
    plain = F.binary_cross_entropy(torch.sigmoid(model(x)), y).item()

print(f"accuracy {accuracy:.3f}")
print(json.dumps([*losses, plain, accuracy]))
