"""Classifiers made of the layers: a linear one and a net of two layers."""

import json

import numpy as np

from nets.by_hand.layers import fc_backward, fc_forward, relu_backward, relu_forward
from nets.runs import atomic_write

__all__ = ["Classifier", "LinearClassifier", "TwoLayerNet", "load"]


class Classifier:
    """What all classifiers share; a subclass has ``sizes``, ``forward`` and ``backward``.

    Attributes:
        parameters: {name: array}; weights are called W..., biases b....
        facts: what is stored beside the parameters, such as the names of the classes.
    """

    def __init__(self, weight_scale, seed, dtype, **shapes):
        random = np.random.default_rng(seed)
        self.facts = {}
        self.parameters = {
            name: (weight_scale * random.standard_normal(shape) if name.startswith("W")
                   else np.zeros(shape)).astype(dtype)
            for name, shape in shapes.items()
        }

    def forward(self, x):
        """Scores (N, C) of a batch (N, D), and the cache for `backward`."""
        raise NotImplementedError(f"{type(self).__name__} must define forward")

    def backward(self, grad_scores, cache):
        """{name: gradient} of the parameters, from the gradient of the scores (N, C)."""
        raise NotImplementedError(f"{type(self).__name__} must define backward")

    def predict(self, x, batch_size=1000):
        """The class with the highest score of each row of (N, D), as numbers (N,).

        >>> LinearClassifier(4, 3).predict(np.zeros((2, 4)))
        array([0, 0])
        """
        parts = [self.forward(x[start:start + batch_size])[0].argmax(axis=1)
                 for start in range(0, len(x), batch_size)]
        return np.concatenate(parts) if parts else np.zeros(0, np.int64)

    def save(self, path, **arrays):
        """Write kind, facts and parameters, and further arrays, to a .npz file; see `load`."""
        named = {f"parameter/{name}": value for name, value in self.parameters.items()}
        named |= {f"array/{name}": value for name, value in arrays.items()}
        with atomic_write(path) as file:
            np.savez(file, kind=type(self).__name__, facts=json.dumps(self.facts), **named)


class LinearClassifier(Classifier):
    """Scores x W + b.

    Args:
        input_size, num_classes: D and C.
        weight_scale: standard deviation of the first weights.
        seed: of the first weights.
        dtype: float32 or float64.

    >>> model = LinearClassifier(4, 3, weight_scale=0.1)
    >>> {name: value.shape for name, value in model.parameters.items()}
    {'W': (4, 3), 'b': (3,)}
    """

    def __init__(self, input_size, num_classes, *, weight_scale=1e-3, seed=0, dtype=np.float32):
        super().__init__(weight_scale, seed, dtype, W=(input_size, num_classes), b=num_classes)

    def forward(self, x):
        """Scores (N, C) of a batch (N, D), and the cache."""
        return fc_forward(x, self.parameters["W"], self.parameters["b"])

    def backward(self, grad_scores, cache):
        """The gradients of W and b."""
        _, grad_W, grad_b = fc_backward(grad_scores, cache)
        return {"W": grad_W, "b": grad_b}


class TwoLayerNet(Classifier):
    """Scores relu(x W1 + b1) W2 + b2.

    Args:
        input_size, hidden_size, num_classes: D, H and C.
        weight_scale: standard deviation of the first weights; None is sqrt(2 / fan_in) for each layer,
            which keeps the size of what flows through relus (He et al., ICCV 2015).
        seed: of the first weights.
        dtype: float32 or float64.

    >>> scores, cache = TwoLayerNet(4, 5, 3).forward(np.zeros((2, 4)))
    >>> scores.shape
    (2, 3)
    """

    def __init__(self, input_size, hidden_size, num_classes, *, weight_scale=None, seed=0,
                 dtype=np.float32):
        super().__init__(1.0 if weight_scale is None else weight_scale, seed, dtype,
                         W1=(input_size, hidden_size), b1=hidden_size,
                         W2=(hidden_size, num_classes), b2=num_classes)
        if weight_scale is None:
            for name in ("W1", "W2"):
                weight = self.parameters[name]
                weight *= np.sqrt(2 / len(weight)).astype(dtype)

    def forward(self, x):
        """Scores (N, C) of a batch (N, D), and the cache."""
        p = self.parameters
        hidden, fc1 = fc_forward(x, p["W1"], p["b1"])
        active, relu = relu_forward(hidden)
        scores, fc2 = fc_forward(active, p["W2"], p["b2"])
        return scores, (fc1, relu, fc2)

    def backward(self, grad_scores, cache):
        """The gradients of W1, b1, W2 and b2: the layers' in reverse order."""
        fc1, relu, fc2 = cache
        grad_active, grad_W2, grad_b2 = fc_backward(grad_scores, fc2)
        grad_hidden = relu_backward(grad_active, relu)
        _, grad_W1, grad_b1 = fc_backward(grad_hidden, fc1)
        return {"W1": grad_W1, "b1": grad_b1, "W2": grad_W2, "b2": grad_b2}


def load(path):
    """Read what `Classifier.save` wrote: (classifier, {name: further array}).

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds something else.

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "weights.npz"
    >>> model = LinearClassifier(4, 3)
    >>> model.save(path, mean=np.zeros(4))
    >>> again, arrays = load(path)
    >>> bool((again.parameters["W"] == model.parameters["W"]).all()), list(arrays)
    (True, ['mean'])
    """
    kinds = {kind.__name__: kind for kind in (LinearClassifier, TwoLayerNet)}
    try:
        with np.load(path, allow_pickle=False) as stored:
            content = {name: stored[name] for name in stored.files}
        model = kinds[str(content["kind"])].__new__(kinds[str(content["kind"])])
        model.facts = json.loads(str(content["facts"]))
    except FileNotFoundError:
        raise
    except Exception as error:
        raise ValueError(f"{path} holds no classifier of Classifier.save "
                         f"({type(error).__name__}: {error})") from error
    model.parameters = _group(content, "parameter/")
    return model, _group(content, "array/")


def _group(content, prefix):
    return {name[len(prefix):]: value for name, value in content.items() if name.startswith(prefix)}
