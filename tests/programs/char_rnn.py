"""A recurrent network that learns to write one sentence, letter by letter."""

import json

import numpy as np
import torch
import torch.nn as nn

text = "the quick brown fox jumps over the lazy dog. "
letters = sorted(set(text))
index = {letter: number for number, letter in enumerate(letters)}
encoded = torch.tensor([index[letter] for letter in text * 2])


class CharRNN(nn.Module):
    def __init__(self, vocabulary, embedding_dim=12, hidden_size=32):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, embedding_dim)
        self.lstm = nn.LSTM(embedding_dim, hidden_size, batch_first=True)
        self.decoder = nn.Linear(hidden_size, vocabulary)

    def forward(self, input, state=None):
        output, state = self.lstm(self.embedding(input), state)
        return self.decoder(output), state


def draw_weights(model, seed=0):
    """The same initial weights in every library: NumPy draws them."""
    rng = np.random.default_rng(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.from_numpy(rng.uniform(-0.25, 0.25, parameter.shape)))


def generate(model, start, length):
    """Continue ``start`` by always taking the likeliest letter."""
    model.eval()
    written, state = start, None
    letter = torch.tensor([[index[c] for c in start]])
    with torch.no_grad():
        for _ in range(length):
            logits, state = model(letter, state)
            letter = logits[:, -1:].argmax(dim=-1)
            written += letters[letter.item()]
    return written


model = CharRNN(len(letters))
draw_weights(model)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
rng = np.random.default_rng(1)

losses = []
for step in range(60):
    starts = rng.integers(0, len(text), 8)
    batch = torch.stack([encoded[s:s + 21] for s in starts.tolist()])
    inputs, targets = batch[:, :-1], batch[:, 1:]

    optimizer.zero_grad()
    logits, _ = model(inputs)
    loss = criterion(logits.reshape(-1, len(letters)), targets.reshape(-1))
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    if step % 5 == 0:
        losses.append(loss.item())

print(generate(model, "the ", 20))
print(json.dumps(losses))
