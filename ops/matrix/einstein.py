"""Einstein summation, reduced to batched matrix products."""

from __future__ import annotations

import functools
import math
import string

import numpy as np

import ops
from ops.core import Bad, case, composite, dtype_of, shape_of
from ops.elementwise.arithmetic import mul
from ops.matrix.products import bmm
from ops.reduction.totals import sum
from ops.samples import spaced
from ops.shape.layout import permute, reshape

__all__ = ["einsum"]


@functools.lru_cache(maxsize=256)
def _parse(equation: str, shapes: tuple[tuple[int, ...], ...]) -> tuple[list[list[str]], list[str]]:
    """Labels of each operand and of the result, all checked.

    The dimensions of an ellipsis get digits as labels, counted from the right.
    """
    equation = equation.replace(" ", "")
    left, arrow, right = equation.partition("->")
    terms = left.split(",")
    if len(terms) != len(shapes):
        raise RuntimeError(f"einsum(): {len(terms)} operands are named in the equation {equation!r}, "
                           f"but {len(shapes)} were given")
    labels, widest = [], 0
    for term, shape in zip(terms, shapes):
        before, dots, after = term.partition("...")
        bad = sorted({c for c in before + after if c not in string.ascii_letters})
        if bad:
            raise RuntimeError(f"einsum(): invalid subscript {bad[0]!r} in the equation {equation!r}; "
                               "subscripts are letters")
        extra = len(shape) - len(before) - len(after)
        if extra < 0 or (extra and not dots):
            raise RuntimeError(f"einsum(): the number of subscripts in {term!r} does not match the "
                               f"number of dimensions ({len(shape)}) of an operand of shape {shape}")
        widest = max(widest, extra)
        labels.append([*before, *(str(d) for d in range(extra - 1, -1, -1)), *after])
    _check_sizes(labels, shapes)
    ellipsis = [str(d) for d in range(widest - 1, -1, -1)]
    if not arrow:
        every = [c for term in labels for c in term if c.isalpha()]
        return labels, ellipsis + sorted(c for c in set(every) if every.count(c) == 1)
    before, dots, after = right.partition("...")
    result = [*before, *(ellipsis if dots else []), *after]
    known = {c for term in labels for c in term}
    for c in result:
        if result.count(c) > 1:
            raise RuntimeError(f"einsum(): output subscript {c} appears more than once in the output of "
                               f"{equation!r}")
        if c not in known:
            raise RuntimeError(f"einsum(): output subscript {c} does not appear in the equation "
                               f"{equation!r} for any input operand")
    return labels, result


def _check_sizes(labels: list[list[str]], shapes: tuple) -> None:
    """Refuse a label with two sizes; 1 broadcasts."""
    sizes: dict[str, int] = {}
    for term, shape in zip(labels, shapes):
        for label, size in zip(term, shape):
            known = sizes.get(label, 1)
            if known != 1 and size != 1 and known != size:
                raise RuntimeError(f"einsum(): operands do not broadcast: subscript {label} has size "
                                   f"{size} in shape {shape}, which does not match the "
                                   f"previously seen size {known}")
            sizes[label] = size if known == 1 else known


def _diagonals(operand, term: list[str]):
    """Take the diagonal of each label that stands twice in one term."""
    for label in dict.fromkeys(term):
        while term.count(label) > 1:
            first = term.index(label)
            second = term.index(label, first + 1)
            operand = ops.diagonal(operand, 0, first, second)
            term = [c for i, c in enumerate(term) if i not in (first, second)] + [label]
    return operand, term


def _sum_out(operand, term: list[str], kept: set[str]):
    """Sum over the labels that nobody needs."""
    gone = tuple(i for i, label in enumerate(term) if label not in kept)
    return (sum(operand, gone) if gone else operand), [label for label in term if label in kept]


