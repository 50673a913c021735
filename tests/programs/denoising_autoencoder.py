"""A convolutional autoencoder takes noise away: strided convolutions down, transposed ones up."""

import json

import numpy as np
import torch
import torch.nn as nn

rng = np.random.default_rng(0)


class Autoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 8, 3, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(8, 12, 3, stride=2, padding=1), nn.ReLU(),
        )
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(12, 8, 3, stride=2, padding=1, output_padding=1), nn.ReLU(),
            nn.Upsample(scale_factor=2, mode="nearest"),
            nn.Conv2d(8, 1, 3, padding=1), nn.Sigmoid(),
        )

    def forward(self, x):
        return self.decoder(self.encoder(x))


def draw_discs(count):
    """Images (count, 1, 16, 16) of one disc each."""
    rows, columns = np.mgrid[:16, :16]
    centres, radii = rng.uniform(4, 12, (2, count, 1, 1)), rng.uniform(2, 4, (count, 1, 1))
    discs = (rows - centres[0]) ** 2 + (columns - centres[1]) ** 2 < radii**2
    return torch.from_numpy(discs[:, None].astype(np.float32))


def add_noise(images):
    noise = torch.from_numpy(rng.normal(0, 0.3, images.shape).astype(np.float32))
    return (images + noise).clamp(0.0, 1.0)


model = Autoencoder()
with torch.no_grad():
    for parameter in model.parameters():
        parameter.copy_(torch.from_numpy(rng.normal(0, 0.2, parameter.shape)))

criterion = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=1e-5)

losses = []
for step in range(60):
    clean = draw_discs(16)
    denoised = model(add_noise(clean))
    loss = criterion(denoised, clean)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 5 == 0:
        losses.append(loss.item())

clean = draw_discs(8)
noisy = add_noise(clean)
with torch.no_grad():
    before = -10 * torch.log10(nn.functional.mse_loss(noisy, clean))
    after = -10 * torch.log10(nn.functional.mse_loss(model(noisy), clean))
print(f"PSNR {before:.2f} dB -> {after:.2f} dB")
print(json.dumps(losses))
