"""A network of three matrices, 12288 - 1000 - 256 - 2, its gradients written as matrix products.

Cats and dogs of 64 x 64 pixels, one-hot labels, squared error, float64, no biases:

    h1 = x w1,  a1 = relu(h1),  h2 = a1 w2,  a2 = relu(h2),  y_pred = a2 w3,  loss = sum (y_pred - y)^2

**The factor 2.** The sheet of this exercise multiplies by 2 on the way into every gradient, "2 y_error"
for w3 and again "2 h2_error" and "2 h1_error" for the others, though the errors it hands back hold the
first 2 already. The square is differentiated once: one 2 is right, and the sheet's gradients of w3, w2
and w1 are 1, 2 and 4 times the true ones. Here is the true gradient, with the 2 where the square is,
because only that one agrees with difference quotients and with the engine.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import safetensors.numpy

import tinygrad_hw as thw
from nets.runs import atomic_write
from tinygrad_hw.utils.data import DataLoader, Dataset
from tinygrad_hw.vision import transforms

__all__ = ["OneHot", "SIDE", "SIZES", "gradients", "load_weights", "measure", "new_weights",
           "output_text", "predict", "save_weights", "splits", "tensor_loss", "train", "validate"]

SIDE = 64
SIZES = (3 * SIDE * SIDE, 1000, 256, 2)


# ------------------------------------------------------------------ the network


def new_weights(sizes=SIZES, seed=0):
    """Three matrices in float64, normal with variance 2 / fan_in (He et al., ICCV 2015).

    >>> [w.shape for w in new_weights((6, 5, 4, 2))]
    [(6, 5), (5, 4), (4, 2)]
    """
    random = np.random.default_rng(seed)
    return [random.standard_normal(shape) * np.sqrt(2 / shape[0]) for shape in zip(sizes, sizes[1:])]


def predict(x, weights):
    """The outputs (N, 2) of images (N, 12288).

    >>> predict(np.ones((1, 2)), [np.eye(2), -np.eye(2), np.eye(2)])
    array([[0., 0.]])
    """
    w1, w2, w3 = weights
    return np.maximum(np.maximum(x @ w1, 0) @ w2, 0) @ w3


def gradients(x, y, weights):
    """The loss, summed over outputs and images, and the gradients of the three matrices.

    Args:
        x: images (N, 12288).
        y: one-hot labels (N, 2).
        weights: (w1, w2, w3).

    >>> loss, (grad_w1, grad_w2, grad_w3) = gradients(np.array([[1.0]]), np.array([[1.0]]),
    ...                                               [np.full((1, 1), 3.0)] * 3)
    >>> float(loss), grad_w3.item()
    (676.0, 468.0)
    """
    w1, w2, w3 = weights
    h1 = x @ w1
    a1 = np.maximum(h1, 0)
    h2 = a1 @ w2
    a2 = np.maximum(h2, 0)
    error = a2 @ w3 - y
    loss = (error**2).sum()

    grad_y_pred = 2 * error  # the square's 2, here and nowhere else
    grad_w3 = a2.T @ grad_y_pred
    grad_h2 = grad_y_pred @ w3.T * (h2 > 0)
    grad_w2 = a1.T @ grad_h2
    grad_h1 = grad_h2 @ w2.T * (h1 > 0)
    grad_w1 = x.T @ grad_h1
    return loss, (grad_w1, grad_w2, grad_w3)


def tensor_loss(x, y, w1, w2, w3):
    """The same loss by the Tensor API; ``backward()`` gives the gradients.

    >>> tensor_loss(*(thw.ones(1, 1) for _ in range(5))).item()
    0.0
    """
    a1 = (x @ w1).relu()
    a2 = (a1 @ w2).relu()
    return ((a2 @ w3 - y) ** 2).sum()


def measure(x, y, weights, repeats=5):
    """The engine's gradients against those by hand, and the time of both.

    Returns:
        ``greatest_difference`` relative to the greatest gradient of each matrix; ``by_hand_ms`` and
        ``engine_ms``: the median time of one loss with its gradients, taken in turn.

    >>> result = measure(np.ones((2, 6)), np.eye(2), new_weights((6, 5, 4, 2)), repeats=1)
    >>> result["greatest_difference"] < 1e-12
    True
    """
    constants = thw.from_numpy(x), thw.from_numpy(y)
    tensors = [thw.from_numpy(w).requires_grad_() for w in weights]

    def engine():
        for tensor in tensors:
            tensor.grad = None
        loss = tensor_loss(*constants, *tensors)
        loss.backward()
        return loss.item(), [tensor.grad.numpy() for tensor in tensors]

    loss, mine = gradients(x, y, weights)
    value, theirs = engine()
    differences = [abs(value - loss) / loss] if loss else []
    differences += [np.abs(a - b).max() / (np.abs(a).max() or 1.0) for a, b in zip(mine, theirs)]
    del mine, theirs
    times = {"by_hand_ms": [], "engine_ms": []}
    for _ in range(repeats):
        for name, act in (("by_hand_ms", lambda: gradients(x, y, weights)), ("engine_ms", engine)):
            started = time.perf_counter()
            act()
            times[name].append(1000 * (time.perf_counter() - started))
    return {"greatest_difference": float(max(differences)),
            **{name: float(np.median(values)) for name, values in times.items()}}


def save_weights(path, weights) -> None:
    """Write w1, w2 and w3 to a safetensors file; see `load_weights`."""
    arrays = {f"w{number}": np.ascontiguousarray(w) for number, w in enumerate(weights, start=1)}
    with atomic_write(path) as file:
        file.write(safetensors.numpy.save(arrays))


def load_weights(path):
    """[w1, w2, w3] of a file by `save_weights`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds something else.

    >>> import tempfile
    >>> path, weights = Path(tempfile.mkdtemp()) / "w.safetensors", new_weights((6, 5, 4, 2))
    >>> save_weights(path, weights)
    >>> all((a == b).all() for a, b in zip(weights, load_weights(path)))
    True
    """
    try:
        stored = safetensors.numpy.load_file(path)
        return [stored[name] for name in ("w1", "w2", "w3")]
    except (safetensors.SafetensorError, KeyError) as error:
        raise ValueError(f"{path} does not hold w1, w2 and w3 of a whole safetensors file "
                         f"({error})") from error


# ------------------------------------------------------------------ the images


class OneHot(Dataset):
    """Images of some classes as float64 rows in -1..1, with one-hot labels in the order of the list.

    Args:
        dataset: yields (PIL image, label), with ``classes`` and ``targets`` as ImageFolder has.
        class_list: names of classes; the images of others are left out.

    Raises:
        ValueError: an unknown class, or one twice.

    >>> from tinygrad_hw.vision.datasets import Shapes5
    >>> dataset = OneHot(Shapes5(split="test"), ["car", "boat"])
    >>> x, y = dataset[0]
    >>> len(dataset), x.shape, x.dtype, y.tolist()
    (200, tinygrad_hw.Size([12288]), tinygrad_hw.float64, [0.0, 1.0])
    """

    def __init__(self, dataset, class_list):
        unknown = [name for name in class_list if name not in dataset.classes]
        if unknown or len(set(class_list)) < len(class_list):
            raise ValueError(f"--class_list takes different names of {', '.join(dataset.classes)}; "
                             f"got {', '.join(class_list)}")
        self.dataset, self.classes = dataset, list(class_list)
        places = {dataset.classes.index(name): place for place, name in enumerate(class_list)}
        self.rows = [(index, places[target]) for index, target in enumerate(dataset.targets)
                     if target in places]
        self.targets = [place for _, place in self.rows]
        self.transform = transforms.Compose([
            transforms.Resize((SIDE, SIDE)), transforms.ToTensor(),
            transforms.Normalize([0.5] * 3, [0.5] * 3)])

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, index):
        row, place = self.rows[index]
        image = self.transform(self.dataset[row][0].convert("RGB"))
        return image.flatten().double(), thw.eye(len(self.classes), dtype=thw.float64)[place]


def splits(root=None, class_list=None):
    """(training, validation) as `OneHot`.

    Args:
        root: folder or archive with folders of classes in ``train`` and ``val`` (or ``Train``, ``Val``);
            None for shapes5, scenes that are drawn on the spot.
        class_list: two names; default the first two classes.

    Raises:
        FileNotFoundError, ValueError: the folder lacks a part or a class.
    """
    from nets.data_sets import unpacked
    from tinygrad_hw.vision.datasets import ImageFolder, Shapes5
    from tinygrad_hw.vision.datasets.archives import is_archive

    if root is None:
        parts = [Shapes5(split=name) for name in ("train", "validation")]
    else:
        folder = Path(root)
        if not folder.exists():
            raise FileNotFoundError(f"no folder or archive {root}")
        folder = unpacked(folder) if is_archive(folder) else folder
        inner = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
        if len(inner) == 1 and inner[0].is_dir():
            inner = list(inner[0].iterdir())
        found = {entry.name.lower(): entry for entry in inner if entry.is_dir()}
        if not {"train", "val"} <= found.keys():
            raise FileNotFoundError(f"{root} has no folders train and val, but "
                                    f"{', '.join(sorted(found)[:8]) or 'none'}")
        parts = [ImageFolder(found[name]) for name in ("train", "val")]
    class_list = class_list or parts[0].classes[:2]
    if len(class_list) != 2:
        raise ValueError(f"--class_list takes two names, got {len(class_list)}: {', '.join(class_list)}")
    return [OneHot(part, class_list) for part in parts]


# ------------------------------------------------------------------ training


def train(dataset, weights, *, epochs, lr, batch_size, seed=0, log=lambda **figures: None):
    """Gradient descent in place; returns the loss of every epoch, summed over its images.

    Raises:
        FloatingPointError: the loss is no longer a number.
    """
    generator = thw.Generator().manual_seed(seed)
    losses = []
    for epoch in range(epochs):
        total = 0.0
        for x, y in DataLoader(dataset, batch_size, shuffle=True, generator=generator):
            loss, grads = gradients(x.numpy(), y.numpy(), weights)
            if not np.isfinite(loss):
                raise FloatingPointError(f"the loss became {loss} in epoch {epoch}; lower --lr {lr}")
            for w, grad in zip(weights, grads):
                grad *= lr
                w -= grad
            total += float(loss)
        losses.append(total)
        log(epoch=epoch, train_loss=total)
    return losses


def validate(dataset, weights, batch_size=100):
    """(loss summed over the images, true classes (N,), predicted classes (N,))."""
    loss, true, predicted = 0.0, [], []
    for x, y in DataLoader(dataset, batch_size):
        output = predict(x.numpy(), weights)
        loss += float(((output - y.numpy()) ** 2).sum())
        true.append(y.numpy().argmax(axis=1))
        predicted.append(output.argmax(axis=1))
    return loss, np.concatenate(true), np.concatenate(predicted)


def output_text(losses, validation_loss, validation_accuracy) -> str:
    """The content of output.txt: a line for each epoch, a blank one, loss and accuracy in percent.

    >>> print(output_text([2.5, 1.25], 1.5, 0.875), end="")
    Epoch 0: 2.5000
    Epoch 1: 1.2500
    <BLANKLINE>
    Val Loss: 1.5000
    Val Accuracy: 87.50%
    """
    lines = [f"Epoch {epoch}: {loss:.4f}" for epoch, loss in enumerate(losses)]
    return "\n".join([*lines, "", f"Val Loss: {validation_loss:.4f}",
                      f"Val Accuracy: {100 * validation_accuracy:.2f}%"]) + "\n"