def _contract(a, left: list[str], b, right: list[str], kept: set[str]):
    """The product of two operands, summed over their common labels outside ``kept``, as one `bmm`."""
    # a label of size 1 in one operand and more in the other only broadcasts: it belongs to the larger
    for label in set(left) & set(right):
        size_a, size_b = a.shape[left.index(label)], b.shape[right.index(label)]
        if size_a != size_b:
            if size_a == 1:
                a, left = reshape(a, _without(a.shape, left, label)), [c for c in left if c != label]
            else:
                b, right = reshape(b, _without(b.shape, right, label)), [c for c in right if c != label]
    a, left = _sum_out(a, left, kept | set(right))
    b, right = _sum_out(b, right, kept | set(left))
    common = [c for c in left if c in right]
    batch = [c for c in common if c in kept]
    inner = [c for c in common if c not in kept]
    rows, columns = [c for c in left if c not in common], [c for c in right if c not in common]
    if not inner and not batch and not (rows and columns):
        return mul(a, b), rows or columns
    a = _ordered(a, left, batch + rows + inner)
    b = _ordered(b, right, batch + inner + columns)
    n_batch, n_rows = len(batch), len(rows)
    shape_batch, shape_rows = a.shape[:n_batch], a.shape[n_batch:n_batch + n_rows]
    shape_inner, shape_columns = a.shape[n_batch + n_rows:], b.shape[n_batch + len(inner):]
    first = _shaped(a, (math.prod(shape_batch), math.prod(shape_rows), math.prod(shape_inner)))
    second = _shaped(b, (math.prod(shape_batch), math.prod(shape_inner), math.prod(shape_columns)))
    multiply = mul if not inner and dtype_of(a).kind == "b" else bmm  # bools are multiplied, never summed
    product = _shaped(multiply(first, second), (*shape_batch, *shape_rows, *shape_columns))
    return product, batch + rows + columns


def _ordered(operand, term: list[str], order: list[str]):
    """The dimensions in another order of their labels."""
    return operand if term == order else permute(operand, tuple(map(term.index, order)))


def _shaped(operand, shape: tuple[int, ...]):
    return operand if shape_of(operand) == shape else reshape(operand, shape)


def _without(shape, term: list[str], label: str) -> tuple[int, ...]:
    return tuple(n for n, c in zip(shape, term) if c != label)


def _cases(rng):
    pairs = (("ij,jk->ik", (2, 3), (3, 4)), ("bij,bjk->bik", (2, 2, 3), (2, 3, 2)),
             ("i,j->ij", (2,), (3,)), ("i,i", (3,), (3,)), ("i,i->i", (3,), (3,)),
             ("...ij,...jk->...ik", (2, 1, 2, 3), (3, 3, 2)), ("ij,kj->jki", (2, 3), (2, 3)),
             ("ij,jk", (0, 3), (3, 2)))
    singles = (("ii->i", (3, 3)), ("ii", (3, 3)), ("ij->ji", (2, 3)), ("ijk->j", (2, 3, 2)), ("->", ()))
    for equation, *shapes in pairs:
        yield case(equation, *(spaced(rng, shape) for shape in shapes))
    for equation, shape in singles:
        yield case(equation, spaced(rng, shape))
    yield case("ij,jk,kl->il", *(spaced(rng, shape) for shape in ((2, 3), (3, 2), (2, 2))))


@composite(
    differentiable=("operands",), samples=_cases, reference=np.einsum,
    bad=[Bad(("ij,jk", np.ones((2, 3))), {}, RuntimeError, "2 operands are named.*1 were given"),
         Bad(("ij,jk", np.ones((2, 3)), np.ones((4, 2))), {}, RuntimeError,
             "subscript j has size 4.*previously seen size 3"),
         Bad(("ij->k", np.ones((2, 3))), {}, RuntimeError, "output subscript k does not appear"),
         Bad(("ijk", np.ones((2, 3))), {}, RuntimeError, "does not match the number of dimensions"),
         Bad(("i?", np.ones((2, 3))), {}, RuntimeError, "invalid subscript")],
)
def einsum(equation, *operands):
    """Sum of products along the subscripts of Einstein's notation.

    Args:
        equation: ``"ij,jk->ik"``; letters, ``...`` for broadcast dimensions, repeated letters for
            diagonals.
        operands: one array for each term of the equation, or one list of them.

    Raises:
        RuntimeError: if equation and operands do not fit; the text names the subscript and the sizes.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.einsum.html

    >>> einsum("ij,j->i", np.eye(2), np.array([3.0, 4.0]))
    array([3., 4.])
    """
    if len(operands) == 1 and isinstance(operands[0], (tuple, list)):
        operands = operands[0]
    operands = list(operands)
    labels, result = _parse(equation, tuple(shape_of(operand) for operand in operands))
    terms = [_diagonals(operand, term) for operand, term in zip(operands, labels)]
    value, term = terms[0]
    for position, (other, other_term) in enumerate(terms[1:], 1):
        later = {c for _, following in terms[position + 1:] for c in following}
        value, term = _contract(value, term, other, other_term, set(result) | later)
    value, term = _sum_out(value, term, set(result))
    if value is operands[0]:
        return permute(value, tuple(map(term.index, result)))
    return _ordered(value, term, result)
