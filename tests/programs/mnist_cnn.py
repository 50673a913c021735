"""The basic image classifier: convolutions, pooling, log-softmax, Adadelta and a falling rate.

The images are digits of 5 x 3 blobs, shifted and noisy, drawn here in MNIST's shape.
"""

import argparse
import json

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from torch.optim.lr_scheduler import StepLR

DIGITS = """ 111101101101111 010010010010010 111001111100111 111001111001111 101101111001001
             111100111001111 111100111101111 111001001001001 111101111101111 111101111001111 """


def draw_images(count, seed):
    """Images (count, 1, 28, 28) and their digits."""
    rng = np.random.default_rng(seed)
    glyphs = [np.array(list(text), float).reshape(5, 3) for text in DIGITS.split()]
    labels = rng.integers(0, 10, count)
    images = rng.normal(0, 0.1, (count, 1, 28, 28))
    for image, label in zip(images, labels):
        top, left = rng.integers(0, 8, 2)
        image[0, top:top + 20, left:left + 12] += np.kron(glyphs[label], np.ones((4, 4)))
    return torch.tensor(images, dtype=torch.float32), torch.tensor(labels)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, 1)
        self.conv2 = nn.Conv2d(8, 16, 3, 1)
        self.fc1 = nn.Linear(2304, 32)
        self.fc2 = nn.Linear(32, 10)

    def forward(self, x):
        x = F.relu(self.conv1(x))
        x = F.relu(self.conv2(x))
        x = F.max_pool2d(x, 2)
        x = torch.flatten(x, 1)
        x = F.relu(self.fc1(x))
        return F.log_softmax(self.fc2(x), dim=1)


def draw_weights(model, seed=0):
    """The same initial weights in every library: NumPy draws them."""
    rng = np.random.default_rng(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            scale = parameter[0].numel() ** -0.5 if parameter.dim() > 1 else 0.0
            parameter.copy_(torch.from_numpy(rng.normal(0, 1, parameter.shape) * scale))


def train(model, device, batches, optimizer):
    model.train()
    losses = []
    for data, target in batches:
        data, target = data.to(device), target.to(device)
        optimizer.zero_grad()
        loss = F.nll_loss(model(data), target)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def test(model, device, data, target):
    model.eval()
    with torch.no_grad():
        output = model(data.to(device))
        loss = F.nll_loss(output, target.to(device), reduction="sum").item() / len(data)
        correct = output.argmax(dim=1, keepdim=True).eq(target.view_as(output[:, :1])).sum().item()
    print(f"Test set: Average loss: {loss:.4f}, Accuracy: {correct}/{len(data)}")
    return loss


def main():
    parser = argparse.ArgumentParser(description="image classification")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--lr", type=float, default=0.5)
    args = parser.parse_args()

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    data, target = draw_images(96, seed=1)
    batches = list(zip(data.split(16), target.split(16)))

    model = Net().to(device)
    draw_weights(model)
    optimizer = optim.Adadelta(model.parameters(), lr=args.lr)
    scheduler = StepLR(optimizer, step_size=1, gamma=0.7)
    losses = []
    for epoch in range(args.epochs):
        losses += train(model, device, batches, optimizer)
        losses.append(test(model, device, *draw_images(32, seed=2)))
        scheduler.step()
    print(json.dumps(losses))


if __name__ == "__main__":
    main()
