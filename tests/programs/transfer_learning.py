"""Transfer learning: train a small CNN on one task, freeze its features, train a new head on another."""

import copy
import json

import numpy as np
import torch
import torch.nn as nn
import torch.optim as optim
from torch.optim import lr_scheduler

rng = np.random.default_rng(0)


def draw_bars(count):
    """Images (count, 1, 12, 12) of one bright bar; whether it lies, and whether it is beyond the middle."""
    images = rng.normal(0, 0.2, (count, 1, 12, 12))
    lying, beyond = rng.integers(0, 2, count), rng.integers(0, 2, count)
    for image, flat, far in zip(images, lying, beyond):
        place = 6 * far + rng.integers(0, 6)
        image[0][(place, slice(None)) if flat else (slice(None), place)] += 1.5
    return torch.tensor(images, dtype=torch.float32), torch.tensor(lying), torch.tensor(beyond)


class Net(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(6, 8, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(3),
        )
        self.fc = nn.Linear(8 * 9, classes)

    def forward(self, x):
        return self.fc(torch.flatten(self.features(x), 1))


def draw_weights(module):
    """The same initial weights in every library: NumPy draws them."""
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            if parameter.dim() > 1:
                parameter.copy_(torch.from_numpy(rng.normal(0, 0.2, parameter.shape)))
            elif name.endswith("bias"):
                parameter.zero_()


def train_model(model, images, labels, optimizer, scheduler, epochs):
    criterion = nn.CrossEntropyLoss()
    losses = []
    best, best_loss = copy.deepcopy(model.state_dict()), float("inf")
    for epoch in range(epochs):
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
        if loss.item() < best_loss:
            best, best_loss = copy.deepcopy(model.state_dict()), loss.item()
    model.load_state_dict(best)
    return losses


images, lying, beyond = draw_bars(48)
model = Net(classes=2)
draw_weights(model)
optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
losses = train_model(model, images, lying, optimizer, lr_scheduler.StepLR(optimizer, 5, 0.5), epochs=8)

# the features stay as they are, the new head learns
for param in model.parameters():
    param.requires_grad = False
model.fc = nn.Linear(model.fc.in_features, 2)
draw_weights(model.fc)
before = model.features[0].weight.clone()
optimizer = optim.SGD(model.fc.parameters(), lr=0.1, momentum=0.9)
losses += train_model(model, images, beyond, optimizer, lr_scheduler.StepLR(optimizer, 5, 0.5), epochs=8)

trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
print(f"{trained} parameters trained; features unchanged: {torch.equal(before, model.features[0].weight)}")
print(json.dumps(losses))
