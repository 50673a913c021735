"""Operators, changes in place and printing: the same expression in the engine and in PyTorch."""

import operator

import numpy as np
import pytest
import torch
from expressions import check, expressions

import tinygrad_hw as thw

OPERATORS = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
    "**": lambda a, b: a**b,
    "&": lambda a, b: a & b,
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
    "<<": lambda a, b: a << b,
    ">>": lambda a, b: a >> b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "@": lambda a, b: a @ b,
    "divmod": divmod,
}
OPERANDS = {
    "float32": lambda torch: torch.tensor([1.5, -2.0, 3.0]),
    "float64": lambda torch: torch.tensor([1.5, -2.0, 3.0]).double(),
    "int64": lambda torch: torch.tensor([1, 2, 3]),
    "int8": lambda torch: torch.tensor([1, 2, 3], dtype=torch.int8),
    "uint8": lambda torch: torch.tensor([1, 2, 3], dtype=torch.uint8),
    "bool": lambda torch: torch.tensor([True, False, True]),
    "0-d": lambda torch: torch.tensor(2.0),
    "0-d int": lambda torch: torch.tensor(2),
    "2": lambda torch: 2,
    "-3": lambda torch: -3,
    "2.5": lambda torch: 2.5,
    "True": lambda torch: True,
    "np.float32": lambda torch: np.float32(2),
    "np.float64": lambda torch: np.float64(2.5),
    "np.int64": lambda torch: np.int64(2),
    "None": lambda torch: None,
    "str": lambda torch: "a",
    "list": lambda torch: [1, 2, 3],
}
KINDS = list(OPERANDS)
PAIRS = [(a, b) for a in KINDS for b in KINDS if KINDS.index(a) < 8 or KINDS.index(b) < 8]


