"""How far every gradient by hand is from difference quotients and from the engine.

The quotients have errors of their own, about 1e-13 from rounding: an element of the gradient that
happens to be 1000 times smaller than the others looks wrong by 1e-10, and a relu whose input happens
to be near 0 has no derivative to compare with. The seed is one without either.
"""

import numpy as np

import tinygrad_hw as thw
from nets.by_hand import layers
from nets.by_hand.classifiers import LinearClassifier, TwoLayerNet
from nets.by_hand.training import training_step
from tinygrad_hw.nn import functional as F
from tinygrad_hw.testing import numerical_gradient, relative_error

__all__ = ["LIMITS", "classifier_errors", "draw", "layer_errors"]

LIMITS = {"layer": 1e-9, "classifier": 1e-10, "engine": 1e-12}


def numeric(function, *arrays):
    """Gradients of a number that is computed from arrays, by difference quotients.

    >>> numeric(lambda x: (x**2).sum(), np.array([1.0, 3.0]))[0].round(9)
    array([2., 6.])
    """
    tensors = [thw.tensor(array, requires_grad=True) for array in arrays]
    result = numerical_gradient(
        lambda *tensors: thw.tensor(float(function(*(t.detach().numpy() for t in tensors))),
                                    dtype=thw.float64), tensors, eps=2e-3)
    return [gradient.numpy() for gradient in result]


def _away_from_zero(random, *shape):
    """Numbers of either sign and size 0.1 to 1: relu's kink is not near."""
    return random.choice([-1, 1], shape) * random.uniform(0.1, 1, shape)


def _by_engine(function, *arrays):
    tensors = [thw.tensor(array, requires_grad=True) for array in arrays]
    function(*tensors).backward()
    return [tensor.grad.numpy() for tensor in tensors]


def layer_errors(seed=1):
    """{layer: (greatest relative error against quotients, greatest difference to the engine)}.

    >>> errors = layer_errors()
    >>> max(quotients for quotients, engine in errors.values()) < 1e-9
    True
    """
    random = np.random.default_rng(seed)
    x, w, b = (_away_from_zero(random, *shape) for shape in ((4, 5), (5, 3), (3,)))
    cotangent, target = _away_from_zero(random, 4, 3), _away_from_zero(random, 4, 5)
    labels, positive = np.array([0, 2, 1, 4]), np.abs(target)
    c, t = thw.from_numpy(cotangent), thw.from_numpy(target)
    by_hand = {
        "fc": (layers.fc_backward(cotangent, layers.fc_forward(x, w, b)[1]),
               lambda x, w, b: (layers.fc_forward(x, w, b)[0] * cotangent).sum(),
               lambda x, w, b: ((x @ w + b) * c).sum(), (x, w, b)),
        "relu": ([layers.relu_backward(positive, layers.relu_forward(x)[1])],
                 lambda x: (layers.relu_forward(x)[0] * positive).sum(),
                 lambda x: (x.relu() * t.abs()).sum(), (x,)),
        "l2_loss": ([layers.l2_loss(x, target)[1]], lambda x: layers.l2_loss(x, target)[0],
                    lambda x: ((x - t) ** 2).sum() / (2 * len(x)), (x,)),
        "softmax_loss": ([layers.softmax_loss(x, labels)[1]],
                         lambda x: layers.softmax_loss(x, labels)[0],
                         lambda x: F.cross_entropy(x, thw.from_numpy(labels)), (x,)),
        "l2_regularization": ([layers.l2_regularization(w, 0.1)[1]],
                              lambda w: layers.l2_regularization(w, 0.1)[0],
                              lambda w: 0.05 * (w * w).sum(), (w,)),
    }
    return {name: _errors(mine, function, engine, arrays)
            for name, (mine, function, engine, arrays) in by_hand.items()}


def classifier_errors(seed=1):
    """The same for the data loss with regularization of both classifiers, by all parameters.

    >>> errors = classifier_errors()
    >>> max(quotients for quotients, engine in errors.values()) < 1e-10
    True
    """
    random = np.random.default_rng(seed)
    x, y = _away_from_zero(random, 5, 6), np.array([0, 1, 2, 2, 1])
    inputs, labels = thw.from_numpy(x), thw.from_numpy(y)

    def linear(W, b):
        return F.cross_entropy(inputs @ W + b, labels) + 0.05 * (W * W).sum()

    def two_layer(W1, b1, W2, b2):
        scores = (inputs @ W1 + b1).relu() @ W2 + b2
        return F.cross_entropy(scores, labels) + 0.05 * ((W1 * W1).sum() + (W2 * W2).sum())

    errors = {}
    for model, engine in ((LinearClassifier(6, 3, dtype=np.float64), linear),
                          (TwoLayerNet(6, 7, 3, dtype=np.float64), two_layer)):
        for parameter in model.parameters.values():
            parameter[...] = _away_from_zero(random, *parameter.shape)
        arrays = list(model.parameters.values())
        mine = list(training_step(model, x, y, reg=0.1)[1].values())

        def loss(*arrays, model=model):
            model.parameters = dict(zip(model.parameters, arrays))
            return training_step(model, x, y, reg=0.1)[0]

        errors[type(model).__name__] = _errors(mine, loss, engine, arrays)
    return errors


def _errors(mine, function, engine, arrays):
    quotients = max(map(relative_error, mine, numeric(function, *arrays)))
    theirs = _by_engine(engine, *arrays)
    return quotients, max(float(np.abs(a - b).max()) for a, b in zip(mine, theirs))


def draw(path, errors) -> None:
    """A bar for each error on a logarithmic scale; a line where its limit is.

    errors: {name: (value, limit)}.
    """
    from nets.pictures import _figure, _save

    figure = _figure(8, 0.35 * len(errors) + 1.2)
    axes = figure.add_subplot()
    values = np.array([max(value, 1e-17) for value, _ in errors.values()])
    places = np.arange(len(values))[::-1]
    axes.barh(places, values - 1e-17, left=1e-17, color="tab:green", label="error")
    axes.scatter([limit for _, limit in errors.values()], places, marker="|", s=200, color="tab:red",
                 label="limit", zorder=3)
    axes.set(xscale="log", xlim=(1e-17, 1e-7), xlabel="greatest error")
    axes.set_yticks(places, labels=list(errors))
    axes.grid(alpha=0.3)
    axes.legend(loc="upper right")
    _save(figure, path)
