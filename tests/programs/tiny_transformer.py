"""A small causal transformer learns to copy: positions by sines, masked attention, a tied output layer."""

import json
import math

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

rng = np.random.default_rng(0)
VOCABULARY, LENGTH, WIDTH = 8, 6, 16


class PositionalEncoding(nn.Module):
    """Adds sines and cosines of geometrically falling frequencies (Vaswani et al. 2017, section 3.5)."""

    def __init__(self, d_model, max_len=64):
        super().__init__()
        position = torch.arange(max_len).unsqueeze(1)
        div_term = torch.exp(torch.arange(0, d_model, 2) * (-math.log(10000.0) / d_model))
        pe = torch.zeros(max_len, d_model)
        pe[:, 0::2] = torch.sin(position * div_term)
        pe[:, 1::2] = torch.cos(position * div_term)
        self.register_buffer("pe", pe)

    def forward(self, x):
        return x + self.pe[: x.size(1)]


class CopyModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        self.position = PositionalEncoding(WIDTH)
        layer = nn.TransformerEncoderLayer(WIDTH, nhead=2, dim_feedforward=32, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, num_layers=2)

    def forward(self, tokens):
        mask = nn.Transformer.generate_square_subsequent_mask(tokens.size(1))
        x = self.position(self.embedding(tokens) * math.sqrt(WIDTH))
        x = self.encoder(x, mask=mask, is_causal=True)
        return F.linear(x, self.embedding.weight)


model = CopyModel()
with torch.no_grad():
    for name, parameter in model.named_parameters():
        if parameter.dim() > 1:
            parameter.copy_(torch.from_numpy(rng.normal(0, 0.2, parameter.shape)))
        elif name.endswith("bias"):
            parameter.zero_()
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)

losses = []
for step in range(12):
    half = torch.from_numpy(rng.integers(1, VOCABULARY, (16, LENGTH)))
    tokens = torch.cat([half, torch.zeros(16, 1, dtype=torch.long), half], dim=1)
    logits = model(tokens[:, :-1])
    # the first half cannot be known; only the copy counts
    loss = F.cross_entropy(logits[:, LENGTH:].reshape(-1, VOCABULARY), tokens[:, LENGTH + 1:].reshape(-1))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())

q = model.embedding(torch.arange(VOCABULARY)).view(1, 1, VOCABULARY, WIDTH)
attended = F.scaled_dot_product_attention(q, q, q, is_causal=True)
print(json.dumps([*losses, attended.detach().pow(2).mean().item()]))
