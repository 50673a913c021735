"""Minibatches, gradient descent, one training step and the loop around it."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from nets.by_hand.classifiers import LinearClassifier, TwoLayerNet
from nets.by_hand.layers import l2_regularization, softmax_loss
from nets.metrics import accuracy

__all__ = ["MinibatchSampler", "SGD", "Settings", "evaluate", "new_classifier", "train", "training_step"]


class MinibatchSampler:
    """Goes through data in a new random order each time, in batches of rows.

    Args:
        x, y: arrays of equal length.
        batch_size: rows of a batch; the last one may have fewer.
        seed: of the orders.

    >>> sampler = MinibatchSampler(np.arange(5), np.arange(5), batch_size=2)
    >>> len(sampler), sorted(int(row) for x, y in sampler for row in x)
    (3, [0, 1, 2, 3, 4])
    """

    def __init__(self, x, y, batch_size, seed=0):
        if len(x) != len(y) or len(x) == 0 or batch_size < 1:
            raise ValueError(f"a sampler needs as many x as y, some of them, and a positive batch_size; "
                             f"got {len(x)}, {len(y)} and {batch_size}")
        self.x, self.y, self.batch_size = x, y, batch_size
        self.random = np.random.default_rng(seed)

    def __len__(self):
        return -(-len(self.x) // self.batch_size)

    def __iter__(self):
        order = self.random.permutation(len(self.x))
        for start in range(0, len(order), self.batch_size):
            rows = order[start:start + self.batch_size]
            yield self.x[rows], self.y[rows]


class SGD:
    """Gradient descent: every parameter moves by -learning_rate times its gradient, in place.

    >>> w = np.array([1.0])
    >>> SGD({"w": w}, learning_rate=0.1).step({"w": np.array([2.0])})
    >>> w
    array([0.8])
    """

    def __init__(self, parameters, learning_rate):
        self.parameters, self.learning_rate = parameters, learning_rate

    def step(self, gradients):
        """Move by the gradients {name: array}."""
        for name, parameter in self.parameters.items():
            parameter -= self.learning_rate * gradients[name]


def training_step(model, x, y, reg=0.0):
    """Loss and gradients of one batch: softmax loss, plus L2 on the weights but not on the biases.

    Args:
        model: a `classifiers.Classifier`.
        x: (N, D).
        y: class numbers (N,).
        reg: factor of the regularization.

    Returns:
        The loss, and {name: gradient}.

    >>> loss, gradients = training_step(LinearClassifier(4, 3), np.ones((2, 4)), np.array([0, 2]), 0.1)
    >>> round(float(loss), 1), sorted(gradients)
    (1.1, ['W', 'b'])
    """
    scores, cache = model.forward(x)
    loss, grad_scores = softmax_loss(scores, y)
    gradients = model.backward(grad_scores, cache)
    for name, parameter in model.parameters.items():
        if name.startswith("W") and reg:
            cost, grad = l2_regularization(parameter, reg)
            loss, gradients[name] = loss + cost, gradients[name] + grad
    return loss, gradients


@dataclass(frozen=True)
class Settings:
    """The hyperparameters of a run; the commands' own defaults are in `commands`.

    Attributes:
        model: "two-layer" or "linear".
        hidden_size: units of the hidden layer.
        weight_scale: standard deviation of the first weights; None: `TwoLayerNet`'s own, and 0.001 for
            the linear classifier.
        learning_rate: of the first epoch.
        lr_decay: factor of the learning rate from epoch to epoch.
        reg: factor of the L2 regularization.
        batch_size, epochs, seed: of the training.
        num_train: only the first so many training images; None for all.
    """

    model: str = "two-layer"
    hidden_size: int = 200
    weight_scale: float | None = None
    learning_rate: float = 0.03
    lr_decay: float = 1.0
    reg: float = 0.0
    batch_size: int = 32
    epochs: int = 10
    num_train: int | None = None
    seed: int = 0


def new_classifier(settings, input_size, num_classes):
    """The untrained classifier of some settings.

    >>> type(new_classifier(Settings(model="linear"), 4, 3)).__name__
    'LinearClassifier'
    """
    options = {"seed": settings.seed}
    if settings.weight_scale is not None:
        options["weight_scale"] = settings.weight_scale
    if settings.model == "linear":
        return LinearClassifier(input_size, num_classes, **options)
    if settings.model == "two-layer":
        return TwoLayerNet(input_size, settings.hidden_size, num_classes, **options)
    raise ValueError(f"the model is 'two-layer' or 'linear', got {settings.model!r}")


def evaluate(model, part):
    """{"loss": mean softmax loss, "accuracy": share of right predictions} of a `pixels.Part`.

    >>> from nets.by_hand.pixels import Part
    >>> evaluate(LinearClassifier(4, 2), Part(np.zeros((2, 4)), np.array([0, 1])))
    {'loss': 0.6931471805599453, 'accuracy': 0.5}
    """
    scores = np.concatenate([model.forward(part.x[start:start + 1000])[0]
                             for start in range(0, len(part.y), 1000)])
    return {"loss": float(softmax_loss(scores, part.y)[0]), "accuracy": accuracy(scores, part.y)}


def train(pixels, settings: Settings, log: Callable = lambda **figures: None):
    """Train a new classifier on a `pixels.Pixels`.

    Args:
        log: called with the figures of every epoch.

    Returns:
        The classifier with the parameters of the best epoch (highest validation accuracy), and the
        results, a dictionary.

    Raises:
        FloatingPointError: the loss is no longer a number; the text says when.
    """
    data = pixels.first(settings.num_train) if settings.num_train else pixels
    model = new_classifier(settings, data.train.x.shape[1], len(data.classes))
    sampler = MinibatchSampler(*data.train, settings.batch_size, settings.seed)
    optimizer = SGD(model.parameters, settings.learning_rate)
    best, kept, seconds, highest = {"validation_accuracy": -1.0}, {}, 0.0, 0.0
    for epoch in range(1, settings.epochs + 1):
        started = time.perf_counter()
        for x, y in sampler:
            loss, gradients = training_step(model, x, y, settings.reg)
            if not np.isfinite(loss):
                raise FloatingPointError(f"the loss became {loss} in epoch {epoch}; lower the learning "
                                         f"rate {settings.learning_rate} (--learning-rate)")
            optimizer.step(gradients)
        seconds += time.perf_counter() - started
        optimizer.learning_rate *= settings.lr_decay
        figures = {"epoch": epoch}
        for name, part in (("train", data.train), ("validation", data.validation)):
            figures |= {f"{name}_{key}": value for key, value in evaluate(model, part).items()}
        log(**figures)
        highest = max(highest, figures["train_accuracy"])
        if figures["validation_accuracy"] > best["validation_accuracy"]:
            best = figures
            kept = {name: parameter.copy() for name, parameter in model.parameters.items()}
    model.parameters = kept
    results = {"best_epoch": best["epoch"], "best_validation_accuracy": best["validation_accuracy"],
               "train_accuracy_then": best["train_accuracy"], "highest_train_accuracy": highest,
               "train_images": len(data.train.y), "validation_images": len(data.validation.y),
               "parameters": sum(parameter.size for parameter in kept.values()),
               "seconds_training": round(seconds, 2)}
    if data.test is not None:
        results |= {f"test_{key}": value for key, value in evaluate(model, data.test).items()}
    model.facts = {"classes": data.classes, "settings": asdict(settings)}
    return model, results
