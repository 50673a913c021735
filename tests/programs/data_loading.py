"""Data sets and loaders: one's own Dataset, TensorDataset, random_split, shuffling, collating.

Which batches come when depends on the library's random generator.  Gradients accumulated over a whole
epoch do not, and neither do these losses.
"""

import json

import numpy as np
import torch
from torch import nn
from torch.utils.data import ConcatDataset, DataLoader, Dataset, Subset, TensorDataset, random_split

rng = np.random.default_rng(0)


class Sentences(Dataset):
    """Bags of words of different lengths, and how often word 0 occurs in each."""

    def __init__(self, count):
        self.sentences = [rng.integers(0, 8, rng.integers(2, 7)) for _ in range(count)]

    def __len__(self):
        return len(self.sentences)

    def __getitem__(self, index):
        words = torch.from_numpy(self.sentences[index])
        return words, (words == 0).sum().float()


def pad(batch):
    """Words (N, longest) filled up with 8, and counts (N,)."""
    words, counts = zip(*batch)
    return nn.utils.rnn.pad_sequence(words, batch_first=True, padding_value=8), torch.stack(counts)


def train_epoch(model, optimizer, loaders, forward):
    """One step on the gradients of all batches of all loaders together."""
    optimizer.zero_grad()
    total = 0.0
    count = sum(len(loader.dataset) for loader in loaders)
    for loader in loaders:
        for inputs, targets in loader:
            loss = nn.functional.mse_loss(forward(inputs), targets, reduction="sum") / count
            loss.backward()
            total += loss.item()
    optimizer.step()
    return total


torch.manual_seed(0)
features = torch.tensor(rng.normal(size=(50, 4)), dtype=torch.float32)
dataset = TensorDataset(features, features.sum(dim=1, keepdim=True).sin())
halves = random_split(dataset, [0.5, 0.5], generator=torch.Generator().manual_seed(1))
loaders = [DataLoader(half, batch_size=8, shuffle=True) for half in halves]
linear = nn.Linear(4, 1)
nn.init.constant_(linear.weight, 0.1), nn.init.zeros_(linear.bias)
optimizer = torch.optim.SGD(linear.parameters(), lr=0.2)
losses = [train_epoch(linear, optimizer, loaders, linear) for epoch in range(6)]

words = ConcatDataset([Sentences(20), Subset(Sentences(30), range(10, 20))])
loader = DataLoader(words, batch_size=7, shuffle=True, collate_fn=pad, drop_last=False)
embedding = nn.Embedding(9, 1, padding_idx=8)
with torch.no_grad():
    embedding.weight[:8] = torch.linspace(-0.5, 0.5, 8).unsqueeze(1)
optimizer = torch.optim.Adagrad(embedding.parameters(), lr=0.3)
for epoch in range(6):
    losses.append(train_epoch(embedding, optimizer, [loader], lambda w: embedding(w).sum(dim=(1, 2))))

print(len(loaders[0]), "and", len(loader), "batches; word 0 counts", round(embedding.weight[0].item(), 2))
print(json.dumps(losses))
