"""Linear regression by gradient descent, and the distance from the solution in closed form."""

import json

import numpy as np
import torch
import torch.nn as nn

rng = np.random.default_rng(0)
true_weight = np.array([[2.0, -3.4, 0.7]])
features = rng.normal(size=(200, 3))
labels = features @ true_weight.T + 4.2 + rng.normal(0, 0.01, (200, 1))

inputs = torch.tensor(features, dtype=torch.float32)
targets = torch.tensor(labels, dtype=torch.float32)

model = nn.Linear(3, 1)
nn.init.zeros_(model.weight)
nn.init.zeros_(model.bias)

criterion = nn.MSELoss()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.5)

losses = []
for epoch in range(60):
    outputs = model(inputs)
    loss = criterion(outputs, targets)

    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

    if (epoch + 1) % 10 == 0:
        print(f"Epoch [{epoch + 1}/60], Loss: {loss.item():.4f}")
        losses.append(loss.item())

with_ones = np.hstack([features, np.ones((200, 1))])
exact = np.linalg.lstsq(with_ones, labels, rcond=None)[0]
found = np.append(model.weight.detach().numpy(), model.bias.detach().numpy())
print("distance from the least-squares solution:", np.abs(found - exact.ravel()).max())
print(json.dumps(losses))
