"""Matrix products of all ranks, random einsum equations, padding."""

import itertools

import numpy as np
import pytest
from counterparts import counterpart, public, run
from harness import check_gradients, generator

import ops

torch = pytest.importorskip("torch")

pytestmark = pytest.mark.filterwarnings("ignore")


SHAPES = [
    (),
    (3,),
    (2, 3),
    (3, 2),
    (4, 2, 3),
    (4, 3, 2),
    (1, 3, 3),
    (5, 1, 3, 3),
    (0, 3),
    (3, 0),
    (2, 4, 0, 3),
]


@pytest.mark.parametrize(("left", "right"), itertools.product(SHAPES, SHAPES), ids=repr)
def test_matmul_of_all_ranks(left, right):
    """Values and gradients where the shapes fit, the same error where they do not."""
    rng = generator()
    args = rng.standard_normal(left), rng.standard_normal(right)
    run("matmul", args)
    check_gradients(ops.matmul, torch.matmul, args, {}, "matmul")


@pytest.mark.parametrize("name", ["mm", "bmm", "mv", "dot", "outer", "inner", "vdot", "kron"])
def test_products_of_all_ranks(name):
    """Each product with operands of every rank, and of unlike dtypes."""
    rng = generator()
    for left, right in itertools.product(SHAPES[1:6], SHAPES[1:6]):
        run(name, (rng.standard_normal(left), rng.standard_normal(right)))
    run(name, (np.ones((2, 2)), np.ones((2, 2), np.float32)))
    run(name, (np.ones(3), np.arange(3)))
    run(name, (np.ones((2, 2, 2), np.int64), np.ones((2, 2, 2), np.int64)))


def equations(count=60):
    """Random equations of one to three operands, their shapes, and whether the output is written out."""
    rng = generator(7)
    for _ in range(count):
        letters = list("abcde")[: rng.integers(1, 6)]
        sizes = {letter: int(rng.integers(1, 4)) for letter in letters}
        terms = []
        for _ in range(rng.integers(1, 4)):
            chosen = rng.choice(
                letters, rng.integers(1, min(4, len(letters) + 1)), replace=bool(rng.random() < 0.2)
            )
            terms.append("".join(chosen))
        used = sorted({*"".join(terms)})
        output = "".join(rng.permutation(used)[: rng.integers(0, len(used) + 1)])
        written = rng.random() < 0.8
        dots = rng.random() < 0.25
        shapes = [tuple(sizes[letter] for letter in term) for term in terms]
        if dots:
            terms[0], shapes[0] = "..." + terms[0], (2, *shapes[0])
            output = "..." + output
        yield ",".join(terms) + (f"->{output}" if written else ""), shapes


@pytest.mark.parametrize(("equation", "shapes"), list(equations()))
def test_einsum(equation, shapes):
    """Random equations: values and gradients."""
    rng = generator()
    args = (equation, *(rng.standard_normal(shape) for shape in shapes))
    run("einsum", args)
    check_gradients(ops.einsum, torch.einsum, args, {}, equation)


# ------------------------------------------------------------------ padding


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
@pytest.mark.parametrize(
    "pad",
    [
        (1, 2),
        (0, 0),
        (2, 1),
        (-1, 1),
        (1, -2),
        (1, 1, 2, 0),
        (1, 0, 0, 2, 1, 1),
        (-1, -1),
        (1,),
        (1, 2, 3),
        (3, 3),
        (4, 0),
        (5, 5),
        (-2, -3),
    ],
)
def test_pad(mode, pad):
    """All modes, negative and too large pads, for inputs of two to five dimensions."""
    for ndim in (1, 2, 3, 4, 5):
        x = generator().standard_normal((2, 3, 4, 3, 4)[-ndim:])
        if mode == "circular" and min(pad) < 0 and ndim > 2 and len(pad) > 2:
            continue
        run("pad", (x, pad, mode))
        check_gradients(public("pad"), counterpart("pad"), (x, pad, mode), {}, f"pad {mode}")
    run("pad", (np.ones((2, 3)), pad), {"value": 1.5})
    run("pad", (np.ones((2, 3), np.int64), pad), {"value": 2})
