"""Checkpoints: stop a training after half of the steps, go on from the file, and arrive at the same loss."""

import json
import os
import tempfile

import numpy as np
import torch
import torch.nn as nn
import torch.optim as optim

rng = np.random.default_rng(0)
x = torch.tensor(rng.normal(size=(32, 5)), dtype=torch.float32)
y = torch.tensor(rng.integers(0, 3, 32), dtype=torch.long)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(5, 12), nn.BatchNorm1d(12), nn.ELU())
        self.head = nn.Linear(12, 3)

    def forward(self, x):
        return self.head(self.body(x))


def draw_weights(model):
    """The same initial weights in every library: NumPy draws them."""
    state = model.state_dict()
    for name, value in state.items():
        if name.endswith("weight") and value.dim() == 2:
            value.copy_(torch.from_numpy(rng.normal(0, 0.4, value.shape)))
        elif name.endswith("bias"):
            value.zero_()
    model.load_state_dict(state)


def train(model, optimizer, steps):
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
    losses = []
    for step in range(steps):
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


model = Net()
draw_weights(model)
optimizer = optim.Adam(model.parameters(), lr=0.02, amsgrad=True)
losses = train(model, optimizer, 5)

with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "checkpoint.pt")
    torch.save({"epoch": 5, "model": model.state_dict(), "optimizer": optimizer.state_dict()}, path)
    uninterrupted = train(model, optimizer, 5)

    model = Net()
    optimizer = optim.Adam(model.parameters())
    checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    print(model.load_state_dict(checkpoint["model"]))
    optimizer.load_state_dict(checkpoint["optimizer"])
    resumed = train(model, optimizer, 5)

print(f"epoch {checkpoint['epoch']}; the resumed losses are the same: {resumed == uninterrupted}")
print(json.dumps(losses + resumed))
