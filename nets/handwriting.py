"""A deeper CNN for handwritten characters: batch normalisation, dropout, changed pictures, averaged weights.

It has six 3x3 convolutions where LeNet has two 5x5. The training changes every picture anew
(`augment.py`), lets the learning rate rise and fall once (Smith, "Super-convergence", 2018) and keeps a
running average of the weights (Polyak and Juditsky, 1992), which is the network that is judged.
"""

from __future__ import annotations

import dataclasses

import numpy as np

import tinygrad_hw as thw
from nets import characters, checkpoint, pictures
from nets.augment import Augmentation
from nets.nist36 import System, classification_loss, classifier_figures, classifier_pictures
from nets.one_cycle import shuffled
from nets.train import fit
from tinygrad_hw import nn, optim
from tinygrad_hw.utils.data import Dataset, transform_generator

__all__ = ["SYSTEMS", "AveragedWeights", "CharacterNet", "AveragedSystem"]


class CharacterNet(nn.Module):
    """Three blocks of two 3x3 convolutions (16, 32, 64 channels), each block halving the picture.

    >>> tuple(CharacterNet().eval()(thw.ones(2, 1, 32, 32)).shape)
    (2, 36)
    """

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(*_block(1, 16), *_block(16, 32), *_block(32, 64))
        self.classifier = nn.Sequential(
            nn.Flatten(), nn.Dropout(0.3), nn.Linear(64 * 4 * 4, 128, bias=False), nn.BatchNorm1d(128),
            nn.ReLU(), nn.Dropout(0.15), nn.Linear(128, 36))

    def forward(self, x):
        """Images (N, 1, 32, 32), ink 0 on paper 1, to scores (N, 36)."""
        # The convolutions pad with 0: paper, once black and white are exchanged.
        return self.classifier(self.features(1 - x))


def _block(channels_in, channels):
    """Two convolutions, each normalised and cut off below 0, and a pooling."""
    return (nn.Conv2d(channels_in, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(),
            nn.MaxPool2d(2))


class AveragedWeights:
    """A running average of a network's state: average += (1 - decay) * (state - average) at every step.

    Early on the decay is (1 + steps) / (10 + steps), so the average soon forgets the initial weights.

    Args:
        net: the network that is trained.
        decay: 0.99 averages over about 100 steps.

    >>> net = nn.Linear(1, 1, bias=False)
    >>> averaged = AveragedWeights(net, decay=0.5)
    >>> with thw.no_grad():
    ...     _ = net.weight.add_(1.0)
    >>> averaged.update()                              # the first decay is 2 / 11
    >>> twin = averaged.into(nn.Linear(1, 1, bias=False))
    >>> round((net.weight - twin.weight).item(), 4)
    0.1818
    """

    def __init__(self, net, decay: float = 0.99):
        self.net, self.decay, self.steps = net, decay, 0
        self.values = {name: value.numpy().astype(np.float64) for name, value in net.state_dict().items()}

    def state_dict(self) -> dict:
        """The average and the number of steps, for a checkpoint."""
        return {"steps": self.steps, "values": self.values}

    def load_state_dict(self, state: dict) -> None:
        """Go on from there; raises ValueError if it is the average of another network."""
        if state["values"].keys() != self.values.keys():
            raise ValueError("the checkpoint holds the average of another network: its parameters are "
                             f"{', '.join(state['values'])}, here {', '.join(self.values)}")
        self.steps, self.values = state["steps"], dict(state["values"])

    def update(self):
        """Take the network's present state into the average."""
        self.steps += 1
        share = 1 - min(self.decay, (1 + self.steps) / (10 + self.steps))
        for name, value in self.net.state_dict().items():
            self.values[name] += share * (value.numpy() - self.values[name])

    def into(self, net):
        """``net`` with the averaged state loaded."""
        net.load_state_dict({name: thw.from_numpy(self.values[name].astype(value.numpy().dtype))
                             for name, value in net.state_dict().items()})
        return net


class ChangedCharacters(Dataset):
    """Pictures, each changed anew whenever it is asked for, with their labels.

    Whole batches are asked for with a list of indices (``__getitems__``), which is faster. The random
    numbers are those of the loader: they depend on seed, pass and batch, never on the workers.
    """

    def __init__(self, split, change: Augmentation):
        self.split, self.change = split, change

    def __len__(self):
        return len(self.split)

    def __getitem__(self, index):
        return self.__getitems__([index])[0]

    def __getitems__(self, indices):
        images = self.change(self.split.images[indices], transform_generator()).astype(np.float32)
        return list(zip(images, self.split.labels[indices]))


@dataclasses.dataclass(frozen=True)
class AveragedSystem(System):
    """`System` with changed pictures, a one-cycle schedule and averaged weights.

    Nothing is chosen by the validation set: the result is the average at the end of the last epoch.
    """

    change: Augmentation = Augmentation()
    decay: float = 0.99

    def run(self, run, *, data=None, epochs: int, batch_size: int, lr: float, seed: int,
            workers: int = 0, quiet: bool = False, hold_out: float = 0.0) -> dict:
        """Train, evaluate and draw into the folder of ``run``; see `System.run`."""
        splits = characters.held_out(characters.load(data), hold_out)
        thw.manual_seed(seed)
        net = self.build()
        before = next(iter(net.parameters())).detach().numpy().copy()
        loader = shuffled(ChangedCharacters(splits.train, self.change), batch_size, workers)
        optimizer = self.optimizer(net.parameters(), lr)
        schedule = optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=epochs * len(loader))
        averaged, twin = AveragedWeights(net, self.decay), self.build()

        def after_step():
            schedule.step()
            averaged.update()

        figures = self.figures(splits.validation, "validation")
        results = fit(net, optimizer, self.loss, loader, lambda net: figures(averaged.into(twin)),
                      epochs=epochs, run=run, figure=self.figure, quiet=quiet, after_step=after_step,
                      judged=twin, remembered=(schedule, averaged))
        final = figures(averaged.into(twin))[f"validation_{self.figure}"]
        results.update({f"final_{self.figure}": final},
                       parameters=sum(p.numel() for p in net.parameters()),
                       train_images=len(splits.train), validation_images=len(splits.validation))
        checkpoint.save(run.path("model.safetensors"), twin, **{f"final_{self.figure}": final})
        if run.history:
            columns = {name: [row[name] for row in run.history] for name in run.history[0]}
            pictures.training_curves(run.path("curves.png"), columns, self.figure)
        results.update(self.draw(run, twin, before, splits))
        if splits.test is not None and not results["interrupted"]:
            results.update(self.figures(splits.test, "test")(twin))
        run.finish(**results)
        return results


SYSTEMS = {
    "nist36-deep": AveragedSystem(
        "characters with six convolutions, changed pictures and averaged weights (AdamW)",
        CharacterNet, classification_loss, classifier_figures, classifier_pictures, "accuracy",
        lambda p, lr: optim.AdamW(p, lr, weight_decay=0.01), epochs=20, batch_size=64, lr=3e-3),
}
