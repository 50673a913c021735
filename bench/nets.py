"""The networks that whole training steps are measured on, written once for both libraries.

Every network is a function of the module that plays PyTorch: ``net1(torch)`` and ``net1(tinygrad_hw)``
run the same lines.  They are written as in homework, some with ``forward`` and some with
``nn.Sequential``, because that is what has to be fast.
"""

from __future__ import annotations

import dataclasses
import math
import zlib
from collections.abc import Callable

import numpy as np

from bench.imagenet import resnet18, squeezenet

__all__ = ["TASKS", "Task", "dyadic_weights", "generator", "load", "uniform_weights"]


# ------------------------------------------------------------------ networks


def net1(torch, padding=0, extra=0):
    """Two convolutions with relu and max-pooling, ``extra`` ones without pooling, two linear layers."""
    nn, F = torch.nn, torch.nn.functional

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(3, 16, 3, padding=padding)
            self.conv2 = nn.Conv2d(16, 32, 3, padding=padding)
            self.extra = nn.ModuleList(nn.Conv2d(32, 32, 3, padding=1) for _ in range(extra))
            self.pool = nn.MaxPool2d(2, 2)
            self.fc1 = nn.Linear(32 * (16 if padding else 14) ** 2, 64)
            self.fc2 = nn.Linear(64, 5)

        def forward(self, x):
            x = self.pool(F.relu(self.conv1(x)))
            x = self.pool(F.relu(self.conv2(x)))
            for conv in self.extra:
                x = F.relu(conv(x))
            x = F.relu(self.fc1(torch.flatten(x, 1)))
            return self.fc2(x)

    return Net()


def net3(torch):
    """Net1 with padding and ten more convolutions."""
    return net1(torch, padding=1, extra=10)


def lenet(torch, channels=1):
    """LeNet's two convolutions of 5x5 and three linear layers; 36 classes from 32x32 pixels."""
    nn, F = torch.nn, torch.nn.functional

    class LeNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(channels, 6, 5)
            self.conv2 = nn.Conv2d(6, 16, 5)
            self.pool = nn.MaxPool2d(2)
            self.fc1 = nn.Linear(400, 128)
            self.fc2 = nn.Linear(128, 64)
            self.fc3 = nn.Linear(64, 36)

        def forward(self, x):
            x = self.pool(F.relu(self.conv1(x)))
            x = self.pool(F.relu(self.conv2(x)))
            x = F.relu(self.fc1(x.flatten(1)))
            x = F.relu(self.fc2(x))
            return self.fc3(x)

    return LeNet()


def lenet_rgb(torch):
    """LeNet for colour images."""
    return lenet(torch, channels=3)


def dogs(torch):
    """Four convolutions of stride 2 instead of pooling, 16 to 128 channels; 5 classes from 32x32 pixels.
    """
    nn = torch.nn
    layers, channels = [], 3
    for out in (16, 32, 64, 128):
        layers += [nn.Conv2d(channels, out, 5, stride=2, padding=2), nn.ReLU()]
        channels = out
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(512, 64), nn.ReLU(), nn.Linear(64, 5))


def fashion(torch):
    """Two convolutions of 3x3 with padding, 32 and 64 channels; 10 classes from 28x28 pixels."""
    nn = torch.nn
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(3136, 128), nn.ReLU(), nn.Linear(128, 10),
    )


def mlp_sigmoid(torch):
    """1024 - 64 (sigmoid) - 36."""
    nn = torch.nn
    return nn.Sequential(nn.Linear(1024, 64), nn.Sigmoid(), nn.Linear(64, 36))


def mlp_wide(torch):
    """12288 - 1000 - 256 - 2 with relu: 12.5 million weights, so memory decides."""
    nn = torch.nn
    return nn.Sequential(nn.Linear(12288, 1000), nn.ReLU(), nn.Linear(1000, 256), nn.ReLU(),
                         nn.Linear(256, 2))


def two_layer(torch):
    """3072 - 200 - 10 with relu."""
    nn = torch.nn
    return nn.Sequential(nn.Linear(3072, 200), nn.ReLU(), nn.Linear(200, 10))


