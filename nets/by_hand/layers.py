"""Layers in pairs: a forward function that keeps what its backward function needs, and losses.

    out, cache = fc_forward(x, w, b)
    grad_x, grad_w, grad_b = fc_backward(grad_out, cache)
    loss, grad_out = softmax_loss(out, labels)

``grad_v`` is the derivative of the final loss by v and has the shape of v. A batch stands in rows.
"""

import numpy as np

__all__ = ["fc_backward", "fc_forward", "l2_loss", "l2_regularization", "relu_backward", "relu_forward",
           "softmax_loss"]


def fc_forward(x, w, b):
    """A fully connected layer, out = x w + b.

    Args:
        x: (N, D_in).
        w: (D_in, D_out).
        b: (D_out,).

    Returns:
        (N, D_out), and the cache for `fc_backward`.

    >>> fc_forward(np.ones((1, 2)), np.eye(2), np.array([0.5, 1.0]))[0]
    array([[1.5, 2. ]])
    """
    if np.ndim(x) != 2 or np.shape(w) != (np.shape(x)[1], *np.shape(b)):
        raise ValueError(f"fc_forward takes x (N, D_in), w (D_in, D_out) and b (D_out,), got "
                         f"{np.shape(x)}, {np.shape(w)} and {np.shape(b)}")
    return x @ w + b, (x, w)


def fc_backward(grad_out, cache):
    """Gradients of a fully connected layer: (grad_x, grad_w, grad_b).

    out[n, j] = sum_i x[n, i] w[i, j] + b[j], so w[i, j] meets x[n, i] and the gradient of out[n, j] in
    every row n: grad_w = x^T grad_out; in the same way grad_x = grad_out w^T; b is added to every row.

    >>> out, cache = fc_forward(np.array([[1.0, 2.0]]), np.ones((2, 1)), np.zeros(1))
    >>> [gradient.tolist() for gradient in fc_backward(np.array([[3.0]]), cache)]
    [[[3.0, 3.0]], [[3.0], [6.0]], [3.0]]
    """
    x, w = cache
    return grad_out @ w.T, x.T @ grad_out, grad_out.sum(axis=0)


def relu_forward(x):
    """max(0, x) of every element, and the cache for `relu_backward`.

    >>> relu_forward(np.array([-1.0, 2.0]))[0]
    array([0., 2.])
    """
    return np.maximum(x, 0), x


def relu_backward(grad_out, cache):
    """The gradient passes where x > 0.

    >>> relu_backward(np.array([5.0, 5.0]), relu_forward(np.array([-1.0, 2.0]))[1])
    array([0., 5.])
    """
    return grad_out * (cache > 0)


def l2_loss(x, y):
    """Half the squared distance, averaged over the N rows: sum (x - y)^2 / 2N. Returns (loss, grad_x).

    >>> loss, grad_x = l2_loss(np.array([[3.0], [1.0]]), np.array([[1.0], [1.0]]))
    >>> float(loss), grad_x.tolist()
    (1.0, [[1.0], [0.0]])
    """
    if np.shape(x) != np.shape(y):
        raise ValueError(f"l2_loss compares equal shapes, got {np.shape(x)} and {np.shape(y)}")
    difference = x - y
    return (difference**2).sum() / (2 * len(x)), difference / len(x)


def softmax_loss(x, y):
    """Mean cross-entropy of the softmax of scores: -log p[n, y_n] over n. Returns (loss, grad_x).

    Softmax does not change when a number is added to all scores of a row, so the largest is
    subtracted: no exponential overflows, and the log never sees a 0. By the score x[n, j] the
    derivative is (p[n, j] - 1[j = y_n]) / N.

    Args:
        x: scores (N, C).
        y: class numbers (N,).

    Raises:
        ValueError: for other shapes, no rows, or class numbers outside 0..C-1.

    >>> loss, grad_x = softmax_loss(np.array([[1e4, 1e4]]), np.array([0]))
    >>> round(float(loss), 6), grad_x.tolist()
    (0.693147, [[-0.5, 0.5]])
    """
    x, y = np.asarray(x), np.asarray(y)
    if x.ndim != 2 or len(x) == 0 or y.shape != x.shape[:1] or y.dtype.kind not in "iu":
        raise ValueError(f"softmax_loss takes scores (N, C) and class numbers (N,), got {x.shape} and "
                         f"{y.shape} {y.dtype}")
    if y.min() < 0 or y.max() >= x.shape[1]:
        raise ValueError(f"class numbers must lie in 0..{x.shape[1] - 1}, got {y.min()}..{y.max()}")
    count, rows = len(x), np.arange(len(x))
    shifted = x - x.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    grad_x = np.exp(log_p)
    grad_x[rows, y] -= 1
    return -log_p[rows, y].sum() / count, grad_x / count


def l2_regularization(w, reg):
    """A cost for large weights, reg / 2 * sum w^2. Returns (loss, grad_w).

    >>> loss, grad_w = l2_regularization(np.array([3.0, 1.0]), 0.1)
    >>> float(loss), grad_w.round(6).tolist()
    (0.5, [0.3, 0.1])
    """
    return reg / 2 * (w * w).sum(), reg * w
