"""Four computational graphs, forward and backward by hand.

    result = f1(w1=0.4, x1=0.4, w2=0.5, x2=0.4, b=0.5, y=0.1)
    result.output                    # the value at the end
    result.gradients["w1"]           # d output / d w1

Each function names every edge of its graph. First all values go forward; then ``grad_v``, the
derivative of the output by v, goes backward: a node multiplies what arrives by its local derivative.
Where v feeds two nodes n and d, ``grad_v_n`` and ``grad_v_d`` are the parts that come back through
each, and their sum is ``grad_v``. Numbers and arrays of numbers (many samples at once) both work.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

import tinygrad_hw as thw
from tinygrad_hw.testing import numerical_gradient, relative_error

__all__ = ["GRAPHS", "Graph", "Node", "Pass", "check", "f1", "f2", "f3", "f4", "samples"]


class Pass(NamedTuple):
    """What went forward and backward along the edges: {name: value} and {name: gradient}.

    >>> Pass({"x": 3.0, "L": 9.0}, {"x": 6.0, "L": 1.0}).output
    9.0
    """

    values: dict
    gradients: dict

    @property
    def output(self):
        """The value of the last node."""
        return list(self.values.values())[-1]


def _pass(local: dict) -> Pass:
    """The local variables of one of the functions below, sorted into values and gradients."""
    values = {name: value for name, value in local.items() if "grad_" + name in local}
    gradients = {name[5:]: value for name, value in local.items() if name.startswith("grad_")}
    return Pass(values, gradients)


def f1(w1, x1, w2, x2, b, y) -> Pass:
    """The squared error of a linear neuron, (w1 x1 + w2 x2 + b - y)^2.

    >>> result = f1(2.0, 3.0, 1.0, -1.0, 1.0, 4.0)
    >>> float(result.output), float(result.gradients["w1"]), float(result.gradients["y"])
    (4.0, 12.0, -4.0)
    """
    p1 = w1 * x1
    p2 = w2 * x2
    s = p1 + p2
    z = s + b
    d = z - y
    L = d**2

    grad_L = np.ones_like(L)
    grad_d = 2 * d * grad_L
    grad_z, grad_y = grad_d, -grad_d
    grad_s, grad_b = grad_z, grad_z  # a sum hands its gradient on to both sides
    grad_p1, grad_p2 = grad_s, grad_s
    grad_w1, grad_x1 = x1 * grad_p1, w1 * grad_p1  # a product hands it on times the other factor
    grad_w2, grad_x2 = x2 * grad_p2, w2 * grad_p2
    return _pass(locals())


def f2(x) -> Pass:
    """tanh(x) through exponentials, (e^2x - 1) / (e^2x + 1); x up to 350, then e^2x overflows.

    >>> result = f2(0.0)
    >>> float(result.output), float(result.gradients["x"])
    (0.0, 1.0)
    """
    m = 2 * x
    e = np.exp(m)
    n = e - 1
    d = e + 1
    t = n / d

    grad_t = np.ones_like(t)
    grad_n = grad_t / d
    grad_d = -grad_t * n / d**2
    grad_e_n, grad_e_d = grad_n, grad_d
    grad_e = grad_e_n + grad_e_d
    grad_m = e * grad_e
    grad_x = 2 * grad_m
    return _pass(locals())


def f3(s1, s2, y) -> Pass:
    """-log of the softmax probability of class y, which is 1 or 2, of the scores s1 and s2.

    Raises ValueError for another y.

    >>> result = f3(0.0, 0.0, y=2)
    >>> round(float(result.output), 6), float(result.gradients["s1"]), float(result.gradients["s2"])
    (0.693147, 0.5, -0.5)
    """
    if y not in (1, 2):
        raise ValueError(f"y is the number of a class, 1 or 2, got {y!r}")
    e1 = np.exp(s1)
    e2 = np.exp(s2)
    c = e1 if y == 1 else e2  # the choice
    S = e1 + e2
    p = c / S
    L = -np.log(p)

    grad_L = np.ones_like(L)
    grad_p = -grad_L / p
    grad_c = grad_p / S
    grad_S = -grad_p * c / S**2
    grad_e1_S, grad_e2_S = grad_S, grad_S
    grad_e1_c = grad_c if y == 1 else 0 * grad_c  # the choice sends its gradient to the chosen one
    grad_e2_c = grad_c if y == 2 else 0 * grad_c
    grad_e1 = grad_e1_c + grad_e1_S
    grad_e2 = grad_e2_c + grad_e2_S
    grad_s1 = e1 * grad_e1
    grad_s2 = e2 * grad_e2
    return _pass(locals())


def f4(a, b, c) -> Pass:
    """A graph with eleven operators, sqrt(sin(a b) + e^c / (1 + b^2)) tanh(a - c).

    >>> result = f4(1.0, 0.0, 0.0)
    >>> bool(result.output == np.tanh(1.0)), round(float(result.gradients["b"]), 6)
    (True, 0.380797)
    """
    p = a * b
    s = np.sin(p)
    e = np.exp(c)
    q = b**2
    d = 1 + q
    r = e / d
    u = s + r
    h = np.sqrt(u)
    m = a - c
    t = np.tanh(m)
    L = h * t

    grad_L = np.ones_like(L)
    grad_h, grad_t = t * grad_L, h * grad_L
    grad_m = (1 - t**2) * grad_t
    grad_a_m, grad_c_m = grad_m, -grad_m
    grad_u = grad_h / (2 * h)
    grad_s, grad_r = grad_u, grad_u
    grad_e = grad_r / d
    grad_d = -grad_r * e / d**2
    grad_q = grad_d
    grad_b_q = 2 * b * grad_q
    grad_c_e = e * grad_e
    grad_p = np.cos(p) * grad_s
    grad_a_p, grad_b_p = b * grad_p, a * grad_p
    grad_a = grad_a_p + grad_a_m
    grad_b = grad_b_p + grad_b_q
    grad_c = grad_c_e + grad_c_m
    return _pass(locals())


# ------------------------------------------------------------------ the four as graphs


class Node(NamedTuple):
    """A node: the operator that makes it, the names of its inputs, where it is drawn (column, row)."""

    operator: str
    inputs: tuple[str, ...]
    place: tuple[float, float]


@dataclass(frozen=True)
class Graph:
    """A graph function with all that is needed to draw and to check it.

    Attributes:
        formula: for the title.
        by_hand: takes the inputs, returns a `Pass`.
        engine: the same function of Tensors.
        leaves: {input: place in the picture}; also the order of the arguments.
        nodes: {name: `Node`}.
        example: the inputs of the picture.
    """

    formula: str
    by_hand: Callable
    engine: Callable
    leaves: dict
    nodes: dict
    example: tuple


def _engine_f2(x):
    e = (2 * x).exp()
    return (e - 1) / (e + 1)


def _engine_f4(a, b, c):
    return ((a * b).sin() + c.exp() / (1 + b**2)).sqrt() * (a - c).tanh()


def _choice(y: int) -> Graph:
    return Graph(
        f"f3 = -log(e^s{y} / (e^s1 + e^s2)),  y = {y}",
        lambda s1, s2: f3(s1, s2, y),
        lambda s1, s2: -((s1 if y == 1 else s2).exp() / (s1.exp() + s2.exp())).log(),
        {"s1": (0, 1), "s2": (0, 0)},
        {"e1": Node("exp", ("s1",), (1, 1)), "e2": Node("exp", ("s2",), (1, 0)),
         "c": Node(f"pick {y}", ("e1", "e2"), (2.4, 1)), "S": Node("+", ("e1", "e2"), (2.4, 0)),
         "p": Node("/", ("c", "S"), (3.6, 0.5)), "L": Node("-log", ("p",), (4.7, 0.5))},
        (0.7, 0.2))


GRAPHS = {
    "f1": Graph(
        "f1 = (w1 x1 + w2 x2 + b - y)²", f1,
        lambda w1, x1, w2, x2, b, y: (w1 * x1 + w2 * x2 + b - y) ** 2,
        {"w1": (0, 3), "x1": (0, 2), "w2": (0, 1), "x2": (0, 0), "b": (2, 3), "y": (3, 3)},
        {"p1": Node("×", ("w1", "x1"), (1, 2.5)), "p2": Node("×", ("w2", "x2"), (1, 0.5)),
         "s": Node("+", ("p1", "p2"), (2, 1.5)), "z": Node("+", ("s", "b"), (3, 1.5)),
         "d": Node("-", ("z", "y"), (4, 1.5)), "L": Node("²", ("d",), (5, 1.5))},
        (0.4, 0.4, 0.5, 0.4, 0.5, 0.1)),
    "f2": Graph(
        "f2 = (e^2x - 1) / (e^2x + 1) = tanh x", f2, _engine_f2,
        {"x": (0, 0.5)},
        {"m": Node("× 2", ("x",), (1, 0.5)), "e": Node("exp", ("m",), (2, 0.5)),
         "n": Node("- 1", ("e",), (3.1, 1)), "d": Node("+ 1", ("e",), (3.1, 0)),
         "t": Node("/", ("n", "d"), (4.2, 0.5))},
        (0.55,)),
    "f3_y1": _choice(1),
    "f3_y2": _choice(2),
    "f4": Graph(
        "f4 = sqrt(sin(a b) + e^c / (1 + b²)) tanh(a - c)", f4, _engine_f4,
        {"a": (0, 3), "b": (0, 2), "c": (0, 0)},
        {"p": Node("×", ("a", "b"), (1.9, 3)), "s": Node("sin", ("p",), (3, 3)),
         "q": Node("²", ("b",), (1.9, 2)), "d": Node("1 +", ("q",), (3, 2)),
         "e": Node("exp", ("c",), (1, 1)), "r": Node("/", ("e", "d"), (4, 1.6)),
         "u": Node("+", ("s", "r"), (5, 2.3)), "h": Node("sqrt", ("u",), (6, 2.3)),
         "m": Node("-", ("a", "c"), (3.2, 0)), "t": Node("tanh", ("m",), (6, 0)),
         "L": Node("×", ("h", "t"), (7, 1.2))},
        (1.1, 0.6, 0.4)),
}


# ------------------------------------------------------------------ checks


def samples(path) -> dict:
    """{graph: (inputs (N, arguments), outputs (N,))} of the course's file of samples, .npz or .pkl.

    Raises FileNotFoundError, and ValueError if it holds something else.

    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "samples.npz"
    >>> np.savez(path, f2_inputs=[[0.0]], f2_outputs=[0.0])
    >>> samples(path)
    {'f2': (array([[0.]]), array([0.]))}
    """
    from nets.data_sets import recognise

    found = {}
    for name, table in recognise(path).items():
        rows = [table[index] for index in range(len(table))]
        name = name.replace(" (y=", "_y").rstrip(")")
        if name not in GRAPHS or not all(isinstance(row, tuple) and len(row) == 2 for row in rows):
            raise ValueError(f"{path} holds {name!r}, no inputs and outputs of {', '.join(GRAPHS)}")
        inputs = np.array([np.asarray(row[0], float) for row in rows])
        if inputs.shape != (len(rows), len(GRAPHS[name].leaves)):
            raise ValueError(f"{path}: the inputs of {name} have shape {inputs.shape}, "
                             f"{name} takes {len(GRAPHS[name].leaves)}")
        found[name] = inputs, np.array([float(row[1]) for row in rows])
    return found


def check(name: str, inputs=None, outputs=None) -> dict:
    """The greatest errors of a graph by hand over samples.

    Args:
        name: of `GRAPHS`.
        inputs: (N, arguments); None draws 100 from 0.2 to 1.5.
        outputs: (N,) true outputs, or None.

    Returns:
        ``samples``: greatest difference to ``outputs`` (None without them); ``engine_value`` and
        ``engine_gradient``: greatest difference to the engine; ``central_differences``: greatest
        relative error of the gradients against difference quotients.

    >>> errors = check("f4")
    >>> errors["engine_gradient"] < 1e-12, errors["central_differences"] < 1e-9, errors["samples"]
    (True, True, None)
    """
    graph = GRAPHS[name]
    if inputs is None:
        inputs = np.random.default_rng(0).uniform(0.2, 1.5, (100, len(graph.leaves)))
    columns = [np.ascontiguousarray(column) for column in np.transpose(inputs)]
    result = graph.by_hand(*columns)
    gradients = [result.gradients[leaf] for leaf in graph.leaves]

    tensors = [thw.tensor(column, requires_grad=True) for column in columns]
    output = graph.engine(*tensors)
    output.sum().backward()
    numeric = numerical_gradient(
        lambda *points: thw.tensor(graph.by_hand(*(p.detach().numpy() for p in points)).output), tensors)
    return {
        "samples": None if outputs is None else _difference(result.output, outputs),
        "engine_value": _difference(result.output, output.detach().numpy()),
        "engine_gradient": max(_difference(mine, tensor.grad.numpy())
                               for mine, tensor in zip(gradients, tensors)),
        "central_differences": max(map(relative_error, gradients, numeric)),
    }


def _difference(mine, theirs) -> float:
    return float(np.abs(mine - theirs).max(initial=0.0))
