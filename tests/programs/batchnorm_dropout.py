"""What train() and eval() change: batch norm's running statistics, and dropout that falls silent."""

import json

import numpy as np
import torch
import torch.nn as nn


class ResidualMLP(nn.Module):
    def __init__(self, width=16, depth=3, p=0.5):
        super().__init__()
        self.stem = nn.Sequential(nn.Linear(6, width, bias=False), nn.BatchNorm1d(width), nn.ReLU())
        self.blocks = nn.ModuleList(
            # batch norm takes the mean away, so a bias before it would do nothing
            nn.Sequential(
                nn.Linear(width, width, bias=False), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(p)
            )
            for _ in range(depth)
        )
        self.heads = nn.ModuleDict({"mean": nn.Linear(width, 1), "logvar": nn.Linear(width, 1)})

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = x + block(x)
        return self.heads["mean"](x), self.heads["logvar"](x)


rng = np.random.default_rng(0)
model = ResidualMLP()
for module in model.modules():
    if isinstance(module, nn.Linear):
        module.weight.data.copy_(torch.from_numpy(rng.normal(0, 0.15, module.weight.shape)))
        if module.bias is not None:
            nn.init.zeros_(module.bias)

x = torch.tensor(rng.normal(1.0, 2.0, (64, 6)), dtype=torch.float32)
y = (x[:, :1] * x[:, 1:2]).tanh()
criterion = nn.GaussianNLLLoss()

# dropout is random, and no two libraries draw alike: what it does is compared on average
model.train()
with torch.no_grad():
    dropped = nn.functional.dropout(torch.ones(10000), p=0.5)
print(f"share of zeros {(dropped == 0).float().mean():.2f}, mean {dropped.mean():.2f}")

# fine-tuning with dropout switched off alone; batch norm goes on counting
for module in model.modules():
    if isinstance(module, nn.Dropout):
        module.eval()
optimizer = torch.optim.NAdam(model.parameters(), lr=0.01)
losses = []
for step in range(10):
    optimizer.zero_grad()
    mean, logvar = model(x)
    loss = criterion(mean, y, logvar.exp())
    loss.backward()
    optimizer.step()
    losses.append(loss.item())

model.eval()
with torch.no_grad():
    together, one_by_one = model(x)[0], torch.cat([model(row.unsqueeze(0))[0] for row in x])
print("evaluation does not depend on the batch:", torch.allclose(together, one_by_one, atol=1e-5))
statistics = model.blocks[0][1].running_mean.abs().mean().item(), model.stem[1].running_var.mean().item()
print(json.dumps([*losses, *statistics, together.mean().item()]))
