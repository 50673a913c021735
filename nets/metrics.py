"""Figures of merit of a trained network, on plain NumPy arrays."""

import numpy as np


def accuracy(predictions, labels):
    """Fraction of the N predictions that are right: (1 / N) * sum_i [prediction_i == label_i].

    predictions: class numbers (N,), or scores (N, C), of which the largest wins (ties: the first).
    labels: true class numbers (N,). Raises ValueError for other shapes and for N = 0.

    >>> accuracy([1, 2, 0, 2], [1, 2, 0, 0])
    0.75
    >>> accuracy([[0.1, 0.9], [0.8, 0.2]], [1, 1])
    0.5
    """
    predictions, labels = _class_numbers(predictions, labels)
    if labels.size == 0:
        raise ValueError("the accuracy of no predictions is undefined: got empty labels")
    return float(np.mean(predictions == labels))


def confusion_matrix(predictions, labels, classes):
    """Counts (classes, classes): entry [t, p] is how often true class t was taken for class p.

    predictions: class numbers (N,) or scores (N, C); labels: class numbers (N,); classes: how many.
    The diagonal holds what is right, so accuracy = trace / sum.
    Raises ValueError for shapes that disagree and for class numbers outside 0..classes-1.

    >>> confusion_matrix([0, 1, 1, 2], [0, 1, 2, 2], classes=3)
    array([[1, 0, 0],
           [0, 1, 0],
           [0, 1, 1]])
    """
    predictions, labels = _class_numbers(predictions, labels)
    for name, numbers in (("predictions", predictions), ("labels", labels)):
        outside = (numbers < 0) | (numbers >= classes)
        if outside.any():
            raise ValueError(f"{name} must lie in 0..{classes - 1}, got {numbers[outside][0]}; "
                             f"give confusion_matrix the true number of classes")
    pairs = np.bincount(labels * classes + predictions, minlength=classes * classes)
    return pairs.reshape(classes, classes)


def most_confused(matrix, names, count=5):
    """The `count` most frequent mistakes [(true name, predicted name, times), ...], worst first.

    matrix: a confusion matrix (C, C); names: the C class names. Pairs that never occur are left out.
    Equally frequent mistakes come in the order of their classes.

    >>> most_confused(np.array([[5, 3], [1, 6]]), "O0")
    [('O', '0', 3), ('0', 'O', 1)]
    """
    matrix = np.asarray(matrix)
    if matrix.shape != (len(names), len(names)):
        raise ValueError(f"a confusion matrix of {len(names)} names has shape "
                         f"{(len(names), len(names))}, got {matrix.shape}")
    mistakes = matrix - np.diag(np.diag(matrix))
    order = np.argsort(-mistakes, axis=None, kind="stable")[:count]
    pairs = [divmod(int(position), len(names)) for position in order]
    return [(names[t], names[p], int(mistakes[t, p])) for t, p in pairs if mistakes[t, p] > 0]


def psnr(images, references):
    """Peak signal-to-noise ratio of each image in dB, for a peak of 1: -10 log10(mean squared error).

    images, references: arrays of one shape (N, ...) with values in 0..1; returns float64 (N,),
    infinity where image and reference are equal. The figure of a whole set is the mean over images.
    Raises ValueError when the shapes differ or there is nothing to compare.

    >>> psnr(np.full((1, 2, 2), 0.6), np.full((1, 2, 2), 0.5)).round(6)
    array([20.])
    """
    images, references = np.asarray(images, np.float64), np.asarray(references, np.float64)
    if images.shape != references.shape or images.ndim < 2 or images.size == 0:
        raise ValueError(f"psnr compares non-empty arrays of one shape (N, ...), "
                         f"got {images.shape} and {references.shape}")
    squared_error = ((images - references) ** 2).reshape(len(images), -1).mean(axis=1)
    with np.errstate(divide="ignore"):
        return -10.0 * np.log10(squared_error)


def _class_numbers(predictions, labels):
    """Both as integer arrays (N,), scores (N, C) replaced by the place of their maximum."""
    predictions, labels = np.asarray(predictions), np.asarray(labels)
    if predictions.ndim == 2 and predictions.shape[1] > 0:
        predictions = predictions.argmax(axis=1)
    if predictions.ndim != 1 or predictions.shape != labels.shape:
        raise ValueError(f"predictions must have shape (N,) or (N, C) and labels (N,), "
                         f"got {predictions.shape} and {labels.shape}")
    for name, numbers in (("predictions", predictions), ("labels", labels)):
        if numbers.size and numbers.dtype.kind not in "iub":
            raise ValueError(f"{name} must be class numbers of an integer type, got {numbers.dtype}")
    return predictions.astype(np.int64), labels.astype(np.int64)