def autoencoder(torch):
    """1024 - 32 - 32 - 32 - 1024 with relu inside and a sigmoid at the end."""
    nn = torch.nn
    return nn.Sequential(
        nn.Linear(1024, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(),
        nn.Linear(32, 1024), nn.Sigmoid(),
    )


# ------------------------------------------------------------------ losses and optimizers


def cross_entropy(torch, output, target):
    """Mean cross-entropy of scores (N, C) and labels (N,)."""
    return torch.nn.functional.cross_entropy(output, target)


def squared_error(torch, output, target):
    """Mean squared error."""
    return torch.nn.functional.mse_loss(output, target)


def sum_of_squares(torch, output, target):
    """Squared error summed over pixels, averaged over images; written out with operators."""
    return ((output - target) ** 2).sum() / len(output)


def adam(torch, parameters, **options):
    """Adam as most homework has it."""
    return torch.optim.Adam(parameters, lr=1e-3, **options)


def sgd(torch, parameters, **options):
    """Plain gradient descent."""
    return torch.optim.SGD(parameters, lr=1e-2, **options)


def sgd_momentum(torch, parameters, **options):
    """Gradient descent with momentum; the small rate suits the summed loss."""
    return torch.optim.SGD(parameters, lr=1e-4, momentum=0.9, **options)


# ------------------------------------------------------------------ the table


@dataclasses.dataclass(frozen=True)
class Task:
    """A network with the batch, loss and optimizer that it is measured with.

    Attributes:
        build: function of the torch-like module that returns the network.
        shape: shape of the input, batch first.
        classes: number of classes; ``None`` where the target is an array.
        target: shape of a target behind the batch axis.
        loss: function of (torch, output, target).
        optimizer: function of (torch, parameters, options); ``None`` for inference.
        exact: whether gradients are compared in float32 from weights that make every sum exact
        (`dyadic_weights`);
            batch-norm divides, so networks with it are compared in float64.
    """

    build: Callable
    shape: tuple[int, ...]
    classes: int | None
    optimizer: Callable | None = adam
    loss: Callable = cross_entropy
    target: tuple[int, ...] = ()
    exact: bool = True

    @property
    def is_convolutional(self) -> bool:
        """Whether the memory format of the input matters."""
        return len(self.shape) == 4

    def data(self, name: str, batch: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Input and target, for another batch size on request.

        The input is float32 and holds multiples of 1/4 between -2 and 2.
        """
        rng = generator(name)
        shape = (batch or self.shape[0], *self.shape[1:])
        images = (rng.integers(-8, 9, shape) / 4).astype(np.float32)
        if self.classes:
            return images, rng.integers(0, self.classes, shape[0])
        return images, rng.random((shape[0], *self.target), np.float32)


TASKS = {
    "net1-b4": Task(net1, (4, 3, 64, 64), 5),
    "net1-b64": Task(net1, (64, 3, 64, 64), 5),
    "net3-b4": Task(net3, (4, 3, 64, 64), 5),
    "net3-b64": Task(net3, (64, 3, 64, 64), 5),
    "lenet-1ch-b100": Task(lenet, (100, 1, 32, 32), 36),
    "lenet-3ch-b64": Task(lenet_rgb, (64, 3, 32, 32), 36),
    "dogs-b32": Task(dogs, (32, 3, 32, 32), 5, sgd),
    "mlp-1024-64-36-b100": Task(mlp_sigmoid, (100, 1024), 36, sgd),
    "mlp-12288-1000-256-2-b10": Task(mlp_wide, (10, 12288), None, sgd, squared_error, (2,)),
    "two-layer-3072-200-10-b128": Task(two_layer, (128, 3072), 10, sgd),
    "autoencoder-b36": Task(autoencoder, (36, 1024), None, sgd_momentum, sum_of_squares, (1024,)),
    "fashion-b64": Task(fashion, (64, 1, 28, 28), 10),
    "resnet18-b8": Task(resnet18, (8, 3, 224, 224), 1000, sgd, exact=False),
    "resnet18-inference-b1": Task(resnet18, (1, 3, 224, 224), 1000, None, exact=False),
    "resnet18-inference-b8": Task(resnet18, (8, 3, 224, 224), 1000, None, exact=False),
    "squeezenet-inference-b1": Task(squeezenet, (1, 3, 224, 224), 1000, None, exact=False),
    "squeezenet-inference-b8": Task(squeezenet, (8, 3, 224, 224), 1000, None, exact=False),
}
"""Every network that is measured, by the name that ``--only`` selects."""


# ------------------------------------------------------------------ weights


def generator(name: str) -> np.random.Generator:
    """The random numbers of a measurement: the same in both processes.

    >>> int(generator("net1-b4").integers(1000)) == int(generator("net1-b4").integers(1000))
    True
    """
    return np.random.Generator(np.random.Philox(zlib.crc32(name.encode())))


def uniform_weights(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Weights as PyTorch's layers start: uniform within 1 / sqrt(fan_in); vectors within 1/10."""
    bound = 1 / math.sqrt(math.prod(shape[1:])) if len(shape) > 1 else 0.1
    return rng.uniform(-bound, bound, shape)


def dyadic_weights(shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """Sparse weights +-2^-k and coarse biases: every sum of a forward pass is exact in float32.

    A relu near 0 and a max-pool window whose best two values nearly tie are decided by rounding, and
    each such decision changes the gradient by far more than 1e-5.  Without rounding both libraries
    decide alike.

    >>> values = dyadic_weights((2, 1, 3, 3), np.random.default_rng(0))
    >>> sorted({abs(float(value)) for value in values.ravel()})
    [0.0, 0.5]
    """
    if len(shape) == 1:
        return rng.integers(-2, 3, shape) / 4
    fan_in = math.prod(shape[1:])
    # a layer adds log2(1 / scale) bits to the grid: 12 convolutions and a linear layer use 17 of 24
    used, scale = (64, 1 / 8) if len(shape) == 2 else (4, 1 / 2)
    values = np.zeros((shape[0], fan_in))
    columns = rng.integers(0, fan_in, (shape[0], used))
    np.put_along_axis(values, columns, rng.choice([-scale, scale], columns.shape), axis=1)
    return values.reshape(shape)


def load(torch, net, weights: Callable, name: str) -> None:
    """Overwrite every parameter of ``net`` with ``weights(shape, rng)``; norms scale by 1 plus it."""
    rng = generator(name)
    with torch.no_grad():
        for key, parameter in net.named_parameters():
            values = weights(tuple(parameter.shape), rng)
            if len(values.shape) == 1 and key.endswith("weight"):
                values = 1 + values
            parameter.copy_(torch.from_numpy(values.astype(np.float32)))
