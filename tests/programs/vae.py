"""A variational autoencoder: reconstruction error plus the divergence from the standard normal."""

import json

import numpy as np
import torch
from torch import nn, optim
from torch.nn import functional as F

rng = np.random.default_rng(0)


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(64, 32)
        self.fc21 = nn.Linear(32, 4)
        self.fc22 = nn.Linear(32, 4)
        self.fc3 = nn.Linear(4, 32)
        self.fc4 = nn.Linear(32, 64)

    def encode(self, x):
        h1 = F.relu(self.fc1(x))
        return self.fc21(h1), self.fc22(h1)

    def reparameterize(self, mu, logvar):
        std = torch.exp(0.5 * logvar)
        eps = torch.from_numpy(rng.standard_normal(std.shape, dtype=np.float32))
        return mu + eps * std

    def decode(self, z):
        h3 = F.relu(self.fc3(z))
        return torch.sigmoid(self.fc4(h3))

    def forward(self, x):
        mu, logvar = self.encode(x.view(-1, 64))
        z = self.reparameterize(mu, logvar)
        return self.decode(z), mu, logvar


def loss_function(recon_x, x, mu, logvar):
    BCE = F.binary_cross_entropy(recon_x, x.view(-1, 64), reduction="sum")
    # -KL(q(z|x) || N(0, 1)) in closed form: Kingma and Welling 2014, appendix B
    KLD = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return BCE + KLD


def draw_squares(count):
    """Images (count, 1, 8, 8) of one bright square each."""
    images = np.zeros((count, 1, 8, 8), np.float32)
    for image, (top, left) in zip(images, rng.integers(0, 5, (count, 2))):
        image[0, top:top + 4, left:left + 4] = 1
    return torch.from_numpy(images)


model = VAE()
with torch.no_grad():
    for parameter in model.parameters():
        parameter.copy_(torch.from_numpy(rng.uniform(-0.15, 0.15, parameter.shape)))
optimizer = optim.Adam(model.parameters(), lr=3e-3)

losses = []
model.train()
for step in range(60):
    data = draw_squares(32)
    optimizer.zero_grad()
    recon_batch, mu, logvar = model(data)
    loss = loss_function(recon_batch, data, mu, logvar)
    loss.backward()
    optimizer.step()
    if step % 5 == 0:
        losses.append(loss.item() / len(data))

with torch.no_grad():
    sample = model.decode(torch.from_numpy(rng.standard_normal((2, 4), dtype=np.float32)))
print("brightness of two samples:", sample.mean(dim=1).tolist())
print(json.dumps(losses))