@pytest.mark.parametrize("symbol", OPERATORS)
def test_operators(symbol):
    apply, wrong = OPERATORS[symbol], []
    for a, b in PAIRS:
        if symbol == "@" and ("np." in a + b or a == b == "bool"):
            continue  # refused by PyTorch in other words, or not implemented there
        try:
            check(lambda torch: apply(OPERANDS[a](torch), OPERANDS[b](torch)))
        except AssertionError as error:
            wrong.append(f"{a} {symbol} {b}: {error}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("kind", KINDS[:8])
@pytest.mark.parametrize("function", [operator.neg, operator.pos, operator.invert, abs])
def test_unary_operators(kind, function):
    check(lambda torch: function(OPERANDS[kind](torch)))


@pytest.mark.parametrize(
    "symbol", ["+=", "-=", "*=", "/=", "//=", "%=", "**=", "&=", "|=", "^=", "<<=", ">>="]
)
def test_assignment_operators(symbol):
    def run(torch, a, b):
        names = {"a": OPERANDS[a](torch), "b": OPERANDS[b](torch)}
        before = names["a"]
        exec(f"a {symbol} b", names)
        return names["a"], names["a"] is before

    wrong = []
    for a in KINDS[:8]:
        for b in KINDS:
            try:
                check(lambda torch: run(torch, a, b))
            except AssertionError as error:
                wrong.append(f"{a} {symbol} {b}: {error}")
    assert not wrong, "\n".join(wrong)


@expressions("""
    torch.zeros(3).fill_(2)
    torch.ones(3).zero_()
    torch.zeros(2, 3).copy_(torch.arange(3))
    torch.zeros(3).fill_(torch.tensor(2.0))
    torch.zeros(3).fill_(torch.ones(2))
    torch.zeros(3, dtype=torch.int64).fill_(2.7)
    torch.zeros(3).copy_([1, 2, 3])
    torch.zeros(3).copy_(torch.ones(2))
    torch.zeros(3).copy_(torch.tensor([True, False, True]))
    torch.zeros(3, dtype=torch.int32).copy_(torch.tensor([1.7, -1.7, 0.0]))
    (x := torch.zeros(1000)).uniform_() is x
    bool((torch.zeros(99).uniform_(2, 3) >= 2).all())
    torch.zeros(3).uniform_(3, 2)
    torch.zeros(3).normal_(5, 0)
    torch.zeros(3).normal_(0, -1)
    torch.zeros(3, dtype=torch.int64).normal_()
    torch.zeros(3).bernoulli_(1)
    torch.zeros(3).bernoulli_(torch.tensor([1.0, 0.0, 1.0]))
    torch.zeros(3).bernoulli_(2.0)
    bool((torch.zeros(99).exponential_() >= 0).all())
    torch.zeros(3).random_(1)
    torch.zeros(3, dtype=torch.int64).random_(5, 6)
    torch.zeros(3).random_(5, 5)
    torch.zeros(3, dtype=torch.bool).random_().dtype
    torch.zeros(3, 3).fill_diagonal_(2)
    torch.zeros(3).apply_(lambda v: v + 1)
    (x := torch.ones(3), x.__setitem__(0, 5), x)[-1]
    (x := torch.ones(3), x.__setitem__(5, 5))
    (x := torch.ones(3, dtype=torch.int64), x.__setitem__(0, 2.9), x)[-1]
    (x := torch.ones(3), x.__setitem__(slice(None), [1, 2, 3]), x)[-1]
    (x := torch.ones(3), x.__setitem__(0, "a"))
    (x := torch.ones(3), x.__setitem__("a", 1))
    (x := torch.ones(3), x.__setitem__(x > 2, 0), x)[-1]
    (x := torch.ones(3), operator.delitem(x, 0))
    (x := torch.ones(2), setattr(x, "data", torch.zeros(3)), x)[-1]
    (x := torch.ones(2), setattr(x, "data", 1))
    (x := torch.ones(2), setattr(x, "shape", 1))
    (x := torch.ones(2), setattr(x, "note", 1), x.note)[-1]
    torch.ones(2).nonsense
""")
def test_in_place_methods(expression):
    check(expression)


# ------------------------------------------------------------------ printing


def arrays():
    rng = np.random.default_rng(0)
    specials = np.array([np.nan, np.inf, -np.inf, 0.0, 1.5])
    yield from (
        np.array(v) for v in (1.0, 2.5, 1e10, 1e-10, 12345678.0, -0.0, np.nan, np.inf, 3, True, 0.1)
    )
    yield from (
        np.array(v)
        for v in (
            [1e-5, 1.0],
            [1e5, 1.0],
            [1e8, 1.0],
            [1e9, 1.0],
            [0.001, 1.0],
            [1.0, 2.0, 3.5],
            [1000.0, 1e-3],
            [1, -20, 300],
            [True, False],
            [0.0, 0.0],
            [-1.0, 2.0],
        )
    )
    yield from (
        specials,
        specials[:3],
        specials[[0, 3]],
        specials[[1, 4]],
        np.array([np.nan, 1e9]),
        np.array([1e9, np.nan, 0.5]),
    )
    for shape in (
        (0,),
        (2, 0),
        (0, 3),
        (1, 1),
        (3,),
        (2, 3),
        (2, 2, 2),
        (1, 2, 1, 3),
        (30,),
        (3, 30),
        (1001,),
        (40, 30),
        (2, 1001),
        (11, 11, 11),
        (7, 7, 30),
        (1, 1, 2000),
        (2000, 1),
    ):
        yield rng.normal(size=shape)
        yield (rng.normal(size=shape) * 100).round()
        yield rng.integers(-1000, 1000, shape)
        yield rng.random(shape) > 0.5
    for scale in (1e-7, 1e-3, 1e4, 1e12):
        yield rng.normal(size=(3, 4)) * scale


@pytest.mark.parametrize(
    "options",
    [
        {},
        dict(precision=2),
        dict(sci_mode=True),
        dict(sci_mode=False),
        dict(linewidth=40),
        dict(threshold=5, edgeitems=1),
        dict(profile="short"),
        dict(profile="full", linewidth=120),
        dict(precision=8),
    ],
    ids=str,
)
def test_printing(options):
    try:
        torch.set_printoptions(**options)
        thw.set_printoptions(**options)
        for array in arrays():
            for dtype in (np.float32, np.float64, array.dtype):
                values = array.astype(dtype) if array.dtype.kind == "f" else array
                ours, theirs = thw.tensor(values), torch.tensor(values)
                assert repr(ours) == repr(theirs).replace("torch.", "tinygrad_hw.")
                assert str(ours) == repr(ours)
    finally:
        torch.set_printoptions(profile="default")
        thw.set_printoptions(profile="default")


@expressions("""
    repr(torch.ones(2, requires_grad=True))
    repr(torch.ones(2, requires_grad=True) * 2)
    repr(torch.ones(2, 20, requires_grad=True) * 2.5)
    repr(torch.ones(18, requires_grad=True))
    repr(torch.zeros(2, 0, requires_grad=True))
    repr(torch.ones(12, dtype=torch.float64))
    repr(torch.ones(11, dtype=torch.float64, requires_grad=True))
    repr(torch.zeros(0, dtype=torch.int64))
    repr(torch.ones(14, dtype=torch.float64))
    repr(torch.ones(10, 20)[:, ::2].t())
    repr(torch.ones(2).to(torch.uint8))
    repr(torch.zeros(2, 0, 3, dtype=torch.bool))
""")
def test_printing_of_history_and_dtype(expression):
    check(expression)
