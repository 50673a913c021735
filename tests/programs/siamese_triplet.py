"""One network embeds three points at once: like classes near, unlike classes far; two losses for it."""

import json

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

rng = np.random.default_rng(0)
centres = rng.normal(0, 1.5, (4, 6))


class EmbeddingNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Sequential(nn.Linear(6, 24), nn.PReLU(), nn.Linear(24, 24), nn.PReLU(), nn.Linear(24, 2))

    def forward(self, x):
        return F.normalize(self.fc(x), dim=1)


class ContrastiveLoss(nn.Module):
    """Hadsell et al. 2006: squared distance of like pairs, squared lack of distance of unlike ones."""

    def __init__(self, margin=1.0):
        super().__init__()
        self.margin = margin

    def forward(self, output1, output2, unlike):
        distance = F.pairwise_distance(output1, output2)
        return torch.mean((1 - unlike) * distance.pow(2)
                          + unlike * torch.clamp(self.margin - distance, min=0.0).pow(2))


def draw(classes):
    return torch.tensor(centres[classes] + rng.normal(0, 0.3, (len(classes), 6)), dtype=torch.float32)


model = EmbeddingNet()
with torch.no_grad():
    for parameter in model.parameters():
        if parameter.dim() > 1:
            parameter.copy_(torch.from_numpy(rng.normal(0, 0.4, parameter.shape)))
        elif parameter.numel() > 1:
            parameter.zero_()

triplet, contrastive = nn.TripletMarginLoss(margin=0.8), ContrastiveLoss()
optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)

losses = []
for step in range(20):
    classes = rng.integers(0, 4, 32)
    others = (classes + rng.integers(1, 4, 32)) % 4
    anchor, positive, negative = model(draw(classes)), model(draw(classes)), model(draw(others))
    pair_loss = contrastive(anchor, positive, torch.zeros(32)) + contrastive(anchor, negative, torch.ones(32))
    loss = triplet(anchor, positive, negative) + 0.5 * pair_loss
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())

with torch.no_grad():
    codes = model(torch.tensor(centres, dtype=torch.float32))
    similarity = F.cosine_similarity(codes.unsqueeze(0), codes.unsqueeze(1), dim=2)
print("cosine similarity of the classes:", similarity.numpy().round(2).tolist())
print(json.dumps(losses))
