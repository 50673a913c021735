"""Autoencoders of characters compared: with and without momentum, linear layers against convolutions."""

from __future__ import annotations

import dataclasses

from nets import nist36, pictures
from nets.augment import Augmentation
from nets.handwriting import AveragedSystem
from tinygrad_hw import nn, optim

__all__ = ["SYSTEMS", "ConvAutoencoder", "MomentumStudy"]

# What an autoencoder must keep is where strokes are: small changes give it more of them to learn from.
CHANGES = Augmentation(rotation=8, shear=0.15, scale=0.1, stretch=0.1, shift=1.5, bend=0.8, pen=0.4)


class ConvAutoencoder(nn.Module):
    """Three convolutions of stride 2, a code of 32 numbers, three transposed convolutions back.

    >>> import tinygrad_hw as thw
    >>> net = ConvAutoencoder().eval()
    >>> tuple(net.encoder(thw.ones(2, 1, 32, 32)).shape), tuple(net(thw.ones(2, 1, 32, 32)).shape)
    ((2, 32), (2, 1024))
    """

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            *_down(1, 16), *_down(16, 32), *_down(32, 64), nn.Flatten(), nn.Linear(64 * 4 * 4, 32))
        self.decoder = nn.Sequential(
            nn.Linear(32, 64 * 4 * 4), nn.ReLU(), nn.Unflatten(1, (64, 4, 4)),
            *_up(64, 32), *_up(32, 16), nn.ConvTranspose2d(16, 1, 4, stride=2, padding=1), nn.Sigmoid(),
            nn.Flatten())

    def forward(self, x):
        """Images (N, 1, 32, 32) to reconstructions (N, 1024) in 0..1."""
        return self.decoder(self.encoder(x))


def _down(channels_in, channels):
    return nn.Conv2d(channels_in, channels, 4, stride=2, padding=1), nn.BatchNorm2d(channels), nn.ReLU()


def _up(channels_in, channels):
    return (nn.ConvTranspose2d(channels_in, channels, 4, stride=2, padding=1),
            nn.BatchNorm2d(channels), nn.ReLU())


@dataclasses.dataclass(frozen=True)
class MomentumStudy:
    """The dense autoencoder with and without momentum: two runs in subfolders and their loss curves.

    The update of the assignment, M = 0.9 M - lr g, w = w + M, is that of SGD with momentum 0.9 as long as
    the rate is constant; without momentum M = -lr g.
    """

    summary: str
    figure: str = "psnr"
    epochs: int = 100
    batch_size: int = 36
    lr: float = 1e-3

    def run(self, run, *, quiet: bool = False, **settings) -> dict:
        """Train both; see `nets.nist36.System.run`. The results are those with momentum."""
        system = nist36.SYSTEMS["nist36-autoencoder"]
        histories, results = {}, {}
        for momentum in (0.9, 0.0):
            name = f"momentum {momentum:g}"
            part = run.inner("autoencoder", {**settings, "momentum": momentum}, name.replace(" ", "-"))
            variant = dataclasses.replace(
                system, optimizer=lambda p, lr, momentum=momentum: optim.SGD(p, lr, momentum=momentum))
            results[name] = variant.run(part, quiet=quiet, **settings)
            if part.history:
                histories[name] = {key: [row[key] for row in part.history] for key in part.history[0]}
            if results[name]["interrupted"]:
                break
        if histories:
            pictures.compared(run.path("curves.png"), histories, self.figure)
        first = results["momentum 0.9"]
        summary = {key: first[key] for key in ("best_psnr", "best_epoch", "seconds")}
        summary["interrupted"] = any(result["interrupted"] for result in results.values())
        run.finish(**summary, runs=results)
        return summary


SYSTEMS = {
    "nist36-autoencoder-momentum": MomentumStudy(
        "the autoencoder with and without momentum, loss curves in one figure"),
    "nist36-autoencoder-conv": AveragedSystem(
        "characters through a code of 32 numbers with transposed convolutions (AdamW)",
        ConvAutoencoder, nist36.reconstruction_loss, nist36.autoencoder_figures, nist36.autoencoder_pictures,
        "psnr", lambda p, lr: optim.AdamW(p, lr, weight_decay=1e-4), epochs=30, batch_size=64, lr=4e-3,
        change=CHANGES),
}
