"""The experiments of docs/theory.md: vanishing gradients, and why not to start at zero."""

import numpy as np

import tinygrad_hw as thw
from nets.by_hand.classifiers import TwoLayerNet
from nets.by_hand.training import SGD, training_step
from nets.metrics import accuracy
from nets.pictures import _figure, _label, _save

__all__ = ["ACTIVATIONS", "gradient_norms", "learn", "rings", "sigmoid", "softmax", "vanishing_picture",
           "zero_start_picture"]

ACTIVATIONS = {"sigmoid": (thw.sigmoid, 1.0), "tanh": (thw.tanh, 1.0), "relu": (thw.relu, 2.0)}
"""Each activation with the number whose share per input, c / fan_in, is the variance of the weights."""


def softmax(z):
    """e^z_i / sum_j e^z_j along the last axis; the largest z is subtracted first, which changes nothing.

    >>> softmax(np.array([1000.0, 1000.0]))
    array([0.5, 0.5])
    """
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def sigmoid(x):
    """1 / (1 + e^-x), written so that no exponential overflows.

    >>> sigmoid(np.array([-1000.0, 0.0, 1000.0]))
    array([0. , 0.5, 1. ])
    """
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, e) / (1 + e)


def gradient_norms(activation, depth=20, width=100, seed=0):
    """How the gradient shrinks on its way back through a stack of layers.

    Random inputs (64, width) go through ``depth`` layers, each a linear one of random weights and the
    activation; a random gradient comes back from the end.

    Returns:
        The norm of the gradient at the input of each layer, first layer first, over that at the end.

    >>> norms = gradient_norms("sigmoid", depth=4)
    >>> bool((norms[1:] > norms[:-1]).all())
    True
    """
    function, share = ACTIVATIONS[activation]
    random = np.random.default_rng(seed)
    x = thw.from_numpy(random.standard_normal((64, width))).requires_grad_()
    inputs = []
    for _ in range(depth):
        x.retain_grad()
        inputs.append(x)
        x = function(x @ thw.from_numpy(np.sqrt(share / width) * random.standard_normal((width, width))))
    end = thw.from_numpy(random.standard_normal(tuple(x.shape)))
    x.backward(end)
    return np.array([np.linalg.norm(each.grad.numpy()) for each in inputs]) / np.linalg.norm(end.numpy())


def rings(count=300, seed=0):
    """Points of a disc (class 0) and of a ring around it (class 1): x (count, 2), y (count,).

    >>> x, y = rings(4)
    >>> x.shape, y.tolist()
    ((4, 2), [0, 1, 0, 1])
    """
    random = np.random.default_rng(seed)
    y = np.arange(count) % 2
    radius = np.where(y == 0, random.uniform(0, 0.8, count), random.uniform(1.2, 2.0, count))
    angle = random.uniform(0, 2 * np.pi, count)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1), y


def learn(start, steps=300, learning_rate=1.0, seed=0):
    """Train a net of two layers and 16 hidden units on `rings` from a given start.

    Args:
        start: "zero", "equal" (every weight 0.5) or "random".

    Returns:
        The trained net, the loss of every step, and the accuracy at the end.

    >>> model, losses, share = learn("zero", steps=20)
    >>> share, int(np.count_nonzero(model.parameters["W1"]))
    (0.5, 0)
    """
    x, y = rings()
    model = TwoLayerNet(2, 16, 2, seed=seed, dtype=np.float64)
    if start != "random":
        for name in ("W1", "W2"):
            model.parameters[name][:] = {"zero": 0.0, "equal": 0.5}[start]
    optimizer = SGD(model.parameters, learning_rate)
    losses = []
    for _ in range(steps):
        loss, gradients = training_step(model, x, y)
        optimizer.step(gradients)
        losses.append(float(loss))
    return model, losses, accuracy(model.predict(x), y)


def vanishing_picture(path, depth=20) -> dict:
    """Draw `gradient_norms` of the three activations; returns them."""
    norms = {name: gradient_norms(name, depth) for name in ACTIVATIONS}
    figure = _figure(7, 4)
    axes = figure.add_subplot()
    for name, values in norms.items():
        axes.plot(np.arange(1, depth + 1), values, marker="o", markersize=3, label=name)
    axes.plot(np.arange(1, depth + 1), 0.25 ** np.arange(depth, 0, -1.0), "k:", label="1/4 a layer")
    axes.set_yscale("log")
    axes.xaxis.get_major_locator().set_params(integer=True)
    _label(axes, "layer (the loss is on the right)", "norm of the gradient, over that at the end")
    _save(figure, path)
    return norms


def zero_start_picture(path) -> dict:
    """Draw the loss from the three starts; returns {start: (accuracy, rank of W1)}."""
    figure = _figure(7, 4)
    axes = figure.add_subplot()
    results = {}
    for start in ("zero", "equal", "random"):
        model, losses, share = learn(start)
        results[start] = share, int(np.linalg.matrix_rank(model.parameters["W1"], tol=1e-9))
        axes.plot(losses, label=f"{start} start: accuracy {share:.2f}")
    _label(axes, "step", "loss")
    _save(figure, path)
    return results
